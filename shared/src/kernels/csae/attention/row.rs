//! One row: what its firing features compose, and how the loss changes with it.

use super::choice::{Chosen, Pairs};
use super::tables::{Tables, products};
use super::{HEADS, Heads};
use crate::kernels::exp::exp;
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
    /// The slopes along what the gates hear of each feature's value: `[k, groups]`.
    pub(super) heard: Vec<Heads>,
    /// The slopes along what opens the gates: `[k]`.
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
    /// `[k, groups, partners]`.
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
    /// The slopes along one feature's attention: `[partners]`.
    along_weights: Vec<Heads>,
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
        self.resize(tables);
        space.begin(lanes, tables, &self.features);
        lanes.0.dispatch(
            #[inline(always)]
            || {
                self.attend(tables, space);
                self.pass_on(tables, space);
            },
        );
    }

    fn resize(&mut self, tables: &Tables) {
        let (shape, k) = (tables.shape, self.features.len());
        self.partners.resize(shape.n_heads * k * shape.partners, 0);
        self.pulls.resize(shape.n_heads * k * shape.partners, 0.0);
        let gates = if tables.gate.is_some() { k } else { 0 };
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

    /// Lets every feature choose its partners and opens its gate.
    #[inline(always)]
    fn attend(&mut self, tables: &Tables, space: &mut Space) {
        let (groups, partners) = (tables.shape.groups(), tables.shape.partners);
        let table = if tables.scores.is_empty() { &space.scores } else { &tables.scores };
        for (own, feature) in self.features.iter().enumerate() {
            let first = match tables.scores.is_empty() {
                true => own * space.columns.len() * groups,
                false => *feature as usize * tables.shape.n_features * groups,
            };
            for group in 0..groups {
                let place = own * groups + group;
                let weights = &mut space.weights[place * (partners + 1)..][..partners + 1];
                let chosen = Chosen {
                    places: &mut space.places[place * partners..][..partners],
                    pairs: &mut space.pairs[place * partners..][..partners],
                    weights,
                };
                let (columns, strengths) = (&space.columns[..], &self.strengths[..]);
                Pairs { scores: table, first: first + group, columns, strengths }.choose(
                    own as u32,
                    &tables.null[group],
                    chosen,
                );
            }
            space.open[own] = self.open(tables, space, own);
        }
    }

    /// How far the gate of the feature in the place `own` is open.
    #[inline(always)]
    fn open(&self, tables: &Tables, space: &Space, own: usize) -> f32 {
        let Some(gate) = &tables.gate else { return 1.0 };
        let groups = tables.shape.groups();
        let mut composed = [0.0; HEADS];
        for group in 0..groups {
            for (places, weight) in space.attention(tables, own, group) {
                for head in 0..HEADS {
                    let partner = places[head] as usize;
                    let heard = gate.composed[self.features[partner] as usize * groups + group];
                    composed[head] += weight[head] * self.strengths[partner] * heard[head];
                }
            }
        }
        let feature = self.features[own] as usize;
        let token = self.strengths[own] * gate.token[feature];
        let opening = token + composed.iter().sum::<f32>() + gate.bias[feature];
        1.0 / (1.0 + exp(-opening))
    }

    /// Adds up the values of the partners.
    #[inline(always)]
    fn pass_on(&mut self, tables: &Tables, space: &Space) {
        let (groups, d_head, size) =
            (tables.shape.groups(), tables.shape.d_head(), tables.shape.size());
        for own in 0..self.features.len() {
            for group in 0..groups {
                for (places, weight) in space.attention(tables, own, group) {
                    for head in 0..HEADS {
                        let partner = places[head] as usize;
                        self.passed[partner * groups + group][head] +=
                            space.open[own] * weight[head] * self.strengths[partner];
                    }
                }
            }
        }
        self.composed.fill([0.0; HEADS]);
        for (feature, passed) in self.features.iter().zip(self.passed.chunks_exact(groups)) {
            let values = &tables.values[*feature as usize * size..][..size];
            let sums = self.composed.chunks_exact_mut(d_head).zip(values.chunks_exact(d_head));
            for ((sums, values), passed) in sums.zip(passed) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    for head in 0..HEADS {
                        sum[head] += passed[head] * value[head];
                    }
                }
            }
        }
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
        lanes.0.dispatch(
            #[inline(always)]
            || {
                space.look_along(tables, &self.features, &self.slopes);
                for own in 0..self.features.len() {
                    self.turn_back(tables, space, own);
                }
            },
        );
        let along = space.along_strengths.chunks_exact(tables.shape.groups());
        for (slot, along) in self.slots.iter().zip(along) {
            slopes[*slot as usize] += along.as_flattened().iter().sum::<f32>();
        }
    }

    /// Goes back through the attention of the feature in the place `own`.
    #[inline(always)]
    fn turn_back(&mut self, tables: &Tables, space: &mut Space, own: usize) {
        let opening = self.close(tables, space, own);
        for group in 0..tables.shape.groups() {
            self.back_to_weights(tables, space, (own, group), opening);
            self.back_to_scores(tables, space, (own, group));
        }
        if let Some(gate) = &tables.gate {
            self.opening[own] = opening;
            let token = gate.token[self.features[own] as usize];
            space.along_strengths[own * tables.shape.groups()][0] += opening * token;
        }
    }

    /// The slope along what opens a gate, 0 without gates.
    #[inline(always)]
    fn close(&self, tables: &Tables, space: &Space, own: usize) -> f32 {
        if tables.gate.is_none() {
            return 0.0;
        }
        let groups = tables.shape.groups();
        let mut slopes = [0.0; HEADS];
        for group in 0..groups {
            for (places, weight) in space.attention(tables, own, group) {
                for head in 0..HEADS {
                    let partner = places[head] as usize;
                    let along = space.along[partner * groups + group][head];
                    slopes[head] += weight[head] * self.strengths[partner] * along;
                }
            }
        }
        let open = space.open[own];
        slopes.iter().sum::<f32>() * open * (1.0 - open)
    }

    /// Back to how much attention each partner gets, and to how strongly it fires.
    #[inline(always)]
    fn back_to_weights(
        &mut self,
        tables: &Tables,
        space: &mut Space,
        (own, group): (usize, usize),
        opening: f32,
    ) {
        let (groups, partners) = (tables.shape.groups(), tables.shape.partners);
        let Space { places, weights, open, along, along_strengths, along_weights, .. } = space;
        let place = own * groups + group;
        let places = &places[place * partners..][..partners];
        let weights = &weights[place * (partners + 1)..][..partners];
        for (slopes, (places, weight)) in along_weights.iter_mut().zip(places.iter().zip(weights)) {
            for head in 0..HEADS {
                let partner = places[head] as usize;
                let strength = self.strengths[partner];
                let mut slope = open[own] * along[partner * groups + group][head];
                if let Some(gate) = &tables.gate {
                    let feature = self.features[partner] as usize;
                    slope += opening * gate.composed[feature * groups + group][head];
                    self.heard[partner * groups + group][head] += opening * weight[head] * strength;
                }
                along_strengths[partner * groups + group][head] += slope * weight[head];
                slopes[head] = slope * strength;
            }
        }
    }

    /// Back through the softmax and the scores.
    #[inline(always)]
    fn back_to_scores(&mut self, tables: &Tables, space: &mut Space, (own, group): (usize, usize)) {
        let (shape, k) = (tables.shape, self.features.len());
        let (groups, partners) = (shape.groups(), shape.partners);
        let Space { places, pairs, weights, along_strengths, along_weights, .. } = space;
        let place = own * groups + group;
        let places = &places[place * partners..][..partners];
        let pairs = &pairs[place * partners..][..partners];
        let weights = &weights[place * (partners + 1)..][..partners + 1];
        let mut mean = [0.0; HEADS];
        for (slope, weight) in along_weights.iter().zip(weights) {
            for head in 0..HEADS {
                mean[head] += slope[head] * weight[head];
            }
        }
        let scale = 1.0 / (shape.d_head() as f32).sqrt();
        let mine = self.strengths[own];
        let heads = HEADS.min(shape.n_heads - group * HEADS);
        for rank in 0..partners {
            for head in 0..heads {
                let partner = places[rank][head] as usize;
                let slope = weights[rank][head] * (along_weights[rank][head] - mean[head]);
                let (score, other) = (pairs[rank][head], self.strengths[partner]);
                along_strengths[place][head] += slope * score * other;
                along_strengths[partner * groups + group][head] += slope * score * mine;
                let kept = ((group * HEADS + head) * k + own) * partners + rank;
                self.partners[kept] = partner as u32;
                self.pulls[kept] = slope * mine * other * scale;
            }
        }
        for head in 0..HEADS {
            self.null[group][head] -= weights[partners][head] * mean[head];
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
        self.along_weights.resize(partners, [0.0; HEADS]);
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

    /// To whom a feature attends in a group of heads, and how much.
    #[inline(always)]
    fn attention(
        &self,
        tables: &Tables,
        own: usize,
        group: usize,
    ) -> impl Iterator<Item = (&[u32; HEADS], &Heads)> {
        let partners = tables.shape.partners;
        let place = own * tables.shape.groups() + group;
        let weights = &self.weights[place * (partners + 1)..][..partners];
        self.places[place * partners..][..partners].iter().zip(weights)
    }

    /// How the loss changes with more of each feature's value.
    #[inline(always)]
    fn look_along(&mut self, tables: &Tables, features: &[u32], slopes: &[Heads]) {
        let (groups, d_head, size) =
            (tables.shape.groups(), tables.shape.d_head(), tables.shape.size());
        for (feature, along) in features.iter().zip(self.along.chunks_exact_mut(groups)) {
            let values = &tables.values[*feature as usize * size..][..size];
            let groups = values.chunks_exact(d_head).zip(slopes.chunks_exact(d_head));
            for (along, (values, slopes)) in along.iter_mut().zip(groups) {
                *along = products(values, slopes);
            }
        }
    }
}
