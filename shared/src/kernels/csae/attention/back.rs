//! From the slopes along what a row composes to those along the strengths of its tokens.

use pulp::{Simd, WithSimd};

use super::projections::products;
use super::round::Tokens;
use super::{HEADS, Heads, each};

/// What the way back to what is passed on reads and writes. Shapes as in [`super::round`].
pub(super) struct Back<'a> {
    pub(super) tokens: Tokens<'a>,
    pub(super) places: &'a [[u32; HEADS]],
    pub(super) weights: &'a [Heads],
    pub(super) open: &'a [f32],
    pub(super) slopes: &'a [Heads],
    pub(super) along: &'a mut [Heads],
    pub(super) along_strengths: &'a mut [Heads],
    pub(super) toward: &'a mut [Heads],
    pub(super) heard: &'a mut [Heads],
    pub(super) opening: &'a mut [f32],
}

/// What the way from there to the scores reads and writes.
pub(super) struct BackToScores<'a> {
    pub(super) tokens: Tokens<'a>,
    pub(super) places: &'a [[u32; HEADS]],
    pub(super) pairs: &'a [Heads],
    pub(super) weights: &'a [Heads],
    pub(super) toward: &'a [Heads],
    pub(super) along_strengths: &'a mut [Heads],
    pub(super) partners: &'a mut [u32],
    pub(super) pulls: &'a mut [f32],
    pub(super) null: &'a mut [Heads],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let Tokens { shape, features, gate, .. } = self.tokens;
        self.look_along();
        for (own, feature) in features.iter().enumerate() {
            let opening = match &gate {
                None => 0.0,
                Some(gate) => {
                    let opening = self.close(own);
                    let token = gate.token[*feature as usize];
                    self.opening[own] = opening;
                    self.along_strengths[own * shape.groups()][0] += opening * token;
                    opening
                }
            };
            for group in 0..shape.groups() {
                self.back_to_weights((own, group), opening);
            }
        }
    }
}

impl WithSimd for BackToScores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        for own in 0..self.tokens.features.len() {
            for group in 0..self.tokens.shape.groups() {
                let mean = self.mean(own * self.tokens.shape.groups() + group);
                self.back_to_scores((own, group), &mean);
            }
        }
    }
}

impl Back<'_> {
    /// How the loss changes with more of each token's value.
    #[inline(always)]
    fn look_along(&mut self) {
        let Tokens { shape, features, values, .. } = self.tokens;
        let (d_head, size) = (shape.d_head(), shape.size());
        let along = self.along.chunks_exact_mut(shape.groups());
        for (feature, along) in features.iter().zip(along) {
            let values = values[*feature as usize * size..].chunks_exact(d_head);
            let groups = values.zip(self.slopes.chunks_exact(d_head));
            for (along, (values, slopes)) in along.iter_mut().zip(groups) {
                *along = products(values, slopes);
            }
        }
    }

    /// The slope along what opens the gate of a token.
    #[inline(always)]
    fn close(&self, own: usize) -> f32 {
        let Tokens { shape, strengths, .. } = self.tokens;
        let (groups, partners) = (shape.groups(), shape.partners);
        let mut slopes = [0.0; HEADS];
        for group in 0..groups {
            let place = own * groups + group;
            for rank in 0..partners {
                let partners_here = self.places[place * partners + rank];
                let weight = self.weights[place * (partners + 1) + rank];
                slopes = each(|head| {
                    let partner = partners_here[head] as usize;
                    let along = self.along[partner * groups + group][head];
                    slopes[head] + weight[head] * strengths[partner] * along
                });
            }
        }
        let open = self.open[own];
        slopes.iter().sum::<f32>() * open * (1.0 - open)
    }

    /// Back to how much is passed on of each partner's value.
    #[inline(always)]
    fn back_to_weights(&mut self, (own, group): (usize, usize), opening: f32) {
        let Tokens { shape, features, strengths, gate, .. } = self.tokens;
        let (groups, partners) = (shape.groups(), shape.partners);
        let place = own * groups + group;
        let open = self.open[own];
        for rank in 0..partners {
            let partners_here = self.places[place * partners + rank];
            let mut slope =
                each(|head| open * self.along[partners_here[head] as usize * groups + group][head]);
            if let Some(gate) = &gate {
                let weight = self.weights[place * (partners + 1) + rank];
                for head in 0..HEADS {
                    let partner = partners_here[head] as usize;
                    let feature = features[partner] as usize;
                    slope[head] += opening * gate.composed[feature * groups + group][head];
                    self.heard[partner * groups + group][head] +=
                        opening * weight[head] * strengths[partner];
                }
            }
            self.toward[place * partners + rank] = slope;
        }
    }
}

impl BackToScores<'_> {
    /// The mean of the slopes along the attention of a token in a group of heads.
    #[inline(always)]
    fn mean(&self, place: usize) -> Heads {
        let Tokens { shape, strengths, .. } = self.tokens;
        let mut mean = [0.0; HEADS];
        for rank in 0..shape.partners {
            let partners_here = self.places[place * shape.partners + rank];
            let weight = self.weights[place * (shape.partners + 1) + rank];
            let toward = self.toward[place * shape.partners + rank];
            let strength = each(|head| strengths[partners_here[head] as usize]);
            mean = each(|head| mean[head] + toward[head] * strength[head] * weight[head]);
        }
        mean
    }

    /// Back through the softmax and the scores.
    #[inline(always)]
    fn back_to_scores(&mut self, (own, group): (usize, usize), mean: &Heads) {
        let Tokens { shape, features, strengths, .. } = self.tokens;
        let (k, groups, partners) = (features.len(), shape.groups(), shape.partners);
        let place = own * groups + group;
        let scale = 1.0 / (shape.d_head() as f32).sqrt();
        let mine = strengths[own];
        for rank in 0..partners {
            let partners_here = self.places[place * partners + rank];
            let weight = self.weights[place * (partners + 1) + rank];
            let toward = self.toward[place * partners + rank];
            let score = self.pairs[place * partners + rank];
            let strength = each(|head| strengths[partners_here[head] as usize]);
            let slope = each(|head| weight[head] * (toward[head] * strength[head] - mean[head]));
            let sum = self.along_strengths[place];
            self.along_strengths[place] =
                each(|head| sum[head] + slope[head] * score[head] * strength[head]);
            let of_partner =
                each(|head| toward[head] * weight[head] + slope[head] * score[head] * mine);
            let pull = each(|head| slope[head] * mine * strength[head] * scale);
            for head in 0..HEADS.min(shape.n_heads - group * HEADS) {
                let partner = partners_here[head] as usize;
                self.along_strengths[partner * groups + group][head] += of_partner[head];
                let kept = ((group * HEADS + head) * k + own) * partners + rank;
                self.partners[kept] = partner as u32;
                self.pulls[kept] = pull[head];
            }
        }
        let rest = self.weights[place * (partners + 1) + partners];
        let sum = self.null[group];
        self.null[group] = each(|head| sum[head] - rest[head] * mean[head]);
    }
}
