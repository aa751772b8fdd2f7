//! What a finished model makes of rows: codes, units, reconstruction, without gradients.

use rayon::prelude::*;

use super::Model;
use super::block::{Block, ROWS};
use super::step::Tables;

/// A list of numbers with strengths for each row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowLists {
    /// Where each row's list ends.
    ends: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

/// What a model makes of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The features that fire on each row, by number, with their strengths.
    pub codes: RowLists,
    /// The units that speak on each row, by number, with their strengths.
    pub spoken: RowLists,
    /// `[rows, d_model]`.
    pub reconstruction: Vec<f32>,
}

impl RowLists {
    /// The lists, row by row.
    pub fn iter(&self) -> impl Iterator<Item = &[(u32, f32)]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.entries[start..*end])
    }

    fn push(&mut self, list: &[(u32, f32)]) {
        self.entries.extend(list);
        self.ends.push(self.entries.len());
    }
}

/// Reads rows, `[count, d_model]`, with a model.
pub fn read(model: &Model, rows: &[f32]) -> Reading {
    let d_model = model.parameters.d_model();
    let mut tables = Tables::default();
    let context = tables.fill(model, rows.len() / d_model);
    let chunks = rows.par_chunks(ROWS * d_model);
    let readings: Vec<Reading> = chunks
        .map_init(Block::default, |block, rows| {
            block.read(&context, rows);
            Reading::of(block, rows)
        })
        .collect();
    let mut whole = Reading::default();
    for reading in readings {
        reading.codes.iter().for_each(|list| whole.codes.push(list));
        reading.spoken.iter().for_each(|list| whole.spoken.push(list));
        whole.reconstruction.extend(reading.reconstruction);
    }
    whole
}

impl Reading {
    fn of(block: &Block, rows: &[f32]) -> Self {
        let mut reading = Self::default();
        let mut code = vec![];
        for row in 0..block.rows {
            code.clear();
            code.extend(block.code_of(row).filter(|(_, value)| *value > 0.0));
            reading.codes.push(&code);
            reading.spoken.push(&block.spoken[row]);
        }
        let pairs = rows.iter().zip(&block.residual);
        reading.reconstruction = pairs.map(|(value, residual)| value - residual).collect();
        reading
    }
}
