//! Whether trainings from other seeds find the same combinations.

use serde::Serialize;
use shared::report::is_found_again;

use super::vectors::dot_in_order;

/// A feature is the same as one of another training if their directions have at least this cosine.
const SAME: f32 = 0.7;

/// What a training found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Directions of length 1: `[n_features, d_model]`.
    pub directions: Vec<f32>,
    /// The combinations, parts ascending.
    pub combinations: Vec<Vec<usize>>,
}

/// How far the combinations of a training are those of others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Consistency {
    /// How many trainings there are, the first with the others.
    pub trainings: usize,
    /// In how many of them each combination of the first was found.
    pub found: Vec<usize>,
    /// The share of the first one's features that are in another training, on average.
    pub features: f64,
    /// The share of its combinations whose parts are all in another training, on average: no others
    /// can be found there.
    pub possible: f64,
    /// Which share of these the other training has as well; none where none is possible.
    pub again: Option<f64>,
}

impl Consistency {
    /// How many combinations were found in four of five trainings or more.
    pub fn counted(&self) -> usize {
        self.found.iter().filter(|found| is_found_again([**found, self.trainings])).count()
    }
}

/// Compares what the `first` training found with what the `others` did; nothing without others.
pub fn consistency(first: &Findings, others: &[Findings], d_model: usize) -> Option<Consistency> {
    let mut told = Consistency {
        trainings: 1 + others.len(),
        found: vec![1; first.combinations.len()],
        ..Consistency::default()
    };
    let (mut possible, mut again) = (0, 0);
    for other in others {
        let same = matched(&first.directions, &other.directions, d_model);
        let share = same.iter().flatten().count() as f64 / same.len().max(1) as f64;
        told.features += share / others.len() as f64;
        for (count, parts) in told.found.iter_mut().zip(&first.combinations) {
            let there: Option<Vec<usize>> = parts.iter().map(|part| same[*part]).collect();
            let Some(mut there) = there else { continue };
            there.sort_unstable();
            possible += 1;
            if other.combinations.contains(&there) {
                (*count, again) = (*count + 1, again + 1);
            }
        }
    }
    let all = (others.len() * first.combinations.len()).max(1) as f64;
    told.possible = f64::from(possible) / all;
    told.again = (possible > 0).then(|| f64::from(again) / f64::from(possible));
    (!others.is_empty()).then_some(told)
}

/// For each direction of `one` that of `other` which is the same, each at most once: the closest
/// two are matched first.
pub fn matched(one: &[f32], other: &[f32], d_model: usize) -> Vec<Option<usize>> {
    let mut close = vec![];
    for (from, left) in one.chunks_exact(d_model).enumerate() {
        for (to, right) in other.chunks_exact(d_model).enumerate() {
            let cosine = dot_in_order(left, right);
            if cosine >= SAME {
                close.push((cosine, from, to));
            }
        }
    }
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut same = vec![None; one.len() / d_model];
    let mut taken = vec![false; other.len() / d_model];
    for (_, from, to) in close {
        if same[from].is_none() && !taken[to] {
            (same[from], taken[to]) = (Some(to), true);
        }
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_matched_once_by_their_directions() {
        let one = [1.0, 0.0, 0.0, 1.0, 0.8, 0.6];
        let other = [0.0, 1.0, 0.78, 0.625_78];

        // 0 and 2 are both close to the other's second; 2 is closer.
        assert_eq!(matched(&one, &other, 2), [None, Some(0), Some(1)]);
    }

    #[test]
    fn a_combination_is_found_again_under_the_numbers_of_the_other_training() {
        let first = Findings {
            directions: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            combinations: vec![vec![0, 1], vec![1, 2]],
        };
        let turned = Findings {
            directions: vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            combinations: vec![vec![0, 1], vec![0, 2]],
        };
        let empty = Findings { combinations: vec![], ..turned.clone() };

        let told = consistency(&first, &[turned, empty], 3).unwrap();

        assert_eq!((told.found.as_slice(), told.trainings), ([1, 2].as_slice(), 3));
        assert_eq!((told.features, told.possible, told.again), (1.0, 1.0, Some(0.25)));
    }

    #[test]
    fn combinations_of_features_that_the_other_lacks_are_not_possible_there() {
        let first = Findings {
            directions: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            combinations: vec![vec![0, 1], vec![0, 2]],
        };
        let other = Findings {
            directions: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            combinations: vec![vec![0, 1]],
        };

        let told = consistency(&first, &[other], 3).unwrap();

        assert_eq!((told.possible, told.again), (0.5, Some(1.0)));
        assert!((told.features - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(consistency(&first, &[], 3), None);
    }

    #[test]
    fn four_of_five_trainings_count() {
        let told = |trainings, found| Consistency { trainings, found, ..Consistency::default() };

        assert_eq!(told(5, vec![3, 4, 5]).counted(), 2);
        assert_eq!(told(3, vec![2, 3]).counted(), 1);
    }
}
