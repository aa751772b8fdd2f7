use std::time::{Duration, Instant};

use super::*;
use crate::kernels::adam::{AdamRates, Directions, adam, adam_of_directions};
use crate::random;

fn numbers(name: &str, count: usize, scale: f32) -> Vec<f32> {
    random::normal(&mut random::stream(7, name), count, scale)
}

/// Directions of about the length `length`, and an encoder that is not their transpose.
fn parameters(d_model: usize, n_features: usize, n_units: usize, length: f32) -> Parameters {
    let scale = length / (d_model as f32).sqrt();
    Parameters {
        encoder: numbers("encoder", n_features * d_model, 1.0),
        encoder_bias: numbers("encoder bias", n_features, 0.3),
        decoder: numbers("decoder", n_features * d_model, scale),
        decoder_bias: numbers("decoder bias", d_model, 0.3),
        effects: numbers("effects", n_units * d_model, 0.5),
        attention: AttentionParameters::default(),
    }
}

/// These parameters with an attention in which every weight matters.
fn attending(mut all: Parameters, n_heads: usize, d_head: usize, gate: bool) -> Parameters {
    let (n_features, width) = (all.n_features(), n_heads * d_head);
    let square = |name| numbers(name, width * width, 1.0 / (width as f32).sqrt());
    let gates = |name, count| if gate { numbers(name, count, 0.5) } else { vec![] };
    all.attention = AttentionParameters {
        embedding: numbers("embedding", n_features * width, 1.0),
        query: square("query"),
        key: square("key"),
        value: square("value"),
        null: numbers("null", n_heads, 0.5),
        output: numbers("output", width * all.d_model(), 0.3),
        gate_token: gates("token", width),
        gate_composed: gates("composed", width),
        gate_bias: gates("gate", n_features),
        between: vec![],
    };
    all
}

/// These parameters with a second round of attention.
fn twice(mut all: Parameters) -> Parameters {
    let width = all.attention.embedding.len() / all.n_features();
    all.attention.between = numbers("between", width * width, 0.4 / (width as f32).sqrt());
    all
}

fn plain(parameters: &Parameters, sparsity_k: usize, refit_steps: usize) -> Model<'_> {
    let choice = Choice::Row;
    Model { parameters, units: None, combination_size: 1, refit_steps, sparsity_k, choice }
}

fn of_batch(parameters: &Parameters, sparsity_k: usize, refit_steps: usize) -> Model<'_> {
    Model { choice: Choice::Batch, ..plain(parameters, sparsity_k, refit_steps) }
}

/// The parameters of that name.
fn field<'a>(parameters: &'a mut Parameters, name: &str) -> &'a mut Vec<f32> {
    parameters.named().find(|(found, _)| *found == name).unwrap().1
}

/// Compares the gradient with differences of the loss, at the places where `counts` says so and no
/// row changes its choice of features between the two sides.
fn assert_slopes(
    mut parameters: Parameters,
    loss: impl Fn(&Parameters) -> (f64, Parameters),
    counts: impl Fn(&str, usize) -> bool,
) {
    let (_, mut gradient) = loss(&parameters);
    let names: Vec<&str> = parameters.named().map(|(name, _)| name).collect();
    let (mut checked, mut jumps) = (0, 0);
    for name in names {
        for place in 0..field(&mut parameters, name).len() {
            if !counts(name, place) {
                continue;
            }
            let old = field(&mut parameters, name)[place];
            let mut at = |value| {
                field(&mut parameters, name)[place] = value;
                loss(&parameters).0
            };
            let mut slope = |h: f32| (at(old + h) - at(old - h)) / f64::from(2.0 * h);
            let (wide, narrow) = (slope(4e-3), slope(1e-3));
            at(old);
            let close = |one: f64, other: f64| (one - other).abs() < 3e-3 * (one.abs() + 0.1);
            if !close(wide, narrow) {
                jumps += 1;
                continue;
            }
            let ours = f64::from(field(&mut gradient, name)[place]);
            assert!(close(wide, ours), "{name} {place}: {ours} is not {wide}");
            checked += usize::from(wide.abs() > 1e-3);
        }
    }
    assert!(checked > 10, "only {checked} slopes are not 0");
    assert!(jumps * 5 < checked, "{jumps} jumps beside {checked} slopes");
}

#[test]
fn one_active_feature_by_hand() {
    // a = 2 * 3 + 1 = 7 along (0, 1): the row (2, 3) less the bias (0, 0) leaves (2, -4).
    let parameters = Parameters {
        encoder: vec![2.0, 1.0, -1.0, -1.0],
        encoder_bias: vec![0.0, 0.0],
        decoder: vec![0.0, 1.0, 1.0, 0.0],
        decoder_bias: vec![0.0, 0.0],
        ..Parameters::default()
    };
    let mut step = Step::default();

    step.run(&plain(&parameters, 1, 0), &[2.0, 3.0], &Task::default());

    assert_eq!(step.mse, (4.0 + 16.0) / 2.0);
    assert_eq!((&step.fired[..], step.least), (&[1, 0][..], None));
    // The slope along the reconstruction is -(2, -4); along the code its second entry, 4.
    assert_eq!(step.gradients.decoder, [-14.0, 28.0, 0.0, 0.0]);
    assert_eq!(step.gradients.encoder, [8.0, 12.0, 0.0, 0.0]);
    assert_eq!(step.gradients.encoder_bias, [4.0, 0.0]);
    assert_eq!(step.gradients.decoder_bias, [-2.0 - 8.0, 4.0 - 4.0]);
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    // On more rows than features, products of directions are read from a table.
    for (n_rows, refit_steps) in [(9, 0), (9, 1), (9, 3), (40, 3)] {
        let rows = numbers("rows", n_rows * 6, 1.0);
        for choice in [Choice::Row, Choice::Batch] {
            // Short directions: the pace, through which no gradient goes, is 1 wherever they turn.
            let loss = |parameters: &Parameters| {
                let mut step = Step::default();
                let model = Model { choice, ..plain(parameters, 3, refit_steps) };
                step.run(&model, &rows, &Task::default());
                (step.mse, step.gradients)
            };
            assert_slopes(parameters(6, 10, 0, 0.4), loss, |_, _| true);
        }
    }
}

#[test]
fn the_batch_chooses_among_all_rows_and_keeps_all_that_equal_the_last() {
    // The features are the row and its negative.
    let parameters = Parameters {
        encoder: vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0],
        encoder_bias: vec![0.0; 4],
        decoder: vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0],
        decoder_bias: vec![0.0; 2],
        ..Parameters::default()
    };
    let rows = [5.0, 4.0, 2.0, -3.0, 1.0, 3.0];
    let mut step = Step::default();

    step.run(&of_batch(&parameters, 1, 0), &rows, &Task::default());

    assert_eq!(step.least, Some(3.0));
    assert_eq!(step.fired, [1, 2, 0, 1]);
    assert_eq!(step.mse, (4.0 + 1.0) / 6.0);
    // Fewer are above 0 than may stay; then none.
    step.run(&of_batch(&parameters, 3, 0), &rows, &Task::default());
    assert_eq!((step.least, step.mse), (Some(1.0), 0.0));
    step.run(&of_batch(&parameters, 1, 0), &[0.0; 6], &Task::default());
    assert_eq!((step.least, &step.fired[..]), (Some(f32::MAX), &[0; 4][..]));
}

#[test]
fn dead_features_that_fire_are_awake_where_a_task_says_so() {
    let parameters = parameters(6, 10, 0, 1.0);
    let rows = numbers("rows", 30 * 6, 1.0);
    let auxk = |dead: &[bool], firing_wakes| {
        let mut step = Step::default();
        let task = Task { dead: Some(dead), firing_wakes, auxk_weight: 1.0 };
        step.run(&plain(&parameters, 2, 0), &rows, &task);
        (step.auxk, step.gradients, step.fired)
    };
    let (_, _, fired) = auxk(&[false; 10], false);
    let silent: Vec<bool> = fired.iter().map(|rows| *rows == 0).collect();

    assert!(silent.contains(&true) && silent.contains(&false));
    assert_eq!(auxk(&[true; 10], true), auxk(&silent, false));
    assert_ne!(auxk(&[true; 10], true), auxk(&[true; 10], false));
}

#[test]
fn the_effects_gradient_is_the_slope_of_the_loss() {
    let rows = numbers("rows", 40 * 6, 1.0);
    let parts: Vec<Vec<usize>> = (0..8).map(|unit| vec![unit, unit + 1]).collect();
    let loss = |parameters: &Parameters| {
        let units = Speakers { parts: &parts, thresholds: &[0.2; 8], speaking: 3 };
        let model = Model { units: Some(units), ..plain(parameters, 6, 2) };
        let mut step = Step::default();
        step.run(&model, &rows, &Task::default());
        (step.mse, step.gradients)
    };
    assert_slopes(parameters(6, 10, 8, 0.9), loss, |name, _| name == "units.effects");
}

#[test]
fn the_gradient_of_attention_is_the_slope_of_the_loss() {
    // On more rows than features, the scores of pairs are read from a table.
    for (n_rows, combination_size, gate, refit_steps) in
        [(9, 2, false, 0), (40, 2, true, 0), (40, 3, false, 2), (9, 4, true, 1)]
    {
        let all = attending(parameters(6, 10, 0, 0.4), 2, 3, gate);
        assert_slopes_of_attention(all, n_rows, combination_size, refit_steps);
    }
    // On many rows some token of the second round always changes its partners.
    for (n_rows, combination_size, gate, refit_steps) in
        [(7, 2, false, 0), (9, 2, true, 0), (8, 3, false, 2), (7, 4, true, 1)]
    {
        let all = twice(attending(parameters(6, 10, 0, 0.4), 2, 3, gate));
        assert_slopes_of_attention(all, n_rows, combination_size, refit_steps);
    }
}

fn assert_slopes_of_attention(
    all: Parameters,
    n_rows: usize,
    combination_size: usize,
    refit_steps: usize,
) {
    let rows = numbers("rows", n_rows * 6, 1.0);
    let loss = |parameters: &Parameters| {
        let model = Model { combination_size, ..plain(parameters, 5, refit_steps) };
        let mut step = Step::default();
        step.run(&model, &rows, &Task::default());
        (step.mse, step.gradients)
    };
    assert_slopes(all, loss, |_, _| true);
}

#[test]
fn attention_to_nobody_is_no_attention() {
    let once = attending(parameters(6, 10, 0, 1.0), 2, 3, true);
    assert_nobody_is_nothing(&once);
    assert_nobody_is_nothing(&twice(once));
}

fn assert_nobody_is_nothing(all: &Parameters) {
    let rows = numbers("rows", 30 * 6, 1.0);
    let run = |combination_size, sparsity_k| {
        let model = Model { combination_size, ..plain(all, sparsity_k, 0) };
        let mut step = Step::default();
        step.run(&model, &rows, &Task::default());
        step
    };

    let (mut alone, mut nobody) = (run(1, 1), run(2, 1));

    assert_eq!((alone.mse, &alone.gradients), (nobody.mse, &nobody.gradients));
    assert!(nobody.gradients.attention.output.iter().all(|slope| *slope == 0.0));
    // What was in the memory does not stay.
    nobody.run(&Model { combination_size: 2, ..plain(all, 4, 0) }, &rows, &Task::default());
    assert!(nobody.gradients.attention.output.iter().any(|slope| *slope != 0.0));
    nobody.run(&plain(all, 1, 0), &rows, &Task::default());
    alone.run(&plain(all, 1, 0), &rows, &Task::default());
    assert_eq!(alone.gradients, nobody.gradients);
}

#[test]
fn dead_features_follow_the_slope_of_what_they_leave() {
    let (d_model, n_features) = (6, 10);
    let rows = numbers("rows", 30 * d_model, 1.0);
    let mut all = parameters(d_model, n_features, 0, 1.0);
    // Too weak ever to be among the strongest, and strong enough to fire.
    for feature in [2, 7, 9] {
        let encoder = &mut all.encoder[feature * d_model..][..d_model];
        encoder.iter_mut().for_each(|value| *value *= 1e-3);
        all.encoder_bias[feature] = 0.05;
    }
    for feature in [0, 1, 3, 4, 5, 6, 8] {
        all.encoder_bias[feature] = 3.0;
    }
    let dead: Vec<bool> = (0..n_features).map(|feature| [2, 7, 9].contains(&feature)).collect();
    let loss = |parameters: &Parameters| {
        let task = Task { dead: Some(&dead), auxk_weight: 1.0, ..Task::default() };
        let mut step = Step::default();
        step.run(&plain(parameters, 2, 0), &rows, &task);
        assert!((0..n_features).all(|feature| !dead[feature] || step.fired[feature] == 0));
        (step.auxk.unwrap(), step.gradients)
    };
    assert_slopes(all, loss, |name, place| match name {
        "encoder" | "decoder" => dead[place / d_model],
        "encoder_bias" => dead[place],
        _ => false,
    });
}

#[test]
fn the_same_input_gives_the_same_bytes_on_any_number_of_threads() {
    let (d_model, n_features, n_units) = (20, 70, 12);
    let once = attending(parameters(d_model, n_features, n_units, 1.0), 9, 4, true);
    assert_same_on_any_threads(&once);
    assert_same_on_any_threads(&twice(once));
}

fn assert_same_on_any_threads(parameters: &Parameters) {
    let (d_model, n_units) = (parameters.d_model(), 12);
    let n_features = parameters.n_features();
    let rows = numbers("rows", 300 * d_model, 1.0);
    let parts: Vec<Vec<usize>> = (0..n_units).map(|unit| vec![unit, unit + 9]).collect();
    let dead: Vec<bool> = (0..n_features).map(|feature| feature % 5 == 0).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let units = Speakers { parts: &parts, thresholds: &[0.0; 12], speaking: 4 };
            let units = Some(units);
            let model = Model { units, combination_size: 3, ..plain(parameters, 9, 3) };
            let task = Task { dead: Some(&dead), auxk_weight: 0.03, ..Task::default() };
            let mut step = Step::default();
            [Choice::Batch, Choice::Row].map(|choice| {
                step.run(&Model { choice, ..model }, &rows, &task);
                // The second time in the memory of the first.
                step.run(&Model { choice, ..model }, &rows, &task);
                (step.mse, step.auxk, step.gradients.clone(), step.fired.clone())
            })
        })
    };

    assert_eq!(on(1), on(3));
}

#[test]
fn a_step_in_used_memory_is_a_step_in_fresh_memory() {
    let once = attending(parameters(12, 30, 0, 1.0), 3, 4, false);
    assert_forgets(&once);
    assert_forgets(&twice(once));
}

fn assert_forgets(parameters: &Parameters) {
    let (many, few) = (numbers("many", 200 * 12, 1.0), numbers("few", 70 * 12, 1.0));
    let dead = [true; 30];
    let (mut used, mut fresh) = (Step::default(), Step::default());
    let all = Task { dead: Some(&dead), auxk_weight: 1.0, ..Task::default() };
    used.run(&Model { combination_size: 4, ..plain(parameters, 15, 4) }, &many, &all);

    for choice in [Choice::Batch, Choice::Row] {
        let pairs = Model { combination_size: 2, choice, ..plain(parameters, 5, 1) };
        used.run(&pairs, &few, &Task::default());
        fresh.run(&pairs, &few, &Task::default());

        assert_eq!(used.gradients, fresh.gradients);
        assert_eq!((used.mse, used.auxk, used.least), (fresh.mse, fresh.auxk, fresh.least));
        assert_eq!(used.fired, fresh.fired);
        fresh = Step::default();
    }
}

#[test]
fn what_is_not_a_number_shows_in_the_loss() {
    let mut broken = parameters(12, 30, 0, 1.0);
    broken.encoder[40] = f32::NAN;
    let mut step = Step::default();

    step.run(&plain(&broken, 5, 2), &numbers("rows", 20 * 12, 1.0), &Task::default());

    assert!(step.mse.is_nan());
    step.run(&of_batch(&broken, 5, 0), &numbers("rows", 20 * 12, 1.0), &Task::default());
    assert!(step.mse.is_nan());
    let whole = twice(attending(parameters(12, 30, 0, 1.0), 2, 3, false));
    for name in ["attention.embedding", "attention.between_rounds"] {
        let mut broken = whole.clone();
        field(&mut broken, name)[7] = f32::NAN;
        let pairs = Model { combination_size: 2, ..plain(&broken, 5, 2) };
        step.run(&pairs, &numbers("rows", 20 * 12, 1.0), &Task::default());
        assert!(step.mse.is_nan(), "{name}");
    }
}

/// What a training step is timed on.
#[derive(Clone, Copy)]
struct Timed {
    d_model: usize,
    n_features: usize,
    sparsity_k: usize,
    refit_steps: usize,
    n_units: usize,
    /// How often features attend to each other, and how many of them combine.
    rounds: usize,
    combination_size: usize,
    gate: bool,
}

impl Default for Timed {
    fn default() -> Self {
        Self {
            d_model: 128,
            n_features: 256,
            sparsity_k: 32,
            refit_steps: 0,
            n_units: 0,
            rounds: 0,
            combination_size: 2,
            gate: false,
        }
    }
}

/// The tenth and the median time of a whole training step: the kernel, Adam, directions at
/// length 1.
fn time(what: Timed) -> [Duration; 2] {
    let Timed { d_model, n_features, sparsity_k, refit_steps, n_units, .. } = what;
    let mut all = parameters(d_model, n_features, n_units, 1.0);
    all.encoder = all.decoder.clone();
    if what.rounds > 0 {
        all = attending(all, 8, 16, what.gate);
    }
    if what.rounds > 1 {
        all = twice(all);
    }
    let rows = numbers("rows", 512 * d_model, 1.0);
    let parts: Vec<Vec<usize>> = (0..n_units).map(|unit| vec![unit, unit + 100]).collect();
    let thresholds = vec![0.0; n_units];
    let (mut first, mut second, mut step) = (all.zeros_like(), all.zeros_like(), Step::default());
    let mut times: Vec<Duration> = (1..=100)
        .map(|time| {
            let started = Instant::now();
            let units = Speakers { parts: &parts, thresholds: &thresholds, speaking: 8 };
            let units = (n_units > 0).then_some(units);
            let plain = plain(&all, sparsity_k, refit_steps);
            let model = Model { units, combination_size: what.combination_size, ..plain };
            step.run(&model, &rows, &Task::default());
            descend(time, &mut all, &mut step.gradients, [&mut first, &mut second]);
            started.elapsed()
        })
        .collect();
    times.sort();
    [times[times.len() / 10], times[times.len() / 2]]
}

fn descend(
    time: i32,
    all: &mut Parameters,
    gradients: &mut Parameters,
    [first, second]: [&mut Parameters; 2],
) {
    let rates = AdamRates {
        rate: 3e-4,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        time,
        decay: 0.0,
        shorten: 1.0,
    };
    let width = all.d_model();
    let (directions, gradient) = (&mut all.decoder, &mut gradients.decoder);
    let directions = Directions { directions, gradient, width };
    adam_of_directions(&rates, directions, &mut first.decoder, &mut second.decoder);
    let others = all.named().zip(gradients.named());
    let memory = first.named().zip(second.named());
    for (((name, one), (_, gradient)), ((_, first), (_, second))) in others.zip(memory) {
        if name != "decoder" {
            adam(&rates, one, gradient, first, second);
        }
    }
}

#[test]
#[ignore = "measures, proves nothing"]
fn how_long_a_step_takes() {
    let small = Timed::default();
    let large = Timed { d_model: 384, n_features: 4_096, ..small };
    let twice = Timed { rounds: 2, ..small };
    let quadruples = Timed { combination_size: 4, gate: true, ..twice };
    for round in 0..3 {
        println!("round {round}: tenth and median");
        for (name, what) in [
            ("TopK 128->256", small),
            ("with 3 refit steps", Timed { refit_steps: 3, ..small }),
            ("with 3 refit steps and 128 units", Timed { refit_steps: 3, n_units: 128, ..small }),
            ("with attention", Timed { rounds: 1, ..small }),
            ("with attention in two rounds", twice),
            ("the same, 4 features combine, a gate", quadruples),
            ("the same, k 128, 2 features combine", Timed { sparsity_k: 128, ..twice }),
            ("the same, 4 features combine, a gate", Timed { sparsity_k: 128, ..quadruples }),
            ("TopK 384->4096", large),
            ("with 3 refit steps", Timed { refit_steps: 3, ..large }),
        ] {
            println!("  {name}: {:.2?}", time(what));
        }
    }
}
