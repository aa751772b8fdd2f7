//! `trainer study`: a small blind study from a finished run. Raters see lines and no methods; which
//! item is of which method stands in the key, which is never written beside what is deployed.

mod firings;
mod items;
mod key;
mod place;
mod units;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use shared::digest::sha256;
use shared::study::{Study, is_plain};

use crate::complaint::Complaint;
use crate::console::Console;
use crate::files::write_whole;
use crate::settings::Settings;
use crate::site::source::FinishedRun;

pub use key::{GOLD, KeyItem, LeftOut, StudyKey};

/// A blind study of a finished run, for raters in the browser.
///
/// Examples:
///   trainer study --run=run_3 --name=pilot --contact=me@example.org
///   trainer study --run=run_3 --name=big --items=20 --blocks=5 --consent=consent.txt
///
/// Raters open `#/study?s=pilot` of the explorer. Their files go to `trainer ratings`. The run's text
/// is looked for as the run itself does (CSAE_DATA).
#[derive(Args, Clone, Debug)]
#[command(verbatim_doc_comment)]
pub struct StudyArgs {
    /// Folder of a finished run
    #[arg(long, value_name = "FOLDER")]
    run: PathBuf,
    /// The study's name in addresses and files
    #[arg(long, default_value = "pilot")]
    name: String,
    /// Where NAME.json goes, which is deployed
    #[arg(long, value_name = "FOLDER", default_value = "site/data/study")]
    out: PathBuf,
    /// Where the key goes, which is not; without it, study_key/NAME.json in the run's folder
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Decides about everything that is drawn; without it, one is drawn that only the key says
    #[arg(long)]
    seed: Option<u64>,
    /// How many items each condition has, a multiple of --blocks
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=200))]
    items: u16,
    /// Over how many blocks they are spread; a rater gets one
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=50))]
    blocks: u16,
    /// Which of the run's autoencoders; without it, the first whose features combine
    #[arg(long)]
    model: Option<String>,
    /// To whom answers go, as shown to raters
    #[arg(long)]
    contact: Option<String>,
    /// A text file with what raters agree to; without it, a template that no board has approved
    #[arg(long, value_name = "FILE")]
    consent: Option<PathBuf>,
}

/// How large a study is, and what decides about it.
#[derive(Clone, Copy, Debug)]
struct Design {
    seed: u64,
    items: usize,
    blocks: usize,
}

/// Writes the key, then the study.
///
/// # Errors
/// The run is not finished or damaged, its text is not there, the key would be deployed, another study
/// is there already, or a file cannot be written.
pub fn run(arguments: &StudyArgs, settings: &Settings, console: &Console) -> Result<()> {
    let design = arguments.design()?;
    let place = arguments.out.join(format!("{}.json", arguments.name));
    let key_place = arguments.key.clone().unwrap_or_else(|| {
        arguments.run.join("study_key").join(format!("{}.json", arguments.name))
    });
    place::refuse_deployed(&key_place, &arguments.out)?;
    let source = FinishedRun::read(&arguments.run, arguments.model.as_deref())?;
    let text = arguments.consent_text()?;
    let read = firings::read(&source, &arguments.run, settings, console)?;
    let conditions = units::conditions(&source, &read, &design);
    let made = items::make(&conditions, &read.text, &design);
    for one in &made.left_out {
        console.say(&format!("left out: {}: {}", one.condition, one.reason));
    }
    if made.key.is_empty() {
        let fix = "take a run of a larger profile";
        return Err(Complaint::failed("no item could be made of this run").fix(fix).into());
    }
    let study = made.study(arguments, &text);
    let mut bytes = serde_json::to_vec(&study)?;
    bytes.push(b'\n');
    let key = made.key_of(&source, sha256(&bytes), &arguments.name, design.seed);
    let mut key_bytes = serde_json::to_vec_pretty(&key)?;
    key_bytes.push(b'\n');
    let files = [(&key_place, &key_bytes), (&place, &bytes)];
    for (path, bytes) in files {
        place::refuse_replacing(path, bytes)?;
    }
    for (path, bytes) in files {
        write_whole(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    console.say(&format!(
        "{}: {}, {:.1} kB",
        place.display(),
        told(&study),
        bytes.len() as f64 / 1e3
    ));
    console.say(&format!("{}: the key; keep it away from the site", key_place.display()));
    console.say(&format!("raters open: #/study?s={}", study.name));
    Ok(())
}

/// A seed that nobody can guess: the keys of a hash map are drawn by the system.
fn drawn_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn told(study: &Study) -> String {
    let asked = study.blocks.first().map_or(0, |block| block.items.len() + block.repeats.len());
    format!(
        "{} items in {} {}; a rater is asked {asked} and needs some {} minutes",
        study.items.len(),
        study.blocks.len(),
        if study.blocks.len() == 1 { "block" } else { "blocks" },
        study.minutes
    )
}

impl StudyArgs {
    fn design(&self) -> Result<Design, Complaint> {
        if !is_plain(&self.name) {
            let what = format!("{:?} is no name for a study", self.name);
            return Err(Complaint::usage(what).fix("use letters, digits, - and _"));
        }
        if !self.items.is_multiple_of(self.blocks) {
            let what = format!("{} items cannot be spread over {}", self.items, self.blocks);
            return Err(Complaint::usage(what).fix("make --items a multiple of --blocks"));
        }
        let seed = self.seed.unwrap_or_else(drawn_seed);
        Ok(Design { seed, items: self.items.into(), blocks: self.blocks.into() })
    }

    fn consent_text(&self) -> Result<String> {
        let Some(path) = &self.consent else {
            return Ok(items::consent(self.contact.as_deref()));
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Complaint::usage(format!("cannot read {}: {error}", path.display()))
                .fix("--consent names a text file with what raters agree to")
        })?;
        Ok(text.replace("\r\n", "\n").trim().to_string())
    }
}
