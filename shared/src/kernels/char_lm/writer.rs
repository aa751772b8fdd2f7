//! Writing text one character at a time, with the keys and values of earlier characters kept.

use std::ops::Range;

use super::curves::{add, gained, gelu, normalize, softmax_of};
use super::layout::{BlockLayout, Layout};
use crate::kernels::lanes::Lanes;

/// A model that reads a text character by character and says what may come next.
///
/// It remembers what each block made of up to `block_size` characters. When they are full, the text
/// starts anew with their second half, because positions are learned: what was kept is of no use at
/// another position.
#[derive(Clone, Debug)]
pub struct Writer<'a> {
    layout: &'a Layout,
    parameters: &'a [f32],
    lanes: Lanes,
    /// What was read since the last new start.
    text: Vec<u32>,
    /// Keys and values of each block: `[block_size, d_model]` each.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    stream: Vec<f32>,
    normed: Vec<f32>,
    query_key_value: Vec<f32>,
    wide: Vec<f32>,
    active: Vec<f32>,
    added: Vec<f32>,
    scores: Vec<f32>,
    logits: Vec<f32>,
}

impl<'a> Writer<'a> {
    /// A model that has read nothing.
    pub fn new(layout: &'a Layout, parameters: &'a [f32]) -> Self {
        let config = &layout.config;
        let room = vec![vec![0.0; config.block_size * config.d_model]; config.n_layers];
        let width = config.d_model;
        Self {
            layout,
            parameters,
            lanes: Lanes::new(),
            text: vec![],
            keys: room.clone(),
            values: room,
            stream: vec![0.0; width],
            normed: vec![0.0; width],
            query_key_value: vec![0.0; 3 * width],
            wide: vec![0.0; 4 * width],
            active: vec![0.0; 4 * width],
            added: vec![0.0; width],
            scores: vec![],
            logits: vec![0.0; config.vocab_size],
        }
    }

    /// Reads a character, an id below `vocab_size`, and gives the logits of the next: `[vocab_size]`.
    pub fn read(&mut self, id: u32) -> &[f32] {
        let block_size = self.layout.config.block_size;
        if self.text.len() == block_size {
            let kept = self.text.split_off(block_size - block_size / 2);
            self.text.clear();
            kept.into_iter().for_each(|id| self.step(id));
        }
        self.step(id);
        let width = self.layout.config.d_model;
        self.norm(&self.layout.final_norm.clone());
        let tokens = &self.parameters[self.layout.tokens.clone()];
        let rows: Vec<&[f32]> = tokens.chunks_exact(width).collect();
        self.lanes.dots(&mut self.logits, &self.normed, &rows);
        &self.logits
    }

    fn step(&mut self, id: u32) {
        let width = self.layout.config.d_model;
        let row = |range: &Range<usize>, place: usize| {
            &self.parameters[range.clone()][place * width..][..width]
        };
        self.stream.copy_from_slice(row(&self.layout.tokens, id as usize));
        add(self.lanes, &mut self.stream, row(&self.layout.positions, self.text.len()));
        self.text.push(id);
        for (number, places) in self.layout.blocks.iter().enumerate() {
            self.attend(number, places);
            self.perceive(places);
        }
    }

    fn norm(&mut self, gain: &Range<usize>) {
        let mut inverse = [0.0];
        normalize(self.lanes, &self.stream, self.stream.len(), &mut self.normed, &mut inverse);
        let normed = self.normed.clone();
        gained(self.lanes, &normed, &self.parameters[gain.clone()], &mut self.normed);
    }

    fn attend(&mut self, number: usize, places: &BlockLayout) {
        let (width, length) = (self.layout.config.d_model, self.text.len());
        let head = width / self.layout.config.n_heads;
        self.norm(&places.attention_norm);
        let matrix = &self.parameters[places.query_key_value.clone()];
        times(self.lanes, &mut self.query_key_value, &self.normed, matrix);
        let (query, rest) = self.query_key_value.split_at_mut(width);
        let (key, value) = rest.split_at(width);
        self.keys[number][(length - 1) * width..][..width].copy_from_slice(key);
        self.values[number][(length - 1) * width..][..width].copy_from_slice(value);
        query.iter_mut().for_each(|value| *value /= (head as f32).sqrt());
        for start in (0..width).step_by(head) {
            let part = start..start + head;
            let keys = parts(&self.keys[number][..length * width], width, &part);
            let values = parts(&self.values[number][..length * width], width, &part);
            self.scores.resize(length, 0.0);
            self.lanes.dots(&mut self.scores, &query[part.clone()], &keys);
            softmax_of(self.lanes, &mut self.scores);
            self.lanes.weighted_sum(&mut self.normed[part], &self.scores, &values);
        }
        times(
            self.lanes,
            &mut self.added,
            &self.normed,
            &self.parameters[places.attention_output.clone()],
        );
        add(self.lanes, &mut self.stream, &self.added);
    }

    fn perceive(&mut self, places: &BlockLayout) {
        self.norm(&places.mlp_norm);
        times(self.lanes, &mut self.wide, &self.normed, &self.parameters[places.mlp_input.clone()]);
        gelu(self.lanes, &self.wide, &mut self.active);
        times(
            self.lanes,
            &mut self.added,
            &self.active,
            &self.parameters[places.mlp_output.clone()],
        );
        add(self.lanes, &mut self.stream, &self.added);
    }
}

/// The same part of each row.
fn parts<'r>(rows: &'r [f32], width: usize, part: &Range<usize>) -> Vec<&'r [f32]> {
    rows.chunks_exact(width).map(|row| &row[part.clone()]).collect()
}

/// `out = row matrix`, with the matrix `[row, out]`.
fn times(lanes: Lanes, out: &mut [f32], row: &[f32], matrix: &[f32]) {
    let rows: Vec<&[f32]> = matrix.chunks_exact(out.len()).collect();
    lanes.weighted_sum(out, row, &rows);
}
