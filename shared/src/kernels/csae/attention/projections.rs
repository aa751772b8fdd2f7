//! Queries, keys and values of features at strength 1, or of a row's tokens.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{HEADS, Heads, Shape, each};
use crate::kernels::lanes::Lanes;

/// What the weights make of each token.
#[derive(Clone, Debug, Default)]
pub(super) struct Projections {
    /// Queries, keys and values side by side: `[n_tokens, 3 * d_compose]`.
    pub(super) projected: Vec<f32>,
    /// `Q`, over the root of the head's width, heads side by side: `[n_tokens, size]`.
    queries: Vec<Heads>,
    /// `K`, as is `V`.
    keys: Vec<Heads>,
    pub(super) values: Vec<Heads>,
}

impl Projections {
    /// Lays out what was projected head beside head.
    pub(super) fn lay_side_by_side(&mut self, shape: Shape) {
        let size = shape.size();
        self.resize(shape);
        let queries = self.queries.par_chunks_exact_mut(size);
        let keys = self.keys.par_chunks_exact_mut(size);
        let values = self.values.par_chunks_exact_mut(size);
        let projected = self.projected.par_chunks_exact(3 * shape.d_compose);
        let tokens = queries.zip(keys).zip(values).zip(projected);
        tokens.for_each(|(((query, key), value), row)| lay(shape, [query, key, value], row));
    }

    /// As [`Self::lay_side_by_side`], on this thread alone.
    pub(super) fn lay_side_by_side_here(&mut self, shape: Shape) {
        let size = shape.size();
        self.resize(shape);
        let queries = self.queries.chunks_exact_mut(size);
        let keys = self.keys.chunks_exact_mut(size);
        let values = self.values.chunks_exact_mut(size);
        let projected = self.projected.chunks_exact(3 * shape.d_compose);
        let tokens = queries.zip(keys).zip(values).zip(projected);
        tokens.for_each(|(((query, key), value), row)| lay(shape, [query, key, value], row));
    }

    fn resize(&mut self, shape: Shape) {
        let length = self.projected.len() / (3 * shape.d_compose) * shape.size();
        for table in [&mut self.queries, &mut self.keys, &mut self.values] {
            table.resize(length, [0.0; HEADS]);
        }
    }

    /// The scores of `own` with each of `others`, `[others, groups]`; minus infinity with itself.
    pub(super) fn score_pairs(
        &self,
        lanes: Lanes,
        shape: Shape,
        (own, others): (u32, &[u32]),
        out: &mut [Heads],
    ) {
        let size = shape.size();
        lanes.0.dispatch(Scores {
            own,
            query: &self.queries[own as usize * size..][..size],
            others,
            keys: &self.keys,
            d_head: shape.d_head(),
            out,
        });
    }
}

/// Lays out one row's queries, keys and values.
fn lay(shape: Shape, tables: [&mut [Heads]; 3], row: &[f32]) {
    let scales = [1.0 / (shape.d_head() as f32).sqrt(), 1.0, 1.0];
    let parts = row.chunks_exact(shape.d_compose);
    for ((table, scale), part) in tables.into_iter().zip(scales).zip(parts) {
        table.fill([0.0; HEADS]);
        for (head, numbers) in part.chunks_exact(shape.d_head()).enumerate() {
            let table = &mut table[head / HEADS * shape.d_head()..][..shape.d_head()];
            for (to, number) in table.iter_mut().zip(numbers) {
                to[head % HEADS] = number * scale;
            }
        }
    }
}

/// The scores of pairs: queries of one token, keys of all.
struct Scores<'a> {
    own: u32,
    query: &'a [Heads],
    others: &'a [u32],
    keys: &'a [Heads],
    d_head: usize,
    out: &'a mut [Heads],
}

impl WithSimd for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { own, query, others, keys, d_head, out } = self;
        let groups = query.len() / d_head;
        for (other, scores) in others.iter().zip(out.chunks_exact_mut(groups)) {
            let keys = keys[*other as usize * query.len()..].chunks_exact(d_head);
            let pairs = query.chunks_exact(d_head).zip(keys);
            for (score, (query, key)) in scores.iter_mut().zip(pairs) {
                *score = match *other == own {
                    true => [f32::NEG_INFINITY; HEADS],
                    false => products(query, key),
                };
            }
        }
    }
}

/// The product of two vectors in every head.
#[inline(always)]
pub(super) fn products(one: &[Heads], other: &[Heads]) -> Heads {
    // Several sums, so that one addition does not wait for the other.
    const SUMS: usize = 4;
    let ((ones, rest), (others, other_rest)) = (one.as_chunks::<SUMS>(), other.as_chunks::<SUMS>());
    let mut sums = [[0.0; HEADS]; SUMS];
    for (one, other) in ones.iter().zip(others) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum = each(|head| sum[head] + one[head] * other[head]);
        }
    }
    for (one, other) in rest.iter().zip(other_rest) {
        sums[0] = each(|head| sums[0][head] + one[head] * other[head]);
    }
    let [first, second, third, fourth] = sums;
    each(|head| (first[head] + second[head]) + (third[head] + fourth[head]))
}
