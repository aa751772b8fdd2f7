//! Attention by tables: what does not depend on the row is multiplied out once for all rows.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::IndexingUpdateOp;
use burn::tensor::activation::sigmoid;

use super::slots::{Slots, partners_by_table, with_null};
use super::{Attention, AttentionOutput, Gate};
use crate::TopK;

impl Attention {
    /// The same function as [`Attention::forward_plain`] with one round, by tables: `M[h,i,j]`, the
    /// score of a pair of features at strength 1, and `V[h,j]`, what partner `j` then adds.
    pub(super) fn forward_tables(&self, active: &TopK, combination_size: usize) -> AttentionOutput {
        let [batch, k] = active.values.dims();
        let (heads, count) = (self.n_heads, combination_size - 1);
        let (scores, values) = self.tables();
        let [_, n_features, d_head] = values.dims();

        let slots = Slots::of(active);
        let partners = partners_by_table(active, scores.clone(), count);
        let chosen = Chosen::of(active, &partners, &slots, n_features);
        let pair_score = scores
            .reshape([heads * n_features * n_features])
            .select(0, chosen.pairs)
            .reshape([heads, batch, k, count]);
        let own = active.values.clone().reshape([1, batch, k, 1]);
        let pair_score = pair_score * own * chosen.strength.clone() + chosen.forbidden;
        let null = self.null.val().reshape([heads, 1, 1, 1]);
        let weights = with_null(pair_score, null);
        let added = weights.clone().narrow(3, 0, count) * chosen.strength * slots.on_rows();

        let added = match &self.gate {
            None => added,
            Some(gate) => {
                let open =
                    gate.open_tables(active, &self.embedding, &values, &chosen.features, &added);
                added * open.reshape([1, batch, k, 1])
            }
        };
        let by_head = Tensor::<2>::zeros([batch, heads * n_features], &added.device()).scatter(
            1,
            chosen.columns,
            added.swap_dims(0, 1).reshape([batch, heads * k * count]),
            IndexingUpdateOp::Add,
        );
        let [_, d_model] = self.output.val().dims();
        let effects = values.matmul(self.output.val().reshape([heads, d_head, d_model]));
        AttentionOutput {
            contribution: by_head.matmul(effects.reshape([heads * n_features, d_model])),
            partners: partners.swap_dims(0, 1),
            weights: weights.swap_dims(0, 1),
        }
    }

    /// `M`, `[n_heads, n_features, n_features]`, and what `V` is made of, `[n_heads, n_features, d_head]`.
    fn tables(&self) -> (Tensor<3>, Tensor<3>) {
        let [n_features, width] = self.embedding.val().dims();
        let d_head = width / self.n_heads;
        let table = |weight: &Param<Tensor<2>>| {
            self.embedding
                .val()
                .matmul(weight.val())
                .reshape([n_features, self.n_heads, d_head])
                .swap_dims(0, 1)
        };
        let scores = table(&self.query).matmul(table(&self.key).swap_dims(1, 2));
        (scores / (d_head as f64).sqrt(), table(&self.value))
    }
}

impl Gate {
    /// How far the gate of each active feature is open: `[batch, k]`.
    fn open_tables(
        &self,
        active: &TopK,
        embedding: &Param<Tensor<2>>,
        values: &Tensor<3>,
        features: &Tensor<1, Int>,
        added: &Tensor<4>,
    ) -> Tensor<2> {
        let [heads, batch, k, count] = added.dims();
        let [_, n_features, d_head] = values.dims();
        let own = active.indices.clone().reshape([batch * k]);
        let token = embedding.val().matmul(self.token.val()).reshape([n_features]);
        let token = token.select(0, own.clone()).reshape([batch, k]) * active.values.clone();
        let composed = values
            .clone()
            .matmul(self.composed.val().reshape([heads, d_head, 1]))
            .reshape([heads * n_features])
            .select(0, features.clone())
            .reshape([heads, batch, k, count]);
        let composed = (composed * added.clone()).sum_dim(3).sum_dim(0).reshape([batch, k]);
        let bias = self.bias.val().select(0, own).reshape([batch, k]);
        sigmoid(token + composed + bias)
    }
}

/// The chosen partners in the words of the tables; head by head, row by row.
struct Chosen {
    /// Which pair `(h, i, j)`: `[n_heads * batch * k * count]`.
    pairs: Tensor<1, Int>,
    /// Which value `(h, j)`: `[n_heads * batch * k * count]`.
    features: Tensor<1, Int>,
    /// The same, row by row: `[batch, n_heads * k * count]`.
    columns: Tensor<2, Int>,
    /// How strongly the partner fires: `[n_heads, batch, k, count]`.
    strength: Tensor<4>,
    /// [`NEVER`] where there was nobody to choose: `[n_heads, batch, k, count]`.
    forbidden: Tensor<4>,
}

impl Chosen {
    fn of(active: &TopK, partners: &Tensor<4, Int>, slots: &Slots, n_features: usize) -> Self {
        let [heads, batch, k, count] = partners.dims();
        let device = partners.device();
        let size = [heads * batch * k * count];
        let rows = Tensor::<1, Int>::arange(0..batch as i64, &device).reshape([1, batch, 1, 1]);
        let head = Tensor::<1, Int>::arange(0..heads as i64, &device).reshape([heads, 1, 1, 1]);
        let n = n_features as i64;

        let places = (partners.clone() + rows.clone() * k as i64).reshape(size);
        let partner = active.indices.clone().reshape([batch * k]).select(0, places.clone());
        let partner = partner.reshape([heads, batch, k, count]);
        let own = active.indices.clone().reshape([1, batch, k, 1]);
        let features = partner.clone() + head.clone() * n;
        let own_place = Tensor::<1, Int>::arange(0..k as i64, &device).reshape([1, 1, k, 1]);
        let square = (rows * k as i64 + own_place) * k as i64 + partners.clone();
        Self {
            pairs: ((head * n + own) * n + partner).reshape(size),
            columns: features.clone().swap_dims(0, 1).reshape([batch, heads * k * count]),
            features: features.reshape(size),
            strength: active
                .values
                .clone()
                .reshape([batch * k])
                .select(0, places)
                .reshape([heads, batch, k, count]),
            forbidden: slots
                .forbidden
                .clone()
                .reshape([batch * k * k])
                .select(0, square.reshape(size))
                .reshape([heads, batch, k, count]),
        }
    }
}
