//! What the trainer and the explorer have in common: models, bundle, results.
//!
//! Knows tensors, bytes and serde. Knows no file, no network, no clock and no device of its own.

pub mod bundle;
pub mod char_lm;
pub mod composition;
pub mod csae;
pub mod kernels;
mod linear;
pub mod plot;
pub mod random;
pub mod refit;
pub mod report;
pub mod sae;
pub mod topk;
pub mod vocab;
pub mod weights;

pub use char_lm::{CharLm, CharLmConfig};
pub use composition::attention::{Attention, AttentionConfig, AttentionOutput};
pub use composition::units::{Units, UnitsConfig, UnitsOutput};
pub use csae::{Csae, CsaeConfig, CsaeOutput, Limits};
pub use topk::TopK;
pub use vocab::Vocab;
