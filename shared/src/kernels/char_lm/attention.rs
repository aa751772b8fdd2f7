//! Causal attention within one window, forward and back, one head at a time.

use super::curves::{back_through_softmax, causal_softmax};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product, product_of_columns};

/// How the numbers of a window lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub(super) count: usize,
    /// How long a window is.
    pub(super) length: usize,
    /// The width of the stream.
    pub(super) width: usize,
}

/// What is needed on the way, kept from call to call.
#[derive(Clone, Debug, Default)]
pub(super) struct Space {
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    mixed: Vec<f32>,
    scores: Vec<f32>,
    slopes: Vec<f32>,
    packed: Packed,
    groups: Vec<f32>,
}

/// Which of the three beside one another in a row.
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

impl Heads {
    fn head(&self) -> usize {
        self.width / self.count
    }

    /// What queries are multiplied by: one over the root of a head's width.
    fn scale(&self) -> f32 {
        1.0 / (self.head() as f32).sqrt()
    }

    /// Copies a head's part of each row: `[length, head]`. A row has `rows` widths.
    fn take(&self, from: &[f32], rows: usize, which: usize, head: usize, out: &mut Vec<f32>) {
        let start = which * self.width + head * self.head();
        out.clear();
        let rows = from.chunks_exact(rows * self.width);
        rows.for_each(|row| out.extend_from_slice(&row[start..start + self.head()]));
    }

    fn put(
        &self,
        values: &[f32],
        rows: usize,
        which: usize,
        head: usize,
        to: &mut [f32],
        times: f32,
    ) {
        let start = which * self.width + head * self.head();
        let rows = to.chunks_exact_mut(rows * self.width);
        for (row, values) in rows.zip(values.chunks_exact(self.head())) {
            let row = &mut row[start..start + self.head()];
            row.iter_mut().zip(values).for_each(|(to, value)| *to = value * times);
        }
    }
}

impl Space {
    fn take(&mut self, heads: Heads, query_key_value: &[f32], head: usize) {
        heads.take(query_key_value, 3, QUERY, head, &mut self.query);
        heads.take(query_key_value, 3, KEY, head, &mut self.key);
        heads.take(query_key_value, 3, VALUE, head, &mut self.value);
        self.query.iter_mut().for_each(|value| *value *= heads.scale());
    }

    /// From `query_key_value`, `[length, 3 * width]`, to the `chances`, `[heads, length, length]`, with
    /// which each place hears the others, and what it hears, `mixed`: `[length, width]`.
    pub(super) fn forward(
        &mut self,
        lanes: Lanes,
        heads: Heads,
        query_key_value: &[f32],
        chances: &mut [f32],
        mixed: &mut [f32],
    ) {
        let (length, width) = (heads.length, heads.head());
        for (head, chances) in chances.chunks_exact_mut(length * length).enumerate() {
            self.take(heads, query_key_value, head);
            let Self { query, key, value, mixed: heard, packed, groups, .. } = self;
            packed.fill_here(key, width);
            product(lanes, chances, query, packed, &[], groups);
            causal_softmax(lanes, chances, length);
            packed.fill_columns_here(&[value], width);
            heard.resize(length * width, 0.0);
            product(lanes, heard, chances, packed, &[], groups);
            heads.put(heard, 1, 0, head, mixed, 1.0);
        }
    }

    /// From the gradient of `mixed` to that of queries, keys and values, `[length, 3 * width]`: with
    /// `P` the chances and `G` the gradient, `dV = P^T G`, `dP = G V^T`,
    /// `dS = P (dP - sum(P dP))`, `dQ = dS K scale`, `dK = dS^T Q scale`.
    pub(super) fn back(
        &mut self,
        lanes: Lanes,
        heads: Heads,
        query_key_value: &[f32],
        chances: &[f32],
        (of_mixed, slopes): (&[f32], &mut [f32]),
    ) {
        let (length, width) = (heads.length, heads.head());
        for (head, chances) in chances.chunks_exact(length * length).enumerate() {
            self.take(heads, query_key_value, head);
            let Self { query, key, value, mixed, scores, slopes: out, packed, groups } = self;
            heads.take(of_mixed, 1, 0, head, mixed);
            out.resize(length * width, 0.0);
            scores.resize(length * length, 0.0);
            packed.fill_columns_here(&[mixed], width);
            product_of_columns(lanes, out, (&[chances], length), 0..length, packed, groups);
            heads.put(out, 3, VALUE, head, slopes, 1.0);
            packed.fill_here(value, width);
            product(lanes, scores, mixed, packed, &[], groups);
            back_through_softmax(lanes, chances, scores, length);
            packed.fill_columns_here(&[key], width);
            product(lanes, out, scores, packed, &[], groups);
            heads.put(out, 3, QUERY, head, slopes, heads.scale());
            packed.fill_columns_here(&[query], width);
            product_of_columns(lanes, out, (&[scores], length), 0..length, packed, groups);
            heads.put(out, 3, KEY, head, slopes, 1.0);
        }
    }
}
