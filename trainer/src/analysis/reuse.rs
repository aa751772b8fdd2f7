//! Whether combinations share features: how often each takes part, and how unevenly.

use rand::seq::index;
use serde::Serialize;
use shared::random;

use super::rank::middle;

/// How many shuffled sets of combinations there are.
const SHUFFLES: usize = 200;

/// How evenly features take part in combinations.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reuse {
    /// In how many combinations each feature takes part.
    pub uses: Vec<usize>,
    /// How many features take part in any.
    pub used: usize,
    /// In how many the most used one does.
    pub most: usize,
    /// The entropy of uses over features, in nats: the higher, the more even.
    pub entropy: f64,
    /// The Gini coefficient of uses over live features: 0 is even, 1 is all in one.
    pub gini: f64,
    /// How many features take part in no combination, in one, and so on, with parts drawn at random: the
    /// mean over draws.
    pub features_by_chance: Vec<f64>,
    /// 95 % of the entropies with parts drawn at random from the live features.
    pub entropy_by_chance: [f64; 2],
    /// The same for the Gini coefficient.
    pub gini_by_chance: [f64; 2],
}

/// Counts uses of the features that are `live`, against combinations of the same sizes whose parts are
/// live features drawn at random. `None` without combinations.
pub fn of(combinations: &[Vec<usize>], live: &[usize], n_features: usize) -> Option<Reuse> {
    let largest = combinations.iter().map(Vec::len).max()?;
    if live.len() < largest {
        return None;
    }
    let uses = counted(combinations.iter().flatten().copied(), n_features);
    let mut stream = random::stream(0, "reuse by chance");
    let (mut entropies, mut ginis, mut by_chance) = (vec![], vec![], vec![]);
    for _ in 0..SHUFFLES {
        let draw = |parts: &Vec<usize>| index::sample(&mut stream, live.len(), parts.len());
        let drawn: Vec<usize> = combinations.iter().flat_map(draw).map(|at| live[at]).collect();
        let uses = counted(drawn.into_iter(), n_features);
        entropies.push(entropy(&uses));
        ginis.push(gini(&uses, live));
        for uses in live.iter().map(|feature| uses[*feature]) {
            by_chance.resize(by_chance.len().max(uses + 1), 0.0);
            by_chance[uses] += 1.0 / SHUFFLES as f64;
        }
    }
    Some(Reuse {
        used: uses.iter().filter(|uses| **uses > 0).count(),
        most: uses.iter().copied().max().unwrap_or(0),
        entropy: entropy(&uses),
        gini: gini(&uses, live),
        features_by_chance: by_chance,
        entropy_by_chance: middle(entropies)?,
        gini_by_chance: middle(ginis)?,
        uses,
    })
}

fn counted(parts: impl Iterator<Item = usize>, n_features: usize) -> Vec<usize> {
    let mut uses = vec![0; n_features];
    parts.for_each(|part| uses[part] += 1);
    uses
}

fn entropy(uses: &[usize]) -> f64 {
    let total = uses.iter().sum::<usize>().max(1) as f64;
    let shares = uses.iter().filter(|uses| **uses > 0).map(|uses| *uses as f64 / total);
    -shares.map(|share| share * share.ln()).sum::<f64>()
}

/// `sum over i of (2 i - n - 1) u_i / (n sum u)`, the uses `u` ascending.
fn gini(uses: &[usize], live: &[usize]) -> f64 {
    let mut uses: Vec<usize> = live.iter().map(|feature| uses[*feature]).collect();
    uses.sort_unstable();
    let (count, total) = (uses.len() as f64, uses.iter().sum::<usize>() as f64);
    let weighed: f64 = uses
        .iter()
        .enumerate()
        .map(|(place, uses)| (2.0 * (place + 1) as f64 - count - 1.0) * *uses as f64)
        .sum();
    weighed / (count * total).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_in_every_combination_is_no_chance() {
        let combinations: Vec<Vec<usize>> = (1..40).map(|other| vec![0, other]).collect();
        let live: Vec<usize> = (0..100).collect();

        let reuse = of(&combinations, &live, 120).unwrap();

        assert_eq!((reuse.uses[0], reuse.uses[1], reuse.used, reuse.most), (39, 1, 40, 39));
        assert!(reuse.gini > reuse.gini_by_chance[1], "{reuse:?}");
        assert!(reuse.entropy < reuse.entropy_by_chance[0], "{reuse:?}");
        assert!((reuse.features_by_chance.iter().sum::<f64>() - 100.0).abs() < 1e-9);
        // 78 parts on 100 features: some 46 of them are in none.
        assert!((reuse.features_by_chance[0] - 46.0).abs() < 5.0, "{reuse:?}");
    }

    #[test]
    fn even_use_has_the_greatest_entropy_and_no_gini() {
        let combinations: Vec<Vec<usize>> =
            (0..10).map(|pair| vec![2 * pair, 2 * pair + 1]).collect();
        let live: Vec<usize> = (0..20).collect();

        let reuse = of(&combinations, &live, 20).unwrap();

        assert!((reuse.entropy - 20.0_f64.ln()).abs() < 1e-12 && reuse.gini.abs() < 1e-12);
        assert_eq!(of(&[], &live, 20), None);
    }
}
