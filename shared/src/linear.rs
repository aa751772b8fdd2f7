//! A matrix applied to every row of a batch of sequences.

use burn::prelude::*;

/// `input` `[batch, length, from]` times `weight` `[from, to]`, as one product of two matrices:
/// `[batch, length, to]`.
pub fn linear(input: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, length, from] = input.dims();
    let [_, to] = weight.dims();
    input.reshape([batch * length, from]).matmul(weight).reshape([batch, length, to])
}
