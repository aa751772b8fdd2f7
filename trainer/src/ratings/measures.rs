//! Agreement, and each method's items.

use std::collections::BTreeMap;

use shared::random::stream;
use shared::ratings::Answer;

use super::Keyed;
use super::collect::Rater;
use crate::analysis::agreement::{Agreement, Metric, RESAMPLES, agreement};
use crate::analysis::rank::resampled_mean;
use crate::analysis::truth_table::wilson;
use crate::study::GOLD;

/// What all raters say together, and what those say whom the study's rules leave in.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub all: Measured,
    pub after_exclusions: Measured,
}

/// What some raters say.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub raters: usize,
    /// Answers to items that are neither plain nor asked again.
    pub ratings: usize,
    /// By name of the question and of the metric.
    pub agreement: BTreeMap<&'static str, BTreeMap<&'static str, Agreement>>,
    pub methods: Vec<Method>,
    pub repeats: Repeats,
}

/// What was said of a method's items.
#[derive(Clone, Debug)]
pub(super) struct Method {
    pub name: String,
    pub items: usize,
    pub ratings: usize,
    /// How often the foreign line was found.
    pub hits: usize,
    pub cannot_tell: usize,
    /// Where the share of hits lies with 95 % confidence, taking answers as independent.
    pub wilson: [f64; 2],
    /// The mean over items of their mean clarity, and its interval over resampled items.
    pub clarity: Option<f64>,
    pub clarity_ci95: Option<[f64; 2]>,
}

/// How well raters agree with themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repeats {
    pub pairs: usize,
    pub same_intruder: usize,
    /// The mean distance of the two clarities.
    pub clarity_apart: f64,
}

pub(super) fn measure(keyed: &Keyed, raters: &[Rater], seed: u64) -> Found {
    let all: Vec<&Rater> = raters.iter().collect();
    let left: Vec<&Rater> = raters.iter().filter(|rater| rater.excluded.is_none()).collect();
    Found { all: of(keyed, &all, seed), after_exclusions: of(keyed, &left, seed) }
}

fn of(keyed: &Keyed, raters: &[&Rater], seed: u64) -> Measured {
    let mut items: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in raters.iter().flat_map(|rater| &rater.session.answers) {
        if !answer.repeat {
            items.entry(&answer.item).or_default().push(answer);
        }
    }
    let mut conditions: BTreeMap<&str, Vec<&Vec<&Answer>>> = BTreeMap::new();
    for (item, answers) in &items {
        conditions.entry(&keyed.key.items[*item].condition).or_default().push(answers);
    }
    let methods = conditions.iter().map(|(name, items)| method(keyed, name, items, seed)).collect();
    items.retain(|item, _| keyed.key.items[*item].condition != GOLD);
    let values = |value: fn(&Answer) -> u8| -> Vec<Vec<f64>> {
        let of_item = |all: &Vec<&Answer>| all.iter().map(|one| f64::from(value(one))).collect();
        items.values().map(of_item).collect()
    };
    let clarity = values(|answer| answer.clarity);
    let intruder = values(|answer| answer.intruder);
    let metrics = [
        ("ordinal", Metric::Ordinal),
        ("interval", Metric::Interval),
        ("ratio", Metric::Ratio),
        ("nominal", Metric::Nominal),
    ];
    let of_clarity = metrics.map(|(name, metric)| (name, agreement(&clarity, metric, seed)));
    let of_intruder = [("nominal", agreement(&intruder, Metric::Nominal, seed))];
    Measured {
        raters: raters.len(),
        ratings: items.values().map(Vec::len).sum(),
        agreement: [("clarity", of_clarity.into()), ("intruder", of_intruder.into())].into(),
        methods,
        repeats: repeats(raters),
    }
}

fn method(keyed: &Keyed, name: &str, items: &[&Vec<&Answer>], seed: u64) -> Method {
    let answers: Vec<&Answer> = items.iter().flat_map(|answers| answers.iter().copied()).collect();
    let is_hit = |answer: &&&Answer| keyed.key.items[&answer.item].intruder == answer.intruder;
    let hits = answers.iter().filter(is_hit).count();
    let of_item = |answers: &&Vec<&Answer>| {
        let sum: u32 = answers.iter().map(|answer| u32::from(answer.clarity)).sum();
        f64::from(sum) / answers.len() as f64
    };
    let means: Vec<f64> = items.iter().map(of_item).collect();
    let mut random = stream(seed, &format!("clarity of {name}"));
    Method {
        name: name.to_string(),
        items: items.len(),
        ratings: answers.len(),
        hits,
        cannot_tell: answers.iter().filter(|answer| answer.intruder == 0).count(),
        wilson: wilson(hits, answers.len()),
        clarity: (!means.is_empty()).then(|| mean(&means)),
        clarity_ci95: resampled_mean(&means, RESAMPLES, &mut random),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn repeats(raters: &[&Rater]) -> Repeats {
    let mut found = Repeats::default();
    for rater in raters {
        let answers = &rater.session.answers;
        for again in answers.iter().filter(|answer| answer.repeat) {
            let first = answers.iter().find(|one| !one.repeat && one.item == again.item);
            let Some(first) = first else { continue };
            found.pairs += 1;
            found.same_intruder += usize::from(first.intruder == again.intruder);
            found.clarity_apart += f64::from(first.clarity.abs_diff(again.clarity));
        }
    }
    found.clarity_apart /= found.pairs.max(1) as f64;
    found
}
