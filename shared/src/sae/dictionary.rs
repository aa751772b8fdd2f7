//! The standard sparse autoencoders: one dictionary of directions, and a choice of how few of them
//! speak.
//!
//! `f = choice of ReLU(h W_e + b_e)`, `x_hat = b_dec + D f`, rows of `D` of length 1, with
//! `h = x - b_dec`, or `h = ReLU((x - b_dec) W_h + b_h)` for the encoder with a hidden layer.
//!
//! - ReLU with an L1 penalty: Bricken et al. (Towards Monosemanticity, 2023).
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

/// How few features are active.
#[derive(Config, Debug, PartialEq)]
pub enum Sparsity {
    /// As few as this penalty on the sum of a row's features leaves.
    L1(f64),
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
            sparsity: self.sparsity.clone(),
        }
    }
}

impl Dictionary {
    /// How few features are active.
    pub fn sparsity(&self) -> &Sparsity {
        &self.sparsity
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
        let penalty = match self.sparsity {
            Sparsity::L1(weight) => Some(code.clone().sum_dim(1).mean() * weight),
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
            Sparsity::L1(_) => features.clone(),
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
}

impl Teachable for Dictionary {
    fn forward_training(&self, rows: Tensor<2>) -> SaeOutput {
        match self.sparsity {
            Sparsity::L1(_) | Sparsity::TopK(_) => self.forward(rows),
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
            Sparsity::L1(_) => None,
            _ => Some(self.decoder.val()),
        }
    }

    fn after_step(mut self, code: Tensor<2>) -> Self {
        self.decoder = with_unit_rows(self.decoder);
        if let Sparsity::BatchTopK(_) | Sparsity::Matryoshka(_) = self.sparsity {
            let silent = code.clone().lower_equal_scalar(0.0);
            let least = code.mask_fill(silent, f32::MAX).min();
            self.threshold = self.threshold.map(|old| {
                let old = old.without_autodiff();
                let first = old.clone().lower_scalar(0.0).float();
                let running = old * MEMORY + least.clone() * (1.0 - MEMORY);
                Tensor::from_inner(running * (1.0 - first.clone()) + least * first)
            });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights;
    use crate::{CsaeConfig, UnitsConfig};

    fn rows(device: &Device) -> Tensor<2> {
        let values = random::normal(&mut random::stream(2, "rows"), 20 * 8, 1.0);
        Tensor::from_data(TensorData::new(values, [20, 8]), device)
    }

    fn dictionary(sparsity: Sparsity) -> Dictionary {
        DictionaryConfig::new(8, sparsity).with_n_features(16).init(1, &Device::flex())
    }

    fn active(code: Tensor<2>) -> usize {
        to_vec(code).iter().filter(|value| **value > 0.0).count()
    }

    #[test]
    fn batch_topk_keeps_k_times_batch_features_in_all_and_not_k_in_each_row() {
        let dictionary = dictionary(Sparsity::BatchTopK(3));

        let code = dictionary.forward_training(rows(&Device::flex())).code;

        assert_eq!(active(code.clone()), 60);
        let in_rows = to_vec(code.greater_scalar(0.0).float().sum_dim(1));
        assert!(in_rows.iter().any(|count| *count != 3.0), "{in_rows:?}");
    }

    #[test]
    fn the_threshold_is_the_running_mean_of_the_smallest_that_stayed() {
        let device = Device::flex();
        let code = |least: f32| Tensor::<2>::from_data([[0.0, least], [3.0, 2.0 * least]], &device);
        let dictionary = dictionary(Sparsity::BatchTopK(3));

        let once = dictionary.after_step(code(1.0));
        let twice = once.clone().after_step(code(2.0));

        assert_eq!(to_vec(once.threshold.val()), [1.0]);
        assert!((to_vec(twice.threshold.val())[0] - 1.01).abs() < 1e-6);
        let code = twice.forward(rows(&device));
        let least = to_vec(code.code).into_iter().filter(|value| *value > 0.0);
        assert!(least.fold(f32::MAX, f32::min) > 1.01);
    }

    #[test]
    fn every_prefix_of_a_matryoshka_reconstructs_by_its_own_features_alone() {
        let device = Device::flex();
        let dictionary = dictionary(Sparsity::Matryoshka(3));

        let output = dictionary.forward_training(rows(&device));

        assert_eq!(output.prefixes.len(), 3);
        for (prefix, count) in output.prefixes.into_iter().zip([2, 4, 8]) {
            let kept = Tensor::<1, Int>::arange(0..16, &device).lower_scalar(count).float();
            let cut = output.code.clone() * kept.unsqueeze();
            let expected = dictionary.decode_dense(cut);
            assert!((prefix - expected).abs().max().into_scalar::<f32>() < 1e-6);
        }
    }

    #[test]
    fn the_penalty_of_l1_is_the_mean_of_the_rows_sums() {
        let dictionary = dictionary(Sparsity::L1(0.5));

        let output = dictionary.forward_training(rows(&Device::flex()));

        let sum: f32 = to_vec(output.code).iter().sum();
        let penalty = output.penalty.unwrap().into_scalar::<f32>();
        assert!((penalty - 0.5 * sum / 20.0).abs() < 1e-5);
    }

    #[test]
    fn topk_without_a_hidden_layer_is_the_csae_without_composition() {
        let device = Device::flex();
        let csae = CsaeConfig::new(8).with_n_features(16).with_sparsity_k(3);
        let limits = csae.limits();
        let csae = csae.init(1, &device);
        let mut dictionary = dictionary(Sparsity::TopK(3));
        dictionary.encoder = csae.encoder.clone();
        dictionary.decoder = csae.decoder.clone();

        let one = dictionary.forward(rows(&device)).reconstruction;
        let other = csae.forward(rows(&device), limits).reconstruction;

        one.into_data().assert_eq(&other.into_data(), true);
    }

    #[test]
    fn an_encoder_with_a_hidden_layer_starts_as_a_linear_one() {
        let device = Device::flex();
        for width in [8, 12] {
            let config = DictionaryConfig::new(8, Sparsity::TopK(3)).with_n_features(16);
            let model = config.with_hidden(Some(width)).init(1, &device);
            let rows = rows(&device) * 0.3;

            let features = model.features(rows.clone());

            let expected = relu(rows.matmul(model.decoder.val().transpose()));
            assert!((features - expected).abs().max().into_scalar::<f32>() < 1e-4);
        }
    }

    #[test]
    fn an_encoder_with_a_hidden_layer_has_as_many_parameters_as_units() {
        let device = Device::flex();
        let config = DictionaryConfig::new(8, Sparsity::TopK(3)).with_n_features(16);
        let model = config.with_hidden(Some(8)).init(1, &device);
        let units = UnitsConfig::new().with_n_units(8);
        let csae = CsaeConfig::new(8).with_n_features(16).with_units(Some(units)).init(1, &device);
        let count = |weights: weights::Weights, ignored: &str| -> usize {
            let counted = weights.iter().filter(|(name, _)| *name != ignored);
            counted.map(|(_, weight)| weight.values.len()).sum()
        };

        // The units' parts are found, not fitted; so is the threshold of a batch.
        let one = count(weights::of(&model), "threshold");
        assert_eq!(one, count(weights::of(&csae), "units.parts"));
        assert_eq!(model.forward(rows(&device)).code.dims(), [20, 16]);
    }
}
