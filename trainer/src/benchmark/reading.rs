//! What a trained model makes of rows: codes, what they leave over, what its units say.

use burn::prelude::*;
use shared::TopK;
use shared::sae::{Autoencoder, FinishedCsae};
use shared::weights::to_vec;

use crate::analysis::measures;
use crate::analysis::screening::FoundCombination;
use crate::analysis::screening::sparse::SparseRows;

/// How many rows the model is given at once.
const BATCH: usize = 4_096;

/// What a model makes of rows.
pub(super) struct Reading {
    /// Which features are active on each row.
    pub codes: SparseRows,
    /// What the model leaves of each row: `[rows, d_model]`.
    pub residuals: Vec<f32>,
    /// Fraction of variance unexplained.
    pub fvu: f64,
}

/// Reads `rows`, of shape `[rows, d_model]`.
pub(super) fn read(model: &dyn Autoencoder, rows: Tensor<2>) -> Reading {
    let [_, d_model] = rows.dims();
    let (mut codes, mut reconstruction) = (SparseRows::default(), vec![]);
    for block in rows.clone().split(BATCH, 0) {
        let output = model.forward(block);
        push(&mut codes, output.code);
        reconstruction.extend(to_vec(output.reconstruction));
    }
    let rows = to_vec(rows);
    let fvu = measures::fvu(&rows, &reconstruction, d_model);
    let residuals = rows.iter().zip(&reconstruction).map(|(row, said)| row - said).collect();
    Reading { codes, residuals, fvu }
}

/// The codes of `rows` alone.
pub(super) fn read_codes(model: &dyn Autoencoder, rows: Tensor<2>) -> SparseRows {
    let mut codes = SparseRows::default();
    rows.split(BATCH, 0).into_iter().for_each(|block| push(&mut codes, model.forward(block).code));
    codes
}

/// Fraction of variance unexplained on `rows`.
pub(super) fn fvu(model: &dyn Autoencoder, rows: Tensor<2>) -> f64 {
    let [_, d_model] = rows.dims();
    let blocks = rows.clone().split(BATCH, 0).into_iter();
    let said: Vec<f32> =
        blocks.flat_map(|block| to_vec(model.forward(block).reconstruction)).collect();
    measures::fvu(&to_vec(rows), &said, d_model)
}

fn push(codes: &mut SparseRows, dense: Tensor<2>) {
    let [_, n_features] = dense.dims();
    codes.push_dense(&to_vec(dense), n_features);
}

/// The units as combinations, ranked by the energy of what they say on `rows`.
pub(super) fn combinations(csae: &FinishedCsae, rows: Tensor<2>) -> Vec<FoundCombination> {
    let Some(units) = &csae.model.units else { return vec![] };
    let [n_features, n_units] = units.parts.val().dims();
    let (mut energies, mut spoken) = (vec![0.0; n_units], vec![0; n_units]);
    for block in rows.split(BATCH, 0) {
        let code = csae.forward(block).code;
        let said = units.forward(&TopK::select(code, csae.limits.sparsity_k.min(n_features)));
        for (place, strength) in to_vec(said.strengths).into_iter().enumerate() {
            energies[place % n_units] += f64::from(strength).powi(2);
            spoken[place % n_units] += usize::from(strength > 0.0);
        }
    }
    let effects = to_vec(units.effects.val());
    let [_, d_model] = units.effects.val().dims();
    let mut found: Vec<FoundCombination> = units
        .combinations()
        .into_iter()
        .enumerate()
        .filter(|(_, parts)| parts.len() > 1)
        .map(|(unit, parts)| {
            let effect = effects[unit * d_model..][..d_model].to_vec();
            let square: f64 = effect.iter().map(|value| f64::from(*value).powi(2)).sum();
            let gain = energies[unit] * square;
            FoundCombination { parts, effect, gain, support: spoken[unit] }
        })
        .collect();
    found.sort_by(|one, other| other.gain.total_cmp(&one.gain));
    found
}
