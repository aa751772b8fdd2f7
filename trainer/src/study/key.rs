//! What raters must not know: of which method each item is, and which line is foreign.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the form.
pub(super) const SCHEMA: u32 = 1;
/// The condition of items whose answer is plain.
pub const GOLD: &str = "gold";

/// The key of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyKey {
    /// The version of the form.
    pub schema: u32,
    /// The study's name.
    pub study: String,
    /// The SHA-256 of the study's file.
    pub study_sha256: String,
    /// What made it.
    pub made_by: String,
    /// Decided about everything that was drawn.
    pub seed: u64,
    /// The run.
    pub run: String,
    /// Which of its autoencoders.
    pub model: String,
    /// Conditions that the study lacks.
    pub left_out: Vec<LeftOut>,
    /// What is behind each item, by its id.
    pub items: BTreeMap<String, KeyItem>,
}

/// A condition that a study lacks, or has less of than was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The condition.
    pub condition: String,
    /// Why.
    pub reason: String,
}

/// What is behind an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyItem {
    /// By what its unit was found: feature, combination, pca, random, or [`GOLD`].
    pub condition: String,
    /// The unit, as in `f17` or `f84 + f238`.
    pub unit: String,
    /// Which direction of a component was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<i8>,
    /// Which line is foreign, from 1.
    pub intruder: u8,
    /// The unit of the foreign line.
    pub foreign: String,
    /// In how many held-out rows the unit fires.
    pub fires: usize,
    /// Which place of the held-out text each line shows, counted from the first row.
    pub rows: Vec<usize>,
}
