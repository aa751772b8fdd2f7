//! The code without cross-talk: how strongly the active features fire once each has heard what the
//! others already explain.
//!
//! A few steps of projected gradient descent on `|x - b - D f|^2` over the active features alone:
//! `f <- max(0, f + pace (D_S'(x - b) - G_S f))`, `G = D D'`. The pace, 1 over the largest row sum of
//! `|G_S|`, is never above 1 over the largest eigenvalue (Gershgorin), so it always converges.

use burn::prelude::*;
use burn::tensor::activation::relu;

use crate::TopK;

/// Refits the `active` features of rows `centred`, `[batch, d_model]`, less the decoder's bias.
///
/// `decoder` is `[n_features, d_model]`. A feature that was silent stays silent; one that fired may
/// fall silent. With 0 `steps` the features stay as they are.
pub fn refit(active: TopK, centred: Tensor<2>, decoder: Tensor<2>, steps: usize) -> TopK {
    if steps == 0 {
        return active;
    }
    let [n_features, _] = decoder.dims();
    let TopK { mut values, indices } = active;
    let on = values.clone().without_autodiff().greater_scalar(0.0).float(); // [batch, k]
    let toward = centred.matmul(decoder.clone().transpose()); // [batch, n_features]
    let gram = decoder.clone().matmul(decoder.transpose()); // [n_features, n_features]
    let pace = pace(&on, &indices, gram.clone().without_autodiff(), n_features);
    for _ in 0..steps {
        let code = TopK { values: values.clone(), indices: indices.clone() };
        let explained = code.into_dense(n_features).matmul(gram.clone());
        let missing = (toward.clone() - explained).gather(1, indices.clone());
        values = relu(values + missing * pace.clone()) * on.clone();
    }
    TopK { values, indices }
}

/// How far a step goes in each row: `[batch, 1]`.
fn pace(on: &Tensor<2>, indices: &Tensor<2, Int>, gram: Tensor<2>, n_features: usize) -> Tensor<2> {
    let code = TopK { values: on.clone(), indices: indices.clone() };
    let sums = code.into_dense(n_features).matmul(gram.abs()).gather(1, indices.clone());
    (sums * on.clone()).max_dim(1).clamp_min(1.0).recip()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two directions 60 degrees apart and a row that is 2 of the first and 1 of the second.
    fn example() -> (Tensor<2>, Tensor<2>) {
        let device = Device::flex();
        let half = 0.75_f32.sqrt();
        let decoder = Tensor::<2>::from_data([[1.0, 0.0], [0.5, half]], &device);
        let row = Tensor::<2>::from_data([[2.5, half]], &device);
        (decoder, row)
    }

    fn selected(decoder: &Tensor<2>, row: &Tensor<2>) -> TopK {
        TopK::select(row.clone().matmul(decoder.clone().transpose()), 2)
    }

    #[test]
    fn interference_disappears() {
        let (decoder, row) = example();
        let active = selected(&decoder, &row);

        let code = refit(active, row, decoder, 60).into_dense(2);

        let code = crate::weights::to_vec(code);
        assert!((code[0] - 2.0).abs() < 1e-4 && (code[1] - 1.0).abs() < 1e-4, "{code:?}");
    }

    #[test]
    fn every_step_lowers_the_error() {
        let (decoder, row) = example();
        let error = |steps| {
            let active = selected(&decoder, &row);
            let code = refit(active, row.clone(), decoder.clone(), steps).into_dense(2);
            (row.clone() - code.matmul(decoder.clone())).square().sum().into_scalar::<f32>()
        };

        let errors: Vec<f32> = (0..5).map(error).collect();

        assert!(errors.windows(2).all(|pair| pair[1] < pair[0]), "{errors:?}");
    }

    #[test]
    fn a_silent_feature_stays_silent_and_none_turns_negative() {
        let device = Device::flex();
        let (decoder, _) = example();
        let row = Tensor::<2>::from_data([[1.0, -1.0]], &device); // away from the second direction
        let values = Tensor::<2>::from_data([[1.0, 0.0]], &device);
        let silent = TopK { values, indices: Tensor::from_data([[0, 1]], &device) };
        let firing = TopK { values: Tensor::ones([1, 2], &device), ..silent.clone() };

        for active in [silent, firing] {
            let code = refit(active, row.clone(), decoder.clone(), 20).into_dense(2);
            assert_eq!(crate::weights::to_vec(code)[1], 0.0);
        }
    }
}
