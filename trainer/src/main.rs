//! The command line, nothing else.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use clap::{Parser, Subcommand};
use trainer::benchmark::arguments::BenchmarkArgs;
use trainer::benchmark::command;
use trainer::complaint::{Complaint, exit_code};
use trainer::console::{self, Console};
use trainer::ratings::{self, RatingsArgs};
use trainer::report::{self, ReportArgs};
use trainer::settings::{self, Settings};
use trainer::site::{self, SiteArgs};
use trainer::speed::{self, SpeedArgs};
use trainer::study::{self, StudyArgs};

/// Finds the features of a language model and how they combine. Example: trainer --out_dir=run_1
///
/// The last part of --out_dir names the plan. A run that was stopped goes on with the same command;
/// a finished one is left as it is.
#[derive(Parser)]
#[command(name = "trainer", version = trainer::VERSION)]
#[command(after_help = trainer::after_help(), args_conflicts_with_subcommands = true)]
struct Cli {
    /// Where the results go; its last part names the plan, as in run_1
    #[arg(long = "out_dir", value_name = "FOLDER", required = true)]
    out_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Benchmark(Box<BenchmarkArgs>),
    Site(SiteArgs),
    Speed(SpeedArgs),
    Study(StudyArgs),
    Ratings(RatingsArgs),
    Report(ReportArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new();
    // Where it broke; what a panic carries does not say it.
    let place: Arc<Mutex<String>> = Arc::default();
    let heard = place.clone();
    panic::set_hook(Box::new(move |panic| {
        if let (Some(place), Ok(mut heard)) = (panic.location(), heard.lock()) {
            *heard = place.to_string();
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(|| start(&cli, &console)));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(anyhow!(
            "the trainer broke at {}: {}\n  fix: this is a mistake in csae; please report it with log.txt",
            place.lock().map(|place| place.clone()).unwrap_or_default(),
            text.unwrap_or_default()
        ))
    });
    let Err(error) = result else { return ExitCode::SUCCESS };
    console.keep(&format!("error: {error:#}"));
    console::print(&format!("error: {error:#}"));
    let code = error.downcast_ref::<Complaint>().map_or(exit_code::FAILED, Complaint::code);
    ExitCode::from(code)
}

fn start(cli: &Cli, console: &Console) -> anyhow::Result<()> {
    trainer::interrupt::listen(cli.command.is_none())?;
    let settings = settings()?;
    match (&cli.command, &cli.out_dir) {
        (Some(Command::Benchmark(arguments)), _) => command::run(arguments, &settings, console),
        (Some(Command::Site(arguments)), _) => site::run(arguments, console),
        (Some(Command::Speed(arguments)), _) => speed::run(arguments, &settings, console),
        (Some(Command::Study(arguments)), _) => study::run(arguments, &settings, console),
        (Some(Command::Ratings(arguments)), _) => ratings::run(arguments, console),
        (Some(Command::Report(arguments)), _) => report::run(arguments, console),
        (None, Some(out_dir)) => trainer::run(out_dir, &settings, console),
        (None, None) => Err(Complaint::usage("no --out_dir was given")
            .fix("trainer --out_dir=run_1, or trainer --help")
            .into()),
    }
}

/// What the file beside the user and the environment ask for.
fn settings() -> anyhow::Result<Settings> {
    let file = match std::fs::read_to_string(settings::FILE) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Complaint::usage(format!("cannot read {}: {error}", settings::FILE))
                .fix("make it readable, or remove it")
                .into());
        }
    };
    settings::check_names(std::env::vars_os().map(|(name, _)| name))?;
    Ok(Settings::read(file.as_deref(), |name| std::env::var_os(name))?)
}
