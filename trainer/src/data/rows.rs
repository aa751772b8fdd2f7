//! Rows of numbers in the host's memory, from which a device is given some at a time.

use burn::prelude::*;

/// Rows of equal width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The numbers, row after row: `[rows, width]`.
    pub values: Vec<f32>,
    /// How many numbers a row has.
    pub width: usize,
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The first `count` rows.
    pub fn beginning(&self, count: usize) -> Self {
        let length = (count * self.width).min(self.values.len());
        Self { values: self.values[..length].to_vec(), width: self.width }
    }

    /// The rows one by one.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// These rows on a device: `[places, width]`.
    pub fn chosen(&self, places: &[usize], device: &Device) -> Tensor<2> {
        let mut values = Vec::with_capacity(places.len() * self.width);
        for place in places {
            values.extend_from_slice(&self.values[place * self.width..][..self.width]);
        }
        Tensor::from_data(TensorData::new(values, [places.len(), self.width]), device)
    }

    /// All rows on a device, at most `count` at a time: `[count, width]` each.
    pub fn blocks<'a>(
        &'a self,
        count: usize,
        device: &'a Device,
    ) -> impl Iterator<Item = Tensor<2>> + 'a {
        self.values.chunks(count * self.width.max(1)).map(move |values| {
            let shape = [values.len() / self.width.max(1), self.width];
            Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::weights::to_vec;

    fn rows() -> Rows {
        Rows { values: (0..10).map(|value| value as f32).collect(), width: 2 }
    }

    #[test]
    fn chosen_rows_come_in_the_asked_order() {
        assert_eq!(to_vec(rows().chosen(&[4, 1], &Device::flex())), [8.0, 9.0, 2.0, 3.0]);
    }

    #[test]
    fn blocks_are_all_rows_in_order() {
        let blocks: Vec<Tensor<2>> = rows().blocks(2, &Device::flex()).collect();

        assert_eq!(blocks.iter().map(|block| block.dims()[0]).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(to_vec(Tensor::cat(blocks, 0)), rows().values);
        assert_eq!(rows().len(), 5);
        assert_eq!(rows().beginning(2).values, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(rows().beginning(9), rows());
    }
}
