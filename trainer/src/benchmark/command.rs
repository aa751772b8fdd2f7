//! `trainer benchmark`: methods side by side in worlds of several seeds, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::config::WorldConfig;
use super::methods::Method;
use super::score::SizeScore;
use super::tracks::{MethodScore, Recipe, Track, scores};
use super::world::World;
use crate::complaint::Complaint;
use crate::console::Console;
use crate::device;
use crate::files::write_whole;
use crate::plan::{AutoencoderTraining, Profile, ProfileName};
use crate::settings::Settings;

/// Worlds with known combinations: which methods find those that are there, and no others?
#[derive(Args, Clone, Debug)]
pub struct BenchmarkArgs {
    /// Where benchmark.json goes
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Oracle: true features are given. Learned: nothing but activations
    #[arg(long, value_enum, default_value = "oracle")]
    track: Track,
    /// Who proposes combinations
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "csae,screening,pmi,phi,cosine,pmi_cosine"
    )]
    methods: Vec<Method>,
    /// The seed of the first world
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many worlds, with the seeds that follow
    #[arg(long, default_value_t = 1)]
    worlds: u64,
    /// Also count what is found where no rule has an effect
    #[arg(long)]
    null: bool,
    /// Width of the activation
    #[arg(long)]
    d_model: Option<usize>,
    /// How many features there are
    #[arg(long)]
    features: Option<usize>,
    /// How many features are active on a row, on average
    #[arg(long)]
    mean_l0: Option<f64>,
    /// Energy of the noise as a share of the signal's variance
    #[arg(long)]
    noise: Option<f64>,
    /// Size of an effect, relative to the usual strength of the parts
    #[arg(long)]
    delta: Option<f64>,
    /// Multiplies how often rules and decoys fire
    #[arg(long)]
    rates: Option<f64>,
    /// Scale of the factors behind the background correlation
    #[arg(long)]
    correlation: Option<f64>,
    /// |cosine| between the parts of a cosine decoy
    #[arg(long)]
    decoy_cosine: Option<f64>,
    /// How many rules have 2, 3 and 4 parts, as in 48,32,16
    #[arg(long, value_delimiter = ',', num_args = 1)]
    rules: Vec<usize>,
    /// Steps of a training (learned track)
    #[arg(long, default_value_t = 4_000)]
    steps: u64,
    /// Highest learning rate of a training (learned track)
    #[arg(long, default_value_t = 3e-3)]
    learning_rate: f64,
    /// Learning rates of which each trained rival gets the one with the lowest error on threshold
    /// rows (learned track)
    #[arg(long, value_delimiter = ',', num_args = 1, default_value = "1e-3,3e-3")]
    rival_learning_rates: Vec<f64>,
}

/// Runs the benchmark.
///
/// # Errors
/// The knobs describe no world, a training fails, or the result cannot be written.
pub fn run(arguments: &BenchmarkArgs, settings: &Settings, console: &Console) -> Result<()> {
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
    let (mut real, mut null) = (vec![], vec![]);
    for seed in arguments.seed..arguments.seed + arguments.worlds {
        let world = World::new(&arguments.world(seed)?)
            .map_err(|error| Complaint::usage(format!("no such world: {error}")))?;
        let ask = |world: &World, what: &str| {
            let mut say = |text: &str| console.say(&format!("{what} {seed}: {text}"));
            scores(world, arguments.track, &arguments.methods, &recipe, &mut say)
        };
        real.push(ask(&world, "world")?);
        if arguments.null {
            null.push(ask(&world.without_effects(), "null set")?);
        }
    }
    let result = result(arguments, &arguments.world(arguments.seed)?, &real, &null);
    let path = arguments.out.join("benchmark.json");
    let mut bytes = serde_json::to_vec_pretty(&result)?;
    bytes.push(b'\n');
    write_whole(&path, &bytes).map_err(|error| {
        Complaint::failed(format!("cannot write {}: {error}", path.display()))
            .fix("choose another folder with --out")
    })?;
    console.say(&format!("written: {}", path.display()));
    // Whoever reads the table may have gone; the result is in the file.
    let _ = writeln!(std::io::stdout(), "{}", table(&real));
    Ok(())
}

impl BenchmarkArgs {
    fn world(&self, seed: u64) -> Result<WorldConfig, Complaint> {
        let base = WorldConfig::default();
        let size = (self.features.unwrap_or(base.n_features), self.mean_l0.unwrap_or(base.mean_l0));
        let mut config = match size == (base.n_features, base.mean_l0) {
            true => base,
            false => WorldConfig::scaled(size.0, size.1),
        };
        config.seed = seed;
        config.d_model = self.d_model.unwrap_or(config.d_model);
        config.noise_share = self.noise.unwrap_or(config.noise_share);
        config.delta = self.delta.unwrap_or(config.delta);
        config.rates_factor = self.rates.unwrap_or(config.rates_factor);
        config.correlation = self.correlation.unwrap_or(config.correlation);
        config.decoy_cosine = self.decoy_cosine.unwrap_or(config.decoy_cosine);
        match self.rules[..] {
            [] => Ok(config),
            [pairs, triples, quadruples] => Ok(config.with_rules([pairs, triples, quadruples])),
            _ => Err(Complaint::usage(format!("--rules has {} numbers", self.rules.len()))
                .fix("give three: how many rules have 2, 3 and 4 parts, as in --rules=48,32,16")),
        }
    }
}

/// What `benchmark.json` holds.
fn result(
    arguments: &BenchmarkArgs,
    world: &WorldConfig,
    real: &[BTreeMap<Method, MethodScore>],
    null: &[BTreeMap<Method, MethodScore>],
) -> Value {
    let worlds = |all: &[BTreeMap<Method, MethodScore>], method: &Method| -> Vec<MethodScore> {
        all.iter().filter_map(|scores| scores.get(method)).cloned().collect()
    };
    let methods: BTreeMap<String, Value> = arguments
        .methods
        .iter()
        .map(|method| (super::score::name(method), worlds(real, method)))
        .filter(|(_, scores)| !scores.is_empty())
        .map(|(name, scores)| (name, of_method(&scores)))
        .collect();
    let without_effects: BTreeMap<String, Vec<usize>> = arguments
        .methods
        .iter()
        .map(|method| (super::score::name(method), worlds(null, method)))
        .filter(|(_, scores)| !scores.is_empty())
        .map(|(name, scores)| (name, scores.iter().map(proposed).collect()))
        .collect();
    json!({
        "made_by": crate::version(),
        "track": arguments.track,
        "worlds": arguments.worlds,
        "steps": arguments.steps,
        "learning_rate": arguments.learning_rate,
        "rival_learning_rates": arguments.rival_learning_rates,
        "world": world,
        "methods": methods,
        "null": without_effects,
    })
}

/// How many combinations a method proposes in all.
fn proposed(score: &MethodScore) -> usize {
    score.sizes.values().map(|size| size.proposed).sum()
}

fn of_method(scores: &[MethodScore]) -> Value {
    let mut value = json!({ "worlds": scores, "seconds": mean(scores.iter().map(|s| s.seconds)) });
    for name in ["pairs", "triples", "quadruples"] {
        let f1: Vec<f64> = sizes(scores, name).map(|size| size.deployed_f1).collect();
        let precision = sizes(scores, name).map(|size| size.average_precision);
        value[name] = json!({
            "deployed_f1": mean(f1.iter().copied()),
            "deployed_f1_ci95": interval(&f1),
            "f1_at_r": mean(sizes(scores, name).map(|size| size.f1_at_r)),
            "average_precision": mean(precision),
            "found": mean(sizes(scores, name).map(|size| size.proposed as f64)),
            "hits": mean(sizes(scores, name).map(|size| size.hits as f64)),
        });
    }
    for (name, value_of) in [
        ("fvu", (|score| score.fvu) as fn(&MethodScore) -> Option<f64>),
        ("mcc", |score| score.mcc),
    ] {
        let values: Vec<f64> = scores.iter().filter_map(value_of).collect();
        if !values.is_empty() {
            value[name] = json!(mean(values.into_iter()));
        }
    }
    value
}

fn sizes<'a>(
    scores: &'a [MethodScore],
    name: &'a str,
) -> impl Iterator<Item = &'a SizeScore> + Clone {
    scores.iter().filter_map(move |score| score.sizes.get(name))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The 95 % confidence interval of a mean over worlds, by Student's t; none for fewer than two.
fn interval(values: &[f64]) -> Option<[f64; 2]> {
    const T: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
    let count = values.len();
    if count < 2 {
        return None;
    }
    let middle = mean(values.iter().copied());
    let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    let error = (squares / (count - 1) as f64 / count as f64).sqrt();
    // Beyond the table the normal distribution is near enough.
    let t = T.get(count - 2).copied().unwrap_or(2.0);
    Some([middle - t * error, middle + t * error])
}

/// One line for each method: F1 with hits and proposals of each size, means over worlds.
fn table(real: &[BTreeMap<Method, MethodScore>]) -> String {
    let mut text = format!(
        "{:<22} {:>22} {:>22} {:>22} {:>8} {:>7} {:>8}",
        "method", "pairs F1 (hits/found)", "triples", "quadruples", "FVU", "MCC", "seconds"
    );
    let methods = real.first().into_iter().flat_map(BTreeMap::keys);
    for method in methods {
        let scores: Vec<MethodScore> =
            real.iter().filter_map(|scores| scores.get(method)).cloned().collect();
        let _ = write!(text, "\n{:<22}", super::score::name(method));
        for name in ["pairs", "triples", "quadruples"] {
            let cell = format!(
                "{:.2} ({:.1}/{:.1})",
                mean(sizes(&scores, name).map(|size| size.deployed_f1)),
                mean(sizes(&scores, name).map(|size| size.hits as f64)),
                mean(sizes(&scores, name).map(|size| size.proposed as f64)),
            );
            let _ = write!(text, " {cell:>22}");
        }
        let number = |values: Vec<f64>| match values.is_empty() {
            true => "-".to_string(),
            false => format!("{:.4}", mean(values.into_iter())),
        };
        let _ = write!(
            text,
            " {:>8} {:>7} {:>8.1}",
            number(scores.iter().filter_map(|score| score.fvu).collect()),
            number(scores.iter().filter_map(|score| score.mcc).collect()),
            mean(scores.iter().map(|score| score.seconds)),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        assert_eq!(interval(&[0.5]), None);
        let [low, high] = interval(&[0.4, 0.6]).unwrap();
        // The standard error of 0.4 and 0.6 is 0.1.
        assert!((low - (0.5 - 1.2706)).abs() < 1e-9 && (high - (0.5 + 1.2706)).abs() < 1e-9);
    }
}
