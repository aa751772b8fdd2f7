//! The learned track: an autoencoder is trained on a world's rows; which combinations does it find?

use std::time::Instant;

use anyhow::Result;
use burn::prelude::*;
use shared::composition::units::MOST_PARTS;
use shared::kernels::{self, on_processor};
use shared::weights::{to_ints, to_vec};
use shared::{Csae, CsaeConfig, Limits};

use super::mapping::Mapping;
use super::world::World;
use crate::analysis::measures;
use crate::analysis::screening::FoundCombination;
use crate::analysis::screening::sparse::SparseRows;
use crate::plan::{AutoencoderTraining, Schedule};
use crate::train::Unwatched;
use crate::train::autoencoder::{self, AutoencoderTask};
use crate::train::composition;
use crate::train::rows::RowSource;

/// How many rows of the world are drawn at once.
const ROWS_AT_ONCE: usize = 32_768;
/// On how many rows of their own thresholds are chosen, and everything is measured.
pub const TEST_ROWS: usize = 65_536;
/// How many rows the model is given at once.
const BATCH: usize = 4_096;

/// How to learn.
#[derive(Clone, Debug)]
pub struct LearnedTask<'a> {
    /// The world.
    pub world: &'a World,
    /// The model.
    pub config: &'a CsaeConfig,
    /// The recipe.
    pub training: &'a AutoencoderTraining,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Of the weights.
    pub seed: u64,
    /// Where to compute.
    pub device: &'a Device,
}

/// What was learned, and how it maps to the truth.
#[derive(Clone, Debug)]
pub struct Learned {
    /// The model.
    pub model: Csae,
    /// The combinations of its units, the one that says most first.
    pub combinations: Vec<FoundCombination>,
    /// Combinations that a screening after the training finds; none is done where there are units,
    /// which have screened on the way.
    pub screened: Vec<FoundCombination>,
    /// The true feature of each learned one.
    pub mapping: Mapping,
    /// Codes of the rows on which thresholds are chosen.
    pub threshold_codes: SparseRows,
    /// Codes of the test rows.
    pub test_codes: SparseRows,
    /// The learned directions: `[n_features, d_model]`.
    pub directions: Vec<f32>,
    /// Fraction of variance unexplained on the test rows.
    pub fvu: f64,
    /// Mean cosine of the matched directions over the true features, 0 for one without a match.
    pub mcc: f64,
    /// How long training and screening took.
    pub seconds: f64,
}

/// Trains an autoencoder on fresh rows of a world and reads what it found.
///
/// # Errors
/// The training was stopped, or has become something that is not finite.
pub fn learn(task: &LearnedTask) -> Result<Learned> {
    let started = Instant::now();
    let mut source = WorldRows::new(task.world, task.training.batch_size, task.device);
    let trained = autoencoder::train(
        &AutoencoderTask {
            name: "benchmark",
            config: task.config,
            schedule: Schedule::default(),
            training: task.training,
            learning_rate: task.learning_rate,
            seed: task.seed,
        },
        &mut source,
        None,
        &mut Unwatched,
    )?;
    let (model, limits) = (trained.model, task.config.limits());
    let screened = match task.config.units {
        Some(_) => vec![],
        None => {
            let search = &task.training.composition;
            let sample = source.named("screening after training", search.rows);
            let limits = Limits { combination_size: MOST_PARTS, ..limits };
            composition::look(&model, sample, limits, search)?.found
        }
    };
    let seconds = started.elapsed().as_secs_f64();

    let threshold = task.world.rows("threshold rows", TEST_ROWS);
    let test = task.world.rows("test rows", TEST_ROWS);
    let on_threshold = read(&model, limits, source.centred(&threshold.activations));
    let rows = source.centred(&test.activations);
    let on_test = read(&model, limits, rows.clone());
    let d_model = task.world.config.d_model;
    let directions = to_vec(model.decoder.val());
    let truth = &task.world.directions;
    let mapping = Mapping::new(&directions, truth, d_model, &on_threshold.codes, &threshold.active);
    Ok(Learned {
        combinations: combinations(&model, &on_threshold),
        screened,
        mcc: mcc(&mapping, &directions, task.world),
        mapping,
        threshold_codes: on_threshold.codes,
        test_codes: on_test.codes,
        directions,
        fvu: measures::fvu(&to_vec(rows), &on_test.reconstruction, d_model),
        seconds,
        model,
    })
}

/// Rows of a world, drawn as they are needed, less their mean.
pub struct WorldRows<'a> {
    world: &'a World,
    batch_size: usize,
    device: &'a Device,
    mean: Vec<f32>,
    chunk: Option<(u64, Tensor<2>)>,
}

impl<'a> WorldRows<'a> {
    pub fn new(world: &'a World, batch_size: usize, device: &'a Device) -> Self {
        let d_model = world.config.d_model;
        let rows = world.rows("rows for the mean", ROWS_AT_ONCE).activations;
        let mut mean = vec![0.0_f64; d_model];
        for row in rows.chunks_exact(d_model) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
        }
        let mean = mean.iter().map(|sum| (sum / ROWS_AT_ONCE as f64) as f32).collect();
        Self { world, batch_size, device, mean, chunk: None }
    }

    pub fn named(&self, name: &str, count: usize) -> Tensor<2> {
        self.centred(&self.world.rows(name, count).activations)
    }

    pub fn centred(&self, rows: &[f32]) -> Tensor<2> {
        let d_model = self.mean.len();
        let values = rows.iter().zip(self.mean.iter().cycle()).map(|(value, mean)| value - mean);
        let data = TensorData::new(values.collect::<Vec<f32>>(), [rows.len() / d_model, d_model]);
        Tensor::from_data(data, self.device)
    }
}

impl RowSource for WorldRows<'_> {
    fn batch(&mut self, step: u64) -> Tensor<2> {
        let in_a_chunk = (ROWS_AT_ONCE / self.batch_size) as u64;
        let wanted = step / in_a_chunk;
        let chunk = match self.chunk.take() {
            Some((number, rows)) if number == wanted => rows,
            _ => self.named(&format!("training rows {wanted}"), ROWS_AT_ONCE),
        };
        let first = (step % in_a_chunk) as usize * self.batch_size;
        let batch = chunk.clone().narrow(0, first, self.batch_size);
        self.chunk = Some((wanted, chunk));
        batch
    }

    fn sample(&mut self, step: u64, count: usize) -> Tensor<2> {
        self.named(&format!("rows to screen after step {step}"), count)
    }

    fn device(&self) -> Device {
        self.device.clone()
    }
}

/// What a model makes of rows.
pub struct Reading {
    pub codes: SparseRows,
    pub reconstruction: Vec<f32>,
    /// The sum of `z^2` of each unit.
    energies: Vec<f64>,
    /// On how many rows each unit speaks.
    spoken: Vec<usize>,
}

impl Reading {
    fn fill(&mut self, read: kernels::csae::Reading) {
        for code in read.codes.iter() {
            self.codes.push(code.iter().copied());
        }
        for (unit, strength) in read.spoken.iter().flatten() {
            self.energies[*unit as usize] += f64::from(*strength).powi(2);
            self.spoken[*unit as usize] += 1;
        }
        self.reconstruction = read.reconstruction;
    }
}

pub fn read(model: &Csae, limits: Limits, rows: Tensor<2>) -> Reading {
    let n_units = model.units.as_ref().map_or(0, |units| units.parts.val().dims()[1]);
    let mut reading = Reading {
        codes: SparseRows::default(),
        reconstruction: vec![],
        energies: vec![0.0; n_units],
        spoken: vec![0; n_units],
    };
    if model.attention.is_none() && on_processor(&rows.device()) {
        reading.fill(kernels::csae::read(model, limits, &to_vec(rows)));
        return reading;
    }
    for block in rows.split(BATCH, 0) {
        let output = model.forward(block, limits);
        let k = limits.sparsity_k;
        let (indices, values) = (to_ints(output.active.indices), to_vec(output.active.values));
        for (indices, values) in indices.chunks_exact(k).zip(values.chunks_exact(k)) {
            let active = indices.iter().zip(values).filter(|(_, value)| **value > 0.0);
            reading.codes.push(active.map(|(index, value)| (*index as u32, *value)));
        }
        reading.reconstruction.extend(to_vec(output.reconstruction));
        if let Some(units) = output.units {
            for (place, strength) in to_vec(units.strengths).into_iter().enumerate() {
                reading.energies[place % n_units] += f64::from(strength).powi(2);
                reading.spoken[place % n_units] += usize::from(strength > 0.0);
            }
        }
    }
    reading
}

/// The units as combinations, ranked by the energy of what they say.
fn combinations(model: &Csae, reading: &Reading) -> Vec<FoundCombination> {
    let Some(units) = &model.units else { return vec![] };
    let effects = to_vec(units.effects.val());
    let [_, d_model] = units.effects.val().dims();
    let mut found: Vec<FoundCombination> = units
        .combinations()
        .into_iter()
        .enumerate()
        .filter(|(_, parts)| parts.len() > 1)
        .map(|(unit, parts)| {
            let effect = effects[unit * d_model..][..d_model].to_vec();
            let square: f64 = effect.iter().map(|value| f64::from(*value).powi(2)).sum();
            let gain = reading.energies[unit] * square;
            FoundCombination { parts, effect, gain, support: reading.spoken[unit] }
        })
        .collect();
    found.sort_by(|one, other| other.gain.total_cmp(&one.gain));
    found
}

fn mcc(mapping: &Mapping, directions: &[f32], world: &World) -> f64 {
    let d_model = world.config.d_model;
    let cosine = |(learned, truth): (usize, &Option<usize>)| -> f64 {
        let Some(truth) = truth else { return 0.0 };
        let learned = &directions[learned * d_model..][..d_model];
        let pairs = learned.iter().zip(world.direction(*truth));
        pairs.map(|(one, other)| f64::from(one * other)).sum()
    };
    let sum: f64 = mapping.truth.iter().enumerate().map(cosine).sum();
    sum / (world.directions.len() / d_model) as f64
}
