//! The steps of a run on one text, each of which finds what an earlier call has reached.

mod rows;
mod run;
pub mod transcoder;
mod trials;

use anyhow::Result;
use serde_json::{Value, json};
use shared::report::Metric;
use shared::weights::{self, WeightsError};

use crate::console::Stage;
use crate::data::{ChosenText, Windows};
use crate::plan::{Plan, Profile, Trial};
use crate::train::lm::{self, LmTask, TrainedLm};
use crate::train::{Misfit, Observer, Snapshot};
use crate::version;

pub use run::{Run, Subject};
pub use trials::{FinishedModel, Training, TrialResult};

/// Of the language model and of which activations are recorded: nanoGPT's.
pub const SEED: u64 = 1337;
/// How many rows an autoencoder is given at once outside training.
const ROWS_AT_ONCE: usize = 4_096;

/// What a run does on one of its texts.
#[derive(Clone, Copy, Debug)]
pub struct Experiment<'a> {
    /// The run.
    pub run: &'a Run<'a>,
    /// What it asks, with the trials at the sizes for this text.
    pub plan: &'a Plan,
    /// How large it is; the language model knows the corpus' vocabulary.
    pub profile: &'a Profile,
    /// The text.
    pub text: &'a ChosenText,
    /// The name of a further text, whose results, checkpoints and metrics are kept apart from those of
    /// the run's first.
    pub apart: Option<&'a str>,
}

impl Experiment<'_> {
    /// All settings that the results on this text depend on.
    pub fn config(&self) -> Value {
        let mut config = json!({
            "csae": version(),
            "run": self.plan.name,
            "question": self.plan.question,
            "device": self.run.device.name,
            "seed": SEED,
            "export": self.run.export,
        });
        for (key, value) in self.own_config().as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        config
    }

    /// Those that another text of the run may have otherwise.
    fn own_config(&self) -> Value {
        let trials: Vec<Value> =
            self.plan.trials.iter().map(|trial| self.trial_config(trial)).collect();
        json!({ "data": self.data(), "profile": self.profile, "trials": trials })
    }

    /// A trial with every number that the profile gives it.
    fn trial_config(&self, trial: &Trial) -> Value {
        let profile = self.profile;
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
            "device": self.run.device.name,
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
        let device = &self.run.device.device;
        let found = self.run.cache.find("language model", &configuration, self.run.console);
        if let Some(found) = found {
            let model = weights::load(self.profile.lm.init(SEED, device), &found.weights)?;
            self.keep(&found.metrics)?;
            return Ok(TrainedLm { model, seconds: found.seconds, metrics: found.metrics });
        }
        let task = LmTask {
            config: &self.profile.lm,
            training: &self.profile.lm_training,
            corpus: &self.text.corpus,
            seed: SEED,
            device,
        };
        let resume = self.reached("lm")?;
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
        self.run.cache.keep("language model", &configuration, &snapshot)?;
        self.keep(&trained.metrics)?;
        Ok(trained)
    }

    /// A checkpoint whose tensors do not fit is a damaged checkpoint.
    fn unless_damaged(&self, name: &str, error: anyhow::Error) -> anyhow::Error {
        match error.is::<Misfit>() || error.is::<WeightsError>() {
            true => self.run.folder.damaged(&self.checkpoint(name), &error).into(),
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
        let stage =
            self.run.console.stage(title, resume.map_or(0, |snapshot| snapshot.step), total);
        Watcher { experiment: *self, stage, checkpoint: self.checkpoint(checkpoint) }
    }

    /// What an earlier call has reached of a training.
    fn reached(&self, name: &str) -> Result<Option<Snapshot>> {
        self.run.folder.load(&self.checkpoint(name))
    }

    /// The checkpoint of a training of this name.
    fn checkpoint(&self, name: &str) -> String {
        self.apart.map_or(name.to_string(), |text| format!("{text} {name}"))
    }

    /// Keeps what finished trainings have measured.
    fn keep<'m>(&self, metrics: impl IntoIterator<Item = &'m Metric>) -> Result<()> {
        self.run.keep(metrics.into_iter().map(|metric| self.told_apart(metric)))
    }

    /// Keeps what a training with this checkpoint has measured so far.
    fn keep_unfinished(&self, checkpoint: &str, metrics: &[Metric]) -> Result<()> {
        let metrics = metrics.iter().map(|metric| self.told_apart(metric)).collect();
        self.run.keep_unfinished(checkpoint, metrics)
    }

    /// A metric whose stage says of which text it is.
    fn told_apart(&self, metric: &Metric) -> Metric {
        let text = self.apart.map_or(String::new(), |text| format!(" {text}"));
        Metric { stage: metric.stage.clone() + &text, ..metric.clone() }
    }

    /// Writes a file of the results on this text.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        match self.apart {
            Some(text) => self.run.folder.write(&format!("{text}/{name}"), bytes),
            None => self.run.folder.write(name, bytes),
        }
    }
}

/// Shows a training's progress, and keeps what it has reached.
struct Watcher<'a> {
    experiment: Experiment<'a>,
    stage: Stage<'a>,
    checkpoint: String,
}

impl Observer for Watcher<'_> {
    fn progress(&mut self, step: u64, message: &dyn Fn() -> String) {
        self.stage.progress(step, message);
    }

    fn save(&mut self, snapshot: Snapshot) -> Result<()> {
        let Self { experiment, checkpoint, .. } = self;
        experiment.run.folder.save(checkpoint, &snapshot)?;
        experiment.keep_unfinished(checkpoint, &snapshot.metrics)
    }
}
