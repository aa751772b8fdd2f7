//! Do features that combine in a model interact in the language model as well? The strongest combinations
//! of each size, each beside a set alike that is no combination, beside a language model with random
//! weights, and beside random directions.
//!
//! Alternating sums grow with what single parts do, the larger the set the faster. So a set alike is as
//! frequent, as strong where its parts meet and as much along one another, and of such sets the one whose
//! single parts change the logits as much.

use anyhow::Result;
use rayon::prelude::*;
use shared::random;
use shared::report::Combination;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use super::active_rows::ActiveRows;
use super::combinations::{Meetings, SUPPORT};
use super::evaluation::HeldOut;
use super::in_model::{InModel, Surgery, silent, with_random_directions};
use super::rank::{partial_spearman, resampled_mean};
use super::remaining_blocks::RemainingBlocks;
use super::vectors::cosine;
use crate::interrupt;

/// How many parts a combination has.
pub const SIZES: [usize; 3] = [2, 3, 4];
/// How many combinations of each size are tested.
const OF_A_SIZE: usize = 32;
/// Among how many sets alike the one is chosen whose parts change the logits as much.
const ALIKE: usize = 8;
/// Over so many combinations there is an interval.
const ENOUGH: usize = 5;
/// How often combinations are drawn anew for an interval.
const RESAMPLES: usize = 1_000;
/// Of what is random.
const SEED: u64 = 0;

/// A combination in the language model.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The combination.
    pub parts: Vec<usize>,
    /// Its `|I(P)|`.
    pub interaction: f64,
    /// How often and how its parts meet.
    pub traits: Traits,
    /// Taken out with their unit.
    pub with_unit: InModel,
    /// Taken out by their directions alone.
    pub alone: InModel,
    /// By their directions, where a language model with random weights goes on.
    pub random_lm: InModel,
    /// As much of random directions.
    pub random_directions: InModel,
    /// A set alike that is no combination, and what it does by its directions alone.
    pub control: Option<(Vec<usize>, InModel)>,
}

/// By what sets of features are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traits {
    /// In how many rows all parts are active.
    pub support: usize,
    /// The logarithm of their lift.
    pub pmi: f64,
    /// How far their directions lie along one another: the mean of the cosines' sizes, two by two.
    pub cosine: f64,
    /// How strongly they fire together: the mean over joint rows of the strengths' geometric mean.
    pub strength: f64,
}

impl Traits {
    fn of(meetings: &Meetings, directions: &[f32], d_model: usize, set: &[usize]) -> Self {
        let meeting = meetings.meeting(set);
        let cosine = mean_cosine(directions, d_model, set);
        let (support, pmi, strength) = (meeting.support, meeting.pmi, meeting.strength);
        Self { support, pmi, cosine, strength }
    }

    fn numbers(&self) -> [f64; 4] {
        [(self.support as f64).ln(), self.pmi, self.cosine, self.strength.max(1e-9).ln()]
    }
}

/// What a test in the language model found.
#[derive(Clone, Debug, Default)]
pub struct Causal {
    /// The combinations by size, of each size the strongest interaction of the decoder first.
    pub tested: Vec<Tested>,
}

impl Causal {
    /// Those with so many parts.
    pub fn of_size(&self, size: usize) -> Vec<&Tested> {
        self.tested.iter().filter(|one| one.parts.len() == size).collect()
    }

    /// Spearman's correlation of `|I(P)|` with the share of interaction in the logits by directions
    /// alone, given the traits, over combinations of one size; absent with few.
    pub fn spearman(&self, size: usize) -> Option<f64> {
        let all = self.of_size(size);
        let given = [0, 1, 2, 3].map(|at| all.iter().map(|one| one.traits.numbers()[at]).collect());
        let interactions: Vec<f64> = all.iter().map(|one| one.interaction).collect();
        let shares: Vec<f64> = all.iter().map(|one| one.alone.share()).collect();
        partial_spearman(&interactions, &shares, &given)
    }

    /// How many times the share of its set alike a combination's share by directions is: the geometric
    /// mean over combinations of one size, and its 95 % interval by resampling them. They share features,
    /// so it is narrower than it should be. Absent with fewer than five.
    pub fn times_control(&self, size: usize) -> Option<(f64, [f64; 2])> {
        let logarithm = |one: &Tested| -> Option<f64> {
            let (_, control) = one.control.as_ref()?;
            let ratio = one.alone.share() / control.share();
            (ratio > 0.0 && ratio.is_finite()).then(|| ratio.ln())
        };
        let all: Vec<f64> = self.of_size(size).into_iter().filter_map(logarithm).collect();
        if all.len() < ENOUGH {
            return None;
        }
        let interval =
            resampled_mean(&all, RESAMPLES, &mut random::stream(SEED, "times sets alike"))?;
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        Some((mean.exp(), interval.map(f64::exp)))
    }
}

/// What is tested.
#[derive(Clone, Copy, Debug)]
pub struct Test<'a> {
    /// The rows of the language model that is asked.
    pub held_out: &'a HeldOut<'a>,
    /// What goes on in one of the same shape with random weights.
    pub random_lm: &'a RemainingBlocks<'a>,
    /// The autoencoder.
    pub model: &'a FinishedCsae,
    /// What was active.
    pub active: &'a ActiveRows,
}

impl Test<'_> {
    /// Tests the strongest of `combinations`, which stand in the order of their interaction.
    ///
    /// # Errors
    /// The user stops it.
    pub fn run(&self, combinations: &[Combination]) -> Result<Causal> {
        let meetings = Meetings::new(self.active, self.model);
        let own = &self.held_out.remaining;
        let (alone, random) = (silent(self.model), with_random_directions(self.model, SEED));
        let measure = |remaining, model, parts: &[usize]| {
            let rows: Vec<usize> = meetings.together(parts).iter().map(|(row, _)| *row).collect();
            let (held_out, codes) = (self.held_out, &meetings.codes);
            Surgery { held_out, remaining, model, codes }.measure(parts, &rows)
        };
        let mut tested = vec![];
        for size in SIZES {
            let of_size = combinations.iter().filter(|one| one.size() == size);
            let chosen: Vec<&Combination> = of_size.take(OF_A_SIZE).collect();
            if chosen.is_empty() {
                continue;
            }
            let mut controls = Controls::new(&meetings, self.model, combinations, size);
            for one in chosen {
                interrupt::check()?;
                let parts = one.parts.clone();
                let (traits, by_directions) =
                    (controls.traits(&parts), measure(own, &alone, &parts));
                tested.push(Tested {
                    interaction: one.interaction,
                    traits,
                    with_unit: measure(own, self.model, &parts),
                    random_lm: measure(self.random_lm, &alone, &parts),
                    random_directions: measure(own, &random, &parts),
                    control: controls
                        .take(&traits, by_directions.single, &|set| measure(own, &alone, set)),
                    alone: by_directions,
                    parts,
                });
            }
        }
        Ok(Causal { tested })
    }
}

/// The mean over pairs of `parts` of the size of their directions' cosine.
fn mean_cosine(directions: &[f32], d_model: usize, parts: &[usize]) -> f64 {
    let direction = |part: usize| &directions[part * d_model..][..d_model];
    let pairs = parts.iter().enumerate().flat_map(|(at, one)| {
        parts[at + 1..].iter().map(|other| cosine(direction(*one), direction(*other)).abs())
    });
    let cosines: Vec<f64> = pairs.collect();
    cosines.iter().sum::<f64>() / cosines.len() as f64
}

/// Sets of one size that are no combination.
struct Controls<'a> {
    meetings: &'a Meetings,
    directions: Vec<f32>,
    d_model: usize,
    free: Vec<(Vec<usize>, Traits)>,
    /// How far the free sets scatter in each trait.
    scatter: [f64; 4],
}

impl<'a> Controls<'a> {
    /// Sets of so many features of which no two stand in one of the `combinations`.
    fn new(
        meetings: &'a Meetings,
        model: &FinishedCsae,
        combinations: &[Combination],
        size: usize,
    ) -> Self {
        let (directions, [_, d_model]) = (to_vec(model.directions()), model.directions().dims());
        let joined = |set: &[usize]| {
            let inside =
                |one: &Combination| set.iter().filter(|part| one.parts.contains(part)).count();
            combinations.iter().any(|one| inside(one) > 1)
        };
        let sets = meetings.sets(size).into_par_iter().filter(|set| !joined(set));
        let free = sets.map(|set| {
            let traits = Traits::of(meetings, &directions, d_model, &set);
            (set, traits)
        });
        let free: Vec<_> = free.filter(|(_, traits)| traits.support >= SUPPORT).collect();
        let scatter = [0, 1, 2, 3].map(|at| deviation(free.iter().map(|it| it.1.numbers()[at])));
        Self { meetings, directions, d_model, free, scatter }
    }

    fn traits(&self, set: &[usize]) -> Traits {
        Traits::of(self.meetings, &self.directions, self.d_model, set)
    }

    /// Of the free sets that are most like `wanted` the one whose single parts do as much as `single`,
    /// with what `measure` says of it. It is not given twice.
    fn take(
        &mut self,
        wanted: &Traits,
        single: f64,
        measure: &dyn Fn(&[usize]) -> InModel,
    ) -> Option<(Vec<usize>, InModel)> {
        let far = |found: &Traits| -> f64 {
            let both = found.numbers().into_iter().zip(wanted.numbers()).zip(self.scatter);
            both.map(|((found, wanted), scatter)| ((found - wanted) / scatter).powi(2)).sum()
        };
        let mut nearest: Vec<(f64, usize)> =
            self.free.iter().enumerate().map(|(place, (_, it))| (far(it), place)).collect();
        nearest.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        nearest.truncate(ALIKE);
        let measured = nearest.into_iter().map(|(_, place)| (place, measure(&self.free[place].0)));
        let apart = |told: &InModel| (told.single.max(1e-12) / single.max(1e-12)).ln().abs();
        let (place, told) =
            measured.min_by(|one, other| apart(&one.1).total_cmp(&apart(&other.1)))?;
        Some((self.free.swap_remove(place).0, told))
    }
}

/// The standard deviation, 1 where all are the same.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    if variance > 1e-18 { variance.sqrt() } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::prelude::*;
    use shared::CsaeConfig;

    /// Four features: 0, 1 and 2 fire on the first 40 of 60 rows, 3 on 20 of these; 3 and 0 are
    /// twice as strong.
    fn active() -> ActiveRows {
        let mut active = ActiveRows { k: 4, ..ActiveRows::default() };
        for row in 0..60 {
            let on = f32::from(u8::from(row < 40));
            let rare = f32::from(u8::from(row < 20));
            active.features.extend([0, 1, 2, 3]);
            active.values.extend([2.0 * on, on, on, 2.0 * rare]);
        }
        active
    }

    fn model() -> FinishedCsae {
        let config = CsaeConfig::new(4).with_n_features(4).with_sparsity_k(4);
        FinishedCsae { model: config.init(1, &Device::flex()), limits: config.limits() }
    }

    fn combinations(sets: &[&[usize]]) -> Vec<Combination> {
        let one = |parts: &&[usize]| Combination { parts: parts.to_vec(), ..Default::default() };
        sets.iter().map(one).collect()
    }

    /// Every single part does as much.
    fn alike(_: &[usize]) -> InModel {
        InModel { single: 1.0, ..InModel::default() }
    }

    #[test]
    fn a_control_is_the_pair_most_alike_that_is_no_combination_and_given_once() {
        let (active, model) = (active(), model());
        let meetings = Meetings::new(&active, &model);
        let known = combinations(&[&[0, 1], &[1, 2, 3]]);

        let mut controls = Controls::new(&meetings, &model, &known, 2);
        let wanted = controls.traits(&[0, 1]);
        let mut take = || controls.take(&wanted, 1.0, &alike).map(|(set, _)| set);

        // Free are 0 with 2 (40 rows, as strong as 0 with 1) and 0 with 3 (20 rows, stronger).
        assert_eq!((wanted.support, wanted.strength), (40, 2.0_f32.sqrt().into()));
        assert_eq!(take(), Some(vec![0, 2]));
        assert_eq!(take(), Some(vec![0, 3]));
        assert_eq!(take(), None);
    }

    #[test]
    fn of_sets_alike_the_one_counts_whose_parts_do_as_much() {
        let (active, model) = (active(), model());
        let meetings = Meetings::new(&active, &model);
        let mut controls = Controls::new(&meetings, &model, &combinations(&[&[0, 1, 2]]), 2);
        let wanted = controls.traits(&[0, 1]);
        // Free are 3 with 0, 1 and 2.
        let measure = |set: &[usize]| InModel { single: [4.0, 1.0, 2.0][set[0]], ..alike(set) };

        let (set, told) = controls.take(&wanted, 1.9, &measure).unwrap();

        assert_eq!((set, told.single), (vec![2, 3], 2.0));
    }

    #[test]
    fn no_two_features_of_a_larger_control_stand_in_one_combination() {
        let (active, model) = (active(), model());
        let meetings = Meetings::new(&active, &model);
        let free = |sets: &[&[usize]], size| {
            let controls = Controls::new(&meetings, &model, &combinations(sets), size);
            controls.free.into_iter().map(|(set, _)| set).collect::<Vec<_>>()
        };

        assert_eq!(free(&[], 3), [vec![0, 1, 2], vec![0, 1, 3], vec![0, 2, 3], vec![1, 2, 3]]);
        assert_eq!(free(&[&[0, 3]], 3), [vec![0, 1, 2], vec![1, 2, 3]]);
        assert!(free(&[&[0, 3], &[1, 2]], 3).is_empty());
        assert_eq!(free(&[], 4), [vec![0, 1, 2, 3]]);
    }

    #[test]
    fn the_correlation_is_that_of_the_decoder_with_the_language_model_in_one_size() {
        let share = |interaction| InModel { interaction, single: 1.0, logits: vec![] };
        let one = |size: usize, place: usize, alone: f64| {
            // What is given has nothing to do with either.
            let given = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 5.5, 3.5, 8.0, 9.7][place];
            Tested {
                parts: (0..size).collect(),
                interaction: place as f64,
                traits: Traits {
                    support: 20 + (place * 7) % 5,
                    pmi: given,
                    cosine: (place * 5 % 12) as f64 / 12.0,
                    strength: (1 + place * 7 % 12) as f64,
                },
                with_unit: InModel::default(),
                alone: share(alone),
                random_lm: InModel::default(),
                random_directions: InModel::default(),
                control: None,
            }
        };
        let same = (0..12).map(|place| one(2, place, place as f64));
        let opposite = (0..12).map(|place| one(3, place, -(place as f64)));
        let few = (0..2).map(|place| one(4, place, place as f64));
        let causal = Causal { tested: same.chain(opposite).chain(few).collect() };

        assert!(causal.spearman(2).unwrap() > 0.99);
        assert!(causal.spearman(3).unwrap() < -0.99);
        assert_eq!(causal.spearman(4), None);
    }

    #[test]
    fn a_combination_is_compared_with_its_own_set_alike() {
        let told = |interaction| InModel { interaction, single: 2.0, logits: vec![] };
        let one = |alone, control: Option<f64>| Tested {
            parts: vec![0, 1],
            interaction: 1.0,
            traits: Traits::default(),
            with_unit: InModel::default(),
            alone: told(alone),
            random_lm: InModel::default(),
            random_directions: InModel::default(),
            control: control.map(|it| (vec![2, 3], told(it))),
        };
        let causal = |tested| Causal { tested };

        let all = |ratios: &[f64]| -> Vec<Tested> {
            let pairs = ratios.iter().enumerate();
            pairs.map(|(at, ratio)| one(ratio * (1.0 + at as f64), Some(1.0 + at as f64))).collect()
        };
        let twice = causal([all(&[2.0; 5]), vec![one(9.0, None)]].concat());
        let mixed = causal(all(&[1.0, 4.0, 1.0, 4.0, 1.0, 4.0]));

        let (mean, [low, high]) = twice.times_control(2).unwrap();
        assert!([mean, low, high].iter().all(|it| (it - 2.0).abs() < 1e-9), "{mean} {low} {high}");
        let (mean, [low, high]) = mixed.times_control(2).unwrap();
        assert!((mean - 2.0).abs() < 1e-9 && low < 1.5 && high > 2.7, "{mean} {low} {high}");
        assert_eq!(causal(all(&[2.0; 4])).times_control(2), None);
        assert_eq!(twice.times_control(3), None);
    }

    #[test]
    fn cosines_of_a_set_are_those_of_its_pairs_whatever_their_sign() {
        let directions =
            [1.0, 0.0, 0.0, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];

        assert!((mean_cosine(&directions, 4, &[0, 1]) - 0.6).abs() < 1e-6);
        assert!((mean_cosine(&directions, 4, &[0, 1, 2]) - (0.6 + 0.8) / 3.0).abs() < 1e-6);
    }
}
