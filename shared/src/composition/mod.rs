//! The second stream: code in, contribution of combinations and their patterns out.

pub mod attention;
pub mod units;
