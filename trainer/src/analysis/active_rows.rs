//! Which features are active on which rows, and how strongly.

use burn::prelude::*;
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

    /// The rows in their order, so many at a time, as a decoder reads them.
    pub fn batches(&self, rows: usize, device: &Device) -> impl Iterator<Item = TopK> {
        let (k, size) = (self.k.max(1), (rows * self.k).max(1));
        self.features.chunks(size).zip(self.values.chunks(size)).map(move |(ids, values)| {
            let shape = [ids.len() / k, k];
            let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
            TopK {
                values: Tensor::from_data(TensorData::new(values.to_vec(), shape), device),
                indices: Tensor::from_data(TensorData::new(ids, shape), device),
            }
        })
    }

    /// The active features of each row, by their numbers.
    pub fn codes(&self) -> SparseRows {
        let mut codes = SparseRows::default();
        let rows =
            self.features.chunks_exact(self.k.max(1)).zip(self.values.chunks_exact(self.k.max(1)));
        for (features, values) in rows {
            let entries = features.iter().copied().zip(values.iter().copied());
            codes.push(entries.filter(|(_, value)| *value > 0.0));
        }
        codes
    }

    /// How many features are active in each row.
    pub fn counts(&self) -> Vec<usize> {
        let active = |row: &[f32]| row.iter().filter(|value| **value > 0.0).count();
        self.values.chunks_exact(self.k.max(1)).map(active).collect()
    }

    /// How many rows have no active feature, one, and so on up to the most that a row has.
    pub fn histogram(&self) -> Vec<usize> {
        let mut rows = vec![];
        for count in self.counts() {
            rows.resize(rows.len().max(count + 1), 0);
            rows[count] += 1;
        }
        rows
    }

    /// On how many rows each of `n_features` is active.
    pub fn firings(&self, n_features: usize) -> Firings {
        let mut rows = vec![0; n_features];
        for (feature, value) in self.features.iter().zip(&self.values) {
            rows[*feature as usize] += usize::from(*value > 0.0);
        }
        Firings { rows, of: self.values.len() / self.k.max(1) }
    }
}

/// How often features fire.
#[derive(Clone, Debug)]
pub struct Firings {
    /// On how many rows each: `[n_features]`.
    pub rows: Vec<usize>,
    /// Of how many.
    pub of: usize,
}

impl Firings {
    /// The share of features that no row activates.
    pub fn dead_share(&self) -> f64 {
        self.share(|rows| rows == 0)
    }

    /// The share of features that more than a tenth of the rows activate.
    pub fn dense_share(&self) -> f64 {
        self.share(|rows| 10 * rows > self.of)
    }

    fn share(&self, is_one: impl Fn(usize) -> bool) -> f64 {
        let count = self.rows.iter().filter(|rows| is_one(**rows)).count();
        count as f64 / self.rows.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_fires_on_a_tenth_of_the_rows_is_not_dense_yet() {
        let firings = Firings { rows: vec![0, 2, 3, 20], of: 20 };

        assert_eq!((firings.dead_share(), firings.dense_share()), (0.25, 0.5));
    }

    #[test]
    fn a_place_that_is_not_used_is_no_firing() {
        let values = vec![0.5, 0.0, 1.0, 2.0];
        let active = ActiveRows { k: 2, features: vec![0, 1, 0, 2], values };

        let firings = active.firings(4);

        assert_eq!((firings.rows, firings.of), (vec![2, 0, 1, 0], 2));
        assert_eq!((active.counts(), active.histogram()), (vec![1, 2], vec![0, 1, 1]));
    }
}
