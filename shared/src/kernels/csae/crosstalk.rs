//! What the products of directions add to the decoder's gradient, where there is a table of them.
//!
//! A step of refitting gives the product of features `i` and `j` the slope `-pace u_i v_j`. Summed
//! over steps and rows, and with `i` and `j` exchanged, these are the weights with which all
//! directions add up to a direction's gradient.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::block::{Context, Firing, ROWS};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::product;

/// Makes room for the weights in `table`, all 0: a part of it for each so many features, or nothing
/// for them where there is no table of products.
pub(super) fn parts<'a>(
    context: &Context,
    features: usize,
    table: &'a mut Vec<f32>,
) -> Vec<Option<&'a mut [f32]>> {
    let n_features = context.model.parameters.n_features();
    table.clear();
    table.resize(context.gram.len(), 0.0);
    let mut parts = table.chunks_mut(features * n_features);
    (0..n_features.div_ceil(features)).map(|_| parts.next()).collect()
}

/// Adds a firing to the weights of its feature, `[n_features]`. `own` keeps its memory between calls.
pub(super) fn add(lanes: Lanes, weights: &mut [f32], firing: &Firing, own: &mut Vec<f32>) {
    own.resize(firing.width(), 0.0);
    lanes.0.dispatch(OwnWeights { slot: firing.slot, steps: firing.steps(), out: own });
    for (other, weight) in firing.active().iter().zip(&*own) {
        weights[*other as usize] += weight;
    }
}

/// What one firing adds to the weights of all features that are active beside it, by their slots:
/// `-sum_t u_i v_j + v_i u_j`, the pace within `u`.
struct OwnWeights<'a, T> {
    slot: usize,
    /// `v` and `u` of each step, `[width]` both.
    steps: T,
    out: &'a mut [f32],
}

impl<'a, T: Iterator<Item = (&'a [f32], &'a [f32])> + Clone> WithSimd for OwnWeights<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { slot, steps, out } = self;
        let (out, _) = S::as_mut_simd_f32s(out);
        for (register, out) in out.iter_mut().enumerate() {
            let mut sum = simd.splat_f32s(0.0);
            for (values, pulls) in steps.clone() {
                let (pull, value) = (simd.splat_f32s(-pulls[slot]), simd.splat_f32s(-values[slot]));
                let ((values, _), (pulls, _)) = (S::as_simd_f32s(values), S::as_simd_f32s(pulls));
                sum = simd.mul_add_e_f32s(pull, values[register], sum);
                sum = simd.mul_add_e_f32s(value, pulls[register], sum);
            }
            *out = sum;
        }
    }
}

/// Adds what all weights together, `[n_features, n_features]`, give to the directions' gradient.
pub(super) fn finish(context: &Context, weights: &[f32], gradient: &mut [f32]) {
    let Context { lanes, directions, .. } = *context;
    let parameters = context.model.parameters;
    let (n_features, d_model) = (parameters.n_features(), parameters.d_model());
    let blocks = weights.par_chunks(ROWS * n_features);
    blocks.zip(gradient.par_chunks_mut(ROWS * d_model)).for_each(|(weights, gradient)| {
        let mut change = vec![0.0; gradient.len()];
        product(lanes, &mut change, weights, directions, &[], &mut vec![]);
        gradient.iter_mut().zip(change).for_each(|(sum, change)| *sum += change);
    });
}
