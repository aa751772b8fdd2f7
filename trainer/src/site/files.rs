//! A run's files for the explorer, each below its limit.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use burn::prelude::Device;
use serde::Serialize;
use sha2::{Digest, Sha256};
use shared::bundle::{self, Bundle, Files, hex};
use shared::reader::Reader;
use shared::reading::{Reading, encode};
use shared::report::{Combination, Example, FeatureStats};
use shared::site::{INDEX, SiteRun};
use shared::weights::Precision;

use super::index;
use super::source::FinishedRun;
use crate::complaint::Complaint;

/// The most that the page of one feature or combination loads.
const PAGE_BYTES: usize = 8_000;
/// The most that any file has: what hosts of static pages take.
const FILE_BYTES: usize = 25_000_000;
/// How many texts are stored with what the models make of them.
const TEXTS: usize = 6;
/// Texts that are stored if the language model knows their characters.
const KNOWN_TEXTS: [&str; TEXTS] = [
    "To be, or not to be, that is the question:\nWhether 'tis nobler",
    "KING RICHARD:\nWhat say you now, my lord of Buckingham?\n\nBUCKING",
    "First Citizen:\nWe are accounted poor citizens, the patricians",
    "O Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father",
    "Good night, good night! Parting is such sweet sorrow",
    "The quick brown fox jumps over the lazy dog",
];

/// All files of a run by name.
pub(super) fn of(source: &FinishedRun) -> Result<Files> {
    let mut files = Files::new();
    for (name, bytes) in model(source)?.to_files()? {
        files.insert(format!("model/{name}"), bytes);
    }
    let readings = readings(source, &files)?;
    for (number, reading) in readings.iter().enumerate() {
        files.insert(format!("t/{number}.json"), json(reading)?);
    }
    let features = source.bundle.features.get(&source.model).into_iter().flatten();
    for (number, stats) in features.enumerate() {
        files.insert(format!("f/{number}.json"), feature_page(stats)?);
    }
    for (number, combination) in source.combinations.iter().enumerate() {
        files.insert(format!("c/{number}.json"), combination_page(combination)?);
    }
    let texts: Vec<String> = readings.into_iter().map(|reading| reading.text).collect();
    files.insert(INDEX.into(), json(&index::of(source, &texts))?);
    for (name, bytes) in &files {
        if bytes.len() > FILE_BYTES {
            let what = format!("{}/{name} would have {} bytes", source.name, bytes.len());
            let fix =
                format!("the limit is {FILE_BYTES}: show a run with a smaller language model");
            return Err(Complaint::failed(what).fix(fix).into());
        }
    }
    Ok(files)
}

/// What the list of runs says of this one.
pub(super) fn describe(source: &FinishedRun, files: &Files) -> SiteRun {
    let mut digest = Sha256::new();
    for (name, bytes) in files {
        digest.update(name);
        digest.update(bytes);
    }
    let model = files.iter().filter(|(name, _)| name.starts_with("model/"));
    SiteRun {
        name: source.name.clone(),
        question: source.config["question"].as_str().unwrap_or_default().to_string(),
        version: hex(&digest.finalize())[..12].to_string(),
        model_bytes: model.map(|(_, bytes)| bytes.len() as u64).sum(),
    }
}

/// The language model and the autoencoder that is shown, in half precision.
fn model(source: &FinishedRun) -> Result<Bundle> {
    let mut slim = source.bundle.clone();
    let prefix = format!("{}.", source.model);
    slim.weights.retain(|name, _| name.starts_with("lm.") || name.starts_with(&prefix));
    slim.manifest.autoencoders.retain(|name, _| *name == source.model);
    slim.manifest.precision = Precision::F16;
    slim.features = BTreeMap::new();
    slim.combinations = BTreeMap::new();
    Ok(slim)
}

/// What the models in the explorer's own files make of the stored texts.
fn readings(source: &FinishedRun, files: &Files) -> Result<Vec<Reading>> {
    let file = |name: &str| Some((name.to_string(), files.get(&format!("model/{name}"))?.clone()));
    let names = [bundle::MANIFEST, bundle::WEIGHTS, bundle::FEATURES];
    let stored = Bundle::from_files(&names.into_iter().filter_map(file).collect())?;
    let reader = Reader::new(&stored, &source.model, &Device::flex())?;
    texts(source)
        .iter()
        .map(|text| pollster::block_on(reader.read(text)).context("a stored text"))
        .collect()
}

/// Texts that the models know, filled up with examples of features spread over all.
fn texts(source: &FinishedRun) -> Vec<String> {
    let vocab = &source.bundle.manifest.vocab;
    let known = KNOWN_TEXTS.iter().map(|text| text.to_string());
    let features = source.bundle.features.get(&source.model).map_or(&[][..], Vec::as_slice);
    let step = (features.len() / TEXTS).max(1);
    let examples = features.iter().step_by(step).filter_map(|stats| stats.examples.first());
    let mut texts: Vec<String> = known
        .chain(examples.map(|example| example.text.clone()))
        .filter(|text| encode(text, vocab).is_ok())
        .collect();
    texts.dedup();
    texts.truncate(TEXTS);
    texts
}

/// The statistics, with as many examples as fit.
fn feature_page(stats: &FeatureStats) -> Result<Vec<u8>> {
    let mut stats = stats.clone();
    loop {
        let bytes = json(&stats)?;
        let lists = std::iter::once(&mut stats.examples).chain(&mut stats.quarters);
        if bytes.len() <= PAGE_BYTES || !drop_longest(lists) {
            return Ok(bytes);
        }
    }
}

/// The combination, with as many examples as fit.
fn combination_page(combination: &Combination) -> Result<Vec<u8>> {
    let mut combination = combination.clone();
    loop {
        let bytes = json(&combination)?;
        let lists = std::iter::once(&mut combination.together).chain(&mut combination.alone);
        if bytes.len() <= PAGE_BYTES || !drop_longest(lists) {
            return Ok(bytes);
        }
    }
}

/// Drops the last of the longest list; false if all are empty.
fn drop_longest<'a>(lists: impl IntoIterator<Item = &'a mut Vec<Example>>) -> bool {
    let longest = lists.into_iter().max_by_key(|list| list.len());
    longest.is_some_and(|list| list.pop().is_some())
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(length: usize) -> Example {
        Example { text: "x".repeat(length), at: 0, values: vec![1.0; length] }
    }

    #[test]
    fn pages_stay_below_their_limit() {
        let many = vec![example(80); 60];
        let stats = FeatureStats { examples: many.clone(), ..Default::default() };
        let combination =
            Combination { together: many.clone(), alone: vec![many; 2], ..Default::default() };

        for bytes in [feature_page(&stats).unwrap(), combination_page(&combination).unwrap()] {
            assert!((PAGE_BYTES - 1_000..=PAGE_BYTES).contains(&bytes.len()), "{}", bytes.len());
        }
        let page = combination_page(&combination).unwrap();
        let page: Combination = serde_json::from_slice(&page).unwrap();
        assert!(page.together.len().abs_diff(page.alone[1].len()) <= 1);
    }

    #[test]
    fn a_page_that_no_example_makes_small_is_kept_whole() {
        let raises = vec![('x', 0.123_456_789); 900];
        let stats = FeatureStats { raises, ..Default::default() };

        assert!(feature_page(&stats).unwrap().len() > PAGE_BYTES);
    }
}
