//! What pairs do in the language model: a table, two pictures, a line for `notes.txt`.

use std::fmt::Write;

use shared::plot::{Axis, Chart, Mark, Scale, Series};
use shared::vocab::Vocab;

use crate::analysis::causal::{Causal, PairTest};
use crate::analysis::in_model::InModel;
use crate::analysis::rank::quantile;
use crate::results::{Export, Results};

/// The kinds of tests, in the order of columns and bars.
const KINDS: [&str; 5] =
    ["with unit", "directions", "pairs alike", "random model", "random directions"];

/// One table for each autoencoder whose pairs were tested: its name and its text.
pub fn tables(results: &Results) -> impl Iterator<Item = (String, String)> {
    tested(results)
        .map(|export| (format!("combinations/{}_in_lm.csv", export.name), csv(&export.causal)))
}

/// The pictures of the first autoencoder whose pairs were tested.
pub fn charts(results: &Results, vocab: &Vocab) -> Vec<(String, Chart)> {
    let Some(export) = tested(results).next() else { return vec![] };
    let pair = export.causal.pairs.first().and_then(|pair| two_by_two(pair, vocab));
    let mut charts = vec![("in_lm".to_string(), comparison(&export.causal))];
    charts.extend(pair.map(|chart| ("in_lm_pair".to_string(), chart)));
    charts
}

/// The medians for `notes.txt`.
pub fn notes(results: &Results) -> Option<String> {
    let export = tested(results).next()?;
    let causal = &export.causal;
    let medians: Vec<String> = KINDS
        .iter()
        .zip(shares(causal))
        .map(|(kind, shares)| format!("{kind} {:.3}", median(&shares)))
        .collect();
    let spearman =
        causal.spearman.map_or("not known, too few pairs".into(), |it| format!("{it:.3}"));
    Some(format!(
        "In the language model, the {} strongest pairs of {}: interaction of the logits as a share of \
         what single parts do, median: {}.\nPartial Spearman correlation of |I(P)| with the share by \
         directions, given support, PMI, cosine and strength: {spearman}.",
        causal.pairs.len(),
        export.name,
        medians.join(", ")
    ))
}

fn tested(results: &Results) -> impl Iterator<Item = &Export> {
    results.exports.iter().filter(|export| !export.causal.pairs.is_empty())
}

/// What was measured of a pair, in the order of [`KINDS`].
fn kinds(pair: &PairTest) -> [Option<&InModel>; 5] {
    let control = pair.control.as_ref().map(|(_, told)| told);
    [
        Some(&pair.with_unit),
        Some(&pair.alone),
        control,
        Some(&pair.random_lm),
        Some(&pair.random_directions),
    ]
}

/// What each kind of test found, ascending.
fn shares(causal: &Causal) -> [Vec<f64>; 5] {
    let of = |kind: usize| causal.pairs.iter().filter_map(move |pair| kinds(pair)[kind]);
    [0, 1, 2, 3, 4].map(|kind| {
        let mut shares: Vec<f64> = of(kind).map(InModel::share).collect();
        shares.sort_by(f64::total_cmp);
        shares
    })
}

fn median(shares: &[f64]) -> f64 {
    quantile(shares, 0.5).unwrap_or(f64::NAN)
}

fn csv(causal: &Causal) -> String {
    let mut text = "parts,interaction,support,pmi,cosine,strength,control".to_string();
    for kind in KINDS.map(|kind| kind.replace(' ', "_")) {
        let _ = write!(text, ",{kind}_interaction,{kind}_single");
    }
    text.push('\n');
    let joined = |parts: &[usize]| parts.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    for pair in &causal.pairs {
        let control = pair.control.as_ref().map_or(String::new(), |(parts, _)| joined(parts));
        let _ = write!(
            text,
            "{},{:.6},{},{:.4},{:.4},{:.4},{control}",
            joined(&pair.parts),
            pair.interaction,
            pair.support,
            pair.pmi,
            pair.cosine,
            pair.strength
        );
        for told in kinds(pair) {
            let _ = match told {
                Some(told) => write!(text, ",{:.6},{:.6}", told.interaction, told.single),
                None => write!(text, ",,"),
            };
        }
        text.push('\n');
    }
    text
}

fn comparison(causal: &Causal) -> Chart {
    let shares = shares(causal);
    let range = |shares: &Vec<f64>| quantile(shares, 0.25).zip(quantile(shares, 0.75));
    let medians = shares.iter().enumerate().map(|(at, all)| (at as f64, median(all)));
    Chart {
        title: "Do the parts interact in the language model?".into(),
        subtitle: Some(format!(
            "{} pairs taken out of the stream; medians, whiskers hold the middle half",
            causal.pairs.len()
        )),
        x: Axis {
            label: String::new(),
            scale: Scale::Categories(KINDS.map(String::from).to_vec()),
        },
        y: Axis {
            label: "interaction of the logits / effect of a single part".into(),
            scale: Scale::Linear,
        },
        series: vec![Series {
            label: "share".into(),
            mark: Mark::Bars,
            points: medians.collect(),
            intervals: shares.iter().map(range).collect(),
        }],
    }
}

/// The logit on which both parts together act most, with each part there or not.
fn two_by_two(pair: &PairTest, vocab: &Vocab) -> Option<Chart> {
    let [neither, one, other, both] = &pair.with_unit.logits[..] else { return None };
    let sum = |at: &usize| both[*at] - one[*at] - other[*at] + neither[*at];
    let most = (0..both.len()).max_by(|a, b| sum(a).abs().total_cmp(&sum(b).abs()))?;
    let character = vocab.char(most)?;
    let line = |label: String, points: [f64; 2]| Series {
        label,
        mark: Mark::LinePoints,
        points: points.into_iter().enumerate().map(|(at, logit)| (at as f64, logit)).collect(),
        intervals: vec![],
    };
    let [first, second] = pair.parts[..] else { return None };
    Some(Chart {
        title: format!("Features {first} and {second} and the logit of {character:?}"),
        subtitle: Some("mean over rows with both; parallel lines are no interaction".into()),
        x: Axis {
            label: String::new(),
            scale: Scale::Categories(vec![format!("without {first}"), format!("with {first}")]),
        },
        y: Axis { label: "logit, less the mean over characters".into(), scale: Scale::Linear },
        series: vec![
            line(format!("without {second}"), [neither[most], one[most]]),
            line(format!("with {second}"), [other[most], both[most]]),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features that raise the second of three characters only together.
    fn pair(control: bool) -> PairTest {
        let told = |interaction: f64| InModel {
            interaction,
            single: 2.0,
            logits: vec![
                vec![0.1, 0.0, 0.0],
                vec![0.2, 0.1, 0.0],
                vec![0.1, 0.2, 0.0],
                vec![0.2, 1.5, 0.1],
            ],
        };
        PairTest {
            parts: vec![3, 14],
            interaction: 0.5,
            support: 40,
            pmi: 0.25,
            cosine: -0.125,
            strength: 1.5,
            with_unit: told(1.0),
            alone: told(0.5),
            random_lm: told(0.25),
            random_directions: told(0.125),
            control: control.then(|| (vec![2, 7], told(0.75))),
        }
    }

    #[test]
    fn every_kind_of_test_has_its_columns_and_what_was_not_tested_has_none() {
        let causal = Causal { pairs: vec![pair(true), pair(false)], spearman: None };

        let text = csv(&causal);

        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
        let column = |name: &str| lines[0].iter().position(|it| *it == name).unwrap();
        assert_eq!(lines[1][column("control")], "2 7");
        assert_eq!(lines[1][column("pairs_alike_interaction")], "0.750000");
        assert_eq!(lines[1][column("random_model_interaction")], "0.250000");
        assert_eq!(lines[2][column("pairs_alike_interaction")], "");
        assert_eq!(shares(&causal)[0], [0.5, 0.5]);
    }

    #[test]
    fn the_picture_of_a_pair_is_of_the_character_on_which_it_interacts_most() {
        let chart = two_by_two(&pair(false), &Vocab::of("abc")).unwrap();

        assert_eq!(chart.title, "Features 3 and 14 and the logit of 'b'");
        assert_eq!(chart.series[0].points, [(0.0, 0.0), (1.0, 0.1)]);
        assert_eq!(chart.series[1].points, [(0.0, 0.2), (1.0, 1.5)]);
    }
}
