//! Where a training's rows come from. What a step sees depends on the step and the seed alone.

use std::ops::Range;

use anyhow::Result;
use burn::prelude::*;
use rand::RngExt;
use rand::seq::SliceRandom;
use shared::random;

use crate::data::{RowStore, Rows};

/// A source of activations, centred and scaled.
pub trait RowSource {
    /// The rows of a step: `[batch_size, d_model]`, without autodiff.
    ///
    /// # Errors
    /// The file with the rows cannot be read.
    fn batch(&mut self, step: u64) -> Result<Tensor<2>>;

    /// Rows to look for combinations in after a step: `[count, d_model]`, or fewer if there are
    /// not so many.
    ///
    /// # Errors
    /// As those of [`batch`](Self::batch).
    fn sample(&mut self, step: u64, count: usize) -> Result<Tensor<2>>;

    /// What the rows of a step and of a sample are to be turned into, row by row; nothing for those
    /// that are to be rebuilt themselves.
    ///
    /// # Errors
    /// As those of [`batch`](Self::batch).
    fn targets(&mut self, _step: u64) -> Result<Option<Tensor<2>>> {
        Ok(None)
    }

    /// As [`targets`](Self::targets), of a sample.
    ///
    /// # Errors
    /// As those of [`batch`](Self::batch).
    fn sample_targets(&mut self, _step: u64, _count: usize) -> Result<Option<Tensor<2>>> {
        Ok(None)
    }

    /// Where the rows are.
    fn device(&self) -> Device;
}

/// Recorded rows: all of them, shuffled anew each time around.
#[derive(Debug)]
pub struct RecordedRows<'a> {
    rows: &'a dyn RowStore,
    device: &'a Device,
    seed: u64,
    batch_size: usize,
    order: Vec<usize>,
    around: Option<u64>,
    ahead: Option<Ahead>,
}

/// The rows of some steps that follow one another, read at once: a file gives many rows faster.
#[derive(Debug)]
struct Ahead {
    /// The first step and how many there are.
    steps: Range<u64>,
    rows: Rows,
}

impl<'a> RecordedRows<'a> {
    /// The order that `seed` gives to `rows`.
    pub fn new(rows: &'a dyn RowStore, batch_size: usize, seed: u64, device: &'a Device) -> Self {
        let batch_size = batch_size.min(rows.count());
        let order = (0..rows.count()).collect();
        Self { rows, device, seed, batch_size, order, around: None, ahead: None }
    }

    /// The rows at the places of `step`, which is the `place`-th of its round, and of some of those
    /// that follow in the round, as many as the store gives at once.
    fn read_ahead(&mut self, step: u64, place: usize, steps: usize) -> Result<&Ahead> {
        let known = self.ahead.as_ref().is_some_and(|ahead| ahead.steps.contains(&step));
        if !known {
            self.ahead = None; // so that both are never in memory
            let steps = steps.min(self.order.len() / self.batch_size - place).max(1);
            let places = &self.order[place * self.batch_size..][..steps * self.batch_size];
            let rows = self.rows.chosen(places)?;
            self.ahead = Some(Ahead { steps: step..step + steps as u64, rows });
        }
        Ok(self.ahead.as_ref().expect("it was just read"))
    }
}

impl RowSource for RecordedRows<'_> {
    /// What is left at the end of a round waits for the next.
    fn batch(&mut self, step: u64) -> Result<Tensor<2>> {
        let in_a_round = (self.order.len() / self.batch_size) as u64;
        let around = step / in_a_round;
        if self.around != Some(around) {
            let mut stream = random::stream(self.seed, "order of rows");
            stream.set_stream(around);
            self.order = (0..self.rows.count()).collect();
            self.order.shuffle(&mut stream);
            self.around = Some(around);
        }
        let place = (step % in_a_round) as usize;
        let size = self.batch_size;
        let rows = match self.rows.at_once() {
            None => self.rows.chosen(&self.order[place * size..][..size])?,
            Some(count) => {
                let ahead = self.read_ahead(step, place, count / size)?;
                let first = (step - ahead.steps.start) as usize * size;
                ahead.rows.span(first..first + size)?
            }
        };
        Ok(rows.on(self.device))
    }

    fn sample(&mut self, step: u64, count: usize) -> Result<Tensor<2>> {
        let mut stream = random::stream(self.seed, "rows to screen");
        stream.set_stream(step);
        let mut places: Vec<usize> = (0..self.rows.count()).collect();
        let count = count.min(places.len());
        for place in 0..count {
            let other = stream.random_range(place..places.len());
            places.swap(place, other);
        }
        places.truncate(count);
        Ok(self.rows.chosen(&places)?.on(self.device))
    }

    fn device(&self) -> Device {
        self.device.clone()
    }
}

/// Rows, and what each is to be turned into.
#[derive(Debug)]
pub struct PairedRows<'a> {
    inputs: RecordedRows<'a>,
    outputs: RecordedRows<'a>,
}

impl<'a> PairedRows<'a> {
    /// The order that `seed` gives to both; row by row they belong together.
    pub fn new(
        [inputs, outputs]: [&'a dyn RowStore; 2],
        batch_size: usize,
        seed: u64,
        device: &'a Device,
    ) -> Self {
        let ordered = |rows| RecordedRows::new(rows, batch_size, seed, device);
        Self { inputs: ordered(inputs), outputs: ordered(outputs) }
    }
}

impl RowSource for PairedRows<'_> {
    fn batch(&mut self, step: u64) -> Result<Tensor<2>> {
        self.inputs.batch(step)
    }

    fn sample(&mut self, step: u64, count: usize) -> Result<Tensor<2>> {
        self.inputs.sample(step, count)
    }

    fn targets(&mut self, step: u64) -> Result<Option<Tensor<2>>> {
        self.outputs.batch(step).map(Some)
    }

    fn sample_targets(&mut self, step: u64, count: usize) -> Result<Option<Tensor<2>>> {
        self.outputs.sample(step, count).map(Some)
    }

    fn device(&self) -> Device {
        self.inputs.device()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::weights::to_vec;

    fn rows() -> Rows {
        Rows { values: (0..70).map(|row| row as f32).collect(), width: 1 }
    }

    fn sorted(mut values: Vec<f32>) -> Vec<f32> {
        values.sort_by(f32::total_cmp);
        values
    }

    #[test]
    fn every_row_is_seen_once_in_a_round_and_in_another_order_in_the_next() {
        let (rows, device) = (rows(), Device::flex());
        let mut source = RecordedRows::new(&rows, 10, 1, &device);

        let mut round = |first| -> Vec<f32> {
            (first..first + 7).flat_map(|step| to_vec(source.batch(step).unwrap())).collect()
        };
        let (one, other) = (round(0), round(7));

        assert_eq!(sorted(one.clone()), rows.values);
        assert_ne!(one, other);
    }

    #[test]
    fn a_step_sees_the_same_rows_whatever_came_before() {
        let (rows, device) = (rows(), Device::flex());
        let mut straight = RecordedRows::new(&rows, 10, 1, &device);
        for step in 0..9 {
            straight.batch(step).unwrap();
        }
        let mut resumed = RecordedRows::new(&rows, 10, 1, &device);

        assert_eq!(to_vec(straight.batch(9).unwrap()), to_vec(resumed.batch(9).unwrap()));
    }

    /// Rows that are best asked for some at once.
    #[derive(Debug)]
    struct Slow(Rows, usize);

    impl RowStore for Slow {
        fn count(&self) -> usize {
            self.0.count()
        }

        fn width(&self) -> usize {
            self.0.width
        }

        fn chosen(&self, places: &[usize]) -> Result<Rows> {
            assert!(places.len() <= self.1.max(10), "{} at once", places.len());
            self.0.chosen(places)
        }

        fn span(&self, places: Range<usize>) -> Result<Rows> {
            self.0.span(places)
        }

        fn at_once(&self) -> Option<usize> {
            Some(self.1)
        }
    }

    #[test]
    fn a_step_sees_the_same_rows_however_many_are_read_ahead() {
        let (rows, device) = (rows(), Device::flex());
        for at_once in [0, 25, 30, 1_000] {
            let slow = Slow(rows.clone(), at_once);
            let mut ahead = RecordedRows::new(&slow, 10, 1, &device);
            let mut plain = RecordedRows::new(&rows, 10, 1, &device);
            for step in [0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 3, 2] {
                let batch = |source: &mut RecordedRows| to_vec(source.batch(step).unwrap());
                assert_eq!(batch(&mut ahead), batch(&mut plain), "step {step}");
            }
        }
    }

    #[test]
    fn a_target_belongs_to_its_row() {
        let (inputs, device) = (rows(), Device::flex());
        let outputs = Rows { values: (0..70).map(|row| row as f32 + 0.5).collect(), width: 1 };
        let mut source = PairedRows::new([&inputs, &outputs], 10, 1, &device);

        for (input, output) in [
            (source.batch(8).unwrap(), source.targets(8).unwrap().unwrap()),
            (source.sample(8, 20).unwrap(), source.sample_targets(8, 20).unwrap().unwrap()),
        ] {
            assert!(to_vec(output - input).iter().all(|difference| *difference == 0.5));
        }
    }

    #[test]
    fn a_sample_has_no_row_twice() {
        let (rows, device) = (rows(), Device::flex());
        let mut source = RecordedRows::new(&rows, 10, 1, &device);

        let sample = sorted(to_vec(source.sample(3, 50).unwrap()));
        let all = source.sample(3, 500).unwrap();

        assert_eq!(sample.len(), 50);
        assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(all.dims(), [70, 1]);
    }
}
