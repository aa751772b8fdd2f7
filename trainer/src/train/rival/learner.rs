//! How a rival learns from one batch: by tensors and autodiff on any device, or by the csae's kernel
//! where the processor computes and that knows the rival. Both do the same.

use anyhow::Result;
use burn::prelude::*;
use shared::kernels::csae::{self as kernel, Choice, Parameters};
use shared::kernels::on_processor;
use shared::sae::Teachable;
use shared::weights::{self, Weights, to_vec};

use super::Terms;
use crate::train::adam::{Adam, AdamConfig};
use crate::train::descent::{Descent, are_above_0};
use crate::train::learner::across;

/// What is learned from in one step.
#[derive(Clone, Debug)]
pub(super) struct Lesson {
    /// `[batch, d_model]`.
    pub(super) rows: Tensor<2>,
    /// 1 for features that are dead unless they fire on these rows, if there are any:
    /// `[n_features]`.
    pub(super) dead: Option<Tensor<1>>,
    pub(super) auxk_weight: f64,
    /// The learning rate.
    pub(super) rate: f64,
}

/// What a step has shown.
pub(super) struct Learned {
    pub(super) terms: Terms,
    /// On how many rows each feature fires: `[n_features]`.
    pub(super) fired: Tensor<1>,
}

/// A model with what its optimizer remembers.
pub(super) enum Learner<M> {
    ByTensors(Box<ByTensors<M>>),
    ByKernel(Box<ByKernel<M>>),
}

impl<M: Teachable> Learner<M> {
    /// A learner for `model`, whose tensors are on `device`.
    pub(super) fn new(model: M, device: &Device) -> Self {
        match on_processor(device).then(|| ByKernel::new(&model)).flatten() {
            Some(learner) => Self::ByKernel(Box::new(learner)),
            None => Self::ByTensors(Box::new(ByTensors::new(model))),
        }
    }

    /// One step.
    pub(super) fn learn(&mut self, lesson: Lesson) -> Learned {
        match self {
            Self::ByTensors(learner) => learner.learn(lesson),
            Self::ByKernel(learner) => learner.learn(lesson),
        }
    }

    /// The model as it is, on the device of autodiff.
    pub(super) fn model(&self) -> M {
        match self {
            Self::ByTensors(learner) => learner.model.clone(),
            Self::ByKernel(learner) => learner.model(),
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

    /// Goes on from what [`Self::save`] wrote after `steps` steps.
    ///
    /// # Errors
    /// The weights are those of another model, or the memory does not fit them.
    pub(super) fn load(&mut self, stored: &Weights, steps: u64, device: &Device) -> Result<()> {
        let model = weights::load(self.model(), &weights::part(stored, "model."))?;
        let mut adam = Adam::new(AdamConfig::default());
        adam.load(stored, steps, device)?;
        match self {
            Self::ByTensors(learner) => **learner = ByTensors { model, adam },
            Self::ByKernel(learner) => learner.go_on(model, &adam, i32::try_from(steps)?),
        }
        Ok(())
    }
}

/// By tensors and autodiff.
pub(super) struct ByTensors<M> {
    model: M,
    adam: Adam,
}

impl<M: Teachable> ByTensors<M> {
    fn new(model: M) -> Self {
        Self { model, adam: Adam::new(AdamConfig::default()) }
    }

    fn learn(&mut self, lesson: Lesson) -> Learned {
        let Lesson { rows, dead, auxk_weight, rate } = lesson;
        let output = self.model.forward_training(rows.clone());
        let code = output.code.clone().without_autodiff();
        let fired = firings(&code);
        let terms = Terms::of(rows, &output, self.revival(dead, &fired), auxk_weight);
        let mut gradients = terms.total().backward();
        if let Some(decoder) = self.model.unit_decoder() {
            across(decoder, &mut gradients);
        }
        let model = self.adam.step(rate, self.model.clone(), gradients);
        self.model = model.after_step(code);
        Learned { terms, fired }
    }

    /// Those of the `dead` that do not fire, and by what they explain the residual.
    fn revival(
        &self,
        dead: Option<Tensor<1>>,
        fired: &Tensor<1>,
    ) -> Option<(Tensor<1>, Tensor<2>)> {
        let dead = dead?.mask_fill(fired.clone().greater_scalar(0.0), 0.0);
        Some((dead, self.model.auxiliary_decoder()?))
    }
}

/// On how many rows of `code`, `[batch, n_features]`, each feature fires: `[n_features]`.
pub(super) fn firings(code: &Tensor<2>) -> Tensor<1> {
    code.clone().greater_scalar(0.0).float().sum_dim(0).squeeze_dim(0)
}

/// By the kernel.
pub(super) struct ByKernel<M> {
    /// The shape of the model, and what no gradient changes.
    frame: M,
    choice: Choice,
    sparsity_k: usize,
    descent: Descent,
}

impl<M: Teachable> ByKernel<M> {
    /// A learner for `model`, if the kernel knows it.
    fn new(model: &M) -> Option<Self> {
        let dictionary = model.dictionary()?;
        let (choice, sparsity_k) = kernel::choice_of(dictionary)?;
        let descent = Descent::new(Parameters::of_dictionary(dictionary));
        Some(Self { frame: model.clone(), choice, sparsity_k, descent })
    }

    fn learn(&mut self, lesson: Lesson) -> Learned {
        self.run(&lesson);
        self.descent.descend(lesson.rate, false);
        let device = lesson.rows.device();
        let dictionary = self.frame.dictionary_mut();
        if let (Some(dictionary), Some(least)) = (dictionary, self.descent.step.least) {
            dictionary.remember(Tensor::from_floats([least], &device));
        }
        let (error, auxk) = self.descent.terms(&device);
        let terms = Terms { error, penalty: None, auxk };
        Learned { terms, fired: self.descent.fired(&device) }
    }

    /// Finds the gradient.
    fn run(&mut self, lesson: &Lesson) {
        let dead = lesson.dead.clone().map(are_above_0);
        let model = kernel::Model {
            parameters: &self.descent.parameters,
            units: None,
            combination_size: 1,
            refit_steps: 0,
            sparsity_k: self.sparsity_k,
            choice: self.choice,
        };
        let task = kernel::Task {
            dead: dead.as_deref(),
            firing_wakes: true,
            auxk_weight: lesson.auxk_weight,
        };
        self.descent.step.run(&model, &to_vec(lesson.rows.clone()), &task);
    }

    fn model(&self) -> M {
        let mut model = self.frame.clone();
        if let Some(dictionary) = model.dictionary_mut() {
            self.descent.parameters.put_into_dictionary(dictionary);
        }
        model
    }

    /// Goes on with `model` and with what `adam` remembers after `time` steps.
    fn go_on(&mut self, model: M, adam: &Adam, time: i32) {
        if let Some(dictionary) = model.dictionary() {
            self.descent = Descent::new(Parameters::of_dictionary(dictionary));
        }
        self.descent.load(adam, time);
        self.frame = model;
    }
}

#[cfg(test)]
mod tests;
