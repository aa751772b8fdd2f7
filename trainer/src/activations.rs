//! What the language model computes while it reads: rows of one layer, recorded once.
//!
//! A text is read in windows of one block, each half a block after the one before; the rows of a
//! window's second half count, because they have at least half a block of context.

mod ready;
mod recorded_file;
mod recording;

use anyhow::Result;
use burn::prelude::*;
use shared::CharLm;
use shared::weights::to_vec;

use crate::data::{Batch, Rows, Windows};
use crate::interrupt;
use crate::train::lm::ids;

pub use ready::ReadyRows;
pub use recorded_file::RecordedFile;
pub use recording::{Recording, RowCounts};

/// How many windows the model reads at once.
const WINDOWS_AT_ONCE: usize = 64;

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
