//! What each feature of a dictionary is worth, when others may take its place.

use rayon::prelude::*;

use crate::analysis::exact_code::ExactCode;
use crate::analysis::vectors::{add, dot, products};

/// How many of the others may take the place of a feature on a row.
const SUBSTITUTES: usize = 3;
/// How much of its worth counts for a feature that stands for a combination.
const OF_A_COMBINATION: f64 = 0.1;
/// A feature of which others can say all but this share stands for a combination of them.
const NEARLY_SAID: f64 = 0.35;

/// What the rows would lose without a feature.
#[derive(Clone, Debug, Default)]
pub struct Worth {
    /// By how much the squared error would rise if the best of the others took its place.
    pub energy: f64,
    /// By how much if none did.
    pub alone: f64,
}

impl Worth {
    /// What counts against a new direction: little for what others can nearly say together. What
    /// remains of that is what they combine to, and for a unit to say.
    pub fn counted(&self) -> f64 {
        match self.energy < NEARLY_SAID * self.alone {
            true => OF_A_COMBINATION * self.energy,
            false => self.energy,
        }
    }
}

/// What the rows would lose without each feature: `[n_features]`.
pub fn worth(code: &ExactCode, directions: &[f32], d_model: usize) -> Vec<Worth> {
    let n_features = directions.len() / d_model;
    const AT_ONCE: usize = 4096;
    let direction = |feature: usize| &directions[feature * d_model..][..d_model];
    let gram = products(directions, directions, d_model);
    let blocks: Vec<Vec<Worth>> = (0..code.rows.len().div_ceil(AT_ONCE))
        .into_par_iter()
        .map(|block| {
            let mut worth = vec![Worth::default(); n_features];
            for row in block * AT_ONCE..((block + 1) * AT_ONCE).min(code.rows.len()) {
                let left = &code.residuals[row * d_model..][..d_model];
                let along: Vec<f32> =
                    (0..n_features).map(|feature| dot(direction(feature), left)).collect();
                let mut open = along.clone();
                for (feature, _) in code.rows.entries_of(row) {
                    open[feature] = f32::NEG_INFINITY;
                }
                for (feature, strength) in code.rows.entries_of(row) {
                    let mut without = open.clone();
                    add(&mut without, strength, &gram[feature * n_features..][..n_features]);
                    let all = along[feature] + strength;
                    substitute(&mut worth[feature], all, without, &gram);
                }
            }
            worth
        })
        .collect();
    let mut worth = vec![Worth::default(); n_features];
    for block in blocks {
        for (worth, block) in worth.iter_mut().zip(block) {
            worth.energy += block.energy;
            worth.alone += block.alone;
        }
    }
    worth
}

/// Counts what is lost on a row without a feature that says `all` of it, when the others, of which
/// `without` says how far they point to what is left, take its place one after the other.
fn substitute(worth: &mut Worth, all: f32, mut without: Vec<f32>, gram: &[f32]) {
    let n_features = without.len();
    let mut replaced = 0.0;
    for _ in 0..SUBSTITUTES {
        let (best, most) = largest(&without);
        if most <= 0.0 {
            break;
        }
        replaced += most * most;
        add(&mut without, -most, &gram[best * n_features..][..n_features]);
    }
    worth.energy += f64::from((all * all - replaced).max(0.0));
    worth.alone += f64::from(all * all);
}

/// The place of the largest number, and the number.
fn largest(numbers: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (place, number) in numbers.iter().enumerate() {
        if *number > best.1 {
            best = (place, *number);
        }
    }
    best
}
