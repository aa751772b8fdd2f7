//! What an autoencoder's training makes small.
//!
//! The mean squared error plus AuxK (Gao et al., arXiv 2406.04093): the dead features try to explain
//! what is left over, so that they come back to life. Where a trial asks for it, the source's two
//! penalties: on directions that are alike, and on attention that is undecided.

use burn::prelude::*;
use shared::{Csae, CsaeOutput, TopK};

/// The terms of the loss, each a tensor of one number.
#[derive(Clone, Debug)]
pub struct LossTerms {
    /// Mean squared error per dimension.
    pub mse: Tensor<1>,
    /// What the dead features leave of the residual, as a share of its variance, times its weight.
    pub auxk: Option<Tensor<1>>,
    /// The mean squared cosine between two directions, times its weight.
    pub diversity: Option<Tensor<1>>,
    /// The mean entropy of attention, times its weight.
    pub entropy: Option<Tensor<1>>,
}

/// The weights of the source's penalties; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalties {
    /// Of [`diversity`].
    pub diversity: f64,
    /// Of [`entropy`], where features attend to each other.
    pub entropy: f64,
}

impl LossTerms {
    /// Measures what `output` leaves of `rows`; `dead` is 1 for dead features, `[n_features]`.
    pub fn of(
        model: &Csae,
        rows: Tensor<2>,
        output: &CsaeOutput,
        dead: Option<Tensor<1>>,
        auxk_weight: f64,
    ) -> Self {
        let residual = rows - output.reconstruction.clone();
        let mse = residual.clone().square().mean();
        let auxk = dead.map(|dead| {
            let features = output.features.clone() * dead.unsqueeze();
            auxk(residual, features, model.decoder.val()) * auxk_weight
        });
        Self { mse, auxk, diversity: None, entropy: None }
    }

    /// The same with penalties on the `model` and on its `output`.
    pub fn penalized(self, model: &Csae, output: &CsaeOutput, weights: Penalties) -> Self {
        let Penalties { diversity: alike, entropy: undecided } = weights;
        let attention = output.attention.as_ref().filter(|_| undecided > 0.0);
        Self {
            diversity: (alike > 0.0).then(|| diversity(model.decoder.val()) * alike),
            entropy: attention.map(|output| entropy(output.weights.clone()) * undecided),
            ..self
        }
    }

    /// What is made small.
    pub fn total(&self) -> Tensor<1> {
        let others = [&self.auxk, &self.diversity, &self.entropy].into_iter().flatten();
        others.fold(self.mse.clone(), |sum, term| sum + term.clone())
    }

    /// Each term under its name, penalties only where there are any.
    pub(super) fn named(&self) -> Vec<(String, f64)> {
        let number = |tensor: &Tensor<1>| f64::from(tensor.clone().into_scalar::<f32>());
        let mut named = vec![
            ("loss".into(), number(&self.total())),
            ("mse".into(), number(&self.mse)),
            ("auxk".into(), self.auxk.as_ref().map_or(0.0, number)),
        ];
        for (name, term) in [("diversity", &self.diversity), ("entropy", &self.entropy)] {
            named.extend(term.as_ref().map(|term| (name.to_string(), number(term))));
        }
        named
    }
}

/// What the `features` of dead features, `[batch, n_features]`, leave of `residual`, which no gradient
/// changes, as a share of its variance, when the strongest of them speak by `decoder`.
pub(super) fn auxk(residual: Tensor<2>, features: Tensor<2>, decoder: Tensor<2>) -> Tensor<1> {
    let left = residual.without_autodiff();
    let [_, d_model] = left.dims();
    let [n_features, _] = decoder.dims();
    let revived = TopK::select(features, (d_model / 2).clamp(1, n_features));
    let explained = revived.into_dense(n_features).matmul(decoder);
    let variance = (left.clone() - left.clone().mean_dim(0)).square().mean();
    (left - explained).square().mean() / (variance + 1e-8)
}

/// The mean squared cosine between two different `directions` of length 1, `[n_features, d_model]`.
fn diversity(directions: Tensor<2>) -> Tensor<1> {
    let [count, _] = directions.dims();
    let cosines = directions.clone().matmul(directions.clone().transpose());
    let with_itself = directions.square().sum_dim(1).square().sum();
    (cosines.square().sum() - with_itself) / (count * count.saturating_sub(1)).max(1) as f64
}

/// The mean entropy, in nats, of `weights` that sum to 1 along the last axis.
fn entropy(weights: Tensor<4>) -> Tensor<1> {
    let surprise = weights.clone().clamp_min(1e-10).log() * -1.0;
    (weights * surprise).sum_dim(3).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{AttentionConfig, CsaeConfig, random};

    #[test]
    fn diversity_is_the_mean_squared_cosine_of_different_directions() {
        let directions = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]];
        let directions = Tensor::<2>::from_data(directions, &Device::flex());

        let expected = (0.36 + 0.0 + 0.64) / 3.0;
        assert!((diversity(directions).into_scalar::<f32>() - expected).abs() < 1e-6);
    }

    #[test]
    fn entropy_is_0_for_the_decided_and_the_logarithm_of_the_choices_for_others() {
        let weights = Tensor::<4>::from_data([[[[1.0, 0.0], [0.5, 0.5]]]], &Device::flex());

        let expected = 0.5 * 2.0_f32.ln();
        assert!((entropy(weights).into_scalar::<f32>() - expected).abs() < 1e-6);
    }

    #[test]
    fn penalties_are_added_with_their_weights_and_only_if_they_have_one() {
        let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
        let config = CsaeConfig::new(8).with_n_features(12).with_sparsity_k(3);
        let config = config.with_attention(Some(attention));
        let device = Device::flex();
        let model = config.init(1, &device);
        let values = random::normal(&mut random::stream(2, "rows"), 5 * 8, 1.0);
        let rows = Tensor::<2>::from_data(TensorData::new(values, [5, 8]), &device);
        let output = model.forward(rows.clone(), config.limits());
        let terms = |diversity, entropy| {
            let terms = LossTerms::of(&model, rows.clone(), &output, None, 0.0);
            terms.penalized(&model, &output, Penalties { diversity, entropy })
        };
        let number = |term: Option<Tensor<1>>| term.map(|term| term.into_scalar::<f32>());

        let (without, with) = (terms(0.0, 0.0), terms(0.5, 2.0));

        assert!(without.diversity.is_none() && without.entropy.is_none());
        let alike = number(with.diversity.clone()).unwrap();
        let undecided = number(with.entropy.clone()).unwrap();
        assert!(alike > 0.0 && undecided > 0.0);
        assert!((number(terms(1.0, 0.0).diversity).unwrap() - 2.0 * alike).abs() < 1e-6);
        assert!((number(terms(0.0, 1.0).entropy).unwrap() - 0.5 * undecided).abs() < 1e-6);
        let total = |terms: LossTerms| terms.total().into_scalar::<f32>();
        assert!((total(with) - total(without) - alike - undecided).abs() < 1e-5);
    }
}
