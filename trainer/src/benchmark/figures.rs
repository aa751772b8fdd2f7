//! The pictures of the benchmark: who gets fooled, who finds how much, and what can be seen at all.

use shared::plot::{Axis, Chart, Mark, Scale, Series};

use super::intervals::{interval, mean};
use super::runs::{MethodRuns, SIZES, reference};
use super::score::SizeScore;
use super::sweep::Sweep;

/// More lines are hard to tell apart.
const MOST_LINES: usize = 6;

/// What a proposal can be, in the order in which the bars stand on one another.
type Share = (&'static str, fn(&SizeScore) -> usize);

const SHARES: [Share; 6] = [
    ("true rule", |score| score.hits),
    ("co-activation decoy", |score| decoys(score, "co_activation")),
    ("cosine decoy", |score| decoys(score, "cosine")),
    ("additive decoy", |score| decoys(score, "additive")),
    ("anything else", other),
    ("unmatched feature", |score| score.unmatched),
];

fn decoys(score: &SizeScore, kind: &str) -> usize {
    score.decoys.get(kind).copied().unwrap_or_default()
}

/// How many proposals are neither right nor a decoy nor unmatched.
pub fn other(score: &SizeScore) -> usize {
    let named = score.hits + score.decoys.values().sum::<usize>() + score.unmatched;
    score.proposed - named.min(score.proposed)
}

/// All charts of methods side by side, by name.
pub fn all(runs: &[MethodRuns], conditions: &str) -> Vec<(String, Chart)> {
    let there = |size: &&str| runs.iter().any(|run| run.each(size, |s| s.rules as f64) != [0.0]);
    let fooled = SIZES.into_iter().filter(there);
    let mut charts: Vec<(String, Chart)> =
        fooled.map(|size| (format!("fooled_{size}"), fooled_by(runs, size, conditions))).collect();
    charts.push(("f1".into(), f1(runs, conditions)));
    charts.push(("detectability".into(), detectability(&[runs], conditions)));
    charts
}

/// The charts of a sweep: a line for each method, by size, and the law over all values.
pub fn of_sweep(sweep: &Sweep, conditions: &str) -> Vec<(String, Chart)> {
    let line = |size: &'static str| (format!("sweep_{size}"), sweep_of(sweep, size, conditions));
    let mut charts: Vec<(String, Chart)> = SIZES.into_iter().map(line).collect();
    let runs: Vec<&[MethodRuns]> = sweep.points.iter().map(|p| p.runs.as_slice()).collect();
    charts.push(("detectability".into(), detectability(&runs, conditions)));
    charts
}

fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.into(), scale }
}

/// What each method's proposals of one size are.
fn fooled_by(runs: &[MethodRuns], size: &str, conditions: &str) -> Chart {
    let total = |run: &MethodRuns, of: fn(&SizeScore) -> usize| -> f64 {
        run.each(size, |score| of(score) as f64).iter().sum()
    };
    let proposed: Vec<f64> = runs.iter().map(|run| total(run, |score| score.proposed)).collect();
    let name = |(run, proposed): (&MethodRuns, &f64)| {
        format!("{} ({:.0})", run.name, proposed / run.worlds.len().max(1) as f64)
    };
    let series = SHARES.map(|(label, of)| Series {
        label: label.into(),
        mark: Mark::Stack,
        points: runs
            .iter()
            .zip(&proposed)
            .enumerate()
            .map(|(place, (run, all))| (place as f64, total(run, of) / all.max(1.0)))
            .collect(),
        intervals: vec![],
    });
    Chart {
        title: format!("Who gets fooled: {size}"),
        subtitle: Some(format!("{conditions}; in brackets: how many are deployed in a world")),
        x: axis("", Scale::Categories(runs.iter().zip(&proposed).map(name).collect())),
        y: axis("share of the combinations that a method deploys", Scale::Linear),
        series: series.into(),
    }
}

/// Deployed F1 of each method, by size.
fn f1(runs: &[MethodRuns], conditions: &str) -> Chart {
    let series = SIZES.map(|size| Series {
        label: size.into(),
        mark: Mark::Bars,
        points: (0..)
            .zip(runs)
            .map(|(place, run)| (f64::from(place), mean(&run.f1(size))))
            .collect(),
        intervals: runs.iter().map(|run| within(interval(&run.f1(size)))).collect(),
    });
    Chart {
        title: "Combinations found".into(),
        subtitle: Some(format!("{conditions}; whiskers: 95 % intervals over worlds")),
        x: axis("", Scale::Categories(runs.iter().map(|run| run.name.clone()).collect())),
        y: axis("deployed F1, higher is better", Scale::Linear),
        series: series.into(),
    }
}

/// An interval as a chart has it, cut to what F1 can be.
fn within(interval: Option<[f64; 2]>) -> Option<(f64, f64)> {
    interval.map(|[low, high]| (low.max(0.0), high.min(1.0)))
}

/// The share of rules that are found, by how well they can be seen: bins of a factor of two.
fn detectability(settings: &[&[MethodRuns]], conditions: &str) -> Chart {
    let names = strongest(settings);
    let series = names
        .iter()
        .map(|name| {
            let runs = settings.iter().flat_map(|runs| runs.iter()).filter(|run| run.name == *name);
            let (points, intervals) = found_by_bin(runs).into_iter().unzip();
            Series { label: name.clone(), mark: Mark::LinePoints, points, intervals }
        })
        .collect();
    let law = "n \u{3c0} \u{3b4}\u{b2} c / E|e|\u{b2}: \
               a rule's energy on all rows, over the noise of one";
    Chart {
        title: "What can be seen at all".into(),
        subtitle: Some(format!("{conditions}; whiskers: 95 % intervals of the share (Wilson)")),
        x: axis(law, Scale::Log10),
        y: axis("share of rules found", Scale::Linear),
        series,
    }
}

type Binned = Vec<((f64, f64), Option<(f64, f64)>)>;

fn found_by_bin<'a>(runs: impl Iterator<Item = &'a MethodRuns>) -> Binned {
    /// The bins reach from 2^-3 to 2^13; what lies beyond is in the first or the last.
    const BINS: usize = 16;
    /// A share of fewer rules says nothing.
    const LEAST: usize = 5;
    let mut bins = [(0_usize, 0_usize); BINS];
    for rule in runs.flat_map(|run| &run.worlds).flat_map(|score| &score.rules) {
        let Some(seen) = rule.detectability.filter(|_| rule.kind.is_visible()) else { continue };
        let bin = (seen.max(1e-9).log2() + 3.0).floor().clamp(0.0, BINS as f64 - 1.0) as usize;
        bins[bin].0 += usize::from(rule.found);
        bins[bin].1 += 1;
    }
    let middle = |bin: usize| 2.0_f64.powf(bin as f64 - 2.5);
    let full = bins.iter().enumerate().filter(|(_, (_, count))| *count >= LEAST);
    full.map(|(bin, &(found, count))| {
        ((middle(bin), found as f64 / count as f64), Some(wilson(found as f64, count as f64)))
    })
    .collect()
}

/// Wilson's 95 % interval of a share.
fn wilson(found: f64, count: f64) -> (f64, f64) {
    const Z: f64 = 1.96;
    let share = found / count;
    let below = 1.0 + Z * Z / count;
    let middle = (share + Z * Z / (2.0 * count)) / below;
    let half = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt() / below;
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// The reference, then the methods with the highest F1 over all settings and sizes.
fn strongest(settings: &[&[MethodRuns]]) -> Vec<String> {
    let Some(first) = settings.first() else { return vec![] };
    let strength = |name: &str| {
        let runs = settings.iter().flat_map(|runs| runs.iter()).filter(|run| run.name == name);
        runs.flat_map(|run| SIZES.map(|size| mean(&run.f1(size)))).sum::<f64>()
    };
    let leader = reference(first).map(|run| run.name.clone());
    let mut names: Vec<String> = first.iter().map(|run| run.name.clone()).collect();
    names.sort_by(|one, other| strength(other).total_cmp(&strength(one)));
    names.sort_by_key(|name| Some(name) != leader.as_ref());
    names.truncate(MOST_LINES);
    names
}

fn sweep_of(sweep: &Sweep, size: &str, conditions: &str) -> Chart {
    let (scale, places) = sweep.axis();
    let settings: Vec<&[MethodRuns]> = sweep.points.iter().map(|p| p.runs.as_slice()).collect();
    let series = strongest(&settings)
        .iter()
        .map(|name| {
            let each = sweep.points.iter().zip(&places).filter_map(|(point, place)| {
                let f1 = point.runs.iter().find(|run| run.name == *name)?.f1(size);
                Some(((*place, mean(&f1)), within(interval(&f1))))
            });
            let (points, intervals) = each.unzip();
            Series { label: name.clone(), mark: Mark::LinePoints, points, intervals }
        })
        .collect();
    Chart {
        title: format!("{} by {}", capital(size), sweep.knob),
        subtitle: Some(format!("{conditions}; whiskers: 95 % intervals over worlds")),
        x: axis(&sweep.knob, scale),
        y: axis("deployed F1, higher is better", Scale::Linear),
        series,
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::outcomes::RuleOutcome;
    use super::super::rules::RuleKind;
    use super::super::tracks::MethodScore;
    use super::*;

    #[test]
    fn a_share_of_rules_lies_in_the_bin_of_how_well_they_can_be_seen() {
        let rule = |detectability: f64, found: bool| RuleOutcome {
            size: 2,
            kind: RuleKind::Emergent,
            found,
            detectability: Some(detectability),
            effect_cosine: None,
            energy_explained: None,
        };
        let rules = (0..8).map(|place| rule(1.5, place < 2)).chain([rule(100.0, true)]).collect();
        let worlds = vec![MethodScore { rules, ..MethodScore::default() }];
        let run = MethodRuns { worlds, ..MethodRuns::default() };

        let binned = found_by_bin([run].iter());

        assert_eq!(binned.len(), 1, "one rule alone is no share: {binned:?}");
        let ((middle, share), interval) = binned[0];
        assert!((middle - 2.0_f64.sqrt()).abs() < 1e-9 && share == 0.25);
        // Wilson's interval of 2 of 8.
        let (low, high) = interval.unwrap();
        assert!((low - 0.0715).abs() < 1e-3 && (high - 0.5907).abs() < 1e-3, "{low} {high}");
    }

    #[test]
    fn what_is_deployed_adds_up() {
        let decoys = [("cosine".to_string(), 3)].into();
        let score =
            SizeScore { proposed: 10, hits: 4, unmatched: 1, decoys, ..SizeScore::default() };

        assert_eq!(other(&score), 2);
        assert_eq!(SHARES.iter().map(|(_, of)| of(&score)).sum::<usize>(), 10);
    }
}
