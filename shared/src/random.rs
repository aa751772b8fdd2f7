//! Random numbers with a name: every stream has its own seed, so no stream disturbs another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The random stream that is called `name` in an experiment with this `seed`.
///
/// Streams of different names or seeds are independent; the same pair gives the same numbers on
/// every machine. `set_stream` and `set_word_pos` of the result reach any place in it directly,
/// which is how a resumed training sees the batches that it would have seen.
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// `count` numbers from the normal distribution with mean 0 and the given standard deviation
/// (Box and Muller's transform).
pub fn normal(rng: &mut ChaCha8Rng, count: usize, deviation: f32) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(count + 1);
    while numbers.len() < count {
        // In (0, 1], so that the logarithm is finite.
        let first = (f64::from(rng.next_u32()) + 1.0) / 4_294_967_296.0;
        let second = f64::from(rng.next_u32()) / 4_294_967_296.0;
        let radius = (-2.0 * first.ln()).sqrt() * f64::from(deviation);
        let (sine, cosine) = (std::f64::consts::TAU * second).sin_cos();
        numbers.push((radius * cosine) as f32);
        numbers.push((radius * sine) as f32);
    }
    numbers.truncate(count);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_name_and_by_seed_and_repeat() {
        let draw = |seed, name| stream(seed, name).next_u64();

        assert_eq!(draw(1, "weights"), draw(1, "weights"));
        assert_ne!(draw(1, "weights"), draw(1, "batches"));
        assert_ne!(draw(1, "weights"), draw(2, "weights"));
    }

    #[test]
    fn normal_numbers_have_the_asked_spread() {
        let numbers = normal(&mut stream(0, "test"), 10_001, 2.0);

        let mean = numbers.iter().sum::<f32>() / 10_001.0;
        let variance = numbers.iter().map(|n| n * n).sum::<f32>() / 10_001.0;
        assert_eq!(numbers.len(), 10_001);
        assert!(mean.abs() < 0.1, "{mean}");
        assert!((variance - 4.0).abs() < 0.3, "{variance}");
    }
}
