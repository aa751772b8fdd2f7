//! What the explorer loads: small files that `trainer site` writes.
//!
//! `manifest.json` names the runs. Each run has a folder of its name with `index.json` ([`RunIndex`]),
//! `f/N.json` for feature N ([`FeatureStats`](crate::report::FeatureStats)), `c/N.json` for
//! combination N ([`Combination`](crate::report::Combination)), `t/N.json` for stored text N
//! ([`Reading`](crate::reading::Reading)), and the models as a bundle in `model/`.

use serde::{Deserialize, Serialize};

use crate::Vocab;

/// The version of the form; the explorer refuses a newer one.
pub const SCHEMA: u32 = 1;
/// The name of the file that names the runs.
pub const MANIFEST: &str = "manifest.json";
/// The name of the file in a run's folder that describes the run as a whole.
pub const INDEX: &str = "index.json";

/// What `manifest.json` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteManifest {
    /// The version of the form.
    pub schema: u32,
    /// What made the files.
    pub made_by: String,
    /// The runs; the first is shown first.
    pub runs: Vec<SiteRun>,
}

/// A run that the explorer can show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteRun {
    /// Its name and the name of its folder, as in `run_1`.
    pub name: String,
    /// What it wants to know.
    pub question: String,
    /// Changes with the content of its files.
    pub version: String,
    /// How many bytes the model takes, which own text needs.
    pub model_bytes: u64,
}

/// What is known of a run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunIndex {
    /// The version of the form.
    pub schema: u32,
    /// The run's name.
    pub name: String,
    /// What the run wants to know.
    pub question: String,
    /// What made the run.
    pub made_by: String,
    /// The data set of its language model.
    pub dataset: String,
    /// How large it was.
    pub profile: String,
    /// After which block activations are explained.
    pub layer: usize,
    /// How many blocks the language model has.
    pub n_layers: usize,
    /// The width of an activation.
    pub d_model: usize,
    /// The characters that the language model knows.
    pub vocab: Vocab,
    /// The language model's loss on held-out text, nats per character.
    pub clean_loss: Figure,
    /// The same with the activations set to 0.
    pub ablated_loss: Figure,
    /// On how many rows everything was measured.
    pub held_out_rows: u64,
    /// How well each method explains, the baselines first.
    pub methods: Vec<MethodFigures>,
    /// Which of them is shown in detail.
    pub model: String,
    /// How many of its features are active at a time at most.
    pub sparsity_k: usize,
    /// How its features combine.
    pub composition: CompositionKind,
    /// Its features, in their order.
    pub features: Vec<FeatureRow>,
    /// Its combinations; the page of number N loads `c/N.json`.
    pub combinations: Vec<CombinationRow>,
    /// The stored texts; the reading of number N is `t/N.json`.
    pub texts: Vec<String>,
}

/// How a model's features combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompositionKind {
    /// They do not.
    #[default]
    None,
    /// By attention between active features.
    Attention,
    /// By composition units.
    Units,
}

/// A mean over seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The mean; absent if it was not measured.
    pub mean: Option<f64>,
    /// Its standard error; absent with one seed.
    pub stderr: Option<f64>,
}

/// How well a method explains held-out activations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodFigures {
    /// As in results and plots.
    pub name: String,
    /// How it was set.
    pub setting: String,
    /// Fraction of variance unexplained.
    pub fvu: Figure,
    /// Mean number of active features.
    pub l0: Figure,
    /// Share of features that no held-out row activates.
    pub dead_share: Figure,
    /// Share of the loss from zero ablation that the reconstruction recovers.
    pub ce_recovered: Figure,
}

/// A feature's line in the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureRow {
    /// Share of the rows in which it is active.
    pub density: f64,
    /// How strongly it fires on average when it is active.
    pub mean: f64,
    /// The strongest it fires.
    pub max: f64,
    /// The characters that it makes likelier, strongest first.
    pub raises: String,
    /// Its strongest example: a few characters that end with the one at which it fires.
    pub example: String,
    /// Counts of its strengths, from weak to strong, of the most frequent in hundredths.
    pub histogram: Vec<u8>,
}

/// A combination's line in the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CombinationRow {
    /// The features that act together, ascending.
    pub parts: Vec<usize>,
    /// The interaction of exactly these parts.
    pub interaction: f64,
    /// Its 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
    /// In how many rows all parts are active.
    pub support: usize,
    /// How much more often than if the parts were independent.
    pub lift: f64,
    /// In how many trainings from different seeds it was found, and of how many; absent with one.
    #[serde(default)]
    pub seeds: Option<[usize; 2]>,
    /// The characters that it makes likelier, strongest first.
    pub raises: String,
}
