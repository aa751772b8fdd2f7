//! Where each parameter of a model lies in one long list of numbers.

use std::ops::Range;

use crate::weights::{self, Weight, Weights, WeightsError};
use crate::{CharLm, CharLmConfig};

/// The parameters of a model one behind the other. Gradients and the optimizer's memory lie the same
/// way.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) config: CharLmConfig,
    /// `[vocab_size, d_model]`.
    pub(super) tokens: Range<usize>,
    /// `[block_size, d_model]`.
    pub(super) positions: Range<usize>,
    pub(super) blocks: Vec<BlockLayout>,
    /// `[d_model]`.
    pub(super) final_norm: Range<usize>,
    tensors: Vec<Place>,
}

/// The parameters of a block.
#[derive(Clone, Debug)]
pub(super) struct BlockLayout {
    /// `[d_model]`.
    pub(super) attention_norm: Range<usize>,
    /// `[d_model, 3 * d_model]`.
    pub(super) query_key_value: Range<usize>,
    /// `[d_model, d_model]`.
    pub(super) attention_output: Range<usize>,
    /// `[d_model]`.
    pub(super) mlp_norm: Range<usize>,
    /// `[d_model, 4 * d_model]`.
    pub(super) mlp_input: Range<usize>,
    /// `[4 * d_model, d_model]`.
    pub(super) mlp_output: Range<usize>,
}

/// A parameter, under the name that it has in the module.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    shape: Vec<usize>,
    range: Range<usize>,
}

impl Layout {
    /// The layout of a model of this shape.
    pub fn new(config: &CharLmConfig) -> Self {
        let width = config.d_model;
        let mut tensors: Vec<Place> = vec![];
        let mut place = |name: &str, shape: &[usize]| {
            let start = tensors.last().map_or(0, |last| last.range.end);
            let range = start..start + shape.iter().product::<usize>();
            let (name, shape) = (name.to_string(), shape.to_vec());
            tensors.push(Place { name, shape, range: range.clone() });
            range
        };
        let tokens = place("token_embedding", &[config.vocab_size, width]);
        let positions = place("position_embedding", &[config.block_size, width]);
        let block = |number: usize| {
            let mut place =
                |name: &str, shape: &[usize]| place(&format!("blocks.{number}.{name}"), shape);
            BlockLayout {
                attention_norm: place("attention_norm.gamma", &[width]),
                query_key_value: place("query_key_value", &[width, 3 * width]),
                attention_output: place("attention_output", &[width, width]),
                mlp_norm: place("mlp_norm.gamma", &[width]),
                mlp_input: place("mlp_input", &[width, 4 * width]),
                mlp_output: place("mlp_output", &[4 * width, width]),
            }
        };
        let blocks = (0..config.n_layers).map(block).collect();
        let final_norm = place("final_norm.gamma", &[width]);
        Self { config: config.clone(), tokens, positions, blocks, final_norm, tensors }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.final_norm.end
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All parameters with their ranges, and whether a parameter is a matrix.
    pub fn ranges(&self) -> impl Iterator<Item = (Range<usize>, bool)> {
        self.tensors.iter().map(|place| (place.range.clone(), place.shape.len() > 1))
    }

    /// The layout of a model, and its numbers in it.
    ///
    /// # Errors
    /// A tensor does not fit the others.
    pub fn of(lm: &CharLm) -> Result<(Self, Vec<f32>), WeightsError> {
        let layout = Self::new(&lm.config());
        let numbers = layout.read(&weights::of(lm))?;
        Ok((layout, numbers))
    }

    /// The numbers of `weights` in this layout; what else they have is left out.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub fn read(&self, weights: &Weights) -> Result<Vec<f32>, WeightsError> {
        let mut numbers = vec![0.0; self.len()];
        for Place { name, shape, range } in &self.tensors {
            let weight = weights.get(name).ok_or_else(|| WeightsError::Missing(name.clone()))?;
            if weight.shape.iter().product::<usize>() != range.len()
                || weight.values.len() != range.len()
            {
                let (found, expected) = (weight.shape.clone(), shape.clone());
                return Err(WeightsError::Shape { name: name.clone(), found, expected });
            }
            numbers[range.clone()].copy_from_slice(&weight.values);
        }
        Ok(numbers)
    }

    /// `numbers` under the names that they have in the module.
    pub fn weights(&self, numbers: &[f32]) -> Weights {
        let weight = |Place { name, shape, range }: &Place| {
            let values = numbers[range.clone()].to_vec();
            (name.clone(), Weight { shape: shape.clone(), values })
        };
        self.tensors.iter().map(weight).collect()
    }
}
