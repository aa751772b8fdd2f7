//! `trainer benchmark`: methods side by side in worlds of several seeds, as a table and as JSON.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::arguments::{BenchmarkArgs, Knobs};
use super::config::WorldConfig;
use super::export::{DESCRIPTION, ExportRows, export};
use super::figures;
use super::foreign::Foreign;
use super::report;
use super::runs::{Collection, MethodRuns, table, to_json};
use super::sweep::{self, Sweep, SweepPoint};
use super::tracks::{Recipe, Track, scores};
use super::world::World;
use crate::complaint::Complaint;
use crate::console::Console;
use crate::device;
use crate::output::folder;
use crate::plan::{AutoencoderTraining, Profile, ProfileName};
use crate::settings::Settings;
use crate::side_by_side::{at_once, side_by_side};

/// Runs the benchmark, writes a world for others, or scores what they found.
///
/// # Errors
/// The knobs describe no world, a training fails, a file is not as it should be, or the result
/// cannot be written.
pub fn run(arguments: &BenchmarkArgs, settings: &Settings, console: &Console) -> Result<()> {
    match (&arguments.export, &arguments.score, &arguments.out) {
        (Some(folder), _, _) => write_world(arguments, folder, console),
        (None, Some(file), Some(out)) => score_file(arguments, file, out, console),
        (None, None, Some(out)) => compare(arguments, out, settings, console),
        (None, _, None) => Err(Complaint::usage("no --out was given").into()),
    }
}

/// The world that `knobs` describe.
fn world(knobs: &Knobs, seed: u64) -> Result<World, Complaint> {
    drawn(&knobs.world(seed)?)
}

fn drawn(config: &WorldConfig) -> Result<World, Complaint> {
    World::new(config).map_err(|error| Complaint::usage(format!("no such world: {error}")))
}

fn write_world(arguments: &BenchmarkArgs, folder: &Path, console: &Console) -> Result<()> {
    let [training, threshold, test] = arguments.export_rows[..] else {
        let count = arguments.export_rows.len();
        return Err(Complaint::usage(format!("--export-rows has {count} numbers"))
            .fix("give three: training, threshold and test rows, as in 262144,65536,65536")
            .into());
    };
    let rows = ExportRows { training, threshold, test };
    let mut world = world(&arguments.knobs, arguments.seed)?;
    if arguments.null {
        world = world.without_effects();
    }
    let megabytes = rows.bytes(&world) as f64 / 1e6;
    console.say(&format!("{}  writes about {megabytes:.1} MB", crate::version()));
    export(&world, &rows, folder)?;
    console.say(&format!("written: {}", folder.join(DESCRIPTION).display()));
    Ok(())
}

fn score_file(arguments: &BenchmarkArgs, file: &Path, out: &Path, console: &Console) -> Result<()> {
    let foreign = Foreign::read(file)?;
    let given = arguments.knobs.world(arguments.seed)?;
    let config = match &foreign.world {
        None => given,
        Some(config) if given == *config || given == WorldConfig::default() => config.clone(),
        Some(_) => {
            return Err(Complaint::usage("the file and the arguments describe different worlds")
                .detail("file", file.display())
                .fix("leave the arguments out, or \"world\" in the file")
                .into());
        }
    };
    let world = drawn(&config)?;
    let score = foreign.score(&world)?;
    console.say(&format!("features are matched by {}", foreign.matched_by()));
    let run =
        MethodRuns { name: foreign.name.clone(), worlds: vec![score], ..MethodRuns::default() };
    let header = json!({ "track": "foreign", "worlds": 1, "matched_by": foreign.matched_by() });
    let conditions = format!("combinations of others, world {}", config.seed);
    write_comparison(out, header, &config, &[run], &conditions, console)
}

fn compare(
    arguments: &BenchmarkArgs,
    out: &Path,
    settings: &Settings,
    console: &Console,
) -> Result<()> {
    let rates = &arguments.rival_learning_rates;
    if !rates.iter().chain([&arguments.learning_rate]).all(|rate| rate.is_finite() && *rate > 0.0) {
        return Err(Complaint::usage("a learning rate is not above 0")
            .fix("choose some between 1e-4 and 1e-2, as in --rival-learning-rates=3e-4,1e-3")
            .into());
    }
    let chosen = device::choose(settings.device)?;
    let training = Profile::named(ProfileName::Cpu).autoencoder_training;
    let recipe = Recipe {
        training: AutoencoderTraining { steps: arguments.steps, ..training },
        learning_rate: arguments.learning_rate,
        rival_learning_rates: arguments.rival_learning_rates.clone(),
        device: chosen.device,
    };
    console.say(&format!("{}  device: {} ({})", crate::version(), chosen.name, chosen.hint));
    let header = json!({
        "track": arguments.track,
        "worlds": arguments.worlds,
        "steps": arguments.steps,
        "learning_rate": arguments.learning_rate,
        "rival_learning_rates": arguments.rival_learning_rates,
    });
    let conditions = conditions(arguments);
    if let Some(plan) = &arguments.sweep {
        let sweep = every_value(arguments, plan, &recipe, console)?;
        return write_sweep(out, header, &sweep, &conditions, console);
    }
    let runs = all_worlds(arguments, &arguments.knobs, &recipe, console)?;
    let world = arguments.knobs.world(arguments.seed)?;
    write_comparison(out, header, &world, &runs, &conditions, console)
}

/// All methods in all worlds at every value of the knob that `plan` names.
fn every_value(
    arguments: &BenchmarkArgs,
    plan: &str,
    recipe: &Recipe,
    console: &Console,
) -> Result<Sweep> {
    let (knob, values) = sweep::plan(plan, &arguments.knobs)?;
    // Nobody wants to wait for the first value to learn that the last one cannot be.
    for (_, knobs) in &values {
        world(knobs, arguments.seed)?;
    }
    let mut sweep = Sweep { knob, points: vec![] };
    for (value, knobs) in values {
        console.say(&format!("{} = {value}", sweep.knob));
        let runs = all_worlds(arguments, &knobs, recipe, console)?;
        sweep.points.push(SweepPoint { value, world: knobs.world(arguments.seed)?, runs });
    }
    Ok(sweep)
}

/// Under which conditions methods are compared, for titles.
fn conditions(arguments: &BenchmarkArgs) -> String {
    let track = match arguments.track {
        Track::Oracle => "oracle track".to_string(),
        Track::Learned => format!("learned track, {} steps", arguments.steps),
    };
    match arguments.worlds {
        1 => format!("{track}, world {}", arguments.seed),
        n => format!("{track}, worlds {} to {}", arguments.seed, arguments.seed + n - 1),
    }
}

/// All methods in all worlds of one setting of the knobs, worlds side by side.
fn all_worlds(
    arguments: &BenchmarkArgs,
    knobs: &Knobs,
    recipe: &Recipe,
    console: &Console,
) -> Result<Vec<MethodRuns>> {
    let kinds = if arguments.null { &[false, true][..] } else { &[false] };
    let seeds = (arguments.seed..).take(arguments.worlds as usize);
    let asked: Vec<(u64, bool)> =
        seeds.flat_map(|seed| kinds.iter().map(move |is_null| (seed, *is_null))).collect();
    let scored = side_by_side(&asked, at_once(&recipe.device), |(seed, is_null)| {
        let world = world(knobs, *seed)?;
        let (world, what) = match is_null {
            false => (world, "world"),
            true => (world.without_effects(), "null set"),
        };
        let mut say = |text: &str| console.say(&format!("{what} {seed}: {text}"));
        scores(&world, arguments.track, &arguments.methods, recipe, &mut say)
    })?;
    let mut all = Collection::default();
    for ((_, is_null), scores) in asked.iter().zip(scored) {
        all.add(scores, *is_null);
    }
    Ok(all.into_runs())
}

/// As [`write_comparison`], of a sweep.
fn write_sweep(
    out: &Path,
    header: Value,
    sweep: &Sweep,
    conditions: &str,
    console: &Console,
) -> Result<()> {
    let plots = folder::write_plots(out, figures::of_sweep(sweep, conditions))?;
    folder::write(out, "benchmark.md", report::of_sweep(sweep, conditions, &plots).as_bytes())?;
    folder::write_json(out, "benchmark.json", &[header, json!({ "sweep": sweep.to_json() })])?;
    console.say(&format!("written: {}", out.join("benchmark.json").display()));
    for point in &sweep.points {
        folder::print(&format!("{} = {}\n{}\n", sweep.knob, point.value, table(&point.runs)));
    }
    Ok(())
}

/// Writes plots, the report and, when these are there, `benchmark.json`; prints the table.
fn write_comparison(
    out: &Path,
    header: Value,
    world: &WorldConfig,
    runs: &[MethodRuns],
    conditions: &str,
    console: &Console,
) -> Result<()> {
    let plots = folder::write_plots(out, figures::all(runs, conditions))?;
    folder::write(out, "benchmark.md", report::of_runs(runs, conditions, &plots).as_bytes())?;
    folder::write_json(out, "benchmark.json", &[json!({ "world": world }), header, to_json(runs)])?;
    console.say(&format!("written: {}", out.join("benchmark.json").display()));
    folder::print(&table(runs));
    Ok(())
}
