//! Keep the `k` strongest features of every row, drop the rest.

use burn::prelude::*;
use burn::tensor::IndexingUpdateOp;

use crate::linear::rows_of;

/// The features that stay active, strongest first. Both fields have the shape `[batch, k]`.
#[derive(Clone, Debug)]
pub struct TopK {
    /// How strongly each of them fires; 0 where a row has fewer than `k` active features.
    pub values: Tensor<2>,
    /// Which features they are.
    pub indices: Tensor<2, Int>,
}

impl TopK {
    /// Selects the `k` largest entries of every row of `features`, of shape `[batch, n_features]`.
    ///
    /// `features` must not be negative, so that what is left out and what is 0 are the same.
    pub fn select(features: Tensor<2>, k: usize) -> Self {
        // The choice has no gradient; what was chosen has.
        let (_, indices) = features.clone().without_autodiff().topk_with_indices(k, 1);
        let values = features.gather(1, indices.clone());
        Self { values, indices }
    }

    /// Each active feature as a token, its row of `embedding`, `[n_features, width]`, times how strongly it
    /// fires: `[batch, k, width]`.
    pub fn tokens(&self, embedding: Tensor<2>) -> Tensor<3> {
        let ([batch, k], [_, width]) = (self.values.dims(), embedding.dims());
        let rows = rows_of(embedding, self.indices.clone().reshape([batch * k]));
        rows.reshape([batch, k, width]) * self.values.clone().unsqueeze_dim(2)
    }

    /// All features of every row, 0 where a feature is not active: `[batch, n_features]`.
    pub fn into_dense(self, n_features: usize) -> Tensor<2> {
        let [batch, _] = self.values.dims();
        Tensor::zeros([batch, n_features], &self.values.device()).scatter(
            1,
            self.indices,
            self.values,
            IndexingUpdateOp::Add,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_largest_and_zeroes_the_rest() {
        let features = Tensor::<2>::from_data([[0.5, 3.0, 0.0, 2.0]], &Device::flex());

        let dense = TopK::select(features, 2).into_dense(4);

        let expected = Tensor::<2>::from_data([[0.0, 3.0, 0.0, 2.0]], &Device::flex());
        dense.into_data().assert_eq(&expected.into_data(), true);
    }

    #[test]
    fn only_the_kept_features_have_a_gradient() {
        let device = Device::flex().autodiff();
        let features = Tensor::<2>::from_data([[0.5, 3.0, 0.0, 2.0]], &device).require_grad();

        let dense = TopK::select(features.clone(), 2).into_dense(4);
        let gradient = features.grad(&dense.sum().backward()).unwrap();

        let expected = Tensor::<2>::from_data([[0.0, 1.0, 0.0, 1.0]], &Device::flex());
        gradient.into_data().assert_eq(&expected.into_data(), true);
    }
}
