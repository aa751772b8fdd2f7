//! One row: what is kept of it, and its way forward and back.

use super::Heads;
use super::back::Back;
use super::forward::Forward;
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
    /// The partners' places among the firing features: `[n_heads, k, partners]`.
    pub(super) partners: Vec<u32>,
    /// The slopes along the products of queries and keys: `[n_heads, k, partners]`.
    pub(super) pulls: Vec<f32>,
    /// How much of each feature's value is composed: `[k, groups]`.
    pub(super) passed: Vec<Heads>,
    /// The slopes along what the gates hear of each feature's value: `[k, groups]`, or nothing.
    pub(super) heard: Vec<Heads>,
    /// The slopes along what opens the gates: `[k]`, or nothing.
    pub(super) opening: Vec<f32>,
    /// `z`: `[size]`.
    pub(super) composed: Vec<Heads>,
    /// The slopes along it: `[size]`.
    pub(super) slopes: Vec<Heads>,
    /// The slopes along the null slot's scores: `[groups]`.
    pub(super) null: Vec<Heads>,
}

/// What is known of one row from its way forward until its way back.
#[derive(Clone, Debug, Default)]
pub(super) struct Space {
    /// Where the scores of a pair stand behind those of its first feature: `[k]`.
    columns: Vec<u32>,
    /// The scores of pairs, where there is no table of all: `[k, k, groups]`.
    scores: Vec<Heads>,
    /// The partners: `[k, groups, partners]`.
    places: Vec<[u32; HEADS]>,
    /// The scores of the chosen pairs at strength 1: `[k, groups, partners]`.
    pairs: Vec<Heads>,
    /// The attention, the null slot's last: `[k, groups, partners + 1]`.
    weights: Vec<Heads>,
    /// How far each gate is open: `[k]`.
    open: Vec<f32>,
    /// How the loss changes with each feature's value: `[k, groups]`.
    along: Vec<Heads>,
    /// The slopes along the strengths: `[k, groups]`.
    along_strengths: Vec<Heads>,
    /// The slopes along what is passed on of each partner of a feature: `[partners]`.
    toward: Vec<Heads>,
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
        self.resize(tables.shape, tables.gate.is_some());
        space.begin(lanes, tables, &self.features);
        lanes.0.dispatch(Forward {
            shape: tables.shape,
            gate: tables.gate(),
            null: &tables.null,
            values: &tables.values,
            features: &self.features,
            strengths: &self.strengths,
            scores: if tables.scores.is_empty() { &space.scores } else { &tables.scores },
            of_all: !tables.scores.is_empty(),
            columns: &space.columns,
            places: &mut space.places,
            pairs: &mut space.pairs,
            weights: &mut space.weights,
            open: &mut space.open,
            passed: &mut self.passed,
            composed: &mut self.composed,
        });
    }

    fn resize(&mut self, shape: Shape, gated: bool) {
        let k = self.features.len();
        self.partners.resize(shape.n_heads * k * shape.partners, 0);
        self.pulls.resize(shape.n_heads * k * shape.partners, 0.0);
        let gates = if gated { k } else { 0 };
        self.heard.clear();
        self.heard.resize(gates * shape.groups(), [0.0; HEADS]);
        self.opening.resize(gates, 0.0);
        self.passed.clear();
        self.passed.resize(k * shape.groups(), [0.0; HEADS]);
        self.composed.resize(shape.size(), [0.0; HEADS]);
        self.slopes.resize(shape.size(), [0.0; HEADS]);
        self.null.clear();
        self.null.resize(shape.groups(), [0.0; HEADS]);
    }

    /// What was composed, as a part of the reconstruction.
    pub(super) fn contribute(&self, lanes: Lanes, tables: &Tables, contribution: &mut [f32]) {
        lanes.row_times(contribution, self.composed.as_flattened(), &tables.output);
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
        let slopes_of_composed = self.slopes.as_flattened_mut();
        lanes.row_times(slopes_of_composed, residual, &tables.output_back);
        slopes_of_composed.iter_mut().for_each(|slope| *slope *= scale);
        lanes.0.dispatch(Back {
            shape: tables.shape,
            gate: tables.gate(),
            values: &tables.values,
            features: &self.features,
            strengths: &self.strengths,
            places: &space.places,
            pairs: &space.pairs,
            weights: &space.weights,
            open: &space.open,
            slopes: &self.slopes,
            along: &mut space.along,
            along_strengths: &mut space.along_strengths,
            toward: &mut space.toward,
            partners: &mut self.partners,
            pulls: &mut self.pulls,
            heard: &mut self.heard,
            opening: &mut self.opening,
            null: &mut self.null,
        });
        let along = space.along_strengths.chunks_exact(tables.shape.groups());
        for (slot, along) in self.slots.iter().zip(along) {
            slopes[*slot as usize] += along.as_flattened().iter().sum::<f32>();
        }
    }
}

impl Space {
    /// Makes room, and computes the scores of pairs where there is no table of all.
    fn begin(&mut self, lanes: Lanes, tables: &Tables, features: &[u32]) {
        let (shape, k) = (tables.shape, features.len());
        let (groups, partners) = (shape.groups(), shape.partners);
        self.places.resize(k * groups * partners, [0; HEADS]);
        self.pairs.resize(k * groups * partners, [0.0; HEADS]);
        self.weights.resize(k * groups * (partners + 1), [0.0; HEADS]);
        self.open.resize(k, 0.0);
        self.along.resize(k * groups, [0.0; HEADS]);
        self.along_strengths.clear();
        self.along_strengths.resize(k * groups, [0.0; HEADS]);
        self.toward.resize(partners, [0.0; HEADS]);
        self.columns.clear();
        if !tables.scores.is_empty() {
            self.columns.extend(features.iter().map(|feature| feature * groups as u32));
            return;
        }
        self.columns.extend((0..k).map(|place| (place * groups) as u32));
        self.scores.resize(k * k * groups, [0.0; HEADS]);
        let rows = self.scores.chunks_exact_mut((k * groups).max(1));
        for (own, out) in features.iter().zip(rows) {
            tables.score_pairs(lanes, *own, features, out);
        }
    }
}
