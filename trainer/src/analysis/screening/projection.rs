//! What the features of a row cannot say together.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::sparse::SparseRows;
use crate::analysis::vectors::{add, dot, products};

/// How much of a direction's energy is added to the Gram matrix, so that features that point the
/// same way do no harm.
const JITTER: f32 = 1e-4;
/// How many rows' factors are computed one after the other.
const ROWS_AT_ONCE: usize = 1_024;

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

    /// Leaves of `vector`, of shape `[d_model]`, what these features cannot say.
    pub(super) fn clear(&self, features: &[u32], vector: &mut [f32]) {
        let mut factor = vec![];
        self.push_factor(features, &mut factor);
        self.clear_by(features, &factor, &mut vec![], vector);
    }

    /// The same by the features' [factor](Self::push_factor); `solution` is room to compute in.
    pub(super) fn clear_by(
        &self,
        features: &[u32],
        factor: &[f32],
        solution: &mut Vec<f32>,
        vector: &mut [f32],
    ) {
        pulp::Arch::new().dispatch(Clear { projection: self, features, factor, solution, vector });
    }

    /// Adds to `factors` the lower triangle L of `L L' = D_S D_S'`, row after row.
    pub(super) fn push_factor(&self, features: &[u32], factors: &mut Vec<f32>) {
        let begin = factors.len();
        for (row, &feature) in features.iter().enumerate() {
            let own = begin + triangle(row);
            for (column, &other) in features[..=row].iter().enumerate() {
                let place = begin + triangle(column);
                let known = dot(&factors[own..], &factors[place..place + column]);
                let rest = self.cosine(feature as usize, other as usize) - known;
                factors.push(match column < row {
                    true => rest / factors[place + column],
                    false => (rest + JITTER).max(JITTER).sqrt(),
                });
            }
        }
    }
}

/// How many numbers the first rows of a triangle have.
fn triangle(rows: usize) -> usize {
    rows * (rows + 1) / 2
}

/// [`Projection::clear_by`] with the widest instructions that there are.
struct Clear<'a> {
    projection: &'a Projection,
    features: &'a [u32],
    factor: &'a [f32],
    solution: &'a mut Vec<f32>,
    vector: &'a mut [f32],
}

impl WithSimd for Clear<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { projection, features, factor, solution, vector } = self;
        solution.clear();
        for (row, &feature) in features.iter().enumerate() {
            let own = &factor[triangle(row)..][..=row];
            let along = dot(projection.direction(feature as usize), vector);
            solution.push((along - dot(&own[..row], solution)) / own[row]);
        }
        for row in (0..features.len()).rev() {
            let later = row + 1..features.len();
            let later = later.map(|other| factor[triangle(other) + row] * solution[other]);
            solution[row] = (solution[row] - later.sum::<f32>()) / factor[triangle(row) + row];
        }
        for (&feature, &times) in features.iter().zip(&*solution) {
            add(vector, -times, projection.direction(feature as usize));
        }
    }
}

/// The factors of what is active on each row of a table.
pub(super) struct Factors {
    /// Where each row's begins, and at last where the last one ends.
    starts: Vec<usize>,
    factors: Vec<f32>,
}

impl Factors {
    pub(super) fn new(projection: &Projection, codes: &SparseRows) -> Self {
        let sizes = (0..codes.len()).map(|row| triangle(codes.row(row).0.len()));
        let starts = [0].into_iter().chain(sizes.scan(0, |end, size| {
            *end += size;
            Some(*end)
        }));
        let blocks: Vec<Vec<f32>> = (0..codes.len().div_ceil(ROWS_AT_ONCE))
            .into_par_iter()
            .map(|block| {
                let mut factors = vec![];
                let rows = block * ROWS_AT_ONCE..((block + 1) * ROWS_AT_ONCE).min(codes.len());
                rows.for_each(|row| projection.push_factor(codes.row(row).0, &mut factors));
                factors
            })
            .collect();
        Self { starts: starts.collect(), factors: blocks.concat() }
    }

    pub(super) fn of(&self, row: usize) -> &[f32] {
        &self.factors[self.starts[row]..self.starts[row + 1]]
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

        projection.clear(&[0, 1], &mut plane);
        projection.clear(&[1], &mut line);

        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-2);
        assert!(near(&plane, &[0.0, 0.0, 5.0]), "{plane:?}");
        assert!(near(&line, &[0.0, 0.0, 5.0]), "{line:?}");
    }

    #[test]
    fn features_that_point_the_same_way_do_no_harm() {
        let projection = Projection::new(vec![1.0, 0.0, 1.0, 0.0], 2);
        let mut vector = vec![2.0, 3.0];

        projection.clear(&[0, 1], &mut vector);

        assert!(vector[0].abs() < 1e-2 && (vector[1] - 3.0).abs() < 1e-6, "{vector:?}");
    }
}
