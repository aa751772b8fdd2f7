//! The run's models read its held-out text once more: activations, and what is active.

use std::path::Path;

use anyhow::Result;
use burn::prelude::*;
use shared::bundle::Normalization;

use crate::activations::{Recording, RowCounts, counted, stream};
use crate::analysis::active_rows::ActiveRows;
use crate::baselines::pca::Pca;
use crate::complaint::Complaint;
use crate::console::Console;
use crate::data::languages::Language;
use crate::data::{Batch, Corpus, RowStore, Rows, Windows, corpus_for};
use crate::experiment::SEED;
use crate::interrupt;
use crate::plan::{Profile, ProfileName};
use crate::settings::Settings;
use crate::site::source::FinishedRun;

/// How many windows are read at once.
const WINDOWS_AT_ONCE: usize = 64;
/// On how many rows of the training text the components are fitted.
const PCA_ROWS: usize = 32_768;

/// The held-out text, read.
#[derive(Clone, Debug)]
pub(super) struct ReadText {
    /// The text itself.
    pub text: RowText,
    /// What is active on each row.
    pub active: ActiveRows,
    /// The rows, centred and scaled: `[rows, d_model]` in blocks.
    pub rows: Vec<Tensor<2>>,
    /// The principal components of rows of the training text, in columns: `[d_model, d_model]`.
    pub components: Tensor<2>,
}

/// The text of the held-out rows: row `r` is the character at `first + r`.
#[derive(Clone, Debug)]
pub(super) struct RowText {
    /// The characters of the whole text.
    pub characters: Vec<char>,
    /// Where the first row is.
    pub first: usize,
    /// How many rows there are.
    pub rows: usize,
}

/// Reads the text of the run in `folder` with the run's models.
///
/// # Errors
/// The text is not the run's, or the user stops it.
pub(super) fn read(
    source: &FinishedRun,
    folder: &Path,
    settings: &Settings,
    console: &Console,
) -> Result<ReadText> {
    let device = Device::flex();
    let manifest = &source.bundle.manifest;
    let corpus = corpus(source, folder, settings, console)?;
    let lm = source.bundle.lm(&device)?;
    let (model, normalization) = source.bundle.autoencoder(&source.model, &device)?;
    let limits = manifest.autoencoders[&source.model].config.limits();
    let windows = Windows { block_size: manifest.lm.block_size };
    let read = |batch: &Batch| stream(&lm, manifest.layer, batch);
    let mut starts = windows.starts(corpus.validation.len());
    let wanted = source.config["profile"]["held_out_rows"].as_u64().unwrap_or(4_096) as usize;
    starts.truncate(wanted.div_ceil(windows.counted(0).len()).max(1));
    let mut stage = console.stage("reading the held-out text", 0, starts.len() as u64);
    let mut active = ActiveRows { k: limits.sparsity_k, ..ActiveRows::default() };
    let mut rows = vec![];
    for (place, starts) in starts.chunks(WINDOWS_AT_ONCE).enumerate() {
        interrupt::check()?;
        let batch = Batch::of(&corpus.validation, starts, windows.block_size);
        let block = normalization.apply(counted(read(&batch), windows));
        let output = model.forward(block.clone(), limits);
        active.add(output.active);
        rows.push(block);
        stage.progress((place * WINDOWS_AT_ONCE) as u64, &String::new);
    }
    stage.finish(&format!("{} rows", active.values.len() / active.k));
    let counts = RowCounts { train: PCA_ROWS, selection: 0 };
    let recording = Recording { read: &read, text: &corpus.train, windows, counts, seed: SEED };
    let recorded = recording.in_memory()?;
    let text = RowText {
        characters: corpus.vocab.decode(&corpus.validation).chars().collect(),
        first: windows.counted(0).start,
        rows: active.values.len() / active.k,
    };
    Ok(ReadText { text, active, rows, components: fit(recorded, &normalization, &device)? })
}

fn fit(rows: Rows, by: &Normalization, device: &Device) -> Result<Tensor<2>> {
    let rows: &dyn RowStore = &rows.scaled(by);
    Ok(Pca::fit(rows.blocks(4_096), rows.width(), device)?.components().clone())
}

/// The run's text, as the run found it.
fn corpus(
    source: &FinishedRun,
    folder: &Path,
    settings: &Settings,
    console: &Console,
) -> Result<Corpus> {
    let config = &source.config;
    let name = config["data"]["name"].as_str().unwrap_or_default();
    let language = Language::ALL.into_iter().find(|language| language.name() == name);
    let text = language.is_none().then(|| name.to_string());
    let settings = Settings { language, text, ..settings.clone() };
    let mut profile = Profile::named(match config["profile"]["name"].as_str() {
        Some("smoke") => ProfileName::Smoke,
        Some("full") => ProfileName::Full,
        _ => ProfileName::Cpu,
    });
    let limit = &config["profile"]["text_limit"];
    profile.text_limit = limit.as_u64().map(|limit| limit as usize);
    profile.lm = source.bundle.manifest.lm.clone();
    let cache = crate::cache_folder(folder, &settings);
    let corpus = corpus_for(&profile, &settings, &cache, console)?.corpus;
    if config["data"]["sha256"] != corpus.sha256.as_str() {
        let what = format!("the text found is not the one that {} was made of", source.name);
        return Err(Complaint::usage(what)
            .detail("found", format!("{} with SHA-256 {}", corpus.name, corpus.sha256))
            .detail("wanted", format!("{name} with SHA-256 {}", config["data"]["sha256"]))
            .fix("set CSAE_DATA to the folder that the run was given")
            .into());
    }
    Ok(corpus)
}
