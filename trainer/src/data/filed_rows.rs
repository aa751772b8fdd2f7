//! Rows that stay in a file: each is read when it is asked for.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use rayon::prelude::*;
use shared::bundle::Normalization;

use super::{RowStore, Rows};
use crate::complaint::Complaint;
use crate::files::PlacedFile;

/// How many bytes are read at once where rows follow one another.
const BYTES_AT_ONCE: usize = 1 << 20;
/// Up to how many bytes between two rows are read along: another call of the system costs as much.
const BYTES_BETWEEN: usize = 1 << 13;
/// How many chosen rows a thread reads in turn.
const ROWS_IN_TURN: usize = 128;
/// The bytes of a number.
const NUMBER: usize = size_of::<f32>();

/// Rows of a matrix in a file: 32-bit numbers, the lowest byte first, row after row.
#[derive(Clone, Debug)]
pub struct FiledRows {
    file: Arc<PlacedFile>,
    path: PathBuf,
    /// Where the first row begins, in bytes.
    start: u64,
    count: usize,
    /// How many numbers a row has in the file, and which of them are asked for.
    stride: usize,
    columns: Range<usize>,
    /// What is done to each row that was read.
    normalization: Normalization,
    /// How many bytes of memory chosen rows may take.
    in_memory: u64,
}

impl FiledRows {
    /// The `[count, width]` numbers of the `file` at `path` from byte `start` on, as they are.
    pub fn new(
        file: Arc<PlacedFile>,
        path: PathBuf,
        start: u64,
        [count, width]: [usize; 2],
    ) -> Self {
        // It changes no number.
        let normalization = Normalization { mean: vec![0.0; width], scale: 1.0 };
        let columns = 0..width;
        Self { file, path, start, count, stride: width, columns, normalization, in_memory: 0 }
    }

    /// Some numbers of each row, where it was all of them.
    pub fn columns(self, columns: Range<usize>) -> Self {
        let mean = self.normalization.mean[columns.clone()].to_vec();
        let normalization = Normalization { mean, ..self.normalization };
        Self { columns, normalization, ..self }
    }

    /// The same rows centred and scaled, where they were as they are.
    pub fn scaled(self, by: &Normalization) -> Self {
        Self { normalization: by.clone(), ..self }
    }

    /// The same rows for somebody who may keep `bytes` of them in memory.
    pub fn within(self, bytes: u64) -> Self {
        Self { in_memory: bytes, ..self }
    }

    /// Fills `values` with rows from `first` on.
    fn read_span(&self, first: usize, values: &mut [f32], bytes: &mut Vec<u8>) -> io::Result<()> {
        let row_bytes = self.stride * NUMBER;
        bytes.resize(values.len() / self.columns.len() * row_bytes, 0);
        self.file.read(bytes, self.start + (first * row_bytes) as u64)?;
        let columns = self.columns.start * NUMBER..self.columns.end * NUMBER;
        let rows = values.chunks_exact_mut(self.columns.len());
        for (row, bytes) in rows.zip(bytes.chunks_exact(row_bytes)) {
            self.decode(&bytes[columns.clone()], row);
        }
        Ok(())
    }

    /// Fills `values` with the rows at ascending `places`; rows that lie close together are read
    /// together.
    fn read_ascending(
        &self,
        mut places: &[usize],
        mut values: &mut [f32],
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        let (width, row_bytes) = (self.columns.len(), self.stride * NUMBER);
        while let Some(&first) = places.first() {
            let apart = |pair: &[usize]| {
                (pair[1] - pair[0]) * row_bytes > row_bytes + BYTES_BETWEEN
                    || (pair[1] - first) * row_bytes >= BYTES_AT_ONCE
            };
            let close = places.windows(2).position(apart).map_or(places.len(), |last| last + 1);
            let (here, others) = places.split_at(close);
            bytes.resize((here[close - 1] - first) * row_bytes + width * NUMBER, 0);
            let before = first * self.stride + self.columns.start;
            self.file.read(bytes, self.start + (before * NUMBER) as u64)?;
            let (rows, rest) = values.split_at_mut(close * width);
            for (place, row) in here.iter().zip(rows.chunks_exact_mut(width)) {
                self.decode(&bytes[(place - first) * row_bytes..][..width * NUMBER], row);
            }
            (places, values) = (others, rest);
        }
        Ok(())
    }

    fn decode(&self, bytes: &[u8], row: &mut [f32]) {
        let Normalization { mean, scale } = &self.normalization;
        let numbers = bytes.chunks_exact(NUMBER).zip(mean);
        for (value, (bytes, mean)) in row.iter_mut().zip(numbers) {
            let number = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            *value = (number - mean) * scale;
        }
    }

    fn unreadable(&self, error: &io::Error) -> Complaint {
        Complaint::failed(format!("cannot read rows in {}: {error}", self.path.display()))
            .fix("delete this file; the same command records the rows again")
    }
}

impl RowStore for FiledRows {
    fn count(&self) -> usize {
        self.count
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn chosen(&self, places: &[usize]) -> Result<Rows> {
        let width = self.width();
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_unstable_by_key(|row| places[*row]);
        let ascending: Vec<usize> = order.iter().map(|row| places[*row]).collect();
        let mut values = vec![0.0; places.len() * width];
        values
            .par_chunks_mut(ROWS_IN_TURN * width)
            .zip(ascending.par_chunks(ROWS_IN_TURN))
            .try_for_each_init(Vec::new, |bytes, (values, places)| {
                self.read_ascending(places, values, bytes)
            })
            .map_err(|error| self.unreadable(&error))?;
        let mut rank = vec![0; places.len()];
        order.iter().enumerate().for_each(|(place, row)| rank[*row] = place);
        Rows { values, width }.chosen(&rank)
    }

    /// So many that they fit into memory twice, as they are found and as they were asked for.
    fn at_once(&self) -> Option<usize> {
        Some((self.in_memory / (2 * self.width() * NUMBER) as u64) as usize)
    }

    fn span(&self, places: Range<usize>) -> Result<Rows> {
        let width = self.width();
        let at_once = (BYTES_AT_ONCE / (self.stride * NUMBER)).max(1);
        let mut values = vec![0.0; places.len() * width];
        values
            .par_chunks_mut(at_once * width)
            .enumerate()
            .try_for_each_init(Vec::new, |bytes, (block, values)| {
                self.read_span(places.start + block * at_once, values, bytes)
            })
            .map_err(|error| self.unreadable(&error))?;
        Ok(Rows { values, width })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    const WIDTH: usize = 3;

    /// So many rows behind eight other bytes, in a file and in memory.
    fn both(count: usize) -> (tempfile::TempDir, FiledRows, Rows) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let values: Vec<f32> = (0..count * WIDTH).map(|value| value as f32 / 7.0).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(&path, [&[9; 8][..], &bytes].concat()).unwrap();
        let file = Arc::new(PlacedFile::open(&path).unwrap());
        (folder, FiledRows::new(file, path, 8, [count, WIDTH]), Rows { values, width: WIDTH })
    }

    #[test]
    fn rows_in_a_file_are_those_in_memory_bit_by_bit() {
        // More than are read at once.
        let (_folder, filed, rows) = both(BYTES_AT_ONCE / (WIDTH * NUMBER) + 100);
        let by = Normalization { mean: vec![0.3, -5.0, 7.1], scale: 0.37 };

        for (filed, rows) in [(filed.clone(), rows.clone()), (filed.scaled(&by), rows.scaled(&by))]
        {
            assert_eq!((filed.count(), filed.width()), (rows.count(), WIDTH));
            let places = [7, rows.len() - 1, 0, 7];
            assert_eq!(filed.chosen(&places).unwrap(), rows.chosen(&places).unwrap());
            assert_eq!(filed.span(5..rows.len()).unwrap(), rows.span(5..rows.len()).unwrap());
        }
    }

    #[test]
    fn rows_are_found_however_close_they_lie_and_as_often_as_they_are_asked_for() {
        let (_folder, filed, rows) = both(200_000);
        let near = (0..3_000).map(|place| place * 7 % 3_000);
        let far = (0..3_000).map(|place| place * 7_919 % 200_000);

        let places: Vec<usize> = near.chain(far).chain([5, 5, 199_999]).collect();

        assert_eq!(filed.chosen(&places).unwrap(), rows.chosen(&places).unwrap());
        assert_eq!(filed.chosen(&[]).unwrap().len(), 0);
        assert_eq!(filed.within(1_000 * 12).at_once(), Some(500));
    }

    #[test]
    fn columns_are_read_alone() {
        let (_folder, filed, rows) = both(9);
        let last: Vec<f32> = rows.iter().flat_map(|row| row[1..].to_vec()).collect();
        let last = Rows { values: last, width: 2 };

        let filed = filed.columns(1..3);

        assert_eq!(filed.span(0..9).unwrap(), last);
        assert_eq!(filed.chosen(&[8, 3]).unwrap(), last.chosen(&[8, 3]).unwrap());
    }

    #[test]
    fn a_file_that_was_cut_is_named() {
        let (_folder, filed, _) = both(10);
        let file = File::options().write(true).open(&filed.path).unwrap();
        file.set_len(100).unwrap();

        assert!(filed.chosen(&[2]).is_ok());
        for read in [filed.chosen(&[9]), filed.span(0..10)] {
            let text = read.unwrap_err().to_string();
            assert!(text.contains("cannot read rows in") && text.contains("delete"), "{text}");
        }
    }
}
