//! Rows of numbers in the host's memory, from which a device is given some at a time.

use std::borrow::Cow;
use std::fmt::Debug;
use std::ops::Range;

use anyhow::Result;
use burn::prelude::*;
use shared::bundle::Normalization;

/// Rows wherever they lie: in memory ([`Rows`]) or in a file ([`FiledRows`](super::FiledRows)).
pub trait RowStore: Debug + Send + Sync {
    /// How many rows there are.
    fn count(&self) -> usize;

    /// How many numbers a row has.
    fn width(&self) -> usize;

    /// The rows at these places, in this order.
    ///
    /// # Errors
    /// The file cannot be read.
    fn chosen(&self, places: &[usize]) -> Result<Rows>;

    /// Rows that follow one another.
    ///
    /// # Errors
    /// The file cannot be read.
    fn span(&self, places: Range<usize>) -> Result<Rows>;

    /// The numbers of rows that follow one another, row after row; without a copy where they lie in memory.
    ///
    /// # Errors
    /// The file cannot be read.
    fn values(&self, places: Range<usize>) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Owned(self.span(places)?.values))
    }

    /// How many rows had best be asked for at once, where that matters.
    fn at_once(&self) -> Option<usize> {
        None
    }
}

impl dyn RowStore + '_ {
    /// The numbers of all rows in order, at most `count` rows at a time.
    pub fn blocks(&self, count: usize) -> impl Iterator<Item = Result<Cow<'_, [f32]>>> {
        let end = self.count();
        (0..end).step_by(count).map(move |first| self.values(first..end.min(first + count)))
    }
}

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

    /// The rows one by one.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The first `count` rows, or all if there are fewer.
    pub fn beginning(&self, count: usize) -> Self {
        let end = count.min(self.len()) * self.width;
        Self { values: self.values[..end].to_vec(), width: self.width }
    }

    /// The rows centred and scaled.
    pub fn scaled(mut self, by: &Normalization) -> Self {
        let means = by.mean.iter().cycle();
        self.values
            .iter_mut()
            .zip(means)
            .for_each(|(value, mean)| *value = (*value - mean) * by.scale);
        self
    }

    /// The rows on a device: `[rows, width]`.
    pub fn on(self, device: &Device) -> Tensor<2> {
        let shape = [self.len(), self.width];
        Tensor::from_data(TensorData::new(self.values, shape), device)
    }

    /// All rows on a device, at most `count` at a time: `[count, width]` each.
    pub fn blocks<'a>(
        &'a self,
        count: usize,
        device: &'a Device,
    ) -> impl Iterator<Item = Tensor<2>> + 'a {
        let block = |values: &[f32]| Self { values: values.to_vec(), width: self.width };
        self.values.chunks(count * self.width.max(1)).map(move |values| block(values).on(device))
    }
}

impl RowStore for Rows {
    fn count(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        self.width
    }

    fn chosen(&self, places: &[usize]) -> Result<Rows> {
        let mut values = Vec::with_capacity(places.len() * self.width);
        for place in places {
            values.extend_from_slice(&self.values[place * self.width..][..self.width]);
        }
        Ok(Self { values, width: self.width })
    }

    fn span(&self, places: Range<usize>) -> Result<Rows> {
        Ok(Self { values: self.values(places)?.into_owned(), width: self.width })
    }

    fn values(&self, places: Range<usize>) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Borrowed(&self.values[places.start * self.width..places.end * self.width]))
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
        assert_eq!(rows().chosen(&[4, 1]).unwrap().values, [8.0, 9.0, 2.0, 3.0]);
        assert_eq!(rows().span(1..3).unwrap().values, [2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn blocks_are_all_rows_in_order() {
        let blocks: Vec<Tensor<2>> = rows().blocks(2, &Device::flex()).collect();

        assert_eq!(blocks.iter().map(|block| block.dims()[0]).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(to_vec(Tensor::cat(blocks, 0)), rows().values);
        assert_eq!(rows().len(), 5);
        assert_eq!(rows().beginning(2).values, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(rows().beginning(9), rows());
        let store: &dyn RowStore = &rows();
        let blocks: Vec<_> = store.blocks(2).collect::<Result<_>>().unwrap();
        assert_eq!(blocks.iter().map(|block| block.len()).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(blocks.concat(), rows().values);
    }
}
