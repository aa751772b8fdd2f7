//! From the strengths of a row's tokens to what they compose.

use pulp::{Simd, WithSimd};

use super::choice::{Chosen, Pairs};
use super::gate::Gate;
use super::round::Tokens;
use super::{HEADS, Heads, each};
use crate::kernels::exp::exp;

/// What choosing partners reads and writes. Shapes as in [`super::round`].
pub(super) struct Attend<'a> {
    pub(super) tokens: Tokens<'a>,
    /// The scores of pairs at strength 1.
    pub(super) scores: &'a [Heads],
    /// Whether these are of all features, and not only of the firing ones.
    pub(super) of_all: bool,
    pub(super) columns: &'a [u32],
    pub(super) places: &'a mut [[u32; HEADS]],
    pub(super) pairs: &'a mut [Heads],
    pub(super) weights: &'a mut [Heads],
}

/// What adding up reads and writes.
pub(super) struct Forward<'a> {
    pub(super) tokens: Tokens<'a>,
    pub(super) places: &'a [[u32; HEADS]],
    pub(super) weights: &'a [Heads],
    pub(super) open: &'a mut [f32],
    pub(super) passed: &'a mut [Heads],
    pub(super) composed: &'a mut [Heads],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        for own in 0..self.tokens.features.len() {
            for group in 0..self.tokens.shape.groups() {
                self.attend(own, group);
            }
        }
    }
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        for own in 0..self.tokens.features.len() {
            self.open[own] = match &self.tokens.gate {
                None => 1.0,
                Some(gate) => self.open(gate, own),
            };
            for group in 0..self.tokens.shape.groups() {
                self.pass_on(own, group);
            }
        }
        self.add_up();
    }
}

impl Attend<'_> {
    /// Lets a token choose its partners in a group of heads.
    #[inline(always)]
    fn attend(&mut self, own: usize, group: usize) {
        let Tokens { shape, features, strengths, null, .. } = self.tokens;
        let (groups, partners) = (shape.groups(), shape.partners);
        let first = match self.of_all {
            true => features[own] as usize * shape.n_features * groups,
            false => own * features.len() * groups,
        };
        let pairs =
            Pairs { scores: self.scores, first: first + group, columns: self.columns, strengths };
        let place = own * groups + group;
        let chosen = Chosen {
            places: &mut self.places[place * partners..][..partners],
            pairs: &mut self.pairs[place * partners..][..partners],
            weights: &mut self.weights[place * (partners + 1)..][..partners + 1],
        };
        pairs.choose(own as u32, &null[group], chosen);
    }
}

impl Forward<'_> {
    /// How far the gate of a token is open.
    #[inline(always)]
    fn open(&self, gate: &Gate, own: usize) -> f32 {
        let Tokens { shape, features, strengths, .. } = self.tokens;
        let (groups, partners) = (shape.groups(), shape.partners);
        let mut composed = [0.0; HEADS];
        for group in 0..groups {
            let place = own * groups + group;
            for rank in 0..partners {
                let partners_here = self.places[place * partners + rank];
                let weight = self.weights[place * (partners + 1) + rank];
                composed = each(|head| {
                    let partner = partners_here[head] as usize;
                    let heard = gate.composed[features[partner] as usize * groups + group];
                    composed[head] + weight[head] * strengths[partner] * heard[head]
                });
            }
        }
        let feature = features[own] as usize;
        let token = strengths[own] * gate.token[feature];
        let opening = token + composed.iter().sum::<f32>() + gate.bias[feature];
        1.0 / (1.0 + exp(-opening))
    }

    /// Counts how much of each partner's value a token composes.
    #[inline(always)]
    fn pass_on(&mut self, own: usize, group: usize) {
        let Tokens { shape, strengths, .. } = self.tokens;
        let (groups, partners) = (shape.groups(), shape.partners);
        let place = own * groups + group;
        for rank in 0..partners {
            let partners_here = self.places[place * partners + rank];
            let weight = self.weights[place * (partners + 1) + rank];
            let open = self.open[own];
            let share = each(|head| open * weight[head] * strengths[partners_here[head] as usize]);
            for head in 0..HEADS {
                self.passed[partners_here[head] as usize * groups + group][head] += share[head];
            }
        }
    }

    /// Adds up the values.
    #[inline(always)]
    fn add_up(&mut self) {
        let Tokens { shape, features, values, .. } = self.tokens;
        let (d_head, size) = (shape.d_head(), shape.size());
        self.composed.fill([0.0; HEADS]);
        let passed = self.passed.chunks_exact(shape.groups());
        for (feature, passed) in features.iter().zip(passed) {
            let values = &values[*feature as usize * size..][..size];
            let sums = self.composed.chunks_exact_mut(d_head).zip(values.chunks_exact(d_head));
            for ((sums, values), passed) in sums.zip(passed) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = each(|head| sum[head] + passed[head] * value[head]);
                }
            }
        }
    }
}
