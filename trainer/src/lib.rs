//! csae: from a text to an explained language model.

pub mod activations;
pub mod analysis;
pub mod baselines;
pub mod benchmark;
pub mod cache;
pub mod complaint;
pub mod console;
pub mod data;
pub mod device;
pub mod experiment;
pub mod files;
pub mod interrupt;
pub mod memory;
pub mod output;
pub mod plan;
pub mod ratings;
pub mod report;
pub mod results;
pub mod run_folder;
pub mod settings;
pub mod site;
pub mod speed;
pub mod study;
pub mod train;

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use cache::Cache;
use complaint::Complaint;
use console::Console;
use experiment::Experiment;
use plan::{Plan, Profile, ProfileName};
use results::Results;
use run_folder::RunFolder;
use settings::Settings;

/// The version with the commit it was built from, as in `0.1.0 (3f2c1a9)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("CSAE_COMMIT"), ")");

/// What made a result, as in `csae 0.1.0 (3f2c1a9)`.
pub fn version() -> String {
    format!("csae {VERSION}")
}

/// The main job: everything that the plan named by `out_dir` asks for, from text to results.
///
/// # Errors
/// A [`Complaint`] with what was wrong and what to do, or what failed on the way.
pub fn run(out_dir: &Path, settings: &Settings, console: &Console) -> Result<()> {
    let started = Instant::now();
    let plan = plan_of(out_dir)?;
    if RunFolder::is_finished(out_dir) {
        console.say(&format!("{}: finished before, nothing to do", out_dir.display()));
        return Ok(());
    }
    let Some(experiment) = prepare(plan, out_dir, settings, console)? else {
        console.say(&format!("{}: finished meanwhile, nothing to do", out_dir.display()));
        return Ok(());
    };
    let stages = experiment.plan.trials.len() + 3 + usize::from(experiment.transcodes());
    let title = |stage: usize, name: &str| format!("[{stage}/{stages}] {name}");
    let lm = experiment.language_model(&title(1, "language model"))?;
    let rows = experiment.rows(&title(2, "activations"), &lm.model)?;
    let mut trials = vec![];
    for (place, trial) in experiment.plan.trials.iter().enumerate() {
        let title = title(3 + place, &trial.label());
        trials.push(experiment.trial(&title, trial, &rows, &trials)?);
    }
    let transcoder = experiment.transcoder(&title(stages - 1, "transcoder"), &lm.model, &trials)?;
    let title = title(stages, "results");
    let results = Results::measure(&experiment, &lm, &rows, trials, transcoder, &title)?;
    output::write(&experiment, &results)?;
    let seconds = started.elapsed().as_secs();
    console.say(&format!(
        "{}: done in {}m{:02}s, see {}",
        experiment.plan.name,
        seconds / 60,
        seconds % 60,
        experiment.folder.path("README.txt").display()
    ));
    // Whoever reads the table may have gone; the results are in the folder.
    let _ = writeln!(std::io::stdout(), "{}", output::tables::summary(&results));
    Ok(())
}

/// Finds device and text, then takes hold of the folder; `None` if its run is finished.
fn prepare<'a>(
    plan: Plan,
    out_dir: &Path,
    settings: &Settings,
    console: &'a Console,
) -> Result<Option<Experiment<'a>>> {
    let device = device::choose(settings.device)?;
    let name = settings.profile.unwrap_or(match device.is_large {
        true => ProfileName::Full,
        false => ProfileName::Cpu,
    });
    let mut profile = Profile::named(name);
    console.say(&format!(
        "{}  device: {} ({})  profile: {}  out: {}",
        version(),
        device.name,
        device.hint,
        name.as_str(),
        out_dir.display()
    ));
    let cache = Cache { folder: cache_folder(out_dir, settings) };
    let text = data::corpus_for(&profile, settings, &cache.folder, console)?;
    if text.hidden.is_some() {
        profile = profile.for_language();
    }
    let mut profile = profile.for_plan(&plan).with(settings)?;
    profile.lm.vocab_size = text.corpus.vocab.len();
    let plan = plan.at(&profile);

    let Some(folder) = RunFolder::open(out_dir)? else { return Ok(None) };
    console.log_to(&folder.log())?;
    cache.prepare()?;
    let metrics = RefCell::default();
    let (export, rows_in_memory) = (settings.export, settings.rows_in_memory());
    let experiment = Experiment {
        plan,
        profile,
        text,
        export,
        device,
        folder,
        cache,
        rows_in_memory,
        console,
        metrics,
    };
    experiment.folder.claim(&experiment.config())?;
    Ok(Some(experiment))
}

/// The plan that the last part of `out_dir` names.
fn plan_of(out_dir: &Path) -> Result<Plan, Complaint> {
    // `.` and `..` have a name, too.
    let whole = out_dir.canonicalize().unwrap_or_else(|_| out_dir.to_path_buf());
    let name = whole.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    plan::named(name).ok_or_else(|| {
        let known = plan::all();
        let names = known.iter().map(|plan| plan.name);
        let list: Vec<String> =
            known.iter().map(|plan| format!("{}  {}", plan.name, plan.question)).collect();
        Complaint::usage(format!("no plan is called {name:?}"))
            .detail("plans", list.join("\n         "))
            .fix(format!(
                "the last part of --out_dir names a plan, as in --out_dir=run_1{}",
                settings::suggestion(name, names)
            ))
    })
}

/// The cache stays when a run's folder is deleted, so it stands beside that.
pub(crate) fn cache_folder(out_dir: &Path, settings: &Settings) -> std::path::PathBuf {
    settings
        .cache
        .clone()
        .unwrap_or_else(|| out_dir.parent().unwrap_or_else(|| Path::new("")).join(".csae-cache"))
}

/// What `--help` says after the options.
pub fn after_help() -> String {
    let plans: Vec<String> =
        plan::all().iter().map(|plan| format!("  {}  {}", plan.name, plan.question)).collect();
    format!(
        "Plans:\n{}\n\n\
         Settings, each a line of csae.toml where the trainer is started, as in device = \"cpu\",\n\
         or over that an environment variable, as in CSAE_DEVICE=cpu:\n  \
         data      folder with shakespeare_char/input.txt; else ./data, else a download\n  \
         text      which of its texts: shakespeare_char, enwik8, text8, or any folder's name\n  \
         language  arithmetic, boolean, grammar: a generated language in place of the text\n  \
         device    auto, cpu, wgpu, cuda, software\n  \
         profile   smoke, cpu, full; by the device if not set\n  \
         cache     folder for trained language models; else .csae-cache beside the run\n  \
         export    f32, f16: precision of the exported weights\n  \
         seeds     how often each trial is trained; else by the profile\n  \
         layer     after which block activations are explained; else by the profile\n  \
         steps     how many an autoencoder learns in; else by the profile\n  \
         rows      how many activations it learns from; else by the profile\n  \
         rows_in_memory_mib\n            \
         how large activations may be that are kept in memory, in MiB; larger ones are\n            \
         read from the cache, with the same results; else a quarter of the free memory\n\n\
         Exit codes:\n  \
         0 done, 1 failed, 2 wrong usage or settings, 130 stopped by Ctrl-C",
        plans.join("\n")
    )
}
