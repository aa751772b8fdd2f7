//! One world, one track, all methods: what each proposes, and how good that is.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use burn::prelude::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::learned::{Learned, LearnedTask, TEST_ROWS, learn};
use super::mapping::Mapping;
use super::methods::{Method, ModelConfig, Proposer};
use super::oracle::OracleCode;
use super::proposals::{Proposed, by_statistic, proposed};
use super::rivals::deployed;
use super::rules::RuleKind;
use super::score::{SizeScore, Truth, score};
use super::world::World;
use crate::analysis::screening::ScreeningConfig;
use crate::plan::AutoencoderTraining;

/// What is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The true dictionary and the true active features: can combinations be found at all?
    Oracle,
    /// Nothing but activations.
    Learned,
}

/// How a method did in one world.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MethodScore {
    /// By size: `pairs`, `triples`, `quadruples`.
    pub sizes: BTreeMap<String, SizeScore>,
    /// Fraction of variance unexplained on test rows; learned track only.
    pub fvu: Option<f64>,
    /// Mean cosine of matched directions; learned track only.
    pub mcc: Option<f64>,
    /// How long it took, the training that it needs included; at the chosen learning rate alone.
    pub seconds: f64,
    /// The learning rate that was taken: the one with the lowest error on threshold rows; learned
    /// track only.
    pub learning_rate: Option<f64>,
    /// All learning rates that were tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<TriedRate>,
}

/// A learning rate and how it did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedRate {
    /// The highest learning rate of the training.
    pub learning_rate: f64,
    /// Fraction of variance unexplained on threshold rows; none where the training diverged.
    pub fvu: Option<f64>,
}

/// What is to be learned in the learned track.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The steps of a training.
    pub training: AutoencoderTraining,
    /// The highest learning rate of the model with units and of the plain TopK with refit.
    pub learning_rate: f64,
    /// The learning rates that every other model may choose from.
    pub rival_learning_rates: Vec<f64>,
    /// Where to compute.
    pub device: Device,
}

/// Scores `methods` in one world.
///
/// # Errors
/// A training was stopped or left the numbers that can be computed with.
pub fn scores(
    world: &World,
    track: Track,
    methods: &[Method],
    recipe: &Recipe,
    say: &mut dyn FnMut(&str),
) -> Result<BTreeMap<Method, MethodScore>> {
    match track {
        Track::Oracle => oracle(world, methods, say),
        Track::Learned => learned(world, methods, recipe, say),
    }
}

/// Scores those of `methods` that need no training.
fn oracle(
    world: &World,
    methods: &[Method],
    say: &mut dyn FnMut(&str),
) -> Result<BTreeMap<Method, MethodScore>> {
    let test = OracleCode::read(world, &world.rows("test rows", TEST_ROWS));
    let threshold = OracleCode::read(world, &world.rows("threshold rows", TEST_ROWS));
    let mapping = Mapping::identity(world.config.n_features);
    let d_model = world.config.d_model;
    let mut all = BTreeMap::new();
    for method in methods {
        let started = Instant::now();
        let proposed = match method.proposer() {
            Proposer::Screening if *method == Method::Screening => {
                let screening = test.screen(world, &ScreeningConfig::default())?;
                Proposed::Chosen(mapping.proposals(&screening.found))
            }
            Proposer::Statistic(rival) => {
                let rank = |codes| by_statistic(rival, codes, &world.directions, d_model);
                Proposed::Ranked { threshold: rank(&threshold.codes), test: rank(&test.codes) }
            }
            _ => continue,
        };
        let sizes = sizes_of(world, &mapping, &proposed);
        let seconds = started.elapsed().as_secs_f64();
        say(&format!("{method:?} after {seconds:.1} s"));
        all.insert(*method, MethodScore { sizes, seconds, ..MethodScore::default() });
    }
    Ok(all)
}

fn learned(
    world: &World,
    methods: &[Method],
    recipe: &Recipe,
    say: &mut dyn FnMut(&str),
) -> Result<BTreeMap<Method, MethodScore>> {
    let mut all = BTreeMap::new();
    let mut models: Vec<((ModelConfig, bool), Vec<Method>)> = vec![];
    for method in methods {
        let model = (method.model(&world.config), method.is_completed());
        match models.iter_mut().find(|(other, _)| *other == model) {
            Some((_, methods)) => methods.push(*method),
            None => models.push((model, vec![*method])),
        }
    }
    for ((model, completed), methods) in &models {
        let completed = *completed;
        let own = [recipe.learning_rate];
        let swept = methods.iter().any(|method| method.is_swept());
        let learning_rates = if swept { &recipe.rival_learning_rates } else { &own[..] };
        let screened = methods.iter().any(|method| method.proposer() == Proposer::Screening);
        let task = LearnedTask { world, model, learning_rates, completed, screened, recipe };
        let learned = learn(&task)?;
        for method in methods {
            let score = described(world, &learned, method.proposer());
            let (seconds, fvu, rate) = (score.seconds, learned.fvu, learned.learning_rate);
            say(&format!("{method:?} after {seconds:.0} s, FVU {fvu:.4}, learning rate {rate}"));
            all.insert(*method, score);
        }
    }
    Ok(all)
}

fn described(world: &World, learned: &Learned, proposer: Proposer) -> MethodScore {
    let started = Instant::now();
    let proposed = proposed(learned, proposer);
    MethodScore {
        sizes: sizes_of(world, &learned.mapping, &proposed),
        fvu: Some(learned.fvu),
        mcc: Some(learned.mcc),
        seconds: learned.seconds + started.elapsed().as_secs_f64(),
        learning_rate: Some(learned.learning_rate),
        tried: learned.tried.clone(),
    }
}

/// The scores of proposals by size. A ranking is deployed down to the value that is best on
/// threshold rows.
fn sizes_of(world: &World, mapping: &Mapping, proposed: &Proposed) -> BTreeMap<String, SizeScore> {
    let recovers = |feature| mapping.recovers(feature);
    let one = |(size, name): (usize, &str)| {
        let truth = Truth::new(&world.rules, &world.decoys, size, RuleKind::is_visible);
        let score = match proposed {
            Proposed::Chosen(found) => score(&truth, found, found, recovers),
            Proposed::Ranked { threshold, test } => {
                score(&truth, &deployed(&truth, threshold, test), test, recovers)
            }
        };
        (name.to_string(), score)
    };
    [(2, "pairs"), (3, "triples"), (4, "quadruples")].map(one).into()
}
