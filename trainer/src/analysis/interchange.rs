//! Whether the language model itself reads a hidden variable off the features that tell it: on a row
//! they are given the strengths that they have on another row, and the model says what it expects next
//! (interchange intervention: Geiger and others, Causal Abstractions of Neural Networks, 2021; scored
//! as in RAVEL: Huang and others, 2024).
//!
//! - *Cause*: the other row differs in the variable, and in nothing else that decides the next
//!   character. The share of pairs in which the model now expects what follows on the other row.
//! - *Isolation*: the other row has the same value, and something else follows. The share of pairs in
//!   which the model still expects what follows on the row itself.
//!
//! Only rows count on which the model is right if nothing is touched. Features are chosen on the first
//! half of the held-out rows, pairs on the second.

use std::collections::BTreeMap;

use rand::RngExt;
use serde::Serialize;
use shared::Vocab;
use shared::random::stream;
use shared::sae::FinishedCsae;

use super::alternation::{Question, Strength, outputs};
use super::evaluation::{HeldOut, Moved};
use super::in_model::silent;
use super::probing::{ProbeError, ProbeRows};
use super::screening::sparse::SparseRows;
use super::sparse_probe::most_different;
use super::vectors::largest;
use crate::data::languages::{AnnotatedText, Exchange};

/// How many features are exchanged, those that tell the variable best.
const FEATURES: [usize; 4] = [1, 2, 5, 20];
/// How many pairs of a kind are looked at, at most.
const PAIRS: usize = 256;
/// How many sets of features are drawn by chance.
const DRAWS: usize = 5;
/// Of all that is drawn.
const SEED: u64 = 0;

/// What is exchanged between two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// So many features, those that tell the variable best.
    Best(usize),
    /// So many features, drawn among those that fire on such rows: the mean over some draws.
    Random(usize),
    /// All features.
    All,
    /// The row as the language model computes it, whatever an autoencoder makes of it.
    Row,
}

/// What an exchange does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interchanged {
    /// The variable.
    pub variable: String,
    /// What is exchanged.
    pub what: What,
    /// Whether combinations, of units or attention, say what follows from the features' new strengths.
    pub with_combinations: bool,
    /// The share of pairs in which the model expects what follows on the other row, and of how many.
    pub cause: (f64, usize),
    /// The share of pairs in which it still expects what follows on the row, and of how many.
    pub isolation: (f64, usize),
}

impl Interchanged {
    /// The mean of both shares, as in RAVEL.
    pub fn score(&self) -> f64 {
        (self.cause.0 + self.isolation.0) / 2.0
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The rows, and the language model that read them.
    pub held_out: &'a HeldOut<'a>,
    /// The autoencoder.
    pub model: &'a FinishedCsae,
    /// Its features on each row.
    pub codes: &'a SparseRows,
    /// The text.
    pub text: &'a AnnotatedText,
    /// The ids of its characters.
    pub vocab: &'a Vocab,
    /// Which character of the text is the first row.
    pub first: usize,
    /// What the language model finds likeliest after each row.
    pub likeliest: &'a [u32],
}

/// A row on which the language model is right.
#[derive(Clone, Debug)]
struct Known {
    row: usize,
    /// All else that decides what follows.
    alike: String,
    value: i8,
    /// The id of what must follow.
    next: u32,
}

/// A row, and another that gives it strengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    row: usize,
    other: usize,
    /// What the language model is to expect: of the other row, or still of this one.
    expected: u32,
}

impl Asked<'_> {
    /// What each exchange does, for one variable; nothing if there are no such rows.
    ///
    /// # Errors
    /// Rows and text do not fit.
    pub fn exchange(&self, exchange: &Exchange) -> Result<Vec<Interchanged>, ProbeError> {
        let Some(variable) = self.text.variable(exchange.variable) else { return Ok(vec![]) };
        let known = self.known(exchange, &variable.at);
        let half = self.codes.len() / 2;
        let judged: Vec<&Known> = known.iter().filter(|known| known.row >= half).collect();
        let (cause, isolation) = (causes(&judged), isolations(&judged));
        if cause.is_empty() || isolation.is_empty() {
            return Ok(vec![]);
        }
        let mut values = vec![-1; self.codes.len()];
        known.iter().filter(|one| one.row < half).for_each(|one| values[one.row] = one.value);
        let largest = FEATURES[FEATURES.len() - 1];
        let rows = ProbeRows { columns: self.codes, values: &values };
        let best = most_different(rows, variable.values.len(), largest)?;
        let mut all = vec![];
        for (with_combinations, model) in [(false, silent(self.model)), (true, self.model.clone())]
        {
            let csae = &self.model.model;
            if with_combinations && csae.units.is_none() && csae.attention.is_none() {
                continue;
            }
            let alone = FEATURES.map(What::Random).into_iter().chain([What::Row]);
            let kinds = FEATURES.map(What::Best).into_iter().chain([What::All]);
            for what in kinds.chain(alone.filter(|_| !with_combinations)) {
                let sets = match what {
                    What::Best(count) => vec![best[..count.min(best.len())].to_vec()],
                    What::Random(count) => self.random(count, &values),
                    What::All | What::Row => vec![vec![]],
                };
                let share = |pairs: &[Pair]| {
                    let shares = sets.iter().map(|set| self.share(&model, what, set, pairs));
                    (shares.sum::<f64>() / sets.len() as f64, pairs.len())
                };
                all.push(Interchanged {
                    variable: exchange.variable.into(),
                    what,
                    with_combinations,
                    cause: share(&cause),
                    isolation: share(&isolation),
                });
            }
        }
        Ok(all)
    }

    /// The rows of an exchange on which the language model is right.
    fn known(&self, exchange: &Exchange, values: &[i8]) -> Vec<Known> {
        let characters: Vec<char> = self.text.text.chars().collect();
        let mut known = vec![];
        for answer in &self.text.answers {
            let Some(row) = answer.position.checked_sub(self.first) else { continue };
            let Some(likeliest) = self.likeliest.get(row) else { break };
            let (value, next) = (values[answer.position], self.vocab.id(answer.expected));
            let Some(next) = next.filter(|id| *id == *likeliest as usize) else { continue };
            let alike = self.text.alike(exchange, &characters[..=answer.position]);
            let (Some(alike), true) = (alike, value >= 0) else { continue };
            known.push(Known { row, alike, value, next: next as u32 });
        }
        known
    }

    /// Some sets of features, drawn without looking at what they tell, each as likely as it is to fire on a
    /// row with one of the `values`.
    fn random(&self, count: usize, values: &[i8]) -> Vec<Vec<u32>> {
        let rows = values.iter().enumerate().filter(|(_, value)| **value >= 0);
        let firings: Vec<u32> =
            rows.flat_map(|(row, _)| self.codes.row(row).0.iter().copied()).collect();
        let mut random = stream(SEED, "features to exchange");
        let draw = |_| {
            let (mut left, mut drawn) = (firings.clone(), vec![]);
            while drawn.len() < count && !left.is_empty() {
                let feature = left[random.random_range(0..left.len())];
                left.retain(|other| *other != feature);
                drawn.push(feature);
            }
            drawn
        };
        (0..DRAWS).map(draw).collect()
    }

    /// In which share of the pairs the language model expects what it is to expect.
    fn share(&self, model: &FinishedCsae, what: What, set: &[u32], pairs: &[Pair]) -> f64 {
        let shifts = match what {
            What::Row => pairs.iter().map(|pair| self.difference(pair)).collect(),
            What::All => self.shifts(model, pairs, |_| true),
            _ => self.shifts(model, pairs, |feature| set.contains(&(feature as u32))),
        };
        let moved: Vec<Moved> = pairs
            .iter()
            .zip(shifts)
            .map(|(pair, shift): (&Pair, Vec<f32>)| Moved {
                row: pair.row,
                shift: shift.iter().map(|value| value / self.held_out.scale()).collect(),
            })
            .collect();
        let logits = self.held_out.logits(&self.held_out.remaining, &moved);
        let vocab_size = (logits.len() / pairs.len().max(1)).max(1);
        let as_expected = logits
            .chunks_exact(vocab_size)
            .zip(pairs)
            .filter(|(logits, pair)| largest(logits) == pair.expected as usize);
        as_expected.count() as f64 / pairs.len() as f64
    }

    /// What the rows of a pair differ in, scaled.
    fn difference(&self, pair: &Pair) -> Vec<f32> {
        let width = self.held_out.rows.len() / self.codes.len();
        let row = |row: usize| &self.held_out.rows[row * width..][..width];
        row(pair.other).iter().zip(row(pair.row)).map(|(other, own)| other - own).collect()
    }

    /// By how much the model's output changes where some features have the other row's strengths.
    fn shifts(
        &self,
        model: &FinishedCsae,
        pairs: &[Pair],
        exchanged: impl Fn(usize) -> bool,
    ) -> Vec<Vec<f32>> {
        let question = |rest: Vec<Strength>| Question { parts: vec![], rest };
        let questions: Vec<Question> = pairs
            .iter()
            .flat_map(|pair| {
                let own: Vec<Strength> = self.codes.entries_of(pair.row).collect();
                let mixed = mixed(self.codes, pair, &exchanged);
                [question(own), question(mixed)]
            })
            .collect();
        let said: Vec<Vec<f32>> = outputs(model, &questions).into_iter().flatten().collect();
        let change =
            |said: &[Vec<f32>]| said[1].iter().zip(&said[0]).map(|(new, old)| new - old).collect();
        said.chunks_exact(2).map(change).collect()
    }
}

/// The code of a row with the other row's strengths of those features that are exchanged.
fn mixed(codes: &SparseRows, pair: &Pair, exchanged: impl Fn(usize) -> bool) -> Vec<Strength> {
    let kept = codes.entries_of(pair.row).filter(|(feature, _)| !exchanged(*feature));
    let given = codes.entries_of(pair.other).filter(|(feature, _)| exchanged(*feature));
    kept.chain(given).collect()
}

/// Pairs that differ in the variable and in what follows, and in nothing else that decides it.
fn causes(known: &[&Known]) -> Vec<Pair> {
    let mut alike: BTreeMap<&str, Vec<&Known>> = BTreeMap::new();
    known.iter().for_each(|one| alike.entry(&one.alike).or_default().push(one));
    let is_other = |row: &Known, other: &Known| {
        (row.value != other.value && row.next != other.next).then_some(other.next)
    };
    pairs(known, "pairs that differ", is_other, |row| &alike[&*row.alike])
}

/// Pairs with the same value, after which something else follows: if the same did, nobody could tell
/// whether anything was exchanged.
fn isolations(known: &[&Known]) -> Vec<Pair> {
    let is_other = |row: &Known, other: &Known| {
        (row.value == other.value && row.next != other.next).then_some(row.next)
    };
    pairs(known, "pairs with the same value", is_other, |_| known)
}

/// For each of some rows, evenly spread, one of the others that fit it.
fn pairs<'a>(
    known: &[&Known],
    name: &str,
    fits: impl Fn(&Known, &Known) -> Option<u32>,
    others: impl Fn(&Known) -> &'a [&'a Known],
) -> Vec<Pair> {
    let mut random = stream(SEED, name);
    let mut all = vec![];
    for row in known.iter().step_by(known.len().div_ceil(PAIRS).max(1)) {
        let fitting = others(row).iter().filter_map(|other| Some((other.row, fits(row, other)?)));
        let fitting: Vec<(usize, u32)> = fitting.collect();
        if !fitting.is_empty() {
            let (other, expected) = fitting[random.random_range(0..fitting.len())];
            all.push(Pair { row: row.row, other, expected });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Windows;
    use crate::data::languages::{Answer, Variable};
    use burn::prelude::*;
    use shared::bundle::Normalization;
    use shared::{CharLmConfig, CsaeConfig};

    fn known(row: usize, alike: &str, value: i8, next: u32) -> Known {
        Known { row, alike: alike.into(), value, next }
    }

    #[test]
    fn pairs_differ_in_the_variable_alone_or_not_in_it() {
        let all = [
            known(0, "a", 0, 7),
            known(1, "a", 1, 8),
            // Something else decides: no pair with the first two.
            known(2, "b", 1, 9),
            // The value differs, and what follows does not.
            known(3, "b", 0, 9),
            // Both are the same: nothing to tell an exchange by.
            known(4, "c", 1, 9),
        ];
        let all: Vec<&Known> = all.iter().collect();

        let pair = |row, other, expected| Pair { row, other, expected };
        assert_eq!(causes(&all), [pair(0, 1, 8), pair(1, 0, 7)]);
        let kept = isolations(&all);
        assert_eq!(kept.len(), 5);
        assert_eq!(kept[0], pair(0, 3, 7));
        assert!(kept[1] == pair(1, 2, 8) || kept[1] == pair(1, 4, 8), "{kept:?}");
        assert_eq!(kept[2..], [pair(2, 1, 9), pair(3, 0, 9), pair(4, 1, 9)]);
    }

    #[test]
    fn exchanged_features_have_the_strength_of_the_other_row_or_none() {
        let mut codes = SparseRows::default();
        codes.push([(0, 1.0), (1, 2.0), (2, 3.0)]);
        codes.push([(1, 5.0), (3, 6.0)]);
        let pair = Pair { row: 0, other: 1, expected: 0 };

        let mixed = mixed(&codes, &pair, |feature| feature == 1 || feature == 2);

        assert_eq!(mixed, [(0, 1.0), (1, 5.0)]);
    }

    /// Behind the last block a row alone decides what is expected: the other row's character, if the
    /// whole row is exchanged, whatever the model knows.
    #[test]
    fn a_whole_row_behind_the_last_block_changes_every_answer() {
        let device = Device::flex();
        let config = CharLmConfig::new(5).with_n_layers(1).with_n_heads(2).with_d_model(8);
        let lm = config.with_block_size(8).init(4, &device);
        let mut weights = shared::weights::of(&lm);
        let matrices = weights.values_mut().filter(|weight| weight.shape.len() == 2);
        matrices.flat_map(|matrix| &mut matrix.values).for_each(|value| *value *= 20.0);
        let lm = shared::weights::load(lm, &weights).unwrap();
        let ids: Vec<u32> = (0..600).map(|place| (place * place / 3 % 5) as u32).collect();
        let vocab = Vocab::of("abcde");
        let normalization = Normalization { mean: vec![0.1; 8], scale: 0.8 };
        let windows = Windows { block_size: 8 };
        let held_out = HeldOut::read(&lm, 1, &ids, windows, 400, &normalization).unwrap();
        let (likeliest, first) = (held_out.likeliest(), windows.counted(0).start);
        let letter = |id: u32| vocab.char(id as usize).unwrap();
        let answer =
            |(row, id): (usize, &u32)| Answer { position: first + row, expected: letter(*id) };
        let parity = (0..600).map(|place: usize| {
            place.checked_sub(first).and_then(|row| likeliest.get(row)).map_or(0, |id| id % 2) as i8
        });
        let variable = Variable {
            name: "odd".into(),
            values: vec!["no".into(), "yes".into()],
            at: parity.collect(),
        };
        let text = AnnotatedText {
            text: ids.iter().map(|id| letter(*id)).collect(),
            line_starts: vec![0],
            hidden: vec![variable],
            answers: likeliest.iter().enumerate().map(answer).collect(),
        };
        let sae = CsaeConfig::new(8).with_n_features(16).with_sparsity_k(4);
        let model = FinishedCsae { model: sae.init(1, &device), limits: sae.limits() };
        let codes = held_out.evaluate(&model.model, model.limits).unwrap().active.codes();
        let asked = Asked {
            held_out: &held_out,
            model: &model,
            codes: &codes,
            text: &text,
            vocab: &vocab,
            first,
            likeliest: &likeliest,
        };
        let exchange = Exchange { variable: "odd", place: None, alike: &[], same_word: false };

        let told = asked.exchange(&exchange).unwrap();

        let of = |what| told.iter().find(|one| one.what == what).unwrap();
        assert!(of(What::Row).cause.1 > 50, "{told:?}");
        assert_eq!(of(What::Row).cause.0, 1.0);
        assert_eq!(of(What::Row).isolation.0, 0.0);
        // The rows keep what the features do not say.
        assert!(of(What::Best(1)).isolation.0 > of(What::Row).isolation.0, "{told:?}");
        assert_eq!(told.len(), 2 * FEATURES.len() + 2);
    }
}
