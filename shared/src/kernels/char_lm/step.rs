//! One training step: the loss on a batch and its gradient.

use std::ops::Range;

use rayon::prelude::*;

use super::curves::Counted;
use super::layout::Layout;
use super::part::{Context, PackedBlock, Part};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product_of_columns};

/// A part has this many rows, or some more: enough that packing costs little.
const ROWS: usize = 192;
/// How many rows of a weight matrix are one task.
const STRETCH: usize = 48;

/// The loss of a batch and its gradient. Keeps its memory for the next.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The gradient of the mean loss, as the layout has the parameters.
    pub gradient: Vec<f32>,
    parts: Vec<Part>,
    packed: Vec<PackedBlock>,
    output: [Packed; 2],
    /// The gradients of all rows, as the sums over rows read them, one for each matrix.
    of_rows: Vec<Packed>,
}

impl Step {
    /// The mean loss in nats of the model with these `parameters` on `ids`, windows of `length` one
    /// behind the other, whose next characters are `targets`.
    pub fn loss(
        &mut self,
        layout: &Layout,
        parameters: &[f32],
        text: [&[u32]; 2],
        length: usize,
    ) -> f64 {
        self.read(layout, parameters, text, length, None) / text[0].len() as f64
    }

    /// As [`Self::loss`], and its gradient. Each target counts as much as its weight says.
    pub fn run(
        &mut self,
        layout: &Layout,
        parameters: &[f32],
        text: [&[u32]; 2],
        weights: &[f32],
        length: usize,
    ) -> f64 {
        let counted = Counted { weights, total: weights.iter().sum() };
        let loss = self.read(layout, parameters, text, length, Some(counted));
        self.gather(layout, parameters, text[0], length);
        loss / f64::from(counted.total)
    }

    fn read(
        &mut self,
        layout: &Layout,
        parameters: &[f32],
        [ids, targets]: [&[u32]; 2],
        length: usize,
        counted: Option<Counted>,
    ) -> f64 {
        self.pack(layout, parameters);
        let at_once = ROWS.div_ceil(length) * length;
        self.parts.resize(ids.len().div_ceil(at_once), Part::default());
        let (packed, output) = (&self.packed, &self.output);
        let context = Context { lanes: Lanes::new(), layout, parameters, packed, output, length };
        let text = ids.par_chunks(at_once).zip(targets.par_chunks(at_once)).enumerate();
        self.parts.par_iter_mut().zip(text).for_each(|(part, (number, (ids, targets)))| {
            let counted = counted.map(|all| Counted {
                weights: &all.weights[number * at_once..][..targets.len()],
                ..all
            });
            part.learn(&context, ids, targets, counted);
        });
        self.parts.iter().map(|part| part.loss).sum()
    }

    fn pack(&mut self, layout: &Layout, parameters: &[f32]) {
        let width = layout.config.d_model;
        self.packed.resize(layout.blocks.len(), PackedBlock::default());
        self.packed.par_iter_mut().zip(&layout.blocks).for_each(|(packed, places)| {
            let pack = |[forward, back]: &mut [Packed; 2], range: &Range<usize>, columns: usize| {
                let matrix = &parameters[range.clone()];
                forward.fill_columns_here(&[matrix], columns);
                back.fill_here(matrix, columns);
            };
            pack(&mut packed.query_key_value, &places.query_key_value, 3 * width);
            pack(&mut packed.attention_output, &places.attention_output, width);
            pack(&mut packed.mlp_input, &places.mlp_input, 4 * width);
            pack(&mut packed.mlp_output, &places.mlp_output, width);
        });
        let tokens = &parameters[layout.tokens.clone()];
        self.output[0].fill(tokens, width);
        self.output[1].fill_columns(tokens, width);
    }

    /// Adds up the gradients of all rows.
    fn gather(&mut self, layout: &Layout, parameters: &[f32], ids: &[u32], length: usize) {
        self.gradient.resize(layout.len(), 0.0);
        let matrices = matrices(layout, &self.parts);
        self.of_rows.resize(matrices.len(), Packed::default());
        self.of_rows.par_iter_mut().zip(&matrices).for_each(|(packed, matrix)| {
            packed.fill_columns_here(&matrix.slopes, matrix.columns);
        });

        let mut rest = &mut self.gradient[..];
        let mut stretches = vec![];
        for (matrix, packed) in matrices.iter().zip(&self.of_rows) {
            // Matrices come in the order of the layout; what lies between is no matrix of this kind.
            let start = matrix.range.start - (layout.len() - rest.len());
            let (out, after) = rest.split_at_mut(start).1.split_at_mut(matrix.range.len());
            rest = after;
            let chunks = out.chunks_mut(STRETCH * matrix.columns).enumerate();
            stretches.extend(chunks.map(|(number, out)| (matrix, packed, number * STRETCH, out)));
        }
        let lanes = Lanes::new();
        stretches.into_par_iter().for_each_init(Vec::new, |space, (matrix, packed, first, out)| {
            let columns = first..first + out.len() / matrix.columns;
            let rows = (&matrix.rows[..], matrix.row_length);
            product_of_columns(lanes, out, rows, columns.clone(), packed, space);
            // The rows are normed ones, to which the gain was not yet given.
            if let Some(gain) = &matrix.gain {
                let gains = &parameters[gain.clone()][columns];
                for (row, gain) in out.chunks_exact_mut(matrix.columns).zip(gains) {
                    row.iter_mut().for_each(|value| *value *= gain);
                }
            }
        });

        self.gather_embeddings(layout, parameters, ids, length);
        let mut gather = |range: &Range<usize>, of: fn(&Part, usize) -> &Vec<f32>, block: usize| {
            let out = &mut self.gradient[range.clone()];
            out.fill(0.0);
            for part in &self.parts {
                out.iter_mut().zip(of(part, block)).for_each(|(out, value)| *out += value);
            }
        };
        for (number, places) in layout.blocks.iter().enumerate() {
            gather(
                &places.attention_norm,
                |part, block| &part.blocks[block].of_attention_gain,
                number,
            );
            gather(&places.mlp_norm, |part, block| &part.blocks[block].of_mlp_gain, number);
        }
        gather(&layout.final_norm, |part, _| &part.of_last_gain, 0);
    }

    /// The embedding is output layer, too: to what that gives comes what each row's character gives.
    fn gather_embeddings(
        &mut self,
        layout: &Layout,
        parameters: &[f32],
        ids: &[u32],
        length: usize,
    ) {
        let width = layout.config.d_model;
        let gain = &parameters[layout.final_norm.clone()];
        let (tokens, rest) = self.gradient.split_at_mut(layout.positions.start);
        let positions = &mut rest[..layout.positions.len()];
        for row in tokens.chunks_exact_mut(width) {
            row.iter_mut().zip(gain).for_each(|(value, gain)| *value *= gain);
        }
        positions.fill(0.0);
        let slopes = self.parts.iter().flat_map(|part| part.slopes.chunks_exact(width));
        for (row, (id, slopes)) in ids.iter().zip(slopes).enumerate() {
            let token = &mut tokens[*id as usize * width..][..width];
            token.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
            let position = &mut positions[row % length * width..][..width];
            position.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
        }
    }
}

/// A matrix whose gradient is `rows^T slopes`, summed over the rows of all parts.
struct Matrix<'a> {
    range: Range<usize>,
    /// How long a row of the matrix is.
    columns: usize,
    rows: Vec<&'a [f32]>,
    row_length: usize,
    slopes: Vec<&'a [f32]>,
    /// What each row of the matrix is multiplied by.
    gain: Option<Range<usize>>,
}

/// All of them in the order of the layout.
fn matrices<'a>(layout: &Layout, parts: &'a [Part]) -> Vec<Matrix<'a>> {
    let width = layout.config.d_model;
    let all =
        |of: &dyn Fn(&'a Part) -> &'a Vec<f32>| parts.iter().map(|part| &of(part)[..]).collect();
    let mut matrices = vec![Matrix {
        range: layout.tokens.clone(),
        columns: width,
        rows: all(&|part| &part.logits),
        row_length: layout.config.vocab_size,
        slopes: all(&|part| &part.last.rows),
        gain: None,
    }];
    for (number, places) in layout.blocks.iter().enumerate() {
        matrices.extend([
            Matrix {
                range: places.query_key_value.clone(),
                columns: 3 * width,
                rows: all(&|part| &part.blocks[number].heard_from.rows),
                row_length: width,
                slopes: all(&|part| &part.blocks[number].of_query_key_value),
                gain: Some(places.attention_norm.clone()),
            },
            Matrix {
                range: places.attention_output.clone(),
                columns: width,
                rows: all(&|part| &part.blocks[number].mixed),
                row_length: width,
                slopes: all(&|part| &part.blocks[number].of_attended),
                gain: None,
            },
            Matrix {
                range: places.mlp_input.clone(),
                columns: 4 * width,
                rows: all(&|part| &part.blocks[number].read.rows),
                row_length: width,
                slopes: all(&|part| &part.blocks[number].of_hidden),
                gain: Some(places.mlp_norm.clone()),
            },
            Matrix {
                range: places.mlp_output.clone(),
                columns: width,
                rows: all(&|part| &part.blocks[number].active),
                row_length: 4 * width,
                slopes: all(&|part| &part.blocks[number].of_added),
                gain: None,
            },
        ]);
    }
    matrices
}
