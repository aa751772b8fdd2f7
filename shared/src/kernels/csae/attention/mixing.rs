//! The gradients of what the tokens of a second round are mixed of.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::makings::Makings;
use super::row::Row;
use super::tables::Tables;
use super::{Attended, Shape, add};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product, product_of_columns};

/// Gathers them. Keeps its memory for the next step.
#[derive(Clone, Debug, Default)]
pub(super) struct Mixing {
    /// Of [`Makings::table`]: `[1 + n_heads, n_features, 3 * d_compose]`.
    table: Vec<f32>,
    /// Of [`Makings::weights`]: `[d_compose, 3 * d_compose]`.
    weights: Vec<f32>,
    /// Of `R`: `[d_compose, d_compose]`.
    between: Vec<f32>,
    heads: Vec<Head>,
    packed: Packed,
    more: Vec<f32>,
}

/// What one head needs room for.
#[derive(Clone, Debug, Default)]
struct Head {
    /// `[n_features, d_head]`.
    values: Vec<f32>,
    /// Their gradient.
    of_values: Vec<f32>,
    packed: Packed,
    space: Vec<f32>,
}

impl Mixing {
    /// Gathers the gradient of the table, and adds that of what was projected to `of_projected`,
    /// `[n_features, 3 * d_compose]`.
    pub(super) fn gather(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        makings: &Makings,
        blocks: &[&Attended],
        of_projected: &mut [f32],
    ) {
        let (shape, length) = (tables.shape, of_projected.len());
        self.table.clear();
        self.table.resize(makings.table.len(), 0.0);
        // Block by block: the slopes along its tokens are read once for each part of the table.
        for block in blocks {
            let parts = self.table.par_chunks_exact_mut(length).enumerate();
            parts.for_each(|(part, table)| {
                lanes.0.dispatch(Unmix { shape, rows: &block.rows, part, table });
            });
        }
        self.gather_heads(lanes, tables, makings, length);
        let (first, _) = self.table.split_at(length);
        of_projected.iter_mut().zip(first).for_each(|(sum, slope)| *sum += slope);
        let width = shape.d_compose;
        for (number, head) in self.heads.iter().enumerate() {
            let first = 2 * width + number * shape.d_head();
            let slopes = head.of_values.chunks_exact(shape.d_head());
            for (row, slopes) in of_projected.chunks_exact_mut(3 * width).zip(slopes) {
                row[first..].iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
            }
        }
    }

    /// `dV = dT (R W)'` and `d(R W) = V' dT`, head by head.
    fn gather_heads(&mut self, lanes: Lanes, tables: &Tables, makings: &Makings, length: usize) {
        let (shape, width, d_head) = (tables.shape, tables.shape.d_compose, tables.shape.d_head());
        self.heads.resize(shape.n_heads, Head::default());
        self.weights.resize(makings.weights.len(), 0.0);
        let heads = self.heads.par_iter_mut().zip(self.table[length..].par_chunks_exact(length));
        let weights = makings.weights.par_chunks_exact(d_head * 3 * width);
        let of_weights = self.weights.par_chunks_exact_mut(d_head * 3 * width);
        let all = heads.zip(weights).zip(of_weights).enumerate();
        all.for_each(|(number, (((head, slopes), weights), of_weights))| {
            let Head { values, of_values, packed, space } = head;
            of_values.resize(shape.n_features * d_head, 0.0);
            packed.fill_here(weights, 3 * width);
            product(lanes, of_values, slopes, packed, &[], space);
            shape.values_of(number, &tables.features.projected, values);
            packed.fill_columns_here(&[slopes], 3 * width);
            let values = (&[&values[..]][..], d_head);
            product_of_columns(lanes, of_weights, values, 0..d_head, packed, space);
        });
    }

    /// `dR = d(R W) W'`; adds `R' d(R W)` to the gradient of `W`.
    pub(super) fn finish(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        between: &[f32],
        of_weights: &mut [f32],
    ) {
        let width = tables.shape.d_compose;
        let Self { weights, between: of_between, packed, more, .. } = self;
        packed.fill(&tables.weights, 3 * width);
        of_between.resize(between.len(), 0.0);
        product(lanes, of_between, weights, packed, &[], &mut vec![]);
        packed.fill_columns(weights, 3 * width);
        more.resize(of_weights.len(), 0.0);
        let columns = (&[between][..], width);
        product_of_columns(lanes, more, columns, 0..width, packed, &mut vec![]);
        of_weights.iter_mut().zip(more).for_each(|(sum, slope)| *sum += *slope);
    }

    /// The gradient of `R`.
    pub(super) fn between(&self) -> &[f32] {
        &self.between
    }
}

/// Adds the slopes along tokens to what one part of the table has given to them.
struct Unmix<'a> {
    shape: Shape,
    rows: &'a [Row],
    /// 0 for features themselves, then head by head.
    part: usize,
    /// `[n_features, 3 * d_compose]`.
    table: &'a mut [f32],
}

impl WithSimd for Unmix<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, rows, part, table } = self;
        let (length, partners) = (3 * shape.d_compose, shape.partners);
        let terms = match part {
            0 => 0..1,
            head => 1 + (head - 1) * partners..1 + head * partners,
        };
        let first = part * shape.n_features;
        for Row { mixture, .. } in rows {
            let slopes = mixture.slopes.chunks_exact(length);
            let places = mixture.places.chunks_exact(shape.terms());
            let shares = mixture.shares.chunks_exact(shape.terms());
            for (slopes, (places, shares)) in slopes.zip(places.zip(shares)) {
                for (place, share) in places[terms.clone()].iter().zip(&shares[terms.clone()]) {
                    let sum = &mut table[(*place as usize - first) * length..][..length];
                    add(simd, sum, *share, slopes);
                }
            }
        }
    }
}
