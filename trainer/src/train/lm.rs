//! Trains the character-level language model by nanoGPT's recipe: on the processor by the kernel,
//! elsewhere by tensors and autodiff. Both do the same.

use anyhow::Result;
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use shared::kernels::adam::{AdamRates, adam};
use shared::kernels::char_lm::{Layout, Step};
use shared::kernels::on_processor;
use shared::report::Metric;
use shared::weights::{self, Weights, to_vec};
use shared::{CharLm, CharLmConfig};

use super::adam::{Adam, AdamConfig};
use super::schedule::cosine_rate;
use super::{Observer, Snapshot, Training, check_finite, take_steps};
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

impl LmTask<'_> {
    /// How much each target of a batch counts.
    fn weights(&self, batch: &Batch) -> Vec<f32> {
        let emphasis = self.training.emphasis.as_ref();
        let heavy = emphasis.and_then(|it| Some((self.corpus.vocab.id(it.after)?, it.times)));
        let weight = |id: &u32| match heavy {
            Some((after, times)) if after == *id as usize => times,
            _ => 1.0,
        };
        batch.inputs.iter().map(weight).collect()
    }
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
    let all = (task.training.iterations, state.seconds);
    let seconds = take_steps(&mut state, all, observer, |state| {
        let loss = state.learn(task)?;
        let val = state.last("val");
        Ok(move || format!("loss {:.3} val {val:.3}", loss.number()))
    })?;
    let model = weights::load(task.config.init(task.seed, task.device), &state.best)?;
    Ok(TrainedLm { model, seconds, metrics: state.metrics })
}

struct State {
    learner: Learner,
    /// The parameters when the validation loss was lowest.
    best: Weights,
    step: u64,
    seconds: f64,
    metrics: Vec<Metric>,
}

impl State {
    fn start(task: &LmTask, resume: Option<Snapshot>) -> Result<Self> {
        let model = task.config.init(task.seed, &task.device.clone().autodiff());
        let mut state = Self {
            learner: Learner::new(task, model)?,
            best: Weights::new(),
            step: 0,
            seconds: 0.0,
            metrics: vec![],
        };
        if let Some(snapshot) = resume {
            snapshot.check_step(task.training.iterations)?;
            state.best = weights::part(&snapshot.weights, "best.");
            state.learner.load(task, &snapshot.weights, snapshot.step)?;
            state.step = snapshot.step;
            state.seconds = snapshot.seconds;
            state.metrics = snapshot.metrics;
        }
        Ok(state)
    }

    /// One step, after the evaluation that falls on it, and before that at the end; gives the step's loss.
    fn learn(&mut self, task: &LmTask) -> Result<Loss> {
        if self.step.is_multiple_of(task.training.eval_interval) {
            self.evaluate(task)?;
        }
        let batch = batches(task, "language model batches").at(&task.corpus.train, self.step);
        let loss = self.learner.learn(task, &batch, cosine_rate(self.step, task.training));
        self.step += 1;
        if self.step == task.training.iterations {
            self.evaluate(task)?;
        }
        Ok(loss)
    }

    /// Measures both losses on the same batches every time, and keeps them.
    fn evaluate(&mut self, task: &LmTask) -> Result<()> {
        if self.metrics.last().is_some_and(|metric| metric.step == self.step) {
            return Ok(());
        }
        let mut mean = |ids: &[u32], stream: &str| {
            let batches = batches(task, stream);
            let some = (0..task.training.eval_batches).map(|step| batches.at(ids, step));
            self.learner.mean_loss(task, some)
        };
        let values = [
            ("train".to_string(), mean(&task.corpus.train, "evaluation on training text")),
            ("val".to_string(), mean(&task.corpus.validation, "evaluation on validation text")),
        ];
        let metric = Metric { stage: "lm".into(), step: self.step, values: values.into() };
        check_finite(&metric)?;
        let before = self.metrics.iter().map(|metric| metric.values["val"]);
        if metric.values["val"] < before.fold(f64::INFINITY, f64::min) {
            self.best = self.learner.weights();
        }
        self.metrics.push(metric);
        Ok(())
    }

    fn last(&self, split: &str) -> f64 {
        self.metrics.last().and_then(|metric| metric.values.get(split)).copied().unwrap_or(f64::NAN)
    }
}

impl Training for State {
    fn step(&self) -> u64 {
        self.step
    }

    fn snapshot(&self, seconds: f64) -> Snapshot {
        let mut all = Weights::new();
        weights::put(&mut all, "best.", self.best.clone());
        self.learner.save(&mut all);
        Snapshot { weights: all, step: self.step, seconds, metrics: self.metrics.clone() }
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
fn losses(logits: Tensor<3>, targets: &[u32]) -> Tensor<1> {
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

/// A step's loss.
enum Loss {
    Number(f64),
    /// Not yet read from the device.
    Tensor(Box<Tensor<1>>),
}

impl Loss {
    fn number(&self) -> f64 {
        match self {
            Self::Number(loss) => *loss,
            Self::Tensor(loss) => f64::from(loss.as_ref().clone().into_scalar::<f32>()),
        }
    }
}

/// A model with what its optimizer remembers.
enum Learner {
    ByTensors(Box<ByTensors>),
    ByKernel(Box<ByKernel>),
}

struct ByTensors {
    model: CharLm,
    adam: Adam,
}

/// Parameters and the running means of their gradient and its square, as the layout has them.
struct ByKernel {
    layout: Layout,
    parameters: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    time: i32,
    step: Step,
}

impl Learner {
    fn new(task: &LmTask, model: CharLm) -> Result<Self> {
        if !on_processor(task.device) {
            let adam = Adam::new(adam_config(task.training));
            return Ok(Self::ByTensors(Box::new(ByTensors { model, adam })));
        }
        let layout = Layout::new(task.config);
        let parameters = layout.read(&weights::of(&model))?;
        let zeros = vec![0.0; parameters.len()];
        let (first, second) = (zeros.clone(), zeros);
        let step = Step::default();
        Ok(Self::ByKernel(Box::new(ByKernel { layout, parameters, first, second, time: 0, step })))
    }

    /// One step.
    fn learn(&mut self, task: &LmTask, batch: &Batch, rate: f64) -> Loss {
        match self {
            Self::ByTensors(learner) => {
                let losses = cross_entropy(&learner.model, batch, task.device);
                let weights = Tensor::from_data(&task.weights(batch)[..], task.device);
                let loss = (losses * weights.clone()).sum() / weights.sum();
                learner.model = learner.adam.step(rate, learner.model.clone(), loss.backward());
                Loss::Tensor(Box::new(loss))
            }
            Self::ByKernel(learner) => Loss::Number(learner.learn(task, batch, rate)),
        }
    }

    /// The mean loss over batches. A graphics card is waited for once, not for each of them.
    fn mean_loss(&mut self, task: &LmTask, batches: impl Iterator<Item = Batch>) -> f64 {
        let losses: Vec<f64> = match self {
            Self::ByTensors(learner) => {
                let model = learner.model.valid();
                let loss = |batch: Batch| cross_entropy(&model, &batch, task.device).mean();
                let losses = to_vec(Tensor::cat(batches.map(loss).collect(), 0));
                losses.into_iter().map(f64::from).collect()
            }
            Self::ByKernel(learner) => {
                let ByKernel { layout, parameters, step, .. } = &mut **learner;
                let mut loss = |Batch { inputs, targets, block_size, .. }: Batch| {
                    step.loss(layout, parameters, [&inputs, &targets], block_size)
                };
                batches.map(&mut loss).collect()
            }
        };
        losses.iter().sum::<f64>() / losses.len() as f64
    }

    fn weights(&self) -> Weights {
        match self {
            Self::ByTensors(learner) => weights::of(&learner.model),
            Self::ByKernel(learner) => learner.layout.weights(&learner.parameters),
        }
    }

    /// Writes the model under `model.`, the optimizer's memory under `first.` and `second.`.
    fn save(&self, all: &mut Weights) {
        weights::put(all, "model.", self.weights());
        match self {
            Self::ByTensors(learner) => learner.adam.save(all),
            Self::ByKernel(learner) => {
                weights::put(all, "first.", learner.layout.weights(&learner.first));
                weights::put(all, "second.", learner.layout.weights(&learner.second));
            }
        }
    }

    /// Reads what [`Self::save`] wrote after `steps` steps.
    fn load(&mut self, task: &LmTask, stored: &Weights, steps: u64) -> Result<()> {
        match self {
            Self::ByTensors(learner) => {
                let model = learner.model.clone();
                learner.model = weights::load(model, &weights::part(stored, "model."))?;
                learner.adam.load(stored, steps, task.device)
            }
            Self::ByKernel(learner) => {
                let part = |name| learner.layout.read(&weights::part(stored, name));
                let (parameters, first) = (part("model.")?, part("first.")?);
                learner.second = part("second.")?;
                (learner.parameters, learner.first) = (parameters, first);
                learner.time = i32::try_from(steps)?;
                Ok(())
            }
        }
    }
}

impl ByKernel {
    fn learn(&mut self, task: &LmTask, batch: &Batch, rate: f64) -> f64 {
        let Self { layout, parameters, first, second, time, step } = self;
        let text = [&batch.inputs[..], &batch.targets];
        let loss = step.run(layout, parameters, text, &task.weights(batch), batch.block_size);
        *time += 1;
        let config = adam_config(task.training);
        let squares = step.gradient.iter().map(|value| f64::from(*value).powi(2));
        let length = squares.sum::<f64>().sqrt();
        let mut rates = AdamRates {
            rate,
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            time: *time,
            decay: 0.0,
            shorten: (task.training.clip / (length + 1e-6)).min(1.0),
        };
        for (range, is_matrix) in layout.ranges() {
            rates.decay = if is_matrix { config.weight_decay } else { 0.0 };
            let (first, second) = (&mut first[range.clone()], &mut second[range.clone()]);
            adam(&rates, &mut parameters[range.clone()], &step.gradient[range], first, second);
        }
        loss
    }
}

fn adam_config(training: &LmTraining) -> AdamConfig {
    AdamConfig {
        beta2: training.beta2,
        weight_decay: training.weight_decay,
        clip: Some(training.clip),
        ..AdamConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Unwatched;
    use super::*;
    use crate::data::languages::{Language, Split};
    use crate::plan::{Emphasis, Profile, ProfileName};

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
    fn the_kernel_learns_what_tensors_learn() {
        let corpus = corpus();
        let mut profile = Profile::named(ProfileName::Smoke);
        profile.lm.vocab_size = corpus.vocab.len();
        profile.lm_training.emphasis = Some(Emphasis { after: ' ', times: 5.0 });
        let device = Device::flex();
        let (config, training) = (&profile.lm, &profile.lm_training);
        let task = LmTask { config, training, corpus: &corpus, seed: 1, device: &device };
        let model = || task.config.init(1, &device.clone().autodiff());
        let adam = Adam::new(adam_config(task.training));
        let mut plain = Learner::ByTensors(Box::new(ByTensors { model: model(), adam }));
        let mut fast = Learner::new(&task, model()).unwrap();
        assert!(matches!(fast, Learner::ByKernel(_)));

        for step in 0..10 {
            let batch = batches(&task, "test").at(&corpus.train, step);
            let rate = cosine_rate(step, task.training);
            let losses = [&mut plain, &mut fast].map(|it| it.learn(&task, &batch, rate).number());
            assert!((losses[0] - losses[1]).abs() < 1e-4 * losses[0], "{step}: {losses:?}");
        }

        let some = || (0..3).map(|step| batches(&task, "test").at(&corpus.validation, step));
        let losses = [&mut plain, &mut fast].map(|learner| learner.mean_loss(&task, some()));
        assert!((losses[0] - losses[1]).abs() < 1e-4 * losses[0], "{losses:?}");
    }

    #[test]
    fn what_follows_the_character_of_an_emphasis_counts_more() {
        let corpus = Corpus::from_text("t", &"a=b ".repeat(40), "t", 1).unwrap();
        let mut profile = Profile::named(ProfileName::Smoke);
        let batch = Batch::of(&corpus.train, &[0], 6);
        for (after, expected) in
            [(Some('='), [1.0, 3.0, 1.0, 1.0, 1.0, 3.0]), (Some('x'), [1.0; 6]), (None, [1.0; 6])]
        {
            profile.lm_training.emphasis = after.map(|after| Emphasis { after, times: 3.0 });
            let (config, training) = (&profile.lm, &profile.lm_training);
            let device = &Device::flex();
            let task = LmTask { config, training, corpus: &corpus, seed: 1, device };

            assert_eq!(task.weights(&batch), expected);
        }
    }

    #[test]
    fn the_loss_of_a_sure_and_right_guess_is_zero() {
        let logits = Tensor::<3>::from_data([[[50.0, 0.0], [0.0, 50.0]]], &Device::flex());

        let losses = losses(logits, &[0, 0]).into_data().try_into_vec::<f32>().unwrap();

        assert_eq!(losses[0], 0.0);
        assert!((losses[1] - 50.0).abs() < 1e-4);
    }
}
