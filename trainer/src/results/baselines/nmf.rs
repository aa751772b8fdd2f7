//! NMF, with as many numbers in a row as the autoencoders have active features.

use anyhow::Result;

use super::{Method, baseline};
use crate::activations::ReadyRows;
use crate::analysis::evaluation::HeldOut;
use crate::baselines::nmf::{Nmf, NmfConfig};

/// On how many rows NMF is fitted at most; with two and a half times as many it leaves the same.
const ROWS: usize = 10_000;
/// How many rounds the parts get of which few may speak. More lower what all parts together leave, and
/// raise what few of them leave.
const ROUNDS: usize = 100;

/// How many parts there are where the largest are chosen in each row, as the autoencoders have
/// features.
const PARTS: usize = 256;

/// NMF with as many parts as may speak, for the first of `ks` alone, and with [`PARTS`] of which the
/// largest speak: beside the first and the largest principal components.
pub(super) fn nmf(held_out: &HeldOut, rows: &ReadyRows, ks: &[usize]) -> Result<Vec<Method>> {
    let some = rows.train.span(0..ROWS.min((rows.train.count() / 10).max(1)))?;
    let fit = |config: &NmfConfig| Nmf::fit(&some, config, &rows.device);
    let mut methods = vec![];
    if let Some(&k) = ks.first() {
        let small = fit(&NmfConfig::new(k))?;
        let quality = held_out.measure(&mut |rows| small.all(rows))?;
        methods.push(baseline("nmf", format!("{k} parts"), [k, k], quality));
    }
    let large = fit(&NmfConfig { rounds: ROUNDS, ..NmfConfig::new(PARTS) })?;
    for &k in ks {
        let quality = held_out.measure(&mut |rows| large.largest(rows, k))?;
        methods.push(baseline("nmf_largest", format!("{k} largest of {PARTS}"), [k, k], quality));
    }
    Ok(methods)
}
