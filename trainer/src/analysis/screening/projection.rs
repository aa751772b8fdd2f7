//! What the features of a row cannot say together.

use super::sparse::SparseRows;
use crate::analysis::vectors::{add, dot, products};

/// How much of a direction's energy is added to the Gram matrix, so that features that point the
/// same way do no harm.
const JITTER: f32 = 1e-4;

/// Takes the span of a row's active features out of a vector:
/// `v - D_S' (D_S D_S')^-1 D_S v`, with the directions `D_S` of the features in rows.
pub(super) struct Projection {
    /// The features' directions with length 1: `[n_features, d_model]`.
    directions: Vec<f32>,
    /// Their products: `[n_features, n_features]`.
    gram: Vec<f32>,
    d_model: usize,
}

impl Projection {
    /// `directions` of length 1, `[n_features, d_model]`.
    pub(super) fn new(directions: Vec<f32>, d_model: usize) -> Self {
        let gram = products(&directions, &directions, d_model);
        Self { directions, gram, d_model }
    }

    /// The direction of one feature, of shape `[d_model]`.
    pub(super) fn direction(&self, feature: usize) -> &[f32] {
        &self.directions[feature * self.d_model..][..self.d_model]
    }

    /// The cosine between two features.
    pub(super) fn cosine(&self, first: usize, second: usize) -> f32 {
        self.gram[first * self.n_features() + second]
    }

    /// How many features there are.
    pub(super) fn n_features(&self) -> usize {
        self.directions.len() / self.d_model
    }

    /// Leaves of `vector`, of shape `[d_model]`, what the features active on `row` cannot say.
    pub(super) fn clear_row(&self, codes: &SparseRows, row: usize, vector: &mut [f32]) {
        self.clear(codes.row(row).0.iter().map(|&id| id as usize), vector);
    }

    /// Leaves of `vector`, of shape `[d_model]`, what these features cannot say.
    pub(super) fn clear(&self, features: impl Iterator<Item = usize>, vector: &mut [f32]) {
        let features: Vec<usize> = features.collect();
        let count = features.len();
        let mut factor = vec![0.0_f32; count * count];
        let mut solution = vec![0.0_f32; count];
        for row in 0..count {
            for column in 0..=row {
                let (done, own) = factor.split_at_mut(row * count);
                let other =
                    if column < row { &done[column * count..][..column] } else { &own[..column] };
                let known = dot(&own[..column], other);
                let rest = self.cosine(features[row], features[column]) - known;
                own[column] = match column < row {
                    true => rest / done[column * count + column],
                    false => (rest + JITTER).max(JITTER).sqrt(),
                };
            }
            let own = &factor[row * count..][..=row];
            let along = dot(self.direction(features[row]), vector);
            solution[row] = (along - dot(&own[..row], &solution[..row])) / own[row];
        }
        for row in (0..count).rev() {
            let later = (row + 1..count).map(|other| factor[other * count + row] * solution[other]);
            solution[row] = (solution[row] - later.sum::<f32>()) / factor[row * count + row];
        }
        for (&feature, &times) in features.iter().zip(&solution) {
            add(vector, -times, self.direction(feature));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_orthogonal_to_every_feature() {
        let directions = vec![1.0, 0.0, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0];
        let projection = Projection::new(directions, 3);
        let mut plane = vec![3.0, 4.0, 5.0];
        let mut line = plane.clone();

        projection.clear([0, 1].into_iter(), &mut plane);
        projection.clear([1].into_iter(), &mut line);

        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-2);
        assert!(near(&plane, &[0.0, 0.0, 5.0]), "{plane:?}");
        assert!(near(&line, &[0.0, 0.0, 5.0]), "{line:?}");
    }

    #[test]
    fn features_that_point_the_same_way_do_no_harm() {
        let projection = Projection::new(vec![1.0, 0.0, 1.0, 0.0], 2);
        let mut vector = vec![2.0, 3.0];

        projection.clear([0, 1].into_iter(), &mut vector);

        assert!(vector[0].abs() < 1e-2 && (vector[1] - 3.0).abs() < 1e-6, "{vector:?}");
    }
}
