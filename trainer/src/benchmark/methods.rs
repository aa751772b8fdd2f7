//! Who proposes combinations: by which model, and by what of it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::sae::coefficient_attention::CoefficientAttentionConfig;
use shared::sae::dictionary::{DictionaryConfig, Sparsity};
use shared::sae::literal::LiteralConfig;
use shared::sae::poly::PolySaeConfig;
use shared::{AttentionConfig, CsaeConfig, UnitsConfig, UnitsPrinciple};

use super::config::WorldConfig;
use super::rivals::Rival;
use crate::plan::{ModelConfig, RivalConfig};

/// Who proposes combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Method {
    /// Composition units, trained together with the features.
    Csae,
    /// The same, but units may say what their parts can.
    CsaeNotOrthogonal,
    /// The same, but the code is changed by what the units learn.
    CsaeNotDetached,
    /// The same, but no missing directions are looked for.
    CsaeNotCompleted,
    /// Screening what features alone leave over, after the same training without units.
    Screening,
    /// Screening after an ordinary training, in which no missing directions are looked for.
    PlainScreening,
    /// The same on a dictionary with half as many features more.
    #[serde(rename = "topk_384")]
    #[value(name = "topk_384")]
    TopK384,
    /// Screening after the training of BatchTopK.
    #[serde(rename = "batch_topk")]
    #[value(name = "batch_topk")]
    BatchTopK,
    /// Screening after the training of a Matryoshka autoencoder.
    Matryoshka,
    /// Screening after the training of a TopK whose encoder has a hidden layer.
    MlpEncoder,
    /// Attention between active features, by its interactions; no refit.
    Attention,
    /// The same with two rounds and up to four features.
    AttentionTwoRounds,
    /// PolySAE with 64 products, by its interactions.
    #[serde(rename = "poly_sae_64")]
    #[value(name = "poly_sae_64")]
    PolySae64,
    /// PolySAE with 128 products, by its interactions.
    #[serde(rename = "poly_sae_128")]
    #[value(name = "poly_sae_128")]
    PolySae128,
    /// Attention that re-weights coefficients, by its interactions.
    CoefficientAttention,
    /// The source's own sketch, by its interactions.
    Literal,
    /// Which features fire when others fire together, on the dictionary with half as many features
    /// more.
    AndMining,
    /// Pointwise mutual information.
    Pmi,
    /// The phi coefficient.
    Phi,
    /// The cosine of directions.
    Cosine,
    /// PMI times cosine.
    PmiCosine,
}

/// What of a model proposes combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposer {
    /// Its units.
    Units,
    /// A screening of what its features leave over.
    Screening,
    /// The interactions of its decoder.
    Interactions,
    /// Which of its features fire when others fire together.
    AndMining,
    /// A statistic of its code.
    Statistic(Rival),
}

impl Method {
    /// What of the model proposes.
    pub fn proposer(self) -> Proposer {
        match self {
            Self::Csae | Self::CsaeNotOrthogonal => Proposer::Units,
            Self::CsaeNotDetached | Self::CsaeNotCompleted => Proposer::Units,
            Self::Screening | Self::PlainScreening => Proposer::Screening,
            Self::TopK384 | Self::BatchTopK => Proposer::Screening,
            Self::Matryoshka | Self::MlpEncoder => Proposer::Screening,
            Self::Attention | Self::AttentionTwoRounds => Proposer::Interactions,
            Self::PolySae64 | Self::PolySae128 => Proposer::Interactions,
            Self::CoefficientAttention | Self::Literal => Proposer::Interactions,
            Self::AndMining => Proposer::AndMining,
            Self::Pmi => Proposer::Statistic(Rival::Pmi),
            Self::Phi => Proposer::Statistic(Rival::Phi),
            Self::Cosine => Proposer::Statistic(Rival::Cosine),
            Self::PmiCosine => Proposer::Statistic(Rival::PmiCosine),
        }
    }

    /// Whether the model is a rival's, so that several learning rates are tried.
    pub fn is_swept(self) -> bool {
        !self.is_completed() && self.proposer() != Proposer::Units
    }

    /// Whether the training looks for directions that are missing in the dictionary. Statistics
    /// are given that dictionary, too.
    pub fn is_completed(self) -> bool {
        match self.proposer() {
            Proposer::Statistic(_) => true,
            Proposer::Units => self != Self::CsaeNotCompleted,
            _ => self == Self::Screening,
        }
    }

    /// The model for a world of this kind. `k` is a quarter above the mean number of active
    /// features.
    pub fn model(self, world: &WorldConfig) -> ModelConfig {
        let k = (1.25 * world.mean_l0).round() as usize;
        let (d_model, n_features) = (world.d_model, world.n_features);
        let dictionary =
            |sparsity| DictionaryConfig::new(d_model, sparsity).with_n_features(n_features);
        ModelConfig::Rival(match self {
            Self::PolySae64 | Self::PolySae128 => {
                let rank = if self == Self::PolySae64 { 64 } else { 128 };
                let config = PolySaeConfig::new(d_model).with_n_features(n_features);
                RivalConfig::Poly(config.with_sparsity_k(k).with_rank(rank))
            }
            Self::BatchTopK => RivalConfig::Dictionary(dictionary(Sparsity::BatchTopK(k))),
            Self::Matryoshka => RivalConfig::Dictionary(dictionary(Sparsity::Matryoshka(k))),
            Self::MlpEncoder => {
                let config = dictionary(Sparsity::TopK(k)).with_hidden(Some(d_model));
                RivalConfig::Dictionary(config)
            }
            Self::CoefficientAttention => {
                let config = CoefficientAttentionConfig::new(d_model).with_n_features(n_features);
                RivalConfig::CoefficientAttention(config.with_sparsity_k(k))
            }
            Self::Literal => {
                let config = LiteralConfig::new(d_model).with_n_features(n_features);
                RivalConfig::Literal(config.with_sparsity_k(k))
            }
            _ => return ModelConfig::Csae(self.csae(d_model, n_features).with_sparsity_k(k)),
        })
    }

    /// Of the methods whose model is one of ours.
    fn csae(self, d_model: usize, n_features: usize) -> CsaeConfig {
        let plain = CsaeConfig::new(d_model).with_n_features(n_features);
        let refitted = plain.clone().with_refit_steps(3);
        let attention = AttentionConfig::new();
        let units = |without| Some(UnitsConfig::new().with_without(without));
        match self {
            Self::Csae | Self::CsaeNotCompleted => refitted.with_units(units(None)),
            Self::CsaeNotOrthogonal => {
                refitted.with_units(units(Some(UnitsPrinciple::Orthogonality)))
            }
            Self::CsaeNotDetached => refitted.with_units(units(Some(UnitsPrinciple::Detachment))),
            Self::TopK384 | Self::AndMining => refitted.with_n_features(n_features * 3 / 2),
            Self::Attention => plain.with_attention(Some(attention)),
            Self::AttentionTwoRounds => {
                let attention = attention.with_rounds(2).with_combination_size(4);
                plain.with_attention(Some(attention))
            }
            _ => refitted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variation_of_units_does_without_one_thing_and_is_otherwise_the_same() {
        let world = WorldConfig::default();
        let without = |method: Method| match method.model(&world) {
            ModelConfig::Csae(config) => {
                let units = config.units.clone().unwrap();
                let same = config.with_units(Some(units.clone().with_without(None)));
                assert_eq!(ModelConfig::Csae(same), Method::Csae.model(&world));
                (units.without, method.is_completed())
            }
            ModelConfig::Rival(config) => panic!("{config:?} has no units"),
        };

        assert_eq!(without(Method::Csae), (None, true));
        assert_eq!(without(Method::CsaeNotCompleted), (None, false));
        let orthogonality = Some(UnitsPrinciple::Orthogonality);
        assert_eq!(without(Method::CsaeNotOrthogonal), (orthogonality, true));
        let detachment = Some(UnitsPrinciple::Detachment);
        assert_eq!(without(Method::CsaeNotDetached), (detachment, true));
    }
}
