//! What methods reached in several worlds: means, intervals, differences, as JSON and as a table.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::intervals::{interval, mean, paired_bootstrap};
use super::outcomes::RuleOutcome;
use super::score::{SizeScore, name};
use super::tracks::MethodScore;

/// The names of the sizes, in the order of their numbers.
pub const SIZES: [&str; 3] = ["pairs", "triples", "quadruples"];

/// One method in several worlds.
#[derive(Clone, Debug, Default)]
pub struct MethodRuns {
    /// The method's name.
    pub name: String,
    /// Its scores, a world each.
    pub worlds: Vec<MethodScore>,
    /// Its scores in the same worlds without effects; may be empty.
    pub null: Vec<MethodScore>,
}

impl MethodRuns {
    /// A number of one size in each world.
    pub fn each(&self, size: &str, value: impl Fn(&SizeScore) -> f64) -> Vec<f64> {
        self.worlds.iter().filter_map(|score| score.sizes.get(size)).map(value).collect()
    }

    /// Deployed F1 of one size in each world.
    pub fn f1(&self, size: &str) -> Vec<f64> {
        self.each(size, |score| score.deployed_f1)
    }

    /// The mean over worlds of a number that not every method has.
    pub fn some(&self, value: impl Fn(&MethodScore) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.worlds.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| mean(&values))
    }

    /// How many combinations it proposes in each world without effects.
    pub fn false_discoveries(&self) -> Vec<usize> {
        let proposed = |score: &MethodScore| score.sizes.values().map(|size| size.proposed).sum();
        self.null.iter().map(proposed).collect()
    }

    /// The mean over the rules of one size that were found and count, of all worlds.
    pub fn on_hits(&self, size: usize, value: impl Fn(&RuleOutcome) -> Option<f64>) -> Option<f64> {
        let rules = self.worlds.iter().flat_map(|score| &score.rules);
        let hits = rules.filter(|r| r.found && r.size == size && r.kind.is_visible());
        let values: Vec<f64> = hits.filter_map(value).collect();
        (!values.is_empty()).then(|| mean(&values))
    }

    fn to_json(&self) -> Value {
        let seconds: Vec<f64> = self.worlds.iter().map(|score| score.seconds).collect();
        let mut value = json!({ "worlds": self.worlds, "seconds": mean(&seconds) });
        for (size, parts) in SIZES.into_iter().zip(2..) {
            let over = |of: fn(&SizeScore) -> f64| mean(&self.each(size, of));
            let f1 = self.f1(size);
            value[size] = json!({
                "deployed_f1": mean(&f1),
                "deployed_f1_ci95": interval(&f1),
                "f1_at_r": over(|score| score.f1_at_r),
                "average_precision": over(|score| score.average_precision),
                "found": over(|score| score.proposed as f64),
                "hits": over(|score| score.hits as f64),
                "effect_cosine_on_hits": self.on_hits(parts, |rule| rule.effect_cosine),
                "rule_energy_explained_on_hits": self.on_hits(parts, |rule| rule.energy_explained),
            });
        }
        let numbers = [("fvu", self.some(|s| s.fvu)), ("mcc", self.some(|s| s.mcc))];
        for (name, number) in numbers {
            if let Some(number) = number {
                value[name] = json!(number);
            }
        }
        value
    }
}

/// By how much one method's deployed F1 is above another's in the same worlds.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The one.
    pub of: String,
    /// The other.
    pub over: String,
    /// The size of the combinations.
    pub size: &'static str,
    /// The mean over worlds.
    pub mean: f64,
    /// The 95 % interval of the mean, by a paired bootstrap; none for a single world.
    pub interval: Option<[f64; 2]>,
}

/// The method that the others are compared with: `csae`, else `screening`, else the first.
pub fn reference(runs: &[MethodRuns]) -> Option<&MethodRuns> {
    let named = |name: &str| runs.iter().find(|run| run.name == name);
    named("csae").or_else(|| named("screening")).or_else(|| runs.first())
}

/// The reference less each other method, by size.
pub fn differences(runs: &[MethodRuns]) -> Vec<Difference> {
    let Some(reference) = reference(runs) else { return vec![] };
    let others = || runs.iter().filter(|run| run.name != reference.name);
    let one = |size: &'static str, other: &MethodRuns| {
        let pairs = reference.f1(size).into_iter().zip(other.f1(size));
        let each: Vec<f64> = pairs.map(|(one, other)| one - other).collect();
        Difference {
            of: reference.name.clone(),
            over: other.name.clone(),
            size,
            mean: mean(&each),
            interval: paired_bootstrap(&each),
        }
    };
    SIZES.into_iter().flat_map(|size| others().map(move |other| one(size, other))).collect()
}

/// Methods, differences and the null set, as `benchmark.json` has them.
pub fn to_json(runs: &[MethodRuns]) -> Value {
    let methods: serde_json::Map<String, Value> =
        runs.iter().map(|run| (run.name.clone(), run.to_json())).collect();
    let without_effects: serde_json::Map<String, Value> = runs
        .iter()
        .filter(|run| !run.null.is_empty())
        .map(|run| (run.name.clone(), json!(run.false_discoveries())))
        .collect();
    let differences: Vec<Value> = differences(runs)
        .iter()
        .map(|d| {
            json!({
                "of": d.of,
                "over": d.over,
                "size": d.size,
                "deployed_f1": d.mean,
                "paired_bootstrap_ci95": d.interval,
            })
        })
        .collect();
    json!({ "methods": methods, "differences": differences, "null": without_effects })
}

/// One line for each method: F1 with hits and proposals of each size, means over worlds.
pub fn table(runs: &[MethodRuns]) -> String {
    let mut text = format!(
        "{:<22} {:>22} {:>22} {:>22} {:>8} {:>7} {:>8}",
        "method", "pairs F1 (hits/found)", "triples", "quadruples", "FVU", "MCC", "seconds"
    );
    for run in runs {
        let _ = write!(text, "\n{:<22}", run.name);
        for size in SIZES {
            let cell = format!(
                "{:.2} ({:.1}/{:.1})",
                mean(&run.f1(size)),
                mean(&run.each(size, |score| score.hits as f64)),
                mean(&run.each(size, |score| score.proposed as f64)),
            );
            let _ = write!(text, " {cell:>22}");
        }
        let number = |value: Option<f64>| value.map_or("-".to_string(), |v| format!("{v:.4}"));
        let _ = write!(
            text,
            " {:>8} {:>7} {:>8.1}",
            number(run.some(|score| score.fvu)),
            number(run.some(|score| score.mcc)),
            run.some(|score| Some(score.seconds)).unwrap_or_default(),
        );
    }
    text
}

/// Scores of one world after another, put together by method.
#[derive(Clone, Debug, Default)]
pub struct Collection(Vec<MethodRuns>);

impl Collection {
    /// Adds the scores of one more world, or of one more without effects.
    pub fn add(&mut self, scores: Vec<(super::methods::Method, MethodScore)>, null: bool) {
        for (method, score) in scores {
            let name = name(&method);
            let place = self.0.iter().position(|run| run.name == name);
            let place = place.unwrap_or_else(|| {
                self.0.push(MethodRuns { name, ..MethodRuns::default() });
                self.0.len() - 1
            });
            let run = &mut self.0[place];
            if null { run.null.push(score) } else { run.worlds.push(score) }
        }
    }

    /// All methods in the order in which they were asked for.
    pub fn into_runs(self) -> Vec<MethodRuns> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(name: &str, f1: &[f64]) -> MethodRuns {
        let world = |f1: &f64| {
            let score = SizeScore { deployed_f1: *f1, ..SizeScore::default() };
            let sizes = [("pairs".to_string(), score)].into();
            MethodScore { sizes, ..MethodScore::default() }
        };
        MethodRuns { name: name.into(), worlds: f1.iter().map(world).collect(), null: vec![] }
    }

    #[test]
    fn differences_are_between_the_same_worlds_and_have_the_sign_of_the_reference() {
        let all = [runs("pmi", &[0.9, 0.1]), runs("csae", &[0.7, 0.3])];

        let differences = differences(&all);

        let pairs = &differences[0];
        assert_eq!((pairs.of.as_str(), pairs.over.as_str(), pairs.size), ("csae", "pmi", "pairs"));
        assert!(pairs.mean.abs() < 1e-9);
        let [low, high] = pairs.interval.unwrap();
        assert!((low + 0.2).abs() < 1e-9 && (high - 0.2).abs() < 1e-9, "{low} {high}");
    }
}
