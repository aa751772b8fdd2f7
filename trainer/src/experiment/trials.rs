//! Trains the trials of a plan, each from several seeds at the learning rate that serves it best.

use anyhow::Result;
use burn::prelude::*;
use shared::CsaeConfig;
use shared::report::Metric;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use super::{Experiment, ROWS_AT_ONCE};
use crate::activations::ReadyRows;
use crate::analysis::measures;
use crate::plan::{AutoencoderTraining, ModelConfig, RivalConfig, Trial};
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
    /// Adds a training that came to its end; one that did not is a result, too.
    fn add(&mut self, training: Result<Training>) -> Result<()> {
        match training {
            Ok(training) => self.trainings.push(training),
            Err(error) => match error.downcast::<Diverged>() {
                Ok(Diverged { stage, step }) => {
                    self.diverged.push(format!("{stage} at step {step}"));
                }
                Err(error) => return Err(error),
            },
        }
        Ok(())
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
struct Wanted<'a> {
    trial: &'a Trial,
    /// The recipe.
    training: &'a AutoencoderTraining,
    learning_rate: f64,
    seed: u64,
    /// Of its checkpoint and in the metrics.
    name: &'a str,
    /// For the user.
    title: &'a str,
}

/// A model, how long it took, and the loss terms on the way.
type Outcome = (FinishedModel, f64, Vec<Metric>);

impl Experiment<'_> {
    /// Trains a trial at every learning rate, or at that of the `earlier` trial that it names; then
    /// further seeds at the best.
    ///
    /// # Errors
    /// A file is damaged or cannot be written, or the user stops it.
    pub fn trial(
        &self,
        title: &str,
        trial: &Trial,
        rows: &ReadyRows,
        earlier: &[TrialResult],
    ) -> Result<TrialResult> {
        let mut result = TrialResult {
            trial: trial.clone(),
            best_rate: f64::NAN,
            trainings: vec![],
            diverged: vec![],
        };
        let named = |other: &&TrialResult| Some(other.trial.label()) == trial.rate_of;
        let rates = match earlier.iter().find(named) {
            // No learning rate there, none here.
            Some(other) if other.best_rate.is_nan() => vec![],
            Some(other) => vec![other.best_rate],
            None => self.profile.learning_rates.clone(),
        };
        for rate in rates {
            result.add(self.training(title, trial, rows, rate, 0))?;
        }
        let fvu = |training: &&Training| training.selection_fvu;
        let best = result.trainings.iter().min_by(|one, other| fvu(one).total_cmp(&fvu(other)));
        let Some(best_rate) = best.map(|training| training.learning_rate) else {
            return Ok(result);
        };
        result.best_rate = best_rate;
        for seed in 1..self.profile.seeds(trial) {
            result.add(self.training(title, trial, rows, best_rate, seed))?;
        }
        Ok(result)
    }

    fn training(
        &self,
        title: &str,
        trial: &Trial,
        rows: &ReadyRows,
        learning_rate: f64,
        seed: u64,
    ) -> Result<Training> {
        let name = &format!("{} lr={learning_rate} seed={seed}", trial.label());
        let title = &format!("{title} lr={learning_rate} seed={seed}");
        let training = &self.profile.training(trial);
        let wanted = Wanted { trial, training, learning_rate, seed, name, title };
        let (model, seconds, metrics) = match self.profile.model(trial) {
            ModelConfig::Csae(config) => self.csae(&wanted, &config, rows)?,
            ModelConfig::Rival(config) => self.rival(&wanted, &config, rows)?,
        };
        let selection_fvu = selection_fvu(model.autoencoder(), rows);
        self.run.console.say(&format!("{title:<38} FVU {selection_fvu:.4} after {seconds:.0} s"));
        self.keep(&metrics);
        self.run.write_metrics(&[])?;
        Ok(Training { learning_rate, seed, selection_fvu, seconds, metrics, model })
    }

    /// Goes on from where an earlier call has stopped.
    fn csae(&self, wanted: &Wanted, config: &CsaeConfig, rows: &ReadyRows) -> Result<Outcome> {
        let &Wanted { training, learning_rate, seed, name, .. } = wanted;
        let schedule = self.profile.schedule(wanted.trial);
        let task = AutoencoderTask { name, config, schedule, training, learning_rate, seed };
        let mut source = RecordedRows::new(&*rows.train, training.batch_size, seed, &rows.device);
        let resume = self.reached(name)?;
        let mut watcher = self.watch(wanted.title, name, resume.as_ref(), training.steps);
        let trained = autoencoder::train(&task, &mut source, resume, &mut watcher)
            .map_err(|error| self.unless_damaged(name, error))?;
        let finished = FinishedCsae { model: trained.model, limits: config.limits() };
        Ok((FinishedModel::Csae(Box::new(finished)), trained.seconds, trained.metrics))
    }

    /// Goes on from where an earlier call has stopped.
    fn rival(&self, wanted: &Wanted, config: &RivalConfig, rows: &ReadyRows) -> Result<Outcome> {
        let &Wanted { training, learning_rate, seed, name, .. } = wanted;
        let task = RivalTask { name, training, learning_rate };
        let mut source = RecordedRows::new(&*rows.train, training.batch_size, seed, &rows.device);
        let resume = self.reached(name)?;
        let mut watcher = self.watch(wanted.title, name, resume.as_ref(), training.steps);
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
