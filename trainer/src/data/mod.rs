//! Text in, token ids out: files, generated languages, batches. Must not know models.

mod batch;
mod choice;
mod corpus;
mod download;
mod filed_rows;
pub mod languages;
mod large_text;
mod own_text;
mod published;
mod rows;
mod text_files;
mod zip_member;

pub use batch::{Batch, Batches, Windows};
pub use choice::{ChosenText, corpus_for, texts_for};
pub use corpus::{Corpus, CorpusError};
pub use filed_rows::FiledRows;
pub use large_text::LargeText;
pub use published::{PublishedText, downloader};
pub use rows::{RowStore, Rows};
pub use text_files::{DataError, DataSettings, Found, Missing, find};
