//! A run: its texts, and what they share.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::Result;
use serde_json::Value;
use shared::report::Metric;
use shared::weights::Precision;

use super::Experiment;
use crate::cache::Cache;
use crate::complaint::Complaint;
use crate::console::Console;
use crate::data::{ChosenText, LargeText};
use crate::device::ChosenDevice;
use crate::plan::{Plan, Profile};
use crate::run_folder::RunFolder;
use crate::settings::Settings;
use crate::side_by_side::locked;

/// A run with all that its texts share.
#[derive(Debug)]
pub struct Run<'a> {
    /// What it asks.
    pub plan: Plan,
    /// The texts; the results of the first lie in the run's folder itself.
    pub subjects: Vec<Subject>,
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
    /// What trainings have measured.
    pub metrics: Mutex<Measured>,
}

/// What the trainings of a run have measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// In an order that does not depend on which training was the faster.
    finished: Vec<Metric>,
    /// By checkpoint.
    unfinished: BTreeMap<String, Vec<Metric>>,
}

/// A text, and what the plan makes of it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The text.
    pub text: ChosenText,
    /// How large everything is; the language model knows the text's vocabulary.
    pub profile: Profile,
    /// The plan with its trials at these sizes.
    pub plan: Plan,
}

impl Subject {
    /// What `plan` makes of a text at the sizes of `profile`, or at those for a text of its kind.
    ///
    /// # Errors
    /// The language model has no layer as the user has set.
    pub fn new(
        text: ChosenText,
        plan: &Plan,
        profile: &Profile,
        settings: &Settings,
    ) -> Result<Self, Complaint> {
        let mut profile = profile.clone();
        if let Some(language) = text.language() {
            profile = profile.for_language(language);
        }
        if LargeText::named(&text.corpus.name).is_some() {
            profile = profile.for_large_text();
        }
        let with_settings = profile.for_plan(plan).with(settings);
        let mut profile = with_settings.map_err(|error| error.detail("text", &text.corpus.name))?;
        profile.lm.vocab_size = text.corpus.vocab.len();
        let plan = plan.clone().at(&profile);
        Ok(Self { text, profile, plan })
    }
}

impl Run<'_> {
    /// What is done on each text, the first one's first.
    pub fn experiments(&self) -> impl Iterator<Item = Experiment<'_>> {
        self.subjects.iter().enumerate().map(|(place, Subject { text, profile, plan })| {
            let apart = (place > 0).then_some(text.corpus.name.as_str());
            Experiment { run: self, plan, profile, text, apart }
        })
    }

    /// All settings that the results depend on. Those of the first text stand for the run; each
    /// further one has its own beside.
    pub fn config(&self) -> Value {
        let mut config = Value::Null;
        for experiment in self.experiments() {
            match experiment.apart {
                Some(name) => config["further_texts"][name] = experiment.own_config(),
                None => config = experiment.config(),
            }
        }
        config
    }

    /// Keeps what the training with this checkpoint has measured so far.
    pub(super) fn keep_unfinished(&self, checkpoint: &str, metrics: Vec<Metric>) -> Result<()> {
        let mut measured = locked(&self.metrics);
        if measured.unfinished.get(checkpoint) == Some(&metrics) {
            return Ok(());
        }
        measured.unfinished.insert(checkpoint.into(), metrics);
        self.write_metrics(&measured)
    }

    /// Keeps what trainings have measured of which all are finished.
    pub(super) fn keep(&self, metrics: impl IntoIterator<Item = Metric>) -> Result<()> {
        let mut measured = locked(&self.metrics);
        measured.finished.extend(metrics);
        measured.unfinished.clear();
        self.write_metrics(&measured)
    }

    /// Writes `metrics.jsonl`.
    fn write_metrics(&self, measured: &Measured) -> Result<()> {
        let mut lines = vec![];
        for metric in measured.finished.iter().chain(measured.unfinished.values().flatten()) {
            serde_json::to_writer(&mut lines, metric)?;
            lines.push(b'\n');
        }
        self.folder.write("metrics.jsonl", &lines)
    }
}
