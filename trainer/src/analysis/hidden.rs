//! Which units, features and pairs of features tell the hidden variables of a generated language.
//!
//! Detectors are chosen on the first half of the held-out rows and judged on the second; once on all
//! rows on which a variable is known, and once for each kind of position in a line: a feature may tell
//! a carry at the equals sign alone.

use super::active_rows::ActiveRows;
use super::probing::{Detection, ProbeConfig, ProbeError, ProbeRows, ValueProbe, probe};
use super::screening::sparse::SparseRows;
use super::sparse_probe::sparse_probe;
use super::truth_table::{BinaryVariable, TruthTable, truth_table};
use crate::data::languages::{AnnotatedText, Variable};
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

/// Variables with more values are not looked at.
const MOST_VALUES: usize = 3;
/// How many rows units are asked about at once.
const ROWS_AT_ONCE: usize = 4_096;
/// The variable that says where in its line a character stands.
const POSITION: &str = "position";
/// A kind of position with fewer rows is not looked at alone.
const LEAST_ROWS: usize = 1_000;
/// All positions together.
pub const ANYWHERE: &str = "anywhere";
/// How many features a logistic probe is given.
pub const PROBED: [usize; 3] = [1, 2, 5];
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
    /// The kind of position, as in `equals`, or [`ANYWHERE`].
    pub place: String,
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
    /// The balanced accuracy of a logistic probe on the 1, 2 and 5 features that differ most: 0.5 by
    /// chance; absent where all rows have the value, or none.
    pub sparse: [Option<f64>; 3],
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
        for code in active.batches(ROWS_AT_ONCE, &device) {
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

impl Told {
    /// By how much the best unit beats saying yes always, on the rows that it was chosen on.
    pub fn unit_edge(&self) -> f64 {
        self.unit.as_ref().map_or(f64::NEG_INFINITY, |unit| unit.chosen_f1 - self.always)
    }

    /// The same of the best unit, feature or two features.
    pub fn edge(&self) -> f64 {
        let all = [&self.feature, &self.pair].into_iter().flatten();
        all.map(|found| found.chosen_f1 - self.always).fold(self.unit_edge(), f64::max)
    }
}

/// Rows of one kind of position.
struct Place {
    name: String,
    is_here: Vec<bool>,
    /// Which character of the text is the first row.
    first: usize,
}

impl Place {
    fn all_of(text: &AnnotatedText, first: usize, count: usize) -> Vec<Self> {
        let mut places = vec![Self { name: ANYWHERE.into(), is_here: vec![true; count], first }];
        let Some(position) = text.variable(POSITION) else { return places };
        let at = position.at.get(first..first + count).unwrap_or_default();
        places.extend(position.values.iter().enumerate().map(|(value, name)| Self {
            name: name.clone(),
            is_here: at.iter().map(|at| usize::try_from(*at) == Ok(value)).collect(),
            first,
        }));
        places
    }

    /// The values here; elsewhere they are undefined.
    fn only(&self, values: &[i8]) -> Vec<i8> {
        let pairs = values.iter().zip(&self.is_here);
        pairs.map(|(value, is_here)| if *is_here { *value } else { Variable::UNDEFINED }).collect()
    }
}

/// What tells each value of the variables of `text`, whose character at `first` is the first row.
///
/// # Errors
/// Rows and text do not fit.
pub fn tell(active: &Active, text: &AnnotatedText, first: usize) -> Result<Vec<Told>, ProbeError> {
    let count = active.features.len();
    let few = |variable: &&Variable| variable.values.len() <= MOST_VALUES;
    let places = Place::all_of(text, first, count);
    let halves = [Halves::of(&active.features), Halves::of(&active.units)];
    let mut all = vec![];
    for variable in text.hidden.iter().filter(few) {
        let control = text.control_of(variable);
        let of_rows = |variable: &Variable| {
            variable.at.get(first..first + count).unwrap_or_default().to_vec()
        };
        let (values, by_chance) = (of_rows(variable), of_rows(&control));
        for place in &places {
            let (values, by_chance) = (place.only(&values), place.only(&by_chance));
            let known = values.iter().filter(|value| **value >= 0).count();
            if place.name == ANYWHERE || known >= LEAST_ROWS {
                let values = [&values[..], &by_chance];
                all.extend(tell_at((active, &halves), text, variable, place, values)?);
            }
        }
    }
    Ok(all)
}

/// What tells each of the `values` of a variable at a place, and those of its control.
fn tell_at(
    (active, [of_features, of_units]): (&Active, &[Halves; 2]),
    text: &AnnotatedText,
    variable: &Variable,
    place: &Place,
    [values, by_chance]: [&[i8]; 2],
) -> Result<Vec<Told>, ProbeError> {
    let features = of_features.probed(values, 2)?;
    let control_features = of_features.probed(by_chance, 2)?;
    let (mut units, mut control_units) = (vec![], vec![]);
    if !active.units.is_empty() {
        units = of_units.probed(values, 1)?;
        control_units = of_units.probed(by_chance, 1)?;
    }
    let told = |found: &ValueProbe| -> Result<Told, ProbeError> {
        let unit = detection(&units, found.value, 0);
        let control = [
            detection(&control_features, found.value, 0),
            detection(&control_features, found.value, 1),
            detection(&control_units, found.value, 0),
        ];
        Ok(Told {
            variable: variable.name.clone(),
            value: variable.values.get(found.value as usize).cloned().unwrap_or_default(),
            place: place.name.clone(),
            rows: [found.rows, found.positives],
            always: found.f1_of_always,
            feature: found.best.first().cloned(),
            pair: found.best.get(1).cloned(),
            sparse: of_features.sparse(values, found.value)?,
            control: control.map(|detection| detection.map(|it| it.f1)),
            table: unit
                .as_ref()
                .filter(|_| found.value == 1)
                .and_then(|unit| table(active, unit, text, variable, (place.first, values))),
            unit,
        })
    };
    features.iter().map(told).collect()
}

fn detection(probes: &[ValueProbe], value: i8, size: usize) -> Option<Detection> {
    probes.iter().find(|probe| probe.value == value)?.best.get(size).cloned()
}

/// The rows to choose detectors on, and those to judge them on.
struct Halves([SparseRows; 2]);

impl Halves {
    fn of(columns: &SparseRows) -> Self {
        let half = columns.len() / 2;
        Self([part(columns, 0..half), part(columns, half..columns.len())])
    }

    /// The rows of both halves with the `values` of a variable.
    fn with<'a>(&'a self, values: &'a [i8]) -> [ProbeRows<'a>; 2] {
        let Self([chosen, judged]) = self;
        let (first, second) = values.split_at(chosen.len().min(values.len()));
        let rows = |columns, values| ProbeRows { columns, values };
        [rows(chosen, first), rows(judged, second)]
    }

    /// The best detectors of each value, of at most so many columns.
    fn probed(&self, values: &[i8], most: usize) -> Result<Vec<ValueProbe>, ProbeError> {
        let [chosen, judged] = self.with(values);
        probe(chosen, judged, &ProbeConfig { largest: most, ..ProbeConfig::default() })
    }

    /// The balanced accuracies of logistic probes for a value.
    fn sparse(&self, values: &[i8], value: i8) -> Result<[Option<f64>; 3], ProbeError> {
        let [chosen, judged] = self.with(values);
        let mut all = [None; 3];
        for (accuracy, count) in all.iter_mut().zip(PROBED) {
            *accuracy = sparse_probe(chosen, judged, value, count)?.balanced_accuracy;
        }
        Ok(all)
    }
}

fn part(rows: &SparseRows, range: std::ops::Range<usize>) -> SparseRows {
    let mut some = SparseRows::default();
    for row in range {
        some.push(rows.entries_of(row).map(|(id, value)| (id as u32, value)));
    }
    some
}

/// What a unit does by what `variable` is computed from, on the rows whose `outcome` is defined.
fn table(
    active: &Active,
    unit: &Detection,
    text: &AnnotatedText,
    variable: &Variable,
    (first, outcome): (usize, &[i8]),
) -> Option<TruthTable> {
    let (_, inputs) = TABLES.iter().find(|(name, _)| *name == variable.name)?;
    let column = unit.parts.first()?.column as usize;
    let count = active.units.len();
    let strengths: Vec<f32> =
        (0..count).map(|row| active.units.value(row, column).unwrap_or(0.0)).collect();
    let defined = |name: &str| -> Option<Vec<i8>> {
        let values = text.variable(name)?.at.get(first..first + count)?;
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
        // One feature cannot weigh two inputs; two can.
        assert!(carry.sparse[0].unwrap() < 1.0, "{carry:?}");
        assert_eq!(carry.sparse[1..], [Some(1.0); 2]);
        let cells = &carry.table.as_ref().unwrap().cells;
        let rates: Vec<f64> = cells.iter().map(|cell| cell.rate.unwrap()).collect();
        assert_eq!(rates, [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_unit_that_speaks_at_one_kind_of_position_is_found_there() {
        let mut text = text();
        let repeat = |at: &Vec<i8>| at.iter().copied().cycle().take(ROWS * 10).collect();
        text.hidden.iter_mut().for_each(|variable| variable.at = repeat(&variable.at));
        text.text = "x".repeat(ROWS * 10);
        let position = (0..ROWS * 10).map(|row| i8::from(row % 3 == 0)).collect();
        let values = vec!["elsewhere".to_string(), "equals".to_string()];
        text.hidden.push(Variable { name: POSITION.into(), values, at: position });
        let (mut features, mut units) = (SparseRows::default(), SparseRows::default());
        for row in 0..ROWS * 10 {
            features.push([(0, 1.0)]);
            let speaks = row % 3 == 0 && text.hidden[2].at[row] == 1;
            units.push(speaks.then_some((7, 2.0)));
        }

        let all = tell(&Active { features, units }, &text, 0).unwrap();

        let carries = all.iter().filter(|told| told.variable == "carry" && told.value == "yes");
        let f1 = |told: &Told| (told.place.clone(), told.unit.as_ref().map_or(0.0, |unit| unit.f1));
        let told: Vec<(String, f64)> = carries.map(f1).collect();
        assert_eq!(told.len(), 3);
        assert!(told[0].0 == ANYWHERE && told[0].1 < 0.6, "{told:?}");
        assert!(told[2] == ("equals".to_string(), 1.0), "{told:?}");
    }

    #[test]
    fn without_units_features_still_tell() {
        let text = text();
        let alone = Active { units: SparseRows::default(), ..active(&text) };

        let all = tell(&alone, &text, 0).unwrap();

        let carry = told_of_carry(&all);
        assert!(carry.unit.is_none() && carry.table.is_none());
        assert_eq!(carry.pair.as_ref().unwrap().f1, 1.0);
        // One feature cannot weigh two inputs; two can.
        assert!(carry.sparse[0].unwrap() < 1.0, "{carry:?}");
        assert_eq!(carry.sparse[1..], [Some(1.0); 2]);
    }
}
