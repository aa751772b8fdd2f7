//! Products of matrices, one block of rows at a time.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::Lanes;

/// How many columns lie side by side in a [`Packed`] matrix.
pub(super) const COLUMNS: usize = 32;
/// How many rows are multiplied at once: with the registers side by side as many sums as a processor
/// keeps in registers. WebAssembly does not say how many it has; eight sums fit everywhere.
const ROWS: usize = if cfg!(target_family = "wasm") { 4 } else { 6 };

/// The transpose of a matrix `[width, depth]`, laid out as products read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed {
    depth: usize,
    /// `[width / COLUMNS, depth, COLUMNS]`, rounded up and filled with zeros.
    panels: Vec<f32>,
}

impl Packed {
    /// Lays out the transpose of `matrix`, `[width, depth]`.
    pub(crate) fn fill(&mut self, matrix: &[f32], depth: usize) {
        self.resize(depth, matrix.len() / depth);
        let panels = self.panels.par_chunks_exact_mut(depth * COLUMNS);
        panels.zip(matrix.par_chunks(depth * COLUMNS)).for_each(|(panel, rows)| {
            interleave(panel, rows, depth, COLUMNS);
        });
    }

    /// As [`Self::fill`], on this thread alone.
    pub(crate) fn fill_here(&mut self, matrix: &[f32], depth: usize) {
        self.resize(depth, matrix.len() / depth);
        let panels = self.panels.chunks_exact_mut(depth * COLUMNS);
        panels.zip(matrix.chunks(depth * COLUMNS)).for_each(|(panel, rows)| {
            interleave(panel, rows, depth, COLUMNS);
        });
    }

    /// Lays out `matrix` itself, `[depth, width]`.
    pub(crate) fn fill_columns(&mut self, matrix: &[f32], width: usize) {
        self.resize(matrix.len() / width, width);
        let panels = self.panels.par_chunks_exact_mut(self.depth * COLUMNS).enumerate();
        panels.for_each(|(number, panel)| fill_panel(panel, number, &[matrix], width));
    }

    /// Lays out matrices one below the other, `[depth, width]` all together, on this thread alone.
    pub(crate) fn fill_columns_here(&mut self, blocks: &[&[f32]], width: usize) {
        let depth = blocks.iter().map(|block| block.len() / width).sum();
        self.resize(depth, width);
        let panels = self.panels.chunks_exact_mut(depth * COLUMNS).enumerate();
        panels.for_each(|(number, panel)| fill_panel(panel, number, blocks, width));
    }

    /// The panels one after the other, `[depth, COLUMNS]` each.
    pub(super) fn panels(&self) -> impl Iterator<Item = &[[f32; COLUMNS]]> {
        self.panels.as_chunks().0.chunks_exact(self.depth)
    }

    fn resize(&mut self, depth: usize, width: usize) {
        self.depth = depth;
        self.panels.resize(width.div_ceil(COLUMNS) * depth * COLUMNS, 0.0);
    }
}

/// The columns of the `number`th panel of matrices that stand one below the other.
fn fill_panel(panel: &mut [f32], number: usize, blocks: &[&[f32]], width: usize) {
    let columns = number * COLUMNS..width.min((number + 1) * COLUMNS);
    let rows = blocks.iter().flat_map(|block| block.chunks_exact(width));
    let (panel, _) = panel.as_chunks_mut::<COLUMNS>();
    panel.iter_mut().zip(rows).for_each(|(to, row)| take(to, &row[columns.clone()]));
}

/// Copies numbers, and 0 where there are too few. Where all are there, how many is known when this
/// is compiled, so that no function needs to be called.
#[inline(always)]
fn take<const COUNT: usize>(to: &mut [f32; COUNT], from: &[f32]) {
    match from.first_chunk() {
        Some(from) => *to = *from,
        None => {
            to[..from.len()].copy_from_slice(from);
            to[from.len()..].fill(0.0);
        }
    }
}

/// `panel[place * side + row] = rows[row * depth + place]`, 0 where there is no such row.
fn interleave(panel: &mut [f32], rows: &[f32], depth: usize, side: usize) {
    for row in 0..side {
        let panel = panel.iter_mut().skip(row).step_by(side);
        match rows.get(row * depth..(row + 1) * depth) {
            Some(row) => panel.zip(row).for_each(|(to, from)| *to = *from),
            None => panel.for_each(|to| *to = 0.0),
        }
    }
}

/// `out = rows packed + start`: `rows` is `[count, depth]`, `out` `[count, width]`, `start`
/// `[width]` or empty. `space` keeps its memory between calls.
pub(crate) fn product(
    lanes: Lanes,
    out: &mut [f32],
    rows: &[f32],
    packed: &Packed,
    start: &[f32],
    space: &mut Vec<f32>,
) {
    let width = out.len() / group(rows, packed.depth, space);
    lanes.0.dispatch(Product { out, groups: space, packed, start, width, from: 0 });
}

/// The product of a matrix, of which these are rows from the `first` on, and its transpose `packed`.
/// It is symmetric: what stands left of the diagonal is not all computed.
pub(crate) fn product_from_diagonal(
    lanes: Lanes,
    out: &mut [f32],
    (rows, first): (&[f32], usize),
    packed: &Packed,
    space: &mut Vec<f32>,
) {
    let width = out.len() / group(rows, packed.depth, space);
    let from = first / COLUMNS;
    lanes.0.dispatch(Product { out, groups: space, packed, start: &[], width, from });
}

/// Lays out rows as products read them; gives how many there are.
fn group(rows: &[f32], depth: usize, space: &mut Vec<f32>) -> usize {
    let count = rows.len() / depth;
    space.resize(count.div_ceil(ROWS) * ROWS * depth, 0.0);
    for (group, rows) in space.chunks_exact_mut(ROWS * depth).zip(rows.chunks(ROWS * depth)) {
        interleave(group, rows, depth, ROWS);
    }
    count
}

/// `out = S packed` for some of the rows of a symmetric matrix `S`, `[depth, depth]`, which is read
/// from its diagonal on: `out` is `[rows, width]`. `space` keeps its memory between calls.
pub(crate) fn product_of_symmetric(
    lanes: Lanes,
    out: &mut [f32],
    (matrix, rows): (&[f32], Range<usize>),
    packed: &Packed,
    space: &mut Vec<f32>,
) {
    let (depth, count) = (packed.depth, rows.len());
    space.resize(count.div_ceil(ROWS) * ROWS * depth, 0.0);
    let firsts = rows.clone().step_by(ROWS);
    for (group, first) in space.chunks_exact_mut(ROWS * depth).zip(firsts) {
        let here = first..rows.end.min(first + ROWS);
        let (group, _) = group.as_chunks_mut::<ROWS>();
        // What these rows lack stands in their columns, above them.
        let above = matrix.chunks_exact(depth).take(here.end);
        group.iter_mut().zip(above).for_each(|(to, row)| take(to, &row[here.clone()]));
        for (place, row) in here.enumerate() {
            let from = &matrix[row * depth..][..depth];
            let to = group.iter_mut().zip(from).skip(row);
            to.for_each(|(to, from)| to[place] = *from);
        }
    }
    let width = out.len() / count;
    lanes.0.dispatch(Product { out, groups: space, packed, start: &[], width, from: 0 });
}

/// `out = X^T packed` for some of the columns of `X`, whose rows, of length `row_length`, stand in
/// `blocks` one below the other: `out` is `[columns, width]`. `space` keeps its memory between calls.
pub(crate) fn product_of_columns(
    lanes: Lanes,
    out: &mut [f32],
    (blocks, row_length): (&[&[f32]], usize),
    columns: Range<usize>,
    packed: &Packed,
    space: &mut Vec<f32>,
) {
    let (depth, count) = (packed.depth, columns.len());
    space.resize(count.div_ceil(ROWS) * ROWS * depth, 0.0);
    let firsts = columns.clone().step_by(ROWS);
    for (group, first) in space.chunks_exact_mut(ROWS * depth).zip(firsts) {
        let here = first..columns.end.min(first + ROWS);
        let rows = blocks.iter().flat_map(|block| block.chunks_exact(row_length));
        let (group, _) = group.as_chunks_mut::<ROWS>();
        group.iter_mut().zip(rows).for_each(|(to, row)| take(to, &row[here.clone()]));
    }
    let width = out.len() / count;
    lanes.0.dispatch(Product { out, groups: space, packed, start: &[], width, from: 0 });
}

struct Product<'a> {
    out: &'a mut [f32],
    groups: &'a [f32],
    packed: &'a Packed,
    start: &'a [f32],
    width: usize,
    /// The first panel that is multiplied.
    from: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many registers side by side as leave room for all rows of them.
        match S::F32_LANES {
            16 | 8 => self.compute::<S, 2>(simd),
            4 if cfg!(target_family = "wasm") => self.compute::<S, 2>(simd),
            4 => self.compute::<S, 4>(simd),
            _ => self.compute::<S, COLUMNS>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn compute<S: Simd, const N: usize>(self, simd: S) {
        let Self { out, groups, packed, start, width, from } = self;
        let depth = packed.depth;
        let side = N * S::F32_LANES;
        let panels = packed.panels.chunks_exact(depth * COLUMNS).enumerate();
        for (number, panel) in panels.skip(from) {
            let (panel, _) = S::as_simd_f32s(panel);
            for stripe in 0..COLUMNS / side {
                let first = number * COLUMNS + stripe * side;
                let columns = side.min(width.saturating_sub(first));
                if columns == 0 {
                    break;
                }
                let mut begin = [0.0; COLUMNS];
                if let Some(start) = start.get(first..first + columns) {
                    begin[..columns].copy_from_slice(start);
                }
                let groups = groups.chunks_exact(ROWS * depth);
                for (out, group) in out.chunks_mut(ROWS * width).zip(groups) {
                    let sums = cell::<S, N>(simd, &panel[stripe * N..], group, &begin);
                    for (out, sums) in out.chunks_exact_mut(width).zip(&sums) {
                        put::<S, N>(sums, &mut out[first..first + columns]);
                    }
                }
            }
        }
    }
}

/// Writes as many of the sums as there is room for.
#[inline(always)]
fn put<S: Simd, const N: usize>(sums: &[S::f32s; N], out: &mut [f32]) {
    match S::as_mut_simd_f32s(out).0.first_chunk_mut() {
        Some(out) => *out = *sums,
        None => {
            let sums: &[f32] = pulp::bytemuck::cast_slice(sums);
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// `ROWS` by `N` registers of the product; `panel` begins with the first row of its stripe.
#[inline(always)]
fn cell<S: Simd, const N: usize>(
    simd: S,
    panel: &[S::f32s],
    group: &[f32],
    begin: &[f32; COLUMNS],
) -> [[S::f32s; N]; ROWS] {
    let mut row = [simd.splat_f32s(0.0); N];
    row.copy_from_slice(&S::as_simd_f32s(begin).0[..N]);
    let mut sums = [row; ROWS];
    let (group, _) = group.as_chunks::<ROWS>();
    for (panel, group) in panel.chunks(COLUMNS / S::F32_LANES).zip(group) {
        let Some(panel) = panel.first_chunk::<N>() else { break };
        for (sums, times) in sums.iter_mut().zip(group) {
            let times = simd.splat_f32s(*times);
            for (sum, column) in sums.iter_mut().zip(panel) {
                *sum = simd.mul_add_e_f32s(times, *column, *sum);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::csae::transposed;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|place| ((place * 31 + seed * 17) % 19) as f32 - 9.0).collect()
    }

    #[test]
    fn products_of_any_shape_are_those_of_a_plain_loop() {
        for (count, depth, width) in [(1, 1, 1), (6, 8, 16), (7, 5, 17), (13, 3, 40), (64, 20, 15)]
        {
            let (rows, matrix) = (numbers(count * depth, 1), numbers(width * depth, 2));
            let start = numbers(width, 3);
            let mut packed = Packed::default();
            packed.fill(&numbers(2 * width * depth, 5), depth); // what lay there before
            packed.fill(&matrix, depth);
            let mut columns = packed.clone();
            columns.fill_columns(&numbers(2 * width * depth, 5), width);
            columns.fill_columns(&transposed(&matrix, depth), width);
            assert_eq!(columns.panels, packed.panels);
            let mut out = vec![f32::NAN; count * width];

            product(Lanes::new(), &mut out, &rows, &packed, &start, &mut vec![]);

            for (place, value) in out.iter().enumerate() {
                let row = &rows[place / width * depth..][..depth];
                let column = &matrix[place % width * depth..][..depth];
                let sum: f32 = row.iter().zip(column).map(|(one, other)| one * other).sum();
                assert_eq!(*value, sum + start[place % width]);
            }

            // The same from the columns of its transpose, two of them at a time.
            let turned = transposed(&rows, depth);
            let stacked = turned.split_at(count * (depth / 2));
            let blocks = [stacked.0, stacked.1];
            columns.fill_here(&matrix, depth);
            assert_eq!(columns.panels, packed.panels);
            let upright = transposed(&matrix, depth);
            let halves = upright.split_at(width * (depth / 3));
            columns.fill_columns_here(&[halves.0, halves.1], width);
            assert_eq!(columns.panels, packed.panels);
            let mut plain = vec![f32::NAN; count * width];
            product(Lanes::new(), &mut plain, &rows, &packed, &[], &mut vec![]);
            for first in (0..count).step_by(2) {
                let chosen = first..count.min(first + 2);
                let mut out = vec![f32::NAN; chosen.len() * width];
                let columns = (&blocks[..], count);
                product_of_columns(
                    Lanes::new(),
                    &mut out,
                    columns,
                    chosen.clone(),
                    &packed,
                    &mut vec![],
                );
                assert_eq!(out, plain[chosen.start * width..chosen.end * width]);
            }
        }
    }
    #[test]
    fn of_a_symmetric_matrix_what_is_from_the_diagonal_on_is_enough() {
        let (lanes, size, depth, width) = (Lanes::new(), 77, 5, 19);
        let matrix = numbers(size * depth, 1);
        let (mut packed, mut whole) = (Packed::default(), vec![0.0; size * size]);
        packed.fill(&matrix, depth);
        product(lanes, &mut whole, &matrix, &packed, &[], &mut vec![]);

        let mut half = vec![f32::NAN; size * size];
        let blocks = half.chunks_mut(40 * size).zip(matrix.chunks(40 * depth));
        for (block, (half, rows)) in blocks.enumerate() {
            product_from_diagonal(lanes, half, (rows, 40 * block), &packed, &mut vec![]);
        }
        for row in 0..size {
            let (half, whole) = (&mut half[row * size..], &whole[row * size..]);
            assert_eq!(half[row..size], whole[row..size]);
            half[..row].fill(f32::NAN);
        }

        packed.fill_columns(&numbers(size * width, 2), width);
        let mut expected = vec![0.0; size * width];
        product(lanes, &mut expected, &whole, &packed, &[], &mut vec![]);
        for rows in [0..20, 20..21, 21..77] {
            let mut out = vec![f32::NAN; rows.len() * width];
            product_of_symmetric(lanes, &mut out, (&half, rows.clone()), &packed, &mut vec![]);
            assert_eq!(out, expected[rows.start * width..rows.end * width]);
        }
    }
}
