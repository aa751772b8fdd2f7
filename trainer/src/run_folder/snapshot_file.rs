//! A snapshot of a training as a safetensors file: a checkpoint, or a result in the cache.

use anyhow::{Context, Result};
use shared::weights;

use crate::train::Snapshot;

/// The form of checkpoints and cached results; another number is another meaning.
const FORM: u32 = 1;

/// A snapshot as a safetensors file that says of what it is.
///
/// # Errors
/// A shape does not fit its values.
pub fn to_bytes(identity: &str, snapshot: &Snapshot) -> Result<Vec<u8>> {
    let note = Note {
        form: FORM,
        identity: identity.into(),
        step: snapshot.step,
        seconds: snapshot.seconds,
        metrics: snapshot.metrics.clone(),
    };
    let note = serde_json::to_string(&note)?;
    Ok(weights::to_bytes(&snapshot.weights, weights::Precision::F32, Some(note))?)
}

/// The snapshot in a safetensors file.
///
/// # Errors
/// The file is truncated, not one of ours, or of something else.
pub fn from_bytes(identity: &str, bytes: &[u8]) -> Result<Snapshot> {
    let (weights, note) = weights::from_bytes(bytes)?;
    let note = note.context("a safetensors file, but not one that csae wrote")?;
    let Note { form, identity: found, step, seconds, metrics } = serde_json::from_str(&note)?;
    anyhow::ensure!(form == FORM, "it has the form {form}, this csae reads form {FORM}");
    anyhow::ensure!(found == identity, "it is {found:?}, not {identity:?}");
    Ok(Snapshot { weights, step, seconds, metrics })
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
