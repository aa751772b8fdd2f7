//! Features that the dictionary lacks. A feature that was never learned shows as an effect of every
//! two features that often fire with it; unlike the effect of a combination it is there without them,
//! too. Such a direction belongs into the dictionary and not into a unit.

use burn::prelude::*;
use rayon::prelude::*;
use shared::weights::to_vec;
use shared::{Csae, csae};

use crate::analysis::screening::FoundCombination;
use crate::analysis::screening::sparse::SparseRows;

/// A direction is a feature's if it is there at least this many times as often without the parts of
/// the combination as with them.
const ALONE: f64 = 0.5;
/// Two directions with a larger cosine are the same feature's.
const SAME: f32 = 0.7;

/// The combinations whose effect is there without their parts: whether each of `found` is one.
pub fn lacking(codes: &SparseRows, residuals: &[f32], found: &[FoundCombination]) -> Vec<bool> {
    found
        .par_iter()
        .map(|combination| {
            let direction = unit(&combination.effect);
            let along: Vec<f32> =
                residuals.chunks_exact(direction.len()).map(|row| dot(row, &direction)).collect();
            let all_on =
                |row: usize| combination.parts.iter().all(|part| codes.value(row, *part).is_some());
            let on: Vec<bool> = (0..codes.len()).map(all_on).collect();
            let count = on.iter().filter(|on| **on).count().max(1);
            let sum: f32 = along.iter().zip(&on).filter(|(_, on)| **on).map(|(a, _)| a).sum();
            let half = 0.5 * sum / count as f32;
            let strong = |wanted: bool| {
                along.iter().zip(&on).filter(|(a, on)| **on == wanted && **a > half).count() as f64
            };
            half > 0.0 && strong(false) >= ALONE * strong(true)
        })
        .collect()
}

/// Gives the `directions` a place in the dictionary, in place of the features that explain least.
/// Those that are `kept` stay.
pub fn adopt(mut model: Csae, codes: &SparseRows, directions: &[&[f32]], kept: &[usize]) -> Csae {
    let [n_features, d_model] = model.decoder.val().dims();
    let mut energies = vec![0.0_f64; n_features];
    for row in 0..codes.len() {
        for (feature, strength) in codes.entries_of(row) {
            energies[feature] += f64::from(strength).powi(2);
        }
    }
    let mut places: Vec<usize> = (0..n_features).filter(|place| !kept.contains(place)).collect();
    places.sort_by(|one, other| energies[*one].total_cmp(&energies[*other]));

    let mut decoder = to_vec(model.decoder.val().without_autodiff());
    let mut encoder = to_vec(model.encoder.val().without_autodiff());
    let mut bias = to_vec(model.encoder_bias.val().without_autodiff());
    let length =
        (encoder.iter().map(|value| value * value).sum::<f32>() / n_features as f32).sqrt();
    let usual_bias = bias.iter().sum::<f32>() / n_features as f32;
    for (place, direction) in places.into_iter().zip(distinct(directions)) {
        for (dimension, value) in direction.iter().enumerate() {
            decoder[place * d_model + dimension] = *value;
            encoder[dimension * n_features + place] = *value * length;
        }
        bias[place] = usual_bias;
    }
    let tensor = |values: Vec<f32>, shape: [usize; 2], device: &Device| {
        Tensor::<2>::from_data(TensorData::new(values, shape), device)
    };
    model.decoder = model.decoder.map(|old| {
        let new = tensor(decoder, old.dims(), &old.device());
        Tensor::from_inner(csae::unit_rows(new.without_autodiff())).require_grad()
    });
    model.encoder =
        model.encoder.map(|old| tensor(encoder, old.dims(), &old.device()).require_grad());
    model.encoder_bias = model
        .encoder_bias
        .map(|old| Tensor::<1>::from_floats(&bias[..], &old.device()).require_grad());
    model
}

/// One direction of length 1 for each feature, the first that was seen.
fn distinct(directions: &[&[f32]]) -> Vec<Vec<f32>> {
    let mut distinct: Vec<Vec<f32>> = vec![];
    for direction in directions.iter().map(|direction| unit(direction)) {
        if distinct.iter().all(|other| dot(other, &direction) < SAME) {
            distinct.push(direction);
        }
    }
    distinct
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = dot(vector, vector).sqrt().max(f32::MIN_POSITIVE);
    vector.iter().map(|value| value / length).collect()
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{CsaeConfig, random};

    fn combination(effect: &[f32]) -> FoundCombination {
        FoundCombination { parts: vec![0, 1], effect: effect.to_vec(), gain: 1.0, support: 4 }
    }

    #[test]
    fn an_effect_that_is_there_without_the_parts_is_a_feature() {
        // Parts 0 and 1 are on together in the first four rows of ten.
        let mut codes = SparseRows::default();
        (0..4).for_each(|_| codes.push([(0, 1.0), (1, 1.0)]));
        (4..10).for_each(|_| codes.push([(0, 1.0)]));
        // Along the first axis only they have a residual, along the second three others, too.
        let residuals: Vec<f32> = (0..10)
            .flat_map(|row| [f32::from(u8::from(row < 4)), f32::from(u8::from(row < 7))])
            .collect();

        let found = [combination(&[2.0, 0.0]), combination(&[0.0, 3.0])];

        assert_eq!(lacking(&codes, &residuals, &found), [false, true]);
    }

    #[test]
    fn a_new_direction_takes_the_place_of_the_feature_that_explains_least() {
        let config = CsaeConfig::new(4).with_n_features(3).with_sparsity_k(2);
        let model = config.init(1, &Device::flex().autodiff());
        let before = to_vec(model.decoder.val());
        let mut codes = SparseRows::default();
        codes.push([(0, 0.1), (1, 2.0), (2, 0.5)]);
        let same = random::normal(&mut random::stream(1, "direction"), 4, 1.0);
        let twice: Vec<f32> = same.iter().map(|value| 2.0 * value).collect();

        let adopted = adopt(model, &codes, &[&same, &twice], &[0]);

        let after = to_vec(adopted.decoder.val());
        // Feature 0 is kept though it explains less; both directions are one.
        assert_eq!(after[..8], before[..8]);
        assert!(dot(&after[8..], &unit(&same)) > 0.9999);
    }
}
