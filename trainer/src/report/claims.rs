//! What the runs say, each sentence with the table that it was read from. Compares only what was made
//! under the same conditions.

use super::published;
use super::recorded::{Learned, Of, Recorded};
use super::table::digits;
use crate::benchmark::intervals::{interval, mean};
use crate::results::is_baseline;

/// The method that others are compared with.
const PLAIN: &str = "topk";

/// A sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed.
    pub text: String,
    /// The table that it was read from.
    pub table: &'static str,
}

/// All claims, language models first.
pub fn of(runs: &[Recorded]) -> Vec<Claim> {
    let results = || runs.iter().flat_map(Recorded::results);
    let mut claims = vec![];
    let mut told: Vec<([&str; 4], Option<f64>)> = vec![];
    for of in results() {
        // A language model is trained once for all runs under the same conditions.
        let key = (of.conditions(), of.mean("best_val_loss"));
        if !told.contains(&key) {
            let same =
                results().filter(|other| (other.conditions(), other.mean("best_val_loss")) == key);
            claims.extend(language_model(of, &same.map(|other| other.run).collect::<Vec<_>>()));
            told.push(key);
        }
    }
    claims.extend(results().filter_map(best_autoencoder));
    claims.extend(results().filter_map(best_baseline));
    claims.extend(best_of_all(&results().collect::<Vec<_>>()));
    claims.extend(runs.iter().flat_map(combinations));
    claims
}

fn language_model(of: Of, runs: &[&str]) -> Option<Claim> {
    let loss = of.mean("best_val_loss")?;
    let (dataset, profile) = (of.dataset, of.word("profile"));
    let mut text = format!(
        "The language model of {} on {dataset} (profile {profile}) has a validation loss of {} nats per \
         character at best.",
        runs.join(", "),
        digits(loss)
    );
    if let Some(theirs) = published::of(dataset) {
        text += &format!(
            " The source has published {} for {dataset}, made with a profile of its own{}; the two are \
             not compared.",
            digits(theirs.best_val_loss),
            match profile {
                "full" => ", which ours of the name full follows but for the dropout",
                _ => ", with a larger model that learns longer",
            }
        );
    }
    if let (Some(answers), Some(lines)) =
        (of.mean("task_accuracy"), of.mean("task_accuracy_of_lines"))
    {
        text += &format!(
            " It gives {:.2} % of the characters right that the rules decide, and all of them in {:.2} % of the \
             lines.",
            100.0 * answers,
            100.0 * lines
        );
    }
    Some(Claim { text, table: "language_models" })
}

/// The autoencoder that leaves least, against the plain one, seed by seed.
fn best_autoencoder(of: Of) -> Option<Claim> {
    let methods = of.methods();
    let fvu = |method: &str| format!("{method}_fvu");
    let best = *methods.iter().rfind(|method| !is_baseline(method))?;
    let left = of.mean(&fvu(best))?;
    let place = format!("In {} on {} (profile {}),", of.run, of.dataset, of.word("profile"));
    let text = match of.mean(&fvu(PLAIN)) {
        Some(plain) if best != PLAIN => {
            let plain_seeds = of.by_seed(PLAIN, "fvu");
            let paired = |(seed, value): (u64, f64)| {
                let (_, other) = plain_seeds.iter().find(|(other, _)| *other == seed)?;
                Some(value - other)
            };
            let differences: Vec<f64> =
                of.by_seed(best, "fvu").into_iter().filter_map(paired).collect();
            format!(
                "{place} {best} leaves least of the variance unexplained, {}; {PLAIN} leaves {}. {}",
                digits(left),
                digits(plain),
                told_difference(&differences)
            )
        }
        Some(_) if methods.iter().filter(|method| !is_baseline(method)).count() > 1 => {
            format!(
                "{place} no autoencoder leaves less of the variance unexplained than {PLAIN}, {}.",
                digits(left)
            )
        }
        _ => format!("{place} {best} leaves {} of the variance unexplained.", digits(left)),
    };
    Some(Claim { text, table: "methods" })
}

/// The mean of paired differences and whether its interval leaves out 0.
fn told_difference(differences: &[f64]) -> String {
    let (middle, count) = (mean(differences), differences.len());
    match interval(differences) {
        None => format!("The difference of the one seed is {}.", digits(middle)),
        Some([low, high]) => {
            let verdict = match low > 0.0 || high < 0.0 {
                true => "it is not 0",
                false => "they cannot be told apart",
            };
            format!(
                "The difference over {count} seeds in pairs is {}, with the 95 % confidence interval {} to \
                 {}: {verdict}.",
                digits(middle),
                digits(low),
                digits(high)
            )
        }
    }
}

/// The best baseline against the best autoencoder, also where it wins.
fn best_baseline(of: Of) -> Option<Claim> {
    let methods = of.methods();
    let fvu = |method: &str| of.mean(&format!("{method}_fvu"));
    let baseline = *methods.iter().rfind(|method| is_baseline(method))?;
    let best = *methods.iter().rfind(|method| !is_baseline(method))?;
    let (theirs, ours) = (fvu(baseline)?, fvu(best)?);
    let word = if theirs < ours { "less" } else { "more" };
    let text = format!(
        "In {} on {} (profile {}), the best of PCA and NMF with as many numbers in a row, {baseline} ({}), \
         leaves {}, {word} than {best} with {}.",
        of.run,
        of.dataset,
        of.word("profile"),
        of.word(&format!("{baseline}_setting")),
        digits(theirs),
        digits(ours)
    );
    Some(Claim { text, table: "methods" })
}

/// Where the autoencoders of several runs learned under the same conditions, the one that leaves least in all.
fn best_of_all(results: &[Of]) -> Vec<Claim> {
    let mut conditions: Vec<Learned> = results.iter().map(Of::learned).collect();
    conditions.sort();
    conditions.dedup();
    let claim = |condition: &Learned| {
        let alike = results.iter().filter(|of| of.learned() == *condition);
        let of_each = alike.filter_map(|of| {
            let best = *of.methods().iter().rfind(|method| !is_baseline(method))?;
            Some((of.mean(&format!("{best}_fvu"))?, best, of.run))
        });
        let mut bests: Vec<(f64, &str, &str)> = of_each.collect();
        bests.sort_by(|one, other| one.0.total_cmp(&other.0));
        let ((left, method, run), others) = bests.split_first()?;
        let others: Vec<&str> = others.iter().map(|(_, _, run)| *run).collect();
        let text = format!(
            "Of the runs under the same conditions ({condition}), {run} has the autoencoder that leaves least, \
             {method} with {}; the others are {}.",
            digits(*left),
            others.join(", ")
        );
        (!others.is_empty()).then_some(Claim { text, table: "methods" })
    };
    conditions.iter().filter_map(claim).collect()
}

fn combinations(run: &Recorded) -> Vec<Claim> {
    let claim = |counted: &super::recorded::Counted| {
        let [pairs, triples, quadruples] = counted.sizes;
        let again = match counted.found_again {
            None => "trained once, so nobody knows whether another seed has them".to_string(),
            Some(count) => format!("{count} of them found again in four of five trainings"),
        };
        let text = format!(
            "{} of {} has {} combinations ({pairs} pairs, {triples} triples, {quadruples} quadruples), {again}.",
            counted.autoencoder,
            run.name,
            pairs + triples + quadruples
        );
        Claim { text, table: "combinations" }
    };
    run.combinations.iter().map(claim).collect()
}

#[cfg(test)]
mod tests {
    use super::super::recorded::Counted;
    use super::*;
    use serde_json::json;
    use shared::report::DatasetInfo;

    fn run(name: &str, profile: &str, methods: &[(&str, &[f64])]) -> Recorded {
        let mut info = DatasetInfo::default();
        info.add("best_val_loss", &[1.9]);
        for (method, fvu) in methods {
            info.add(&format!("{method}_fvu"), fvu);
            info.final_info_dict.insert(format!("{method}_setting"), json!("s"));
        }
        info.final_info_dict.insert("profile".into(), json!(profile));
        let datasets = [("shakespeare_char".to_string(), info)].into();
        Recorded { name: name.into(), datasets, ..Recorded::default() }
    }

    fn texts(runs: &[Recorded]) -> Vec<String> {
        of(runs).into_iter().map(|claim| claim.text).collect()
    }

    #[test]
    fn a_language_model_that_runs_share_is_told_once_and_never_compared_with_the_sources() {
        let runs = [run("run_0", "cpu", &[]), run("run_1", "cpu", &[]), run("run_2", "smoke", &[])];

        let texts = texts(&runs);

        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].contains("run_0, run_1 on shakespeare_char (profile cpu)"));
        assert!(texts[0].contains("1.46930") && texts[0].contains("not compared"), "{}", texts[0]);
    }

    #[test]
    fn a_language_model_of_a_generated_language_is_told_by_what_it_gets_right() {
        let mut run = run("run_0", "cpu", &[]);
        let info = run.datasets.values_mut().next().unwrap();
        info.add("task_accuracy", &[0.9925]);
        info.add("task_accuracy_of_lines", &[0.5]);

        let text = &texts(&[run])[0];

        assert!(text.contains("99.25 % of the characters right"), "{text}");
        assert!(text.ends_with("all of them in 50.00 % of the lines."), "{text}");
    }

    #[test]
    fn seeds_are_compared_in_pairs_and_the_interval_decides() {
        let clear: [(&str, &[f64]); 2] =
            [("topk", &[0.10, 0.20, 0.30]), ("units", &[0.09, 0.189, 0.29])];
        let unclear: [(&str, &[f64]); 2] =
            [("topk", &[0.10, 0.20, 0.30]), ("units", &[0.05, 0.24, 0.30])];

        assert!(texts(&[run("r", "cpu", &clear)])[1].contains("it is not 0"));
        assert!(texts(&[run("r", "cpu", &unclear)])[1].contains("cannot be told apart"));
        let single: [(&str, &[f64]); 2] = [("topk", &[0.1]), ("units", &[0.2])];
        let text = &texts(&[run("r", "cpu", &single)])[1];
        assert!(text.contains("no autoencoder leaves less"), "{text}");
    }

    #[test]
    fn runs_are_put_in_order_under_the_same_conditions_only() {
        let one = run("one", "cpu", &[("topk", &[0.2])]);
        let other = run("other", "cpu", &[("units", &[0.1]), ("pca", &[0.01])]);
        let unlike = run("unlike", "full", &[("units", &[0.05])]);
        let mut longer = run("longer", "cpu", &[("units", &[0.05])]);
        longer.datasets.values_mut().for_each(|info| info.add("autoencoder_steps", &[3_000.0]));

        let texts = texts(&[one, other, unlike, longer]);

        let of_all: Vec<&String> = texts.iter().filter(|text| text.starts_with("Of the")).collect();
        assert_eq!(of_all.len(), 1, "{texts:?}");
        assert!(of_all[0].contains("other has the autoencoder"), "{of_all:?}");
        assert!(of_all[0].contains("units with 0.10000; the others are one."), "{of_all:?}");
    }

    #[test]
    fn a_baseline_that_wins_is_said_to_win() {
        let methods: [(&str, &[f64]); 3] =
            [("pca", &[0.3]), ("pca_largest", &[0.05]), ("topk", &[0.1])];

        let texts = texts(&[run("r", "cpu", &methods)]);

        assert!(texts[2].contains("pca_largest (s), leaves 0.05000, less than topk"), "{texts:?}");
    }

    #[test]
    fn combinations_are_told_with_whether_they_were_found_again() {
        let counted =
            Counted { autoencoder: "units".into(), sizes: [3, 2, 1], found_again: Some(0) };
        let run =
            Recorded { name: "run_3".into(), combinations: vec![counted], ..Recorded::default() };

        let texts = texts(&[run]);

        assert!(texts[0].starts_with("units of run_3 has 6 combinations (3 pairs"), "{texts:?}");
        assert!(texts[0].contains("0 of them found again"), "{texts:?}");
    }
}
