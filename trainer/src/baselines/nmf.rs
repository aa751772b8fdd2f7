//! Non-negative matrix factorization: rows as sums of parts, none of which is ever taken away.
//!
//! Activations have both signs, so a row is split into what is above 0 and what is below,
//! `[max(x, 0), max(-x, 0)]`, twice as wide; what is rebuilt is the difference of the halves.
//!
//! `X ~ W H` by the multiplicative updates of Lee and Seung (NIPS 2000) for the squared error, in the
//! order of scikit-learn's solver `mu`: `W <- W (X H') / (W H H')`, then `H <- H (W'X) / (W'W H)`. Every
//! ten rounds it ends if the error has fallen by less than a share of the first one.

use anyhow::Result;
use burn::prelude::*;
use shared::csae::unit_rows;
use shared::{TopK, random};

use crate::data::Rows;
use crate::interrupt;

/// In place of a denominator that is 0.
const EPSILON: f32 = f32::EPSILON;
/// After how many rounds the error is looked at.
const BETWEEN_ERRORS: usize = 10;
/// How many rounds the code of a row gets, with parts that stay as they are.
const CODE_ROUNDS: usize = 30;
/// How many more rounds its largest coefficients get, once the others are 0.
const REFIT_ROUNDS: usize = 20;
/// How many rows are multiplied at once.
const ROWS_AT_ONCE: usize = 8_192;

/// How to factorize.
#[derive(Clone, Copy, Debug)]
pub struct NmfConfig {
    /// How many parts.
    pub rank: usize,
    /// How many rounds at most.
    pub rounds: usize,
    /// It ends when ten rounds lower the error by less than this share of the first error.
    pub tolerance: f64,
    /// Of the first factors.
    pub seed: u64,
}

impl NmfConfig {
    /// So many parts, with scikit-learn's tolerance and a third of its rounds.
    pub fn new(rank: usize) -> Self {
        Self { rank, rounds: 60, tolerance: 1e-4, seed: 0 }
    }
}

/// Parts whose sums rows are.
#[derive(Clone, Debug)]
pub struct Nmf {
    /// Each of length 1: `[rank, 2 * d_model]`.
    parts: Tensor<2>,
}

impl Nmf {
    /// Fits rows of mean 0.
    ///
    /// # Errors
    /// The user stops it.
    pub fn fit(rows: &Rows, config: &NmfConfig, device: &Device) -> Result<Self> {
        let blocks: Vec<Tensor<2>> = rows.blocks(ROWS_AT_ONCE, device).map(split).collect();
        let mut factors = Factors::random(&blocks, config);
        factors.learn(&blocks, config)?;
        Ok(Self { parts: unit_rows(factors.parts) })
    }

    /// Rebuilds rows `[rows, d_model]` from all parts.
    pub fn all(&self, rows: Tensor<2>) -> Tensor<2> {
        let toward = split(rows).matmul(self.parts.clone().transpose());
        self.rebuilt(self.coded(&toward, toward.clone(), CODE_ROUNDS))
    }

    /// Rebuilds each row from the `k` parts that are largest in it. These are fitted again without the
    /// others: an update leaves at 0 what is 0.
    pub fn largest(&self, rows: Tensor<2>, k: usize) -> Tensor<2> {
        let [rank, _] = self.parts.dims();
        let toward = split(rows).matmul(self.parts.clone().transpose());
        let code = self.coded(&toward, toward.clone(), CODE_ROUNDS);
        let kept = TopK::select(code, k.min(rank)).into_dense(rank);
        self.rebuilt(self.coded(&toward, kept, REFIT_ROUNDS))
    }

    /// The code after so many updates; `toward` is `X H'`, `[rows, rank]`.
    fn coded(&self, toward: &Tensor<2>, code: Tensor<2>, rounds: usize) -> Tensor<2> {
        let gram = self.parts.clone().matmul(self.parts.clone().transpose());
        (0..rounds).fold(code, |code, _| {
            let current = code.clone().matmul(gram.clone());
            code * ratio(toward.clone(), current)
        })
    }

    fn rebuilt(&self, code: Tensor<2>) -> Tensor<2> {
        let [_, double] = self.parts.dims();
        let both = code.matmul(self.parts.clone());
        both.clone().narrow(1, 0, double / 2) - both.narrow(1, double / 2, double / 2)
    }
}

/// `[max(x, 0), max(-x, 0)]`: `[rows, 2 * d_model]`.
fn split(rows: Tensor<2>) -> Tensor<2> {
    Tensor::cat(vec![rows.clone().clamp_min(0.0), rows.neg().clamp_min(0.0)], 1)
}

fn ratio(numerator: Tensor<2>, denominator: Tensor<2>) -> Tensor<2> {
    let zero = denominator.clone().equal_scalar(0.0);
    numerator / denominator.mask_fill(zero, EPSILON)
}

/// Both factors while they are learned.
#[derive(Clone, Debug)]
struct Factors {
    /// One for each block of rows: `[rows, rank]`.
    codes: Vec<Tensor<2>>,
    /// `[rank, width]`.
    parts: Tensor<2>,
}

impl Factors {
    /// As scikit-learn's `init="random"`: sizes of normal numbers, such that products have the mean of
    /// the rows.
    fn random(blocks: &[Tensor<2>], config: &NmfConfig) -> Self {
        let device = blocks[0].device();
        let width = blocks[0].dims()[1];
        let count: usize = blocks.iter().map(|block| block.dims()[0]).sum();
        let sum: f64 = blocks.iter().map(|block| number(block.clone().sum())).sum();
        let mean = sum / (count * width) as f64;
        let size = (mean / config.rank as f64).sqrt() as f32;
        let matrix = |random: &mut _, rows: usize, columns: usize| {
            let values = random::normal(random, rows * columns, size);
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device).abs()
        };
        let parts = matrix(&mut random::stream(config.seed, "nmf parts"), config.rank, width);
        let mut random = random::stream(config.seed, "nmf codes");
        let codes = blocks.iter().map(|block| matrix(&mut random, block.dims()[0], config.rank));
        Self { codes: codes.collect(), parts }
    }

    /// Updates both until the error hardly falls; says after how many rounds.
    fn learn(&mut self, blocks: &[Tensor<2>], config: &NmfConfig) -> Result<usize> {
        let first = self.error(blocks);
        let mut last = first;
        for round in 1..=config.rounds {
            interrupt::check()?;
            self.update(blocks);
            if round.is_multiple_of(BETWEEN_ERRORS) && config.tolerance > 0.0 {
                let error = self.error(blocks);
                if (last - error) / first < config.tolerance {
                    return Ok(round);
                }
                last = error;
            }
        }
        Ok(config.rounds)
    }

    /// One round, the codes first. Sums over rows run block after block.
    fn update(&mut self, blocks: &[Tensor<2>]) {
        let turned = self.parts.clone().transpose(); // [width, rank]
        let gram = self.parts.clone().matmul(turned.clone());
        let (mut toward, mut among) = (self.parts.zeros_like(), gram.zeros_like());
        for (block, code) in blocks.iter().zip(&mut self.codes) {
            let current = code.clone().matmul(gram.clone());
            *code = code.clone() * ratio(block.clone().matmul(turned.clone()), current);
            let across = code.clone().transpose(); // [rank, rows]
            toward = toward + across.clone().matmul(block.clone());
            among = among + across.matmul(code.clone());
        }
        self.parts = self.parts.clone() * ratio(toward, among.matmul(self.parts.clone()));
    }

    /// The root of the sum of squared errors.
    fn error(&self, blocks: &[Tensor<2>]) -> f64 {
        let squared = blocks.iter().zip(&self.codes).map(|(block, code)| {
            number((block.clone() - code.clone().matmul(self.parts.clone())).square().sum())
        });
        squared.sum::<f64>().sqrt()
    }
}

fn number(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use shared::weights::to_vec;

    /// What scikit-learn made of the same matrices.
    fn golden() -> Value {
        serde_json::from_str(include_str!("../../../tests/golden/nmf_pca.json")).unwrap()
    }

    fn matrix(value: &Value) -> Tensor<2> {
        let rows: Vec<Vec<f32>> = serde_json::from_value(value.clone()).unwrap();
        let shape = [rows.len(), rows[0].len()];
        Tensor::from_data(TensorData::new(rows.concat(), shape), &Device::flex())
    }

    fn apart(one: &Tensor<2>, other: &Tensor<2>) -> f32 {
        (one.clone() - other.clone()).abs().max().into_scalar()
    }

    /// Rows that are sums of few of 10 directions with both signs.
    fn rows(count: usize) -> Rows {
        let directions = random::normal(&mut random::stream(1, "directions"), 10 * 6, 1.0);
        let amounts = random::normal(&mut random::stream(2, "amounts"), count * 10, 1.0);
        let mut values = vec![0.0; count * 6];
        for (row, amounts) in values.chunks_mut(6).zip(amounts.chunks(10)) {
            for (direction, amount) in directions.chunks(6).zip(amounts) {
                let amount = (amount - 1.0).max(0.0);
                row.iter_mut().zip(direction).for_each(|(value, one)| *value += amount * one);
            }
        }
        Rows { values, width: 6 }
    }

    fn error(rows: &Tensor<2>, rebuilt: Tensor<2>) -> f32 {
        (rows.clone() - rebuilt).square().mean().into_scalar()
    }

    #[test]
    fn from_the_same_factors_it_goes_where_scikit_learn_goes() {
        let golden = golden();
        let nmf = &golden["nmf"];
        // In two blocks, which must not matter.
        let blocks = split(matrix(&golden["rows"])).split(35, 0);
        let codes = matrix(&nmf["first_w"]).split(35, 0);
        let mut factors = Factors { codes, parts: matrix(&nmf["first_h"]) };
        let config = NmfConfig { rounds: 40, tolerance: 0.0, ..NmfConfig::new(5) };

        let rounds = factors.learn(&blocks, &config).unwrap();

        assert_eq!(rounds, 40);
        let expected = nmf["error"].as_f64().unwrap();
        let error = factors.error(&blocks);
        assert!((error / expected - 1.0).abs() < 1e-5, "{error} {expected}");
        assert!(apart(&factors.parts, &matrix(&nmf["h"])) < 1e-3);
        assert!(apart(&Tensor::cat(factors.codes, 0), &matrix(&nmf["w"])) < 1e-3);
    }

    #[test]
    fn it_stops_where_scikit_learn_stops() {
        let golden = golden();
        let nmf = &golden["nmf"];
        let blocks = [split(matrix(&golden["rows"]))];
        let codes = vec![matrix(&nmf["first_w"])];
        let mut factors = Factors { codes, parts: matrix(&nmf["first_h"]) };
        let config = NmfConfig { rounds: 500, tolerance: 2e-3, ..NmfConfig::new(5) };

        let rounds = factors.learn(&blocks, &config).unwrap();

        assert_eq!(rounds as u64, nmf["rounds_at_tolerance"].as_u64().unwrap());
        assert!(rounds > 10 && rounds < 500);
    }

    #[test]
    fn rows_with_both_signs_are_rebuilt_by_more_parts_better() {
        let rows = rows(600);
        let device = Device::flex();
        let whole = Tensor::cat(rows.blocks(100, &device).collect(), 0);
        let left = |rank: usize| {
            let config = NmfConfig { rounds: 200, ..NmfConfig::new(rank) };
            let nmf = Nmf::fit(&rows, &config, &device).unwrap();
            error(&whole, nmf.all(whole.clone()))
        };

        let errors = [1, 3, 6, 12].map(left);

        let mean_square = error(&whole, whole.zeros_like());
        assert!(errors.is_sorted_by(|one, other| one > other), "{errors:?}");
        assert!(errors[3] < 0.02 * mean_square, "{errors:?} of {mean_square}");
        assert!(to_vec(whole).iter().any(|value| *value < -1.0));
    }

    #[test]
    fn at_most_k_parts_speak_and_fitting_them_again_helps() {
        let rows = rows(300);
        let device = Device::flex();
        let whole = Tensor::cat(rows.blocks(100, &device).collect(), 0);
        let nmf = Nmf::fit(&rows, &NmfConfig::new(12), &device).unwrap();
        let toward = split(whole.clone()).matmul(nmf.parts.clone().transpose());
        let code = nmf.coded(&toward, toward.clone(), CODE_ROUNDS);
        let kept = TopK::select(code, 3).into_dense(12);

        let refitted = nmf.coded(&toward, kept.clone(), REFIT_ROUNDS);

        let most = refitted.clone().greater_scalar(0.0).int().sum_dim(1).max();
        assert!(most.into_scalar::<i32>() <= 3);
        let (before, after) = (nmf.rebuilt(kept), nmf.rebuilt(refitted));
        assert!(error(&whole, after.clone()) < 0.95 * error(&whole, before));
        assert_eq!(to_vec(after), to_vec(nmf.largest(whole, 3)));
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_and_parts_have_length_one() {
        let fit = |seed| {
            let config = NmfConfig { seed, ..NmfConfig::new(4) };
            Nmf::fit(&rows(100), &config, &Device::flex()).unwrap().parts
        };

        assert_eq!(to_vec(fit(1)), to_vec(fit(1)));
        assert_ne!(to_vec(fit(1)), to_vec(fit(2)));
        let lengths = to_vec(fit(1).square().sum_dim(1));
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5), "{lengths:?}");
    }
}
