//! Rows of a world for a training: drawn as they are needed, less their mean.

use anyhow::Result;
use burn::prelude::*;

use super::world::World;
use crate::analysis::vectors::mean_row;
use crate::train::rows::RowSource;

/// How many rows of the world are drawn at once.
pub(super) const ROWS_AT_ONCE: usize = 32_768;

/// Rows of a world, drawn as they are needed, less their mean.
pub(super) struct WorldRows<'a> {
    world: &'a World,
    batch_size: usize,
    device: &'a Device,
    mean: Vec<f32>,
    chunk: Option<(u64, Tensor<2>)>,
}

impl<'a> WorldRows<'a> {
    pub(super) fn new(world: &'a World, batch_size: usize, device: &'a Device) -> Self {
        let rows = world.rows("rows for the mean", ROWS_AT_ONCE).activations;
        let mean = mean_row(&rows, world.config.d_model);
        Self { world, batch_size, device, mean, chunk: None }
    }

    pub(super) fn named(&self, name: &str, count: usize) -> Tensor<2> {
        self.centred(&self.world.rows(name, count).activations)
    }

    pub(super) fn centred(&self, rows: &[f32]) -> Tensor<2> {
        let d_model = self.mean.len();
        let values = rows.iter().zip(self.mean.iter().cycle()).map(|(value, mean)| value - mean);
        let data = TensorData::new(values.collect::<Vec<f32>>(), [rows.len() / d_model, d_model]);
        Tensor::from_data(data, self.device)
    }
}

impl RowSource for WorldRows<'_> {
    fn batch(&mut self, step: u64) -> Result<Tensor<2>> {
        let in_a_chunk = (ROWS_AT_ONCE / self.batch_size) as u64;
        let wanted = step / in_a_chunk;
        let chunk = match self.chunk.take() {
            Some((number, rows)) if number == wanted => rows,
            _ => self.named(&format!("training rows {wanted}"), ROWS_AT_ONCE),
        };
        let first = (step % in_a_chunk) as usize * self.batch_size;
        let batch = chunk.clone().narrow(0, first, self.batch_size);
        self.chunk = Some((wanted, chunk));
        Ok(batch)
    }

    fn sample(&mut self, step: u64, count: usize) -> Result<Tensor<2>> {
        Ok(self.named(&format!("rows to screen after step {step}"), count))
    }

    fn device(&self) -> Device {
        self.device.clone()
    }
}
