//! What the language model writes, and how fast.

use std::time::Instant;

use anyhow::Result;
use rand::RngExt;
use shared::kernels::char_lm::{Layout, Writer};
use shared::{CharLm, random};

use super::LmResult;
use crate::experiment::{Experiment, SEED};
use crate::train::lm::TrainedLm;

/// How many characters the language model writes to show its speed.
const SAMPLE: usize = 1_000;
/// How many of them are kept to show its style.
const SHOWN: usize = 200;

impl LmResult {
    pub(super) fn of(lm: &TrainedLm, experiment: &Experiment) -> Result<Self> {
        let started = Instant::now();
        let written = write(&lm.model, SAMPLE)?;
        let tokens_per_second = SAMPLE as f64 / started.elapsed().as_secs_f64();
        Ok(Self {
            model: lm.model.clone(),
            metrics: lm.metrics.clone(),
            seconds: lm.seconds,
            tokens_per_second,
            sample: experiment.text.corpus.vocab.decode(&written[..SHOWN]),
        })
    }
}

/// Lets the model write `length` characters after the first of its vocabulary, at temperature 0.8.
///
/// # Errors
/// A tensor of the model does not fit the others.
pub(crate) fn write(lm: &CharLm, length: usize) -> Result<Vec<u32>> {
    let (layout, parameters) = Layout::of(lm)?;
    let mut writer = Writer::new(&layout, &parameters);
    let mut stream = random::stream(SEED, "sample");
    let mut text = vec![];
    let mut last = 0;
    for _ in 0..length {
        let mut chances: Vec<f32> = writer.read(last).iter().map(|logit| logit / 0.8).collect();
        softmax(&mut chances);
        let mut left: f32 = stream.random();
        let next = chances.iter().position(|chance| {
            left -= chance;
            left <= 0.0
        });
        last = next.unwrap_or(chances.len() - 1) as u32;
        text.push(last);
    }
    Ok(text)
}

fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let total: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}
