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
pub mod side_by_side;
pub mod site;
pub mod speed;
pub mod study;
pub mod train;

use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::Result;

use cache::Cache;
use complaint::Complaint;
use console::Console;
use experiment::{Experiment, Run, Subject};
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
    let Some(run) = prepare(plan, out_dir, settings, console)? else {
        console.say(&format!("{}: finished meanwhile, nothing to do", out_dir.display()));
        return Ok(());
    };
    let mut stages = Stages::of(&run);
    let mut explained = vec![];
    for experiment in run.experiments() {
        explained.push((experiment, explain(&experiment, &mut stages)?));
    }
    output::write(&run, &explained)?;
    let seconds = started.elapsed().as_secs();
    console.say(&format!(
        "{}: done in {}m{:02}s, see {}",
        run.plan.name,
        seconds / 60,
        seconds % 60,
        run.folder.path("README.txt").display()
    ));
    // Whoever reads the tables may have gone; the results are in the folder.
    let _ = writeln!(std::io::stdout(), "{}", output::tables::summaries(&explained));
    Ok(())
}

/// All that a run does on one text.
fn explain(experiment: &Experiment, stages: &mut Stages) -> Result<Results> {
    let mut title = |name: &str| stages.next(experiment.apart, name);
    let lm = experiment.language_model(&title("language model"))?;
    let rows = experiment.rows(&title("activations"), &lm.model)?;
    let trials = experiment.trials(&title(""), &rows)?;
    let transcoder = match experiment.transcodes() {
        true => experiment.transcoder(&title("transcoder"), &lm.model, &trials)?,
        false => None,
    };
    Results::measure(experiment, &lm, &rows, trials, transcoder, &title("results"))
}

/// The stages of a run, as in `[2/6] activations`.
struct Stages {
    begun: usize,
    all: usize,
}

impl Stages {
    fn of(run: &Run) -> Self {
        let count = |one: Experiment| 4 + usize::from(one.transcodes());
        Self { begun: 0, all: run.experiments().map(count).sum() }
    }

    /// The title of the next stage, with the text where it is a further one.
    fn next(&mut self, text: Option<&str>, name: &str) -> String {
        self.begun += 1;
        let text = text.map_or(String::new(), |text| format!("{text}: "));
        format!("[{}/{}] {text}{name}", self.begun, self.all)
    }
}

/// Finds device and texts, then takes hold of the folder; `None` if its run is finished.
fn prepare<'a>(
    plan: Plan,
    out_dir: &Path,
    settings: &Settings,
    console: &'a Console,
) -> Result<Option<Run<'a>>> {
    let device = device::choose(settings.device)?;
    let name = settings.profile.unwrap_or(match device.is_large {
        true => ProfileName::Full,
        false => ProfileName::Cpu,
    });
    let profile = Profile::named(name);
    console.say(&format!(
        "{}  device: {} ({})  profile: {}  out: {}",
        version(),
        device.name,
        device.hint,
        name.as_str(),
        out_dir.display()
    ));
    let cache = Cache { folder: cache_folder(out_dir, settings) };
    let texts = data::texts_for(&plan, &profile, settings, &cache.folder, console)?;
    let subject = |text| Subject::new(text, &plan, &profile, settings);
    let subjects = texts.into_iter().map(subject).collect::<Result<_, Complaint>>()?;

    let Some(folder) = RunFolder::open(out_dir)? else { return Ok(None) };
    console.log_to(&folder.log())?;
    cache.prepare()?;
    let (export, metrics) = (settings.export, Mutex::default());
    let rows_in_memory = settings.rows_in_memory();
    let run =
        Run { plan, subjects, export, device, folder, cache, rows_in_memory, console, metrics };
    run.folder.claim(&run.config())?;
    Ok(Some(run))
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
