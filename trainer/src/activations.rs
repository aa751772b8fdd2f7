//! What the language model computes while it reads: rows of one layer, recorded once.
//!
//! A text is read in windows of one block, each half a block after the one before; the rows of a
//! window's second half count, because they have at least half a block of context.

use anyhow::{Context, Result};
use burn::prelude::*;
use rand::seq::SliceRandom;
use shared::CharLm;
use shared::bundle::Normalization;
use shared::random;
use shared::weights::{Weight, Weights, to_vec};

use crate::data::{Batch, Rows, Windows};
use crate::interrupt;
use crate::train::lm::ids;

/// How many windows the model reads at once.
const WINDOWS_AT_ONCE: usize = 64;

/// Rows of one layer, as the language model computes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// To train on.
    pub train: Rows,
    /// To choose a learning rate on, from other places of the training text.
    pub selection: Rows,
}

/// How many rows to record.
#[derive(Clone, Copy, Debug)]
pub struct RowCounts {
    /// To train on.
    pub train: usize,
    /// To choose a learning rate on.
    pub selection: usize,
}

/// Records what `read` makes of random places of the training text: [`stream`], [`perceptron`].
///
/// A text with fewer places gives fewer rows, nine tenths of them to train on.
///
/// # Errors
/// The user stops it.
pub fn record(
    read: &dyn Fn(&Batch) -> Tensor<3>,
    text: &[u32],
    windows: Windows,
    counts: RowCounts,
    seed: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<Recorded> {
    let in_window = windows.counted(0).len();
    let mut starts = windows.starts(text.len());
    starts.shuffle(&mut random::stream(seed, "windows to record"));
    let selection = counts.selection.div_ceil(in_window).min(starts.len() / 10);
    let train = counts.train.div_ceil(in_window).min(starts.len() - selection);
    starts.truncate(train + selection);

    let mut train_rows = vec![];
    let mut done = 0;
    for starts in starts.chunks(WINDOWS_AT_ONCE) {
        interrupt::check()?;
        let read = read(&Batch::of(text, starts, windows.block_size));
        train_rows.extend(to_vec(counted(read, windows)));
        done += starts.len();
        progress((done * in_window).min(counts.train));
    }
    let d_model = train_rows.len() / (done * in_window).max(1);
    let mut selected = train_rows.split_off(train * in_window * d_model);
    selected.truncate(counts.selection * d_model);
    train_rows.truncate(counts.train * d_model);
    let rows = |values| Rows { values, width: d_model };
    Ok(Recorded { train: rows(train_rows), selection: rows(selected) })
}

/// Reads a text in order from its beginning on, until `rows` rows count or it ends: `[rows, width]`.
///
/// # Errors
/// The user stops it.
pub fn in_order(
    read: &dyn Fn(&Batch) -> Tensor<3>,
    text: &[u32],
    windows: Windows,
    rows: usize,
) -> Result<Rows> {
    let mut starts = windows.starts(text.len());
    starts.truncate(rows.div_ceil(windows.counted(0).len()).max(1));
    let mut all = Rows { values: vec![], width: 0 };
    for starts in starts.chunks(WINDOWS_AT_ONCE) {
        interrupt::check()?;
        let rows = counted(read(&Batch::of(text, starts, windows.block_size)), windows);
        [_, all.width] = rows.dims();
        all.values.extend(to_vec(rows));
    }
    Ok(all)
}

/// The residual stream after block `layer` for a batch: `[batch_size, block_size, d_model]`.
pub fn stream(lm: &CharLm, layer: usize, batch: &Batch) -> Tensor<3> {
    lm.activations(of_batch(lm, batch), layer)
}

/// What the perceptron of block `layer` reads, then what it adds to the stream:
/// `[batch_size, block_size, 2 * d_model]`.
pub fn perceptron(lm: &CharLm, layer: usize, batch: &Batch) -> Tensor<3> {
    Tensor::cat(lm.perceptron(of_batch(lm, batch), layer).into(), 2)
}

fn of_batch(lm: &CharLm, batch: &Batch) -> Tensor<2, Int> {
    let device = lm.token_embedding.val().device();
    ids(&batch.inputs, [batch.batch_size, batch.block_size], &device)
}

/// The rows of a batch that count: `[batch_size * counted, d_model]`.
pub fn counted(stream: Tensor<3>, windows: Windows) -> Tensor<2> {
    let [batch, _, d_model] = stream.dims();
    let range = windows.counted(0);
    let length = range.len();
    stream.narrow(1, range.start, length).reshape([batch * length, d_model])
}

impl Recorded {
    /// The mean of the training rows, and the scale that gives their entries a mean square of 1.
    pub fn normalization(&self) -> Normalization {
        let rows = self.train.len().max(1) as f64;
        let mut mean = vec![0.0_f64; self.train.width];
        for row in self.train.iter() {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / rows);
        }
        let mean: Vec<f32> = mean.iter().map(|value| *value as f32).collect();
        let square = |row: &[f32]| -> f64 {
            row.iter().zip(&mean).map(|(value, mean)| f64::from(value - mean).powi(2)).sum()
        };
        let squares: f64 = self.train.iter().map(square).sum();
        let scale = (rows * self.train.width as f64 / squares.max(1e-30)).sqrt();
        Normalization { mean, scale: scale as f32 }
    }

    /// The rows centred and scaled.
    pub fn scaled(mut self, by: &Normalization) -> Self {
        for rows in [&mut self.train, &mut self.selection] {
            let means = by.mean.iter().cycle();
            rows.values
                .iter_mut()
                .zip(means)
                .for_each(|(value, mean)| *value = (*value - mean) * by.scale);
        }
        self
    }

    /// The rows as tensors by name, for the cache.
    pub fn into_weights(self) -> Weights {
        let weight =
            |rows: Rows| Weight { shape: vec![rows.len(), rows.width], values: rows.values };
        let (train, selection) = (weight(self.train), weight(self.selection));
        [("train".to_string(), train), ("selection".to_string(), selection)].into()
    }

    /// The rows out of the cache.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn from_weights(mut weights: Weights) -> Result<Self> {
        let mut take = |name: &str| {
            let weight = weights.remove(name).with_context(|| format!("no tensor {name:?}"))?;
            let [_, width] = weight.shape[..] else {
                anyhow::bail!("tensor {name:?} is not a matrix");
            };
            Ok(Rows { values: weight.values, width })
        };
        let (train, selection) = (take("train")?, take("selection")?);
        let same = train.width == selection.width && train.width > 0;
        anyhow::ensure!(same, "rows of different widths");
        Ok(Self { train, selection })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::CharLmConfig;

    fn lm() -> CharLm {
        CharLmConfig::new(5)
            .with_n_layers(1)
            .with_n_heads(2)
            .with_d_model(4)
            .with_block_size(4)
            .init(1, &Device::flex())
    }

    fn recorded(train: usize, selection: usize) -> Recorded {
        let text: Vec<u32> = (0..200).map(|i| (i * i % 5) as u32).collect();
        let counts = RowCounts { train, selection };
        let lm = lm();
        record(
            &|batch| stream(&lm, 1, batch),
            &text,
            Windows { block_size: 4 },
            counts,
            1,
            &mut |_| {},
        )
        .unwrap()
    }

    #[test]
    fn as_many_rows_are_recorded_as_were_asked_for() {
        let recorded = recorded(51, 7);

        assert_eq!((recorded.train.width, recorded.train.len()), (4, 51));
        assert_eq!(recorded.selection.len(), 7);
    }

    #[test]
    fn a_short_text_gives_what_it_has() {
        let recorded = recorded(10_000, 10_000);

        // 98 windows of two rows each: 9 to select on, 89 to train on.
        assert_eq!(recorded.train.len(), 89 * 2);
        assert_eq!(recorded.selection.len(), 9 * 2);
    }

    #[test]
    fn scaled_rows_have_mean_zero_and_mean_square_one() {
        let recorded = recorded(60, 6);

        let normalization = recorded.normalization();
        let rows = recorded.scaled(&normalization).train;

        let scaled: Tensor<2> = Tensor::cat(rows.blocks(50, &Device::flex()).collect(), 0);
        let mean = to_vec(scaled.clone().mean_dim(0));
        assert!(mean.iter().all(|value| value.abs() < 1e-5), "{mean:?}");
        assert!((scaled.square().mean().into_scalar::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn rows_come_back_from_the_cache() {
        let recorded = recorded(20, 4);

        assert_eq!(Recorded::from_weights(recorded.clone().into_weights()).unwrap(), recorded);
        assert!(Recorded::from_weights(Weights::new()).is_err());
    }
}
