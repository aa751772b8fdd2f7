//! `trainer report`: tables, plots and text of several finished runs together, from what they have
//! recorded. Trains nothing and loads no model.

mod claims;
mod own;
mod plots;
mod published;
mod recorded;
mod table;
mod tables;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use shared::bundle::Files;

use crate::complaint::Complaint;
use crate::console::Console;
use crate::files::write_whole;
use crate::output::folder;
use crate::run_folder::CONFIG;
use recorded::Recorded;

/// Tables, plots and text of several finished runs, from their recorded results, without training
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Folders of finished runs
    #[arg(long, value_name = "FOLDERS", value_delimiter = ',', required = true)]
    runs: Vec<PathBuf>,
    /// Where the report goes; begin with its report.md
    #[arg(long, value_name = "FOLDER", default_value = "report")]
    out: PathBuf,
}

/// Writes the report.
///
/// # Errors
/// A folder is not that of a finished run or is damaged, or a file cannot be written.
pub fn run(arguments: &ReportArgs, console: &Console) -> Result<()> {
    refuse_a_run(&arguments.out)?;
    let mut runs: Vec<Recorded> = vec![];
    for folder in &arguments.runs {
        let run = Recorded::read(folder)?;
        if runs.iter().any(|other| other.name == run.name) {
            let what = format!("two runs are called {}", run.name);
            return Err(Complaint::usage(what)
                .detail("folder", folder.display())
                .fix("name each run once; rename one of two folders of the same name")
                .into());
        }
        runs.push(run);
    }
    let files = files(&runs)?;
    for (name, bytes) in &files {
        let path = arguments.out.join(name);
        write_whole(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let path = arguments.out.join("report.md");
    console.say(&format!("{} files; begin with {}", files.len(), path.display()));
    Ok(())
}

/// A report in a run's folder would look like a part of the run.
fn refuse_a_run(out: &Path) -> Result<(), Complaint> {
    match out.join(CONFIG).exists() {
        false => Ok(()),
        true => Err(Complaint::usage(format!("{} is the folder of a run", out.display()))
            .fix("choose another --out, as in --out=report")),
    }
}

/// All files of a report by name.
fn files(runs: &[Recorded]) -> Result<Files> {
    let tables = tables::all(runs);
    let charts = plots::all(runs);
    let claims = claims::of(runs);
    let mut files = Files::new();
    for table in &tables {
        files.insert(format!("{}.csv", table.name), table.csv().into_bytes());
        files.insert(format!("{}.md", table.name), table.markdown().into_bytes());
    }
    for (name, chart) in &charts {
        files.extend(folder::plot(name, chart)?);
    }
    for run in runs {
        let own = run.own.files.iter();
        files.extend(own.map(|(name, bytes)| (format!("{}/{name}", run.name), bytes.clone())));
    }
    let text = text::of(runs, &claims, &tables, &charts);
    files.insert("report.md".into(), text.into_bytes());
    Ok(files)
}
