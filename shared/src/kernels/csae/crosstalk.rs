//! What the products of directions add to the decoder's gradient, where there is a table of them.
//!
//! A step of refitting gives the product of features `i` and `j` the slope `-pace u_i v_j`. Summed
//! over steps and rows, and with `i` and `j` exchanged, these are the weights with which all
//! directions add up to a direction's gradient. They are symmetric, so each is summed up once.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::block::{Context, Firing, ROWS};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::product_of_symmetric;

/// Makes room for the weights in `table`: a part of it for each so many features, or nothing for them
/// where there is no table of products.
pub(super) fn parts<'a>(
    context: &Context,
    features: usize,
    table: &'a mut Vec<f32>,
) -> Vec<Option<&'a mut [f32]>> {
    let n_features = context.model.parameters.n_features();
    table.resize(context.gram.len(), 0.0);
    let mut parts = table.chunks_mut(features * n_features);
    (0..n_features.div_ceil(features)).map(|_| parts.next()).collect()
}

/// Sums up the weights of a feature, `[n_features]` from itself on, over all of its firings.
pub(super) fn sum<'a>(
    lanes: Lanes,
    weights: &mut [f32],
    firings: impl Iterator<Item = Firing<'a>>,
) {
    weights.fill(0.0);
    lanes.0.dispatch(Weights { weights, firings });
}

/// Adds for each firing, to the weights of the features that are active with its own and not before
/// it, `-sum_t u_i v_j + v_i u_j`, the pace within `u`.
struct Weights<'a, F> {
    weights: &'a mut [f32],
    firings: F,
}

impl<'a, F: Iterator<Item = Firing<'a>>> WithSimd for Weights<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weights, firings } = self;
        for firing in firings {
            let slot = firing.slot;
            let registers = firing.active().chunks(S::F32_LANES).enumerate();
            for (register, active) in registers.skip(slot / S::F32_LANES) {
                let mut sum = [simd.splat_f32s(0.0)];
                for (values, pulls) in firing.steps() {
                    let pull = simd.splat_f32s(-pulls[slot]);
                    let value = simd.splat_f32s(-values[slot]);
                    let ((values, _), (pulls, _)) =
                        (S::as_simd_f32s(values), S::as_simd_f32s(pulls));
                    sum[0] = simd.mul_add_e_f32s(pull, values[register], sum[0]);
                    sum[0] = simd.mul_add_e_f32s(value, pulls[register], sum[0]);
                }
                let sums: &[f32] = pulp::bytemuck::cast_slice(&sum);
                let before = slot.saturating_sub(register * S::F32_LANES);
                for (other, sum) in active.iter().zip(sums).skip(before) {
                    weights[*other as usize] += sum;
                }
            }
        }
    }
}

/// Adds what all weights together, `[n_features, n_features]`, give to the directions' gradient.
pub(super) fn finish(context: &Context, weights: &[f32], gradient: &mut [f32]) {
    if weights.is_empty() {
        return;
    }
    let Context { lanes, directions, .. } = *context;
    let d_model = context.model.parameters.d_model();
    let blocks = gradient.par_chunks_mut(ROWS * d_model).enumerate();
    blocks.for_each(|(block, gradient)| {
        let rows = block * ROWS..block * ROWS + gradient.len() / d_model;
        let mut change = vec![0.0; gradient.len()];
        product_of_symmetric(lanes, &mut change, (weights, rows), directions, &mut vec![]);
        gradient.iter_mut().zip(change).for_each(|(sum, change)| *sum += change);
    });
}
