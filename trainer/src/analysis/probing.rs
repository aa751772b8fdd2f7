//! Which features, which features together and which composition units tell a hidden variable.
//!
//! Detectors are chosen on some rows and judged on others. A detector says yes where every one of
//! its parts is at least as strong as the part's bound. What it is worth is F1, the harmonic mean
//! of precision and recall. Two things to compare it with: saying yes always, and the same search
//! for a control variable that nothing should tell.

use serde::{Deserialize, Serialize};

use super::screening::sparse::SparseRows;

/// Rows, what is active in them, and a hidden variable.
#[derive(Clone, Copy, Debug)]
pub struct ProbeRows<'a> {
    /// The strength of every active column, above 0: features of a code, or composition units.
    pub columns: &'a SparseRows,
    /// The variable's value in each row; below 0 it is undefined and the row does not count.
    pub values: &'a [i8],
}

/// How detectors are looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// How many columns a detector has at most.
    pub largest: usize,
    /// How many of the best detectors of one size are tried to extend.
    pub beam: usize,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { largest: 2, beam: 8 }
    }
}

/// What tells one value of a variable from all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueProbe {
    /// The value.
    pub value: i8,
    /// How many rows count, of those to judge by.
    pub rows: usize,
    /// How many of them have this value.
    pub positives: usize,
    /// The F1 of saying yes always, `2p / (1 + p)` for a share p of positives.
    pub f1_of_always: f64,
    /// The best detector of one column, of two, and so on; shorter if there are no more columns
    /// that are active together.
    pub best: Vec<Detection>,
}

/// A detector and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// What must be active, by ascending column.
    pub parts: Vec<Part>,
    /// F1 on the rows that it was chosen on.
    pub chosen_f1: f64,
    /// On the other rows, the share of its yeses that are right; 0 if it never says yes.
    pub precision: f64,
    /// On the other rows, the share of positives that it says yes to; 0 if there are none.
    pub recall: f64,
    /// F1 on the other rows.
    pub f1: f64,
}

/// A column that must be active.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Which column.
    pub column: u32,
    /// How strong it must be at least; 0 if any strength will do.
    pub at_least: f32,
}

/// The columns, or the values, are not those of the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("probing: {rows} rows have {values} values of the variable")]
pub struct ProbeError {
    /// How many rows there are.
    pub rows: usize,
    /// How many values.
    pub values: usize,
}

/// The best detectors of every value that occurs in `train`, chosen there and judged on `test`.
///
/// Single columns are compared at their best bound. A larger detector extends one of the best of
/// the size before, as it is or with bounds of 0 instead, by the column and bound that help most.
///
/// # Errors
/// There are not as many values as rows.
pub fn probe(
    train: ProbeRows,
    test: ProbeRows,
    config: &ProbeConfig,
) -> Result<Vec<ValueProbe>, ProbeError> {
    train.check()?;
    test.check()?;
    let columns = sorted_columns(train);
    let mut values: Vec<i8> = train.values.iter().copied().filter(|value| *value >= 0).collect();
    values.sort_unstable();
    values.dedup();
    let probe = |value| {
        let search = Search::new(&columns, train.values, value);
        let best = search.best(config).into_iter();
        let tally = test.values.iter().filter(|other| **other >= 0);
        let (rows, positives) = (tally.clone().count(), tally.filter(|v| **v == value).count());
        ValueProbe {
            value,
            rows,
            positives,
            f1_of_always: f1(positives, rows, positives),
            best: best.map(|found| found.judged(test, value)).collect(),
        }
    };
    Ok(values.into_iter().map(probe).collect())
}

impl ProbeRows<'_> {
    /// Whether there is a value for each row.
    pub(super) fn check(&self) -> Result<(), ProbeError> {
        let (rows, values) = (self.columns.len(), self.values.len());
        if rows == values { Ok(()) } else { Err(ProbeError { rows, values }) }
    }
}

/// A column's rows, the strongest first.
type Sorted = Vec<(u32, f32)>;

/// The columns of the rows that count.
fn sorted_columns(rows: ProbeRows) -> Vec<Sorted> {
    let count = rows.columns.largest_id().map_or(0, |largest| largest + 1);
    let mut columns = rows.columns.columns(count);
    for column in &mut columns {
        column.retain(|(row, strength)| rows.values[*row as usize] >= 0 && *strength > 0.0);
        column.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    }
    columns
}

/// `2 TP / (2 TP + FP + FN)`: `right` of `yeses` are right, there are `positives` in all.
pub fn f1(right: usize, yeses: usize, positives: usize) -> f64 {
    2.0 * right as f64 / ((yeses + positives).max(1)) as f64
}

/// A detector, and its F1 on the rows that it is chosen on.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    parts: Vec<Part>,
    f1: f64,
}

/// The search for detectors of one value.
struct Search<'a> {
    columns: &'a [Sorted],
    positive: Vec<bool>,
    positives: usize,
}

impl<'a> Search<'a> {
    fn new(columns: &'a [Sorted], values: &[i8], value: i8) -> Self {
        let positive: Vec<bool> = values.iter().map(|other| *other == value).collect();
        let positives = positive.iter().filter(|positive| **positive).count();
        Self { columns, positive, positives }
    }

    /// The best detector of each size.
    fn best(&self, config: &ProbeConfig) -> Vec<Found> {
        let mut beam = vec![vec![]];
        let mut best = vec![];
        for _ in 0..config.largest {
            let found = self.extended(&beam);
            let Some(first) = found.first() else { break };
            best.push(first.clone());
            beam.clear();
            for found in found.into_iter().take(config.beam) {
                let any = |part: &Part| Part { at_least: 0.0, ..*part };
                let unbound: Vec<Part> = found.parts.iter().map(any).collect();
                if unbound != found.parts {
                    beam.push(unbound);
                }
                beam.push(found.parts);
            }
        }
        best
    }

    /// All detectors with one more column than those in `beam`, the best first; of those with the
    /// same columns only the best.
    fn extended(&self, beam: &[Vec<Part>]) -> Vec<Found> {
        let mut found: Vec<Found> =
            beam.iter().flat_map(|parts| self.extensions_of(parts)).collect();
        let columns =
            |found: &Found| -> Vec<u32> { found.parts.iter().map(|part| part.column).collect() };
        found.sort_by(|one, other| {
            columns(one).cmp(&columns(other)).then(other.f1.total_cmp(&one.f1))
        });
        found.dedup_by(|one, other| columns(one) == columns(other));
        // Stable, so that ties stay in the order of their columns.
        found.sort_by(|one, other| other.f1.total_cmp(&one.f1));
        found
    }

    fn extensions_of<'p>(&'p self, parts: &'p [Part]) -> impl Iterator<Item = Found> + 'p {
        let fires = self.firing(parts);
        let columns = (0_u32..).zip(self.columns);
        let others = columns.filter(|(column, _)| parts.iter().all(|part| part.column != *column));
        others.filter_map(move |(column, sorted)| {
            let together = sorted.iter().filter(|(row, _)| fires[*row as usize]);
            let (at_least, f1) = self.best_bound(together.copied())?;
            let mut parts = [parts, &[Part { column, at_least }]].concat();
            parts.sort_by_key(|part| part.column);
            Some(Found { parts, f1 })
        })
    }

    /// The rows where all parts are strong enough.
    fn firing(&self, parts: &[Part]) -> Vec<bool> {
        let mut missing = vec![parts.len(); self.positive.len()];
        for part in parts {
            let strong = |(_, strength): &&(u32, f32)| *strength >= part.at_least;
            for (row, _) in self.columns[part.column as usize].iter().take_while(strong) {
                missing[*row as usize] -= 1;
            }
        }
        missing.into_iter().map(|missing| missing == 0).collect()
    }

    /// The bound with the largest F1, the lowest of equals, over rows that come strongest first;
    /// `None` if there are none.
    fn best_bound(&self, sorted: impl Iterator<Item = (u32, f32)>) -> Option<(f32, f64)> {
        let (mut yeses, mut right) = (0, 0);
        let mut best: Option<(f32, f64)> = None;
        let mut sorted = sorted.peekable();
        while let Some((row, strength)) = sorted.next() {
            yeses += 1;
            right += usize::from(self.positive[row as usize]);
            let next = sorted.peek().map(|next| next.1);
            let f1 = f1(right, yeses, self.positives);
            if next != Some(strength) && best.is_none_or(|best| f1 >= best.1) {
                // A bound that keeps all is none.
                best = Some((next.map_or(0.0, |_| strength), f1));
            }
        }
        best
    }
}

impl Found {
    /// Judges the detector by its yeses on other rows.
    fn judged(self, rows: ProbeRows, value: i8) -> Detection {
        let (mut yeses, mut right, mut positives) = (0, 0, 0);
        for (row, other) in rows.values.iter().enumerate().filter(|(_, other)| **other >= 0) {
            let yes = self.parts.iter().all(|part| {
                let strength = rows.columns.value(row, part.column as usize).unwrap_or(0.0);
                strength > 0.0 && strength >= part.at_least
            });
            let positive = *other == value;
            yeses += usize::from(yes);
            positives += usize::from(positive);
            right += usize::from(yes && positive);
        }
        let share = |of: usize| right as f64 / of.max(1) as f64;
        Detection {
            parts: self.parts,
            chosen_f1: self.f1,
            precision: share(yeses),
            recall: share(positives),
            f1: f1(right, yeses, positives),
        }
    }
}

#[cfg(test)]
mod tests;
