//! Short trainings and other work that users wait for: `cargo bench -p shared -p trainer -p web --bench steps`.
//!
//! `trainer speed` measures single steps, in turns with what others would run.

use burn::prelude::Device;
use divan::Bencher;
use rand::seq::index;
use shared::random::{normal, stream};
use trainer::analysis::exact_code::{Coding, ExactCode};
use trainer::analysis::missing::replacements;
use trainer::analysis::screening::{Evidence, ScreeningConfig, screen};
use trainer::analysis::vectors::{add, normalize};
use trainer::speed::{Task, times};

fn main() {
    divan::main();
}

/// Each with its first steps, and what a training does before them.
#[divan::bench(args = Task::usual(&Device::flex()), sample_count = 10, sample_size = 1)]
fn ten_calls(bencher: Bencher, task: Task) {
    bencher.bench(|| times(task, &Device::flex(), 10).expect("a task that runs without files"));
}

const ROWS: usize = 16_384;
const FEATURES: usize = 256;
const WIDTH: usize = 128;
/// How many features are on in a row, and with how many its code begins.
const ACTIVE: usize = 24;
const FIRST: usize = 40;
/// How many features, two by two, do something together.
const COMBINING: usize = 32;

/// Rows in which features, by chance, are on and some combine.
struct Sample {
    /// `[ROWS, WIDTH]`.
    rows: Vec<f32>,
    /// `[FEATURES, WIDTH]`.
    directions: Vec<f32>,
    /// `[ROWS, FIRST]`.
    first: Vec<i32>,
}

impl Sample {
    fn new() -> Self {
        let mut random = stream(0, "benchmark of the search");
        let mut drawn = |count: usize| {
            let mut directions = normal(&mut random, count * WIDTH, 1.0);
            directions.chunks_exact_mut(WIDTH).for_each(normalize);
            directions
        };
        let (directions, effects) = (drawn(FEATURES), drawn(COMBINING / 2));
        let mut rows = normal(&mut random, ROWS * WIDTH, 0.02);
        let mut first = vec![];
        for row in rows.chunks_exact_mut(WIDTH) {
            let features = index::sample(&mut random, FEATURES, FIRST).into_vec();
            let active = &features[..ACTIVE];
            for &feature in active {
                add(row, 1.0, &directions[feature * WIDTH..][..WIDTH]);
            }
            for pair in (0..COMBINING).step_by(2) {
                if active.contains(&pair) && active.contains(&(pair + 1)) {
                    add(row, 1.0, &effects[pair / 2 * WIDTH..][..WIDTH]);
                }
            }
            first.extend(features.into_iter().map(|feature| feature as i32));
        }
        Self { rows, directions, first }
    }

    fn code(&self) -> ExactCode {
        let Self { rows, directions, first } = self;
        Coding { rows, directions, d_model: WIDTH, first, k: FIRST, cut: 0.4 }.solve()
    }
}

/// Codes rows exactly, as each look at what a dictionary lacks begins.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn exact_code(bencher: Bencher) {
    let sample = Sample::new();
    bencher.bench(|| sample.code());
}

/// Looks for what a dictionary lacks in rows that are coded.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn missing_directions(bencher: Bencher) {
    let sample = Sample::new();
    let code = sample.code();
    bencher.bench(|| replacements(&code, &sample.directions, WIDTH));
}

/// Looks for combinations in rows that are coded.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn screening(bencher: Bencher) {
    let sample = Sample::new();
    let code = sample.code();
    let evidence = Evidence {
        codes: &code.rows,
        residuals: &code.residuals,
        directions: &sample.directions,
        d_model: WIDTH,
    };
    let config = ScreeningConfig::default();
    bencher.bench(|| screen(&evidence, &config).expect("rows and codes that fit together"));
}
