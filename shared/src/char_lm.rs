//! The character-level transformer that is explained: logits, and the activations of one layer.
//!
//! The architecture is nanoGPT's (karpathy/nanoGPT, model.py) without biases and without dropout:
//! learned positions, pre-norm blocks, exact GELU, token embedding tied to the output.

use burn::module::Param;
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::prelude::*;
use burn::tensor::activation::{gelu, softmax};

use crate::linear::{linear, rows_of};
use crate::random;
use crate::weights::param;

/// The shape of a [`CharLm`].
#[derive(Config, Debug, PartialEq)]
pub struct CharLmConfig {
    /// How many characters it knows.
    pub vocab_size: usize,
    /// How many blocks it has.
    #[config(default = 4)]
    pub n_layers: usize,
    /// How many heads each block has.
    #[config(default = 4)]
    pub n_heads: usize,
    /// The width of the residual stream.
    #[config(default = 128)]
    pub d_model: usize,
    /// How many characters it sees at once.
    #[config(default = 64)]
    pub block_size: usize,
}

/// A decoder-only transformer over characters.
#[derive(Module, Debug)]
pub struct CharLm {
    /// `[vocab_size, d_model]`, also the output layer.
    pub token_embedding: Param<Tensor<2>>,
    /// `[block_size, d_model]`.
    pub position_embedding: Param<Tensor<2>>,
    /// From the first to the last.
    pub blocks: Vec<Block>,
    /// In front of the output layer.
    pub final_norm: LayerNorm,
}

/// One block: attention, then a multi-layer perceptron, each on top of the residual stream.
#[derive(Module, Debug)]
pub struct Block {
    attention_norm: LayerNorm,
    /// Queries, keys and values beside one another: `[d_model, 3 * d_model]`.
    query_key_value: Param<Tensor<2>>,
    /// `[d_model, d_model]`.
    attention_output: Param<Tensor<2>>,
    mlp_norm: LayerNorm,
    /// `[d_model, 4 * d_model]`.
    mlp_input: Param<Tensor<2>>,
    /// `[4 * d_model, d_model]`.
    mlp_output: Param<Tensor<2>>,
    n_heads: usize,
}

impl CharLmConfig {
    /// A model with nanoGPT's initial weights: normal with deviation 0.02, the two layers that
    /// write into the residual stream scaled down by `sqrt(2 * n_layers)`.
    pub fn init(&self, seed: u64, device: &Device) -> CharLm {
        let mut rng = random::stream(seed, "language model weights");
        let width = self.d_model;
        let mut weight = |rows: usize, columns: usize, deviation: f32| {
            let values = random::normal(&mut rng, rows * columns, deviation);
            param(values, [rows, columns], device)
        };
        let into_stream = 0.02 / ((2 * self.n_layers) as f32).sqrt();
        CharLm {
            token_embedding: weight(self.vocab_size, width, 0.02),
            position_embedding: weight(self.block_size, width, 0.02),
            blocks: (0..self.n_layers)
                .map(|_| Block {
                    attention_norm: norm(width, device),
                    query_key_value: weight(width, 3 * width, 0.02),
                    attention_output: weight(width, width, into_stream),
                    mlp_norm: norm(width, device),
                    mlp_input: weight(width, 4 * width, 0.02),
                    mlp_output: weight(4 * width, width, into_stream),
                    n_heads: self.n_heads,
                })
                .collect(),
            final_norm: norm(width, device),
        }
    }
}

fn norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_bias(false).init(device)
}

impl CharLm {
    /// The shape.
    pub fn config(&self) -> CharLmConfig {
        let [vocab_size, d_model] = self.token_embedding.val().dims();
        CharLmConfig {
            vocab_size,
            n_layers: self.blocks.len(),
            n_heads: self.blocks.first().map_or(1, |block| block.n_heads),
            d_model,
            block_size: self.position_embedding.val().dims()[0],
        }
    }

    /// The logits of the next character at every position: `[batch, length, vocab_size]`.
    ///
    /// `ids` has the shape `[batch, length]` with `length <= block_size`.
    pub fn logits(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let last = self.blocks.len();
        self.logits_from(self.activations(ids, last), last)
    }

    /// The residual stream after `layer` blocks: `[batch, length, d_model]`.
    pub fn activations(&self, ids: Tensor<2, Int>, layer: usize) -> Tensor<3> {
        let [batch, length] = ids.dims();
        let [_, d_model] = self.token_embedding.val().dims();
        let tokens = rows_of(self.token_embedding.val(), ids.reshape([batch * length]))
            .reshape([batch, length, d_model]);
        let positions = self.position_embedding.val().narrow(0, 0, length);
        let stream = tokens + positions.unsqueeze();
        self.blocks[..layer].iter().fold(stream, |stream, block| block.forward(stream))
    }

    /// What the perceptron of the last of the first `layer` blocks reads, and what it adds to the
    /// stream: `[batch, length, d_model]` each. `layer` is 1 at least.
    pub fn perceptron(&self, ids: Tensor<2, Int>, layer: usize) -> [Tensor<3>; 2] {
        let block = &self.blocks[layer - 1];
        block.perceptron(block.attended(self.activations(ids, layer - 1)))
    }

    /// The logits that follow from `activations`, the residual stream after `layer` blocks.
    ///
    /// This is where a reconstruction takes the place of what it reconstructs.
    pub fn logits_from(&self, activations: Tensor<3>, layer: usize) -> Tensor<3> {
        let stream =
            self.blocks[layer..].iter().fold(activations, |stream, block| block.forward(stream));
        let stream = self.final_norm.forward(stream);
        linear(stream, self.token_embedding.val().transpose())
    }
}

impl Block {
    fn forward(&self, stream: Tensor<3>) -> Tensor<3> {
        let stream = self.attended(stream);
        let [_, added] = self.perceptron(stream.clone());
        stream + added
    }

    /// The stream between attention and perceptron.
    fn attended(&self, stream: Tensor<3>) -> Tensor<3> {
        stream.clone() + self.attend(self.attention_norm.forward(stream))
    }

    /// What the perceptron reads of such a stream, and what it adds to it.
    fn perceptron(&self, stream: Tensor<3>) -> [Tensor<3>; 2] {
        let input = self.mlp_norm.forward(stream);
        let hidden = linear(input.clone(), self.mlp_input.val());
        [input, linear(gelu(hidden), self.mlp_output.val())]
    }

    fn attend(&self, stream: Tensor<3>) -> Tensor<3> {
        let [batch, length, d_model] = stream.dims();
        let d_head = d_model / self.n_heads;
        let [query, key, value] = linear(stream, self.query_key_value.val())
            .reshape([batch, length, 3, self.n_heads, d_head])
            .permute([2, 0, 3, 1, 4]) // [3, batch, n_heads, length, d_head]
            .chunk(3, 0)
            .try_into()
            .map(|parts: [Tensor<5>; 3]| parts.map(|part| part.squeeze_dim::<4>(0)))
            .expect("queries, keys and values are three");

        let scores = query.matmul(key.swap_dims(2, 3)) / (d_head as f64).sqrt();
        let future = Tensor::<2, Bool>::tril_mask([length, length], 0, &scores.device());
        let attention = softmax(scores.mask_fill(future.unsqueeze(), f32::NEG_INFINITY), 3);
        let mixed = attention
            .matmul(value) // [batch, n_heads, length, d_head]
            .swap_dims(1, 2)
            .reshape([batch, length, d_model]);
        linear(mixed, self.attention_output.val())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(device: &Device) -> CharLm {
        CharLmConfig::new(7)
            .with_n_layers(2)
            .with_n_heads(2)
            .with_d_model(8)
            .with_block_size(4)
            .init(1, device)
    }

    #[test]
    fn a_character_does_not_see_what_comes_after_it() {
        let device = Device::flex();
        let lm = tiny(&device);

        let one = lm.logits(Tensor::from_data([[1, 2, 3, 4]], &device));
        let other = lm.logits(Tensor::from_data([[1, 2, 6, 0]], &device));

        let start = |logits: Tensor<3>| logits.narrow(1, 0, 2).into_data();
        start(one.clone()).assert_eq(&start(other.clone()), true);
        assert!(one.into_data() != other.into_data());
    }

    #[test]
    fn its_own_activations_put_back_give_its_own_logits() {
        let device = Device::flex();
        let lm = tiny(&device);
        let ids = Tensor::from_data([[1, 2, 3, 4], [0, 6, 5, 1]], &device);

        for layer in 0..=2 {
            let spliced = lm.logits_from(lm.activations(ids.clone(), layer), layer);
            spliced.into_data().assert_eq(&lm.logits(ids.clone()).into_data(), true);
        }
    }

    #[test]
    fn what_a_perceptron_adds_is_all_that_follows_from_what_it_reads() {
        let device = Device::flex();
        let lm = tiny(&device);
        let ids = Tensor::from_data([[1, 2, 3, 4], [0, 6, 5, 1]], &device);

        let [input, added] = lm.perceptron(ids.clone(), 2);

        let before = lm.activations(ids, 2) - added;
        let expected = lm.blocks[1].mlp_norm.forward(before);
        let difference = (input - expected).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn its_first_guess_is_close_to_uniform() {
        let device = Device::flex();

        let logits = tiny(&device).logits(Tensor::from_data([[1, 2, 3]], &device));

        assert_eq!(logits.dims(), [1, 3, 7]);
        assert!(logits.abs().max().into_scalar::<f32>() < 0.5);
    }
}
