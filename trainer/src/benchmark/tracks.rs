//! One world, one track, all methods: what each proposes, and how good that is.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use burn::prelude::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::feature_scores::FeatureScores;
use super::learned::{Learned, LearnedTask, TEST_ROWS, learn};
use super::mapping::Mapping;
use super::methods::{Method, Proposer};
use super::oracle::OracleCode;
use super::outcomes::{Answer, Rest, RuleOutcome, Search, detectability, mean_energy, outcomes};
use super::proposals::{Proposed, by_statistic, proposed};
use super::rivals::deployed;
use super::rules::{RuleKind, SIZES};
use super::runs::SIZES as NAMES;
use super::score::{Proposal, SizeScore, Truth, score};
use super::world::World;
use crate::analysis::screening::ScreeningConfig;
use crate::interrupt;
use crate::plan::{AutoencoderTraining, ModelConfig};

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
    /// How well the dictionary knows the features; learned track only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureScores>,
    /// What became of each rule of the world.
    #[serde(default)]
    pub rules: Vec<RuleOutcome>,
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

/// Scores `methods` in one world, in their order.
///
/// # Errors
/// A training was stopped or left the numbers that can be computed with.
pub fn scores(
    world: &World,
    track: Track,
    methods: &[Method],
    recipe: &Recipe,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<(Method, MethodScore)>> {
    let mut all = match track {
        Track::Oracle => oracle(world, methods, say)?,
        Track::Learned => learned(world, methods, recipe, say)?,
    };
    Ok(methods.iter().filter_map(|method| Some((*method, all.remove(method)?))).collect())
}

/// Scores those of `methods` that need no training.
fn oracle(
    world: &World,
    methods: &[Method],
    say: &mut dyn FnMut(&str),
) -> Result<BTreeMap<Method, MethodScore>> {
    let rows = world.rows("test rows", TEST_ROWS);
    let test = OracleCode::read(world, &rows);
    let threshold = OracleCode::read(world, &world.rows("threshold rows", TEST_ROWS));
    let mapping = Mapping::identity(world.config.n_features);
    let d_model = world.config.d_model;
    let noise = mean_energy(&test.residuals, d_model);
    let search = Search { rows: &rows, searched: TEST_ROWS, noise };
    let seen = detectability(world, &search, |_| 1.0);
    let mut all = BTreeMap::new();
    for method in methods {
        interrupt::check()?;
        let started = Instant::now();
        let (mut found, mut left) = (vec![], None);
        let proposed = match method.proposer() {
            Proposer::Screening if *method == Method::Screening => {
                found = test.screen(world, &ScreeningConfig::default())?.found;
                left = Some(test.without(world, &found)?);
                Proposed::Chosen(mapping.proposals(&found))
            }
            Proposer::Statistic(rival) => {
                let rank = |codes| by_statistic(rival, codes, &world.directions, d_model);
                Proposed::Ranked { threshold: rank(&threshold.codes), test: rank(&test.codes) }
            }
            _ => continue,
        };
        let (deployed, ranking) = deployed_and_ranking(world, proposed);
        let answer = Answer { deployed: &deployed, found: &found, mapping: &mapping };
        let rest = left.as_ref().map(|left| Rest { rows: &rows, left });
        let score = MethodScore {
            sizes: sizes_of(world, &mapping, &deployed, &ranking),
            rules: outcomes(world, &answer, rest.as_ref(), &seen),
            seconds: started.elapsed().as_secs_f64(),
            ..MethodScore::default()
        };
        say(&format!("{method:?} after {:.1} s", score.seconds));
        all.insert(*method, score);
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
    let (deployed, ranking) = deployed_and_ranking(world, proposed(learned, proposer));
    let found = match proposer {
        Proposer::Units => learned.combinations.as_slice(),
        Proposer::Screening => learned.screened.as_slice(),
        _ => &[],
    };
    let answer = Answer { deployed: &deployed, found, mapping: &learned.mapping };
    // What a screening explains is no part of the model.
    let rest = match (&learned.screened_rest, proposer) {
        (Some((rows, left)), Proposer::Screening) => Rest { rows, left },
        _ => Rest { rows: &learned.test_rows, left: &learned.residuals },
    };
    MethodScore {
        sizes: sizes_of(world, &learned.mapping, &deployed, &ranking),
        rules: outcomes(world, &answer, Some(&rest), &learned.detectability),
        features: Some(learned.features.clone()),
        fvu: Some(learned.fvu),
        mcc: Some(learned.mcc),
        seconds: learned.seconds + started.elapsed().as_secs_f64(),
        learning_rate: Some(learned.learning_rate),
        tried: learned.tried.clone(),
    }
}

/// What a method deploys, and all that it ranks. A ranking is deployed down to the value that is
/// best on threshold rows, for each size.
fn deployed_and_ranking(world: &World, proposed: Proposed) -> (Vec<Proposal>, Vec<Proposal>) {
    let (threshold, test) = match proposed {
        Proposed::Chosen(found) => return (found.clone(), found),
        Proposed::Ranked { threshold, test } => (threshold, test),
    };
    let of_size = |size: usize| {
        let truth = Truth::new(&world.rules, &world.decoys, size, RuleKind::is_visible);
        let all = deployed(&truth, &threshold, &test).into_iter();
        all.filter(move |proposal| proposal.parts.len() == size)
    };
    (SIZES.into_iter().flat_map(of_size).collect(), test)
}

/// The scores of proposals by size.
pub fn sizes_of(
    world: &World,
    mapping: &Mapping,
    deployed: &[Proposal],
    ranking: &[Proposal],
) -> BTreeMap<String, SizeScore> {
    let recovers = |feature| mapping.recovers(feature);
    let one = |(size, name): (usize, &str)| {
        let truth = Truth::new(&world.rules, &world.decoys, size, RuleKind::is_visible);
        (name.to_string(), score(&truth, deployed, ranking, recovers))
    };
    SIZES.into_iter().zip(NAMES).map(one).collect()
}
