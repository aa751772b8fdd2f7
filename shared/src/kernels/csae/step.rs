//! One training step: the loss on a batch and its gradient.

use rayon::prelude::*;

use super::attention::{self, Attended, Gathering};
use super::block::{Block, Context, ROWS};
use super::gradients;
use super::sorted::Sorted;
use super::{Model, Parameters};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product, product_from_diagonal};

/// With more features, their products fill no table that is made for few rows.
const LARGEST_TABLE: usize = 1_024;

/// What is made small, beside the mean squared error.
#[derive(Clone, Copy, Debug, Default)]
pub struct Task<'a> {
    /// Which features are dead and shall explain what is left, if any: `[n_features]`.
    pub dead: Option<&'a [bool]>,
    /// The weight of what they leave, as a share of its variance.
    pub auxk_weight: f64,
}

/// The outcome of a step. Keeps its memory for the next.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The mean squared error per dimension.
    pub mse: f64,
    /// What the dead features leave of the residual, as a share of its variance, times its weight.
    pub auxk: Option<f64>,
    /// The gradient of the sum of both.
    pub gradients: Parameters,
    /// Which features fired on some row: `[n_features]`.
    pub fired: Vec<bool>,
    tables: Tables,
    blocks: Vec<Block>,
    attention: Gathering,
    together: Vec<f32>,
}

/// What is computed once for all rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    encoder: Packed,
    decoder: Packed,
    directions: Packed,
    /// From the diagonal on.
    gram: Vec<f32>,
    lengths: Vec<f32>,
    by_first_part: Sorted,
    attention: attention::Tables,
    /// Whether features attend to each other.
    attends: bool,
}

impl Step {
    /// The loss of `model` on `rows`, `[batch, d_model]`, and its gradient.
    pub fn run(&mut self, model: &Model, rows: &[f32], task: &Task) {
        let d_model = model.parameters.d_model();
        let n_rows = rows.len() / d_model;
        self.blocks.resize(n_rows.div_ceil(ROWS), Block::default());
        let scale = -2.0 / rows.len() as f32;
        let context = self.tables.fill(model, n_rows);
        let blocks = self.blocks.par_iter_mut().zip(rows.par_chunks(ROWS * d_model));
        blocks.for_each(|(block, rows)| block.learn(&context, rows, scale, task.dead));

        let count = rows.len() as f64;
        self.mse = self.blocks.iter().map(|block| block.squares).sum::<f64>() / count;
        let share = task.dead.map(|_| task.auxk_weight / (variance(&self.blocks, n_rows) + 1e-8));
        let left: f64 = self.blocks.iter().map(|block| block.revival.squares).sum();
        self.auxk = share.map(|share| share * left / count);
        let scales = gradients::Scales {
            residual: scale,
            revived: share.map(|share| (-2.0 * share / count) as f32),
        };
        let Self { blocks, gradients, fired, together, .. } = self;
        gradients::gather(&context, blocks, scales, (gradients, fired), together);
        attend(&context, &self.blocks, scale, &mut self.attention, &mut self.gradients);
    }
}

/// Gathers the gradient of attention, 0 where no features attend to each other.
fn attend(
    context: &Context,
    blocks: &[Block],
    scale: f32,
    attention: &mut Gathering,
    gradients: &mut Parameters,
) {
    let Some(tables) = context.attention else {
        let idle = gradients.named().filter(|(name, _)| name.starts_with("attention."));
        return idle.for_each(|(_, values)| values.fill(0.0));
    };
    let attended: Vec<&Attended> = blocks.iter().map(|block| &block.attended).collect();
    let residuals: Vec<&[f32]> = blocks.iter().map(|block| &block.residual[..]).collect();
    attention.gather(
        context.lanes,
        tables,
        (&attended, &residuals),
        scale,
        (context.model.parameters, &mut gradients.attention),
    );
}

/// The variance of what is left, each column about its own mean.
fn variance(blocks: &[Block], n_rows: usize) -> f64 {
    let energy: f64 = blocks.iter().map(|block| block.revival.energy).sum();
    let d_model = blocks.first().map_or(0, |block| block.revival.sums.len());
    let of_means: f64 = (0..d_model)
        .map(|column| blocks.iter().map(|block| block.revival.sums[column]).sum::<f64>())
        .map(|sum| sum * sum / n_rows as f64)
        .sum();
    (energy - of_means).max(0.0) / (n_rows * d_model) as f64
}

impl Tables {
    /// Fills the tables that `n_rows` rows need.
    pub(super) fn fill<'a>(&'a mut self, model: &'a Model<'a>, n_rows: usize) -> Context<'a> {
        let lanes = Lanes::new();
        let parameters = model.parameters;
        let (d_model, n_features) = (parameters.d_model(), parameters.n_features());
        // A table of all products or, row by row, half of k k of them without its speed.
        let of_rows = n_rows * model.sparsity_k * model.sparsity_k;
        let has_table = model.refit_steps > 0 && 2 * n_features * n_features <= of_rows;
        let Self { encoder, decoder, directions, gram, .. } = self;
        gram.resize(if has_table { n_features * n_features } else { 0 }, 0.0);
        let rows = &parameters.decoder;
        let fill_table = || {
            rayon::join(|| decoder.fill(rows, d_model), || directions.fill_columns(rows, d_model));
            let out = gram.par_chunks_mut(ROWS * n_features);
            let rows = rows.par_chunks(ROWS * d_model).enumerate();
            out.zip(rows).for_each(|(out, (block, rows))| {
                product_from_diagonal(lanes, out, (rows, block * ROWS), decoder, &mut vec![]);
            });
        };
        rayon::join(|| encoder.fill(&parameters.encoder, d_model), || has_table.then(fill_table));
        self.attends = self.attention.fill(lanes, model, n_rows).is_some();
        self.hear(model);
        self.context(model)
    }

    /// As [`Self::fill`], on this thread alone and for any number of rows, but for attention.
    pub(super) fn fill_here(&mut self, model: &Model) {
        let parameters = model.parameters;
        let (d_model, n_features) = (parameters.d_model(), parameters.n_features());
        self.encoder.fill_here(&parameters.encoder, d_model);
        self.gram.clear();
        if model.refit_steps > 0 && n_features <= LARGEST_TABLE {
            self.decoder.fill_here(&parameters.decoder, d_model);
            self.gram.resize(n_features * n_features, 0.0);
            let (out, rows) = (&mut self.gram, &parameters.decoder);
            product(Lanes::new(), out, rows, &self.decoder, &[], &mut vec![]);
        }
        self.hear(model);
    }

    /// Fills the tables that say who speaks.
    fn hear(&mut self, model: &Model) {
        let (lanes, parameters) = (Lanes::new(), model.parameters);
        self.lengths.clear();
        if let Some(units) = &model.units {
            let effects = parameters.effects.chunks_exact(parameters.d_model());
            self.lengths.extend(effects.map(|effect| lanes.square(effect).sqrt() as f32));
            let composing = units.parts.iter().enumerate().filter(|(_, parts)| parts.len() > 1);
            let pairs = composing.map(|(unit, parts)| (parts[0] as u32, unit));
            self.by_first_part.sort(parameters.n_features(), pairs);
        }
    }

    /// What blocks read, once the tables are filled for this `model`.
    pub(super) fn context<'a>(&'a self, model: &'a Model<'a>) -> Context<'a> {
        let lanes = Lanes::new();
        let Self { encoder, directions, gram, lengths, by_first_part, attention, .. } = self;
        let attention = self.attends.then_some(attention);
        Context { lanes, model, encoder, directions, gram, lengths, by_first_part, attention }
    }
}
