//! Completes a dictionary: puts directions that it lacks in the place of features that others could
//! replace.

use burn::prelude::*;
use shared::weights::{param, to_vec};
use shared::{Csae, Limits};

use super::composition::exact_code;
use crate::analysis::missing::{Replacement, replacements};
use crate::plan::CompositionTraining;

/// Gives `model` the directions that `rows` show to be missing; says how many.
pub fn complete(
    model: Csae,
    rows: Tensor<2>,
    limits: Limits,
    training: &CompositionTraining,
) -> (Csae, usize) {
    let code = exact_code(&model, rows, limits, training);
    let directions = to_vec(model.decoder.val().without_autodiff());
    let [_, d_model] = model.decoder.val().dims();
    let replacements = replacements(&code, &directions, d_model);
    let count = replacements.len();
    match count {
        0 => (model, 0),
        _ => (with(model, &replacements), count),
    }
}

/// The encoder listens to a new direction as it does to the others, on average.
fn with(mut model: Csae, replacements: &[Replacement]) -> Csae {
    let [n_features, d_model] = model.decoder.val().dims();
    let device = model.decoder.val().device();
    let mut decoder = to_vec(model.decoder.val().without_autodiff());
    let mut encoder = to_vec(model.encoder.val().without_autodiff());
    let mut bias = to_vec(model.encoder_bias.val().without_autodiff());
    let along: f32 = (0..n_features)
        .map(|feature| {
            let column = (0..d_model).map(|place| encoder[place * n_features + feature]);
            column.zip(&decoder[feature * d_model..]).map(|(a, b)| a * b).sum::<f32>()
        })
        .sum::<f32>()
        / n_features as f32;
    let usual = bias.iter().sum::<f32>() / n_features as f32;
    for Replacement { feature, missing: found } in replacements {
        decoder[feature * d_model..][..d_model].copy_from_slice(&found.direction);
        for (place, value) in found.direction.iter().enumerate() {
            encoder[place * n_features + feature] = along * value;
        }
        bias[*feature] = usual;
    }
    model.decoder = param(decoder, [n_features, d_model], &device);
    model.encoder = param(encoder, [d_model, n_features], &device);
    model.encoder_bias = param(bias, [n_features], &device);
    model
}
