//! Finds combinations in what a code leaves over: sets of features whose residual, when they are
//! active together, points in a direction of its own.
//!
//! Rounds of: pairs above a permutation null, one regression for all of them, growth to three and
//! four parts, pruning; then the same again on the new residual. Pure functions over flat slices;
//! the same input gives the same output on any number of threads.

mod growth;
mod joint;
mod pairs;
mod partners;
mod projection;
pub mod sparse;

use std::collections::HashSet;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use joint::{Alone, Fit};
use pairs::Tried;
use partners::Partners;
use projection::{Factors, Projection};
use sparse::{Column, SparseRows};

use super::vectors::{add, dot};

/// What combinations are looked for in.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Which features are active on each row, and how strongly (above 0).
    pub codes: &'a SparseRows,
    /// What the features do not explain: `[rows, d_model]`.
    pub residuals: &'a [f32],
    /// The features' directions, of any length but 0: `[n_features, d_model]`.
    pub directions: &'a [f32],
    /// The width of a residual.
    pub d_model: usize,
}

/// How combinations are looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreeningConfig {
    /// Pairs that are active together on fewer rows are not looked at.
    pub support: usize,
    /// How often the residuals are permuted to learn what chance does.
    pub permutations: usize,
    /// How likely chance may be to bring its best pair above the threshold.
    pub level: f64,
    /// A part is necessary if, without it, less than this share of the effect is left.
    pub necessity: f64,
    /// How many rows with and without a further part are needed to judge it.
    pub rows_to_judge: usize,
    /// The largest combination.
    pub largest: usize,
    /// The largest number of combinations.
    pub limit: usize,
    /// The largest number of rounds.
    pub rounds: usize,
    /// During the rounds a combination goes if it explains less than this share of the threshold
    /// or has less than this share of the least effect.
    pub keep: f64,
    /// An effect shorter than this, per unit of strength and freed of what noise adds to it, is no
    /// combination. Chance needs no such bound; a dictionary that is off by some degrees does: its
    /// errors are no chance, but they are small.
    pub least_effect: f64,
    /// An effect with a larger cosine to a feature's direction is that feature, overlooked.
    pub said: f64,
    /// The ridge of the joint regression, relative to each column's own energy.
    pub ridge: f64,
    /// Another seed is another set of permutations.
    pub seed: u64,
}

impl Default for ScreeningConfig {
    fn default() -> Self {
        Self {
            support: 15,
            permutations: 8,
            level: 0.05,
            necessity: 0.5,
            rows_to_judge: 1,
            largest: 4,
            limit: 128,
            rounds: 30,
            keep: 0.6,
            least_effect: 0.2,
            said: 0.75,
            ridge: 0.01,
            seed: 0,
        }
    }
}

/// A combination that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundCombination {
    /// The features, in ascending order.
    pub parts: Vec<usize>,
    /// What they do together at strength 1, outside the span of their directions: `[d_model]`.
    pub effect: Vec<f32>,
    /// By how much the squared error would rise without it, all others fitted anew.
    pub gain: f64,
    /// On how many rows all parts are active.
    pub support: usize,
}

/// What a screening found, the largest gain first.
#[derive(Clone, Debug, PartialEq)]
pub struct Screening {
    /// The combinations.
    pub found: Vec<FoundCombination>,
    /// The gain that chance reaches with the configured probability, on what is left at the end.
    pub threshold: f64,
    /// The mean energy of a row that is left at the end.
    pub noise: f64,
    /// How many times pairs were looked for.
    pub rounds: usize,
}

/// Why nothing could be looked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScreeningError {
    /// The slices do not describe the same rows or features.
    #[error("screening: {0}")]
    Shape(String),
    /// The regression of all combinations has no solution.
    #[error("screening: the residuals or codes hold a value that is not a number")]
    NotFinite,
}

/// Looks for combinations of two, three and four features.
///
/// # Errors
/// The slices do not fit together, or hold values that are not finite.
pub fn screen(evidence: &Evidence, config: &ScreeningConfig) -> Result<Screening, ScreeningError> {
    let bench = Bench::new(evidence, config)?;
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut fit = bench.fit(&found)?;
    let mut threshold = bench.threshold(&fit, 0);
    let mut tried = Tried::new();
    let mut rounds = 0;
    while rounds < config.rounds {
        rounds += 1;
        let seeds = bench.seeds(&fit, &found, threshold, &mut tried);
        if seeds.is_empty() {
            // Whatever was explained since no longer swells what chance can reach.
            let lower = bench.threshold(&fit, rounds);
            if lower > 0.95 * threshold || rounds == config.rounds {
                threshold = threshold.min(lower);
                break;
            }
            threshold = lower;
            continue;
        }
        found.extend(seeds);
        fit = bench.fit(&found)?;
        (found, fit) = bench.revise(&found, fit, threshold)?;
    }
    let (found, fit) = bench.settle(found, fit, threshold)?;
    Ok(Screening { found: bench.describe(&found, &fit), threshold, noise: fit.noise, rounds })
}

/// The effects of given sets of features, as a [screening](screen) fits those that it has found.
///
/// # Errors
/// The slices do not fit together, or hold values that are not finite.
pub fn fitted(
    evidence: &Evidence,
    config: &ScreeningConfig,
    sets: &[Vec<usize>],
) -> Result<Vec<FoundCombination>, ScreeningError> {
    let bench = Bench::new(evidence, config)?;
    Ok(bench.describe(sets, &bench.fit(sets)?))
}

/// What is left of the residuals when the effects of `found` are taken away and each row's active
/// features are refitted: `[rows, d_model]`.
///
/// # Errors
/// The slices do not fit together.
pub fn without_effects(
    evidence: &Evidence,
    found: &[FoundCombination],
) -> Result<Vec<f32>, ScreeningError> {
    let config = ScreeningConfig::default();
    let bench = Bench::new(evidence, &config)?;
    let mut left = bench.residuals.clone();
    for combination in found {
        for (row, strength) in bench.firing(&combination.parts) {
            let row = &mut left[row as usize * evidence.d_model..][..evidence.d_model];
            add(row, -strength, &combination.effect);
        }
    }
    bench.projection.clear_rows((evidence.codes, &bench.factors), &mut left);
    Ok(left)
}

/// The evidence by columns, with the configuration.
struct Bench<'a> {
    evidence: Evidence<'a>,
    config: &'a ScreeningConfig,
    n_features: usize,
    /// The rows on which each feature is active.
    columns: Vec<Column>,
    projection: Projection,
    /// For the projection of each row.
    factors: Factors,
    /// What no combination of a row's active features can explain: `[rows, d_model]`.
    residuals: Vec<f32>,
    /// With whom each feature is active.
    partners: OnceLock<Vec<Partners>>,
    /// The part of every regression in which there is no combination.
    alone: OnceLock<Alone>,
}

impl<'a> Bench<'a> {
    fn new(evidence: &Evidence<'a>, config: &'a ScreeningConfig) -> Result<Self, ScreeningError> {
        let complain = |what: String| Err(ScreeningError::Shape(what));
        let Evidence { codes, residuals, directions, d_model } = *evidence;
        if d_model == 0 || directions.len() % d_model != 0 {
            return complain(format!(
                "{} numbers are no directions of {d_model}",
                directions.len()
            ));
        }
        if residuals.len() != codes.len() * d_model {
            let (have, want) = (residuals.len(), codes.len());
            return complain(format!("{have} numbers are no {want} residuals of {d_model}"));
        }
        let n_features = directions.len() / d_model;
        if let Some(largest) = codes.largest_id().filter(|&id| id >= n_features) {
            return complain(format!("a code names feature {largest} of {n_features}"));
        }
        let columns = codes.columns(n_features);
        if columns.iter().flatten().any(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            return complain("strengths in a code must be finite and above 0".to_string());
        }
        let units = directions.chunks_exact(d_model).flat_map(|direction| {
            let length = dot(direction, direction).sqrt().max(f32::MIN_POSITIVE);
            direction.iter().map(move |value| value / length)
        });
        let projection = Projection::new(units.collect(), d_model);
        let factors = Factors::new(&projection, codes);
        let mut residuals = residuals.to_vec();
        projection.clear_rows((codes, &factors), &mut residuals);
        Ok(Self {
            evidence: *evidence,
            config,
            n_features,
            columns,
            projection,
            factors,
            residuals,
            partners: OnceLock::new(),
            alone: OnceLock::new(),
        })
    }

    /// The rows on which all parts are active, with the geometric mean of their strengths.
    fn firing(&self, parts: &[usize]) -> Column {
        let Some((&rarest, others)) = self.rarest_first(parts) else { return Column::new() };
        let power = 1.0 / parts.len() as f32;
        let together = self.columns[rarest].iter().filter_map(|&(row, strength)| {
            let mut product = strength;
            for &part in &others {
                product *= self.evidence.codes.value(row as usize, part)?;
            }
            Some((row, product.powf(power)))
        });
        together.collect()
    }

    fn rarest_first<'p>(&self, parts: &'p [usize]) -> Option<(&'p usize, Vec<usize>)> {
        let rarest = parts.iter().min_by_key(|&&part| self.columns[part].len())?;
        Some((rarest, parts.iter().copied().filter(|part| part != rarest).collect()))
    }

    /// Grows and shrinks every combination, then drops what is double or explains too little.
    fn revise(
        &self,
        found: &[Vec<usize>],
        fit: Fit,
        threshold: f64,
    ) -> Result<(Vec<Vec<usize>>, Fit), ScreeningError> {
        let mut revised = self.judge(found, &fit, threshold);
        let mut seen = HashSet::new();
        revised.retain(|parts| seen.insert(parts.clone()));
        let fit = if revised == found { fit } else { self.fit(&revised)? };
        self.prune(revised, fit, threshold, self.config.keep)
    }

    /// Drops the combinations below `share` of the threshold or of the least effect, the worst
    /// first, and fits the rest.
    fn prune(
        &self,
        mut found: Vec<Vec<usize>>,
        mut fit: Fit,
        threshold: f64,
        share: f64,
    ) -> Result<(Vec<Vec<usize>>, Fit), ScreeningError> {
        loop {
            let before = found.len();
            let gains = &fit.gains;
            let least = share * self.config.least_effect;
            let weak = |&r: &usize| gains[r] < share * threshold || fit.lengths[r] < least;
            let mut order: Vec<usize> = (0..before).filter(weak).collect();
            order.sort_by(|&a, &b| gains[a].total_cmp(&gains[b]));
            // One of each set that shares features at a time: the others may gain what it loses.
            let mut touched = HashSet::new();
            let mut gone = HashSet::new();
            for place in order {
                if found[place].iter().all(|part| !touched.contains(part)) {
                    touched.extend(found[place].iter().copied());
                    gone.insert(place);
                }
            }
            let mut place = 0..before;
            found.retain(|_| place.next().is_none_or(|place| !gone.contains(&place)));
            if found.len() == before {
                return Ok((found, fit));
            }
            fit = self.fit(&found)?;
        }
    }

    /// The combinations that stay: seen often enough, explaining enough, and saying what no feature
    /// says.
    fn settle(
        &self,
        mut found: Vec<Vec<usize>>,
        fit: Fit,
        threshold: f64,
    ) -> Result<(Vec<Vec<usize>>, Fit), ScreeningError> {
        let stays = |place: usize| {
            let often = fit.firings[place].len() >= self.config.support;
            often && !self.is_said(fit.effect(place), &found[place])
        };
        let stays: Vec<bool> = (0..found.len()).map(stays).collect();
        let fit = match stays.iter().all(|stays| *stays) {
            true => fit,
            false => {
                let mut place = 0..;
                found.retain(|_| place.next().is_none_or(|place| stays[place]));
                self.fit(&found)?
            }
        };
        self.prune(found, fit, threshold, 1.0)
    }

    /// Whether a feature that is no part could say the same effect by being on.
    fn is_said(&self, effect: &[f32], parts: &[usize]) -> bool {
        let effect = self.outside(effect, parts);
        let length = dot(&effect, &effect).sqrt();
        (0..self.n_features).any(|feature| {
            let along = dot(&effect, self.projection.direction(feature));
            !parts.contains(&feature) && f64::from(along) > self.config.said * f64::from(length)
        })
    }

    fn describe(&self, found: &[Vec<usize>], fit: &Fit) -> Vec<FoundCombination> {
        let mut all: Vec<FoundCombination> = found
            .iter()
            .enumerate()
            .map(|(place, parts)| FoundCombination {
                parts: parts.clone(),
                effect: self.outside(fit.effect(place), parts),
                gain: fit.gains[place],
                support: fit.firings[place].len(),
            })
            .collect();
        all.sort_by(|a, b| b.gain.total_cmp(&a.gain));
        all
    }

    /// `(I - Proj of span{d_j: j in parts}) vector`.
    fn outside(&self, vector: &[f32], parts: &[usize]) -> Vec<f32> {
        let mut vector = vector.to_vec();
        let parts: Vec<u32> = parts.iter().map(|&part| part as u32).collect();
        self.projection.clear(&parts, &mut vector);
        vector
    }
}

#[cfg(test)]
mod tests;
