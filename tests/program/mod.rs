//! The trainer as a user starts it: in a folder of its own, in the smallest profile, with a text.

#![allow(dead_code)] // each test uses a part of it

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A folder in which the trainer is started.
pub struct Program {
    root: tempfile::TempDir,
}

impl Program {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let line = |i: u32| format!("{i} plus {} is {}\n", i % 7, i + i % 7);
        let text: String = (0..4_000).map(line).collect();
        let file = root.path().join("texts/shakespeare_char/input.txt");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        Self { root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
        command
            .args(arguments)
            .current_dir(self.root.path())
            .env("CSAE_DATA", self.path("texts"))
            .env("CSAE_DEVICE", "cpu")
            .env("CSAE_PROFILE", "smoke");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts the trainer and sends it a signal after so many milliseconds; `None` if it ended
    /// before by itself, which must have been a success.
    pub fn signal_after(
        &self,
        arguments: &[&str],
        milliseconds: u64,
        signal: &str,
    ) -> Option<ExitStatus> {
        let mut child =
            self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(milliseconds) {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return None;
            }
            sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        let status = child.wait().unwrap();
        if status.success() { None } else { Some(status) }
    }

    /// All files below a folder by their names from there, with their bytes.
    pub fn contents(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let root = self.path(folder);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                    files.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
        files
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Takes out what depends on how fast the machine was.
pub fn remove_times(value: &mut serde_json::Value) {
    const TIMES: [&str; 3] = ["time", "seconds", "tokens_per_second"];
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| !TIMES.iter().any(|time| key.contains(time)));
            map.values_mut().for_each(remove_times);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(remove_times),
        _ => {}
    }
}
