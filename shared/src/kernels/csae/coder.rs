//! The way forward alone: what a model makes of rows, and who says how much of it.

use super::block::{Block, Context, ROWS};
use super::step::Tables;
use super::{Choice, Model, Parameters, Speakers};
use crate::weights::to_vec;
use crate::{Csae, Limits};

/// A model without attention that codes rows on one thread, as a browser has it.
#[derive(Clone, Debug)]
pub struct Coder {
    parameters: Parameters,
    units: Option<Units>,
    refit_steps: usize,
    sparsity_k: usize,
    tables: Tables,
}

/// What decides which units speak.
#[derive(Clone, Debug)]
struct Units {
    parts: Vec<Vec<usize>>,
    thresholds: Vec<f32>,
    speaking: usize,
}

/// What one row was coded as.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// The active features in ascending order.
    pub features: &'a [u32],
    /// How strongly each fires once it is refitted, 0 where it fell silent.
    pub strengths: &'a [f32],
    /// What each adds, projected on what all add: its share of the reconstruction.
    pub shares: &'a [f32],
    /// The units that speak, and how loudly.
    pub spoken: &'a [(u32, f32)],
    /// The units' share of the reconstruction.
    pub composed_share: f32,
    /// The squared length of what is left, over that of the row.
    pub error: f32,
    /// `[d_model]`.
    pub reconstruction: &'a [f32],
}

impl Coder {
    /// `model` as it codes within `limits`.
    pub fn new(model: &Csae, limits: Limits) -> Self {
        let units = model.units.as_ref().filter(|_| limits.combination_size > 1);
        let mut coder = Self {
            parameters: Parameters::of(model),
            units: units.map(|units| Units {
                parts: units.combinations(),
                thresholds: to_vec(units.threshold.val().without_autodiff()),
                speaking: units.speaking,
            }),
            refit_steps: model.refit_steps,
            sparsity_k: limits.sparsity_k,
            tables: Tables::default(),
        };
        let mut tables = Tables::default();
        tables.fill_here(&coder.model());
        coder.tables = tables;
        coder
    }

    /// Codes `rows`, `[batch, d_model]`, centred and scaled as in training, and tells of each.
    pub fn code(&self, rows: &[f32], mut tell: impl FnMut(Code)) {
        let model = self.model();
        let context = self.tables.context(&model);
        let d_model = self.parameters.d_model();
        let (mut block, mut shares) = (Block::default(), Shares::default());
        for rows in rows.chunks(ROWS * d_model) {
            block.read(&context, rows);
            for (place, row) in rows.chunks_exact(d_model).enumerate() {
                tell(shares.of(&context, &block, place, row));
            }
        }
    }

    fn model(&self) -> Model<'_> {
        Model {
            parameters: &self.parameters,
            units: self.units.as_ref().map(|units| Speakers {
                parts: &units.parts,
                thresholds: &units.thresholds,
                speaking: units.speaking,
            }),
            combination_size: 1,
            refit_steps: self.refit_steps,
            sparsity_k: self.sparsity_k,
            choice: Choice::Row,
        }
    }
}

/// Who says how much of a row's reconstruction.
#[derive(Clone, Debug, Default)]
struct Shares {
    /// The reconstruction less the decoder's bias: `[d_model]`.
    added: Vec<f32>,
    reconstruction: Vec<f32>,
    shares: Vec<f32>,
}

impl Shares {
    fn of<'a>(
        &'a mut self,
        context: &Context,
        block: &'a Block,
        place: usize,
        row: &[f32],
    ) -> Code<'a> {
        let (lanes, parameters) = (context.lanes, context.model.parameters);
        let (features, strengths) = block.code_of(place);
        let (residual, spoken) = (block.left(place), &block.spoken[place][..]);
        take_away(block.centred(place), residual, &mut self.added);
        take_away(row, residual, &mut self.reconstruction);
        let length = (lanes.square(&self.added) as f32).max(1e-12);

        let directions: Vec<&[f32]> =
            features.iter().map(|feature| parameters.direction(*feature)).collect();
        self.shares.resize(features.len(), 0.0);
        lanes.dots(&mut self.shares, &self.added, &directions);
        let pairs = self.shares.iter_mut().zip(strengths);
        pairs.for_each(|(share, strength)| *share *= strength / length);

        let effects: Vec<&[f32]> =
            spoken.iter().map(|(unit, _)| parameters.effect(*unit)).collect();
        let mut along = vec![0.0; effects.len()];
        lanes.dots(&mut along, &self.added, &effects);
        let composed: f32 = spoken.iter().zip(along).map(|((_, said), along)| said * along).sum();
        Code {
            features,
            strengths,
            shares: &self.shares,
            spoken,
            composed_share: composed / length,
            error: (lanes.square(residual) / lanes.square(row).max(1e-12)) as f32,
            reconstruction: &self.reconstruction,
        }
    }
}

fn take_away(whole: &[f32], part: &[f32], rest: &mut Vec<f32>) {
    rest.clear();
    rest.extend(whole.iter().zip(part).map(|(whole, part)| whole - part));
}
