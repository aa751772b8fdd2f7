//! Attention that re-weights the coefficients of the active features: an ablation.
//!
//! A token for each active feature, `t_i = f_i E_i`; attention between them, itself included, gives
//! `o_i`; the coefficient becomes `g_i ReLU(w . o_i) + (1 - g_i) f_i`, `g_i = sigmoid(w_g . o_i + b_g)`,
//! and `x_hat = b_dec + D f'`. Whatever it learns lies in the span of the active directions: it can
//! take away interference, and add nothing that only a combination says.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid, softmax};

use super::{Autoencoder, SaeOutput, Teachable, encode, with_unit_rows};
use crate::csae::unit_rows;
use crate::linear::linear;
use crate::weights::{param, to_vec};
use crate::{TopK, random};

/// A score that nothing attends to.
const NEVER: f32 = -1e9;

/// The shape of a [`CoefficientAttention`].
#[derive(Config, Debug, PartialEq)]
pub struct CoefficientAttentionConfig {
    /// The width of the activations that it explains.
    pub d_model: usize,
    /// How many features it has.
    #[config(default = 256)]
    pub n_features: usize,
    /// How many of them are active in a row.
    #[config(default = 32)]
    pub sparsity_k: usize,
    /// The width of a token, all heads together.
    #[config(default = 128)]
    pub d_compose: usize,
    /// How many heads there are.
    #[config(default = 8)]
    pub n_heads: usize,
}

/// A TopK autoencoder whose coefficients hear of one another.
#[derive(Module, Debug)]
pub struct CoefficientAttention {
    /// `[d_model, n_features]`.
    pub encoder: Param<Tensor<2>>,
    /// `[n_features]`.
    pub encoder_bias: Param<Tensor<1>>,
    /// One direction of length 1 for each feature: `[n_features, d_model]`.
    pub decoder: Param<Tensor<2>>,
    /// `[d_model]`.
    pub decoder_bias: Param<Tensor<1>>,
    /// One token direction for each feature: `[n_features, d_compose]`.
    pub embedding: Param<Tensor<2>>,
    /// `[d_compose, d_compose]`, as are key, value and output.
    pub query: Param<Tensor<2>>,
    /// What is attended by.
    pub key: Param<Tensor<2>>,
    /// What is attended to.
    pub value: Param<Tensor<2>>,
    /// From the heads to what was heard.
    pub output: Param<Tensor<2>>,
    /// From what was heard to a coefficient: `[d_compose, 1]`.
    pub score: Param<Tensor<2>>,
    /// From what was heard to the gate: `[d_compose, 1]`.
    pub gate: Param<Tensor<2>>,
    /// `[1]`; closed at the start.
    pub gate_bias: Param<Tensor<1>>,
    sparsity_k: usize,
    n_heads: usize,
}

impl CoefficientAttentionConfig {
    /// New weights. The gate starts nearly closed, so that before training it is nearly a TopK.
    pub fn init(&self, seed: u64, device: &Device) -> CoefficientAttention {
        let mut rng = random::stream(seed, "coefficient attention weights");
        let Self { d_model, n_features, d_compose: width, .. } = *self;
        let directions = random::normal(&mut rng, n_features * d_model, 1.0);
        let data = TensorData::new(directions, [n_features, d_model]);
        let directions = unit_rows(Tensor::<2>::from_data(data, device).without_autodiff());
        let deviation = 1.0 / (width as f32).sqrt();
        let mut matrix = |rows: usize, columns: usize| {
            let values = random::normal(&mut rng, rows * columns, deviation);
            param(values, [rows, columns], device)
        };
        let encoder = to_vec(directions.clone().transpose());
        CoefficientAttention {
            encoder: param(encoder, [d_model, n_features], device),
            encoder_bias: param(vec![0.0; n_features], [n_features], device),
            decoder: param(to_vec(directions), [n_features, d_model], device),
            decoder_bias: param(vec![0.0; d_model], [d_model], device),
            embedding: matrix(n_features, width),
            query: matrix(width, width),
            key: matrix(width, width),
            value: matrix(width, width),
            output: matrix(width, width),
            score: matrix(width, 1),
            gate: param(vec![0.0; width], [width, 1], device),
            gate_bias: param(vec![-3.0], [1], device),
            sparsity_k: self.sparsity_k,
            n_heads: self.n_heads,
        }
    }
}

impl CoefficientAttention {
    /// All features of `rows`, and those that are active.
    fn encode(&self, rows: Tensor<2>) -> (Tensor<2>, TopK) {
        let centred = rows - self.decoder_bias.val().unsqueeze();
        let features = encode(centred, &self.encoder, &self.encoder_bias);
        let active = TopK::select(features.clone(), self.sparsity_k);
        (features, active)
    }

    /// The coefficients after attention: `[batch, k]`.
    fn reweighted(&self, active: &TopK) -> Tensor<2> {
        let [batch, k] = active.values.dims();
        let [_, width] = self.embedding.val().dims();
        let d_head = width / self.n_heads;
        let tokens = active.tokens(self.embedding.val());
        let heads = |weight: &Param<Tensor<2>>| {
            linear(tokens.clone(), weight.val())
                .reshape([batch, k, self.n_heads, d_head])
                .swap_dims(1, 2) // [batch, n_heads, k, d_head]
        };
        let on = active.values.clone().without_autodiff().greater_scalar(0.0).float();
        let silent: Tensor<2> = (1.0 - on.clone()) * NEVER;
        let scores = heads(&self.query).matmul(heads(&self.key).swap_dims(2, 3))
            / (d_head as f64).sqrt()
            + silent.reshape([batch, 1, 1, k]);
        let heard = softmax(scores, 3).matmul(heads(&self.value)).swap_dims(1, 2);
        let heard = linear(heard.reshape([batch, k, width]), self.output.val());
        let flat = heard.reshape([batch * k, width]);
        let column =
            |weight: &Param<Tensor<2>>| flat.clone().matmul(weight.val()).reshape([batch, k]);
        let gate = sigmoid(column(&self.gate) + self.gate_bias.val().unsqueeze());
        let proposed = relu(column(&self.score));
        (gate.clone() * proposed + (1.0 - gate) * active.values.clone()) * on
    }
}

impl Autoencoder for CoefficientAttention {
    fn forward(&self, rows: Tensor<2>) -> SaeOutput {
        let (features, active) = self.encode(rows);
        let [_, n_features] = features.dims();
        let reconstruction = self.decode(&active);
        let code = active.into_dense(n_features);
        SaeOutput { reconstruction, features, code, prefixes: vec![], penalty: None }
    }

    fn code(&self, rows: Tensor<2>) -> Tensor<2> {
        let [n_features, _] = self.decoder.val().dims();
        self.encode(rows).1.into_dense(n_features)
    }

    fn decode(&self, active: &TopK) -> Tensor<2> {
        let [n_features, _] = self.decoder.val().dims();
        let heard = TopK { values: self.reweighted(active), indices: active.indices.clone() };
        heard.into_dense(n_features).matmul(self.decoder.val())
            + self.decoder_bias.val().unsqueeze()
    }

    fn directions(&self) -> Tensor<2> {
        self.decoder.val()
    }
}

impl Teachable for CoefficientAttention {
    fn unit_decoder(&self) -> Option<&Param<Tensor<2>>> {
        Some(&self.decoder)
    }

    fn auxiliary_decoder(&self) -> Option<Tensor<2>> {
        Some(self.decoder.val())
    }

    fn after_step(mut self, _code: Tensor<2>) -> Self {
        self.decoder = with_unit_rows(self.decoder);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> CoefficientAttention {
        let config = CoefficientAttentionConfig::new(8).with_n_features(16).with_sparsity_k(3);
        config.with_d_compose(8).with_n_heads(2).init(1, &Device::flex())
    }

    #[test]
    fn with_a_closed_gate_it_is_a_topk() {
        let device = Device::flex();
        let mut model = model();
        model.gate_bias = param(vec![-1e4], [1], &device);
        let code = Tensor::<2>::from_data([[0.0, 2.0, 1.0, 0.0]], &device);
        let code = Tensor::cat(vec![code, Tensor::zeros([1, 12], &device)], 1);

        let said = model.decode(&TopK::select(code.clone(), 3));

        let linear = code.matmul(model.decoder.val());
        assert!((said - linear).abs().max().into_scalar::<f32>() < 1e-6);
    }

    #[test]
    fn whatever_it_says_lies_in_the_span_of_the_active_directions() {
        let device = Device::flex();
        let mut model = model();
        model.gate_bias = param(vec![1.0], [1], &device);
        let data = Tensor::<2>::from_data([[1.5, 0.5]], &device);
        let indices = Tensor::<2, Int>::from_data([[4, 9]], &device);
        let active = TopK { values: data.clone(), indices };

        let said = model.decode(&active);

        let weights = to_vec(model.reweighted(&active));
        assert!(weights.iter().zip(to_vec(data)).all(|(new, old)| (new - old).abs() > 1e-3));
        let direction = |feature: usize| model.decoder.val().narrow(0, feature, 1);
        let spanned = direction(4) * weights[0] + direction(9) * weights[1];
        assert!((said - spanned).abs().max().into_scalar::<f32>() < 1e-6);
    }

    #[test]
    fn silent_places_are_neither_heard_nor_speak() {
        let device = Device::flex();
        let model = model();
        let code = |values: &[f32], indices: &[i32]| TopK {
            values: Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &device),
            indices: Tensor::from_data(
                TensorData::new(indices.to_vec(), [1, indices.len()]),
                &device,
            ),
        };

        let short = model.decode(&code(&[1.5, 0.5], &[4, 9]));
        let padded = model.decode(&code(&[1.5, 0.5, 0.0, 0.0], &[4, 9, 1, 2]));

        assert!((short - padded).abs().max().into_scalar::<f32>() < 1e-6);
    }
}
