//! Simpler statistics of a code that might tell combinations, too: co-occurrence and cosine.

use serde::{Deserialize, Serialize};

use super::score::{Proposal, Truth, best_threshold};
use crate::analysis::screening::sparse::SparseRows;
use crate::analysis::vectors::dot_in_order;

/// A ranking keeps no more than this many combinations; what comes later counts as not found.
const LONGEST: usize = 20_000;

/// What a rival ranks combinations by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// `ln(p_ij / (p_i p_j))`, for triples `ln(p_ijk / (p_i p_j p_k))`.
    Pmi,
    /// `(p_ij - p_i p_j) / sqrt(p_i (1 - p_i) p_j (1 - p_j))`, the mean of the pairs for triples.
    Phi,
    /// `|cos(d_i, d_j)|`, the mean of the pairs for triples.
    Cosine,
    /// PMI times `|cos|`.
    PmiCosine,
}

impl Rival {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pmi, Self::Phi, Self::Cosine, Self::PmiCosine];
}

/// How often features are active alone, in pairs and in triples.
#[derive(Clone, Debug)]
pub struct Counts {
    rows: f64,
    n_features: usize,
    support: u32,
    single: Vec<u32>,
    pairs: Vec<u32>,
    triples: Vec<u32>,
    /// `|cos|` of each two directions: `[n_features, n_features]`.
    cosines: Vec<f32>,
}

impl Counts {
    /// Counts on the rows of a code; `directions` of length 1, `[n_features, d_model]`.
    /// Combinations with fewer rows than `support` are ranked nowhere.
    pub fn new(codes: &SparseRows, directions: &[f32], d_model: usize, support: usize) -> Self {
        let n_features = directions.len() / d_model;
        let mut single = vec![0; n_features];
        let mut pairs = vec![0; place(&[0, n_features])];
        let mut triples = vec![0; place(&[0, 1, n_features])];
        for row in 0..codes.len() {
            let (ids, _) = codes.row(row);
            for (c, &third) in ids.iter().enumerate() {
                single[third as usize] += 1;
                for (b, &second) in ids[..c].iter().enumerate() {
                    pairs[place(&[second as usize, third as usize])] += 1;
                    for &first in &ids[..b] {
                        triples[place(&[first as usize, second as usize, third as usize])] += 1;
                    }
                }
            }
        }
        let direction = |feature: usize| &directions[feature * d_model..][..d_model];
        let cosine =
            |p: usize| dot_in_order(direction(p / n_features), direction(p % n_features)).abs();
        let cosines = (0..n_features * n_features).map(cosine).collect();
        let (rows, support) = (codes.len() as f64, support.max(1) as u32);
        Self { rows, n_features, support, single, pairs, triples, cosines }
    }

    /// The best combinations of two or three features by a rival's statistic.
    pub fn ranking(&self, rival: Rival, size: usize) -> Vec<Proposal> {
        let mut ranked: Vec<(f64, [usize; 3])> = Vec::new();
        for third in 0..self.n_features {
            for second in 0..third {
                if size == 2 && self.pairs[place(&[second, third])] >= self.support {
                    ranked.push((self.statistic(rival, &[second, third]), [second, third, 0]));
                }
                for first in 0..if size == 3 { second } else { 0 } {
                    let parts = [first, second, third];
                    if self.triples[place(&parts)] >= self.support {
                        ranked.push((self.statistic(rival, &parts), parts));
                    }
                }
            }
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.truncate(LONGEST);
        ranked.iter().map(|(score, parts)| Proposal::of(&parts[..size], *score)).collect()
    }

    fn statistic(&self, rival: Rival, parts: &[usize]) -> f64 {
        match rival {
            Rival::Pmi => self.pmi(parts),
            Rival::Phi => mean_of_pairs(parts, |a, b| self.phi(a, b)),
            Rival::Cosine => mean_of_pairs(parts, |a, b| self.cosine(a, b)),
            Rival::PmiCosine => self.pmi(parts) * mean_of_pairs(parts, |a, b| self.cosine(a, b)),
        }
    }

    fn share(&self, feature: usize) -> f64 {
        f64::from(self.single[feature]) / self.rows
    }

    fn pmi(&self, parts: &[usize]) -> f64 {
        let table = if parts.len() == 2 { &self.pairs } else { &self.triples };
        let together = f64::from(table[place(parts)]) / self.rows;
        (together / parts.iter().map(|&part| self.share(part)).product::<f64>()).ln()
    }

    fn phi(&self, first: usize, second: usize) -> f64 {
        let (a, b) = (self.share(first), self.share(second));
        let together = f64::from(self.pairs[place(&[first, second])]) / self.rows;
        (together - a * b) / (a * (1.0 - a) * b * (1.0 - b)).sqrt()
    }

    fn cosine(&self, first: usize, second: usize) -> f64 {
        f64::from(self.cosines[first * self.n_features + second])
    }
}

/// What a rival would deploy: all that reach the threshold which served it best, truth in hand,
/// on the threshold rows. That is more than a user could know.
pub fn deployed(
    truth: &Truth,
    on_threshold_rows: &[Proposal],
    ranking: &[Proposal],
) -> Vec<Proposal> {
    let threshold = best_threshold(truth, on_threshold_rows);
    ranking.iter().filter(|proposal| proposal.score >= threshold).cloned().collect()
}

fn mean_of_pairs(parts: &[usize], value: impl Fn(usize, usize) -> f64) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (place, &second) in parts.iter().enumerate() {
        for &first in &parts[..place] {
            sum += value(first, second);
            count += 1.0;
        }
    }
    sum / count
}

/// The place of an ascending pair or triple among all of its size: `b (b - 1) / 2 + a`, and for
/// triples `c (c - 1) (c - 2) / 6` more. With `n` as the last it is how many there are below `n`.
fn place(parts: &[usize]) -> usize {
    match *parts {
        [a, b] => b * (b - 1) / 2 + a,
        [a, b, c] => c * (c.max(2) - 1) * (c.max(2) - 2) / 6 + b * (b - 1) / 2 + a,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        let mut codes = SparseRows::default();
        (0..2).for_each(|_| codes.push([(0, 1.0), (1, 1.0)]));
        codes.push([(0, 1.0), (1, 1.0), (2, 1.0)]);
        (0..5).for_each(|_| codes.push([(2, 1.0)]));
        Counts::new(&codes, &[1.0, 0.0, 0.6, 0.8, 0.0, 1.0], 2, 1)
    }

    #[test]
    fn places_count_up_without_gaps() {
        let pairs = (0..5).flat_map(|b| (0..b).map(move |a| place(&[a, b])));
        assert!(pairs.eq(0..10));

        let triples =
            (0..5).flat_map(|c| (0..c).flat_map(move |b| (0..b).map(move |a| place(&[a, b, c]))));
        assert!(triples.eq(0..10));
    }

    #[test]
    fn statistics_agree_with_those_computed_by_hand() {
        let counts = counts();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");

        near(counts.statistic(Rival::Pmi, &[0, 1]), (8.0_f64 / 3.0).ln());
        near(counts.statistic(Rival::Phi, &[0, 1]), 1.0);
        near(counts.statistic(Rival::Cosine, &[0, 1]), 0.6);
        near(counts.statistic(Rival::Pmi, &[0, 1, 2]), (0.125_f64 / (0.375 * 0.375 * 0.75)).ln());
        near(counts.statistic(Rival::Cosine, &[0, 1, 2]), 1.4 / 3.0);
    }

    #[test]
    fn the_best_pair_leads_the_ranking() {
        let ranking = counts().ranking(Rival::Pmi, 2);

        assert_eq!(ranking.len(), 3);
        assert_eq!(ranking[0].parts, [Some(0), Some(1)]);
        assert_eq!(counts().ranking(Rival::Phi, 3).len(), 1);
    }
}
