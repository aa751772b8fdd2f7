//! The training step of a [`CharLm`](crate::CharLm), forward and back without autodiff, and the way
//! forward alone.
//!
//! Windows are taken in parts of fixed size, one task each, which go through all blocks and back and
//! keep what the weights' gradients are made of; then each stretch of a weight matrix is one task that
//! sums over all rows in their order. So the same input gives the same bytes on any number of threads.
//!
//! With `x` the stream, `n(x) = (x - mean) / sqrt(var + 1e-5)` and gains `g`, a block is
//! `x += A(n(x) g1)`, `x += gelu(n(x) g2 W_in) W_out`; the backward formulas stand where they are used.

mod attention;
mod curves;
mod forward;
mod layout;
mod part;
mod step;
#[cfg(test)]
mod tests;
mod writer;

pub use forward::Forward;
pub use layout::Layout;
pub use step::Step;
pub use writer::Writer;
