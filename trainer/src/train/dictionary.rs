//! Completes a dictionary: puts directions that are missing in the place of features that others
//! could replace.
//!
//! Gradients leave some directions unlearned: two features share one direction while another has
//! none, and what is missing is left over on every row that needs it. In rows coded exactly this can
//! be seen and counted: how much worse would the rows be explained without a feature, how much
//! better with a further direction? A direction that is left over only where the same two features
//! are active is no feature; it is what these combine to, and not taken.

use burn::prelude::*;
use rayon::prelude::*;
use shared::weights::{param, to_vec};
use shared::{Csae, Limits};

use super::composition::exact_code;
use crate::analysis::exact_code::ExactCode;
use crate::plan::CompositionTraining;

/// How many directions are looked for at a time.
const MOST: usize = 32;
/// How often a direction is moved toward the rows that it explains.
const MOVES: usize = 12;
/// How far above the noise of a direction a row must reach to count, in standard deviations.
const REACH: f64 = 3.5;
/// How much more a new direction must explain than the feature that goes.
const ADVANTAGE: f64 = 1.2;
/// How many of the others may take the place of a feature on a row.
const SUBSTITUTES: usize = 3;
/// A direction of which one pair of features has more than this share is a combination.
const SHARE_OF_A_PAIR: f64 = 0.6;
/// How much of its worth counts for a feature that stands for a combination.
const OF_A_COMBINATION: f64 = 0.1;
/// A feature of which others can say all but this share stands for a combination of them.
const NEARLY_SAID: f64 = 0.35;
/// A direction with a larger cosine is there already.
const SAME: f32 = 0.9;
/// A direction of which one feature has more than this share is half of what that one merges.
const SHARE_OF_A_FEATURE: f64 = 0.7;

/// A direction that is missing.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Of length 1: `[d_model]`.
    pub direction: Vec<f32>,
    /// By how much the squared error of the rows would fall.
    pub gain: f64,
    /// The largest share of it on rows with the same two features.
    pub pair_share: f64,
    /// On how many rows it would fire.
    pub support: usize,
    /// The feature that merges it with something else.
    pub half_of: Option<usize>,
}

/// Replaces features of `model`; which ones, and by what.
pub fn complete(
    mut model: Csae,
    rows: Tensor<2>,
    limits: Limits,
    training: &CompositionTraining,
) -> (Csae, Vec<(usize, Missing)>) {
    let code = exact_code(&model, rows, limits, training);
    let directions = to_vec(model.decoder.val().without_autodiff());
    let [n_features, d_model] = model.decoder.val().dims();
    let worth = worth(&code, &directions, n_features, d_model);
    let missing = missing(&code, &directions, d_model);
    let mut order: Vec<usize> = (0..n_features).collect();
    let worth: Vec<f64> = worth.iter().map(Worth::counted).collect();
    order.sort_by(|one, other| worth[*one].total_cmp(&worth[*other]));
    let is_there = |found: &Missing| {
        let mut known = directions.chunks_exact(d_model);
        known.any(|direction| dot(direction, &found.direction) > SAME)
    };
    let features =
        missing.into_iter().filter(|found| found.pair_share < SHARE_OF_A_PAIR && !is_there(found));
    let replaced: Vec<(usize, Missing)> = order
        .into_iter()
        .zip(features)
        .take_while(|(feature, found)| found.gain > ADVANTAGE * worth[*feature])
        .collect();
    if !replaced.is_empty() {
        model = with(model, &replaced);
    }
    (model, replaced)
}

/// What the rows would lose without a feature.
#[derive(Clone, Debug, Default)]
pub struct Worth {
    /// By how much the squared error would rise if the best of the others took its place.
    pub energy: f64,
    /// By how much if none did.
    pub alone: f64,
}

impl Worth {
    /// What counts against a new direction: little for what others can nearly say together. What
    /// remains of that is what they combine to, and for a unit to say.
    pub fn counted(&self) -> f64 {
        match self.energy < NEARLY_SAID * self.alone {
            true => OF_A_COMBINATION * self.energy,
            false => self.energy,
        }
    }
}

/// What the rows would lose without each feature: `[n_features]`.
pub fn worth(
    code: &ExactCode,
    directions: &[f32],
    n_features: usize,
    d_model: usize,
) -> Vec<Worth> {
    const AT_ONCE: usize = 4096;
    let direction = |feature: usize| &directions[feature * d_model..][..d_model];
    let gram: Vec<f32> = (0..n_features)
        .into_par_iter()
        .flat_map_iter(|one| {
            (0..n_features).map(move |other| dot(direction(one), direction(other)))
        })
        .collect();
    let blocks: Vec<Vec<Worth>> = (0..code.rows.len().div_ceil(AT_ONCE))
        .into_par_iter()
        .map(|block| {
            let mut worth = vec![Worth::default(); n_features];
            for row in block * AT_ONCE..((block + 1) * AT_ONCE).min(code.rows.len()) {
                let left = &code.residuals[row * d_model..][..d_model];
                let along: Vec<f32> =
                    (0..n_features).map(|feature| dot(direction(feature), left)).collect();
                let mut open = along.clone();
                for (feature, _) in code.rows.entries_of(row) {
                    open[feature] = f32::NEG_INFINITY;
                }
                for (feature, strength) in code.rows.entries_of(row) {
                    let mut without = open.clone();
                    add(&mut without, strength, &gram[feature * n_features..][..n_features]);
                    let all = along[feature] + strength;
                    substitute(&mut worth[feature], all, without, &gram);
                }
            }
            worth
        })
        .collect();
    let mut worth = vec![Worth::default(); n_features];
    for block in blocks {
        for (worth, block) in worth.iter_mut().zip(block) {
            worth.energy += block.energy;
            worth.alone += block.alone;
        }
    }
    worth
}

/// Counts what is lost on a row without a feature that says `all` of it, when the others, of which
/// `without` says how far they point to what is left, take its place one after the other.
fn substitute(worth: &mut Worth, all: f32, mut without: Vec<f32>, gram: &[f32]) {
    let n_features = without.len();
    let mut replaced = 0.0;
    for _ in 0..SUBSTITUTES {
        let (best, most) = largest(&without);
        if most <= 0.0 {
            break;
        }
        replaced += most * most;
        add(&mut without, -most, &gram[best * n_features..][..n_features]);
    }
    worth.energy += f64::from((all * all - replaced).max(0.0));
    worth.alone += f64::from(all * all);
}

/// The directions that are left over most, the one that explains most first.
pub fn missing(code: &ExactCode, directions: &[f32], d_model: usize) -> Vec<Missing> {
    let n_features = directions.len() / d_model;
    let mut left = code.residuals.clone();
    let mut squares: Vec<f64> = left.par_chunks_exact(d_model).map(square).collect();
    let mut sorted = squares.clone();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2) else { return vec![] };
    let least = (REACH * (median / d_model as f64).sqrt()) as f32;
    let mut all = vec![];
    for _ in 0..MOST {
        let Some(start) = (0..squares.len()).max_by(|a, b| squares[*a].total_cmp(&squares[*b]))
        else {
            break;
        };
        let mut direction = left[start * d_model..][..d_model].to_vec();
        normalize(&mut direction);
        for _ in 0..MOVES {
            direction = moved(&left, &direction, least);
        }
        let mut found = measure(&left, &direction, least, code, n_features);
        // What is taken away is not found again.
        squares[start] = 0.0;
        for (row, left) in left.chunks_exact_mut(d_model).enumerate() {
            let along = dot(left, &direction);
            if along > least {
                left.iter_mut().zip(&direction).for_each(|(left, axis)| *left -= along * axis);
                squares[row] = squares[row].min(square(left));
            }
        }
        if let Some(feature) = found.half_of {
            found.direction = whole(code, directions, feature, &found.direction, least);
        }
        if found.gain > 0.0 {
            all.push(found);
        }
    }
    all.sort_by(|one, other| other.gain.total_cmp(&one.gain));
    all
}

/// The mean of the rows that reach far along `direction`, weighed by how far.
fn moved(left: &[f32], direction: &[f32], least: f32) -> Vec<f32> {
    const AT_ONCE: usize = 4096;
    let d_model = direction.len();
    let sums: Vec<Vec<f32>> = left
        .par_chunks(AT_ONCE * d_model)
        .map(|block| {
            let mut sum = vec![0.0; d_model];
            for row in block.chunks_exact(d_model) {
                let along = dot(row, direction);
                if along > least {
                    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += along * value);
                }
            }
            sum
        })
        .collect();
    let mut mean = vec![0.0; d_model];
    for sum in sums {
        mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean += sum);
    }
    match square(&mean) > 0.0 {
        true => normalize(&mut mean),
        false => mean.copy_from_slice(direction),
    }
    mean
}

/// What `direction` explains: on rows above `least`, less what chance brings, which it would bring
/// on the other side as well.
fn measure(
    left: &[f32],
    direction: &[f32],
    least: f32,
    code: &ExactCode,
    n_features: usize,
) -> Missing {
    let along: Vec<f32> =
        left.par_chunks_exact(direction.len()).map(|row| dot(row, direction)).collect();
    let (mut gain, mut above, mut support) = (0.0, 0.0, 0);
    let mut pairs = vec![0.0_f64; n_features * n_features];
    let mut singles = vec![0.0_f64; n_features];
    for (row, along) in along.iter().enumerate() {
        let energy = f64::from(along * along);
        if *along > least {
            gain += energy;
            above += energy;
            support += 1;
            let (active, _) = code.rows.row(row);
            for (place, one) in active.iter().enumerate() {
                singles[*one as usize] += energy;
                for other in &active[place + 1..] {
                    pairs[*one as usize * n_features + *other as usize] += energy;
                }
            }
        } else if *along < -least {
            gain -= energy;
        }
    }
    let most = pairs.into_iter().fold(0.0, f64::max);
    let pair_share = most / f64::max(above, 1e-12);
    let merging = (0..n_features).filter(|one| singles[*one] > SHARE_OF_A_FEATURE * above);
    let half_of = merging.max_by(|one, other| singles[*one].total_cmp(&singles[*other]));
    Missing { direction: direction.to_vec(), gain, pair_share, support, half_of }
}

/// What rows that reach along `direction` have in common with what `feature` says of them.
fn whole(
    code: &ExactCode,
    directions: &[f32],
    feature: usize,
    direction: &[f32],
    least: f32,
) -> Vec<f32> {
    let d_model = direction.len();
    let own = &directions[feature * d_model..][..d_model];
    let mut sum = vec![0.0; d_model];
    for (row, left) in code.residuals.chunks_exact(d_model).enumerate() {
        if let Some(strength) = code.rows.value(row, feature)
            && dot(left, direction) > least
        {
            add(&mut sum, strength, left);
            add(&mut sum, strength * strength, own);
        }
    }
    normalize(&mut sum);
    sum
}

fn with(mut model: Csae, replaced: &[(usize, Missing)]) -> Csae {
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
    for (feature, found) in replaced {
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

fn add(to: &mut [f32], times: f32, what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += times * what);
}

/// The place of the largest number, and the number.
fn largest(numbers: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (place, number) in numbers.iter().enumerate() {
        if *number > best.1 {
            best = (place, *number);
        }
    }
    best
}

fn normalize(vector: &mut [f32]) {
    let length = square(vector).sqrt() as f32;
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

fn square(vector: &[f32]) -> f64 {
    f64::from(dot(vector, vector))
}

/// In eight sums side by side, which the processor can add at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum::<f32>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}
