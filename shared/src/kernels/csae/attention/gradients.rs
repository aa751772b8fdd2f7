//! The gradients of attention's parameters, from what the rows have kept.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::mixing::Mixing;
use super::row::Row;
use super::tables::Tables;
use super::{Attended, HEADS, Shape, add};
use crate::kernels::csae::{AttentionParameters, Parameters};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product, product_of_columns};

/// How many features one task takes.
const FEATURES: usize = 32;
/// How many rows of a weight's gradient one task takes.
const COLUMNS: usize = 24;

/// Gathers the gradients. Keeps its memory for the next step.
#[derive(Clone, Debug, Default)]
pub(in crate::kernels::csae) struct Gathering {
    heads: Vec<Head>,
    /// Of queries, keys and values side by side: `[n_features, 3 * d_compose]`.
    projected: Vec<f32>,
    /// Of their weights: `[d_compose, 3 * d_compose]`.
    weights: Vec<f32>,
    /// Of the output, as what is composed lies: `[size * HEADS, d_model]`.
    output: Vec<f32>,
    packed: Packed,
    mixing: Mixing,
}

/// One head, all features: what it reads, and the gradients of it, `[n_features, d_head]`.
#[derive(Clone, Debug, Default)]
struct Head {
    queries: Vec<f32>,
    keys: Vec<f32>,
    of_queries: Vec<f32>,
    of_keys: Vec<f32>,
    of_values: Vec<f32>,
    /// Of what the gates hear of each feature's value: `[n_features]`.
    heard: Vec<f32>,
    /// Of the weights with which they hear it: `[d_head]`.
    composed: Vec<f32>,
    /// One row's slopes along what is composed: `[d_head]`.
    slopes: Vec<f32>,
}

impl Gathering {
    /// Gathers from blocks of rows and what is left of each, `[rows, d_model]`, along which the
    /// slope of the loss is `scale` times that.
    pub(in crate::kernels::csae) fn gather(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        (blocks, residuals): (&[&Attended], &[&[f32]]),
        scale: f32,
        (parameters, gradients): (&Parameters, &mut AttentionParameters),
    ) {
        let rows: Vec<&Row> = blocks.iter().flat_map(|block| &block.rows).collect();
        let d_model = parameters.d_model();
        let parameters = &parameters.attention;
        self.heads.resize(tables.shape.n_heads, Head::default());
        self.heads
            .par_iter_mut()
            .enumerate()
            .for_each(|(number, head)| head.gather(lanes, tables, parameters, number, &rows));
        self.put_together(tables.shape);
        if let Some(makings) = &tables.makings {
            self.mixing.gather(lanes, tables, makings, blocks, &mut self.projected);
        }
        self.gather_weights(lanes, tables.shape, &parameters.embedding);
        if tables.makings.is_some() {
            self.mixing.finish(lanes, tables, &parameters.between, &mut self.weights);
            gradients.between.copy_from_slice(self.mixing.between());
        }
        self.hand_out_weights(tables.shape.d_compose, gradients);
        self.gather_embedding(lanes, tables, &mut gradients.embedding);
        self.gather_output(lanes, tables, (&rows, residuals, d_model), scale, gradients);
        gather_null(&rows, &mut gradients.null);
        if tables.gate.is_some() {
            let composed = self.heads.iter().flat_map(|head| &head.composed);
            gradients.gate_composed.iter_mut().zip(composed).for_each(|(to, from)| *to = *from);
            for row in rows.iter().filter(|_| tables.makings.is_some()) {
                let heard = gradients.gate_composed.iter_mut().zip(&row.mixture.heard);
                heard.for_each(|(sum, slope)| *sum += slope);
            }
            gather_gate(lanes, &rows, parameters, gradients);
        }
    }

    fn put_together(&mut self, shape: Shape) {
        let (width, d_head) = (shape.d_compose, shape.d_head());
        self.projected.resize(shape.n_features * 3 * width, 0.0);
        let Self { heads, projected, .. } = self;
        projected.par_chunks_exact_mut(3 * width).enumerate().for_each(|(feature, row)| {
            for (number, head) in heads.iter().enumerate() {
                let parts = [&head.of_queries, &head.of_keys, &head.of_values];
                for (which, part) in parts.into_iter().enumerate() {
                    row[which * width + number * d_head..][..d_head]
                        .copy_from_slice(&part[feature * d_head..][..d_head]);
                }
            }
        });
    }

    /// `dW = E' dP` for queries, keys and values.
    fn gather_weights(&mut self, lanes: Lanes, shape: Shape, embedding: &[f32]) {
        let width = shape.d_compose;
        self.packed.fill_columns(&self.projected, 3 * width);
        self.weights.resize(width * 3 * width, 0.0);
        let out = self.weights.par_chunks_mut(COLUMNS * 3 * width).enumerate();
        out.for_each(|(task, out)| {
            let columns = task * COLUMNS..task * COLUMNS + out.len() / (3 * width);
            let embedding = (&[embedding][..], width);
            product_of_columns(lanes, out, embedding, columns, &self.packed, &mut vec![]);
        });
    }

    /// Puts the gradients of the weights where they belong.
    fn hand_out_weights(&self, width: usize, gradients: &mut AttentionParameters) {
        let AttentionParameters { query, key, value, .. } = gradients;
        let rows = query.chunks_exact_mut(width).zip(key.chunks_exact_mut(width));
        let rows = rows.zip(value.chunks_exact_mut(width));
        for (((query, key), value), row) in rows.zip(self.weights.chunks_exact(3 * width)) {
            query.copy_from_slice(&row[..width]);
            key.copy_from_slice(&row[width..2 * width]);
            value.copy_from_slice(&row[2 * width..]);
        }
    }

    /// `dE = dP W'` for the weights of queries, keys and values together.
    fn gather_embedding(&mut self, lanes: Lanes, tables: &Tables, gradient: &mut [f32]) {
        let width = tables.shape.d_compose;
        self.packed.fill(&tables.weights, 3 * width);
        let rows = self.projected.par_chunks(FEATURES * 3 * width);
        gradient.par_chunks_mut(FEATURES * width).zip(rows).for_each(|(out, rows)| {
            product(lanes, out, rows, &self.packed, &[], &mut vec![]);
        });
    }

    /// `dW_o = z' dy`.
    fn gather_output(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        (rows, residuals, d_model): (&[&Row], &[&[f32]], usize),
        scale: f32,
        gradients: &mut AttentionParameters,
    ) {
        let length = tables.shape.size() * HEADS;
        let composed: Vec<&[f32]> =
            rows.iter().map(|row| row.composed.sum.as_flattened()).collect();
        self.packed.fill_columns_here(residuals, d_model);
        self.output.resize(length * d_model, 0.0);
        let out = self.output.par_chunks_mut(COLUMNS * d_model).enumerate();
        out.for_each(|(task, out)| {
            let columns = task * COLUMNS..task * COLUMNS + out.len() / d_model;
            product_of_columns(lanes, out, (&composed, length), columns, &self.packed, &mut vec![]);
        });
        for (place, row) in gradients.output.chunks_exact_mut(d_model).enumerate() {
            let (which, head) = tables.shape.side_by_side(place);
            let from = &self.output[(which * HEADS + head) * d_model..][..d_model];
            row.iter_mut().zip(from).for_each(|(to, from)| *to = scale * from);
        }
    }
}

/// Adds up what rows have kept of the head `number`.
struct OfRows<'a> {
    head: &'a mut Head,
    number: usize,
    shape: Shape,
    rows: &'a [&'a Row],
    /// Whether features pass on values, and not only tokens of a second round.
    pass_on: bool,
}

impl WithSimd for OfRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { head, number, shape, rows, pass_on } = self;
        let Head { queries, keys, of_queries, of_keys, of_values, heard, slopes, .. } = head;
        // One after the other: what each of them reads and writes fits the nearest memory.
        for row in rows {
            gather_pairs((shape, number), row, |own, other, pull| {
                add(simd, &mut of_queries[own], pull, &keys[other]);
            });
        }
        for row in rows {
            gather_pairs((shape, number), row, |own, other, pull| {
                add(simd, &mut of_keys[other], pull, &queries[own]);
            });
        }
        for row in rows.iter().filter(|_| pass_on) {
            gather_values(simd, (shape, number), row, of_values, slopes);
            let (group, head) = (number / HEADS, number % HEADS);
            let of_row = row.composed.heard.chunks_exact(shape.groups());
            for (feature, from) in row.features.iter().zip(of_row) {
                heard[*feature as usize] += from[group][head];
            }
        }
    }
}

/// Calls `add` with the places of both features' numbers and the slope of every chosen pair.
#[inline(always)]
fn gather_pairs(
    (shape, number): (Shape, usize),
    row: &Row,
    mut add: impl FnMut(Range<usize>, Range<usize>, f32),
) {
    let (k, d_head) = (row.features.len(), shape.d_head());
    let here = number * k * shape.partners..(number + 1) * k * shape.partners;
    let partners = row.pulls.partners[here.clone()].chunks_exact(shape.partners);
    let pulls = row.pulls.pulls[here].chunks_exact(shape.partners);
    let features = &row.features[..];
    let numbers = |feature: u32| feature as usize * d_head..(feature as usize + 1) * d_head;
    for (feature, (partners, pulls)) in features.iter().zip(partners.zip(pulls)) {
        for (partner, pull) in partners.iter().zip(pulls) {
            add(numbers(*feature), numbers(features[*partner as usize]), *pull);
        }
    }
}

/// Adds the slopes along the values that were passed on.
#[inline(always)]
fn gather_values<S: Simd>(
    simd: S,
    (shape, number): (Shape, usize),
    row: &Row,
    of_values: &mut [f32],
    slopes: &mut [f32],
) {
    let d_head = shape.d_head();
    let (group, head) = (number / HEADS, number % HEADS);
    for (slope, from) in slopes.iter_mut().zip(&row.composed.slopes[group * d_head..]) {
        *slope = from[head];
    }
    let passed = row.composed.passed.chunks_exact(shape.groups());
    for (feature, passed) in row.features.iter().zip(passed) {
        let values = &mut of_values[*feature as usize * d_head..][..d_head];
        add(simd, values, passed[group][head], slopes);
    }
}

impl Head {
    /// Adds up, row by row, the slopes of the pairs that this head has chosen.
    fn gather(
        &mut self,
        lanes: Lanes,
        tables: &Tables,
        parameters: &AttentionParameters,
        number: usize,
        rows: &[&Row],
    ) {
        self.begin(tables, number);
        let pass_on = tables.makings.is_none();
        lanes.0.dispatch(OfRows { head: self, number, shape: tables.shape, rows, pass_on });
        if tables.gate.is_some() && pass_on {
            self.gather_heard(tables, parameters, number);
        }
    }

    fn begin(&mut self, tables: &Tables, number: usize) {
        let (shape, d_head) = (tables.shape, tables.shape.d_head());
        for (which, table) in [&mut self.queries, &mut self.keys].into_iter().enumerate() {
            table.clear();
            let rows = tables.features.projected.chunks_exact(3 * shape.d_compose);
            let start = which * shape.d_compose + number * d_head;
            rows.for_each(|row| table.extend_from_slice(&row[start..start + d_head]));
        }
        for gradient in [&mut self.of_queries, &mut self.of_keys, &mut self.of_values] {
            gradient.clear();
            gradient.resize(shape.n_features * d_head, 0.0);
        }
        self.heard.clear();
        self.heard.resize(shape.n_features, 0.0);
        self.composed.clear();
        self.composed.resize(d_head, 0.0);
        self.slopes.resize(d_head, 0.0);
    }

    /// What the gates add: they hear values, too.
    fn gather_heard(&mut self, tables: &Tables, parameters: &AttentionParameters, number: usize) {
        let (width, d_head) = (tables.shape.d_compose, tables.shape.d_head());
        let weights = &parameters.gate_composed[number * d_head..][..d_head];
        let gradients = self.of_values.chunks_exact_mut(d_head).zip(&self.heard);
        let values = tables.features.projected.chunks_exact(3 * width);
        for ((gradient, heard), row) in gradients.zip(values) {
            let value = &row[2 * width + number * d_head..][..d_head];
            gradient.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += heard * weight);
            self.composed.iter_mut().zip(value).for_each(|(sum, value)| *sum += heard * value);
        }
    }
}

fn gather_null(rows: &[&Row], gradient: &mut [f32]) {
    for (head, gradient) in gradient.iter_mut().enumerate() {
        *gradient = rows.iter().map(|row| row.null[head / HEADS][head % HEADS]).sum();
    }
}

/// What opens the gates, beside what they hear of values: a bias, and the token `f_i E_i`.
fn gather_gate(
    lanes: Lanes,
    rows: &[&Row],
    parameters: &AttentionParameters,
    gradients: &mut AttentionParameters,
) {
    let AttentionParameters { embedding, gate_token, gate_bias, .. } = gradients;
    let mut tokens = vec![0.0; gate_bias.len()];
    gate_bias.fill(0.0);
    for row in rows {
        let firing = row.features.iter().zip(&row.strengths).zip(&row.composed.opening);
        for ((feature, strength), slope) in firing {
            gate_bias[*feature as usize] += slope;
            tokens[*feature as usize] += slope * strength;
        }
    }
    lanes.row_times(gate_token, &tokens, &parameters.embedding);
    for (gradient, slope) in embedding.chunks_exact_mut(gate_token.len()).zip(&tokens) {
        let weights = gradient.iter_mut().zip(&parameters.gate_token);
        weights.for_each(|(sum, weight)| *sum += slope * weight);
    }
}
