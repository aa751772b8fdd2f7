//! A world: features with directions and frequencies, and the rules by which some of them combine.

use rand::RngExt;
use rand::seq::SliceRandom;
use shared::random::stream;

use super::config::{WorldConfig, WorldError};
use super::directions::directions;
use super::rows::Sampler;
use super::rules::{self, Decoy, Rule};

/// Features, rules and decoys: everything there is to know about a benchmark's rows.
#[derive(Clone, Debug)]
pub struct World {
    /// What it was drawn from.
    pub config: WorldConfig,
    /// The direction of each feature, of length 1: `[n_features, d_model]`.
    pub directions: Vec<f32>,
    /// The rules: pairs, then triples, then quadruples.
    pub rules: Vec<Rule>,
    /// The decoys.
    pub decoys: Vec<Decoy>,
    /// The share of rows on which each feature is active, by itself or by an event.
    pub marginals: Vec<f64>,
    /// How strongly each feature usually fires, before the rows are scaled.
    pub strengths: Vec<f32>,
    /// The size of the effects: `config.delta`, or 0 in the null set.
    pub delta: f64,
    /// What the rows are multiplied by so that `E|x|^2 = d_model`.
    pub scale: f32,
    /// The standard deviation of the noise in each coordinate, before the rows are scaled.
    pub noise: f32,
}

impl World {
    /// Draws the world that `config` describes.
    ///
    /// # Errors
    /// The configuration has no meaning, or its groups do not fit its features.
    pub fn new(config: &WorldConfig) -> Result<Self, WorldError> {
        config.check()?;
        let (mut rules, decoys) = rules::draw(config, &mut stream(config.seed, "groups"))?;
        let directions = directions(config, &mut rules, &decoys);
        let marginals = marginals(config, &rules, &decoys)?;
        let mut random = stream(config.seed, "strengths");
        let strengths = (0..config.n_features).map(|_| random.random_range(0.8..=1.2)).collect();
        let mut world = Self {
            config: config.clone(),
            directions,
            rules,
            decoys,
            marginals,
            strengths,
            delta: config.delta,
            scale: 1.0,
            noise: 0.0,
        };
        world.calibrate();
        Ok(world)
    }

    /// The null set: the same features, events and directions, and no rule has an effect.
    pub fn without_effects(&self) -> Self {
        let mut world = Self { delta: 0.0, scale: 1.0, noise: 0.0, ..self.clone() };
        world.calibrate();
        world
    }

    /// The direction of one feature, of shape `[d_model]`.
    pub fn direction(&self, feature: usize) -> &[f32] {
        &self.directions[feature * self.config.d_model..][..self.config.d_model]
    }

    /// Chooses noise and scale once, from rows of a stream that nothing else reads.
    fn calibrate(&mut self) {
        let rows = Sampler::new(self).rows("calibration", 16_384);
        let width = self.config.d_model;
        let count = (rows.activations.len() / width) as f64;
        let mut mean = vec![0.0_f64; width];
        let mut energy = 0.0;
        for row in rows.activations.chunks_exact(width) {
            for (mean, &value) in mean.iter_mut().zip(row) {
                *mean += f64::from(value) / count;
                energy += f64::from(value).powi(2) / count;
            }
        }
        let variance = energy - mean.iter().map(|mean| mean * mean).sum::<f64>();
        let noise = self.config.noise_share * variance;
        self.noise = (noise / width as f64).sqrt() as f32;
        self.scale = (width as f64 / (energy + noise).max(f64::MIN_POSITIVE)).sqrt() as f32;
    }
}

/// The share of rows on which each feature is active: Zipf's law, clipped, raised to what the
/// feature's events need, and scaled so that the shares add up to the mean L0.
fn marginals(
    config: &WorldConfig,
    rules: &[Rule],
    decoys: &[Decoy],
) -> Result<Vec<f64>, WorldError> {
    let least = least_marginals(config, rules, decoys);
    let mut ranks: Vec<usize> = (1..=config.n_features).collect();
    ranks.shuffle(&mut stream(config.seed, "ranks"));
    let [low, high] = config.marginal_range;
    let at = |scale: f64| -> Vec<f64> {
        let zipf = |rank: usize| scale * (rank as f64).powf(-config.zipf_exponent);
        let each = ranks.iter().zip(&least);
        each.map(|(&rank, &least)| zipf(rank).clamp(low, high).max(least).min(0.95)).collect()
    };
    let needed = at(0.0).iter().sum::<f64>();
    let most = at(f64::MAX).iter().sum::<f64>();
    if needed > config.mean_l0 {
        return Err(WorldError::Crowded { needed, mean_l0: config.mean_l0 });
    }
    if most < config.mean_l0 {
        let text = format!("mean_l0 = {} is above the largest frequencies' sum", config.mean_l0);
        return Err(WorldError::Invalid(text));
    }
    let (mut below, mut above) = (0.0, config.n_features as f64);
    for _ in 0..100 {
        let middle = 0.5 * (below + above);
        match at(middle).iter().sum::<f64>() < config.mean_l0 {
            true => below = middle,
            false => above = middle,
        }
    }
    Ok(at(above))
}

/// The smallest frequency that the events leave each feature: 1.6 times the sum of their rates,
/// and for each so much that it makes up at most 0.35 of the rows of a part, and at most 0.6
/// summed over its parts.
fn least_marginals(config: &WorldConfig, rules: &[Rule], decoys: &[Decoy]) -> Vec<f64> {
    let mut sum_of_rates = vec![0.0_f64; config.n_features];
    let mut least = vec![0.0_f64; config.n_features];
    let groups = rules.iter().map(|rule| (&rule.parts, rule.rate));
    for (parts, rate) in groups.chain(decoys.iter().map(|decoy| (&decoy.parts, decoy.rate))) {
        let ratio = f64::max(1.0 / 0.35, parts.len() as f64 / 0.6);
        for &part in parts {
            sum_of_rates[part] += rate;
            least[part] = least[part].max(ratio * rate);
        }
    }
    least.iter().zip(&sum_of_rates).map(|(least, sum)| least.max(1.6 * sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::rules::{DecoyKind, RuleKind};
    use super::*;
    use crate::analysis::vectors::dot_in_order;

    fn world() -> World {
        World::new(&WorldConfig::default()).unwrap()
    }

    #[test]
    fn frequencies_add_up_to_the_mean_l0_and_leave_room_for_the_events() {
        let world = world();

        assert!((world.marginals.iter().sum::<f64>() - 12.0).abs() < 1e-6);
        for rule in &world.rules {
            let shares = rule.parts.iter().map(|&part| rule.rate / world.marginals[part]);
            let (most, sum) = shares.fold((0.0, 0.0), |(m, s): (f64, f64), x| (m.max(x), s + x));
            assert!(most <= 0.35 + 1e-9 && sum <= 0.6 + 1e-9, "{most} {sum}");
        }
    }

    #[test]
    fn the_parts_of_a_cosine_decoy_have_the_cosine_that_was_asked_for() {
        let world = world();

        for decoy in world.decoys.iter().filter(|decoy| decoy.kind == DecoyKind::Cosine) {
            for (place, &one) in decoy.parts.iter().enumerate() {
                for &other in &decoy.parts[..place] {
                    let cosine = dot_in_order(world.direction(one), world.direction(other));
                    assert!((cosine.abs() - 0.35).abs() < 1e-4, "{cosine}");
                }
            }
        }
    }

    #[test]
    fn directions_and_effects_have_length_1() {
        let world = world();

        let effects = world.rules.iter().map(|rule| rule.effect.as_slice());
        for direction in world.directions.chunks_exact(128).chain(effects) {
            assert!((dot_in_order(direction, direction) - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn a_negating_rule_takes_away_what_its_target_would_add() {
        let world = world();

        let rule = world.rules.iter().find(|rule| rule.kind == RuleKind::Negating).unwrap();
        let target = rule.target.unwrap();
        assert!(!rule.parts.contains(&target));
        assert!((dot_in_order(&rule.effect, world.direction(target)) + 1.0).abs() < 1e-4);
    }

    #[test]
    fn the_parts_of_an_exclusive_rule_say_against_its_effect() {
        let world = world();

        for rule in world.rules.iter().filter(|rule| rule.kind == RuleKind::Exclusive) {
            let push = 0.7 / rule.parts.len() as f32;
            for &part in &rule.parts {
                // Its own direction and other pushes add chance cosines of some 0.1.
                let along = dot_in_order(world.direction(part), &rule.effect);
                assert!((along + push / (1.0 + push * push).sqrt()).abs() < 0.3, "{along}");
            }
        }
    }

    #[test]
    fn the_null_set_is_the_same_world_without_effects() {
        let world = world();

        let null = world.without_effects();

        assert_eq!(null.directions, world.directions);
        assert_eq!(null.delta, 0.0);
        let rows = null.rows("test", 64);
        assert!((0..64).all(|row| rows.fired.entries_of(row).all(|(_, amount)| amount == 0.0)));
    }

    #[test]
    fn what_cannot_be_satisfied_is_refused() {
        let refused = |config: WorldConfig| World::new(&config).unwrap_err();
        let usual = WorldConfig::default;

        let crowded = refused(WorldConfig { rates_factor: 2.0, ..usual() });
        assert!(matches!(crowded, WorldError::Crowded { .. }), "{crowded}");
        let groups = refused(WorldConfig { rules: [100, 60, 40], ..usual() });
        assert!(matches!(groups, WorldError::TooManyGroups { .. } | WorldError::TooManyCosines));
        let invalid = refused(WorldConfig { decoy_cosine: 1.0, ..usual() });
        assert!(invalid.to_string().contains("decoy_cosine"), "{invalid}");
    }
}
