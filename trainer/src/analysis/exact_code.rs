//! Exact codes: which features are on, and how strongly, when time does not matter.
//!
//! An encoder sees each feature through the interference of all others, and misses those that the
//! others push down. Here a row is solved by non-negative least squares; features that then fire
//! weakly are left out, those that what is left over points to are let in, and it is solved again. What
//! the features leave over is in the end neither interference nor the work of features that
//! were overlooked.

use rayon::prelude::*;

use super::non_negative::non_negative;
use super::screening::sparse::SparseRows;

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
    /// How often features may be let in.
    pub rounds: usize,
    /// How many at a time.
    pub at_once: usize,
}

/// A row's active features, each with its strength.
type RowCode = Vec<(usize, f64)>;

impl Coding<'_> {
    /// Codes every row.
    ///
    /// What is left over on all rows alike is no feature: it is taken away and the rows are coded anew.
    pub fn solve(&self) -> ExactCode {
        let exact = self.code(self.rows);
        let mean = mean(&exact.residuals, self.d_model);
        let rows = self.rows.iter().zip(mean.iter().cycle()).map(|(value, mean)| value - mean);
        self.code(&rows.collect::<Vec<f32>>())
    }

    fn code(&self, rows: &[f32]) -> ExactCode {
        let n_features = self.directions.len() / self.d_model;
        let gram = self.gram();
        let toward: Vec<f32> = rows
            .par_chunks_exact(self.d_model)
            .flat_map_iter(|row| {
                self.directions.chunks_exact(self.d_model).map(|direction| dot(direction, row))
            })
            .collect();
        let table = Table { gram: &gram, n_features };
        let mut codes: Vec<RowCode> = self
            .first
            .par_chunks_exact(self.k)
            .zip(toward.par_chunks_exact(n_features))
            .map(|(first, along)| {
                table.solve(first.iter().map(|feature| *feature as usize).collect(), along)
            })
            .collect();
        let weakest = weakest(&codes, n_features, self.cut);
        codes.par_iter_mut().zip(toward.par_chunks_exact(n_features)).for_each(|(code, along)| {
            for _ in 0..self.rounds {
                let before = code.len();
                let mut chosen = strong(code, &weakest);
                *code = table.solve(chosen.clone(), along);
                let missed = table.missed(code, along, &weakest, self.at_once);
                if missed.is_empty() && code.len() == before {
                    break;
                }
                chosen.extend(missed);
                *code = table.solve(chosen, along);
            }
            *code = table.solve(strong(code, &weakest), along);
        });
        self.left(rows, &codes)
    }

    fn gram(&self) -> Vec<f32> {
        let directions = || self.directions.par_chunks_exact(self.d_model);
        directions()
            .flat_map_iter(|one| {
                self.directions.chunks_exact(self.d_model).map(move |other| dot(one, other))
            })
            .collect()
    }

    fn left(&self, rows: &[f32], codes: &[RowCode]) -> ExactCode {
        let mut exact = ExactCode { rows: SparseRows::default(), residuals: rows.to_vec() };
        for (code, residual) in codes.iter().zip(exact.residuals.chunks_exact_mut(self.d_model)) {
            exact
                .rows
                .push(code.iter().map(|(feature, strength)| (*feature as u32, *strength as f32)));
            for (feature, strength) in code {
                let direction = &self.directions[feature * self.d_model..][..self.d_model];
                let pairs = residual.iter_mut().zip(direction);
                pairs.for_each(|(value, direction)| *value -= *strength as f32 * direction);
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
    /// The exact code on the `chosen` features; `along` is what each direction says of the row.
    fn solve(&self, chosen: Vec<usize>, along: &[f32]) -> RowCode {
        let cosine =
            |one: &usize, other: &usize| f64::from(self.gram[one * self.n_features + other]);
        let products: Vec<f64> = chosen
            .iter()
            .flat_map(|one| chosen.iter().map(move |other| cosine(one, other)))
            .collect();
        let toward: Vec<f64> = chosen.iter().map(|feature| f64::from(along[*feature])).collect();
        let strengths = non_negative(&products, &toward);
        chosen.into_iter().zip(strengths).filter(|(_, strength)| *strength > 0.0).collect()
    }

    /// The features outside the code to which most of what is left over points.
    fn missed(&self, code: &RowCode, along: &[f32], weakest: &[f64], most: usize) -> Vec<usize> {
        let mut left = along.to_vec();
        for (feature, strength) in code {
            let cosines = &self.gram[feature * self.n_features..][..self.n_features];
            left.iter_mut()
                .zip(cosines)
                .for_each(|(left, cosine)| *left -= *strength as f32 * cosine);
        }
        let is_in = |feature: &usize| code.iter().any(|(other, _)| other == feature);
        let mut missed: Vec<usize> = (0..self.n_features)
            .filter(|feature| f64::from(left[*feature]) > weakest[*feature] && !is_in(feature))
            .collect();
        missed.sort_by(|one, other| left[*other].total_cmp(&left[*one]));
        missed.truncate(most);
        missed
    }
}

/// The mean row.
fn mean(rows: &[f32], d_model: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; d_model];
    for row in rows.chunks_exact(d_model) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let count = (rows.len() / d_model).max(1) as f64;
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

fn strong(code: &RowCode, weakest: &[f64]) -> Vec<usize> {
    code.iter()
        .filter(|(feature, strength)| *strength >= weakest[*feature])
        .map(|(feature, _)| *feature)
        .collect()
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

/// In eight sums side by side, which the processor can add at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum::<f32>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}
