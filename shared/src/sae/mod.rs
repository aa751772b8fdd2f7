//! Sparse autoencoders that others have proposed, and one door to all of them.

pub mod coefficient_attention;
pub mod dictionary;
pub mod literal;
pub mod poly;

use std::fmt::Debug;

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::relu;

use crate::csae::unit_rows;
use crate::{Csae, Limits, TopK};
use dictionary::Dictionary;

/// What an autoencoder makes of a batch of activations.
#[derive(Clone, Debug)]
pub struct SaeOutput {
    /// `[batch, d_model]`.
    pub reconstruction: Tensor<2>,
    /// All features before the choice of the active ones: `[batch, n_features]`.
    pub features: Tensor<2>,
    /// The active features, 0 elsewhere: `[batch, n_features]`.
    pub code: Tensor<2>,
    /// Reconstructions by fewer features that are to be good as well, each `[batch, d_model]`.
    pub prefixes: Vec<Tensor<2>>,
    /// What the loss has beside the error, of one number.
    pub penalty: Option<Tensor<1>>,
}

/// An autoencoder whose training is over.
pub trait Autoencoder: Debug + Send + Sync {
    /// Reconstructs `rows`, of shape `[batch, d_model]`, centred and scaled as in training.
    fn forward(&self, rows: Tensor<2>) -> SaeOutput;

    /// The code of `rows` alone, `[batch, n_features]`.
    fn code(&self, rows: Tensor<2>) -> Tensor<2> {
        self.forward(rows).code
    }

    /// What it says of a code that some other hand has made: `[batch, d_model]`.
    fn decode(&self, active: &TopK) -> Tensor<2>;

    /// The direction of each feature on its own, of length 1: `[n_features, d_model]`.
    fn directions(&self) -> Tensor<2>;

    /// The model as features that add up, if that is all there is to it: a form that other programs
    /// have, too.
    fn dictionary(&self) -> Option<&Dictionary> {
        None
    }
}

/// An autoencoder that gradients can teach.
pub trait Teachable: Autoencoder + Module {
    /// [`forward`](Autoencoder::forward) as it is in training.
    fn forward_training(&self, rows: Tensor<2>) -> SaeOutput {
        self.forward(rows)
    }

    /// The decoder whose rows stay at length 1, where the method has one:
    /// `[n_features, d_model]`.
    fn unit_decoder(&self) -> Option<&Param<Tensor<2>>>;

    /// By what dead features explain the residual in AuxK, where the method has AuxK:
    /// `[n_features, d_model]`.
    fn auxiliary_decoder(&self) -> Option<Tensor<2>>;

    /// What [`dictionary`](Autoencoder::dictionary) gives, for a hand that teaches it faster.
    fn dictionary_mut(&mut self) -> Option<&mut Dictionary> {
        None
    }

    /// Restores what has to hold after each step; `code` is the batch's, `[batch, n_features]`.
    fn after_step(self, code: Tensor<2>) -> Self;
}

/// A [`Csae`] as one of many: with the limits that it ended its training with.
#[derive(Clone, Debug)]
pub struct FinishedCsae {
    /// The model.
    pub model: Csae,
    /// What it may use.
    pub limits: Limits,
}

impl Autoencoder for FinishedCsae {
    fn forward(&self, rows: Tensor<2>) -> SaeOutput {
        let [n_features, _] = self.model.decoder.val().dims();
        let output = self.model.forward(rows, self.limits);
        SaeOutput {
            reconstruction: output.reconstruction,
            features: output.features,
            code: output.active.into_dense(n_features),
            prefixes: vec![],
            penalty: None,
        }
    }

    fn code(&self, rows: Tensor<2>) -> Tensor<2> {
        let [n_features, _] = self.model.decoder.val().dims();
        self.model.encode(rows, self.limits).1.into_dense(n_features)
    }

    fn decode(&self, active: &TopK) -> Tensor<2> {
        self.model.say(active, self.limits).reconstruction
    }

    fn directions(&self) -> Tensor<2> {
        self.model.decoder.val()
    }
}

/// `ReLU(x W + b)`: `[batch, n_features]` from rows less the decoder's bias.
fn encode(centred: Tensor<2>, encoder: &Param<Tensor<2>>, bias: &Param<Tensor<1>>) -> Tensor<2> {
    relu(centred.matmul(encoder.val()) + bias.val().unsqueeze())
}

/// A decoder whose rows have the length 1 again.
fn with_unit_rows(decoder: Param<Tensor<2>>) -> Param<Tensor<2>> {
    replaced(decoder, unit_rows)
}

/// A parameter changed by hand, not by a gradient.
fn replaced(
    parameter: Param<Tensor<2>>,
    change: impl FnOnce(Tensor<2>) -> Tensor<2>,
) -> Param<Tensor<2>> {
    parameter.map(|old| {
        let required = old.is_require_grad();
        let changed = change(old.without_autodiff());
        match required {
            true => Tensor::from_inner(changed).require_grad(),
            false => changed,
        }
    })
}

/// The nearest matrix with orthonormal columns, for a matrix of full rank.
fn orthonormal(matrix: Tensor<2>) -> Tensor<2> {
    let length = matrix.clone().square().sum().sqrt().unsqueeze();
    // From the smallest singular values that random matrices have, each round gains a half.
    (0..40).fold(matrix / length, |matrix, _| toward_orthonormal(matrix))
}

/// One step of Newton and Schulz, `U (3 I - U'U) / 2`: exact but for the square of the distance.
fn toward_orthonormal(matrix: Tensor<2>) -> Tensor<2> {
    let gram = matrix.clone().transpose().matmul(matrix.clone());
    matrix.clone() * 1.5 - matrix.matmul(gram) * 0.5
}
