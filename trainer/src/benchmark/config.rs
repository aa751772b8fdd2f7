//! Every knob of a world, and what cannot be asked for.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How an effect depends on how strongly the parts fire, each relative to its usual strength `s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum GateShape {
    /// 1 whenever all parts are active.
    #[default]
    Binary,
    /// `(product of a_j / s_j)^(1 / size)`.
    GeometricMean,
    /// `product of a_j / s_j`.
    Product,
    /// `min of a_j / s_j`.
    Minimum,
}

/// The shares of the kinds of rules. They need not add up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindShares {
    /// Rules that add a fresh direction.
    pub emergent: f64,
    /// Rules that take another feature's direction away.
    pub negating: f64,
    /// XOR and, every second of the pairs, OR.
    pub exclusive: f64,
    /// Rules that add another feature's direction.
    pub modulating: f64,
    /// Rules that switch another feature off: a table of their own, so none by default.
    pub inhibiting: f64,
}

impl Default for KindShares {
    fn default() -> Self {
        Self { emergent: 0.5, negating: 0.2, exclusive: 0.15, modulating: 0.15, inhibiting: 0.0 }
    }
}

impl KindShares {
    /// No rules of any kind.
    pub(super) fn none() -> Self {
        Self { emergent: 0.0, negating: 0.0, exclusive: 0.0, modulating: 0.0, inhibiting: 0.0 }
    }

    /// The share of the kind with this name.
    pub(super) fn of_name(&mut self, name: &str) -> Option<&mut f64> {
        match name {
            "emergent" => Some(&mut self.emergent),
            "negating" => Some(&mut self.negating),
            "exclusive" => Some(&mut self.exclusive),
            "modulating" => Some(&mut self.modulating),
            "inhibiting" => Some(&mut self.inhibiting),
            _ => None,
        }
    }
}

/// Every knob of a world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Another seed is another world.
    pub seed: u64,
    /// The width of the activation.
    pub d_model: usize,
    /// How many features there are.
    pub n_features: usize,
    /// How many features are active on a row, on average.
    pub mean_l0: f64,
    /// The feature of rank `r` wants a frequency in proportion to `r^-zipf_exponent`.
    pub zipf_exponent: f64,
    /// The smallest and the largest frequency that Zipf's law may ask for.
    pub marginal_range: [f64; 2],
    /// The energy of the noise as a share of the signal's variance.
    pub noise_share: f64,
    /// How many rules have 2, 3 and 4 parts.
    pub rules: [usize; 3],
    /// Between which rates the events of rules with 2, 3 and 4 parts lie.
    pub rates: [[f64; 2]; 3],
    /// Multiplies all rates of events.
    pub rates_factor: f64,
    /// Which kinds of rules there are.
    pub kinds: KindShares,
    /// The size of an effect, relative to the usual strength of the parts.
    pub delta: f64,
    /// How the effect depends on the strengths of the parts.
    pub gate: GateShape,
    /// The |cosine| between the parts of a cosine decoy.
    pub decoy_cosine: f64,
    /// How much of a common direction each part of an additive decoy pushes alone.
    pub decoy_push: f64,
    /// The scale of the factors behind the background correlation.
    pub correlation: f64,
    /// How many such factors there are.
    pub correlation_rank: usize,
    /// How many decoys each rule has.
    pub decoys_per_rule: usize,
    /// In how many groups (rules and decoys) a feature may be.
    pub groups_per_feature: usize,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            d_model: 128,
            n_features: 256,
            mean_l0: 12.0,
            zipf_exponent: 0.5,
            marginal_range: [0.02, 0.20],
            noise_share: 0.05,
            rules: [48, 32, 16],
            rates: [[0.004, 0.012], [0.003, 0.008], [0.002, 0.005]],
            rates_factor: 1.0,
            kinds: KindShares::default(),
            delta: 0.7,
            gate: GateShape::Binary,
            decoy_cosine: 0.35,
            decoy_push: 0.35,
            correlation: 0.1,
            correlation_rank: 8,
            decoys_per_rule: 3,
            groups_per_feature: 5,
        }
    }
}

impl WorldConfig {
    /// A world of another size: as many rules per feature, and rates that keep their ratio to the
    /// features' frequencies.
    pub fn scaled(n_features: usize, mean_l0: f64) -> Self {
        let usual = Self::default();
        let wider = n_features as f64 / usual.n_features as f64;
        let rules = usual.rules.map(|count| (count as f64 * wider).round() as usize);
        let rates_factor = mean_l0 / usual.mean_l0 / wider;
        Self { n_features, mean_l0, rates_factor, ..usual }.with_rules(rules)
    }

    /// The same world with other numbers of rules of 2, 3 and 4 parts. Above 120 rules in all
    /// each has one decoy, and features may be in any number of groups.
    pub fn with_rules(mut self, rules: [usize; 3]) -> Self {
        self.rules = rules;
        if rules.iter().sum::<usize>() > 120 {
            self.decoys_per_rule = 1;
            self.groups_per_feature = usize::MAX;
        }
        self
    }

    pub(super) fn check(&self) -> Result<(), WorldError> {
        let complain = |what: &str| Err(WorldError::Invalid(what.to_string()));
        let share = |value: f64| (0.0..=1.0).contains(&value);
        if self.d_model == 0 || self.n_features < 8 {
            return complain("d_model must be at least 1 and n_features at least 8");
        }
        if !(share(self.marginal_range[0]) && self.marginal_range[1] < 1.0)
            || self.marginal_range[0] > self.marginal_range[1]
        {
            return complain("marginal_range must be two ascending frequencies below 1");
        }
        if self.rates.iter().any(|[low, high]| !share(*low) || !share(*high) || low > high) {
            return complain("rates must be ascending pairs between 0 and 1");
        }
        let largest = self.rates.iter().map(|[_, high]| high * self.rates_factor);
        if !(self.rates_factor >= 0.0 && largest.fold(0.0, f64::max) < 0.5) {
            return complain("rates_factor must leave every rate between 0 and 0.5");
        }
        if !(0.0..0.95).contains(&self.decoy_cosine) {
            return complain("decoy_cosine must be at least 0 and below 0.95");
        }
        let shares = [self.kinds.emergent, self.kinds.negating, self.kinds.exclusive];
        let more = [self.kinds.modulating, self.kinds.inhibiting, self.noise_share];
        let others = [self.zipf_exponent, self.delta, self.decoy_push, self.correlation];
        let numbers = [shares.as_slice(), &more, &others].concat();
        if numbers.iter().any(|number| !(number.is_finite() && *number >= 0.0)) {
            return complain("shares, noise, delta, push, correlation must be finite and >= 0");
        }
        if shares.iter().chain(&more[..2]).sum::<f64>() == 0.0 {
            return complain("the shares of the kinds of rules must not all be 0");
        }
        Ok(())
    }
}

/// A configuration that no world can satisfy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WorldError {
    /// A knob has no meaning at this value.
    #[error("world configuration: {0}")]
    Invalid(String),
    /// There are not enough features for all groups.
    #[error(
        "world: rules and decoys do not fit when no two may share two features and no feature may \
         be in more than {limit} of them; use fewer rules, fewer decoys or more features"
    )]
    TooManyGroups {
        /// In how many groups a feature may be.
        limit: usize,
    },
    /// The cosine decoys need more directions than there are.
    #[error("world: too few features for the cosine decoys; use fewer rules or decoys_per_rule")]
    TooManyCosines,
    /// Events alone make more features active than the mean L0 allows.
    #[error(
        "world: the smallest frequencies that the events allow add up to {needed:.1} active \
         features a row, above mean_l0 = {mean_l0}; use lower rates, fewer rules or a larger \
         mean_l0"
    )]
    Crowded {
        /// The smallest mean L0 that would do.
        needed: f64,
        /// The one asked for.
        mean_l0: f64,
    },
}
