//! Composition units: each stands for a combination of 2 to 4 features and says what only the
//! combination can say.
//!
//! Unit `r` is on when all its parts are: `h_r` is the geometric mean of their strengths, 0 as soon as
//! one is silent. It speaks, `z_r = h_r`, above its threshold; the 8 loudest of a row speak at most.
//! Its effect `v_r` is orthogonal to its parts' directions. (Dividing each strength by how strongly its
//! feature usually fires would change nothing but the length of `v_r`.)

use burn::module::Param;
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::TopK;
use crate::span::Span;
use crate::weights::{param, to_vec};

/// The largest number of parts.
pub const MOST_PARTS: usize = 4;

/// The shape of [`Units`].
#[derive(Config, Debug, PartialEq)]
pub struct UnitsConfig {
    /// How many units there are.
    #[config(default = 128)]
    pub n_units: usize,
    /// In how many heads of equal size they are read and shown.
    #[config(default = 8)]
    pub n_heads: usize,
    /// How many of them speak on a row at most.
    #[config(default = 8)]
    pub speaking: usize,
    /// How many features combine at most.
    #[config(default = 4)]
    pub combination_size: usize,
    /// What they do without, to see what it is good for; nothing if not given.
    pub without: Option<UnitsPrinciple>,
}

/// What holds for units, each an ablation to do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitsPrinciple {
    /// A unit may only say what its parts cannot.
    Orthogonality,
    /// The code is not changed by what units learn.
    Detachment,
    /// Features speak by themselves; without it only those that are parts of a unit that speaks do, as
    /// soon as there are units with parts.
    Residual,
}

/// Units that compose the active features of a row.
#[derive(Module, Debug)]
pub struct Units {
    /// 1 where a feature is a part of a unit, else 0; a unit without parts is free:
    /// `[n_features, n_units]`. Found by screening, not by gradients.
    pub parts: Param<Tensor<2>>,
    /// What a unit adds at strength 1: `[n_units, d_model]`.
    pub effects: Param<Tensor<2>>,
    /// Above which strength a unit speaks: `[n_units]`.
    pub threshold: Param<Tensor<1>>,
    /// How many of them speak on a row at most.
    pub speaking: usize,
    /// What they do without.
    #[module(skip)]
    pub without: Option<UnitsPrinciple>,
}

/// What the units make of a batch.
#[derive(Clone, Debug)]
pub struct UnitsOutput {
    /// What the combinations add to the reconstruction: `[batch, d_model]`.
    pub contribution: Tensor<2>,
    /// How strongly each unit speaks: `[batch, n_units]`.
    pub strengths: Tensor<2>,
}

impl UnitsConfig {
    /// Units that are all free.
    pub fn init(&self, n_features: usize, d_model: usize, device: &Device) -> Units {
        let units = self.n_units;
        let parts = param(vec![0.0; n_features * units], [n_features, units], device);
        Units {
            parts: parts.set_require_grad(false),
            effects: param(vec![0.0; units * d_model], [units, d_model], device),
            threshold: param(vec![0.0; units], [units], device).set_require_grad(false),
            speaking: self.speaking,
            without: self.without,
        }
    }
}

impl Units {
    /// Composes the `active` features. The code is not changed by what the units learn, unless they do
    /// without [detachment](UnitsPrinciple::Detachment): a unit must not recruit features as its
    /// switches.
    pub fn forward(&self, active: &TopK) -> UnitsOutput {
        let [n_features, n_units] = self.parts.val().dims();
        let values = match self.without {
            Some(UnitsPrinciple::Detachment) => active.values.clone(),
            _ => active.values.clone().without_autodiff(),
        };
        let code = TopK { values, indices: active.indices.clone() }.into_dense(n_features); // [batch, n_features]
        let strengths = self.strengths(code);
        let strengths = match n_units > self.speaking {
            true => self.loudest(strengths),
            false => strengths,
        };
        UnitsOutput { contribution: strengths.clone().matmul(self.effects.val()), strengths }
    }

    /// The `active` features that speak by themselves, given how strongly units speak,
    /// `[batch, n_units]`: all, unless the units do without the [residual](UnitsPrinciple::Residual).
    pub fn residual(&self, active: TopK, strengths: &Tensor<2>) -> TopK {
        let parts = self.parts.val().without_autodiff();
        if self.without != Some(UnitsPrinciple::Residual) {
            return active;
        }
        let speaks = strengths.clone().without_autodiff().greater_scalar(0.0).float();
        let composing = parts.clone().sum().greater_scalar(0.5).float().unsqueeze::<2>(); // [1, 1]
        let part = speaks.matmul(parts.transpose()).greater_scalar(0.5).float(); // [batch, n_features]
        let heard = (part + 1.0 - composing).clamp_max(1.0).gather(1, active.indices.clone());
        TopK { values: active.values * heard, indices: active.indices }
    }

    /// The parts of each unit, in ascending order; none for a free unit.
    pub fn combinations(&self) -> Vec<Vec<usize>> {
        let [n_features, n_units] = self.parts.val().dims();
        let parts = to_vec(self.parts.val().without_autodiff());
        let has = |feature: usize, unit: usize| parts[feature * n_units + unit] > 0.5;
        (0..n_units)
            .map(|unit| (0..n_features).filter(|feature| has(*feature, unit)).collect())
            .collect()
    }

    /// How strongly each unit speaks before the choice of the loudest: `[batch, n_units]`.
    fn strengths(&self, code: Tensor<2>) -> Tensor<2> {
        let parts = self.parts.val().without_autodiff();
        let sizes = parts.clone().sum_dim(0); // [1, n_units]
        let on = code.clone().greater_scalar(0.0).float();
        let logs = code.clamp_min(1e-6).log() * on.clone();
        let mean_log = logs.matmul(parts.clone()) / sizes.clone().clamp_min(1.0);
        let all_on = on.matmul(parts).greater_equal(sizes.clone() - 0.5).float();
        let used = sizes.greater_scalar(1.5).float();
        let strength = mean_log.exp() * all_on * used;
        let above = strength.clone().greater(self.threshold.val().without_autodiff().unsqueeze());
        strength * above.float()
    }

    fn loudest(&self, strengths: Tensor<2>) -> Tensor<2> {
        let lengths = self.effects.val().without_autodiff().square().sum_dim(1).sqrt();
        let loudness = strengths.clone() * lengths.transpose();
        let least = loudness.clone().topk(self.speaking, 1).narrow(1, self.speaking - 1, 1);
        let loud = loudness.greater_equal(least).float();
        strengths * loud
    }
}

/// Takes out of `effect` what lies in the span of `directions`.
pub fn remove_span(effect: &mut [f32], directions: &[&[f32]]) {
    if let [one, other] = directions
        && remove_pair(effect, one, other)
    {
        return;
    }
    let exact = |vector: &[f32]| vector.iter().map(|value| f64::from(*value)).collect();
    let mut rest: Vec<f64> = exact(effect);
    Span::of(directions.iter().map(|direction| exact(direction)), 1e-10).remove_from(&mut rest);
    effect.iter_mut().zip(rest).for_each(|(value, rest)| *value = rest as f32);
}

/// The same for two directions without their span; gives whether they are far enough from parallel.
fn remove_pair(effect: &mut [f32], one: &[f32], other: &[f32]) -> bool {
    let (ones, others, both) = (dot(one, one), dot(other, other), dot(one, other));
    let area = ones * others - both * both;
    let is_safe = area > 1e-6 * ones * others;
    if is_safe {
        let (by_one, by_other) = (dot(effect, one), dot(effect, other));
        let times_one = (by_one * others - by_other * both) / area;
        let times_other = (by_other * ones - by_one * both) / area;
        for (value, (one, other)) in effect.iter_mut().zip(one.iter().zip(other)) {
            let along = times_one * f64::from(*one) + times_other * f64::from(*other);
            *value = (f64::from(*value) - along) as f32;
        }
    }
    is_safe
}

/// `one . other` in eight sums, none of which waits for another.
fn dot(one: &[f32], other: &[f32]) -> f64 {
    let product = |(one, other): (&f32, &f32)| f64::from(*one) * f64::from(*other);
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (ones, others) in ones.iter().zip(others) {
        for (sum, pair) in sums.iter_mut().zip(ones.iter().zip(others)) {
            *sum += product(pair);
        }
    }
    sums.iter().sum::<f64>() + one_rest.iter().zip(other_rest).map(product).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    const FEATURES: usize = 5;

    fn units(speaking: usize) -> Units {
        units_on(speaking, &Device::flex())
    }

    /// Unit 0 has the parts 0 and 1, unit 1 the parts 1, 2 and 3; unit 2 is free.
    fn units_on(speaking: usize, device: &Device) -> Units {
        let config = UnitsConfig::new().with_n_units(3).with_speaking(speaking);
        let mut units = config.init(FEATURES, 2, device);
        let mut parts = vec![0.0; FEATURES * 3];
        for (feature, unit) in [(0, 0), (1, 0), (1, 1), (2, 1), (3, 1)] {
            parts[feature * 3 + unit] = 1.0;
        }
        units.parts = param(parts, [FEATURES, 3], device).set_require_grad(false);
        units.effects = param(vec![1.0, 0.0, 0.0, 3.0, 9.0, 9.0], [3, 2], device);
        units
    }

    fn forward(units: &Units, code: [f32; FEATURES]) -> UnitsOutput {
        let code = Tensor::<2>::from_data([code], &Device::flex());
        units.forward(&TopK::select(code, FEATURES))
    }

    #[test]
    fn a_unit_speaks_with_the_geometric_mean_of_its_parts() {
        let output = forward(&units(3), [4.0, 1.0, 1.0, 0.0, 5.0]);

        let strengths = to_vec(output.strengths);
        assert!((strengths[0] - 2.0).abs() < 1e-6, "{strengths:?}");
        assert_eq!(strengths[1..], [0.0, 0.0]);
        let contribution = to_vec(output.contribution);
        assert!((contribution[0] - 2.0).abs() < 1e-6 && contribution[1] == 0.0);
    }

    #[test]
    fn a_unit_is_silent_as_soon_as_one_part_is() {
        for missing in 1..4 {
            let mut code = [0.0, 1.0, 1.0, 1.0, 0.0];
            code[missing] = 0.0;
            assert_eq!(to_vec(forward(&units(3), code).strengths)[1], 0.0);
        }
        let all = forward(&units(3), [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert!(to_vec(all.strengths)[1] > 0.9);
    }

    #[test]
    fn only_the_loudest_units_speak() {
        let strengths = to_vec(forward(&units(1), [4.0, 1.0, 1.0, 1.0, 0.0]).strengths);

        // The second has the larger effect.
        assert_eq!(strengths[0], 0.0);
        assert!(strengths[1] > 0.0);
    }

    #[test]
    fn a_unit_below_its_threshold_is_silent() {
        let mut units = units(3);
        units.threshold = param(vec![2.5, 0.0, 0.0], [3], &Device::flex());

        assert_eq!(to_vec(forward(&units, [4.0, 1.0, 0.0, 0.0, 0.0]).strengths)[0], 0.0);
        assert!(to_vec(forward(&units, [8.0, 1.0, 0.0, 0.0, 0.0]).strengths)[0] > 2.5);
    }

    #[test]
    fn units_without_a_switch_are_read_from_what_was_written_before_there_was_one() {
        let before = r#"{"n_units":3,"n_heads":1,"speaking":8,"combination_size":4}"#;

        let config: UnitsConfig = serde_json::from_str(before).unwrap();

        assert_eq!(config, UnitsConfig::new().with_n_units(3).with_n_heads(1));
    }

    #[test]
    fn without_detachment_and_only_then_the_code_learns_from_units() {
        let device = Device::flex().autodiff();
        for without in [None, Some(UnitsPrinciple::Detachment)] {
            let units = Units { without, ..units_on(3, &device) };
            let code = Tensor::<2>::from_data([[4.0, 1.0, 1.0, 0.0, 5.0]], &device).require_grad();
            let active = TopK::select(code.clone(), FEATURES);

            let gradients = units.forward(&active).contribution.sum().backward();

            let gradient = code.grad(&gradients).map(to_vec).unwrap_or(vec![0.0; FEATURES]);
            // The geometric mean of 4 and 1 grows by 1/4 with the first and by 1 with the second.
            let expected = if without.is_some() { [0.25, 1.0] } else { [0.0, 0.0] };
            assert!((gradient[0] - expected[0]).abs() < 1e-5, "{gradient:?}");
            assert!((gradient[1] - expected[1]).abs() < 1e-5, "{gradient:?}");
        }
    }

    #[test]
    fn without_the_residual_only_parts_of_units_that_speak_are_heard() {
        let code = [4.0, 1.0, 1.0, 0.0, 5.0];
        let heard = |without, units: Units| {
            let units = Units { without, ..units };
            let active = TopK::select(Tensor::from_data([code], &Device::flex()), FEATURES);
            let strengths = units.forward(&active).strengths;
            to_vec(units.residual(active, &strengths).into_dense(FEATURES))
        };
        let free = || UnitsConfig::new().with_n_units(3).init(FEATURES, 2, &Device::flex());

        assert_eq!(heard(None, units(3)), code);
        assert_eq!(heard(Some(UnitsPrinciple::Residual), units(3)), [4.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(heard(Some(UnitsPrinciple::Residual), free()), code);
    }

    #[test]
    fn an_effect_keeps_only_what_its_parts_cannot_say() {
        let mut effect = [1.0, 2.0, 3.0];

        remove_span(&mut effect, &[&[1.0, 0.0, 0.0], &[1.0, 1.0, 0.0], &[2.0, 1.0, 0.0]]);

        assert!(effect[0].abs() < 1e-6 && effect[1].abs() < 1e-6);
        assert_eq!(effect[2], 3.0);
    }

    #[test]
    fn two_parts_are_taken_out_as_more_are() {
        let drawn = |name| random::normal(&mut random::stream(3, name), 21, 1.0);
        let (effect, one, other) = (drawn("effect"), drawn("one"), drawn("other"));
        let near: Vec<f32> =
            one.iter().zip(&other).map(|(one, other)| one + 1e-3 * other).collect();
        for second in [&other, &near, &one, &vec![0.0; 21]] {
            let (mut pair, mut more) = (effect.clone(), effect.clone());

            remove_span(&mut pair, &[&one, second]);
            remove_span(&mut more, &[&one, second, second]); // the third says nothing of its own

            for (pair, more) in pair.iter().zip(&more) {
                assert!((pair - more).abs() < 1e-6, "{pair} {more}");
            }
        }
    }
}
