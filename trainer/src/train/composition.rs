//! How units find their parts: not by gradients but by screening what the features leave over.
//!
//! Late in the training rows are coded exactly, with more room than the features usually have and
//! weak activity cut off, so that what is left over is no interference; then combinations are looked
//! for in it. Each becomes a unit, with the effect that one regression over all of them gives.

use anyhow::Result;
use burn::prelude::*;
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use shared::composition::units::remove_span;
use shared::weights::{param, to_ints, to_vec};
use shared::{Csae, Limits, TopK, Units, random};

use crate::analysis::active_rows::ActiveRows;
use crate::analysis::exact_code::{Coding, ExactCode};
use crate::analysis::screening::sparse::SparseRows;
use crate::analysis::screening::{Evidence, ScreeningConfig, fitted, screen};
use crate::plan::CompositionTraining;

/// How many rows the model is given at once.
const ROWS_AT_ONCE: usize = 4_096;
/// A direction of which those before leave no more says nothing of its own.
const LEAST_LENGTH: f32 = 1e-5;
/// How often a set of parts is drawn by chance before it is given up.
const TRIES: usize = 200;

/// Whether it is the time, after `step` of `steps` steps, for what happens `times` times between
/// two shares of the steps.
pub fn is_due(step: u64, steps: u64, times: usize, [from, until]: [f64; 2]) -> bool {
    (0..times).any(|time| {
        let share = time as f64 / (times - 1).max(1) as f64;
        step == ((from + share * (until - from)) * steps as f64).round() as u64
    })
}

/// How combinations are looked for at some moment of a training.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// What the finished model may use, and how large combinations may be at this moment.
    pub limits: Limits,
    /// The recipe.
    pub training: &'a CompositionTraining,
    /// Of parts that are drawn by chance.
    pub seed: u64,
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
    search: &Search,
) -> Result<Csae> {
    let Search { limits, training, seed } = *search;
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
    let mut found = screen(&evidence, &config)?.found;
    if training.random_parts {
        let sizes: Vec<usize> = found.iter().map(|one| one.parts.len()).collect();
        found = fitted(&evidence, &config, &by_chance(&code.rows, &sizes, config.support, seed))?;
    }
    let found = found.iter().map(|one| (&one.parts[..], &one.effect[..]));
    model.units = Some(with_parts(units, found));
    Ok(model)
}

/// Different sets of these sizes, each of features that are active together on a row drawn by chance,
/// and on `support` rows at least: as likely to be chosen as they are to meet. Fewer sets where rows
/// have no more.
fn by_chance(codes: &SparseRows, sizes: &[usize], support: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut stream = random::stream(seed, "parts by chance");
    let mut sets: Vec<Vec<usize>> = vec![];
    let columns = codes.columns(codes.largest_id().map_or(0, |id| id + 1));
    let is_frequent = |set: &[usize]| {
        let rows = columns[set[0]].iter().map(|(row, _)| *row as usize);
        let all_on = |row: &usize| set.iter().all(|part| codes.value(*row, *part).is_some());
        rows.filter(all_on).take(support).count() == support
    };
    for &size in sizes {
        for _ in 0..TRIES {
            let row = stream.random_range(0..codes.len());
            let mut active: Vec<usize> = codes.entries_of(row).map(|(id, _)| id).collect();
            if active.len() < size {
                continue;
            }
            active.shuffle(&mut stream);
            active.truncate(size);
            active.sort_unstable();
            if !sets.contains(&active) && is_frequent(&active) {
                sets.push(active);
                break;
            }
        }
    }
    sets
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

/// The units with these parts and effects, one after the other; those that are left are free.
pub(crate) fn with_parts<'a>(
    mut units: Units,
    combinations: impl Iterator<Item = (&'a [usize], &'a [f32])>,
) -> Units {
    let [n_features, n_units] = units.parts.val().dims();
    let [_, d_model] = units.effects.val().dims();
    let mut parts = vec![0.0; n_features * n_units];
    let mut effects = vec![0.0; n_units * d_model];
    for (unit, (own, effect)) in combinations.take(n_units).enumerate() {
        own.iter().for_each(|part| parts[part * n_units + unit] = 1.0);
        effects[unit * d_model..][..d_model].copy_from_slice(effect);
    }
    let device = units.effects.val().device();
    units.parts = param(parts, [n_features, n_units], &device).set_require_grad(false);
    units.effects = param(effects, [n_units, d_model], &device);
    units
}

/// Takes out of each unit's effect what its parts can say themselves. No tensor is read: a graphics card
/// would have to wait for it in every step.
pub fn make_orthogonal(mut model: Csae, parts: &[Vec<usize>]) -> Csae {
    let most = parts.iter().map(Vec::len).max().unwrap_or(0);
    let Some(mut units) = model.units.clone().filter(|_| most > 0) else { return model };
    let directions = model.decoder.val().without_autodiff();
    units.effects = units.effects.map(|effects| {
        let spans = Spans::of(&directions, parts, effects.dims()[0]);
        Tensor::from_inner(spans.removed_from(effects.without_autodiff())).require_grad()
    });
    model.units = Some(units);
    model
}

/// For each unit an orthonormal basis of what its parts span.
struct Spans(Vec<Tensor<2>>);

impl Spans {
    /// By Gram and Schmidt for all units at once, a place of a part after the other; a unit without so
    /// many parts has 0 there.
    fn of(directions: &Tensor<2>, parts: &[Vec<usize>], n_units: usize) -> Self {
        let device = directions.device();
        let most = parts.iter().map(Vec::len).max().unwrap_or(0);
        (0..most).fold(Self(vec![]), |mut spans, place| {
            let part = |unit: usize| parts.get(unit).and_then(|parts| parts.get(place));
            let ids: Vec<i64> =
                (0..n_units).map(|unit| part(unit).map_or(0, |id| *id as i64)).collect();
            let has: Vec<f32> =
                (0..n_units).map(|unit| f32::from(u8::from(part(unit).is_some()))).collect();
            let chosen = directions.clone().select(0, Tensor::from_data(&ids[..], &device));
            let has = Tensor::<1>::from_floats(&has[..], &device).reshape([n_units, 1]);
            // Twice, for what rounding has left.
            let rest = spans.removed_from(spans.removed_from(chosen * has));
            let length = rest.clone().square().sum_dim(1).sqrt();
            let counts = length.clone().greater_scalar(LEAST_LENGTH).float();
            spans.0.push(rest * counts / length.clamp_min(LEAST_LENGTH));
            spans
        })
    }

    /// What no part of its unit can say of each row, `[n_units, d_model]`.
    fn removed_from(&self, rows: Tensor<2>) -> Tensor<2> {
        self.0.iter().fold(rows, |rows, basis| {
            let along = (rows.clone() * basis.clone()).sum_dim(1);
            rows - basis.clone() * along
        })
    }
}

/// The same by numbers, for effects, `[n_units, d_model]`, and directions, `[n_features, d_model]`, laid
/// flat.
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
    fn sets_by_chance_are_different_of_features_that_meet_often_enough() {
        let mut codes = SparseRows::default();
        for row in 0..300_u32 {
            codes.push((0..6).filter(|id| (row >> id) % 3 != 0).map(|id| (id, 1.0)));
        }
        codes.push((6..9).map(|id| (id, 1.0)));
        let sizes = [2, 3, 2, 4, 2];

        let sets = by_chance(&codes, &sizes, 15, 1);

        assert_eq!(sets, by_chance(&codes, &sizes, 15, 1));
        assert_ne!(sets, by_chance(&codes, &sizes, 15, 2));
        let found: Vec<usize> = sets.iter().map(Vec::len).collect();
        assert_eq!(found, sizes);
        for (place, set) in sets.iter().enumerate() {
            assert!(!sets[..place].contains(set) && set.is_sorted());
            assert!(set.iter().all(|part| *part < 6), "the last row is too rare: {set:?}");
        }
    }

    #[test]
    fn what_parts_say_is_taken_out_by_tensors_as_by_numbers() {
        let (n_features, n_units, d_model) = (12, 5, 8);
        let device = Device::flex();
        let mut stream = random::stream(1, "test");
        let mut drawn = |rows: usize| random::normal(&mut stream, rows * d_model, 1.0);
        let (mut directions, effects) = (drawn(n_features), drawn(n_units));
        directions.copy_within(0..d_model, d_model); // the second feature says what the first says
        let parts = [vec![2, 3], vec![4, 5, 6, 7], vec![], vec![0, 1, 8], vec![9]];

        let tensor = |values: &[f32], rows| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [rows, d_model]), &device)
        };
        let spans = Spans::of(&tensor(&directions, n_features), &parts, n_units);
        let by_tensors = to_vec(spans.removed_from(tensor(&effects, n_units)));
        let mut by_numbers = effects.clone();
        clear_effects(&mut by_numbers, &directions, d_model, &parts);

        for (one, other) in by_tensors.iter().zip(&by_numbers) {
            assert!((one - other).abs() < 1e-5, "{one} {other}");
        }
        assert_eq!(by_tensors[2 * d_model..3 * d_model], effects[2 * d_model..3 * d_model]);
        assert!(by_tensors[..d_model] != effects[..d_model]);
    }

    #[test]
    fn combinations_are_looked_for_so_many_times_between_the_ends() {
        let due: Vec<u64> =
            (0..=1_000).filter(|step| is_due(*step, 1_000, 4, [0.3, 0.95])).collect();

        assert_eq!(due.len(), 4);
        assert_eq!((due[0], due[3]), (300, 950));
    }
}
