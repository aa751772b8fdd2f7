//! The runs: which question each asks, which trials answer it, how large they are.
//!
//! Configurations only: no tensor, no file, no loop. A trial says what differs from [`base`].

mod ablations;
mod comparison;
mod profile;
mod resolved;
mod trial;

use shared::{AttentionConfig, UnitsConfig};

pub use profile::{
    AutoencoderTraining, CompositionTraining, DictionaryCompletion, Emphasis, LmTraining, Profile,
    ProfileName,
};
pub use trial::{CsaeTrial, ModelConfig, Rival, RivalConfig, Schedule, Seeds, Trial, TrialModel};

/// A run: a question and the trials that answer it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// As in `--out_dir=run_1`.
    pub name: &'static str,
    /// What the run wants to know.
    pub question: &'static str,
    /// What it trains.
    pub trials: Vec<Trial>,
    /// Whether it is done on every text that can be had, not on the chosen one alone.
    pub every_text: bool,
    /// How the trials belong together.
    pub relation: Relation,
    /// Whether the trials are repeated at every number of active features of the profile, and at which
    /// of them learning rates are chosen.
    pub curve: Option<RatesAt>,
    /// Whether its trainings are so many, or so slow, that each gets the steps that the profile has for
    /// this.
    pub costly: bool,
    /// The trial that is also trained as a transcoder of the perceptron, where the text has hidden
    /// variables that the perceptron might compute.
    pub transcoder: Option<&'static str>,
}

/// How the trials of a plan belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Each adds something to the one before.
    Steps,
    /// Each differs in one respect from the trial of this name, unless it says from which other one.
    Against(&'static str),
    /// They are alternatives to the trial of this name.
    Rivals(&'static str),
}

/// At which number of active features the trials of a curve choose their learning rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatesAt {
    /// The profile's own.
    Own,
    /// That which the profile has for this.
    Swept,
}

/// The plans, in the order of their names.
pub fn all() -> Vec<Plan> {
    vec![run_0(), run_1(), run_2(), run_3(), ablations::run_4(), comparison::run_5()]
}

/// The plan of that name.
pub fn named(name: &str) -> Option<Plan> {
    all().into_iter().find(|plan| plan.name == name)
}

impl Plan {
    /// The plan with a trial of its own for each number of active features that `profile` asks for.
    pub fn at(mut self, profile: &Profile) -> Self {
        if let Some(rates_at) = self.curve {
            let first = match rates_at {
                RatesAt::Own => profile.sparsity_k,
                RatesAt::Swept => profile.swept_k,
            };
            let trials = self.trials.iter().flat_map(|trial| along(trial, first, profile));
            self.trials = trials.collect();
        }
        self
    }

    /// The name of the trial with which another is compared, seed by seed.
    pub fn reference_of(&self, trial: &Trial) -> Option<&'static str> {
        match self.relation {
            Relation::Steps => {
                let names = self.trials.iter().map(|one| one.name);
                names.take_while(|name| *name != trial.name).last()
            }
            Relation::Against(reference) | Relation::Rivals(reference) => {
                Some(trial.against.unwrap_or(reference)).filter(|name| *name != trial.name)
            }
        }
    }
}

/// A trial at every number of active features: `first` where it chooses its learning rate. Elsewhere
/// than at the profile's own number one seed must do.
fn along(trial: &Trial, first: usize, profile: &Profile) -> Vec<Trial> {
    let own = profile.sparsity_k;
    let at = |k: usize| Trial {
        sparsity_k: (k != own).then_some(k),
        seeds: if k == own { trial.seeds } else { Seeds::One },
        exported: trial.exported && k == own,
        ..trial.clone()
    };
    let chosen = at(first);
    let rate_of = Some(chosen.label());
    let others = profile.curve.iter().filter(|k| **k != first);
    let others: Vec<Trial> = others.map(|k| Trial { rate_of: rate_of.clone(), ..at(*k) }).collect();
    [vec![chosen], others].concat()
}

fn run_0() -> Plan {
    Plan {
        name: "run_0",
        question: "How well do single features explain the language model?",
        trials: vec![base("topk")],
        every_text: true,
        relation: Relation::Steps,
        curve: None,
        costly: false,
        transcoder: None,
    }
}

fn run_1() -> Plan {
    let attention = CsaeTrial { attention: Some(AttentionConfig::new()), ..topk() };
    Plan {
        name: "run_1",
        question: "Does attention between two active features at a time explain more?",
        trials: vec![base("topk"), csae("attention", attention)],
        every_text: false,
        relation: Relation::Steps,
        curve: None,
        costly: false,
        transcoder: None,
    }
}

/// As the source planned it. Two rounds, because one contains no AND of three. They are slow, above all on
/// many active features, so that they learn at the learning rate of the TopK.
fn run_2() -> Plan {
    let attention = AttentionConfig::new().with_rounds(2).with_combination_size(4);
    let graduated =
        CsaeTrial { attention: Some(attention), graduated: true, curriculum: true, ..topk() };
    Plan {
        name: "run_2",
        question: "Does attention profit from fewer and fewer features and larger and larger combinations?",
        trials: vec![
            base("topk"),
            Trial { rate_of: Some("topk".into()), ..csae("attention", graduated) },
        ],
        every_text: false,
        relation: Relation::Steps,
        curve: None,
        costly: false,
        transcoder: None,
    }
}

/// What won the benchmark, and what it consists of step by step. The number of active features and the
/// size of combinations stay fixed, as they did there; run_4 has the difference.
fn run_3() -> Plan {
    let many = |trial: Trial| Trial { seeds: Seeds::Many, ..trial };
    Plan {
        name: "run_3",
        question: "Which features combine, and what do combinations explain that features cannot?",
        trials: vec![
            many(base("topk")),
            many(csae("topk_refit", refitted())),
            many(Trial { rate_of: Some("topk_refit".into()), ..csae("units", full()) }),
        ],
        every_text: false,
        relation: Relation::Steps,
        curve: Some(RatesAt::Own),
        costly: false,
        transcoder: Some("units"),
    }
}

/// The standard TopK autoencoder, from which every trial says what differs.
fn base(name: &'static str) -> Trial {
    csae(name, topk())
}

fn csae(name: &'static str, trial: CsaeTrial) -> Trial {
    Trial {
        name,
        model: TrialModel::Csae(trial),
        sparsity_k: None,
        rate_of: None,
        seeds: Seeds::Several,
        exported: true,
        against: None,
    }
}

fn rival(name: &'static str, rival: Rival) -> Trial {
    Trial { model: TrialModel::Rival(rival), exported: false, ..base(name) }
}

fn topk() -> CsaeTrial {
    CsaeTrial::default()
}

fn refitted() -> CsaeTrial {
    CsaeTrial { refit_steps: 3, ..topk() }
}

/// The whole model: refitted features, a dictionary that is completed, units.
fn full() -> CsaeTrial {
    CsaeTrial { units: Some(UnitsConfig::new()), completed: true, ..refitted() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::languages::Language;

    const PROFILES: [ProfileName; 3] = [ProfileName::Smoke, ProfileName::Cpu, ProfileName::Full];

    /// Every plan at every size.
    fn resolved() -> impl Iterator<Item = (Plan, Profile)> {
        let profiles = PROFILES.map(Profile::named);
        let languages = Language::ALL
            .iter()
            .flat_map(|language| PROFILES.map(|name| Profile::named(name).for_language(*language)));
        profiles.into_iter().chain(languages).flat_map(|profile| {
            all().into_iter().map(move |plan| (plan.at(&profile), profile.clone()))
        })
    }

    #[test]
    fn plans_have_names_of_their_own_and_distinct_trials() {
        for plan in all() {
            assert_eq!(named(plan.name).map(|found| found.question), Some(plan.question));
        }
        assert!(named("run_x").is_none());
        for (plan, _) in resolved() {
            let mut labels: Vec<_> = plan.trials.iter().map(Trial::label).collect();
            labels.sort();
            labels.dedup();
            assert_eq!(labels.len(), plan.trials.len());
        }
    }

    #[test]
    fn a_learning_rate_is_taken_from_an_earlier_trial_only() {
        for (plan, _) in resolved() {
            for (place, trial) in plan.trials.iter().enumerate() {
                let earlier = &plan.trials[..place];
                let known = |label: &String| earlier.iter().any(|other| other.label() == *label);
                assert!(trial.rate_of.as_ref().is_none_or(known), "{}", trial.label());
            }
        }
    }

    #[test]
    fn every_trial_is_compared_with_one_that_is_there() {
        for (plan, _) in resolved() {
            for trial in &plan.trials {
                let Some(reference) = plan.reference_of(trial) else { continue };
                let found = plan.trials.iter().find(|other| other.label() == reference);
                let seeds = found.map(|found| found.seeds);
                assert!(seeds.is_some_and(|seeds| seeds != Seeds::One), "{reference}");
            }
        }
    }

    #[test]
    fn a_curve_has_every_number_of_active_features_and_the_seeds_of_the_own_one() {
        let profile = Profile::named(ProfileName::Cpu);
        let plan = named("run_5").unwrap().at(&profile);

        let of = |name: &str| -> Vec<(usize, Seeds, bool)> {
            let all = plan.trials.iter().filter(|trial| trial.name == name);
            all.map(|one| (profile.k(one), one.seeds, one.rate_of.is_none())).collect()
        };

        let one = Seeds::One;
        let expected =
            [(16, one, true), (8, one, false), (32, Seeds::Several, false), (64, one, false)];
        assert_eq!(of("units"), expected);
        assert_eq!(of("matryoshka"), expected);
    }

    #[test]
    fn at_least_one_trial_of_each_plan_is_exported() {
        for (plan, _) in resolved() {
            let exported: Vec<_> = plan.trials.iter().filter(|trial| trial.exported).collect();
            assert!(!exported.is_empty() && exported.len() <= 3, "{}", plan.name);
            assert!(exported.iter().all(|trial| trial.csae().is_some()));
        }
    }
}
