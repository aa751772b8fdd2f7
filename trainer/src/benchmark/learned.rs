//! The learned track: an autoencoder is trained on a world's rows; which combinations does it find?

use std::time::Instant;

use anyhow::Result;
use burn::prelude::*;
use shared::CsaeConfig;
use shared::composition::units::MOST_PARTS;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use super::feature_scores::{FeatureScores, recalls};
use super::mapping::Mapping;
use super::outcomes::{Search, detectability, mean_energy};
use super::reading::{combinations, fvu, read, read_codes};
use super::rows::Rows;
use super::tracks::{Recipe, TriedRate};
use super::world::World;
use super::world_rows::WorldRows;
use crate::analysis::screening::sparse::SparseRows;
use crate::analysis::screening::{
    Evidence, FoundCombination, ScreeningConfig, screen, without_effects,
};
use crate::plan::{AutoencoderTraining, DictionaryCompletion, ModelConfig, Schedule};
use crate::train::autoencoder::{self, AutoencoderTask};
use crate::train::rival::{self, RivalTask};
use crate::train::{Diverged, Unwatched, composition};

/// On how many rows of their own thresholds are chosen, and everything is measured.
pub const TEST_ROWS: usize = 65_536;
/// On how many of the threshold rows a learning rate is chosen.
const ROWS_TO_CHOOSE: usize = 16_384;

/// What to learn.
#[derive(Clone, Copy, Debug)]
pub struct LearnedTask<'a> {
    /// The world, whose seed is the weights' seed, too.
    pub world: &'a World,
    /// The model.
    pub model: &'a ModelConfig,
    /// The learning rates to try: that with the lowest error on threshold rows is taken.
    pub learning_rates: &'a [f64],
    /// Whether directions that are missing in the dictionary are looked for on the way.
    pub completed: bool,
    /// Whether combinations are looked for in what the features leave over, after the training.
    pub screened: bool,
    /// How to learn.
    pub recipe: &'a Recipe,
}

/// What was learned, and how it maps to the truth.
#[derive(Debug)]
pub struct Learned {
    /// The model.
    pub model: Box<dyn Autoencoder>,
    /// The combinations of its units, the one that says most first.
    pub combinations: Vec<FoundCombination>,
    /// Combinations that a screening after the training finds, if one was asked for.
    pub screened: Vec<FoundCombination>,
    /// The rows in which that screening looked, and what features and combinations leave of them.
    pub screened_rest: Option<(Rows, Vec<f32>)>,
    /// The true feature of each learned one.
    pub mapping: Mapping,
    /// Codes of the rows on which thresholds are chosen.
    pub threshold_codes: SparseRows,
    /// The test rows.
    pub test_rows: Rows,
    /// What the model leaves of the test rows: `[rows, d_model]`.
    pub residuals: Vec<f32>,
    /// Codes of the test rows.
    pub test_codes: SparseRows,
    /// The learned directions: `[n_features, d_model]`.
    pub directions: Vec<f32>,
    /// Fraction of variance unexplained on the test rows.
    pub fvu: f64,
    /// Mean cosine of the matched directions over the true features, 0 for one without a match.
    pub mcc: f64,
    /// How well the dictionary knows the features, on threshold rows.
    pub features: FeatureScores,
    /// How well each rule can be seen with this dictionary; see [`detectability`].
    pub detectability: Vec<Option<f64>>,
    /// How long the training at the chosen learning rate and the screening took.
    pub seconds: f64,
    /// The chosen learning rate.
    pub learning_rate: f64,
    /// All learning rates and how they did.
    pub tried: Vec<TriedRate>,
}

/// Trains an autoencoder on fresh rows of a world and reads what it found.
///
/// # Errors
/// The training was stopped, or has become something that is not finite at every learning rate.
pub fn learn(task: &LearnedTask) -> Result<Learned> {
    let Recipe { training, device, .. } = task.recipe;
    let mut source = WorldRows::new(task.world, training.batch_size, device);
    let threshold = task.world.rows("threshold rows", TEST_ROWS);
    let rows = source.centred(&threshold.activations);
    let few = rows.clone().narrow(0, 0, ROWS_TO_CHOOSE);
    let (trained, tried) = best(task, &mut source, &few)?;

    let started = Instant::now();
    let screened = match task.screened {
        true => {
            let rows = task.world.rows("screening after training", training.composition.rows);
            let (found, left) = screened(task, &trained, source.centred(&rows.activations))?;
            Some((found, (rows, left)))
        }
        false => None,
    };
    let seconds = trained.seconds + started.elapsed().as_secs_f64();
    let threshold_codes = read_codes(&*trained.model, rows.clone());
    let test = task.world.rows("test rows", TEST_ROWS);
    let on_test = read(&*trained.model, source.centred(&test.activations));
    let d_model = task.world.config.d_model;
    let directions = to_vec(trained.model.directions());
    let truth = &task.world.directions;
    let mapping = Mapping::new(&directions, truth, d_model, &threshold_codes, &threshold.active);
    let noise = mean_energy(&on_test.residuals, d_model);
    let searched = training.composition.rows;
    let search = Search { rows: &threshold, searched, noise };
    let n_features = task.world.config.n_features;
    let recalls = recalls(&mapping, n_features, &threshold_codes, &threshold);
    let features =
        FeatureScores::new(task.world, &directions, &mapping, &threshold_codes, &threshold);
    let (screened, screened_rest) = screened.unzip();
    Ok(Learned {
        features,
        detectability: detectability(task.world, &search, |feature| recalls[feature]),
        screened_rest,
        combinations: trained.csae.as_ref().map_or(vec![], |csae| combinations(csae, rows)),
        screened: screened.unwrap_or_default(),
        mcc: mapping.mcc(&directions, task.world),
        mapping,
        threshold_codes,
        test_rows: test,
        residuals: on_test.residuals,
        test_codes: on_test.codes,
        directions,
        fvu: on_test.fvu,
        seconds,
        learning_rate: trained.learning_rate,
        tried,
        model: trained.model,
    })
}

/// A model at one learning rate.
struct Trained {
    model: Box<dyn Autoencoder>,
    /// The same model, if it is one of ours.
    csae: Option<FinishedCsae>,
    learning_rate: f64,
    seconds: f64,
}

/// The model whose learning rate does best on threshold `rows`, and how all of them did.
fn best(
    task: &LearnedTask,
    source: &mut WorldRows,
    rows: &Tensor<2>,
) -> Result<(Trained, Vec<TriedRate>)> {
    let mut tried: Vec<TriedRate> = vec![];
    let mut best: Option<(f64, Trained)> = None;
    let mut failure = anyhow::anyhow!("no learning rate was given");
    for &learning_rate in task.learning_rates {
        match train(task, learning_rate, source) {
            Err(error) if error.is::<Diverged>() => {
                tried.push(TriedRate { learning_rate, fvu: None });
                failure = error;
            }
            Err(error) => return Err(error),
            Ok(trained) => {
                let error = fvu(&*trained.model, rows.clone());
                tried.push(TriedRate { learning_rate, fvu: Some(error) });
                if best.as_ref().is_none_or(|(least, _)| error < *least) {
                    best = Some((error, trained));
                }
            }
        }
    }
    best.map(|(_, trained)| (trained, tried)).ok_or(failure)
}

fn train(task: &LearnedTask, learning_rate: f64, source: &mut WorldRows) -> Result<Trained> {
    let started = Instant::now();
    let (model, csae): (Box<dyn Autoencoder>, _) = match task.model {
        ModelConfig::Csae(config) => {
            let finished = train_csae(task, config, learning_rate, source)?;
            (Box::new(finished.clone()), Some(finished))
        }
        ModelConfig::Rival(config) => {
            let (training, seed) = (&task.recipe.training, task.world.config.seed);
            let task = RivalTask { name: "benchmark", training, learning_rate };
            (rival::teach(config, seed, &task, source, None, &mut Unwatched)?.model, None)
        }
    };
    Ok(Trained { model, csae, learning_rate, seconds: started.elapsed().as_secs_f64() })
}

fn train_csae(
    task: &LearnedTask,
    config: &CsaeConfig,
    learning_rate: f64,
    source: &mut WorldRows,
) -> Result<FinishedCsae> {
    let completion = task.completed.then(DictionaryCompletion::default);
    let training = AutoencoderTraining { completion, ..task.recipe.training.clone() };
    let task = AutoencoderTask {
        name: "benchmark",
        config,
        schedule: Schedule::default(),
        training: &training,
        learning_rate,
        seed: task.world.config.seed,
    };
    let model = autoencoder::train(&task, source, None, &mut Unwatched)?.model;
    Ok(FinishedCsae { model, limits: config.limits() })
}

/// Combinations in what the features leave over of `sample`, and what both leave: for one of our
/// models with exact codes on some more features, for another with its own code and its residual.
fn screened(
    task: &LearnedTask,
    trained: &Trained,
    sample: Tensor<2>,
) -> Result<(Vec<FoundCombination>, Vec<f32>)> {
    let search = &task.recipe.training.composition;
    let (codes, residuals, largest) = match &trained.csae {
        Some(FinishedCsae { model, limits }) => {
            let code = composition::exact_code(model, sample, *limits, search);
            (code.rows, code.residuals, MOST_PARTS)
        }
        None => {
            let reading = read(&*trained.model, sample);
            (reading.codes, reading.residuals, ScreeningConfig::default().largest)
        }
    };
    let evidence = Evidence {
        codes: &codes,
        residuals: &residuals,
        directions: &to_vec(trained.model.directions()),
        d_model: task.world.config.d_model,
    };
    let config = ScreeningConfig { largest, ..ScreeningConfig::default() };
    let found = screen(&evidence, &config)?.found;
    let left = without_effects(&evidence, &found)?;
    Ok((found, left))
}
