//! How well a dictionary knows the features, whatever combines.

use serde::{Deserialize, Serialize};

use super::mapping::{Mapping, assign, cosines};
use super::rows::Rows;
use super::world::World;
use crate::analysis::screening::sparse::SparseRows;

/// Scores of a dictionary; names and definitions are SynthSAEBench's (arXiv 2602.14687) where it
/// has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureScores {
    /// How many features were learned.
    pub learned: usize,
    /// How many true ones there are.
    pub features: usize,
    /// How many true ones some learned one stands for.
    pub recovered: usize,
    /// How many different true features the learned ones are nearest to, over how many learned ones
    /// there are.
    pub uniqueness: f64,
    /// The mean over learned directions of the largest cosine to a true one.
    pub mmcs_learned: f64,
    /// The mean over true directions of the largest cosine to a learned one.
    pub mmcs_true: f64,
    /// The mean over true features of the precision with which the learned one that is matched says
    /// whether they are on, 0 without one.
    pub precision: f64,
    /// The same for the recall.
    pub recall: f64,
    /// The same for the F1.
    pub f1: f64,
    /// `P(learned on | part on, rule fires) - P(learned on | part on, rule silent)`, the mean over
    /// the recovered parts of rules that count: below 0 where combinations take rows from features.
    pub absorption: Option<f64>,
}

/// How often a learned feature and the true one that it is matched with are on.
#[derive(Clone, Copy, Debug, Default)]
struct Firing {
    learned: f64,
    truth: f64,
    both: f64,
}

impl Firing {
    fn scores(self) -> [f64; 3] {
        let ratio = |one: f64, of: f64| if of > 0.0 { one / of } else { 0.0 };
        let f1 = ratio(2.0 * self.both, self.learned + self.truth);
        [ratio(self.both, self.learned), ratio(self.both, self.truth), f1]
    }
}

impl FeatureScores {
    /// Scores of `learned` directions, `[n_learned, d_model]` of length 1, that are on as in
    /// `codes` on `rows`. Firing is compared in the assignment with the largest sum of cosines, accepted or
    /// not; absorption in `mapping`.
    pub fn new(
        world: &World,
        learned: &[f32],
        mapping: &Mapping,
        codes: &SparseRows,
        rows: &Rows,
    ) -> Self {
        let (d_model, n_features) = (world.config.d_model, world.config.n_features);
        let n_learned = learned.len() / d_model;
        let cosines = cosines(learned, &world.directions, d_model);
        let nearest = |values: &mut dyn Iterator<Item = (usize, f32)>| {
            values.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or_default()
        };
        let of_learned: Vec<(usize, f32)> = cosines
            .chunks_exact(n_features)
            .map(|row| nearest(&mut row.iter().copied().enumerate()))
            .collect();
        let of_true: Vec<(usize, f32)> = (0..n_features)
            .map(|truth| nearest(&mut (0..n_learned).map(|l| (l, cosines[l * n_features + truth]))))
            .collect();
        let mut hit: Vec<usize> = of_learned.iter().map(|(truth, _)| *truth).collect();
        hit.sort_unstable();
        hit.dedup();
        let sum = |all: &[(usize, f32)]| all.iter().map(|(_, c)| f64::from(*c)).sum::<f64>();
        let matched = assign(&cosines, n_learned, n_features);
        let each: Vec<[f64; 3]> =
            firing(&matched, n_features, codes, rows).into_iter().map(Firing::scores).collect();
        let over = |place: usize| each.iter().map(|s| s[place]).sum::<f64>() / n_features as f64;
        Self {
            learned: n_learned,
            features: n_features,
            recovered: (0..n_features).filter(|feature| mapping.recovers(*feature)).count(),
            uniqueness: hit.len() as f64 / n_learned.max(1) as f64,
            mmcs_learned: sum(&of_learned) / n_learned.max(1) as f64,
            mmcs_true: sum(&of_true) / n_features as f64,
            precision: over(0),
            recall: over(1),
            f1: over(2),
            absorption: absorption(world, mapping, codes, rows),
        }
    }
}

/// The recall of each true feature's firing by the learned one that stands for it.
pub fn recalls(mapping: &Mapping, n_features: usize, codes: &SparseRows, rows: &Rows) -> Vec<f64> {
    let firing = firing(&mapping.truth, n_features, codes, rows);
    firing.into_iter().map(|firing| firing.scores()[1]).collect()
}

/// Of each true feature, how often it and the learned one that is matched with it are on.
fn firing(
    matched: &[Option<usize>],
    n_features: usize,
    codes: &SparseRows,
    rows: &Rows,
) -> Vec<Firing> {
    let mut firing = vec![Firing::default(); n_features];
    for row in 0..codes.len().min(rows.active.len()) {
        for &id in rows.active.row(row).0 {
            firing[id as usize].truth += 1.0;
        }
        for &id in codes.row(row).0 {
            let Some(truth) = matched.get(id as usize).copied().flatten() else { continue };
            firing[truth].learned += 1.0;
            if rows.active.value(row, truth).is_some() {
                firing[truth].both += 1.0;
            }
        }
    }
    firing
}

fn absorption(world: &World, mapping: &Mapping, codes: &SparseRows, rows: &Rows) -> Option<f64> {
    let mut learned_of = vec![None; world.config.n_features];
    for (learned, truth) in mapping.truth.iter().enumerate() {
        truth.iter().for_each(|&truth| learned_of[truth] = Some(learned));
    }
    let columns = rows.active.columns(world.config.n_features);
    let mut differences = vec![];
    for (place, rule) in world.rules.iter().enumerate().filter(|(_, r)| r.kind.is_visible()) {
        for &part in &rule.parts {
            let Some(learned) = learned_of[part] else { continue };
            // [rule silent, rule fires]: rows, and those on which the learned feature is on.
            let (mut of, mut on) = ([0.0, 0.0], [0.0, 0.0]);
            for &(row, _) in columns[part].iter().filter(|(row, _)| (*row as usize) < codes.len()) {
                let fires = usize::from(rows.fired.value(row as usize, place).is_some());
                of[fires] += 1.0;
                on[fires] += f64::from(u8::from(codes.value(row as usize, learned).is_some()));
            }
            if of[0] > 0.0 && of[1] > 0.0 {
                differences.push(on[1] / of[1] - on[0] / of[0]);
            }
        }
    }
    (!differences.is_empty()).then(|| super::intervals::mean(&differences))
}

#[cfg(test)]
mod tests {
    use super::super::config::WorldConfig;
    use super::*;

    #[test]
    fn the_truth_itself_has_perfect_scores() {
        let world = World::new(&WorldConfig::default()).unwrap();
        let rows = world.rows("test", 4_096);
        let mapping = Mapping::identity(256);

        let scores = FeatureScores::new(&world, &world.directions, &mapping, &rows.active, &rows);

        for score in [scores.uniqueness, scores.mmcs_learned, scores.mmcs_true, scores.f1] {
            assert!((score - 1.0).abs() < 1e-5, "{scores:?}");
        }
        assert_eq!((scores.recovered, scores.absorption), (256, Some(0.0)));
    }

    #[test]
    fn a_feature_that_is_silent_when_its_rule_fires_is_absorbed() {
        let world = World::new(&WorldConfig::default()).unwrap();
        let rows = world.rows("test", 4_096);
        let mapping = Mapping::identity(256);
        let mut codes = SparseRows::default();
        for row in 0..4_096 {
            let silent = |id: usize| {
                let mut fired = rows.fired.entries_of(row);
                fired.any(|(rule, _)| world.rules[rule].parts.contains(&id))
            };
            let on = rows.active.entries_of(row).filter(|(id, _)| !silent(*id));
            codes.push(on.map(|(id, value)| (id as u32, value)));
        }

        let scores = FeatureScores::new(&world, &world.directions, &mapping, &codes, &rows);

        assert!(scores.absorption.unwrap() < -0.7, "{scores:?}");
        assert!(scores.recall < 0.99 && scores.precision > 0.999, "{scores:?}");
    }

    #[test]
    fn one_direction_for_all_features_is_neither_unique_nor_near() {
        let world = World::new(&WorldConfig::default()).unwrap();
        let rows = world.rows("test", 256);
        let learned = world.direction(7).repeat(256);

        let mapping = Mapping { truth: vec![None; 256] };
        let scores = FeatureScores::new(&world, &learned, &mapping, &rows.active, &rows);

        assert_eq!((scores.uniqueness, scores.recovered), (1.0 / 256.0, 0));
        assert!(scores.mmcs_learned > 0.999 && scores.mmcs_true < 0.5, "{scores:?}");
    }
}
