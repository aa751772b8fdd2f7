//! What a finished model makes of rows: codes, units, reconstruction, without gradients.

use rayon::prelude::*;

use super::block::{Block, ROWS};
use super::step::Tables;
use super::{Model, Parameters, Speakers};
use crate::weights::to_vec;
use crate::{Csae, Limits};

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

/// What [`Csae::forward`] makes of rows, `[count, d_model]`; of a model without attention.
pub fn read(model: &Csae, limits: Limits, rows: &[f32]) -> Reading {
    let units = model.units.as_ref().filter(|_| limits.combination_size > 1);
    let parts = units.map_or(vec![], |units| units.combinations());
    let thresholds = units.map_or(vec![], |units| to_vec(units.threshold.val().without_autodiff()));
    let speakers = units.map(|units| Speakers {
        parts: &parts,
        thresholds: &thresholds,
        speaking: units.speaking,
    });
    let model = Model {
        parameters: &Parameters::of(model),
        units: speakers,
        refit_steps: model.refit_steps,
        sparsity_k: limits.sparsity_k,
    };
    read_by(&model, rows)
}

/// Reads rows with a model laid flat.
pub(super) fn read_by(model: &Model, rows: &[f32]) -> Reading {
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
