//! AND-mining: which features fire when two or three others fire together?
//!
//! A dictionary with directions to spare may give a combination's effect a feature of its own. For
//! each feature the pair and the triple of others are sought whose AND predicts its firing best:
//! `F1 = 2 n(l, i, j) / (n(l) + n(i, j))`, `n` counting rows. Pairs are tried all, triples are grown
//! from a feature's best pairs.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::score::Proposal;
use crate::analysis::interaction::Bits;
use crate::analysis::probing::f1;
use crate::analysis::screening::sparse::SparseRows;

/// From how many of a feature's best pairs triples are grown.
const GROWN_FROM: usize = 8;

/// The best pair and the best triple of each feature, ranked by their F1; a set that is the best of
/// several features counts once. Sets that are active together on fewer rows than `support` are left
/// out.
pub fn mine(codes: &SparseRows, n_features: usize, support: usize) -> Vec<Proposal> {
    let columns = codes.columns(n_features);
    let firing: Vec<Bits> = columns.iter().map(|column| Bits::of(column, codes.len())).collect();
    let together = Pairs::count(codes, n_features, 0..codes.len() as u32);
    let best = |feature: usize| -> Vec<(Vec<usize>, f64)> {
        let own = columns[feature].len();
        let with = Pairs::count(codes, n_features, columns[feature].iter().map(|row| row.0));
        let mut pairs: Vec<(f64, [usize; 2])> = vec![];
        for second in (0..n_features).filter(|second| *second != feature) {
            for first in (0..second).filter(|first| *first != feature) {
                let (all, both) = (with.of(first, second), together.of(first, second));
                if both >= support && all > 0 {
                    pairs.push((f1(all, own, both), [first, second]));
                }
            }
        }
        pairs.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        pairs.truncate(GROWN_FROM);
        let best_pair = pairs.first().map(|(score, pair)| (pair.to_vec(), *score));
        let best_triple = best_triple(feature, &pairs, &firing, support);
        best_pair.into_iter().chain(best_triple).collect()
    };
    let found: Vec<_> = (0..n_features).into_par_iter().flat_map_iter(best).collect();
    let mut scores: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
    for (parts, score) in found {
        let entry = scores.entry(parts).or_insert(score);
        *entry = entry.max(score);
    }
    let mut ranked: Vec<Proposal> =
        scores.iter().map(|(parts, score)| Proposal::of(parts, *score)).collect();
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    ranked
}

/// The triple that predicts `feature` best, grown from `pairs`.
fn best_triple(
    feature: usize,
    pairs: &[(f64, [usize; 2])],
    firing: &[Bits],
    support: usize,
) -> Option<(Vec<usize>, f64)> {
    let own = firing[feature].count();
    let mut best: Option<(Vec<usize>, f64)> = None;
    for (_, pair) in pairs {
        let both = Bits::together(pair.iter().map(|part| &firing[*part]));
        for third in (0..firing.len()).filter(|third| *third != feature && !pair.contains(third)) {
            let three = Bits::together([&both, &firing[third]].into_iter());
            let count = three.count();
            let score = f1(three.count_with(&firing[feature]), own, count);
            if count >= support && best.as_ref().is_none_or(|(_, most)| score > *most) {
                let mut parts = [pair.as_slice(), &[third]].concat();
                parts.sort_unstable();
                best = Some((parts, score));
            }
        }
    }
    best.filter(|(_, score)| *score > 0.0)
}

/// On how many rows each two features are active together.
struct Pairs(Vec<u32>);

impl Pairs {
    fn count(codes: &SparseRows, n_features: usize, rows: impl Iterator<Item = u32>) -> Self {
        let mut counts = vec![0; n_features * (n_features + 1) / 2];
        for row in rows {
            let (ids, _) = codes.row(row as usize);
            for (place, &second) in ids.iter().enumerate() {
                for &first in &ids[..place] {
                    counts[Self::place(first as usize, second as usize)] += 1;
                }
            }
        }
        Self(counts)
    }

    fn of(&self, first: usize, second: usize) -> usize {
        self.0[Self::place(first, second)] as usize
    }

    /// The place of an ascending pair among all.
    fn place(first: usize, second: usize) -> usize {
        second * (second - 1) / 2 + first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feature 6 fires exactly when 1 and 4 do; feature 7 when 0, 2 and 3 do.
    fn planted() -> SparseRows {
        let mut codes = SparseRows::default();
        for row in 0..64_u32 {
            let mut active: Vec<u32> = (0..6).filter(|bit| row >> bit & 1 == 1).collect();
            if active.contains(&1) && active.contains(&4) {
                active.push(6);
            }
            if [0, 2, 3].iter().all(|part| active.contains(part)) {
                active.push(7);
            }
            codes.push(active.into_iter().map(|id| (id, 1.0)));
        }
        codes
    }

    #[test]
    fn planted_ands_lead_the_ranking() {
        let found = mine(&planted(), 8, 1);

        let score = |parts: &[usize]| {
            let wanted = Proposal::of(parts, 0.0).parts;
            found.iter().find(|proposal| proposal.parts == wanted).map(|p| p.score)
        };
        assert_eq!((score(&[1, 4]), score(&[0, 2, 3])), (Some(1.0), Some(1.0)));
        // What they predict of other features is less.
        assert_eq!(found.iter().filter(|proposal| proposal.score == 1.0).count(), 2, "{found:?}");
    }

    #[test]
    fn sets_on_too_few_rows_are_left_out() {
        let found = mine(&planted(), 8, 9);

        // 1 and 4 are on together on 16 rows, 0, 2 and 3 on 8.
        let parts = |parts: &[usize]| Proposal::of(parts, 0.0).parts;
        assert_eq!(found[0].parts, parts(&[1, 4]));
        assert!(found.iter().all(|proposal| proposal.parts != parts(&[0, 2, 3])), "{found:?}");
    }
}
