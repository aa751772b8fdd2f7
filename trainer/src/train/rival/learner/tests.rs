use burn::module::Module;
use rand::RngExt;
use shared::random;
use shared::sae::dictionary::{Dictionary, DictionaryConfig, Sparsity};

use super::*;
use crate::train::reader::Reader;

/// How far features are from the edge of being chosen, so that no rounding decides.
const GAP: f32 = 1e-5;

/// A dictionary and a lesson, both by chance.
struct Case {
    model: Dictionary,
    lesson: Lesson,
}

impl Case {
    /// Nothing where a choice is not clear.
    fn new(seed: u64) -> Option<Self> {
        let device = Device::flex();
        let mut rng = random::stream(seed, "cases");
        let (d_model, n_features) = (rng.random_range(5..=40), rng.random_range(8..=96));
        let largest_k = if seed.is_multiple_of(2) { n_features.min(12) } else { n_features };
        // What is left of a single row has no variance but by rounding, and AuxK is a share of it.
        let (k, batch) = (rng.random_range(1..=largest_k), rng.random_range(2..=150));
        let by_batch = !seed.is_multiple_of(3);
        let sparsity = if by_batch { Sparsity::BatchTopK(k) } else { Sparsity::TopK(k) };
        let config = DictionaryConfig::new(d_model, sparsity).with_n_features(n_features);
        let model = disturbed(config.init(seed, &device.clone().autodiff()), seed);
        let values = random::normal(&mut random::stream(seed, "rows"), batch * d_model, 1.0);
        let rows = Tensor::from_data(TensorData::new(values, [batch, d_model]), &device);
        let dead = (seed % 4 > 1).then(|| {
            let dead: Vec<f32> = (0..n_features).map(|_| f32::from(rng.random_bool(0.4))).collect();
            Tensor::from_floats(&dead[..], &device)
        });
        let lesson = Lesson { rows, dead, auxk_weight: 0.5, rate: 1e-3 };
        let case = Self { model, lesson };
        case.is_clear(by_batch, k).then_some(case)
    }

    fn is_clear(&self, by_batch: bool, k: usize) -> bool {
        let output = self.model.valid().forward_training(self.lesson.rows.clone());
        let [batch, n_features] = output.features.dims();
        let all = to_vec(output.features.clone());
        let clear = |features: &[f32], k: usize| {
            let mut sorted = features.to_vec();
            sorted.sort_by(|one, other| other.total_cmp(one));
            let next = sorted.get(k).copied().unwrap_or(0.0);
            next == 0.0 || sorted[k - 1] - next > GAP
        };
        let rows_are_clear =
            |all: &[f32], k: usize| all.chunks_exact(n_features).all(|row| clear(row, k));
        let [_, d_model] = self.lesson.rows.dims();
        let learner = ByTensors::new(self.model.clone());
        let dead = learner.revival(self.lesson.dead.clone(), &firings(&output.code));
        let revival_is_clear = dead.is_none_or(|(dead, _)| {
            rows_are_clear(&to_vec(output.features * dead.unsqueeze()), d_model / 2)
        });
        let is_clear = if by_batch { clear(&all, k * batch) } else { rows_are_clear(&all, k) };
        is_clear && revival_is_clear && all.iter().all(|value| *value == 0.0 || *value > 1e-6)
    }

    fn by_kernel(&self) -> Box<ByKernel<Dictionary>> {
        Box::new(ByKernel::new(&self.model).unwrap())
    }

    fn by_tensors(&self) -> Box<ByTensors<Dictionary>> {
        Box::new(ByTensors::new(self.model.clone()))
    }

    /// By autodiff: the loss terms, how often features fire, and the gradients by name.
    fn gradients(&self) -> (Terms, Tensor<1>, Weights) {
        let Lesson { rows, dead, auxk_weight, .. } = self.lesson.clone();
        let output = self.model.forward_training(rows.clone());
        let fired = firings(&output.code.clone().without_autodiff());
        let revival = self.by_tensors().revival(dead, &fired);
        let terms = Terms::of(rows, &output, revival, auxk_weight);
        let mut reader = Reader::of(terms.total().backward());
        self.model.visit(&mut reader);
        let mut all = reader.found;
        let encoder = all.get_mut("encoder").unwrap();
        encoder.values = kernel::transposed(&encoder.values, encoder.shape[1]);
        (terms, fired, all)
    }
}

/// The model with weights that no symmetry binds.
fn disturbed(mut model: Dictionary, seed: u64) -> Dictionary {
    let mut all = Parameters::of_dictionary(&model);
    let width = (all.d_model() as f32).sqrt();
    let scales = [("encoder", 0.3 / width), ("encoder_bias", 0.1), ("decoder_bias", 0.3)];
    for (name, values) in all.named() {
        for (_, scale) in scales.iter().filter(|(found, _)| *found == name) {
            let noise = random::normal(&mut random::stream(seed, name), values.len(), *scale);
            values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
        }
    }
    all.put_into_dictionary(&mut model);
    model
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn assert_close(name: &str, ours: &[f32], theirs: &[f32], bound: f32) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let largest = largest(theirs).max(1e-12);
    for (place, (one, other)) in ours.iter().zip(theirs).enumerate() {
        let off = (one - other).abs() / largest;
        assert!(off < bound, "{name} {place}: {one} is not {other}, off by {off}");
    }
}

fn number(tensor: &Tensor<1>) -> f32 {
    tensor.clone().into_scalar()
}

#[test]
fn the_kernel_agrees_with_autodiff() {
    let (mut checked, mut revived, mut woken, mut unfilled) = (0, 0, 0, 0);
    for (seed, case) in (0..240).filter_map(|seed| Some((seed, Case::new(seed)?))) {
        let name = |what: &str| format!("case {seed}, {what}");
        let (terms, fired, theirs) = case.gradients();

        let mut learner = case.by_kernel();
        learner.run(&case.lesson);

        let device = Device::flex();
        let (mse, auxk) = learner.descent.terms(&device);
        assert_close(&name("mse"), &[number(&mse)], &[number(&terms.error)], 1e-5);
        let numbers = |term: Option<&Tensor<1>>| term.map(number).into_iter().collect::<Vec<_>>();
        let auxk = numbers(auxk.as_ref());
        assert_close(&name("auxk"), &auxk, &numbers(terms.auxk.as_ref()), 1e-5);
        assert_eq!(to_vec(learner.descent.fired(&device)), to_vec(fired.clone()), "case {seed}");
        for (place, ours) in learner.descent.step.gradients.named() {
            assert_close(&name(place), ours, &theirs[place].values, 1e-5);
        }
        let active = number(&fired.clone().sum()) as usize;
        let [batch, _] = case.lesson.rows.dims();
        unfilled += usize::from(active < learner.sparsity_k * batch);
        let asleep = case.lesson.dead.map(are_above_0).unwrap_or_default();
        let fires = are_above_0(fired);
        let count = |fires: &[bool], does| {
            asleep.iter().zip(fires).filter(|(dead, fires)| **dead && **fires == does).count()
        };
        (revived, woken) = (revived + count(&fires, false), woken + count(&fires, true));
        checked += 1;
    }
    let counts = [checked / 4, revived, woken, unfilled];
    assert!(counts.iter().all(|count| *count > 40), "{counts:?}");
}

#[test]
fn a_training_by_the_kernel_is_the_training_by_tensors() {
    for case in (0..24).filter_map(Case::new) {
        let (mut by_tensors, mut by_kernel) = (case.by_tensors(), case.by_kernel());

        for _ in 0..5 {
            let theirs = by_tensors.learn(case.lesson.clone());
            let ours = by_kernel.learn(case.lesson.clone());

            assert_close("mse", &[number(&ours.terms.error)], &[number(&theirs.terms.error)], 1e-5);
            assert_eq!(to_vec(ours.fired), to_vec(theirs.fired));
        }

        let theirs = weights::of(&by_tensors.model);
        for (name, ours) in weights::of(&by_kernel.model()) {
            let off = ours.values.iter().zip(&theirs[&name].values);
            let off = off.map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
            assert!(off < 1e-5, "{name} is off by {off}");
        }
    }
}

fn saved(learner: &Learner<Dictionary>) -> Weights {
    let mut weights = Weights::new();
    learner.save(&mut weights);
    weights
}

#[test]
fn a_learner_read_back_goes_on_bit_by_bit_in_either_form() {
    let device = Device::flex();
    for case in (0..24).filter_map(Case::new) {
        let straight = [Learner::ByKernel(case.by_kernel()), Learner::ByTensors(case.by_tensors())];
        for mut straight in straight {
            straight.learn(case.lesson.clone());
            let stored = saved(&straight);
            let mut by_kernel = Learner::ByKernel(case.by_kernel());
            let mut by_tensors = Learner::ByTensors(case.by_tensors());

            for resumed in [&mut by_kernel, &mut by_tensors] {
                resumed.load(&stored, 1, &device).unwrap();
                assert_eq!(saved(resumed), stored);
                resumed.learn(case.lesson.clone());
            }
            straight.learn(case.lesson.clone());

            let (end, ends) = (saved(&straight), [saved(&by_kernel), saved(&by_tensors)]);
            assert!(ends.contains(&end));
            for (name, values) in ends.iter().flatten() {
                assert_close(name, &values.values, &end[name].values, 1e-3);
            }
        }
    }
}

#[test]
fn what_the_kernel_does_not_know_is_learned_by_tensors() {
    let device = Device::flex();
    let by_kernel = |sparsity, hidden| {
        let config = DictionaryConfig::new(8, sparsity).with_n_features(12).with_hidden(hidden);
        let model = config.init(1, &device.clone().autodiff());
        matches!(Learner::new(model, &device), Learner::ByKernel(_))
    };

    assert!(by_kernel(Sparsity::TopK(3), None) && by_kernel(Sparsity::BatchTopK(3), None));
    assert!(!by_kernel(Sparsity::TopK(3), Some(8)) && !by_kernel(Sparsity::BatchTopK(3), Some(8)));
    assert!(!by_kernel(Sparsity::L1(0.1), None) && !by_kernel(Sparsity::SteeredL1(3), None));
    assert!(!by_kernel(Sparsity::Matryoshka(3), None));
}
