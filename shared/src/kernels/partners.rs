//! The strongest partners of each active feature, by a table of pair scores.

/// What is chosen among.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a> {
    /// The score of each pair at strength 1: `[n_heads, n_features, n_features]`.
    pub scores: &'a [f32],
    /// The active features: `[batch, k]`.
    pub features: &'a [i32],
    /// How strongly they fire, 0 where none does: `[batch, k]`.
    pub values: &'a [f32],
    /// How many heads there are.
    pub n_heads: usize,
    /// How many features there are.
    pub n_features: usize,
    /// How many features are active in a row at most.
    pub k: usize,
}

impl Pairs<'_> {
    /// The places of the `count` partners with the largest `f_i f_j M[h,i,j]`, the first of equals
    /// first: `[batch, n_heads, k, count]`. Where a feature has fewer than `count` partners, its own
    /// place stands, to which nothing may attend.
    pub fn strongest(&self, count: usize) -> Vec<i32> {
        let per_row = self.n_heads * self.k * count;
        let rows = self.features.len() / self.k;
        let mut places = vec![0; rows * per_row];
        let one_row = |(row, places): (usize, &mut [i32])| self.row(row, count, places);
        #[cfg(not(target_family = "wasm"))]
        {
            use rayon::prelude::*;
            places.par_chunks_mut(per_row).enumerate().for_each(one_row);
        }
        #[cfg(target_family = "wasm")]
        places.chunks_mut(per_row).enumerate().for_each(one_row);
        places
    }

    fn row(&self, row: usize, count: usize, places: &mut [i32]) {
        let features = &self.features[row * self.k..][..self.k];
        let values = &self.values[row * self.k..][..self.k];
        let mut scores = vec![f32::NEG_INFINITY; self.k];
        for (slot, places) in places.chunks_exact_mut(count).enumerate() {
            let (head, own) = (slot / self.k, slot % self.k);
            let first = (head * self.n_features + features[own] as usize) * self.n_features;
            let table = &self.scores[first..][..self.n_features];
            for (score, (feature, value)) in scores.iter_mut().zip(features.iter().zip(values)) {
                let together = values[own] * value;
                *score = match *value > 0.0 {
                    true => table[*feature as usize] * together,
                    false => f32::NEG_INFINITY,
                };
            }
            scores[own] = f32::NEG_INFINITY;
            for place in places {
                let best = first_largest(&scores).unwrap_or(own);
                *place = best as i32;
                scores[best] = f32::NEG_INFINITY;
            }
        }
    }
}

/// The place of the largest score, if one is not minus infinity.
fn first_largest(scores: &[f32]) -> Option<usize> {
    let mut best = None;
    let mut largest = f32::NEG_INFINITY;
    for (place, score) in scores.iter().enumerate() {
        if *score > largest {
            (best, largest) = (Some(place), *score);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_active_partner_is_chosen_never_oneself() {
        // Three features; for feature 0 the table prefers 0, then 1, then 2.
        let scores = [9.0, 2.0, 1.0, 5.0, 9.0, 1.0, 0.5, 0.4, 9.0];
        let pairs = |values| Pairs {
            scores: &scores,
            features: &[2, 0, 1],
            values,
            n_heads: 1,
            n_features: 3,
            k: 3,
        };

        assert_eq!(pairs(&[1.0, 1.0, 1.0]).strongest(1), [1, 2, 1]);
        // Feature 2 fires so strongly that it is worth more to feature 0 than 1 is.
        assert_eq!(pairs(&[3.0, 1.0, 1.0]).strongest(2)[2..4], [0, 2]);
        // Feature 1 is silent.
        assert_eq!(pairs(&[1.0, 1.0, 0.0]).strongest(1)[..2], [1, 0]);
        // With one partner to be had, the second is nobody.
        assert_eq!(pairs(&[1.0, 1.0, 0.0]).strongest(2)[..4], [1, 0, 0, 1]);
    }
}
