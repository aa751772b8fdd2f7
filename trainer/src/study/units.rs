//! Of what raters see lines, by condition, and where each of it fires.
//!
//! A feature fires where it is active. A combination fires where all its parts are active, as strongly
//! as the geometric mean of their strengths. A direction, which has no threshold of its own, fires in
//! as many rows as the median feature, those in which it is largest, as strongly as it is above the last
//! of them: so directions are not shown weaker than features.

use burn::prelude::*;
use rand::RngExt;
use rand::seq::SliceRandom;
use shared::random::{normal, stream};
use shared::weights::to_vec;

use super::firings::{ReadText, RowText};
use super::{Design, GOLD};
use crate::site::source::FinishedRun;

/// How many of the first principal components are drawn from.
const COMPONENTS: usize = 32;
/// How many of the most frequent characters give plain items.
const PLAIN: usize = 8;
/// In how many rows a feature fires at least, or there are too few lines to choose from.
const LEAST: usize = 40;

/// Something that fires.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// As in `f17`.
    pub name: String,
    /// Which direction of a component it is.
    pub sign: Option<i8>,
    /// In which rows it fires and how strongly, in the order of the rows.
    pub firings: Vec<(usize, f32)>,
}

/// What items are made of for one method.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// As in the key.
    pub name: &'static str,
    /// In the order in which they are tried.
    pub units: Vec<Unit>,
    /// Why there are none.
    pub reason: String,
}

/// All conditions, those that have nothing included.
pub(super) fn conditions(source: &FinishedRun, read: &ReadText, design: &Design) -> Vec<Condition> {
    let features = features(read, source.bundle.features.get(&source.model).map_or(0, Vec::len));
    let mut counts: Vec<usize> =
        features.iter().map(|unit| unit.firings.len()).filter(|count| *count >= LEAST).collect();
    counts.sort_unstable();
    let median = counts.get(counts.len() / 2).copied().unwrap_or(LEAST);
    let combinations = combinations(source, &features);
    let why = match source.bundle.combinations.is_empty() {
        true => format!("{} has no combinations", source.name),
        false => format!("no combination of {} fires in {LEAST} rows", source.model),
    };
    let [_, d_model] = read.components.dims();
    let first = COMPONENTS.min(d_model);
    let components = to_vec(read.components.clone().transpose().narrow(0, 0, first));
    let drawn = 2 * design.items + 2;
    let random = normal(&mut stream(design.seed, "study: directions"), drawn * d_model, 1.0);
    let mut signs = stream(design.seed, "study: signs");
    let sign = |_: usize| Some(if signs.random_bool(0.5) { 1 } else { -1 });
    let signs: Vec<Option<i8>> = (0..first).map(sign).collect();
    let condition = |name, units: Vec<Unit>, reason: String| {
        let mut units: Vec<Unit> =
            units.into_iter().filter(|unit| unit.firings.len() >= LEAST).collect();
        units.shuffle(&mut stream(design.seed, &format!("study: {name}")));
        Condition { name, units, reason }
    };
    let none = || format!("nothing fires in {LEAST} rows");
    vec![
        condition("feature", features, none()),
        condition("combination", combinations, why),
        condition("pca", along(read, &components, "component ", &signs, median), none()),
        condition("random", along(read, &random, "direction ", &vec![None; drawn], median), none()),
        condition(GOLD, characters(&read.text), none()),
    ]
}

fn features(read: &ReadText, n_features: usize) -> Vec<Unit> {
    let name = |feature| format!("f{feature}");
    let mut units: Vec<Unit> = (0..n_features)
        .map(|feature| Unit { name: name(feature), sign: None, firings: vec![] })
        .collect();
    for (place, (feature, value)) in
        read.active.features.iter().zip(&read.active.values).enumerate()
    {
        if *value > 0.0
            && let Some(unit) = units.get_mut(*feature as usize)
        {
            unit.firings.push((place / read.active.k, *value));
        }
    }
    units
}

fn combinations(source: &FinishedRun, features: &[Unit]) -> Vec<Unit> {
    let of = |parts: &[usize]| {
        let (first, rest) = parts.split_first()?;
        let strength = |part: usize, row: usize| {
            let firings = &features.get(part)?.firings;
            let found = firings.binary_search_by_key(&row, |(row, _)| *row).ok()?;
            Some(firings[found].1)
        };
        let joint = |(row, value): &(usize, f32)| {
            let others: Option<f32> = rest.iter().map(|part| strength(*part, *row)).product();
            Some((*row, (value * others?).powf(1.0 / parts.len() as f32)))
        };
        let firings = features.get(*first)?.firings.iter().filter_map(joint).collect();
        let name = parts.iter().map(|part| format!("f{part}")).collect::<Vec<_>>().join(" + ");
        Some(Unit { name, sign: None, firings })
    };
    source.combinations.iter().filter_map(|one| of(&one.parts)).collect()
}

/// Units along `directions`, `[count, d_model]`, each firing in the `fires` rows in which it is
/// largest.
fn along(
    read: &ReadText,
    directions: &[f32],
    name: &str,
    signs: &[Option<i8>],
    fires: usize,
) -> Vec<Unit> {
    let count = signs.len();
    let d_model = directions.len() / count.max(1);
    let Some(device) = read.rows.first().map(Tensor::device) else { return vec![] };
    let directions = TensorData::new(directions.to_vec(), [count, d_model]);
    let directions = Tensor::<2>::from_data(directions, &device).transpose();
    let blocks = read.rows.iter().map(|rows| to_vec(rows.clone().matmul(directions.clone())));
    let values: Vec<f32> = blocks.flatten().collect(); // [rows, count]
    let unit = |(number, sign): (usize, &Option<i8>)| {
        let sign_value = f32::from(sign.unwrap_or(1));
        let mut firings: Vec<(usize, f32)> = values
            .iter()
            .skip(number)
            .step_by(count)
            .map(|value| value * sign_value)
            .enumerate()
            .filter(|(_, value)| *value > 0.0)
            .collect();
        firings.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        firings.truncate(fires);
        // As with a feature, what is barely strong enough is weak.
        let (most, least) = (firings.first().map(|one| one.1), firings.last().map(|one| one.1));
        let (most, least) = (most.unwrap_or(0.0), least.unwrap_or(0.0));
        let strength = |value: f32| value - least + 0.01 * (most - least);
        firings.iter_mut().for_each(|(_, value)| *value = strength(*value));
        firings.sort_by_key(|(row, _)| *row);
        Unit { name: format!("{name}{number}"), sign: *sign, firings }
    };
    signs.iter().enumerate().map(unit).collect()
}

/// The most frequent characters: an idea that nobody misses.
fn characters(text: &RowText) -> Vec<Unit> {
    let rows = &text.characters[text.first..text.first + text.rows];
    let mut known: Vec<char> = rows.to_vec();
    known.sort_unstable();
    known.dedup();
    let unit = |character: char| {
        let is_it = |(_, other): &(usize, &char)| **other == character;
        let firings = rows.iter().enumerate().filter(is_it).map(|(row, _)| (row, 1.0)).collect();
        Unit { name: format!("the character {character:?}"), sign: None, firings }
    };
    let mut units: Vec<Unit> = known.into_iter().map(unit).collect();
    units.sort_by_key(|unit| std::cmp::Reverse(unit.firings.len()));
    units.truncate(PLAIN);
    units
}
