//! What the products of directions add to the decoder's gradient, where there is a table of them.
//!
//! A step of refitting gives the product of features `i` and `j` the slope `-pace u_i v_j`. Summed
//! over steps and rows, and with `i` and `j` exchanged, these are the weights with which all
//! directions add up to a direction's gradient. They are symmetric, so each is summed up once.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::block::{Block, Context, ROWS, Refitted};
use crate::kernels::product::product_of_symmetric;

/// For how many features one task sums up weights: they stay in the nearest memory.
const FEATURES: usize = 32;

/// Adds what refitting the rows of `blocks` gives to the directions' gradient. `weights` keeps its
/// memory between calls.
pub(super) fn add(
    context: &Context,
    blocks: &[Block],
    weights: &mut Vec<f32>,
    gradient: &mut [f32],
) {
    if context.gram.is_empty() {
        return;
    }
    let Context { lanes, directions, .. } = *context;
    let parameters = context.model.parameters;
    let (n_features, d_model) = (parameters.n_features(), parameters.d_model());
    weights.resize(n_features * n_features, 0.0);
    let parts = weights.par_chunks_mut(FEATURES * n_features).enumerate();
    parts.for_each(|(part, weights)| {
        weights.fill(0.0);
        let features = part * FEATURES..(part + 1) * FEATURES;
        let rows = blocks.iter().flat_map(Block::refitted);
        lanes.0.dispatch(Weights { features, n_features, weights, rows });
    });
    let parts = gradient.par_chunks_mut(ROWS * d_model).enumerate();
    parts.for_each(|(part, gradient)| {
        let rows = part * ROWS..part * ROWS + gradient.len() / d_model;
        let mut change = vec![0.0; gradient.len()];
        product_of_symmetric(lanes, &mut change, (weights, rows), directions, &mut vec![]);
        gradient.iter_mut().zip(change).for_each(|(sum, change)| *sum += change);
    });
}

/// Adds up the weights of some features, row by row: `-sum_t u_i v_j + v_i u_j`, the pace within `u`.
struct Weights<'a, R> {
    features: Range<usize>,
    n_features: usize,
    /// `[features, n_features]`, of which what stands left of the diagonal is of no use.
    weights: &'a mut [f32],
    rows: R,
}

impl<'a, R: Iterator<Item = Refitted<'a>>> WithSimd for Weights<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { features, n_features, weights, rows } = self;
        for row in rows {
            let steps = row.steps();
            for slot in slots(row.active, &features) {
                let place = row.active[slot] as usize - features.start;
                let weights = &mut weights[place * n_features..][..n_features];
                let registers = row.active.chunks(S::F32_LANES).enumerate();
                for (register, active) in registers.skip(slot / S::F32_LANES) {
                    let sum = [of_register(simd, steps.clone(), slot, register)];
                    scatter(weights, active, pulp::bytemuck::cast_slice(&sum));
                }
            }
        }
    }
}

/// Where some features stand among the `active` ones, which ascend.
#[inline(always)]
fn slots(active: &[u32], features: &Range<usize>) -> Range<usize> {
    // Counted without a jump, many at once.
    let before = |end: usize| active.iter().map(|one| u32::from(*one < end as u32)).sum::<u32>();
    before(features.start) as usize..before(features.end) as usize
}

/// The weights that a row gives to the pairs of one active feature and a register of others.
#[inline(always)]
fn of_register<'a, S: Simd>(
    simd: S,
    steps: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    slot: usize,
    register: usize,
) -> S::f32s {
    let mut sum = simd.splat_f32s(0.0);
    for (values, pulls) in steps {
        let (pull, value) = (simd.splat_f32s(-pulls[slot]), simd.splat_f32s(-values[slot]));
        let (values, pulls) = (S::as_simd_f32s(values).0, S::as_simd_f32s(pulls).0);
        sum = simd.mul_add_e_f32s(pull, values[register], sum);
        sum = simd.mul_add_e_f32s(value, pulls[register], sum);
    }
    sum
}

/// Adds each number to the weight of its feature.
#[inline(always)]
fn scatter(weights: &mut [f32], features: &[u32], numbers: &[f32]) {
    // Four at a time: the loop over them is unrolled.
    let (fours, rest) = features.as_chunks::<4>();
    let (numbers, last) = numbers.split_at(4 * fours.len());
    for (features, numbers) in fours.iter().zip(numbers.as_chunks::<4>().0) {
        for (feature, number) in features.iter().zip(numbers) {
            weights[*feature as usize] += number;
        }
    }
    for (feature, number) in rest.iter().zip(last) {
        weights[*feature as usize] += number;
    }
}
