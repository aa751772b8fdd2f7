//! Exact codes: the non-negative least squares solution on some directions.

/// Sweeps of coordinate descent before anything is solved exactly: they find most of what is 0.
const SWEEPS: usize = 8;
/// How many exact solutions there are for each direction, at most. Some few in all are usual.
const SOLUTIONS: usize = 3;
/// A direction of which less than this share is its own counts as if it had this much.
const LEAST_OWN: f64 = 1e-9;

/// `argmin over f >= 0 of |x - sum of f_j d_j|^2`, from `gram[i * n + j] = d_i . d_j` and
/// `toward[j] = d_j . x`.
///
/// Lawson and Hanson's active sets (Solving Least Squares Problems, 1974, chapter 23), begun where
/// some sweeps of coordinate descent end. With independent directions the problem is strictly convex,
/// and what comes out is the solution.
pub fn non_negative(gram: &[f64], toward: &[f64]) -> Vec<f64> {
    let count = toward.len();
    let tolerance = 1e-9 * toward.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut strengths = vec![0.0; count];
    for _ in 0..SWEEPS {
        sweep(gram, toward, &mut strengths);
    }
    let mut on: Vec<usize> = (0..count).filter(|place| strengths[*place] > 0.0).collect();
    for _ in 0..SOLUTIONS * count {
        let solution = solve(gram, toward, &on);
        if solution.iter().all(|strength| *strength > 0.0) {
            on.iter().zip(&solution).for_each(|(place, value)| strengths[*place] = *value);
            let pull = |place: &usize| toward[*place] - explained(gram, &strengths, *place);
            let off = (0..count).filter(|place| strengths[*place] == 0.0);
            let most = off.max_by(|one, other| pull(one).total_cmp(&pull(other)));
            match most.filter(|place| pull(place) > tolerance) {
                Some(place) => on.push(place),
                None => break,
            }
        } else {
            approach(&mut strengths, &on, &solution);
            on.retain(|place| strengths[*place] > 0.0);
        }
    }
    strengths
}

/// `(G f)_i`.
fn explained(gram: &[f64], strengths: &[f64], place: usize) -> f64 {
    let gram = &gram[place * strengths.len()..][..strengths.len()];
    gram.iter().zip(strengths).map(|(g, f)| g * f).sum()
}

/// `f_i <- max(0, f_i + (toward_i - (G f)_i) / G_ii)` for one direction after the other.
fn sweep(gram: &[f64], toward: &[f64], strengths: &mut [f64]) {
    let count = strengths.len();
    for place in 0..count {
        let own = gram[place * count + place].max(f64::MIN_POSITIVE);
        let step = (toward[place] - explained(gram, strengths, place)) / own;
        strengths[place] = f64::max(0.0, strengths[place] + step);
    }
}

/// Goes toward the solution on the directions that are `on`, until the first of them falls to 0.
fn approach(strengths: &mut [f64], on: &[usize], solution: &[f64]) {
    let falling = || on.iter().zip(solution).filter(|(_, goal)| **goal <= 0.0);
    let reach = |(place, goal): (&usize, &f64)| strengths[*place] / (strengths[*place] - goal);
    let share = falling().map(reach).filter(|share| share.is_finite()).fold(1.0, f64::min);
    let stops: Vec<usize> = falling()
        .filter(|(place, goal)| strengths[**place] == 0.0 || reach((place, goal)) <= share)
        .map(|(place, _)| *place)
        .collect();
    for (place, goal) in on.iter().zip(solution) {
        strengths[*place] = f64::max(0.0, strengths[*place] + share * (goal - strengths[*place]));
    }
    stops.into_iter().for_each(|place| strengths[place] = 0.0);
}

/// The strengths, of either sign, that explain most with the directions `on`, by Cholesky.
fn solve(gram: &[f64], toward: &[f64], on: &[usize]) -> Vec<f64> {
    let (all, count) = (toward.len(), on.len());
    let mut factor = vec![0.0; count * count];
    let mut solution = vec![0.0; count];
    for row in 0..count {
        for column in 0..=row {
            let (left, right) =
                (&factor[row * count..][..column], &factor[column * count..][..column]);
            let known: f64 = left.iter().zip(right).map(|(a, b)| a * b).sum();
            let rest = gram[on[row] * all + on[column]] - known;
            factor[row * count + column] = match row == column {
                true => rest.max(LEAST_OWN * gram[on[row] * all + on[row]]).sqrt(),
                false => rest / factor[column * count + column],
            };
        }
        let known: f64 = (0..row).map(|at| factor[row * count + at] * solution[at]).sum();
        solution[row] = (toward[on[row]] - known) / factor[row * count + row];
    }
    for row in (0..count).rev() {
        let known: f64 = (row + 1..count).map(|at| factor[at * count + row] * solution[at]).sum();
        solution[row] = (solution[row] - known) / factor[row * count + row];
    }
    solution
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
    fn what_would_be_negative_is_zero_and_the_rest_is_fitted_without_it() {
        // x = d_1 - d_2: d_2 is left out, d_1 gets its projection.
        let strengths = non_negative(&[1.0, 0.5, 0.5, 1.0], &[0.5, -0.5]);

        assert!((strengths[0] - 0.5).abs() < 1e-6);
        assert_eq!(strengths[1], 0.0);
    }

    #[test]
    fn nothing_can_be_gained_from_what_is_off_and_nothing_is_left_of_what_is_on() {
        let (count, width) = (40, 48);
        let mut rng = shared::random::stream(1, "test");
        for _ in 0..20 {
            // Far from orthogonal: all of them share a direction.
            let mut numbers = shared::random::normal(&mut rng, count * width, 1.0);
            numbers.chunks_exact_mut(width).for_each(|row| row[0] += 9.0);
            let row = |place: usize| &numbers[place * width..][..width];
            let dot = |one: &[f32], other: &[f32]| -> f64 {
                one.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum()
            };
            let target = shared::random::normal(&mut rng, width, 1.0);
            let gram: Vec<f64> = (0..count)
                .flat_map(|one| (0..count).map(move |other| (one, other)))
                .map(|(one, other)| dot(row(one), row(other)))
                .collect();
            let toward: Vec<f64> = (0..count).map(|place| dot(row(place), &target)).collect();

            let strengths = non_negative(&gram, &toward);

            let on = strengths.iter().filter(|strength| **strength > 0.0).count();
            assert!(on > 5 && on < 35, "{on}");
            for (place, strength) in strengths.iter().enumerate() {
                let pull = toward[place] - explained(&gram, &strengths, place);
                assert!(*strength >= 0.0 && pull < 1e-6, "{strength} {pull}");
                assert!(*strength == 0.0 || pull.abs() < 1e-6, "{strength} {pull}");
            }
        }
    }

    #[test]
    fn the_same_direction_twice_does_no_harm() {
        let strengths = non_negative(&[1.0, 1.0, 1.0, 1.0], &[2.0, 2.0]);

        assert!((strengths.iter().sum::<f64>() - 2.0).abs() < 1e-6, "{strengths:?}");
    }
}
