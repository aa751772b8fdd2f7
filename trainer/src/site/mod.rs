//! `trainer site`: the files that the explorer loads, made from finished runs.

mod files;
mod index;
pub(crate) mod source;

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use shared::site::{INDEX, MANIFEST, SCHEMA, SiteManifest, SiteRun};

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
    /// Where the data goes; the runs that an earlier call wrote there are replaced
    #[arg(long, value_name = "FOLDER", default_value = "site/data")]
    out: PathBuf,
    /// Which of a run's autoencoders is shown; without it, the first whose features combine
    #[arg(long)]
    model: Option<String>,
}

/// Writes what the explorer needs of the runs, then the list of runs; removes runs that it listed before.
///
/// # Errors
/// A run is not finished or damaged, or a file cannot be written.
pub fn run(arguments: &SiteArgs, console: &Console) -> Result<()> {
    let listed = listed(&arguments.out);
    let mut runs = vec![];
    for folder in &arguments.runs {
        let source = FinishedRun::read(folder, arguments.model.as_deref())?;
        if runs.iter().any(|run: &SiteRun| run.name == source.name) {
            let what = format!("two runs are called {}", source.name);
            return Err(Complaint::usage(what).fix("name each run once").into());
        }
        runs.push(write_run(&source, folder, &arguments.out, console)?);
    }
    let manifest = SiteManifest { schema: SCHEMA, made_by: crate::version(), runs };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    let path = arguments.out.join(MANIFEST);
    write_whole(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    for name in listed.iter().filter(|name| manifest.runs.iter().all(|run| run.name != **name)) {
        let place = arguments.out.join(name);
        std::fs::remove_dir_all(&place)
            .with_context(|| format!("cannot remove {}", place.display()))?;
        console.say(&format!("{name}: removed, as it is no longer shown"));
    }
    console.say(&format!("wrote {}; look at it with: trunk serve", path.display()));
    Ok(())
}

/// Writes what the explorer needs of the run in `folder` into `out`.
fn write_run(
    source: &FinishedRun,
    folder: &Path,
    out: &Path,
    console: &Console,
) -> Result<SiteRun> {
    let files = files::of(source)?;
    let run = files::describe(source, &files);
    let place = out.join(&run.name);
    if place.exists() {
        if place.canonicalize()? == folder.canonicalize()? {
            let what = format!("the data would replace the run {} itself", folder.display());
            return Err(Complaint::usage(what).fix("choose another --out").into());
        }
        std::fs::remove_dir_all(&place)
            .with_context(|| format!("cannot replace {}", place.display()))?;
    }
    for (name, bytes) in &files {
        let path = place.join(name);
        write_whole(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let bytes: usize = files.values().map(Vec::len).sum();
    console.say(&format!(
        "{}: {} files, {:.2} MB, of which the model {:.2} MB",
        run.name,
        files.len(),
        bytes as f64 / 1e6,
        run.model_bytes as f64 / 1e6
    ));
    Ok(run)
}

/// The runs that the list in `out` names, as far as they are folders with a run's data right in `out`.
fn listed(out: &Path) -> Vec<String> {
    let read = std::fs::read(out.join(MANIFEST)).ok();
    let manifest = read.and_then(|bytes| serde_json::from_slice::<SiteManifest>(&bytes).ok());
    let is_run = |name: &String| {
        let mut parts = Path::new(name).components();
        let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        let place = out.join(name);
        is_plain && !place.is_symlink() && place.join(INDEX).is_file()
    };
    let names = manifest.unwrap_or_default().runs.into_iter().map(|run| run.name);
    names.filter(is_run).collect()
}
