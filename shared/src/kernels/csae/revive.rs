//! AuxK: the dead features try to explain what is left over, so that they come back to life.

use super::Parameters;
use super::select::strongest;
use super::sorted::Sorted;
use crate::kernels::lanes::Lanes;

/// What the strongest dead features would add, row after row.
#[derive(Clone, Debug, Default)]
pub(super) struct Revival {
    d_model: usize,
    /// How many features are revived in a row at most.
    room: usize,
    keys: Vec<i32>,
    /// Which features, one row after the other.
    features: Vec<u32>,
    strengths: Vec<f32>,
    /// What is left, along each feature's direction.
    along: Vec<f32>,
    /// On which row each of them stands.
    row_of: Vec<u32>,
    /// What they leave: `[rows, d_model]`.
    left: Vec<f32>,
    by_feature: Sorted,
    /// The sum of the squares of `left`.
    pub(super) squares: f64,
    /// The sum of the residuals: `[d_model]`.
    pub(super) sums: Vec<f64>,
    /// The sum of their squares.
    pub(super) energy: f64,
}

impl Revival {
    /// Forgets the rows of the step before.
    pub(super) fn begin(&mut self, rows: usize, d_model: usize, n_features: usize) {
        (self.d_model, self.room) = (d_model, (d_model / 2).min(n_features));
        self.keys.resize(n_features, 0);
        self.features.clear();
        self.strengths.clear();
        self.row_of.clear();
        self.along.clear();
        self.left.clear();
        self.left.reserve(rows * d_model);
        (self.squares, self.energy) = (0.0, 0.0);
        self.sums.clear();
        self.sums.resize(d_model, 0.0);
    }

    /// Revives features on the next row; `keys` are all its features as bits.
    pub(super) fn revive(
        &mut self,
        lanes: Lanes,
        parameters: &Parameters,
        dead: &[bool],
        keys: &[i32],
        residual: &[f32],
    ) {
        for (key, (all, dead)) in self.keys.iter_mut().zip(keys.iter().zip(dead)) {
            *key = if *dead { *all } else { 0 };
        }
        let row = (self.left.len() / self.d_model) as u32;
        let first = self.features.len();
        self.features.resize(first + self.room + 1, 0);
        let count = strongest(lanes, &self.keys, self.room, &mut self.features[first..]);
        self.features.truncate(first + count);
        let revived = &self.features[first..];
        let directions: Vec<&[f32]> =
            revived.iter().map(|feature| parameters.direction(*feature)).collect();
        let keys = revived.iter().map(|feature| self.keys[*feature as usize]);
        self.strengths.extend(keys.map(|key| f32::from_bits(key as u32)));
        self.row_of.resize(first + count, row);

        let place = self.left.len();
        self.left.resize(place + self.d_model, 0.0);
        let left = &mut self.left[place..];
        lanes.weighted_sum(left, &self.strengths[first..], &directions);
        left.iter_mut().zip(residual).for_each(|(left, residual)| *left = residual - *left);
        self.along.resize(first + count, 0.0);
        lanes.dots(&mut self.along[first..], left, &directions);
        self.squares += lanes.square(left);
        self.energy += lanes.square(residual);
        self.sums.iter_mut().zip(residual).for_each(|(sum, value)| *sum += f64::from(*value));
    }

    /// Makes [`Self::of`] ready.
    pub(super) fn sort(&mut self, n_features: usize) {
        let places = self.features.iter().enumerate().map(|(place, feature)| (*feature, place));
        self.by_feature.sort(n_features, places);
    }

    /// Where a feature is revived: its strength, the slope along it, what is left, and the row.
    pub(super) fn of(&self, feature: usize) -> impl Iterator<Item = (f32, f32, &[f32], usize)> {
        self.by_feature.of(feature).iter().map(|place| {
            let place = *place as usize;
            let row = self.row_of[place] as usize;
            let left = &self.left[row * self.d_model..][..self.d_model];
            (self.strengths[place], self.along[place], left, row)
        })
    }
}
