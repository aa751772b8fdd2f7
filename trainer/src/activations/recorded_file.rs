//! Recorded rows in a file: a safetensors file that is written and read in parts.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use burn::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::ready::normalization;
use super::{ReadyRows, Recording, RowCounts};
use crate::complaint::Complaint;
use crate::data::{FiledRows, RowStore, Rows};
use crate::files::{GrowingFile, PlacedFile};
use crate::side_by_side::at_once;

/// The tensors of the file.
const TRAIN: &str = "train";
const SELECTION: &str = "selection";
/// Under which name the note stands beside them.
const NOTE: &str = "csae";
/// The bytes before the header, which say how long it is.
const LENGTH: usize = size_of::<u64>();

/// Rows that were recorded, in a file that is open.
#[derive(Clone, Debug)]
pub struct RecordedFile {
    path: PathBuf,
    train: FiledRows,
    selection: FiledRows,
}

impl RecordedFile {
    /// Records block by block into a file at `path`, with `note` beside the rows; tells `progress`
    /// how many rows there are.
    ///
    /// # Errors
    /// The text has no place for a row, the disk does not take all rows, or the user stops it.
    pub fn record(
        path: &Path,
        note: String,
        recording: &Recording,
        progress: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let full = |error: io::Error| {
            Complaint::failed(format!("cannot write {}: {error}", path.display())).fix(
                "make room, or set CSAE_CACHE to another folder; the same command then goes on",
            )
        };
        let mut file = GrowingFile::begin(path).map_err(full)?;
        let counts = recording.counts();
        let mut done = 0;
        recording.run(&mut |block: Rows| {
            if done == 0 {
                file.write_all(&header(&note, counts, block.width)?).map_err(full)?;
            }
            let bytes: Vec<u8> =
                block.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            file.write_all(&bytes).map_err(full)?;
            done += block.len();
            progress(done.min(counts.train));
            Ok(())
        })?;
        ensure!(done > 0, "the text has no place for a row");
        Ok(file.finish().map_err(full)?)
    }

    /// Opens the file at `path`; also gives the note.
    ///
    /// # Errors
    /// There is none, it was cut, or it is of another kind.
    pub fn open(path: &Path) -> Result<(Self, String)> {
        let file = PlacedFile::open(path)?;
        let mut length = [0; LENGTH];
        file.read(&mut length, 0)?;
        let length = u64::from_le_bytes(length);
        let behind = file.length()? - LENGTH as u64;
        ensure!(length <= behind, "it ends in its header");
        let mut header = vec![0; length as usize];
        file.read(&mut header, LENGTH as u64)?;
        let header: Metadata = serde_json::from_slice(&header)?;
        let rows = behind - length;
        ensure!(rows == header.data_len() as u64, "{rows} bytes, not {}", header.data_len());
        let file = Arc::new(file);
        let matrix = |name: &str| -> Result<FiledRows> {
            let info = header.info(name).with_context(|| format!("no tensor {name:?}"))?;
            let &[count, width] = &*info.shape else { bail!("tensor {name:?} is no matrix") };
            let readable = width > 0 && info.dtype == Dtype::F32;
            ensure!(readable, "tensor {name:?} has no numbers of 32 bits");
            let start = LENGTH as u64 + length + info.data_offsets.0 as u64;
            Ok(FiledRows::new(file.clone(), path.into(), start, [count, width]))
        };
        let (train, selection) = (matrix(TRAIN)?, matrix(SELECTION)?);
        ensure!(train.width() == selection.width(), "rows of different widths");
        let note = header.metadata().as_ref().and_then(|notes| notes.get(NOTE).cloned());
        let note = note.context("a safetensors file, but not one that csae wrote")?;
        Ok((Self { path: path.into(), train, selection }, note))
    }

    /// Some numbers of each row.
    pub fn columns(&self, columns: Range<usize>) -> Self {
        let part = |rows: &FiledRows| rows.clone().columns(columns.clone());
        let (train, selection) = (part(&self.train), part(&self.selection));
        Self { path: self.path.clone(), train, selection }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows there are to train on.
    pub fn count(&self) -> usize {
        self.train.count()
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        self.train.width()
    }

    /// How many bytes of memory the rows to train on would take.
    pub fn bytes(&self) -> u64 {
        self.train.count() as u64 * self.train.width() as u64 * size_of::<f32>() as u64
    }

    /// The rows centred and scaled; those to train on stay in the file, of which so many are read
    /// ahead, if they would take more than `in_memory` bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn ready(&self, in_memory: u64, device: &Device) -> Result<ReadyRows> {
        let normalization = normalization(&self.train)?;
        let train = self.train.clone().scaled(&normalization);
        let train: Box<dyn RowStore> = match self.bytes() <= in_memory {
            true => Box::new(train.span(0..train.count())?),
            // Trainings side by side each read ahead.
            false => Box::new(train.within(in_memory / at_once(device) as u64)),
        };
        let selection = self.selection.clone().scaled(&normalization);
        let selection = selection.span(0..selection.count())?;
        Ok(ReadyRows { train, selection, normalization, device: device.clone() })
    }
}

/// What stands before the rows.
fn header(note: &str, counts: RowCounts, width: usize) -> Result<Vec<u8>> {
    let bytes = |rows: usize| rows * width * size_of::<f32>();
    let info = |rows, start| TensorInfo {
        dtype: Dtype::F32,
        shape: vec![rows, width],
        data_offsets: (start, start + bytes(rows)),
    };
    let tensors = vec![
        (TRAIN.to_string(), info(counts.train, 0)),
        (SELECTION.to_string(), info(counts.selection, bytes(counts.train))),
    ];
    let notes = HashMap::from([(NOTE.to_string(), note.to_string())]);
    let mut header = serde_json::to_vec(&Metadata::new(Some(notes), tensors)?)?;
    // So that numbers begin where a number may begin.
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    Ok([&(header.len() as u64).to_le_bytes()[..], &header].concat())
}

#[cfg(test)]
mod tests {
    use super::super::recording::tests::recording;
    use super::*;
    use shared::weights;
    use std::fs;

    fn record(path: &Path) -> Rows {
        recording(51, 7, |recording| {
            RecordedFile::record(path, "a note".into(), recording, &mut |_| {}).unwrap();
            recording.in_memory().unwrap()
        })
    }

    #[test]
    fn rows_are_ready_in_memory_and_on_the_disk_with_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/rows.safetensors");
        let recorded = record(&path);

        let (file, note) = RecordedFile::open(&path).unwrap();
        let ready = |bytes| file.ready(bytes, &Device::flex()).unwrap();
        let (disk, memory) = (ready(file.bytes() - 1), ready(file.bytes()));

        assert_eq!((file.bytes(), note.as_str()), (51 * 4 * 4, "a note"));
        assert_eq!(disk.normalization, memory.normalization);
        let expected = recorded.scaled(&memory.normalization);
        for ready in [disk, memory] {
            assert_eq!(ready.train.span(0..51).unwrap(), expected.span(0..51).unwrap());
            assert_eq!(ready.selection, expected.span(51..58).unwrap());
        }
    }

    #[test]
    fn the_file_is_one_that_other_programs_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.safetensors");
        let recorded = record(&path);

        let (weights, note) = weights::from_bytes(&fs::read(&path).unwrap()).unwrap();

        assert_eq!(note.as_deref(), Some("a note"));
        assert_eq!(weights["train"].shape, [51, 4]);
        let values = [&weights["train"].values[..], &weights["selection"].values].concat();
        assert_eq!(values, recorded.values);
    }

    #[test]
    fn what_is_cut_or_foreign_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.safetensors");
        record(&path);
        let bytes = fs::read(&path).unwrap();

        for part in [0, 7, 8, 30, bytes.len() - 1] {
            fs::write(&path, &bytes[..part]).unwrap();
            assert!(RecordedFile::open(&path).is_err(), "{part} bytes");
        }
        fs::write(&path, [255; 100]).unwrap();
        assert!(RecordedFile::open(&path).is_err());
        fs::write(&path, &bytes).unwrap();
        assert!(RecordedFile::open(&path).is_ok());
    }
}
