//! `benchmark.md`: who won, by how much, and the tables that say so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::figures::other;
use super::intervals::{interval, mean};
use super::runs::{Difference, MethodRuns, SIZES, differences, reference};
use super::score::{SizeScore, name};
use super::sweep::Sweep;

/// With fewer worlds an interval by resampling is too narrow.
const ENOUGH_WORLDS: usize = 5;

/// The report on methods side by side; `plots` are the names of pictures in `plots/`.
pub fn of_runs(runs: &[MethodRuns], conditions: &str, plots: &[String]) -> String {
    let differences = differences(runs);
    let mut text = format!("# Combination benchmark\n\n{conditions}.\n\n## In short\n\n");
    claims(runs, &differences).iter().for_each(|claim| _ = writeln!(text, "- {claim}"));
    text.push('\n');
    pictures(&mut text, plots);
    f1_table(&mut text, runs);
    differences_table(&mut text, &differences);
    fooled_table(&mut text, runs);
    effects_table(&mut text, runs);
    features_table(&mut text, runs);
    kinds_table(&mut text, runs);
    null_table(&mut text, runs);
    rates_table(&mut text, runs);
    text
}

/// The report on a sweep.
pub fn of_sweep(sweep: &Sweep, conditions: &str, plots: &[String]) -> String {
    let knob = &sweep.knob;
    let mut text =
        format!("# Combination benchmark by `{knob}`\n\n{conditions}.\n\n## In short\n\n");
    for point in &sweep.points {
        for claim in claims(&point.runs, &differences(&point.runs)) {
            let claim = claim.replace("(#", &format!("(#{}-", anchor(&point.value)));
            let _ = writeln!(text, "- `{knob}` {}: {claim}", point.value);
        }
    }
    text.push('\n');
    pictures(&mut text, plots);
    for point in &sweep.points {
        let mut part = String::new();
        f1_table(&mut part, &point.runs);
        differences_table(&mut part, &differences(&point.runs));
        null_table(&mut part, &point.runs);
        let part = part.replace("<a id=\"", &format!("<a id=\"{}-", anchor(&point.value)));
        let _ = write!(text, "# `{knob}` {}\n\n{part}", point.value);
    }
    text
}

fn anchor(value: &str) -> String {
    value.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// What the tables say, each with a link to its table.
fn claims(runs: &[MethodRuns], differences: &[Difference]) -> Vec<String> {
    let Some(reference) = reference(runs) else { return vec!["no method was scored".into()] };
    let mut claims: Vec<String> = SIZES
        .into_iter()
        .filter(|size| has_rules(runs, size))
        .filter_map(|size| verdict(runs, reference, size, differences))
        .collect();
    if !reference.null.is_empty() {
        let found = reference.false_discoveries();
        let most = found.iter().max().copied().unwrap_or_default();
        claims.push(format!(
            "Where nothing combines, `{}` proposes {most} combinations at most \
             ([null set](#null)).",
            reference.name
        ));
    }
    let worlds = reference.worlds.len();
    if worlds > 1 && worlds < ENOUGH_WORLDS && !differences.is_empty() {
        claims.push(format!(
            "There are {worlds} worlds only: intervals of differences by resampling are too narrow \
             ([differences](#differences))."
        ));
    }
    claims
}

/// Whether the reference is ahead of the best of the others for one size.
fn verdict(
    runs: &[MethodRuns],
    reference: &MethodRuns,
    size: &str,
    differences: &[Difference],
) -> Option<String> {
    let own = mean(&reference.f1(size));
    let f1 = |name: &str| {
        let run = runs.iter().find(|run| run.name == name);
        run.map_or(0.0, |run| mean(&run.f1(size)))
    };
    let of_size = differences.iter().filter(|difference| difference.size == size);
    let best = of_size.max_by(|a, b| f1(&a.over).total_cmp(&f1(&b.over)));
    let Some(best) = best else {
        return Some(format!(
            "{size}: `{}` reaches an F1 of {own:.2} ([F1](#f1)).",
            reference.name
        ));
    };
    let (one, two) = (&reference.name, &best.over);
    let figures = format!("{own:.2} and {:.2} ([F1](#f1))", f1(two));
    let link = "[differences](#differences)";
    Some(match best.interval {
        None => format!(
            "{size}: `{one}` and the best of the others, `{two}`, reach {figures}; one world says \
             nothing about the difference of {:+.2} ({link}).",
            best.mean
        ),
        Some([low, high]) => {
            let verdict = match (low > 0.0, high < 0.0) {
                (true, _) => format!("`{one}` wins over the best of the others, `{two}`"),
                (_, true) => format!("`{one}` loses to `{two}`"),
                _ => format!("no difference between `{one}` and `{two}` can be told"),
            };
            let difference = best.mean;
            format!(
                "{size}: {verdict}: {figures}, {difference:+.2} [{low:+.2}, {high:+.2}] ({link})."
            )
        }
    })
}

fn has_rules(runs: &[MethodRuns], size: &str) -> bool {
    runs.iter().any(|run| run.each(size, |score| score.rules as f64).iter().sum::<f64>() > 0.0)
}

fn pictures(text: &mut String, plots: &[String]) {
    for plot in plots {
        let _ = writeln!(text, "![{}](plots/{plot}.svg)\n", plot.replace('_', " "));
    }
}

/// A heading with an anchor, then the head of a table.
fn table(text: &mut String, id: &str, heading: &str, columns: &[&str]) {
    let _ = write!(text, "<a id=\"{id}\"></a>\n## {heading}\n\n| {} |\n|", columns.join(" | "));
    columns.iter().for_each(|_| text.push_str("---|"));
    text.push('\n');
}

fn row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.3}"))
}

fn f1_table(text: &mut String, runs: &[MethodRuns]) {
    let columns = ["method", "pairs", "triples", "quadruples", "FVU", "MCC", "seconds"];
    table(text, "f1", "Deployed F1, average precision and F1@R", &columns);
    for run in runs {
        let cell = |size: &str| {
            let f1 = run.f1(size);
            let interval = interval(&f1).map_or(String::new(), |[low, high]| {
                format!(" [{:.2}, {:.2}]", low.max(0.0), high.min(1.0))
            });
            let over = |of: fn(&SizeScore) -> f64| mean(&run.each(size, of));
            let (ap, at_r) = (over(|score| score.average_precision), over(|score| score.f1_at_r));
            format!("{:.2}{interval}, AP {ap:.2}, F1@R {at_r:.2}", mean(&f1))
        };
        let seconds = format!("{:.1}", run.some(|score| Some(score.seconds)).unwrap_or_default());
        let quality = [number(run.some(|s| s.fvu)), number(run.some(|s| s.mcc)), seconds];
        row(text, &[std::slice::from_ref(&run.name), &SIZES.map(cell)[..], &quality].concat());
    }
    text.push_str(
        "\nMeans over worlds with 95 % intervals (Student's t, cut to 0 and 1). AP and F1@R \
         judge the ranking, F1 what a method deploys.\n\n",
    );
}

fn differences_table(text: &mut String, differences: &[Difference]) {
    if differences.is_empty() {
        return;
    }
    let heading = "Differences of deployed F1 in the same worlds";
    table(text, "differences", heading, &["difference", "pairs", "triples", "quadruples"]);
    let mut by_pair: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for difference in differences {
        let interval = difference
            .interval
            .map_or(String::new(), |[low, high]| format!(" [{low:+.2}, {high:+.2}]"));
        let cells = by_pair.entry((&difference.of, &difference.over)).or_default();
        cells.push(format!("{:+.2}{interval}", difference.mean));
    }
    for ((of, over), cells) in by_pair {
        row(text, &[vec![format!("{of} - {over}")], cells].concat());
    }
    text.push_str("\nIntervals: paired bootstrap over worlds, 10,000 seeded resamples.\n\n");
}

fn fooled_table(text: &mut String, runs: &[MethodRuns]) {
    let heading =
        "What is deployed: rules, decoys by kind, features without a match, anything else";
    let columns = ["method", "pairs", "triples", "quadruples"];
    table(text, "fooled", heading, &columns);
    for run in runs {
        let cell = |size: &str| {
            let over = |of: &dyn Fn(&SizeScore) -> usize| mean(&run.each(size, |s| of(s) as f64));
            let decoy =
                |kind: &str| over(&|score| score.decoys.get(kind).copied().unwrap_or_default());
            format!(
                "{:.1} of {:.1} right; decoys {:.1} / {:.1} / {:.1}; {:.1} unmatched; {:.1} else",
                over(&|score| score.hits),
                over(&|score| score.proposed),
                decoy("co_activation"),
                decoy("cosine"),
                decoy("additive"),
                over(&|score| score.unmatched),
                over(&other),
            )
        };
        row(text, &[std::slice::from_ref(&run.name), &SIZES.map(cell)[..]].concat());
    }
    text.push_str("\nMeans over worlds; decoys: co-activation / cosine / additive.\n\n");
}

fn effects_table(text: &mut String, runs: &[MethodRuns]) {
    let heading = "Effects of the rules that were found";
    let columns = ["method", "pairs", "triples", "quadruples"];
    table(text, "effects", heading, &columns);
    for run in runs {
        let cell = |size: usize| {
            let cosine = run.on_hits(size, |rule| rule.effect_cosine);
            let energy = run.on_hits(size, |rule| rule.energy_explained);
            format!("cosine {}, energy explained {}", number(cosine), number(energy))
        };
        row(text, &[std::slice::from_ref(&run.name), &[2, 3, 4].map(cell)[..]].concat());
    }
    text.push_str(
        "\nThe cosine of the effect that was found with the true one, and `1 - E[(v.e)^2] / \
         E[(delta A)^2]` on the rows on which the rule fires; means over rules.\n\n",
    );
}

fn features_table(text: &mut String, runs: &[MethodRuns]) {
    if runs.iter().all(|run| run.worlds.iter().all(|score| score.features.is_none())) {
        return;
    }
    let columns = [
        "method",
        "recovered",
        "uniqueness",
        "MMCS learned",
        "MMCS true",
        "precision",
        "recall",
        "F1",
        "absorption",
    ];
    table(text, "features", "How well features are known", &columns);
    for run in runs {
        let of = |value: fn(&super::feature_scores::FeatureScores) -> Option<f64>| {
            number(run.some(|score| score.features.as_ref().and_then(value)))
        };
        row(
            text,
            &[
                run.name.clone(),
                of(|f| Some(f.recovered as f64 / f.features.max(1) as f64)),
                of(|f| Some(f.uniqueness)),
                of(|f| Some(f.mmcs_learned)),
                of(|f| Some(f.mmcs_true)),
                of(|f| Some(f.precision)),
                of(|f| Some(f.recall)),
                of(|f| Some(f.f1)),
                of(|f| f.absorption),
            ],
        );
    }
    text.push_str(
        "\nPrecision, recall and F1 are of the firing, a mean over true features. Absorption is by \
         how much more often a part is on when its rule fires: below 0, combinations take rows from \
         features.\n\n",
    );
}

fn kinds_table(text: &mut String, runs: &[MethodRuns]) {
    let kinds = |run: &MethodRuns| {
        let mut kinds: BTreeMap<String, [usize; 2]> = BTreeMap::new();
        for rule in run.worlds.iter().flat_map(|score| &score.rules) {
            let counts = kinds.entry(name(&rule.kind)).or_default();
            counts[0] += usize::from(rule.found);
            counts[1] += 1;
        }
        kinds
    };
    let all: Vec<String> =
        runs.first().map(|run| kinds(run).into_keys().collect()).unwrap_or_default();
    let columns: Vec<&str> = ["method"].into_iter().chain(all.iter().map(String::as_str)).collect();
    table(text, "kinds", "Rules found by kind, of all worlds and sizes", &columns);
    for run in runs {
        let kinds = kinds(run);
        let cell = |kind: &String| {
            kinds.get(kind).map_or("-".into(), |[found, count]| format!("{found} of {count}"))
        };
        row(text, &[vec![run.name.clone()], all.iter().map(cell).collect()].concat());
    }
    text.push_str(
        "\nModulating and inhibiting rules leave nothing that features cannot say. They count \
         neither for nor against a method.\n\n",
    );
}

fn null_table(text: &mut String, runs: &[MethodRuns]) {
    if runs.iter().all(|run| run.null.is_empty()) {
        return;
    }
    let heading = "False discoveries where no rule has an effect";
    table(text, "null", heading, &["method", "combinations in each world"]);
    for run in runs.iter().filter(|run| !run.null.is_empty()) {
        let found: Vec<String> = run.false_discoveries().iter().map(usize::to_string).collect();
        row(text, &[run.name.clone(), found.join(", ")]);
    }
    text.push_str(
        "\nStatistics with a threshold get it from the truth, where these have no right one.\n\n",
    );
}

fn rates_table(text: &mut String, runs: &[MethodRuns]) {
    let rates = |run: &MethodRuns| -> Vec<String> {
        run.worlds.iter().filter_map(|s| s.learning_rate).map(|rate| rate.to_string()).collect()
    };
    if runs.iter().all(|run| rates(run).is_empty()) {
        return;
    }
    table(text, "rates", "Learning rates", &["method", "chosen in each world"]);
    for run in runs {
        row(text, &[run.name.clone(), rates(run).join(", ")]);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::tracks::MethodScore;
    use super::*;

    fn run(name: &str, f1: &[f64]) -> MethodRuns {
        let world = |f1: &f64| {
            let score = SizeScore { rules: 3, deployed_f1: *f1, ..SizeScore::default() };
            let sizes = [("pairs".to_string(), score)].into();
            MethodScore { sizes, ..MethodScore::default() }
        };
        MethodRuns { name: name.into(), worlds: f1.iter().map(world).collect(), null: vec![] }
    }

    #[test]
    fn the_report_says_so_when_our_own_model_loses() {
        let ours = |f1: &[f64], others: &[f64]| {
            of_runs(&[run("csae", f1), run("screening", others), run("pmi", &[0.1; 3])], "x", &[])
        };

        let text = ours(&[0.5, 0.6, 0.5], &[0.8, 0.9, 0.8]);
        assert!(text.contains("`csae` loses to `screening`: 0.53 and 0.83"), "{text}");
        let text = ours(&[0.8, 0.9, 0.8], &[0.5, 0.6, 0.5]);
        assert!(text.contains("`csae` wins over the best of the others, `screening`"), "{text}");
        let text = ours(&[0.5, 0.9, 0.5], &[0.6, 0.6, 0.6]);
        assert!(
            text.contains("no difference between `csae` and `screening` can be told"),
            "{text}"
        );
    }

    #[test]
    fn every_link_leads_to_a_table() {
        let mut ours = run("csae", &[0.5, 0.6]);
        ours.null = ours.worlds.clone();
        let text = of_runs(&[ours, run("pmi", &[0.1, 0.2])], "x", &[]);

        let links: Vec<&str> =
            text.split("(#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(links.len() >= 4, "{text}");
        for link in links {
            assert!(text.contains(&format!("<a id=\"{link}\"></a>")), "{link}");
        }
    }
}
