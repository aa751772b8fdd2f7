//! What features say together beyond what they say alone, for any decoder.
//!
//! `I(P) = sum over T in P of (-1)^(|P|-|T|) y(T)`, `y(T)` the decoder's output with only the features
//! of `T` active, each at its typical strength. For pairs that is the second difference, for triples
//! the third. A linear decoder has exactly 0.

use std::collections::{BTreeMap, BTreeSet};

use burn::prelude::*;
use shared::TopK;
use shared::sae::Autoencoder;
use shared::weights::to_vec;

use super::alternation::{length, sign, subsets};
use super::screening::sparse::{SparseRows, mean_strength};

/// How many artificial codes the decoder is given at once.
const CODES_AT_ONCE: usize = 4_096;
/// The most features that an interaction is measured of.
const LARGEST: usize = 4;
/// From how many of the strongest combinations larger ones are grown.
const GROWN_FROM: usize = 256;

/// A combination and how much its parts interact.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// The features, in ascending order.
    pub parts: Vec<usize>,
    /// `|I(P)|`.
    pub size: f64,
}

/// Measures the interactions of one model.
#[derive(Debug)]
pub struct Interactions<'a> {
    model: &'a dyn Autoencoder,
    device: Device,
    d_model: usize,
    /// How strongly each feature usually fires.
    typical: Vec<f32>,
    /// The rows on which each feature is active, one bit each.
    firing: Vec<Bits>,
    support: usize,
    /// `y(T)` of every set that was asked for.
    outputs: BTreeMap<Vec<usize>, Vec<f32>>,
}

impl<'a> Interactions<'a> {
    /// Of `model` at the strengths that its features have in `codes`, on average when they fire.
    /// Sets that are active together on fewer rows than `support` are left out.
    pub fn new(model: &'a dyn Autoencoder, codes: &SparseRows, support: usize) -> Self {
        let directions = model.directions();
        let [n_features, d_model] = directions.dims();
        let columns = codes.columns(n_features);
        Self {
            model,
            device: directions.device(),
            d_model,
            typical: columns.iter().map(mean_strength).collect(),
            firing: columns.iter().map(|column| Bits::of(column, codes.len())).collect(),
            support,
            outputs: BTreeMap::new(),
        }
    }

    /// All pairs, then triples and quadruples grown from the strongest of those before, up to
    /// `largest` parts: one list for each size, the strongest first.
    pub fn ranked(&mut self, largest: usize) -> Vec<Vec<Interaction>> {
        let singles: Vec<Vec<usize>> = (0..self.typical.len()).map(|one| vec![one]).collect();
        let mut seeds = singles;
        let mut ranked = vec![];
        for _ in 2..=largest.min(LARGEST) {
            let sets: Vec<Vec<usize>> = self.grown(&seeds).into_iter().collect();
            let mut found = self.measured(&sets);
            found.sort_by(|one, other| {
                other.size.total_cmp(&one.size).then_with(|| one.parts.cmp(&other.parts))
            });
            let best = found.iter().take(GROWN_FROM);
            seeds = best.map(|interaction| interaction.parts.clone()).collect();
            ranked.push(found);
        }
        ranked
    }

    /// Every set of `seeds` with one more feature, if there is support for it.
    fn grown(&self, seeds: &[Vec<usize>]) -> BTreeSet<Vec<usize>> {
        let mut sets = BTreeSet::new();
        for seed in seeds {
            let together = Bits::together(seed.iter().map(|part| &self.firing[*part]));
            for next in (0..self.firing.len()).filter(|next| !seed.contains(next)) {
                if together.count_with(&self.firing[next]) >= self.support {
                    let mut parts = [seed.as_slice(), &[next]].concat();
                    parts.sort_unstable();
                    sets.insert(parts);
                }
            }
        }
        sets
    }

    /// The interaction of each of `sets`, which have at most four parts.
    pub fn measured(&mut self, sets: &[Vec<usize>]) -> Vec<Interaction> {
        let needed: BTreeSet<Vec<usize>> = sets
            .iter()
            .flat_map(|set| subsets(set.len()).map(|kept| chosen(set, kept)))
            .filter(|set| !self.outputs.contains_key(set))
            .collect();
        let needed: Vec<Vec<usize>> = needed.into_iter().collect();
        for sets in needed.chunks(CODES_AT_ONCE) {
            let outputs = to_vec(self.model.decode(&self.code(sets)));
            let rows = outputs.chunks_exact(self.d_model).map(<[f32]>::to_vec);
            self.outputs.extend(sets.iter().cloned().zip(rows));
        }
        let size = |set: &Vec<usize>| Interaction { parts: set.clone(), size: self.size(set) };
        sets.iter().map(size).collect()
    }

    /// One row for each set, with only its features active.
    fn code(&self, sets: &[Vec<usize>]) -> TopK {
        // Silent places are features of strength 0: an attention needs places to look at.
        let (mut values, mut indices) = (vec![], vec![]);
        for set in sets {
            let silent = (0..self.typical.len()).filter(|feature| !set.contains(feature));
            let places = set.iter().copied().map(|part| (part, self.typical[part]));
            let padded = places.chain(silent.map(|feature| (feature, 0.0)));
            for (feature, strength) in padded.take(LARGEST.min(self.typical.len())) {
                indices.push(feature as i32);
                values.push(strength);
            }
        }
        let shape = [sets.len(), values.len() / sets.len()];
        TopK {
            values: Tensor::from_data(TensorData::new(values, shape), &self.device),
            indices: Tensor::from_data(TensorData::new(indices, shape), &self.device),
        }
    }

    fn size(&self, set: &[usize]) -> f64 {
        let mut sum = vec![0.0_f64; self.d_model];
        for kept in subsets(set.len()) {
            let (sign, output) = (sign(kept, set.len()), &self.outputs[&chosen(set, kept)]);
            sum.iter_mut().zip(output).for_each(|(sum, y)| *sum += sign * f64::from(*y));
        }
        length(&sum)
    }
}

/// The parts of `set` whose bit is in `kept`.
fn chosen(set: &[usize], kept: u32) -> Vec<usize> {
    let parts = set.iter().enumerate().filter(|(place, _)| kept >> place & 1 == 1);
    parts.map(|(_, part)| *part).collect()
}

/// A set of rows.
#[derive(Clone, Debug)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// The rows of a column of a table with `count` rows.
    pub fn of(column: &[(u32, f32)], count: usize) -> Self {
        let mut words = vec![0; count.div_ceil(64)];
        column.iter().for_each(|(row, _)| words[*row as usize / 64] |= 1 << (row % 64));
        Self(words)
    }

    /// The rows that are in all of the sets; in none if there is no set.
    pub fn together<'a>(mut sets: impl Iterator<Item = &'a Self>) -> Self {
        let first = sets.next().cloned().unwrap_or(Self(vec![]));
        sets.fold(first, |mut both, set| {
            both.0.iter_mut().zip(&set.0).for_each(|(word, other)| *word &= other);
            both
        })
    }

    /// How many rows are in both sets.
    pub fn count_with(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).map(|(one, other)| (one & other).count_ones() as usize).sum()
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::sae::FinishedCsae;
    use shared::sae::poly::{PolySae, PolySaeConfig};
    use shared::weights::param;
    use shared::{AttentionConfig, CsaeConfig, random};

    const FEATURES: usize = 6;

    /// Every feature fires on every row, feature `i` with the strength `1 + i / 10`.
    fn codes() -> SparseRows {
        let mut codes = SparseRows::default();
        for _ in 0..20 {
            codes.push((0..FEATURES as u32).map(|id| (id, 1.0 + id as f32 / 10.0)));
        }
        codes
    }

    fn typical(feature: usize) -> f64 {
        1.0 + feature as f64 / 10.0
    }

    fn poly() -> PolySae {
        let device = Device::flex();
        let config = PolySaeConfig::new(4).with_n_features(FEATURES).with_rank(3);
        let mut model = config.init(3, &device);
        let mut rng = random::stream(3, "test");
        let mut matrix = || param(random::normal(&mut rng, 12, 1.0), [3, 4], &device);
        (model.quadratic, model.cubic) = (matrix(), matrix());
        model
    }

    #[test]
    fn a_linear_decoder_has_no_interaction_at_all() {
        let device = Device::flex();
        let config = CsaeConfig::new(4).with_n_features(FEATURES).with_sparsity_k(4);
        let mut model = config.init(1, &device);
        // Powers of two, so that sums are exact.
        let values = (0..FEATURES * 4).map(|place| 2.0_f32.powi(place as i32 % 5)).collect();
        model.decoder = param(values, [FEATURES, 4], &device);
        model.decoder_bias = param(vec![0.5; 4], [4], &device);
        let model = FinishedCsae { model, limits: config.limits() };
        let mut codes = SparseRows::default();
        (0..20).for_each(|_| codes.push((0..FEATURES as u32).map(|id| (id, 2.0))));

        let ranked = Interactions::new(&model, &codes, 15).ranked(4);

        assert_eq!(ranked.iter().map(Vec::len).collect::<Vec<_>>(), [15, 20, 15]);
        assert!(ranked.iter().flatten().all(|interaction| interaction.size == 0.0));
    }

    #[test]
    fn an_attention_of_pairs_has_pairs_and_nothing_without_its_output() {
        let device = Device::flex();
        let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
        let config = CsaeConfig::new(4).with_n_features(FEATURES).with_sparsity_k(4);
        let config = config.with_attention(Some(attention));
        let mut model = FinishedCsae { model: config.init(1, &device), limits: config.limits() };
        let codes = codes();
        let silent = Interactions::new(&model, &codes, 15).measured(&[vec![0, 1]]);

        let values = random::normal(&mut random::stream(1, "test"), 32, 1.0);
        let attention = model.model.attention.as_mut().unwrap();
        attention.output = param(values, [8, 4], &device);
        let loud = Interactions::new(&model, &codes, 15).measured(&[vec![0, 1]]);

        assert!(silent[0].size < 1e-6 && loud[0].size > 0.1, "{silent:?} {loud:?}");
    }

    /// `U_i` of one of the three projections, cut to the rank of the products.
    fn row(matrix: &Tensor<2>, feature: usize) -> Vec<f64> {
        let row = matrix.clone().narrow(0, feature, 1).narrow(1, 0, 3);
        to_vec(row).into_iter().map(f64::from).collect()
    }

    /// `|C (sum of the terms, each a product over the rank)|`, with the weights of both orders.
    fn closed_form(model: &PolySae, pairs: &[[usize; 2]], triples: &[[usize; 3]]) -> f64 {
        let projections = [model.first.val(), model.second.val(), model.third.val()];
        let product = |parts: &[usize]| -> Vec<f64> {
            let rows = parts.iter().zip(&projections);
            rows.fold(vec![1.0; 3], |product, (part, projection)| {
                let row = row(projection, *part);
                product.iter().zip(row).map(|(a, b)| a * b * typical(*part)).collect()
            })
        };
        let mut output = [0.0; 4];
        let mut add = |terms: Vec<f64>, matrix: &Tensor<2>, weight: f64| {
            let matrix = to_vec(matrix.clone());
            for (rank, term) in terms.iter().enumerate() {
                let row = &matrix[rank * 4..][..4];
                output.iter_mut().zip(row).for_each(|(y, c)| *y += weight * term * f64::from(*c));
            }
        };
        pairs.iter().for_each(|parts| add(product(parts), &model.quadratic.val(), -0.5));
        triples.iter().for_each(|parts| add(product(parts), &model.cubic.val(), 0.5));
        output.iter().map(|y: &f64| y * y).sum::<f64>().sqrt()
    }

    #[test]
    fn the_interaction_of_a_polynomial_is_its_closed_form() {
        let (model, codes) = (poly(), codes());

        let found = Interactions::new(&model, &codes, 15).measured(&[vec![1, 3], vec![0, 2, 5]]);

        // Of the square the two mixed products, of the cube those with both features.
        let (i, j) = (1, 3);
        let cube = [[i, i, j], [i, j, i], [j, i, i], [j, j, i], [j, i, j], [i, j, j]];
        let pair = closed_form(&model, &[[i, j], [j, i]], &cube);
        assert!((found[0].size - pair).abs() < 1e-4 * pair.max(0.1), "{found:?} {pair}");
        let (i, j, k) = (0, 2, 5);
        let orders = [[i, j, k], [i, k, j], [j, i, k], [j, k, i], [k, i, j], [k, j, i]];
        let triple = closed_form(&model, &[], &orders);
        assert!((found[1].size - triple).abs() < 1e-4 * triple.max(0.1), "{found:?} {triple}");
    }

    #[test]
    fn sets_without_support_are_left_out() {
        let mut codes = codes();
        (0..30).for_each(|_| codes.push([(0, 1.0), (4, 1.0)]));
        let model = poly();

        let ranked = Interactions::new(&model, &codes, 21).ranked(4);

        assert_eq!(ranked[0].len(), 1);
        assert_eq!(ranked[0][0].parts, [0, 4]);
        assert!(ranked[1].is_empty() && ranked[2].is_empty());
    }
}
