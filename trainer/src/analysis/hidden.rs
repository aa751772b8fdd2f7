//! Which units, features and pairs of features tell the hidden variables of a generated language.
//!
//! Detectors are chosen on the first half of the held-out rows and judged on the second.

use shared::TopK;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use burn::prelude::*;

use super::evaluation::ActiveRows;
use super::probing::{Detection, ProbeConfig, ProbeError, ProbeRows, ValueProbe, probe};
use super::screening::sparse::SparseRows;
use super::truth_table::{BinaryVariable, TruthTable, truth_table};
use crate::data::languages::{AnnotatedText, Variable};

/// Variables with more values are not looked at.
const MOST_VALUES: usize = 3;
/// How many rows units are asked about at once.
const ROWS_AT_ONCE: usize = 4_096;
/// What is computed from what: a variable, and the two that its truth table is by.
const TABLES: [(&str, [&str; 2]); 5] = [
    ("carry", ["left units above 4", "right units above 4"]),
    ("borrow", ["left units above 4", "right units above 4"]),
    ("and", ["first", "second"]),
    ("or", ["first", "second"]),
    ("xor", ["first", "second"]),
];

/// What tells one value of a variable.
#[derive(Clone, Debug)]
pub struct Told {
    /// The variable, as in `carry`.
    pub variable: String,
    /// The value, as in `yes`.
    pub value: String,
    /// How many of the rows to judge by count, and how many have the value.
    pub rows: [usize; 2],
    /// The F1 of saying yes always.
    pub always: f64,
    /// The best unit.
    pub unit: Option<Detection>,
    /// The best feature.
    pub feature: Option<Detection>,
    /// The best two features together.
    pub pair: Option<Detection>,
    /// How well the best feature, two features and unit do on a variable that nothing should tell.
    pub control: [Option<f64>; 3],
    /// What the best unit does for each combination of what the variable is computed from.
    pub table: Option<TruthTable>,
}

/// What is active on each row.
#[derive(Debug)]
pub struct Active {
    features: SparseRows,
    units: SparseRows,
}

impl Active {
    /// Features and units of a model on rows.
    pub fn of(model: &FinishedCsae, active: &ActiveRows) -> Self {
        let mut units = SparseRows::default();
        let device = model.directions().device();
        let size = ROWS_AT_ONCE * active.k;
        for (ids, values) in active.features.chunks(size).zip(active.values.chunks(size)) {
            let shape = [ids.len() / active.k, active.k];
            let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
            let code = TopK {
                values: Tensor::from_data(TensorData::new(values.to_vec(), shape), &device),
                indices: Tensor::from_data(TensorData::new(ids, shape), &device),
            };
            let Some(composed) = &model.model.units else { continue };
            let strengths = composed.forward(&code).strengths;
            let [_, n_units] = strengths.dims();
            for row in to_vec(strengths).chunks_exact(n_units) {
                let spoken = row.iter().enumerate().filter(|(_, strength)| **strength > 0.0);
                units.push(spoken.map(|(unit, strength)| (unit as u32, *strength)));
            }
        }
        Self { features: active.codes(), units }
    }
}

/// What tells each value of the variables of `text`, whose character at `first` is the first row.
///
/// # Errors
/// Rows and text do not fit.
pub fn tell(active: &Active, text: &AnnotatedText, first: usize) -> Result<Vec<Told>, ProbeError> {
    let rows = first..first + active.features.len();
    let few = |variable: &&Variable| variable.values.len() <= MOST_VALUES;
    let mut all = vec![];
    for variable in text.hidden.iter().filter(few) {
        let control = text.control_of(variable);
        let values = variable.at.get(rows.clone()).unwrap_or_default();
        let by_chance = control.at.get(rows.clone()).unwrap_or_default();
        let features = probed(&active.features, values, 2)?;
        let units =
            if active.units.is_empty() { vec![] } else { probed(&active.units, values, 1)? };
        let control_features = probed(&active.features, by_chance, 2)?;
        let control_units = match active.units.is_empty() {
            true => vec![],
            false => probed(&active.units, by_chance, 1)?,
        };
        for found in &features {
            let unit = detection(&units, found.value, 0);
            all.push(Told {
                variable: variable.name.clone(),
                value: variable.values.get(found.value as usize).cloned().unwrap_or_default(),
                rows: [found.rows, found.positives],
                always: found.f1_of_always,
                feature: found.best.first().cloned(),
                pair: found.best.get(1).cloned(),
                control: [
                    detection(&control_features, found.value, 0),
                    detection(&control_features, found.value, 1),
                    detection(&control_units, found.value, 0),
                ]
                .map(|detection| detection.map(|it| it.f1)),
                table: unit
                    .as_ref()
                    .filter(|_| found.value == 1)
                    .and_then(|unit| table(active, unit, text, variable, first)),
                unit,
            });
        }
    }
    Ok(all)
}

fn detection(probes: &[ValueProbe], value: i8, size: usize) -> Option<Detection> {
    probes.iter().find(|probe| probe.value == value)?.best.get(size).cloned()
}

fn probed(columns: &SparseRows, values: &[i8], most: usize) -> Result<Vec<ValueProbe>, ProbeError> {
    let half = columns.len() / 2;
    let (train, test) = (part(columns, 0..half), part(columns, half..columns.len()));
    let (chosen, judged) = values.split_at(half.min(values.len()));
    let config = ProbeConfig { largest: most, ..ProbeConfig::default() };
    probe(
        ProbeRows { columns: &train, values: chosen },
        ProbeRows { columns: &test, values: judged },
        &config,
    )
}

fn part(rows: &SparseRows, range: std::ops::Range<usize>) -> SparseRows {
    let mut some = SparseRows::default();
    for row in range {
        some.push(rows.entries_of(row).map(|(id, value)| (id as u32, value)));
    }
    some
}

/// What a unit does by what `variable` is computed from, where the variable is defined.
fn table(
    active: &Active,
    unit: &Detection,
    text: &AnnotatedText,
    variable: &Variable,
    first: usize,
) -> Option<TruthTable> {
    let (_, inputs) = TABLES.iter().find(|(name, _)| *name == variable.name)?;
    let column = unit.parts.first()?.column as usize;
    let count = active.units.len();
    let strengths: Vec<f32> =
        (0..count).map(|row| active.units.value(row, column).unwrap_or(0.0)).collect();
    let defined = |name: &str| -> Option<Vec<i8>> {
        let values = text.variable(name)?.at.get(first..first + count)?;
        let outcome = &variable.at[first..first + count];
        let pairs = values.iter().zip(outcome);
        Some(pairs.map(|(value, outcome)| if *outcome < 0 { -1 } else { *value }).collect())
    };
    let [one, other] = [defined(inputs[0])?, defined(inputs[1])?];
    let variables = [
        BinaryVariable { name: inputs[0], values: &one },
        BinaryVariable { name: inputs[1], values: &other },
    ];
    truth_table(&strengths, &variables).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 400;

    /// Two inputs that change from row to row, and the carry that follows from both.
    fn text() -> AnnotatedText {
        let inputs =
            [|row: usize| row.is_multiple_of(2), |row: usize| !(row / 2).is_multiple_of(3)];
        let both = |row: usize| inputs[0](row) && inputs[1](row);
        let variable = |name: &str, is_on: &dyn Fn(usize) -> bool| Variable {
            name: name.into(),
            values: vec!["no".into(), "yes".into()],
            at: (0..ROWS).map(|row| i8::from(is_on(row))).collect(),
        };
        AnnotatedText {
            text: "x".repeat(ROWS),
            line_starts: vec![0],
            hidden: vec![
                variable("left units above 4", &inputs[0]),
                variable("right units above 4", &inputs[1]),
                variable("carry", &both),
            ],
            answers: vec![],
        }
    }

    /// One feature for each input, and a unit for both.
    fn active(text: &AnnotatedText) -> Active {
        let (mut features, mut units) = (SparseRows::default(), SparseRows::default());
        for row in 0..ROWS {
            let on = |place: usize| text.hidden[place].at[row] == 1;
            features.push((0..2).filter(|place| on(*place)).map(|place| (place as u32, 1.0)));
            units.push(on(2).then_some((7, 2.0)));
        }
        Active { features, units }
    }

    fn told_of_carry(told: &[Told]) -> &Told {
        told.iter().find(|told| told.variable == "carry" && told.value == "yes").unwrap()
    }

    #[test]
    fn a_unit_for_the_carry_tells_it_and_one_feature_does_not() {
        let text = text();

        let all = tell(&active(&text), &text, 0).unwrap();

        let carry = told_of_carry(&all);
        let unit = carry.unit.as_ref().unwrap();
        assert_eq!((unit.parts[0].column, unit.f1), (7, 1.0));
        assert!(carry.feature.as_ref().unwrap().f1 < 0.9, "{carry:?}");
        assert_eq!(carry.pair.as_ref().unwrap().f1, 1.0);
        let cells = &carry.table.as_ref().unwrap().cells;
        let rates: Vec<f64> = cells.iter().map(|cell| cell.rate.unwrap()).collect();
        assert_eq!(rates, [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn without_units_features_still_tell() {
        let text = text();
        let alone = Active { units: SparseRows::default(), ..active(&text) };

        let all = tell(&alone, &text, 0).unwrap();

        let carry = told_of_carry(&all);
        assert!(carry.unit.is_none() && carry.table.is_none());
        assert_eq!(carry.pair.as_ref().unwrap().f1, 1.0);
    }
}
