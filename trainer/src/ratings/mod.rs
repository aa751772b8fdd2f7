//! `trainer ratings`: what raters handed over, checked, merged with the key, measured.

mod collect;
mod measures;
mod told;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use shared::digest::sha256;
use shared::study::Study;

use crate::complaint::Complaint;
use crate::console::Console;
use crate::files::write_whole;
use crate::study::StudyKey;

/// Merges what raters of a study handed over, and measures how well they agree.
///
/// Example:
///   trainer ratings --study=site/data/study/pilot.json --key=run_3/study_key/pilot.json \
///       --out=run_3/ratings answers/
///
/// Reads .jsonl files and texts with pasted letters. What is wrong with a file is told with its line;
/// the others count. Exits with 0 if at least one file is usable, with 1 if none is.
#[derive(Args, Clone, Debug)]
#[command(verbatim_doc_comment)]
pub struct RatingsArgs {
    /// The study as it was deployed
    #[arg(long, value_name = "FILE")]
    study: PathBuf,
    /// Its key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where ratings.csv, raters.csv, by_method.csv and agreement.json go
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Decides about the items that are drawn anew for intervals
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Files of raters, or folders of them
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
}

/// A study with its key.
#[derive(Clone, Debug)]
struct Keyed {
    study: Study,
    sha256: String,
    key: StudyKey,
}

/// Reads everything, tells what was refused, writes the tables.
///
/// # Errors
/// Study and key do not belong together, no file is usable, or a table cannot be written.
pub fn run(arguments: &RatingsArgs, console: &Console) -> Result<()> {
    let keyed = Keyed::read(&arguments.study, &arguments.key)?;
    let collected = collect::collect(&arguments.files, &keyed)?;
    for line in &collected.told {
        console.say(line);
    }
    if collected.raters.is_empty() {
        let what = format!("none of {} files is usable", collected.files);
        let fix = "the lines above say what is wrong with each";
        return Err(Complaint::failed(what).fix(fix).into());
    }
    let found = measures::measure(&keyed, &collected.raters, arguments.seed);
    let mut agreement = serde_json::to_vec_pretty(&told::agreement(&keyed, &collected, &found))?;
    agreement.push(b'\n');
    for (name, bytes) in [
        ("ratings.csv", told::ratings(&keyed, &collected.raters).into_bytes()),
        ("raters.csv", told::raters(&collected.raters).into_bytes()),
        ("by_method.csv", told::by_method(&found).into_bytes()),
        ("agreement.json", agreement),
    ] {
        let path = arguments.out.join(name);
        write_whole(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    console.say(&format!("tables: {}", arguments.out.display()));
    // Whoever reads the table may have gone; the results are in the folder.
    let _ = writeln!(std::io::stdout(), "{}", told::summary(&keyed, &collected, &found));
    Ok(())
}

impl Keyed {
    fn read(study_path: &Path, key_path: &Path) -> Result<Self> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| {
                Complaint::usage(format!("cannot read {}: {error}", path.display()))
                    .fix("trainer study has written both, the study and its key")
            })
        };
        let (bytes, key_bytes) = (read(study_path)?, read(key_path)?);
        let unusable = |path: &Path, reason: &dyn std::fmt::Display| {
            Complaint::usage(format!("cannot use {}: {reason}", path.display()))
                .fix("give --study and --key as trainer study has written them")
        };
        let study = Study::read(&bytes).map_err(|error| unusable(study_path, &error))?;
        let key: StudyKey =
            serde_json::from_slice(&key_bytes).map_err(|error| unusable(key_path, &error))?;
        let sha256 = sha256(&bytes);
        if key.study_sha256 != sha256 {
            let reason = format!("it is of another study than {}", study_path.display());
            return Err(unusable(key_path, &reason).into());
        }
        if let Some(item) = study.items.iter().find(|item| !key.items.contains_key(&item.id)) {
            return Err(unusable(key_path, &format!("it lacks item {}", item.id)).into());
        }
        Ok(Self { study, sha256, key })
    }
}
