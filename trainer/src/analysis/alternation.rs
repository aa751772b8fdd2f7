//! What exactly some parts say together, among whatever else is active:
//! `I(P) = sum over T in P of (-1)^(|P|-|T|) y(T)`, where `y(T)` is a decoder's output with all of `P`
//! but `T` silent.

use burn::prelude::*;
use shared::TopK;
use shared::sae::Autoencoder;
use shared::weights::to_vec;

use super::screening::sparse::SparseRows;

/// For how many questions the decoder is asked at once; each has at most 16 codes.
const QUESTIONS_AT_ONCE: usize = 256;
/// How many places a code has at least: an attention needs places to look at.
const LEAST_PLACES: usize = 4;

/// A feature and how strongly it fires.
pub type Strength = (usize, f32);

/// Of what an interaction is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// The parts, at most four.
    pub parts: Vec<Strength>,
    /// What stays active all the time.
    pub rest: Vec<Strength>,
}

impl Question {
    /// Of the parts in `set`, among whatever else is active on a row.
    pub fn on_row(codes: &SparseRows, row: usize, set: &[usize]) -> Self {
        let (parts, rest) = codes.entries_of(row).partition(|(feature, _)| set.contains(feature));
        Self { parts, rest }
    }
}

/// `I(P)` for each of the `questions`: `[d_model]` each.
pub fn interactions(model: &dyn Autoencoder, questions: &[Question]) -> Vec<Vec<f64>> {
    let sum = |(question, outputs): (&Question, Vec<Vec<f32>>)| {
        let mut sum = vec![0.0_f64; outputs.first().map_or(0, Vec::len)];
        for (kept, output) in subsets(question.parts.len()).zip(outputs) {
            let sign = sign(kept, question.parts.len());
            sum.iter_mut().zip(output).for_each(|(sum, y)| *sum += sign * f64::from(y));
        }
        sum
    };
    let some = questions.chunks(QUESTIONS_AT_ONCE);
    some.flat_map(|some| some.iter().zip(outputs(model, some)).map(sum)).collect()
}

/// `y(T)` for each subset of each question's parts, in the order of [`subsets`]: `[d_model]` each.
pub fn outputs(model: &dyn Autoencoder, questions: &[Question]) -> Vec<Vec<Vec<f32>>> {
    let directions = model.directions();
    let [n_features, d_model] = directions.dims();
    let code = codes(questions, n_features, &directions.device());
    let outputs = to_vec(model.decode(&code));
    let mut outputs = outputs.chunks_exact(d_model).map(<[f32]>::to_vec);
    let all = |question: &Question| outputs.by_ref().take(1 << question.parts.len()).collect();
    questions.iter().map(all).collect()
}

/// The length of a vector.
pub fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// All subsets of so many parts, one bit for each part that is kept.
pub fn subsets(parts: usize) -> impl Iterator<Item = u32> {
    0..1_u32 << parts
}

/// How the output of a subset counts: minus for an odd number of parts that are silent.
pub fn sign(kept: u32, parts: usize) -> f64 {
    match (parts - kept.count_ones() as usize).is_multiple_of(2) {
        true => 1.0,
        false => -1.0,
    }
}

/// One code for each subset of each question's parts, in their order.
fn codes(questions: &[Question], n_features: usize, device: &Device) -> TopK {
    let size = |question: &Question| question.parts.len() + question.rest.len();
    let places = questions.iter().map(size).fold(LEAST_PLACES.min(n_features), usize::max);
    let (mut values, mut indices) = (vec![], vec![]);
    for question in questions {
        let there = || question.parts.iter().chain(&question.rest).map(|(feature, _)| *feature);
        // Silent places are features of strength 0.
        let silent = (0..n_features).filter(|feature| there().all(|other| other != *feature));
        let order: Vec<usize> = there().chain(silent).take(places).collect();
        for kept in subsets(question.parts.len()) {
            let parts = question.parts.iter().enumerate();
            let parts =
                parts.map(|(place, part)| if kept >> place & 1 == 1 { part.1 } else { 0.0 });
            let rest = question.rest.iter().map(|(_, strength)| *strength);
            values.extend(parts.chain(rest).chain(std::iter::repeat(0.0)).take(places));
            indices.extend(order.iter().map(|feature| *feature as i32));
        }
    }
    let shape = [values.len() / places.max(1), places];
    TopK {
        values: Tensor::from_data(TensorData::new(values, shape), device),
        indices: Tensor::from_data(TensorData::new(indices, shape), device),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::interaction::Interactions;
    use shared::random;
    use shared::sae::poly::PolySaeConfig;
    use shared::weights::param;

    #[test]
    fn without_a_rest_it_is_the_interaction_of_the_other_file() {
        let device = Device::flex();
        let mut model = PolySaeConfig::new(4).with_n_features(6).with_rank(3).init(3, &device);
        let values = random::normal(&mut random::stream(3, "test"), 12, 1.0);
        model.quadratic = param(values, [3, 4], &device);
        let mut codes = SparseRows::default();
        codes.push((0..6).map(|id| (id, 1.0 + id as f32)));
        let sets = [vec![1, 3], vec![0, 2, 5]];

        let expected = Interactions::new(&model, &codes, 1).measured(&sets);
        let questions = sets.map(|set| Question {
            parts: set.iter().map(|part| (*part, 1.0 + *part as f32)).collect(),
            rest: vec![],
        });
        let found = interactions(&model, &questions);

        for (found, expected) in found.iter().zip(expected) {
            assert!((length(found) - expected.size).abs() < 1e-4, "{found:?} {expected:?}");
        }
    }
}
