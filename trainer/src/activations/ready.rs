//! Rows made ready to learn from: centred and scaled, in memory or on the disk.

use anyhow::Result;
use burn::prelude::*;
use shared::bundle::Normalization;

use crate::data::{RowStore, Rows};

/// How many rows are looked at at once.
const ROWS_AT_ONCE: usize = 8_192;

/// The activations that autoencoders learn from, centred and scaled.
#[derive(Debug)]
pub struct ReadyRows {
    /// To train on, in memory or in a file: the same numbers.
    pub train: Box<dyn RowStore>,
    /// To choose a learning rate on.
    pub selection: Rows,
    /// How they were made ready.
    pub normalization: Normalization,
    /// Where they are computed with.
    pub device: Device,
}

/// The mean of rows, and the scale that gives their entries a mean square of 1.
pub(super) fn normalization(rows: &dyn RowStore) -> Result<Normalization> {
    let count = rows.count().max(1) as f64;
    let mut mean = vec![0.0_f64; rows.width()];
    for block in rows.blocks(ROWS_AT_ONCE) {
        for row in block?.chunks_exact(rows.width().max(1)) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / count);
        }
    }
    let mean: Vec<f32> = mean.iter().map(|value| *value as f32).collect();
    let square = |row: &[f32]| -> f64 {
        row.iter().zip(&mean).map(|(value, mean)| f64::from(value - mean).powi(2)).sum()
    };
    let mut squares = 0.0;
    for block in rows.blocks(ROWS_AT_ONCE) {
        block?.chunks_exact(rows.width().max(1)).for_each(|row| squares += square(row));
    }
    let scale = (count * rows.width() as f64 / squares.max(1e-30)).sqrt();
    Ok(Normalization { mean, scale: scale as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random;

    #[test]
    fn scaled_rows_have_mean_zero_and_mean_square_one() {
        let mut stream = random::stream(1, "test");
        let values = random::normal(&mut stream, 3 * (ROWS_AT_ONCE + 10), 2.5);
        let rows = Rows { values: values.iter().map(|value| value + 1.0).collect(), width: 3 };

        let normalization = normalization(&rows).unwrap();

        assert!((normalization.scale - 0.4).abs() < 0.01, "{}", normalization.scale);
        let scaled = rows.scaled(&normalization);
        for column in 0..3 {
            let mean: f32 = scaled.iter().map(|row| row[column]).sum::<f32>() / scaled.len() as f32;
            assert!(mean.abs() < 1e-3, "{mean}");
        }
        let square: f32 = scaled.values.iter().map(|value| value * value).sum();
        assert!((square / scaled.values.len() as f32 - 1.0).abs() < 1e-3, "{square}");
    }
}
