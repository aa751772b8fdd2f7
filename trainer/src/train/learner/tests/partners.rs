//! Rows on which no choice of partners is so close that rounding decides.

use burn::prelude::*;
use shared::kernels::csae::{AttentionParameters, Parameters};
use shared::weights::{to_ints, to_vec};
use shared::{Csae, Limits};

/// How far, as a share of the largest score, chosen partners and others are apart.
const GAP: f64 = 1e-5;

/// Those of `rows` on which the partners are clear.
pub(super) fn clear_partners(model: &Csae, rows: Tensor<2>, limits: Limits) -> Tensor<2> {
    let attention = Parameters::of(model).attention;
    if attention.null.is_empty() {
        return rows;
    }
    let pairs = Pairs::of(&attention, model.encoder_bias.val().dims()[0]);
    let active = model.valid().forward(rows.clone(), limits).active;
    let [_, k] = active.values.dims();
    let (values, features) = (to_vec(active.values), to_ints(active.indices));
    let clear: Vec<i32> = values
        .chunks_exact(k)
        .zip(features.chunks_exact(k))
        .enumerate()
        .filter(|(_, (values, features))| {
            let firing: Vec<(usize, f64)> = features
                .iter()
                .zip(*values)
                .filter(|(_, value)| **value > 0.0)
                .map(|(feature, value)| (*feature as usize, f64::from(*value)))
                .collect();
            pairs.are_clear(&firing, limits.combination_size - 1)
        })
        .map(|(row, _)| row as i32)
        .collect();
    rows.select(0, Tensor::from_ints(&clear[..], &Device::flex()))
}

/// Queries and keys of all features: `[n_features, n_heads, d_head]`.
struct Pairs {
    queries: Vec<f64>,
    keys: Vec<f64>,
    n_heads: usize,
    width: usize,
}

impl Pairs {
    fn of(attention: &AttentionParameters, n_features: usize) -> Self {
        let width = attention.embedding.len() / n_features;
        let project = |weight: &[f32]| -> Vec<f64> {
            let rows = attention.embedding.chunks_exact(width);
            let at = |row: &[f32], column: usize| {
                let weights = weight.iter().skip(column).step_by(width);
                row.iter().zip(weights).map(|(one, other)| f64::from(one * other)).sum::<f64>()
            };
            rows.flat_map(|row| (0..width).map(move |column| at(row, column))).collect()
        };
        Self {
            queries: project(&attention.query),
            keys: project(&attention.key),
            n_heads: attention.null.len(),
            width,
        }
    }

    fn are_clear(&self, firing: &[(usize, f64)], count: usize) -> bool {
        (0..self.n_heads).all(|head| {
            firing.iter().all(|(own, _)| {
                let others = firing.iter().filter(|(other, _)| other != own);
                let mut scores: Vec<f64> = others
                    .map(|(other, strength)| strength * self.score(head, *own, *other))
                    .collect();
                scores.sort_by(|one, other| other.total_cmp(one));
                let largest = scores.iter().fold(0.0, |most: f64, score| most.max(score.abs()));
                scores.len() <= count || scores[count - 1] - scores[count] > GAP * largest
            })
        })
    }

    fn score(&self, head: usize, own: usize, other: usize) -> f64 {
        let d_head = self.width / self.n_heads;
        let place = |feature: usize| feature * self.width + head * d_head;
        let query = &self.queries[place(own)..][..d_head];
        let pairs = query.iter().zip(&self.keys[place(other)..]);
        pairs.map(|(query, key)| query * key).sum()
    }
}
