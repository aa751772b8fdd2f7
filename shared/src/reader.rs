//! Computes what a bundle's models make of a text. The same code serves the trainer and the page, so
//! it reads tensors in the way that a browser's graphics card needs: later.

#[cfg(feature = "flex")]
mod by_kernels;
#[cfg(not(all(feature = "flex", target_family = "wasm")))]
mod by_tensors;
mod numbers;

use burn::prelude::Device;

use self::numbers::Numbers;
use crate::Vocab;
use crate::bundle::{Bundle, BundleError};
use crate::reading::{Guess, Position, Reading, SpeakingUnit, Unreadable, Window, encode, windows};

/// How many likely next characters a position has, by either model.
const GUESSES: usize = 6;

/// A language model with an autoencoder for one of its layers.
#[derive(Debug)]
pub struct Reader {
    models: Models,
    block_size: usize,
    vocab: Vocab,
    /// The parts of each composition unit.
    parts: Vec<Vec<usize>>,
}

/// What computes. Both do the same. In a browser the engine on the processor has kernels alone, which
/// keeps its file small.
#[derive(Debug)]
enum Models {
    /// On any device.
    #[cfg(not(all(feature = "flex", target_family = "wasm")))]
    Tensors(Box<by_tensors::ByTensors>),
    /// On the processor.
    #[cfg(feature = "flex")]
    Kernels(Box<by_kernels::ByKernels>),
}

/// Why a text was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no text for these models.
    #[error(transparent)]
    Text(#[from] Unreadable),
    /// The device did not give its results.
    #[error("the device failed: {0}")]
    Device(String),
}

impl Models {
    #[cfg(all(feature = "flex", target_family = "wasm"))]
    fn new(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        Self::of_kernels(bundle, name, device)
    }

    #[cfg(all(feature = "flex", not(target_family = "wasm")))]
    fn new(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        match crate::kernels::on_processor(device) {
            true => Self::of_kernels(bundle, name, device),
            false => Self::of_tensors(bundle, name, device),
        }
    }

    #[cfg(not(feature = "flex"))]
    fn new(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        Self::of_tensors(bundle, name, device)
    }

    #[cfg(not(all(feature = "flex", target_family = "wasm")))]
    fn of_tensors(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        Ok(Self::Tensors(Box::new(by_tensors::ByTensors::new(bundle, name, device)?)))
    }

    #[cfg(feature = "flex")]
    fn of_kernels(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        Ok(Self::Kernels(Box::new(by_kernels::ByKernels::new(bundle, name, device)?)))
    }

    async fn read(&self, ids: &[u32], windows: &[Window]) -> Result<Numbers, ReadError> {
        match self {
            #[cfg(not(all(feature = "flex", target_family = "wasm")))]
            Self::Tensors(models) => models.read(ids, windows).await,
            #[cfg(feature = "flex")]
            Self::Kernels(models) => models.read(ids, windows).await,
        }
    }
}

impl Reader {
    /// The models of a `bundle` with the autoencoder called `name`.
    ///
    /// # Errors
    /// The bundle has no autoencoder of that name, or its tensors do not fit.
    pub fn new(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        let models = Models::new(bundle, name, device)?;
        let manifest = &bundle.manifest;
        let (block_size, vocab) = (manifest.lm.block_size, manifest.vocab.clone());
        Ok(Self { models, block_size, vocab, parts: parts(bundle, name) })
    }

    /// What the models make of `text`.
    ///
    /// Every activation of a window is replaced by its reconstruction for the reconstructed
    /// probabilities, also those at its beginning, which the autoencoder was not trained on.
    ///
    /// # Errors
    /// The text cannot be read, or the device fails.
    pub async fn read(&self, text: &str) -> Result<Reading, ReadError> {
        let ids = encode(text, &self.vocab)?;
        let windows = windows(ids.len(), self.block_size);
        let numbers = self.models.read(&ids, &windows).await?;
        let position = |at: usize| self.position(&numbers, at, ids.get(at + 1));
        Ok(Reading { text: text.to_string(), positions: (0..ids.len()).map(position).collect() })
    }

    fn position(&self, numbers: &Numbers, at: usize, next: Option<&u32>) -> Position {
        let (told, row) = (&numbers.told, numbers.rows[at]);
        let (clean, rebuilt) = (numbers.clean.row(at), numbers.rebuilt.row(at));
        let loss = |row: &[f32]| next.map(|id| rounded(-row[*id as usize].max(1e-30).ln()));
        Position {
            active: told.active(row),
            units: self.units(numbers, row),
            attention: told.attention(row),
            composed_share: rounded(told.composed[row]),
            error: rounded(told.error[row]),
            next: self.guesses(clean, rebuilt),
            clean_loss: loss(clean),
            reconstructed_loss: loss(rebuilt),
        }
    }

    fn units(&self, numbers: &Numbers, row: usize) -> Vec<SpeakingUnit> {
        let Some(strengths) = &numbers.told.units else { return vec![] };
        let mut units: Vec<SpeakingUnit> = strengths
            .row(row)
            .iter()
            .enumerate()
            .filter(|(_, strength)| **strength > 0.0)
            .map(|(unit, strength)| SpeakingUnit {
                unit,
                parts: self.parts.get(unit).cloned().unwrap_or_default(),
                strength: rounded(*strength),
            })
            .collect();
        units.sort_by(|one, other| other.strength.total_cmp(&one.strength));
        units
    }

    /// The likeliest characters by either model, by the untouched model's order.
    fn guesses(&self, clean: &[f32], rebuilt: &[f32]) -> Vec<Guess> {
        let mut ids = likeliest(clean);
        ids.extend(likeliest(rebuilt));
        ids.sort_by(|one, other| clean[*other].total_cmp(&clean[*one]).then(one.cmp(other)));
        ids.dedup();
        let guess = |id: usize| {
            let character = self.vocab.char(id)?;
            let (clean, reconstructed) = (rounded(clean[id]), rounded(rebuilt[id]));
            Some(Guess { character, clean, reconstructed })
        };
        ids.into_iter().filter_map(guess).collect()
    }
}

fn likeliest(probabilities: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|one, other| probabilities[*other].total_cmp(&probabilities[*one]));
    order.truncate(GUESSES);
    order
}

/// The parts of each unit of the autoencoder called `name`.
fn parts(bundle: &Bundle, name: &str) -> Vec<Vec<usize>> {
    let Some(weight) = bundle.weights.get(&format!("{name}.units.parts")) else { return vec![] };
    let Some(n_units) = weight.shape.last().copied().filter(|count| *count > 0) else {
        return vec![];
    };
    (0..n_units)
        .map(|unit| {
            let column = weight.values.iter().skip(unit).step_by(n_units);
            let parts = column.enumerate().filter(|(_, part)| **part > 0.5);
            parts.map(|(feature, _)| feature).collect()
        })
        .collect()
}

/// Six significant digits: what a reader needs, and short in a file.
fn rounded(value: f32) -> f32 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 5 - f64::from(value).abs().log10().floor() as i32;
    let factor = 10_f64.powi(digits);
    ((f64::from(value) * factor).round() / factor) as f32
}

#[cfg(test)]
mod tests;
