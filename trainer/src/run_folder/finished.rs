//! Reads what a finished run has left in its folder.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::complaint::Complaint;

/// What a JSON file says.
///
/// # Errors
/// It cannot be read, or says something else.
pub fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Complaint> {
    let bytes = fs::read(path).map_err(|error| damaged(path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, &error))
}

/// The complaint about a file that is not as a run leaves it.
pub fn damaged(path: &Path, reason: &dyn Display) -> Complaint {
    Complaint::failed(format!("cannot use {}: {reason}", path.display()))
        .fix("delete the run's folder and run it again")
}
