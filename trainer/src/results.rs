//! What a run measured, all of it on held-out text.

use std::time::Instant;

use anyhow::{Context, Result};
use rand::RngExt;
use shared::bundle::Normalization;
use shared::kernels::char_lm::{Layout, Writer};
use shared::random;
use shared::report::{Combination, FeatureStats, Metric, Quality};
use shared::sae::FinishedCsae;
use shared::weights::{self, to_vec};
use shared::{CharLm, CharLmConfig, Csae, CsaeConfig, Limits};

use crate::analysis::causal::{Causal, Test};
use crate::analysis::combinations::{self, ReadText};
use crate::analysis::consistency::{Consistency, Findings, consistency};
use crate::analysis::evaluation::{ActiveRows, Evaluated, HeldOut, Reference};
use crate::analysis::features::{self, RowText};
use crate::analysis::hidden::{self, Told};
use crate::analysis::reuse::{self, Reuse};
use crate::baselines::pca::Pca;
use crate::data::languages::TaskAccuracy;
use crate::experiment::transcoder::Transcoded;
use crate::experiment::{Experiment, ReadyRows, SEED, TrialResult};
use crate::train::lm::TrainedLm;

/// How many characters the language model writes to show its speed.
const SAMPLE: usize = 1_000;
/// How many of them are kept to show its style.
const SHOWN: usize = 200;
/// Of the language model that has learned nothing.
const RANDOM_SEED: u64 = 2;

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
    /// What was compared, the baselines first.
    pub methods: Vec<Method>,
    /// Every training, also those at other learning rates.
    pub trainings: Vec<TrainingResult>,
    /// One model of each trial, for the bundle.
    pub exports: Vec<Export>,
    /// How rows were made ready.
    pub normalization: Normalization,
    /// How well the language model does the task of a generated language.
    pub task: Option<TaskAccuracy>,
    /// What a transcoder of the perceptron tells.
    pub transcoder: Option<Transcoded>,
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

/// A way to explain activations, with its quality for each seed.
#[derive(Clone, Debug)]
pub struct Method {
    /// Its name in results and plots.
    pub name: String,
    /// How it was set, as in `lr=0.001`.
    pub setting: String,
    /// One for each seed.
    pub qualities: Vec<Quality>,
}

/// One training of a trial and how well its model did.
#[derive(Clone, Debug)]
pub struct TrainingResult {
    /// The trial.
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
    /// What of it tells the hidden variables of a generated language.
    pub hidden: Vec<Told>,
    /// What its pairs do in the language model itself.
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
        let (profile, corpus) = (&experiment.profile, &experiment.text.corpus);
        let total = trials.iter().map(|trial| trial.trainings.len()).sum::<usize>() + 2;
        let mut stage = experiment.console.stage(title, 0, total as u64);
        let held_out = HeldOut::read(
            &lm.model,
            profile.layer,
            &corpus.validation,
            experiment.windows(),
            profile.held_out_rows,
            &rows.normalization,
        )?;
        stage.progress(1, &|| "held-out text read".into());
        let first = trials.first().map(|trial| profile.autoencoder(&trial.trial));
        let sparsity_k = first.map_or(1, |config| config.sparsity_k);
        let mut methods = pca_methods(&held_out, rows, sparsity_k)?;
        let (mut trainings, mut exports) = (vec![], vec![]);
        for trial in &trials {
            let measured = MeasuredTrial::of(experiment, &lm.model, &held_out, trial)?;
            methods.extend(measured.silent);
            methods.push(measured.method);
            trainings.extend(measured.trainings);
            exports.extend(measured.export);
            stage.progress(1 + trainings.len() as u64, &|| trial.trial.name.into());
        }
        let lm = LmResult::of(lm, experiment)?;
        stage.finish(&format!("{} methods on {} held-out rows", methods.len(), held_out.count()));
        Ok(Self {
            lm,
            reference: held_out.reference,
            train_rows: rows.train.len(),
            selection_rows: rows.selection.len(),
            held_out_rows: held_out.count(),
            methods,
            trainings,
            exports,
            normalization: rows.normalization.clone(),
            task: task(experiment, &held_out),
            transcoder,
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

/// A trial on held-out text.
struct MeasuredTrial {
    method: Method,
    /// The same models with their units silent, where they have some.
    silent: Option<Method>,
    trainings: Vec<TrainingResult>,
    /// The first seed at the best learning rate.
    export: Option<Export>,
}

impl MeasuredTrial {
    fn of(
        experiment: &Experiment,
        lm: &CharLm,
        held_out: &HeldOut,
        trial: &TrialResult,
    ) -> Result<Self> {
        let config = experiment.profile.autoencoder(&trial.trial);
        let name = trial.trial.name.to_string();
        let (mut qualities, mut trainings, mut export) = (vec![], vec![], None);
        let mut silent = vec![];
        for training in &trial.trainings {
            let model = &training.trained.model;
            let Evaluated { quality, active } = held_out.evaluate(model, config.limits())?;
            if training.learning_rate == trial.best_rate {
                qualities.push(quality);
                if config.units.is_some() {
                    let alone = Limits { combination_size: 1, ..config.limits() };
                    silent.push(held_out.evaluate(model, alone)?.quality);
                }
                if training.seed == 0 {
                    export = Some(Export::of(experiment, lm, held_out, trial, quality, &active)?);
                }
            }
            trainings.push(TrainingResult {
                trial: name.clone(),
                learning_rate: training.learning_rate,
                seed: training.seed,
                seconds: training.trained.seconds,
                selection_fvu: training.selection_fvu,
                quality,
                metrics: training.trained.metrics.clone(),
            });
        }
        let setting = format!("lr={}", trial.best_rate);
        let silent = (!silent.is_empty()).then(|| Method {
            name: format!("{name}_silent"),
            setting: setting.clone(),
            qualities: silent,
        });
        Ok(Self { method: Method { name, setting, qualities }, silent, trainings, export })
    }
}

impl Export {
    /// The first seed of a trial with what held-out text says of it.
    fn of(
        experiment: &Experiment,
        lm: &CharLm,
        held_out: &HeldOut,
        trial: &TrialResult,
        quality: Quality,
        active: &ActiveRows,
    ) -> Result<Self> {
        let config = experiment.profile.autoencoder(&trial.trial);
        let random_lm = &experiment.profile.lm.init(RANDOM_SEED, &experiment.device.device);
        let corpus = &experiment.text.corpus;
        let first = experiment.windows().counted(0).start;
        let text = RowText { ids: &corpus.validation, first, vocab: &corpus.vocab };
        let scale = held_out.scale();
        let finished: Vec<FinishedCsae> = trial
            .best()
            .map(|training| training.trained.model.clone())
            .map(|model| FinishedCsae { model, limits: config.limits() })
            .collect();
        let model = finished.first().context("a trial without a model")?;
        let features = features::statistics(&model.model, scale, lm, active, text);
        let sets = combinations::of_units(model);
        let read = ReadText { model, active, text, lm, scale };
        let told = combinations::statistics(&read, &sets);
        let test = Test { held_out, lm, random_lm, model, active, scale };
        let causal = test.run(&told);
        let hidden = match &experiment.text.hidden {
            Some(hidden) => hidden::tell(&hidden::Active::of(model, active), hidden, first)?,
            None => vec![],
        };
        let live: Vec<usize> =
            (0..features.len()).filter(|one| features[*one].density > 0.0).collect();
        let consistency = agreement(&told, &finished, config.d_model);
        Ok(Self {
            name: trial.trial.name.to_string(),
            quality,
            units: sets.len(),
            hidden,
            causal,
            combinations: with_seeds(told, consistency.as_ref()),
            consistency,
            reuse: reuse::of(&sets, &live, features.len()),
            features,
            model: model.model.clone(),
            config,
        })
    }
}

/// How far the other models have the combinations of the first; nothing without units.
fn agreement(
    combinations: &[Combination],
    models: &[FinishedCsae],
    d_model: usize,
) -> Option<Consistency> {
    let mut findings = models.iter().filter(|finished| finished.model.units.is_some()).map(|it| {
        let directions = to_vec(it.model.decoder.val());
        Findings { directions, combinations: combinations::of_units(it) }
    });
    let sets = combinations.iter().map(|one| one.parts.clone()).collect();
    let first = Findings { combinations: sets, ..findings.next()? };
    consistency(&first, &findings.collect::<Vec<_>>(), d_model)
}

/// The combinations with the number of models that have them.
fn with_seeds(
    mut combinations: Vec<Combination>,
    consistency: Option<&Consistency>,
) -> Vec<Combination> {
    if let Some(told) = consistency {
        let all = combinations.iter_mut().zip(&told.found);
        all.for_each(|(one, found)| one.seeds = Some([*found, told.trainings]));
    }
    combinations
}

/// Principal components with as many numbers in a row as the autoencoders have active features.
fn pca_methods(held_out: &HeldOut, rows: &ReadyRows, k: usize) -> Result<Vec<Method>> {
    let (d_model, device) = (rows.train.width, &rows.device);
    let pca = Pca::fit(rows.train.blocks(8_192, device), d_model, device)?;
    let k = k.min(d_model);
    let matched = |quality| Quality { l0: k as f64, l0_max: k as f64, ..quality };
    let first = matched(held_out.measure(&mut |rows| pca.first(rows, k))?);
    let largest = matched(held_out.measure(&mut |rows| pca.largest(rows, k))?);
    let method = |name: &str, setting: String, quality| Method {
        name: name.into(),
        setting,
        qualities: vec![quality],
    };
    Ok(vec![
        method("pca", format!("first {k}"), first),
        method("pca_largest", format!("{k} largest of {d_model}"), largest),
    ])
}

impl LmResult {
    fn of(lm: &TrainedLm, experiment: &Experiment) -> Result<Self> {
        let started = Instant::now();
        let written = write(&lm.model, &experiment.profile.lm, SAMPLE)?;
        let tokens_per_second = SAMPLE as f64 / started.elapsed().as_secs_f64();
        Ok(Self {
            model: lm.model.clone(),
            metrics: lm.metrics.clone(),
            seconds: lm.seconds,
            tokens_per_second,
            sample: experiment.text.corpus.vocab.decode(&written[..SHOWN]),
        })
    }
}

/// Lets the model write `length` characters after the first of its vocabulary, at temperature 0.8.
///
/// # Errors
/// The model is none of that shape.
pub(crate) fn write(lm: &CharLm, config: &CharLmConfig, length: usize) -> Result<Vec<u32>> {
    let layout = Layout::new(config);
    let parameters = layout.read(&weights::of(lm))?;
    let mut writer = Writer::new(&layout, &parameters);
    let mut stream = random::stream(SEED, "sample");
    let mut text = vec![];
    let mut last = 0;
    for _ in 0..length {
        let mut chances: Vec<f32> = writer.read(last).iter().map(|logit| logit / 0.8).collect();
        softmax(&mut chances);
        let mut left: f32 = stream.random();
        let next = chances.iter().position(|chance| {
            left -= chance;
            left <= 0.0
        });
        last = next.unwrap_or(chances.len() - 1) as u32;
        text.push(last);
    }
    Ok(text)
}

fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let total: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}
