//! What became of each rule: found or not, its effect, and how hard it was to see.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::effects::{effect_cosine, rule_energy};
use super::mapping::Mapping;
use super::rows::Rows;
use super::rules::RuleKind;
use super::score::Proposal;
use super::world::World;
use crate::analysis::screening::FoundCombination;

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleOutcome {
    /// How many parts it has.
    pub size: usize,
    /// What it does.
    pub kind: RuleKind,
    /// Whether the method deploys it.
    pub found: bool,
    /// `n pi delta^2 c / E|e|^2`, see [`detectability`]; none for a rule without effect.
    pub detectability: Option<f64>,
    /// The cosine of the effect that was found with the true one.
    pub effect_cosine: Option<f64>,
    /// How much of the rule's energy the model explains, found or not.
    pub energy_explained: Option<f64>,
}

/// What a method made of a world's rules.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// What it deploys, in true features.
    pub deployed: &'a [Proposal],
    /// What it found, with effects, in its own features; may be empty.
    pub found: &'a [FoundCombination],
    /// Which true feature each of its own stands for.
    pub mapping: &'a Mapping,
}

/// Rows, and what a model leaves of them.
#[derive(Clone, Copy, Debug)]
pub struct Rest<'a> {
    /// The rows.
    pub rows: &'a Rows,
    /// What is left: `[rows, d_model]`.
    pub left: &'a [f32],
}

/// What became of all rules of a world; `detectability` as the function gives it.
pub fn outcomes(
    world: &World,
    answer: &Answer,
    rest: Option<&Rest>,
    detectability: &[Option<f64>],
) -> Vec<RuleOutcome> {
    let ids = |proposal: &Proposal| -> Option<Vec<usize>> {
        let mut parts: Vec<usize> = proposal.parts.iter().copied().collect::<Option<_>>()?;
        parts.sort_unstable();
        Some(parts)
    };
    let deployed: HashSet<Vec<usize>> = answer.deployed.iter().filter_map(ids).collect();
    let proposals = answer.mapping.proposals(answer.found);
    let effects: BTreeMap<Vec<usize>, &[f32]> = proposals
        .iter()
        .zip(answer.found)
        .filter_map(|(proposal, found)| Some((ids(proposal)?, found.effect.as_slice())))
        .collect();
    let energies = rest.map(|rest| rule_energy(&world.rules, rest.rows, rest.left));
    let outcome = |(place, rule): (usize, &super::rules::Rule)| RuleOutcome {
        size: rule.parts.len(),
        kind: rule.kind,
        found: deployed.contains(&rule.parts),
        detectability: detectability.get(place).copied().flatten(),
        effect_cosine: effects.get(&rule.parts).map(|effect| effect_cosine(effect, rule)),
        energy_explained: energies.as_ref().and_then(|energies| energies[place]),
    };
    world.rules.iter().enumerate().map(outcome).collect()
}

/// What is searched, and how well features are known there.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The truth about some rows.
    pub rows: &'a Rows,
    /// How many rows are searched in all.
    pub searched: usize,
    /// The mean energy of what the features leave of a row.
    pub noise: f64,
}

/// How well each rule can be seen, `n pi delta^2 c / E|e|^2` with `c = recall^m max(0, 1 - sum of
/// pi / p)^2`: the energy that the effect has on `n` rows after the parts have taken what follows
/// them anyway, against the noise of one. `pi` is the share of rows on which all `m` parts are on,
/// `p` that of one part, `delta` the size of the effect there, `recall` that of a part's firing.
/// Larger than about 5 can be found.
pub fn detectability(
    world: &World,
    search: &Search,
    recall: impl Fn(usize) -> f64,
) -> Vec<Option<f64>> {
    let count = search.rows.active.len().max(1) as f64;
    let mut active = vec![0.0_f64; world.config.n_features];
    let mut fired = vec![(0.0_f64, 0.0_f64); world.rules.len()];
    for row in 0..search.rows.active.len() {
        search.rows.active.row(row).0.iter().for_each(|id| active[*id as usize] += 1.0 / count);
        for (rule, amount) in search.rows.fired.entries_of(row) {
            fired[rule].0 += 1.0 / count;
            fired[rule].1 += f64::from(amount).powi(2) / count;
        }
    }
    let one = |(rule, (share, energy)): (&super::rules::Rule, (f64, f64))| {
        let along: f64 = rule.parts.iter().map(|&part| share / active[part].max(1e-12)).sum();
        let known: f64 = rule.parts.iter().map(|&part| recall(part)).product();
        let clear = known * (1.0 - along).max(0.0).powi(2);
        let acts = rule.effect.iter().any(|value| *value != 0.0) && energy > 0.0;
        acts.then(|| search.searched as f64 * energy * clear / search.noise.max(1e-12))
    };
    world.rules.iter().zip(fired).map(one).collect()
}

/// The mean energy of rows: `[rows, d_model]`.
pub fn mean_energy(rows: &[f32], d_model: usize) -> f64 {
    let sum: f64 = rows.iter().map(|value| f64::from(*value).powi(2)).sum();
    sum / (rows.len() / d_model).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::config::WorldConfig;
    use super::*;

    #[test]
    fn detectability_falls_with_recall_and_with_noise_and_is_large_where_rules_are_found() {
        let world = World::new(&WorldConfig::default()).unwrap();
        let rows = world.rows("test", 16_384);
        let at = |noise, recall: f64| {
            let search = Search { rows: &rows, searched: 16_384, noise };
            detectability(&world, &search, |_| recall)
        };

        let usual = at(6.4, 1.0);
        for (place, rule) in world.rules.iter().enumerate() {
            let value = usual[place].unwrap();
            assert!(value > 5.0, "{value}");
            let half = at(6.4, 0.5)[place].unwrap();
            assert!((half / value - 0.5_f64.powi(rule.parts.len() as i32)).abs() < 1e-9);
            assert!((at(12.8, 1.0)[place].unwrap() / value - 0.5).abs() < 1e-9);
        }
    }

    #[test]
    fn outcomes_know_what_was_found_and_how_well_its_effect() {
        let world = World::new(&WorldConfig::default()).unwrap();
        let mapping = Mapping::identity(world.config.n_features);
        let rule = &world.rules[3];
        let deployed = [Proposal::of(&[rule.parts[1], rule.parts[0]], 1.0)];
        let effect = rule.effect.iter().map(|value| 2.0 * value).collect();
        let found =
            [FoundCombination { parts: rule.parts.clone(), effect, gain: 1.0, support: 20 }];
        let answer = Answer { deployed: &deployed, found: &found, mapping: &mapping };

        let outcomes = outcomes(&world, &answer, None, &[]);

        assert_eq!(outcomes.iter().filter(|outcome| outcome.found).count(), 1);
        assert!(outcomes[3].found && (outcomes[3].effect_cosine.unwrap() - 1.0).abs() < 1e-5);
        assert_eq!(outcomes[4].effect_cosine, None);
    }
}
