//! What learns by the csae's kernel: parameters laid flat, and what Adam remembers of them.

use burn::prelude::*;
use shared::kernels::adam::{AdamRates, Directions, adam, adam_of_directions};
use shared::kernels::csae::{Parameters, Step, transposed};
use shared::weights::{Weight, Weights, to_vec};

use super::adam::{Adam, AdamConfig};

/// Parameters that go down the gradients which the kernel finds.
pub(super) struct Descent {
    pub(super) parameters: Parameters,
    /// The last step of the kernel.
    pub(super) step: Step,
    first: Parameters,
    second: Parameters,
    time: i32,
}

impl Descent {
    /// From these parameters on, without memory.
    pub(super) fn new(parameters: Parameters) -> Self {
        let (first, second) = (parameters.zeros_like(), parameters.zeros_like());
        Self { parameters, step: Step::default(), first, second, time: 0 }
    }

    /// Moves the parameters against the gradient of the step; those of combinations only where
    /// features combine.
    pub(super) fn descend(&mut self, rate: f64, combining: bool) {
        self.time += 1;
        let AdamConfig { beta1, beta2, epsilon, .. } = AdamConfig::default();
        let rates =
            AdamRates { rate, beta1, beta2, epsilon, time: self.time, decay: 0.0, shorten: 1.0 };
        let Self { parameters, first, second, step, .. } = self;
        let (gradients, width) = (&mut step.gradients, parameters.d_model());
        let directions = Directions {
            directions: &mut parameters.decoder,
            gradient: &mut gradients.decoder,
            width,
        };
        adam_of_directions(&rates, directions, &mut first.decoder, &mut second.decoder);
        let all = parameters.named().zip(gradients.named());
        let memory = first.named().zip(second.named());
        for (((name, parameters), (_, gradient)), ((_, first), (_, second))) in all.zip(memory) {
            let of_combinations = name.starts_with("units.") || name.starts_with("attention.");
            if name != "decoder" && (combining || !of_combinations) {
                adam(&rates, parameters, gradient, first, second);
            }
        }
    }

    /// The mean squared error of the step, and what dead features left of it if there were any.
    pub(super) fn terms(&self, device: &Device) -> (Tensor<1>, Option<Tensor<1>>) {
        let number = |value: f64| Tensor::from_floats([value as f32], device);
        (number(self.step.mse), self.step.auxk.map(number))
    }

    /// On how many rows of the step each feature fired: `[n_features]`.
    pub(super) fn fired(&self, device: &Device) -> Tensor<1> {
        let fired: Vec<f32> = self.step.fired.iter().map(|rows| *rows as f32).collect();
        Tensor::from_floats(&fired[..], device)
    }

    /// As [`Adam::forget`].
    pub(super) fn forget(&mut self, name: &str) {
        let all = self.first.named().chain(self.second.named());
        all.filter(|(found, _)| *found == name).for_each(|(_, values)| values.fill(0.0));
    }

    /// As [`Adam::save`] does it.
    pub(super) fn save(&self, weights: &mut Weights) {
        for (kind, memory) in [("first", &self.first), ("second", &self.second)] {
            let mut memory = memory.clone();
            memory.encoder = transposed(&memory.encoder, memory.d_model());
            for (name, values) in memory.named() {
                let shape = vec![values.len()];
                let values = std::mem::take(values);
                weights.insert(format!("{kind}.{name}"), Weight { shape, values });
            }
        }
    }

    /// Remembers what `adam` does, after `time` steps.
    pub(super) fn load(&mut self, adam: &Adam, time: i32) {
        self.time = time;
        let mut memory = Weights::new();
        adam.save(&mut memory);
        for (kind, ours) in [("first", &mut self.first), ("second", &mut self.second)] {
            let n_features = ours.n_features();
            for (name, values) in ours.named() {
                if let Some(weight) = memory.remove(&format!("{kind}.{name}")) {
                    *values = match name {
                        "encoder" => transposed(&weight.values, n_features),
                        _ => weight.values,
                    };
                }
            }
        }
    }
}

/// Which of these numbers are above 0.
pub(super) fn are_above_0(numbers: Tensor<1>) -> Vec<bool> {
    to_vec(numbers).iter().map(|number| *number > 0.0).collect()
}
