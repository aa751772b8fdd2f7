//! The compositional sparse autoencoder: features one by one, then what they compose.
//!
//! `x_hat = b_dec + D f + c(f)`: `f` holds the `k` strongest features of a row, `D` their directions,
//! `c` the composition. Without a composition this is the standard TopK autoencoder of Gao et al.
//! (arXiv 2406.04093), bit by bit.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::activation::relu;

use crate::random;
use crate::refit::refit;
use crate::weights::{param, to_vec};
use crate::{Attention, AttentionConfig, AttentionOutput, TopK, Units, UnitsConfig, UnitsOutput};

/// The shape of a [`Csae`].
#[derive(Config, Debug, PartialEq)]
pub struct CsaeConfig {
    /// The width of the activations that it explains.
    pub d_model: usize,
    /// How many features it has.
    #[config(default = 256)]
    pub n_features: usize,
    /// How many of them are active in a row at most.
    #[config(default = 32)]
    pub sparsity_k: usize,
    /// How many steps of refitting the active features get.
    #[config(default = 0)]
    pub refit_steps: usize,
    /// How they combine, by attention; without it, they do not.
    pub attention: Option<AttentionConfig>,
    /// How they combine, by units.
    pub units: Option<UnitsConfig>,
}

/// How much the model may use at this moment of its training; the config's own values at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How many features are active in a row at most.
    pub sparsity_k: usize,
    /// How many features combine at most.
    pub combination_size: usize,
}

/// A sparse autoencoder with a second stream for combinations.
#[derive(Module, Debug)]
pub struct Csae {
    /// `[d_model, n_features]`.
    pub encoder: Param<Tensor<2>>,
    /// `[n_features]`.
    pub encoder_bias: Param<Tensor<1>>,
    /// One direction of length 1 for each feature: `[n_features, d_model]`.
    pub decoder: Param<Tensor<2>>,
    /// `[d_model]`.
    pub decoder_bias: Param<Tensor<1>>,
    /// The second stream.
    pub attention: Option<Attention>,
    /// The second stream by units.
    pub units: Option<Units>,
    /// How many steps of refitting the active features get.
    pub refit_steps: usize,
}

/// What the autoencoder makes of a batch of activations.
#[derive(Clone, Debug)]
pub struct CsaeOutput {
    /// `[batch, d_model]`.
    pub reconstruction: Tensor<2>,
    /// All features before the choice of the `k` strongest: `[batch, n_features]`.
    pub features: Tensor<2>,
    /// The features that stay active, refitted: `[batch, k]`.
    pub active: TopK,
    /// Which of them combine, and what that adds.
    pub attention: Option<AttentionOutput>,
    /// Which units speak, and what that adds.
    pub units: Option<UnitsOutput>,
}

/// What a code says.
pub(crate) struct Said {
    /// `[batch, d_model]`.
    pub reconstruction: Tensor<2>,
    attention: Option<AttentionOutput>,
    units: Option<UnitsOutput>,
}

impl CsaeConfig {
    /// New weights: random directions, the encoder their transpose, biases 0.
    pub fn init(&self, seed: u64, device: &Device) -> Csae {
        let mut rng = random::stream(seed, "autoencoder weights");
        let shape = [self.n_features, self.d_model];
        let directions = random::normal(&mut rng, shape[0] * shape[1], 1.0);
        let directions = Tensor::<2>::from_data(TensorData::new(directions, shape), device);
        let directions = unit_rows(directions.without_autodiff());
        let encoder = to_vec(directions.clone().transpose());
        self.with_directions(encoder, to_vec(directions), seed, device)
    }

    /// Weights to be replaced. Reads nothing from the device, which the browser's WebGPU cannot do at
    /// once.
    pub(crate) fn blank(&self, device: &Device) -> Csae {
        let zeros = vec![0.0; self.n_features * self.d_model];
        self.with_directions(zeros.clone(), zeros, 0, device)
    }

    fn with_directions(
        &self,
        encoder: Vec<f32>,
        decoder: Vec<f32>,
        seed: u64,
        device: &Device,
    ) -> Csae {
        Csae {
            encoder: param(encoder, [self.d_model, self.n_features], device),
            encoder_bias: param(vec![0.0; self.n_features], [self.n_features], device),
            decoder: param(decoder, [self.n_features, self.d_model], device),
            decoder_bias: param(vec![0.0; self.d_model], [self.d_model], device),
            attention: self
                .attention
                .as_ref()
                .map(|config| config.init(self.n_features, self.d_model, seed, device)),
            units: self
                .units
                .as_ref()
                .map(|config| config.init(self.n_features, self.d_model, device)),
            refit_steps: self.refit_steps,
        }
    }

    /// What the finished model may use.
    pub fn limits(&self) -> Limits {
        let attention = self.attention.as_ref().map(|attention| attention.combination_size);
        let units = self.units.as_ref().map(|units| units.combination_size);
        Limits { sparsity_k: self.sparsity_k, combination_size: attention.or(units).unwrap_or(1) }
    }
}

impl Csae {
    /// Reconstructs `activations`, of shape `[batch, d_model]`, centred and scaled as in training.
    pub fn forward(&self, activations: Tensor<2>, limits: Limits) -> CsaeOutput {
        let (features, active) = self.encode(activations, limits);
        self.compose(features, active, limits)
    }

    /// All features of `activations`, `[batch, n_features]`, and those that are active.
    pub(crate) fn encode(&self, activations: Tensor<2>, limits: Limits) -> (Tensor<2>, TopK) {
        let centred = activations - self.decoder_bias.val().unsqueeze();
        let features = self.features(centred.clone());
        let active = TopK::select(features.clone(), limits.sparsity_k);
        (features, refit(active, centred, self.decoder.val(), self.refit_steps))
    }

    /// What follows from `inputs`, of shape `[batch, d_model]`, centred and scaled: the model as a
    /// transcoder, which predicts what a part of the language model computes from what that part reads
    /// (Dunefsky et al., arXiv 2406.11944). What it predicts is not among its inputs, so nothing is
    /// refitted.
    pub fn transcode(&self, inputs: Tensor<2>, limits: Limits) -> CsaeOutput {
        let features = self.features(inputs);
        let active = TopK::select(features.clone(), limits.sparsity_k);
        self.compose(features, active, limits)
    }

    /// What the `active` ones of all `features` say, one by one and together.
    fn compose(&self, features: Tensor<2>, active: TopK, limits: Limits) -> CsaeOutput {
        let Said { reconstruction, attention, units } = self.say(&active, limits);
        CsaeOutput { reconstruction, features, active, attention, units }
    }

    /// What a code says, one by one and together.
    pub(crate) fn say(&self, active: &TopK, limits: Limits) -> Said {
        let attention = match &self.attention {
            Some(attention) if limits.combination_size > 1 => {
                Some(attention.forward(active, limits.combination_size))
            }
            _ => None,
        };
        let mut alone = active.clone();
        let mut said = None;
        if let Some(units) = self.units.as_ref().filter(|_| limits.combination_size > 1) {
            let output = units.forward(active);
            alone = units.residual(alone, &output.strengths);
            said = Some(output);
        }
        let mut reconstruction = self.decode(alone);
        if let Some(attention) = &attention {
            reconstruction = reconstruction + attention.contribution.clone();
        }
        if let Some(units) = &said {
            reconstruction = reconstruction + units.contribution.clone();
        }
        Said { reconstruction, attention, units: said }
    }

    /// All features of rows less the decoder's bias, before the choice of the strongest:
    /// `[batch, n_features]`.
    pub fn features(&self, centred: Tensor<2>) -> Tensor<2> {
        relu(centred.matmul(self.encoder.val()) + self.encoder_bias.val().unsqueeze())
    }

    /// `b_dec + D f`: what the `active` features say one by one, `[batch, d_model]`.
    pub fn decode(&self, active: TopK) -> Tensor<2> {
        let [n_features, _] = self.decoder.val().dims();
        active.into_dense(n_features).matmul(self.decoder.val())
            + self.decoder_bias.val().unsqueeze()
    }
}

/// The rows of `matrix`, each divided by its length.
pub fn unit_rows(matrix: Tensor<2>) -> Tensor<2> {
    let length = matrix.clone().square().sum_dim(1).sqrt().clamp_min(1e-8);
    matrix / length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(device: &Device) -> Tensor<2> {
        let values = random::normal(&mut random::stream(2, "rows"), 20 * 8, 1.0);
        Tensor::from_data(TensorData::new(values, [20, 8]), device)
    }

    fn config() -> CsaeConfig {
        CsaeConfig::new(8).with_n_features(16).with_sparsity_k(3)
    }

    #[test]
    fn no_more_than_k_features_are_active() {
        let device = Device::flex();
        let config = config();

        let output = config.init(1, &device).forward(rows(&device), config.limits());

        let dense = output.active.into_dense(16);
        let most = dense.greater_scalar(0.0).int().sum_dim(1).max();
        assert_eq!(most.into_scalar::<i32>(), 3);
    }

    #[test]
    fn without_composition_it_is_the_topk_autoencoder_bit_by_bit() {
        let device = Device::flex();
        let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
        let plain = config();
        let composing = config().with_attention(Some(attention));

        let alone = Limits { combination_size: 1, ..composing.limits() };
        let reconstruct =
            |config: &CsaeConfig| config.init(5, &device).forward(rows(&device), alone);
        let one = reconstruct(&plain).reconstruction.into_data();
        let other = reconstruct(&composing).reconstruction.into_data();

        one.assert_eq(&other, true);
    }

    #[test]
    fn scaling_the_row_scales_the_features() {
        let device = Device::flex();
        let config = config();
        let model = config.init(1, &device);

        let once = model.forward(rows(&device), config.limits());
        let twice = model.forward(rows(&device) * 2.0, config.limits());

        (once.features * 2.0).into_data().assert_eq(&twice.features.into_data(), true);
    }
}
