//! The folder of a run: locked while a trainer works in it, every file whole or not there.

pub mod finished;
pub mod snapshot_file;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::bundle::hex;

use crate::complaint::Complaint;
use crate::files::write_whole;
use crate::side_by_side::locked;
use crate::train::Snapshot;

/// The last file of a run; a folder that has it is finished.
pub const FINAL_INFO: &str = "final_info.json";
/// All settings that the results depend on.
pub const CONFIG: &str = "config.json";
/// What an unfinished run has reached.
const CHECKPOINTS: &str = "checkpoint";
const LOCK: &str = ".lock";
const LOG: &str = "log.txt";

/// A folder in which a run works.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The digest of the configuration that was claimed.
    configuration: Mutex<String>,
    /// The system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl RunFolder {
    /// Whether the run in this folder is finished. What a killed trainer left behind after its last
    /// result is cleared away.
    pub fn is_finished(path: &Path) -> bool {
        let finished = path.join(FINAL_INFO).is_file() && path.join(CONFIG).is_file();
        if finished && path.join(CHECKPOINTS).exists() {
            // It is as finished without this.
            let _ = fs::remove_dir_all(path.join(CHECKPOINTS));
        }
        finished
    }

    /// Opens the folder of an unfinished run, or makes it; `None` if it has been finished since.
    ///
    /// # Errors
    /// The folder cannot be made, holds something else, or another trainer works in it.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        refuse_foreign(path)?;
        let unwritable = |error: &std::io::Error| {
            Complaint::usage(format!("cannot write in {}: {error}", path.display()))
                .fix("choose a folder that you may write in: --out_dir=PATH/run_1")
        };
        fs::create_dir_all(path).map_err(|error| unwritable(&error))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(|error| unwritable(&error))?;
        match lock.try_lock() {
            Ok(()) if Self::is_finished(path) => Ok(None),
            Ok(()) => {
                sweep(path);
                let configuration = Mutex::default();
                Ok(Some(Self { path: path.into(), configuration, _lock: lock }))
            }
            Err(TryLockError::WouldBlock) => {
                let what = format!("another trainer works in {}", path.display());
                Err(Complaint::usage(what).fix("wait for it, or choose another folder").into())
            }
            Err(TryLockError::Error(error)) => Err(unwritable(&error).into()),
        }
    }

    /// Where a file of the run is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// The disk is full or the folder gone.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        write_whole(&path, bytes).map_err(|error| {
            Complaint::failed(format!("cannot write {}: {error}", path.display()))
                .fix("make room or make the folder writable; the same command then goes on")
                .into()
        })
    }

    /// Writes the configuration, or compares it with the one that the folder was begun with.
    ///
    /// # Errors
    /// The folder was begun with another configuration.
    pub fn claim(&self, config: &Value) -> Result<()> {
        let path = self.path.join(CONFIG);
        *locked(&self.configuration) = digest(config);
        if !path.exists() {
            let mut bytes = serde_json::to_vec_pretty(config)?;
            bytes.push(b'\n');
            return self.write(CONFIG, &bytes);
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let other: Value = serde_json::from_slice(&bytes).map_err(|error| {
            Complaint::usage(format!("{} is damaged: {error}", path.display()))
                .fix("choose another folder, or delete this one")
        })?;
        let mut keys = vec![];
        differing("", &other, config, &mut keys);
        if keys.is_empty() {
            return Ok(());
        }
        let what = format!("{} was begun with another configuration", self.path.display());
        Err(Complaint::usage(what)
            .detail("differs", keys.join("\n           "))
            .fix("set these as they were, choose another folder, or delete this one")
            .into())
    }

    /// Keeps what a training has reached.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, name: &str, snapshot: &Snapshot) -> Result<()> {
        self.write(&checkpoint(name), &snapshot_file::to_bytes(&self.identity(name), snapshot)?)
    }

    /// Of what a checkpoint is.
    fn identity(&self, name: &str) -> String {
        format!("{name} of {}", locked(&self.configuration))
    }

    /// What a training has reached, if there is something.
    ///
    /// # Errors
    /// The checkpoint is truncated, foreign, or of another training.
    pub fn load(&self, name: &str) -> Result<Option<Snapshot>> {
        let path = self.path.join(checkpoint(name));
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        match snapshot_file::from_bytes(&self.identity(name), &bytes) {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) => Err(self.damaged(name, &error).into()),
        }
    }

    /// What to say of a checkpoint that a training cannot go on from.
    pub fn damaged(&self, name: &str, error: &anyhow::Error) -> Complaint {
        let path = self.path.join(checkpoint(name));
        Complaint::failed(format!("{} is damaged: {error:#}", path.display()))
            .fix("delete this file; the same command then trains this part again")
    }

    /// Removes all that only an unfinished run needs.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove_checkpoints(&self) -> Result<()> {
        let path = self.path.join(CHECKPOINTS);
        if path.exists() {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

/// The file of a checkpoint, with no character that a file name must not have.
fn checkpoint(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    format!("{CHECKPOINTS}/{}.safetensors", name.chars().map(plain).collect::<String>())
}

/// Removes what a killed trainer had begun to write.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sweep(&path);
        } else if path.extension().is_some_and(|extension| extension == "part") {
            // A leftover harms nobody but by its size.
            let _ = fs::remove_file(path);
        }
    }
}

/// By what a configuration is known.
pub fn digest(configuration: &Value) -> String {
    hex(&Sha256::digest(configuration.to_string()))[..16].to_string()
}

/// A folder that has files, but not of a run, belongs to somebody else.
fn refuse_foreign(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let own = |name: &str| [CONFIG, LOCK, LOG].contains(&name) || name.ends_with(".part");
    let entries = fs::read_dir(path).map_err(|error| {
        Complaint::usage(format!("cannot use {} as a run folder: {error}", path.display()))
            .fix("choose a folder that does not exist yet: --out_dir=PATH/run_1")
    })?;
    let names: Vec<String> = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    let begun = names.iter().any(|name| name == CONFIG);
    match names.iter().find(|name| !own(name)) {
        Some(name) if !begun => {
            let what = format!("{} is not a run folder: it holds {name:?}", path.display());
            Err(Complaint::usage(what)
                .fix("choose a folder that is empty or does not exist yet")
                .into())
        }
        _ => Ok(()),
    }
}

/// The keys in which two configurations differ, but for what made them.
fn differing(key: &str, one: &Value, other: &Value, keys: &mut Vec<String>) {
    if key == "csae" {
        return;
    }
    if let (Value::Object(one), Value::Object(other)) = (one, other) {
        let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let value = |of: &serde_json::Map<String, Value>| of.get(name).cloned();
            let (one, other) = (value(one).unwrap_or_default(), value(other).unwrap_or_default());
            differing(&inner, &one, &other, keys);
        }
    } else if one != other {
        keys.push(format!("{key}: {one} there, {other} here"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(path: &Path) -> String {
        RunFolder::open(path).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_is_worked_in_by_one_trainer_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/run_1");

        let first = RunFolder::open(&path).unwrap();

        assert!(first.is_some());
        assert!(error(&path).contains("another trainer works in"), "{}", error(&path));
        drop(first);
        assert!(RunFolder::open(&path).unwrap().is_some());
    }

    #[test]
    fn foreign_folders_and_files_are_refused_untouched() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), "mine").unwrap();
        let file = root.path().join("thesis.tex");

        assert!(error(root.path()).contains("it holds \"thesis.tex\""));
        assert!(error(&file).contains("as a run folder"), "{}", error(&file));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_configuration_is_refused_with_the_differing_keys() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(root.path()).unwrap().unwrap();
        folder.claim(&json!({"csae": "1", "lm": {"d_model": 128, "seed": 1}})).unwrap();

        folder.claim(&json!({"csae": "2", "lm": {"d_model": 128, "seed": 1}})).unwrap();
        let error = folder.claim(&json!({"csae": "1", "lm": {"d_model": 64, "seed": 1}}));

        let text = error.unwrap_err().to_string();
        assert!(text.contains("lm.d_model: 128 there, 64 here"), "{text}");
        assert!(!text.contains("seed"), "{text}");
    }

    #[test]
    fn a_checkpoint_comes_back_and_a_damaged_one_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(root.path()).unwrap().unwrap();
        let snapshot = Snapshot { step: 7, seconds: 1.5, ..Snapshot::default() };

        folder.save("topk lr=0.001", &snapshot).unwrap();
        let back = folder.load("topk lr=0.001").unwrap().unwrap();

        assert_eq!((back.step, back.seconds), (7, 1.5));
        assert!(folder.load("other").unwrap().is_none());
        let path = folder.path("checkpoint/topk_lr_0.001.safetensors");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let text = folder.load("topk lr=0.001").unwrap_err().to_string();
        assert!(text.contains("is damaged") && text.contains("delete this file"), "{text}");
    }

    #[test]
    fn a_finished_folder_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(FINAL_INFO), "{}").unwrap();
        assert!(!RunFolder::is_finished(root.path()));
        fs::write(root.path().join(CONFIG), "{}").unwrap();

        assert!(RunFolder::is_finished(root.path()));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_a_killed_trainer_left_is_cleared_away() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(root.path()).unwrap().unwrap();
        folder.claim(&json!({"seed": 1})).unwrap();
        folder.save("lm", &Snapshot::default()).unwrap();
        drop(folder);
        fs::create_dir_all(root.path().join("export")).unwrap();
        fs::write(root.path().join("export/bundle.json.77.part"), "half").unwrap();

        let folder = RunFolder::open(root.path()).unwrap().unwrap();
        assert!(!root.path().join("export/bundle.json.77.part").exists());
        assert!(root.path().join("checkpoint/lm.safetensors").exists());
        folder.write(FINAL_INFO, b"{}").unwrap();
        drop(folder);
        assert!(RunFolder::is_finished(root.path()));
        assert!(!root.path().join("checkpoint").exists());
    }

    #[test]
    fn a_checkpoint_of_another_training_or_configuration_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(root.path()).unwrap().unwrap();
        folder.claim(&json!({"seed": 1})).unwrap();
        folder.save("topk", &Snapshot::default()).unwrap();

        let path = |name: &str| folder.path(&format!("checkpoint/{name}.safetensors"));
        fs::copy(path("topk"), path("attention")).unwrap();
        let text = folder.load("attention").unwrap_err().to_string();
        assert!(text.contains("it is \"topk of ") && text.contains("fix: delete"), "{text}");

        fs::remove_file(folder.path(CONFIG)).unwrap();
        folder.claim(&json!({"seed": 2})).unwrap();
        assert!(folder.load("topk").is_err());
    }
}
