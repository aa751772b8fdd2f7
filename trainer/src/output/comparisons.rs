//! How trials differ from those that they are compared with: a table, a chart, a part of the notes.

use std::fmt::Write;

use shared::plot::{Axis, Chart, Mark, Scale, Series};
use shared::report::Quality;

use crate::analysis::paired::{Difference, Verdict};
use crate::plan::Relation;
use crate::results::comparison::Comparison;
use crate::results::{Method, Results};

/// A difference of FVU is drawn up to this share of what the reference leaves unexplained; with larger
/// ones in the drawing nobody could see the others.
const DRAWN: f64 = 0.5;

/// The names and bytes of the tables, for a person and for a program; none without comparisons.
pub fn tables(results: &Results) -> Vec<(String, String)> {
    let name = name(results);
    match results.comparisons.is_empty() {
        true => vec![],
        false => {
            vec![(format!("{name}.md"), markdown(results)), (format!("{name}.csv"), csv(results))]
        }
    }
}

/// The part of `notes.txt`.
pub fn notes(results: &Results) -> Option<String> {
    (!results.comparisons.is_empty()).then(|| markdown(results).trim_end().to_string())
}

/// The differences of FVU and of what is recovered of the loss, with their intervals.
pub fn charts(results: &Results) -> Vec<(String, Chart)> {
    let told = results.comparisons.iter().filter(|one| one.fvu.ci95.is_some());
    let is_near =
        |one: &&Comparison| one.fvu.mean.abs() <= DRAWN * means(results, &one.reference)[0];
    let (near, far): (Vec<&Comparison>, Vec<&Comparison>) = told.partition(is_near);
    let Some(first) = near.first() else { return vec![] };
    let chart = |label: &str, of: fn(&Comparison) -> Difference| Chart {
        title: match results.relation {
            Relation::Steps => "What each step changes".into(),
            _ => format!("Differences to {}", first.reference),
        },
        subtitle: Some(subtitle(results, [&near, &far], of)),
        x: Axis {
            label: String::new(),
            scale: Scale::Categories(
                near.iter().map(|one| label_of(results, one, &near)).collect(),
            ),
        },
        y: Axis { label: label.into(), scale: Scale::Linear },
        series: vec![Series {
            label: label.into(),
            mark: Mark::Points,
            points: near.iter().enumerate().map(|(x, one)| (x as f64, of(one).mean)).collect(),
            intervals: near.iter().map(|one| of(one).ci95.map(|[a, b]| (a, b))).collect(),
        }],
    };
    let ce = chart("CE recovered, above 0 is better", |one| one.ce_recovered);
    let name = name(results);
    vec![
        (name.into(), chart("FVU, below 0 is better", |one| one.fvu)),
        (format!("{name}_ce_recovered"), ce),
    ]
}

/// What the whiskers mean, what a star means, and what lies beyond the drawing.
fn subtitle(
    results: &Results,
    [near, far]: [&[&Comparison]; 2],
    of: fn(&Comparison) -> Difference,
) -> String {
    let mut parts = vec!["whiskers: 95 %".to_string()];
    let mut others: Vec<&str> =
        near.iter().filter(|one| is_to_another(one, near)).map(|one| &*one.reference).collect();
    others.dedup();
    if results.relation != Relation::Steps && !others.is_empty() {
        parts.push(format!("*: to {}", others.join(", ")));
    }
    if !far.is_empty() {
        let beyond = far.iter().map(|one| format!("{} {:+.2}", one.name, of(one).mean));
        parts.push(format!("beyond: {}", beyond.collect::<Vec<_>>().join(", ")));
    }
    parts.join("; ")
}

/// Whether a trial is compared with another one than the first is.
fn is_to_another(one: &Comparison, all: &[&Comparison]) -> bool {
    one.reference != all[0].reference
}

/// The trial, with a star if it is compared with another one than the first is; of steps with that other
/// one.
fn label_of(results: &Results, one: &Comparison, all: &[&Comparison]) -> String {
    match results.relation {
        Relation::Steps => told(results, one),
        _ => format!("{}{}", one.name, if is_to_another(one, all) { "*" } else { "" }),
    }
}

/// The trial, and of steps what it is compared with, because that is never the same.
fn told(results: &Results, one: &Comparison) -> String {
    match results.relation {
        Relation::Steps => format!("{} - {}", one.name, one.reference),
        _ => one.name.clone(),
    }
}

fn name(results: &Results) -> &'static str {
    match results.relation {
        Relation::Steps => "steps",
        Relation::Against(_) => "ablations",
        Relation::Rivals(_) => "rivals",
    }
}

fn markdown(results: &Results) -> String {
    let mut text = "# Differences, seed by seed\n\n\
        FVU: lower is better. CE recovered (zero ablation): higher is better. Intervals: 95 %, Student's t \
        over the differences of paired seeds.\n\n\
        | trial | compared with | seeds | FVU | difference | 95 % interval | reading | CE recovered | \
        difference | 95 % interval | reading |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_string();
    for one in &results.comparisons {
        let [fvu, ce] = means(results, &one.name);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {fvu:.5} | {} | {ce:.5} | {} |",
            one.name,
            one.reference,
            one.fvu.seeds,
            cells(&one.fvu),
            cells(&one.ce_recovered)
        );
    }
    text + "\n" + &summary(results) + "\n"
}

/// Difference, interval and reading.
fn cells(difference: &Difference) -> String {
    let interval =
        difference.ci95.map_or("-".into(), |[low, high]| format!("{low:+.5} to {high:+.5}"));
    format!("{:+.5} | {interval} | {}", difference.mean, difference.verdict().words())
}

/// Who differs, and how many would by chance.
fn summary(results: &Results) -> String {
    let with = |verdict: Verdict| {
        let all = results.comparisons.iter().filter(|one| one.fvu.verdict() == verdict);
        let names: Vec<String> = all.map(|one| told(results, one)).collect();
        if names.is_empty() { "none".to_string() } else { names.join(", ") }
    };
    let count = results.comparisons.iter().filter(|one| one.fvu.ci95.is_some()).count();
    format!(
        "Lower FVU than what they are compared with: {}. Higher: {}. Not distinguishable: {}.\n\
         Of {count} intervals of 95 % some {:.1} miss the truth by chance; no correction is made for \
         that.",
        with(Verdict::Lower),
        with(Verdict::Higher),
        with(Verdict::NotDistinguishable),
        0.05 * count as f64
    )
}

fn csv(results: &Results) -> String {
    let mut text = "trial,compared_with,seeds,fvu,fvu_difference,fvu_low,fvu_high,fvu_reading,\
                    ce_recovered,ce_difference,ce_low,ce_high,ce_reading\n"
        .to_string();
    let numbers = |difference: &Difference| {
        let [low, high] = difference
            .ci95
            .map_or([String::new(), String::new()], |ends| ends.map(|end| format!("{end:?}")));
        format!("{:?},{low},{high},{}", difference.mean, difference.verdict().words())
    };
    for one in &results.comparisons {
        let [fvu, ce] = means(results, &one.name);
        let _ = writeln!(
            text,
            "{},{},{},{fvu:?},{},{ce:?},{}",
            one.name,
            one.reference,
            one.fvu.seeds,
            numbers(&one.fvu),
            numbers(&one.ce_recovered)
        );
    }
    text
}

/// Mean FVU and mean share of the loss recovered.
fn means(results: &Results, name: &str) -> [f64; 2] {
    let method = results.methods.iter().find(|method| method.name == name);
    let mean =
        |value: fn(&Quality) -> f64| method.map_or(f64::NAN, |method: &Method| method.mean(value));
    [mean(|quality| quality.fvu), mean(|quality| quality.ce_recovered_zero)]
}
