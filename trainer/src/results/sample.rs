//! A few held-out rows for other programs, and what our methods leave unexplained of exactly these,
//! so that anybody can compute it again.

use burn::prelude::*;
use shared::weights::to_vec;
use shared::{Csae, TopK};

use super::Export;
use crate::analysis::evaluation::HeldOut;
use crate::analysis::measures;
use crate::baselines::pca::Pca;
use crate::data::Rows;

/// How many rows are kept at most.
pub const ROWS: usize = 2_048;

/// The first held-out rows and what methods make of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// As the language model computes them: `[rows, d_model]`.
    pub rows: Rows,
    /// One principal component in each row, the one with the largest variance first:
    /// `[d_model, d_model]`.
    pub components: Vec<f32>,
    /// How many components were used, and how many features are active.
    pub k: usize,
    /// FVU of the first `k` components.
    pub pca_fvu: f64,
    /// The autoencoders.
    pub models: Vec<Sampled>,
}

/// What an autoencoder leaves of the sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// Its name.
    pub name: String,
    /// FVU of the whole model.
    pub fvu: f64,
    /// FVU of its extractor: the `k` strongest features, neither refitted nor composed.
    pub extractor_fvu: f64,
}

impl Sample {
    /// The sample of `held_out`, with `k` of the training rows' components, and these models.
    pub fn of(held_out: &HeldOut, pca: &Pca, k: usize, models: &[Export]) -> Self {
        let device = pca.components().device();
        let sample = held_out.first(ROWS);
        let scaled = &held_out.rows[..sample.values.len()];
        let fvu = |rebuild: &dyn Fn(Tensor<2>) -> Tensor<2>| {
            let data = TensorData::new(scaled.to_vec(), [sample.len(), sample.width]);
            let rebuilt = rebuild(Tensor::from_data(data, &device));
            measures::fvu(scaled, &to_vec(rebuilt), sample.width)
        };
        let k = k.min(sample.width);
        let sampled = |export: &Export| {
            let (model, limits) = (&export.model, export.config.limits());
            Sampled {
                name: export.name.clone(),
                fvu: fvu(&|rows| model.forward(rows, limits).reconstruction),
                extractor_fvu: fvu(&|rows| extracted(model, rows, limits.sparsity_k)),
            }
        };
        let models = models.iter().map(sampled).collect();
        let pca_fvu = fvu(&|rows| pca.first(rows, k));
        let components = to_vec(pca.components().clone().transpose());
        Self { rows: sample, components, k, pca_fvu, models }
    }
}

fn extracted(model: &Csae, rows: Tensor<2>, k: usize) -> Tensor<2> {
    let features = model.features(rows - model.decoder_bias.val().unsqueeze());
    model.decode(TopK::select(features, k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{CsaeConfig, Limits, random};

    #[test]
    fn the_extractor_of_a_plain_model_is_the_model_and_of_a_refitted_one_is_not() {
        let device = Device::flex();
        let values = random::normal(&mut random::stream(1, "rows"), 50 * 8, 1.0);
        let rows = Tensor::<2>::from_data(TensorData::new(values, [50, 8]), &device);
        let apart = |refit_steps: usize| {
            let config = CsaeConfig::new(8).with_n_features(16).with_refit_steps(refit_steps);
            let model = config.with_sparsity_k(4).init(1, &device);
            let limits = Limits { sparsity_k: 4, combination_size: 1 };
            let whole = model.forward(rows.clone(), limits).reconstruction;
            (whole - extracted(&model, rows.clone(), 4)).abs().max().into_scalar::<f32>()
        };

        assert_eq!(apart(0), 0.0);
        assert!(apart(3) > 1e-3);
    }
}
