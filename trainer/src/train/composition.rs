//! How units find their parts: not by gradients but by screening what the features leave over.
//!
//! Late in the training rows are coded exactly, with more room than the features usually have and
//! weak activity cut off, so that what is left over is no interference; then combinations are looked
//! for in it. Each becomes a unit, with the effect that one regression over all of them gives.

use anyhow::Result;
use burn::prelude::*;
use rayon::prelude::*;
use shared::composition::units::remove_span;
use shared::weights::{param, to_ints, to_vec};
use shared::{Csae, Limits, TopK, Units};

use crate::analysis::evaluation::ActiveRows;
use crate::analysis::exact_code::{Coding, ExactCode};
use crate::analysis::screening::{Evidence, Screening, ScreeningConfig, screen};
use crate::plan::CompositionTraining;

/// How many rows the model is given at once.
const ROWS_AT_ONCE: usize = 4_096;

/// Whether it is the time, after `step` of `steps` steps, for what happens `times` times between
/// two shares of the steps.
pub fn is_due(step: u64, steps: u64, times: usize, [from, until]: [f64; 2]) -> bool {
    (0..times).any(|time| {
        let share = time as f64 / (times - 1).max(1) as f64;
        step == ((from + share * (until - from)) * steps as f64).round() as u64
    })
}

/// Gives the units the combinations that `rows` show, or what `targets` are that they are to be turned
/// into.
///
/// # Errors
/// The model has become something that is not finite.
pub fn recompose(
    mut model: Csae,
    rows: Tensor<2>,
    targets: Option<Tensor<2>>,
    limits: Limits,
    training: &CompositionTraining,
) -> Result<Csae> {
    let Some(units) = model.units.clone() else { return Ok(model) };
    let code = match targets {
        None => exact_code(&model, rows, limits, training),
        Some(targets) => transcoded(&model, rows, targets, limits),
    };
    let [_, d_model] = model.decoder.val().dims();
    let evidence = Evidence {
        codes: &code.rows,
        residuals: &code.residuals,
        directions: &to_vec(model.decoder.val().without_autodiff()),
        d_model,
    };
    let config = ScreeningConfig { largest: limits.combination_size, ..ScreeningConfig::default() };
    let screening = screen(&evidence, &config)?;
    model.units = Some(with_parts(units, &screening));
    Ok(model)
}

/// The exact codes of rows, begun with the features that the encoder chooses with some room to spare.
pub fn exact_code(
    model: &Csae,
    rows: Tensor<2>,
    limits: Limits,
    training: &CompositionTraining,
) -> ExactCode {
    let model = model.valid();
    let [n_features, d_model] = model.decoder.val().dims();
    let k = (limits.sparsity_k + training.extra_features).min(n_features);
    let (mut centred, mut first) = (vec![], vec![]);
    for block in rows.split(ROWS_AT_ONCE, 0) {
        let block = block - model.decoder_bias.val().unsqueeze();
        first.extend(to_ints(TopK::select(model.features(block.clone()), k).indices));
        centred.extend(to_vec(block));
    }
    let coding = Coding {
        rows: &centred,
        directions: &to_vec(model.decoder.val()),
        d_model,
        first: &first,
        k,
        cut: training.cut,
    };
    coding.solve()
}

/// The codes of rows, and what their features do not say of `targets`. What is predicted cannot be
/// solved for, so the encoder's code is all there is.
fn transcoded(model: &Csae, rows: Tensor<2>, targets: Tensor<2>, limits: Limits) -> ExactCode {
    let model = model.valid();
    let alone = Limits { combination_size: 1, ..limits };
    let k = limits.sparsity_k;
    let (mut active, mut residuals) = (ActiveRows { k, ..ActiveRows::default() }, vec![]);
    for (rows, targets) in
        rows.split(ROWS_AT_ONCE, 0).into_iter().zip(targets.split(ROWS_AT_ONCE, 0))
    {
        let output = model.transcode(rows, alone);
        residuals.extend(to_vec(targets - output.reconstruction));
        active.add(output.active);
    }
    ExactCode { rows: active.codes(), residuals }
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

/// Takes out of each unit's effect what its parts can say themselves.
pub fn make_orthogonal(mut model: Csae, parts: &[Vec<usize>]) -> Csae {
    let Some(mut units) = model.units.clone() else { return model };
    let [_, d_model] = model.decoder.val().dims();
    let directions = to_vec(model.decoder.val().without_autodiff());
    let mut effects = to_vec(units.effects.val().without_autodiff());
    clear_effects(&mut effects, &directions, d_model, parts);
    units.effects = units.effects.map(|old| {
        let data = TensorData::new(effects, old.dims());
        Tensor::from_data(data, &old.device()).require_grad()
    });
    model.units = Some(units);
    model
}

/// The same for effects, `[n_units, d_model]`, and directions, `[n_features, d_model]`, laid flat.
pub fn clear_effects(
    effects: &mut [f32],
    directions: &[f32],
    d_model: usize,
    parts: &[Vec<usize>],
) {
    let direction = |feature: &usize| &directions[feature * d_model..][..d_model];
    effects.par_chunks_exact_mut(d_model).zip(parts).for_each(|(effect, parts)| {
        let span: Vec<&[f32]> = parts.iter().map(direction).collect();
        remove_span(effect, &span);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_looked_for_so_many_times_between_the_ends() {
        let due: Vec<u64> =
            (0..=1_000).filter(|step| is_due(*step, 1_000, 4, [0.3, 0.95])).collect();

        assert_eq!(due.len(), 4);
        assert_eq!((due[0], due[3]), (300, 950));
    }
}
