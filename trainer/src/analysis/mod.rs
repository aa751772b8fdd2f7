//! From what models give to what one can say about them. Pure but for the forward passes.

pub mod active_rows;
pub mod agreement;
pub mod alternation;
pub mod attending;
pub mod causal;
pub mod coefficients;
pub mod combinations;
pub mod consistency;
pub mod evaluation;
pub mod exact_code;
pub mod features;
pub mod hidden;
pub mod in_model;
pub mod interaction;
pub mod interchange;
pub mod measures;
pub mod missing;
pub mod non_negative;
pub mod paired;
pub mod probing;
pub mod rank;
pub mod reuse;
pub mod screening;
pub mod sparse_probe;
pub mod truth_table;
pub mod vectors;
