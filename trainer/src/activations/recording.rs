//! Recording rows: which places of a text are read, and what of them is kept.

use std::fmt;
use std::ops::Range;

use anyhow::Result;
use burn::prelude::*;
use rand::seq::SliceRandom;
use shared::random;
use shared::weights::to_vec;

use super::{WINDOWS_AT_ONCE, counted};
use crate::data::{Batch, RowStore, Rows, Windows};
use crate::interrupt;

/// How many rows to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCounts {
    /// To train on.
    pub train: usize,
    /// To choose a learning rate on, from other places of the training text.
    pub selection: usize,
}

/// What a model makes of random places of a text.
pub struct Recording<'a> {
    /// What of it: [`stream`](super::stream), [`perceptron`](super::perceptron).
    pub read: &'a dyn Fn(&Batch) -> Tensor<3>,
    /// The training text.
    pub text: &'a [u32],
    /// In which windows it is read.
    pub windows: Windows,
    /// How many rows are asked for.
    pub counts: RowCounts,
    /// Of the places.
    pub seed: u64,
}

impl Recording<'_> {
    /// How many rows there are: a text with fewer places than asked for gives fewer, nine tenths of
    /// them to train on.
    pub fn counts(&self) -> RowCounts {
        let [train, selection] = self.kept().map(|rows| rows.len());
        RowCounts { train, selection }
    }

    /// Hands on the rows block by block: all to train on, then all to choose a learning rate on.
    ///
    /// # Errors
    /// The user stops it, or `keep` cannot go on.
    pub fn run(&self, keep: &mut dyn FnMut(Rows) -> Result<()>) -> Result<()> {
        let mut starts = self.windows.starts(self.text.len());
        starts.shuffle(&mut random::stream(self.seed, "windows to record"));
        let [train, selection] = self.window_counts();
        starts.truncate(train + selection);
        let mut first = 0;
        for starts in starts.chunks(WINDOWS_AT_ONCE) {
            interrupt::check()?;
            let read = (self.read)(&Batch::of(self.text, starts, self.windows.block_size));
            let block = counted(read, self.windows);
            let [count, width] = block.dims();
            let block = Rows { values: to_vec(block), width };
            for kept in self.kept() {
                let here = kept.start.max(first)..kept.end.min(first + count);
                if !here.is_empty() {
                    keep(block.span(here.start - first..here.end - first)?)?;
                }
            }
            first += count;
        }
        Ok(())
    }

    /// All rows in memory, those to train on first.
    ///
    /// # Errors
    /// The user stops it.
    pub fn in_memory(&self) -> Result<Rows> {
        let mut all = Rows::default();
        self.run(&mut |block| {
            all.width = block.width;
            all.values.extend(block.values);
            Ok(())
        })?;
        Ok(all)
    }

    /// How many windows are read: to train on, and to choose a learning rate on.
    fn window_counts(&self) -> [usize; 2] {
        let in_window = self.windows.counted(0).len();
        let all = self.windows.starts(self.text.len()).len();
        let selection = self.counts.selection.div_ceil(in_window).min(all / 10);
        [self.counts.train.div_ceil(in_window).min(all - selection), selection]
    }

    /// Which rows of these windows are kept: to train on, and to choose a learning rate on.
    fn kept(&self) -> [Range<usize>; 2] {
        let in_window = self.windows.counted(0).len();
        let [train, selection] = self.window_counts().map(|windows| windows * in_window);
        let selected = self.counts.selection.min(selection);
        [0..self.counts.train.min(train), train..train + selected]
    }
}

impl fmt::Debug for Recording<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (counts, seed) = (self.counts, self.seed);
        f.debug_struct("Recording").field("counts", &counts).field("seed", &seed).finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::stream;
    use super::*;
    use shared::{CharLm, CharLmConfig};

    fn lm() -> CharLm {
        CharLmConfig::new(5)
            .with_n_layers(1)
            .with_n_heads(2)
            .with_d_model(4)
            .with_block_size(4)
            .init(1, &Device::flex())
    }

    /// So many rows of four numbers, from a text with 98 windows of two rows each.
    pub fn recording<T>(train: usize, selection: usize, then: impl Fn(&Recording) -> T) -> T {
        let text: Vec<u32> = (0..200).map(|i| (i * i % 5) as u32).collect();
        let lm = lm();
        then(&Recording {
            read: &|batch| stream(&lm, 1, batch),
            text: &text,
            windows: Windows { block_size: 4 },
            counts: RowCounts { train, selection },
            seed: 1,
        })
    }

    fn check(asked: [usize; 2], expected: [usize; 2]) {
        recording(asked[0], asked[1], |recording| {
            let counts = recording.counts();
            let rows = recording.in_memory().unwrap();

            assert_eq!([counts.train, counts.selection], expected);
            assert_eq!((rows.width, rows.len()), (4, expected[0] + expected[1]));
        });
    }

    #[test]
    fn as_many_rows_are_recorded_as_were_asked_for() {
        check([51, 7], [51, 7]);
    }

    #[test]
    fn a_short_text_gives_what_it_has() {
        check([10_000, 10_000], [89 * 2, 9 * 2]);
    }

    #[test]
    fn rows_to_choose_by_are_the_same_whether_the_last_window_to_train_on_is_used_up() {
        let rows = |train| recording(train, 6, |recording| recording.in_memory().unwrap());

        let (odd, even) = (rows(51), rows(52));

        assert_eq!(odd.values[..51 * 4], even.values[..51 * 4]);
        assert_eq!(odd.values[51 * 4..], even.values[52 * 4..]);
    }
}
