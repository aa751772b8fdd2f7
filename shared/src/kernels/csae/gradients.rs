//! Every feature gathers its gradient from the rows on which it is active, in their order.
//!
//! With `r = x - b - sum_i f_i d_i`, what is left of a row, `f_i = w_i (x - b) + b_i` for the active
//! features, and `s = -2 / N` for `N` numbers in all rows, the slope along `f_i` is `g_i = s r d_i`,
//! and the gradients are sums over rows:
//!
//! - of a direction `d_i`: `sum s f_i r`, of the encoder `w_i`: `sum g_i (x - b)`, of `b_i`: `sum g_i`,
//! - of the decoder's bias `b`: `sum s r - sum_i w_i sum g_i`.
//!
//! Which features are active has no gradient: so it is whether a row or the batch chooses. What AuxK
//! adds is the same with `e = r - sum_j f_j d_j` over the revived features in the place of `r`, and `s`
//! times its weight over the variance of all `r`, but for `sum s r`: what is left has no gradient there.
//! [`refit`](super::refit) and [`attention`](super::attention) say what they add.

use rayon::prelude::*;

use super::block::{Block, Context, Firing};
use super::crosstalk;
use super::{Model, Parameters};
use crate::kernels::lanes::Lanes;

/// How many features one task gathers for. Fixed: the decoder's bias is summed task by task.
const FEATURES: usize = 12;

/// By what a vector is multiplied to be the slope along a reconstruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales {
    /// What is left of the rows.
    pub(super) residual: f32,
    /// What the revived features leave of it.
    pub(super) revived: Option<f32>,
}

/// Gathers the gradient of all parameters but attention's, and how often features fired. `together`
/// keeps its memory between calls.
pub(super) fn gather(
    context: &Context,
    blocks: &[Block],
    scales: Scales,
    (gradients, fired): (&mut Parameters, &mut Vec<u32>),
    together: &mut Vec<f32>,
) {
    let parameters = context.model.parameters;
    gradients.resize_like(parameters);
    fired.resize(parameters.n_features(), 0);
    let d_model = parameters.d_model();
    let tasks = gradients
        .encoder
        .par_chunks_mut(FEATURES * d_model)
        .zip(gradients.decoder.par_chunks_mut(FEATURES * d_model))
        .zip(gradients.encoder_bias.par_chunks_mut(FEATURES))
        .zip(fired.par_chunks_mut(FEATURES))
        .enumerate();
    let of_tasks: Vec<Vec<f32>> = tasks
        .map(|(task, (((encoder, decoder), bias), fired))| {
            let mut gathering = Gathering::new(context, blocks, scales);
            let rows = encoder.chunks_exact_mut(d_model).zip(decoder.chunks_exact_mut(d_model));
            for (place, (encoder, decoder)) in rows.enumerate() {
                fired[place] = gathering.gather(task * FEATURES + place);
                bias[place] = gathering.finish(task * FEATURES + place, encoder, decoder);
            }
            gathering.bias
        })
        .collect();
    crosstalk::add(context, blocks, together, &mut gradients.decoder);
    decoder_bias(&mut gradients.decoder_bias, blocks, &of_tasks, scales.residual);
    effects(context.model, blocks, scales.residual, &mut gradients.effects, context.lanes);
}

/// One feature's gradient as a sum that is still to be taken.
struct Gathering<'a> {
    context: &'a Context<'a>,
    blocks: &'a [Block],
    scales: Scales,
    to_decoder: (Vec<f32>, Vec<&'a [f32]>),
    to_encoder: (Vec<f32>, Vec<&'a [f32]>),
    /// The sum of the slopes along the feature's product with its direction.
    toward: f32,
    /// What the features so far add to the slope along the decoder's bias.
    bias: Vec<f32>,
}

impl<'a> Gathering<'a> {
    fn new(context: &'a Context, blocks: &'a [Block], scales: Scales) -> Self {
        Self {
            context,
            blocks,
            scales,
            to_decoder: Default::default(),
            to_encoder: Default::default(),
            toward: 0.0,
            bias: vec![0.0; context.model.parameters.d_model()],
        }
    }

    /// Collects the terms of the gradient of a feature; gives on how many rows it fired.
    fn gather(&mut self, feature: usize) -> u32 {
        self.toward = 0.0;
        for (times, vectors) in [&mut self.to_decoder, &mut self.to_encoder] {
            times.clear();
            vectors.clear();
        }
        let mut fired = 0;
        for block in self.blocks {
            for firing in block.firings(feature) {
                fired += u32::from(firing.value() > 0.0);
                self.decode(self.scales.residual * firing.value(), firing.residual());
                self.encode(firing.slope(), firing.centred());
                self.refit(&firing);
            }
            let Some(scale) = self.scales.revived else { continue };
            for (strength, along, left, row) in block.revival.of(feature) {
                self.decode(scale * strength, left);
                self.encode(scale * along, block.centred(row));
            }
        }
        fired
    }

    /// What refitting adds to the decoder's gradient.
    fn refit(&mut self, firing: &Firing<'a>) {
        if !self.context.gram.is_empty() {
            self.toward += firing.pulled();
            return self.decode(firing.pulled(), firing.centred());
        }
        for ((values, pulls), (before, echo)) in firing.refitted().steps().zip(firing.echoes()) {
            self.toward += pulls[firing.slot];
            self.decode(pulls[firing.slot], before);
            self.decode(-values[firing.slot], echo);
        }
    }

    fn decode(&mut self, times: f32, vector: &'a [f32]) {
        self.to_decoder.0.push(times);
        self.to_decoder.1.push(vector);
    }

    fn encode(&mut self, times: f32, vector: &'a [f32]) {
        self.to_encoder.0.push(times);
        self.to_encoder.1.push(vector);
    }

    /// Takes the sums; gives the slope along the encoder's bias.
    fn finish(&mut self, feature: usize, encoder: &mut [f32], decoder: &mut [f32]) -> f32 {
        let Context { lanes, model, .. } = self.context;
        let parameters = model.parameters;
        lanes.weighted_sum(decoder, &self.to_decoder.0, &self.to_decoder.1);
        lanes.weighted_sum(encoder, &self.to_encoder.0, &self.to_encoder.1);
        let slope = self.to_encoder.0.iter().sum::<f32>();
        let d_model = self.bias.len();
        let encoder = &parameters.encoder[feature * d_model..][..d_model];
        let direction = parameters.direction(feature as u32);
        for (bias, (encoder, direction)) in self.bias.iter_mut().zip(encoder.iter().zip(direction))
        {
            *bias -= slope * encoder + self.toward * direction;
        }
        slope
    }
}

/// The decoder's bias is added to every reconstruction and taken from every row.
fn decoder_bias(gradient: &mut [f32], blocks: &[Block], of_tasks: &[Vec<f32>], scale: f32) {
    gradient.fill(0.0);
    for block in blocks {
        for residual in block.residual.chunks_exact(gradient.len()) {
            gradient.iter_mut().zip(residual).for_each(|(sum, value)| *sum += value);
        }
    }
    gradient.iter_mut().for_each(|sum| *sum *= scale);
    for of_task in of_tasks {
        gradient.iter_mut().zip(of_task).for_each(|(sum, value)| *sum += value);
    }
}

fn effects(model: &Model, blocks: &[Block], scale: f32, gradient: &mut [f32], lanes: Lanes) {
    if model.units.is_none() {
        return gradient.fill(0.0);
    }
    let d_model = model.parameters.d_model();
    let gradients = gradient.par_chunks_exact_mut(d_model).enumerate();
    gradients.for_each_init(Default::default, |room: &mut (Vec<f32>, Vec<&[f32]>), one| {
        let ((times, residuals), (unit, gradient)) = (room, one);
        times.clear();
        residuals.clear();
        for (strength, residual) in blocks.iter().flat_map(|block| block.spoken_by(unit)) {
            times.push(scale * strength);
            residuals.push(residual);
        }
        lanes.weighted_sum(gradient, times, residuals);
    });
}
