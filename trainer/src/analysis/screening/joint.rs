//! One ridge regression for everything that the residuals can be explained by.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rayon::prelude::*;

use super::sparse::{Column, SparseRows};
use super::{Bench, ScreeningError, add, dot};

/// Steps of a regression. The projection takes a tenth or so of an effect away, so each step leaves
/// a tenth of the error.
const STEPS: usize = 2;

/// All combinations fitted together, and what they leave.
///
/// Every feature takes part with a correction of its own, so that what a feature does alone is
/// nobody's effect: rules swell the mean residual of their parts, and a dictionary is never exact.
pub(super) struct Fit {
    /// What is left: `[rows, d_model]`.
    pub residuals: Vec<f32>,
    /// The mean energy of a row that is left.
    pub noise: f64,
    /// The rows and strengths of each combination.
    pub firings: Vec<Column>,
    /// By how much the squared error would rise without each combination:
    /// `|v_r|^2 / (Z'Z + ridge)^-1_rr`.
    pub gains: Vec<f64>,
    /// How long each effect is, freed of what noise adds: `|v_r| sqrt(1 - E|e|^2 / gain)`.
    pub lengths: Vec<f64>,
    /// The coefficients of the combinations: `[combinations, d_model]`.
    effects: Vec<f32>,
    d_model: usize,
}

impl Fit {
    /// The effect of one combination at strength 1.
    pub(super) fn effect(&self, place: usize) -> &[f32] {
        &self.effects[place * self.d_model..][..self.d_model]
    }

    /// The residual of one row.
    pub(super) fn residual(&self, row: u32) -> &[f32] {
        &self.residuals[row as usize * self.d_model..][..self.d_model]
    }
}

impl Bench<'_> {
    /// Regresses the residuals on the features' strengths and the combinations' together.
    ///
    /// On a row with the active features S a combination shows only where they cannot say it:
    /// `e = (I - P_S) B'z`. Each step adds `(Z'Z + ridge diag Z'Z)^-1 Z'(e - (I - P_S) B'z)` to B.
    pub(super) fn fit(&self, found: &[Vec<usize>]) -> Result<Fit, ScreeningError> {
        let width = self.evidence.d_model;
        let firings: Vec<Column> = found.par_iter().map(|parts| self.firing(parts)).collect();
        let columns = [self.columns.as_slice(), &firings].concat();
        let rows = SparseRows::from_columns(&columns, self.evidence.codes.len());
        let count = columns.len();
        let factor =
            self.gram(&columns, &rows).llt(Side::Lower).map_err(|_| ScreeningError::NotFinite)?;
        let mut coefficients = vec![0.0; count * width];
        let (mut residuals, mut noise) = (self.residuals.clone(), 0.0);
        for _ in 0..STEPS {
            let step = factor.solve(&self.target(&columns, &residuals)); // [columns, d_model]
            for (place, coefficient) in coefficients.iter_mut().enumerate() {
                *coefficient += step[(place / width, place % width)] as f32;
            }
            (residuals, noise) = self.leave(&rows, &coefficients);
        }
        let inverse = factor.solve(Mat::<f64>::identity(count, count));
        let effects = coefficients.split_off(self.n_features * width);
        let (mut gains, mut lengths) = (Vec::new(), Vec::new());
        for (place, parts) in found.iter().enumerate() {
            let effect = self.outside(&effects[place * width..][..width], parts);
            let square = f64::from(dot(&effect, &effect));
            let column = self.n_features + place;
            let gain = square / inverse[(column, column)];
            gains.push(gain);
            lengths.push((square * (1.0 - (noise / gain).min(1.0))).sqrt());
        }
        match noise.is_finite() && gains.iter().all(|gain| gain.is_finite()) {
            true => Ok(Fit { residuals, noise, firings, gains, lengths, effects, d_model: width }),
            false => Err(ScreeningError::NotFinite),
        }
    }

    /// `Z'Z` with its ridge, `[columns, columns]`. Each column sums over its own rows in their
    /// order, so the sums do not depend on the threads.
    fn gram(&self, columns: &[Column], rows: &SparseRows) -> Mat<f64> {
        let products = |column: &Column| {
            let mut products = vec![0.0_f64; columns.len()];
            for &(row, own) in column {
                for (other, strength) in rows.entries_of(row as usize) {
                    products[other] += f64::from(own * strength);
                }
            }
            products
        };
        let sums: Vec<Vec<f64>> = columns.par_iter().map(products).collect();
        let ridge = self.config.ridge.max(1e-9);
        Mat::from_fn(columns.len(), columns.len(), |row, column| {
            let product = sums[row][column];
            // A column that is never active is its own ridge.
            if row == column { product * (1.0 + ridge) + 1e-9 } else { product }
        })
    }

    /// `Z'E`, `[columns, d_model]`, summed as in [`gram`](Self::gram).
    fn target(&self, columns: &[Column], residuals: &[f32]) -> Mat<f64> {
        let width = self.evidence.d_model;
        let sum = |column: &Column| {
            let mut sum = vec![0.0_f64; width];
            for &(row, own) in column {
                let residual = &residuals[row as usize * width..][..width];
                let each = sum.iter_mut().zip(residual);
                each.for_each(|(sum, value)| *sum += f64::from(own * value));
            }
            sum
        };
        let sums: Vec<Vec<f64>> = columns.par_iter().map(sum).collect();
        Mat::from_fn(columns.len(), width, |row, column| sums[row][column])
    }

    /// What the coefficients leave of the residuals, and the mean energy of a row of it.
    fn leave(&self, rows: &SparseRows, coefficients: &[f32]) -> (Vec<f32>, f64) {
        let width = self.evidence.d_model;
        let mut residuals = self.residuals.clone();
        let energies: Vec<f64> = residuals
            .par_chunks_exact_mut(width)
            .enumerate()
            .map(|(row, residual)| {
                let mut explained = vec![0.0; width];
                for (column, strength) in rows.entries_of(row) {
                    add(&mut explained, strength, &coefficients[column * width..][..width]);
                }
                self.projection.clear_row(self.evidence.codes, row, &mut explained);
                add(residual, -1.0, &explained);
                f64::from(dot(residual, residual))
            })
            .collect();
        let noise = energies.iter().sum::<f64>() / energies.len().max(1) as f64;
        (residuals, noise)
    }
}
