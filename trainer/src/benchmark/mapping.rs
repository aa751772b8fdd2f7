//! Which learned feature stands for which true one.

use rayon::prelude::*;

use super::score::Proposal;
use super::world::World;
use crate::analysis::screening::FoundCombination;
use crate::analysis::screening::sparse::SparseRows;
use crate::analysis::vectors::{cosine, dot_in_order};

/// The smallest cosine between a learned direction and the true one that it stands for.
pub const LEAST_COSINE: f32 = 0.7;
/// The smallest F1 of their firing.
pub const LEAST_FIRING_F1: f32 = 0.5;

/// The true feature of each learned one.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// `None` where no true feature is near enough, or another learned one is nearer.
    pub truth: Vec<Option<usize>>,
}

impl Mapping {
    /// Matches features one to one such that the sum of `max(0, cos(D_l, d_g))` is largest, then
    /// takes those matches whose cosine and whose firing agree well enough.
    ///
    /// `learned` is `[n_learned, d_model]`, `truth` `[n_features, d_model]`, all of length 1;
    /// `codes` and `active` are the learned and the true firing on the same rows.
    pub fn new(
        learned: &[f32],
        truth: &[f32],
        d_model: usize,
        codes: &SparseRows,
        active: &SparseRows,
    ) -> Self {
        let (n_learned, n_features) = (learned.len() / d_model, truth.len() / d_model);
        let firing = firing_f1(codes, active, n_learned, n_features);
        Self::accepted(learned, truth, d_model, |place| firing[place] >= LEAST_FIRING_F1)
    }

    /// The same by the directions alone, where nobody knows when the learned features fire.
    pub fn by_cosine(learned: &[f32], truth: &[f32], d_model: usize) -> Self {
        Self::accepted(learned, truth, d_model, |_| true)
    }

    /// Matches of the best assignment that are near and that `agrees` takes, by their place in
    /// `[n_learned, n_features]`.
    fn accepted(
        learned: &[f32],
        truth: &[f32],
        d_model: usize,
        agrees: impl Fn(usize) -> bool,
    ) -> Self {
        let (n_learned, n_features) = (learned.len() / d_model, truth.len() / d_model);
        let cosines = cosines(learned, truth, d_model);
        let matches = assign(&cosines, n_learned, n_features);
        let accept = |(one, other): (usize, Option<usize>)| {
            let place = one * n_features + other?;
            other.filter(|_| cosines[place] >= LEAST_COSINE && agrees(place))
        };
        Self { truth: matches.into_iter().enumerate().map(accept).collect() }
    }

    /// Every feature stands for itself, as in the oracle track.
    pub fn identity(n_features: usize) -> Self {
        Self { truth: (0..n_features).map(Some).collect() }
    }

    /// Whether some learned feature stands for this true one.
    pub fn recovers(&self, feature: usize) -> bool {
        self.truth.contains(&Some(feature))
    }

    /// Mean cosine of matched directions, `[n_learned, d_model]` of length 1, with the true ones,
    /// over the true features: 0 for one without a match.
    pub fn mcc(&self, directions: &[f32], world: &World) -> f64 {
        let d_model = world.config.d_model;
        let learned = |feature: usize| &directions[feature * d_model..][..d_model];
        let near = |(feature, truth): (usize, &Option<usize>)| {
            truth.map_or(0.0, |truth| cosine(learned(feature), world.direction(truth)))
        };
        let sum: f64 = self.truth.iter().enumerate().map(near).sum();
        sum / world.config.n_features as f64
    }

    /// Proposals of learned features as proposals of true ones.
    pub fn translate(&self, proposals: &[Proposal]) -> Vec<Proposal> {
        let truth = |part: &Option<usize>| self.truth.get((*part)?).copied().flatten();
        let proposal = |proposal: &Proposal| Proposal {
            parts: proposal.parts.iter().map(truth).collect(),
            score: proposal.score,
        };
        proposals.iter().map(proposal).collect()
    }

    /// Combinations of learned features as proposals of true ones.
    pub fn proposals(&self, found: &[FoundCombination]) -> Vec<Proposal> {
        let truth = |part: &usize| self.truth.get(*part).copied().flatten();
        let proposal = |combination: &FoundCombination| Proposal {
            parts: combination.parts.iter().map(truth).collect(),
            score: combination.gain,
        };
        found.iter().map(proposal).collect()
    }
}

/// `max(0, cos)` of each two directions, all of length 1: `[n_learned, n_features]`.
pub(super) fn cosines(learned: &[f32], truth: &[f32], d_model: usize) -> Vec<f32> {
    learned
        .par_chunks_exact(d_model)
        .flat_map_iter(|one| {
            truth.chunks_exact(d_model).map(move |other| dot_in_order(one, other).max(0.0))
        })
        .collect()
}

/// `2 both / (one + other)` of each two features' rows: `[n_learned, n_features]`.
fn firing_f1(
    codes: &SparseRows,
    active: &SparseRows,
    n_learned: usize,
    n_features: usize,
) -> Vec<f32> {
    let mut both = vec![0_u32; n_learned * n_features];
    for row in 0..codes.len().min(active.len()) {
        for &one in codes.row(row).0 {
            for &other in active.row(row).0 {
                both[one as usize * n_features + other as usize] += 1;
            }
        }
    }
    let count = |rows: &SparseRows, columns: usize| -> Vec<u32> {
        rows.columns(columns).iter().map(|column| column.len() as u32).collect()
    };
    let (ones, others) = (count(codes, n_learned), count(active, n_features));
    let score = |(place, both): (usize, u32)| {
        let sum = ones[place / n_features] + others[place % n_features];
        2.0 * both as f32 / sum.max(1) as f32
    };
    both.into_iter().enumerate().map(score).collect()
}

/// The one-to-one assignment of rows to columns with the largest sum of `gains`,
/// of shape `[rows, columns]`; `None` for rows that are left over.
///
/// The Hungarian algorithm with potentials, O(rows^2 columns), shorter than the wrapping that a
/// crate would need: theirs want integers and no more rows than columns.
pub fn assign(gains: &[f32], rows: usize, columns: usize) -> Vec<Option<usize>> {
    if rows > columns {
        let turned: Vec<f32> =
            (0..gains.len()).map(|p| gains[p % rows * columns + p / rows]).collect();
        let mut row_of = vec![None; rows];
        for (column, row) in assign(&turned, columns, rows).into_iter().enumerate() {
            row.into_iter().for_each(|row| row_of[row] = Some(column));
        }
        return row_of;
    }
    let mut assignment = Assignment {
        gains,
        of_row: vec![0.0; rows + 1],
        of_column: vec![0.0; columns + 1],
        owner: vec![0; columns + 1],
    };
    (1..=rows).for_each(|row| assignment.insert(row));
    let mut column_of = vec![None; rows];
    for (column, &row) in assignment.owner.iter().enumerate().skip(1).filter(|(_, row)| **row > 0) {
        column_of[row - 1] = Some(column - 1);
    }
    column_of
}

/// The best assignment of the rows so far. Row and column 0 are a stand-in: nobody, nowhere.
struct Assignment<'a> {
    gains: &'a [f32],
    /// Potentials: `cost - of_row - of_column` is 0 on assigned places and never below.
    of_row: Vec<f64>,
    of_column: Vec<f64>,
    /// The row that has each column.
    owner: Vec<usize>,
}

impl Assignment<'_> {
    /// Gives one more row a column, along the shortest path of rows that move on.
    fn insert(&mut self, row: usize) {
        let columns = self.owner.len();
        self.owner[0] = row;
        let mut from = vec![0; columns];
        let mut slack = vec![f64::INFINITY; columns];
        let mut seen = vec![false; columns];
        let mut here = 0;
        while self.owner[here] != 0 {
            seen[here] = true;
            let (mut least, mut next) = (f64::INFINITY, 0);
            for column in (1..columns).filter(|&column| !seen[column]) {
                let rest = self.rest(self.owner[here], column);
                if rest < slack[column] {
                    (slack[column], from[column]) = (rest, here);
                }
                if slack[column] < least {
                    (least, next) = (slack[column], column);
                }
            }
            for column in 0..columns {
                if seen[column] {
                    self.of_row[self.owner[column]] += least;
                    self.of_column[column] -= least;
                } else {
                    slack[column] -= least;
                }
            }
            here = next;
        }
        while here != 0 {
            self.owner[here] = self.owner[from[here]];
            here = from[here];
        }
    }

    fn rest(&self, row: usize, column: usize) -> f64 {
        let gain = self.gains[(row - 1) * (self.owner.len() - 1) + column - 1];
        -f64::from(gain) - self.of_row[row] - self.of_column[column]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assignment_is_the_best_one_and_not_the_greedy_one() {
        let gains = [0.9, 0.8, 0.8, 0.1];

        assert_eq!(assign(&gains, 2, 2), [Some(1), Some(0)]);
    }

    #[test]
    fn rows_are_left_over_where_columns_are_few() {
        let gains = [0.1, 0.9, 0.5];

        assert_eq!(assign(&gains, 3, 1), [None, Some(0), None]);
        assert_eq!(assign(&gains, 1, 3), [Some(1)]);
    }

    #[test]
    fn the_assignment_is_as_good_as_the_best_of_all_orders() {
        let mut random = shared::random::stream(3, "gains");
        let gains = shared::random::normal(&mut random, 25, 1.0);
        let sum = |columns: &[usize]| -> f32 {
            columns.iter().enumerate().map(|(row, column)| gains[row * 5 + column]).sum()
        };
        let mut best = f32::NEG_INFINITY;
        for code in 0..5_usize.pow(5) {
            let columns: Vec<usize> = (0..5).map(|row| code / 5_usize.pow(row) % 5).collect();
            if (0..5).all(|column| columns.contains(&column)) {
                best = best.max(sum(&columns));
            }
        }

        let found: Vec<usize> = assign(&gains, 5, 5).into_iter().flatten().collect();

        assert!((sum(&found) - best).abs() < 1e-5);
    }

    #[test]
    fn a_match_must_agree_in_direction_and_in_firing() {
        let truth = [1.0, 0.0, 0.0, 1.0];
        let mut active = SparseRows::default();
        (0..3).for_each(|_| active.push([(0, 1.0), (1, 1.0)]));
        let map = |learned: &[f32], codes: &SparseRows| {
            Mapping::new(learned, &truth, 2, codes, &active).truth
        };
        let mut rare = SparseRows::default();
        rare.push([(0, 1.0), (1, 1.0)]);
        (0..2).for_each(|_| rare.push([(1, 1.0)]));

        assert_eq!(map(&[0.0, 1.0, 1.0, 0.0], &active), [Some(1), Some(0)]);
        assert_eq!(map(&[0.8, 0.6, -0.6, 0.8], &active), [Some(0), Some(1)]);
        assert_eq!(map(&[1.0, 0.0, 0.75, 0.66], &active), [Some(0), None]);
        // One row of three: F1 is 2 * 1 / (1 + 3).
        assert_eq!(map(&[1.0, 0.0, 0.0, 1.0], &rare), [Some(0), Some(1)]);
        let silent = SparseRows::from_columns(&[vec![], vec![(0, 1.0), (1, 1.0), (2, 1.0)]], 3);
        assert_eq!(map(&[1.0, 0.0, 0.0, 1.0], &silent), [None, Some(1)]);
    }
}
