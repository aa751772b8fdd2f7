//! Who may attend to whom, and who is chosen.

use burn::prelude::*;
use burn::tensor::activation::softmax;

use crate::TopK;
use crate::kernels::partners::Pairs;
use crate::weights::{to_ints, to_vec};

/// A score that no partner reaches.
const NEVER: f32 = -1e9;

/// What is known of the active features of a batch before any attention.
pub(super) struct Slots {
    /// 1 where a feature fires, 0 where the row has fewer than `k`: `[batch, k]`.
    pub on: Tensor<2>,
    /// [`NEVER`] where a feature must not attend to another, else 0: `[batch, k, k]`.
    pub forbidden: Tensor<3>,
}

impl Slots {
    pub fn of(active: &TopK) -> Self {
        let [batch, k] = active.values.dims();
        let on = active.values.clone().without_autodiff().greater_scalar(0.0).float();
        let itself: Tensor<3> = Tensor::<2>::eye(k, &on.device()).unsqueeze();
        let silent: Tensor<3> = 1.0 - on.clone().reshape([batch, 1, k]);
        let forbidden = (itself + silent).clamp_max(1.0) * NEVER;
        Self { on, forbidden }
    }

    pub fn on_rows(&self) -> Tensor<4> {
        let [batch, k] = self.on.dims();
        self.on.clone().reshape([1, batch, k, 1])
    }
}

/// The places of the strongest partners by the table of pair scores
/// `[n_heads, n_features, n_features]`, by the processor's own kernel: `[n_heads, batch, k, count]`.
pub(super) fn partners_by_table(active: &TopK, scores: Tensor<3>, count: usize) -> Tensor<4, Int> {
    let [batch, k] = active.values.dims();
    let [heads, n_features, _] = scores.dims();
    let places = Pairs {
        scores: &to_vec(scores.without_autodiff()),
        features: &to_ints(active.indices.clone()),
        values: &to_vec(active.values.clone().without_autodiff()),
        n_heads: heads,
        n_features,
        k,
    }
    .strongest(count);
    let data = TensorData::new(places, [batch, heads, k, count]);
    Tensor::<4, Int>::from_data(data, &active.indices.device()).swap_dims(0, 1)
}

/// The places of the `count` largest of the scores of each place with all places, `[.., k, k]`; the
/// own place where there are fewer.
pub(super) fn strongest(scores: Tensor<4>, count: usize) -> Tensor<4, Int> {
    let mut scores = scores.without_autodiff();
    let [first, second, k, places] = scores.dims();
    let place =
        Tensor::<1, Int>::arange(0..places as i64, &scores.device()).reshape([1, 1, 1, places]);
    let own = place.clone().reshape([1, 1, places, 1]).expand([first, second, k, 1]);
    let mut found = Vec::with_capacity(count);
    for round in 0..count.min(places) {
        let best = scores.clone().argmax(3);
        if round + 1 < count {
            let taken = place.clone().equal(best.clone());
            scores = scores.mask_fill(taken, 2.0 * NEVER);
        }
        found.push(best);
    }
    found.resize(count, own);
    Tensor::cat(found, 3)
}

/// Attention over the partners' `scores` and the null slot, which comes last.
pub(super) fn with_null(scores: Tensor<4>, null: Tensor<4>) -> Tensor<4> {
    let [first, second, k, _] = scores.dims();
    softmax(Tensor::cat(vec![scores, null.expand([first, second, k, 1])], 3), 3)
}
