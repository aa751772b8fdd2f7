//! A feature that is active on a row, as those see it who gather gradients.

use super::Block;

/// An active feature on a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels::csae) struct Firing<'a> {
    pub(super) block: &'a Block,
    pub(super) row: usize,
    /// Its place among the active features of the row.
    pub(in crate::kernels::csae) slot: usize,
}

impl<'a> Firing<'a> {
    /// Its strength in the end.
    pub(in crate::kernels::csae) fn value(&self) -> f32 {
        let Block { steps, width, values, .. } = self.block;
        values[(self.row * (steps + 1) + steps) * width + self.slot]
    }

    /// The slope along what the encoder says.
    pub(in crate::kernels::csae) fn slope(&self) -> f32 {
        self.block.slopes[self.row * self.block.width + self.slot]
    }

    /// The sum of the slopes along its changes when it was refitted.
    pub(in crate::kernels::csae) fn pulled(&self) -> f32 {
        self.block.pulled[self.row * self.block.width + self.slot]
    }

    pub(in crate::kernels::csae) fn residual(&self) -> &'a [f32] {
        self.block.left(self.row)
    }

    pub(in crate::kernels::csae) fn centred(&self) -> &'a [f32] {
        self.block.centred(self.row)
    }

    /// How its row was refitted.
    pub(in crate::kernels::csae) fn refitted(&self) -> Refitted<'a> {
        self.block.refitted_row(self.row)
    }

    /// For each step of refitting, without a table of products: what was left before it, and the
    /// echo.
    pub(in crate::kernels::csae) fn echoes(&self) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
        let Block { steps, d_model, .. } = *self.block;
        let rows = self.row * steps * d_model..(self.row + 1) * steps * d_model;
        let before = self.block.before[rows.clone()].chunks_exact(d_model);
        before.zip(self.block.echoes[rows].chunks_exact(d_model))
    }
}

/// A row that was refitted.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels::csae) struct Refitted<'a> {
    /// The active features, in ascending order.
    pub(in crate::kernels::csae) active: &'a [u32],
    pub(super) width: usize,
    pub(super) values: &'a [f32],
    pub(super) pulls: &'a [f32],
}

impl<'a> Refitted<'a> {
    /// For each step: the strengths of all active features before it, and the slopes along their
    /// changes; both `[width]`.
    #[inline(always)]
    pub(in crate::kernels::csae) fn steps(
        &self,
    ) -> impl Iterator<Item = (&'a [f32], &'a [f32])> + Clone {
        self.values.chunks_exact(self.width).zip(self.pulls.chunks_exact(self.width))
    }
}
