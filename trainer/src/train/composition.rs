//! How units find their parts: not by gradients but by screening what the features leave over.
//!
//! A few times on the way the features are given more room than they have (a larger `k`, a longer
//! refit, weak activity cut off), so that what is left over is no interference; then combinations are
//! looked for in it. Each becomes a unit, with the effect that one regression over all of them gives.

use anyhow::Result;
use burn::prelude::*;
use shared::composition::units::remove_span;
use shared::refit::refit;
use shared::weights::{param, to_ints, to_vec};
use shared::{Csae, Limits, TopK, Units};

use crate::analysis::screening::sparse::SparseRows;
use crate::analysis::screening::{Evidence, Screening, ScreeningConfig, screen};
use crate::plan::CompositionTraining;

/// How many rows the model is given at once.
const ROWS_AT_ONCE: usize = 4_096;

/// Whether the units look for combinations after `step` of `steps` steps.
pub fn is_due(step: u64, steps: u64, training: &CompositionTraining) -> bool {
    let times = training.times.max(1);
    (0..times).any(|time| {
        let share = time as f64 / (times - 1).max(1) as f64;
        let at = training.from + share * (training.until - training.from);
        step == (at * steps as f64).round() as u64
    })
}

/// Gives the units the combinations that `rows` show.
///
/// # Errors
/// The model has become something that is not finite.
pub fn recompose(
    mut model: Csae,
    rows: Tensor<2>,
    limits: Limits,
    training: &CompositionTraining,
) -> Result<Csae> {
    let Some(units) = model.units.clone() else { return Ok(model) };
    let [_, n_units] = units.parts.val().dims();
    let mut screening = look(&model, rows, limits, training)?;
    screening.found.truncate(n_units);
    model.units = Some(with_parts(units, &screening));
    Ok(model)
}

/// Looks for combinations in what the features of `model` leave over of `rows`.
///
/// # Errors
/// The model has become something that is not finite.
pub fn look(
    model: &Csae,
    rows: Tensor<2>,
    limits: Limits,
    training: &CompositionTraining,
) -> Result<Screening> {
    let codes = wide_code(model, rows, limits, training);
    let [_, d_model] = model.decoder.val().dims();
    let evidence = Evidence {
        codes: &codes.rows,
        residuals: &codes.residuals,
        directions: &to_vec(model.decoder.val().without_autodiff()),
        d_model,
    };
    let config = ScreeningConfig { largest: limits.combination_size, ..ScreeningConfig::default() };
    Ok(screen(&evidence, &config)?)
}

/// Codes of rows, and what they leave over.
struct WideCode {
    rows: SparseRows,
    residuals: Vec<f32>,
}

fn wide_code(
    model: &Csae,
    rows: Tensor<2>,
    limits: Limits,
    training: &CompositionTraining,
) -> WideCode {
    let model = model.valid();
    let [n_features, _] = model.decoder.val().dims();
    let k = (limits.sparsity_k + training.extra_features).min(n_features);
    let blocks: Vec<(TopK, Tensor<2>)> = rows
        .split(ROWS_AT_ONCE, 0)
        .into_iter()
        .map(|rows| {
            let centred = rows - model.decoder_bias.val().unsqueeze();
            let active = TopK::select(model.features(centred.clone()), k);
            let active = refit(active, centred.clone(), model.decoder.val(), training.refit_steps);
            (active, centred)
        })
        .collect();
    let weakest = weakest(&blocks, n_features, training.cut);
    let mut code = WideCode { rows: SparseRows::default(), residuals: vec![] };
    for (active, centred) in blocks {
        let least = weakest
            .clone()
            .gather(1, active.indices.clone().reshape([1, active.values.shape().num_elements()]));
        let least = least.reshape(active.values.dims());
        let values = active.values.clone() * active.values.greater_equal(least).float();
        let active = TopK { values, indices: active.indices };
        let (indices, values) = (to_ints(active.indices.clone()), to_vec(active.values.clone()));
        for (indices, values) in indices.chunks_exact(k).zip(values.chunks_exact(k)) {
            let entries = indices.iter().zip(values).filter(|(_, value)| **value > 0.0);
            code.rows.push(entries.map(|(index, value)| (*index as u32, *value)));
        }
        let explained = active.into_dense(n_features).matmul(model.decoder.val());
        code.residuals.extend(to_vec(centred - explained));
    }
    code
}

/// Below which strength each feature counts as silent, a share of its mean when it fires:
/// `[1, n_features]`.
fn weakest(blocks: &[(TopK, Tensor<2>)], n_features: usize, cut: f64) -> Tensor<2> {
    let mut sums: Option<[Tensor<2>; 2]> = None;
    for (active, _) in blocks {
        let dense = active.clone().into_dense(n_features);
        let count = dense.clone().greater_scalar(0.0).float().sum_dim(0);
        let sum = dense.sum_dim(0);
        sums = Some(match sums {
            None => [sum, count],
            Some([old_sum, old_count]) => [old_sum + sum, old_count + count],
        });
    }
    let [sum, count] = sums.expect("a sample has rows");
    sum / count.clamp_min(1.0) * cut
}

fn with_parts(mut units: Units, screening: &Screening) -> Units {
    let [n_features, n_units] = units.parts.val().dims();
    let [_, d_model] = units.effects.val().dims();
    let mut parts = vec![0.0; n_features * n_units];
    let mut effects = vec![0.0; n_units * d_model];
    for (unit, found) in screening.found.iter().take(n_units).enumerate() {
        found.parts.iter().for_each(|part| parts[part * n_units + unit] = 1.0);
        effects[unit * d_model..][..d_model].copy_from_slice(&found.effect);
    }
    let device = units.effects.val().device();
    units.parts = param(parts, [n_features, n_units], &device).set_require_grad(false);
    units.effects = param(effects, [n_units, d_model], &device);
    units
}

/// The parts of each unit, in ascending order; none for a free unit.
pub fn parts_of(units: &Units) -> Vec<Vec<usize>> {
    let [n_features, n_units] = units.parts.val().dims();
    let parts = to_vec(units.parts.val().without_autodiff());
    let has = |feature: usize, unit: usize| parts[feature * n_units + unit] > 0.5;
    (0..n_units)
        .map(|unit| (0..n_features).filter(|feature| has(*feature, unit)).collect())
        .collect()
}

/// Takes out of each unit's effect what its parts can say themselves.
pub fn make_orthogonal(mut model: Csae, parts: &[Vec<usize>]) -> Csae {
    let Some(mut units) = model.units.clone() else { return model };
    let [_, d_model] = model.decoder.val().dims();
    let directions = to_vec(model.decoder.val().without_autodiff());
    let direction = |feature: usize| &directions[feature * d_model..][..d_model];
    let mut effects = to_vec(units.effects.val().without_autodiff());
    for (effect, parts) in effects.chunks_exact_mut(d_model).zip(parts) {
        let span: Vec<&[f32]> = parts.iter().map(|part| direction(*part)).collect();
        remove_span(effect, &span);
    }
    units.effects = units.effects.map(|old| {
        let data = TensorData::new(effects, old.dims());
        Tensor::from_data(data, &old.device()).require_grad()
    });
    model.units = Some(units);
    model
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_looked_for_so_many_times_between_the_ends() {
        let training = CompositionTraining { times: 4, ..CompositionTraining::default() };

        let due: Vec<u64> = (0..=1_000).filter(|step| is_due(*step, 1_000, &training)).collect();

        assert_eq!(due.len(), 4);
        assert_eq!((due[0], due[3]), (300, 950));
    }
}
