//! One row: what is kept of it, and its way forward and back.

use super::Heads;
use super::round::{Composed, Pulls, Round, Tokens};
use super::second::{Mixture, Second};
use super::tables::Tables;
use super::{HEADS, Shape};
use crate::kernels::lanes::Lanes;

/// What is kept of a row for the gradients of its block. `k` is how many features fire on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Which features fire: `[k]`.
    pub(super) features: Vec<u32>,
    /// How strongly: `[k]`.
    pub(super) strengths: Vec<f32>,
    /// Where they stand among the active features: `[k]`.
    slots: Vec<u32>,
    /// The pairs of features that were chosen.
    pub(super) pulls: Pulls,
    /// What the last round composes.
    pub(super) composed: Composed,
    /// The slopes along the null slot's scores: `[groups]`.
    pub(super) null: Vec<Heads>,
    /// Of what the tokens of the second round are mixed.
    pub(super) mixture: Mixture,
}

/// What is known of one row from its way forward until its way back.
#[derive(Clone, Debug, Default)]
pub(super) struct Space {
    first: Round,
    second: Second,
}

impl Row {
    /// Finds what the `active` features compose, firing with these values.
    pub(super) fn compose(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        space: &mut Space,
        (active, values): (&[u32], &[f32]),
    ) {
        self.features.clear();
        self.strengths.clear();
        self.slots.clear();
        for (slot, (feature, value)) in active.iter().zip(values).enumerate() {
            if *value > 0.0 {
                self.features.push(*feature);
                self.strengths.push(*value);
                self.slots.push(slot as u32);
            }
        }
        self.begin(tables.shape, tables.gate.is_some());
        let Self { features, strengths, composed, mixture, .. } = self;
        let tokens = tables.tokens(features, strengths);
        space.first.attend(lanes, tokens, &tables.features, &tables.scores);
        match &tables.makings {
            None => space.first.compose(lanes, tokens, composed),
            Some(makings) => {
                mixture.mix(tokens, &space.first);
                space.second.compose(lanes, (tables, makings), tokens, mixture, composed);
            }
        }
    }

    fn begin(&mut self, shape: Shape, gated: bool) {
        self.composed.begin(shape, self.features.len(), gated);
        self.null.clear();
        self.null.resize(shape.groups(), [0.0; HEADS]);
    }

    /// What was composed, as a part of the reconstruction.
    pub(super) fn contribute(&self, lanes: Lanes, tables: &Tables, contribution: &mut [f32]) {
        lanes.row_times(contribution, self.composed.sum.as_flattened(), &tables.output);
    }

    /// Adds the slopes along the values of the active features; along the reconstruction the slope
    /// is `scale` times the residual. This row must be the one that was composed last.
    pub(super) fn descend(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        space: &mut Space,
        (residual, scale): (&[f32], f32),
        slopes: &mut [f32],
    ) {
        let slopes_of_composed = self.composed.slopes.as_flattened_mut();
        lanes.row_times(slopes_of_composed, residual, &tables.output_back);
        slopes_of_composed.iter_mut().for_each(|slope| *slope *= scale);
        let Self { features, strengths, composed, mixture, null, pulls, .. } = self;
        let tokens = tables.tokens(features, strengths);
        let Space { first, second } = space;
        match &tables.makings {
            None => first.back(lanes, tokens, composed),
            Some(makings) => {
                second.back(lanes, tables, mixture, composed, null);
                let slopes = (&*mixture, &composed.opening[..]);
                second.back_to_first(lanes, (tables, makings), slopes, tokens, first);
            }
        }
        first.back_to_scores(lanes, tokens, pulls, null);
        let along = first.along_strengths.chunks_exact(tables.shape.groups());
        for (slot, along) in self.slots.iter().zip(along) {
            slopes[*slot as usize] += along.as_flattened().iter().sum::<f32>();
        }
    }
}

impl Tables {
    /// Firing features as tokens.
    fn tokens<'a>(&'a self, features: &'a [u32], strengths: &'a [f32]) -> Tokens<'a> {
        Tokens {
            shape: self.shape,
            features,
            strengths,
            values: &self.features.values,
            gate: self.gate.as_ref().map(|gate| gate.gate()),
            null: &self.null,
        }
    }
}
