//! The pages, one file each. They ask the session and the engine, and draw.

pub mod about;
pub mod combination;
pub mod combinations;
pub mod compare;
pub mod feature;
pub mod features;
pub mod overview;
pub mod study;
pub mod text;

mod effects;
mod plot;
mod position;
mod strip;
mod table;
