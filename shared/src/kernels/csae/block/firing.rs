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
        self.block.code_of(self.row).1[self.slot]
    }

    /// The slope along what the encoder says.
    pub(in crate::kernels::csae) fn slope(&self) -> f32 {
        self.block.slopes[self.row * self.block.width + self.slot]
    }

    pub(in crate::kernels::csae) fn residual(&self) -> &'a [f32] {
        self.block.left(self.row)
    }

    pub(in crate::kernels::csae) fn centred(&self) -> &'a [f32] {
        self.block.centred(self.row)
    }

    /// The features that are active on its row.
    pub(in crate::kernels::csae) fn active(&self) -> &'a [u32] {
        self.block.code_of(self.row).0
    }

    /// For each step of refitting: the strengths of all active features before it, and the slopes
    /// along their changes; both `[width]`.
    pub(in crate::kernels::csae) fn steps(
        &self,
    ) -> impl Iterator<Item = (&'a [f32], &'a [f32])> + Clone {
        let Block { steps, width, .. } = *self.block;
        let values = &self.block.values[self.row * (steps + 1) * width..];
        let pulls = &self.block.pulls[self.row * steps * width..][..steps * width];
        values.chunks_exact(width).zip(pulls.chunks_exact(width))
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
