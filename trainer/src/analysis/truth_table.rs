//! What a unit does for every combination of two or three hidden variables that are true or false.
//!
//! ```text
//! left units > 4   right units > 4   rows   fires            mean strength
//! no               no                 412   0.00 [0.00, 0.01]  0.00
//! no               yes                388   0.41 [0.36, 0.46]  0.35
//! yes              no                 401   0.43 [0.38, 0.48]  0.36
//! yes              yes                399   1.00 [0.99, 1.00]  1.92
//! ```

use serde::{Deserialize, Serialize};

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The most variables that a table has.
const MOST: usize = 3;

/// A hidden variable with two values.
#[derive(Clone, Copy, Debug)]
pub struct BinaryVariable<'a> {
    /// What it is, as in `carry`.
    pub name: &'a str,
    /// In each row 0 for false, 1 for true; below 0 it is undefined and the row does not count.
    pub values: &'a [i8],
}

/// What a unit, or a feature, does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthTable {
    /// The variables, in the order of each cell's values.
    pub variables: Vec<String>,
    /// One for each combination of values, counted up like a binary number whose last digit is
    /// the last variable.
    pub cells: Vec<Cell>,
}

/// What a unit does where the variables have certain values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The values of the variables.
    pub values: Vec<bool>,
    /// How many rows have them.
    pub rows: usize,
    /// In how many of these rows the unit fires.
    pub fired: usize,
    /// The mean strength over all these rows, 0 where it does not fire; `None` without rows.
    pub mean_strength: Option<f64>,
    /// The share of rows where it fires; `None` without rows.
    pub rate: Option<f64>,
    /// Where the rate lies with 95 % confidence, see [`wilson`].
    pub interval: [f64; 2],
}

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TruthTableError {
    /// A table has one variable at least and three at most.
    #[error("a truth table has 1 to {MOST} variables, not {0}")]
    Variables(usize),
    /// A variable is not of the same rows as the strengths.
    #[error("truth table: {rows} rows have {values} values of {name:?}")]
    Rows {
        /// The variable.
        name: String,
        /// How many rows there are.
        rows: usize,
        /// How many values it has.
        values: usize,
    },
    /// A variable has more than two values.
    #[error("truth table: {name:?} has the value {value}, only 0 and 1 can be told apart")]
    NotBinary {
        /// The variable.
        name: String,
        /// Its value.
        value: i8,
    },
}

/// The truth table of a unit with these `strengths`, one per row, 0 where it does not fire.
///
/// The intervals take rows as independent: give one row of each line, as those at the equals sign,
/// and not many that lie side by side.
///
/// # Errors
/// The variables are too many or too few, of other rows, or not of two values.
pub fn truth_table(
    strengths: &[f32],
    variables: &[BinaryVariable],
) -> Result<TruthTable, TruthTableError> {
    check(strengths.len(), variables)?;
    let mut tallies = vec![Tally::default(); 1 << variables.len()];
    for (row, strength) in strengths.iter().enumerate() {
        let mut values = variables.iter().map(|variable| usize::try_from(variable.values[row]));
        let place = values.try_fold(0, |place, value| Some(place << 1 | value.ok()?));
        let Some(place) = place else { continue };
        tallies[place].rows += 1;
        tallies[place].fired += usize::from(*strength > 0.0);
        tallies[place].strength += f64::from(*strength);
    }
    let cell = |(place, tally): (usize, &Tally)| {
        let bits = (0..variables.len()).rev();
        tally.cell(bits.map(|bit| place >> bit & 1 == 1).collect())
    };
    let cells = tallies.iter().enumerate().map(cell).collect();
    let variables = variables.iter().map(|variable| variable.name.to_owned()).collect();
    Ok(TruthTable { variables, cells })
}

fn check(rows: usize, variables: &[BinaryVariable]) -> Result<(), TruthTableError> {
    if !(1..=MOST).contains(&variables.len()) {
        return Err(TruthTableError::Variables(variables.len()));
    }
    for BinaryVariable { name, values } in variables {
        let name = name.to_string();
        if values.len() != rows {
            return Err(TruthTableError::Rows { name, rows, values: values.len() });
        }
        if let Some(&value) = values.iter().find(|value| **value > 1) {
            return Err(TruthTableError::NotBinary { name, value });
        }
    }
    Ok(())
}

/// Wilson's score interval for a share at 95 % confidence, when `hits` of `trials` are hits
/// (Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference):
/// `(p + z^2/2n +- z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n)`. All of [0, 1] without trials.
pub fn wilson(hits: usize, trials: usize) -> [f64; 2] {
    if trials == 0 {
        return [0.0, 1.0];
    }
    let count = trials as f64;
    let share = hits as f64 / count;
    let square = Z * Z / count;
    let middle = share + square / 2.0;
    let width = Z * (share * (1.0 - share) / count + square / (4.0 * count)).sqrt();
    // Without hits, or without misses, an end is exactly 0 or 1 but for rounding.
    let low = if hits == 0 { 0.0 } else { (middle - width) / (1.0 + square) };
    let high = if hits == trials { 1.0 } else { (middle + width) / (1.0 + square) };
    [low, high]
}

#[derive(Clone, Default)]
struct Tally {
    rows: usize,
    fired: usize,
    strength: f64,
}

impl Tally {
    fn cell(&self, values: Vec<bool>) -> Cell {
        let mean = |sum: f64| (self.rows > 0).then(|| sum / self.rows as f64);
        Cell {
            values,
            rows: self.rows,
            fired: self.fired,
            mean_strength: mean(self.strength),
            rate: mean(self.fired as f64),
            interval: wilson(self.fired, self.rows),
        }
    }
}

impl TruthTable {
    /// What the mean strength owes to all variables together: the alternating sum over the cells,
    /// plus where as many variables are false as is even. 1 for an AND that fires with strength 1,
    /// -1 for an OR, 0 for one that follows a single variable; `None` if a cell has no rows.
    pub fn interaction(&self) -> Option<f64> {
        let signed = |cell: &Cell| {
            let missing = cell.values.iter().filter(|value| !**value).count();
            Some(if missing % 2 == 0 { cell.mean_strength? } else { -cell.mean_strength? })
        };
        self.cells.iter().map(signed).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable<'a>(name: &'a str, values: &'a [i8]) -> BinaryVariable<'a> {
        BinaryVariable { name, values }
    }

    #[test]
    fn a_table_of_two_variables_by_hand() {
        let left = [0, 0, 1, 1, 1, -1, 1];
        let right = [0, 1, 0, 1, 1, 1, -1];
        let strengths = [0.0, 0.5, 0.0, 2.0, 0.0, 9.0, 9.0];

        let table =
            truth_table(&strengths, &[variable("left", &left), variable("right", &right)]).unwrap();

        let rows: Vec<_> =
            table.cells.iter().map(|cell| (cell.values.clone(), cell.rows, cell.fired)).collect();
        let expected = [
            (vec![false, false], 1, 0),
            (vec![false, true], 1, 1),
            (vec![true, false], 1, 0),
            (vec![true, true], 2, 1),
        ];
        assert_eq!(rows, expected);
        let both = &table.cells[3];
        assert_eq!((both.mean_strength, both.rate), (Some(1.0), Some(0.5)));
        assert_eq!(both.interval, wilson(1, 2));
        assert_eq!(table.interaction(), Some(1.0 - 0.0 - 0.5 + 0.0));
        assert_eq!(table.variables, ["left", "right"]);
    }

    #[test]
    fn interactions_tell_and_or_xor_and_a_single_variable_apart() {
        fn check(strengths: [f32; 4], expected: f64) {
            let variables = [variable("a", &[0, 0, 1, 1]), variable("b", &[0, 1, 0, 1])];
            let table = truth_table(&strengths, &variables).unwrap();
            assert_eq!(table.interaction(), Some(expected), "{strengths:?}");
        }

        check([0.0, 0.0, 0.0, 1.0], 1.0); // and
        check([0.0, 1.0, 1.0, 1.0], -1.0); // or
        check([0.0, 1.0, 1.0, 0.0], -2.0); // exclusive or
        check([0.0, 0.0, 1.0, 1.0], 0.0); // the first
        check([0.0, 1.0, 1.0, 2.0], 0.0); // their sum
    }

    #[test]
    fn three_variables_have_eight_cells_and_a_third_difference() {
        let values = |bit: usize| -> Vec<i8> { (0..8).map(|row| (row >> bit & 1) as i8).collect() };
        let (a, b, c) = (values(2), values(1), values(0));
        let variables = [variable("a", &a), variable("b", &b), variable("c", &c)];
        let mut strengths = [0.0; 8];
        strengths[7] = 1.0;

        let and_of_three = truth_table(&strengths, &variables).unwrap();
        strengths[6] = 1.0;
        let and_of_two = truth_table(&strengths, &variables).unwrap();

        assert_eq!(and_of_three.cells[6].values, [true, true, false]);
        assert_eq!(and_of_three.interaction(), Some(1.0));
        assert_eq!(and_of_two.interaction(), Some(0.0));
    }

    #[test]
    fn a_cell_without_rows_says_nothing() {
        let table = truth_table(&[1.0], &[variable("a", &[1])]).unwrap();

        let empty = &table.cells[0];
        assert_eq!((empty.rate, empty.mean_strength, empty.interval), (None, None, [0.0, 1.0]));
        assert_eq!(table.interaction(), None);
    }

    /// Computed from the formula with 40 digits; `0 of n` is `z^2 / (n + z^2)`, 3.8415 / 13.8415.
    #[test]
    fn wilson_intervals_by_hand() {
        fn check(hits: usize, trials: usize, expected: [f64; 2]) {
            let interval = wilson(hits, trials);
            for (end, expected) in interval.iter().zip(expected) {
                assert!((end - expected).abs() < 1e-9, "{hits} of {trials}: {interval:?}");
            }
            assert_eq!((interval[0] == 0.0, interval[1] == 1.0), (hits == 0, hits == trials));
        }

        check(5, 10, [0.236593090513, 0.763406909487]);
        check(0, 10, [0.0, 0.277532799863]);
        check(10, 10, [0.722467200137, 1.0]);
        check(1, 400, [0.000441447787, 0.014023285076]);
        check(0, 0, [0.0, 1.0]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let two = [0, 2];

        let error = |variables: &[BinaryVariable]| truth_table(&[1.0, 0.0], variables).unwrap_err();
        assert_eq!(error(&[]).to_string(), "a truth table has 1 to 3 variables, not 0");
        assert_eq!(
            error(&[variable("digit", &two)]).to_string(),
            "truth table: \"digit\" has the value 2, only 0 and 1 can be told apart"
        );
        assert_eq!(
            error(&[variable("a", &[0])]).to_string(),
            "truth table: 2 rows have 1 values of \"a\""
        );
    }
}
