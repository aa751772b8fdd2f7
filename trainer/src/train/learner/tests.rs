use std::time::{Duration, Instant};

use burn::module::Module;
use rand::RngExt;
use shared::{AttentionConfig, CsaeConfig, UnitsConfig, random};

use super::*;
use crate::train::reader::Reader;
use partners::clear_partners;

mod partners;
mod switches;

/// From this one on, features attend to each other.
const FIRST_WITH_ATTENTION: u64 = 120;
/// From this one on, twice.
const FIRST_WITH_TWO_ROUNDS: u64 = 240;

/// A model, rows and a task, all by chance.
struct Case {
    model: Csae,
    parts: Vec<Vec<usize>>,
    rows: Tensor<2>,
    limits: Limits,
    dead: Option<Vec<bool>>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut rng = random::stream(seed, "cases");
        let (d_model, n_features) = (rng.random_range(5..=40), rng.random_range(8..=96));
        let few = seed.is_multiple_of(2) || seed >= FIRST_WITH_ATTENTION;
        let largest_k = if few { n_features.min(12) } else { n_features };
        let sparsity_k = rng.random_range(1..=largest_k);
        let n_units = rng.random_range(1..=20);
        let units = UnitsConfig::new().with_n_units(n_units).with_speaking(4);
        let config = CsaeConfig::new(d_model)
            .with_n_features(n_features)
            .with_sparsity_k(sparsity_k)
            .with_refit_steps(rng.random_range(0..=6))
            .with_units((!seed.is_multiple_of(3)).then_some(units))
            .with_attention((seed >= FIRST_WITH_ATTENTION).then(|| attention(seed)));
        Self::of(&config, seed, &mut rng, 70)
    }

    /// A model of this shape on some rows, at most so many.
    fn of(config: &CsaeConfig, seed: u64, rng: &mut impl RngExt, most_rows: usize) -> Self {
        let n_features = config.n_features;
        let mut model = disturbed(config.init(seed, &Device::flex().autodiff()), seed);
        if let Some(units) = &mut model.units {
            compose(units, rng);
        }
        let parts = model.units.as_ref().map_or(vec![], shared::Units::combinations);
        let dead = (seed % 4 > 1).then(|| (0..n_features).map(|_| rng.random_bool(0.4)).collect());
        let count = rng.random_range(1..=most_rows);
        let rows = clear_rows(&model, seed, config.sparsity_k, dead.as_deref(), count);
        let rows = clear_partners(&model, rows, config.limits());
        Self { model, parts, rows, limits: config.limits(), dead }
    }

    fn lesson(&self) -> Lesson<'_> {
        Lesson {
            rows: self.rows.clone(),
            targets: None,
            limits: self.limits,
            dead: None,
            auxk_weight: 0.0,
            penalties: Penalties::default(),
            rate: 1e-3,
            parts: &self.parts,
        }
    }

    /// By autodiff: the loss terms, and the gradients by name.
    fn by_tensors(&self) -> (f32, Option<f32>, Weights) {
        let output = self.model.forward(self.rows.clone(), self.limits);
        let dead = self.dead.as_ref().map(|dead| {
            let dead: Vec<f32> = dead.iter().map(|dead| f32::from(*dead)).collect();
            Tensor::from_floats(&dead[..], &Device::flex())
        });
        let terms = LossTerms::of(&self.model, self.rows.clone(), &output, dead, 0.5);
        let gradients = terms.total().backward();
        let mut reader = Reader::of(gradients);
        self.model.visit(&mut reader);
        let mut all = reader.found;
        if let Some(encoder) = all.get_mut("encoder") {
            let [_, n_features] = self.model.encoder.val().dims();
            encoder.values = kernel::transposed(&encoder.values, n_features);
        }
        (terms.mse.into_scalar(), terms.auxk.map(|auxk| auxk.into_scalar()), all)
    }

    /// By the kernel, for a task.
    fn by_kernel(&self, step: &mut kernel::Step, task: &kernel::Task) {
        let parameters = Parameters::of(&self.model);
        let thresholds = thresholds(&self.model);
        let speakers = |units: &shared::Units| Speakers {
            parts: &self.parts,
            thresholds: &thresholds,
            speaking: units.speaking,
        };
        let model = kernel::Model {
            parameters: &parameters,
            units: self.model.units.as_ref().map(speakers),
            combination_size: self.limits.combination_size,
            refit_steps: self.model.refit_steps,
            sparsity_k: self.limits.sparsity_k,
            choice: Choice::Row,
        };
        step.run(&model, &to_vec(self.rows.clone()), task);
    }

    /// A step by the kernel; panics where it is not the one by tensors.
    fn compared(&self, seed: u64) -> kernel::Step {
        let mut step = kernel::Step::default();
        let dead = self.dead.as_deref();
        self.by_kernel(&mut step, &kernel::Task { dead, firing_wakes: false, auxk_weight: 0.5 });
        let (mse, auxk, theirs) = self.by_tensors();
        assert_close(seed, "mse", &[step.mse as f32], &[mse]);
        assert_eq!(step.auxk.is_some(), auxk.is_some());
        assert_close(seed, "auxk", &[step.auxk.unwrap_or(0.0) as f32], &[auxk.unwrap_or(0.0)]);
        for (name, ours) in step.gradients.named() {
            assert_close(seed, name, ours, &theirs[name].values);
        }
        step
    }
}

/// Some attention.
fn attention(seed: u64) -> AttentionConfig {
    let mut rng = random::stream(seed, "attention");
    let n_heads = rng.random_range(1..=9);
    AttentionConfig::new()
        .with_n_heads(n_heads)
        .with_d_compose(n_heads * rng.random_range(1..=20))
        .with_combination_size(rng.random_range(2..=4))
        .with_gate(rng.random_bool(0.5))
        .with_rounds(if seed < FIRST_WITH_TWO_ROUNDS { 1 } else { 2 })
}

/// The model with weights that no symmetry binds.
fn disturbed(model: Csae, seed: u64) -> Csae {
    let old = Parameters::of(&model);
    let numbers =
        |name, count, scale| random::normal(&mut random::stream(seed, name), count, scale);
    let noise = numbers("encoder", old.encoder.len(), 0.3 / (old.d_model() as f32).sqrt());
    let mut parameters = Parameters {
        encoder: old.encoder.iter().zip(&noise).map(|(one, other)| one + other).collect(),
        encoder_bias: numbers("encoder bias", old.n_features(), 0.1),
        decoder_bias: numbers("decoder bias", old.d_model(), 0.3),
        effects: numbers("effects", old.effects.len(), 0.5),
        decoder: old.decoder,
        attention: old.attention,
    };
    for (name, values) in parameters.named() {
        let scale = match name {
            "attention.embedding" if seed < FIRST_WITH_TWO_ROUNDS => 1.0,
            // Larger scores have roundings that a second round makes as large as the bound.
            "attention.embedding" => 0.5,
            "attention.query"
            | "attention.key"
            | "attention.value"
            | "attention.between_rounds" => (values.len() as f32).powf(-0.25),
            name if name.starts_with("attention.") => 0.3,
            _ => continue,
        };
        *values = numbers(name, values.len(), scale);
    }
    parameters.put_into(model)
}

/// Gives units up to three parts and a threshold each.
fn compose(units: &mut shared::Units, rng: &mut impl RngExt) {
    let device = units.parts.val().device();
    let [n_features, n_units] = units.parts.val().dims();
    let thresholds: Vec<f32> = (0..n_units).map(|_| rng.random_range(0.0..0.4)).collect();
    units.threshold = weights::param(thresholds, [n_units], &device).set_require_grad(false);
    let mut table = vec![0.0; n_features * n_units];
    for unit in 0..n_units {
        for _ in 0..rng.random_range(0..4) {
            table[rng.random_range(0..n_features) * n_units + unit] = 1.0;
        }
    }
    let table = weights::param(table, [n_features, n_units], &device);
    units.parts = table.set_require_grad(false);
}

/// Rows on which no feature is so near to the edge of being chosen that rounding decides.
fn clear_rows(
    model: &Csae,
    seed: u64,
    sparsity_k: usize,
    dead: Option<&[bool]>,
    count: usize,
) -> Tensor<2> {
    let [n_features, d_model] = model.decoder.val().dims();
    let values = random::normal(&mut random::stream(seed, "rows"), 3 * count * d_model, 1.0);
    let device = Device::flex();
    let all = Tensor::<2>::from_data(TensorData::new(values, [3 * count, d_model]), &device);
    let features =
        to_vec(model.valid().features(all.clone() - model.valid().decoder_bias.val().unsqueeze()));
    let clear = |features: &[f32], k: usize| {
        let mut sorted = features.to_vec();
        sorted.sort_by(|one, other| other.total_cmp(one));
        let edge = |k: usize| sorted[k.max(1) - 1] - sorted.get(k).unwrap_or(&0.0) > 1e-4;
        sorted[k.min(sorted.len()) - 1] == 0.0 || edge(k)
    };
    let chosen: Vec<i32> = features
        .chunks_exact(n_features)
        .enumerate()
        .filter(|(_, features)| {
            let of_dead = dead.is_none_or(|dead| {
                let pairs = features.iter().zip(dead);
                let dead: Vec<f32> =
                    pairs.map(|(value, dead)| if *dead { *value } else { 0.0 }).collect();
                clear(&dead, d_model / 2)
            });
            of_dead && clear(features, sparsity_k)
        })
        .map(|(row, _)| row as i32)
        .take(count)
        .collect();
    all.select(0, Tensor::from_ints(&chosen[..], &device))
}

/// A gradient as small as this has nearly cancelled; few may have.
const CANCELLED: f32 = 1e-3;

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn assert_close(seed: u64, name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    // With attention a gradient that is 0 can be 1e-15 by rounding.
    let least = if seed < FIRST_WITH_ATTENTION { 1e-12 } else { 1e-9 };
    let largest = largest(theirs).max(least);
    for (place, (one, other)) in ours.iter().zip(theirs).enumerate() {
        let off = (one - other).abs() / largest;
        assert!(off < 1e-5, "case {seed}, {name} {place}: {one} is not {other}, off by {off}");
    }
}

#[test]
fn the_kernel_agrees_with_autodiff() {
    let (mut refitted, mut spoken, mut revived, mut attended, mut twice) = (0, 0, 0, 0, 0);
    let (mut large, mut small) = (0, 0);
    for seed in 0..FIRST_WITH_TWO_ROUNDS + 120 {
        let case = Case::new(seed);
        let mut step = case.compared(seed);
        for (_, ours) in step.gradients.named() {
            large += usize::from(largest(ours) > CANCELLED);
            small += usize::from(largest(ours) > 0.0 && largest(ours) <= CANCELLED);
        }
        refitted += usize::from(case.model.refit_steps > 0);
        spoken += usize::from(step.gradients.effects.iter().any(|value| *value != 0.0));
        attended += usize::from(step.gradients.attention.key.iter().any(|value| *value != 0.0));
        twice += usize::from(step.gradients.attention.between.iter().any(|value| *value != 0.0));
        let with_dead = step.gradients.encoder.clone();
        case.by_kernel(&mut step, &kernel::Task::default());
        revived += usize::from(with_dead != step.gradients.encoder);
    }
    let counts = [refitted, spoken, revived, attended, twice];
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    assert!(large > 10 * small, "{small} gradients beside {large} have cancelled");
}

#[test]
fn so_it_does_at_the_sizes_of_a_run() {
    let plain = CsaeConfig::new(128).with_n_features(256).with_sparsity_k(32);
    let attention = |size: usize| {
        let config = AttentionConfig::new().with_combination_size(size);
        plain.clone().with_attention(Some(config.with_gate(size > 2)))
    };
    let configs = [
        plain.clone(),
        plain.clone().with_units(Some(UnitsConfig::new())).with_refit_steps(3),
        attention(2),
        attention(4),
    ];
    // The second seed has dead features.
    for (seed, config) in
        [1, 2].into_iter().flat_map(|seed| configs.iter().map(move |one| (seed, one)))
    {
        let case = Case::of(config, seed, &mut random::stream(seed, "cases"), 512);
        case.compared(seed);
    }
}

#[test]
fn a_training_by_the_kernel_is_the_training_by_tensors() {
    for seed in [1, 2, 7, 121, 122, 127, 241, 242, 247] {
        let case = Case::new(seed);
        let mut by_tensors = ByTensors::new(case.model.clone());
        let mut by_kernel = ByKernel::new(case.model.clone());

        for _ in 0..5 {
            let (terms, fired) = by_tensors.learn(case.lesson());
            let (same_terms, same_fired) = by_kernel.learn(case.lesson());

            let mse = |terms: &LossTerms| terms.mse.clone().into_scalar::<f32>();
            assert_close(seed, "mse", &[mse(&same_terms)], &[mse(&terms)]);
            let on = |fired| -> Vec<bool> { to_vec(fired).iter().map(|on| *on > 0.0).collect() };
            assert_eq!(on(same_fired), on(fired));
        }

        let theirs = weights::of(&by_tensors.model);
        for (name, ours) in weights::of(&by_kernel.model()) {
            let off = ours.values.iter().zip(&theirs[&name].values);
            let off = off.map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
            // Adam divides a gradient by its own size: a gradient of 0 but for rounding may turn.
            assert!(off < 1e-4, "{name} is off by {off}");
        }
    }
}

#[test]
fn a_learner_read_back_goes_on_bit_by_bit() {
    for seed in [5, 125, 245] {
        let case = Case::new(seed);
        let device = Device::flex();
        let mut straight = Learner::new(case.model.clone(), &device, false);
        straight.learn(case.lesson());
        let stored = saved(&straight);

        let mut resumed = Learner::new(Case::new(seed).model, &device, false);
        resumed.load(&stored, 1, &device).unwrap();
        straight.learn(case.lesson());
        resumed.learn(case.lesson());

        assert!(matches!(straight, Learner::ByKernel(_)));
        assert_eq!(saved(&straight), saved(&resumed));
    }
}

fn saved(learner: &Learner) -> Weights {
    let mut weights = Weights::new();
    learner.save(&mut weights);
    weights
}

#[test]
fn what_learned_by_tensors_goes_on_by_the_kernel() {
    for (seed, rounds) in [(127, 1), (247, 2)] {
        let case = Case::new(seed);
        let device = Device::flex();
        let mut by_tensors = Learner::ByTensors(Box::new(ByTensors::new(case.model.clone())));
        by_tensors.learn(case.lesson());
        let stored = saved(&by_tensors);

        let mut by_kernel = Learner::new(case.model.clone(), &device, false);
        by_kernel.load(&stored, 1, &device).unwrap();

        assert!(matches!(by_kernel, Learner::ByKernel(_)));
        assert!(stored.keys().any(|name| name.starts_with("first.attention.")));
        assert_eq!(stored.contains_key("first.attention.between_rounds"), rounds == 2);
        let names = |weights: &Weights| weights.keys().cloned().collect::<Vec<_>>();
        let again = saved(&by_kernel);
        assert_eq!(names(&again), names(&stored));
        assert!(again.iter().all(|(name, weight)| weight.values == stored[name].values));
    }
}

#[test]
fn three_rounds_of_attention_and_transcoders_learn_by_tensors() {
    let config = |rounds| {
        let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
        let attention = attention.with_rounds(rounds);
        CsaeConfig::new(8).with_n_features(24).with_attention(Some(attention))
    };
    let device = Device::flex();
    let learner = |rounds, transcodes| {
        let model = config(rounds).init(1, &device.clone().autodiff());
        Learner::new(model, &device, transcodes)
    };

    assert!(matches!(learner(1, false), Learner::ByKernel(_)));
    assert!(matches!(learner(2, false), Learner::ByKernel(_)));
    assert!(matches!(learner(2, true), Learner::ByTensors(_)));
    assert!(matches!(learner(3, false), Learner::ByTensors(_)));
}

/// The tenth and the median time of a step, with rows like those of a training.
fn time(config: &CsaeConfig, by_kernel: bool, steps: usize) -> (Duration, Duration) {
    let device = Device::flex();
    let mut model = config.init(1, &device.clone().autodiff());
    if let Some(units) = &mut model.units {
        let [n_features, n_units] = units.parts.val().dims();
        let mut table = vec![0.0; n_features * n_units];
        for unit in 0..n_units {
            table[unit * n_units + unit] = 1.0;
            table[(unit + 100) * n_units + unit] = 1.0;
        }
        let table = weights::param(table, [n_features, n_units], &device.clone().autodiff());
        units.parts = table.set_require_grad(false);
    }
    let parts = model.units.as_ref().map_or(vec![], shared::Units::combinations);
    let mut learner = match by_kernel {
        true => Learner::new(model, &device, false),
        false => Learner::ByTensors(Box::new(ByTensors::new(model))),
    };
    let values = random::normal(&mut random::stream(1, "rows"), 512 * config.d_model, 1.0);
    let rows = Tensor::<2>::from_data(TensorData::new(values, [512, config.d_model]), &device);
    let mut times: Vec<Duration> = (0..steps)
        .map(|_| {
            let started = Instant::now();
            learner.learn(Lesson {
                rows: rows.clone(),
                targets: None,
                limits: config.limits(),
                dead: None,
                auxk_weight: 0.0,
                penalties: Penalties::default(),
                rate: 3e-4,
                parts: &parts,
            });
            started.elapsed()
        })
        .collect();
    times.sort();
    (times[steps / 10], times[steps / 2])
}

#[test]
#[ignore = "measures, proves nothing"]
fn how_long_a_step_takes() {
    let small = CsaeConfig::new(128);
    let composing = small.clone().with_refit_steps(3).with_units(Some(UnitsConfig::new()));
    let attending = small.clone().with_attention(Some(AttentionConfig::new()));
    let twice = AttentionConfig::new().with_rounds(2).with_combination_size(4);
    let twice = small.clone().with_attention(Some(twice));
    let large = CsaeConfig::new(384).with_n_features(4_096);
    for (name, config, steps) in [
        ("TopK 128->256", small, 400),
        ("csae 128->256", composing, 200),
        ("attention 128->256", attending, 200),
        ("attention of 4 in two rounds", twice, 50),
        ("TopK 384->4096", large, 30),
    ] {
        let by_kernel = time(&config, true, steps);
        let by_tensors = time(&config, false, steps / 10);
        println!("{name}: by the kernel {by_kernel:?}, by tensors {by_tensors:?}");
    }
}
