//! Where the heads of an attention look: at partners, or at the null slot, which says nothing.

use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use super::active_rows::ActiveRows;

/// How many rows at once.
const ROWS_AT_ONCE: usize = 512;
/// How often, at most.
const BATCHES: usize = 8;

/// For each head the mean share of attention that the strongest partner gets, the second one, and so on,
/// and the null slot at last; over all active features of the first rows. Of the last round, where there
/// are several. Nothing without attention.
pub fn shares(model: &FinishedCsae, active: &ActiveRows) -> Option<Vec<Vec<f64>>> {
    let attention = model.model.attention.as_ref()?;
    let (size, k) = (model.limits.combination_size, active.k);
    let mut sums: Vec<Vec<f64>> = vec![];
    let mut count = 0_usize;
    for code in active.batches(ROWS_AT_ONCE, &model.directions().device()).take(BATCHES) {
        let values = to_vec(code.values.clone());
        let weights = attention.forward(&code, size).weights;
        let [_, n_heads, _, places] = weights.dims();
        sums.resize(n_heads, vec![0.0; places]);
        let weights = to_vec(weights);
        for (row, weights) in weights.chunks_exact(n_heads * k * places).enumerate() {
            for (sums, weights) in sums.iter_mut().zip(weights.chunks_exact(k * places)) {
                let of_features = weights.chunks_exact(places).zip(&values[row * k..]);
                for (weights, _) in of_features.filter(|(_, value)| **value > 0.0) {
                    sums.iter_mut().zip(weights).for_each(|(sum, share)| *sum += f64::from(*share));
                }
            }
        }
        count += values.iter().filter(|value| **value > 0.0).count();
    }
    let mean = |sum: &mut f64| *sum /= count.max(1) as f64;
    sums.iter_mut().flatten().for_each(mean);
    Some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::prelude::*;
    use shared::{AttentionConfig, CsaeConfig};

    #[test]
    fn shares_of_a_head_are_one_together_and_who_is_alone_looks_at_nothing() {
        let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
        let config = CsaeConfig::new(4).with_n_features(6).with_sparsity_k(4);
        let config = config.with_attention(Some(attention.with_combination_size(3)));
        let model =
            FinishedCsae { model: config.init(1, &Device::flex()), limits: config.limits() };
        let full = ActiveRows {
            k: 4,
            features: vec![0, 1, 2, 3, 2, 3, 4, 5],
            values: vec![1.0, 2.0, 3.0, 1.0, 1.0, 1.0, 2.0, 0.0],
        };
        let alone =
            ActiveRows { k: 4, features: vec![0, 1, 2, 3], values: vec![1.0, 0.0, 0.0, 0.0] };

        let told = shares(&model, &full).unwrap();
        assert_eq!((told.len(), told[0].len()), (2, 3));
        for head in told {
            assert!((head.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{head:?}");
            assert!(head[0] >= head[1] && head[1] > 0.0, "{head:?}");
        }
        for head in shares(&model, &alone).unwrap() {
            assert_eq!(head, [0.0, 0.0, 1.0]);
        }
        let without = CsaeConfig::new(4).with_n_features(6).with_sparsity_k(4);
        let plain =
            FinishedCsae { model: without.init(1, &Device::flex()), limits: without.limits() };
        assert_eq!(shares(&plain, &full), None);
    }
}
