//! One world, one track, all methods: what each proposes, and how good that is.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use burn::prelude::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::{CsaeConfig, UnitsConfig};

use super::learned::{Learned, LearnedTask, TEST_ROWS, learn};
use super::mapping::Mapping;
use super::oracle::OracleCode;
use super::rivals::{Counts, Rival, deployed};
use super::rules::RuleKind;
use super::score::{Proposal, SizeScore, Truth, score};
use super::world::World;
use crate::analysis::screening::ScreeningConfig;
use crate::analysis::screening::sparse::SparseRows;
use crate::plan::AutoencoderTraining;

/// Combinations on fewer rows are ranked nowhere.
const SUPPORT: usize = 15;

/// What is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The true dictionary and the true active features: can combinations be found at all?
    Oracle,
    /// Nothing but activations.
    Learned,
}

/// Who proposes combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Method {
    /// Composition units, trained together with the features (learned track only).
    Csae,
    /// Screening what features alone leave over, after their training.
    Screening,
    /// Pointwise mutual information.
    Pmi,
    /// The phi coefficient.
    Phi,
    /// The cosine of directions.
    Cosine,
    /// PMI times cosine.
    PmiCosine,
}

impl Method {
    fn rival(self) -> Option<Rival> {
        match self {
            Self::Csae | Self::Screening => None,
            Self::Pmi => Some(Rival::Pmi),
            Self::Phi => Some(Rival::Phi),
            Self::Cosine => Some(Rival::Cosine),
            Self::PmiCosine => Some(Rival::PmiCosine),
        }
    }
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
    /// How long it took, the training that it needs included.
    pub seconds: f64,
}

/// What is to be learned in the learned track.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The steps of a training.
    pub training: AutoencoderTraining,
    /// Its highest learning rate.
    pub learning_rate: f64,
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

fn oracle(
    world: &World,
    methods: &[Method],
    say: &mut dyn FnMut(&str),
) -> Result<BTreeMap<Method, MethodScore>> {
    let test = OracleCode::read(world, &world.rows("test rows", TEST_ROWS));
    let threshold = OracleCode::read(world, &world.rows("threshold rows", TEST_ROWS));
    let mapping = Mapping::identity(world.config.n_features);
    let mut all = BTreeMap::new();
    for method in methods {
        let started = Instant::now();
        let sizes = match method.rival() {
            Some(rival) => {
                let codes = [&threshold.codes, &test.codes];
                rival_scores(world, rival, codes, &world.directions, &mapping)
            }
            None if *method == Method::Csae => continue,
            None => {
                let screening = test.screen(world, &ScreeningConfig::default())?;
                sizes_of(world, &mapping, &mapping.proposals(&screening.found))
            }
        };
        say(&format!("{method:?} after {:.1} s", started.elapsed().as_secs_f64()));
        let seconds = started.elapsed().as_secs_f64();
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
    let k = (1.25 * world.config.mean_l0).round() as usize;
    let config = |units: Option<UnitsConfig>| {
        CsaeConfig::new(world.config.d_model)
            .with_n_features(world.config.n_features)
            .with_sparsity_k(k)
            .with_refit_steps(3)
            .with_units(units)
    };
    let train = |config: &CsaeConfig| {
        let Recipe { training, learning_rate, device } = recipe;
        let (learning_rate, seed) = (*learning_rate, world.config.seed);
        learn(&LearnedTask { world, config, training, learning_rate, seed, device })
    };
    let mut all = BTreeMap::new();
    let described = |learned: &Learned, sizes| MethodScore {
        sizes,
        fvu: Some(learned.fvu),
        mcc: Some(learned.mcc),
        seconds: learned.seconds,
    };
    if methods.contains(&Method::Csae) {
        let learned = train(&config(Some(UnitsConfig::new())))?;
        let found = learned.mapping.proposals(&learned.combinations);
        say(&format!("Csae after {:.0} s, FVU {:.4}", learned.seconds, learned.fvu));
        let sizes = sizes_of(world, &learned.mapping, &found);
        all.insert(Method::Csae, described(&learned, sizes));
    }
    if methods.iter().all(|method| *method == Method::Csae) {
        return Ok(all);
    }
    let learned = train(&config(None))?;
    say(&format!("TopK with refit after {:.0} s, FVU {:.4}", learned.seconds, learned.fvu));
    for method in methods.iter().filter(|method| **method != Method::Csae) {
        let sizes = match method.rival() {
            Some(rival) => {
                let codes = [&learned.threshold_codes, &learned.test_codes];
                rival_scores(world, rival, codes, &learned.directions, &learned.mapping)
            }
            None => {
                sizes_of(world, &learned.mapping, &learned.mapping.proposals(&learned.screened))
            }
        };
        all.insert(*method, described(&learned, sizes));
    }
    Ok(all)
}

const SIZES: [(usize, &str); 3] = [(2, "pairs"), (3, "triples"), (4, "quadruples")];

/// The scores of proposals that a method makes of itself.
fn sizes_of(world: &World, mapping: &Mapping, found: &[Proposal]) -> BTreeMap<String, SizeScore> {
    let one = |(size, name): (usize, &str)| {
        let truth = Truth::new(&world.rules, &world.decoys, size, RuleKind::is_visible);
        (name.to_string(), score(&truth, found, found, |feature| mapping.recovers(feature)))
    };
    SIZES.map(one).into()
}

/// The scores of a statistic, deployed down to the value that is best on threshold rows.
fn rival_scores(
    world: &World,
    rival: Rival,
    [threshold, test]: [&SparseRows; 2],
    directions: &[f32],
    mapping: &Mapping,
) -> BTreeMap<String, SizeScore> {
    let d_model = world.config.d_model;
    let counts = |codes| Counts::new(codes, directions, d_model, SUPPORT);
    let (on_threshold, on_test) = (counts(threshold), counts(test));
    let one = |(size, name): (usize, &str)| {
        let truth = Truth::new(&world.rules, &world.decoys, size, RuleKind::is_visible);
        let ranked = |counts: &Counts| mapping.translate(&counts.ranking(rival, size));
        let ranking = ranked(&on_test);
        let deployed = deployed(&truth, &ranked(&on_threshold), &ranking);
        let recovers = |feature| mapping.recovers(feature);
        (name.to_string(), score(&truth, &deployed, &ranking, recovers))
    };
    SIZES.map(one).into()
}
