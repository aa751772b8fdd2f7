//! Sums over long vectors, as wide as the processor computes them.

#[cfg(not(target_family = "wasm"))]
use pulp::Arch;
use pulp::{Simd, WithSimd};

/// The widest instructions that this processor has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes(pub(super) Arch);

/// What a browser's processor has is known when the code is compiled: a choice that nobody keeps
/// leaves one form of each loop in the file.
#[cfg(target_family = "wasm")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Arch;

#[cfg(target_family = "wasm")]
impl Arch {
    fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(super) fn dispatch<Op: WithSimd>(self, op: Op) -> Op::Output {
        pulp::Arch::new().dispatch(op)
    }
}

impl Lanes {
    /// Looks at the processor.
    pub(crate) fn new() -> Self {
        Self(Arch::new())
    }

    /// `out = sum_i coefficients[i] vectors[i]`; each vector is at least as long as `out`.
    pub(crate) fn weighted_sum(self, out: &mut [f32], coefficients: &[f32], vectors: &[&[f32]]) {
        let terms = coefficients.iter().copied().zip(vectors.iter().copied());
        self.0.dispatch(WeightedSum { out, terms });
    }

    /// `out = row matrix`: `row` is `[depth]`, `matrix` `[depth, width]`, `out` `[width]`.
    pub(crate) fn row_times(self, out: &mut [f32], row: &[f32], matrix: &[f32]) {
        let terms = row.iter().copied().zip(matrix.chunks_exact(out.len()));
        self.0.dispatch(WeightedSum { out, terms });
    }

    /// `out[i] = vectors[i] . vector`.
    pub(crate) fn dots(self, out: &mut [f32], vector: &[f32], vectors: &[&[f32]]) {
        self.0.dispatch(Dots { out, vector, vectors: vectors.iter().copied() });
    }

    /// `out = sum_i coefficients[i] matrix[rows[i]]`; the rows of `matrix` are as long as `out`.
    pub(super) fn sum_of_rows(
        self,
        out: &mut [f32],
        coefficients: &[f32],
        rows: &[u32],
        matrix: &[f32],
    ) {
        let width = out.len();
        let rows = rows.iter().map(|row| &matrix[*row as usize * width..][..width]);
        self.0.dispatch(WeightedSum { out, terms: coefficients.iter().copied().zip(rows) });
    }

    /// `out[i] = matrix[rows[i]] . vector`; the rows of `matrix` are as long as `vector`.
    pub(super) fn dots_with_rows(
        self,
        out: &mut [f32],
        vector: &[f32],
        rows: &[u32],
        matrix: &[f32],
    ) {
        let width = vector.len();
        let vectors = rows.iter().map(|row| &matrix[*row as usize * width..][..width]);
        self.0.dispatch(Dots { out, vector, vectors });
    }

    /// The square of a vector's length.
    pub(crate) fn square(self, vector: &[f32]) -> f64 {
        let mut square = [0.0];
        self.dots(&mut square, vector, &[vector]);
        f64::from(square[0])
    }
}

/// As [`Lanes::row_times`], where the widest instructions are used already.
#[inline(always)]
pub(super) fn row_times<S: Simd>(simd: S, out: &mut [f32], row: &[f32], matrix: &[f32]) {
    let terms = row.iter().copied().zip(matrix.chunks_exact(out.len()));
    WeightedSum { out, terms }.with_simd(simd);
}

struct WeightedSum<'a, T> {
    out: &'a mut [f32],
    /// What is added up: numbers, and the vectors that they multiply.
    terms: T,
}

impl<'a, T: Iterator<Item = (f32, &'a [f32])> + Clone> WithSimd for WeightedSum<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { out, terms } = self;
        let mut from = 0;
        while out.len() - from >= 8 * S::F32_LANES {
            tile::<S, 8, 1>(simd, out, from, terms.clone());
            from += 8 * S::F32_LANES;
        }
        if out.len() - from >= 4 * S::F32_LANES {
            tile::<S, 4, 2>(simd, out, from, terms.clone());
            from += 4 * S::F32_LANES;
        }
        if out.len() - from >= 2 * S::F32_LANES {
            tile::<S, 2, 4>(simd, out, from, terms.clone());
            from += 2 * S::F32_LANES;
        }
        if out.len() - from >= S::F32_LANES {
            tile::<S, 1, 8>(simd, out, from, terms.clone());
            from += S::F32_LANES;
        }
        for (place, out) in out.iter_mut().enumerate().skip(from) {
            *out = terms.clone().map(|(times, vector)| times * vector[place]).sum();
        }
    }
}

/// `N` registers of the sum, from the place `from` on: they stay where they are until all is added.
/// Where these are few, terms are added by turns to `SUMS` of them, so that none waits for another.
#[inline(always)]
fn tile<'a, S: Simd, const N: usize, const SUMS: usize>(
    simd: S,
    out: &mut [f32],
    from: usize,
    mut terms: impl Iterator<Item = (f32, &'a [f32])>,
) {
    let mut sums = [[simd.splat_f32s(0.0); N]; SUMS];
    'all: loop {
        for sums in &mut sums {
            let Some((times, vector)) = terms.next() else { break 'all };
            let times = simd.splat_f32s(times);
            let (vector, _) = S::as_simd_f32s(&vector[from..from + N * S::F32_LANES]);
            for (sum, vector) in sums.iter_mut().zip(vector) {
                *sum = simd.mul_add_e_f32s(times, *vector, *sum);
            }
        }
    }
    let (out, _) = S::as_mut_simd_f32s(&mut out[from..from + N * S::F32_LANES]);
    out.copy_from_slice(&sums[0]);
    for sums in &sums[1..] {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = simd.add_f32s(*out, *sum);
        }
    }
}

struct Dots<'a, V> {
    out: &'a mut [f32],
    vector: &'a [f32],
    /// What it is multiplied with, vectors that are as long.
    vectors: V,
}

impl<'a, V: Iterator<Item = &'a [f32]>> WithSimd for Dots<'_, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (out, other) in self.out.iter_mut().zip(self.vectors) {
            *out = dot(simd, self.vector, other);
        }
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, one: &[f32], other: &[f32]) -> f32 {
    let (one, one_rest) = S::as_simd_f32s(one);
    let (other, other_rest) = S::as_simd_f32s(other);
    let (one, one_last) = one.as_chunks::<4>();
    let (other, other_last) = other.as_chunks::<4>();
    let mut sums = [simd.splat_f32s(0.0); 4];
    for (one, other) in one.iter().zip(other) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum = simd.mul_add_e_f32s(*one, *other, *sum);
        }
    }
    for (one, other) in one_last.iter().zip(other_last) {
        sums[0] = simd.mul_add_e_f32s(*one, *other, sums[0]);
    }
    let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
    let rest = one_rest.iter().zip(other_rest).map(|(one, other)| one * other).sum::<f32>();
    simd.reduce_sum_f32s(sum) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(length: usize) -> Vec<Vec<f32>> {
        let number = |place: usize| ((place * 37 + 11) % 23) as f32 - 11.0;
        (0..3).map(|row| (0..length).map(|place| number(row * 100 + place)).collect()).collect()
    }

    #[test]
    fn sums_and_products_of_any_length_are_those_of_a_plain_loop() {
        for length in 0..150 {
            let vectors = vectors(length);
            let borrowed: Vec<&[f32]> = vectors.iter().map(|vector| &vector[..]).collect();
            let coefficients = [0.5, -2.0, 3.0];
            let (mut sum, mut dots) = (vec![f32::NAN; length], [f32::NAN; 3]);

            Lanes::new().weighted_sum(&mut sum, &coefficients, &borrowed);
            Lanes::new().dots(&mut dots, &vectors[0], &borrowed);
            if length > 0 {
                let (all, rows) = (vectors.concat(), [0, 1, 2]);
                let (mut product, mut same) = (vec![f32::NAN; length], [f32::NAN; 3]);
                Lanes::new().row_times(&mut product, &coefficients, &all);
                assert_eq!(product, sum);
                Lanes::new().sum_of_rows(&mut product, &coefficients, &rows, &all);
                assert_eq!(product, sum);
                Lanes::new().dots_with_rows(&mut same, &vectors[0], &rows, &all);
                assert_eq!(same, dots);
            }

            // Small whole numbers and halves: exact in any order.
            for (place, sum) in sum.iter().enumerate() {
                let plain = (0..3).map(|row| coefficients[row] * vectors[row][place]).sum::<f32>();
                assert_eq!(*sum, plain, "{length}");
            }
            for (row, dot) in dots.iter().enumerate() {
                let pairs = vectors[0].iter().zip(&vectors[row]);
                assert_eq!(*dot, pairs.map(|(one, other)| one * other).sum::<f32>(), "{length}");
            }
        }
    }
}
