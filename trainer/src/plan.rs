//! The runs: which question each asks, which trials answer it, how large they are.
//!
//! Configurations only: no tensor, no file, no loop. A trial says what differs from [`base`].

mod profile;

use serde::{Deserialize, Serialize};
use shared::{AttentionConfig, UnitsConfig};

pub use profile::{
    AutoencoderTraining, CompositionTraining, DictionaryCompletion, LmTraining, Profile,
    ProfileName,
};

/// A run: a question and the trials that answer it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// As in `--out_dir=run_1`.
    pub name: &'static str,
    /// What the run wants to know.
    pub question: &'static str,
    /// What it trains.
    pub trials: Vec<Trial>,
    /// The trial that is also trained as a transcoder of the perceptron, where the text has hidden
    /// variables that the perceptron might compute.
    pub transcoder: Option<&'static str>,
    /// Whether it has seeds enough to say that a combination is found again.
    pub many_seeds: bool,
}

/// One kind of autoencoder, trained with several learning rates and seeds.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its name in results, plots and the bundle.
    pub name: &'static str,
    /// How features combine by attention; `None` for features one by one.
    pub attention: Option<AttentionConfig>,
    /// How features combine by units; `None` for features one by one.
    pub units: Option<UnitsConfig>,
    /// How many steps of refitting the active features get.
    pub refit_steps: usize,
    /// Whether directions that are missing in the dictionary are looked for.
    pub completed: bool,
    /// The trial, earlier in the plan, whose best learning rate this one takes; it chooses its own if
    /// not given.
    pub rate_of: Option<&'static str>,
    /// What changes while it trains.
    pub schedule: Schedule,
}

/// What changes while an autoencoder trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The number of active features to start from; it falls to the trial's own number over the
    /// first 60 % of the steps. `None` keeps it fixed.
    pub sparsity_from: Option<usize>,
    /// Whether combinations grow from pairs to the full size, a third of the steps each.
    pub curriculum: bool,
}

/// The plans, in the order of their names.
pub fn all() -> Vec<Plan> {
    vec![run_0(), run_1(), run_3()]
}

/// The plan of that name.
pub fn named(name: &str) -> Option<Plan> {
    all().into_iter().find(|plan| plan.name == name)
}

fn run_0() -> Plan {
    Plan {
        name: "run_0",
        question: "How well do single features explain the language model?",
        trials: vec![base("topk")],
        transcoder: None,
        many_seeds: false,
    }
}

fn run_1() -> Plan {
    Plan {
        name: "run_1",
        question: "Does attention between two active features at a time explain more?",
        trials: vec![
            base("topk"),
            Trial { attention: Some(AttentionConfig::new()), ..base("attention") },
        ],
        transcoder: None,
        many_seeds: false,
    }
}

/// What won the benchmark, and what it consists of step by step. The number of active features and the
/// size of combinations stay fixed, as they did there: on many more active features than in the end,
/// exact codes cost too much.
fn run_3() -> Plan {
    let refit = |name| Trial { refit_steps: 3, ..base(name) };
    let units = Trial {
        units: Some(UnitsConfig::new()),
        completed: true,
        rate_of: Some("topk_refit"),
        ..refit("units")
    };
    Plan {
        name: "run_3",
        question: "Which features combine, and what do combinations explain that features cannot?",
        trials: vec![base("topk"), refit("topk_refit"), units],
        transcoder: Some("units"),
        many_seeds: true,
    }
}

/// The standard TopK autoencoder, from which every trial says what differs.
fn base(name: &'static str) -> Trial {
    Trial {
        name,
        attention: None,
        units: None,
        refit_steps: 0,
        completed: false,
        rate_of: None,
        schedule: Schedule::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_have_names_of_their_own_and_distinct_trials() {
        for plan in all() {
            assert_eq!(named(plan.name).map(|found| found.question), Some(plan.question));
            let mut names: Vec<_> = plan.trials.iter().map(|trial| trial.name).collect();
            names.dedup();
            assert_eq!(names.len(), plan.trials.len());
        }
        assert!(named("run_x").is_none());
    }

    #[test]
    fn a_learning_rate_is_taken_from_an_earlier_trial_only() {
        for plan in all() {
            for (place, trial) in plan.trials.iter().enumerate() {
                let known = |name| plan.trials[..place].iter().any(|earlier| earlier.name == name);
                assert!(trial.rate_of.is_none_or(known), "{}", trial.name);
            }
        }
    }
}
