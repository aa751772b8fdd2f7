//! Which pairs of features have an effect, and how large an effect chance can feign.

use std::collections::HashMap;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use shared::random::stream;

use super::joint::Fit;
use super::partners::{Partners, STRIP, Strips};
use super::{Bench, dot};

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
        let strips = Strips::new(&fit.residuals, self.evidence.d_model);
        let pairs_of = |(first, partners): (usize, &Partners)| {
            let rows: Vec<u32> = (0..self.columns[first].len() as u32).collect();
            self.pairs_of(first, partners, &[rows], &strips).concat()
        };
        let mut pairs: Vec<Pair> =
            self.partners().par_iter().enumerate().flat_map_iter(pairs_of).collect();
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
        let strips = Strips::new(&fit.residuals, self.evidence.d_model);
        let maxima: Vec<Vec<f64>> = self
            .partners()
            .par_iter()
            .enumerate()
            .map(|(first, partners)| {
                let name = format!("null {round} {first}");
                let mut random = stream(self.config.seed, &name);
                let mut rows: Vec<u32> = (0..self.columns[first].len() as u32).collect();
                let permutations: Vec<Vec<u32>> = (0..count)
                    .map(|_| {
                        rows.shuffle(&mut random);
                        rows.clone()
                    })
                    .collect();
                let largest =
                    |pairs: Vec<Pair>| pairs.iter().map(|pair| pair.delta).fold(0.0, f64::max);
                let pairs = self.pairs_of(first, partners, &permutations, &strips);
                pairs.into_iter().map(largest).collect()
            })
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

    /// With whom each feature is active.
    fn partners(&self) -> &[Partners] {
        self.partners.get_or_init(|| Partners::of_all(self.evidence.codes, &self.columns))
    }

    /// All pairs of `first` with a later feature that have support:
    /// `delta = |(I - Proj span{d_i, d_j}) sum of w e|^2 / sum of w^2`, `w = sqrt(f_i f_j)`.
    /// Each of `orders` says for each row of `first` which of these rows' residual belongs to it;
    /// for each the pairs are another list.
    fn pairs_of(
        &self,
        first: usize,
        partners: &Partners,
        orders: &[Vec<u32>],
        residuals: &Strips,
    ) -> Vec<Vec<Pair>> {
        let width = self.evidence.d_model;
        let least = self.config.support.max(1);
        let supported: Vec<usize> = (first + 1..self.n_features)
            .filter(|&other| partners.support[other] >= least)
            .collect();
        let mut effects = vec![vec![0.0; supported.len() * width]; orders.len()];
        for (strip, from) in residuals.of(&self.columns[first]).zip((0..width).step_by(STRIP)) {
            for (order, effects) in orders.iter().zip(&mut effects) {
                let sums = partners.sums(&strip, order);
                for (effect, &second) in effects.chunks_exact_mut(width).zip(&supported) {
                    let part = effect[from..].iter_mut().take(STRIP);
                    part.zip(&sums[second]).for_each(|(effect, sum)| *effect = *sum);
                }
            }
        }
        let pair = |(effect, &second): (&[f32], &usize)| {
            let square = f64::from(partners.squares[second]);
            let delta = self.outside_of_pair(effect, first, second) / square;
            Pair { first, second, delta, square }
        };
        let pairs =
            |effects: &Vec<f32>| effects.chunks_exact(width).zip(&supported).map(pair).collect();
        effects.iter().map(pairs).collect()
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
