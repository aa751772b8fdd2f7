//! Which features combine: rules, and decoys that look like rules to a simpler statistic.

use std::cmp::Reverse;
use std::collections::HashSet;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::{WorldConfig, WorldError};

/// The sizes that a combination can have.
pub const SIZES: [usize; 3] = [2, 3, 4];

/// What a rule does to the activation when all of its parts are active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Adds a direction that no feature has.
    Emergent,
    /// Takes away the direction of another feature.
    Negating,
    /// XOR: each part alone adds `delta / size` of a fresh direction, all together nothing.
    Exclusive,
    /// OR: each part alone adds `delta` of a fresh direction, both together no more than that.
    Either,
    /// Adds the direction of another feature, which then simply fires.
    Modulating,
    /// Switches another feature off.
    Inhibiting,
}

impl RuleKind {
    /// Whether the rule leaves anything in the activation that its features cannot say.
    ///
    /// The headline counts these kinds only: the others show in counts alone.
    pub fn is_visible(self) -> bool {
        !matches!(self, Self::Modulating | Self::Inhibiting)
    }

    /// How much of the fresh direction each part adds alone, as a share of `delta`.
    pub(super) fn main_effect(self, size: usize) -> f64 {
        match self {
            Self::Exclusive => 1.0 / size as f64,
            Self::Either => 1.0,
            _ => 0.0,
        }
    }
}

/// Features that have an effect together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The features, in ascending order.
    pub parts: Vec<usize>,
    /// What happens when all of them are active.
    pub kind: RuleKind,
    /// The share of rows on which an event switches all parts on.
    pub rate: f64,
    /// The other feature that the rule acts on, where its kind has one.
    pub target: Option<usize>,
    /// The effect `v_r` of length 1 and shape `[d_model]`, with its sign: a row on which all parts
    /// are active gets `delta A v_r`. All 0 for an inhibiting rule.
    pub effect: Vec<f32>,
}

/// Why a decoy looks like a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoyKind {
    /// Its parts are switched on together as often as those of a rule.
    CoActivation,
    /// As [`CoActivation`](Self::CoActivation), and the directions of its parts are similar.
    Cosine,
    /// As [`CoActivation`](Self::CoActivation), and all of its parts push one fresh direction.
    Additive,
}

/// Features that are switched on together and have no effect together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decoy {
    /// The features, in ascending order.
    pub parts: Vec<usize>,
    /// What makes it look like a rule.
    pub kind: DecoyKind,
    /// The share of rows on which an event switches all parts on.
    pub rate: f64,
    /// The parts in the order in which cosines are planted: all but the first may be turned.
    #[serde(skip)]
    pub(super) order: Vec<usize>,
}

/// Draws all rules, without their effects, and all decoys.
pub(super) fn draw(
    config: &WorldConfig,
    rng: &mut ChaCha8Rng,
) -> Result<(Vec<Rule>, Vec<Decoy>), WorldError> {
    let mut hand = Hand::new(config);
    let mut rules = Vec::new();
    for (place, &size) in SIZES.iter().enumerate() {
        let [low, high] = config.rates[place];
        for kind in kinds(config, size, config.rules[place]) {
            let rate = config.rates_factor * rng.random_range(low..=high);
            let parts = sorted(hand.pick(size, rng)?);
            rules.push(Rule { parts, kind, rate, target: None, effect: Vec::new() });
        }
    }
    for rule in rules.iter_mut().filter(|rule| !matches!(rule.kind, RuleKind::Emergent)) {
        rule.target = match rule.kind {
            RuleKind::Exclusive | RuleKind::Either => None,
            _ => Some(hand.stranger(&rule.parts, rng)),
        };
    }
    let decoys = draw_decoys(config, &rules, &mut hand, rng)?;
    Ok((rules, decoys))
}

/// As many kinds as there are rules of this size, by the configured shares (largest remainder).
fn kinds(config: &WorldConfig, size: usize, count: usize) -> Vec<RuleKind> {
    let shares = config.kinds;
    let wanted = [
        (RuleKind::Emergent, shares.emergent),
        (RuleKind::Negating, shares.negating),
        (RuleKind::Exclusive, shares.exclusive),
        (RuleKind::Modulating, shares.modulating),
        (RuleKind::Inhibiting, shares.inhibiting),
    ];
    let total = wanted.iter().map(|(_, share)| share).sum::<f64>().max(f64::MIN_POSITIVE);
    let exact = wanted.map(|(_, share)| share / total * count as f64);
    let mut counts = exact.map(|exact| exact as usize);
    let mut order = [0, 1, 2, 3, 4];
    order.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()));
    let missing = count - counts.iter().sum::<usize>().min(count);
    for &place in order.iter().take(missing) {
        counts[place] += 1;
    }
    let mut kinds = Vec::with_capacity(count);
    for ((kind, _), count) in wanted.into_iter().zip(counts) {
        // OR of three is more than one combination, so the larger sizes have XOR only.
        let or = |place: usize| kind == RuleKind::Exclusive && size == 2 && place % 2 == 1;
        kinds.extend((0..count).map(|place| if or(place) { RuleKind::Either } else { kind }));
    }
    kinds
}

/// Decoys of the size and the rate of each rule.
fn draw_decoys(
    config: &WorldConfig,
    rules: &[Rule],
    hand: &mut Hand,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Decoy>, WorldError> {
    let all = [DecoyKind::Cosine, DecoyKind::CoActivation, DecoyKind::Additive];
    let mut wanted = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        for offset in 0..config.decoys_per_rule {
            wanted.push((all[(place + offset) % all.len()], rule));
        }
    }
    // Cosine decoys are the hardest to place, the large ones most of all, so they choose first.
    wanted.sort_by_key(|(kind, rule)| (*kind != DecoyKind::Cosine, Reverse(rule.parts.len())));
    for rule in rules.iter().filter(|rule| rule.kind.main_effect(2) > 0.0) {
        hand.spare(&rule.parts);
    }
    let mut decoys = Vec::with_capacity(wanted.len());
    for (kind, rule) in wanted {
        let size = rule.parts.len();
        let order = match kind {
            DecoyKind::Cosine => hand.pick_turnable(size, rng)?,
            _ => hand.pick(size, rng)?,
        };
        decoys.push(Decoy { parts: sorted(order.clone()), kind, rate: rule.rate, order });
    }
    Ok(decoys)
}

/// Deals out features such that no two groups share two and no feature is in too many groups.
struct Hand {
    /// In how many groups each feature is.
    load: Vec<usize>,
    /// In how many it may be.
    limit: usize,
    /// Pairs of features that some group contains.
    together: HashSet<(usize, usize)>,
    /// Features whose direction a planted cosine relies on.
    fixed: Vec<bool>,
    /// Features that had better not be turned, for turning takes some of what they push.
    spared: Vec<bool>,
}

impl Hand {
    fn new(config: &WorldConfig) -> Self {
        Self {
            load: vec![0; config.n_features],
            limit: config.groups_per_feature,
            together: HashSet::new(),
            fixed: vec![false; config.n_features],
            spared: vec![false; config.n_features],
        }
    }

    /// Features of a new group of this size.
    fn pick(&mut self, size: usize, rng: &mut ChaCha8Rng) -> Result<Vec<usize>, WorldError> {
        let mut group = Vec::with_capacity(size);
        while group.len() < size {
            let next = self.next(&group, rng, |_| true);
            group.push(next.ok_or(WorldError::TooManyGroups { limit: self.limit })?);
        }
        self.take(&group);
        Ok(group)
    }

    /// Features of a new group of which all but the first may still be turned.
    fn pick_turnable(
        &mut self,
        size: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<usize>, WorldError> {
        let mut group = Vec::with_capacity(size);
        // An anchor that cannot be turned itself leaves the others to be turned.
        let anchor = self.next(&group, rng, |feature| self.fixed[feature] || self.spared[feature]);
        group.extend(anchor.or_else(|| self.next(&[], rng, |_| true)));
        while group.len() < size {
            let free = |feature: usize| !self.fixed[feature] && !self.spared[feature];
            let next = self.next(&group, rng, free);
            let next = next.or_else(|| self.next(&group, rng, |feature| !self.fixed[feature]));
            group.push(next.ok_or(WorldError::TooManyCosines)?);
        }
        self.take(&group);
        group.iter().for_each(|&feature| self.fixed[feature] = true);
        Ok(group)
    }

    /// A feature that shares no group with any of `parts`, or any other if there is none.
    fn stranger(&self, parts: &[usize], rng: &mut ChaCha8Rng) -> usize {
        let others = (0..self.load.len()).filter(|feature| !parts.contains(feature));
        let (strangers, rest): (Vec<usize>, Vec<usize>) =
            others.partition(|&other| parts.iter().all(|&part| !self.met(part, other)));
        let from = if strangers.is_empty() { rest } else { strangers };
        from.choose(rng).copied().unwrap_or_default()
    }

    fn next(
        &self,
        group: &[usize],
        rng: &mut ChaCha8Rng,
        suits: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let free = |&feature: &usize| {
            self.load[feature] < self.limit
                && suits(feature)
                && group.iter().all(|&part| part != feature && !self.met(part, feature))
        };
        (0..self.load.len()).filter(free).collect::<Vec<_>>().choose(rng).copied()
    }

    fn met(&self, a: usize, b: usize) -> bool {
        self.together.contains(&(a.min(b), a.max(b)))
    }

    fn take(&mut self, group: &[usize]) {
        for (place, &a) in group.iter().enumerate() {
            self.load[a] += 1;
            self.together.extend(group[..place].iter().map(|&b| (a.min(b), a.max(b))));
        }
    }

    /// Asks that these features be turned last.
    fn spare(&mut self, features: &[usize]) {
        features.iter().for_each(|&feature| self.spared[feature] = true);
    }
}

fn sorted(mut parts: Vec<usize>) -> Vec<usize> {
    parts.sort_unstable();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_their_shares() {
        let config = WorldConfig::default();

        let kinds = kinds(&config, 2, 48);

        let count = |wanted| kinds.iter().filter(|&&kind| kind == wanted).count();
        assert_eq!(kinds.len(), 48);
        assert_eq!(count(RuleKind::Emergent), 24);
        assert_eq!(count(RuleKind::Negating), 10);
        assert_eq!(count(RuleKind::Exclusive) + count(RuleKind::Either), 7);
        assert_eq!(count(RuleKind::Modulating), 7);
    }

    #[test]
    fn no_two_groups_share_two_features_and_no_feature_is_in_more_than_five() {
        let config = WorldConfig::default();

        let (rules, decoys) = draw(&config, &mut shared::random::stream(0, "groups")).unwrap();

        let rule_parts = rules.iter().map(|rule| &rule.parts);
        let groups: Vec<_> = rule_parts.chain(decoys.iter().map(|decoy| &decoy.parts)).collect();
        for (place, group) in groups.iter().enumerate() {
            let shared = |other: &&&Vec<usize>| {
                group.iter().filter(|part| other.contains(part)).count() >= 2
            };
            assert_eq!(groups[..place].iter().filter(shared).count(), 0, "{group:?}");
        }
        for feature in 0..config.n_features {
            let load = groups.iter().filter(|group| group.contains(&feature)).count();
            assert!(load <= 5, "feature {feature} is in {load} groups");
        }
        assert_eq!((rules.len(), decoys.len()), (96, 288));
    }
}
