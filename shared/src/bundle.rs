//! What a finished run hands on: models, vocabulary, statistics, with a version and checksums.
//!
//! A bundle is three files: `bundle.json` (the manifest), `weights.safetensors` (the language model
//! under `lm.`, each autoencoder under its own name) and `features.json` (statistics by
//! autoencoder); a fourth, `combinations.json`, where an autoencoder has combinations. Here are only bytes; who holds the bundle reads and writes the files.

mod plausible;

use std::collections::BTreeMap;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

pub use crate::digest::hex;
use crate::digest::sha256;
use crate::report::{Combination, FeatureStats, Quality};
use crate::weights::{self, Precision, Weight, Weights, WeightsError};
use crate::{CharLm, CharLmConfig, Csae, CsaeConfig, Vocab};

/// The version of the form; a reader refuses a newer one.
pub const SCHEMA: u32 = 1;
/// The name of the manifest.
pub const MANIFEST: &str = "bundle.json";
/// The name of the file with all tensors.
pub const WEIGHTS: &str = "weights.safetensors";
/// The name of the file with the statistics.
pub const FEATURES: &str = "features.json";

/// The name of the file with the combinations, which only some bundles have.
pub const COMBINATIONS: &str = "combinations.json";

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What `bundle.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the form, [`SCHEMA`] in what this code writes.
    pub schema: u32,
    /// What made the bundle, as in `csae 0.1.0 (3f2c1a9)`.
    pub made_by: String,
    /// The data set of the language model.
    pub dataset: String,
    /// All characters the language model knows, in the order of their ids.
    pub vocab: Vocab,
    /// The shape of the language model.
    pub lm: CharLmConfig,
    /// After which block its residual stream is explained.
    pub layer: usize,
    /// How exactly the weights are stored.
    pub precision: Precision,
    /// The autoencoders by name.
    pub autoencoders: BTreeMap<String, AutoencoderInfo>,
    /// The other files of the bundle.
    pub files: BTreeMap<String, FileInfo>,
}

/// What the manifest says of one autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoencoderInfo {
    /// Its shape.
    pub config: CsaeConfig,
    /// How well it explains held-out activations.
    pub quality: Quality,
}

/// By what a file of a bundle is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileInfo {
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// How recorded activations become what an autoencoder reads: `(activation - mean) * scale`, such
/// that the mean square of a row's entries is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// `[d_model]`.
    pub mean: Vec<f32>,
    /// One factor for all dimensions.
    pub scale: f32,
}

/// A finished run's models and what is known of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// Everything but tensors and statistics.
    pub manifest: Manifest,
    /// All tensors.
    pub weights: Weights,
    /// Statistics of each autoencoder's features, in the order of the features.
    pub features: BTreeMap<String, Vec<FeatureStats>>,
    /// The combinations of each autoencoder that has some, the strongest first.
    pub combinations: BTreeMap<String, Vec<Combination>>,
}

/// Why bytes are not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file is not there.
    #[error("the bundle has no file {0:?}")]
    MissingFile(String),
    /// The bundle was made by a newer csae.
    #[error(
        "the bundle has the form {found}; this csae reads forms up to {SCHEMA}: use a newer csae"
    )]
    NewerSchema {
        /// The version of its form.
        found: u32,
    },
    /// A JSON file is malformed.
    #[error("{file} is not what a bundle has there: {reason}")]
    Json {
        /// Which file.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// A file is not the one that the manifest describes.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// Which file.
        file: String,
        /// What differs.
        reason: String,
    },
    /// The manifest describes models that cannot be.
    #[error("{MANIFEST} describes a model that cannot be: {0}")]
    Implausible(String),
    /// The tensors do not fit the configuration.
    #[error("{WEIGHTS}: {0}")]
    Weights(#[from] WeightsError),
    /// The manifest has no autoencoder of that name.
    #[error("the bundle has no autoencoder {0:?}")]
    UnknownAutoencoder(String),
}

impl Bundle {
    /// The files of the bundle by name. The same bundle gives the same bytes.
    ///
    /// # Errors
    /// A tensor's shape does not fit its values.
    pub fn to_files(&self) -> Result<Files, BundleError> {
        let tensors = weights::to_bytes(&self.weights, self.manifest.precision, None)?;
        let features = json_bytes(FEATURES, &self.features)?;
        let mut files = Files::from([(WEIGHTS.into(), tensors), (FEATURES.into(), features)]);
        if !self.combinations.is_empty() {
            files.insert(COMBINATIONS.into(), json_bytes(COMBINATIONS, &self.combinations)?);
        }
        let mut manifest = self.manifest.clone();
        let described = files.iter().map(|(name, bytes)| (name.clone(), FileInfo::of(bytes)));
        manifest.files = described.collect();
        files.insert(MANIFEST.into(), json_bytes(MANIFEST, &manifest)?);
        Ok(files)
    }

    /// The bundle in these `files`.
    ///
    /// # Errors
    /// A file is missing, damaged or foreign, or the bundle comes from a newer csae.
    pub fn from_files(files: &Files) -> Result<Self, BundleError> {
        let bundle = Self::models_of_files(files)?;
        let features = parse(FEATURES, file(files, FEATURES)?)?;
        let combinations = match bundle.manifest.files.contains_key(COMBINATIONS) {
            true => parse(COMBINATIONS, file(files, COMBINATIONS)?)?,
            false => BTreeMap::new(),
        };
        bundle
            .manifest
            .check_combinations(&combinations)
            .map_err(|reason| BundleError::Json { file: COMBINATIONS.to_string(), reason })?;
        Ok(Self { features, combinations, ..bundle })
    }

    /// As [`Self::from_files`], without the statistics of features and combinations: who only computes
    /// with the models need not know how those are written.
    ///
    /// # Errors
    /// The same, but for the form of the statistics.
    pub fn models_of_files(files: &Files) -> Result<Self, BundleError> {
        let file = |name: &str| file(files, name);
        let header: Header = parse(MANIFEST, file(MANIFEST)?)?;
        if header.schema > SCHEMA {
            let found = header.schema;
            return Err(BundleError::NewerSchema { found });
        }
        let manifest: Manifest = parse(MANIFEST, file(MANIFEST)?)?;
        for (name, info) in &manifest.files {
            info.check(name, file(name)?)?;
        }
        let (weights, _) = weights::from_bytes(file(WEIGHTS)?)?;
        let numbers = weights.values().map(|weight| weight.values.len()).sum();
        manifest.check(numbers).map_err(BundleError::Implausible)?;
        let (features, combinations) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { manifest, weights, features, combinations })
    }

    /// The language model.
    ///
    /// # Errors
    /// The tensors do not fit its configuration.
    pub fn lm(&self, device: &Device) -> Result<CharLm, BundleError> {
        let lm = self.manifest.lm.init(0, device);
        Ok(weights::load(lm, &weights::part(&self.weights, "lm."))?)
    }

    /// The autoencoder called `name`, and how activations are made ready for it.
    ///
    /// # Errors
    /// There is none of that name, or the tensors do not fit its configuration.
    pub fn autoencoder(
        &self,
        name: &str,
        device: &Device,
    ) -> Result<(Csae, Normalization), BundleError> {
        let info = self
            .manifest
            .autoencoders
            .get(name)
            .ok_or_else(|| BundleError::UnknownAutoencoder(name.to_string()))?;
        let mut part = weights::part(&self.weights, &format!("{name}."));
        let normalization = Normalization::take_from(&mut part)?;
        let model = weights::load(info.config.blank(device), &part)?;
        Ok((model, normalization))
    }
}

impl Normalization {
    /// Puts mean and scale beside an autoencoder's tensors.
    pub fn put_into(&self, weights: &mut Weights) {
        let tensor = |values: Vec<f32>| Weight { shape: vec![values.len()], values };
        weights.insert("normalization.mean".into(), tensor(self.mean.clone()));
        weights.insert("normalization.scale".into(), tensor(vec![self.scale]));
    }

    fn take_from(weights: &mut Weights) -> Result<Self, WeightsError> {
        let mut take = |name: &str| {
            weights
                .remove(name)
                .filter(|weight| !weight.values.is_empty())
                .ok_or_else(|| WeightsError::Missing(name.to_string()))
        };
        Ok(Self {
            mean: take("normalization.mean")?.values,
            scale: take("normalization.scale")?.values[0],
        })
    }

    /// What an autoencoder reads for these `activations` `[rows, d_model]`.
    pub fn apply(&self, activations: Tensor<2>) -> Tensor<2> {
        let mean = self.mean_row(&activations);
        (activations - mean) * self.scale
    }

    /// The activations for what an autoencoder reconstructed `[rows, d_model]`.
    pub fn undo(&self, reconstruction: Tensor<2>) -> Tensor<2> {
        let mean = self.mean_row(&reconstruction);
        reconstruction / self.scale + mean
    }

    fn mean_row(&self, rows: &Tensor<2>) -> Tensor<2> {
        let data = TensorData::new(self.mean.clone(), [1, self.mean.len()]);
        Tensor::from_data(data, &rows.device())
    }
}

impl FileInfo {
    /// By what a file with these `bytes` is known.
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }

    fn check(&self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let found = Self::of(bytes);
        let reason = if found.bytes != self.bytes {
            format!("{} bytes where the manifest says {}", found.bytes, self.bytes)
        } else if found.sha256 != self.sha256 {
            format!("its SHA-256 is {}, the manifest says {}", found.sha256, self.sha256)
        } else {
            return Ok(());
        };
        let file = name.to_string();
        Err(BundleError::Damaged { file, reason })
    }
}

fn file<'f>(files: &'f Files, name: &str) -> Result<&'f Vec<u8>, BundleError> {
    files.get(name).ok_or_else(|| BundleError::MissingFile(name.to_string()))
}

/// What every version of the manifest has.
#[derive(Deserialize)]
struct Header {
    schema: u32,
}

fn parse<'a, T: Deserialize<'a>>(file: &str, bytes: &'a [u8]) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|error| json_error(file, &error))
}

fn json_bytes(file: &str, value: &impl Serialize) -> Result<Vec<u8>, BundleError> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| json_error(file, &error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn json_error(file: &str, error: &serde_json::Error) -> BundleError {
    BundleError::Json { file: file.to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests;
