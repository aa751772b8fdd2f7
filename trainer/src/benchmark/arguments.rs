//! What `trainer benchmark` can be asked for.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::config::{GateShape, KindShares, WorldConfig};
use super::methods::Method;
use super::tracks::Track;
use crate::complaint::Complaint;

/// Worlds with known combinations: which methods find those that are there, and no others?
#[derive(Args, Clone, Debug)]
pub struct BenchmarkArgs {
    /// Where benchmark.json goes
    #[arg(long, value_name = "FOLDER", required_unless_present = "export")]
    pub out: Option<PathBuf>,
    /// Oracle: true features are given. Learned: nothing but activations
    #[arg(long, value_enum, default_value = "oracle")]
    pub track: Track,
    /// Who proposes combinations
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "csae,screening,pmi,phi,cosine,pmi_cosine"
    )]
    pub methods: Vec<Method>,
    /// The seed of the first world
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How many worlds, with the seeds that follow
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub worlds: u64,
    /// Also count what is found where no rule has an effect
    #[arg(long)]
    pub null: bool,
    /// The knobs of a world.
    #[command(flatten)]
    pub knobs: Knobs,
    /// Steps of a training (learned track)
    #[arg(long, default_value_t = 4_000)]
    pub steps: u64,
    /// Highest learning rate of a training (learned track)
    #[arg(long, default_value_t = 3e-3)]
    pub learning_rate: f64,
    /// Learning rates of which each trained rival gets the one with the lowest error on threshold
    /// rows (learned track)
    #[arg(long, value_delimiter = ',', num_args = 1, default_value = "1e-3,3e-3")]
    pub rival_learning_rates: Vec<f64>,
    /// Write a world as files for others, the null set with --null, and score nothing
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["out", "score"])]
    pub export: Option<PathBuf>,
    /// How many rows to export: training, threshold, test
    #[arg(
        long,
        value_delimiter = ',',
        num_args = 1,
        default_value = "262144,65536,65536",
        requires = "export"
    )]
    pub export_rows: Vec<usize>,
    /// Compare the methods at several values of a knob, as in noise=0.01,0.05,0.2
    #[arg(long, value_name = "KNOB=VALUES", conflicts_with_all = ["export", "score"])]
    pub sweep: Option<String>,
    /// Score the combinations in this JSON file, which somebody else found in a world
    #[arg(long, value_name = "FILE")]
    pub score: Option<PathBuf>,
}

/// The knobs of a world; what is not given stays as usual.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct Knobs {
    /// Width of the activation
    #[arg(long)]
    pub d_model: Option<usize>,
    /// How many features there are
    #[arg(long)]
    pub features: Option<usize>,
    /// How many features are active on a row, on average
    #[arg(long)]
    pub mean_l0: Option<f64>,
    /// Energy of the noise as a share of the signal's variance
    #[arg(long)]
    pub noise: Option<f64>,
    /// Size of an effect, relative to the usual strength of the parts
    #[arg(long)]
    pub delta: Option<f64>,
    /// Multiplies how often rules and decoys fire
    #[arg(long)]
    pub rates: Option<f64>,
    /// Scale of the factors behind the background correlation
    #[arg(long)]
    pub correlation: Option<f64>,
    /// |cosine| between the parts of a cosine decoy
    #[arg(long)]
    pub decoy_cosine: Option<f64>,
    /// How an effect depends on how strongly the parts fire
    #[arg(long, value_enum)]
    pub gate: Option<GateShape>,
    /// How many rules have 2, 3 and 4 parts, as in 48,32,16
    #[arg(long, value_delimiter = ',', num_args = 1)]
    pub rules: Vec<usize>,
    /// Shares of the kinds of rules, as in emergent=0.5,inhibiting=0.5; others get none
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "KIND=SHARE")]
    pub kinds: Vec<String>,
}

impl Knobs {
    /// The world with this seed.
    ///
    /// # Errors
    /// There are not three numbers of rules, or a kind is not known.
    pub fn world(&self, seed: u64) -> Result<WorldConfig, Complaint> {
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
        // Relative to the size of the world, whose rates keep their ratio to the frequencies.
        config.rates_factor *= self.rates.unwrap_or(1.0);
        config.correlation = self.correlation.unwrap_or(config.correlation);
        config.decoy_cosine = self.decoy_cosine.unwrap_or(config.decoy_cosine);
        config.gate = self.gate.unwrap_or(config.gate);
        if !self.kinds.is_empty() {
            config.kinds = shares(&self.kinds)?;
        }
        match self.rules[..] {
            [] => Ok(config),
            [pairs, triples, quadruples] => Ok(config.with_rules([pairs, triples, quadruples])),
            _ => Err(Complaint::usage(format!("--rules has {} numbers", self.rules.len()))
                .fix("give three: how many rules have 2, 3 and 4 parts, as in --rules=48,32,16")),
        }
    }
}

impl Knobs {
    /// The same with another value of one knob.
    ///
    /// # Errors
    /// Says what is wrong with the name or the value.
    pub(super) fn with(&self, name: &str, value: &str) -> Result<Self, String> {
        let mut knobs = self.clone();
        let known = match name {
            "d_model" => set(&mut knobs.d_model, value),
            "features" => set(&mut knobs.features, value),
            "mean_l0" => set(&mut knobs.mean_l0, value),
            "noise" => set(&mut knobs.noise, value),
            "delta" => set(&mut knobs.delta, value),
            "rates" => set(&mut knobs.rates, value),
            "correlation" => set(&mut knobs.correlation, value),
            "decoy_cosine" => set(&mut knobs.decoy_cosine, value),
            "gate" => {
                knobs.gate = GateShape::from_str(value, true).ok();
                knobs.gate.is_some()
            }
            _ => {
                let all = "d_model, features, mean_l0, noise, delta, rates, correlation, \
                           decoy_cosine, gate";
                return Err(format!("there is no knob {name}, but {all}"));
            }
        };
        if known { Ok(knobs) } else { Err(format!("{value:?} is no value of {name}")) }
    }
}

fn set<T: FromStr>(knob: &mut Option<T>, value: &str) -> bool {
    *knob = value.parse().ok();
    knob.is_some()
}

/// Shares from texts of the form `kind=share`.
fn shares(texts: &[String]) -> Result<KindShares, Complaint> {
    let mut shares = KindShares::none();
    for text in texts {
        let share = text.split_once('=').and_then(|(kind, share)| {
            let place = shares.of_name(kind)?;
            Some((place, share.parse().ok()?))
        });
        let (place, share) = share.ok_or_else(|| {
            Complaint::usage(format!("--kinds: {text} is no share of a kind"))
                .fix("emergent, negating, exclusive, modulating, inhibiting; as in emergent=0.5")
        })?;
        *place = share;
    }
    Ok(shares)
}
