//! Which pairs of features have an effect, and how large an effect chance can feign.

use std::collections::HashMap;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use shared::random::stream;

use super::joint::Fit;
use super::{Bench, add, dot};

/// How often each pair got a combination. Who failed twice is not tried again.
pub(super) type Tried = HashMap<(usize, usize), usize>;

/// A pair with the drop in squared error that a combination of the two would bring.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    first: usize,
    second: usize,
    delta: f64,
    /// `sum of w^2`.
    square: f64,
}

/// Sums over the rows of one feature, for each other feature.
struct Sums {
    /// `sum of w e`: `[n_features, d_model]`.
    effect: Vec<f32>,
    /// `sum of w^2`: `[n_features]`.
    square: Vec<f32>,
    /// How many rows: `[n_features]`.
    support: Vec<usize>,
}

impl Bench<'_> {
    /// The pairs that get a combination in this round: each is the best one of both of its parts,
    /// above the threshold, and not inside a combination that there is.
    pub(super) fn seeds(
        &self,
        fit: &Fit,
        found: &[Vec<usize>],
        threshold: f64,
        tried: &mut Tried,
    ) -> Vec<Vec<usize>> {
        let inside = |pair: &Pair| {
            found.iter().any(|parts| parts.contains(&pair.first) && parts.contains(&pair.second))
        };
        // A part of a larger combination shows less of its effect.
        let least = (self.config.keep * self.config.least_effect).powi(2);
        let is_long = |pair: &Pair| pair.delta - fit.noise >= least * pair.square;
        let mut pairs: Vec<Pair> = (0..self.n_features)
            .into_par_iter()
            .map_init(
                || self.sums(),
                |sums, first| self.pairs_of(first, &rows_of(self, first), &fit.residuals, sums),
            )
            .flatten()
            .collect();
        pairs.retain(|pair| {
            let times = tried.get(&(pair.first, pair.second)).copied().unwrap_or(0);
            pair.delta > threshold && is_long(pair) && times < 2 && !inside(pair)
        });
        pairs.sort_by(|a, b| b.delta.total_cmp(&a.delta));
        let mut taken = vec![false; self.n_features];
        let mut seeds = Vec::new();
        for pair in pairs {
            let free = !taken[pair.first] && !taken[pair.second];
            (taken[pair.first], taken[pair.second]) = (true, true);
            if free && found.len() + seeds.len() < self.config.limit {
                *tried.entry((pair.first, pair.second)).or_default() += 1;
                seeds.push(vec![pair.first, pair.second]);
            }
        }
        seeds
    }

    /// What the best pair reaches by chance with probability `level`.
    ///
    /// For each pair `i < j` the residuals are permuted within the rows of `i`, so whatever `i`
    /// does alone stays. The quantile is that of the Gumbel distribution with the mean and the
    /// spread of the permutations' maxima: `mean + spread (sqrt 6 / pi) (-ln(-ln(1 - level)) - g)`.
    pub(super) fn threshold(&self, fit: &Fit, round: usize) -> f64 {
        let count = self.config.permutations.max(2);
        let maxima: Vec<Vec<f64>> = (0..self.n_features)
            .into_par_iter()
            .map_init(
                || self.sums(),
                |sums, first| {
                    let name = format!("null {round} {first}");
                    let mut random = stream(self.config.seed, &name);
                    let mut rows = rows_of(self, first);
                    let one = |_| {
                        rows.shuffle(&mut random);
                        let pairs = self.pairs_of(first, &rows, &fit.residuals, sums);
                        pairs.iter().map(|pair| pair.delta).fold(0.0, f64::max)
                    };
                    (0..count).map(one).collect()
                },
            )
            .collect();
        let best: Vec<f64> = (0..count)
            .map(|place| maxima.iter().map(|maxima| maxima[place]).fold(0.0, f64::max))
            .collect();
        let mean = best.iter().sum::<f64>() / count as f64;
        let square: f64 = best.iter().map(|value| (value - mean).powi(2)).sum();
        let spread = (square / (count - 1) as f64).sqrt();
        const EULER: f64 = 0.577_215_664_901_532_9;
        let above = -(-(1.0 - self.config.level).ln()).ln() - EULER;
        mean + spread * above * 6.0_f64.sqrt() / std::f64::consts::PI
    }

    fn sums(&self) -> Sums {
        Sums {
            effect: vec![0.0; self.n_features * self.evidence.d_model],
            square: vec![0.0; self.n_features],
            support: vec![0; self.n_features],
        }
    }

    /// All pairs of `first` with a later feature that have support:
    /// `delta = |(I - Proj span{d_i, d_j}) sum of w e|^2 / sum of w^2`, `w = sqrt(f_i f_j)`.
    /// `sources` says for each row of `first` which row's residual belongs to it.
    fn pairs_of(
        &self,
        first: usize,
        sources: &[u32],
        residuals: &[f32],
        sums: &mut Sums,
    ) -> Vec<Pair> {
        let width = self.evidence.d_model;
        sums.effect[first * width..].fill(0.0);
        sums.square[first..].fill(0.0);
        sums.support[first..].fill(0);
        for (&(row, own), &source) in self.columns[first].iter().zip(sources) {
            let residual = &residuals[source as usize * width..][..width];
            let (ids, strengths) = self.evidence.codes.row(row as usize);
            let later = ids.partition_point(|&id| id as usize <= first);
            for (&other, &strength) in ids[later..].iter().zip(&strengths[later..]) {
                let other = other as usize;
                let square = own * strength;
                add(&mut sums.effect[other * width..][..width], square.sqrt(), residual);
                sums.square[other] += square;
                sums.support[other] += 1;
            }
        }
        let least = self.config.support.max(1);
        let supported = (first + 1..self.n_features).filter(|&other| sums.support[other] >= least);
        let pair = |second: usize| {
            let effect = &sums.effect[second * width..][..width];
            let square = f64::from(sums.square[second]);
            let delta = self.outside_of_pair(effect, first, second) / square;
            Pair { first, second, delta, square }
        };
        supported.map(pair).collect()
    }

    /// `|(I - Proj span{d_i, d_j}) vector|^2`, by the inverse of the two directions' Gram matrix.
    fn outside_of_pair(&self, vector: &[f32], first: usize, second: usize) -> f64 {
        let (one, two) = (self.projection.direction(first), self.projection.direction(second));
        let (a, b) = (f64::from(dot(vector, one)), f64::from(dot(vector, two)));
        let cosine = f64::from(self.projection.cosine(first, second));
        let inside = (a * a - 2.0 * a * b * cosine + b * b) / (1.0 - cosine * cosine).max(1e-6);
        (f64::from(dot(vector, vector)) - inside).max(0.0)
    }
}

/// The rows of a feature in their own order.
fn rows_of(bench: &Bench, feature: usize) -> Vec<u32> {
    bench.columns[feature].iter().map(|entry| entry.0).collect()
}
