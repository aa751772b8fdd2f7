//! `trainer site`: the files that the explorer loads, made from finished runs.

mod files;
mod index;
pub(crate) mod source;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use shared::site::{MANIFEST, SCHEMA, SiteManifest};

use crate::complaint::Complaint;
use crate::console::Console;
use crate::files::write_whole;
use source::FinishedRun;

/// The explorer's data from finished runs; `trunk serve` and `trunk build` take it from site/data.
#[derive(Args, Clone, Debug)]
pub struct SiteArgs {
    /// Folders of finished runs; the first is shown first
    #[arg(long, value_name = "FOLDERS", value_delimiter = ',', required = true)]
    runs: Vec<PathBuf>,
    /// Where the data goes; what an earlier call wrote there for the same runs is replaced
    #[arg(long, value_name = "FOLDER", default_value = "site/data")]
    out: PathBuf,
    /// Which of a run's autoencoders is shown; without it, the first whose features combine
    #[arg(long)]
    model: Option<String>,
}

/// Writes what the explorer needs of the runs, the list of runs last.
///
/// # Errors
/// A run is not finished or damaged, or a file cannot be written.
pub fn run(arguments: &SiteArgs, console: &Console) -> Result<()> {
    let mut runs = vec![];
    for folder in &arguments.runs {
        let source = FinishedRun::read(folder, arguments.model.as_deref())?;
        if runs.iter().any(|run: &shared::site::SiteRun| run.name == source.name) {
            let what = format!("two runs are called {}", source.name);
            return Err(Complaint::usage(what).fix("name each run once").into());
        }
        let files = files::of(&source)?;
        let run = files::describe(&source, &files);
        let place = arguments.out.join(&run.name);
        if place.exists() {
            std::fs::remove_dir_all(&place)
                .with_context(|| format!("cannot replace {}", place.display()))?;
        }
        for (name, bytes) in &files {
            let path = place.join(name);
            write_whole(&path, bytes)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let bytes: usize = files.values().map(Vec::len).sum();
        console.say(&format!(
            "{}: {} files, {:.2} MB, of which the model {:.2} MB",
            run.name,
            files.len(),
            bytes as f64 / 1e6,
            run.model_bytes as f64 / 1e6
        ));
        runs.push(run);
    }
    let manifest = SiteManifest { schema: SCHEMA, made_by: crate::version(), runs };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    let path = arguments.out.join(MANIFEST);
    write_whole(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    console.say(&format!("wrote {}; look at it with: trunk serve", path.display()));
    Ok(())
}
