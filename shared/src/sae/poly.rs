//! PolySAE (Koromilas et al., arXiv 2602.01322): a linear encoder, and a decoder with products of
//! two and three features.
//!
//! `x_hat = b + C1 U1'z + l2 C2 (U1'z o U2'z) + l3 C3 (U1'z o U2'z o U3'z)`, `o` by element. As in
//! the authors' code the linear term has the rank `d_model`, the products use the first `rank` columns
//! of `U1`, `l2` starts at -0.5 and `l3` at 0.5, and the columns of each `U` stay orthonormal (theirs by
//! QR after each step, here by Newton and Schulz). Ours are: `U1` and `C1` start as the factors of the
//! encoder's transpose; `C2` and `C3` start at 0, not at random, because what features that hardly
//! meet would say together is never unlearned; `U1`, `U2` and `U3` are independent (theirs are either
//! one matrix, or orthogonal to one another, for which 256 features have no room).

use burn::module::Param;
use burn::prelude::*;

use super::{Autoencoder, SaeOutput, Teachable, encode, orthonormal, replaced, toward_orthonormal};
use crate::csae::unit_rows;
use crate::weights::{param, to_vec};
use crate::{TopK, random};

/// The shape of a [`PolySae`].
#[derive(Config, Debug, PartialEq)]
pub struct PolySaeConfig {
    /// The width of the activations that it explains.
    pub d_model: usize,
    /// How many features it has.
    #[config(default = 256)]
    pub n_features: usize,
    /// How many of them are active in a row.
    #[config(default = 32)]
    pub sparsity_k: usize,
    /// How many products of two, and how many of three, it forms; no more than features.
    #[config(default = 64)]
    pub rank: usize,
    /// Whether the columns of each projection stay orthonormal.
    #[config(default = true)]
    pub orthonormal: bool,
}

/// A sparse autoencoder with a polynomial decoder.
#[derive(Module, Debug)]
pub struct PolySae {
    /// `[d_model, n_features]`.
    pub encoder: Param<Tensor<2>>,
    /// `[n_features]`.
    pub encoder_bias: Param<Tensor<1>>,
    /// `U1`: `[n_features, max(d_model, rank)]`.
    pub first: Param<Tensor<2>>,
    /// `U2`: `[n_features, rank]`.
    pub second: Param<Tensor<2>>,
    /// `U3`: `[n_features, rank]`.
    pub third: Param<Tensor<2>>,
    /// `C1` turned: `[max(d_model, rank), d_model]`.
    pub linear: Param<Tensor<2>>,
    /// `C2` turned: `[rank, d_model]`.
    pub quadratic: Param<Tensor<2>>,
    /// `C3` turned: `[rank, d_model]`.
    pub cubic: Param<Tensor<2>>,
    /// `l2`: `[1]`.
    pub pair_weight: Param<Tensor<1>>,
    /// `l3`: `[1]`.
    pub triple_weight: Param<Tensor<1>>,
    /// `[d_model]`.
    pub decoder_bias: Param<Tensor<1>>,
    sparsity_k: usize,
    orthonormal: bool,
}

impl PolySaeConfig {
    /// New weights. Before training it is a TopK: the products say nothing.
    pub fn init(&self, seed: u64, device: &Device) -> PolySae {
        let mut rng = random::stream(seed, "polynomial autoencoder weights");
        let Self { d_model, n_features, sparsity_k, .. } = *self;
        let rank = self.rank.min(n_features);
        let mut matrix = |rows: usize, columns: usize| {
            let values = random::normal(&mut rng, rows * columns, 1.0);
            let data = TensorData::new(values, [rows, columns]);
            Tensor::<2>::from_data(data, device).without_autodiff()
        };
        let directions = unit_rows(matrix(n_features, d_model));
        let first = match rank.saturating_sub(d_model) {
            0 => directions.clone(),
            more => Tensor::cat(vec![directions.clone(), unit_rows(matrix(n_features, more))], 1),
        };
        let columns = rank.max(d_model).min(n_features);
        let first = orthonormal(first.narrow(1, 0, columns));
        let linear = first.clone().transpose().matmul(directions.clone());
        let learned = |tensor: Tensor<2>| {
            let shape = tensor.dims();
            param(to_vec(tensor), shape, device)
        };
        PolySae {
            encoder: learned(directions.transpose()),
            encoder_bias: param(vec![0.0; n_features], [n_features], device),
            first: learned(first),
            second: learned(orthonormal(matrix(n_features, rank))),
            third: learned(orthonormal(matrix(n_features, rank))),
            linear: learned(linear),
            quadratic: param(vec![0.0; rank * d_model], [rank, d_model], device),
            cubic: param(vec![0.0; rank * d_model], [rank, d_model], device),
            pair_weight: param(vec![-0.5], [1], device),
            triple_weight: param(vec![0.5], [1], device),
            decoder_bias: param(vec![0.0; d_model], [d_model], device),
            sparsity_k,
            orthonormal: self.orthonormal,
        }
    }
}

impl PolySae {
    fn decode_dense(&self, code: Tensor<2>) -> Tensor<2> {
        let [_, rank] = self.second.val().dims();
        let one = code.clone().matmul(self.first.val()); // [batch, max(d_model, rank)]
        let two = one.clone().narrow(1, 0, rank) * code.clone().matmul(self.second.val());
        let three = two.clone() * code.matmul(self.third.val()); // [batch, rank]
        one.matmul(self.linear.val())
            + two.matmul(self.quadratic.val()) * self.pair_weight.val().unsqueeze()
            + three.matmul(self.cubic.val()) * self.triple_weight.val().unsqueeze()
            + self.decoder_bias.val().unsqueeze()
    }

    /// `U1 C1'`: what each feature says alone, as far as it is linear, of any length.
    fn linear_decoder(&self) -> Tensor<2> {
        self.first.val().matmul(self.linear.val())
    }
}

impl Autoencoder for PolySae {
    fn forward(&self, rows: Tensor<2>) -> SaeOutput {
        let [n_features, _] = self.first.val().dims();
        let centred = rows - self.decoder_bias.val().unsqueeze();
        let features = encode(centred, &self.encoder, &self.encoder_bias);
        let code = TopK::select(features.clone(), self.sparsity_k).into_dense(n_features);
        let reconstruction = self.decode_dense(code.clone());
        SaeOutput { reconstruction, features, code, prefixes: vec![], penalty: None }
    }

    fn decode(&self, active: &TopK) -> Tensor<2> {
        let [n_features, _] = self.first.val().dims();
        self.decode_dense(active.clone().into_dense(n_features))
    }

    /// Of the linear term alone, as the authors have it.
    fn directions(&self) -> Tensor<2> {
        unit_rows(self.linear_decoder())
    }
}

impl Teachable for PolySae {
    fn unit_decoder(&self) -> Option<&Param<Tensor<2>>> {
        None
    }

    fn auxiliary_decoder(&self) -> Option<Tensor<2>> {
        Some(self.linear_decoder())
    }

    fn after_step(mut self, _code: Tensor<2>) -> Self {
        if self.orthonormal {
            self.first = replaced(self.first, toward_orthonormal);
            self.second = replaced(self.second, toward_orthonormal);
            self.third = replaced(self.third, toward_orthonormal);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    #[test]
    fn the_decoder_is_the_polynomial_written_out() {
        let device = Device::flex();
        let mut model = PolySaeConfig::new(1).with_n_features(2).with_rank(1).init(1, &device);
        let set = |values: [f32; 2]| param(values.to_vec(), [2, 1], &device);
        let one = |value: f32| param(vec![value], [1, 1], &device);
        (model.first, model.second, model.third) =
            (set([1.0, 2.0]), set([3.0, 5.0]), set([0.5, 1.0]));
        (model.linear, model.quadratic, model.cubic) = (one(2.0), one(3.0), one(10.0));
        let code = Tensor::<2>::from_data([[1.0, 4.0]], &device);

        let output = model.decode(&TopK::select(code, 2));

        // U1'z = 9, U2'z = 23, U3'z = 4.5.
        let expected = 2.0 * 9.0 - 0.5 * 3.0 * 9.0 * 23.0 + 0.5 * 10.0 * 9.0 * 23.0 * 4.5;
        assert!((output.into_scalar::<f32>() - expected).abs() < 1e-2);
    }

    #[test]
    fn projections_are_orthonormal_and_say_the_encoders_directions_at_the_start() {
        let device = Device::flex();
        for rank in [3, 12] {
            let config = PolySaeConfig::new(8).with_n_features(20).with_rank(rank);

            let model = config.init(1, &device);

            for matrix in [model.first.val(), model.second.val(), model.third.val()] {
                let [_, columns] = matrix.dims();
                let gram = matrix.clone().transpose().matmul(matrix);
                let expected = Tensor::<2>::eye(columns, &device).into_data();
                gram.into_data().assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-4, 1e-4));
            }
            let encoder = model.encoder.val().transpose().into_data();
            let directions = model.linear_decoder().into_data();
            directions.assert_approx_eq::<f32>(&encoder, Tolerance::rel_abs(1e-4, 1e-4));
        }
    }

    #[test]
    fn a_step_away_from_orthonormal_is_taken_back_unless_free() {
        let away = |orthonormal: bool| {
            let config = PolySaeConfig::new(8).with_n_features(20).with_rank(4);
            let mut model = config.with_orthonormal(orthonormal).init(1, &Device::flex());
            model.second = model.second.map(|second| second * 1.01);
            let second = model.after_step(Tensor::zeros([1, 20], &Device::flex())).second.val();
            let gram = second.clone().transpose().matmul(second);
            let away = gram - Tensor::<2>::eye(4, &Device::flex());
            away.abs().max().into_scalar::<f32>()
        };

        assert!(away(false) > 1e-2 && away(true) < 1e-3);
    }
}
