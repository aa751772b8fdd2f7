//! Reading by tensors, on any device. The reference for what kernels do.

use burn::prelude::*;
use burn::tensor::activation::softmax;

use super::ReadError;
use super::numbers::{Matrix, Numbers, Told, matrix, rows};
use crate::bundle::{Bundle, BundleError, Normalization};
use crate::reading::Window;
use crate::{CharLm, Csae, Limits};

/// The models as tensors.
#[derive(Debug)]
pub(super) struct ByTensors {
    lm: CharLm,
    layer: usize,
    csae: Csae,
    limits: Limits,
    normalization: Normalization,
    device: Device,
}

impl ByTensors {
    /// # Errors
    /// The bundle has no autoencoder called `name`, or its tensors do not fit.
    pub(super) fn new(bundle: &Bundle, name: &str, device: &Device) -> Result<Self, BundleError> {
        let (csae, normalization) = bundle.autoencoder(name, device)?;
        Ok(Self {
            lm: bundle.lm(device)?,
            layer: bundle.manifest.layer,
            csae,
            limits: bundle.manifest.autoencoders[name].config.limits(),
            normalization,
            device: device.clone(),
        })
    }

    /// Computes a text of these `ids`.
    ///
    /// # Errors
    /// The device fails.
    pub(super) async fn read(&self, ids: &[u32], windows: &[Window]) -> Result<Numbers, ReadError> {
        let answers = rows(windows);
        let window_ids: Vec<i32> = windows
            .iter()
            .flat_map(|window| ids[window.start..window.end].iter().map(|id| *id as i32))
            .collect();
        let length = window_ids.len() / windows.len();
        let data = TensorData::new(window_ids, [windows.len(), length]);
        let ids = Tensor::<2, Int>::from_data(data, &self.device);
        let stream = self.lm.activations(ids, self.layer); // [windows, length, d_model]
        let shape = stream.dims();
        let activations = stream.clone().reshape([shape[0] * length, shape[2]]);
        let ready = self.normalization.apply(activations); // [rows, d_model]
        let output = self.csae.forward(ready.clone(), self.limits);
        let rebuilt = self.normalization.undo(output.reconstruction.clone()).reshape(shape);
        let (clean, rebuilt) = (self.probabilities(stream), self.probabilities(rebuilt));
        Ok(Numbers {
            told: Told::of(&self.csae, ready, output).await?,
            clean: only(&answers, &matrix(clean).await?),
            rebuilt: only(&answers, &matrix(rebuilt).await?),
            rows: answers,
        })
    }

    /// Of the next characters: `[rows, vocab_size]`.
    fn probabilities(&self, stream: Tensor<3>) -> Tensor<2> {
        let logits = self.lm.logits_from(stream, self.layer);
        let [windows, length, vocab_size] = logits.dims();
        softmax(logits, 2).reshape([windows * length, vocab_size])
    }
}

/// These rows of a table.
fn only(rows: &[usize], table: &Matrix) -> Matrix {
    let values = rows.iter().flat_map(|row| table.row(*row)).copied().collect();
    Matrix { values, width: table.width }
}
