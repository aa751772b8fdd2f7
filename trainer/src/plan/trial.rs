//! One kind of autoencoder of a plan: what it is, and what differs from the standard one.

use serde::{Deserialize, Serialize};
use shared::sae::coefficient_attention::CoefficientAttentionConfig;
use shared::sae::dictionary::{DictionaryConfig, Sparsity};
use shared::sae::literal::LiteralConfig;
use shared::sae::poly::PolySaeConfig;
use shared::{AttentionConfig, CsaeConfig, UnitsConfig};

/// How many features an autoencoder has, unless its trial says otherwise.
const FEATURES: usize = 256;
/// How many products of two and of three PolySAE forms: the better of the two sizes of the benchmark.
const PRODUCTS: usize = 128;

/// One kind of autoencoder with one number of active features, trained from several seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What kind it is, in results and plots.
    pub name: &'static str,
    /// What is trained.
    pub model: TrialModel,
    /// How many features are active on a row; the profile's own number if not given.
    pub sparsity_k: Option<usize>,
    /// The label of the trial, earlier in the plan, whose best learning rate this one takes; it chooses
    /// its own if not given.
    pub rate_of: Option<String>,
    /// How often it is trained at that learning rate.
    pub seeds: Seeds,
    /// Whether the bundle has it, with all that is known of its features and combinations.
    pub exported: bool,
    /// The name of the trial that it is compared with, if not the one of the plan.
    pub against: Option<&'static str>,
}

/// How often something is trained; the profile has the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seeds {
    /// From one seed.
    One,
    /// From as many as an interval needs.
    Several,
    /// From as many as it takes to say that a combination is found again.
    Many,
}

/// What a trial trains.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialModel {
    /// Features, and how they combine.
    Csae(CsaeTrial),
    /// What others proposed.
    Rival(Rival),
}

/// How one of our autoencoders differs from the standard TopK.
#[derive(Clone, Debug, PartialEq)]
pub struct CsaeTrial {
    /// How many features it has.
    pub n_features: usize,
    /// How features combine by attention; `None` for features one by one.
    pub attention: Option<AttentionConfig>,
    /// How features combine by units; `None` for features one by one.
    pub units: Option<UnitsConfig>,
    /// How many steps of refitting the active features get.
    pub refit_steps: usize,
    /// Whether directions that are missing in the dictionary are looked for.
    pub completed: bool,
    /// Whether more features are active at the beginning, and fewer and fewer.
    pub graduated: bool,
    /// Whether combinations begin as pairs and grow.
    pub curriculum: bool,
    /// Whether parts of units are drawn by chance where combinations were found.
    pub random_parts: bool,
    /// The weight of the mean squared cosine between directions in the loss.
    pub diversity_weight: f64,
    /// The weight of the entropy of attention in the loss.
    pub entropy_weight: f64,
}

impl Default for CsaeTrial {
    fn default() -> Self {
        Self {
            n_features: FEATURES,
            attention: None,
            units: None,
            refit_steps: 0,
            completed: false,
            graduated: false,
            curriculum: false,
            random_parts: false,
            diversity_weight: 0.0,
            entropy_weight: 0.0,
        }
    }
}

/// An autoencoder that others proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// TopK behind an encoder with a hidden layer.
    MlpEncoder,
    /// BatchTopK.
    BatchTopK,
    /// Matryoshka.
    Matryoshka,
    /// ReLU with an L1 penalty that is steered to the number of active features.
    SteeredL1,
    /// PolySAE.
    PolySae,
    /// Attention that re-weights the coefficients of active features.
    CoefficientAttention,
    /// The source's own sketch.
    Literal,
}

/// What changes while an autoencoder trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The number of active features to start from; it falls to the trial's own number over the
    /// first 60 % of the steps. `None` keeps it fixed.
    pub sparsity_from: Option<usize>,
    /// Whether combinations grow from pairs to the full size, a third of the steps each.
    pub curriculum: bool,
}

/// The shape of an autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelConfig {
    /// Features and their composition.
    Csae(CsaeConfig),
    /// What others proposed.
    Rival(RivalConfig),
}

/// The shape of an autoencoder that others proposed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RivalConfig {
    /// A linear decoder, and a choice of sparsity.
    Dictionary(DictionaryConfig),
    /// A polynomial decoder.
    Poly(PolySaeConfig),
    /// Attention between coefficients.
    CoefficientAttention(CoefficientAttentionConfig),
    /// The source's sketch.
    Literal(LiteralConfig),
}

impl Trial {
    /// Its name, and the number of active features where that is not the profile's own: unlike all
    /// others in a plan.
    pub fn label(&self) -> String {
        match self.sparsity_k {
            None => self.name.to_string(),
            Some(k) => format!("{}_k{k}", self.name),
        }
    }

    /// What differs from the standard TopK, if it is one of ours.
    pub fn csae(&self) -> Option<&CsaeTrial> {
        match &self.model {
            TrialModel::Csae(csae) => Some(csae),
            TrialModel::Rival(_) => None,
        }
    }
}

impl CsaeTrial {
    /// The shape for rows of this width.
    pub fn config(&self, d_model: usize, sparsity_k: usize) -> CsaeConfig {
        CsaeConfig::new(d_model)
            .with_n_features(self.n_features)
            .with_sparsity_k(sparsity_k)
            .with_attention(self.attention.clone())
            .with_units(self.units.clone())
            .with_refit_steps(self.refit_steps)
    }
}

impl Rival {
    /// The shape for rows of this width.
    pub fn config(self, d_model: usize, sparsity_k: usize) -> RivalConfig {
        let dictionary =
            |sparsity| DictionaryConfig::new(d_model, sparsity).with_n_features(FEATURES);
        let only = |sparsity| RivalConfig::Dictionary(dictionary(sparsity));
        match self {
            Self::MlpEncoder => {
                let dictionary = dictionary(Sparsity::TopK(sparsity_k));
                RivalConfig::Dictionary(dictionary.with_hidden(Some(d_model)))
            }
            Self::BatchTopK => only(Sparsity::BatchTopK(sparsity_k)),
            Self::Matryoshka => only(Sparsity::Matryoshka(sparsity_k)),
            Self::SteeredL1 => only(Sparsity::SteeredL1(sparsity_k)),
            Self::PolySae => {
                let config = PolySaeConfig::new(d_model).with_n_features(FEATURES);
                RivalConfig::Poly(config.with_sparsity_k(sparsity_k).with_rank(PRODUCTS))
            }
            Self::CoefficientAttention => {
                let config = CoefficientAttentionConfig::new(d_model).with_n_features(FEATURES);
                RivalConfig::CoefficientAttention(config.with_sparsity_k(sparsity_k))
            }
            Self::Literal => {
                let config = LiteralConfig::new(d_model).with_n_features(FEATURES);
                RivalConfig::Literal(config.with_sparsity_k(sparsity_k))
            }
        }
    }
}
