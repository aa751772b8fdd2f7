//! The steps of a run, each of which finds what an earlier call has reached.

mod rows;
pub mod transcoder;
mod trials;

use std::cell::RefCell;

use anyhow::Result;
use serde_json::{Value, json};
use shared::report::Metric;
use shared::weights::{self, Precision, WeightsError};

use crate::cache::Cache;
use crate::console::{Console, Stage};
use crate::data::{ChosenText, Windows};
use crate::device::ChosenDevice;
use crate::plan::{Plan, Profile, Trial};
use crate::run_folder::RunFolder;
use crate::train::lm::{self, LmTask, TrainedLm};
use crate::train::{Misfit, Observer, Snapshot};
use crate::version;

pub use trials::{FinishedModel, Training, TrialResult};

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
    /// How many bytes of rows may lie in memory; by the machine if not given.
    pub rows_in_memory: Option<u64>,
    /// Who is told.
    pub console: &'a Console,
    /// What finished trainings have measured.
    pub metrics: RefCell<Vec<Metric>>,
}

impl Experiment<'_> {
    /// All settings that the results depend on.
    pub fn config(&self) -> Value {
        let trials: Vec<Value> =
            self.plan.trials.iter().map(|trial| self.trial_config(trial)).collect();
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

    /// A trial with every number that the profile gives it.
    fn trial_config(&self, trial: &Trial) -> Value {
        let profile = &self.profile;
        let rates = trial.rate_of.is_none().then_some(&profile.learning_rates);
        json!({
            "label": trial.label(),
            "name": trial.name,
            "sparsity_k": profile.k(trial),
            "model": profile.model(trial),
            "training": profile.training(trial),
            "schedule": profile.schedule(trial),
            "learning_rates": rates,
            "rate_of": trial.rate_of,
            "seeds": profile.seeds(trial),
            "compared_with": self.plan.reference_of(trial),
            "exported": trial.exported,
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
