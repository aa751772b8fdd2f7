//! How units find their parts: not by gradients but by screening what the features leave over.
//!
//! A few times on the way rows are coded exactly, with more room than the features usually have and
//! weak activity cut off, so that what is left over is no interference; then combinations are looked
//! for in it. Each becomes a unit, with the effect that one regression over all of them gives.

use anyhow::Result;
use burn::prelude::*;
use rayon::prelude::*;
use shared::composition::units::remove_span;
use shared::weights::{param, to_ints, to_vec};
use shared::{Csae, Limits, TopK, Units};

use crate::analysis::non_negative::non_negative;
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
    let screening = look(&model, rows, limits, training)?;
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
    let code = exact_code(model, rows, limits, training);
    let [_, d_model] = model.decoder.val().dims();
    let evidence = Evidence {
        codes: &code.rows,
        residuals: &code.residuals,
        directions: &to_vec(model.decoder.val().without_autodiff()),
        d_model,
    };
    let config = ScreeningConfig { largest: limits.combination_size, ..ScreeningConfig::default() };
    Ok(screen(&evidence, &config)?)
}

/// Codes of rows, and what they leave over.
struct ExactCode {
    rows: SparseRows,
    residuals: Vec<f32>,
}

/// A row's active features, each with its strength.
type RowCode = Vec<(usize, f64)>;

/// The exact code of every row on the features that the encoder chooses with some room to spare:
/// non-negative least squares, once with all of them and once without those that then fire weakly.
/// What is left over is neither interference nor the work of features that are not there.
fn exact_code(
    model: &Csae,
    rows: Tensor<2>,
    limits: Limits,
    training: &CompositionTraining,
) -> ExactCode {
    let model = model.valid();
    let [n_features, d_model] = model.decoder.val().dims();
    let k = (limits.sparsity_k + training.extra_features).min(n_features);
    let decoder = to_vec(model.decoder.val());
    let gram = to_vec(model.decoder.val().matmul(model.decoder.val().transpose()));
    let (mut centred, mut codes): (Vec<f32>, Vec<RowCode>) = (vec![], vec![]);
    let mut toward = vec![];
    for block in rows.split(ROWS_AT_ONCE, 0) {
        let block = block - model.decoder_bias.val().unsqueeze();
        let active = TopK::select(model.features(block.clone()), k);
        let chosen = to_ints(active.indices);
        let along = to_vec(block.clone().matmul(model.decoder.val().transpose()));
        let solve = |(chosen, along): (&[i32], &[f32])| {
            let chosen = chosen.iter().map(|feature| *feature as usize).collect();
            solve(chosen, along, &gram, n_features)
        };
        codes.par_extend(
            chosen.par_chunks_exact(k).zip(along.par_chunks_exact(n_features)).map(solve),
        );
        toward.extend(along);
        centred.extend(to_vec(block));
    }
    let weakest = weakest(&codes, n_features, training.cut);
    codes.par_iter_mut().zip(toward.par_chunks_exact(n_features)).for_each(|(code, along)| {
        let strong = code.iter().filter(|(feature, strength)| *strength >= weakest[*feature]);
        *code = solve(strong.map(|(feature, _)| *feature).collect(), along, &gram, n_features);
    });
    let mut exact = ExactCode { rows: SparseRows::default(), residuals: centred };
    for (code, residual) in codes.iter().zip(exact.residuals.chunks_exact_mut(d_model)) {
        exact.rows.push(code.iter().map(|(feature, strength)| (*feature as u32, *strength as f32)));
        for (feature, strength) in code {
            let direction = &decoder[feature * d_model..][..d_model];
            let pairs = residual.iter_mut().zip(direction);
            pairs.for_each(|(value, direction)| *value -= *strength as f32 * direction);
        }
    }
    exact
}

/// The exact code on the `chosen` features; `along` is what each feature's direction says of the row.
fn solve(chosen: Vec<usize>, along: &[f32], gram: &[f32], n_features: usize) -> RowCode {
    let products: Vec<f64> = chosen
        .iter()
        .flat_map(|one| chosen.iter().map(move |other| f64::from(gram[one * n_features + other])))
        .collect();
    let toward: Vec<f64> = chosen.iter().map(|feature| f64::from(along[*feature])).collect();
    let strengths = non_negative(&products, &toward);
    chosen.into_iter().zip(strengths).filter(|(_, strength)| *strength > 0.0).collect()
}

/// Below which strength each feature counts as silent: a share of its mean when it fires.
fn weakest(codes: &[RowCode], n_features: usize, cut: f64) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); n_features];
    for (feature, strength) in codes.iter().flatten() {
        sums[*feature].0 += strength;
        sums[*feature].1 += 1.0;
    }
    sums.iter().map(|(sum, count)| cut * sum / f64::max(*count, 1.0)).collect()
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
        let training = CompositionTraining { times: 4, ..CompositionTraining::default() };

        let due: Vec<u64> = (0..=1_000).filter(|step| is_due(*step, 1_000, &training)).collect();

        assert_eq!(due.len(), 4);
        assert_eq!((due[0], due[3]), (300, 950));
    }
}
