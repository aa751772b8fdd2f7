//! A matrix applied to every row of a batch of sequences, and rows of a matrix by their numbers.

use burn::prelude::*;

use crate::kernels::on_processor;

/// `input` `[batch, length, from]` times `weight` `[from, to]`, as one product of two matrices:
/// `[batch, length, to]`.
pub fn linear(input: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, length, from] = input.dims();
    let [_, to] = weight.dims();
    input.reshape([batch * length, from]).matmul(weight).reshape([batch, length, to])
}

/// The rows of `table`, `[n, width]`, with these numbers: `[count, width]`.
///
/// Where a card learns it is a product, in which each row of the first matrix has a single 1: the
/// gradient of burn's selection adds one number after the other there (`select_assign` of burn-cubecl
/// 0.22), that of a product all side by side.
pub fn rows_of(table: Tensor<2>, numbers: Tensor<1, Int>) -> Tensor<2> {
    let device = table.device();
    match device.is_autodiff() && !on_processor(&device) {
        true => one_hot(numbers, table.dims()[0]).matmul(table),
        false => table.select(0, numbers),
    }
}

/// A row for each number, 1 at its place and else 0: `[count, n]`.
fn one_hot(numbers: Tensor<1, Int>, n: usize) -> Tensor<2> {
    let [count] = numbers.dims();
    let places = Tensor::<1, Int>::arange(0..n as i64, &numbers.device()).reshape([1, n]);
    numbers.reshape([count, 1]).equal(places).float()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_selected_by_a_product() {
        let device = Device::flex();
        let table = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], &device);
        let numbers = Tensor::<1, Int>::from_data([2, 0, 2, 1], &device);

        let product = one_hot(numbers.clone(), 3).matmul(table.clone());

        product.into_data().assert_eq(&rows_of(table, numbers).into_data(), true);
    }
}
