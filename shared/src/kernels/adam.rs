//! Adam's step (Kingma and Ba, arXiv 1412.6980), in one pass over the parameters.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::Lanes;

/// How many numbers, or some more, one task takes.
const AT_ONCE: usize = 4_096;

/// The numbers of one step.
#[derive(Clone, Copy, Debug)]
pub struct AdamRates {
    /// How far a step goes.
    pub rate: f64,
    /// Memory of gradients.
    pub beta1: f64,
    /// Memory of squared gradients.
    pub beta2: f64,
    /// Added to the root of the squared gradients.
    pub epsilon: f64,
    /// The number of this step, from 1 on.
    pub time: i32,
    /// By how much the parameters shrink, times the rate (Loshchilov and Hutter, arXiv 1711.05101).
    pub decay: f64,
    /// What the gradient is multiplied by, so that it is not too long.
    pub shorten: f64,
}

/// Directions of length 1 that stay so, with their gradient: `[n_features, width]`.
#[derive(Debug)]
pub struct Directions<'a> {
    /// The directions.
    pub directions: &'a mut [f32],
    /// Their gradient. Loses what would only change lengths.
    pub gradient: &'a mut [f32],
    /// How long a direction is.
    pub width: usize,
}

/// Moves `parameters` a step against their `gradient`; `first` and `second` are the running means
/// of the gradient and of its square.
pub fn adam(
    rates: &AdamRates,
    parameters: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let lanes = Lanes::new();
    let parameters = parameters.par_chunks_mut(AT_ONCE).zip(gradient.par_chunks(AT_ONCE));
    let memory = first.par_chunks_mut(AT_ONCE).zip(second.par_chunks_mut(AT_ONCE));
    parameters.zip(memory).for_each(|((parameters, gradient), (first, second))| {
        lanes.0.dispatch(Update { rates, parameters, gradient, first, second });
    });
}

/// As [`adam`], for directions: the gradient along a direction is left out, and afterwards each has
/// the length 1 again.
pub fn adam_of_directions(
    rates: &AdamRates,
    what: Directions,
    first: &mut [f32],
    second: &mut [f32],
) {
    let lanes = Lanes::new();
    let Directions { directions, gradient, width } = what;
    let at_once = AT_ONCE.next_multiple_of(width);
    let directions = directions.par_chunks_mut(at_once).zip(gradient.par_chunks_mut(at_once));
    let memory = first.par_chunks_mut(at_once).zip(second.par_chunks_mut(at_once));
    directions.zip(memory).for_each(|((directions, gradient), (first, second))| {
        let rows = gradient.chunks_exact_mut(width).zip(directions.chunks_exact(width));
        for (gradient, direction) in rows {
            let mut along = [0.0];
            lanes.dots(&mut along, gradient, &[direction]);
            let pairs = gradient.iter_mut().zip(direction);
            pairs.for_each(|(gradient, direction)| *gradient -= along[0] * direction);
        }
        let parameters = &mut *directions;
        lanes.0.dispatch(Update { rates, parameters, gradient, first, second });
        for direction in directions.chunks_exact_mut(width) {
            let length = (lanes.square(direction) as f32).sqrt().max(1e-8);
            direction.iter_mut().for_each(|value| *value /= length);
        }
    });
}

/// Parameters, their gradient, and the running means of it and of its square.
struct Update<'a> {
    rates: &'a AdamRates,
    parameters: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { rates, parameters, gradient, first, second } = self;
        let (rate, epsilon) = (rates.rate as f32, rates.epsilon as f32);
        let (stay, shorten) = ((1.0 - rates.rate * rates.decay) as f32, rates.shorten as f32);
        let (keep1, keep2) = (rates.beta1 as f32, rates.beta2 as f32);
        let (add1, add2) = ((1.0 - rates.beta1) as f32, (1.0 - rates.beta2) as f32);
        let grow1 = (1.0 / (1.0 - rates.beta1.powi(rates.time))) as f32;
        let grow2 = (1.0 / (1.0 - rates.beta2.powi(rates.time))) as f32;
        let memory = first.iter_mut().zip(second);
        for ((parameter, gradient), (first, second)) in
            parameters.iter_mut().zip(gradient).zip(memory)
        {
            let gradient = gradient * shorten;
            *first = *first * keep1 + gradient * add1;
            *second = *second * keep2 + gradient * gradient * add2;
            let change = *first * grow1 / ((*second * grow2).sqrt() + epsilon);
            *parameter = *parameter * stay - change * rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: AdamRates = AdamRates {
        rate: 0.1,
        decay: 0.0,
        shorten: 1.0,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        time: 1,
    };

    #[test]
    fn the_first_step_moves_every_parameter_by_the_learning_rate() {
        let (mut first, mut second) = ([0.0; 2], [0.0; 2]);
        let mut parameters = [1.0, -2.0];

        adam(&RATES, &mut parameters, &[3.0, -0.5], &mut first, &mut second);

        assert!((parameters[0] - 0.9).abs() < 1e-6 && (parameters[1] + 1.9).abs() < 1e-6);
        assert!((first[0] - 0.3).abs() < 1e-6 && (second[0] - 0.009).abs() < 1e-6);
    }

    #[test]
    fn parameters_decay_and_a_long_gradient_is_shortened() {
        let rates = AdamRates { decay: 0.5, shorten: 0.25, ..RATES };
        let (mut first, mut second, mut parameters) = ([0.0], [0.0], [2.0]);

        adam(&rates, &mut parameters, &[8.0], &mut first, &mut second);

        assert!((parameters[0] - (2.0 * 0.95 - 0.1)).abs() < 1e-6);
        assert!((first[0] - 0.2).abs() < 1e-6 && (second[0] - 0.004).abs() < 1e-6);
    }

    #[test]
    fn directions_stay_at_length_one_and_do_not_turn_by_what_lies_along_them() {
        let mut directions = [0.6, 0.8, 1.0, 0.0];
        // Along the first direction; partly along the second.
        let mut gradient = [1.2, 1.6, 5.0, 1.0];
        let (mut first, mut second) = ([0.0; 4], [0.0; 4]);
        let what = Directions { directions: &mut directions, gradient: &mut gradient, width: 2 };

        adam_of_directions(&RATES, what, &mut first, &mut second);

        assert!(gradient[..2].iter().all(|value| value.abs() < 1e-6));
        assert_eq!(gradient[2..], [0.0, 1.0]);
        let length = (1.0_f32 + 0.01).sqrt();
        assert!((directions[2] - 1.0 / length).abs() < 1e-6);
        assert!((directions[3] + 0.1 / length).abs() < 1e-6);
    }
}
