//! NMF on held-out text, with as many numbers in a row as the autoencoders have active features.

use anyhow::Result;
use shared::report::Quality;

use super::Method;
use crate::analysis::evaluation::HeldOut;
use crate::baselines::nmf::{Nmf, NmfConfig};
use crate::experiment::ReadyRows;

/// On how many rows NMF is fitted at most. More change nothing that one could see (docs/results.md).
const ROWS: usize = 25_000;

/// NMF with `k` parts, all of which may speak, and with `n_features` parts, of which the `k` largest
/// do: beside the first and the largest principal components.
///
/// # Errors
/// The user stops it.
pub(super) fn methods(
    held_out: &HeldOut,
    rows: &ReadyRows,
    k: usize,
    n_features: usize,
) -> Result<Vec<Method>> {
    let some = rows.train.beginning(ROWS.min(rows.train.len() / 10));
    let fit = |rank| Nmf::fit(&some, &NmfConfig::new(rank), &rows.device);
    let (small, large) = (fit(k)?, fit(n_features)?);
    let method = |name: &str, setting: String, quality: Quality| Method {
        name: name.into(),
        setting,
        qualities: vec![Quality { l0: k as f64, l0_max: k as f64, ..quality }],
    };
    let all = held_out.measure(&mut |rows| small.all(rows))?;
    let largest = held_out.measure(&mut |rows| large.largest(rows, k))?;
    Ok(vec![
        method("nmf", format!("{k} parts"), all),
        method("nmf_largest", format!("{k} largest of {n_features}"), largest),
    ])
}
