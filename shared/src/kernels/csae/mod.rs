//! The training step of a [`Csae`], forward and back in one pass over the rows, with attention of
//! one round or two; and, without attention, the way forward alone.
//!
//! The step is also that of a [`Dictionary`] that keeps its strongest features, of each row or of the
//! whole batch, where nothing comes before its encoder.
//!
//! What the tensor form does to all features this does to the active ones. Rows are taken in blocks
//! of fixed size, one task each; then every feature gathers its gradient from the rows on which it
//! is active, in their order. So the same input gives the same bytes on any number of threads.

mod attention;
mod block;
mod coder;
mod crosstalk;
mod gradients;
mod parameters;
mod refit;
mod revive;
mod select;
mod sorted;
mod step;
#[cfg(test)]
mod tests;
mod units;

pub use coder::{Code, Coder};
pub use parameters::{AttentionParameters, Parameters, transposed};
pub use step::{Step, Task};

use crate::sae::dictionary::{Dictionary, Sparsity};
use crate::{Csae, UnitsPrinciple};

/// What an autoencoder computes with.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// Its units; without them, or when nothing may combine, features speak one by one.
    pub units: Option<Speakers<'a>>,
    /// How many features combine by attention at most, where the model has attention.
    pub combination_size: usize,
    /// How many steps of refitting the active features get.
    pub refit_steps: usize,
    /// How many features are active in a row at most, or on average where the batch chooses.
    pub sparsity_k: usize,
    /// Among which features the active ones are chosen.
    pub choice: Choice,
}

/// Among which features the active ones are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Choice {
    /// Among those of each row; the first of equals.
    #[default]
    Row,
    /// Among those of all rows together; all that equal the last one.
    Batch,
}

/// What decides which units speak, beside their effects.
#[derive(Clone, Copy, Debug)]
pub struct Speakers<'a> {
    /// The features that each unit combines; a unit of fewer than two never speaks.
    pub parts: &'a [Vec<usize>],
    /// Above which strength each speaks.
    pub thresholds: &'a [f32],
    /// How many of them speak on a row at most.
    pub speaking: usize,
}

/// Whether there is a step for `model`: features attend to each other twice at most, and units do
/// without nothing that the step has built in.
pub fn learns(model: &Csae) -> bool {
    let rounds = model.attention.as_ref().map_or(0, |attention| attention.rounds);
    rounds <= 2 && without(model) != Some(UnitsPrinciple::Detachment) && hears_all(model)
}

/// How `dictionary` chooses its active features, and how many, if there is a step for it.
pub fn choice_of(dictionary: &Dictionary) -> Option<(Choice, usize)> {
    match (dictionary.sparsity(), &dictionary.hidden) {
        (Sparsity::TopK(k), None) => Some((Choice::Row, *k)),
        (Sparsity::BatchTopK(k), None) => Some((Choice::Batch, *k)),
        _ => None,
    }
}

/// Whether all active features speak by themselves, as the kernels have it.
pub fn hears_all(model: &Csae) -> bool {
    without(model) != Some(UnitsPrinciple::Residual)
}

fn without(model: &Csae) -> Option<UnitsPrinciple> {
    model.units.as_ref().and_then(|units| units.without)
}
