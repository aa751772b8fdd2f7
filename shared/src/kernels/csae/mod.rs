//! The training step of a [`Csae`](crate::Csae) without attention, forward and back in one pass
//! over the rows, and the way forward alone.
//!
//! What the tensor form does to all features this does to the active ones. Rows are taken in blocks
//! of fixed size, one task each; then every feature gathers its gradient from the rows on which it
//! is active, in their order. So the same input gives the same bytes on any number of threads.

mod block;
mod coder;
mod crosstalk;
mod gradients;
mod refit;
mod revive;
mod select;
mod sorted;
mod step;
#[cfg(test)]
mod tests;
mod units;

pub use coder::{Code, Coder};
pub use step::{Step, Task};

use crate::weights::{param, to_vec};
use crate::{Csae, Units};

/// The parameters of a model, or one number for each of them, such as a gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The transpose of the model's encoder: `[n_features, d_model]`.
    pub encoder: Vec<f32>,
    /// `[n_features]`.
    pub encoder_bias: Vec<f32>,
    /// `[n_features, d_model]`.
    pub decoder: Vec<f32>,
    /// `[d_model]`.
    pub decoder_bias: Vec<f32>,
    /// `[n_units, d_model]`, empty without units.
    pub effects: Vec<f32>,
}

/// What an autoencoder computes with.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// Its units; without them, or when nothing may combine, features speak one by one.
    pub units: Option<Speakers<'a>>,
    /// How many steps of refitting the active features get.
    pub refit_steps: usize,
    /// How many features are active in a row at most.
    pub sparsity_k: usize,
}

/// What decides which units speak, beside their effects.
#[derive(Clone, Copy, Debug)]
pub struct Speakers<'a> {
    /// The features that each unit combines; a unit of fewer than two never speaks.
    pub parts: &'a [Vec<usize>],
    /// Above which strength each speaks.
    pub thresholds: &'a [f32],
    /// How many of them speak on a row at most.
    pub speaking: usize,
}

impl Parameters {
    /// The parameters of a model.
    pub fn of(model: &Csae) -> Self {
        let effects = |units: &Units| to_vec(units.effects.val().without_autodiff());
        Self {
            encoder: to_vec(model.encoder.val().without_autodiff().transpose()),
            encoder_bias: to_vec(model.encoder_bias.val().without_autodiff()),
            decoder: to_vec(model.decoder.val().without_autodiff()),
            decoder_bias: to_vec(model.decoder_bias.val().without_autodiff()),
            effects: model.units.as_ref().map_or(vec![], effects),
        }
    }

    /// `model` with these parameters.
    pub fn put_into(&self, mut model: Csae) -> Csae {
        let device = model.decoder.val().device();
        let [n_features, d_model] = model.decoder.val().dims();
        let encoder = transposed(&self.encoder, d_model);
        model.encoder = param(encoder, [d_model, n_features], &device);
        model.encoder_bias = param(self.encoder_bias.clone(), [n_features], &device);
        model.decoder = param(self.decoder.clone(), [n_features, d_model], &device);
        model.decoder_bias = param(self.decoder_bias.clone(), [d_model], &device);
        if let Some(units) = &mut model.units {
            units.effects = param(self.effects.clone(), units.effects.val().dims(), &device);
        }
        model
    }

    /// As many zeros.
    pub fn zeros_like(&self) -> Self {
        Self {
            encoder: vec![0.0; self.encoder.len()],
            encoder_bias: vec![0.0; self.encoder_bias.len()],
            decoder: vec![0.0; self.decoder.len()],
            decoder_bias: vec![0.0; self.decoder_bias.len()],
            effects: vec![0.0; self.effects.len()],
        }
    }

    /// The width of a row.
    pub fn d_model(&self) -> usize {
        self.decoder_bias.len()
    }

    /// How many features there are.
    pub fn n_features(&self) -> usize {
        self.encoder_bias.len()
    }

    /// The direction of a feature.
    fn direction(&self, feature: u32) -> &[f32] {
        &self.decoder[feature as usize * self.d_model()..][..self.d_model()]
    }

    /// What a unit adds at strength 1.
    fn effect(&self, unit: u32) -> &[f32] {
        &self.effects[unit as usize * self.d_model()..][..self.d_model()]
    }
}

/// The transpose of a matrix whose rows are `width` long.
pub fn transposed(matrix: &[f32], width: usize) -> Vec<f32> {
    let column = |column: usize| matrix.iter().skip(column).step_by(width).copied();
    (0..width).flat_map(column).collect()
}
