//! Exact codes: which features are on, and how strongly, when time does not matter.
//!
//! An encoder sees each feature through the interference of all others, and misses those that the
//! others push down. Here a row is solved by non-negative least squares; features that then fire
//! weakly are left out, those that what is left over points to are let in, and it is solved again. What
//! the features leave over is in the end neither interference nor the work of features that
//! were overlooked.

use rayon::prelude::*;

use super::non_negative::non_negative_from;
use super::screening::sparse::SparseRows;
use super::vectors::{add, mean_row, products};

/// How often features may be let in.
const ROUNDS: usize = 4;
/// How many at a time.
const AT_ONCE: usize = 3;
/// How near to the exact solution strengths come, relative to the row: while features are chosen,
/// and in the end.
const ROUGHLY: f64 = 1e-3;
const EXACTLY: f64 = 1e-6;
/// On how many rows is measured what all have in common.
const ROWS_FOR_THE_MEAN: usize = 4_096;

/// Codes of rows, and what they leave over.
#[derive(Clone, Debug)]
pub struct ExactCode {
    /// Which features are on, and how strongly.
    pub rows: SparseRows,
    /// What they leave over: `[rows, d_model]`.
    pub residuals: Vec<f32>,
}

/// What is coded, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Coding<'a> {
    /// `[rows, d_model]`.
    pub rows: &'a [f32],
    /// Of length 1: `[n_features, d_model]`.
    pub directions: &'a [f32],
    /// The width of a row.
    pub d_model: usize,
    /// With which features to begin: `[rows, k]`.
    pub first: &'a [i32],
    /// How many these are in each row.
    pub k: usize,
    /// Below which share of its usual strength a feature counts as silent.
    pub cut: f64,
}

/// A row's active features, each with its strength.
type RowCode = Vec<(usize, f64)>;

impl Coding<'_> {
    /// Codes every row.
    ///
    /// What is left over on all rows alike is no feature: it is measured on the first rows and taken
    /// away from all.
    pub fn solve(&self) -> ExactCode {
        let few = self.rows.len().min(ROWS_FOR_THE_MEAN * self.d_model);
        let mean = mean_row(&self.code(&self.rows[..few]).residuals, self.d_model);
        let rows = self.rows.iter().zip(mean.iter().cycle()).map(|(value, mean)| value - mean);
        self.code(&rows.collect::<Vec<f32>>())
    }

    fn code(&self, rows: &[f32]) -> ExactCode {
        let n_features = self.directions.len() / self.d_model;
        let gram = products(self.directions, self.directions, self.d_model);
        let toward = products(rows, self.directions, self.d_model);
        let table = Table { gram: &gram, n_features };
        let mut codes: Vec<RowCode> = self
            .first
            .par_chunks_exact(self.k)
            .zip(toward.par_chunks_exact(n_features))
            .map(|(first, along)| {
                let begun = first.iter().map(|feature| (*feature as usize, 0.0)).collect();
                table.solve(begun, along, ROUGHLY)
            })
            .collect();
        let weakest = weakest(&codes, n_features, self.cut);
        codes.par_iter_mut().zip(toward.par_chunks_exact(n_features)).for_each(|(code, along)| {
            for _ in 0..ROUNDS {
                let before = code.len();
                *code = table.solve(strong(code, &weakest), along, ROUGHLY);
                let missed = table.missed(code, along, &weakest);
                if missed.is_empty() && code.len() == before {
                    break;
                }
                let begun = code.iter().copied().chain(missed.into_iter().map(|one| (one, 0.0)));
                *code = table.solve(begun.collect(), along, ROUGHLY);
            }
            *code = table.solve(strong(code, &weakest), along, EXACTLY);
        });
        self.left(rows, &codes)
    }

    fn left(&self, rows: &[f32], codes: &[RowCode]) -> ExactCode {
        let mut exact = ExactCode { rows: SparseRows::default(), residuals: rows.to_vec() };
        for (code, residual) in codes.iter().zip(exact.residuals.chunks_exact_mut(self.d_model)) {
            exact
                .rows
                .push(code.iter().map(|(feature, strength)| (*feature as u32, *strength as f32)));
            for (feature, strength) in code {
                let direction = &self.directions[feature * self.d_model..][..self.d_model];
                add(residual, -*strength as f32, direction);
            }
        }
        exact
    }
}

/// The cosines of all directions.
struct Table<'a> {
    gram: &'a [f32],
    n_features: usize,
}

impl Table<'_> {
    /// The exact code on the features of `begun`, from its strengths on; `along` is what each
    /// direction says of the row.
    fn solve(&self, begun: RowCode, along: &[f32], tolerance: f64) -> RowCode {
        let (chosen, strengths): (Vec<usize>, Vec<f64>) = begun.into_iter().unzip();
        let cosine =
            |one: &usize, other: &usize| f64::from(self.gram[one * self.n_features + other]);
        let products: Vec<f64> = chosen
            .iter()
            .flat_map(|one| chosen.iter().map(move |other| cosine(one, other)))
            .collect();
        let toward: Vec<f64> = chosen.iter().map(|feature| f64::from(along[*feature])).collect();
        let strengths = non_negative_from(&products, &toward, strengths, tolerance);
        chosen.into_iter().zip(strengths).filter(|(_, strength)| *strength > 0.0).collect()
    }

    /// The features outside the code to which most of what is left over points.
    fn missed(&self, code: &RowCode, along: &[f32], weakest: &[f64]) -> Vec<usize> {
        let mut left = along.to_vec();
        for (feature, strength) in code {
            let cosines = &self.gram[feature * self.n_features..][..self.n_features];
            add(&mut left, -*strength as f32, cosines);
        }
        let is_in = |feature: &usize| code.iter().any(|(other, _)| other == feature);
        let mut missed: Vec<usize> = (0..self.n_features)
            .filter(|feature| f64::from(left[*feature]) > weakest[*feature] && !is_in(feature))
            .collect();
        missed.sort_by(|one, other| left[*other].total_cmp(&left[*one]));
        missed.truncate(AT_ONCE);
        missed
    }
}

fn strong(code: &RowCode, weakest: &[f64]) -> RowCode {
    let strong = |(feature, strength): &&(usize, f64)| *strength >= weakest[*feature];
    code.iter().filter(strong).copied().collect()
}

/// Below which strength each feature counts as silent: a share of its usual strength, `sum f^2 /
/// sum f`, in which the many rows on which it is barely on count little.
fn weakest(codes: &[RowCode], n_features: usize, cut: f64) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); n_features];
    for (feature, strength) in codes.iter().flatten() {
        sums[*feature].0 += strength * strength;
        sums[*feature].1 += strength;
    }
    let usual = |(squares, sum): &(f64, f64)| match *sum > 0.0 {
        true => cut * squares / sum,
        false => f64::INFINITY,
    };
    sums.iter().map(usual).collect()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::dot;
    use super::*;

    /// Unit vectors of which each two have the cosine -0.4, in three dimensions.
    fn apart() -> Vec<f32> {
        let (along, across) = (0.447_213_6, 0.894_427_2);
        let directions = [0.0_f32, 2.0, 4.0].map(|third| {
            let angle = third * std::f32::consts::FRAC_PI_3;
            [across * angle.cos(), across * angle.sin(), along]
        });
        directions.concat()
    }

    /// Rows of so much of each direction, coded from those features at first.
    fn code(strengths: &[[f32; 3]], first: &[i32], k: usize, cut: f64) -> ExactCode {
        let directions = apart();
        let mut rows = vec![0.0; strengths.len() * 3];
        for (row, strengths) in rows.chunks_exact_mut(3).zip(strengths) {
            for (strength, direction) in strengths.iter().zip(directions.chunks_exact(3)) {
                add(row, *strength, direction);
            }
        }
        Coding { rows: &rows, directions: &directions, d_model: 3, first, k, cut }.code(&rows)
    }

    #[test]
    fn a_feature_that_others_push_down_is_let_in() {
        let strengths = [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]];
        let first = [0, 1, 2, 0, 0, 1];

        let exact = code(&strengths, &first, 2, 0.4);

        let third = exact.rows.value(2, 2).unwrap();
        assert!((third - 1.0).abs() < 1e-4, "{third}");
        assert!(dot(&exact.residuals, &exact.residuals) < 1e-6);
    }

    #[test]
    fn a_feature_that_is_barely_on_is_left_out() {
        let strengths = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.2, 0.0]];
        let first = [0, 1, 1, 0, 0, 1];

        let exact = code(&strengths, &first, 2, 0.4);

        assert_eq!(exact.rows.value(2, 1), None);
        assert!(exact.rows.value(1, 1).is_some() && exact.rows.value(2, 0).is_some());
    }

    #[test]
    fn what_all_rows_share_is_no_feature() {
        let directions = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let rows = [2.0, 0.0, 5.0, 0.0, 2.0, 5.0];
        let coding = Coding {
            rows: &rows,
            directions: &directions,
            d_model: 3,
            first: &[0, 1, 0, 1],
            k: 2,
            cut: 0.4,
        };

        let exact = coding.solve();

        assert!(dot(&exact.residuals, &exact.residuals) < 1e-6, "{:?}", exact.residuals);
        assert_eq!(exact.rows.value(0, 1), None);
    }
}
