//! A snapshot of a training as a safetensors file: a checkpoint, or a result in the cache.

use anyhow::{Context, Result};
use shared::weights::{self, Weights};

use crate::train::Snapshot;

/// The form of checkpoints and cached results; another number is another meaning.
const FORM: u32 = 1;

/// A snapshot as a safetensors file that says of what it is.
///
/// # Errors
/// A shape does not fit its values.
pub fn to_bytes(identity: &str, snapshot: &Snapshot) -> Result<Vec<u8>> {
    let note = note(identity, snapshot)?;
    Ok(weights::to_bytes(&snapshot.weights, weights::Precision::F32, Some(note))?)
}

/// What stands in the file beside the tensors of `snapshot`.
///
/// # Errors
/// A measured number cannot be written.
pub fn note(identity: &str, snapshot: &Snapshot) -> Result<String> {
    Ok(serde_json::to_string(&Note {
        form: FORM,
        identity: identity.into(),
        step: snapshot.step,
        seconds: snapshot.seconds,
        metrics: snapshot.metrics.clone(),
    })?)
}

/// The snapshot in a safetensors file.
///
/// # Errors
/// The file is truncated, not one of ours, or of something else.
pub fn from_bytes(identity: &str, bytes: &[u8]) -> Result<Snapshot> {
    let (weights, note) = weights::from_bytes(bytes)?;
    let note = note.context("a safetensors file, but not one that csae wrote")?;
    Ok(Snapshot { weights, ..from_note(identity, &note)? })
}

/// The snapshot of which `note` is, without its tensors.
///
/// # Errors
/// It is not one of ours, or of something else.
pub fn from_note(identity: &str, note: &str) -> Result<Snapshot> {
    let Note { form, identity: found, step, seconds, metrics } = serde_json::from_str(note)?;
    anyhow::ensure!(form == FORM, "it has the form {form}, this csae reads form {FORM}");
    anyhow::ensure!(found == identity, "it is {found:?}, not {identity:?}");
    Ok(Snapshot { weights: Weights::new(), step, seconds, metrics })
}

/// What stands in a checkpoint beside the tensors.
#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    form: u32,
    identity: String,
    step: u64,
    seconds: f64,
    metrics: Vec<shared::report::Metric>,
}
