//! What is computed once for all rows.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{HEADS, Heads, Shape, each};
use crate::kernels::csae::{AttentionParameters, Model, transposed};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product};

/// How many features one task takes.
const FEATURES: usize = 32;

/// All of attention that does not depend on the row.
#[derive(Clone, Debug, Default)]
pub(in crate::kernels::csae) struct Tables {
    pub(super) shape: Shape,
    /// The weights of queries, keys and values side by side: `[d_compose, 3 * d_compose]`.
    pub(super) weights: Vec<f32>,
    packed: Packed,
    /// What they make of every feature at strength 1: `[n_features, 3 * d_compose]`.
    pub(super) projected: Vec<f32>,
    /// `Q`, heads side by side: `[n_features, size]`, as are `K` and `V`.
    pub(super) queries: Vec<Heads>,
    pub(super) keys: Vec<Heads>,
    pub(super) values: Vec<Heads>,
    /// `M`, minus infinity for a feature with itself: `[n_features, n_features, groups]`; nothing
    /// where computing that of the firing ones is cheaper.
    pub(super) scores: Vec<Heads>,
    /// The null slot's scores: `[groups]`.
    pub(super) null: Vec<Heads>,
    /// `W_o`, as what is composed lies: `[size * HEADS, d_model]`.
    pub(super) output: Vec<f32>,
    /// Its transpose.
    pub(super) output_back: Vec<f32>,
    pub(super) gate: Option<GateTables>,
}

/// What opens the gate of each feature.
#[derive(Clone, Debug, Default)]
pub(super) struct GateTables {
    /// The token at strength 1: `[n_features]`.
    pub(super) token: Vec<f32>,
    /// What is composed of a feature's value: `[n_features, groups]`.
    pub(super) composed: Vec<Heads>,
    /// `[n_features]`.
    pub(super) bias: Vec<f32>,
}

/// The same, as a row reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate<'a> {
    pub(super) token: &'a [f32],
    pub(super) composed: &'a [Heads],
    pub(super) bias: &'a [f32],
}

impl Tables {
    /// What opens the gates, if there are any.
    pub(super) fn gate(&self) -> Option<Gate<'_>> {
        let GateTables { token, composed, bias } = self.gate.as_ref()?;
        Some(Gate { token, composed, bias })
    }

    /// Fills the tables that `n_rows` rows need, if features attend to each other.
    pub(in crate::kernels::csae) fn fill(
        &mut self,
        lanes: Lanes,
        model: &Model,
        n_rows: usize,
    ) -> Option<&Self> {
        self.shape = Shape::of(model)?;
        let attention = &model.parameters.attention;
        self.project(lanes, attention);
        self.lay_side_by_side();
        self.null.resize(self.shape.groups(), [0.0; HEADS]);
        self.null.as_flattened_mut()[..attention.null.len()].copy_from_slice(&attention.null);
        if !self.projected.iter().all(|value| value.is_finite()) {
            // It must show, though nobody chooses a partner whose score is not a number.
            self.null.fill([f32::NAN; HEADS]);
        }
        let n_features = self.shape.n_features;
        let of_rows = n_rows * model.sparsity_k.min(n_features).pow(2);
        // A table of all pairs or, row by row, that of the firing ones, which needs less memory.
        match 2 * n_features * n_features <= of_rows {
            true => self.score(lanes),
            false => self.scores.clear(),
        }
        self.lay_out_output(&attention.output, model.parameters.d_model());
        self.gate = self.fill_gate(lanes, attention);
        Some(self)
    }

    fn project(&mut self, lanes: Lanes, attention: &AttentionParameters) {
        let width = self.shape.d_compose;
        let AttentionParameters { embedding, query, key, value, .. } = attention;
        self.weights.clear();
        for row in 0..width {
            for weight in [query, key, value] {
                self.weights.extend_from_slice(&weight[row * width..][..width]);
            }
        }
        self.packed.fill_columns(&self.weights, 3 * width);
        self.projected.resize(3 * embedding.len(), 0.0);
        let out = self.projected.par_chunks_mut(FEATURES * 3 * width);
        out.zip(embedding.par_chunks(FEATURES * width)).for_each(|(out, rows)| {
            product(lanes, out, rows, &self.packed, &[], &mut vec![]);
        });
    }

    fn lay_side_by_side(&mut self) {
        let shape = self.shape;
        let size = shape.size();
        let scale = 1.0 / (shape.d_head() as f32).sqrt();
        let tables = [&mut self.queries, &mut self.keys, &mut self.values];
        let [queries, keys, values] = tables.map(|table| {
            table.resize(shape.n_features * size, [0.0; HEADS]);
            table.par_chunks_exact_mut(size)
        });
        let projected = self.projected.par_chunks_exact(3 * shape.d_compose);
        queries.zip(keys).zip(values).zip(projected).for_each(|(((query, key), value), row)| {
            let mut parts = row.chunks_exact(shape.d_compose);
            for (table, scale) in [(query, scale), (key, 1.0), (value, 1.0)] {
                table.fill([0.0; HEADS]);
                let heads = parts.next().unwrap_or_default().chunks_exact(shape.d_head());
                for (head, numbers) in heads.enumerate() {
                    let table = &mut table[head / HEADS * shape.d_head()..][..shape.d_head()];
                    for (to, number) in table.iter_mut().zip(numbers) {
                        to[head % HEADS] = number * scale;
                    }
                }
            }
        });
    }

    fn score(&mut self, lanes: Lanes) {
        let (n_features, groups) = (self.shape.n_features, self.shape.groups());
        let all: Vec<u32> = (0..n_features as u32).collect();
        let mut scores = std::mem::take(&mut self.scores);
        scores.resize(n_features * n_features * groups, [0.0; HEADS]);
        let rows = scores.par_chunks_exact_mut(n_features * groups).enumerate();
        rows.for_each(|(own, out)| self.score_pairs(lanes, own as u32, &all, out));
        self.scores = scores;
    }

    /// The scores of `own` with each of `others`, `[others, groups]`.
    pub(super) fn score_pairs(&self, lanes: Lanes, own: u32, others: &[u32], out: &mut [Heads]) {
        let size = self.shape.size();
        lanes.0.dispatch(Scores {
            own,
            query: &self.queries[own as usize * size..][..size],
            others,
            keys: &self.keys,
            d_head: self.shape.d_head(),
            out,
        });
    }

    fn lay_out_output(&mut self, output: &[f32], d_model: usize) {
        self.output.clear();
        self.output.resize(self.shape.size() * HEADS * d_model, 0.0);
        for (place, row) in output.chunks_exact(d_model).enumerate() {
            let (which, head) = self.shape.side_by_side(place);
            self.output[(which * HEADS + head) * d_model..][..d_model].copy_from_slice(row);
        }
        self.output_back = transposed(&self.output, d_model);
    }

    fn fill_gate(&mut self, lanes: Lanes, attention: &AttentionParameters) -> Option<GateTables> {
        let AttentionParameters { embedding, gate_token, gate_composed, gate_bias, .. } = attention;
        if gate_bias.is_empty() {
            return None;
        }
        let shape = self.shape;
        let mut gate = self.gate.take().unwrap_or_default();
        gate.bias.clone_from(gate_bias);
        gate.token.resize(shape.n_features, 0.0);
        let embedding: Vec<&[f32]> = embedding.chunks_exact(shape.d_compose).collect();
        lanes.dots(&mut gate.token, gate_token, &embedding);
        let mut weights = vec![[0.0; HEADS]; shape.size()];
        for (place, weight) in gate_composed.iter().enumerate() {
            let (which, head) = shape.side_by_side(place);
            weights[which][head] = *weight;
        }
        let values = self.values.chunks_exact(shape.d_head());
        let weights = weights.chunks_exact(shape.d_head()).cycle();
        gate.composed.clear();
        gate.composed.extend(values.zip(weights).map(|(value, weight)| products(value, weight)));
        Some(gate)
    }
}

/// The scores of pairs: queries of one feature, keys of all.
struct Scores<'a> {
    own: u32,
    query: &'a [Heads],
    others: &'a [u32],
    keys: &'a [Heads],
    d_head: usize,
    out: &'a mut [Heads],
}

impl WithSimd for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { own, query, others, keys, d_head, out } = self;
        let groups = query.len() / d_head;
        for (other, scores) in others.iter().zip(out.chunks_exact_mut(groups)) {
            let keys = keys[*other as usize * query.len()..].chunks_exact(d_head);
            let pairs = query.chunks_exact(d_head).zip(keys);
            for (score, (query, key)) in scores.iter_mut().zip(pairs) {
                *score = match *other == own {
                    true => [f32::NEG_INFINITY; HEADS],
                    false => products(query, key),
                };
            }
        }
    }
}

/// The product of two vectors in every head.
#[inline(always)]
pub(super) fn products(one: &[Heads], other: &[Heads]) -> Heads {
    // Several sums, so that one addition does not wait for the other.
    const SUMS: usize = 4;
    let ((ones, rest), (others, other_rest)) = (one.as_chunks::<SUMS>(), other.as_chunks::<SUMS>());
    let mut sums = [[0.0; HEADS]; SUMS];
    for (one, other) in ones.iter().zip(others) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum = each(|head| sum[head] + one[head] * other[head]);
        }
    }
    for (one, other) in rest.iter().zip(other_rest) {
        sums[0] = each(|head| sums[0][head] + one[head] * other[head]);
    }
    let [first, second, third, fourth] = sums;
    each(|head| (first[head] + second[head]) + (third[head] + fourth[head]))
}
