//! What opens gates.

use pulp::{Simd, WithSimd};

use super::projections::products;
use super::{HEADS, Heads, Shape};
use crate::kernels::csae::AttentionParameters;
use crate::kernels::lanes::Lanes;

/// What opens the gate of each token.
#[derive(Clone, Debug, Default)]
pub(super) struct GateTables {
    /// The token, but for what is composed, at strength 1: `[n_tokens]`.
    pub(super) token: Vec<f32>,
    /// What is composed of a token's value: `[n_tokens, groups]`.
    composed: Vec<Heads>,
    /// `[n_tokens]`.
    bias: Vec<f32>,
    /// The weights with which values are heard: `[d_compose]`.
    pub(super) weights: Vec<f32>,
    /// The same, heads side by side: `[size]`.
    side_by_side: Vec<Heads>,
}

/// The same, as a row reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate<'a> {
    pub(super) token: &'a [f32],
    pub(super) composed: &'a [Heads],
    pub(super) bias: &'a [f32],
}

impl GateTables {
    /// Those of all features, whose `values` are `[n_features, size]`.
    pub(super) fn fill(
        &mut self,
        lanes: Lanes,
        shape: Shape,
        attention: &AttentionParameters,
        values: &[Heads],
    ) {
        let AttentionParameters { embedding, gate_token, gate_composed, gate_bias, .. } = attention;
        self.bias.clone_from(gate_bias);
        self.token.resize(shape.n_features, 0.0);
        let embedding: Vec<&[f32]> = embedding.chunks_exact(shape.d_compose).collect();
        lanes.dots(&mut self.token, gate_token, &embedding);
        self.weights.clone_from(gate_composed);
        self.side_by_side.clear();
        self.side_by_side.resize(shape.size(), [0.0; HEADS]);
        for (place, weight) in gate_composed.iter().enumerate() {
            let (which, head) = shape.side_by_side(place);
            self.side_by_side[which][head] = *weight;
        }
        let (composed, weights) = (&mut self.composed, &self.side_by_side);
        composed.resize(shape.n_features * shape.groups(), [0.0; HEADS]);
        lanes.0.dispatch(Heard { values, weights, d_head: shape.d_head(), composed });
    }

    /// Those of a row's tokens, from those `of_all` features: each token is what a feature was with
    /// this strength, but for its value, of which there are `values`, `[k, size]`.
    pub(super) fn fill_of_row(
        &mut self,
        lanes: Lanes,
        d_head: usize,
        of_all: &Self,
        (features, strengths): (&[u32], &[f32]),
        values: &[Heads],
    ) {
        let firing = features.iter().map(|feature| *feature as usize);
        self.token.clear();
        let tokens = firing.clone().zip(strengths);
        self.token.extend(tokens.map(|(feature, strength)| strength * of_all.token[feature]));
        self.bias.clear();
        self.bias.extend(firing.map(|feature| of_all.bias[feature]));
        self.composed.resize(values.len() / d_head, [0.0; HEADS]);
        let weights = &of_all.side_by_side;
        lanes.0.dispatch(Heard { values, weights, d_head, composed: &mut self.composed });
    }

    /// What a row reads.
    pub(super) fn gate(&self) -> Gate<'_> {
        let Self { token, composed, bias, .. } = self;
        Gate { token, composed, bias }
    }
}

/// What gates hear of values.
struct Heard<'a> {
    /// `[n_tokens, size]`.
    values: &'a [Heads],
    /// `[size]`.
    weights: &'a [Heads],
    d_head: usize,
    /// `[n_tokens, groups]`.
    composed: &'a mut [Heads],
}

impl WithSimd for Heard<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { values, weights, d_head, composed } = self;
        let weights = weights.chunks_exact(d_head).cycle();
        let pairs = values.chunks_exact(d_head).zip(weights);
        for (composed, (value, weight)) in composed.iter_mut().zip(pairs) {
            *composed = products(value, weight);
        }
    }
}
