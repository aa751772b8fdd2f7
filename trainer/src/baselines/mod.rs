//! What one would use instead: fit on rows, rebuild rows. Knows no autodiff.

pub mod nmf;
pub mod pca;
