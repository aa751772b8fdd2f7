//! The source's own sketch of a compositional autoencoder, made to run and otherwise as it is: an
//! ablation.
//!
//! `f` = the `k` largest of `ReLU(LayerNorm(W x + b))`; `c = A(W_c f)`, attention over a sequence of
//! *one* token; `x_hat = W_d (g o W_f c + (1 - g) o f) + b_d`, `g = sigmoid(W_g f + b_g)`. The loss adds
//! `0.1 |F'F - I|` over the features of the batch, each divided by its length over the batch, and 0.01
//! times the entropy of the attention. With one token every attention weight is 1, so queries and
//! keys do nothing and the entropy is 0: kept on purpose, so that the difference is measured.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid, softmax};

use super::{Autoencoder, SaeOutput, Teachable};
use crate::csae::unit_rows;
use crate::weights::param;
use crate::{TopK, random};

/// The weight of the diversity of features, the source's.
const DIVERSITY: f64 = 0.1;
/// The weight of the attention's entropy, the source's.
const ENTROPY: f64 = 0.01;

/// The shape of a [`Literal`].
#[derive(Config, Debug, PartialEq)]
pub struct LiteralConfig {
    /// The width of the activations that it explains.
    pub d_model: usize,
    /// How many features it has.
    #[config(default = 256)]
    pub n_features: usize,
    /// How many of them are active in a row.
    #[config(default = 32)]
    pub sparsity_k: usize,
    /// The width of the one token, all heads together.
    #[config(default = 128)]
    pub d_compose: usize,
    /// How many heads there are.
    #[config(default = 8)]
    pub n_heads: usize,
}

/// A matrix and what is added: `x W + b`.
#[derive(Module, Debug)]
pub struct Affine {
    /// `[from, to]`.
    pub weight: Param<Tensor<2>>,
    /// `[to]`.
    pub bias: Param<Tensor<1>>,
}

/// The source's sketch.
#[derive(Module, Debug)]
pub struct Literal {
    /// From activations to features.
    pub encoder: Affine,
    /// The LayerNorm's weight: `[n_features]`.
    pub norm_weight: Param<Tensor<1>>,
    /// The LayerNorm's bias: `[n_features]`.
    pub norm_bias: Param<Tensor<1>>,
    /// From features to the token.
    pub to_token: Affine,
    /// What the token asks for.
    pub query: Affine,
    /// What the token is asked by.
    pub key: Affine,
    /// What the token hands on.
    pub value: Affine,
    /// From the heads to what was composed.
    pub output: Affine,
    /// From what was composed to features.
    pub from_token: Affine,
    /// From features to how much is composed.
    pub gate: Affine,
    /// From features to activations.
    pub decoder: Affine,
    sparsity_k: usize,
    n_heads: usize,
}

impl LiteralConfig {
    /// New weights, of the spread that PyTorch gives a linear layer: `1 / sqrt(3 from)`.
    pub fn init(&self, seed: u64, device: &Device) -> Literal {
        let mut rng = random::stream(seed, "literal weights");
        let Self { d_model, n_features, d_compose, sparsity_k, n_heads } = *self;
        let mut affine = |from: usize, to: usize| {
            let values = random::normal(&mut rng, from * to, 1.0 / (3.0 * from as f32).sqrt());
            Affine {
                weight: param(values, [from, to], device),
                bias: param(vec![0.0; to], [to], device),
            }
        };
        Literal {
            encoder: affine(d_model, n_features),
            norm_weight: param(vec![1.0; n_features], [n_features], device),
            norm_bias: param(vec![0.0; n_features], [n_features], device),
            to_token: affine(n_features, d_compose),
            query: affine(d_compose, d_compose),
            key: affine(d_compose, d_compose),
            value: affine(d_compose, d_compose),
            output: affine(d_compose, d_compose),
            from_token: affine(d_compose, n_features),
            gate: affine(n_features, n_features),
            decoder: affine(n_features, d_model),
            sparsity_k,
            n_heads,
        }
    }
}

impl Affine {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input.matmul(self.weight.val()) + self.bias.val().unsqueeze()
    }
}

impl Literal {
    /// What is composed of a code, `[batch, n_features]`, and the attention's weights,
    /// `[batch, n_heads, 1, 1]`.
    fn compose(&self, code: Tensor<2>) -> (Tensor<2>, Tensor<4>) {
        let token = self.to_token.forward(code);
        let [batch, width] = token.dims();
        let d_head = width / self.n_heads;
        let heads = |affine: &Affine| {
            affine.forward(token.clone()).reshape([batch, self.n_heads, 1, d_head])
        };
        let scores = heads(&self.query).matmul(heads(&self.key).swap_dims(2, 3));
        let weights = softmax(scores / (d_head as f64).sqrt(), 3);
        let attended = weights.clone().matmul(heads(&self.value)).reshape([batch, width]);
        (self.from_token.forward(self.output.forward(attended)), weights)
    }

    fn decode_dense(&self, code: Tensor<2>) -> (Tensor<2>, Tensor<4>) {
        let (composed, weights) = self.compose(code.clone());
        let gate = sigmoid(self.gate.forward(code.clone()));
        let mixed = gate.clone() * composed + (1.0 - gate) * code;
        (self.decoder.forward(mixed), weights)
    }
}

/// `|F'F - I|` over features that are each divided by their length over the batch.
fn diversity(code: &Tensor<2>) -> Tensor<1> {
    let [_, n_features] = code.dims();
    let length = (code.clone().square().sum_dim(0) + 1e-24).sqrt();
    let scaled = code.clone() / length.clamp_min(1e-12);
    let gram = scaled.clone().transpose().matmul(scaled);
    let away = gram - Tensor::eye(n_features, &code.device());
    (away.square().sum() + 1e-12).sqrt()
}

impl Autoencoder for Literal {
    fn forward(&self, rows: Tensor<2>) -> SaeOutput {
        let raw = self.encoder.forward(rows);
        let [_, n_features] = raw.dims();
        let centred = raw.clone() - raw.mean_dim(1);
        let spread = (centred.clone().square().mean_dim(1) + 1e-5).sqrt();
        let normed = centred / spread * self.norm_weight.val().unsqueeze()
            + self.norm_bias.val().unsqueeze();
        let features = relu(normed);
        let code = TopK::select(features.clone(), self.sparsity_k).into_dense(n_features);
        let (reconstruction, weights) = self.decode_dense(code.clone());
        let entropy = (weights.clone() * (weights + 1e-10).log()).sum_dim(3).mean() * -1.0;
        let penalty = Some(diversity(&code) * DIVERSITY + entropy * ENTROPY);
        SaeOutput { reconstruction, features, code, prefixes: vec![], penalty }
    }

    fn decode(&self, active: &TopK) -> Tensor<2> {
        let [n_features, _] = self.decoder.weight.val().dims();
        self.decode_dense(active.clone().into_dense(n_features)).0
    }

    fn directions(&self) -> Tensor<2> {
        unit_rows(self.decoder.weight.val())
    }
}

impl Teachable for Literal {
    fn unit_decoder(&self) -> Option<&Param<Tensor<2>>> {
        None
    }

    fn auxiliary_decoder(&self) -> Option<Tensor<2>> {
        None
    }

    fn after_step(self, _code: Tensor<2>) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::to_vec;

    fn model() -> Literal {
        let config = LiteralConfig::new(8).with_n_features(16).with_sparsity_k(3);
        config.with_d_compose(8).with_n_heads(2).init(1, &Device::flex())
    }

    fn rows() -> Tensor<2> {
        let values = random::normal(&mut random::stream(2, "rows"), 20 * 8, 1.0);
        Tensor::from_data(TensorData::new(values, [20, 8]), &Device::flex())
    }

    #[test]
    fn one_token_attends_to_itself_with_all_its_weight() {
        let model = model();
        let code = model.forward(rows()).code;

        let (composed, weights) = model.compose(code.clone());

        assert!(to_vec(weights).iter().all(|weight| *weight == 1.0));
        let mut other = model;
        other.query.weight = other.query.weight.map(|query| query * 3.0);
        assert_eq!(to_vec(composed), to_vec(other.compose(code).0));
    }

    #[test]
    fn its_code_has_k_features_in_each_row() {
        let output = model().forward(rows());

        let active = to_vec(output.code).iter().filter(|value| **value > 0.0).count();
        assert_eq!(active, 60);
    }

    #[test]
    fn diversity_is_the_length_of_what_differs_from_orthonormal() {
        let code = Tensor::<2>::from_data([[3.0, 2.0, 0.0], [0.0, 2.0, 0.0]], &Device::flex());

        // Cosine of the first two: the root of 1/2, twice; the third never fires, so it lacks a 1.
        let expected = 2.0_f32.sqrt();
        assert!((diversity(&code).into_scalar::<f32>() - expected).abs() < 1e-5);
    }
}
