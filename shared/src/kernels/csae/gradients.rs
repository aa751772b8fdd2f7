//! Every feature gathers its gradient from the rows on which it is active, in their order.

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

/// Gathers the gradient of all parameters but attention's, and which features fired. `together`
/// keeps its memory between calls.
pub(super) fn gather(
    context: &Context,
    blocks: &[Block],
    scales: Scales,
    (gradients, fired): (&mut Parameters, &mut Vec<bool>),
    together: &mut Vec<f32>,
) {
    let parameters = context.model.parameters;
    gradients.resize_like(parameters);
    fired.resize(parameters.n_features(), false);
    let d_model = parameters.d_model();
    let parts = crosstalk::parts(context, FEATURES, together);
    let tasks = gradients
        .encoder
        .par_chunks_mut(FEATURES * d_model)
        .zip(gradients.decoder.par_chunks_mut(FEATURES * d_model))
        .zip(gradients.encoder_bias.par_chunks_mut(FEATURES))
        .zip(fired.par_chunks_mut(FEATURES))
        .zip(parts)
        .enumerate();
    let of_tasks: Vec<Vec<f32>> = tasks
        .map(|(task, ((((encoder, decoder), bias), fired), crosstalk))| {
            let mut gathering = Gathering::new(context, blocks, scales, crosstalk);
            let rows = encoder.chunks_exact_mut(d_model).zip(decoder.chunks_exact_mut(d_model));
            for (place, (encoder, decoder)) in rows.enumerate() {
                fired[place] = gathering.gather(task * FEATURES + place, place);
                bias[place] = gathering.finish(task * FEATURES + place, encoder, decoder);
            }
            gathering.bias
        })
        .collect();
    crosstalk::finish(context, together, &mut gradients.decoder);
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
    /// With a table of products, the weights that refitting gives to them:
    /// `[features, n_features]`.
    crosstalk: Option<&'a mut [f32]>,
    /// The sum of the slopes along the feature's product with its direction.
    toward: f32,
    /// What the features so far add to the slope along the decoder's bias.
    bias: Vec<f32>,
}

impl<'a> Gathering<'a> {
    fn new(
        context: &'a Context,
        blocks: &'a [Block],
        scales: Scales,
        crosstalk: Option<&'a mut [f32]>,
    ) -> Self {
        Self {
            context,
            blocks,
            scales,
            to_decoder: Default::default(),
            to_encoder: Default::default(),
            crosstalk,
            toward: 0.0,
            bias: vec![0.0; context.model.parameters.d_model()],
        }
    }

    /// Collects the terms of the gradient of a feature, which is at this place among those of the
    /// task; gives whether it fired.
    fn gather(&mut self, feature: usize, place: usize) -> bool {
        self.toward = 0.0;
        for (times, vectors) in [&mut self.to_decoder, &mut self.to_encoder] {
            times.clear();
            vectors.clear();
        }
        let mut fired = false;
        for block in self.blocks {
            for firing in block.firings(feature) {
                fired |= firing.value() > 0.0;
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
        if let Some(weights) = &mut self.crosstalk {
            let n_features = self.context.model.parameters.n_features();
            let weights = &mut weights[place * n_features..][..n_features];
            let firings = self.blocks.iter().flat_map(|block| block.firings(feature));
            crosstalk::sum(self.context.lanes, weights, firings);
        }
        fired
    }

    /// What refitting adds to the decoder's gradient.
    fn refit(&mut self, firing: &Firing<'a>) {
        if self.crosstalk.is_some() {
            let pulls = firing.steps().map(|(_, pulls)| pulls[firing.slot]).sum();
            self.toward += pulls;
            return self.decode(pulls, firing.centred());
        }
        for ((values, pulls), (before, echo)) in firing.steps().zip(firing.echoes()) {
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
