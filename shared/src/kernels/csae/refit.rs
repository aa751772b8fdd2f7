//! Refitting the active features of one row, and the way back through it.
//!
//! Forward, as in [`crate::refit`]: `v_t = max(0, v_(t-1) + pace (toward - G v_(t-1)))`. Back, with
//! `g` the slope of the loss along `v_t`: `u_t = g [v_t > 0]`, and along `v_(t-1)` it is
//! `u_t - pace G u_t`. With `E_t = x - b - D' v_(t-1)`, what was left before the step, and
//! `P_t = pace D' u_t`, the decoder's gradient gets `sum_t pace u_t E_t - v_(t-1) P_t`.

use std::hint::select_unpredictable;

use pulp::{Simd, WithSimd};

use crate::kernels::lanes::{Lanes, row_times};

/// At most so many numbers are computed at once.
pub(super) const AT_ONCE: usize = 16;

/// The strengths of a row's active features after each step, and the slopes along them.
#[derive(Debug)]
pub(super) struct Refit<'a> {
    pub(super) lanes: Lanes,
    /// How many features are active.
    pub(super) active: usize,
    /// How long a row of the tables below is: room for all features that may be active, a multiple
    /// of [`AT_ONCE`].
    pub(super) width: usize,
    /// The products of the active features' directions: `[active, width]`.
    pub(super) gram: &'a [f32],
}

impl Refit<'_> {
    /// Fills `values`, `[steps + 1, width]`, from its first row on; `toward` is `D_S' (x - b)`. Gives
    /// the pace: 1 over the largest row sum of `|G|`, and 1 at most.
    pub(super) fn forward(&self, toward: &[f32], values: &mut [f32], space: &mut [f32]) -> f32 {
        self.lanes.0.dispatch(Forward { refit: self, toward, values, space })
    }

    /// Takes `slope`, `[width]`, from the last of `values` back to the first, and leaves
    /// `pace u_t` of every step in `pulls`, `[steps, width]`.
    pub(super) fn backward(
        &self,
        pace: f32,
        values: &[f32],
        slope: &mut [f32],
        pulls: &mut [f32],
        space: &mut [f32],
    ) {
        self.lanes.0.dispatch(Backward { refit: self, pace, values, slope, pulls, space });
    }

    /// The largest sum of a column's sizes, at least 1. Columns are rows: the table is symmetric.
    #[inline(always)]
    fn largest_sum<S: Simd>(&self, simd: S) -> f32 {
        let (gram, _) = S::as_simd_f32s(&self.gram[..self.active * self.width]);
        let registers = self.width / S::F32_LANES;
        let mut largest = simd.splat_f32s(1.0);
        for register in 0..registers {
            let mut sum = simd.splat_f32s(0.0);
            for row in gram.chunks_exact(registers) {
                sum = simd.add_f32s(sum, simd.abs_f32s(row[register]));
            }
            largest = simd.max_f32s(largest, sum);
        }
        simd.reduce_max_f32s(largest)
    }
}

/// All steps.
struct Forward<'a> {
    refit: &'a Refit<'a>,
    toward: &'a [f32],
    values: &'a mut [f32],
    space: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let Self { refit, toward, values, space } = self;
        let Refit { active, width, gram, .. } = *refit;
        let pace = 1.0 / refit.largest_sum(simd);
        let (space, toward) = (&mut space[..width], &toward[..active]);
        for step in 1..values.len() / width {
            let (before, after) = values.split_at_mut(step * width);
            let before = &before[(step - 1) * width..][..active];
            row_times(simd, space, before, gram);
            let terms = before.iter().zip(toward.iter().zip(&*space));
            for (after, (before, (toward, back))) in after[..active].iter_mut().zip(terms) {
                let value = before + pace * (toward - back);
                // Not `max`, which would turn what is not a number into 0.
                *after = if value <= 0.0 { 0.0 } else { value };
            }
        }
        pace
    }
}

/// All steps back.
struct Backward<'a> {
    refit: &'a Refit<'a>,
    pace: f32,
    values: &'a [f32],
    slope: &'a mut [f32],
    pulls: &'a mut [f32],
    space: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { refit, pace, values, slope, pulls, space } = self;
        let Refit { active, width, gram, .. } = *refit;
        let (space, slope) = (&mut space[..width], &mut slope[..active]);
        let after = values.chunks_exact(width).skip(1);
        for (values, pull) in after.zip(pulls.chunks_exact_mut(width)).rev() {
            let pull = &mut pull[..active];
            for (value, (slope, pull)) in values.iter().zip(slope.iter_mut().zip(&mut *pull)) {
                *slope = select_unpredictable(*value > 0.0, *slope, 0.0);
                *pull = pace * *slope;
            }
            row_times(simd, space, pull, gram);
            slope.iter_mut().zip(&*space).for_each(|(slope, back)| *slope -= back);
        }
    }
}
