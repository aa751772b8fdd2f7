//! Costly results that other runs need, too: trained language models, recorded activations.
//!
//! A result is known by the content of its configuration, so a changed configuration never meets a
//! stale one.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::bundle::hex;

use crate::console::Console;
use crate::files::write_whole;
use crate::run_folder::{from_bytes, to_bytes};
use crate::train::Snapshot;

/// The folder of the cache.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where it is; made when something is kept.
    pub folder: PathBuf,
}

impl Cache {
    /// What is kept for this configuration. A damaged file is as good as none, and is replaced.
    pub fn find(&self, kind: &str, configuration: &Value, console: &Console) -> Option<Snapshot> {
        let path = self.path(kind, configuration);
        let bytes = fs::read(&path).ok()?;
        match from_bytes(&bytes) {
            Ok(snapshot) => {
                let megabytes = bytes.len() as f64 / 1e6;
                console.say(&format!("{kind} reused: {} ({megabytes:.1} MB)", path.display()));
                Some(snapshot)
            }
            Err(error) => {
                console.say(&format!("{} is damaged ({error:#}): made again", path.display()));
                None
            }
        }
    }

    /// Keeps a result for this configuration.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, kind: &str, configuration: &Value, result: &Snapshot) -> Result<()> {
        let path = self.path(kind, configuration);
        write_whole(&path, &to_bytes(result)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn path(&self, kind: &str, configuration: &Value) -> PathBuf {
        let digest = hex(&Sha256::digest(configuration.to_string()));
        self.folder.join(format!("{}-{}.safetensors", kind.replace(' ', "_"), &digest[..16]))
    }
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
