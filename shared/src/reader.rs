//! Computes what a bundle's models make of a text. The same code serves the trainer and the page, so
//! it reads tensors in the way that a browser's graphics card needs: later.

use burn::prelude::*;
use burn::tensor::DType;
use burn::tensor::activation::softmax;

use crate::bundle::{Bundle, BundleError, Normalization};
use crate::reading::{
    ActiveFeature, Attended, Guess, Position, Reading, SpeakingUnit, Unreadable, Window, encode,
    windows,
};
use crate::{CharLm, Csae, CsaeOutput, Limits, Vocab};

/// How many likely next characters a position has, by either model.
const GUESSES: usize = 6;
/// How many pairs of attention a position has at most.
const ATTENDED: usize = 12;
/// Less attention than this is not told.
const LEAST_ATTENTION: f32 = 0.02;

/// A language model with an autoencoder for one of its layers.
#[derive(Debug)]
pub struct Reader {
    lm: CharLm,
    layer: usize,
    block_size: usize,
    vocab: Vocab,
    csae: Csae,
    limits: Limits,
    normalization: Normalization,
    /// The parts of each composition unit.
    parts: Vec<Vec<usize>>,
    device: Device,
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

impl Reader {
    /// The models of a `bundle` with the autoencoder called `name`.
    ///
    /// # Errors
    /// The bundle has no autoencoder of that name, or its tensors do not fit.
    pub fn new(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        let (csae, normalization) = bundle.autoencoder(name, device)?;
        let manifest = &bundle.manifest;
        Ok(Self {
            lm: bundle.lm(device)?,
            layer: manifest.layer,
            block_size: manifest.lm.block_size,
            vocab: manifest.vocab.clone(),
            csae,
            limits: manifest.autoencoders[name].config.limits(),
            normalization,
            parts: parts(bundle, name),
            device: device.clone(),
        })
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
        let length = ids.len().min(self.block_size);
        let numbers = self.numbers(&ids, &windows, length).await?;
        let mut positions = vec![];
        for (place, window) in windows.iter().enumerate() {
            for at in window.from..window.end {
                let row = place * length + at - window.start;
                positions.push(self.position(&numbers, row, ids.get(at + 1)));
            }
        }
        Ok(Reading { text: text.to_string(), positions })
    }

    async fn numbers(
        &self,
        ids: &[u32],
        windows: &[Window],
        length: usize,
    ) -> Result<Numbers, ReadError> {
        let count = windows.len();
        let window_ids: Vec<i32> = windows
            .iter()
            .flat_map(|window| ids[window.start..window.end].iter().map(|id| *id as i32))
            .collect();
        let data = TensorData::new(window_ids, [count, length]);
        let ids = Tensor::<2, Int>::from_data(data, &self.device);
        let stream = self.lm.activations(ids, self.layer); // [windows, length, d_model]
        let shape = stream.dims();
        let rows = stream.clone().reshape([count * length, shape[2]]);
        let ready = self.normalization.apply(rows); // [rows, d_model]
        let output = self.csae.forward(ready.clone(), self.limits);
        let rebuilt = self.normalization.undo(output.reconstruction.clone()).reshape(shape);
        let probabilities = |stream| {
            let logits = self.lm.logits_from(stream, self.layer);
            softmax(logits, 2).reshape([count * length, self.vocab.len()])
        };
        Numbers::of(&self.csae, ready, output, probabilities(stream), probabilities(rebuilt)).await
    }

    fn position(&self, numbers: &Numbers, row: usize, next: Option<&u32>) -> Position {
        let active = numbers.active(row);
        let clean = numbers.clean.row(row);
        let rebuilt = numbers.rebuilt.row(row);
        let loss = |row: &[f32]| next.map(|id| rounded(-row[*id as usize].max(1e-30).ln()));
        Position {
            units: self.units(numbers, row),
            attention: numbers.attention(row),
            composed_share: rounded(numbers.composed.row(row)[0]),
            error: rounded(numbers.error.row(row)[0]),
            next: self.guesses(clean, rebuilt),
            clean_loss: loss(clean),
            reconstructed_loss: loss(rebuilt),
            active,
        }
    }

    fn units(&self, numbers: &Numbers, row: usize) -> Vec<SpeakingUnit> {
        let Some(strengths) = &numbers.units else { return vec![] };
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

/// A matrix that has been read from the device.
#[derive(Debug)]
struct Matrix {
    values: Vec<f32>,
    width: usize,
}

impl Matrix {
    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }
}

/// Everything that was computed, on the processor's side. Rows are windows times their length.
#[derive(Debug)]
struct Numbers {
    /// `[rows, k]`, as are `values` and `shares`.
    indices: Matrix,
    values: Matrix,
    shares: Matrix,
    /// `[rows, 1]`, as is `error`.
    composed: Matrix,
    error: Matrix,
    /// `[rows, vocab_size]`, as is `rebuilt`.
    clean: Matrix,
    rebuilt: Matrix,
    /// `[rows, n_units]`.
    units: Option<Matrix>,
    /// `[rows, n_heads * k * partners]` and `[rows, n_heads * k * (partners + 1)]`.
    attention: Option<(Matrix, Matrix)>,
    /// How many partners a feature has in a head.
    partners: usize,
}

impl Numbers {
    async fn of(
        csae: &Csae,
        ready: Tensor<2>,
        output: CsaeOutput,
        clean: Tensor<2>,
        rebuilt: Tensor<2>,
    ) -> Result<Self, ReadError> {
        let added = output.reconstruction.clone() - csae.decoder_bias.val().unsqueeze();
        let length = added.clone().square().sum_dim(1).clamp_min(1e-12); // [rows, 1]
        let along = added.clone().matmul(csae.decoder.val().transpose()); // [rows, n_features]
        let shares = along.gather(1, output.active.indices.clone()) * output.active.values.clone()
            / length.clone();
        let units = output.units.as_ref().map(|units| units.contribution.clone());
        let attention = output.attention.as_ref().map(|attention| attention.contribution.clone());
        let composed = match units.or(attention) {
            Some(contribution) => (contribution * added).sum_dim(1) / length,
            None => length.zeros_like(),
        };
        let energy = ready.clone().square().sum_dim(1).clamp_min(1e-12);
        let error = (ready - output.reconstruction).square().sum_dim(1) / energy;
        let (mut pairs, mut partners) = (None, 0);
        if let Some(attention) = output.attention {
            let [batch, _, _, count] = attention.partners.dims();
            partners = count;
            let places = attention.partners.float().reshape([batch as i32, -1]);
            let weights = attention.weights.reshape([batch as i32, -1]);
            pairs = Some((matrix(places).await?, matrix(weights).await?));
        }
        let units = match output.units {
            Some(units) => Some(matrix(units.strengths).await?),
            None => None,
        };
        Ok(Self {
            indices: matrix(output.active.indices.float()).await?,
            values: matrix(output.active.values).await?,
            shares: matrix(shares).await?,
            composed: matrix(composed).await?,
            error: matrix(error).await?,
            clean: matrix(clean).await?,
            rebuilt: matrix(rebuilt).await?,
            units,
            attention: pairs,
            partners,
        })
    }

    fn active(&self, row: usize) -> Vec<ActiveFeature> {
        let columns = self.indices.row(row).iter().zip(self.values.row(row));
        let mut active: Vec<ActiveFeature> = columns
            .zip(self.shares.row(row))
            .filter(|((_, strength), _)| **strength > 0.0)
            .map(|((feature, strength), share)| ActiveFeature {
                feature: *feature as usize,
                strength: rounded(*strength),
                share: rounded(*share),
            })
            .collect();
        active.sort_by(|one, other| {
            other.strength.total_cmp(&one.strength).then(one.feature.cmp(&other.feature))
        });
        active
    }

    /// The strongest attention between features that fire in a row.
    fn attention(&self, row: usize) -> Vec<Attended> {
        let Some((places, weights)) = &self.attention else { return vec![] };
        let (indices, values) = (self.indices.row(row), self.values.row(row));
        let (places, weights) = (places.row(row), weights.row(row));
        let k = indices.len();
        let mut found = vec![];
        for slot in 0..weights.len() / (self.partners + 1) {
            let (head, from) = (slot / k, slot % k);
            for partner in 0..self.partners {
                let to = places[slot * self.partners + partner] as usize;
                let weight = weights[slot * (self.partners + 1) + partner];
                if to < k && values[from] > 0.0 && values[to] > 0.0 && weight >= LEAST_ATTENTION {
                    let (from, to) = (indices[from] as usize, indices[to] as usize);
                    found.push(Attended { head, from, to, weight: rounded(weight) });
                }
            }
        }
        found.sort_by(|one, other| {
            let place = |pair: &Attended| (pair.head, pair.from, pair.to);
            other.weight.total_cmp(&one.weight).then(place(one).cmp(&place(other)))
        });
        found.truncate(ATTENDED);
        found
    }
}

async fn matrix(tensor: Tensor<2>) -> Result<Matrix, ReadError> {
    let [_, width] = tensor.dims();
    let failed = |error: &dyn std::fmt::Display| ReadError::Device(error.to_string());
    let data = tensor.into_data_async().await.map_err(|error| failed(&error))?;
    let values = data.convert_dtype(DType::F32).try_into_vec().map_err(|error| failed(&error))?;
    Ok(Matrix { values, width })
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
