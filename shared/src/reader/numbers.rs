//! Numbers of a text that have been computed and read from the device.

use burn::prelude::*;
use burn::tensor::DType;

use super::{ReadError, rounded};
use crate::reading::{ActiveFeature, Attended, Window};
use crate::{Csae, CsaeOutput};

/// How many pairs of attention a position has at most.
const ATTENDED: usize = 12;
/// Less attention than this is not told.
pub(super) const LEAST_ATTENTION: f32 = 0.02;

/// What a text's models computed.
#[derive(Debug)]
pub(super) struct Numbers {
    /// The row of each character in `told`.
    pub(super) rows: Vec<usize>,
    pub(super) told: Told,
    /// With which chances each character of the vocabulary follows: a row for each character.
    pub(super) clean: Matrix,
    /// The same with every activation replaced by its reconstruction.
    pub(super) rebuilt: Matrix,
}

/// What the autoencoder makes of all windows, one below the other.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// `[rows, k]`, as are `values`, 0 where a row has fewer, and `shares`.
    pub(super) indices: Matrix,
    pub(super) values: Matrix,
    pub(super) shares: Matrix,
    /// `[rows]`, as is `error`.
    pub(super) composed: Vec<f32>,
    pub(super) error: Vec<f32>,
    /// `[rows, n_units]`.
    pub(super) units: Option<Matrix>,
    /// `[rows, n_heads * k * partners]` and `[rows, n_heads * k * (partners + 1)]`.
    attention: Option<(Matrix, Matrix)>,
    /// How many partners a feature has in a head.
    partners: usize,
}

/// A table of numbers, row by row.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    pub(super) values: Vec<f32>,
    pub(super) width: usize,
}

impl Matrix {
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }
}

/// The row of each character that a window answers for, where the windows stand one below the other.
pub(super) fn rows(windows: &[Window]) -> Vec<usize> {
    let row = |(place, window): (usize, &Window)| {
        let first = place * (window.end - window.start);
        let here = window.from - window.start..window.end - window.start;
        here.map(move |at| first + at)
    };
    windows.iter().enumerate().flat_map(row).collect()
}

impl Told {
    /// Reads from the device what follows from the `output` for `ready` rows, `[rows, d_model]`.
    pub(super) async fn of(
        csae: &Csae,
        ready: Tensor<2>,
        output: CsaeOutput,
    ) -> Result<Self, ReadError> {
        let added = output.reconstruction.clone() - csae.decoder_bias.val().unsqueeze();
        let length = added.clone().square().sum_dim(1).clamp_min(1e-12); // [rows, 1]
        let along = added.clone().matmul(csae.decoder.val().transpose()); // [rows, n_features]
        let shares = along.gather(1, output.active.indices.clone()) * output.active.values.clone()
            / length.clone();
        let units = output.units.as_ref().map(|units| units.contribution.clone());
        let attention = output.attention.as_ref().map(|attention| attention.contribution.clone());
        let composed = match units.or(attention) {
            Some(contribution) => (contribution * added).sum_dim(1) / length,
            None => length.zeros_like(),
        };
        let energy = ready.clone().square().sum_dim(1).clamp_min(1e-12);
        let error = (ready - output.reconstruction).square().sum_dim(1) / energy;
        let (mut pairs, mut partners) = (None, 0);
        if let Some(attention) = output.attention {
            let [batch, _, _, count] = attention.partners.dims();
            partners = count;
            let places = attention.partners.float().reshape([batch as i32, -1]);
            let weights = attention.weights.reshape([batch as i32, -1]);
            pairs = Some((matrix(places).await?, matrix(weights).await?));
        }
        let units = match output.units {
            Some(units) => Some(matrix(units.strengths).await?),
            None => None,
        };
        Ok(Self {
            indices: matrix(output.active.indices.float()).await?,
            values: matrix(output.active.values).await?,
            shares: matrix(shares).await?,
            composed: matrix(composed).await?.values,
            error: matrix(error).await?.values,
            units,
            attention: pairs,
            partners,
        })
    }

    pub(super) fn active(&self, row: usize) -> Vec<ActiveFeature> {
        let columns = self.indices.row(row).iter().zip(self.values.row(row));
        let mut active: Vec<ActiveFeature> = columns
            .zip(self.shares.row(row))
            .filter(|((_, strength), _)| **strength > 0.0)
            .map(|((feature, strength), share)| ActiveFeature {
                feature: *feature as usize,
                strength: rounded(*strength),
                share: rounded(*share),
            })
            .collect();
        active.sort_by(|one, other| {
            other.strength.total_cmp(&one.strength).then(one.feature.cmp(&other.feature))
        });
        active
    }

    /// The strongest attention between features that fire in a row.
    pub(super) fn attention(&self, row: usize) -> Vec<Attended> {
        let Some((places, weights)) = &self.attention else { return vec![] };
        let (indices, values) = (self.indices.row(row), self.values.row(row));
        let (places, weights) = (places.row(row), weights.row(row));
        let k = indices.len();
        let mut found = vec![];
        for slot in 0..weights.len() / (self.partners + 1) {
            let (head, from) = (slot / k, slot % k);
            for partner in 0..self.partners {
                let to = places[slot * self.partners + partner] as usize;
                let weight = weights[slot * (self.partners + 1) + partner];
                if to < k && values[from] > 0.0 && values[to] > 0.0 && weight >= LEAST_ATTENTION {
                    let (from, to) = (indices[from] as usize, indices[to] as usize);
                    found.push(Attended { head, from, to, weight: rounded(weight) });
                }
            }
        }
        found.sort_by(|one, other| {
            let place = |pair: &Attended| (pair.head, pair.from, pair.to);
            other.weight.total_cmp(&one.weight).then(place(one).cmp(&place(other)))
        });
        found.truncate(ATTENDED);
        found
    }
}

/// Reads a tensor from the device.
pub(super) async fn matrix(tensor: Tensor<2>) -> Result<Matrix, ReadError> {
    let [_, width] = tensor.dims();
    let failed = |error: &dyn std::fmt::Display| ReadError::Device(error.to_string());
    let data = tensor.into_data_async().await.map_err(|error| failed(&error))?;
    let values = data.convert_dtype(DType::F32).try_into_vec().map_err(|error| failed(&error))?;
    Ok(Matrix { values, width })
}
