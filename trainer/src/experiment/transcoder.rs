//! The model as a transcoder: what the perceptron of a block adds to the stream, from what it reads. A
//! conjunction that the perceptron computes is computed here as well, and not only seen in the stream.

use anyhow::{Context, Result};
use serde::Serialize;
use shared::bundle::Normalization;
use shared::sae::FinishedCsae;
use shared::weights::to_vec;
use shared::{CharLm, CsaeConfig};

use super::{Experiment, ROWS_AT_ONCE, TrialResult};
use crate::activations::{self, ReadyRows};
use crate::analysis::active_rows::ActiveRows;
use crate::analysis::combinations::of_units;
use crate::analysis::hidden::{self, Told};
use crate::analysis::measures;
use crate::data::Rows;
use crate::data::languages::AnnotatedText;
use crate::plan::ModelConfig;
use crate::results::sample;
use crate::train::autoencoder::{self, AutoencoderTask};
use crate::train::rows::PairedRows;

/// What is known of a transcoder, all of it on held-out text.
#[derive(Clone, Debug, Serialize)]
pub struct Transcoded {
    /// The share of the variance of what the perceptron adds that is not predicted.
    pub fvu: f64,
    /// The same with its units silent.
    pub fvu_silent: f64,
    /// The mean number of active features.
    pub l0: f64,
    /// How many different combinations its units have.
    pub combinations: usize,
    /// What of it tells hidden variables.
    #[serde(skip)]
    pub hidden: Vec<Told>,
    /// The model.
    #[serde(skip)]
    pub finished: FinishedCsae,
    /// How what the perceptron reads was made ready, and what it adds.
    #[serde(skip)]
    pub normalizations: [Normalization; 2],
    /// The first held-out rows of both as the language model computes them: `[rows, d_model]` each.
    #[serde(skip)]
    pub sample: [Rows; 2],
    /// `fvu_silent` of exactly these.
    pub sample_fvu: f64,
}

impl Experiment<'_> {
    /// Whether there is a transcoder to train.
    pub fn transcodes(&self) -> bool {
        self.plan.transcoder.is_some() && self.text.hidden.is_some()
    }

    /// Trains and measures the transcoder that the plan asks for; nothing without hidden variables.
    ///
    /// # Errors
    /// A file is damaged or cannot be written, or the user stops it.
    pub fn transcoder(
        &self,
        title: &str,
        lm: &CharLm,
        trials: &[TrialResult],
    ) -> Result<Option<Transcoded>> {
        let named = |trial: &&TrialResult| Some(&*trial.trial.label()) == self.plan.transcoder;
        let trial = trials.iter().find(named);
        let (Some(trial), Some(text)) = (trial, &self.text.hidden) else { return Ok(None) };
        let ModelConfig::Csae(config) = self.profile.model(&trial.trial) else { return Ok(None) };
        let train = self.perceptron_rows(title, lm)?;
        let read = |batch: &_| activations::perceptron(lm, self.profile.layer, batch);
        let (characters, count) = (&self.text.corpus.validation, self.profile.held_out_rows);
        let held_out = activations::in_order(&read, characters, self.windows(), count)?;

        let config = CsaeConfig { refit_steps: 0, ..config };
        let finished = self.train_transcoder(title, &train, &config, trial)?;
        let halves = [0, 1].map(|half| half_of(&held_out, half));
        let normalizations = train.map(|rows| rows.normalization);
        Ok(Some(self.measure_transcoder(finished, halves, normalizations, text)?))
    }

    fn train_transcoder(
        &self,
        title: &str,
        rows: &[ReadyRows; 2],
        config: &CsaeConfig,
        trial: &TrialResult,
    ) -> Result<FinishedCsae> {
        let name = "transcoder";
        let task = AutoencoderTask {
            name,
            config,
            schedule: self.profile.schedule(&trial.trial),
            training: &self.profile.autoencoder_training,
            learning_rate: trial.best_rate,
            seed: 0,
        };
        let device = &self.run.device.device;
        let [inputs, outputs] = rows.each_ref().map(|rows| &*rows.train);
        let mut source = PairedRows::new([inputs, outputs], task.training.batch_size, 0, device);
        let resume = self.reached(name)?;
        let mut watcher = self.watch(title, name, resume.as_ref(), task.training.steps);
        let trained = autoencoder::train(&task, &mut source, resume, &mut watcher)
            .map_err(|error| self.unless_damaged(name, error))?;
        watcher.stage.finish(&format!("after {:.0} s", trained.seconds));
        self.keep(&trained.metrics)?;
        Ok(FinishedCsae { model: trained.model, limits: config.limits() })
    }

    fn measure_transcoder(
        &self,
        finished: FinishedCsae,
        held_out: [Rows; 2],
        normalizations: [Normalization; 2],
        text: &AnnotatedText,
    ) -> Result<Transcoded> {
        let sample = held_out.each_ref().map(|rows| rows.beginning(sample::ROWS));
        let [inputs, outputs] = held_out;
        let inputs = inputs.scaled(&normalizations[0]);
        let outputs = outputs.scaled(&normalizations[1]);
        let mut alone = finished.limits;
        alone.combination_size = 1;
        let mut active = ActiveRows { k: finished.limits.sparsity_k, ..ActiveRows::default() };
        let (mut predicted, mut silent) = (vec![], vec![]);
        for block in inputs.blocks(ROWS_AT_ONCE, &self.run.device.device) {
            let output = finished.model.transcode(block.clone(), finished.limits);
            predicted.extend(to_vec(output.reconstruction));
            active.add(output.active);
            silent.extend(to_vec(finished.model.transcode(block, alone).reconstruction));
        }
        let fvu = |predicted: &[f32]| measures::fvu(&outputs.values, predicted, outputs.width);
        let counts = active.counts();
        let few = outputs.beginning(sample::ROWS);
        let sample_fvu = measures::fvu(&few.values, &silent[..few.values.len()], few.width);
        let first = self.windows().counted(0).start;
        Ok(Transcoded {
            fvu: fvu(&predicted),
            fvu_silent: fvu(&silent),
            l0: counts.iter().sum::<usize>() as f64 / counts.len().max(1) as f64,
            combinations: of_units(&finished).len(),
            hidden: hidden::tell(&hidden::Active::of(&finished, &active), text, first)
                .context("hidden variables of the transcoder")?,
            finished,
            normalizations,
            sample,
            sample_fvu,
        })
    }
}

/// The first or second half of every row.
fn half_of(rows: &Rows, half: usize) -> Rows {
    let width = rows.width / 2;
    let of_row = |row: &'_ [f32]| row[half * width..][..width].to_vec();
    Rows { values: rows.iter().flat_map(of_row).collect(), width }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{AutoencoderTraining, Profile, ProfileName, Schedule};
    use crate::train::Unwatched;
    use burn::prelude::*;
    use rand::RngExt;

    #[test]
    fn halves_belong_together() {
        let rows = Rows { values: vec![1.0, 10.0, 3.0, 30.0], width: 2 };

        assert_eq!(half_of(&rows, 0), Rows { values: vec![1.0, 3.0], width: 1 });
        assert_eq!(half_of(&rows, 1), Rows { values: vec![10.0, 30.0], width: 1 });
    }

    /// Eight inputs are on or off; each adds to an output that is not among the inputs.
    fn shifted(rows: usize) -> [Rows; 2] {
        let mut random = shared::random::stream(1, "test");
        let (mut inputs, mut outputs) = (vec![], vec![]);
        for _ in 0..rows {
            let on: Vec<f32> =
                (0..8).map(|_| f32::from(u8::from(random.random::<f32>() < 0.25))).collect();
            inputs.extend([on.clone(), vec![0.0; 8]].concat());
            outputs.extend([vec![0.0; 8], on].concat());
        }
        [inputs, outputs].map(|values| Rows { values, width: 16 })
    }

    #[test]
    fn a_transcoder_predicts_what_is_not_among_its_inputs() {
        let [inputs, outputs] = shifted(6_000);
        let config = CsaeConfig::new(16).with_n_features(16).with_sparsity_k(8);
        let training = AutoencoderTraining {
            steps: 600,
            batch_size: 128,
            ..Profile::named(ProfileName::Smoke).autoencoder_training
        };
        let task = AutoencoderTask {
            name: "test",
            config: &config,
            schedule: Schedule::default(),
            training: &training,
            learning_rate: 1e-2,
            seed: 1,
        };
        let device = Device::flex();
        let mut source = PairedRows::new([&inputs, &outputs], 128, 1, &device);

        let trained = autoencoder::train(&task, &mut source, None, &mut Unwatched).unwrap();

        let rows = inputs.blocks(6_000, &device).next().unwrap();
        let transcoded = trained.model.transcode(rows.clone(), config.limits()).reconstruction;
        let rebuilt = trained.model.forward(rows, config.limits()).reconstruction;
        let fvu = |found| measures::fvu(&outputs.values, &to_vec(found), 16);
        let (transcoded, rebuilt) = (fvu(transcoded), fvu(rebuilt));
        assert!(transcoded < 0.1 && rebuilt > 0.1, "{transcoded}, {rebuilt}");
    }
}
