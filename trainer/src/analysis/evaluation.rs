//! Everything that is measured on held-out text: reconstruction, sparsity, the language model's loss
//! with the reconstruction in place.
//!
//! Only the rows that count are replaced. The first half of each window, which no autoencoder was
//! trained on, keeps the language model's own activations as context.

use anyhow::Result;
use burn::prelude::*;
use rayon::prelude::*;
use shared::bundle::Normalization;
use shared::report::Quality;
use shared::sae::Autoencoder;
use shared::weights::to_vec;
use shared::{CharLm, Csae, Limits};

use super::active_rows::{ActiveRows, Firings};
use super::coefficients::Coefficients;
use super::measures;
use super::remaining_blocks::RemainingBlocks;
use super::screening::sparse::SparseRows;
use super::vectors::largest;
use crate::activations::{self, counted};
use crate::data::{Batch, Rows, Windows};
use crate::interrupt;

/// How many windows are read at once.
const WINDOWS_AT_ONCE: usize = 64;
/// How many rows an autoencoder takes at once: what it computes of them on the way should stay near
/// the processor.
const ROWS_AT_ONCE: usize = 512;

/// Held-out text, read once.
#[derive(Clone, Debug)]
pub struct HeldOut<'a> {
    /// What goes on from its rows.
    pub remaining: RemainingBlocks<'a>,
    windows: Windows,
    normalization: &'a Normalization,
    batches: Vec<ReadBatch>,
    /// The rows that count, scaled: `[rows, d_model]`, in the order of the text.
    pub rows: Vec<f32>,
    /// Cross-entropies of the language model without and with its layer ablated.
    pub reference: Reference,
}

/// Cross-entropies in nats per character that counts, and a divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reference {
    /// Untouched.
    pub clean: f64,
    /// With 0 in place of each row.
    pub zero: f64,
    /// With the mean of the training rows in place of each row.
    pub mean: f64,
    /// How far the predictions with 0 in place of each row are from the untouched ones, as
    /// [`Quality::kl`].
    pub kl_zero: f64,
}

/// What the language model makes of replaced rows.
#[derive(Clone, Copy, Debug)]
struct Spliced {
    /// The mean loss over all characters that count.
    cross_entropy: f64,
    /// KL(untouched | replaced) of the predictions, the mean over the same.
    kl: f64,
}

/// A row of the stream that is moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// Which of the rows that count.
    pub row: usize,
    /// By what, in the stream's own scale: `[d_model]`.
    pub shift: Vec<f32>,
}

#[derive(Clone, Debug)]
struct ReadBatch {
    targets: Vec<u32>,
    /// `[windows, block_size, d_model]`.
    stream: Tensor<3>,
    /// The logarithms of what the untouched model predicts after the rows that count:
    /// `[rows * vocab_size]`.
    predicted: Vec<f32>,
}

/// How well an autoencoder did, and what was active.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The numbers.
    pub quality: Quality,
    /// What was active where.
    pub active: ActiveRows,
}

impl<'a> HeldOut<'a> {
    /// Reads the beginning of the validation text, until `rows` rows count or it ends.
    ///
    /// # Errors
    /// The user stops it.
    pub fn read(
        lm: &'a CharLm,
        layer: usize,
        text: &[u32],
        windows: Windows,
        rows: usize,
        normalization: &'a Normalization,
    ) -> Result<Self> {
        let mut starts = windows.starts(text.len());
        starts.truncate(rows.div_ceil(windows.counted(0).len()).max(1));
        let mut held_out = Self {
            remaining: RemainingBlocks::of(lm, layer)?,
            windows,
            normalization,
            batches: vec![],
            rows: vec![],
            reference: Reference::default(),
        };
        for starts in starts.chunks(WINDOWS_AT_ONCE) {
            interrupt::check()?;
            let batch = Batch::of(text, starts, windows.block_size);
            let stream = activations::stream(lm, layer, &batch);
            let scaled = normalization.apply(counted(stream.clone(), windows));
            held_out.rows.extend(to_vec(scaled));
            let predicted = held_out.predicted(stream.clone());
            held_out.batches.push(ReadBatch { targets: batch.targets, stream, predicted });
        }
        let zero = held_out.splice(&mut |rows| rows.zeros_like())?;
        // The mean is 0 once scaled.
        let mean = held_out.splice(&mut |rows| normalization.undo(rows.zeros_like()))?;
        held_out.reference = Reference {
            clean: held_out.splice(&mut |rows| rows)?.cross_entropy,
            zero: zero.cross_entropy,
            mean: mean.cross_entropy,
            kl_zero: zero.kl,
        };
        Ok(held_out)
    }

    /// By how much the rows were scaled.
    pub fn scale(&self) -> f32 {
        self.normalization.scale
    }

    /// The first rows that count, at most `count`, as the language model computes them:
    /// `[rows, d_model]`.
    pub fn first(&self, count: usize) -> Rows {
        let mut rows = Rows { values: vec![], width: self.normalization.mean.len() };
        for batch in &self.batches {
            if rows.len() >= count {
                break;
            }
            rows.values.extend(to_vec(counted(batch.stream.clone(), self.windows)));
        }
        rows.values.truncate(count * rows.width);
        rows
    }

    /// How many rows count.
    pub fn count(&self) -> usize {
        self.rows.len() / self.normalization.mean.len()
    }

    /// How many characters of the text were read: the first half block, those that count, and the one
    /// after the last of them.
    pub fn characters(&self) -> usize {
        self.windows.counted(0).start + self.count() + 1
    }

    /// Measures how well `rebuild` gives back scaled rows `[rows, d_model]`. What belongs to a code
    /// (`l0`, `dead_share`, `dense_share`, `spearman`) stays empty.
    ///
    /// # Errors
    /// The user stops it.
    pub fn measure(&self, rebuild: &mut dyn FnMut(Tensor<2>) -> Tensor<2>) -> Result<Quality> {
        let mut reconstruction = Vec::with_capacity(self.rows.len());
        let spliced = self.splice(&mut |rows| {
            let parts = self.normalization.apply(rows).split(ROWS_AT_ONCE, 0);
            let rebuilt = Tensor::cat(parts.into_iter().map(&mut *rebuild).collect(), 0);
            reconstruction.extend(to_vec(rebuilt.clone()));
            self.normalization.undo(rebuilt)
        })?;
        let Reference { clean, zero, mean, .. } = self.reference;
        let (ce_spliced, d_model) = (spliced.cross_entropy, self.normalization.mean.len());
        Ok(Quality {
            mse: measures::mse(&self.rows, &reconstruction),
            fvu: measures::fvu(&self.rows, &reconstruction, d_model),
            cosine: measures::cosine(&self.rows, &reconstruction, d_model),
            norm_ratio: measures::norm_ratio(&self.rows, &reconstruction, d_model),
            reconstruction_bias: measures::reconstruction_bias(&self.rows, &reconstruction),
            ce_spliced,
            kl: spliced.kl,
            ce_recovered_zero: measures::ce_recovered(clean, ce_spliced, zero),
            ce_recovered_mean: measures::ce_recovered(clean, ce_spliced, mean),
            ..Quality::default()
        })
    }

    /// Measures an autoencoder.
    ///
    /// # Errors
    /// The user stops it.
    pub fn evaluate(&self, model: &Csae, limits: Limits) -> Result<Evaluated> {
        let mut active = ActiveRows { k: limits.sparsity_k, ..ActiveRows::default() };
        let [n_features, _] = model.decoder.val().dims();
        let mut coefficients = Coefficients::new(n_features);
        let quality = self.measure(&mut |rows| {
            let output = model.forward(rows, limits);
            coefficients.add(&output.features, &output.active);
            active.add(output.active);
            output.reconstruction
        })?;
        let (counts, firings) = (active.counts(), active.firings(n_features));
        let quality = Quality {
            l0: counts.iter().sum::<usize>() as f64 / counts.len() as f64,
            l0_max: counts.iter().copied().max().unwrap_or(0) as f64,
            dead_share: firings.dead_share(),
            dense_share: Some(firings.dense_share()),
            spearman: coefficients.spearman(),
            ..quality
        };
        Ok(Evaluated { quality, active })
    }

    /// Measures an autoencoder of any kind, however many of its features are active on a row.
    ///
    /// # Errors
    /// The user stops it.
    pub fn evaluate_any(&self, model: &dyn Autoencoder) -> Result<Quality> {
        let [n_features, _] = model.directions().dims();
        let mut firings = Firings { rows: vec![0; n_features], of: self.count() };
        let mut coefficients = Coefficients::new(n_features);
        let (mut active, mut most, mut count) = (0, 0, 0);
        let quality = self.measure(&mut |rows| {
            let output = model.forward(rows);
            let (code, features) = (to_vec(output.code), to_vec(output.features));
            for (row, features) in
                code.chunks_exact(n_features).zip(features.chunks_exact(n_features))
            {
                let on = row.iter().enumerate().filter(|(_, value)| **value > 0.0);
                let before = active;
                on.for_each(|(feature, value)| {
                    coefficients.add_one(feature, features[feature], *value);
                    firings.rows[feature] += 1;
                    active += 1;
                });
                most = most.max(active - before);
                count += 1;
            }
            output.reconstruction
        })?;
        Ok(Quality {
            l0: active as f64 / count as f64,
            l0_max: most as f64,
            dead_share: firings.dead_share(),
            dense_share: Some(firings.dense_share()),
            spearman: coefficients.spearman(),
            ..quality
        })
    }

    /// The code of every row.
    ///
    /// # Errors
    /// The user stops it.
    pub fn codes(&self, model: &dyn Autoencoder) -> Result<SparseRows> {
        let directions = model.directions();
        let ([n_features, d_model], device) = (directions.dims(), directions.device());
        let mut codes = SparseRows::default();
        for rows in self.rows.chunks(ROWS_AT_ONCE * d_model) {
            interrupt::check()?;
            let data = TensorData::new(rows.to_vec(), [rows.len() / d_model, d_model]);
            let code = model.code(Tensor::from_data(data, &device));
            codes.push_dense(&to_vec(code), n_features);
        }
        Ok(codes)
    }

    /// The character that the language model finds likeliest after each row.
    pub fn likeliest(&self) -> Vec<u32> {
        let vocab_size = self.remaining.vocab_size();
        let rows = self.batches.iter().flat_map(|batch| batch.predicted.chunks_exact(vocab_size));
        rows.map(|row| largest(row) as u32).collect()
    }

    /// The logits of the character after each moved row when these blocks go on from there, which need
    /// not be those of the model that read the text: `[moved * vocab_size]`.
    pub fn logits(&self, remaining: &RemainingBlocks, moved: &[Moved]) -> Vec<f32> {
        let range = self.windows.counted(0);
        // Those of one row have one context; what follows the row has no say.
        let of_row = moved.chunk_by(|one, other| one.row == other.row).map(|moved| {
            let row = moved[0].row;
            let (window, place) = (row / range.len(), range.start + row % range.len());
            let batch = &self.batches[window / WINDOWS_AT_ONCE].stream;
            let stream = batch.clone().narrow(0, window % WINDOWS_AT_ONCE, 1);
            let shifts: Vec<f32> = moved.iter().flat_map(|one| &one.shift).copied().collect();
            let [_, _, d_model] = stream.dims();
            let shifts = TensorData::new(shifts, [moved.len(), 1, d_model]);
            let rows =
                stream.clone().narrow(1, place, 1) + Tensor::from_data(shifts, &stream.device());
            let before = stream.narrow(1, 0, place).repeat_dim(0, moved.len());
            (Tensor::cat(vec![before, rows], 1), place)
        });
        remaining.logits_of_each(&of_row.collect::<Vec<_>>())
    }

    /// What the language model makes of its rows that count with `replace` applied to them.
    fn splice(&self, replace: &mut dyn FnMut(Tensor<2>) -> Tensor<2>) -> Result<Spliced> {
        let range = self.windows.counted(0);
        let (mut losses, mut divergence, mut count) = (0.0, 0.0, 0);
        for batch in &self.batches {
            interrupt::check()?;
            let [windows, length, d_model] = batch.stream.dims();
            let rows = replace(counted(batch.stream.clone(), self.windows));
            let rows = rows.reshape([windows, range.len(), d_model]);
            let context = batch.stream.clone().narrow(1, 0, range.start);
            let predicted = self.predicted(Tensor::cat(vec![context, rows], 1));
            let targets = batch.targets.chunks_exact(length).flat_map(|of| &of[range.clone()]);
            let vocab_size = predicted.len() / (windows * range.len());
            for (predicted, target) in predicted.chunks_exact(vocab_size).zip(targets) {
                losses -= f64::from(predicted[*target as usize]);
                count += 1;
            }
            divergence += measures::kl_sum(&batch.predicted, &predicted);
        }
        // Rounding may leave less than nothing.
        let kl = (divergence / count as f64).max(0.0);
        Ok(Spliced { cross_entropy: losses / count as f64, kl })
    }

    /// The logarithms of what the language model predicts after the rows that count, when it goes on
    /// from these streams, `[windows, block_size, d_model]`: `[rows * vocab_size]`.
    fn predicted(&self, streams: Tensor<3>) -> Vec<f32> {
        let mut predicted = self.remaining.logits(streams, self.windows.counted(0).start);
        predicted.par_chunks_exact_mut(self.remaining.vocab_size()).for_each(take_logarithms);
        predicted
    }
}

/// Turns logits into the logarithms of chances.
fn take_logarithms(logits: &mut [f32]) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
    let all = f64::from(most) + sum.ln();
    logits.iter_mut().for_each(|logit| *logit = (f64::from(*logit) - all) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::sae::FinishedCsae;
    use shared::{CharLmConfig, CsaeConfig};

    fn lm() -> CharLm {
        let lm = CharLmConfig::new(5)
            .with_n_layers(2)
            .with_n_heads(2)
            .with_d_model(8)
            .with_block_size(8)
            .init(4, &Device::flex());
        // Larger weights, so that an ablation makes a difference.
        let mut weights = shared::weights::of(&lm);
        for weight in weights.values_mut().filter(|weight| weight.shape.len() == 2) {
            weight.values.iter_mut().for_each(|value| *value *= 20.0);
        }
        shared::weights::load(lm, &weights).unwrap()
    }

    fn text() -> Vec<u32> {
        (0..300).map(|i| (i * i / 3 % 5) as u32).collect()
    }

    fn normalization() -> Normalization {
        Normalization { mean: vec![0.1; 8], scale: 0.8 }
    }

    #[test]
    fn rows_given_back_recover_everything_and_ablations_nothing() {
        let (lm, normalization) = (lm(), normalization());
        let windows = Windows { block_size: 8 };
        let held_out = HeldOut::read(&lm, 1, &text(), windows, 120, &normalization).unwrap();

        let perfect = held_out.measure(&mut |rows| rows).unwrap();
        let mean = held_out.measure(&mut |rows| rows.zeros_like()).unwrap();

        assert_eq!((held_out.count(), held_out.characters()), (120, 4 + 120 + 1));
        assert!(perfect.fvu < 1e-10, "{perfect:?}");
        assert!((perfect.ce_recovered_zero - 1.0).abs() < 1e-3, "{perfect:?}");
        assert!(perfect.kl.abs() < 1e-6 && mean.kl > 1e-3, "{perfect:?} {mean:?}");
        assert!(mean.ce_recovered_mean.abs() < 1e-6, "{mean:?}");
        let Reference { clean, zero, kl_zero, .. } = held_out.reference;
        assert!((clean - zero).abs() > 1e-3 && kl_zero > 1e-3);
    }

    #[test]
    fn a_moved_row_is_followed_by_what_its_whole_window_says_there() {
        let (lm, normalization) = (lm(), normalization());
        let windows = Windows { block_size: 8 };
        let held_out = HeldOut::read(&lm, 1, &text(), windows, 120, &normalization).unwrap();
        let shift: Vec<f32> = (0..8).map(|axis| 0.5 * axis as f32 - 1.0).collect();
        let moved = |row, shift: &[f32]| Moved { row, shift: shift.to_vec() };

        // Row 17 is the second that counts of window 4, row 40 the first of window 10.
        let said = held_out.logits(
            &held_out.remaining,
            &[moved(17, &[0.0; 8]), moved(17, &shift), moved(40, &shift)],
        );

        let stream = held_out.batches[0].stream.clone();
        let whole = |window: usize, place: usize, shift: &[f32]| {
            let range = [window..window + 1, place..place + 1, 0..8];
            let shift: Tensor<1> = Tensor::from_floats(shift, &stream.device());
            let row = stream.clone().slice(range.clone()) + shift.unsqueeze();
            let streams = stream.clone().slice_assign(range, row);
            let logits = held_out.remaining.logits(streams, 4);
            logits[(window * 4 + place - 4) * 5..][..5].to_vec()
        };
        let expected = [whole(4, 5, &[0.0; 8]), whole(4, 5, &shift), whole(10, 4, &shift)].concat();
        let apart = said.iter().zip(&expected).map(|(one, other)| (one - other).abs());
        assert!(said.len() == 15 && apart.fold(0.0, f32::max) < 1e-5, "{said:?} {expected:?}");
        let changed = said[..5].iter().zip(&said[5..10]).map(|(one, other)| (one - other).abs());
        assert!(changed.fold(0.0, f32::max) > 1e-2, "{said:?}");
    }

    #[test]
    fn logarithms_of_chances_keep_the_logits_differences_and_add_up() {
        let logits = [-80.0, 0.5, 3.0, 90.0];
        let mut taken = logits;

        take_logarithms(&mut taken);

        let sum: f32 = taken.iter().map(|logarithm| logarithm.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert!((0..4).all(|at| (taken[at] - taken[3] - (logits[at] - 90.0)).abs() < 1e-4));
    }

    #[test]
    fn only_active_features_are_counted() {
        let (lm, normalization) = (lm(), normalization());
        let windows = Windows { block_size: 8 };
        let held_out = HeldOut::read(&lm, 1, &text(), windows, 64, &normalization).unwrap();
        let config = CsaeConfig::new(8).with_n_features(16).with_sparsity_k(12);
        let model = config.init(1, &Device::flex());

        let Evaluated { quality, active } = held_out.evaluate(&model, config.limits()).unwrap();

        // About half of 16 random directions point towards a row, so 12 places are not all used.
        assert!(quality.l0 < 12.0 && quality.l0 > 4.0, "{quality:?}");
        assert!(quality.l0_max <= 12.0);
        assert_eq!(active.values.len(), 64 * 12);
        assert!((quality.spearman.unwrap() - 1.0).abs() < 1e-9, "nothing is refitted: {quality:?}");
        let as_any = FinishedCsae { model, limits: config.limits() };
        assert_eq!(held_out.evaluate_any(&as_any).unwrap(), quality);
    }
}
