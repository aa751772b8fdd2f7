//! Exact codes: the non-negative least squares solution on some directions.

use pulp::{Simd, WithSimd};

/// Sweeps of coordinate descent, at most. Some twenty are usual.
const SWEEPS: usize = 2_000;

/// `argmin over f >= 0 of |x - sum of f_j d_j|^2`, from `gram[i * n + j] = d_i . d_j`, which is
/// symmetric, and `toward[j] = d_j . x`.
///
/// With independent directions the problem is strictly convex, so where coordinate descent stands
/// still is the solution.
pub fn non_negative(gram: &[f64], toward: &[f64]) -> Vec<f64> {
    non_negative_from(gram, toward, vec![0.0; toward.len()], 1e-9)
}

/// The same by coordinate descent from `strengths` on, `f_i <- max(0, f_i + (toward_i - (G f)_i) /
/// G_ii)`, until no step is larger than `tolerance` times the largest of `toward`.
pub fn non_negative_from(
    gram: &[f64],
    toward: &[f64],
    mut strengths: Vec<f64>,
    tolerance: f64,
) -> Vec<f64> {
    let most = toward.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let left = toward.to_vec();
    let tolerance = tolerance * most;
    pulp::Arch::new().dispatch(Descent { gram, left, strengths: &mut strengths, tolerance });
    strengths
}

/// Coordinate descent with the widest instructions that there are.
struct Descent<'a> {
    gram: &'a [f64],
    /// What each direction says of what is left: `toward - G f`.
    left: Vec<f64>,
    strengths: &'a mut [f64],
    tolerance: f64,
}

impl WithSimd for Descent<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { gram, mut left, strengths, tolerance } = self;
        let count = left.len();
        let scales: Vec<f64> = (0..count)
            .map(|place| 1.0 / gram[place * count + place].max(f64::MIN_POSITIVE))
            .collect();
        for (strength, gram) in strengths.iter().zip(gram.chunks_exact(count.max(1))) {
            take(&mut left, *strength, gram);
        }
        for _ in 0..SWEEPS {
            let mut largest: f64 = 0.0;
            for place in 0..count {
                let next = f64::max(0.0, strengths[place] + left[place] * scales[place]);
                let step = next - strengths[place];
                if step != 0.0 {
                    take(&mut left, step, &gram[place * count..][..count]);
                    strengths[place] = next;
                    largest = largest.max(step.abs());
                }
            }
            if largest <= tolerance {
                break;
            }
        }
    }
}

#[inline(always)]
fn take(left: &mut [f64], times: f64, gram: &[f64]) {
    left.iter_mut().zip(gram).for_each(|(left, product)| *left -= times * product);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_strengths_come_out() {
        // Directions at 60 degrees; x = 2 d_1 + d_2.
        let strengths = non_negative(&[1.0, 0.5, 0.5, 1.0], &[2.5, 2.0]);

        assert!((strengths[0] - 2.0).abs() < 1e-6 && (strengths[1] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn any_start_leads_to_the_strengths_that_were_put_in() {
        let (count, width) = (12, 32);
        let mut random = shared::random::stream(1, "test");
        let numbers = shared::random::normal(&mut random, count * width, 1.0);
        let directions = || numbers.chunks_exact(width);
        let dot = |one: &[f32], other: &[f32]| {
            one.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum::<f64>()
        };
        let gram: Vec<f64> =
            directions().flat_map(|one| directions().map(move |other| dot(one, other))).collect();
        let put_in: Vec<f64> = (0..count).map(|place| (place % 3) as f64).collect();
        let toward: Vec<f64> = gram
            .chunks_exact(count)
            .map(|row| row.iter().zip(&put_in).map(|(product, strength)| product * strength).sum())
            .collect();

        for start in [0.0, 5.0] {
            let strengths = non_negative_from(&gram, &toward, vec![start; count], 1e-9);
            let wrong = strengths.iter().zip(&put_in).map(|(one, other)| (one - other).abs());
            assert!(wrong.fold(0.0, f64::max) < 1e-6, "{strengths:?}");
        }
        assert!(non_negative(&[], &[]).is_empty());
    }

    #[test]
    fn what_would_be_negative_is_zero_and_the_rest_is_fitted_without_it() {
        // x = d_1 - d_2: d_2 is left out, d_1 gets its projection.
        let strengths = non_negative(&[1.0, 0.5, 0.5, 1.0], &[0.5, -0.5]);

        assert!((strengths[0] - 0.5).abs() < 1e-6);
        assert_eq!(strengths[1], 0.0);
    }
}
