//! What the products of directions add to the decoder's gradient, where there is a table of them.
//!
//! A step of refitting gives the product of features `i` and `j` the slope `-pace u_i v_j`. Summed
//! over steps and rows, and with `i` and `j` exchanged, these are the weights with which all
//! directions add up to a direction's gradient.

use rayon::prelude::*;

use super::block::{Context, Firing, ROWS};
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

/// Adds a firing to the weights of its feature, `[n_features]`.
pub(super) fn add(weights: &mut [f32], firing: &Firing) {
    for (other, weight) in firing.active().iter().zip(firing.crosstalk()) {
        weights[*other as usize] += weight;
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
