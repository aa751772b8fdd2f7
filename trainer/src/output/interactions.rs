//! How strongly features of each method interact: a table, a part of the notes.

use std::fmt::Write;

use crate::analysis::combinations::SUPPORT;
use crate::results::Results;
use crate::results::interacting::{Interacting, LOOKED_AT, OfSeed};

/// `interactions.md` and `interactions.csv`, if the features of some method interact.
pub fn tables(results: &Results) -> Vec<(String, String)> {
    match results.interacting.as_slice() {
        [] => vec![],
        all => {
            vec![("interactions.md".into(), markdown(all)), ("interactions.csv".into(), csv(all))]
        }
    }
}

/// The part of `notes.txt`.
pub fn notes(results: &Results) -> Option<String> {
    let all = &results.interacting;
    (!all.is_empty()).then(|| markdown(all).trim_end().to_string())
}

fn markdown(all: &[Interacting]) -> String {
    let mut text = format!(
        "# Which features interact\n\n\
         Of every method whose decoder is not linear (others have exactly 0) the {LOOKED_AT} pairs of features that \
         interact most, of those that fire together on {SUPPORT} held-out rows or more: the median of |I(P)|, at the \
         mean strengths of both, and how many features these pairs have; means over seeds. Then how many pairs of the \
         first seed other seeds have among theirs, where features with a cosine of 0.7 or more are the same.\n\n\
         | method | seeds | pairs | median of the strongest | their features | the most used is in | in a second seed \
         | in four of five | features in another seed |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    for one in all {
        let mean = |value: fn(&OfSeed) -> f64| {
            one.seeds.iter().map(value).sum::<f64>() / one.seeds.len() as f64
        };
        let [again, counted, shared] = agreement(one);
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {:.4} | {:.1} | {:.1} | {again} | {counted} | {shared} |",
            one.name,
            one.seeds.len(),
            mean(|seed| seed.pairs as f64),
            mean(|seed| seed.median),
            mean(|seed| seed.features as f64),
            mean(|seed| seed.most as f64),
        );
    }
    text
}

/// How many pairs a second seed has, how many four of five, and which share of the features another one has;
/// dashes of a single seed.
fn agreement(one: &Interacting) -> [String; 3] {
    one.consistency.as_ref().map_or(["-", "-", "-"].map(String::from), |told| {
        let again = told.found.iter().filter(|found| **found > 1).count();
        let shared = format!("{:.1} %", 100.0 * told.features);
        [again.to_string(), told.counted().to_string(), shared]
    })
}

fn csv(all: &[Interacting]) -> String {
    let mut text = "method,seed,pairs,median,features,most_used\n".to_string();
    for one in all {
        for OfSeed { seed, pairs, median, features, most } in &one.seeds {
            let _ = writeln!(text, "{},{seed},{pairs},{median:?},{features},{most}", one.name);
        }
    }
    text
}
