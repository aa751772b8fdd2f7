//! One ridge regression for everything that the residuals can be explained by.

use std::borrow::Cow;

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::sparse::{Column, SparseRows};
use super::{Bench, ScreeningError, add, dot};

/// Steps of a regression. The projection takes a tenth or so of an effect away, so each step leaves
/// a tenth of the error.
const STEPS: usize = 2;

/// All combinations fitted together, and what they leave.
///
/// Every feature takes part with a correction of its own, so that what a feature does alone is
/// nobody's effect: rules swell the mean residual of their parts, and a dictionary is never exact.
pub(super) struct Fit {
    /// What is left: `[rows, d_model]`.
    pub residuals: Vec<f32>,
    /// The mean energy of a row that is left.
    pub noise: f64,
    /// The rows and strengths of each combination.
    pub firings: Vec<Column>,
    /// By how much the squared error would rise without each combination:
    /// `|v_r|^2 / (Z'Z + ridge)^-1_rr`.
    pub gains: Vec<f64>,
    /// How long each effect is, freed of what noise adds: `|v_r| sqrt(1 - E|e|^2 / gain)`.
    pub lengths: Vec<f64>,
    /// The coefficients of the combinations: `[combinations, d_model]`.
    effects: Vec<f32>,
    d_model: usize,
}

impl Fit {
    /// The effect of one combination at strength 1.
    pub(super) fn effect(&self, place: usize) -> &[f32] {
        &self.effects[place * self.d_model..][..self.d_model]
    }

    /// The residual of one row.
    pub(super) fn residual(&self, row: u32) -> &[f32] {
        &self.residuals[row as usize * self.d_model..][..self.d_model]
    }
}

/// The sums of a regression over the features' own columns: whatever the combinations are, they are
/// the same.
pub(super) struct Alone {
    /// `Z'Z`, a row for each feature.
    gram: Vec<Vec<f64>>,
    /// `Z'E` of the residuals before any step, a row for each feature.
    target: Vec<Vec<f64>>,
}

impl Bench<'_> {
    /// Regresses the residuals on the features' strengths and the combinations' together.
    ///
    /// On a row with the active features S a combination shows only where they cannot say it:
    /// `e = (I - P_S) B'z`. Each step adds `(Z'Z + ridge diag Z'Z)^-1 Z'(e - (I - P_S) B'z)` to B.
    pub(super) fn fit(&self, found: &[Vec<usize>]) -> Result<Fit, ScreeningError> {
        let width = self.evidence.d_model;
        let firings: Vec<Column> = found.par_iter().map(|parts| self.firing(parts)).collect();
        let fired = SparseRows::from_columns(&firings, self.evidence.codes.len());
        let count = self.n_features + firings.len();
        let factor =
            self.gram(&firings, &fired).llt(Side::Lower).map_err(|_| ScreeningError::NotFinite)?;
        let mut coefficients = vec![0.0; count * width];
        let (mut residuals, mut noise) = (Cow::Borrowed(&self.residuals[..]), 0.0);
        for _ in 0..STEPS {
            let own = match &residuals {
                Cow::Borrowed(_) => Cow::Borrowed(&self.alone().target[..]),
                Cow::Owned(left) => Cow::Owned(self.sums(&self.columns, left)),
            };
            let target = [&own[..], &self.sums(&firings, &residuals)].concat(); // Z'E
            let target = Mat::from_fn(count, width, |row, column| target[row][column]);
            let step = factor.solve(&target); // [columns, d_model]
            for (place, coefficient) in coefficients.iter_mut().enumerate() {
                *coefficient += step[(place / width, place % width)] as f32;
            }
            let (left, energy) = self.leave(&fired, &coefficients);
            (residuals, noise) = (Cow::Owned(left), energy);
        }
        let residuals = residuals.into_owned();
        let inverse = factor.solve(Mat::<f64>::identity(count, count));
        let effects = coefficients.split_off(self.n_features * width);
        let (mut gains, mut lengths) = (Vec::new(), Vec::new());
        for (place, parts) in found.iter().enumerate() {
            let effect = self.outside(&effects[place * width..][..width], parts);
            let square = f64::from(dot(&effect, &effect));
            let column = self.n_features + place;
            let gain = square / inverse[(column, column)];
            gains.push(gain);
            lengths.push((square * (1.0 - (noise / gain).min(1.0))).sqrt());
        }
        match noise.is_finite() && gains.iter().all(|gain| gain.is_finite()) {
            true => Ok(Fit { residuals, noise, firings, gains, lengths, effects, d_model: width }),
            false => Err(ScreeningError::NotFinite),
        }
    }

    /// Not from within a parallel loop: whoever waits for the sums must not be asked to add them up.
    fn alone(&self) -> &Alone {
        let none = || SparseRows::from_columns(&[], self.evidence.codes.len());
        self.alone.get_or_init(|| Alone {
            gram: self.products(&self.columns, &none(), self.n_features),
            target: self.sums(&self.columns, &self.residuals),
        })
    }

    /// `Z'Z` with its ridge, `[columns, columns]`, of the features and the combinations after them.
    fn gram(&self, firings: &[Column], fired: &SparseRows) -> Mat<f64> {
        let count = self.n_features + firings.len();
        let alone = &self.alone().gram;
        let combined = self.products(firings, fired, count);
        let ridge = self.config.ridge.max(1e-9);
        Mat::from_fn(count, count, |row, column| {
            let (first, last) = (row.min(column), row.max(column));
            let product = match last.checked_sub(self.n_features) {
                None => alone[last][first],
                Some(place) => combined[place][first],
            };
            // A column that is never active is its own ridge.
            if row == column { product * (1.0 + ridge) + 1e-9 } else { product }
        })
    }

    /// The products of some columns with `count` of them all, every feature's and then those of
    /// `fired`. Each sums over its own rows in their order, so the sums do not depend on the threads.
    fn products(&self, columns: &[Column], fired: &SparseRows, count: usize) -> Vec<Vec<f64>> {
        let products = |column: &Column| {
            let mut products = vec![0.0_f64; count];
            for &(row, own) in column {
                for (other, strength) in self.strengths(row as usize, fired) {
                    products[other] += f64::from(own * strength);
                }
            }
            products
        };
        columns.par_iter().map(products).collect()
    }

    /// The columns that are active on a row, features first, with their strengths.
    fn strengths(&self, row: usize, fired: &SparseRows) -> impl Iterator<Item = (usize, f32)> {
        let combinations = fired.entries_of(row);
        let combinations =
            combinations.map(|(place, strength)| (self.n_features + place, strength));
        self.evidence.codes.entries_of(row).chain(combinations)
    }

    /// `Z'E` for some columns, `[columns, d_model]`, summed as in [`products`](Self::products).
    fn sums(&self, columns: &[Column], residuals: &[f32]) -> Vec<Vec<f64>> {
        let width = self.evidence.d_model;
        let sum = |column: &Column| {
            let mut sum = vec![0.0; width];
            pulp::Arch::new().dispatch(Sum { column, residuals, sum: &mut sum });
            sum
        };
        columns.par_iter().map(sum).collect()
    }

    /// What the coefficients leave of the residuals, and the mean energy of a row of it.
    fn leave(&self, fired: &SparseRows, coefficients: &[f32]) -> (Vec<f32>, f64) {
        let width = self.evidence.d_model;
        let mut residuals = self.residuals.clone();
        let active = (self.evidence.codes, &self.factors);
        let energies: Vec<f64> = residuals
            .par_chunks_exact_mut(width)
            .enumerate()
            .map_init(
                || (vec![0.0; width], vec![]),
                |(explained, solution), (row, residual)| {
                    let strengths = self.strengths(row, fired);
                    pulp::Arch::new().dispatch(Explain { strengths, coefficients, explained });
                    self.projection.clear_row(active, row, solution, explained);
                    add(residual, -1.0, explained);
                    f64::from(dot(residual, residual))
                },
            )
            .collect();
        let noise = energies.iter().sum::<f64>() / energies.len().max(1) as f64;
        (residuals, noise)
    }
}

/// Adds up a column's residuals with the widest instructions that there are.
struct Sum<'a> {
    column: &'a Column,
    residuals: &'a [f32],
    sum: &'a mut [f64],
}

impl WithSimd for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.sum.len();
        for &(row, own) in self.column {
            let residual = &self.residuals[row as usize * width..][..width];
            let each = self.sum.iter_mut().zip(residual);
            each.for_each(|(sum, value)| *sum += f64::from(own * value));
        }
    }
}

/// Adds up what the columns of a row explain with the widest instructions that there are.
struct Explain<'a, T> {
    strengths: T,
    coefficients: &'a [f32],
    explained: &'a mut [f32],
}

impl<T: Iterator<Item = (usize, f32)>> WithSimd for Explain<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.explained.len();
        self.explained.fill(0.0);
        for (column, strength) in self.strengths {
            add(self.explained, strength, &self.coefficients[column * width..][..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sample;
    use super::super::{Bench, ScreeningConfig};

    #[test]
    fn what_is_kept_does_not_change_a_fit() {
        let sample = Sample::new(&[(&[0, 1], 20)]);
        let (evidence, config) = (sample.evidence(), ScreeningConfig::default());
        let bench = || Bench::new(&evidence, &config).unwrap();
        let used = bench();
        used.fit(&[vec![0, 1], vec![2, 3]]).unwrap();

        let again = used.fit(&[vec![4, 7]]).unwrap();

        let fresh = bench().fit(&[vec![4, 7]]).unwrap();
        assert_eq!((again.residuals, again.gains), (fresh.residuals, fresh.gains));
    }

    #[test]
    fn products_are_those_of_a_plain_loop() {
        let sample = Sample::new(&[]);
        let (evidence, config) = (sample.evidence(), ScreeningConfig::default());
        let bench = Bench::new(&evidence, &config).unwrap();
        let firings = [bench.firing(&[0, 1]), bench.firing(&[2, 3, 4])];
        let fired = super::SparseRows::from_columns(&firings, evidence.codes.len());

        let gram = bench.gram(&firings, &fired);

        let columns = [&bench.columns[..], &firings].concat();
        for (row, one) in columns.iter().enumerate() {
            for (column, other) in columns.iter().enumerate() {
                let strength = |row: u32| other.binary_search_by_key(&row, |(at, _)| *at).ok();
                let products = one.iter().filter_map(|(row, own)| {
                    strength(*row).map(|place| f64::from(own * other[place].1))
                });
                let product: f64 = products.sum();
                let ridge = if row == column { config.ridge * product + 1e-9 } else { 0.0 };
                let wrong = (gram[(row, column)] - product - ridge).abs();
                assert!(wrong <= 1e-12 * product, "{row} {column}: {wrong}");
            }
        }
    }
}
