//! The rows of a run: recorded once, in memory or, where they are too large for that, on the disk.

use anyhow::Result;
use burn::prelude::*;
use serde_json::{Value, json};
use shared::CharLm;

use super::{Experiment, SEED};
use crate::activations::{self, ReadyRows, RecordedFile, Recording, RowCounts};
use crate::data::Batch;
use crate::memory;

/// What the language model makes of a batch: `[batch_size, block_size, width]`.
type Read<'a> = &'a dyn Fn(&Batch) -> Tensor<3>;

impl Experiment<'_> {
    /// Records the activations, unless an earlier run has.
    ///
    /// # Errors
    /// A file cannot be written or read, or the user stops it.
    pub fn rows(&self, title: &str, lm: &CharLm) -> Result<ReadyRows> {
        let configuration = json!({
            "form": 1,
            "lm": self.lm_configuration(),
            "layer": self.profile.layer,
            "rows": self.profile.rows,
            "selection_rows": self.profile.selection_rows,
        });
        let kind = "activations";
        let read: Read = &|batch| activations::stream(lm, self.profile.layer, batch);
        let (train, selection) = (self.profile.rows, self.profile.selection_rows);
        let counts = RowCounts { train, selection };
        let file = self.recorded(title, kind, &configuration, read, counts)?;
        self.ready(kind, &file)
    }

    /// Records what the perceptron reads and what it adds, unless an earlier run has.
    pub(super) fn perceptron_rows(&self, title: &str, lm: &CharLm) -> Result<[ReadyRows; 2]> {
        let configuration = json!({
            "form": 1,
            "lm": self.lm_configuration(),
            "layer": self.profile.layer,
            "rows": self.profile.rows,
        });
        let read: Read = &|batch| activations::perceptron(lm, self.profile.layer, batch);
        let counts = RowCounts { train: self.profile.rows, selection: 0 };
        let file = self.recorded(title, "perceptron", &configuration, read, counts)?;
        let (width, half) = (file.width(), file.width() / 2);
        Ok([
            self.ready("what the perceptron reads", &file.columns(0..half))?,
            self.ready("what the perceptron adds", &file.columns(half..width))?,
        ])
    }

    /// The rows of an earlier run, or those of this one.
    fn recorded(
        &self,
        title: &str,
        kind: &str,
        configuration: &Value,
        read: Read,
        counts: RowCounts,
    ) -> Result<RecordedFile> {
        if let Some(found) = self.run.cache.find_rows(kind, configuration, self.run.console) {
            return Ok(found);
        }
        let (text, windows) = (&*self.text.corpus.train, self.windows());
        let recording = Recording { read, text, windows, counts, seed: SEED };
        let mut stage = self.run.console.stage(title, 0, recording.counts().train as u64);
        let mut progress = |rows| stage.progress(rows as u64, &String::new);
        let file = self.run.cache.record_rows(kind, configuration, &recording, &mut progress)?;
        stage.finish(&format!("{} rows after block {}", file.count(), self.profile.layer));
        Ok(file)
    }

    /// Rows centred and scaled; says so if they stay on the disk.
    fn ready(&self, name: &str, file: &RecordedFile) -> Result<ReadyRows> {
        let (bytes, in_memory) = (file.bytes(), memory::for_rows(self.run.rows_in_memory));
        if bytes > in_memory {
            let [bytes, most] = [bytes, in_memory].map(|bytes| bytes as f64 / 1e6);
            let path = file.path().display();
            self.run.console.say(&format!(
                "{name} stay on the disk: {bytes:.1} MB in {path} (in memory: at most {most:.1} MB)"
            ));
        }
        file.ready(in_memory, &self.run.device.device)
    }
}
