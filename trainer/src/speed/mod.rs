//! `trainer speed`: how long our steps take, in turns with what others would run, and how times grow.
//!
//! [`tasks`] lists what is measured, [`ours`] times our own trainings as users run them, [`peers`] runs
//! the scripts of `scripts/peers`, [`ratios`] puts both side by side, [`growth`] makes inputs larger.

mod growth;
mod machine;
mod ours;
mod peers;
mod ratios;
mod report;
mod tasks;

pub use ours::{times, with_parts};
pub use tasks::Task;

use std::path::PathBuf;

use anyhow::Result;
use burn::prelude::Device;
use clap::Args;
use serde_json::json;
use shared::kernels::on_processor;

use crate::complaint::Complaint;
use crate::console::Console;
use crate::device;
use crate::output::folder;
use crate::settings::Settings;
use growth::Growth;
use peers::Peers;
use ratios::{Comparison, Round};

/// How fast csae is on this machine, in turns with the peers in scripts/peers.
///
/// CSAE_DEVICE=cpu|wgpu|cuda|software says on what, as for a run.
///
/// Example: trainer speed --peers=scripts/peers --python=peers/bin/python --growth --out=speed
#[derive(Args, Clone, Debug)]
pub struct SpeedArgs {
    /// Folder with the peers' scripts; without it only our own times are measured
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// The Python that has what the peers need (scripts/peers/requirements.txt)
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// What to measure; what is usual on the device if not given
    #[arg(long, value_enum, value_delimiter = ',')]
    tasks: Vec<Task>,
    /// How often each is measured, ours and the peer's in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many seconds one measurement takes, about
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Also how times grow with width, active features, rows and text, on the processor (two minutes)
    #[arg(long)]
    growth: bool,
    /// Where speed.json, speed.md and plots/ go; without it they are not written
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Measures, prints a table, and writes it where that is asked for.
///
/// # Errors
/// The device or a peer is not there or cannot run, the user stops it, or the result cannot be written.
pub fn run(arguments: &SpeedArgs, settings: &Settings, console: &Console) -> Result<()> {
    if !(arguments.seconds > 0.0 && arguments.seconds <= 600.0) {
        let what = format!("--seconds={} is no time to measure for", arguments.seconds);
        return Err(Complaint::usage(what).fix("give some between 0.1 and 600").into());
    }
    let chosen = device::choose(settings.device)?;
    let peers = match &arguments.peers {
        None => None,
        Some(folder) => Some(Peers::find(folder, &arguments.python, &chosen.device)?),
    };
    let machine = match on_processor(&chosen.device) {
        true => machine::describe(),
        false => format!("{}; {}", chosen.name, machine::describe()),
    };
    console.say(&format!("{}  on {machine}", crate::version()));
    let comparisons = compare(arguments, &chosen.device, peers.as_ref(), console)?;
    let growths = match arguments.growth {
        true => growth::measure(console)?,
        false => vec![],
    };
    folder::print(&report::table(&comparisons));
    if !growths.is_empty() {
        folder::print(&format!("\n{}", report::growth_table(&growths)));
    }
    let Some(out) = &arguments.out else { return Ok(()) };
    let header = json!({
        "machine": machine,
        "command": std::env::args().collect::<Vec<_>>().join(" "),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
    });
    let tasks = json!({ "tasks": comparisons.iter().map(Comparison::to_json).collect::<Vec<_>>() });
    let growth = json!({ "growth": growths.iter().map(Growth::to_json).collect::<Vec<_>>() });
    let plots = folder::write_plots(out, growth::charts(&growths, &machine))?;
    let text = report::markdown(&machine, &comparisons, &growths, &plots);
    folder::write(out, "speed.md", text.as_bytes())?;
    folder::write_json(out, "speed.json", &[header, tasks, growth])?;
    console.say(&format!("written: {}", out.join("speed.md").display()));
    Ok(())
}

/// All tasks, round by round, so that a slow minute of the machine meets ours and the peers alike.
fn compare(
    arguments: &SpeedArgs,
    device: &Device,
    peers: Option<&Peers>,
    console: &Console,
) -> Result<Vec<Comparison>> {
    let tasks = match arguments.tasks.is_empty() {
        true => Task::usual(device),
        false => arguments.tasks.clone(),
    };
    let mut comparisons: Vec<Comparison> = tasks.into_iter().map(Comparison::new).collect();
    let total = u64::from(arguments.rounds) * comparisons.len() as u64;
    let mut stage = console.stage("measuring", 0, total);
    for round in 0..arguments.rounds {
        for (place, comparison) in comparisons.iter_mut().enumerate() {
            let theirs = peers.map(|peers| peers.time(comparison.task, arguments.seconds));
            let (name, theirs) = theirs.transpose()?.unzip();
            comparison.peer = name.or(comparison.peer.take());
            let ours = ours::time(comparison.task, device, arguments.seconds)?;
            comparison.rounds.push(Round { ours, theirs });
            let done = u64::from(round) * (total / u64::from(arguments.rounds)) + place as u64 + 1;
            stage.progress(done, &|| comparison.task.name().into());
        }
    }
    stage.finish(&format!("{} rounds", arguments.rounds));
    Ok(comparisons)
}
