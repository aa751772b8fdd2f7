//! Attention between the active features of a row: which of them combine, and what that adds.
//!
//! A feature `i` that fires with `f_i` is the token `t_i = f_i E_i`. In every head it attends to its
//! strongest partners `j != i` and to a null slot, whose score is learned and whose value is 0: a
//! feature without partner contributes exactly nothing.
//!
//! Two forms compute the same function. The *plain* form makes tokens, queries, keys and values for
//! every row. The *table* form uses that the first round's scores are `f_i f_j M[h,i,j]` with a table
//! `M` that does not depend on the row. The processor uses the table form where it exists (one
//! round); the plain form is its reference, and what cards use. `kernels::csae` has the training step
//! of one round and of two without tensors.

mod slots;
mod tables;

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::IndexingUpdateOp;
use burn::tensor::activation::sigmoid;

use crate::kernels::on_processor;
use crate::linear::{linear, rows_of};
use crate::weights::param;
use crate::{TopK, random};
use slots::{Slots, strongest, with_null};

/// The shape of an [`Attention`].
#[derive(Config, Debug, PartialEq)]
pub struct AttentionConfig {
    /// The width of a token, all heads together.
    #[config(default = 128)]
    pub d_compose: usize,
    /// How many heads look for partners.
    #[config(default = 8)]
    pub n_heads: usize,
    /// How many features combine at most: each attends to one partner fewer.
    #[config(default = 2)]
    pub combination_size: usize,
    /// How often; the second round attends to what the first one composed.
    #[config(default = 1)]
    pub rounds: usize,
    /// Whether a gate decides how much of its combinations a feature contributes.
    #[config(default = false)]
    pub gate: bool,
}

/// Composes the active features of a row into a contribution to the reconstruction.
#[derive(Module, Debug)]
pub struct Attention {
    /// One token direction for each feature: `[n_features, d_compose]`.
    pub(crate) embedding: Param<Tensor<2>>,
    /// `[d_compose, d_compose]`, as are key and value.
    pub(crate) query: Param<Tensor<2>>,
    pub(crate) key: Param<Tensor<2>>,
    pub(crate) value: Param<Tensor<2>>,
    /// The score of the null slot in every head: `[n_heads]`.
    pub(crate) null: Param<Tensor<1>>,
    /// `[d_compose, d_model]`.
    pub output: Param<Tensor<2>>,
    pub(crate) gate: Option<Gate>,
    /// From what was composed to the next round's tokens: `[d_compose, d_compose]`.
    pub(crate) between_rounds: Option<Param<Tensor<2>>>,
    n_heads: usize,
    pub(crate) rounds: usize,
}

/// `g_i = sigmoid(w_token . t_i + w_composed . o_i + b_i)`.
#[derive(Module, Debug)]
pub(crate) struct Gate {
    /// `[d_compose, 1]`, as is `composed`.
    pub(crate) token: Param<Tensor<2>>,
    pub(crate) composed: Param<Tensor<2>>,
    /// `[n_features]`.
    pub(crate) bias: Param<Tensor<1>>,
}

/// What the active features of a batch compose.
#[derive(Clone, Debug)]
pub struct AttentionOutput {
    /// What the combinations add to the reconstruction: `[batch, d_model]`.
    pub contribution: Tensor<2>,
    /// The partners' places among the row's active features: `[batch, n_heads, k, partners]`.
    pub partners: Tensor<4, Int>,
    /// How much attention each partner gets, the null slot last:
    /// `[batch, n_heads, k, partners + 1]`.
    pub weights: Tensor<4>,
}

impl AttentionConfig {
    /// New weights. The output starts at 0: before training, nothing is composed.
    pub fn init(&self, n_features: usize, d_model: usize, seed: u64, device: &Device) -> Attention {
        let mut rng = random::stream(seed, "attention weights");
        let width = self.d_compose;
        let deviation = 1.0 / (width as f32).sqrt();
        let mut matrix = |rows: usize, columns: usize| {
            let values = random::normal(&mut rng, rows * columns, deviation);
            param(values, [rows, columns], device)
        };
        let zeros = |length: usize| param(vec![0.0; length], [length], device);
        let column = || param(vec![0.0; width], [width, 1], device);
        Attention {
            embedding: matrix(n_features, width),
            query: matrix(width, width),
            key: matrix(width, width),
            value: matrix(width, width),
            null: zeros(self.n_heads),
            output: param(vec![0.0; width * d_model], [width, d_model], device),
            gate: self.gate.then(|| Gate {
                token: column(),
                composed: column(),
                bias: zeros(n_features),
            }),
            between_rounds: (self.rounds > 1).then(|| matrix(width, width)),
            n_heads: self.n_heads,
            rounds: self.rounds,
        }
    }
}

impl Attention {
    /// Composes the `active` features, at most `combination_size` at a time in each round.
    pub fn forward(&self, active: &TopK, combination_size: usize) -> AttentionOutput {
        match self.rounds == 1 && on_processor(&active.values.device()) {
            true => self.forward_tables(active, combination_size),
            false => self.forward_plain(active, combination_size),
        }
    }

    /// The plain form: `rounds` times attention over the tokens of the active features.
    pub fn forward_plain(&self, active: &TopK, combination_size: usize) -> AttentionOutput {
        let [batch, k] = active.values.dims();
        let slots = Slots::of(active);
        let tokens = active.tokens(self.embedding.val()); // [batch, k, d_compose]

        let (mut composed, mut partners, mut weights) =
            self.round(tokens.clone(), &slots, combination_size);
        for _ in 1..self.rounds {
            let between = self.between_rounds.as_ref().expect("made with the rounds");
            let next = tokens.clone() + linear(composed, between.val());
            (composed, partners, weights) = self.round(next, &slots, combination_size);
        }

        let gate = self.gate.as_ref().map(|gate| {
            let own = active.indices.clone().reshape([batch * k]);
            let bias = rows_of(gate.bias.val().unsqueeze_dim(1), own);
            sigmoid(
                linear(tokens, gate.token.val())
                    + linear(composed.clone(), gate.composed.val())
                    + bias.reshape([batch, k, 1]),
            )
        });
        let composed = match gate {
            Some(gate) => composed * gate,
            None => composed,
        };
        let contribution = (composed * slots.on.unsqueeze_dim(2))
            .sum_dim(1)
            .squeeze_dim::<2>(1)
            .matmul(self.output.val());
        AttentionOutput { contribution, partners, weights }
    }

    /// One round: what each token composes `[batch, k, d_compose]`, its partners, their weights.
    fn round(
        &self,
        tokens: Tensor<3>,
        slots: &Slots,
        combination_size: usize,
    ) -> (Tensor<3>, Tensor<4, Int>, Tensor<4>) {
        let [batch, k, width] = tokens.dims();
        let d_head = width / self.n_heads;
        let heads = |weight: &Param<Tensor<2>>| {
            linear(tokens.clone(), weight.val())
                .reshape([batch, k, self.n_heads, d_head])
                .swap_dims(1, 2) // [batch, n_heads, k, d_head]
        };
        let queries = heads(&self.query) / (d_head as f64).sqrt();
        let (keys, values) = (heads(&self.key), heads(&self.value));
        let scores =
            queries.matmul(keys.swap_dims(2, 3)) + slots.forbidden.clone().unsqueeze_dim(1); // [batch, n_heads, k, k]
        // The choice has no gradient; what was chosen has.
        let partners = strongest(scores.clone(), combination_size - 1);

        let null = self.null.val().reshape([1, self.n_heads, 1, 1]);
        let weights = with_null(scores.clone().gather(3, partners.clone()), null);
        let attended = weights.clone().narrow(3, 0, combination_size - 1); // [batch, n_heads, k, partners]
        let nobody = Tensor::zeros(scores.dims(), &scores.device());
        let composed = nobody
            .scatter(3, partners.clone(), attended, IndexingUpdateOp::Add)
            .matmul(values) // [batch, n_heads, k, d_head]
            .swap_dims(1, 2)
            .reshape([batch, k, width]);
        (composed, partners, weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::to_ints;
    use burn::tensor::Tolerance;

    const FEATURES: usize = 12;
    const D_MODEL: usize = 6;

    /// An attention in which every weight matters.
    fn attention(config: AttentionConfig, device: &Device) -> Attention {
        let mut rng = random::stream(7, "test");
        let mut noise = |count: usize| random::normal(&mut rng, count, 0.7);
        let mut attention = config.init(FEATURES, D_MODEL, 3, device);
        attention.output = param(noise(8 * D_MODEL), [8, D_MODEL], device);
        attention.null = param(noise(2), [2], device);
        if let Some(gate) = &mut attention.gate {
            gate.token = param(noise(8), [8, 1], device);
            gate.composed = param(noise(8), [8, 1], device);
            gate.bias = param(noise(FEATURES), [FEATURES], device);
        }
        attention
    }

    fn config() -> AttentionConfig {
        AttentionConfig::new().with_d_compose(8).with_n_heads(2)
    }

    /// Six rows; the last three have two, one and no active features.
    fn active(device: &Device) -> TopK {
        let mut rng = random::stream(8, "test");
        let mut features = random::normal(&mut rng, 6 * FEATURES, 2.0);
        features[3 * FEATURES..].fill(0.0);
        features[3 * FEATURES + 2] = 2.0;
        features[3 * FEATURES + 7] = 1.0;
        features[4 * FEATURES + 4] = 1.5;
        let features = Tensor::from_data(TensorData::new(features, [6, FEATURES]), device);
        TopK::select(features.clamp_min(0.0), 4)
    }

    fn close<const D: usize>(one: Tensor<D>, other: Tensor<D>) {
        one.into_data().assert_approx_eq::<f32>(&other.into_data(), Tolerance::rel_abs(1e-5, 1e-5));
    }

    #[test]
    fn tables_give_the_plain_form_and_its_gradients() {
        let device = Device::flex().autodiff();
        for (size, gate) in [(2, false), (2, true), (3, true), (4, false)] {
            let attention = attention(config().with_gate(gate), &device);
            let plain = attention.forward_plain(&active(&device), size);
            let tables = attention.forward_tables(&active(&device), size);

            close(plain.contribution.clone(), tables.contribution.clone());
            close(plain.weights.narrow(0, 0, 3), tables.weights.narrow(0, 0, 3));
            let gradients = plain.contribution.powi_scalar(2).sum().backward();
            let same = tables.contribution.powi_scalar(2).sum().backward();
            for weight in [&attention.embedding, &attention.query, &attention.output] {
                let gradient = |of| weight.val().grad(of).unwrap();
                close(gradient(&gradients), gradient(&same));
            }
            let gradient = |of| attention.null.val().grad(of).unwrap();
            close(gradient(&gradients), gradient(&same));
        }
    }

    #[test]
    fn the_kernel_chooses_the_partners_that_the_tensors_choose() {
        let device = Device::flex();
        let (attention, active) = (attention(config(), &device), active(&device));

        let plain = attention.forward_plain(&active, 4).partners;
        let tables = attention.forward_tables(&active, 4).partners;

        // The first three rows have four active features, so that all three partners are real.
        let real = |partners: Tensor<4, Int>| to_ints(partners.narrow(0, 0, 3));
        assert_eq!(real(tables), real(plain));
    }

    #[test]
    fn a_feature_alone_contributes_exactly_nothing() {
        let device = Device::flex();
        for rounds in [1, 2] {
            let attention = attention(config().with_rounds(rounds).with_gate(true), &device);

            let contribution = attention.forward(&active(&device), 3).contribution;

            let last_two = contribution.clone().narrow(0, 4, 2);
            assert_eq!(last_two.abs().max().into_scalar::<f32>(), 0.0);
            assert!(contribution.abs().max().into_scalar::<f32>() > 0.1);
        }
    }

    #[test]
    fn where_fewer_features_are_active_than_combine_nobody_is_attended_to_twice() {
        let device = Device::flex();
        let attention = attention(config().with_rounds(2), &device);
        let few = active(&device);
        let few = TopK { values: few.values.narrow(1, 0, 2), indices: few.indices.narrow(1, 0, 2) };

        let pairs = attention.forward(&few, 2).contribution;
        let more = attention.forward(&few, 4).contribution;

        close(pairs, more);
    }

    #[test]
    fn attention_of_a_feature_sums_to_one_and_never_goes_to_itself() {
        let device = Device::flex();

        let output = attention(config(), &device).forward(&active(&device), 3);

        let sums = output.weights.sum_dim(3);
        close(sums.clone(), sums.ones_like());
        let partners = output.partners.narrow(0, 0, 3); // [3, 2, 4, 2]
        let own = Tensor::<1, Int>::arange(0..4, &device).reshape([1, 1, 4, 1]);
        assert!(!partners.equal(own).any().into_scalar::<bool>());
    }

    #[test]
    fn before_training_nothing_is_composed() {
        let device = Device::flex();
        let attention = config().init(FEATURES, D_MODEL, 1, &device);

        let contribution = attention.forward(&active(&device), 2).contribution;

        assert_eq!(contribution.abs().max().into_scalar::<f32>(), 0.0);
    }
}
