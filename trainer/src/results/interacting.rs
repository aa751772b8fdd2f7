//! How strongly features of a model interact, for every model whose decoder is not linear; the others' have
//! interactions of exactly 0.

use anyhow::Result;
use serde::Serialize;
use shared::sae::Autoencoder;
use shared::weights::to_vec;

use crate::analysis::combinations::SUPPORT;
use crate::analysis::consistency::{Consistency, Findings, consistency};
use crate::analysis::evaluation::HeldOut;
use crate::analysis::interaction::{Interaction, Interactions};
use crate::analysis::rank;

/// How many of the pairs that interact most are looked at.
pub const LOOKED_AT: usize = 32;

/// The pairs of features that interact most, of each training of a method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interacting {
    /// The method.
    pub name: String,
    /// What each seed gave.
    pub seeds: Vec<OfSeed>,
    /// How far the other seeds have those pairs of the first; nothing of one seed.
    pub consistency: Option<Consistency>,
}

/// What one training gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OfSeed {
    /// The seed.
    pub seed: u64,
    /// How many pairs fire together on enough held-out rows.
    pub pairs: usize,
    /// The median of `|I(P)|` over the pairs that interact most, at the mean strengths of their parts.
    pub median: f64,
    /// How many features these pairs have.
    pub features: usize,
    /// In how many of these pairs the most used of them takes part.
    pub most: usize,
}

impl Interacting {
    /// Of the `models` of a method by seed; nothing without models.
    ///
    /// # Errors
    /// The user stops it.
    pub(super) fn of(
        held_out: &HeldOut,
        name: String,
        models: &[(u64, &dyn Autoencoder)],
    ) -> Result<Option<Self>> {
        let (mut seeds, mut findings) = (vec![], vec![]);
        let mut d_model = 0;
        for (seed, model) in models {
            let codes = held_out.codes(*model)?;
            let ranked = Interactions::new(*model, &codes, SUPPORT).ranked(2);
            let pairs: Vec<Interaction> = ranked.into_iter().flatten().collect();
            let strongest = &pairs[..pairs.len().min(LOOKED_AT)];
            seeds.push(OfSeed::of(*seed, pairs.len(), strongest));
            let directions = model.directions();
            d_model = directions.dims()[1];
            findings.push(Findings {
                directions: unit_rows(to_vec(directions), d_model),
                combinations: strongest.iter().map(|pair| pair.parts.clone()).collect(),
            });
        }
        let Some((first, others)) = findings.split_first() else { return Ok(None) };
        let consistency = consistency(first, others, d_model);
        Ok(Some(Self { name, seeds, consistency }))
    }
}

impl OfSeed {
    fn of(seed: u64, pairs: usize, strongest: &[Interaction]) -> Self {
        let mut sizes: Vec<f64> = strongest.iter().map(|pair| pair.size).collect();
        sizes.sort_by(f64::total_cmp);
        let mut parts: Vec<usize> = strongest.iter().flat_map(|pair| pair.parts.clone()).collect();
        parts.sort_unstable();
        let uses = || parts.chunk_by(|one, other| one == other).map(<[usize]>::len);
        Self {
            seed,
            pairs,
            median: rank::quantile(&sizes, 0.5).unwrap_or(0.0),
            features: uses().count(),
            most: uses().max().unwrap_or(0),
        }
    }
}

/// The rows with length 1, as features of two trainings are matched.
fn unit_rows(mut rows: Vec<f32>, width: usize) -> Vec<f32> {
    for row in rows.chunks_exact_mut(width) {
        let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let scale = if length > 0.0 { (1.0 / length) as f32 } else { 0.0 };
        row.iter_mut().for_each(|value| *value *= scale);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_told_by_their_middle_and_by_who_is_in_many() {
        let pair = |parts: [usize; 2], size: f64| Interaction { parts: parts.into(), size };
        let strongest = [pair([1, 4], 3.0), pair([1, 2], 2.0), pair([1, 3], 0.5)];

        let told = OfSeed::of(7, 90, &strongest);

        let expected = OfSeed { seed: 7, pairs: 90, median: 2.0, features: 4, most: 3 };
        assert_eq!(told, expected);
        assert_eq!(OfSeed::of(0, 0, &[]).median, 0.0);
    }

    #[test]
    fn directions_get_length_one() {
        assert_eq!(unit_rows(vec![3.0, 4.0, 0.0, -2.0], 2), [0.6, 0.8, 0.0, -1.0]);
        assert_eq!(unit_rows(vec![0.0, 0.0], 2), [0.0, 0.0]);
    }
}
