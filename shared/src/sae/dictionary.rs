//! The standard sparse autoencoders: one dictionary of directions, and a choice of how few of them
//! speak.
//!
//! `f = choice of ReLU(h W_e + b_e)`, `x_hat = b_dec + D f`, rows of `D` of length 1, with
//! `h = x - b_dec`, or `h = ReLU((x - b_dec) W_h + b_h)` for the encoder with a hidden layer.
//!
//! - ReLU with an L1 penalty: Bricken et al. (Towards Monosemanticity, 2023). Its weight is given, or
//!   steered while training until as many features are active in a row as asked for.
//! - TopK: Gao et al. (arXiv 2406.04093).
//! - BatchTopK: Bussmann et al. (arXiv 2412.06410). In training the `k * batch` largest of the whole
//!   batch stay; afterwards those above a threshold, the running mean of the smallest that stayed.
//! - Matryoshka: Bussmann et al. (arXiv 2503.17547), on BatchTopK. The first 1/8, 1/4 and 1/2 of the
//!   features must reconstruct as well; the error is the mean over these and the whole.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::{Autoencoder, SaeOutput, Teachable, encode, orthonormal, with_unit_rows};
use crate::csae::unit_rows;
use crate::weights::{param, to_vec};
use crate::{TopK, random};

/// How much of its old value the running threshold keeps in a step. The authors keep 0.999 of it;
/// with a few thousand steps that would remember the beginning.
const MEMORY: f64 = 0.99;
/// Where the hidden layer starts, in the usual size of an activation's coordinate: hardly ever below 0,
/// so that the encoder starts as a linear one. From random weights it learns far more slowly.
const HIDDEN_BIAS: f32 = 2.0;
/// The weight from which a steered penalty starts.
const FIRST_WEIGHT: f32 = 1e-3;
/// A steered weight is multiplied by the ratio of active to wanted features to this power in each
/// step: slowly enough for the features to follow, fast enough for a thousand steps.
const STEERING: f32 = 0.01;

/// How few features are active.
#[derive(Config, Debug, PartialEq)]
pub enum Sparsity {
    /// As few as this penalty on the sum of a row's features leaves.
    L1(f64),
    /// So many in a row on average, by a penalty whose weight is steered until it is so.
    SteeredL1(usize),
    /// So many in every row.
    TopK(usize),
    /// So many in a row on average.
    BatchTopK(usize),
    /// The same, and the first features alone must do as well as they can.
    Matryoshka(usize),
}

/// The shape of a [`Dictionary`].
#[derive(Config, Debug, PartialEq)]
pub struct DictionaryConfig {
    /// The width of the activations that it explains.
    pub d_model: usize,
    /// How few features are active.
    pub sparsity: Sparsity,
    /// How many features it has.
    #[config(default = 256)]
    pub n_features: usize,
    /// The width of the encoder's hidden layer, if it has one. With `d_model` of them there are as
    /// many parameters as in a csae with `d_model` units.
    pub hidden: Option<usize>,
}

/// A sparse autoencoder with a linear decoder.
#[derive(Module, Debug)]
pub struct Dictionary {
    /// What comes before the encoder.
    pub hidden: Option<Hidden>,
    /// `[d_model or hidden, n_features]`.
    pub encoder: Param<Tensor<2>>,
    /// `[n_features]`.
    pub encoder_bias: Param<Tensor<1>>,
    /// One direction of length 1 for each feature: `[n_features, d_model]`.
    pub decoder: Param<Tensor<2>>,
    /// `[d_model]`.
    pub decoder_bias: Param<Tensor<1>>,
    /// Above which strength a feature is active after the training, where the choice was made in
    /// whole batches: `[1]`. No gradient changes it; negative before the first step.
    pub threshold: Param<Tensor<1>>,
    /// The weight of the penalty on the sum of a row's features, where it is steered: `[1]`. No
    /// gradient changes it.
    pub penalty_weight: Option<Param<Tensor<1>>>,
    #[module(skip)]
    sparsity: Sparsity,
}

/// The hidden layer of an encoder.
#[derive(Module, Debug)]
pub struct Hidden {
    /// `[d_model, hidden]`.
    pub weight: Param<Tensor<2>>,
    /// `[hidden]`.
    pub bias: Param<Tensor<1>>,
}

impl DictionaryConfig {
    /// New weights: random directions, and an encoder that is their transpose, through a hidden layer
    /// as far as that is wide enough.
    pub fn init(&self, seed: u64, device: &Device) -> Dictionary {
        let mut rng = random::stream(seed, "dictionary weights");
        let Self { d_model, n_features, .. } = *self;
        let mut matrix = |rows: usize, columns: usize| {
            let values = random::normal(&mut rng, rows * columns, 1.0);
            let data = TensorData::new(values, [rows, columns]);
            Tensor::<2>::from_data(data, device).without_autodiff()
        };
        let learned = |tensor: Tensor<2>| {
            let shape = tensor.dims();
            param(to_vec(tensor), shape, device)
        };
        let directions = unit_rows(matrix(n_features, d_model));
        let mut encoder = directions.clone().transpose();
        let mut encoder_bias = vec![0.0; n_features];
        let hidden = self.hidden.map(|width| {
            let weight = match width <= d_model {
                true => orthonormal(matrix(d_model, width)),
                false => orthonormal(matrix(width, d_model)).transpose(),
            };
            encoder = weight.clone().transpose().matmul(encoder.clone()); // [width, n_features]
            encoder_bias = to_vec(encoder.clone().sum_dim(0) * -HIDDEN_BIAS);
            let bias = param(vec![HIDDEN_BIAS; width], [width], device);
            Hidden { weight: learned(weight), bias }
        });
        Dictionary {
            hidden,
            encoder: learned(encoder),
            encoder_bias: param(encoder_bias, [n_features], device),
            decoder: learned(directions),
            decoder_bias: param(vec![0.0; d_model], [d_model], device),
            threshold: param(vec![-1.0], [1], device).set_require_grad(false),
            penalty_weight: match self.sparsity {
                Sparsity::SteeredL1(_) => {
                    Some(param(vec![FIRST_WEIGHT], [1], device).set_require_grad(false))
                }
                _ => None,
            },
            sparsity: self.sparsity.clone(),
        }
    }
}

impl Dictionary {
    /// How few features are active.
    pub fn sparsity(&self) -> &Sparsity {
        &self.sparsity
    }

    /// Lets the threshold remember the smallest strength of the features that stayed, `[1]`.
    pub fn remember(&mut self, least: Tensor<1>) {
        self.threshold = self.threshold.clone().map(|old| {
            let old = old.without_autodiff();
            let first = old.clone().lower_scalar(0.0).float();
            let running = old * MEMORY + least.clone() * (1.0 - MEMORY);
            Tensor::from_inner(running * (1.0 - first.clone()) + least * first)
        });
    }

    fn features(&self, rows: Tensor<2>) -> Tensor<2> {
        let centred = rows - self.decoder_bias.val().unsqueeze();
        let input = match &self.hidden {
            None => centred,
            Some(hidden) => {
                relu(centred.matmul(hidden.weight.val()) + hidden.bias.val().unsqueeze())
            }
        };
        encode(input, &self.encoder, &self.encoder_bias)
    }

    fn decode_dense(&self, code: Tensor<2>) -> Tensor<2> {
        code.matmul(self.decoder.val()) + self.decoder_bias.val().unsqueeze()
    }

    fn output(&self, features: Tensor<2>, code: Tensor<2>) -> SaeOutput {
        let sum = || code.clone().sum_dim(1).mean();
        let penalty = match (&self.sparsity, &self.penalty_weight) {
            (Sparsity::L1(weight), _) => Some(sum() * *weight),
            (_, Some(weight)) => Some(sum() * weight.val().without_autodiff()),
            _ => None,
        };
        let reconstruction = self.decode_dense(code.clone());
        SaeOutput { reconstruction, features, code, prefixes: vec![], penalty }
    }

    /// The reconstructions by the first features alone.
    fn prefixes(&self, code: &Tensor<2>) -> Vec<Tensor<2>> {
        let [n_features, _] = self.decoder.val().dims();
        let prefix = |share: usize| {
            let count = (n_features / share).max(1);
            code.clone().narrow(1, 0, count).matmul(self.decoder.val().narrow(0, 0, count))
                + self.decoder_bias.val().unsqueeze()
        };
        [8, 4, 2].map(prefix).into()
    }
}

/// The `count` largest of all entries of `features`, 0 elsewhere.
fn largest(features: Tensor<2>, count: usize) -> Tensor<2> {
    let all: Tensor<1> = features.clone().without_autodiff().flatten(0, 1);
    let count = count.min(all.dims()[0]);
    let least = all.topk(count, 0).narrow(0, count - 1, 1);
    let stays = features.clone().without_autodiff().greater_equal(least.unsqueeze());
    features * stays.float()
}

impl Autoencoder for Dictionary {
    fn forward(&self, rows: Tensor<2>) -> SaeOutput {
        let features = self.features(rows);
        let code = match self.sparsity {
            Sparsity::L1(_) | Sparsity::SteeredL1(_) => features.clone(),
            Sparsity::TopK(k) => {
                let [_, n_features] = features.dims();
                TopK::select(features.clone(), k).into_dense(n_features)
            }
            Sparsity::BatchTopK(_) | Sparsity::Matryoshka(_) => {
                let threshold = self.threshold.val().without_autodiff().unsqueeze();
                let above = features.clone().without_autodiff().greater(threshold);
                features.clone() * above.float()
            }
        };
        self.output(features, code)
    }

    fn decode(&self, active: &TopK) -> Tensor<2> {
        let [n_features, _] = self.decoder.val().dims();
        self.decode_dense(active.clone().into_dense(n_features))
    }

    fn directions(&self) -> Tensor<2> {
        self.decoder.val()
    }

    fn dictionary(&self) -> Option<&Dictionary> {
        Some(self)
    }
}

impl Teachable for Dictionary {
    fn forward_training(&self, rows: Tensor<2>) -> SaeOutput {
        match self.sparsity {
            Sparsity::L1(_) | Sparsity::SteeredL1(_) | Sparsity::TopK(_) => self.forward(rows),
            Sparsity::BatchTopK(k) | Sparsity::Matryoshka(k) => {
                let [batch, _] = rows.dims();
                let features = self.features(rows);
                let code = largest(features.clone(), k * batch);
                let prefixes = match self.sparsity {
                    Sparsity::Matryoshka(_) => self.prefixes(&code),
                    _ => vec![],
                };
                SaeOutput { prefixes, ..self.output(features, code) }
            }
        }
    }

    fn unit_decoder(&self) -> Option<&Param<Tensor<2>>> {
        Some(&self.decoder)
    }

    fn auxiliary_decoder(&self) -> Option<Tensor<2>> {
        match self.sparsity {
            Sparsity::L1(_) | Sparsity::SteeredL1(_) => None,
            _ => Some(self.decoder.val()),
        }
    }

    fn dictionary_mut(&mut self) -> Option<&mut Dictionary> {
        Some(self)
    }

    fn after_step(mut self, code: Tensor<2>) -> Self {
        self.decoder = with_unit_rows(self.decoder);
        if let Sparsity::SteeredL1(wanted) = self.sparsity {
            let [batch, _] = code.dims();
            let active = code.clone().greater_scalar(0.0).float().sum();
            let ratio = (active / (batch * wanted.max(1)) as f64).clamp_min(1e-3);
            let factor = ratio.powf_scalar(STEERING);
            self.penalty_weight = self.penalty_weight.map(|weight| {
                let steered = |old: Tensor<1>| Tensor::from_inner(old.without_autodiff() * factor);
                weight.map(steered)
            });
        }
        if let Sparsity::BatchTopK(_) | Sparsity::Matryoshka(_) = self.sparsity {
            let silent = code.clone().lower_equal_scalar(0.0);
            self.remember(code.mask_fill(silent, f32::MAX).min());
        }
        self
    }
}

#[cfg(test)]
mod tests;
