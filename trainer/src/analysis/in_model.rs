//! Whether parts of a combination interact in the language model itself: the alternating sum on the
//! logits when the parts are taken out of its stream.
//!
//! What a model adds to a row with the parts, less what it adds without them, is subtracted from the
//! stream; the language model's remaining blocks then give logits for each subset of parts. The same is
//! done by directions alone, without units: then the sum shows what the remaining blocks make of the
//! parts, and our own decoder, which is linear then, has no share in it.

use burn::prelude::*;
use shared::sae::FinishedCsae;
use shared::weights::to_vec;

use super::alternation::{Question, length, outputs, sign, subsets};
use super::evaluation::{HeldOut, Moved};
use super::remaining_blocks::RemainingBlocks;
use super::screening::sparse::SparseRows;

/// On how many joint rows each combination is measured, at most.
pub const ROWS: usize = 8;

/// What taking the parts out of the stream does to the logits, on average over joint rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InModel {
    /// The length of the alternating sum of the logits.
    pub interaction: f64,
    /// The mean length of what a single part changes.
    pub single: f64,
    /// The mean logits of every subset of parts, by its bits, less the mean over characters.
    pub logits: Vec<Vec<f64>>,
}

impl InModel {
    /// The interaction as a share of what single parts do.
    pub fn share(&self) -> f64 {
        self.interaction / self.single.max(1e-12)
    }
}

/// Takes parts out of rows that a language model has read.
#[derive(Clone, Copy, Debug)]
pub struct Surgery<'a> {
    /// The rows.
    pub held_out: &'a HeldOut<'a>,
    /// What goes on from there; not always of the language model that read the rows.
    pub remaining: &'a RemainingBlocks<'a>,
    /// The features' directions, and the units unless its limits silence them.
    pub model: &'a FinishedCsae,
    /// What was active.
    pub codes: &'a SparseRows,
}

impl Surgery<'_> {
    /// Measures a set of features on these joint `rows`, of which some are left out if there are many.
    pub fn measure(&self, set: &[usize], rows: &[usize]) -> InModel {
        let step = rows.len().div_ceil(ROWS).max(1);
        let rows: Vec<usize> = rows.iter().copied().step_by(step).collect();
        let questions: Vec<Question> =
            rows.iter().map(|row| Question::on_row(self.codes, *row, set)).collect();
        let (mut moved, scale) = (vec![], self.held_out.scale());
        for (row, outputs) in rows.iter().zip(outputs(self.model, &questions)) {
            let all = outputs.last().cloned().unwrap_or_default();
            for output in &outputs {
                let shift = output.iter().zip(&all).map(|(some, all)| (some - all) / scale);
                moved.push(Moved { row: *row, shift: shift.collect() });
            }
        }
        let logits = self.held_out.logits(self.remaining, &moved);
        let vocab_size = logits.len() / moved.len().max(1);
        summed(&logits, set.len(), vocab_size)
    }
}

/// From `logits`, `[rows * subsets, vocab_size]`.
fn summed(logits: &[f32], parts: usize, vocab_size: usize) -> InModel {
    let (count, whole) = (1 << parts, (1 << parts) - 1);
    let rows = logits.len() / (count * vocab_size).max(1);
    let share = 1.0 / rows.max(1) as f64;
    let mut told = InModel { logits: vec![vec![0.0; vocab_size]; count], ..InModel::default() };
    for row in logits.chunks_exact((count * vocab_size).max(1)) {
        let of: Vec<Vec<f64>> = row.chunks_exact(vocab_size).map(centred).collect();
        let mut sum = vec![0.0; vocab_size];
        for kept in subsets(parts) {
            let times = sign(kept, parts);
            let logits = &of[kept as usize];
            sum.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += times * logit);
            let mean = &mut told.logits[kept as usize];
            mean.iter_mut().zip(logits).for_each(|(mean, logit)| *mean += share * logit);
        }
        told.interaction += share * length(&sum);
        for part in 0..parts {
            let without = &of[whole ^ 1 << part];
            let change: Vec<f64> = of[whole].iter().zip(without).map(|(a, b)| a - b).collect();
            told.single += share * length(&change) / parts as f64;
        }
    }
    told
}

/// Logits less their mean, which no probability depends on.
fn centred(logits: &[f32]) -> Vec<f64> {
    let mean = logits.iter().map(|logit| f64::from(*logit)).sum::<f64>() / logits.len() as f64;
    logits.iter().map(|logit| f64::from(*logit) - mean).collect()
}

/// The same model with its units silent and random directions.
pub fn with_random_directions(model: &FinishedCsae, seed: u64) -> FinishedCsae {
    let mut random = silent(model);
    let [n_features, d_model] = random.model.decoder.val().dims();
    let mut stream = shared::random::stream(seed, "directions by chance");
    let values = shared::random::normal(&mut stream, n_features * d_model, 1.0);
    let device = random.model.decoder.val().device();
    let matrix = Tensor::from_data(TensorData::new(values, [n_features, d_model]), &device);
    let rows = to_vec(shared::csae::unit_rows(matrix));
    random.model.decoder = shared::weights::param(rows, [n_features, d_model], &device);
    random
}

/// The same model with its units silent.
pub fn silent(model: &FinishedCsae) -> FinishedCsae {
    let mut alone = model.clone();
    alone.limits.combination_size = 1;
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_that_add_up_have_no_interaction() {
        // Two parts and three characters; on the second row both together do something more.
        let additive = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 2.0, 0.0];
        let mut more = additive;
        more[9] += 3.0;

        let none = summed(&additive, 2, 3);
        let both = summed(&[additive, more].concat(), 2, 3);

        assert!(none.interaction < 1e-12 && none.single > 0.5, "{none:?}");
        // (3, 0, 0) less its mean has the length of the root of 6, on every other row.
        assert!((both.interaction - 6.0_f64.sqrt() / 2.0).abs() < 1e-9, "{both:?}");
        assert_eq!(both.logits.len(), 4);
    }
}
