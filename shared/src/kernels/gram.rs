//! `X'X` of the rows of a tall matrix `X`.
//!
//! Rows are taken some at a time: their products are summed up in f32, and what these give in f64.
//! The sums have a fixed order, whatever number of threads computes them.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::Lanes;
use super::product::{COLUMNS, Packed};

/// How many rows are taken at once.
const DEPTH: usize = 512;
/// How many sums are kept, each over its share of the rows.
const SUMS: usize = 16;

/// The sum of the products `x_i x_j` over rows `x`.
#[derive(Clone, Debug)]
pub struct Gram {
    width: usize,
    sums: Vec<Sum>,
}

/// The sum over a share of the rows.
#[derive(Clone, Debug, Default)]
struct Sum {
    packed: Packed,
    /// For each panel of columns its products with all columns up to its last one, one triangle:
    /// `[panels, columns so far, COLUMNS]`.
    totals: Vec<f64>,
}

impl Gram {
    /// The sum over no rows, which are to be `width` long.
    pub fn new(width: usize) -> Self {
        let panels = width.div_ceil(COLUMNS);
        let totals = vec![0.0; first_of_panel(panels)];
        Self { width, sums: vec![Sum { packed: Packed::default(), totals }; SUMS] }
    }

    /// Adds rows, `[count, width]`.
    pub fn add(&mut self, rows: &[f32]) {
        let (lanes, width) = (Lanes::new(), self.width);
        self.sums.par_iter_mut().enumerate().for_each(|(number, sum)| {
            for rows in rows.chunks(DEPTH * width).skip(number).step_by(SUMS) {
                sum.packed.fill_columns_here(&[rows], width);
                lanes.0.dispatch(Add { packed: &sum.packed, totals: &mut sum.totals });
            }
        });
    }

    /// `X'X`: `[width, width]`.
    pub fn matrix(&self) -> Vec<f64> {
        let mut matrix = vec![0.0; self.width * self.width];
        for column in 0..self.width {
            let (panel, place) = (column / COLUMNS, column % COLUMNS);
            for row in 0..=column {
                let here = first_of_panel(panel) + row * COLUMNS + place;
                let total = self.sums.iter().map(|sum| sum.totals[here]).sum();
                matrix[row * self.width + column] = total;
                matrix[column * self.width + row] = total;
            }
        }
        matrix
    }
}

/// Where the totals of a panel begin.
fn first_of_panel(panel: usize) -> usize {
    COLUMNS * COLUMNS * panel * (panel + 1) / 2
}

/// Adds the products of packed rows to the totals.
struct Add<'a> {
    packed: &'a Packed,
    totals: &'a mut [f64],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as the processor keeps in registers.
        match S::F32_LANES {
            16 => self.compute::<S, 2, 8>(simd),
            8 => self.compute::<S, 2, 4>(simd),
            4 => self.compute::<S, 4, 2>(simd),
            _ => self.compute::<S, COLUMNS, 1>(simd),
        }
    }
}

impl Add<'_> {
    #[inline(always)]
    fn compute<S: Simd, const N: usize, const ROWS: usize>(self, simd: S) {
        let Self { packed, totals } = self;
        let side = N * S::F32_LANES;
        for (number, columns) in packed.panels().enumerate() {
            let totals = &mut totals[first_of_panel(number)..first_of_panel(number + 1)];
            let groups = totals.chunks_exact_mut(ROWS * COLUMNS).enumerate();
            for (group, totals) in groups {
                let first = group * ROWS;
                let Some(rows) = packed.panels().nth(first / COLUMNS) else { break };
                for stripe in 0..COLUMNS / side {
                    let places = (first % COLUMNS, stripe * N);
                    let sums = cell::<S, N, ROWS>(simd, rows, columns, places);
                    for (totals, sums) in totals.chunks_exact_mut(COLUMNS).zip(&sums) {
                        let sums: &[f32] = pulp::bytemuck::cast_slice(sums);
                        for (total, sum) in totals[stripe * side..].iter_mut().zip(sums) {
                            *total += f64::from(*sum);
                        }
                    }
                }
            }
        }
    }
}

/// The products of `ROWS` columns, from the place `first` of one panel on, and `N` registers of
/// another one.
#[inline(always)]
fn cell<S: Simd, const N: usize, const ROWS: usize>(
    simd: S,
    rows: &[[f32; COLUMNS]],
    columns: &[[f32; COLUMNS]],
    (first, register): (usize, usize),
) -> [[S::f32s; N]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); N]; ROWS];
    for (row, column) in rows.iter().zip(columns) {
        let Some(row) = row[first..].first_chunk::<ROWS>() else { break };
        let (column, _) = S::as_simd_f32s(column);
        let Some(column) = column[register..].first_chunk::<N>() else { break };
        for (sums, times) in sums.iter_mut().zip(row) {
            let times = simd.splat_f32s(*times);
            for (sum, column) in sums.iter_mut().zip(column) {
                *sum = simd.mul_add_e_f32s(times, *column, *sum);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, width: usize) -> Vec<f32> {
        (0..count * width).map(|place| ((place * 31 + 17) % 19) as f32 - 9.0).collect()
    }

    #[test]
    fn the_products_of_any_width_are_those_of_a_plain_loop() {
        for (count, width) in [(1, 1), (5, 33), (DEPTH * 2 + 3, 7), (40, 70)] {
            let rows = rows(count, width);
            let mut gram = Gram::new(width);

            let (some, others) = rows.split_at(count / 3 * width);
            gram.add(some);
            gram.add(others);

            // Small whole numbers: exact in any order.
            let matrix = gram.matrix();
            for (place, product) in matrix.iter().enumerate() {
                let (one, other) = (place / width, place % width);
                let products = rows.chunks_exact(width).map(|row| row[one] * row[other]);
                assert_eq!(*product, products.map(f64::from).sum::<f64>(), "{count} {width}");
            }
        }
    }

    #[test]
    fn many_rows_give_the_same_bytes_on_any_number_of_threads() {
        let rows: Vec<f32> = rows(DEPTH * 20, 9).iter().map(|value| value * 0.1).collect();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut gram = Gram::new(9);
                gram.add(&rows);
                gram.matrix()
            })
        };

        assert_eq!(on(1), on(3));
    }
}
