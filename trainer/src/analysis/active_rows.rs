//! Which features are active on which rows, and how strongly.

use shared::TopK;
use shared::weights::{to_ints, to_vec};

use super::screening::sparse::SparseRows;

/// Active features of all held-out rows, in the order of the text: `[rows, k]` each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActiveRows {
    /// How many places a row has.
    pub k: usize,
    /// Which features.
    pub features: Vec<u32>,
    /// How strongly they fire; 0 is not active.
    pub values: Vec<f32>,
}

impl ActiveRows {
    /// Adds the rows of a code.
    pub fn add(&mut self, active: TopK) {
        self.features.extend(to_ints(active.indices).iter().map(|index| *index as u32));
        self.values.extend(to_vec(active.values));
    }

    /// The active features of each row, by their numbers.
    pub fn codes(&self) -> SparseRows {
        let mut codes = SparseRows::default();
        let rows = self.features.chunks_exact(self.k).zip(self.values.chunks_exact(self.k));
        for (features, values) in rows {
            let entries = features.iter().copied().zip(values.iter().copied());
            codes.push(entries.filter(|(_, value)| *value > 0.0));
        }
        codes
    }

    /// How many features are active in each row.
    pub fn counts(&self) -> Vec<usize> {
        let active = |row: &[f32]| row.iter().filter(|value| **value > 0.0).count();
        self.values.chunks_exact(self.k).map(active).collect()
    }

    /// The share of `n_features` that no row activates.
    pub fn dead_share(&self, n_features: usize) -> f64 {
        let mut fired = vec![false; n_features];
        for (feature, value) in self.features.iter().zip(&self.values) {
            fired[*feature as usize] |= *value > 0.0;
        }
        fired.iter().filter(|fired| !**fired).count() as f64 / n_features as f64
    }
}
