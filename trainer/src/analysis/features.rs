//! What is known of each feature: how often and how strongly it fires, where, and what it says.

use burn::prelude::*;
use shared::report::{Example, FeatureStats, Histogram};
use shared::weights::to_vec;
use shared::{CharLm, Csae, Vocab};

use super::active_rows::ActiveRows;

/// How many bins a histogram has.
const BINS: usize = 20;
/// How many examples a feature has.
const EXAMPLES: usize = 12;
/// How much of the text an example shows before and after its place.
const CONTEXT: (usize, usize) = (28, 11);
/// How many examples each quarter of the strengths has.
const EXAMPLES_OF_A_QUARTER: usize = 3;
/// How far apart two examples are at least.
const APART: usize = 8;
/// How many characters a feature raises and lowers.
const CHARACTERS: usize = 8;

/// The text of the held-out rows: row `r` is the character at `first + r`.
#[derive(Clone, Copy, Debug)]
pub struct RowText<'a> {
    /// The ids of the whole text.
    pub ids: &'a [u32],
    /// Where the first row is.
    pub first: usize,
    /// The characters.
    pub vocab: &'a Vocab,
}

/// Statistics of every feature of `model` over the held-out rows.
pub fn statistics(
    model: &Csae,
    scale: f32,
    lm: &CharLm,
    active: &ActiveRows,
    text: RowText,
) -> Vec<FeatureStats> {
    let [n_features, _] = model.decoder.val().dims();
    let effects = on_characters(model.decoder.val(), scale, lm);
    let vocab_size = text.vocab.len();
    firings(active, n_features)
        .into_iter()
        .enumerate()
        .map(|(feature, firings)| {
            let rows = active.values.len() / active.k;
            let effects = &effects[feature * vocab_size..(feature + 1) * vocab_size];
            let (raises, lowers) = strongest(effects, text.vocab);
            let stats = of_firings(&firings, rows);
            let quarters = quarters(&firings, stats.max, text);
            let examples = examples(&firings, EXAMPLES, text);
            FeatureStats { raises, lowers, examples, quarters, ..stats }
        })
        .collect()
}

/// A row in which a feature is active, and how strongly.
pub type Firing = (usize, f32);

/// The firings of each feature, in the order of the rows.
fn firings(active: &ActiveRows, n_features: usize) -> Vec<Vec<Firing>> {
    let mut firings = vec![vec![]; n_features];
    for (place, (feature, value)) in active.features.iter().zip(&active.values).enumerate() {
        if *value > 0.0 {
            firings[*feature as usize].push((place / active.k, *value));
        }
    }
    firings
}

fn of_firings(firings: &[Firing], rows: usize) -> FeatureStats {
    let values = || firings.iter().map(|(_, value)| f64::from(*value));
    let max = values().fold(0.0, f64::max);
    let mut counts = vec![0; BINS];
    for value in values() {
        let bin = (value / max * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    FeatureStats {
        density: firings.len() as f64 / rows as f64,
        mean_active: values().sum::<f64>() / firings.len().max(1) as f64,
        max,
        histogram: Histogram { high: max, counts },
        ..FeatureStats::default()
    }
}

/// The strongest firings that are not close to a stronger one, with the text around them.
pub(super) fn examples(firings: &[Firing], count: usize, text: RowText) -> Vec<Example> {
    let mut order: Vec<&Firing> = firings.iter().collect();
    order.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    let rows = apart(order.into_iter(), count);
    rows.into_iter().map(|row| example(row, firings, text)).collect()
}

/// A few firings of each quarter between 0 and the `strongest`, spread over the text.
fn quarters(firings: &[Firing], strongest: f64, text: RowText) -> Vec<Vec<Example>> {
    let quarter = |value: f32| (f64::from(value) / strongest * 4.0) as usize;
    let of_quarter = |wanted: usize| {
        let all: Vec<&Firing> =
            firings.iter().filter(|(_, value)| quarter(*value).min(3) == wanted).collect();
        let step = (all.len() / EXAMPLES_OF_A_QUARTER).max(1);
        let rows = apart(all.into_iter().step_by(step), EXAMPLES_OF_A_QUARTER);
        rows.into_iter().map(|row| example(row, firings, text)).collect()
    };
    (0..4).map(of_quarter).collect()
}

/// The rows of the first `count` firings that are not close to an earlier one.
fn apart<'a>(firings: impl Iterator<Item = &'a Firing>, count: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = vec![];
    for (row, _) in firings {
        if chosen.len() == count {
            break;
        }
        if chosen.iter().all(|other| row.abs_diff(*other) >= APART) {
            chosen.push(*row);
        }
    }
    chosen
}

fn example(row: usize, firings: &[Firing], text: RowText) -> Example {
    let place = text.first + row;
    let from = place.saturating_sub(CONTEXT.0);
    let to = (place + CONTEXT.1 + 1).min(text.ids.len());
    let value = |place: usize| {
        let row = place.checked_sub(text.first)?;
        let found = firings.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some((firings[found].1 * 1000.0).round() / 1000.0)
    };
    Example {
        text: text.vocab.decode(&text.ids[from..to]),
        at: place - from,
        values: (from..to).map(|place| value(place).unwrap_or(0.0)).collect(),
    }
}

/// What each of the `directions`, `[count, d_model]`, adds to each character's logit at strength 1 by
/// the direct path, less the mean over characters: `[count * vocab_size]`. The final norm's division,
/// which depends on the rest of the row, is left out.
pub(super) fn on_characters(directions: Tensor<2>, scale: f32, lm: &CharLm) -> Vec<f32> {
    let directions = directions * lm.final_norm.gamma.val().unsqueeze() / scale;
    let effects: Tensor<2> = directions.matmul(lm.token_embedding.val().transpose());
    to_vec(effects.clone() - effects.mean_dim(1))
}

/// Characters, and how much is added to their logits.
pub(super) type Effects = Vec<(char, f64)>;

/// The characters that are raised most and lowered most.
pub(super) fn strongest(effects: &[f32], vocab: &Vocab) -> (Effects, Effects) {
    let mut order: Vec<(char, f64)> = effects
        .iter()
        .enumerate()
        .filter_map(|(id, effect)| {
            Some((vocab.char(id)?, (f64::from(*effect) * 1e4).round() / 1e4))
        })
        .collect();
    order.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    let count = CHARACTERS.min(order.len() / 2);
    let raises = order[..count].to_vec();
    let lowers = order.iter().rev().take(count).copied().collect();
    (raises, lowers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(vocab: &Vocab) -> (Vec<u32>, usize) {
        (vocab.encode("abcabcabcabcabcabcabcabc").unwrap(), 4)
    }

    #[test]
    fn density_counts_only_rows_that_fire() {
        // Four rows of two places; feature 1 fires in two of them.
        let active = ActiveRows {
            k: 2,
            features: vec![1, 0, 0, 1, 1, 2, 2, 0],
            values: vec![4.0, 1.0, 1.0, 0.0, 2.0, 0.5, 0.0, 0.0],
        };

        let firings = firings(&active, 4);
        let stats = of_firings(&firings[1], 4);

        assert_eq!(firings[1], [(0, 4.0), (2, 2.0)]);
        assert_eq!((stats.density, stats.mean_active, stats.max), (0.5, 3.0, 4.0));
        assert_eq!(stats.histogram.counts.iter().sum::<u64>(), 2);
        assert_eq!(stats.histogram.counts[10], 1);
        assert_eq!(of_firings(&firings[3], 4).density, 0.0);
    }

    #[test]
    fn examples_are_the_strongest_places_apart_from_one_another() {
        let vocab = Vocab::of("abc");
        let (ids, first) = text(&vocab);
        let text = RowText { ids: &ids, first, vocab: &vocab };

        let found = examples(&[(0, 1.0), (1, 3.0), (12, 2.0)], EXAMPLES, text);

        assert_eq!(found.len(), 2);
        let strongest = &found[0];
        assert_eq!(strongest.text.chars().nth(strongest.at), Some('c')); // the character at 5
        assert_eq!(strongest.values[strongest.at], 3.0);
        assert_eq!(strongest.values[strongest.at - 1], 1.0);
        assert_eq!(found[1].values[found[1].at], 2.0);
    }

    #[test]
    fn quarters_show_weak_firings_beside_strong_ones() {
        let vocab = Vocab::of("abc");
        let ids = vocab.encode(&"abc".repeat(40)).unwrap();
        let text = RowText { ids: &ids, first: 0, vocab: &vocab };
        let firings: Vec<Firing> =
            (0..10).map(|place| (place * 10, (place + 1) as f32 * 0.4)).collect();

        let quarters = quarters(&firings, 4.0, text);

        let strengths = |examples: &Vec<Example>| -> Vec<f32> {
            examples.iter().map(|example| example.values[example.at]).collect()
        };
        assert_eq!(strengths(&quarters[0]), [0.4, 0.8]);
        assert_eq!(strengths(&quarters[3]), [3.2, 3.6, 4.0]);
    }

    #[test]
    fn raised_and_lowered_characters_stand_in_order() {
        let (raises, lowers) = strongest(&[0.5, -2.0, 1.0, 0.0], &Vocab::of("abcd"));

        assert_eq!(raises, [('c', 1.0), ('a', 0.5)]);
        assert_eq!(lowers, [('b', -2.0), ('d', 0.0)]);
    }
}
