//! What is known of each combination of a finished model: how much its parts say together that they do
//! not say alone, how often they meet, where, and to which effect. All of it on held-out rows.

mod bootstrap;

use std::collections::BTreeSet;

use bootstrap::Resampled;
use burn::prelude::*;
use rand::RngExt;
use rand::seq::index;
use shared::report::Combination;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;
use shared::{CharLm, random};

use super::active_rows::ActiveRows;
use super::alternation::{Question, interactions, length};
use super::features::{Firing, RowText, examples, on_characters, strongest};
use super::rank::middle;
use super::screening::sparse::{Column, SparseRows, mean_strength};

/// Combinations with fewer joint rows are not told of.
pub const SUPPORT: usize = 15;
/// On how many joint rows the interaction in context is measured, at most.
const ROWS_IN_CONTEXT: usize = 64;
/// How often a set of features that meet is drawn; the same comes more than once.
const DRAWN: usize = 1 << 14;
/// How many features tell what a combination adds.
const ADDS: usize = 8;
/// How many joint examples there are, and how many of each part alone.
const EXAMPLES: (usize, usize) = (12, 4);

/// A finished model and the held-out text that it has read.
#[derive(Clone, Copy, Debug)]
pub struct ReadText<'a> {
    /// The model.
    pub model: &'a FinishedCsae,
    /// What was active on each row.
    pub active: &'a ActiveRows,
    /// The text.
    pub text: RowText<'a>,
    /// The language model.
    pub lm: &'a CharLm,
    /// By how much its activations were scaled.
    pub scale: f32,
}

/// The combinations of a model's units, each once, ascending; none without units.
pub fn of_units(model: &FinishedCsae) -> Vec<Vec<usize>> {
    let all = model.model.units.as_ref().map_or(vec![], shared::Units::combinations);
    let sets: BTreeSet<Vec<usize>> = all.into_iter().filter(|parts| parts.len() > 1).collect();
    sets.into_iter().collect()
}

/// What is known of each of `sets` with at least [`SUPPORT`] joint rows, the strongest interaction
/// first.
///
/// `interaction` is `|I(P)|` at the mean strengths that the parts have where they fire. Its interval
/// and those of support and lift come from resampling stretches of the text. `interaction_in_context`
/// is the length of the mean of `I(P)` over joint rows, at the strengths there and with the rest of the
/// row kept. Characters are raised and lowered by the direct path from the stream to the logits, as
/// those of features.
pub fn statistics(read: &ReadText, sets: &[Vec<usize>]) -> Vec<Combination> {
    let meetings = Meetings::new(read.active, read.model);
    let sets: Vec<&Vec<usize>> =
        sets.iter().filter(|set| meetings.together(set).len() >= SUPPORT).collect();
    let at = |set: &Vec<usize>, strengths: &[f32]| Question {
        parts: set.iter().map(|part| (*part, strengths[*part])).collect(),
        rest: vec![],
    };
    let typical: Vec<f32> = meetings.columns.iter().map(mean_strength).collect();
    let alone: Vec<Question> = sets.iter().map(|set| at(set, &typical)).collect();
    let effects = interactions(read.model, &alone);
    let texts = Resampled::new(meetings.codes.len());
    let mut resampled = vec![vec![]; sets.len()];
    for strengths in texts.mean_strengths(&meetings.columns) {
        let questions: Vec<Question> = sets.iter().map(|set| at(set, &strengths)).collect();
        let lengths = interactions(read.model, &questions).into_iter().map(|one| length(&one));
        resampled.iter_mut().zip(lengths).for_each(|(all, length)| all.push(length));
    }
    let characters = read.characters(&effects);
    let directions = to_vec(read.model.directions());
    let mut combinations = vec![];
    for (place, set) in sets.iter().enumerate() {
        let (raises, lowers) = strongest(characters.row(place), read.text.vocab);
        let told = Combination {
            interaction: length(&effects[place]),
            interaction_in_context: meetings.in_context(read.model, set),
            ci95: middle(std::mem::take(&mut resampled[place])),
            raises,
            lowers,
            adds: told_in_features(&effects[place], &directions),
            ..meetings.counted(set, &texts)
        };
        combinations.push(read.with_examples(told, &meetings));
    }
    combinations.sort_by(|one, other| {
        let sizes = other.interaction.total_cmp(&one.interaction);
        sizes.then_with(|| one.parts.cmp(&other.parts))
    });
    combinations
}

/// How often and how strongly features fire together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meeting {
    /// On how many rows.
    pub support: usize,
    /// The logarithm of the lift.
    pub pmi: f64,
    /// The mean over these rows of the geometric mean of their strengths.
    pub strength: f64,
}

/// Which features fire together where.
#[derive(Debug)]
pub(super) struct Meetings {
    pub(super) codes: SparseRows,
    columns: Vec<Column>,
}

impl Meetings {
    pub(super) fn new(active: &ActiveRows, model: &FinishedCsae) -> Self {
        let [n_features, _] = model.directions().dims();
        let codes = active.codes();
        let columns = codes.columns(n_features);
        Self { codes, columns }
    }

    /// The rows on which all of a set fire, with the geometric mean of their strengths.
    pub(super) fn together(&self, set: &[usize]) -> Vec<Firing> {
        let Some(rarest) = set.iter().min_by_key(|part| self.columns[**part].len()) else {
            return vec![];
        };
        let joint = |row: usize| -> Option<Firing> {
            let strengths: Option<Vec<f32>> =
                set.iter().map(|part| self.codes.value(row, *part)).collect();
            let product: f32 = strengths?.iter().product();
            Some((row, product.powf(1.0 / set.len() as f32)))
        };
        self.columns[*rarest].iter().filter_map(|(row, _)| joint(*row as usize)).collect()
    }

    /// How often and how strongly a set's features fire together.
    pub(super) fn meeting(&self, set: &[usize]) -> Meeting {
        let together = self.together(set);
        let strengths: f64 = together.iter().map(|(_, strength)| f64::from(*strength)).sum();
        let support = together.len();
        Meeting {
            support,
            pmi: self.lift(set, support).ln(),
            strength: strengths / support.max(1) as f64,
        }
    }

    /// How many times as often as by chance a set's features meet, if on `support` rows.
    fn lift(&self, set: &[usize], support: usize) -> f64 {
        let counts: Vec<f64> = set.iter().map(|part| self.columns[*part].len() as f64).collect();
        lift(support as f64, &counts, self.codes.len() as f64)
    }

    /// Sets of so many features: all pairs, and of larger sets some that meet on rows drawn by chance.
    pub(super) fn sets(&self, size: usize) -> Vec<Vec<usize>> {
        let features = self.columns.len();
        let all = |one: usize| (one + 1..features).map(move |other| vec![one, other]);
        match size {
            2 => (0..features).flat_map(all).collect(),
            _ => self.drawn(size).into_iter().collect(),
        }
    }

    /// Sets of so many features that fire together on a row, both drawn by chance.
    fn drawn(&self, size: usize) -> BTreeSet<Vec<usize>> {
        let mut stream = random::stream(0, "sets of features that meet");
        let mut sets = BTreeSet::new();
        for _ in 0..DRAWN {
            let row = stream.random_range(0..self.codes.len());
            let (features, _) = self.codes.row(row);
            if features.len() >= size {
                let places = index::sample(&mut stream, features.len(), size);
                let mut set: Vec<usize> = places.iter().map(|at| features[at] as usize).collect();
                set.sort_unstable();
                sets.insert(set);
            }
        }
        sets
    }

    /// The rows on which `part` fires and no other part of the set does.
    fn only(&self, part: usize, set: &[usize]) -> Vec<Firing> {
        let silent = |row: usize, other: usize| self.codes.value(row, other).is_none();
        let alone = |row: usize| set.iter().all(|other| *other == part || silent(row, *other));
        let rows = self.columns[part].iter().map(|(row, value)| (*row as usize, *value));
        rows.filter(|(row, _)| alone(*row)).collect()
    }

    /// A combination with support, lift and PMI, and how sure they are.
    fn counted(&self, set: &[usize], texts: &Resampled) -> Combination {
        let together: Vec<usize> = self.together(set).iter().map(|(row, _)| *row).collect();
        let firing = |part: &usize| self.columns[*part].iter().map(|(row, _)| *row as usize);
        let lift = self.lift(set, together.len());
        let of_parts: Vec<Vec<f64>> = set.iter().map(|part| texts.counts(firing(part))).collect();
        let supports = texts.counts(together.iter().copied());
        let lifts = supports.iter().enumerate().map(|(text, support)| {
            let counts: Vec<f64> = of_parts.iter().map(|counts| counts[text]).collect();
            self::lift(*support, &counts, texts.sizes[text])
        });
        Combination {
            parts: set.to_vec(),
            support: together.len(),
            lift,
            pmi: lift.ln(),
            lift_ci95: middle(lifts.collect()),
            support_ci95: middle(supports),
            ..Default::default()
        }
    }

    fn in_context(&self, model: &FinishedCsae, set: &[usize]) -> f64 {
        let rows = self.together(set);
        let step = rows.len().div_ceil(ROWS_IN_CONTEXT).max(1);
        let question = |(row, _): &Firing| Question::on_row(&self.codes, *row, set);
        let questions: Vec<Question> = rows.iter().step_by(step).map(question).collect();
        let effects = interactions(model, &questions);
        let mut mean = vec![0.0; effects.first().map_or(0, Vec::len)];
        for effect in &effects {
            let share = 1.0 / effects.len() as f64;
            mean.iter_mut().zip(effect).for_each(|(mean, value)| *mean += share * value);
        }
        length(&mean)
    }
}

/// How many times as often features meet as if they were independent, which fire on `counts` of so many
/// rows and on `support` together.
fn lift(support: f64, counts: &[f64], rows: f64) -> f64 {
    let expected = counts.iter().fold(rows, |expected, count| expected * count / rows);
    support / expected.max(f64::MIN_POSITIVE)
}

/// What each effect adds to each character's logit.
struct Characters {
    values: Vec<f32>,
    vocab_size: usize,
}

impl Characters {
    fn row(&self, place: usize) -> &[f32] {
        &self.values[place * self.vocab_size..][..self.vocab_size]
    }
}

impl ReadText<'_> {
    fn characters(&self, effects: &[Vec<f64>]) -> Characters {
        let vocab_size = self.text.vocab.len();
        let Some(d_model) = effects.first().map(Vec::len) else {
            return Characters { values: vec![], vocab_size };
        };
        let values: Vec<f32> = effects.iter().flatten().map(|value| *value as f32).collect();
        let data = TensorData::new(values, [effects.len(), d_model]);
        let effects = Tensor::from_data(data, &self.model.directions().device());
        Characters { values: on_characters(effects, self.scale, self.lm), vocab_size }
    }

    fn with_examples(&self, told: Combination, meetings: &Meetings) -> Combination {
        let only =
            |part: &usize| examples(&meetings.only(*part, &told.parts), EXAMPLES.1, self.text);
        Combination {
            together: examples(&meetings.together(&told.parts), EXAMPLES.0, self.text),
            alone: told.parts.iter().map(only).collect(),
            ..told
        }
    }
}

/// How much of an effect lies along each direction of length 1, the most first.
fn told_in_features(effect: &[f64], directions: &[f32]) -> Vec<(usize, f64)> {
    let along = |direction: &[f32]| -> f64 {
        direction.iter().zip(effect).map(|(axis, value)| f64::from(*axis) * value).sum()
    };
    let mut all: Vec<(usize, f64)> =
        directions.chunks_exact(effect.len()).map(along).enumerate().collect();
    all.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()).then(one.0.cmp(&other.0)));
    all.truncate(ADDS);
    all.into_iter().map(|(feature, much)| (feature, (much * 1e4).round() / 1e4)).collect()
}

#[cfg(test)]
mod tests;
