//! Principal component analysis: the best linear code with as many numbers as an autoencoder uses.

use anyhow::{Result, anyhow};
use burn::prelude::*;
use faer::{Mat, Side};
use shared::TopK;
use shared::kernels::gram::Gram;

/// The principal components of rows whose mean is 0.
#[derive(Clone, Debug)]
pub struct Pca {
    /// One component in each column, the one with the largest variance first:
    /// `[d_model, d_model]`.
    components: Tensor<2>,
    /// How much rows vary along each: `[d_model]`.
    variances: Vec<f64>,
}

impl Pca {
    /// Fits rows of mean 0, given in blocks `[rows, d_model]`: Gram matrix, then eigenvectors. Its
    /// tensors will be on `device`.
    ///
    /// # Errors
    /// A block cannot be read, or the rows have no eigenvectors, as when a value is not a number.
    pub fn fit<B: AsRef<[f32]>>(
        blocks: impl Iterator<Item = Result<B>>,
        d_model: usize,
        device: &Device,
    ) -> Result<Self> {
        let (mut gram, mut count) = (Gram::new(d_model), 0);
        for block in blocks {
            let block = block?;
            count += block.as_ref().len() / d_model;
            gram.add(block.as_ref());
        }
        let products = gram.matrix();
        let gram = Mat::from_fn(d_model, d_model, |row, column| products[row * d_model + column]);
        let eigen = gram
            .self_adjoint_eigen(Side::Lower)
            .map_err(|error| anyhow!("PCA: the activations have no eigenvectors: {error:?}"))?;
        let vectors = eigen.U(); // the largest eigenvalue last
        let mut components = Vec::with_capacity(d_model * d_model);
        for row in 0..d_model {
            components.extend((0..d_model).rev().map(|column| vectors[(row, column)] as f32));
        }
        let values = eigen.S().column_vector();
        let variance = |place: usize| values[place] / (count.max(2) - 1) as f64;
        let variances = (0..d_model).rev().map(variance).collect();
        let data = TensorData::new(components, [d_model, d_model]);
        Ok(Self { components: Tensor::from_data(data, device), variances })
    }

    /// The variance of the rows along each component, the largest first: `[d_model]`.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// One component in each column, the one with the largest variance first:
    /// `[d_model, d_model]`.
    pub fn components(&self) -> &Tensor<2> {
        &self.components
    }

    /// Rebuilds rows from the first `k` components.
    pub fn first(&self, rows: Tensor<2>, k: usize) -> Tensor<2> {
        let first = self.components.clone().narrow(1, 0, k);
        rows.matmul(first.clone()).matmul(first.transpose())
    }

    /// Rebuilds each row from those `k` components that are largest in it.
    pub fn largest(&self, rows: Tensor<2>, k: usize) -> Tensor<2> {
        let [_, d_model] = self.components.dims();
        let code = rows.matmul(self.components.clone());
        let chosen = TopK::select(code.clone().abs(), k).indices;
        let values = code.gather(1, chosen.clone());
        let kept = TopK { values, indices: chosen }.into_dense(d_model);
        kept.matmul(self.components.clone().transpose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random;
    use shared::weights::to_vec;

    /// Rows that vary 8, 4, 2 and 1 times as much along the axes of a turned frame.
    fn rows() -> Tensor<2> {
        let mut values = random::normal(&mut random::stream(1, "rows"), 4 * 500, 1.0);
        for row in values.chunks_exact_mut(4) {
            row.iter_mut().zip([8.0, 4.0, 2.0, 1.0]).for_each(|(value, spread)| *value *= spread);
            (row[0], row[1]) = (0.6 * row[0] - 0.8 * row[1], 0.8 * row[0] + 0.6 * row[1]);
        }
        Tensor::from_data(TensorData::new(values, [500, 4]), &Device::flex())
    }

    fn fit(rows: &Tensor<2>) -> Pca {
        let blocks = rows.clone().split(200, 0).into_iter().map(to_vec);
        Pca::fit(blocks.map(Ok), 4, &Device::flex()).unwrap()
    }

    fn error(rows: &Tensor<2>, rebuilt: Tensor<2>) -> f32 {
        (rows.clone() - rebuilt).square().mean().into_scalar()
    }

    #[test]
    fn components_are_orthonormal() {
        let components = fit(&rows()).components;

        let product = components.clone().transpose().matmul(components);

        let difference = (product - Tensor::eye(4, &Device::flex())).abs().max();
        assert!(difference.into_scalar::<f32>() < 1e-5);
    }

    #[test]
    fn components_and_variances_are_those_of_scikit_learn() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/golden/nmf_pca.json")).unwrap();
        let matrix = |value: &serde_json::Value| -> Vec<Vec<f32>> {
            serde_json::from_value(value.clone()).unwrap()
        };
        let rows = matrix(&golden["rows"]).concat();

        let pca = Pca::fit(rows.chunks(25 * 4).map(Ok), 4, &Device::flex()).unwrap();

        let expected = matrix(&golden["pca"]["components"]);
        for (ours, theirs) in to_vec(pca.components.transpose()).chunks(4).zip(&expected) {
            let cosine: f32 = ours.iter().zip(theirs).map(|(one, other)| one * other).sum();
            assert!((cosine.abs() - 1.0).abs() < 1e-5, "{ours:?} {theirs:?}");
        }
        let theirs: Vec<f64> =
            serde_json::from_value(golden["pca"]["explained_variance"].clone()).unwrap();
        for (one, other) in pca.variances.iter().zip(theirs) {
            assert!((one / other - 1.0).abs() < 1e-4, "{one} {other}");
        }
    }

    #[test]
    fn the_first_component_is_the_direction_that_varies_most() {
        let pca = fit(&rows());

        let first = to_vec(pca.components.narrow(1, 0, 1));

        let along = (0.6 * first[0] + 0.8 * first[1]).abs();
        assert!(along > 0.99, "{first:?}");
    }

    #[test]
    fn more_components_leave_less_and_the_largest_less_than_the_first() {
        let rows = rows();
        let pca = fit(&rows);

        let errors: Vec<f32> = (1..=4).map(|k| error(&rows, pca.first(rows.clone(), k))).collect();

        assert!(errors.windows(2).all(|pair| pair[1] < pair[0]), "{errors:?}");
        assert!(errors[3] < 1e-8);
        assert!(error(&rows, pca.largest(rows.clone(), 2)) < errors[1]);
    }
}
