//! A block of rows: their codes, what these leave over, and how the loss changes with them.

mod firing;

pub(super) use firing::{Firing, Refitted};

use super::Model;
use super::attention::{self, Attended};
use super::refit::{AT_ONCE, Refit};
use super::revive::Revival;
use super::select::{count_reaching, keys, list_positive, reaching, strongest};
use super::sorted::Sorted;
use super::units::Assembly;
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product};

/// How many rows a block has at most. Fixed: sums go from block to block.
pub(super) const ROWS: usize = 64;

/// What all blocks read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) lanes: Lanes,
    pub(super) model: &'a Model<'a>,
    pub(super) encoder: &'a Packed,
    /// The products of all directions, `[n_features, n_features]` from the diagonal on, or nothing
    /// where computing those of the active ones is cheaper.
    pub(super) gram: &'a [f32],
    /// With such a table, the directions as columns.
    pub(super) directions: &'a Packed,
    /// How long each unit's effect is: `[n_units]`, nothing without units.
    pub(super) lengths: &'a [f32],
    /// The units whose first part a feature is.
    pub(super) by_first_part: &'a Sorted,
    /// What attention reads, if features attend to each other.
    pub(super) attention: Option<&'a attention::Tables>,
    /// What active features reach at least, as bits, where the batch has chosen.
    pub(super) least: Option<i32>,
}

/// The rows of a block, with as much room for active features in each. Tables are laid out row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) rows: usize,
    d_model: usize,
    steps: usize,
    /// How many strengths a row has room for: as many as are active on one at most, rounded up to
    /// whole registers.
    width: usize,
    /// Rows less the decoder's bias: `[rows, d_model]`.
    centred: Vec<f32>,
    /// `[rows, n_features]`, before what is below 0 is cut off.
    features: Vec<f32>,
    /// One row's features as bits.
    keys: Vec<i32>,
    /// All features above 0 as bits, for a choice among those of the whole batch.
    pub(super) positive: Vec<i32>,
    /// `[rows, width + 1]`.
    active: Vec<u32>,
    /// How many features are active: `[rows]`.
    counts: Vec<usize>,
    /// Their strengths after each step of refitting: `[rows, steps + 1, width]`.
    values: Vec<f32>,
    /// Who speaks, with what strength: `[rows]`.
    pub(super) spoken: Vec<Vec<(u32, f32)>>,
    /// The strengths of all that speak on one row, features and units.
    said: Vec<f32>,
    /// What is left of the rows: `[rows, d_model]`.
    pub(super) residual: Vec<f32>,
    /// The slopes along what the encoder says: `[rows, width]`.
    slopes: Vec<f32>,
    /// The slopes along each step's change: `[rows, steps, width]`.
    pulls: Vec<f32>,
    /// Their sums over the steps: `[rows, width]`. With a table of products.
    pulled: Vec<f32>,
    /// What was left before each step: `[rows, steps, d_model]`. Without a table of products.
    before: Vec<f32>,
    /// The directions weighted by `pulls`: `[rows, steps, d_model]`. Likewise.
    echoes: Vec<f32>,
    /// The sum of the squares of what is left.
    pub(super) squares: f64,
    pub(super) revival: Revival,
    by_feature: Sorted,
    by_unit: Sorted,
    gram: Vec<f32>,
    pace: f32,
    space: Vec<f32>,
    groups: Vec<f32>,
    assembly: Assembly,
    pub(super) attended: Attended,
}

impl Block {
    /// Encodes these rows, and lists what a choice among all rows is made from.
    pub(super) fn propose(&mut self, context: &Context, rows: &[f32]) {
        self.encode(context, rows);
        self.positive.clear();
        for features in self.features.chunks_exact(self.keys.len()) {
            keys(context.lanes, features, &mut self.keys);
            list_positive(&self.keys, &mut self.positive);
        }
    }

    /// Codes these rows and finds the slopes of the loss, whose slope along a residual is `scale`
    /// times the residual. Where the batch has chosen, they are those that were encoded for it.
    pub(super) fn learn(&mut self, context: &Context, rows: &[f32], scale: f32) {
        if context.least.is_none() {
            self.encode(context, rows);
        }
        self.make_room(context);
        let mut directions = vec![];
        for row in 0..self.rows {
            self.code(context, row, &mut directions);
            self.descend(context, row, scale, &directions);
        }
        self.sort(context.model.parameters.n_features(), context.lengths.len());
    }

    /// Lets `dead` features explain what is left of the rows that were learned from.
    pub(super) fn revive(&mut self, context: &Context, dead: &[bool]) {
        let Self { rows, d_model, features, keys: all, residual, revival, .. } = self;
        revival.begin(*rows, *d_model, dead.len());
        let left = residual.chunks_exact(*d_model);
        for (features, left) in features.chunks_exact(dead.len()).zip(left) {
            keys(context.lanes, features, all);
            revival.revive(context.lanes, context.model.parameters, dead, all, left);
        }
        revival.sort(dead.len());
    }

    /// Codes these rows, and looks for no slopes.
    pub(super) fn read(&mut self, context: &Context, rows: &[f32]) {
        self.encode(context, rows);
        let mut directions = vec![];
        self.make_room(context);
        for row in 0..self.rows {
            self.code(context, row, &mut directions);
        }
    }

    /// The active features of a row, and their strengths in the end.
    pub(super) fn code_of(&self, row: usize) -> (&[u32], &[f32]) {
        let last = (row * (self.steps + 1) + self.steps) * self.width;
        let active = &self.active[row * (self.width + 1)..][..self.counts[row]];
        (active, &self.values[last..][..active.len()])
    }

    /// Makes [`Self::firings`] and [`Self::spoken_by`] ready.
    fn sort(&mut self, n_features: usize, n_units: usize) {
        let Self { rows, width, active, counts, spoken, by_feature, by_unit, .. } = self;
        let (rows, width) = (*rows, *width);
        let in_row = |row: usize| {
            let active = &active[row * (width + 1)..][..counts[row]];
            active.iter().enumerate().map(move |(slot, feature)| (*feature, slot * ROWS + row))
        };
        by_feature.sort(n_features, (0..rows).flat_map(in_row));
        let in_row = |row: usize| {
            let said = spoken[row].iter().enumerate();
            said.map(move |(slot, (unit, _))| (*unit, row << 16 | slot))
        };
        by_unit.sort(n_units, (0..rows).flat_map(in_row));
    }

    fn encode(&mut self, context: &Context, rows: &[f32]) {
        let parameters = context.model.parameters;
        let (d_model, n_features) = (parameters.d_model(), parameters.n_features());
        (self.rows, self.d_model) = (rows.len() / d_model, d_model);
        self.keys.resize(n_features, 0);
        self.centred.clear();
        for row in rows.chunks_exact(d_model) {
            let pairs = row.iter().zip(&parameters.decoder_bias);
            self.centred.extend(pairs.map(|(value, bias)| value - bias));
        }
        self.features.resize(self.rows * n_features, 0.0);
        let bias = &parameters.encoder_bias;
        let (features, centred) = (&mut self.features, &self.centred);
        product(context.lanes, features, centred, context.encoder, bias, &mut self.groups);
    }

    /// Makes room for the codes of the rows that were encoded.
    fn make_room(&mut self, context: &Context) {
        let (rows, d_model, n_features) = (self.rows, self.d_model, self.keys.len());
        self.steps = context.model.refit_steps;
        self.width = self.most_active(context).next_multiple_of(AT_ONCE).max(AT_ONCE);
        self.assembly.resize(n_features);
        self.attended.begin(rows, d_model);
        self.active.resize(rows * (self.width + 1), 0);
        self.counts.resize(rows, 0);
        self.values.resize(rows * (self.steps + 1) * self.width, 0.0);
        self.spoken.resize(rows, vec![]);
        self.squares = 0.0;
        self.residual.resize(rows * d_model, 0.0);
        self.slopes.resize(rows * self.width, 0.0);
        self.pulls.resize(rows * self.steps * self.width, 0.0);
        let has_table = !context.gram.is_empty();
        self.pulled.resize(if has_table { rows * self.width } else { 0 }, 0.0);
        let echoes = if has_table { 0 } else { rows * self.steps * d_model };
        self.before.resize(echoes, 0.0);
        self.echoes.resize(echoes, 0.0);
        self.gram.resize(self.width * self.width, 0.0);
        self.space.resize(2 * self.width, 0.0);
    }

    /// How many features are active on a row at most.
    fn most_active(&mut self, context: &Context) -> usize {
        let Self { keys: all, features, .. } = self;
        let Some(least) = context.least else { return context.model.sparsity_k.min(all.len()) };
        let active = features.chunks_exact(all.len()).map(|features| {
            keys(context.lanes, features, all);
            count_reaching(context.lanes, all, least)
        });
        active.max().unwrap_or(0)
    }

    /// Codes one row; leaves the directions of its active features in `directions`.
    fn code<'a>(&mut self, context: &Context<'a>, row: usize, directions: &mut Vec<&'a [f32]>) {
        let (lanes, model) = (context.lanes, context.model);
        let (parameters, n_features) = (model.parameters, model.parameters.n_features());
        let features = &self.features[row * n_features..][..n_features];
        keys(lanes, features, &mut self.keys);
        let active = &mut self.active[row * (self.width + 1)..][..self.width + 1];
        let count = match context.least {
            None => strongest(lanes, &self.keys, model.sparsity_k.min(n_features), active),
            Some(least) => reaching(lanes, &self.keys, least, active),
        };
        let active = &active[..count];
        self.counts[row] = count;
        let first = row * (self.steps + 1) * self.width;
        let values = &mut self.values[first..][..(self.steps + 1) * self.width];
        for (value, feature) in values.iter_mut().zip(active) {
            *value = f32::from_bits(self.keys[*feature as usize] as u32);
        }
        directions.clear();
        directions.extend(active.iter().map(|feature| parameters.direction(*feature)));
        let centred = &self.centred[row * self.d_model..][..self.d_model];
        if self.steps > 0 {
            fill_gram(context, active, directions, &mut self.gram, self.width);
            let (toward, space) = self.space.split_at_mut(self.width);
            lanes.dots(toward, centred, directions);
            let (gram, width) = (&self.gram[..], self.width);
            let refit = Refit { lanes, active: count, width, gram };
            self.pace = refit.forward(toward, values, space);
        }
        let last = &values[self.steps * self.width..][..count];
        let spoken = &mut self.spoken[row];
        spoken.clear();
        if let Some(speakers) = &model.units {
            self.assembly.listen((speakers, context), (active, last), spoken);
        }
        let residual = &mut self.residual[row * self.d_model..][..self.d_model];
        // Whoever speaks adds to the code.
        directions.extend(spoken.iter().map(|(unit, _)| parameters.effect(*unit)));
        self.said.clear();
        self.said.extend(last.iter().chain(spoken.iter().map(|(_, strength)| strength)));
        leave_over(lanes, residual, centred, &self.said, directions);
        directions.truncate(count);
        if let Some(tables) = context.attention.filter(|_| attention::COMPOSED) {
            self.attended.compose(lanes, tables, row, (active, last), residual);
        }
        self.squares += lanes.square(residual);
    }

    /// Finds the slopes of one row, which was coded just before.
    fn descend(&mut self, context: &Context, row: usize, scale: f32, directions: &[&[f32]]) {
        let (lanes, d_model, width, steps) = (context.lanes, self.d_model, self.width, self.steps);
        let count = directions.len();
        let slopes = &mut self.slopes[row * width..][..count];
        lanes.dots(slopes, &self.residual[row * d_model..][..d_model], directions);
        slopes.iter_mut().for_each(|slope| *slope *= scale);
        if let Some(tables) = context.attention {
            let residual = &self.residual[row * d_model..][..d_model];
            self.attended.descend(lanes, tables, row, (residual, scale), slopes);
        }
        if steps == 0 {
            return;
        }
        let values = &self.values[row * (steps + 1) * width..][..(steps + 1) * width];
        let pulls = &mut self.pulls[row * steps * width..][..steps * width];
        let refit = Refit { lanes, active: count, width, gram: &self.gram };
        refit.backward(self.pace, values, slopes, pulls, &mut self.space[..width]);
        if !context.gram.is_empty() {
            let pulled = &mut self.pulled[row * width..][..width];
            pulled.fill(0.0);
            for pulls in pulls.chunks_exact(width) {
                pulled.iter_mut().zip(pulls).for_each(|(sum, pull)| *sum += pull);
            }
            return;
        }
        let centred = &self.centred[row * d_model..][..d_model];
        let tables = row * steps * d_model..(row + 1) * steps * d_model;
        let before = self.before[tables.clone()].chunks_exact_mut(d_model);
        for (before, values) in before.zip(values.chunks_exact(width)) {
            leave_over(lanes, before, centred, &values[..count], directions);
        }
        let echoes = self.echoes[tables].chunks_exact_mut(d_model);
        for (echo, pull) in echoes.zip(pulls.chunks_exact(width)) {
            lanes.weighted_sum(echo, &pull[..count], directions);
        }
    }

    /// What is left of a row.
    pub(super) fn left(&self, row: usize) -> &[f32] {
        &self.residual[row * self.d_model..][..self.d_model]
    }

    /// A row less the decoder's bias.
    pub(super) fn centred(&self, row: usize) -> &[f32] {
        &self.centred[row * self.d_model..][..self.d_model]
    }

    /// Where a feature is active: every row of the block on which it is.
    pub(super) fn firings(&self, feature: usize) -> impl Iterator<Item = Firing<'_>> {
        self.by_feature.of(feature).iter().map(|place| {
            let (row, slot) = (*place as usize % ROWS, *place as usize / ROWS);
            Firing { block: self, row, slot }
        })
    }

    /// How the rows were refitted, one after the other.
    pub(super) fn refitted(&self) -> impl Iterator<Item = Refitted<'_>> {
        (0..self.rows).map(|row| self.refitted_row(row))
    }

    fn refitted_row(&self, row: usize) -> Refitted<'_> {
        let (steps, width) = (self.steps, self.width);
        let values = &self.values[row * (steps + 1) * width..][..steps * width];
        let pulls = &self.pulls[row * steps * width..][..steps * width];
        Refitted { active: self.code_of(row).0, width, values, pulls }
    }

    /// Where a unit speaks: how loudly, and what is left of that row.
    pub(super) fn spoken_by(&self, unit: usize) -> impl Iterator<Item = (f32, &[f32])> {
        self.by_unit.of(unit).iter().map(|place| {
            let (row, slot) = (*place as usize >> 16, *place as usize & 0xffff);
            (self.spoken[row][slot].1, self.left(row))
        })
    }
}

/// The products of the active directions, `[active, width]`, 0 beside them.
fn fill_gram(
    context: &Context,
    active: &[u32],
    directions: &[&[f32]],
    gram: &mut [f32],
    width: usize,
) {
    let n_features = context.model.parameters.n_features();
    for (slot, feature) in active.iter().enumerate() {
        let (row, below) = gram[slot * width..].split_at_mut(width);
        row[active.len()..].fill(0.0);
        // From the diagonal on; what is below is the same.
        let row = &mut row[slot..active.len()];
        match context.gram.is_empty() {
            true => context.lanes.dots(row, directions[slot], &directions[slot..]),
            false => {
                let table = &context.gram[*feature as usize * n_features..][..n_features];
                for (value, other) in row.iter_mut().zip(&active[slot..]) {
                    *value = table[*other as usize];
                }
            }
        }
        let column = below.iter_mut().skip(slot).step_by(width);
        column.zip(&row[1..]).for_each(|(below, value)| *below = *value);
    }
}

/// What the sum of `vectors`, weighted by `values`, leaves of a row.
fn leave_over(lanes: Lanes, left: &mut [f32], centred: &[f32], values: &[f32], vectors: &[&[f32]]) {
    lanes.weighted_sum(left, values, vectors);
    left.iter_mut().zip(centred).for_each(|(left, centred)| *left = centred - *left);
}
