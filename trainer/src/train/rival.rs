//! Trains the autoencoders that others have proposed, all by one loop and one recipe.
//!
//! Adam with the learning rate's trapezoid, the error and whatever penalty the method has, unit-length
//! directions and AuxK where the method has them.

mod learner;

use anyhow::Result;
use burn::prelude::*;
use shared::report::Metric;
use shared::sae::{Autoencoder, SaeOutput, Teachable};
use shared::weights::{Weights, to_vec};

use super::autoencoder::{BETWEEN_METRICS, dead_after, still_silent};
use super::loss::auxk;
use super::rows::RowSource;
use super::{Observer, Snapshot, Training, check_finite, put_silence, schedule, take_steps};
use crate::plan::{AutoencoderTraining, RivalConfig};
use learner::{Learned, Learner, Lesson};

/// How to train.
#[derive(Clone, Copy, Debug)]
pub struct RivalTask<'a> {
    /// What it is called in the metrics.
    pub name: &'a str,
    /// The recipe.
    pub training: &'a AutoencoderTraining,
    /// The highest learning rate.
    pub learning_rate: f64,
}

/// A trained autoencoder and how its training went.
#[derive(Clone, Debug)]
pub struct TrainedRival<M> {
    /// The model after the last step, without autodiff.
    pub model: M,
    /// How long the training took.
    pub seconds: f64,
    /// The loss terms on the way.
    pub metrics: Vec<Metric>,
}

/// An autoencoder of whatever kind whose training is over.
#[derive(Debug)]
pub struct FinishedRival {
    /// The model.
    pub model: Box<dyn Autoencoder>,
    /// How long the training took.
    pub seconds: f64,
    /// The loss terms on the way.
    pub metrics: Vec<Metric>,
}

/// Trains what `config` describes, from `resume` on if there is one.
///
/// # Errors
/// As [`train`].
pub fn teach(
    config: &RivalConfig,
    seed: u64,
    task: &RivalTask,
    rows: &mut dyn RowSource,
    resume: Option<Snapshot>,
    observer: &mut dyn Observer,
) -> Result<FinishedRival> {
    let device = &rows.device().autodiff();
    Ok(match config {
        RivalConfig::Dictionary(config) => {
            finished(train(task, config.init(seed, device), rows, resume, observer)?)
        }
        RivalConfig::Poly(config) => {
            finished(train(task, config.init(seed, device), rows, resume, observer)?)
        }
        RivalConfig::CoefficientAttention(config) => {
            finished(train(task, config.init(seed, device), rows, resume, observer)?)
        }
        RivalConfig::Literal(config) => {
            finished(train(task, config.init(seed, device), rows, resume, observer)?)
        }
    })
}

fn finished<M: Teachable + 'static>(trained: TrainedRival<M>) -> FinishedRival {
    let TrainedRival { model, seconds, metrics } = trained;
    FinishedRival { model: Box::new(model), seconds, metrics }
}

/// The terms of the loss, each of one number.
struct Terms {
    /// The mean squared error per dimension, the mean over prefixes where there are any.
    error: Tensor<1>,
    penalty: Option<Tensor<1>>,
    auxk: Option<Tensor<1>>,
}

impl Terms {
    /// Measures what `output` leaves of `rows`. For AuxK: 1 for dead features, `[n_features]`, and
    /// the decoder that revives them, `[n_features, d_model]`.
    fn of(
        rows: Tensor<2>,
        output: &SaeOutput,
        revival: Option<(Tensor<1>, Tensor<2>)>,
        auxk_weight: f64,
    ) -> Self {
        let residual = rows.clone() - output.reconstruction.clone();
        let whole = residual.clone().square().mean();
        let count = (output.prefixes.len() + 1) as f64;
        let prefixes = output.prefixes.iter();
        let error = prefixes
            .fold(whole, |sum, prefix| sum + (rows.clone() - prefix.clone()).square().mean())
            / count;
        let auxk = revival.map(|(dead, decoder)| {
            auxk(residual, output.features.clone() * dead.unsqueeze(), decoder) * auxk_weight
        });
        Self { error, penalty: output.penalty.clone(), auxk }
    }

    fn total(&self) -> Tensor<1> {
        let others = [&self.penalty, &self.auxk].into_iter().flatten();
        others.fold(self.error.clone(), |sum, term| sum + term.clone())
    }

    fn named(&self) -> Vec<(String, f64)> {
        let number = |tensor: &Tensor<1>| f64::from(tensor.clone().into_scalar::<f32>());
        vec![
            ("loss".into(), number(&self.total())),
            ("mse".into(), number(&self.error)),
            ("penalty".into(), self.penalty.as_ref().map_or(0.0, number)),
            ("auxk".into(), self.auxk.as_ref().map_or(0.0, number)),
        ]
    }
}

/// Trains `model`, which must be on a device with autodiff, from `resume` on if there is one.
///
/// # Errors
/// Rows cannot be read, the snapshot does not fit, the observer cannot save, the user stops the
/// training, or it leaves the numbers that can be computed with.
pub fn train<M: Teachable>(
    task: &RivalTask,
    model: M,
    rows: &mut dyn RowSource,
    resume: Option<Snapshot>,
    observer: &mut dyn Observer,
) -> Result<TrainedRival<M>> {
    let mut state = State::start(model, task, &rows.device(), resume)?;
    let all = (task.training.steps, state.seconds);
    let seconds = take_steps(&mut state, all, observer, |state| {
        let learned = state.advance(task, rows)?;
        Ok(move || format!("mse {:.4}", learned.terms.error.clone().into_scalar::<f32>()))
    })?;
    Ok(TrainedRival { model: state.learner.model().valid(), seconds, metrics: state.metrics })
}

struct State<M> {
    learner: Learner<M>,
    /// For how many rows each feature has been silent: `[n_features]`.
    silent: Tensor<1>,
    /// Whether a feature was dead when last looked.
    any_dead: bool,
    step: u64,
    seconds: f64,
    metrics: Vec<Metric>,
}

impl<M: Teachable> State<M> {
    fn start(
        model: M,
        task: &RivalTask,
        device: &Device,
        resume: Option<Snapshot>,
    ) -> Result<Self> {
        let [n_features, _] = model.directions().dims();
        let mut state = Self {
            learner: Learner::new(model, device),
            silent: Tensor::zeros([n_features], device),
            any_dead: false,
            step: 0,
            seconds: 0.0,
            metrics: vec![],
        };
        if let Some(snapshot) = resume {
            snapshot.check_step(task.training.steps)?;
            state.learner.load(&snapshot.weights, snapshot.step, device)?;
            (state.silent, state.any_dead) = snapshot.silence(n_features, device)?;
            state.step = snapshot.step;
            state.seconds = snapshot.seconds;
            state.metrics = snapshot.metrics;
        }
        Ok(state)
    }

    /// One step, measured when it is time to.
    fn advance(&mut self, task: &RivalTask, rows: &mut dyn RowSource) -> Result<Learned> {
        let rows = rows.batch(self.step)?;
        let [batch, _] = rows.dims();
        let learned = self.learn(task, rows);
        if self.step.is_multiple_of(BETWEEN_METRICS) || self.step == task.training.steps {
            let metric = self.metric(task, &learned, batch);
            check_finite(&metric)?;
            self.any_dead = metric.values["dead"] > 0.0;
            self.metrics.push(metric);
        }
        Ok(learned)
    }

    fn learn(&mut self, task: &RivalTask, rows: Tensor<2>) -> Learned {
        let training = task.training;
        let [batch, _] = rows.dims();
        // Unless they fire.
        let silent = self.silent.clone() + batch as f32;
        let dead = self.any_dead.then(|| silent.greater_scalar(dead_after(training)).float());
        let share = schedule::trapezoid(self.step, training.steps, training.warmup);
        let rate = task.learning_rate * share;
        let auxk_weight = training.auxk_weight;
        let learned = self.learner.learn(Lesson { rows, dead, auxk_weight, rate });
        self.silent = still_silent(self.silent.clone(), batch, learned.fired.clone());
        self.step += 1;
        learned
    }

    /// What has to be told of a step on `batch` rows.
    fn metric(&self, task: &RivalTask, learned: &Learned, batch: usize) -> Metric {
        let after = dead_after(task.training);
        let dead = to_vec(self.silent.clone()).iter().filter(|rows| **rows > after).count();
        let active = f64::from(learned.fired.clone().sum().into_scalar::<f32>());
        let mut values = learned.terms.named();
        values.push(("dead".into(), dead as f64));
        values.push(("l0".into(), active / batch as f64));
        Metric { stage: task.name.into(), step: self.step, values: values.into_iter().collect() }
    }
}

impl<M: Teachable> Training for State<M> {
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

#[cfg(test)]
mod tests {
    use super::super::Unwatched;
    use super::learner::firings;
    use super::*;
    use crate::data::Rows;
    use crate::plan::{Profile, ProfileName};
    use crate::train::rows::RecordedRows;
    use shared::sae::coefficient_attention::CoefficientAttentionConfig;
    use shared::sae::dictionary::{DictionaryConfig, Sparsity};
    use shared::sae::literal::LiteralConfig;
    use shared::sae::poly::PolySaeConfig;
    use shared::{random, weights};

    fn training(steps: u64) -> AutoencoderTraining {
        let training = Profile::named(ProfileName::Smoke).autoencoder_training;
        AutoencoderTraining { steps, batch_size: 64, ..training }
    }

    fn rows() -> Rows {
        let values = random::normal(&mut random::stream(3, "rows"), 700 * 8, 1.0);
        Rows { values, width: 8 }
    }

    fn taught<M: Teachable>(model: M, steps: u64) -> TrainedRival<M> {
        interrupted(model, steps, 0)
    }

    /// Goes on from a snapshot after so many steps.
    fn interrupted<M: Teachable>(model: M, steps: u64, after: u64) -> TrainedRival<M> {
        let training = training(steps);
        let task = RivalTask { name: "test", training: &training, learning_rate: 3e-3 };
        let (rows, device) = (rows(), Device::flex());
        let mut source = RecordedRows::new(&rows, 64, 1, &device);
        let mut state = State::start(model.clone(), &task, &device, None).unwrap();
        (0..after).for_each(|_| drop(state.advance(&task, &mut source).unwrap()));
        let snapshot = (after > 0).then(|| state.snapshot(1.5));
        train(&task, model, &mut source, snapshot, &mut Unwatched).unwrap()
    }

    fn check(model: impl Teachable) {
        let (one, other) = (taught(model.clone(), 150), interrupted(model, 150, 70));

        let mse = |metric: &Metric| metric.values["mse"];
        let (first, last) = (&one.metrics[0], one.metrics.last().unwrap());
        assert!(mse(last) < 0.95 * mse(first), "{} {}", mse(first), mse(last));
        assert_eq!(weights::of(&one.model), weights::of(&other.model));
        assert_eq!(one.metrics, other.metrics);
        assert!(other.seconds >= 1.5);
    }

    #[test]
    fn every_method_lowers_its_error_and_ends_with_the_same_bits_also_from_a_snapshot() {
        let device = Device::flex().autodiff();

        let poly = PolySaeConfig::new(8).with_n_features(24).with_sparsity_k(4).with_rank(6);
        check(poly.init(1, &device));
        let dictionary = |sparsity| DictionaryConfig::new(8, sparsity).with_n_features(24);
        check(dictionary(Sparsity::L1(0.01)).init(1, &device));
        check(dictionary(Sparsity::SteeredL1(4)).init(1, &device));
        check(dictionary(Sparsity::TopK(4)).init(1, &device));
        check(dictionary(Sparsity::TopK(4)).with_hidden(Some(8)).init(1, &device));
        check(dictionary(Sparsity::BatchTopK(4)).init(1, &device));
        check(dictionary(Sparsity::Matryoshka(4)).init(1, &device));
        let attention = CoefficientAttentionConfig::new(8).with_n_features(24).with_sparsity_k(4);
        check(attention.with_d_compose(8).with_n_heads(2).init(1, &device));
        let literal = LiteralConfig::new(8).with_n_features(24).with_sparsity_k(4);
        check(literal.with_d_compose(8).with_n_heads(2).init(1, &device));
    }

    #[test]
    fn a_steered_penalty_leaves_as_many_active_features_as_asked_for() {
        let config = DictionaryConfig::new(8, Sparsity::SteeredL1(4)).with_n_features(24);

        let trained = taught(config.init(1, &Device::flex().autodiff()), 800);

        let l0 = trained.metrics.last().unwrap().values["l0"];
        assert!((l0 - 4.0).abs() < 0.4, "{l0}");
    }

    #[test]
    fn directions_stay_at_length_one() {
        let config = DictionaryConfig::new(8, Sparsity::BatchTopK(4)).with_n_features(24);

        let model = taught(config.init(1, &Device::flex().autodiff()), 60).model;

        let lengths = to_vec(model.decoder.val().square().sum_dim(1));
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5), "{lengths:?}");
    }

    #[test]
    fn a_feature_counts_silent_rows_until_it_fires() {
        let device = Device::flex();
        let code = |values: [[f32; 2]; 3]| Tensor::<2>::from_data(values, &device);

        let silent = Tensor::zeros([2], &device);
        let once = firings(&code([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]));
        let silent = still_silent(silent, 3, once);
        let twice = still_silent(silent, 3, firings(&code([[0.0, 0.0]; 3])));

        assert_eq!(to_vec(twice), [6.0, 3.0]);
    }
}
