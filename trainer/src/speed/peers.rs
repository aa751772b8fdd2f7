//! Runs what others would run: Python scripts, each of which prints one line of JSON.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use burn::prelude::Device;
use serde::Deserialize;
use shared::kernels::on_processor;

use super::ratios::Times;
use super::tasks::Task;
use crate::complaint::Complaint;
use crate::interrupt;

/// The peers' scripts, and what runs them.
#[derive(Clone, Debug)]
pub struct Peers {
    folder: PathBuf,
    python: PathBuf,
    threads: usize,
    /// On what PyTorch computes, in its words.
    device: &'static str,
}

/// The line that a peer prints, in milliseconds.
#[derive(Debug, Deserialize)]
struct Line {
    name: String,
    tenth: f64,
    median: f64,
    ninetieth: f64,
    count: usize,
}

impl Peers {
    /// The scripts in a folder, on as many threads as we have and on the same device, as far as
    /// PyTorch knows it.
    ///
    /// # Errors
    /// A script is missing.
    pub fn find(folder: &Path, python: &Path, device: &Device) -> Result<Self, Complaint> {
        for task in Task::all() {
            let script = folder.join(task.script().file);
            if !script.is_file() {
                return Err(Complaint::usage(format!("{} is not there", script.display()))
                    .fix("--peers is the folder scripts/peers of csae's source"));
            }
        }
        Ok(Self {
            folder: folder.into(),
            python: python.into(),
            threads: rayon::current_num_threads(),
            device: match on_processor(device) {
                true => "cpu",
                false if cfg!(target_os = "macos") => "mps",
                false => "cuda",
            },
        })
    }

    /// What the peer calls itself, and how long it takes.
    ///
    /// # Errors
    /// It cannot run, or it prints something else; or the user stops it.
    pub fn time(&self, task: Task, seconds: f64) -> Result<(String, Times)> {
        interrupt::check()?;
        let script = task.script();
        let path = self.folder.join(script.file);
        let output = Command::new(&self.python)
            .arg(&path)
            .args(script.arguments)
            .args([format!("--seconds={seconds}"), format!("--threads={}", self.threads)])
            .arg(format!("--device={}", self.device))
            .output();
        let output = output.map_err(|error| {
            Complaint::usage(format!("cannot run {}: {error}", self.python.display()))
                .fix("name a Python with --python")
        })?;
        interrupt::check()?;
        let line = String::from_utf8_lossy(&output.stdout);
        let line = line.lines().last().and_then(|line| serde_json::from_str::<Line>(line).ok());
        match line.filter(|line| output.status.success() && line.median > 0.0) {
            Some(Line { name, tenth, median, ninetieth, count }) => {
                Ok((name, Times { tenth, median, ninetieth, count }))
            }
            None => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
                Err(Complaint::failed(format!("{} did not measure anything", path.display()))
                    .detail("it said", last)
                    .fix(format!(
                        "{} -m pip install -r {}",
                        self.python.display(),
                        self.folder.join("requirements.txt").display()
                    ))
                    .into())
            }
        }
    }
}
