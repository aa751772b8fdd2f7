//! How well raters agree: Krippendorff's alpha, with an interval by resampling items.
//!
//! `alpha = 1 - D_o / D_e`: the disagreement observed within units over the one expected if all values
//! were dealt to units by chance (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011).
//! Values that are missing do not count; a unit with one value says nothing.

use rand::RngExt;
use shared::random::stream;

/// How often units are drawn anew.
pub const RESAMPLES: usize = 2_000;

/// How far two values are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// They are equal or not.
    Nominal,
    /// By how many values lie between them in rank.
    Ordinal,
    /// By their difference.
    Interval,
    /// By their difference over their sum; for values of a scale with a true 0.
    Ratio,
}

/// Alpha, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Alpha; `None` if no unit has two values, or all values are the same.
    pub alpha: Option<f64>,
    /// Its 95 % percentile interval over resampled units; `None` where alpha is undefined in more than
    /// half of them.
    pub ci95: Option<[f64; 2]>,
}

/// Krippendorff's alpha of `units`, each with the values that raters gave it, and its interval; the
/// same `seed` gives the same interval.
///
/// No value may be NaN.
pub fn agreement(units: &[Vec<f64>], metric: Metric, seed: u64) -> Agreement {
    let mut values: Vec<f64> = units.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let counted: Vec<Vec<f64>> = units.iter().filter_map(|unit| count(unit, &values)).collect();
    let alpha_of = |chosen: &[&Vec<f64>]| alpha(chosen, &values, metric);
    let found = alpha_of(&counted.iter().collect::<Vec<_>>());
    let mut random = stream(seed, "agreement: items drawn anew");
    let mut alphas: Vec<f64> = (0..if found.is_some() { RESAMPLES } else { 0 })
        .filter_map(|_| {
            let draw = |_| &counted[random.random_range(0..counted.len())];
            alpha_of(&(0..counted.len()).map(draw).collect::<Vec<_>>())
        })
        .collect();
    alphas.sort_by(f64::total_cmp);
    let at = |share: f64| alphas[(share * (alphas.len() - 1) as f64).round() as usize];
    let is_enough = 2 * alphas.len() > RESAMPLES;
    Agreement { alpha: found, ci95: is_enough.then(|| [at(0.025), at(0.975)]) }
}

/// How often a unit has each of `values`; `None` if it has fewer than two values.
fn count(unit: &[f64], values: &[f64]) -> Option<Vec<f64>> {
    let times = |value: &f64| unit.iter().filter(|other| *other == value).count() as f64;
    (unit.len() > 1).then(|| values.iter().map(times).collect())
}

/// Alpha of units given by how often each has each value.
fn alpha(units: &[&Vec<f64>], values: &[f64], metric: Metric) -> Option<f64> {
    let size = values.len();
    let mut coincidences = vec![0.0; size * size];
    for unit in units {
        let others = unit.iter().sum::<f64>() - 1.0;
        for (one, times) in unit.iter().enumerate().filter(|(_, times)| **times > 0.0) {
            for (other, again) in unit.iter().enumerate() {
                let pairs = if one == other { times * (times - 1.0) } else { times * again };
                coincidences[one * size + other] += pairs / others;
            }
        }
    }
    let totals: Vec<f64> = coincidences.chunks(size.max(1)).map(|row| row.iter().sum()).collect();
    let all: f64 = totals.iter().sum();
    let (mut observed, mut expected) = (0.0, 0.0);
    for one in 0..size {
        for other in one + 1..size {
            let apart = distance(one, other, values, &totals, metric);
            observed += coincidences[one * size + other] * apart;
            expected += totals[one] * totals[other] * apart;
        }
    }
    (expected > 0.0).then(|| 1.0 - (all - 1.0) * observed / expected)
}

/// The squared difference of the values at two places of `values`, which ascend.
fn distance(one: usize, other: usize, values: &[f64], totals: &[f64], metric: Metric) -> f64 {
    let (low, high) = (values[one], values[other]);
    match metric {
        Metric::Nominal => 1.0,
        Metric::Ordinal => {
            let between: f64 = totals[one..=other].iter().sum();
            (between - (totals[one] + totals[other]) / 2.0).powi(2)
        }
        Metric::Interval => (high - low).powi(2),
        Metric::Ratio => ((high - low) / (high + low)).powi(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Krippendorff (2011): 4 observers, 12 units, `*` is missing.
    fn published() -> Vec<Vec<f64>> {
        let observers = [
            "1 2 3 3 2 1 4 1 2 * * *",
            "1 2 3 3 2 2 4 1 2 5 * 3",
            "* 3 3 3 2 3 4 2 2 5 1 *",
            "1 2 3 3 2 4 4 1 2 5 1 *",
        ];
        let parse = |line: &str| -> Vec<Option<f64>> {
            line.split(' ').map(|value| value.parse().ok()).collect()
        };
        let observers = observers.map(parse);
        (0..12).map(|unit| observers.iter().filter_map(|values| values[unit]).collect()).collect()
    }

    #[test]
    fn the_published_example_has_its_published_alphas() {
        for (metric, expected) in [
            (Metric::Nominal, 0.743),
            (Metric::Ordinal, 0.815),
            (Metric::Interval, 0.849),
            (Metric::Ratio, 0.797),
        ] {
            let alpha = agreement(&published(), metric, 0).alpha.unwrap();

            assert!((alpha - expected).abs() < 0.0005, "{metric:?}: {alpha}");
        }
    }

    #[test]
    fn raters_who_always_agree_have_one_and_systematic_disagreement_is_below_chance() {
        let agree = vec![vec![1.0, 1.0], vec![2.0, 2.0], vec![5.0, 5.0]];
        let disagree = vec![vec![1.0, 2.0], vec![2.0, 1.0], vec![1.0, 2.0]];

        assert_eq!(agreement(&agree, Metric::Ordinal, 0).alpha, Some(1.0));
        assert!(agreement(&disagree, Metric::Nominal, 0).alpha.unwrap() < 0.0);
    }

    #[test]
    fn where_nothing_varies_or_nobody_met_alpha_is_undefined() {
        for units in [vec![], vec![vec![3.0, 3.0], vec![3.0, 3.0]], vec![vec![1.0], vec![2.0]]] {
            let found = agreement(&units, Metric::Interval, 0);

            assert_eq!(found, Agreement { alpha: None, ci95: None }, "{units:?}");
        }
        assert_eq!(agreement(&[vec![0.0, 0.0]], Metric::Ratio, 0).alpha, None);
    }

    #[test]
    fn the_interval_holds_alpha_and_repeats() {
        let found = agreement(&published(), Metric::Ordinal, 7);

        let [low, high] = found.ci95.unwrap();
        assert!(low < found.alpha.unwrap() && found.alpha.unwrap() < high, "{found:?}");
        assert_eq!(found, agreement(&published(), Metric::Ordinal, 7));
        assert_ne!(found.ci95, agreement(&published(), Metric::Ordinal, 8).ci95);
    }
}
