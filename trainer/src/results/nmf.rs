//! NMF on held-out text, with as many numbers in a row as the autoencoders have active features.

use anyhow::Result;
use shared::report::Quality;

use super::Method;
use crate::analysis::evaluation::HeldOut;
use crate::baselines::nmf::{Nmf, NmfConfig};
use crate::experiment::ReadyRows;

/// On how many rows NMF is fitted at most; with two and a half times as many it leaves the same.
const ROWS: usize = 10_000;
/// How many rounds the parts get of which few may speak. More lower what all parts together leave, and
/// raise what few of them leave (docs/results.md).
const ROUNDS: usize = 100;

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
    let some = rows.train.beginning(ROWS.min((rows.train.len() / 10).max(1)));
    let fit = |config: &NmfConfig| Nmf::fit(&some, config, &rows.device);
    let small = fit(&NmfConfig::new(k))?;
    let large = fit(&NmfConfig { rounds: ROUNDS, ..NmfConfig::new(n_features) })?;
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
