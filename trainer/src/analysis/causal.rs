//! Do features that combine in a model interact in the language model as well? The strongest pairs,
//! each beside a pair that is as frequent and as strong and no combination, beside a language model with
//! random weights, and beside random directions.

use shared::CharLm;
use shared::report::Combination;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use super::active_rows::ActiveRows;
use super::combinations::{Meetings, SUPPORT};
use super::evaluation::HeldOut;
use super::in_model::{InModel, Surgery, silent, with_random_directions};
use super::rank::partial_spearman;
use super::vectors::cosine;

/// How many pairs are tested.
const PAIRS: usize = 32;
/// Of what is random.
const SEED: u64 = 0;

/// A pair in the language model.
#[derive(Clone, Debug)]
pub struct PairTest {
    /// The combination.
    pub parts: Vec<usize>,
    /// Its `|I(P)|`.
    pub interaction: f64,
    /// In how many rows both parts are active.
    pub support: usize,
    /// The logarithm of its lift.
    pub pmi: f64,
    /// The cosine of its directions.
    pub cosine: f64,
    /// The geometric mean of its parts' mean strengths.
    pub strength: f64,
    /// Taken out with their unit.
    pub with_unit: InModel,
    /// Taken out by their directions alone.
    pub alone: InModel,
    /// By their directions, where a language model with random weights goes on.
    pub random_lm: InModel,
    /// As much of random directions.
    pub random_directions: InModel,
    /// A pair alike that is no combination, and what it does by its directions alone.
    pub control: Option<(Vec<usize>, InModel)>,
}

/// What a test in the language model found.
#[derive(Clone, Debug, Default)]
pub struct Causal {
    /// The pairs, the strongest interaction of the decoder first.
    pub pairs: Vec<PairTest>,
    /// Spearman's correlation of `|I(P)|` with the share of interaction in the logits by directions
    /// alone, given support, PMI, cosine and strength; absent with few pairs.
    pub spearman: Option<f64>,
}

/// What is tested.
#[derive(Clone, Copy, Debug)]
pub struct Test<'a> {
    /// The rows, and the language model that read them.
    pub held_out: &'a HeldOut<'a>,
    /// That language model.
    pub lm: &'a CharLm,
    /// One of the same shape with random weights.
    pub random_lm: &'a CharLm,
    /// The autoencoder.
    pub model: &'a FinishedCsae,
    /// What was active.
    pub active: &'a ActiveRows,
    /// By how much the stream was scaled.
    pub scale: f32,
}

impl Test<'_> {
    /// Tests the pairs among `combinations`, which stand in the order of their interaction.
    pub fn run(&self, combinations: &[Combination]) -> Causal {
        let meetings = Meetings::new(self.active, self.model);
        let pairs: Vec<&Combination> =
            combinations.iter().filter(|one| one.size() == 2).take(PAIRS).collect();
        let mut controls = Controls::new(&meetings, combinations);
        let (alone, random) = (silent(self.model), with_random_directions(self.model, SEED));
        let [_, d_model] = self.model.directions().dims();
        let directions = to_vec(self.model.directions());
        let tested: Vec<PairTest> = pairs
            .into_iter()
            .map(|pair| {
                let measure = |lm, model, parts: &[usize]| {
                    let (held_out, codes, scale) = (self.held_out, &meetings.codes, self.scale);
                    let rows: Vec<usize> =
                        meetings.together(parts).iter().map(|(row, _)| *row).collect();
                    Surgery { held_out, lm, model, codes, scale }.measure(parts, &rows)
                };
                let parts = pair.parts.clone();
                let control = controls.take(&parts);
                PairTest {
                    interaction: pair.interaction,
                    support: pair.support,
                    pmi: pair.pmi,
                    cosine: cosine_of(&directions, d_model, &parts),
                    strength: meetings.strength(&parts),
                    with_unit: measure(self.lm, self.model, &parts),
                    alone: measure(self.lm, &alone, &parts),
                    random_lm: measure(self.random_lm, &alone, &parts),
                    random_directions: measure(self.lm, &random, &parts),
                    control: control.map(|other| {
                        let told = measure(self.lm, &alone, &other);
                        (other, told)
                    }),
                    parts,
                }
            })
            .collect();
        Causal { spearman: spearman(&tested), pairs: tested }
    }
}

fn spearman(pairs: &[PairTest]) -> Option<f64> {
    let of = |value: fn(&PairTest) -> f64| -> Vec<f64> { pairs.iter().map(value).collect() };
    let given = [
        of(|pair| pair.support as f64),
        of(|pair| pair.pmi),
        of(|pair| pair.cosine.abs()),
        of(|pair| pair.strength),
    ];
    partial_spearman(&of(|pair| pair.interaction), &of(|pair| pair.alone.share()), &given)
}

fn cosine_of(directions: &[f32], d_model: usize, parts: &[usize]) -> f64 {
    let direction = |part: usize| &directions[part * d_model..][..d_model];
    let [one, other] = parts else { return f64::NAN };
    cosine(direction(*one), direction(*other))
}

/// Pairs that are no combination, by how frequent and strong they are.
struct Controls {
    free: Vec<(Vec<usize>, [f64; 2])>,
    known: Vec<(Vec<usize>, [f64; 2])>,
}

impl Controls {
    fn new(meetings: &Meetings, combinations: &[Combination]) -> Self {
        let of = |parts: &Vec<usize>, support: usize| {
            (parts.clone(), [(support as f64).ln(), meetings.strength(parts).max(1e-9).ln()])
        };
        let inside = |pair: &[usize]| {
            combinations.iter().any(|one| pair.iter().all(|part| one.parts.contains(part)))
        };
        let free = meetings
            .pairs(SUPPORT)
            .into_iter()
            .filter(|(pair, _)| !inside(pair))
            .map(|(pair, support)| of(&pair, support))
            .collect();
        let known = combinations.iter().map(|one| of(&one.parts, one.support)).collect();
        Self { free, known }
    }

    /// The free pair that is most like this combination; it is not given twice.
    fn take(&mut self, parts: &[usize]) -> Option<Vec<usize>> {
        let (_, wanted) = self.known.iter().find(|(known, _)| known == parts)?;
        let far = |found: &[f64; 2]| (found[0] - wanted[0]).abs() + (found[1] - wanted[1]).abs();
        let nearest = (0..self.free.len())
            .min_by(|one, other| far(&self.free[*one].1).total_cmp(&far(&self.free[*other].1)))?;
        Some(self.free.swap_remove(nearest).0)
    }
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

    #[test]
    fn a_control_is_the_pair_most_alike_that_is_no_combination_and_given_once() {
        let (active, model) = (active(), model());
        let meetings = Meetings::new(&active, &model);
        let pair = |parts: &[usize]| Combination {
            parts: parts.to_vec(),
            support: meetings.together(parts).len(),
            ..Combination::default()
        };
        let combinations = [pair(&[0, 1]), pair(&[1, 2, 3])];

        let mut controls = Controls::new(&meetings, &combinations);

        // Free are 0 with 2 (40 rows, as strong as 0 with 1) and 0 with 3 (20 rows, stronger).
        assert_eq!(controls.take(&[0, 1]), Some(vec![0, 2]));
        assert_eq!(controls.take(&[0, 1]), Some(vec![0, 3]));
        assert_eq!(controls.take(&[0, 1]), None);
        assert_eq!(controls.take(&[2, 3]), None, "not among the combinations");
    }

    #[test]
    fn the_correlation_is_that_of_the_decoder_with_the_language_model() {
        let share = |interaction| InModel { interaction, single: 1.0, logits: vec![] };
        let pair = |place: usize, alone: f64| {
            // What is given has nothing to do with either.
            let given = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 5.5, 3.5, 8.0, 9.7][place];
            PairTest {
                parts: vec![0, 1],
                interaction: place as f64,
                support: 20 + (place * 7) % 5,
                pmi: given,
                cosine: (place * 5 % 12) as f64 / 12.0,
                strength: (place * 7 % 12) as f64,
                with_unit: InModel::default(),
                alone: share(alone),
                random_lm: InModel::default(),
                random_directions: InModel::default(),
                control: None,
            }
        };
        let same: Vec<PairTest> = (0..12).map(|place| pair(place, place as f64)).collect();
        let opposite: Vec<PairTest> = (0..12).map(|place| pair(place, -(place as f64))).collect();

        assert!(spearman(&same).unwrap() > 0.99);
        assert!(spearman(&opposite).unwrap() < -0.99);
        assert_eq!(spearman(&same[..2]), None);
    }
}
