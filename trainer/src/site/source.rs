//! A finished run, read back from its folder.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use shared::bundle::{self, Bundle, Files};
use shared::report::{Combination, DatasetInfo, FinalInfo};

use crate::complaint::Complaint;
use crate::run_folder::finished::{damaged, json};
use crate::run_folder::{CONFIG, FINAL_INFO, RunFolder};

/// What is read of a run.
#[derive(Clone, Debug)]
pub(crate) struct FinishedRun {
    /// The folder's name.
    pub name: String,
    /// `config.json`.
    pub config: Value,
    /// What `final_info.json` says of the text of these models.
    pub info: DatasetInfo,
    /// The exported models.
    pub bundle: Bundle,
    /// The autoencoder that is shown.
    pub model: String,
    /// Its combinations.
    pub combinations: Vec<Combination>,
}

impl FinishedRun {
    /// Reads the run in `folder`, to show the autoencoder called `model` or the first that combines.
    pub fn read(folder: &Path, model: Option<&str>) -> Result<Self> {
        if !RunFolder::is_finished(folder) {
            let what = format!("{} is not the folder of a finished run", folder.display());
            let fix = format!("trainer --out_dir={}", folder.display());
            return Err(Complaint::usage(what).fix(fix).into());
        }
        let whole = folder.canonicalize()?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut info: FinalInfo = json(&folder.join(FINAL_INFO))?;
        let bundle = read_bundle(&folder.join("export"))?;
        let model = choose(&bundle, model)?;
        let combinations = bundle.combinations.get(&model).cloned().unwrap_or_default();
        let info = info.remove(&bundle.manifest.dataset).unwrap_or_default();
        let config = json(&folder.join(CONFIG))?;
        Ok(Self { name, config, info, bundle, model, combinations })
    }
}

fn read_bundle(folder: &Path) -> Result<Bundle> {
    let mut files = Files::new();
    for name in [bundle::MANIFEST, bundle::WEIGHTS, bundle::FEATURES] {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|error| damaged(&path, &error))?;
        files.insert(name.to_string(), bytes);
    }
    let combinations = folder.join(bundle::COMBINATIONS);
    if combinations.exists() {
        let bytes = fs::read(&combinations).map_err(|error| damaged(&combinations, &error))?;
        files.insert(bundle::COMBINATIONS.to_string(), bytes);
    }
    Ok(Bundle::from_files(&files).map_err(|error| damaged(folder, &error))?)
}

fn choose(bundle: &Bundle, asked: Option<&str>) -> Result<String, Complaint> {
    let known = &bundle.manifest.autoencoders;
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    match asked {
        Some(name) if known.contains_key(name) => Ok(name.to_string()),
        Some(name) => Err(Complaint::usage(format!("the run has no autoencoder {name:?}"))
            .fix(format!("--model is one of {}", names.join(", ")))),
        None => known
            .iter()
            .find(|(_, info)| info.config.units.is_some() || info.config.attention.is_some())
            .or(known.iter().next())
            .map(|(name, _)| name.clone())
            .ok_or_else(|| Complaint::failed("the run has no autoencoder")),
    }
}
