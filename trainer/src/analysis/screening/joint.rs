//! One ridge regression for everything that the residuals can be explained by.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rayon::prelude::*;

use super::sparse::{Column, SparseRows};
use super::{Bench, ScreeningError, add, dot};

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
    /// Regresses the residuals on the features' strengths and the combinations' together:
    /// `B = (Z'Z + ridge diag Z'Z)^-1 Z'E`.
    pub(super) fn fit(&self, found: &[Vec<usize>]) -> Result<Fit, ScreeningError> {
        let width = self.evidence.d_model;
        let firings: Vec<Column> = found.par_iter().map(|parts| self.firing(parts)).collect();
        let columns = [self.columns.as_slice(), &firings].concat();
        let rows = SparseRows::from_columns(&columns, self.evidence.codes.len());
        let (gram, target) = self.products(&columns, &rows);
        let count = columns.len();
        let factor = gram.llt(Side::Lower).map_err(|_| ScreeningError::NotFinite)?;
        let solution = factor.solve(&target); // [columns, d_model]
        let inverse = factor.solve(Mat::<f64>::identity(count, count));
        let mut coefficients = Vec::with_capacity(count * width);
        for column in 0..count {
            coefficients.extend((0..width).map(|place| solution[(column, place)] as f32));
        }
        let (residuals, noise) = self.leave(&rows, &coefficients);
        let effects = coefficients.split_off(self.n_features * width);
        let gains = (0..found.len()).map(|place| {
            let effect = self.outside(&effects[place * width..][..width], &found[place]);
            let column = self.n_features + place;
            f64::from(dot(&effect, &effect)) / inverse[(column, column)]
        });
        let gains: Vec<f64> = gains.collect();
        match noise.is_finite() && gains.iter().all(|gain| gain.is_finite()) {
            true => Ok(Fit { residuals, noise, firings, gains, effects, d_model: width }),
            false => Err(ScreeningError::NotFinite),
        }
    }

    /// `Z'Z` with its ridge, `[columns, columns]`, and `Z'E`, `[columns, d_model]`. Each column
    /// sums over its own rows in their order, so the sums do not depend on the threads.
    fn products(&self, columns: &[Column], rows: &SparseRows) -> (Mat<f64>, Mat<f64>) {
        let width = self.evidence.d_model;
        let count = columns.len();
        let sums: Vec<(Vec<f64>, Vec<f64>)> = columns
            .par_iter()
            .map(|column| {
                let (mut products, mut target) = (vec![0.0_f64; count], vec![0.0_f64; width]);
                for &(row, own) in column {
                    for (other, strength) in rows.entries_of(row as usize) {
                        products[other] += f64::from(own * strength);
                    }
                    let residual = &self.evidence.residuals[row as usize * width..][..width];
                    let each = target.iter_mut().zip(residual);
                    each.for_each(|(sum, value)| *sum += f64::from(own * value));
                }
                (products, target)
            })
            .collect();
        let ridge = self.config.ridge.max(1e-9);
        let gram = Mat::from_fn(count, count, |row, column| {
            let product = sums[row].0[column];
            // A column that is never active is its own ridge.
            if row == column { product * (1.0 + ridge) + 1e-9 } else { product }
        });
        let target = Mat::from_fn(count, width, |row, column| sums[row].1[column]);
        (gram, target)
    }

    /// What the coefficients leave of the residuals, and the mean energy of a row of it.
    fn leave(&self, rows: &SparseRows, coefficients: &[f32]) -> (Vec<f32>, f64) {
        let width = self.evidence.d_model;
        let mut residuals = self.evidence.residuals.to_vec();
        let energies: Vec<f64> = residuals
            .par_chunks_exact_mut(width)
            .enumerate()
            .map(|(row, residual)| {
                for (column, strength) in rows.entries_of(row) {
                    add(residual, -strength, &coefficients[column * width..][..width]);
                }
                f64::from(dot(residual, residual))
            })
            .collect();
        let noise = energies.iter().sum::<f64>() / energies.len().max(1) as f64;
        (residuals, noise)
    }
}
