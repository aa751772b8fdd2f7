//! Trains the character-level language model by nanoGPT's recipe.

use anyhow::Result;
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use shared::report::Metric;
use shared::weights::{self, Weights};
use shared::{CharLm, CharLmConfig};

use super::adam::{Adam, AdamConfig};
use super::schedule::cosine_rate;
use super::{Clock, Observer, Snapshot, check_finite};
use crate::data::{Batch, Batches, Corpus};
use crate::plan::LmTraining;

/// What to train, and on what.
#[derive(Clone, Debug)]
pub struct LmTask<'a> {
    /// The model's shape.
    pub config: &'a CharLmConfig,
    /// The recipe.
    pub training: &'a LmTraining,
    /// The text.
    pub corpus: &'a Corpus,
    /// Of weights and batches.
    pub seed: u64,
    /// Where to compute.
    pub device: &'a Device,
}

/// A trained language model and how its training went.
#[derive(Clone, Debug)]
pub struct TrainedLm {
    /// The model when its validation loss was lowest, without autodiff: what nanoGPT keeps.
    pub model: CharLm,
    /// How long the training took, its evaluations included.
    pub seconds: f64,
    /// The losses on the way.
    pub metrics: Vec<Metric>,
}

/// Trains a language model, from `resume` on if there is one.
///
/// # Errors
/// The snapshot does not fit, the observer cannot save, or the user stops the training.
pub fn train(
    task: &LmTask,
    resume: Option<Snapshot>,
    observer: &mut dyn Observer,
) -> Result<TrainedLm> {
    let mut state = State::start(task, resume)?;
    let mut clock = Clock::new(state.seconds);
    let resumed_at = state.step;
    while state.step < task.training.iterations {
        let loss = state.learn(task)?;
        let message = || {
            let loss = loss.clone().into_scalar::<f32>();
            format!("loss {loss:.3} val {:.3}", state.last("val"))
        };
        observer.progress(state.step, &message);
        clock.tick(observer, |seconds| state.snapshot(seconds))?;
    }
    state.evaluate(task)?;
    let seconds = clock.seconds();
    if state.step > resumed_at {
        observer.save(state.snapshot(seconds))?;
    }
    let model = weights::load(state.model.valid(), &state.best)?;
    Ok(TrainedLm { model, seconds, metrics: state.metrics })
}

struct State {
    model: CharLm,
    adam: Adam,
    /// The parameters when the validation loss was lowest.
    best: Weights,
    step: u64,
    seconds: f64,
    metrics: Vec<Metric>,
}

impl State {
    fn start(task: &LmTask, resume: Option<Snapshot>) -> Result<Self> {
        let mut state = Self {
            model: task.config.init(task.seed, &task.device.clone().autodiff()),
            adam: Adam::new(AdamConfig {
                beta2: task.training.beta2,
                weight_decay: task.training.weight_decay,
                clip: Some(task.training.clip),
                ..AdamConfig::default()
            }),
            best: Weights::new(),
            step: 0,
            seconds: 0.0,
            metrics: vec![],
        };
        if let Some(snapshot) = resume {
            snapshot.check_step(task.training.iterations)?;
            state.best = weights::part(&snapshot.weights, "best.");
            state.model = weights::load(state.model, &weights::part(&snapshot.weights, "model."))?;
            state.adam.load(&snapshot.weights, snapshot.step, task.device)?;
            state.step = snapshot.step;
            state.seconds = snapshot.seconds;
            state.metrics = snapshot.metrics;
        }
        Ok(state)
    }

    /// One step, after the evaluation that falls on it; gives the step's loss.
    fn learn(&mut self, task: &LmTask) -> Result<Tensor<1>> {
        if self.step.is_multiple_of(task.training.eval_interval) {
            self.evaluate(task)?;
        }
        let batch = batches(task, "language model batches").at(&task.corpus.train, self.step);
        let loss = cross_entropy(&self.model, &batch, task.device).mean();
        let rate = cosine_rate(self.step, task.training);
        self.model = self.adam.step(rate, self.model.clone(), loss.backward());
        self.step += 1;
        Ok(loss)
    }

    fn snapshot(&self, seconds: f64) -> Snapshot {
        let mut all = Weights::new();
        weights::put(&mut all, "model.", weights::of(&self.model));
        weights::put(&mut all, "best.", self.best.clone());
        self.adam.save(&mut all);
        Snapshot { weights: all, step: self.step, seconds, metrics: self.metrics.clone() }
    }

    /// Measures both losses on the same batches every time, and keeps them.
    fn evaluate(&mut self, task: &LmTask) -> Result<()> {
        if self.metrics.last().is_some_and(|metric| metric.step == self.step) {
            return Ok(());
        }
        let model = self.model.valid();
        let count = task.training.eval_batches;
        let mean = |ids: &[u32], stream: &str| {
            let batches = batches(task, stream);
            let loss = |step| {
                let losses = cross_entropy(&model, &batches.at(ids, step), task.device);
                f64::from(losses.mean().into_scalar::<f32>())
            };
            (0..count).map(loss).sum::<f64>() / count as f64
        };
        let values = [
            ("train".to_string(), mean(&task.corpus.train, "evaluation on training text")),
            ("val".to_string(), mean(&task.corpus.validation, "evaluation on validation text")),
        ];
        let metric = Metric { stage: "lm".into(), step: self.step, values: values.into() };
        check_finite(&metric)?;
        let before = self.metrics.iter().map(|metric| metric.values["val"]);
        if metric.values["val"] < before.fold(f64::INFINITY, f64::min) {
            self.best = weights::of(&self.model);
        }
        self.metrics.push(metric);
        Ok(())
    }

    fn last(&self, split: &str) -> f64 {
        self.metrics.last().and_then(|metric| metric.values.get(split)).copied().unwrap_or(f64::NAN)
    }
}

fn batches(task: &LmTask, stream: &str) -> Batches {
    Batches {
        block_size: task.config.block_size,
        batch_size: task.training.batch_size,
        seed: task.seed,
        stream: stream.into(),
    }
}

/// The loss at every character of a batch, in nats: `[batch_size * block_size]`.
pub fn cross_entropy(model: &CharLm, batch: &Batch, device: &Device) -> Tensor<1> {
    let shape = [batch.batch_size, batch.block_size];
    losses(model.logits(ids(&batch.inputs, shape, device)), &batch.targets)
}

/// `-log p(target)` for each of the `targets`, in the order of the logits'
/// `[batch, length, vocab_size]` first two axes.
pub fn losses(logits: Tensor<3>, targets: &[u32]) -> Tensor<1> {
    let [batch, length, vocab_size] = logits.dims();
    let logits = logits.reshape([batch * length, vocab_size]);
    let targets = ids(targets, [batch * length, 1], &logits.device());
    log_softmax(logits, 1).gather(1, targets).neg().reshape([batch * length])
}

/// Token ids as a tensor of this shape.
pub fn ids<const D: usize>(ids: &[u32], shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}

#[cfg(test)]
mod tests {
    use super::super::Unwatched;
    use super::*;
    use crate::data::languages::{Language, Split};
    use crate::plan::{Profile, ProfileName};

    fn corpus() -> Corpus {
        let text = Language::Arithmetic.generate(1, Split::Train, 200).text;
        Corpus::from_text("arithmetic", &text, "generated", 100).unwrap()
    }

    #[test]
    fn a_resumed_training_ends_with_the_same_bits() {
        let corpus = corpus();
        let mut profile = Profile::named(ProfileName::Smoke);
        profile.lm.vocab_size = corpus.vocab.len();
        profile.lm_training.iterations = 8;
        let task = LmTask {
            config: &profile.lm,
            training: &profile.lm_training,
            corpus: &corpus,
            seed: 1,
            device: &Device::flex(),
        };
        let straight = train(&task, None, &mut Unwatched).unwrap();

        let mut state = State::start(&task, None).unwrap();
        for _ in 0..4 {
            state.learn(&task).unwrap();
        }
        let resumed = train(&task, Some(state.snapshot(0.0)), &mut Unwatched).unwrap();

        assert_eq!(weights::of(&resumed.model), weights::of(&straight.model));
        assert_eq!(resumed.metrics, straight.metrics);
        assert!(straight.metrics[1].values["val"] < straight.metrics[0].values["val"]);
    }

    #[test]
    fn the_loss_of_a_sure_and_right_guess_is_zero() {
        let logits = Tensor::<3>::from_data([[[50.0, 0.0], [0.0, 50.0]]], &Device::flex());

        let losses = losses(logits, &[0, 0]).into_data().try_into_vec::<f32>().unwrap();

        assert_eq!(losses[0], 0.0);
        assert!((losses[1] - 50.0).abs() < 1e-4);
    }
}
