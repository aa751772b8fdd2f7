//! What a language model is shown: random pieces of a text to learn, all of it in order to read.

use std::ops::Range;

use rand::RngExt;

use shared::random::stream;

/// Rows of `block_size` ids and, for each id, the one that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The ids, row after row: `[batch_size, block_size]`.
    pub inputs: Vec<u32>,
    /// The id after each: `[batch_size, block_size]`.
    pub targets: Vec<u32>,
    /// How many rows there are.
    pub batch_size: usize,
    /// How long each of them is.
    pub block_size: usize,
}

impl Batch {
    /// The rows of `ids` that begin at `starts`.
    ///
    /// # Panics
    ///
    /// If fewer than `block_size + 1` ids are left from a start on.
    pub fn of(ids: &[u32], starts: &[usize], block_size: usize) -> Self {
        let rows = |shift: usize| {
            starts.iter().flat_map(move |start| &ids[start + shift..][..block_size]).copied()
        };
        let (inputs, targets) = (rows(0).collect(), rows(1).collect());
        Self { inputs, targets, batch_size: starts.len(), block_size }
    }
}

/// Random batches without a memory: the batch of a step depends on nothing but these fields, so
/// a training that is resumed sees the ones it would have seen.
#[derive(Clone, Debug)]
pub struct Batches {
    /// How many characters a row has.
    pub block_size: usize,
    /// How many rows a batch has.
    pub batch_size: usize,
    /// The training's seed.
    pub seed: u64,
    /// What the batches are for, as in `"train"`: other names, other batches.
    pub stream: String,
}

impl Batches {
    /// The batch of this step: each row begins anywhere in `ids`, all places equally likely.
    ///
    /// # Panics
    ///
    /// If there are not more `ids` than `block_size`, see
    /// [`Corpus::minimum_characters`](super::Corpus::minimum_characters).
    pub fn at(&self, ids: &[u32], step: u64) -> Batch {
        let (len, block_size) = (ids.len(), self.block_size);
        assert!(len > block_size, "{len} ids hold no block of {block_size} and the id after it");
        let mut random = stream(self.seed, &self.stream);
        random.set_stream(step);
        let last = len - block_size - 1;
        let starts: Vec<usize> =
            (0..self.batch_size).map(|_| random.random_range(0..=last)).collect();
        Batch::of(ids, &starts, block_size)
    }
}

/// How a text longer than a block is read from one end to the other: in windows of one block,
/// each half a block after the one before. A character counts in the window that gives it at
/// least half a block of context, so all count once but the first half block, which never does.
///
/// ```text
/// ids       0 1 2 3 4 5 6 7 8     block_size = 4
/// window 0  . . # #               # counts, . is context
/// window 2      . . # #
/// window 4          . . # #       8 is nothing but the target of 7
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How many characters a window has, at least 1.
    pub block_size: usize,
}

impl Windows {
    /// Where the windows of a text of `len` characters begin. Each leaves a next character as
    /// the target of its last; a rest too short for a window is not read.
    pub fn starts(&self, len: usize) -> Vec<usize> {
        let stride = self.counted(0).len();
        (0..len.saturating_sub(self.block_size)).step_by(stride).collect()
    }

    /// Which characters of the text count in the window that begins at `start`;
    /// `counted(0)` is also which places within every window.
    pub fn counted(&self, start: usize) -> Range<usize> {
        start + self.block_size / 2..start + self.block_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(stream: &str) -> Batches {
        Batches { block_size: 8, batch_size: 5, seed: 1337, stream: stream.to_owned() }
    }

    fn count(n: u32) -> Vec<u32> {
        (0..n).collect()
    }

    #[test]
    fn every_target_is_the_id_after_its_input() {
        let batch = batches("train").at(&count(100), 3);

        let next: Vec<u32> = batch.inputs.iter().map(|id| id + 1).collect();
        assert_eq!(batch.targets, next);
        assert_eq!(batch.inputs.len(), 5 * 8);
        assert_eq!((batch.batch_size, batch.block_size), (5, 8));
        for row in batch.inputs.chunks(8) {
            assert!(row.windows(2).all(|pair| pair[1] == pair[0] + 1), "{row:?}");
        }
    }

    #[test]
    fn a_step_has_the_same_batch_whatever_came_before() {
        let ids = count(1_000);
        let (before, resumed) = (batches("train"), batches("train"));
        before.at(&ids, 0);

        assert_eq!(before.at(&ids, 1), resumed.at(&ids, 1));
    }

    #[test]
    fn steps_streams_and_seeds_have_batches_of_their_own() {
        let ids = count(1_000);
        let batch = batches("train").at(&ids, 1);

        assert_ne!(batch, batches("train").at(&ids, 2));
        assert_ne!(batch, batches("validation").at(&ids, 1));
        assert_ne!(batch, Batches { seed: 1, ..batches("train") }.at(&ids, 1));
    }

    #[test]
    fn rows_begin_everywhere_from_the_first_id_to_the_last_block() {
        let ids = count(8 + 4);
        let mut seen = [0; 4];

        for step in 0..200 {
            for row in batches("train").at(&ids, step).inputs.chunks(8) {
                seen[row[0] as usize] += 1;
            }
        }

        assert!(seen.iter().all(|&times| (190..=310).contains(&times)), "{seen:?}");
    }

    #[test]
    fn the_shortest_text_has_one_row() {
        let batch = batches("train").at(&count(9), 0);

        assert_eq!(batch.inputs, count(8).repeat(5));
    }

    #[test]
    #[should_panic(expected = "8 ids hold no block of 8")]
    fn a_text_of_one_block_has_no_batch() {
        batches("train").at(&count(8), 0);
    }

    #[test]
    fn windows_are_half_a_block_apart() {
        fn check(len: usize, block_size: usize, expected: &[usize]) {
            assert_eq!(Windows { block_size }.starts(len), expected, "{len} in {block_size}");
        }

        check(9, 4, &[0, 2, 4]);
        check(8, 4, &[0, 2]);
        check(5, 4, &[0]);
        check(4, 4, &[]);
        check(0, 4, &[]);
        check(9, 5, &[0, 3]);
        check(3, 1, &[0, 1]);
    }

    #[test]
    fn each_character_after_the_first_half_block_counts_exactly_once() {
        for block_size in 1..12 {
            for len in block_size + 1..60 {
                let windows = Windows { block_size };
                let starts = windows.starts(len);

                let counted: Vec<usize> =
                    starts.iter().flat_map(|&start| windows.counted(start)).collect();

                let end = starts.last().expect("the text is longer than a block") + block_size;
                assert_eq!(counted, (block_size / 2..end).collect::<Vec<_>>());
                assert!(end < len, "the last character counted has a next one");
                assert!(len - end <= block_size.div_ceil(2), "another window would fit");
            }
        }
    }

    #[test]
    fn windows_make_a_batch() {
        let starts = Windows { block_size: 4 }.starts(7);

        let batch = Batch::of(&count(7), &starts, 4);

        assert_eq!(batch.inputs, [0, 1, 2, 3, 2, 3, 4, 5]);
        assert_eq!(batch.targets, [1, 2, 3, 4, 3, 4, 5, 6]);
        assert_eq!((batch.batch_size, batch.block_size), (2, 4));
    }
}
