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
    let width = attention.embedding.len() / model.encoder_bias.val().dims()[0];
    let count = limits.combination_size - 1;
    let rounds = Rounds { attention, width, count };
    let active = model.valid().forward(rows.clone(), limits).active;
    let [_, k] = active.values.dims();
    let (values, features) = (to_vec(active.values), to_ints(active.indices));
    let clear: Vec<i32> = values
        .chunks_exact(k)
        .zip(features.chunks_exact(k))
        .enumerate()
        .filter(|(_, (values, features))| {
            let firing = features.iter().zip(*values).filter(|(_, value)| **value > 0.0);
            let tokens = firing.map(|(feature, value)| rounds.token(*feature as usize, *value));
            rounds.are_clear(&tokens.collect::<Vec<_>>())
        })
        .map(|(row, _)| row as i32)
        .collect();
    rows.select(0, Tensor::from_ints(&clear[..], &Device::flex()))
}

/// Attention as its definition has it.
struct Rounds {
    attention: AttentionParameters,
    /// Of a token.
    width: usize,
    /// How many partners a token has at most.
    count: usize,
}

impl Rounds {
    fn token(&self, feature: usize, strength: f32) -> Vec<f64> {
        let embedding = &self.attention.embedding[feature * self.width..][..self.width];
        embedding.iter().map(|value| f64::from(*value) * f64::from(strength)).collect()
    }

    fn are_clear(&self, tokens: &[Vec<f64>]) -> bool {
        let Some(composed) = self.compose(tokens) else { return false };
        if self.attention.between.is_empty() {
            return true;
        }
        let mixed = tokens.iter().zip(&composed).map(|(token, composed)| {
            let more = times(composed, &self.attention.between);
            token.iter().zip(more).map(|(one, other)| one + other).collect()
        });
        self.compose(&mixed.collect::<Vec<_>>()).is_some()
    }

    /// What each token composes, if its partners are clear.
    fn compose(&self, tokens: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
        let AttentionParameters { query, key, value, null, .. } = &self.attention;
        let project = |weight: &[f32]| -> Vec<Vec<f64>> {
            tokens.iter().map(|token| times(token, weight)).collect()
        };
        let (queries, keys, values) = (project(query), project(key), project(value));
        let d_head = self.width / null.len();
        let mut composed = vec![vec![0.0; self.width]; tokens.len()];
        for (head, null) in null.iter().enumerate() {
            let here = head * d_head..(head + 1) * d_head;
            for (own, composed) in composed.iter_mut().enumerate() {
                let score = |other: usize| {
                    let pairs = queries[own][here.clone()].iter().zip(&keys[other][here.clone()]);
                    pairs.map(|(one, other)| one * other).sum::<f64>()
                };
                let others = (0..tokens.len()).filter(|other| *other != own);
                let scores: Vec<(f64, usize)> = others.map(|other| (score(other), other)).collect();
                let chosen = self.choose(scores)?;
                let weight = |score: f64| (score / (d_head as f64).sqrt() - f64::from(*null)).exp();
                let total: f64 = 1.0 + chosen.iter().map(|(score, _)| weight(*score)).sum::<f64>();
                for (score, other) in chosen {
                    for place in here.clone() {
                        composed[place] += weight(score) / total * values[other][place];
                    }
                }
            }
        }
        Some(composed)
    }

    /// The partners with the largest scores, if these are clear.
    fn choose(&self, mut scores: Vec<(f64, usize)>) -> Option<Vec<(f64, usize)>> {
        scores.sort_by(|one, other| other.0.total_cmp(&one.0));
        let largest = scores.iter().fold(0.0, |most: f64, (score, _)| most.max(score.abs()));
        if scores.len() > self.count {
            let gap = scores[self.count - 1].0 - scores[self.count].0;
            if gap <= GAP * largest {
                return None;
            }
            scores.truncate(self.count);
        }
        Some(scores)
    }
}

/// `vector matrix`.
fn times(vector: &[f64], matrix: &[f32]) -> Vec<f64> {
    let mut out = vec![0.0; matrix.len() / vector.len()];
    for (times, row) in vector.iter().zip(matrix.chunks_exact(out.len())) {
        out.iter_mut().zip(row).for_each(|(sum, value)| *sum += times * f64::from(*value));
    }
    out
}
