//! How an autoencoder learns from one batch: by tensors and autodiff on any device, or by the
//! kernel where the processor computes and features attend to each other twice at most. Both do the
//! same.

use anyhow::Result;
use burn::module::Param;
use burn::prelude::*;
use burn::tensor::Gradients;
use shared::csae::unit_rows;
use shared::kernels::csae::{self as kernel, Choice, Parameters, Speakers};
use shared::kernels::on_processor;
use shared::weights::{self, Weights, to_vec};
use shared::{Csae, Limits, TopK, Units, UnitsPrinciple};

use super::adam::{Adam, AdamConfig};
use super::composition;
use super::descent::{Descent, are_above_0};
use super::loss::{LossTerms, Penalties};

/// What is learned from in one step.
#[derive(Debug)]
pub(super) struct Lesson<'a> {
    /// `[batch, d_model]`.
    pub(super) rows: Tensor<2>,
    /// What is to be made of them, if not they themselves: `[batch, d_model]`. By tensors only.
    pub(super) targets: Option<Tensor<2>>,
    pub(super) limits: Limits,
    /// 1 for dead features, if there are any: `[n_features]`.
    pub(super) dead: Option<Tensor<1>>,
    pub(super) auxk_weight: f64,
    /// By tensors only.
    pub(super) penalties: Penalties,
    /// The learning rate.
    pub(super) rate: f64,
    /// The parts of each unit; none before units have looked for any.
    pub(super) parts: &'a [Vec<usize>],
}

/// A model with what its optimizer remembers.
pub(super) enum Learner {
    ByTensors(Box<ByTensors>),
    ByKernel(Box<ByKernel>),
}

impl Learner {
    /// A learner for `model`, whose tensors are on `device`; by tensors if the training asks for what
    /// the kernel cannot do, which transcodes nothing and knows no penalties.
    pub(super) fn new(model: Csae, device: &Device, by_tensors: bool) -> Self {
        match kernel::learns(&model) && on_processor(device) && !by_tensors {
            true => Self::ByKernel(Box::new(ByKernel::new(model))),
            false => Self::ByTensors(Box::new(ByTensors::new(model))),
        }
    }

    /// One step. Gives the loss terms, and numbers above 0 for the features that fired,
    /// `[n_features]`.
    pub(super) fn learn(&mut self, lesson: Lesson) -> (LossTerms, Tensor<1>) {
        match self {
            Self::ByTensors(learner) => learner.learn(lesson),
            Self::ByKernel(learner) => learner.learn(lesson),
        }
    }

    /// The model as it is, on the device of autodiff.
    pub(super) fn model(&self) -> Csae {
        match self {
            Self::ByTensors(learner) => learner.model.clone(),
            Self::ByKernel(learner) => learner.model(),
        }
    }

    /// Goes on with `model`, some features of which are others.
    pub(super) fn replace(&mut self, model: Csae) {
        match self {
            Self::ByTensors(learner) => learner.model = model,
            Self::ByKernel(learner) => learner.replace(model),
        }
    }

    /// Goes on with `model`, whose units are others.
    pub(super) fn recompose(&mut self, model: Csae) {
        self.replace(model);
        match self {
            Self::ByTensors(learner) => learner.adam.forget("units.effects"),
            Self::ByKernel(learner) => learner.descent.forget("units.effects"),
        }
    }

    /// Writes the model under `model.`, the optimizer's memory under `first.` and `second.`.
    pub(super) fn save(&self, weights: &mut Weights) {
        weights::put(weights, "model.", weights::of(&self.model()));
        match self {
            Self::ByTensors(learner) => learner.adam.save(weights),
            Self::ByKernel(learner) => learner.descent.save(weights),
        }
    }

    /// Reads what [`Self::save`] wrote after `steps` steps.
    ///
    /// # Errors
    /// The weights are those of another model, or the memory does not fit them.
    pub(super) fn load(&mut self, stored: &Weights, steps: u64, device: &Device) -> Result<()> {
        let model = weights::load(self.model(), &weights::part(stored, "model."))?;
        let mut adam = Adam::new(AdamConfig::default());
        adam.load(stored, steps, device)?;
        *self = Self::new(model, device, matches!(self, Self::ByTensors(_)));
        match self {
            Self::ByTensors(learner) => learner.adam = adam,
            Self::ByKernel(learner) => learner.descent.load(&adam, i32::try_from(steps)?),
        }
        Ok(())
    }
}

/// The parts whose directions each unit leaves out of its effect: none without orthogonality.
fn left_out<'a>(model: &Csae, parts: &'a [Vec<usize>]) -> &'a [Vec<usize>] {
    let without = model.units.as_ref().and_then(|units: &Units| units.without);
    if without == Some(UnitsPrinciple::Orthogonality) { &[] } else { parts }
}

/// By tensors and autodiff.
pub(super) struct ByTensors {
    model: Csae,
    adam: Adam,
}

impl ByTensors {
    fn new(model: Csae) -> Self {
        Self { model, adam: Adam::new(AdamConfig::default()) }
    }

    fn learn(&mut self, lesson: Lesson) -> (LossTerms, Tensor<1>) {
        let Lesson { rows, targets, limits, dead, auxk_weight, penalties, rate, parts } = lesson;
        let output = match targets {
            None => self.model.forward(rows.clone(), limits),
            Some(_) => self.model.transcode(rows.clone(), limits),
        };
        let fired = fired(&output.active, self.model.encoder_bias.val().dims()[0]);
        let wanted = targets.unwrap_or(rows);
        let terms = LossTerms::of(&self.model, wanted, &output, dead, auxk_weight);
        let terms = terms.penalized(&self.model, &output, penalties);
        let mut gradients = terms.total().backward();
        across(&self.model.decoder, &mut gradients);
        let mut model = self.adam.step(rate, self.model.clone(), gradients);
        model.decoder = model.decoder.map(|decoder| {
            Tensor::from_inner(unit_rows(decoder.without_autodiff())).require_grad()
        });
        let parts = left_out(&model, parts);
        self.model = composition::make_orthogonal(model, parts);
        (terms, fired)
    }
}

/// On how many rows each feature fires: `[n_features]`.
fn fired(active: &TopK, n_features: usize) -> Tensor<1> {
    let on = active.values.clone().without_autodiff().greater_scalar(0.0).float();
    let on = TopK { values: on, indices: active.indices.clone() };
    on.into_dense(n_features).sum_dim(0).squeeze_dim(0)
}

/// Takes out of the decoder's gradient what would only change the lengths of directions.
pub(super) fn across(decoder: &Param<Tensor<2>>, gradients: &mut Gradients) {
    let tensor = decoder.val();
    if let Some(gradient) = tensor.grad(gradients) {
        let direction = tensor.clone().without_autodiff();
        let along = (gradient.clone() * direction.clone()).sum_dim(1);
        tensor.grad_replace(gradients, gradient - direction * along);
    }
}

/// By the kernel.
pub(super) struct ByKernel {
    /// The shape of the model, and what no gradient changes.
    frame: Csae,
    thresholds: Vec<f32>,
    descent: Descent,
}

impl ByKernel {
    fn new(frame: Csae) -> Self {
        let descent = Descent::new(Parameters::of(&frame));
        Self { thresholds: thresholds(&frame), descent, frame }
    }

    fn learn(&mut self, lesson: Lesson) -> (LossTerms, Tensor<1>) {
        let device = lesson.rows.device();
        let units = self.frame.units.as_ref().filter(|_| lesson.limits.combination_size > 1);
        let speakers = units.map(|units| Speakers {
            parts: lesson.parts,
            thresholds: &self.thresholds,
            speaking: units.speaking,
        });
        let model = kernel::Model {
            parameters: &self.descent.parameters,
            units: speakers,
            combination_size: lesson.limits.combination_size,
            refit_steps: self.frame.refit_steps,
            sparsity_k: lesson.limits.sparsity_k,
            choice: Choice::Row,
        };
        let dead = lesson.dead.map(are_above_0);
        let task = kernel::Task {
            dead: dead.as_deref(),
            firing_wakes: false,
            auxk_weight: lesson.auxk_weight,
        };
        self.descent.step.run(&model, &to_vec(lesson.rows), &task);
        self.descent.descend(lesson.rate, lesson.limits.combination_size > 1);
        let parts = left_out(&self.frame, lesson.parts);
        let Parameters { effects, decoder, decoder_bias, .. } = &mut self.descent.parameters;
        composition::clear_effects(effects, decoder, decoder_bias.len(), parts);
        let (mse, auxk) = self.descent.terms(&device);
        let terms = LossTerms { mse, auxk, diversity: None, entropy: None };
        (terms, self.descent.fired(&device))
    }

    fn model(&self) -> Csae {
        self.descent.parameters.put_into(self.frame.clone())
    }

    fn replace(&mut self, model: Csae) {
        self.descent.parameters = Parameters::of(&model);
        self.thresholds = thresholds(&model);
        self.frame = model;
    }
}

fn thresholds(model: &Csae) -> Vec<f32> {
    let of = |units: &shared::Units| to_vec(units.threshold.val().without_autodiff());
    model.units.as_ref().map_or(vec![], of)
}

#[cfg(test)]
mod tests;
