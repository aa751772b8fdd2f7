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

    /// Leaves of `vector` what the features active on `row` cannot say; `solution` is room to
    /// compute in.
    pub(super) fn clear_row(
        &self,
        (codes, factors): (&SparseRows, &Factors),
        row: usize,
        solution: &mut Vec<f32>,
        vector: &mut [f32],
    ) {
        self.clear_by(codes.row(row).0, factors.of(row), solution, vector);
    }

    /// Leaves of each of `rows`, `[rows, d_model]`, what its active features cannot say.
    pub(super) fn clear_rows(&self, active: (&SparseRows, &Factors), rows: &mut [f32]) {
        let rows = rows.par_chunks_exact_mut(self.d_model).enumerate();
        rows.for_each_init(Vec::new, |solution, (row, vector)| {
            self.clear_row(active, row, solution, vector);
        });
    }

    fn clear_by(
        &self,
        features: &[u32],
        factor: &[f32],
        solution: &mut Vec<f32>,
        vector: &mut [f32],
    ) {
        pulp::Arch::new().dispatch(Clear { projection: self, features, factor, solution, vector });
    }

    /// Adds to `factors` the lower triangle L of `L L' = D_S D_S' + JITTER`, row after row.
    fn push_factor(&self, features: &[u32], factors: &mut Vec<f32>) {
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

/// [`Projection::clear`] by the features' [factor](Projection::push_factor), with the widest
/// instructions that there are.
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
    /// Those of [`ROWS_AT_ONCE`] rows each.
    blocks: Vec<Vec<f32>>,
}

impl Factors {
    pub(super) fn new(projection: &Projection, codes: &SparseRows) -> Self {
        let mut starts = vec![0];
        for row in 0..codes.len() {
            starts.push(starts[row] + triangle(codes.row(row).0.len()));
        }
        let block = |block: usize| {
            let rows = block * ROWS_AT_ONCE..((block + 1) * ROWS_AT_ONCE).min(codes.len());
            let mut factors = Vec::with_capacity(starts[rows.end] - starts[rows.start]);
            rows.for_each(|row| projection.push_factor(codes.row(row).0, &mut factors));
            factors
        };
        let blocks = (0..codes.len().div_ceil(ROWS_AT_ONCE)).into_par_iter().map(block).collect();
        Self { starts, blocks }
    }

    fn of(&self, row: usize) -> &[f32] {
        let block = row / ROWS_AT_ONCE;
        let begin = self.starts[block * ROWS_AT_ONCE];
        &self.blocks[block][self.starts[row] - begin..self.starts[row + 1] - begin]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::vectors::normalize;

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
    fn many_features_say_nothing_of_what_is_left() {
        let (count, d_model) = (20, 40);
        let mut random = shared::random::stream(1, "test");
        let mut drawn = |rows: usize| shared::random::normal(&mut random, rows * d_model, 1.0);
        let (mut directions, mut vector) = (drawn(count), drawn(1));
        directions.chunks_exact_mut(d_model).for_each(normalize);
        let projection = Projection::new(directions, d_model);
        let features: Vec<u32> = (0..count as u32).collect();
        let before = dot(&vector, &vector);

        projection.clear(&features, &mut vector);

        let along = |feature| dot(projection.direction(feature), &vector).abs();
        assert!((0..count).all(|feature| along(feature) < 0.01), "{vector:?}");
        assert!(dot(&vector, &vector) > 0.2 * before);
    }

    #[test]
    fn features_that_point_the_same_way_do_no_harm() {
        let projection = Projection::new(vec![1.0, 0.0, 1.0, 0.0], 2);
        let mut vector = vec![2.0, 3.0];

        projection.clear(&[0, 1], &mut vector);

        assert!(vector[0].abs() < 1e-2 && (vector[1] - 3.0).abs() < 1e-6, "{vector:?}");
    }
}
