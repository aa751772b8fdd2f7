//! Which further part a combination needs, and which of its parts it does not.

use rayon::prelude::*;

use super::joint::Fit;
use super::{Bench, add, dot};

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

    /// The share of the effect that is left without the part: `<v0, v1> / |v1|^2`, where the
    /// square is freed of what noise adds to it.
    fn left_without(&self, noise: f64) -> f64 {
        let [with, without] = self.squares;
        let product = f64::from(dot(&self.sums[0], &self.sums[1])) / (with * without);
        let square = (energy(&self.sums[0]) / with - noise) / with;
        if square > 0.0 { product / square } else { f64::INFINITY }
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
        let width = self.evidence.d_model;
        let own = fit.effect(place);
        let before: std::collections::HashMap<u32, f32> =
            fit.firings[place].iter().copied().collect();
        let mut contrasts: Vec<Contrast> = Vec::new();
        contrasts.resize_with(self.n_features, || Contrast::new(width));
        let mut all = Contrast::new(width);
        for (row, strength) in self.firing(parts) {
            // The combination's own effect is part of what is to be explained.
            let mut residual = fit.residual(row).to_vec();
            add(&mut residual, before.get(&row).copied().unwrap_or(0.0), own);
            all.add(0, strength, &residual);
            for (other, _) in self.evidence.codes.entries_of(row as usize) {
                contrasts[other].add(0, strength, &residual);
            }
        }
        let mut best: Option<(usize, f64)> = None;
        for (other, contrast) in contrasts.iter_mut().enumerate() {
            contrast.rows[1] = all.rows[0] - contrast.rows[0];
            let few = contrast.rows.iter().any(|&rows| rows < self.config.rows_to_judge.max(1));
            if parts.contains(&other) || few {
                continue;
            }
            contrast.squares[1] = all.squares[0] - contrast.squares[0];
            contrast.sums[1] = all.sums[0].clone();
            let with = contrast.sums[0].clone();
            add(&mut contrast.sums[1], -1.0, &with);
            let grown = [parts, &[other]].concat();
            contrast.sums.iter_mut().for_each(|sum| *sum = self.outside(sum, &grown));
            let drop = contrast.drop_with();
            if drop - fit.noise > threshold
                && drop > contrast.drop_in_all()
                && contrast.left_without(fit.noise) < self.config.necessity
                && best.is_none_or(|(_, most)| drop > most)
            {
                best = Some((other, drop));
            }
        }
        best.map(|(other, _)| other)
    }

    /// The parts that are necessary, as far as the rows can tell; two at least.
    fn shrink(&self, parts: &[usize], place: usize, fit: &Fit) -> Vec<usize> {
        let mut parts = parts.to_vec();
        while parts.len() > 2 {
            let left = |part: &usize| self.left_without(&parts, *part, place, fit);
            let needless = parts.iter().map(|part| (*part, left(part)));
            let worst = needless
                .filter(|(_, left)| *left >= self.config.necessity && left.is_finite())
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((worst, _)) = worst else { break };
            parts.retain(|&part| part != worst);
        }
        parts
    }

    /// The share of the effect of `parts` that is left on rows where only `part` is missing;
    /// infinite where the rows cannot tell.
    fn left_without(&self, parts: &[usize], part: usize, place: usize, fit: &Fit) -> f64 {
        let before: std::collections::HashMap<u32, f32> =
            fit.firings[place].iter().copied().collect();
        let others: Vec<usize> = parts.iter().copied().filter(|&other| other != part).collect();
        let mut contrast = Contrast::new(self.evidence.d_model);
        for (row, strength) in self.firing(&others) {
            let missing = self.evidence.codes.value(row as usize, part).is_none();
            let mut residual = fit.residual(row).to_vec();
            add(&mut residual, before.get(&row).copied().unwrap_or(0.0), fit.effect(place));
            contrast.add(usize::from(missing), strength, &residual);
        }
        if contrast.rows.iter().any(|&rows| rows < self.config.rows_to_judge.max(1)) {
            return f64::INFINITY;
        }
        contrast.sums.iter_mut().for_each(|sum| *sum = self.outside(sum, parts));
        contrast.left_without(fit.noise)
    }
}

fn energy(vector: &[f32]) -> f64 {
    f64::from(dot(vector, vector))
}
