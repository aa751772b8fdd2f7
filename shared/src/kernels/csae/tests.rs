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
    }
}

fn plain(parameters: &Parameters, sparsity_k: usize, refit_steps: usize) -> Model<'_> {
    Model { parameters, units: None, refit_steps, sparsity_k }
}

/// The five kinds of parameters, by name.
fn fields(parameters: &mut Parameters) -> [(&'static str, &mut Vec<f32>); 5] {
    let Parameters { encoder, encoder_bias, decoder, decoder_bias, effects } = parameters;
    [
        ("encoder", encoder),
        ("encoder_bias", encoder_bias),
        ("decoder", decoder),
        ("decoder_bias", decoder_bias),
        ("effects", effects),
    ]
}

/// Compares the gradient with differences of the loss, at the places where `counts` says so and no
/// row changes its choice of features between the two sides.
fn assert_slopes(
    mut parameters: Parameters,
    loss: impl Fn(&Parameters) -> (f64, Parameters),
    counts: impl Fn(&str, usize) -> bool,
) {
    let (_, mut gradient) = loss(&parameters);
    let (mut checked, mut jumps) = (0, 0);
    for field in 0..5 {
        for place in 0..fields(&mut parameters)[field].1.len() {
            let name = fields(&mut parameters)[field].0;
            if !counts(name, place) {
                continue;
            }
            let old = fields(&mut parameters)[field].1[place];
            let mut at = |value| {
                fields(&mut parameters)[field].1[place] = value;
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
            let ours = f64::from(fields(&mut gradient)[field].1[place]);
            assert!(close(narrow, ours), "{name} {place}: {ours} is not {narrow}");
            checked += usize::from(narrow.abs() > 1e-3);
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
        effects: vec![],
    };
    let mut step = Step::default();

    step.run(&plain(&parameters, 1, 0), &[2.0, 3.0], &Task::default());

    assert_eq!(step.mse, (4.0 + 16.0) / 2.0);
    assert_eq!(step.fired, [true, false]);
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
        // Short directions: the pace, through which no gradient goes, is 1 wherever they turn.
        let loss = |parameters: &Parameters| {
            let mut step = Step::default();
            step.run(&plain(parameters, 3, refit_steps), &rows, &Task::default());
            (step.mse, step.gradients)
        };
        assert_slopes(parameters(6, 10, 0, 0.4), loss, |_, _| true);
    }
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
    assert_slopes(parameters(6, 10, 8, 0.9), loss, |name, _| name == "effects");
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
        let task = Task { dead: Some(&dead), auxk_weight: 1.0 };
        let mut step = Step::default();
        step.run(&plain(parameters, 2, 0), &rows, &task);
        assert!((0..n_features).all(|feature| !(dead[feature] && step.fired[feature])));
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
    let parameters = parameters(d_model, n_features, n_units, 1.0);
    let rows = numbers("rows", 300 * d_model, 1.0);
    let parts: Vec<Vec<usize>> = (0..n_units).map(|unit| vec![unit, unit + 9]).collect();
    let dead: Vec<bool> = (0..n_features).map(|feature| feature % 5 == 0).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let units = Speakers { parts: &parts, thresholds: &[0.0; 12], speaking: 4 };
            let model = Model { units: Some(units), ..plain(&parameters, 9, 3) };
            let task = Task { dead: Some(&dead), auxk_weight: 0.03 };
            let mut step = Step::default();
            step.run(&model, &rows, &task);
            // The second time in the memory of the first.
            step.run(&model, &rows, &task);
            (step.mse, step.auxk, step.gradients, step.fired)
        })
    };

    assert_eq!(on(1), on(3));
}

#[test]
fn a_step_in_used_memory_is_a_step_in_fresh_memory() {
    let parameters = parameters(12, 30, 0, 1.0);
    let (many, few) = (numbers("many", 200 * 12, 1.0), numbers("few", 70 * 12, 1.0));
    let dead = [true; 30];
    let (mut used, mut fresh) = (Step::default(), Step::default());
    let all = Task { dead: Some(&dead), auxk_weight: 1.0 };
    used.run(&plain(&parameters, 15, 4), &many, &all);

    used.run(&plain(&parameters, 5, 1), &few, &Task::default());
    fresh.run(&plain(&parameters, 5, 1), &few, &Task::default());

    assert_eq!(used.gradients, fresh.gradients);
    assert_eq!((used.mse, used.auxk, used.fired), (fresh.mse, fresh.auxk, fresh.fired));
}

#[test]
fn what_is_not_a_number_shows_in_the_loss() {
    let mut broken = parameters(12, 30, 0, 1.0);
    broken.encoder[40] = f32::NAN;
    let mut step = Step::default();

    step.run(&plain(&broken, 5, 2), &numbers("rows", 20 * 12, 1.0), &Task::default());

    assert!(step.mse.is_nan());
}

/// The median time of a whole training step: the kernel, Adam, directions at length 1.
fn time(d_model: usize, n_features: usize, refit_steps: usize, n_units: usize) -> Duration {
    let mut all = parameters(d_model, n_features, n_units, 1.0);
    all.encoder = all.decoder.clone();
    let rows = numbers("rows", 512 * d_model, 1.0);
    let parts: Vec<Vec<usize>> = (0..n_units).map(|unit| vec![unit, unit + 100]).collect();
    let thresholds = vec![0.0; n_units];
    let (mut first, mut second, mut step) = (all.zeros_like(), all.zeros_like(), Step::default());
    let mut times: Vec<Duration> = (1..=60)
        .map(|time| {
            let started = Instant::now();
            let units = Speakers { parts: &parts, thresholds: &thresholds, speaking: 8 };
            let units = (n_units > 0).then_some(units);
            let model = Model { parameters: &all, units, refit_steps, sparsity_k: 32 };
            step.run(&model, &rows, &Task::default());
            let rates = AdamRates {
                rate: 3e-4,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                time,
                decay: 0.0,
                shorten: 1.0,
            };
            let gradients = &mut step.gradients;
            let directions = Directions {
                directions: &mut all.decoder,
                gradient: &mut gradients.decoder,
                width: d_model,
            };
            adam_of_directions(&rates, directions, &mut first.decoder, &mut second.decoder);
            let others = fields(&mut all).into_iter().zip(fields(gradients));
            let memory = fields(&mut first).into_iter().zip(fields(&mut second));
            for (((name, one), (_, gradient)), ((_, first), (_, second))) in others.zip(memory) {
                if name != "decoder" {
                    adam(&rates, one, gradient, first, second);
                }
            }
            started.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "measures, proves nothing"]
fn how_long_a_step_takes() {
    for round in 0..3 {
        println!(
            "round {round}: TopK 128->256 {:?}, with 3 refit steps and 128 units {:?}, \
             with 3 refit steps {:?}, TopK 384->4096 {:?}, with 3 refit steps {:?}",
            time(128, 256, 0, 0),
            time(128, 256, 3, 128),
            time(128, 256, 3, 0),
            time(384, 4096, 0, 0),
            time(384, 4096, 3, 0),
        );
    }
}
