//! What changes with the steps: learning rates, the number of active features, combination sizes.

use shared::Limits;

use crate::plan::{LmTraining, Schedule};

/// The learning rate of nanoGPT: up in a line, then down along a cosine.
pub fn cosine_rate(step: u64, training: &LmTraining) -> f64 {
    if step < training.warmup {
        return training.learning_rate * (step + 1) as f64 / (training.warmup + 1) as f64;
    }
    let left = (training.iterations.saturating_sub(training.warmup)).max(1) as f64;
    let done = ((step - training.warmup) as f64 / left).min(1.0);
    let height = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
    training.min_learning_rate + height * (training.learning_rate - training.min_learning_rate)
}

/// An autoencoder's share of its learning rate: up in a line over `warmup` steps, level, and down
/// in a line to 0 over the last fifth.
pub fn trapezoid(step: u64, steps: u64, warmup: u64) -> f64 {
    let up = (step + 1) as f64 / warmup.max(1) as f64;
    let down = (steps - step) as f64 / (0.2 * steps as f64);
    up.min(down).min(1.0)
}

/// What the model may use at `step` of `steps`, where `last` is what it may use in the end.
pub fn limits(step: u64, steps: u64, schedule: Schedule, last: Limits) -> Limits {
    let done = step as f64 / steps as f64;
    let sparsity_k = schedule
        .sparsity_from
        .map_or(last.sparsity_k, |from| graduated(done, from, last.sparsity_k));
    let combination_size = match schedule.curriculum {
        true => grown(done, last.combination_size),
        false => last.combination_size,
    };
    Limits { sparsity_k, combination_size }
}

/// From `from` to `to` in a line over the first 60 % of the steps.
fn graduated(done: f64, from: usize, to: usize) -> usize {
    let left = (1.0 - done / 0.6).max(0.0);
    to + ((from.saturating_sub(to)) as f64 * left).round() as usize
}

/// Pairs for a third of the steps, then up to three parts, then up to four.
fn grown(done: f64, largest: usize) -> usize {
    let size = 2 + (done * 3.0) as usize;
    size.min(largest).min(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Profile, ProfileName};

    #[test]
    fn the_cosine_rises_to_its_top_and_falls_to_its_floor() {
        let training = Profile::named(ProfileName::Cpu).lm_training;
        let rate = |step| cosine_rate(step, &training);

        assert_eq!(rate(0), 1e-3 / 101.0);
        assert_eq!(rate(100), 1e-3);
        assert!((rate(1_050) - 5.5e-4).abs() < 1e-12);
        assert!((rate(2_000) - 1e-4).abs() < 1e-12);
        assert!((100..1_999).all(|step| rate(step + 1) < rate(step)));
    }

    #[test]
    fn the_trapezoid_is_level_between_its_ends() {
        let share = |step| trapezoid(step, 1_000, 100);

        assert_eq!(share(0), 0.01);
        assert_eq!(share(99), 1.0);
        assert_eq!(share(800), 1.0);
        assert_eq!(share(900), 0.5);
        assert_eq!(share(999), 1.0 / 200.0);
    }

    #[test]
    fn graduated_sparsity_falls_over_the_first_sixty_per_cent() {
        let schedule = Schedule { sparsity_from: Some(128), curriculum: false };
        let last = Limits { sparsity_k: 32, combination_size: 4 };
        let k = |step| limits(step, 1_000, schedule, last).sparsity_k;

        assert_eq!([k(0), k(300), k(600), k(999)], [128, 80, 32, 32]);
        assert!((0..999).all(|step| k(step + 1) <= k(step)));
        assert_eq!(limits(0, 1_000, schedule, last).combination_size, 4);
    }

    #[test]
    fn the_curriculum_gives_each_size_a_third() {
        let schedule = Schedule { sparsity_from: None, curriculum: true };
        let size = |step, combination_size| {
            let last = Limits { sparsity_k: 32, combination_size };
            limits(step, 900, schedule, last).combination_size
        };

        let sizes = [0, 299, 300, 599, 600, 899].map(|step| size(step, 4));
        assert_eq!(sizes, [2, 2, 3, 3, 4, 4]);
        assert_eq!(size(899, 2), 2);
        assert_eq!(size(899, 1), 1);
    }

    #[test]
    fn without_a_schedule_nothing_changes() {
        let last = Limits { sparsity_k: 32, combination_size: 2 };

        assert_eq!(limits(0, 10, Schedule::default(), last), last);
    }
}
