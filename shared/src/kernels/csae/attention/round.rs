//! One round of attention on one row: what is known from its way forward until its way back.

use super::back::{Back, BackToScores};
use super::forward::{Attend, Forward};
use super::gate::Gate;
use super::projections::Projections;
use super::{HEADS, Heads, Shape};
use crate::kernels::lanes::Lanes;

/// What attends to each other: the firing features of a row or, in the second round, its tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'a> {
    pub(super) shape: Shape,
    /// Where each stands among those of which `values` and `gate` tell: `[k]`.
    pub(super) features: &'a [u32],
    /// How strong each is: `[k]`.
    pub(super) strengths: &'a [f32],
    /// `V`, at strength 1: `[.., size]`.
    pub(super) values: &'a [Heads],
    pub(super) gate: Option<Gate<'a>>,
    /// The null slot's scores: `[groups]`.
    pub(super) null: &'a [Heads],
}

/// The choices of a round, and the slopes along them.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// Where the scores of a pair stand behind those of its first token: `[k]`.
    columns: Vec<u32>,
    /// The scores of pairs, where there is no table of all: `[k, k, groups]`.
    scores: Vec<Heads>,
    /// The partners: `[k, groups, partners]`.
    pub(super) places: Vec<[u32; HEADS]>,
    /// The scores of the chosen pairs at strength 1: `[k, groups, partners]`.
    pairs: Vec<Heads>,
    /// The attention, the null slot's last: `[k, groups, partners + 1]`.
    pub(super) weights: Vec<Heads>,
    /// How far each gate is open: `[k]`.
    open: Vec<f32>,
    /// How the loss changes with each token's value: `[k, groups]`.
    along: Vec<Heads>,
    /// The slopes along the strengths: `[k, groups]`.
    pub(super) along_strengths: Vec<Heads>,
    /// The slopes along what is passed on of each partner: `[k, groups, partners]`.
    pub(super) toward: Vec<Heads>,
}

/// What all tokens compose together.
#[derive(Clone, Debug, Default)]
pub(super) struct Composed {
    /// How much of each token's value is composed: `[k, groups]`.
    pub(super) passed: Vec<Heads>,
    /// The slopes along what the gates hear of each token's value: `[k, groups]`, or nothing.
    pub(super) heard: Vec<Heads>,
    /// The slopes along what opens the gates: `[k]`, or nothing.
    pub(super) opening: Vec<f32>,
    /// `z`: `[size]`.
    pub(super) sum: Vec<Heads>,
    /// The slopes along it: `[size]`.
    pub(super) slopes: Vec<Heads>,
}

/// The pairs that were chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulls {
    /// The partners' places among the tokens: `[n_heads, k, partners]`.
    pub(super) partners: Vec<u32>,
    /// The slopes along the products of queries and keys: `[n_heads, k, partners]`.
    pub(super) pulls: Vec<f32>,
}

impl Composed {
    /// Makes room for `k` tokens.
    pub(super) fn begin(&mut self, shape: Shape, k: usize, gated: bool) {
        let gates = if gated { k } else { 0 };
        self.heard.clear();
        self.heard.resize(gates * shape.groups(), [0.0; HEADS]);
        self.opening.resize(gates, 0.0);
        self.passed.clear();
        self.passed.resize(k * shape.groups(), [0.0; HEADS]);
        self.sum.resize(shape.size(), [0.0; HEADS]);
        self.slopes.resize(shape.size(), [0.0; HEADS]);
    }
}

impl Round {
    /// Lets tokens choose their partners, by a table of the scores of all features or, where there
    /// is none, by those that `projections` give to the tokens.
    pub(super) fn attend(
        &mut self,
        lanes: Lanes,
        tokens: Tokens,
        projections: &Projections,
        table: &[Heads],
    ) {
        self.begin(lanes, tokens, projections, !table.is_empty());
        lanes.0.dispatch(Attend {
            tokens,
            scores: if table.is_empty() { &self.scores } else { table },
            of_all: !table.is_empty(),
            columns: &self.columns,
            places: &mut self.places,
            pairs: &mut self.pairs,
            weights: &mut self.weights,
        });
    }

    fn begin(&mut self, lanes: Lanes, tokens: Tokens, projections: &Projections, has_table: bool) {
        let Tokens { shape, features, .. } = tokens;
        let (k, groups, partners) = (features.len(), shape.groups(), shape.partners);
        self.places.resize(k * groups * partners, [0; HEADS]);
        self.pairs.resize(k * groups * partners, [0.0; HEADS]);
        self.weights.resize(k * groups * (partners + 1), [0.0; HEADS]);
        self.open.resize(k, 0.0);
        self.along.resize(k * groups, [0.0; HEADS]);
        self.along_strengths.clear();
        self.along_strengths.resize(k * groups, [0.0; HEADS]);
        self.toward.clear();
        self.toward.resize(k * groups * partners, [0.0; HEADS]);
        self.columns.clear();
        if has_table {
            self.columns.extend(features.iter().map(|feature| feature * groups as u32));
            return;
        }
        self.columns.extend((0..k).map(|place| (place * groups) as u32));
        self.scores.resize(k * k * groups, [0.0; HEADS]);
        let rows = self.scores.chunks_exact_mut((k * groups).max(1));
        for (own, out) in features.iter().zip(rows) {
            projections.score_pairs(lanes, shape, (*own, features), out);
        }
    }

    /// Adds up what the chosen partners give.
    pub(super) fn compose(&mut self, lanes: Lanes, tokens: Tokens, composed: &mut Composed) {
        lanes.0.dispatch(Forward {
            tokens,
            places: &self.places,
            weights: &self.weights,
            open: &mut self.open,
            passed: &mut composed.passed,
            composed: &mut composed.sum,
        });
    }

    /// Back from the slopes along what was composed to those along what is passed on.
    pub(super) fn back(&mut self, lanes: Lanes, tokens: Tokens, composed: &mut Composed) {
        lanes.0.dispatch(Back {
            tokens,
            places: &self.places,
            weights: &self.weights,
            open: &self.open,
            slopes: &composed.slopes,
            along: &mut self.along,
            along_strengths: &mut self.along_strengths,
            toward: &mut self.toward,
            heard: &mut composed.heard,
            opening: &mut composed.opening,
        });
    }

    /// Back from the slopes along what is passed on to those along scores, strengths and the null
    /// slot.
    pub(super) fn back_to_scores(
        &mut self,
        lanes: Lanes,
        tokens: Tokens,
        kept: &mut Pulls,
        null: &mut [Heads],
    ) {
        let length = tokens.shape.n_heads * tokens.features.len() * tokens.shape.partners;
        kept.partners.resize(length, 0);
        kept.pulls.resize(length, 0.0);
        lanes.0.dispatch(BackToScores {
            tokens,
            places: &self.places,
            pairs: &self.pairs,
            weights: &self.weights,
            toward: &self.toward,
            along_strengths: &mut self.along_strengths,
            partners: &mut kept.partners,
            pulls: &mut kept.pulls,
            null,
        });
    }
}
