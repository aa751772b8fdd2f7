//! Short trainings and other work that users wait for: `cargo bench -p shared -p trainer -p web --bench steps`.
//!
//! `trainer speed` measures single steps, in turns with what others would run.

use burn::prelude::Device;
use divan::Bencher;
use trainer::speed::{Task, times};

fn main() {
    divan::main();
}

/// Each with its first steps, and what a training does before them.
#[divan::bench(args = Task::usual(&Device::flex()), sample_count = 10, sample_size = 1)]
fn ten_calls(bencher: Bencher, task: Task) {
    bencher.bench(|| times(task, &Device::flex(), 10).expect("a task that runs without files"));
}
