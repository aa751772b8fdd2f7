//! k-sparse probing: how well the few features that differ most tell one value of a hidden
//! variable from the others, weighed by logistic regression (Gurnee and others, Finding Neurons in
//! a Haystack, 2023; the choice of features as in SAEBench).

use serde::{Deserialize, Serialize};

use super::probing::{ProbeError, ProbeRows};

/// The strength of the ridge, that of scikit-learn's `LogisticRegression` by default (`C = 1`), on
/// columns of standard deviation 1. The intercept is free.
const RIDGE: f64 = 1.0;
const MOST_STEPS: usize = 100;

/// A logistic probe, judged on other rows than it was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SparseProbe {
    /// The columns, the one that differs most first.
    pub columns: Vec<u32>,
    /// The weight of each, per unit of strength.
    pub weights: Vec<f64>,
    /// What is said where all are silent, as log odds.
    pub intercept: f64,
    /// The share of right answers, the mean over positives and negatives: 0.5 by chance. `None`
    /// if there are no rows of one kind.
    pub balanced_accuracy: Option<f64>,
    /// F1 of the positives, as in [`probe`](super::probing::probe).
    pub f1: f64,
}

/// Tells `value` from all others by the `k` columns with the largest absolute difference of means;
/// fitted on `train`, judged on `test`. Fewer columns are used if fewer are ever active.
///
/// # Errors
/// There are not as many values as rows.
pub fn sparse_probe(
    train: ProbeRows,
    test: ProbeRows,
    value: i8,
    k: usize,
) -> Result<SparseProbe, ProbeError> {
    train.check()?;
    test.check()?;
    let chosen = Chosen::new(train, value, k);
    let fit = fit(&chosen.table(train, value), chosen.columns.len(), RIDGE);
    let (intercept, slopes) = fit.split_last().map_or((0.0, &[][..]), |(last, rest)| (*last, rest));
    let mut right = [0_usize; 2];
    let mut all = [0_usize; 2];
    for (entries, positive) in chosen.table(test, value) {
        let yes = odds(&fit, &entries) > 0.0;
        all[usize::from(positive)] += 1;
        right[usize::from(positive)] += usize::from(yes == positive);
    }
    let [negatives, positives] = all;
    let share = |kind: usize| right[kind] as f64 / all[kind] as f64;
    let yeses = right[1] + negatives - right[0];
    Ok(SparseProbe {
        weights: slopes.iter().zip(&chosen.scales).map(|(slope, scale)| slope * scale).collect(),
        columns: chosen.columns,
        intercept,
        balanced_accuracy: (negatives.min(positives) > 0).then(|| (share(0) + share(1)) / 2.0),
        f1: super::probing::f1(right[1], yeses, positives),
    })
}

/// The `k` columns whose means differ most between one of a variable's `values` and all others, the best
/// of each value first.
///
/// # Errors
/// There are not as many values as rows.
pub fn most_different(rows: ProbeRows, values: usize, k: usize) -> Result<Vec<u32>, ProbeError> {
    rows.check()?;
    // A value that no row has, or every row, differs from no other.
    let is_told = |value: &i8| {
        rows.values.contains(value) && rows.values.iter().any(|it| *it >= 0 && it != value)
    };
    let told = (0..values as i8).filter(is_told);
    let of_values: Vec<Vec<u32>> = told.map(|value| Chosen::new(rows, value, k).columns).collect();
    let mut all: Vec<u32> = vec![];
    for rank in 0..k {
        for column in of_values.iter().filter_map(|columns| columns.get(rank)) {
            if !all.contains(column) {
                all.push(*column);
            }
        }
    }
    all.truncate(k);
    Ok(all)
}

/// The columns of a probe, and what makes their standard deviation 1.
struct Chosen {
    columns: Vec<u32>,
    scales: Vec<f64>,
}

/// A row: `(place of the column among the chosen, scaled strength)`, and whether it is positive.
type ScaledRow = (Vec<(usize, f64)>, bool);

impl Chosen {
    fn new(rows: ProbeRows, value: i8, k: usize) -> Self {
        let width = rows.columns.largest_id().map_or(0, |largest| largest + 1);
        // Sums over negatives and positives, and of squares.
        let mut sums = vec![[0.0_f64; 3]; width];
        let mut counts = [0.0_f64; 2];
        for (row, other) in rows.values.iter().enumerate().filter(|(_, other)| **other >= 0) {
            let kind = usize::from(*other == value);
            counts[kind] += 1.0;
            for (column, strength) in rows.columns.entries_of(row) {
                sums[column][kind] += f64::from(strength);
                sums[column][2] += f64::from(strength).powi(2);
            }
        }
        let mean = |sum: f64, count: f64| sum / count.max(1.0);
        let difference =
            |sums: &[f64; 3]| (mean(sums[1], counts[1]) - mean(sums[0], counts[0])).abs();
        let deviation = |sums: &[f64; 3]| {
            let count = counts[0] + counts[1];
            (mean(sums[2], count) - mean(sums[0] + sums[1], count).powi(2)).max(0.0).sqrt()
        };
        // A column that is the same in all rows tells nothing.
        let mut order: Vec<usize> =
            (0..width).filter(|column| deviation(&sums[*column]) > 1e-9).collect();
        order.sort_by(|&one, &other| difference(&sums[other]).total_cmp(&difference(&sums[one])));
        order.truncate(k);
        let scales = order.iter().map(|column| 1.0 / deviation(&sums[*column])).collect();
        Self { columns: order.into_iter().map(|column| column as u32).collect(), scales }
    }

    /// The rows that count, by the chosen columns.
    fn table(&self, rows: ProbeRows, value: i8) -> Vec<ScaledRow> {
        let counts = rows.values.iter().enumerate().filter(|(_, other)| **other >= 0);
        let row = |(row, other): (usize, &i8)| {
            let columns = self.columns.iter().zip(&self.scales).enumerate();
            let entries = columns.filter_map(|(place, (column, scale))| {
                let strength = rows.columns.value(row, *column as usize)?;
                Some((place, f64::from(strength) * scale))
            });
            (entries.collect(), *other == value)
        };
        counts.map(row).collect()
    }
}

/// The log odds of a row; the last weight is the intercept.
fn odds(weights: &[f64], entries: &[(usize, f64)]) -> f64 {
    let intercept = weights.last().copied().unwrap_or(0.0);
    intercept + entries.iter().map(|(place, strength)| weights[*place] * strength).sum::<f64>()
}

/// Minimises `sum log(1 + exp(-y odds)) + ridge / 2 |slopes|^2` by Newton's method with halved
/// steps; slopes, then the intercept.
fn fit(rows: &[ScaledRow], width: usize, ridge: f64) -> Vec<f64> {
    let mut weights = vec![0.0; width + 1];
    let mut loss = loss_of(rows, &weights, ridge);
    for _ in 0..MOST_STEPS {
        let step = newton_step(rows, &weights, ridge);
        let halved = (0..30).map(|times| 0.5_f64.powi(times)).find_map(|pace| {
            let moved: Vec<f64> =
                weights.iter().zip(&step).map(|(weight, step)| weight - pace * step).collect();
            let lower = loss_of(rows, &moved, ridge);
            (lower < loss).then_some((moved, lower))
        });
        let Some((moved, lower)) = halved else { break };
        let gained = loss - lower;
        (weights, loss) = (moved, lower);
        if gained < 1e-12 * loss.max(1e-12) {
            break;
        }
    }
    weights
}

fn loss_of(rows: &[ScaledRow], weights: &[f64], ridge: f64) -> f64 {
    let error = |(entries, positive): &ScaledRow| {
        let odds = odds(weights, entries);
        let against = if *positive { -odds } else { odds };
        against.max(0.0) + (-against.abs()).exp().ln_1p()
    };
    let slopes = &weights[..weights.len() - 1];
    rows.iter().map(error).sum::<f64>()
        + ridge / 2.0 * slopes.iter().map(|slope| slope * slope).sum::<f64>()
}

/// The gradient divided by the Hessian.
fn newton_step(rows: &[ScaledRow], weights: &[f64], ridge: f64) -> Vec<f64> {
    let width = weights.len();
    let mut gradient = vec![0.0; width];
    // So small that it keeps nothing but a singular Hessian from being one.
    let mut hessian: Vec<Vec<f64>> = (0..width)
        .map(|row| (0..width).map(|column| if row == column { 1e-9 } else { 0.0 }).collect())
        .collect();
    for place in 0..width - 1 {
        gradient[place] = ridge * weights[place];
        hessian[place][place] += ridge;
    }
    for (entries, positive) in rows {
        let share = 1.0 / (1.0 + (-odds(weights, entries)).exp());
        let error = share - f64::from(u8::from(*positive));
        let all = || entries.iter().copied().chain([(width - 1, 1.0)]);
        for (one, strength) in all() {
            gradient[one] += error * strength;
            for (other, by) in all() {
                hessian[one][other] += share * (1.0 - share) * strength * by;
            }
        }
    }
    solved(hessian, gradient)
}

/// Solves a positive definite system by elimination.
fn solved(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let width = right.len();
    for pivot in 0..width {
        for row in pivot + 1..width {
            let times = matrix[row][pivot] / matrix[pivot][pivot];
            let (above, below) = matrix.split_at_mut(row);
            for column in pivot..width {
                below[0][column] -= times * above[pivot][column];
            }
            right[row] -= times * right[pivot];
        }
    }
    for row in (0..width).rev() {
        let known: f64 = (row + 1..width).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::super::screening::sparse::SparseRows;
    use super::*;

    fn rows(rows: &[&[(u32, f32)]]) -> SparseRows {
        let mut sparse = SparseRows::default();
        rows.iter().for_each(|row| sparse.push(row.iter().copied()));
        sparse
    }

    #[test]
    fn without_a_ridge_the_weights_are_log_odds() {
        // Silent: 1 of 4 positive. Active: 2 of 3.
        let mut table: Vec<ScaledRow> = (0..4).map(|row| (vec![], row < 1)).collect();
        table.extend((0..3).map(|row| (vec![(0, 1.0)], row < 2)));

        let fit = fit(&table, 1, 0.0);

        assert!((fit[1] - (1.0_f64 / 3.0).ln()).abs() < 1e-6);
        assert!((fit[0] - (2.0_f64.ln() - (1.0_f64 / 3.0).ln())).abs() < 1e-6);
    }

    #[test]
    fn at_the_optimum_errors_and_ridge_are_in_balance() {
        let table: Vec<ScaledRow> = (0..40_usize)
            .map(|row| {
                let entries = [(0, (row % 7) as f64), (1, (row % 3) as f64)];
                (entries.to_vec(), row % 7 > 3 || row % 5 == 0)
            })
            .collect();

        let fit = fit(&table, 2, RIDGE);

        let mut gradient = [RIDGE * fit[0], RIDGE * fit[1], 0.0];
        for (entries, positive) in &table {
            let error = 1.0 / (1.0 + (-odds(&fit, entries)).exp()) - f64::from(u8::from(*positive));
            entries.iter().for_each(|(place, strength)| gradient[*place] += error * strength);
            gradient[2] += error;
        }
        assert!(gradient.iter().all(|part| part.abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn rows_that_can_be_told_apart_have_finite_weights() {
        let table: Vec<ScaledRow> =
            (0..20).map(|row| (vec![(0, f64::from(row))], row > 9)).collect();

        let fit = fit(&table, 1, RIDGE);

        assert!(fit.iter().all(|weight| weight.is_finite() && weight.abs() < 100.0), "{fit:?}");
    }

    #[test]
    fn the_columns_that_differ_most_are_chosen_and_judged_on_other_rows() {
        let train = rows(&[
            &[(0, 1.0), (1, 3.0), (2, 5.0)],
            &[(0, 1.0), (1, 2.0), (2, 5.0)],
            &[(2, 5.0), (3, 1.0)],
            &[(2, 5.0)],
            &[(7, 100.0)],
        ]);
        let test = rows(&[&[(1, 2.0), (0, 1.0)], &[], &[(1, 3.0), (0, 1.0)], &[], &[]]);
        let train = ProbeRows { columns: &train, values: &[1, 1, 0, 0, -1] };
        let test = ProbeRows { columns: &test, values: &[1, 0, 0, 0, 1] };

        let probe = sparse_probe(train, test, 1, 2).unwrap();

        // The means of column 1 differ by 2.5, of 0 by 1, of 3 by 0.5; 2 is the same everywhere.
        assert_eq!(probe.columns, [1, 0]);
        assert!(probe.weights.iter().all(|weight| *weight > 0.0), "{:?}", probe.weights);
        // One of two positives, two of three negatives.
        assert!((probe.balanced_accuracy.unwrap() - (0.5 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert!((probe.f1 - 0.5).abs() < 1e-12);
        assert_eq!(sparse_probe(train, test, 1, 9).unwrap().columns, [1, 0, 3]);
        assert_eq!(sparse_probe(train, test, 5, 1).unwrap().balanced_accuracy, None);
    }
}
