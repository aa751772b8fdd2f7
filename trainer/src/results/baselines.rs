//! What one would use instead, with as many numbers in a row as the autoencoders have active features.

mod nmf;

use anyhow::Result;
use shared::report::Quality;

use super::Method;
use crate::activations::ReadyRows;
use crate::analysis::evaluation::HeldOut;
use crate::baselines::pca::Pca;

/// Every baseline at every number of active features, the profile's own one first.
pub(super) fn all(
    held_out: &HeldOut,
    rows: &ReadyRows,
    pca: &Pca,
    ks: &[usize],
) -> Result<Vec<Method>> {
    let own = ks.first().copied();
    let mut methods = components(held_out, pca, ks)?;
    methods.extend(nmf::nmf(held_out, rows, ks)?);
    for method in &mut methods {
        if Some(method.sparsity_k) != own {
            method.name = format!("{}_k{}", method.method, method.sparsity_k);
        }
    }
    Ok(methods)
}

/// The first components, and those that are largest in each row.
fn components(held_out: &HeldOut, pca: &Pca, ks: &[usize]) -> Result<Vec<Method>> {
    let [d_model, _] = pca.components().dims();
    let mut methods = vec![];
    for &sparsity_k in ks {
        let k = sparsity_k.min(d_model);
        let first = held_out.measure(&mut |rows| pca.first(rows, k))?;
        let largest = held_out.measure(&mut |rows| pca.largest(rows, k))?;
        let l0 = [sparsity_k, k];
        methods.push(baseline("pca", format!("first {k}"), l0, first));
        let setting = format!("{k} largest of {d_model}");
        methods.push(baseline("pca_largest", setting, l0, largest));
    }
    Ok(methods)
}

/// A method without seeds that was asked to use so many numbers in a row, and uses so many.
fn baseline(name: &str, setting: String, [sparsity_k, l0]: [usize; 2], quality: Quality) -> Method {
    Method {
        name: name.into(),
        method: name.into(),
        sparsity_k,
        setting,
        seeds: vec![0],
        qualities: vec![Quality { l0: l0 as f64, l0_max: l0 as f64, ..quality }],
    }
}
