//! Whether a finished code puts rows in the order in which the encoder put them.
//!
//! A feature's coefficient in a code that only chooses is the encoder's own value; one that is refitted
//! or re-weighted may say "more" where the encoder said "less", and then the encoder's value no longer
//! tells how much of the feature there is.

use burn::prelude::*;
use shared::TopK;
use shared::weights::{to_ints, to_vec};

use super::combinations::SUPPORT;
use super::rank::partial_spearman;

/// What a feature is worth on the rows on which it is active.
#[derive(Clone, Debug, Default)]
struct Coefficient {
    /// After the encoder, before the choice of the active features.
    before: Vec<f64>,
    /// In the finished code.
    after: Vec<f64>,
}

/// The same of every feature.
#[derive(Clone, Debug)]
pub struct Coefficients {
    features: Vec<Coefficient>,
}

impl Coefficients {
    /// Of so many features, no row yet.
    pub fn new(n_features: usize) -> Self {
        Self { features: vec![Coefficient::default(); n_features] }
    }

    /// Adds rows: all `features` after the encoder, `[rows, n_features]`, and those in the code.
    pub fn add(&mut self, features: &Tensor<2>, code: &TopK) {
        let before = to_vec(features.clone().gather(1, code.indices.clone()));
        let after = to_vec(code.values.clone());
        let indices = to_ints(code.indices.clone());
        for ((feature, before), after) in indices.iter().zip(before).zip(after) {
            if after > 0.0 {
                self.add_one(*feature as usize, before, after);
            }
        }
    }

    /// Adds a row on which a feature is active.
    pub fn add_one(&mut self, feature: usize, before: f32, after: f32) {
        self.features[feature].before.push(before.into());
        self.features[feature].after.push(after.into());
    }

    /// The mean over features of Spearman's correlation between what the encoder gives and what the
    /// finished code has, over the rows on which the feature is active. 1 for a code that only chooses.
    /// Features that are active on fewer than [`SUPPORT`] rows, or always alike, do not count; `None`
    /// if none does.
    pub fn spearman(&self) -> Option<f64> {
        let of = |one: &Coefficient| match one.after.len() >= SUPPORT {
            true => partial_spearman(&one.before, &one.after, &[]),
            false => None,
        };
        let all: Vec<f64> = self.features.iter().filter_map(of).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A feature that is worth 1, 2, .. 15 in its rows before, and this after.
    fn feature(coefficients: &mut Coefficients, feature: usize, after: impl Fn(usize) -> f32) {
        (1..=SUPPORT).for_each(|row| coefficients.add_one(feature, row as f32, after(row)));
    }

    #[test]
    fn a_code_that_only_chooses_agrees_and_features_weigh_the_same() {
        let mut coefficients = Coefficients::new(4);
        feature(&mut coefficients, 0, |row| (row * row) as f32);
        assert_eq!(coefficients.spearman(), Some(1.0));

        // The two lowest change places: 1 - 6 (1 + 1) / (15 (15^2 - 1)).
        feature(&mut coefficients, 1, |row| [0.0, 2.0, 1.0].get(row).map_or(row as f32, |it| *it));
        // Too few rows.
        coefficients.add_one(2, 1.0, 2.0);

        let expected = (1.0 + 1.0 - 12.0 / 3_360.0) / 2.0;
        assert!((coefficients.spearman().unwrap() - expected).abs() < 1e-12);
        assert_eq!(Coefficients::new(4).spearman(), None);
    }

    #[test]
    fn only_active_features_are_looked_up() {
        let device = Device::flex();
        let features = Tensor::<2>::from_data([[1.0, 5.0, 3.0], [4.0, 0.5, 2.0]], &device);
        let mut code = TopK::select(features.clone(), 2);
        code.values = Tensor::from_data([[2.5, 0.0], [7.0, 1.5]], &device);
        let mut coefficients = Coefficients::new(3);

        coefficients.add(&features, &code);

        let pairs: Vec<[&[f64]; 2]> =
            coefficients.features.iter().map(|one| [&one.before[..], &one.after[..]]).collect();
        assert_eq!(pairs, [[&[4.0][..], &[7.0]], [&[5.0], &[2.5]], [&[2.0], &[1.5]]]);
    }
}
