//! Rows of a world: which features fire, what they add up to, and which rules had an effect.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use shared::random::{normal, stream};

use super::config::GateShape;
use super::rules::{Rule, RuleKind};
use super::world::World;
use crate::analysis::screening::sparse::SparseRows;
use crate::analysis::vectors::add;

/// How many rows share a random stream.
const BLOCK: usize = 512;

/// Rows of a world with the truth about them. All amounts are in the scale of the activations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// What a model sees: `[rows, d_model]`.
    pub activations: Vec<f32>,
    /// The features that are active on each row, and how strongly.
    pub active: SparseRows,
    /// The rules whose parts are all active on each row, and how much of their effect there is.
    pub fired: SparseRows,
}

impl Rows {
    /// Adds the rows of `other` below.
    pub fn append(&mut self, other: &Self) {
        self.activations.extend_from_slice(&other.activations);
        self.active.append(&other.active);
        self.fired.append(&other.fired);
    }
}

impl World {
    /// `count` rows of the stream `name`.
    ///
    /// The same world, name and row give the same numbers, however many rows or threads there are.
    pub fn rows(&self, name: &str, count: usize) -> Rows {
        Sampler::new(self).rows(name, count)
    }
}

/// What the rows of a world share.
pub(super) struct Sampler<'a> {
    world: &'a World,
    /// How strongly each factor moves each feature: `[n_features, rank]`.
    loadings: Vec<f32>,
    /// The weight of each feature's own normal number.
    own: Vec<f32>,
    /// Above which value of the copula a feature fires by itself.
    limits: Vec<f32>,
}

impl<'a> Sampler<'a> {
    /// Prepares `x_g = loadings_g . factors + own_g * noise_g` and its limits.
    pub(super) fn new(world: &'a World) -> Self {
        let config = &world.config;
        let rank = config.correlation_rank;
        let mut random = stream(config.seed, "loadings");
        let mut loadings = normal(&mut random, config.n_features * rank, config.correlation as f32);
        let mut own = vec![1.0; config.n_features];
        for (own, loadings) in own.iter_mut().zip(loadings.chunks_exact_mut(rank.max(1))) {
            let square: f32 = loadings.iter().map(|value| value * value).sum();
            let shrink = (0.95 / square).sqrt().min(1.0);
            loadings.iter_mut().for_each(|value| *value *= shrink);
            *own = (1.0 - square * shrink * shrink).sqrt();
        }
        let mut without_event = vec![1.0_f64; config.n_features];
        let groups = world.rules.iter().map(|rule| (&rule.parts, rule.rate));
        let decoys = world.decoys.iter().map(|decoy| (&decoy.parts, decoy.rate));
        for (parts, rate) in groups.chain(decoys) {
            parts.iter().for_each(|&part| without_event[part] *= 1.0 - rate);
        }
        let each = world.marginals.iter().zip(&without_event);
        let limits =
            each.map(|(marginal, without)| quantile((1.0 - marginal) / without) as f32).collect();
        Self { world, loadings, own, limits }
    }

    /// `count` rows of the stream `name`, in blocks that share nothing.
    pub(super) fn rows(&self, name: &str, count: usize) -> Rows {
        let blocks: Vec<Rows> = (0..count.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let mut random = stream(self.world.config.seed, &format!("rows {name} {block}"));
                let mut rows = Rows::default();
                for _ in 0..BLOCK.min(count - block * BLOCK) {
                    self.draw(&mut random, &mut rows);
                }
                rows
            })
            .collect();
        let mut all = Rows::default();
        blocks.iter().for_each(|block| all.append(block));
        all
    }

    fn draw(&self, random: &mut ChaCha8Rng, rows: &mut Rows) {
        let world = self.world;
        let mut strengths = self.strengths(random);
        let fired = self.fire(random, &mut strengths);
        let mut activation = normal(random, world.config.d_model, world.noise);
        for &(place, amount) in &fired {
            let rule = &world.rules[place as usize];
            if rule.kind != RuleKind::Modulating {
                add(&mut activation, amount, &rule.effect);
            }
        }
        let active: Vec<(u32, f32)> = (0_u32..).zip(strengths).filter(|(_, s)| *s > 0.0).collect();
        for &(feature, strength) in &active {
            add(&mut activation, strength, world.direction(feature as usize));
        }
        rows.activations.extend(activation.iter().map(|value| value * world.scale));
        rows.active.push(active.into_iter().map(|(id, value)| (id, value * world.scale)));
        rows.fired.push(fired.into_iter().map(|(id, value)| (id, value * world.scale)));
    }

    /// Which rules fire, and how much of their effect there is. Those that switch features off or
    /// on do so first: the features count for the others.
    fn fire(&self, random: &mut ChaCha8Rng, strengths: &mut [f32]) -> Vec<(u32, f32)> {
        let world = self.world;
        let mut fired = Vec::new();
        for order in 0..3 {
            for (place, rule) in world.rules.iter().enumerate() {
                let turn = match rule.kind {
                    RuleKind::Inhibiting => 0,
                    RuleKind::Modulating => 1,
                    _ => 2,
                };
                if turn != order || rule.parts.iter().any(|&part| strengths[part] <= 0.0) {
                    continue;
                }
                let spread = 1.0 + normal(random, 1, 0.1)[0];
                let amount = world.delta as f32 * self.gate(rule, strengths) * spread;
                fired.push((place as u32, amount));
                match (rule.kind, rule.target) {
                    (RuleKind::Inhibiting, Some(target)) if world.delta > 0.0 => {
                        strengths[target] = 0.0;
                    }
                    (RuleKind::Modulating, Some(target)) => strengths[target] += amount.max(0.0),
                    _ => {}
                }
            }
        }
        fired
    }

    /// How strongly each feature fires, by itself or by an event; 0 where it does not.
    fn strengths(&self, random: &mut ChaCha8Rng) -> Vec<f32> {
        let world = self.world;
        let rank = world.config.correlation_rank;
        let factors = normal(random, rank, 1.0);
        let mut strengths = normal(random, world.config.n_features, 1.0);
        for (feature, value) in strengths.iter_mut().enumerate() {
            let loadings = &self.loadings[feature * rank..][..rank];
            let common: f32 = loadings.iter().zip(&factors).map(|(a, b)| a * b).sum();
            let fires = common + self.own[feature] * *value > self.limits[feature];
            *value = if fires { 1.0 } else { 0.0 };
        }
        let groups = world.rules.iter().map(|rule| (&rule.parts, rule.rate));
        let decoys = world.decoys.iter().map(|decoy| (&decoy.parts, decoy.rate));
        for (parts, rate) in groups.chain(decoys) {
            if random.random::<f64>() < rate {
                parts.iter().for_each(|&part| strengths[part] = 1.0);
            }
        }
        let active = strengths.iter_mut().zip(&world.strengths).filter(|(on, _)| **on > 0.0);
        for (on, usual) in active {
            *on = usual * (1.0 + normal(random, 1, 0.25)[0]).max(0.2);
        }
        strengths
    }

    /// `A`, the gate times the parts' usual strength.
    fn gate(&self, rule: &Rule, strengths: &[f32]) -> f32 {
        let size = rule.parts.len() as f32;
        let usual = &self.world.strengths;
        let relative = rule.parts.iter().map(|&part| strengths[part] / usual[part]);
        let gate = match self.world.config.gate {
            GateShape::Binary => 1.0,
            GateShape::GeometricMean => relative.product::<f32>().powf(1.0 / size),
            GateShape::Product => relative.product(),
            GateShape::Minimum => relative.fold(f32::INFINITY, f32::min),
        };
        gate * rule.parts.iter().map(|&part| usual[part]).sum::<f32>() / size
    }
}

/// The value below which a standard normal number lies with this probability, to 1e-9 relative
/// (Acklam's rational approximation); infinite at 0 and 1.
fn quantile(probability: f64) -> f64 {
    const CENTRE: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const BELOW: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const TAIL: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const UNDER: [f64; 5] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    let polynomial = |terms: &[f64], at: f64| terms.iter().fold(0.0, |sum, term| sum * at + term);
    if probability <= 0.0 || probability >= 1.0 {
        return if probability <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let nearer = probability.min(1.0 - probability);
    if nearer < 0.02425 {
        let at = (-2.0 * nearer.ln()).sqrt();
        let value = polynomial(&TAIL, at) / polynomial(&UNDER, at);
        return if probability < 0.5 { value } else { -value };
    }
    let at = probability - 0.5;
    at * polynomial(&CENTRE, at * at) / polynomial(&BELOW, at * at)
}

#[cfg(test)]
mod tests {
    use super::super::config::WorldConfig;
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        let cases = [(0.5, 0.0), (0.975, 1.959964), (0.02, -2.053749), (0.999, 3.090232)];
        for (probability, expected) in cases {
            assert!((quantile(probability) - expected).abs() < 1e-6, "{probability}");
        }
        assert_eq!(quantile(1.0), f64::INFINITY);
    }

    #[test]
    fn a_row_does_not_depend_on_how_many_rows_or_threads_there_are() {
        let world = World::new(&WorldConfig::default()).unwrap();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();

        let few = alone.install(|| world.rows("test", 600));
        let many = world.rows("test", 1_200);

        assert_eq!(few.activations, many.activations[..600 * 128]);
        assert_eq!(few.active.row(599), many.active.row(599));
        assert_ne!(few, world.rows("other", 600));
    }

    #[test]
    fn rows_have_the_scale_the_sparsity_and_the_rates_that_were_asked_for() {
        let world = World::new(&WorldConfig::default()).unwrap();

        let rows = world.rows("test", 8_192);

        let energy = rows.activations.iter().map(|v| f64::from(v * v)).sum::<f64>() / 8_192.0;
        assert!((energy / 128.0 - 1.0).abs() < 0.02, "{energy}");
        // Modulating rules make their targets fire now and then.
        let l0 = rows.active.entries() as f64 / 8_192.0;
        assert!((12.0..12.4).contains(&l0), "{l0}");
        let fired = rows.fired.entries() as f64 / 8_192.0;
        let least: f64 = world.rules.iter().map(|rule| rule.rate).sum();
        assert!(fired > 0.95 * least && fired < 2.0 * least, "{fired} {least}");
    }

    #[test]
    fn without_noise_a_row_is_its_features_and_its_effects() {
        let config = WorldConfig { noise_share: 0.0, ..WorldConfig::default() };
        let world = World::new(&config).unwrap();

        let rows = world.rows("test", 300);

        for (row, activation) in rows.activations.chunks_exact(128).enumerate() {
            let mut left = activation.to_vec();
            for (feature, strength) in rows.active.entries_of(row) {
                add(&mut left, -strength, world.direction(feature));
            }
            for (rule, amount) in rows.fired.entries_of(row) {
                if world.rules[rule].kind != RuleKind::Modulating {
                    add(&mut left, -amount, &world.rules[rule].effect);
                }
            }
            assert!(left.iter().all(|value| value.abs() < 1e-4));
        }
    }
}
