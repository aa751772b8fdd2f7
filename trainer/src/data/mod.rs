//! Text in, token ids out: files, generated languages, batches. Must not know models.

mod batch;
mod choice;
mod corpus;
pub mod languages;
mod published;
mod rows;
mod text_files;

pub use batch::{Batch, Batches, Windows};
pub use choice::{ChosenText, corpus_for};
pub use corpus::{Corpus, CorpusError};
pub use published::{PublishedText, downloader};
pub use rows::Rows;
pub use text_files::{DataError, DataSettings, Found, Missing, find};
