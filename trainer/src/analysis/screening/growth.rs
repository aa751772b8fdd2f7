//! Which further part a combination needs, and which of its parts it does not.

use std::collections::HashMap;

use rayon::prelude::*;

use super::joint::Fit;
use super::{Bench, add, dot};

/// On which share of a combination's rows a feature is on that goes along with it.
const ALWAYS: f64 = 0.8;
/// How much more often than elsewhere.
const LIFT: f64 = 3.0;
/// From which share of its usual strength on a feature may be on though the code says that it is
/// not.
const BARELY_ON: f32 = 0.15;

/// The effect on rows with and without a part.
struct Contrast {
    /// `sum of z e` on the rows of each side: with, without.
    sums: [Vec<f32>; 2],
    /// `sum of z^2` of each side.
    squares: [f64; 2],
    /// How many rows each side has.
    rows: [usize; 2],
}

impl Contrast {
    fn new(width: usize) -> Self {
        Self { sums: [vec![0.0; width], vec![0.0; width]], squares: [0.0; 2], rows: [0; 2] }
    }

    fn add(&mut self, side: usize, strength: f32, residual: &[f32]) {
        add(&mut self.sums[side], strength, residual);
        self.squares[side] += f64::from(strength * strength);
        self.rows[side] += 1;
    }

    /// The drop in squared error from the effect on the rows with the part alone.
    fn drop_with(&self) -> f64 {
        energy(&self.sums[0]) / self.squares[0]
    }

    /// The drop from one effect on all rows.
    fn drop_in_all(&self) -> f64 {
        let mut all = self.sums[0].clone();
        add(&mut all, 1.0, &self.sums[1]);
        energy(&all) / (self.squares[0] + self.squares[1])
    }

    /// The share of the effect that is left without the part, `<v0, v1> / |v1|^2`, where the
    /// square is freed of what noise adds to it; and the standard error of the share,
    /// `sqrt(E|e|^2 / d / sum of z^2 without) / |v1|`.
    fn left_without(&self, noise: f64) -> Option<(f64, f64)> {
        let [with, without] = self.squares;
        let product = f64::from(dot(&self.sums[0], &self.sums[1])) / (with * without);
        let square = (energy(&self.sums[0]) / with - noise) / with;
        let error = (noise / self.sums[0].len() as f64 / without / square).sqrt();
        (square > 0.0).then_some((product / square, error))
    }

    /// Completes the side without: what of `all` is not on the side with.
    fn take_the_rest(&mut self, all: &Self) {
        self.rows[1] = all.rows[0] - self.rows[0];
        self.squares[1] = all.squares[0] - self.squares[0];
        let without = all.sums[0].iter().zip(&self.sums[0]).map(|(all, with)| all - with);
        self.sums[1] = without.collect();
    }

    fn has_few(&self, least: usize) -> bool {
        self.rows.iter().any(|&rows| rows < least.max(1))
    }
}

impl Bench<'_> {
    /// Every combination with the parts that it needs and without those that it does not.
    pub(super) fn judge(&self, found: &[Vec<usize>], fit: &Fit, threshold: f64) -> Vec<Vec<usize>> {
        let judge = |(place, parts): (usize, &Vec<usize>)| {
            let mut parts = self.shrink(parts, place, fit);
            while parts.len() < self.config.largest.min(4) {
                let Some(next) = self.next_part(&parts, place, fit, threshold) else { break };
                parts.push(next);
                parts.sort_unstable();
            }
            parts
        };
        found.par_iter().enumerate().map(judge).collect()
    }

    /// The part without which least of the effect is left, if it is necessary and what is on its
    /// rows alone explains more than one effect on all rows.
    fn next_part(&self, parts: &[usize], place: usize, fit: &Fit, threshold: f64) -> Option<usize> {
        let contrast = |_| Contrast::new(self.evidence.d_model);
        let mut contrasts: Vec<Contrast> = (0..self.n_features).map(contrast).collect();
        let mut all = contrast(0);
        for (row, strength, residual) in self.to_explain(parts, place, fit) {
            all.add(0, strength, &residual);
            for (other, _) in self.evidence.codes.entries_of(row) {
                contrasts[other].add(0, strength, &residual);
            }
        }
        let mut best: Option<(usize, f64)> = None;
        for (other, mut contrast) in contrasts.into_iter().enumerate() {
            if parts.contains(&other) {
                continue;
            }
            contrast.take_the_rest(&all);
            let grown = [parts, &[other]].concat();
            let goes_along = self.goes_along(other, &contrast);
            if goes_along {
                contrast = self.contrast(parts, other, place, fit);
            }
            contrast.sums.iter_mut().for_each(|sum| *sum = self.outside(sum, &grown));
            let drop = contrast.drop_with();
            let needed = self.is_needed(&contrast, goes_along, fit.noise);
            if drop > threshold && needed && best.is_none_or(|(_, most)| drop > most) {
                best = Some((other, drop));
            }
        }
        best.map(|(other, _)| other)
    }

    /// Whether a feature is on where the others are nearly always, and much more often than
    /// elsewhere.
    fn goes_along(&self, feature: usize, contrast: &Contrast) -> bool {
        let [with, without] = contrast.rows.map(|rows| rows as f64);
        let share = with / (with + without);
        let usual = self.columns[feature].len() as f64 / self.evidence.codes.len() as f64;
        share >= ALWAYS && share >= LIFT * usual
    }

    /// Whether the rows say that the part of a contrast belongs to the combination. One that is
    /// always there does unless they say otherwise: they can hardly tell.
    fn is_needed(&self, contrast: &Contrast, goes_along: bool, noise: f64) -> bool {
        let necessity = self.config.necessity;
        if contrast.has_few(self.config.rows_to_judge) {
            return goes_along;
        }
        let Some((left, error)) = contrast.left_without(noise) else { return false };
        match goes_along {
            true => left - error < necessity,
            false => left + error < necessity && contrast.drop_with() > contrast.drop_in_all(),
        }
    }

    /// The parts that are necessary, as far as the rows can tell; two at least.
    fn shrink(&self, parts: &[usize], place: usize, fit: &Fit) -> Vec<usize> {
        let mut parts = parts.to_vec();
        while parts.len() > 2 {
            let needless = parts.iter().filter_map(|&part| {
                let (left, error) = self.left_without(&parts, part, place, fit)?;
                (left - error >= self.config.necessity).then_some((part, left))
            });
            let worst = needless.max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((worst, _)) = worst else { break };
            parts.retain(|&part| part != worst);
        }
        parts
    }

    /// The share of the effect of `parts` that is left on rows where only `part` is missing;
    /// nothing where the rows cannot tell.
    fn left_without(
        &self,
        parts: &[usize],
        part: usize,
        place: usize,
        fit: &Fit,
    ) -> Option<(f64, f64)> {
        let others: Vec<usize> = parts.iter().copied().filter(|&other| other != part).collect();
        let mut contrast = self.contrast(&others, part, place, fit);
        if contrast.has_few(self.config.rows_to_judge) {
            return None;
        }
        contrast.sums.iter_mut().for_each(|sum| *sum = self.outside(sum, parts));
        contrast.left_without(fit.noise)
    }

    /// The effect of `parts` on rows with and without `other`, but for rows where it may have been
    /// overlooked: where what is left over points to it.
    fn contrast(&self, parts: &[usize], other: usize, place: usize, fit: &Fit) -> Contrast {
        let mut contrast = Contrast::new(self.evidence.d_model);
        let least = BARELY_ON * self.usual(other);
        for (row, strength, residual) in self.to_explain(parts, place, fit) {
            let missing = self.evidence.codes.value(row, other).is_none();
            if missing && dot(fit.residual(row as u32), self.projection.direction(other)) > least {
                continue;
            }
            contrast.add(usize::from(missing), strength, &residual);
        }
        contrast
    }

    /// How strong a feature usually is when it is on, `sum f^2 / sum f`.
    fn usual(&self, feature: usize) -> f32 {
        let values = || self.columns[feature].iter().map(|(_, value)| value);
        let sum: f32 = values().sum();
        values().map(|value| value * value).sum::<f32>() / sum.max(f32::MIN_POSITIVE)
    }

    /// The rows of `parts` with their strengths and what there is to explain on them: what the fit
    /// leaves, and the effect that the combination at `place` has in it.
    fn to_explain(
        &self,
        parts: &[usize],
        place: usize,
        fit: &Fit,
    ) -> impl Iterator<Item = (usize, f32, Vec<f32>)> {
        let own: HashMap<u32, f32> = fit.firings[place].iter().copied().collect();
        self.firing(parts).into_iter().map(move |(row, strength)| {
            let mut residual = fit.residual(row).to_vec();
            add(&mut residual, own.get(&row).copied().unwrap_or(0.0), fit.effect(place));
            (row as usize, strength, residual)
        })
    }
}

fn energy(vector: &[f32]) -> f64 {
    f64::from(dot(vector, vector))
}
