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
        Self { file, path, start, count, stride: width, columns: 0..width, normalization }
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

    /// Fills `row` with the row at `place`.
    fn read_row(&self, place: usize, row: &mut [f32], bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.resize(row.len() * NUMBER, 0);
        let before = place * self.stride + self.columns.start;
        self.file.read(bytes, self.start + (before * NUMBER) as u64)?;
        self.decode(bytes, row);
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
        let mut values = vec![0.0; places.len() * width];
        values
            .par_chunks_exact_mut(width)
            .zip(places)
            .try_for_each_init(Vec::new, |bytes, (row, place)| self.read_row(*place, row, bytes))
            .map_err(|error| self.unreadable(&error))?;
        Ok(Rows { values, width })
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
