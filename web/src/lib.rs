//! The csae explorer: a page that reloads finished runs, and the engine that it fetches on demand.

pub mod charts;
pub mod comparison;
pub mod csv;
pub mod figures;
pub mod route;
pub mod scatter;

#[cfg(feature = "engine")]
pub mod engine;

#[cfg(feature = "page")]
pub mod app;
#[cfg(feature = "page")]
pub mod engine_chip;
#[cfg(feature = "page")]
pub mod engine_link;
#[cfg(feature = "page")]
pub mod keys;
#[cfg(feature = "page")]
pub mod pages;
#[cfg(feature = "page")]
pub mod place;
#[cfg(feature = "page")]
pub mod session;
#[cfg(feature = "page")]
pub mod shown;
#[cfg(feature = "page")]
pub mod study;
#[cfg(feature = "page")]
pub mod take_along;
