//! The oracle track: with the true dictionary and the true selection, can combinations be found?

use rayon::prelude::*;

use super::rows::Rows;
use super::world::World;
use crate::analysis::non_negative::non_negative;
use crate::analysis::screening::sparse::SparseRows;
use crate::analysis::screening::{
    Evidence, FoundCombination, Screening, ScreeningConfig, ScreeningError, screen, without_effects,
};

/// The best non-negative code of rows on the true directions of their active features.
#[derive(Clone, Debug, PartialEq)]
pub struct OracleCode {
    /// The features with a strength above 0.
    pub codes: SparseRows,
    /// What the features leave over: `[rows, d_model]`.
    pub residuals: Vec<f32>,
}

impl OracleCode {
    /// Reads rows: `argmin over f >= 0 of |x - sum of f_j d_j|^2` over the active features.
    pub fn read(world: &World, rows: &Rows) -> Self {
        let width = world.config.d_model;
        let each = rows.activations.par_chunks_exact(width).enumerate();
        let read: Vec<_> =
            each.map(|(row, x)| read_row(world, rows.active.row(row).0, x)).collect();
        let mut codes = SparseRows::default();
        let mut residuals = Vec::with_capacity(rows.activations.len());
        for (code, left) in read {
            codes.push(code);
            residuals.extend(left);
        }
        Self { codes, residuals }
    }

    /// This code as evidence for combinations.
    pub fn evidence<'a>(&'a self, world: &'a World) -> Evidence<'a> {
        Evidence {
            codes: &self.codes,
            residuals: &self.residuals,
            directions: &world.directions,
            d_model: world.config.d_model,
        }
    }

    /// Looks for combinations in what the features leave over.
    ///
    /// # Errors
    /// The rows hold values that are not finite.
    pub fn screen(
        &self,
        world: &World,
        config: &ScreeningConfig,
    ) -> Result<Screening, ScreeningError> {
        screen(&self.evidence(world), config)
    }

    /// What features and combinations together leave over: `[rows, d_model]`.
    ///
    /// # Errors
    /// The rows hold values that are not finite.
    pub fn without(
        &self,
        world: &World,
        found: &[FoundCombination],
    ) -> Result<Vec<f32>, ScreeningError> {
        without_effects(&self.evidence(world), found)
    }
}

/// The code of one row on these features, and what they leave of the activation.
fn read_row(world: &World, ids: &[u32], activation: &[f32]) -> (Vec<(u32, f32)>, Vec<f32>) {
    let directions: Vec<&[f32]> = ids.iter().map(|&id| world.direction(id as usize)).collect();
    let strengths = exact_strengths(&directions, activation);
    let mut left = activation.to_vec();
    for (direction, &strength) in directions.iter().zip(&strengths) {
        left.iter_mut().zip(*direction).for_each(|(left, d)| *left -= strength as f32 * d);
    }
    let code = ids.iter().zip(strengths).filter(|(_, strength)| *strength > 0.0);
    (code.map(|(&id, strength)| (id, strength as f32)).collect(), left)
}

/// The non-negative least squares solution, one number per direction.
fn exact_strengths(directions: &[&[f32]], activation: &[f32]) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let count = directions.len();
    let toward: Vec<f64> = directions.iter().map(|d| dot(d, activation)).collect();
    let mut gram = vec![0.0; count * count];
    for first in 0..count {
        for second in 0..=first {
            let product = dot(directions[first], directions[second]);
            gram[first * count + second] = product;
            gram[second * count + first] = product;
        }
    }
    non_negative(&gram, &toward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::config::WorldConfig;

    #[test]
    fn a_code_is_exact_where_the_activation_lies_in_the_cone() {
        let directions = [[1.0, 0.0, 0.0].as_slice(), [0.6, 0.8, 0.0].as_slice()];

        let strengths = exact_strengths(&directions, &[1.6, 0.8, 5.0]);

        assert!((strengths[0] - 1.0).abs() < 1e-6 && (strengths[1] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_feature_that_would_be_negative_is_absent_and_the_other_is_refitted() {
        let directions = [[1.0, 0.0].as_slice(), [0.6, 0.8].as_slice()];

        let strengths = exact_strengths(&directions, &[1.0, -0.5]);

        assert_eq!(strengths, [1.0, 0.0]);
    }

    #[test]
    fn what_is_left_is_orthogonal_to_the_features_of_the_code() {
        let world = World::new(&WorldConfig::default()).unwrap();

        let code = OracleCode::read(&world, &world.rows("test", 64));

        for (row, left) in code.residuals.chunks_exact(world.config.d_model).enumerate() {
            for (feature, _) in code.codes.entries_of(row) {
                let direction = world.direction(feature);
                let along: f32 = left.iter().zip(direction).map(|(a, b)| a * b).sum();
                assert!(along.abs() < 1e-4, "{along}");
            }
        }
    }
}
