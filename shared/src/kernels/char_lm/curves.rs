//! What is done to each number or row: norms, GELU, softmax, as wide as the processor computes.

use crate::kernels::exp::exp;
use crate::kernels::lanes::Lanes;

/// In how many sums a long sum is added up, so that several numbers are added at once.
const SUMS: usize = 16;
/// Added to a variance, as burn's and PyTorch's layer norms do.
const EPSILON: f32 = 1e-5;

/// `normed = (row - mean) / sqrt(var + epsilon)` for each row of `stream`, and that root's inverse.
pub(super) fn normalize(
    lanes: Lanes,
    stream: &[f32],
    width: usize,
    normed: &mut [f32],
    inverse: &mut [f32],
) {
    lanes.0.dispatch(
        #[inline(always)]
        || {
            let rows = stream.chunks_exact(width).zip(normed.chunks_exact_mut(width));
            for ((row, normed), inverse) in rows.zip(inverse) {
                let mean = sum(row, |value| value) / width as f32;
                let variance = sum(row, |value| (value - mean) * (value - mean)) / width as f32;
                *inverse = 1.0 / (variance + EPSILON).sqrt();
                for (normed, value) in normed.iter_mut().zip(row) {
                    *normed = (value - mean) * *inverse;
                }
            }
        },
    );
}

/// `out = normed * gain`, row by row.
pub(super) fn gained(lanes: Lanes, normed: &[f32], gain: &[f32], out: &mut [f32]) {
    lanes.0.dispatch(
        #[inline(always)]
        || {
            let rows = normed.chunks_exact(gain.len()).zip(out.chunks_exact_mut(gain.len()));
            for (normed, out) in rows {
                for ((out, normed), gain) in out.iter_mut().zip(normed).zip(gain) {
                    *out = normed * gain;
                }
            }
        },
    );
}

/// Back through a norm with its gain: from `slopes`, the gradient of what came out, adds
/// `inverse * (s - mean(s) - normed * mean(s * normed))`, `s = slopes * gain`, to the stream's, and
/// the sum of `slopes * normed` over the rows to the gain's.
pub(super) fn back_through_norm(
    lanes: Lanes,
    slopes: &mut [f32],
    (normed, inverse): (&[f32], &[f32]),
    gain: &[f32],
    of_stream: &mut [f32],
    of_gain: &mut [f32],
) {
    let width = gain.len();
    lanes.0.dispatch(
        #[inline(always)]
        || {
            let rows = slopes.chunks_exact_mut(width).zip(normed.chunks_exact(width));
            let rows = rows.zip(of_stream.chunks_exact_mut(width)).zip(inverse);
            for (((slopes, normed), of_stream), inverse) in rows {
                for ((of_gain, slope), normed) in of_gain.iter_mut().zip(&*slopes).zip(normed) {
                    *of_gain += slope * normed;
                }
                for (slope, gain) in slopes.iter_mut().zip(gain) {
                    *slope *= gain;
                }
                let mean = sum(slopes, |slope| slope) / width as f32;
                let along = sum_of_products(slopes, normed) / width as f32;
                for ((of_stream, slope), normed) in of_stream.iter_mut().zip(&*slopes).zip(normed) {
                    *of_stream += inverse * (slope - mean - normed * along);
                }
            }
        },
    );
}

/// `out += added`.
pub(super) fn add(lanes: Lanes, out: &mut [f32], added: &[f32]) {
    lanes.0.dispatch(
        #[inline(always)]
        || out.iter_mut().zip(added).for_each(|(out, added)| *out += added),
    );
}

/// `out = x Phi(x)`, the exact GELU (Hendrycks and Gimpel, arXiv 1606.08415).
pub(super) fn gelu(lanes: Lanes, hidden: &[f32], out: &mut [f32]) {
    lanes.0.dispatch(
        #[inline(always)]
        || {
            for (out, x) in out.iter_mut().zip(hidden) {
                *out = x * below(*x).0;
            }
        },
    );
}

/// `slopes *= Phi(x) + x phi(x)`.
pub(super) fn back_through_gelu(lanes: Lanes, hidden: &[f32], slopes: &mut [f32]) {
    const ROOT: f32 = 0.398_942_3; // 1 / sqrt(2 pi)
    lanes.0.dispatch(
        #[inline(always)]
        || {
            for (slope, x) in slopes.iter_mut().zip(hidden) {
                let (below, bell) = below(*x);
                *slope *= below + x * ROOT * bell;
            }
        },
    );
}

/// Turns each row of `scores` into chances; the row `i` is cut after `i + 1` places, the rest is 0.
pub(super) fn causal_softmax(lanes: Lanes, scores: &mut [f32], length: usize) {
    lanes.0.dispatch(
        #[inline(always)]
        || {
            for (place, row) in scores.chunks_exact_mut(length).enumerate() {
                let (known, future) = row.split_at_mut(place + 1);
                softmax(known);
                future.fill(0.0);
            }
        },
    );
}

/// Turns scores into chances.
pub(super) fn softmax_of(lanes: Lanes, scores: &mut [f32]) {
    lanes.0.dispatch(
        #[inline(always)]
        || {
            softmax(scores);
        },
    );
}

/// `slopes = chances * (slopes - sum(chances * slopes))`, row by row: back through a softmax.
pub(super) fn back_through_softmax(
    lanes: Lanes,
    chances: &[f32],
    slopes: &mut [f32],
    length: usize,
) {
    lanes.0.dispatch(
        #[inline(always)]
        || {
            let rows = chances.chunks_exact(length).zip(slopes.chunks_exact_mut(length));
            for (chances, slopes) in rows {
                let along = sum_of_products(chances, slopes);
                for (slope, chance) in slopes.iter_mut().zip(chances) {
                    *slope = chance * (*slope - along);
                }
            }
        },
    );
}

/// How much rows count, and all rows of the batch together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<'a> {
    pub(super) weights: &'a [f32],
    pub(super) total: f32,
}

/// The sum of the rows' losses in nats. If it is said how much each row counts, it counts so much in
/// the sum, and `logits` become the gradient of the mean loss, `w_i (p_i - y_i) / sum of w`.
pub(super) fn cross_entropy(
    lanes: Lanes,
    logits: &mut [f32],
    targets: &[u32],
    counted: Option<Counted>,
) -> f64 {
    let width = logits.len() / targets.len();
    let mut loss = 0.0;
    lanes.0.dispatch(
        #[inline(always)]
        || {
            let rows = logits.chunks_exact_mut(width).zip(targets).enumerate();
            for (number, (row, target)) in rows {
                let target = *target as usize;
                let score = row[target];
                let (most, total) = softmax(row);
                let own = f64::from(most + total.ln() - score);
                let Some(counted) = counted else {
                    loss += own;
                    continue;
                };
                let weight = counted.weights[number];
                loss += f64::from(weight) * own;
                row[target] -= 1.0;
                row.iter_mut().for_each(|value| *value = *value * weight / counted.total);
            }
        },
    );
    loss
}

/// Makes chances of scores. Gives the largest score, and the sum of `exp(score - largest)`.
#[inline(always)]
fn softmax(row: &mut [f32]) -> (f32, f32) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|value| *value = exp(*value - most));
    let total = sum(row, |value| value);
    row.iter_mut().for_each(|value| *value /= total);
    (most, total)
}

/// `Phi(x)`, the share of a normal distribution below `x`, within 1e-7, and `exp(-x^2 / 2)`.
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
#[inline(always)]
fn below(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let bell = exp(-z * z);
    let terms = ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_7) * t - 0.284_496_74) * t
        + 0.254_829_6)
        * t;
    let tail = 0.5 * terms * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell)
}

#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; SUMS];
    let (chunks, rest) = values.as_chunks::<SUMS>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += of(*value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| of(*value)).sum::<f32>()
}

#[inline(always)]
fn sum_of_products(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0; SUMS];
    let ((ones, rest), (others, other_rest)) = (one.as_chunks::<SUMS>(), other.as_chunks::<SUMS>());
    for (one, other) in ones.iter().zip(others) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += one * other;
        }
    }
    let rest = rest.iter().zip(other_rest).map(|(one, other)| one * other);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_below_are_those_of_the_tables() {
        // Abramowitz and Stegun, table 26.1.
        for (x, expected) in
            [(0.0, 0.5), (1.0, 0.841_344_7), (-1.0, 0.158_655_3), (2.5, 0.993_790_3)]
        {
            assert!((below(x).0 - expected).abs() < 2e-7, "{x}");
        }
        assert!((below(1.0).1 - (-0.5_f32).exp()).abs() < 1e-7);
    }

    #[test]
    fn a_likely_character_costs_little_and_pulls_little() {
        let [likely, unlikely] = [-(0.75_f64.ln()), -(0.25_f64.ln())];
        for (weights, expected_loss, expected) in [
            ([1.0, 1.0], likely + unlikely, [0.125, -0.125, -0.375, 0.375]),
            ([3.0, 1.0], 3.0 * likely + unlikely, [0.1875, -0.1875, -0.1875, 0.1875]),
        ] {
            let mut logits = [0.0, 3.0_f32.ln(), 0.0, 3.0_f32.ln()];
            let counted = Counted { weights: &weights, total: weights.iter().sum() };

            let loss = cross_entropy(Lanes::new(), &mut logits, &[1, 0], Some(counted));

            assert!((loss - expected_loss).abs() < 1e-6, "{loss}");
            let mut pairs = logits.iter().zip(expected);
            assert!(pairs.all(|(one, other)| (one - other).abs() < 1e-6), "{logits:?}");
        }
    }
}
