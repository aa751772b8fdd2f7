//! The command line, nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use trainer::complaint::{Complaint, exit_code};
use trainer::console::Console;
use trainer::settings::Settings;

/// Finds the features of a language model and how they combine.
///
/// Example:
///   trainer --out_dir=run_1
///
/// The last part of --out_dir names the plan. A run that was stopped goes on with the same command;
/// a finished one is left as it is.
#[derive(Parser)]
#[command(name = "trainer", version = trainer::VERSION, verbatim_doc_comment)]
#[command(after_help = trainer::after_help())]
struct Cli {
    /// Where the results go; its last part names the plan, as in run_1
    #[arg(long = "out_dir", value_name = "FOLDER")]
    out_dir: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let code = error.downcast_ref::<Complaint>().map_or(exit_code::FAILED, Complaint::code);
            ExitCode::from(code)
        }
    }
}

fn start(cli: &Cli) -> anyhow::Result<()> {
    trainer::interrupt::listen()?;
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    trainer::run(&cli.out_dir, &settings, &Console::new())
}
