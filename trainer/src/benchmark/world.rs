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
    let mut sum_of_rates = vec![0.0_f64; config.n_features];
    let mut least = vec![0.0_f64; config.n_features];
    let groups = rules.iter().map(|rule| (&rule.parts, rule.rate));
    for (parts, rate) in groups.chain(decoys.iter().map(|decoy| (&decoy.parts, decoy.rate))) {
        // At most 0.35 of a part's rows, and at most 0.6 summed over the parts.
        let ratio = f64::max(1.0 / 0.35, parts.len() as f64 / 0.6);
        for &part in parts {
            sum_of_rates[part] += rate;
            least[part] = least[part].max(ratio * rate);
        }
    }
    let mut ranks: Vec<usize> = (1..=config.n_features).collect();
    ranks.shuffle(&mut stream(config.seed, "ranks"));
    let [low, high] = config.marginal_range;
    let at = |scale: f64| -> Vec<f64> {
        let each = ranks.iter().zip(&least).zip(&sum_of_rates);
        each.map(|((&rank, &least), &sum)| {
            let zipf = scale * (rank as f64).powf(-config.zipf_exponent);
            zipf.clamp(low, high).max(least).max(1.6 * sum).min(0.95)
        })
        .collect()
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
