//! What the tokens of a second round are made of.
//!
//! A token `t_i + R o_i` is a sum, and so are its query, key and value: with `W` the weights of all
//! three and `o_i = sum_hj a_hij f_j V_hj`, they are
//! `f_i E_i W + sum_hj a_hij f_j V_hj (R W)_h`. What stands beside strengths and shares does not
//! depend on the row.

use rayon::prelude::*;

use super::Shape;
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product};

/// The tables from which rows mix their tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Makings {
    /// What each feature is at strength 1, then what a token gets that attends to it in each head:
    /// `[1 + n_heads, n_features, 3 * d_compose]`.
    pub(super) table: Vec<f32>,
    /// `R W`: `[d_compose, 3 * d_compose]`.
    pub(super) weights: Vec<f32>,
    heads: Vec<Head>,
}

/// What is multiplied to get a head's part of the table.
#[derive(Clone, Debug, Default)]
struct Head {
    values: Vec<f32>,
    packed: Packed,
    space: Vec<f32>,
}

impl Makings {
    /// Fills the tables: `between` is `R`, `projected` what `weights`, `W`, make of each feature,
    /// `[n_features, 3 * d_compose]`.
    pub(super) fn fill(
        &mut self,
        lanes: Lanes,
        shape: Shape,
        (between, weights): (&[f32], &Packed),
        projected: &[f32],
    ) {
        let length = 3 * shape.d_compose;
        self.weights.resize(shape.d_compose * length, 0.0);
        product(lanes, &mut self.weights, between, weights, &[], &mut vec![]);
        self.heads.resize(shape.n_heads, Head::default());
        self.table.resize((1 + shape.n_heads) * projected.len(), 0.0);
        let (first, rest) = self.table.split_at_mut(projected.len());
        first.copy_from_slice(projected);
        let weights = self.weights.par_chunks_exact(shape.d_head() * length);
        let heads = self.heads.par_iter_mut().zip(rest.par_chunks_exact_mut(projected.len()));
        heads.zip(weights).enumerate().for_each(|(number, ((head, table), weights))| {
            shape.values_of(number, projected, &mut head.values);
            head.packed.fill_columns_here(&[weights], length);
            product(lanes, table, &head.values, &head.packed, &[], &mut head.space);
        });
    }
}

impl Shape {
    /// The values of a head, `[n_features, d_head]`, out of what was projected.
    pub(super) fn values_of(&self, head: usize, projected: &[f32], values: &mut Vec<f32>) {
        let first = 2 * self.d_compose + head * self.d_head();
        values.clear();
        for row in projected.chunks_exact(3 * self.d_compose) {
            values.extend_from_slice(&row[first..][..self.d_head()]);
        }
    }
}
