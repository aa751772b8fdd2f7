//! What the trainer and the explorer have in common: models, bundle, results.
//!
//! Knows tensors, bytes and serde. Knows no file, no network, no clock and no device of its own.

pub mod base64url;
#[cfg(feature = "models")]
pub mod bundle;
#[cfg(feature = "models")]
pub mod char_lm;
#[cfg(feature = "models")]
pub mod composition;
#[cfg(feature = "models")]
pub mod csae;
pub mod digest;
#[cfg(feature = "models")]
pub mod kernels;
#[cfg(feature = "models")]
mod linear;
pub mod plot;
#[cfg(feature = "models")]
pub mod random;
pub mod ratings;
#[cfg(feature = "models")]
pub mod reader;
pub mod reading;
#[cfg(feature = "models")]
pub mod refit;
pub mod report;
#[cfg(feature = "models")]
pub mod sae;
pub mod site;
#[cfg(feature = "models")]
pub mod span;
pub mod study;
#[cfg(feature = "models")]
pub mod topk;
pub mod vocab;
#[cfg(feature = "models")]
pub mod weights;

#[cfg(feature = "models")]
pub use models::*;
pub use vocab::Vocab;

#[cfg(feature = "models")]
mod models {
    pub use crate::char_lm::{CharLm, CharLmConfig};
    pub use crate::composition::attention::{Attention, AttentionConfig, AttentionOutput};
    pub use crate::composition::units::{Units, UnitsConfig, UnitsOutput, UnitsPrinciple};
    pub use crate::csae::{Csae, CsaeConfig, CsaeOutput, Limits};
    pub use crate::topk::TopK;
}
