//! Who is active together with whom, and sums over the rows where they are.

use pulp::{Simd, WithSimd};

use super::sparse::{Column, SparseRows};

/// Numbers of a row that are added up at once.
pub(super) const STRIP: usize = 16;

/// Residuals in strips, of each row's first numbers, then of each row's next ones, and so on: what
/// one strip adds up to for every feature stays in the processor's nearest memory.
pub(super) struct Strips(Vec<Vec<[f32; STRIP]>>);

impl Strips {
    /// Of rows, `[rows, width]`; a last strip that is not full ends in 0.
    pub(super) fn new(rows: &[f32], width: usize) -> Self {
        let strip = |from: usize| {
            let cut = |row: &[f32]| {
                let mut strip = [0.0; STRIP];
                let numbers = &row[from..width.min(from + STRIP)];
                strip[..numbers.len()].copy_from_slice(numbers);
                strip
            };
            rows.chunks_exact(width).map(cut).collect()
        };
        Self((0..width).step_by(STRIP).map(strip).collect())
    }

    /// Strip after strip of a column's rows alone.
    pub(super) fn of(&self, column: &Column) -> impl Iterator<Item = Vec<[f32; STRIP]>> {
        let rows_of = |strip: &Vec<[f32; STRIP]>| {
            column.iter().map(|(row, _)| strip[*row as usize]).collect()
        };
        self.0.iter().map(rows_of)
    }
}

/// With whom one feature is active.
pub(super) struct Partners {
    /// Where each of the feature's rows begins in `others` and `weights`, and where the last ends.
    starts: Vec<usize>,
    /// The later features that are active on the row too.
    others: Vec<u32>,
    /// `w = sqrt(f_i f_j)`.
    weights: Vec<f32>,
    /// `sum of w^2` with each feature: `[n_features]`.
    pub(super) squares: Vec<f32>,
    /// On how many rows: `[n_features]`.
    pub(super) support: Vec<usize>,
}

impl Partners {
    /// Those of every feature, by reading the rows of `codes` once.
    pub(super) fn of_all(codes: &SparseRows, columns: &[Column]) -> Vec<Self> {
        let n_features = columns.len();
        let mut sizes = vec![0; n_features];
        for row in 0..codes.len() {
            let (ids, _) = codes.row(row);
            ids.iter().rev().enumerate().for_each(|(later, id)| sizes[*id as usize] += later);
        }
        let empty = |(column, size): (&Column, usize)| {
            let mut starts = Vec::with_capacity(column.len() + 1);
            starts.push(0);
            Self {
                starts,
                others: Vec::with_capacity(size),
                weights: Vec::with_capacity(size),
                squares: vec![0.0; n_features],
                support: vec![0; n_features],
            }
        };
        let mut all: Vec<Self> = columns.iter().zip(sizes).map(empty).collect();
        for row in 0..codes.len() {
            let (ids, strengths) = codes.row(row);
            for (place, (&id, own)) in ids.iter().zip(strengths).enumerate() {
                let (ids, strengths) = (&ids[place + 1..], &strengths[place + 1..]);
                let partners = &mut all[id as usize];
                partners.others.extend_from_slice(ids);
                partners.weights.extend(strengths.iter().map(|strength| (own * strength).sqrt()));
                for (&other, strength) in ids.iter().zip(strengths) {
                    partners.squares[other as usize] += own * strength;
                    partners.support[other as usize] += 1;
                }
                partners.starts.push(partners.others.len());
            }
        }
        all
    }

    /// `sum of w e` with each feature for one strip of the feature's rows; `order` says for each row
    /// which of them gives its strip.
    pub(super) fn sums(&self, strip: &[[f32; STRIP]], order: &[u32]) -> Vec<[f32; STRIP]> {
        let mut sums = vec![[0.0; STRIP]; self.support.len()];
        pulp::Arch::new().dispatch(AddUp { partners: self, strip, order, sums: &mut sums });
        sums
    }
}

/// [`Partners::sums`] with the widest instructions that there are.
struct AddUp<'a> {
    partners: &'a Partners,
    strip: &'a [[f32; STRIP]],
    order: &'a [u32],
    sums: &'a mut [[f32; STRIP]],
}

impl WithSimd for AddUp<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { partners, strip, order, sums } = self;
        for (&source, ends) in order.iter().zip(partners.starts.windows(2)) {
            let residual = strip[source as usize];
            let others = &partners.others[ends[0]..ends[1]];
            let weights = &partners.weights[ends[0]..ends[1]];
            for (&other, weight) in others.iter().zip(weights) {
                let sum = &mut sums[other as usize];
                sum.iter_mut().zip(&residual).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_a_plain_loop_in_any_width() {
        let mut codes = SparseRows::default();
        codes.push([(0, 4.0), (1, 1.0), (2, 9.0)]);
        codes.push([(1, 1.0)]);
        codes.push([(0, 1.0), (2, 4.0)]);
        let columns = codes.columns(3);
        let width = STRIP + 2;
        let rows: Vec<f32> = (0..3 * width).map(|number| number as f32).collect();

        let first = &Partners::of_all(&codes, &columns)[0];
        let swapped: Vec<Vec<[f32; STRIP]>> = Strips::new(&rows, width)
            .of(&columns[0])
            .map(|strip| first.sums(&strip, &[1, 0]))
            .collect();

        assert_eq!(
            (&first.squares[..], &first.support[..]),
            (&[0.0, 4.0, 40.0][..], &[0, 1, 2][..])
        );
        for place in 0..width {
            let at = |feature: usize| swapped[place / STRIP][feature][place % STRIP];
            // Rows 0 and 2 have each other's numbers.
            let (one, other) = (rows[2 * width + place], rows[place]);
            assert_eq!([at(0), at(1), at(2)], [0.0, 2.0 * one, 6.0 * one + 2.0 * other]);
        }
        assert_eq!(swapped[1][2][2..], [0.0; STRIP - 2]);
    }
}
