//! Results as they are written to JSON and drawn on screen.

use std::collections::BTreeMap;

use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

/// `final_info.json` in the form of the AI-Scientist harness: one entry for each data set.
pub type FinalInfo = BTreeMap<String, DatasetInfo>;

/// The results on one data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Means over seeds; each key ends in `_mean`.
    pub means: BTreeMap<String, f64>,
    /// Standard errors of these means (deviation by n - 1, over the root of n) under the same name
    /// with `_stderr`; a value of which there is only one seed has none.
    pub stderrs: BTreeMap<String, f64>,
    /// What each seed gave, and what else belongs to the result.
    pub final_info_dict: BTreeMap<String, serde_json::Value>,
}

impl DatasetInfo {
    /// Adds what several seeds measured under one `name`: mean, standard error, single values.
    pub fn add(&mut self, name: &str, values: &[f64]) {
        let count = values.len() as f64;
        if values.is_empty() {
            return;
        }
        let mean = values.iter().sum::<f64>() / count;
        self.means.insert(format!("{name}_mean"), mean);
        if values.len() > 1 {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let error = (squares / (count - 1.0)).sqrt() / count.sqrt();
            self.stderrs.insert(format!("{name}_stderr"), error);
        }
        self.final_info_dict.insert(name.into(), values.into());
    }
}

/// How well a model explains held-out activations. Formulas: `trainer::analysis::measures`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Mean squared error per dimension of the scaled activations, whose mean square is 1.
    pub mse: f64,
    /// Fraction of variance unexplained.
    pub fvu: f64,
    /// Mean number of active features in a row.
    pub l0: f64,
    /// The largest number of active features in a row.
    pub l0_max: f64,
    /// Share of the features that no held-out row activates.
    pub dead_share: f64,
    /// Cross-entropy of the language model with the reconstruction in place, nats per character.
    pub ce_spliced: f64,
    /// Share of the cross-entropy lost by zero ablation that the reconstruction recovers.
    pub ce_recovered_zero: f64,
    /// The same, where the ablation puts the mean activation in place.
    pub ce_recovered_mean: f64,
    /// How far the language model's predictions with the reconstruction in place are from the untouched
    /// ones: KL(clean | spliced), nats per character.
    #[serde(default)]
    pub kl: f64,
    /// Whether the finished code orders rows as the encoder does: the mean over features of Spearman's
    /// correlation on the rows on which the feature is active; absent where nothing is encoded.
    #[serde(default)]
    pub spearman: Option<f64>,
    /// The mean cosine between a row and its reconstruction.
    #[serde(default)]
    pub cosine: f64,
    /// How long reconstructions are beside their rows: the mean ratio. Below 1 they shrink.
    #[serde(default)]
    pub norm_ratio: f64,
    /// The relative reconstruction bias: 1 where no reconstruction would be better if it were longer or
    /// shorter, below 1 where they shrink.
    #[serde(default)]
    pub reconstruction_bias: f64,
    /// Share of the features that more than a tenth of the held-out rows activate; absent where nothing is
    /// encoded.
    #[serde(default)]
    pub dense_share: Option<f64>,
}

/// What is known of one feature.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureStats {
    /// Share of the rows in which it is active.
    pub density: f64,
    /// How strongly it fires on average when it is active.
    pub mean_active: f64,
    /// The strongest it fires.
    pub max: f64,
    /// How often it fires how strongly.
    pub histogram: Histogram,
    /// The characters it makes more likely, by the direct path to the logits, strongest first.
    pub raises: Vec<(char, f64)>,
    /// The characters it makes less likely, strongest first.
    pub lowers: Vec<(char, f64)>,
    /// Places at which it fires most strongly, strongest first.
    pub examples: Vec<Example>,
    /// Places at which it fires with a quarter of its greatest strength, two quarters and so on: a few
    /// of each, so that the strongest are not taken for all.
    #[serde(default)]
    pub quarters: Vec<Vec<Example>>,
}

/// Counts in bins of equal width from 0 to `high`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The upper end of the last bin.
    pub high: f64,
    /// How many values lie in each bin.
    pub counts: Vec<u64>,
}

/// A place in the text at which a feature fires.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The text around it.
    pub text: String,
    /// Which character of `text` it is, counted in characters.
    pub at: usize,
    /// How strongly the feature fires at each character; 0 where it was not measured.
    #[serde(serialize_with = "zeros_briefly")]
    pub values: Vec<f32>,
}

/// Most values are zeros, and `0` is half as long as `0.0`.
fn zeros_briefly<S: Serializer>(values: &[f32], to: S) -> Result<S::Ok, S::Error> {
    let mut list = to.serialize_seq(Some(values.len()))?;
    for &value in values {
        if value == 0.0 { list.serialize_element(&0)? } else { list.serialize_element(&value)? }
    }
    list.end()
}

/// A set of features that act together, as `combinations.json` has it for each autoencoder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Combination {
    /// The features, ascending; as many as the combination is large.
    pub parts: Vec<usize>,
    /// The interaction of exactly these parts alone, `|I(P)|`.
    pub interaction: f64,
    /// The same among the other features that are usually active with them.
    pub interaction_in_context: f64,
    /// In how many rows all parts are active.
    pub support: usize,
    /// The support's 95 % confidence interval.
    pub support_ci95: Option<[f64; 2]>,
    /// How much more often they are than if they were independent.
    pub lift: f64,
    /// The lift's 95 % confidence interval; that of PMI is its logarithm.
    pub lift_ci95: Option<[f64; 2]>,
    /// The logarithm of the lift, in nats.
    pub pmi: f64,
    /// The interaction's 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
    /// The characters that only the combination makes more likely, strongest first.
    pub raises: Vec<(char, f64)>,
    /// The characters that only the combination makes less likely, strongest first.
    pub lowers: Vec<(char, f64)>,
    /// In how many of how many trainings from different seeds it was found; absent if that is not
    /// known.
    pub seeds: Option<[usize; 2]>,
    /// What it adds, told in features and how much of each, strongest first.
    pub adds: Vec<(usize, f64)>,
    /// Places at which all parts fire, strongest first.
    pub together: Vec<Example>,
    /// For each part, places at which it fires and no other part does.
    pub alone: Vec<Vec<Example>>,
}

/// Whether a combination that was found `[in so many, of so many]` trainings from different seeds counts
/// as found: in four of five at least.
pub fn is_found_again([found, of]: [usize; 2]) -> bool {
    5 * found >= 4 * of
}

impl Combination {
    /// How many features it has.
    pub fn size(&self) -> usize {
        self.parts.len()
    }
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What was trained, as in `lm` or `attention lr=0.001 seed=0`.
    pub stage: String,
    /// After how many steps.
    pub step: u64,
    /// Values by name; each term of a loss has its own.
    pub values: BTreeMap<String, f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_errors_divide_by_the_root_of_the_count() {
        let mut info = DatasetInfo::default();

        info.add("loss", &[1.0, 2.0, 3.0, 4.0]);
        info.add("once", &[5.0]);

        assert_eq!(info.means["loss_mean"], 2.5);
        // The deviation of 1, 2, 3, 4 is the root of 5/3; over the root of 4.
        assert!((info.stderrs["loss_stderr"] - (5.0_f64 / 3.0).sqrt() / 2.0).abs() < 1e-12);
        assert!(!info.stderrs.contains_key("once_stderr"));
        assert_eq!(info.final_info_dict["once"], serde_json::json!([5.0]));
    }

    #[test]
    fn an_example_is_written_briefly_and_read_again() {
        let example = Example { text: "abc".into(), at: 1, values: vec![0.0, 1.25, 2.0] };

        let written = serde_json::to_string(&example).unwrap();

        assert_eq!(written, r#"{"text":"abc","at":1,"values":[0,1.25,2.0]}"#);
        assert_eq!(serde_json::from_str::<Example>(&written).unwrap(), example);
    }
}
