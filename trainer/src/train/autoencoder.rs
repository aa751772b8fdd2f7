//! Trains sparse autoencoders, with and without composition, on recorded activations.

use anyhow::Result;
use burn::prelude::*;
use shared::report::Metric;
use shared::weights::{self, Weight, Weights, to_vec};
use shared::{Csae, CsaeConfig, Limits, Units};

use super::learner::{Learner, Lesson};
use super::loss::{LossTerms, Penalties};
use super::rows::RowSource;
use super::{
    Diverged, Observer, Snapshot, Training, check_finite, composition, dictionary, put_silence,
    schedule, take_steps,
};
use crate::plan::{AutoencoderTraining, Schedule};

/// After how many steps the loss terms are kept and dead features are looked for.
pub(super) const BETWEEN_METRICS: u64 = 50;
/// A feature is dead after so many silent rows, if half of the training's rows are not fewer.
const DEAD_AFTER: u64 = 10_000_000;

/// What to train, and on what.
#[derive(Clone, Debug)]
pub struct AutoencoderTask<'a> {
    /// What it is called in the metrics.
    pub name: &'a str,
    /// The model's shape.
    pub config: &'a CsaeConfig,
    /// What changes on the way.
    pub schedule: Schedule,
    /// The recipe.
    pub training: &'a AutoencoderTraining,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Of the weights.
    pub seed: u64,
}

impl AutoencoderTask<'_> {
    /// The learning rate of a step.
    fn rate(&self, step: u64) -> f64 {
        let AutoencoderTraining { steps, warmup, .. } = *self.training;
        self.learning_rate * schedule::trapezoid(step, steps, warmup)
    }

    fn penalties(&self) -> Penalties {
        let AutoencoderTraining { diversity_weight, entropy_weight, .. } = *self.training;
        Penalties { diversity: diversity_weight, entropy: entropy_weight }
    }
}

/// A trained autoencoder and how its training went.
#[derive(Clone, Debug)]
pub struct TrainedAutoencoder {
    /// The model after the last step, without autodiff.
    pub model: Csae,
    /// How long the training took.
    pub seconds: f64,
    /// The loss terms on the way.
    pub metrics: Vec<Metric>,
}

/// Trains an autoencoder, from `resume` on if there is one.
///
/// # Errors
/// The snapshot does not fit, rows cannot be read, the observer cannot save, or the user stops the
/// training.
pub fn train(
    task: &AutoencoderTask,
    rows: &mut dyn RowSource,
    resume: Option<Snapshot>,
    observer: &mut dyn Observer,
) -> Result<TrainedAutoencoder> {
    let steps = task.training.steps;
    let transcodes = rows.targets(0)?.is_some();
    let mut state = State::start(task, &rows.device(), transcodes, resume)?;
    let all = (steps, state.seconds);
    let seconds = take_steps(&mut state, all, observer, |state| {
        let batch = (rows.batch(state.step)?, rows.targets(state.step)?);
        let limits = schedule::limits(state.step, steps, task.schedule, task.config.limits());
        let terms = state.learn(task, batch, limits);
        state.compose(task, rows, limits)?;
        if state.step.is_multiple_of(BETWEEN_METRICS) || state.step == steps {
            state.measure(task, &terms, limits)?;
        }
        Ok(move || format!("mse {:.4}", terms.mse.clone().into_scalar::<f32>()))
    })?;
    let model = state.learner.model().valid();
    Ok(TrainedAutoencoder { model, seconds, metrics: state.metrics })
}

struct State {
    learner: Learner,
    /// For how many rows each feature has been silent: `[n_features]`.
    silent: Tensor<1>,
    /// Whether a feature was dead when last looked.
    any_dead: bool,
    /// The parts of each unit, empty before the units have looked for any.
    parts: Vec<Vec<usize>>,
    step: u64,
    seconds: f64,
    metrics: Vec<Metric>,
}

impl State {
    fn start(
        task: &AutoencoderTask,
        device: &Device,
        transcodes: bool,
        resume: Option<Snapshot>,
    ) -> Result<Self> {
        let model = task.config.init(task.seed, &device.clone().autodiff());
        let by_tensors = transcodes || task.penalties() != Penalties::default();
        let mut state = Self {
            learner: Learner::new(model, device, by_tensors),
            silent: Tensor::zeros([task.config.n_features], device),
            any_dead: false,
            parts: vec![],
            step: 0,
            seconds: 0.0,
            metrics: vec![],
        };
        if let Some(snapshot) = resume {
            snapshot.check_step(task.training.steps)?;
            let stored = &snapshot.weights;
            state.learner.load(stored, snapshot.step, device)?;
            (state.silent, state.any_dead) = snapshot.silence(task.config.n_features, device)?;
            state.parts = parts_of(&state.learner.model());
            state.step = snapshot.step;
            state.seconds = snapshot.seconds;
            state.metrics = snapshot.metrics;
        }
        Ok(state)
    }

    /// One step on rows, and on what they are to be turned into if not rebuilt.
    fn learn(
        &mut self,
        task: &AutoencoderTask,
        (rows, targets): (Tensor<2>, Option<Tensor<2>>),
        limits: Limits,
    ) -> LossTerms {
        let [batch, _] = rows.dims();
        let dead =
            self.any_dead.then(|| self.silent.clone().greater_scalar(dead_after(task.training)));
        let lesson = Lesson {
            rows,
            targets,
            limits,
            dead: dead.map(|dead| dead.float()),
            auxk_weight: task.training.auxk_weight,
            penalties: task.penalties(),
            rate: task.rate(self.step),
            parts: &self.parts,
        };
        let (terms, fired) = self.learner.learn(lesson);
        self.silent = still_silent(self.silent.clone(), batch, fired);
        self.step += 1;
        terms
    }

    /// Gives the units new parts, where there are units and it is time to.
    fn compose(
        &mut self,
        task: &AutoencoderTask,
        rows: &mut dyn RowSource,
        limits: Limits,
    ) -> Result<()> {
        let steps = task.training.steps;
        let due = |times, share| composition::is_due(self.step, steps, times, share);
        let training = &task.training.composition;
        // What is looked for is what the finished model lacks, which has so many active features.
        let limits = Limits { sparsity_k: task.config.sparsity_k, ..limits };
        if let Some(completion) = &task.training.completion
            && due(completion.times, [completion.from, completion.until])
        {
            let sample = rows.sample(self.step, completion.rows)?;
            let model = self.sound_model(task)?;
            self.learner.replace(dictionary::complete(model, sample, limits, training).0);
        }
        let mut looks = training.before.iter().chain([&training.at]);
        if task.config.units.is_some() && looks.any(|share| due(1, [*share; 2])) {
            let sample = rows.sample(self.step, training.rows)?;
            let targets = rows.sample_targets(self.step, training.rows)?;
            let model = self.sound_model(task)?;
            let search = composition::Search { limits, training, seed: task.seed };
            let model = composition::recompose(model, sample, targets, &search)?;
            self.parts = parts_of(&model);
            self.learner.recompose(model);
        }
        Ok(())
    }

    /// The model, if it consists of numbers that can be computed with.
    fn sound_model(&self, task: &AutoencoderTask) -> Result<Csae, Diverged> {
        let model = self.learner.model();
        let is_finite = |weight: &Weight| weight.values.iter().all(|value| value.is_finite());
        match weights::of(&model).values().all(is_finite) {
            true => Ok(model),
            false => Err(Diverged { stage: task.name.into(), step: self.step }),
        }
    }

    fn measure(&mut self, task: &AutoencoderTask, terms: &LossTerms, limits: Limits) -> Result<()> {
        let after = dead_after(task.training);
        let dead = to_vec(self.silent.clone()).iter().filter(|rows| **rows > after).count();
        self.any_dead = dead > 0;
        let mut values = terms.named();
        values.push(("dead".into(), dead as f64));
        values.push(("sparsity_k".into(), limits.sparsity_k as f64));
        // Before units have parts, nothing combines.
        let free = task.config.units.is_some() && self.parts.iter().all(Vec::is_empty);
        let size = if free { 1 } else { limits.combination_size };
        values.push(("combination_size".into(), size as f64));
        values.push(("learning_rate".into(), task.rate(self.step - 1)));
        let values = values.into_iter().collect();
        let metric = Metric { stage: task.name.into(), step: self.step, values };
        check_finite(&metric)?;
        self.metrics.push(metric);
        Ok(())
    }
}

impl Training for State {
    fn step(&self) -> u64 {
        self.step
    }

    fn snapshot(&self, seconds: f64) -> Snapshot {
        let mut all = Weights::new();
        self.learner.save(&mut all);
        put_silence(&mut all, &self.silent, self.any_dead);
        Snapshot { weights: all, step: self.step, seconds, metrics: self.metrics.clone() }
    }
}

/// After how many silent rows a feature of this training is dead.
pub(super) fn dead_after(training: &AutoencoderTraining) -> f32 {
    let rows = training.steps * training.batch_size as u64;
    DEAD_AFTER.min(rows / 2) as f32
}

/// For how many rows each feature has been `silent` after `batch` more; `fired` is above 0 for those
/// that are not: `[n_features]`.
pub(super) fn still_silent(silent: Tensor<1>, batch: usize, fired: Tensor<1>) -> Tensor<1> {
    (silent + batch as f32).mask_fill(fired.greater_scalar(0.0), 0.0)
}

fn parts_of(model: &Csae) -> Vec<Vec<usize>> {
    model.units.as_ref().map_or(vec![], Units::combinations)
}

#[cfg(test)]
mod tests {
    use super::super::Unwatched;
    use super::*;
    use crate::data::{RowStore, Rows};
    use crate::plan::{Profile, ProfileName};
    use crate::train::rows::RecordedRows;
    use shared::{AttentionConfig, UnitsConfig, random};

    fn rows() -> Rows {
        let values = random::normal(&mut random::stream(3, "rows"), 700 * 8, 1.0);
        Rows { values, width: 8 }
    }

    fn config() -> CsaeConfig {
        let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
        CsaeConfig::new(8).with_n_features(24).with_sparsity_k(4).with_attention(Some(attention))
    }

    fn training(steps: u64) -> AutoencoderTraining {
        let training = Profile::named(ProfileName::Smoke).autoencoder_training;
        AutoencoderTraining { steps, batch_size: 64, ..training }
    }

    fn task<'a>(config: &'a CsaeConfig, training: &'a AutoencoderTraining) -> AutoencoderTask<'a> {
        AutoencoderTask {
            name: "test",
            config,
            schedule: Schedule::default(),
            training,
            learning_rate: 3e-3,
            seed: 1,
        }
    }

    #[test]
    fn a_resumed_training_ends_with_the_same_bits() {
        let units = UnitsConfig::new().with_n_units(8);
        let units = CsaeConfig { attention: None, units: Some(units), ..config() };
        let rounds = |rounds| {
            let attention = config().attention.map(|attention| attention.with_rounds(rounds));
            CsaeConfig { attention, ..config() }
        };
        // Three rounds learn by tensors.
        for config in [config(), units.with_refit_steps(2), rounds(2), rounds(3)] {
            assert_resumes(&config);
        }
    }

    fn assert_resumes(config: &CsaeConfig) {
        let (rows, training) = (rows(), training(120));
        let device = Device::flex();
        let task = task(config, &training);
        let mut source = RecordedRows::new(&rows, training.batch_size, 1, &device);
        let straight = train(&task, &mut source, None, &mut Unwatched).unwrap();

        let mut state = State::start(&task, &source.device(), false, None).unwrap();
        for step in 0..60 {
            let terms = state.learn(&task, (source.batch(step).unwrap(), None), config.limits());
            state.compose(&task, &mut source, config.limits()).unwrap();
            if state.step.is_multiple_of(BETWEEN_METRICS) {
                state.measure(&task, &terms, config.limits()).unwrap();
            }
        }
        let half = Some(state.snapshot(0.0));
        let resumed = train(&task, &mut source, half, &mut Unwatched).unwrap();

        assert_eq!(weights::of(&resumed.model), weights::of(&straight.model));
        assert_eq!(resumed.metrics, straight.metrics);
    }

    #[test]
    fn training_lowers_the_error_and_keeps_directions_at_length_one() {
        let (rows, config, training) = (rows(), config(), training(150));
        let device = Device::flex();

        let mut source = RecordedRows::new(&rows, training.batch_size, 1, &device);
        let trained = train(&task(&config, &training), &mut source, None, &mut Unwatched).unwrap();

        let mse = |metric: &Metric| metric.values["mse"];
        let (first, last) = (&trained.metrics[0], trained.metrics.last().unwrap());
        assert!(mse(last) < 0.8 * mse(first), "{} {}", mse(first), mse(last));
        let lengths = to_vec(trained.model.decoder.val().square().sum_dim(1));
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5));
    }

    #[test]
    fn penalties_are_learned_though_the_kernel_knows_none() {
        let (rows, config, device) = (rows(), config(), Device::flex());
        let told = |weight: f64| {
            let (diversity_weight, entropy_weight) = (weight, weight);
            let training =
                AutoencoderTraining { diversity_weight, entropy_weight, ..training(100) };
            let mut source = RecordedRows::new(&rows, training.batch_size, 1, &device);
            let task = task(&config, &training);
            let trained = train(&task, &mut source, None, &mut Unwatched).unwrap();
            let values = &trained.metrics.last().unwrap().values;
            ["diversity", "entropy"].map(|name| values.get(name).map(|value| value / weight))
        };

        let [[alike, undecided], [less_alike, less_undecided]] = [told(1e-6), told(10.0)];

        assert_eq!(told(0.0), [None, None]);
        assert!(less_alike.unwrap() < 0.95 * alike.unwrap(), "{less_alike:?} {alike:?}");
        let (more, less) = (undecided.unwrap(), less_undecided.unwrap());
        assert!(less < 0.95 * more, "{less} {more}");
    }

    #[test]
    fn dead_features_and_only_they_learn_from_auxk() {
        let config = config();
        let rows = rows().span(0..700).unwrap().on(&Device::flex());
        let model = config.init(1, &Device::flex().autodiff());
        let output = model.forward(rows.clone(), config.limits());
        let mut dead = [0.0; 24];
        dead[5] = 1.0;
        let dead = Tensor::<1>::from_floats(&dead[..], &Device::flex());

        let terms = LossTerms::of(&model, rows, &output, Some(dead), 1.0);
        let gradients = terms.auxk.unwrap().backward();

        let gradient = to_vec(model.decoder.val().grad(&gradients).unwrap().abs().sum_dim(1));
        assert!(gradient[5] > 0.0);
        assert_eq!(gradient.iter().filter(|length| **length > 0.0).count(), 1);
    }
}
