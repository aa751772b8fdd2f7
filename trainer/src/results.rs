//! What a run measured, all of it on held-out text.

mod baselines;
pub mod comparison;
pub mod interacting;
pub mod sample;
mod trial;
mod writing;

use std::sync::Mutex;

use anyhow::{Result, ensure};
use serde::Serialize;
use shared::bundle::Normalization;
use shared::report::{Combination, FeatureStats, Metric, Quality};
use shared::sae::dictionary::Dictionary;
use shared::{CharLm, Csae, CsaeConfig};

use crate::activations::ReadyRows;
use crate::analysis::causal::Causal;
use crate::analysis::consistency::Consistency;
use crate::analysis::evaluation::{HeldOut, Reference};
use crate::analysis::hidden::Told;
use crate::analysis::interchange::Interchanged;
use crate::analysis::reuse::Reuse;
use crate::baselines::pca::Pca;
use crate::data::languages::TaskAccuracy;
use crate::experiment::transcoder::Transcoded;
use crate::experiment::{Experiment, TrialResult};
use crate::plan::Relation;
use crate::side_by_side::{at_once, locked, side_by_side};
use crate::train::lm::TrainedLm;
use comparison::Comparison;
use interacting::Interacting;
use sample::Sample;
use trial::MeasuredTrial;
pub(crate) use writing::write;

/// What the name of a method ends with that is another with its units silent.
pub(crate) const SILENT: &str = "_silent";

/// The results of a run.
#[derive(Clone, Debug)]
pub struct Results {
    /// The language model.
    pub lm: LmResult,
    /// Its loss on held-out text, untouched and ablated.
    pub reference: Reference,
    /// On how many rows the autoencoders were trained.
    pub train_rows: usize,
    /// On how many rows learning rates were chosen.
    pub selection_rows: usize,
    /// On how many held-out rows everything was measured.
    pub held_out_rows: usize,
    /// How the trials belong together.
    pub relation: Relation,
    /// The profile's own number of active features.
    pub sparsity_k: usize,
    /// The text that these are rows of, with its first half block and the character after its last.
    pub held_out_text: String,
    /// What was compared, the baselines first.
    pub methods: Vec<Method>,
    /// How trials differ from those that they are compared with.
    pub comparisons: Vec<Comparison>,
    /// How strongly features interact, for every method whose decoder is not linear.
    pub interacting: Vec<Interacting>,
    /// Every training, also those at other learning rates.
    pub trainings: Vec<TrainingResult>,
    /// One model of each exported trial, for the bundle.
    pub exports: Vec<Export>,
    /// One model of each rival that is a plain dictionary, for other programs.
    pub dictionaries: Vec<(String, Dictionary)>,
    /// Trainings that left the numbers that can be computed with, and where.
    pub diverged: Vec<String>,
    /// How rows were made ready.
    pub normalization: Normalization,
    /// How well the language model does the task of a generated language.
    pub task: Option<TaskAccuracy>,
    /// What a transcoder of the perceptron tells.
    pub transcoder: Option<Transcoded>,
    /// A few held-out rows for other programs.
    pub sample: Sample,
}

/// The language model and how it did.
#[derive(Clone, Debug)]
pub struct LmResult {
    /// The model.
    pub model: CharLm,
    /// Its losses on the way.
    pub metrics: Vec<Metric>,
    /// How long its training took.
    pub seconds: f64,
    /// How fast it writes.
    pub tokens_per_second: f64,
    /// What it wrote.
    pub sample: String,
}

/// A way to explain activations with some number of active features, with its quality for each seed.
#[derive(Clone, Debug, Serialize)]
pub struct Method {
    /// Its name in results and plots, unlike all others: the method's, with the number of active
    /// features where that is not the profile's own.
    pub name: String,
    /// The method.
    pub method: String,
    /// How many features it was asked to activate on a row.
    pub sparsity_k: usize,
    /// How it was set, as in `lr=0.001`.
    pub setting: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// One for each seed.
    pub qualities: Vec<Quality>,
}

/// Whether a method of this name is a baseline.
pub(crate) fn is_baseline(method: &str) -> bool {
    ["pca", "nmf"].iter().any(|baseline| method.starts_with(baseline))
}

impl Method {
    /// One number for each seed.
    pub fn by_seed(&self, value: impl Fn(&Quality) -> f64) -> Vec<(u64, f64)> {
        self.seeds.iter().copied().zip(self.qualities.iter().map(value)).collect()
    }

    /// Whether it is one of the baselines, which have no features that could be dead.
    pub fn is_baseline(&self) -> bool {
        is_baseline(&self.method)
    }

    /// The mean of a number over seeds.
    pub fn mean(&self, value: impl Fn(&Quality) -> f64) -> f64 {
        self.qualities.iter().map(value).sum::<f64>() / self.qualities.len() as f64
    }
}

/// One training of a trial and how well its model did.
#[derive(Clone, Debug)]
pub struct TrainingResult {
    /// The trial's label.
    pub trial: String,
    /// Its highest learning rate.
    pub learning_rate: f64,
    /// Of weights and the order of rows.
    pub seed: u64,
    /// How long it took.
    pub seconds: f64,
    /// FVU on rows by which the learning rate was chosen.
    pub selection_fvu: f64,
    /// On held-out text.
    pub quality: Quality,
    /// How many combinations it has: none where the decoder is linear; not counted where every pair of
    /// features is one, by attention or by products.
    pub combinations: Option<usize>,
    /// The loss terms on the way.
    pub metrics: Vec<Metric>,
}

/// A model for the bundle.
#[derive(Clone, Debug)]
pub struct Export {
    /// The trial.
    pub name: String,
    /// Its shape.
    pub config: CsaeConfig,
    /// The model.
    pub model: Csae,
    /// On held-out text.
    pub quality: Quality,
    /// On how many held-out rows so many features are active: 0, 1 and so on.
    pub active_counts: Vec<usize>,
    /// What is known of its features.
    pub features: Vec<FeatureStats>,
    /// How many units with parts it has.
    pub units: usize,
    /// What is known of its combinations.
    pub combinations: Vec<Combination>,
    /// How far trainings from other seeds found the same.
    pub consistency: Option<Consistency>,
    /// How they share features.
    pub reuse: Option<Reuse>,
    /// Where the heads of its attention look: for each the share of every partner, the null slot last.
    pub attention: Option<Vec<Vec<f64>>>,
    /// What of it tells the hidden variables of a generated language.
    pub hidden: Vec<Told>,
    /// What exchanges of them between rows do to the language model.
    pub interchange: Vec<Interchanged>,
    /// What its combinations do in the language model itself.
    pub causal: Causal,
}

impl Results {
    /// Measures the finished models of an experiment.
    ///
    /// # Errors
    /// The user stops it.
    pub fn measure(
        experiment: &Experiment,
        lm: &TrainedLm,
        rows: &ReadyRows,
        trials: Vec<TrialResult>,
        transcoder: Option<Transcoded>,
        title: &str,
    ) -> Result<Self> {
        let (profile, corpus) = (experiment.profile, &experiment.text.corpus);
        let total = trials.iter().map(|trial| trial.trainings.len()).sum::<usize>() + 2;
        let mut stage = experiment.run.console.stage(title, 0, total as u64);
        let held_out = HeldOut::read(
            &lm.model,
            profile.layer,
            &corpus.validation,
            experiment.windows(),
            profile.held_out_rows,
            &rows.normalization,
        )?;
        stage.progress(1, &|| "held-out text read".into());
        let pca = Pca::fit(rows.train.blocks(8_192), rows.train.width(), &rows.device)?;
        let mut methods = baselines::all(&held_out, rows, &pca, &sparsities(experiment))?;
        let (mut trainings, mut exports, mut dictionaries) = (vec![], vec![], vec![]);
        let mut interacting = vec![];
        let trained: Vec<&TrialResult> =
            trials.iter().filter(|trial| !trial.trainings.is_empty()).collect();
        let shown = Mutex::new((&mut stage, 1));
        let at_once = at_once(&rows.device);
        let measured = side_by_side(&trained, at_once, |trial| {
            let measured = MeasuredTrial::of(experiment, &lm.model, &held_out, trial)?;
            let (stage, step) = &mut *locked(&shown);
            *step += trial.trainings.len() as u64;
            stage.progress(*step, &|| trial.trial.label());
            Ok(measured)
        })?;
        for measured in measured {
            methods.extend(measured.silent);
            methods.push(measured.method);
            trainings.extend(measured.trainings);
            exports.extend(measured.export);
            dictionaries.extend(measured.dictionary);
            interacting.extend(measured.interacting);
        }
        let diverged: Vec<String> =
            trials.iter().flat_map(|trial| trial.diverged.clone()).collect();
        ensure!(!exports.is_empty(), "no training came to its end: {}", diverged.join("; "));
        let sample = Sample::of(&held_out, &pca, profile.sparsity_k, &exports);
        let lm = LmResult::of(lm, experiment)?;
        stage.finish(&format!("{} methods on {} held-out rows", methods.len(), held_out.count()));
        Ok(Self {
            lm,
            reference: held_out.reference,
            train_rows: rows.train.count(),
            selection_rows: rows.selection.len(),
            held_out_rows: held_out.count(),
            held_out_text: corpus.vocab.decode(&corpus.validation[..held_out.characters()]),
            relation: experiment.plan.relation,
            sparsity_k: profile.sparsity_k,
            comparisons: comparison::all(experiment.plan, &methods),
            methods,
            interacting,
            trainings,
            exports,
            dictionaries,
            diverged,
            normalization: rows.normalization.clone(),
            task: task(experiment, &held_out),
            transcoder,
            sample,
        })
    }
}

/// How many of the characters that the rules decide the language model gets right.
fn task(experiment: &Experiment, held_out: &HeldOut) -> Option<TaskAccuracy> {
    let text = experiment.text.hidden.as_ref()?;
    let (first, likeliest) = (experiment.windows().counted(0).start, held_out.likeliest());
    Some(text.task_accuracy(|position| {
        let id = likeliest.get(position.checked_sub(first)?)?;
        experiment.text.corpus.vocab.char(*id as usize)
    }))
}

/// The numbers of active features that trials have, the profile's own first.
fn sparsities(experiment: &Experiment) -> Vec<usize> {
    let Experiment { plan, profile, .. } = experiment;
    let mut all: Vec<usize> = plan.trials.iter().map(|trial| profile.k(trial)).collect();
    all.sort_by_key(|k| (*k != profile.sparsity_k, *k));
    all.dedup();
    all
}
