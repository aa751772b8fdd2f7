//! What combinations do in the language model: a table, two pictures, a table for `notes.txt`.

use std::fmt::Write;

use shared::plot::{Axis, Chart, Mark, Scale, Series};
use shared::vocab::Vocab;

use crate::analysis::causal::{Causal, SIZES, Tested};
use crate::analysis::in_model::InModel;
use crate::analysis::rank::quantile;
use crate::results::{Export, Results};

/// The kinds of tests, in the order of columns and bars.
const KINDS: [&str; 5] =
    ["with unit", "directions", "sets alike", "random model", "random directions"];
/// How combinations of each of the [`SIZES`] are called.
const NAMES: [&str; SIZES.len()] = ["pairs", "triples", "quadruples"];

/// One table for each autoencoder whose combinations were tested: its name and its text.
pub fn tables(results: &Results) -> impl Iterator<Item = (String, String)> {
    tested(results)
        .map(|export| (format!("combinations/{}_in_lm.csv", export.name), csv(&export.causal)))
}

/// The pictures of the first autoencoder whose combinations were tested.
pub fn charts(results: &Results, vocab: &Vocab) -> Vec<(String, Chart)> {
    let Some(export) = tested(results).next() else { return vec![] };
    let pairs = export.causal.of_size(2);
    let pair = pairs.first().and_then(|pair| two_by_two(pair, vocab));
    let mut charts = vec![("in_lm".to_string(), comparison(&export.causal))];
    charts.extend(pair.map(|chart| ("in_lm_pair".to_string(), chart)));
    charts
}

/// The medians for `notes.txt`.
pub fn notes(results: &Results) -> Option<String> {
    let export = tested(results).next()?;
    let mut text = format!(
        "In the language model, parts of combinations of {} taken out of the stream: interaction of the \
         logits as a share of what\nsingle parts do, and what these do, medians of the strongest; how \
         many times that of its set alike a combination's share by\ndirections is (geometric mean, \
         95 % over combinations); the partial Spearman correlation of |I(P)| with that share, given \
         support,\nPMI, cosines and strength:\n{:14}",
        export.name, ""
    );
    KINDS.iter().for_each(|kind| text += &format!(" {kind:>17}"));
    text += &format!(" {:>24} {:>8}", "times sets alike", "Spearman");
    for (size, name) in named_sizes(&export.causal) {
        let all = export.causal.of_size(size);
        text += &line(&format!("{} {name}", all.len()), &sorted(&all, InModel::share));
        let times = export
            .causal
            .times_control(size)
            .map_or("-".into(), |(mean, [low, high])| format!("{mean:.2} [{low:.2}, {high:.2}]"));
        let spearman = export.causal.spearman(size);
        let spearman = spearman.map_or("too few".into(), |it| format!("{it:.3}"));
        let _ = write!(text, " {times:>24} {spearman:>8}");
        text += &line("  single part", &sorted(&all, |told| told.single));
    }
    Some(text)
}

/// A line of the medians of each kind.
fn line(name: &str, values: &[Vec<f64>; 5]) -> String {
    let medians = values.iter().map(|values| format!(" {:>17.3}", median(values)));
    medians.fold(format!("\n{name:<14}"), |line, median| line + &median)
}

/// The sizes that there are, with their names.
fn named_sizes(causal: &Causal) -> impl Iterator<Item = (usize, &'static str)> {
    let all = SIZES.into_iter().zip(NAMES);
    all.filter(|(size, _)| !causal.of_size(*size).is_empty())
}

fn tested(results: &Results) -> impl Iterator<Item = &Export> {
    results.exports.iter().filter(|export| !export.causal.tested.is_empty())
}

/// What was measured of a combination, in the order of [`KINDS`].
fn kinds(one: &Tested) -> [Option<&InModel>; 5] {
    let control = one.control.as_ref().map(|(_, told)| told);
    [
        Some(&one.with_unit),
        Some(&one.alone),
        control,
        Some(&one.random_lm),
        Some(&one.random_directions),
    ]
}

/// What each kind of test found, ascending.
fn sorted(tested: &[&Tested], number: fn(&InModel) -> f64) -> [Vec<f64>; 5] {
    let of = |kind: usize| tested.iter().filter_map(move |one| kinds(one)[kind]);
    [0, 1, 2, 3, 4].map(|kind| {
        let mut numbers: Vec<f64> = of(kind).map(number).collect();
        numbers.sort_by(f64::total_cmp);
        numbers
    })
}

fn median(sorted: &[f64]) -> f64 {
    quantile(sorted, 0.5).unwrap_or(f64::NAN)
}

fn csv(causal: &Causal) -> String {
    let mut text =
        "parts,size,interaction,support,pmi,mean_abs_cosine,strength,control".to_string();
    for kind in KINDS.map(|kind| kind.replace(' ', "_")) {
        let _ = write!(text, ",{kind}_interaction,{kind}_single");
    }
    text.push('\n');
    let joined = |parts: &[usize]| parts.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    for one in &causal.tested {
        let control = one.control.as_ref().map_or(String::new(), |(parts, _)| joined(parts));
        let _ = write!(
            text,
            "{},{},{:.6},{},{:.4},{:.4},{:.4},{control}",
            joined(&one.parts),
            one.parts.len(),
            one.interaction,
            one.traits.support,
            one.traits.pmi,
            one.traits.cosine,
            one.traits.strength
        );
        for told in kinds(one) {
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
    let series = named_sizes(causal).map(|(size, name)| {
        let all = causal.of_size(size);
        let shares = sorted(&all, InModel::share);
        let range = |shares: &Vec<f64>| quantile(shares, 0.25).zip(quantile(shares, 0.75));
        let medians = shares.iter().enumerate().map(|(at, all)| (at as f64, median(all)));
        Series {
            label: format!("{} {name}", all.len()),
            mark: Mark::Bars,
            points: medians.collect(),
            intervals: shares.iter().map(range).collect(),
        }
    });
    Chart {
        title: "Do the parts interact in the language model?".into(),
        subtitle: Some(
            "parts taken out of the stream; medians, whiskers hold the middle half".into(),
        ),
        x: Axis {
            label: String::new(),
            scale: Scale::Categories(KINDS.map(String::from).to_vec()),
        },
        y: Axis {
            label: "interaction of the logits / effect of a single part".into(),
            scale: Scale::Linear,
        },
        series: series.collect(),
    }
}

/// The logit on which both parts together act most, with each part there or not.
fn two_by_two(pair: &Tested, vocab: &Vocab) -> Option<Chart> {
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
    use crate::analysis::causal::Traits;

    /// Two features that raise the second of three characters only together.
    fn pair(control: bool) -> Tested {
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
        Tested {
            parts: vec![3, 14],
            interaction: 0.5,
            traits: Traits { support: 40, pmi: 0.25, cosine: 0.125, strength: 1.5 },
            with_unit: told(1.0),
            alone: told(0.5),
            random_lm: told(0.25),
            random_directions: told(0.125),
            control: control.then(|| (vec![2, 7], told(0.75))),
        }
    }

    #[test]
    fn every_kind_of_test_has_its_columns_and_what_was_not_tested_has_none() {
        let triple = Tested { parts: vec![3, 14, 15], ..pair(false) };
        let causal = Causal { tested: vec![pair(true), pair(false), triple] };

        let text = csv(&causal);
        let chart = comparison(&causal);

        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
        let column = |name: &str| lines[0].iter().position(|it| *it == name).unwrap();
        assert_eq!(lines[1][column("control")], "2 7");
        assert_eq!(lines[1][column("sets_alike_interaction")], "0.750000");
        assert_eq!(lines[1][column("random_model_interaction")], "0.250000");
        assert_eq!(lines[2][column("sets_alike_interaction")], "");
        assert_eq!(lines[3][..2], ["3 14 15", "3"]);
        assert_eq!(sorted(&causal.of_size(2), InModel::share)[0], [0.5, 0.5]);
        let labels: Vec<&str> = chart.series.iter().map(|series| series.label.as_str()).collect();
        assert_eq!(labels, ["2 pairs", "1 triples"]);
        // Without a control there is no bar, and where one has none the other counts.
        assert!(chart.series[1].points[2].1.is_nan());
        assert_eq!(chart.series[0].points[2], (2.0, 0.375));
    }

    #[test]
    fn the_picture_of_a_pair_is_of_the_character_on_which_it_interacts_most() {
        let chart = two_by_two(&pair(false), &Vocab::of("abc")).unwrap();

        assert_eq!(chart.title, "Features 3 and 14 and the logit of 'b'");
        assert_eq!(chart.series[0].points, [(0.0, 0.0), (1.0, 0.1)]);
        assert_eq!(chart.series[1].points, [(0.0, 0.2), (1.0, 1.5)]);
    }
}
