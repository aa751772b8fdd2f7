//! Our own times, of trainings as users run them: batches, gradients, Adam and what is kept on the way.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::prelude::*;
use rand::RngExt;
use shared::kernels::on_processor;
use shared::vocab::Vocab;
use shared::weights::{self, Weights};
use shared::{AttentionConfig, CharLmConfig, CsaeConfig, UnitsConfig, random};

use super::ratios::Times;
use super::tasks::Task;
use crate::baselines::pca::Pca;
use crate::data::{Corpus, RowStore, Rows};
use crate::interrupt;
use crate::plan::{
    AutoencoderTraining, CompositionTraining, LmTraining, Profile, ProfileName, Schedule,
};
use crate::results;
use crate::train::autoencoder::{self, AutoencoderTask};
use crate::train::lm::{self, LmTask};
use crate::train::rows::RecordedRows;
use crate::train::{Observer, Snapshot, composition, put_silence};

/// Steps before the clock counts: the first also measures losses.
const WARM_UP: u64 = 5;
/// Of a card's steps, which it takes while the next are asked of it, so many are timed together.
const QUEUED: u64 = 25;
/// How many characters are written at once.
const CHARACTERS: usize = 1_000;
/// How many rows an autoencoder is given at once.
const BATCH: usize = 512;

/// How long a task takes us on a device, measured for about so many seconds.
///
/// # Errors
/// A training fails, or the user stops it.
pub fn time(task: Task, device: &Device, seconds: f64) -> Result<Times> {
    let measured = |count| Times::of(times(task, device, count)?).context("nothing was measured");
    let call = measured(3)?.median * units_of(task) as f64;
    measured(((seconds * 1e3 / call) as u64).clamp(3, 50_000))
}

/// The milliseconds of so many calls, each for one step, character or fit; on a card the means of
/// [`QUEUED`] steps, of which there is at least one.
///
/// # Errors
/// A training fails, or the user stops it.
pub fn times(task: Task, device: &Device, count: u64) -> Result<Vec<f64>> {
    let small = CsaeConfig::new(128);
    let autoencoder = |config: CsaeConfig| {
        let rows = rows(config.d_model, 32 * BATCH);
        watched(device, count, &|steps, watch| learn(&config, &rows, (steps, device), watch))
    };
    let language_model =
        |name| watched(device, count, &|steps, watch| language_model(name, (steps, device), watch));
    match task {
        Task::LanguageModel => language_model(ProfileName::Cpu),
        Task::LanguageModelLarge => language_model(ProfileName::Full),
        Task::Writing => writing(count),
        Task::Topk => autoencoder(small),
        Task::TopkLarge => autoencoder(CsaeConfig::new(384).with_n_features(4_096)),
        Task::Attention => autoencoder(small.with_attention(Some(AttentionConfig::new()))),
        Task::Units => autoencoder(small.with_units(Some(UnitsConfig::new())).with_refit_steps(3)),
        Task::Pca => principal_components(128, count),
        Task::PcaLarge => principal_components(384, count),
    }
}

/// How many times what is counted a call does.
fn units_of(task: Task) -> usize {
    if task == Task::Writing { CHARACTERS } else { 1 }
}

/// An observer with a watch: the milliseconds from each step to the next, once it is warm.
struct Watch<'a> {
    device: &'a Device,
    /// Steps that are not timed.
    warm_up: u64,
    /// How many steps are timed together, until the device has done them all.
    together: u64,
    last: Instant,
    times: Vec<f64>,
    complaint: Option<String>,
}

impl<'a> Watch<'a> {
    fn start(device: &'a Device) -> Self {
        let (warm_up, together) = match on_processor(device) {
            true => (WARM_UP, 1),
            // The first steps choose kernels, too.
            false => (2 * QUEUED, QUEUED),
        };
        Self { device, warm_up, together, last: Instant::now(), times: vec![], complaint: None }
    }
}

impl Observer for Watch<'_> {
    fn progress(&mut self, step: u64, _message: &dyn Fn() -> String) {
        if step < self.warm_up || !(step - self.warm_up).is_multiple_of(self.together) {
            return;
        }
        if let Err(error) = self.device.sync() {
            self.complaint = Some(error.to_string());
        }
        if step > self.warm_up {
            self.times.push(self.last.elapsed().as_secs_f64() * 1e3 / self.together as f64);
        }
        self.last = Instant::now();
    }

    fn save(&mut self, _snapshot: Snapshot) -> Result<()> {
        Ok(())
    }
}

/// The times of so many steps, or somewhat more; `train` makes those before them, too, and is watched.
fn watched(
    device: &Device,
    count: u64,
    train: &dyn Fn(u64, &mut Watch) -> Result<()>,
) -> Result<Vec<f64>> {
    let mut watch = Watch::start(device);
    train(watch.warm_up + count.next_multiple_of(watch.together), &mut watch)?;
    match watch.complaint {
        None => Ok(watch.times),
        Some(complaint) => bail!("the device has not done its steps: {complaint}"),
    }
}

/// The times of so many calls, as what a unit of each takes.
fn repeated(count: u64, units: usize, call: &mut dyn FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let mut timed = || {
        interrupt::check()?;
        let started = Instant::now();
        call()?;
        Ok(started.elapsed().as_secs_f64() * 1e3 / units as f64)
    };
    (0..count).map(|_| timed()).collect()
}

/// Trains the language model of a profile for so many steps.
fn language_model(
    name: ProfileName,
    (steps, device): (u64, &Device),
    watch: &mut Watch,
) -> Result<()> {
    let profile = Profile::named(name);
    let config = CharLmConfig { vocab_size: 65, ..profile.lm };
    let training = LmTraining {
        iterations: steps,
        eval_interval: u64::MAX,
        eval_batches: 1,
        ..profile.lm_training
    };
    let corpus = corpus(config.vocab_size, 200_000);
    let task = LmTask { config: &config, training: &training, corpus: &corpus, seed: 1, device };
    lm::train(&task, None, watch).map(drop)
}

/// Random characters: what is written does not change how long it takes to read.
pub(super) fn corpus(vocab_size: usize, length: usize) -> Corpus {
    let mut stream = random::stream(1, "text of a speed test");
    let mut ids: Vec<u32> =
        (0..length).map(|_| stream.random_range(0..vocab_size as u32)).collect();
    let letters: String = ('!'..).take(vocab_size).collect();
    Corpus {
        name: "random".into(),
        vocab: Vocab::of(&letters),
        validation: ids.split_off(length * 9 / 10),
        train: ids,
        sha256: String::new(),
    }
}

fn writing(count: u64) -> Result<Vec<f64>> {
    let model = CharLmConfig::new(65).init(1, &Device::flex());
    repeated(count, CHARACTERS, &mut || results::write(&model, CHARACTERS).map(drop))
}

/// Trains an autoencoder for so many steps; its units, where it has some, have parts from the start.
pub(super) fn learn(
    config: &CsaeConfig,
    rows: &Rows,
    (steps, device): (u64, &Device),
    observer: &mut dyn Observer,
) -> Result<()> {
    let training = AutoencoderTraining {
        steps,
        batch_size: BATCH,
        // Never: what a screening costs is measured where there is something to find.
        composition: CompositionTraining { at: 2.0, ..CompositionTraining::default() },
        completion: None,
        ..Profile::named(ProfileName::Cpu).autoencoder_training
    };
    let task = AutoencoderTask {
        name: "speed",
        config,
        schedule: Schedule::default(),
        training: &training,
        learning_rate: 3e-4,
        seed: 1,
    };
    let resume = config.units.is_some().then(|| with_parts(config, device));
    let mut source = RecordedRows::new(rows, BATCH, 1, device);
    autoencoder::train(&task, &mut source, resume, observer).map(drop)
}

/// A training before its first step, each unit with two features as parts.
pub fn with_parts(config: &CsaeConfig, device: &Device) -> Snapshot {
    let mut model = config.init(1, device);
    let n_features = config.n_features;
    model.units = model.units.map(|units| {
        let [n_units, d_model] = units.effects.val().dims();
        let parts: Vec<[usize; 2]> =
            (0..n_units).map(|unit| [unit, unit + n_units].map(|part| part % n_features)).collect();
        let mut stream = random::stream(1, "effects of a speed test");
        let effects = random::normal(&mut stream, n_units * d_model, 0.1);
        let parts = parts.iter().map(|parts| &parts[..]);
        composition::with_parts(units, parts.zip(effects.chunks_exact(d_model)))
    });
    let mut all = Weights::new();
    weights::put(&mut all, "model.", weights::of(&model));
    put_silence(&mut all, &Tensor::zeros([n_features], device), false);
    Snapshot { weights: all, ..Snapshot::default() }
}

/// Rows without any structure.
pub(super) fn rows(width: usize, count: usize) -> Rows {
    let mut stream = random::stream(1, "rows of a speed test");
    Rows { values: random::normal(&mut stream, count * width, 1.0), width }
}

fn principal_components(d_model: usize, count: u64) -> Result<Vec<f64>> {
    let (rows, device) = (rows(d_model, 100_000), Device::flex());
    let store: &dyn RowStore = &rows;
    repeated(count, 1, &mut || Pca::fit(store.blocks(8_192), d_model, &device).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_their_parts_from_the_first_step_on() {
        let config = CsaeConfig::new(8)
            .with_n_features(20)
            .with_sparsity_k(6)
            .with_units(Some(UnitsConfig::new().with_n_units(7)));

        let snapshot = with_parts(&config, &Device::flex());

        let stored = weights::part(&snapshot.weights, "model.");
        let model = weights::load(config.init(2, &Device::flex()), &stored).unwrap();
        let parts = model.units.unwrap().combinations();
        assert_eq!(parts[0], [0, 7]);
        assert!(parts.iter().all(|parts| parts.len() == 2), "{parts:?}");
        let train = |steps, watch: &mut Watch| {
            learn(&config, &rows(8, BATCH), (steps, &Device::flex()), watch)
        };
        assert_eq!(watched(&Device::flex(), 3, &train).unwrap().len(), 3);
    }
}
