//! Trains the trials of a plan, each from several seeds at the learning rate that serves it best.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use burn::prelude::*;
use shared::CsaeConfig;
use shared::report::Metric;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use super::{Experiment, ROWS_AT_ONCE};
use crate::activations::ReadyRows;
use crate::analysis::measures;
use crate::plan::{ModelConfig, RivalConfig, Trial};
use crate::side_by_side::{at_once, side_by_side};
use crate::train::Diverged;
use crate::train::autoencoder::{self, AutoencoderTask};
use crate::train::rival::{self, FinishedRival, RivalTask};
use crate::train::rows::RecordedRows;

/// One finished training of a trial.
#[derive(Debug)]
pub struct Training {
    /// Its highest learning rate.
    pub learning_rate: f64,
    /// Of weights and the order of rows.
    pub seed: u64,
    /// FVU on rows of the training text that it did not learn from.
    pub selection_fvu: f64,
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
    /// The learning rate that did best on the selection rows; not a number if none did.
    pub best_rate: f64,
    /// One for each learning rate, then one for each further seed at the best.
    pub trainings: Vec<Training>,
    /// Which of them left the numbers that can be computed with, and where.
    pub diverged: Vec<String>,
}

impl TrialResult {
    fn new(trial: &Trial) -> Self {
        Self { trial: trial.clone(), best_rate: f64::NAN, trainings: vec![], diverged: vec![] }
    }

    /// Adds a training that came to its end; one that did not is a result, too.
    fn add(&mut self, training: Result<Training, Diverged>) {
        match training {
            Ok(training) => self.trainings.push(training),
            Err(Diverged { stage, step }) => self.diverged.push(format!("{stage} at step {step}")),
        }
    }

    /// The learning rate that did best so far; not a number without a training.
    fn best_so_far(&self) -> f64 {
        let fvu = |training: &&Training| training.selection_fvu;
        let best = self.trainings.iter().min_by(|one, other| fvu(one).total_cmp(&fvu(other)));
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

/// What all trainings of a text have in common.
struct Common<'a> {
    /// Before their names, for the user.
    title: &'a str,
    rows: &'a ReadyRows,
    /// How many are over, and how many there are if none diverges.
    over: AtomicUsize,
    all: usize,
}

/// A model, how long it took, and the loss terms on the way.
type Outcome = (FinishedModel, f64, Vec<Metric>);

impl Experiment<'_> {
    /// Trains the plan's trials, as many trainings side by side as the device does at once: those that
    /// choose their learning rate at every one, then further seeds at the best, and with them the trials
    /// that take the rate of another.
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
        let common = Common { title, rows, over: AtomicUsize::new(0), all };

        let mut results: Vec<TrialResult> = plan.trials.iter().map(TrialResult::new).collect();
        self.train(&sweep, &common, &mut results)?;
        let mut rates: Vec<(String, f64)> = vec![];
        for result in &mut results {
            let named = |(label, _): &&(String, f64)| Some(label) == result.trial.rate_of.as_ref();
            let taken = rates.iter().find(named).map(|(_, rate)| *rate);
            result.best_rate = taken.unwrap_or(result.best_so_far());
            rates.push((result.trial.label(), result.best_rate));
        }
        let at_the_best: Vec<Wanted> = numbered()
            .filter(|(place, _)| !results[*place].best_rate.is_nan())
            .flat_map(|(place, trial)| {
                let learning_rate = results[place].best_rate;
                further(trial).map(move |seed| Wanted { place, trial, learning_rate, seed })
            })
            .collect();
        self.train(&at_the_best, &common, &mut results)?;
        for result in &mut results {
            result.best_rate = result.best_so_far();
        }
        self.keep(
            results.iter().flat_map(|result| &result.trainings).flat_map(|one| &one.metrics),
        )?;
        Ok(results)
    }

    /// Adds trainings to the results of their trials.
    fn train(&self, all: &[Wanted], common: &Common, results: &mut [TrialResult]) -> Result<()> {
        let at_once = at_once(&self.run.device.device);
        let trained = side_by_side(all, at_once, |wanted| match self.training(wanted, common) {
            Ok(training) => Ok(Ok(training)),
            Err(error) => error.downcast::<Diverged>().map(Err),
        })?;
        for (wanted, training) in all.iter().zip(trained) {
            results[wanted.place].add(training);
        }
        Ok(())
    }

    fn training(&self, wanted: &Wanted, common: &Common) -> Result<Training> {
        let &Wanted { trial, learning_rate, seed, .. } = wanted;
        let title = &(common.title.to_string() + &wanted.name());
        let (model, seconds, metrics) = match self.profile.model(trial) {
            ModelConfig::Csae(config) => self.csae(wanted, title, &config, common.rows)?,
            ModelConfig::Rival(config) => self.rival(wanted, title, &config, common.rows)?,
        };
        let selection_fvu = selection_fvu(model.autoencoder(), common.rows);
        let over = common.over.fetch_add(1, Ordering::Relaxed) + 1;
        let of_all = format!("{over} of {}", common.all);
        let result = format!("FVU {selection_fvu:.4} after {seconds:.0} s, {of_all}");
        self.run.console.say(&format!("{title:<38} {result}"));
        Ok(Training { learning_rate, seed, selection_fvu, seconds, metrics, model })
    }

    /// Goes on from where an earlier call has stopped.
    fn csae(
        &self,
        wanted: &Wanted,
        title: &str,
        config: &CsaeConfig,
        rows: &ReadyRows,
    ) -> Result<Outcome> {
        let &Wanted { trial, learning_rate, seed, .. } = wanted;
        let (name, training) = (&wanted.name(), &self.profile.training(trial));
        let schedule = self.profile.schedule(trial);
        let task = AutoencoderTask { name, config, schedule, training, learning_rate, seed };
        let mut source = RecordedRows::new(&*rows.train, training.batch_size, seed, &rows.device);
        let resume = self.reached(name)?;
        let mut watcher = self.watch(title, name, resume.as_ref(), training.steps);
        let trained = autoencoder::train(&task, &mut source, resume, &mut watcher)
            .map_err(|error| self.unless_damaged(name, error))?;
        let finished = FinishedCsae { model: trained.model, limits: config.limits() };
        Ok((FinishedModel::Csae(Box::new(finished)), trained.seconds, trained.metrics))
    }

    /// Goes on from where an earlier call has stopped.
    fn rival(
        &self,
        wanted: &Wanted,
        title: &str,
        config: &RivalConfig,
        rows: &ReadyRows,
    ) -> Result<Outcome> {
        let &Wanted { trial, learning_rate, seed, .. } = wanted;
        let (name, training) = (&wanted.name(), &self.profile.training(trial));
        let task = RivalTask { name, training, learning_rate };
        let mut source = RecordedRows::new(&*rows.train, training.batch_size, seed, &rows.device);
        let resume = self.reached(name)?;
        let mut watcher = self.watch(title, name, resume.as_ref(), training.steps);
        let FinishedRival { model, seconds, metrics } =
            rival::teach(config, seed, &task, &mut source, resume, &mut watcher)
                .map_err(|error| self.unless_damaged(name, error))?;
        Ok((FinishedModel::Rival(model), seconds, metrics))
    }
}

fn selection_fvu(model: &dyn Autoencoder, rows: &ReadyRows) -> f64 {
    let rebuild = |block: Tensor<2>| to_vec(model.forward(block).reconstruction);
    let blocks = rows.selection.blocks(ROWS_AT_ONCE, &rows.device);
    let rebuilt: Vec<f32> = blocks.flat_map(rebuild).collect();
    measures::fvu(&rows.selection.values, &rebuilt, rows.selection.width)
}
