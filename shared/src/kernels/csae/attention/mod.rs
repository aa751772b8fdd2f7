//! Attention between the active features of a row, in one round or two, forward and back.
//!
//! Once for all rows: `Q = E W_q / sqrt(d_head)`, `K = E W_k`, `V = E W_v`, and head by head the
//! score `M_ij = Q_i K_j` of a pair of features at strength 1. On a row, feature `i` shares its
//! attention among its strongest partners `j`, `a_ij = softmax(f_i f_j M_ij)`, and the null slot;
//! with the gate `g_i`, or 1 without one, the row composes `z = sum_i g_i sum_j a_ij f_j V_j`, and
//! `z W_o` is added to the reconstruction. As [`crate::Attention`] says it.
//!
//! Back, with `y` the slope along `z`: `q_j = V_j y` is how much more of `j`'s value would change
//! the loss, from which the slopes along all `a_ij`, and by the softmax along the scores, follow.
//! Only pairs that were chosen have slopes, so that the gradients of `Q`, `K` and `V` are sums over
//! them, head by head; those of the weights and of `E` are products of matrices.
//!
//! The tokens of a second round depend on the row, but they are sums of what does not: see
//! [`makings`]. Such a round is one whose tables are those of the row.
//!
//! Numbers of eight heads lie side by side, so that eight heads look for partners at once.

mod back;
mod choice;
mod forward;
mod gate;
mod gradients;
mod makings;
mod mixing;
mod projections;
mod round;
mod row;
mod second;
mod tables;

pub(super) use gradients::Gathering;
use row::{Row, Space};
pub(super) use tables::Tables;

use pulp::Simd;

use super::Model;
use crate::kernels::lanes::Lanes;

/// Whether the way forward has attention. The engine of a browser, which is to be small, goes without:
/// it leaves such models to tensors.
pub(super) const COMPOSED: bool = cfg!(not(target_family = "wasm"));
/// How many heads are computed side by side.
const HEADS: usize = 8;

/// One number of each of some heads; 0 where there are fewer heads.
type Heads = [f32; HEADS];

/// A number for each of some heads. Whole before it is stored anywhere, so that the processor can
/// compute all at once.
#[inline(always)]
fn each(of: impl Fn(usize) -> f32) -> Heads {
    std::array::from_fn(of)
}

/// How many of what there are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Shape {
    n_features: usize,
    d_compose: usize,
    n_heads: usize,
    /// How many partners a feature has at most.
    partners: usize,
}

impl Shape {
    /// The shape of a model's attention, if its features attend to each other.
    fn of(model: &Model) -> Option<Self> {
        let attention = &model.parameters.attention;
        let (n_features, n_heads) = (model.parameters.n_features(), attention.null.len());
        (n_heads > 0 && model.combination_size > 1).then(|| Self {
            n_features,
            d_compose: attention.embedding.len() / n_features,
            n_heads,
            partners: model.combination_size - 1,
        })
    }

    /// The width of a head.
    fn d_head(&self) -> usize {
        self.d_compose / self.n_heads
    }

    /// How many times [`HEADS`] heads there are, rounded up.
    fn groups(&self) -> usize {
        self.n_heads.div_ceil(HEADS)
    }

    /// How many [`Heads`] a vector of the width `d_compose` takes.
    fn size(&self) -> usize {
        self.groups() * self.d_head()
    }

    /// Where, among [`Self::size`] of them, the number `place` of a vector stands: which, and at
    /// which head.
    fn side_by_side(&self, place: usize) -> (usize, usize) {
        let (head, place) = (place / self.d_head(), place % self.d_head());
        (head / HEADS * self.d_head() + place, head % HEADS)
    }
}

/// What attention makes of the rows of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Attended {
    rows: Vec<Row>,
    space: Space,
    contribution: Vec<f32>,
}

impl Attended {
    /// Makes room for rows.
    pub(super) fn begin(&mut self, rows: usize, d_model: usize) {
        self.rows.resize(rows, Row::default());
        self.contribution.resize(d_model, 0.0);
    }

    /// Takes what the `active` features compose, firing with these values, out of the `residual` of
    /// a row.
    pub(super) fn compose(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        row: usize,
        (active, values): (&[u32], &[f32]),
        residual: &mut [f32],
    ) {
        let Self { rows, space, contribution } = self;
        rows[row].compose(lanes, tables, space, (active, values));
        rows[row].contribute(lanes, tables, contribution);
        residual.iter_mut().zip(contribution).for_each(|(left, said)| *left -= *said);
    }

    /// Adds the slopes along the values of the row that was composed last; along its reconstruction
    /// the slope is `scale` times the residual.
    pub(super) fn descend(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        row: usize,
        (residual, scale): (&[f32], f32),
        slopes: &mut [f32],
    ) {
        self.rows[row].descend(lanes, tables, &mut self.space, (residual, scale), slopes);
    }
}

/// `out += times * vector`.
#[inline(always)]
fn add<S: Simd>(simd: S, out: &mut [f32], times: f32, vector: &[f32]) {
    let ((out, out_rest), (vector, rest)) = (S::as_mut_simd_f32s(out), S::as_simd_f32s(vector));
    let all = simd.splat_f32s(times);
    for (out, value) in out.iter_mut().zip(vector) {
        *out = simd.mul_add_e_f32s(all, *value, *out);
    }
    out_rest.iter_mut().zip(rest).for_each(|(out, value)| *out += times * value);
}
