//! The models of a trial on held-out text, and what is known of the one that is exported.

use anyhow::{Context, Result, bail};
use shared::report::{Combination, Quality};
use shared::sae::dictionary::Dictionary;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;
use shared::{CharLm, Limits};

use super::interacting::Interacting;
use super::{Export, Method, SILENT, TrainingResult};
use crate::analysis::active_rows::ActiveRows;
use crate::analysis::causal::Test;
use crate::analysis::combinations::{self, ReadText};
use crate::analysis::consistency::{Consistency, Findings, consistency};
use crate::analysis::evaluation::{Evaluated, HeldOut};
use crate::analysis::features::{self, RowText};
use crate::analysis::interchange::{Asked, Interchanged};
use crate::analysis::remaining_blocks::RemainingBlocks;
use crate::analysis::{attending, hidden, reuse};
use crate::experiment::{Experiment, FinishedModel, TrialResult};
use crate::interrupt;
use crate::plan::ModelConfig;

/// Of the language model that has learned nothing.
const RANDOM_SEED: u64 = 2;

/// A trial on held-out text.
pub(super) struct MeasuredTrial {
    pub method: Method,
    /// The same models with their units silent, where they have some and are exported.
    pub silent: Option<Method>,
    pub trainings: Vec<TrainingResult>,
    /// The first seed at the best learning rate.
    pub export: Option<Export>,
    /// The same of a rival with the profile's own number of active features, if other programs have
    /// its form.
    pub dictionary: Option<(String, Dictionary)>,
    /// How strongly its features interact, at the profile's own number of active features; nothing of a
    /// linear decoder.
    pub interacting: Option<Interacting>,
}

impl MeasuredTrial {
    pub(super) fn of(
        experiment: &Experiment,
        lm: &CharLm,
        held_out: &HeldOut,
        trial: &TrialResult,
    ) -> Result<Self> {
        let label = trial.trial.label();
        let (mut all, mut silent, mut trainings) = (vec![], vec![], vec![]);
        let (mut export, mut dictionary) = (None, None);
        for training in &trial.trainings {
            let csae = training.model.csae();
            let Evaluated { quality, active } = match csae {
                Some(FinishedCsae { model, limits }) => held_out.evaluate(model, *limits)?,
                None => Evaluated {
                    quality: held_out.evaluate_any(training.model.autoencoder())?,
                    active: ActiveRows::default(),
                },
            };
            if training.learning_rate == trial.best_rate {
                all.push((training.seed, quality));
                if trial.trial.sparsity_k.is_none() && dictionary.is_none() {
                    let rival = training.model.autoencoder().dictionary();
                    dictionary = rival.map(|rival| (label.clone(), rival.clone()));
                }
                let exported = csae.filter(|_| trial.trial.exported);
                if let Some(FinishedCsae { model, limits }) = exported
                    && model.units.is_some()
                {
                    let alone = Limits { combination_size: 1, ..*limits };
                    silent.push((training.seed, held_out.evaluate(model, alone)?.quality));
                }
                if exported.is_some() && export.is_none() {
                    export = Some(Export::of(experiment, lm, held_out, trial, quality, &active)?);
                }
            }
            trainings.push(TrainingResult {
                trial: label.clone(),
                learning_rate: training.learning_rate,
                seed: training.seed,
                seconds: training.seconds,
                selection_fvu: training.selection_fvu,
                quality,
                combinations: combinations_of(&training.model),
                metrics: training.metrics.clone(),
            });
        }
        let models: Vec<(u64, &dyn Autoencoder)> = trial
            .best()
            .filter(|one| {
                trial.trial.sparsity_k.is_none() && combinations_of(&one.model) != Some(0)
            })
            .map(|one| (one.seed, one.model.autoencoder()))
            .collect();
        let interacting = Interacting::of(held_out, label.clone(), &models)?;
        let k = trial.sparsity_k;
        let method = |suffix: &str, all: Vec<(u64, Quality)>| {
            let (seeds, qualities) = all.into_iter().unzip();
            Method {
                name: format!("{label}{suffix}"),
                method: format!("{}{suffix}", trial.trial.name),
                sparsity_k: k,
                setting: format!("lr={}", trial.best_rate),
                seeds,
                qualities,
            }
        };
        let silent = (!silent.is_empty()).then(|| method(SILENT, silent));
        Ok(Self { method: method("", all), silent, trainings, export, dictionary, interacting })
    }
}

/// [`TrainingResult::combinations`].
fn combinations_of(model: &FinishedModel) -> Option<usize> {
    match model.csae() {
        Some(csae) if csae.model.attention.is_some() => None,
        Some(csae) => Some(combinations::of_units(csae).len()),
        None => model.autoencoder().dictionary().map(|_| 0),
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
        let ModelConfig::Csae(config) = experiment.profile.model(&trial.trial) else {
            bail!("{} is none of ours to export", trial.trial.label());
        };
        let random_lm = &experiment.profile.lm.init(RANDOM_SEED, &experiment.run.device.device);
        let corpus = &experiment.text.corpus;
        let first = experiment.windows().counted(0).start;
        let text = RowText { ids: &corpus.validation, first, vocab: &corpus.vocab };
        let scale = held_out.scale();
        let finished: Vec<FinishedCsae> =
            trial.best().filter_map(|training| training.model.csae().cloned()).collect();
        let model = finished.first().context("a trial without a model")?;
        let features = features::statistics(&model.model, scale, lm, active, text);
        let sets = combinations::of_units(model);
        let read = ReadText { model, active, text, lm, scale };
        let told = combinations::statistics(&read, &sets);
        let random_lm = &RemainingBlocks::of(random_lm, experiment.profile.layer)?;
        let causal = Test { held_out, random_lm, model, active }.run(&told)?;
        let hidden = match &experiment.text.hidden {
            Some(hidden) => hidden::tell(&hidden::Active::of(model, active), hidden, first)?,
            None => vec![],
        };
        let interchange = interchange(experiment, held_out, model, active)?;
        let live: Vec<usize> =
            (0..features.len()).filter(|one| features[*one].density > 0.0).collect();
        let consistency = agreement(&told, &finished, config.d_model);
        Ok(Self {
            name: trial.trial.label(),
            quality,
            active_counts: active.histogram(),
            units: sets.len(),
            hidden,
            interchange,
            causal,
            combinations: with_seeds(told, consistency.as_ref()),
            consistency,
            reuse: reuse::of(&sets, &live, features.len()),
            attention: attending::shares(model, active),
            features,
            model: model.model.clone(),
            config,
        })
    }
}

/// What exchanging the features of hidden variables does; nothing where there are none.
fn interchange(
    experiment: &Experiment,
    held_out: &HeldOut,
    model: &FinishedCsae,
    active: &ActiveRows,
) -> Result<Vec<Interchanged>> {
    let (Some(language), Some(text)) = (experiment.text.language(), &experiment.text.hidden) else {
        return Ok(vec![]);
    };
    let asked = Asked {
        held_out,
        model,
        codes: &active.codes(),
        text,
        vocab: &experiment.text.corpus.vocab,
        first: experiment.windows().counted(0).start,
        likeliest: &held_out.likeliest(),
    };
    let mut all = vec![];
    for exchange in language.exchanges() {
        interrupt::check()?;
        all.extend(asked.exchange(exchange)?);
    }
    Ok(all)
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
