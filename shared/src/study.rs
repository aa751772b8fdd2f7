//! A blind study: what raters are shown. Nothing here says which method an item comes from; that is
//! in the key, which only the trainer knows.
//!
//! `trainer study` writes `data/study/NAME.json`; the page `#/study?s=NAME` shows it.

mod sequence;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use sequence::Shown;

/// The version of the form; a reader refuses a newer one.
pub const SCHEMA: u32 = 1;
/// How many lines an item has: four of one unit and a foreign one.
pub const LINES: usize = 5;
/// How strongly a character is marked at most.
pub const STRONGEST: u8 = 8;

/// A study as it is deployed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// The version of the form, [`SCHEMA`] in what this code writes.
    pub schema: u32,
    /// What made it.
    pub made_by: String,
    /// As in the address, `#/study?s=NAME`.
    pub name: String,
    /// To whom answers go and questions may be put; absent if nobody was named.
    pub contact: Option<String>,
    /// What a rater agrees to; paragraphs are parted by empty lines.
    pub consent: String,
    /// About how many minutes it takes.
    pub minutes: usize,
    /// Whose answers are left out, said before anybody answered.
    pub exclusions: Exclusions,
    /// All items, in the order of their ids.
    pub items: Vec<Item>,
    /// What one rater is given; each rater gets one block.
    pub blocks: Vec<Block>,
}

/// Whose answers are left out. Results are always given without and with exclusions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exclusions {
    /// Who fails as many of the items whose answer is plain; 0 for nobody.
    pub failed_checks: usize,
    /// Who needs fewer seconds for an item, by the median.
    pub median_seconds: f64,
}

/// What a rater is asked about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Says nothing about where it comes from, as in `i07`.
    pub id: String,
    /// Four lines of one unit and a foreign one.
    pub lines: Vec<StudyLine>,
}

/// A line of text with what is marked in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyLine {
    /// The text.
    pub text: String,
    /// Which character is boxed.
    pub at: usize,
    /// A digit for each character: how strongly it is marked, from 0 to [`STRONGEST`].
    pub levels: String,
}

/// The items of one rater.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Ids; each rater sees them in an order of their own.
    pub items: Vec<String>,
    /// Those that are asked a second time.
    pub repeats: Vec<String>,
}

/// Why bytes are not a study.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StudyError {
    /// It was made by a newer csae.
    #[error("the study has the form {0}; this csae reads forms up to {SCHEMA}: use a newer csae")]
    Newer(u32),
    /// It is not of this form.
    #[error("this is not a study of csae: {0}")]
    Foreign(String),
}

impl Study {
    /// The study in a file.
    ///
    /// # Errors
    /// The file is damaged, of another form, or newer than this code.
    pub fn read(bytes: &[u8]) -> Result<Self, StudyError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let foreign = |error: serde_json::Error| StudyError::Foreign(error.to_string());
        let Head { schema } = serde_json::from_slice(bytes).map_err(foreign)?;
        if schema > SCHEMA {
            return Err(StudyError::Newer(schema));
        }
        let study: Self = serde_json::from_slice(bytes).map_err(foreign)?;
        study.check().map_err(StudyError::Foreign)?;
        Ok(study)
    }

    /// The item called `id`.
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    fn check(&self) -> Result<(), String> {
        if !is_plain(&self.name) {
            return Err(format!("{:?} is no name for a study", self.name));
        }
        let mut ids = BTreeSet::new();
        for item in &self.items {
            if !is_plain(&item.id) || !ids.insert(item.id.as_str()) {
                return Err(format!("{:?} is no id, or two items have it", item.id));
            }
            if item.lines.len() != LINES || !item.lines.iter().all(StudyLine::is_whole) {
                return Err(format!("item {} does not have {LINES} whole lines", item.id));
            }
        }
        for block in &self.blocks {
            let own: BTreeSet<&str> = block.items.iter().map(String::as_str).collect();
            let repeats: BTreeSet<&str> = block.repeats.iter().map(String::as_str).collect();
            let is_distinct =
                own.len() == block.items.len() && repeats.len() == block.repeats.len();
            if !is_distinct || !own.is_subset(&ids) || !repeats.is_subset(&own) {
                return Err("a block names an item twice, or one that is not there".into());
            }
        }
        match self.blocks.iter().all(|block| block.items.is_empty()) {
            true => Err("it has no items".into()),
            false => Ok(()),
        }
    }
}

impl StudyLine {
    /// How strongly each character is marked.
    pub fn levels(&self) -> impl Iterator<Item = u8> {
        self.levels.bytes().map(|digit| digit.wrapping_sub(b'0').min(STRONGEST))
    }

    fn is_whole(&self) -> bool {
        let length = self.text.chars().count();
        self.at < length
            && self.levels.len() == length
            && self.levels.bytes().all(|digit| (b'0'..=b'0' + STRONGEST).contains(&digit))
    }
}

/// Whether `name` can stand in an address and be the name of a file.
pub fn is_plain(name: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    (1..=64).contains(&name.len()) && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests;
