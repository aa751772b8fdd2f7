//! Whether the effects that were found are the true ones, and how much of them is explained.

use super::rows::Rows;
use super::rules::Rule;
use crate::analysis::vectors::dot_in_order;

/// Rule energy explained, `1 - E[(v_r . e)^2] / E[(delta A)^2]` over the rows on which each rule
/// fires; `None` for a rule without effect.
///
/// `left` is what a model leaves of the activations: `[rows, d_model]`.
pub fn rule_energy(rules: &[Rule], rows: &Rows, left: &[f32]) -> Vec<Option<f64>> {
    let width = rules.first().map_or(1, |rule| rule.effect.len().max(1));
    let mut sums = vec![(0.0_f64, 0.0_f64); rules.len()];
    for (row, left) in left.chunks_exact(width).enumerate() {
        for (rule, amount) in rows.fired.entries_of(row) {
            sums[rule].0 += f64::from(dot_in_order(left, &rules[rule].effect)).powi(2);
            sums[rule].1 += f64::from(amount).powi(2);
        }
    }
    let explained = |(rest, whole): (f64, f64)| (whole > 0.0).then(|| 1.0 - rest / whole);
    let acts = |rule: &Rule| rule.effect.iter().any(|value| *value != 0.0);
    rules.iter().zip(sums).map(|(rule, sums)| explained(sums).filter(|_| acts(rule))).collect()
}

/// The cosine between the effect that was found and the true one.
pub fn effect_cosine(found: &[f32], rule: &Rule) -> f64 {
    let lengths = (dot_in_order(found, found) * dot_in_order(&rule.effect, &rule.effect)).sqrt();
    f64::from(dot_in_order(found, &rule.effect)) / f64::from(lengths.max(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::super::rules::RuleKind;
    use super::*;

    fn rule(kind: RuleKind) -> Rule {
        Rule { parts: vec![0, 1], kind, rate: 0.01, target: None, effect: vec![1.0, 0.0] }
    }

    #[test]
    fn rule_energy_is_what_is_no_longer_left() {
        let rules = [rule(RuleKind::Emergent), rule(RuleKind::Negating), rule(RuleKind::Emergent)];
        let mut rows = Rows::default();
        rows.fired.push([(0, 2.0)]);
        rows.fired.push([(0, 2.0), (1, 1.0)]);

        let energy = rule_energy(&rules, &rows, &[1.0, 7.0, -1.0, 7.0]);

        assert_eq!(energy, vec![Some(0.75), Some(0.0), None]);
    }

    #[test]
    fn the_cosine_of_effects_knows_their_sign() {
        let rule = rule(RuleKind::Negating);

        assert!((effect_cosine(&[-3.0, 4.0], &rule) + 0.6).abs() < 1e-6);
    }
}
