//! Trains the trials of a plan, each from several seeds at the learning rate that serves it best.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use shared::report::Metric;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use super::{Experiment, ROWS_AT_ONCE};
use crate::activations::ReadyRows;
use crate::analysis::measures;
use crate::plan::{AutoencoderTraining, ModelConfig, Trial};
use crate::side_by_side::{at_once, side_by_side};
use crate::train::Diverged;
use crate::train::autoencoder::{self, AutoencoderTask};
use crate::train::rival::{self, FinishedRival, RivalTask};
use crate::train::rows::RecordedRows;

/// How many times as many features as it may a model may use on average, if its learning rate is to be
/// chosen: a penalty that is steered can miss the number at a high one.
const MOST_ACTIVE: f64 = 1.1;

/// One finished training of a trial.
#[derive(Debug)]
pub struct Training {
    /// Its highest learning rate.
    pub learning_rate: f64,
    /// Of weights and the order of rows.
    pub seed: u64,
    /// FVU on rows of the training text that it did not learn from.
    pub selection_fvu: f64,
    /// The mean number of active features on the same rows.
    pub selection_l0: f64,
    /// How long it took.
    pub seconds: f64,
    /// The loss terms on the way.
    pub metrics: Vec<Metric>,
    /// What it has led to.
    pub model: FinishedModel,
}

/// An autoencoder whose training is over.
#[derive(Debug)]
pub enum FinishedModel {
    /// One of ours.
    Csae(Box<FinishedCsae>),
    /// One that others proposed.
    Rival(Box<dyn Autoencoder>),
}

/// All trainings of a trial.
#[derive(Debug)]
pub struct TrialResult {
    /// What was trained.
    pub trial: Trial,
    /// How many features may be active in a row.
    pub sparsity_k: usize,
    /// The learning rate that did best on the selection rows; not a number if none did.
    pub best_rate: f64,
    /// One for each learning rate, then one for each further seed at the best.
    pub trainings: Vec<Training>,
    /// Which of them left the numbers that can be computed with, and where.
    pub diverged: Vec<String>,
}

impl TrialResult {
    fn new(trial: &Trial, sparsity_k: usize) -> Self {
        let (trial, best_rate) = (trial.clone(), f64::NAN);
        Self { trial, sparsity_k, best_rate, trainings: vec![], diverged: vec![] }
    }

    /// Adds a training that came to its end; one that did not is a result, too.
    fn add(&mut self, training: Result<Training, Diverged>) {
        match training {
            Ok(training) => self.trainings.push(training),
            Err(diverged) => self.diverged.push(diverged.place()),
        }
    }

    /// The learning rate that did best of those tried, with no more active features than there may be
    /// if any did so; not a number if none came to its end.
    fn best_tried(&self) -> f64 {
        let most = MOST_ACTIVE * self.sparsity_k as f64;
        let rank = |training: &&Training| {
            ((training.selection_l0 / most).max(1.0), training.selection_fvu)
        };
        let best = self.trainings.iter().min_by(|one, other| {
            let ((one_excess, one), (other_excess, other)) = (rank(one), rank(other));
            one_excess.total_cmp(&other_excess).then(one.total_cmp(&other))
        });
        best.map_or(f64::NAN, |training| training.learning_rate)
    }

    /// The trainings at the best learning rate, by seed.
    pub fn best(&self) -> impl Iterator<Item = &Training> {
        self.trainings.iter().filter(|training| training.learning_rate == self.best_rate)
    }
}

impl FinishedModel {
    /// The model by what it has in common with all.
    pub fn autoencoder(&self) -> &dyn Autoencoder {
        match self {
            Self::Csae(finished) => &**finished,
            Self::Rival(model) => &**model,
        }
    }

    /// The model if it is one of ours.
    pub fn csae(&self) -> Option<&FinishedCsae> {
        match self {
            Self::Csae(finished) => Some(finished),
            Self::Rival(_) => None,
        }
    }
}

/// For each trial the learning rate that did best, or that of the earlier trial which it names, however far
/// off the one is that has tried some.
fn chosen_rates(results: &[TrialResult]) -> Vec<f64> {
    let mut rates: Vec<f64> = vec![];
    for (place, result) in results.iter().enumerate() {
        let named = |other: &TrialResult| Some(other.trial.label()) == result.trial.rate_of;
        let taken = results[..place].iter().position(named).map(|other| rates[other]);
        rates.push(taken.unwrap_or(result.best_tried()));
    }
    rates
}

/// What one training is to be.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// Which of the plan's trials it belongs to.
    place: usize,
    trial: &'a Trial,
    learning_rate: f64,
    seed: u64,
}

impl Wanted<'_> {
    /// Of its checkpoint and in the metrics.
    fn name(&self) -> String {
        format!("{} lr={} seed={}", self.trial.label(), self.learning_rate, self.seed)
    }
}

/// All trainings of a text.
struct Lot<'a> {
    /// Before their names, for the user.
    title: &'a str,
    rows: &'a ReadyRows,
    /// How many are over, and of how many.
    over: AtomicUsize,
    all: usize,
}

/// A model, how long it took, and the loss terms on the way.
type Outcome = (FinishedModel, f64, Vec<Metric>);

impl Experiment<'_> {
    /// Trains the plan's trials, as many trainings side by side as the device does at once: those that
    /// choose their learning rate at every one, then further seeds at the best, and with them the trials
    /// that take the rate of another. A rate at which nothing came to its end is none; a seed that
    /// diverges at a rate which was chosen keeps no other from being tried.
    ///
    /// # Errors
    /// A file is damaged or cannot be written, or the user stops it.
    pub fn trials(&self, title: &str, rows: &ReadyRows) -> Result<Vec<TrialResult>> {
        let Self { plan, profile, .. } = *self;
        let chooses = |trial: &Trial| trial.rate_of.is_none();
        let further = |trial: &Trial| u64::from(chooses(trial))..profile.seeds(trial);
        let numbered = || plan.trials.iter().enumerate();
        let sweep: Vec<Wanted> = numbered()
            .filter(|(_, trial)| chooses(trial))
            .flat_map(|(place, trial)| {
                let at = move |rate: &f64| Wanted { place, trial, learning_rate: *rate, seed: 0 };
                profile.learning_rates.iter().map(at)
            })
            .collect();
        let others: usize = plan.trials.iter().map(|trial| further(trial).count()).sum();
        let all = sweep.len() + others;
        let lot = Lot { title, rows, over: AtomicUsize::new(0), all };

        let result = |trial| TrialResult::new(trial, profile.k(trial));
        let mut results: Vec<TrialResult> = plan.trials.iter().map(result).collect();
        self.train(&sweep, &lot, &mut results)?;
        let rates = chosen_rates(&results);
        let at_the_best: Vec<Wanted> = numbered()
            .zip(rates)
            .filter(|(_, rate)| !rate.is_nan())
            .flat_map(|((place, trial), learning_rate)| {
                further(trial).map(move |seed| Wanted { place, trial, learning_rate, seed })
            })
            .collect();
        self.train(&at_the_best, &lot, &mut results)?;
        results.iter_mut().for_each(|result| result.best_rate = result.best_tried());
        self.keep(
            results.iter().flat_map(|result| &result.trainings).flat_map(|one| &one.metrics),
        )?;
        Ok(results)
    }

    /// Adds trainings to the results of their trials.
    fn train(&self, all: &[Wanted], lot: &Lot, results: &mut [TrialResult]) -> Result<()> {
        let at_once = at_once(&self.run.device.device);
        // Plans begin with what is simple: what takes longest is begun first, so that in the end no core
        // waits for it.
        let last_first: Vec<Wanted> = all.iter().rev().copied().collect();
        let trained = side_by_side(&last_first, at_once, |wanted| {
            let title = lot.title.to_string() + &wanted.name();
            let trained = match self.training(wanted, &title, lot.rows) {
                Ok(training) => Ok(training),
                Err(error) => Err(error.downcast::<Diverged>()?),
            };
            let result = match &trained {
                Ok(one) => format!("FVU {:.4} after {:.0} s", one.selection_fvu, one.seconds),
                Err(diverged) => format!("diverged at step {}", diverged.step),
            };
            let over = lot.over.fetch_add(1, Ordering::Relaxed) + 1;
            self.run.console.result(&title, &format!("{result}, {over} of {}", lot.all));
            Ok(trained)
        })?;
        for (wanted, training) in last_first.iter().zip(trained).rev() {
            results[wanted.place].add(training);
        }
        Ok(())
    }

    fn training(&self, wanted: &Wanted, title: &str, rows: &ReadyRows) -> Result<Training> {
        let &Wanted { trial, learning_rate, seed, .. } = wanted;
        let (name, training) = (&wanted.name(), &self.profile.training(trial));
        let (model, seconds, metrics) = self
            .learned(wanted, title, training, rows)
            .map_err(|error| self.unless_damaged(name, error))?;
        // One that was finished by an earlier call has offered nothing this time.
        self.keep_unfinished(&self.checkpoint(name), &metrics)?;
        let [selection_fvu, selection_l0] = on_selection(model.autoencoder(), rows);
        if !selection_fvu.is_finite() {
            return Err(Diverged { stage: name.clone(), step: training.steps }.into());
        }
        Ok(Training { learning_rate, seed, selection_fvu, selection_l0, seconds, metrics, model })
    }

    /// Goes on from where an earlier call has stopped.
    fn learned(
        &self,
        wanted: &Wanted,
        title: &str,
        training: &AutoencoderTraining,
        rows: &ReadyRows,
    ) -> Result<Outcome> {
        let &Wanted { trial, learning_rate, seed, .. } = wanted;
        let name = &wanted.name();
        let mut source = RecordedRows::new(&*rows.train, training.batch_size, seed, &rows.device);
        let resume = self.reached(name)?;
        let mut watcher = self.watch(title, name, resume.as_ref(), training.steps);
        match &self.profile.model(trial) {
            ModelConfig::Csae(config) => {
                let schedule = self.profile.schedule(trial);
                let task =
                    AutoencoderTask { name, config, schedule, training, learning_rate, seed };
                let trained = autoencoder::train(&task, &mut source, resume, &mut watcher)?;
                let finished = FinishedCsae { model: trained.model, limits: config.limits() };
                Ok((FinishedModel::Csae(Box::new(finished)), trained.seconds, trained.metrics))
            }
            ModelConfig::Rival(config) => {
                let task = RivalTask { name, training, learning_rate };
                let FinishedRival { model, seconds, metrics } =
                    rival::teach(config, seed, &task, &mut source, resume, &mut watcher)?;
                Ok((FinishedModel::Rival(model), seconds, metrics))
            }
        }
    }
}

/// What a model leaves of the rows by which learning rates are chosen, FVU, and how many of its features
/// are active there on average.
fn on_selection(model: &dyn Autoencoder, rows: &ReadyRows) -> [f64; 2] {
    let (mut rebuilt, mut active) = (vec![], 0.0);
    for block in rows.selection.blocks(ROWS_AT_ONCE, &rows.device) {
        let output = model.forward(block);
        rebuilt.extend(to_vec(output.reconstruction));
        active += f64::from(output.code.greater_scalar(0.0).float().sum().into_scalar::<f32>());
    }
    let fvu = measures::fvu(&rows.selection.values, &rebuilt, rows.selection.width);
    [fvu, active / rows.selection.len().max(1) as f64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;
    use burn::prelude::Device;
    use shared::CsaeConfig;

    /// A training of a model that nobody looks at.
    fn tried(learning_rate: f64, selection_fvu: f64, selection_l0: f64) -> Training {
        let config = CsaeConfig::new(2).with_n_features(2).with_sparsity_k(1);
        let model = config.init(0, &Device::flex());
        let finished = FinishedCsae { model, limits: config.limits() };
        Training {
            learning_rate,
            seed: 0,
            selection_fvu,
            selection_l0,
            seconds: 0.0,
            metrics: vec![],
            model: FinishedModel::Csae(Box::new(finished)),
        }
    }

    #[test]
    fn a_rate_is_the_best_of_those_tried_or_goes_from_trial_to_trial() {
        let of = |name: &'static str, rate_of: Option<&str>| {
            let trial = plan::named("run_1").unwrap().trials[0].clone();
            TrialResult::new(&Trial { name, rate_of: rate_of.map(String::from), ..trial }, 16)
        };
        let mut results =
            [of("a", None), of("b", Some("a")), of("c", None), of("d", Some("b")), of("e", None)];
        for (rate, fvu) in [(1e-3, 0.3), (1e-2, 0.1), (1e-1, 0.2)] {
            results[0].add(Ok(tried(rate, fvu, 16.0)));
        }
        results[2].add(Ok(tried(3e-3, 0.1, 90.0)));
        results[4].add(Err(Diverged { stage: "e lr=1".into(), step: 50 }));

        let rates = chosen_rates(&results);

        assert_eq!(rates[..4], [1e-2, 1e-2, 3e-3, 1e-2]);
        assert!(rates[4].is_nan());
        assert_eq!(results[4].diverged, ["e lr=1 at step 50"]);
    }

    #[test]
    fn a_rate_that_leaves_more_active_features_than_there_may_be_is_not_chosen() {
        let trial = &plan::named("run_1").unwrap().trials[0];
        let mut result = TrialResult::new(trial, 16);

        for (rate, fvu, l0) in [(1e-1, 0.01, 33.0), (3e-2, 0.02, 17.0), (1e-2, 0.03, 9.0)] {
            result.add(Ok(tried(rate, fvu, l0)));
        }
        assert_eq!(result.best_tried(), 3e-2);

        let (many, more) = (tried(1e-1, 0.01, 33.0), tried(3e-2, 0.02, 20.0));
        result.trainings = vec![many, more];
        assert_eq!(result.best_tried(), 3e-2);
    }
}
