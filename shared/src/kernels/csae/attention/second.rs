//! The second round of a row: its tokens are mixed of what the first round chose.
//!
//! Its tokens have strength 1, so that it is a first round whose tables are those of this row
//! alone.

use pulp::{Simd, WithSimd};

use super::gate::GateTables;
use super::makings::Makings;
use super::projections::Projections;
use super::round::{Composed, Pulls, Round, Tokens};
use super::tables::Tables;
use super::{HEADS, Heads, Shape, add};
use crate::kernels::lanes::Lanes;

/// Of what the tokens of a row are mixed, and the slopes along them. For each of `k` tokens:
/// itself, then its partners in every head, which makes `terms` of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Mixture {
    /// Rows of [`Makings::table`]: `[k, terms]`.
    pub(super) places: Vec<u32>,
    /// How much of each: `[k, terms]`.
    pub(super) shares: Vec<f32>,
    /// The slopes along queries, keys and values of the tokens: `[k, 3 * d_compose]`.
    pub(super) slopes: Vec<f32>,
    /// The slopes along the weights with which gates hear values: `[d_compose]`.
    pub(super) heard: Vec<f32>,
}

/// What is known of the round from its way forward until its way back.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    tokens: Projections,
    gate: GateTables,
    round: Round,
    pulls: Pulls,
    /// The tokens by their places: `[k]`.
    places: Vec<u32>,
    /// How strong each is: 1.
    ones: Vec<f32>,
    /// The slopes along the shares of a token: `[terms]`.
    along: Vec<f32>,
}

impl Shape {
    /// Of how many vectors a token of the second round is the sum.
    pub(super) fn terms(&self) -> usize {
        1 + self.n_heads * self.partners
    }
}

impl Mixture {
    /// Notes down of what the tokens are made after the `first` round.
    pub(super) fn mix(&mut self, tokens: Tokens, first: &Round) {
        let Tokens { shape, features, strengths, .. } = tokens;
        let (groups, partners) = (shape.groups(), shape.partners);
        self.places.clear();
        self.shares.clear();
        for (own, (feature, strength)) in features.iter().zip(strengths).enumerate() {
            self.places.push(*feature);
            self.shares.push(*strength);
            for head in 0..shape.n_heads {
                let place = own * groups + head / HEADS;
                let chosen = &first.places[place * partners..][..partners];
                let weights = &first.weights[place * (partners + 1)..][..partners];
                for (chosen, weight) in chosen.iter().zip(weights) {
                    let partner = chosen[head % HEADS] as usize;
                    self.places.push(((1 + head) * shape.n_features) as u32 + features[partner]);
                    self.shares.push(weight[head % HEADS] * strengths[partner]);
                }
            }
        }
    }
}

impl Second {
    /// Finds what the mixed tokens compose.
    pub(super) fn compose(
        &mut self,
        lanes: Lanes,
        (tables, makings): (&Tables, &Makings),
        firing: Tokens,
        mixture: &Mixture,
        composed: &mut Composed,
    ) {
        let (shape, k) = (tables.shape, firing.features.len());
        let length = 3 * shape.d_compose;
        self.tokens.projected.resize(k * length, 0.0);
        let shares = mixture.shares.chunks_exact(shape.terms());
        let places = mixture.places.chunks_exact(shape.terms());
        let tokens = self.tokens.projected.chunks_exact_mut(length);
        for (token, (shares, places)) in tokens.zip(shares.zip(places)) {
            lanes.sum_of_rows(token, shares, places, &makings.table);
        }
        self.tokens.lay_side_by_side_here(shape);
        if let Some(of_all) = &tables.gate {
            let Tokens { features, strengths, .. } = firing;
            let values = &self.tokens.values;
            self.gate.fill_of_row(lanes, shape.d_head(), of_all, (features, strengths), values);
        }
        self.places.clear();
        self.places.extend(0..k as u32);
        self.ones.resize(k, 1.0);
        let Self { tokens, round, .. } = self;
        let these = tables.tokens_of_row(&self.places, &self.ones, &self.gate, tokens);
        round.attend(lanes, these, tokens, &[]);
        round.compose(lanes, these, composed);
    }

    /// Back to the slopes along the tokens' queries, keys and values.
    pub(super) fn back(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        mixture: &mut Mixture,
        composed: &mut Composed,
        null: &mut [Heads],
    ) {
        let shape = tables.shape;
        let Self { tokens, round, pulls, .. } = self;
        let these = tables.tokens_of_row(&self.places, &self.ones, &self.gate, tokens);
        round.back(lanes, these, composed);
        round.back_to_scores(lanes, these, pulls, null);
        mixture.slopes.clear();
        mixture.slopes.resize(tokens.projected.len(), 0.0);
        mixture.heard.clear();
        mixture.heard.resize(if tables.gate.is_some() { shape.d_compose } else { 0 }, 0.0);
        lanes.0.dispatch(BackToTokens {
            shape,
            projected: &tokens.projected,
            pulls,
            composed,
            weights: tables.gate.as_ref().map_or(&[], |gate| &gate.weights),
            slopes: &mut mixture.slopes,
            heard: &mut mixture.heard,
        });
    }

    /// Back to the slopes along strengths, and along what the first round passes on.
    pub(super) fn back_to_first(
        &mut self,
        lanes: Lanes,
        (tables, makings): (&Tables, &Makings),
        (mixture, opening): (&Mixture, &[f32]),
        firing: Tokens,
        first: &mut Round,
    ) {
        let shape = tables.shape;
        let (groups, partners) = (shape.groups(), shape.partners);
        self.along.resize(shape.terms(), 0.0);
        let slopes = mixture.slopes.chunks_exact(3 * shape.d_compose);
        let places = mixture.places.chunks_exact(shape.terms());
        for (own, (slopes, places)) in slopes.zip(places).enumerate() {
            lanes.dots_with_rows(&mut self.along, slopes, places, &makings.table);
            let strength = &mut first.along_strengths[own * groups][0];
            *strength += self.along[0];
            if let Some(gate) = &tables.gate {
                *strength += opening[own] * gate.token[firing.features[own] as usize];
            }
            for (head, along) in self.along[1..].chunks_exact(partners).enumerate() {
                let place = own * groups + head / HEADS;
                let toward = &mut first.toward[place * partners..][..partners];
                for (toward, along) in toward.iter_mut().zip(along) {
                    toward[head % HEADS] = *along;
                }
            }
        }
    }
}

impl Tables {
    /// A row's tokens of the second round.
    fn tokens_of_row<'a>(
        &'a self,
        places: &'a [u32],
        ones: &'a [f32],
        gate: &'a GateTables,
        projections: &'a Projections,
    ) -> Tokens<'a> {
        Tokens {
            shape: self.shape,
            features: places,
            strengths: ones,
            values: &projections.values,
            gate: self.gate.is_some().then(|| gate.gate()),
            null: &self.null,
        }
    }
}

/// From the slopes along pairs and along what was composed to those along tokens.
struct BackToTokens<'a> {
    shape: Shape,
    /// `[k, 3 * d_compose]`.
    projected: &'a [f32],
    pulls: &'a Pulls,
    composed: &'a Composed,
    /// With which gates hear values: `[d_compose]`, or nothing.
    weights: &'a [f32],
    /// `[k, 3 * d_compose]`.
    slopes: &'a mut [f32],
    /// `[d_compose]`, or nothing.
    heard: &'a mut [f32],
}

impl WithSimd for BackToTokens<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut along = vec![0.0; self.shape.d_head()];
        for head in 0..self.shape.n_heads {
            self.back_to_pairs(simd, head);
            self.back_to_values(simd, head, &mut along);
        }
    }
}

impl BackToTokens<'_> {
    /// The slopes along queries and keys.
    #[inline(always)]
    fn back_to_pairs<S: Simd>(&mut self, simd: S, head: usize) {
        let Shape { d_compose, partners, .. } = self.shape;
        let (length, d_head) = (3 * d_compose, self.shape.d_head());
        let k = self.projected.len() / length;
        let here = head * k * partners..(head + 1) * k * partners;
        let others = self.pulls.partners[here.clone()].chunks_exact(partners);
        let pulls = self.pulls.pulls[here].chunks_exact(partners);
        for (own, (others, pulls)) in others.zip(pulls).enumerate() {
            let query = own * length + head * d_head;
            for (other, pull) in others.iter().zip(pulls) {
                let key = *other as usize * length + d_compose + head * d_head;
                let keys = &self.projected[key..][..d_head];
                add(simd, &mut self.slopes[query..][..d_head], *pull, keys);
                let queries = &self.projected[query..][..d_head];
                add(simd, &mut self.slopes[key..][..d_head], *pull, queries);
            }
        }
    }

    /// The slopes along values, of which some are heard by gates; `along` is room for those of the
    /// head along what was composed.
    #[inline(always)]
    fn back_to_values<S: Simd>(&mut self, simd: S, head: usize, along: &mut [f32]) {
        let (groups, d_head) = (self.shape.groups(), self.shape.d_head());
        let length = 3 * self.shape.d_compose;
        let (group, lane) = (head / HEADS, head % HEADS);
        for (along, slopes) in along.iter_mut().zip(&self.composed.slopes[group * d_head..]) {
            *along = slopes[lane];
        }
        let here = 2 * self.shape.d_compose + head * d_head;
        for (own, slopes) in self.slopes.chunks_exact_mut(length).enumerate() {
            let slopes = &mut slopes[here..][..d_head];
            add(simd, slopes, self.composed.passed[own * groups + group][lane], along);
            let Some(heard) = self.composed.heard.get(own * groups + group) else { continue };
            add(simd, slopes, heard[lane], &self.weights[head * d_head..][..d_head]);
            let value = &self.projected[own * length + here..][..d_head];
            add(simd, &mut self.heard[head * d_head..][..d_head], heard[lane], value);
        }
    }
}
