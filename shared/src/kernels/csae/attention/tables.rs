//! What is computed once for all rows.

use rayon::prelude::*;

use super::gate::GateTables;
use super::makings::Makings;
use super::projections::Projections;
use super::{HEADS, Heads, Shape};
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
    /// What they make of every feature at strength 1.
    pub(super) features: Projections,
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
    /// Of what the tokens of a second round are mixed, if there is one.
    pub(super) makings: Option<Makings>,
}

impl Tables {
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
        self.features.lay_side_by_side(self.shape);
        self.null.resize(self.shape.groups(), [0.0; HEADS]);
        self.null.as_flattened_mut()[..attention.null.len()].copy_from_slice(&attention.null);
        if !self.features.projected.iter().all(|value| value.is_finite()) {
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
        self.gate = (!attention.gate_bias.is_empty()).then(|| {
            let mut gate = self.gate.take().unwrap_or_default();
            gate.fill(lanes, self.shape, attention, &self.features.values);
            gate
        });
        self.makings = (!attention.between.is_empty()).then(|| {
            let mut makings = self.makings.take().unwrap_or_default();
            let weights = (&attention.between[..], &self.packed);
            makings.fill(lanes, self.shape, weights, &self.features.projected);
            makings
        });
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
        let projected = &mut self.features.projected;
        projected.resize(3 * embedding.len(), 0.0);
        let out = projected.par_chunks_mut(FEATURES * 3 * width);
        out.zip(embedding.par_chunks(FEATURES * width)).for_each(|(out, rows)| {
            product(lanes, out, rows, &self.packed, &[], &mut vec![]);
        });
    }

    fn score(&mut self, lanes: Lanes) {
        let (n_features, groups) = (self.shape.n_features, self.shape.groups());
        let all: Vec<u32> = (0..n_features as u32).collect();
        self.scores.resize(n_features * n_features * groups, [0.0; HEADS]);
        let rows = self.scores.par_chunks_exact_mut(n_features * groups).enumerate();
        rows.for_each(|(own, out)| {
            self.features.score_pairs(lanes, self.shape, (own as u32, &all), out);
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
}
