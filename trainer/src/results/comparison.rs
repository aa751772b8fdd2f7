//! How trials differ from the one that they are compared with.

use serde::Serialize;
use shared::report::Quality;

use super::{Method, SILENT};
use crate::analysis::paired::Difference;
use crate::plan::{Plan, Relation, Trial};

/// A trial beside another with as many active features, seed by seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The trial's name in results.
    pub name: String,
    /// The other's.
    pub reference: String,
    /// How much more variance it leaves unexplained; below 0 is better.
    pub fvu: Difference,
    /// How much more it recovers of the cross-entropy lost by zero ablation; above 0 is better.
    pub ce_recovered: Difference,
}

/// All comparisons that a plan asks for, in the order of its trials; where they are steps, behind each also
/// what its units alone change.
pub(super) fn all(plan: &Plan, methods: &[Method]) -> Vec<Comparison> {
    let compare = |trial: &Trial| {
        let one = methods.iter().find(|method| method.name == trial.label())?;
        let alike = || methods.iter().filter(|other| other.sparsity_k == one.sparsity_k);
        let against = |name: &str| {
            let other = alike().find(|other| other.method == name)?;
            Comparison::of(one, other)
        };
        let silent = (plan.relation == Relation::Steps).then(|| format!("{}{SILENT}", trial.name));
        let reference = plan.reference_of(trial).and_then(against);
        Some(reference.into_iter().chain(silent.and_then(|silent| against(&silent))))
    };
    plan.trials.iter().filter_map(compare).flatten().collect()
}

impl Comparison {
    /// None without a seed that both have.
    fn of(one: &Method, other: &Method) -> Option<Self> {
        let difference =
            |value: fn(&Quality) -> f64| Difference::of(&one.by_seed(value), &other.by_seed(value));
        Some(Self {
            name: one.name.clone(),
            reference: other.name.clone(),
            fvu: difference(|quality| quality.fvu)?,
            ce_recovered: difference(|quality| quality.ce_recovered_zero)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::paired::Verdict;
    use crate::plan::{self, Profile, ProfileName};

    fn method(name: &str, sparsity_k: usize, fvu: &[f64]) -> Method {
        let qualities = fvu.iter().map(|fvu| Quality { fvu: *fvu, ..Quality::default() });
        Method {
            name: if sparsity_k == 32 { name.into() } else { format!("{name}_k{sparsity_k}") },
            method: name.into(),
            sparsity_k,
            setting: String::new(),
            seeds: (0..fvu.len() as u64).collect(),
            qualities: qualities.collect(),
        }
    }

    #[test]
    fn ablations_are_compared_with_the_whole_model_or_with_what_they_name() {
        let plan = plan::named("run_4").unwrap().at(&Profile::named(ProfileName::Cpu));
        let methods = [
            method("full", 32, &[0.10, 0.20]),
            method("no_refit", 32, &[0.15, 0.25]),
            method("attention", 32, &[0.30, 0.40]),
            method("attention_entropy", 32, &[0.25, 0.36]),
        ];

        let all = all(&plan, &methods);

        let told: Vec<(&str, &str)> =
            all.iter().map(|one| (one.name.as_str(), one.reference.as_str())).collect();
        let expected =
            [("no_refit", "full"), ("attention", "full"), ("attention_entropy", "attention")];
        assert_eq!(told, expected);
        assert!((all[0].fvu.mean - 0.05).abs() < 1e-12);
        assert_eq!(all[0].fvu.verdict(), Verdict::Higher);
        assert_eq!(all[2].fvu.verdict(), Verdict::NotDistinguishable);
    }

    #[test]
    fn steps_are_compared_with_the_one_before_and_units_with_their_own_silence() {
        let plan = plan::named("run_3").unwrap().at(&Profile::named(ProfileName::Cpu));
        let methods = [
            method("pca", 32, &[0.50]),
            method("topk", 32, &[0.10, 0.20]),
            method("topk", 8, &[0.40]),
            method("topk_refit", 32, &[0.09, 0.19]),
            method("topk_refit", 8, &[0.30]),
            method("units_silent", 32, &[0.08, 0.20]),
            method("units", 32, &[0.07, 0.18]),
        ];

        let all = all(&plan, &methods);

        let told: Vec<String> =
            all.iter().map(|one| format!("{} {}", one.name, one.reference)).collect();
        let expected =
            ["topk_refit topk", "topk_refit_k8 topk_k8", "units topk_refit", "units units_silent"];
        assert_eq!(told, expected);
        assert!((all[3].fvu.mean + 0.015).abs() < 1e-12);
    }

    #[test]
    fn rivals_are_compared_at_the_same_number_of_active_features() {
        let plan = plan::named("run_5").unwrap().at(&Profile::named(ProfileName::Cpu));
        let methods =
            [method("units", 32, &[0.10]), method("units", 8, &[0.50]), method("topk", 8, &[0.75])];

        let all = all(&plan, &methods);

        assert_eq!(all.len(), 1);
        assert_eq!((all[0].name.as_str(), all[0].reference.as_str()), ("topk_k8", "units_k8"));
        assert_eq!((all[0].fvu.mean, all[0].fvu.verdict()), (0.25, Verdict::OneSeed));
    }
}
