//! Whether trainings from other seeds find the same combinations.

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

/// In how many of the trainings, itself and the `others`, each combination of `first` was found.
pub fn found_in(first: &Findings, others: &[Findings], d_model: usize) -> Vec<usize> {
    let mut counts = vec![1; first.combinations.len()];
    for other in others {
        let same = matched(&first.directions, &other.directions, d_model);
        for (count, parts) in counts.iter_mut().zip(&first.combinations) {
            let there: Option<Vec<usize>> = parts.iter().map(|part| same[*part]).collect();
            if let Some(mut there) = there {
                there.sort_unstable();
                *count += usize::from(other.combinations.contains(&there));
            }
        }
    }
    counts
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

        assert_eq!(found_in(&first, &[turned, empty], 3), [1, 2]);
    }
}
