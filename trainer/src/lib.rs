//! csae: from a text to an explained language model.

pub mod complaint;
pub mod data;
pub mod device;
pub mod interrupt;
pub mod plan;
pub mod settings;
pub mod train;
