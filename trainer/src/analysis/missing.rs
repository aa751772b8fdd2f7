//! What a dictionary lacks: directions that are left over again and again, and features that others
//! could replace.
//!
//! Gradients leave some directions unlearned: two features share one direction while another has
//! none, and what is missing is left over on every row that needs it. In rows coded exactly this can
//! be seen and counted: how much worse would the rows be explained without a feature, how much
//! better with a further direction? A direction that is left over only where the same two features
//! are active is no feature; it is what these combine to.

mod worth;

use rayon::prelude::*;

use super::exact_code::ExactCode;
use super::vectors::{add, dot, normalize, square};

pub use worth::{Worth, worth};

/// How many directions are looked for at a time.
const MOST: usize = 32;
/// How often a direction is moved toward the rows that it explains.
const MOVES: usize = 12;
/// How far above the noise of a direction a row must reach to count, in standard deviations.
const REACH: f64 = 3.5;
/// How much more a new direction must explain than the feature that goes.
const ADVANTAGE: f64 = 1.2;
/// A direction of which one pair of features has more than this share is a combination.
const SHARE_OF_A_PAIR: f64 = 0.6;
/// A direction with a larger cosine is there already.
const SAME: f32 = 0.9;
/// A direction of which one feature has more than this share is half of what that one merges.
const SHARE_OF_A_FEATURE: f64 = 0.7;

/// A direction that is missing.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Of length 1: `[d_model]`.
    pub direction: Vec<f32>,
    /// By how much the squared error of the rows would fall.
    pub gain: f64,
    /// The largest share of it on rows with the same two features.
    pub pair_share: f64,
    /// On how many rows it would fire.
    pub support: usize,
    /// The feature that merges it with something else.
    pub half_of: Option<usize>,
}

/// A feature and the direction that should be in its place.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The feature that goes.
    pub feature: usize,
    /// What comes.
    pub missing: Missing,
}

/// Which features should go for which directions, the most needless feature first.
///
/// `directions` is `[n_features, d_model]`, each of length 1.
pub fn replacements(code: &ExactCode, directions: &[f32], d_model: usize) -> Vec<Replacement> {
    let worth: Vec<f64> = worth(code, directions, d_model).iter().map(Worth::counted).collect();
    let mut needless: Vec<usize> = (0..worth.len()).collect();
    needless.sort_by(|one, other| worth[*one].total_cmp(&worth[*other]));
    let is_there = |found: &Missing| {
        let mut known = directions.chunks_exact(d_model);
        known.any(|direction| dot(direction, &found.direction) > SAME)
    };
    let missing = missing(code, directions, d_model)
        .into_iter()
        .filter(|found| found.pair_share < SHARE_OF_A_PAIR && !is_there(found));
    needless
        .into_iter()
        .zip(missing)
        .take_while(|(feature, found)| found.gain > ADVANTAGE * worth[*feature])
        .map(|(feature, missing)| Replacement { feature, missing })
        .collect()
}

/// The directions that are left over most, the one that explains most first.
pub fn missing(code: &ExactCode, directions: &[f32], d_model: usize) -> Vec<Missing> {
    let n_features = directions.len() / d_model;
    let mut left = code.residuals.clone();
    let mut squares: Vec<f64> = left.par_chunks_exact(d_model).map(square).collect();
    let mut sorted = squares.clone();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2) else { return vec![] };
    let least = (REACH * (median / d_model as f64).sqrt()) as f32;
    let mut all = vec![];
    for _ in 0..MOST {
        let Some(start) = (0..squares.len()).max_by(|a, b| squares[*a].total_cmp(&squares[*b]))
        else {
            break;
        };
        let mut direction = left[start * d_model..][..d_model].to_vec();
        normalize(&mut direction);
        for _ in 0..MOVES {
            direction = moved(&left, &direction, least);
        }
        let mut found = measure(&left, &direction, least, code, n_features);
        // What is taken away is not found again.
        squares[start] = 0.0;
        for (row, left) in left.chunks_exact_mut(d_model).enumerate() {
            let along = dot(left, &direction);
            if along > least {
                left.iter_mut().zip(&direction).for_each(|(left, axis)| *left -= along * axis);
                squares[row] = squares[row].min(square(left));
            }
        }
        if let Some(feature) = found.half_of {
            found.direction = whole(code, directions, feature, &found.direction, least);
        }
        if found.gain > 0.0 {
            all.push(found);
        }
    }
    all.sort_by(|one, other| other.gain.total_cmp(&one.gain));
    all
}

/// The mean of the rows that reach far along `direction`, weighed by how far.
fn moved(left: &[f32], direction: &[f32], least: f32) -> Vec<f32> {
    const AT_ONCE: usize = 4096;
    let d_model = direction.len();
    let sums: Vec<Vec<f32>> = left
        .par_chunks(AT_ONCE * d_model)
        .map(|block| {
            let mut sum = vec![0.0; d_model];
            for row in block.chunks_exact(d_model) {
                let along = dot(row, direction);
                if along > least {
                    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += along * value);
                }
            }
            sum
        })
        .collect();
    let mut mean = vec![0.0; d_model];
    for sum in sums {
        mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean += sum);
    }
    match square(&mean) > 0.0 {
        true => normalize(&mut mean),
        false => mean.copy_from_slice(direction),
    }
    mean
}

/// What `direction` explains: on rows above `least`, less what chance brings, which it would bring
/// on the other side as well.
fn measure(
    left: &[f32],
    direction: &[f32],
    least: f32,
    code: &ExactCode,
    n_features: usize,
) -> Missing {
    let along: Vec<f32> =
        left.par_chunks_exact(direction.len()).map(|row| dot(row, direction)).collect();
    let (mut gain, mut above, mut support) = (0.0, 0.0, 0);
    let mut pairs = vec![0.0_f64; n_features * n_features];
    let mut singles = vec![0.0_f64; n_features];
    for (row, along) in along.iter().enumerate() {
        let energy = f64::from(along * along);
        if *along > least {
            gain += energy;
            above += energy;
            support += 1;
            let (active, _) = code.rows.row(row);
            for (place, one) in active.iter().enumerate() {
                singles[*one as usize] += energy;
                for other in &active[place + 1..] {
                    pairs[*one as usize * n_features + *other as usize] += energy;
                }
            }
        } else if *along < -least {
            gain -= energy;
        }
    }
    let most = pairs.into_iter().fold(0.0, f64::max);
    let pair_share = most / f64::max(above, 1e-12);
    let merging = (0..n_features).filter(|one| singles[*one] > SHARE_OF_A_FEATURE * above);
    let half_of = merging
        .filter(|_| pair_share < SHARE_OF_A_PAIR)
        .max_by(|one, other| singles[*one].total_cmp(&singles[*other]));
    Missing { direction: direction.to_vec(), gain, pair_share, support, half_of }
}

/// What rows that reach along `direction` have in common with what `feature` says of them.
fn whole(
    code: &ExactCode,
    directions: &[f32],
    feature: usize,
    direction: &[f32],
    least: f32,
) -> Vec<f32> {
    let d_model = direction.len();
    let own = &directions[feature * d_model..][..d_model];
    let mut sum = vec![0.0; d_model];
    for (row, left) in code.residuals.chunks_exact(d_model).enumerate() {
        if let Some(strength) = code.rows.value(row, feature)
            && dot(left, direction) > least
        {
            add(&mut sum, strength, left);
            add(&mut sum, strength * strength, own);
        }
    }
    normalize(&mut sum);
    sum
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use shared::random::{normal, stream};

    use super::super::exact_code::Coding;
    use super::*;

    const WIDTH: usize = 16;
    const ROWS: usize = 4_000;

    fn axis(place: usize) -> Vec<f32> {
        (0..WIDTH).map(|other| f32::from(u8::from(other == place))).collect()
    }

    /// The code of rows in which each of `axes` fires on a tenth of the rows and `effect` where axes
    /// 0 and 1 both do, by a dictionary of `directions`.
    fn coded(axes: usize, effect: Option<usize>, directions: &[Vec<f32>]) -> ExactCode {
        let mut random = stream(3, "rows");
        let mut rows = vec![];
        for _ in 0..ROWS {
            let mut row = normal(&mut random, WIDTH, 0.05);
            let together = random.random::<f32>() < 0.05;
            let fires: Vec<bool> = (0..axes)
                .map(|place| random.random::<f32>() < 0.1 || (together && place < 2))
                .collect();
            fires
                .iter()
                .enumerate()
                .filter(|(_, on)| **on)
                .for_each(|(place, _)| row[place] += 1.0);
            if let Some(effect) = effect.filter(|_| fires[0] && fires[1]) {
                row[effect] += 1.0;
            }
            rows.extend(row);
        }
        let first: Vec<i32> = (0..ROWS).flat_map(|_| 0..directions.len() as i32).collect();
        let (directions, k) = (directions.concat(), directions.len());
        let coding = Coding {
            rows: &rows,
            directions: &directions,
            d_model: WIDTH,
            first: &first,
            k,
            cut: 0.4,
        };
        coding.solve()
    }

    #[test]
    fn a_direction_that_is_missing_takes_the_place_of_a_double() {
        let mut near = axis(0);
        near[1] = 0.1;
        normalize(&mut near);
        let directions = [axis(0), axis(1), axis(2), near];
        let code = coded(4, None, &directions);

        let found = replacements(&code, &directions.concat(), WIDTH);

        let [Replacement { feature, missing }] = &found[..] else { panic!("{found:?}") };
        assert!([0, 3].contains(feature), "{feature}");
        assert!(missing.direction[3] > 0.95, "{:?}", missing.direction);
    }

    #[test]
    fn what_two_features_combine_to_is_no_feature() {
        let mut near = axis(0);
        near[1] = 0.1;
        normalize(&mut near);
        let directions = [axis(0), axis(1), axis(2), near];
        let code = coded(3, Some(9), &directions);

        let all = missing(&code, &directions.concat(), WIDTH);

        assert!(all[0].direction[9] > 0.9 && all[0].pair_share > 0.6, "{:?}", all[0]);
        assert!(replacements(&code, &directions.concat(), WIDTH).is_empty());
    }

    #[test]
    fn a_feature_that_merges_two_is_told_in_halves() {
        let mut merged: Vec<f32> = axis(0);
        add(&mut merged, 1.0, &axis(3));
        normalize(&mut merged);
        let directions = [merged, axis(1), axis(2)];
        let code = coded(4, None, &directions);

        let all = missing(&code, &directions.concat(), WIDTH);

        let half = all.iter().find(|found| found.half_of == Some(0)).unwrap();
        assert!(half.direction[0].max(half.direction[3]) > 0.95, "{:?}", half.direction);
    }

    #[test]
    fn a_feature_for_two_others_together_counts_little() {
        let mut both = axis(0);
        add(&mut both, 1.0, &axis(1));
        add(&mut both, 0.6, &axis(9));
        normalize(&mut both);
        let directions = [axis(0), axis(1), axis(2), both];
        let code = coded(3, Some(9), &directions);

        let worth = worth(&code, &directions.concat(), WIDTH);

        assert!(worth[3].counted() < 0.2 * worth[3].energy, "{worth:?}");
        assert_eq!(worth[2].counted(), worth[2].energy);
    }

    #[test]
    fn a_complete_dictionary_lacks_nothing() {
        let directions = [axis(0), axis(1), axis(2)];
        let code = coded(3, None, &directions);

        assert!(replacements(&code, &directions.concat(), WIDTH).is_empty());
    }
}
