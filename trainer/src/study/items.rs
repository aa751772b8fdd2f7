//! Items from units: four lines of a unit from all quarters of its strengths, and a foreign line.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use shared::random::stream;
use shared::study::{Block, Exclusions, Item, LINES, SCHEMA, STRONGEST, Study, StudyLine};

use super::firings::RowText;
use super::units::{Condition, Unit};
use super::{Design, GOLD, KeyItem, LeftOut, StudyArgs, StudyKey, key};
use crate::site::source::FinishedRun;

/// How much of the text a line shows before and after its place.
const CONTEXT: (usize, usize) = (28, 11);
/// How many plain items, the same in every block, and how many repeats a block has.
const CHECKS: usize = 2;
/// How often a foreign line is drawn before a unit is given up.
const DRAWS: usize = 200;
/// How long an item takes, in seconds.
const SECONDS: usize = 30;

/// A study's items and what is behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    pub items: Vec<Item>,
    pub blocks: Vec<Block>,
    pub key: BTreeMap<String, KeyItem>,
    pub left_out: Vec<LeftOut>,
}

/// Makes the items of all conditions and deals them to blocks.
pub(super) fn make(conditions: &[Condition], text: &RowText, design: &Design) -> Made {
    let mut left_out = vec![];
    let mut dealt: Vec<(Option<usize>, StudyLines)> = vec![];
    for condition in conditions {
        let is_gold = condition.name == GOLD;
        let wanted = if is_gold { CHECKS } else { design.items };
        let mut random = stream(design.seed, &format!("study: lines of {}", condition.name));
        let units = condition.units.iter();
        let found = units.filter_map(|unit| lines(condition, unit, text, &mut random));
        let mut found: Vec<StudyLines> = found.take(wanted).collect();
        if !is_gold {
            // Every block has as many of each condition.
            found.truncate(found.len() / design.blocks * design.blocks);
        }
        let count = found.len();
        if count < wanted {
            let reason = match condition.units.is_empty() {
                true => condition.reason.clone(),
                false => format!("{count} of {wanted} items, for want of lines"),
            };
            left_out.push(LeftOut { condition: condition.name.into(), reason });
        }
        let block = |at: usize| (!is_gold).then_some(at % design.blocks);
        dealt.extend(found.into_iter().enumerate().map(|(at, item)| (block(at), item)));
    }
    let is_empty = dealt.iter().all(|(_, item)| item.condition == GOLD);
    match is_empty {
        true => Made { left_out, ..Made::default() },
        false => number(dealt, design, left_out),
    }
}

/// Gives the items, each with its block or `None` for every block, ids and foreign lines their places,
/// which say nothing.
fn number(
    mut dealt: Vec<(Option<usize>, StudyLines)>,
    design: &Design,
    left_out: Vec<LeftOut>,
) -> Made {
    let mut random = stream(design.seed, "study: order");
    dealt.shuffle(&mut random);
    let mut places: Vec<usize> = (0..dealt.len()).map(|place| place % LINES).collect();
    places.shuffle(&mut random);
    let mut made = Made { left_out, ..Made::default() };
    made.blocks = vec![Block::default(); design.blocks];
    let digits = dealt.len().to_string().len().max(2);
    for (number, ((block, item), place)) in dealt.into_iter().zip(places).enumerate() {
        let id = format!("i{:0digits$}", number + 1);
        let blocks = block.map_or(0..design.blocks, |block| block..block + 1);
        for block in &mut made.blocks[blocks] {
            block.items.push(id.clone());
            if item.condition != GOLD && block.repeats.len() < CHECKS {
                block.repeats.push(id.clone());
            }
        }
        let (lines, rows) = item.arranged(place);
        made.items.push(Item { id: id.clone(), lines });
        let behind = KeyItem {
            condition: item.condition,
            unit: item.unit,
            sign: item.sign,
            intruder: place as u8 + 1,
            foreign: item.foreign_unit,
            fires: item.fires,
            rows,
        };
        made.key.insert(id, behind);
    }
    made
}

impl Made {
    /// What is not deployed, for the study whose file has this SHA-256.
    pub fn key_of(
        self,
        source: &FinishedRun,
        study_sha256: String,
        study: &str,
        seed: u64,
    ) -> StudyKey {
        StudyKey {
            schema: key::SCHEMA,
            study: study.into(),
            study_sha256,
            made_by: crate::version(),
            seed,
            run: source.name.clone(),
            model: source.model.clone(),
            left_out: self.left_out,
            items: self.key,
        }
    }

    /// What is deployed.
    pub fn study(&self, arguments: &StudyArgs, consent: &str) -> Study {
        let asked = |block: &Block| block.items.len() + block.repeats.len();
        let most = self.blocks.iter().map(asked).max().unwrap_or(0);
        let minutes = (most * SECONDS).div_ceil(60);
        let checks = self.key.values().filter(|item| item.condition == GOLD).count();
        Study {
            schema: SCHEMA,
            made_by: crate::version(),
            name: arguments.name.clone(),
            contact: arguments.contact.clone(),
            consent: consent.replace("{minutes}", &minutes.to_string()),
            minutes,
            exclusions: Exclusions { failed_checks: checks, median_seconds: 3.0 },
            items: self.items.clone(),
            blocks: self.blocks.clone(),
        }
    }
}

/// The lines of an item before they are arranged.
#[derive(Clone, Debug, PartialEq)]
struct StudyLines {
    condition: String,
    unit: String,
    sign: Option<i8>,
    fires: usize,
    own: Vec<(usize, StudyLine)>,
    foreign_unit: String,
    foreign: (usize, StudyLine),
}

impl StudyLines {
    fn arranged(&self, place: usize) -> (Vec<StudyLine>, Vec<usize>) {
        let mut all = self.own.clone();
        all.insert(place, self.foreign.clone());
        let rows = all.iter().map(|(row, _)| *row).collect();
        (all.into_iter().map(|(_, line)| line).collect(), rows)
    }
}

/// Lines of `unit` and a line of another unit of the same condition, at whose marked characters `unit`
/// does not fire.
fn lines(
    condition: &Condition,
    unit: &Unit,
    text: &RowText,
    random: &mut ChaCha8Rng,
) -> Option<StudyLines> {
    let peaks = peaks(unit, text);
    let mut rows: Vec<usize> = vec![];
    for quarter in 0..LINES - 1 {
        let range = peaks.len() * quarter / 4..peaks.len() * (quarter + 1) / 4;
        let mut candidates = peaks[range].to_vec();
        candidates.shuffle(random);
        rows.push(candidates.into_iter().find(|row| is_apart(*row, &rows))?);
    }
    rows.shuffle(random);
    let (other, row) = foreign(condition, unit, &rows, text, random)?;
    Some(StudyLines {
        condition: condition.name.into(),
        unit: unit.name.clone(),
        sign: unit.sign,
        fires: unit.firings.len(),
        own: rows.iter().map(|row| (*row, line(unit, *row, text))).collect(),
        foreign_unit: other.name.clone(),
        foreign: (row, line(other, row, text)),
    })
}

/// A place of another unit, apart from the `rows` of `unit`.
fn foreign<'a>(
    condition: &'a Condition,
    unit: &Unit,
    rows: &[usize],
    text: &RowText,
    random: &mut ChaCha8Rng,
) -> Option<(&'a Unit, usize)> {
    let others: Vec<&Unit> =
        condition.units.iter().filter(|other| other.name != unit.name).collect();
    let fires = |row: usize| unit.firings.binary_search_by_key(&row, |(row, _)| *row).is_ok();
    for _ in 0..DRAWS {
        let other = *others.get(random.random_range(0..others.len().max(1)))?;
        let (row, _) = other.firings[random.random_range(0..other.firings.len())];
        let marked = firings_in(other, row);
        let is_peak = marked.iter().all(|(_, value)| *value <= strength(other, row));
        if is_peak
            && has_context(row, text)
            && is_apart(row, rows)
            && marked.iter().all(|(row, _)| !fires(*row))
        {
            return Some((other, row));
        }
    }
    None
}

/// The rows at which `unit` fires as strongly as anywhere in the line around them, the weakest first.
fn peaks(unit: &Unit, text: &RowText) -> Vec<usize> {
    let is_peak = |(row, value): &&(usize, f32)| {
        has_context(*row, text) && firings_in(unit, *row).iter().all(|(_, other)| other <= value)
    };
    let mut peaks: Vec<&(usize, f32)> = unit.firings.iter().filter(is_peak).collect();
    peaks.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
    peaks.into_iter().map(|(row, _)| *row).collect()
}

/// The firings of `unit` in the line around `row`.
fn firings_in(unit: &Unit, row: usize) -> &[(usize, f32)] {
    let from = unit.firings.partition_point(|(other, _)| *other + CONTEXT.0 < row);
    let to = unit.firings.partition_point(|(other, _)| *other <= row + CONTEXT.1);
    &unit.firings[from..to]
}

fn strength(unit: &Unit, row: usize) -> f32 {
    let found = unit.firings.binary_search_by_key(&row, |(row, _)| *row);
    found.map_or(0.0, |place| unit.firings[place].1)
}

/// Whether the line around `row` lies within the rows.
fn has_context(row: usize, text: &RowText) -> bool {
    row >= CONTEXT.0 && row + CONTEXT.1 < text.rows
}

/// Whether the line around `row` shows no character of the others.
fn is_apart(row: usize, others: &[usize]) -> bool {
    others.iter().all(|other| row.abs_diff(*other) > CONTEXT.0 + CONTEXT.1)
}

fn line(unit: &Unit, row: usize, text: &RowText) -> StudyLine {
    let from = row - CONTEXT.0;
    let most = firings_in(unit, row).iter().fold(0.0_f32, |most, (_, value)| most.max(*value));
    let level = |place: usize| {
        let share = strength(unit, from + place) / most;
        let level = (share * f32::from(STRONGEST)).ceil() as u8;
        char::from(b'0' + if share > 0.0 { level.clamp(1, STRONGEST) } else { 0 })
    };
    let length = CONTEXT.0 + CONTEXT.1 + 1;
    let start = text.first + from;
    StudyLine {
        text: text.characters[start..start + length].iter().collect(),
        at: CONTEXT.0,
        levels: (0..length).map(level).collect(),
    }
}

/// What raters agree to where nobody has written a text of their own.
pub(super) fn consent(contact: Option<&str>) -> String {
    let who = contact.unwrap_or("whoever sent you the invitation");
    format!(
        "In this study people look at short lines of text that computer programs have chosen, and say \
         whether the lines have something in common. With the answers, ways of looking into language \
         models are compared. It takes about {{minutes}} minutes.\n\n\
         Taking part is voluntary. You may stop at any time without a reason, and nothing that you say \
         can be wrong.\n\n\
         Stored are your answers and how you changed them, the words and the comment that you type, \
         which items you were given in which order, how fast you answered and whether by keys; what you \
         say of yourself, if you do (your experience with machine learning, whether you grew up with \
         English, whether you see colours as most people do); whether your answers may be published; \
         the day, roughly how wide your screen is, the version of this page, and a random id. Not \
         stored are your name, your address on the network, or what your browser is.\n\n\
         Everything stays in this browser until you hand it over yourself, as a file or as letters, to \
         {who}. You may erase it here at any time. Later, quote your id and it is erased there."
    )
}

#[cfg(test)]
mod tests;
