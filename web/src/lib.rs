//! The explorer: a page that reloads a finished run. Not built yet.
//!
//! What is here is what it will stand on: the bundle of a run, read from bytes that the page fetched.

pub use shared::bundle::{Bundle, BundleError};
