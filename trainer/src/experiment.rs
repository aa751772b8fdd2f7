//! The steps of a run, each of which finds what an earlier call has reached.

pub mod transcoder;

use std::cell::RefCell;

use anyhow::Result;
use burn::prelude::*;
use serde_json::{Value, json};
use shared::bundle::Normalization;
use shared::report::Metric;
use shared::weights::{self, Precision, WeightsError, to_vec};

use shared::{CharLm, Limits};

use crate::activations::{self, Recorded, RowCounts};
use crate::analysis::measures;
use crate::cache::Cache;
use crate::console::{Console, Stage};
use crate::data::{ChosenText, Rows, Windows};
use crate::device::ChosenDevice;
use crate::plan::{Plan, Profile, Trial};
use crate::run_folder::RunFolder;
use crate::train::autoencoder::{self, AutoencoderTask, TrainedAutoencoder};
use crate::train::lm::{self, LmTask, TrainedLm};
use crate::train::rows::RecordedRows;
use crate::train::{Misfit, Observer, Snapshot};
use crate::version;

/// Of the language model and of which activations are recorded: nanoGPT's.
pub const SEED: u64 = 1337;
/// How many rows an autoencoder is given at once outside training.
const ROWS_AT_ONCE: usize = 4_096;

/// A run with all that it is made of.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// What it asks.
    pub plan: Plan,
    /// How large it is; the language model knows the corpus' vocabulary.
    pub profile: Profile,
    /// The text.
    pub text: ChosenText,
    /// How exactly weights are exported.
    pub export: Precision,
    /// Where to compute.
    pub device: ChosenDevice,
    /// Where results go.
    pub folder: RunFolder,
    /// Where costly results are kept.
    pub cache: Cache,
    /// Who is told.
    pub console: &'a Console,
    /// What finished trainings have measured.
    pub metrics: RefCell<Vec<Metric>>,
}

/// The activations that autoencoders learn from, centred and scaled.
#[derive(Clone, Debug)]
pub struct ReadyRows {
    /// To train on.
    pub train: Rows,
    /// To choose a learning rate on.
    pub selection: Rows,
    /// How they were made ready.
    pub normalization: Normalization,
    /// Where they are computed with.
    pub device: Device,
}

/// One finished training of a trial.
#[derive(Clone, Debug)]
pub struct Training {
    /// Its highest learning rate.
    pub learning_rate: f64,
    /// Of weights and the order of rows.
    pub seed: u64,
    /// FVU on rows of the training text that it did not learn from.
    pub selection_fvu: f64,
    /// The model, and how its training went.
    pub trained: TrainedAutoencoder,
}

/// All trainings of a trial.
#[derive(Clone, Debug)]
pub struct TrialResult {
    /// What was trained.
    pub trial: Trial,
    /// The learning rate that did best on the selection rows.
    pub best_rate: f64,
    /// One for each learning rate, then one for each further seed at the best.
    pub trainings: Vec<Training>,
}

impl TrialResult {
    /// The trainings at the best learning rate, by seed.
    pub fn best(&self) -> impl Iterator<Item = &Training> {
        self.trainings.iter().filter(|training| training.learning_rate == self.best_rate)
    }
}

impl Experiment<'_> {
    /// All settings that the results depend on.
    pub fn config(&self) -> Value {
        let trials: Vec<Value> = self
            .plan
            .trials
            .iter()
            .map(|trial| {
                let config = self.profile.autoencoder(trial);
                json!({
                    "name": trial.name,
                    "config": config,
                    "schedule": trial.schedule,
                    "completed": trial.completed,
                    "rate_of": trial.rate_of,
                })
            })
            .collect();
        json!({
            "csae": version(),
            "run": self.plan.name,
            "question": self.plan.question,
            "device": self.device.name,
            "seed": SEED,
            "data": self.data(),
            "profile": self.profile,
            "trials": trials,
            "export": self.export,
        })
    }

    fn data(&self) -> Value {
        json!({
            "name": self.text.corpus.name,
            "sha256": self.text.corpus.sha256,
            "characters": self.text.corpus.train.len() + self.text.corpus.validation.len(),
        })
    }

    /// On what a trained language model depends.
    fn lm_configuration(&self) -> Value {
        json!({
            "form": 2,
            "device": self.device.name,
            "seed": SEED,
            "data": self.data(),
            "lm": self.profile.lm,
            "training": self.profile.lm_training,
        })
    }

    /// In which windows the text is read.
    pub fn windows(&self) -> Windows {
        Windows { block_size: self.profile.lm.block_size }
    }

    /// Trains the language model, unless an earlier run has.
    ///
    /// # Errors
    /// A file is damaged or cannot be written, or the user stops it.
    pub fn language_model(&self, title: &str) -> Result<TrainedLm> {
        let configuration = self.lm_configuration();
        let device = &self.device.device;
        let found = self.cache.find("language model", &configuration, self.console);
        if let Some(found) = found {
            let model = weights::load(self.profile.lm.init(SEED, device), &found.weights)?;
            self.metrics.borrow_mut().extend(found.metrics.clone());
            return Ok(TrainedLm { model, seconds: found.seconds, metrics: found.metrics });
        }
        let task = LmTask {
            config: &self.profile.lm,
            training: &self.profile.lm_training,
            corpus: &self.text.corpus,
            seed: SEED,
            device,
        };
        let resume = self.folder.load("lm")?;
        let mut watcher = self.watch(title, "lm", resume.as_ref(), task.training.iterations);
        let trained = lm::train(&task, resume, &mut watcher)
            .map_err(|error| self.unless_damaged("lm", error))?;
        let last = trained.metrics.last().map(|metric| metric.values["val"]).unwrap_or(f64::NAN);
        watcher.stage.finish(&format!("val {last:.4} after {:.0} s", trained.seconds));
        let snapshot = Snapshot {
            weights: weights::of(&trained.model),
            step: task.training.iterations,
            seconds: trained.seconds,
            metrics: trained.metrics.clone(),
        };
        self.cache.keep("language model", &configuration, &snapshot)?;
        self.metrics.borrow_mut().extend(trained.metrics.clone());
        self.write_metrics(&[])?;
        Ok(trained)
    }

    /// Records the activations, unless an earlier run has.
    ///
    /// # Errors
    /// A file cannot be written, or the user stops it.
    pub fn rows(&self, title: &str, lm: &CharLm) -> Result<ReadyRows> {
        let configuration = json!({
            "form": 1,
            "lm": self.lm_configuration(),
            "layer": self.profile.layer,
            "rows": self.profile.rows,
            "selection_rows": self.profile.selection_rows,
        });
        let found = self.cache.find("activations", &configuration, self.console);
        let recorded = match found.map(|found| Recorded::from_weights(found.weights)) {
            Some(Ok(recorded)) => recorded,
            _ => self.record(title, lm, &configuration)?,
        };
        let normalization = recorded.normalization();
        let Recorded { train, selection } = recorded.scaled(&normalization);
        Ok(ReadyRows { train, selection, normalization, device: self.device.device.clone() })
    }

    fn record(&self, title: &str, lm: &CharLm, configuration: &Value) -> Result<Recorded> {
        let mut stage = self.console.stage(title, 0, self.profile.rows as u64);
        let (train, selection) = (self.profile.rows, self.profile.selection_rows);
        let recorded = activations::record(
            &|batch| activations::stream(lm, self.profile.layer, batch),
            &self.text.corpus.train,
            self.windows(),
            RowCounts { train, selection },
            SEED,
            &mut |rows| stage.progress(rows as u64, &String::new),
        )?;
        stage.finish(&format!("{} rows after block {}", recorded.train.len(), self.profile.layer));
        let snapshot = Snapshot { weights: recorded.into_weights(), ..Snapshot::default() };
        self.cache.keep("activations", configuration, &snapshot)?;
        Recorded::from_weights(snapshot.weights)
    }

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
        let mut trainings = vec![];
        let named = earlier.iter().find(|other| Some(other.trial.name) == trial.rate_of);
        let rates = match named {
            Some(other) => vec![other.best_rate],
            None => self.profile.learning_rates.clone(),
        };
        for rate in rates {
            trainings.push(self.training(title, trial, rows, rate, 0)?);
        }
        let best_rate = trainings
            .iter()
            .min_by(|one, other| one.selection_fvu.total_cmp(&other.selection_fvu))
            .map_or(f64::NAN, |training| training.learning_rate);
        let seeds = match self.plan.many_seeds {
            true => self.profile.many_seeds,
            false => self.profile.seeds,
        };
        for seed in 1..seeds {
            trainings.push(self.training(title, trial, rows, best_rate, seed)?);
        }
        Ok(TrialResult { trial: trial.clone(), best_rate, trainings })
    }

    fn training(
        &self,
        title: &str,
        trial: &Trial,
        rows: &ReadyRows,
        learning_rate: f64,
        seed: u64,
    ) -> Result<Training> {
        let name = format!("{} lr={learning_rate} seed={seed}", trial.name);
        let config = self.profile.autoencoder(trial);
        let training = self.profile.training(trial);
        let task = AutoencoderTask {
            name: &name,
            config: &config,
            schedule: trial.schedule,
            training: &training,
            learning_rate,
            seed,
        };
        let batch_size = task.training.batch_size;
        let mut source = RecordedRows::new(&rows.train, batch_size, seed, &rows.device);
        let title = format!("{title} lr={learning_rate} seed={seed}");
        let resume = self.folder.load(&name)?;
        let mut watcher = self.watch(&title, &name, resume.as_ref(), task.training.steps);
        let trained = autoencoder::train(&task, &mut source, resume, &mut watcher)
            .map_err(|error| self.unless_damaged(&name, error))?;
        let selection_fvu = selection_fvu(&trained, config.limits(), rows);
        watcher.stage.finish(&format!("FVU {selection_fvu:.4} after {:.0} s", trained.seconds));
        self.metrics.borrow_mut().extend(trained.metrics.clone());
        self.write_metrics(&[])?;
        Ok(Training { learning_rate, seed, selection_fvu, trained })
    }

    /// A checkpoint whose tensors do not fit is a damaged checkpoint.
    fn unless_damaged(&self, name: &str, error: anyhow::Error) -> anyhow::Error {
        match error.is::<Misfit>() || error.is::<WeightsError>() {
            true => self.folder.damaged(name, &error).into(),
            false => error,
        }
    }

    fn watch(
        &self,
        title: &str,
        checkpoint: &str,
        resume: Option<&Snapshot>,
        total: u64,
    ) -> Watcher<'_> {
        let stage = self.console.stage(title, resume.map_or(0, |snapshot| snapshot.step), total);
        Watcher { experiment: self, stage, checkpoint: checkpoint.to_string() }
    }

    /// Writes `metrics.jsonl`: what finished trainings have measured, then `unfinished`.
    fn write_metrics(&self, unfinished: &[Metric]) -> Result<()> {
        let mut lines = vec![];
        for metric in self.metrics.borrow().iter().chain(unfinished) {
            serde_json::to_writer(&mut lines, metric)?;
            lines.push(b'\n');
        }
        self.folder.write("metrics.jsonl", &lines)
    }
}

/// Shows a training's progress, and keeps what it has reached.
struct Watcher<'a> {
    experiment: &'a Experiment<'a>,
    stage: Stage<'a>,
    checkpoint: String,
}

impl Observer for Watcher<'_> {
    fn progress(&mut self, step: u64, message: &dyn Fn() -> String) {
        self.stage.progress(step, message);
    }

    fn save(&mut self, snapshot: Snapshot) -> Result<()> {
        self.experiment.folder.save(&self.checkpoint, &snapshot)?;
        self.experiment.write_metrics(&snapshot.metrics)
    }
}

fn selection_fvu(trained: &TrainedAutoencoder, limits: Limits, rows: &ReadyRows) -> f64 {
    let rebuild = |block| to_vec(trained.model.forward(block, limits).reconstruction);
    let blocks = rows.selection.blocks(ROWS_AT_ONCE, &rows.device);
    let rebuilt: Vec<f32> = blocks.flat_map(rebuild).collect();
    measures::fvu(&rows.selection.values, &rebuilt, rows.selection.width)
}
