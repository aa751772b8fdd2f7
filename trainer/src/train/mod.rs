//! Gradients: how the language model and the autoencoders learn. Knows no plan and no folder.

pub mod adam;
pub mod autoencoder;
pub mod composition;
mod descent;
pub mod dictionary;
mod learner;
pub mod lm;
pub mod loss;
#[cfg(test)]
mod reader;
pub mod rival;
pub mod rows;
pub mod schedule;

use std::time::{Duration, Instant};

use anyhow::Result;
use burn::prelude::*;
use shared::report::Metric;
use shared::weights::{Weight, Weights, to_vec};

use crate::interrupt;

/// How often a training offers what it has reached.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_secs(15);

/// All that a training needs to go on as if it had never stopped.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The model under `model.`, the optimizer under `first.` and `second.`, the rest by name.
    pub weights: Weights,
    /// How many steps are done.
    pub step: u64,
    /// How many seconds they took.
    pub seconds: f64,
    /// What was measured on the way.
    pub metrics: Vec<Metric>,
}

impl Snapshot {
    /// An error if this is of a longer training.
    fn check_step(&self, steps: u64) -> Result<(), Misfit> {
        match self.step <= steps {
            true => Ok(()),
            false => Err(Misfit(format!("step {} of {steps}", self.step))),
        }
    }

    /// What [`put_silence`] has kept of `n_features` features.
    fn silence(&self, n_features: usize, device: &Device) -> Result<(Tensor<1>, bool), Misfit> {
        let silent = self.weights.get("silent").map(|weight| &weight.values[..]);
        let any_dead = self.weights.get("any_dead").and_then(|weight| weight.values.first());
        let (Some(silent), Some(any_dead)) = (silent, any_dead) else {
            return Err(Misfit("no count of silent rows".into()));
        };
        match silent.len() == n_features {
            true => Ok((Tensor::from_floats(silent, device), *any_dead > 0.0)),
            false => Err(Misfit(format!("{} counts of silent rows", silent.len()))),
        }
    }
}

/// Keeps for how many rows each feature has been silent, and whether one was dead when last looked.
pub(crate) fn put_silence(all: &mut Weights, silent: &Tensor<1>, any_dead: bool) {
    let silent = to_vec(silent.clone());
    all.insert("silent".into(), Weight { shape: vec![silent.len()], values: silent });
    let any_dead = vec![f32::from(u8::from(any_dead))];
    all.insert("any_dead".into(), Weight { shape: vec![1], values: any_dead });
}

/// A snapshot that does not belong to the training that was to go on from it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

/// A training that has left the numbers that can be computed with.
#[derive(Debug, thiserror::Error)]
#[error(
    "{stage} diverged: its loss at step {step} is not a number\n  \
     fix: a smaller learning rate, or another seed"
)]
pub struct Diverged {
    /// What was trained.
    pub stage: String,
    /// After how many steps.
    pub step: u64,
}

impl Diverged {
    /// What diverged where, as in `topk lr=0.1 seed=0 at step 50`.
    pub fn place(&self) -> String {
        format!("{} at step {}", self.stage, self.step)
    }
}

/// An error if a loss that was just measured is not finite.
fn check_finite(metric: &Metric) -> Result<(), Diverged> {
    match metric.values.values().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(Diverged { stage: metric.stage.clone(), step: metric.step }),
    }
}

/// Who watches a training.
pub trait Observer {
    /// `step` steps are done; `message` says how it stands.
    fn progress(&mut self, step: u64, message: &dyn Fn() -> String);

    /// Keeps what the training has reached.
    ///
    /// # Errors
    /// It cannot be kept; the training stops.
    fn save(&mut self, snapshot: Snapshot) -> Result<()>;
}

/// Nobody watches, nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Observer for Unwatched {
    fn progress(&mut self, _step: u64, _message: &dyn Fn() -> String) {}

    fn save(&mut self, _snapshot: Snapshot) -> Result<()> {
        Ok(())
    }
}

/// What learns step by step, and can be put down and taken up again.
trait Training {
    /// How many steps are done.
    fn step(&self) -> u64;

    /// All that it needs to go on, if its steps took so many seconds.
    fn snapshot(&self, seconds: f64) -> Snapshot;
}

/// Takes the steps that are left of `steps`, each by `step`, which gives what is said of it to who watches,
/// and keeps what was reached. `before` are the seconds of the steps that are done; gives those of all.
fn take_steps<T: Training, Said: Fn() -> String>(
    training: &mut T,
    (steps, before): (u64, f64),
    observer: &mut dyn Observer,
    mut step: impl FnMut(&mut T) -> Result<Said>,
) -> Result<f64> {
    let mut clock = Clock::new(before);
    let resumed_at = training.step();
    while training.step() < steps {
        let said = step(training)?;
        observer.progress(training.step(), &said);
        clock.tick(observer, |seconds| training.snapshot(seconds))?;
    }
    let seconds = clock.seconds();
    if training.step() > resumed_at {
        observer.save(training.snapshot(seconds))?;
    }
    Ok(seconds)
}

/// The clock of a training: seconds over all its parts, and when to offer a snapshot.
struct Clock {
    before: f64,
    started: Instant,
    saved: Instant,
}

impl Clock {
    fn new(seconds_before: f64) -> Self {
        Self { before: seconds_before, started: Instant::now(), saved: Instant::now() }
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Offers a snapshot when it is time to, and stops when the user wants to.
    fn tick(
        &mut self,
        observer: &mut dyn Observer,
        snapshot: impl FnOnce(f64) -> Snapshot,
    ) -> Result<()> {
        if interrupt::requested() {
            observer.save(snapshot(self.seconds()))?;
            return Err(interrupt::stopped().into());
        }
        if self.saved.elapsed() >= BETWEEN_SNAPSHOTS {
            observer.save(snapshot(self.seconds()))?;
            self.saved = Instant::now();
        }
        Ok(())
    }
}
