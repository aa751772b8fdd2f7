//! Costly results that other runs need, too: trained language models, recorded activations.
//!
//! A result is known by the content of its configuration, so a changed configuration never meets a
//! stale one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::activations::{RecordedFile, Recording};
use crate::complaint::Complaint;
use crate::console::Console;
use crate::files::write_whole;
use crate::run_folder::digest;
use crate::run_folder::snapshot_file::{from_bytes, from_note, note, to_bytes};
use crate::train::Snapshot;
use anyhow::{Context, Result};
use serde_json::Value;

/// The folder of the cache.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where it is; made when something is kept.
    pub folder: PathBuf,
}

/// After how long a half-written file of a killed trainer is removed.
const OLD: Duration = Duration::from_secs(24 * 3600);

impl Cache {
    /// Makes sure that results can be kept, before hours are spent on them, and removes what killed
    /// trainers left long ago.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn prepare(&self) -> Result<(), Complaint> {
        let probe = self.folder.join("probe");
        write_whole(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(|error| {
            Complaint::usage(format!("cannot write in {}: {error}", self.folder.display()))
                .fix("set CSAE_CACHE to a folder that you may write in")
        })?;
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let old = |time: SystemTime| time.elapsed().is_ok_and(|age| age > OLD);
            let modified = entry.metadata().and_then(|data| data.modified());
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "part") && modified.is_ok_and(old) {
                // It harms nobody but by its size.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// What is kept for this configuration. A damaged file is as good as none, and is replaced.
    pub fn find(&self, kind: &str, configuration: &Value, console: &Console) -> Option<Snapshot> {
        let path = self.path(kind, configuration);
        let bytes = fs::read(&path).ok()?;
        let snapshot = from_bytes(&identity(kind, configuration), &bytes);
        reused(kind, &path, snapshot, console)
    }

    /// As [`find`](Self::find), rows that stay in their file.
    pub fn find_rows(
        &self,
        kind: &str,
        configuration: &Value,
        console: &Console,
    ) -> Option<RecordedFile> {
        let path = self.path(kind, configuration);
        if !path.exists() {
            return None;
        }
        let opened = RecordedFile::open(&path).and_then(|(file, note)| {
            from_note(&identity(kind, configuration), &note)?;
            Ok(file)
        });
        reused(kind, &path, opened, console)
    }

    /// Records rows into the file for this configuration; tells `progress` how many there are.
    ///
    /// # Errors
    /// They cannot be written, or the user stops it.
    pub fn record_rows(
        &self,
        kind: &str,
        configuration: &Value,
        recording: &Recording,
        progress: &mut dyn FnMut(usize),
    ) -> Result<RecordedFile> {
        let path = self.path(kind, configuration);
        let note = note(&identity(kind, configuration), &Snapshot::default())?;
        RecordedFile::record(&path, note, recording, progress)?;
        Ok(RecordedFile::open(&path)?.0)
    }

    /// Keeps a result for this configuration.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, kind: &str, configuration: &Value, result: &Snapshot) -> Result<()> {
        let path = self.path(kind, configuration);
        let bytes = to_bytes(&identity(kind, configuration), result)?;
        write_whole(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    fn path(&self, kind: &str, configuration: &Value) -> PathBuf {
        let kind = kind.replace(' ', "_");
        self.folder.join(format!("{kind}-{}.safetensors", digest(configuration)))
    }
}

/// Says whether what lies at `path` serves again.
fn reused<T>(kind: &str, path: &Path, found: Result<T>, console: &Console) -> Option<T> {
    match found {
        Ok(found) => {
            let megabytes = fs::metadata(path).map_or(0.0, |data| data.len() as f64 / 1e6);
            console.say(&format!("{kind} reused: {} ({megabytes:.1} MB)", path.display()));
            Some(found)
        }
        Err(error) => {
            console.say(&format!("{} is damaged ({error:#}): made again", path.display()));
            None
        }
    }
}

fn identity(kind: &str, configuration: &Value) -> String {
    format!("{kind} of {}", digest(configuration))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_same_configuration_meets_a_result() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { folder: folder.path().join("cache") };
        let console = Console::new();
        let result = Snapshot { step: 3, ..Snapshot::default() };

        cache.keep("model", &json!({"seed": 1}), &result).unwrap();

        let step = |kind: &str, seed: u64| {
            cache.find(kind, &json!({ "seed": seed }), &console).map(|found| found.step)
        };
        assert_eq!(step("model", 1), Some(3));
        assert_eq!(step("model", 2), None);
        assert_eq!(step("rows", 1), None);
        let path = cache.path("model", &json!({"seed": 1}));
        fs::write(path, b"half a file").unwrap();
        assert_eq!(step("model", 1), None);
    }
}
