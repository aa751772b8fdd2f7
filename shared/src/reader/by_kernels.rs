//! Reading by kernels on the processor, some times faster than by tensors.

use burn::prelude::*;

use super::ReadError;
use super::numbers::{Matrix, Numbers, Told, matrix, rows};
use crate::bundle::{Bundle, BundleError, Normalization};
use crate::kernels::char_lm::{Forward, Layout};
use crate::kernels::csae::{Code, Coder, hears_all};
use crate::reading::Window;
use crate::weights;
use crate::{Csae, Limits};

/// The models as kernels.
#[derive(Debug)]
pub(super) struct ByKernels {
    lm: Forward,
    layer: usize,
    vocab_size: usize,
    explainer: Explainer,
    normalization: Normalization,
}

/// An autoencoder.
#[derive(Debug)]
enum Explainer {
    /// With how many features a row has room for, and how many units there are.
    Kernel { coder: Box<Coder>, k: usize, n_units: usize },
    /// One for which there is no kernel, as with attention.
    Tensors { csae: Box<Csae>, limits: Limits, device: Device },
}

impl ByKernels {
    /// # Errors
    /// The bundle has no autoencoder called `name`, or its tensors do not fit.
    pub(super) fn new(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        let manifest = &bundle.manifest;
        let (csae, normalization) = bundle.autoencoder(name, device)?;
        let layout = Layout::new(&manifest.lm);
        let parameters = layout.read(&weights::part(&bundle.weights, "lm."))?;
        let limits = manifest.autoencoders[name].config.limits();
        Ok(Self {
            lm: Forward::new(layout, parameters),
            layer: manifest.layer,
            vocab_size: manifest.vocab.len(),
            explainer: Explainer::new(csae, limits, device),
            normalization,
        })
    }

    /// Computes a text of these `ids`.
    ///
    /// # Errors
    /// The device fails.
    pub(super) async fn read(&self, ids: &[u32], windows: &[Window]) -> Result<Numbers, ReadError> {
        let Normalization { mean, scale } = &self.normalization;
        let streams = self.lm.activations(ids, windows, self.layer);
        let mean = || mean.iter().cycle();
        let ready =
            streams.iter().zip(mean()).map(|(value, mean)| (value - mean) * scale).collect();
        let (told, reconstruction) = self.explainer.explain(ready).await?;
        let rebuilt: Vec<f32> =
            reconstruction.iter().zip(mean()).map(|(value, mean)| value / scale + mean).collect();
        let chances = |streams: &[f32]| Matrix {
            values: self.lm.chances(streams, windows, self.layer),
            width: self.vocab_size,
        };
        let (clean, rebuilt) = (chances(&streams), chances(&rebuilt));
        Ok(Numbers { rows: rows(windows), told, clean, rebuilt })
    }
}

impl Explainer {
    fn new(csae: Csae, limits: Limits, device: &Device) -> Self {
        if csae.attention.is_some() || !hears_all(&csae) {
            return Self::Tensors { csae: Box::new(csae), limits, device: device.clone() };
        }
        let n_features = csae.encoder_bias.val().dims()[0];
        let units = csae.units.as_ref().filter(|_| limits.combination_size > 1);
        Self::Kernel {
            coder: Box::new(Coder::new(&csae, limits)),
            k: limits.sparsity_k.min(n_features),
            n_units: units.map_or(0, |units| units.threshold.val().dims()[0]),
        }
    }

    /// What it makes of `rows`, `[rows, d_model]`, and their reconstructions.
    async fn explain(&self, rows: Vec<f32>) -> Result<(Told, Vec<f32>), ReadError> {
        match self {
            Self::Kernel { coder, k, n_units } => {
                let mut told = Told::empty(*k, *n_units);
                let mut reconstructions = Vec::with_capacity(rows.len());
                coder.code(&rows, |code| {
                    told.add(&code);
                    reconstructions.extend_from_slice(code.reconstruction);
                });
                Ok((told, reconstructions))
            }
            Self::Tensors { csae, limits, device } => {
                let [_, d_model] = csae.decoder.val().dims();
                let shape = [rows.len() / d_model, d_model];
                let ready = Tensor::<2>::from_data(TensorData::new(rows, shape), device);
                let output = csae.forward(ready.clone(), *limits);
                let reconstructions = matrix(output.reconstruction.clone()).await?.values;
                Ok((Told::of(csae, ready, output).await?, reconstructions))
            }
        }
    }
}

impl Told {
    fn empty(k: usize, n_units: usize) -> Self {
        let of_width = |width| Matrix { values: vec![], width };
        let mut told = Self::default();
        (told.indices, told.values, told.shares) = (of_width(k), of_width(k), of_width(k));
        told.units = (n_units > 0).then(|| of_width(n_units));
        told
    }

    fn add(&mut self, code: &Code) {
        let rows = self.error.len() + 1;
        self.indices.values.extend(code.features.iter().map(|feature| *feature as f32));
        self.values.values.extend_from_slice(code.strengths);
        self.shares.values.extend_from_slice(code.shares);
        for matrix in [&mut self.indices, &mut self.values, &mut self.shares] {
            matrix.values.resize(rows * matrix.width, 0.0);
        }
        if let Some(units) = &mut self.units {
            units.values.resize(rows * units.width, 0.0);
            let row = &mut units.values[(rows - 1) * units.width..];
            code.spoken.iter().for_each(|(unit, said)| row[*unit as usize] = *said);
        }
        self.composed.push(code.composed_share);
        self.error.push(code.error);
    }
}
