//! Quantiles, resampled means, and correlations of ranks.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use shared::span::{Span, dot};

/// The value at this share of the way through `sorted`, the nearest that there is.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((share * last as f64).round() as usize).copied()
}

/// Between which of the `values` the middle 95 % lie, if there are any.
pub fn middle(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    Some([quantile(&values, 0.025)?, quantile(&values, 0.975)?])
}

/// The 95 % percentile interval of the mean of `values` drawn anew so often; none for fewer than two.
pub fn resampled_mean(
    values: &[f64],
    resamples: usize,
    random: &mut ChaCha8Rng,
) -> Option<[f64; 2]> {
    let count = values.len();
    if count < 2 {
        return None;
    }
    let mean = |_| {
        let draw = (0..count).map(|_| values[random.random_range(0..count)]);
        draw.sum::<f64>() / count as f64
    };
    middle((0..resamples).map(mean).collect())
}

/// Spearman's correlation of `one` and `other` with what the `given` columns say of either taken out:
/// all become ranks, the ranks of the given are regressed out, and what is left is correlated. `None`
/// with fewer than four more values than columns, or if nothing is left to correlate.
pub fn partial_spearman(one: &[f64], other: &[f64], given: &[Vec<f64>]) -> Option<f64> {
    if one.len() < given.len() + 4 {
        return None;
    }
    let (mut one, mut other) = (centred_ranks(one), centred_ranks(other));
    let span = Span::of(given.iter().map(|column| centred_ranks(column)), 1e-9);
    span.remove_from(&mut one);
    span.remove_from(&mut other);
    let lengths = (dot(&one, &one) * dot(&other, &other)).sqrt();
    (lengths > 1e-9).then(|| dot(&one, &other) / lengths)
}

/// Ranks less their mean; equal values share the mean of their ranks.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    for same in order.chunk_by(|one, other| values[*one] == values[*other]) {
        let before = order.partition_point(|place| values[*place] < values[same[0]]);
        let rank = before as f64 + (same.len() as f64 - 1.0) / 2.0;
        same.iter().for_each(|place| ranks[*place] = rank - middle);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_columns_it_is_spearmans_and_order_is_all_that_counts() {
        let one = [1.0, 2.0, 3.0, 4.0, 5.0];

        let rising = partial_spearman(&one, &[1.0, 10.0, 11.0, 50.0, 1e9], &[]).unwrap();
        let ties = partial_spearman(&one, &[1.0, 1.0, 2.0, 3.0, 4.0], &[]).unwrap();

        assert!((rising - 1.0).abs() < 1e-12);
        assert!((ties - 9.5 / (10.0_f64 * 9.5).sqrt()).abs() < 1e-12, "{ties}");
    }

    #[test]
    fn what_only_a_third_explains_is_gone() {
        let third: Vec<f64> = (0..40).map(f64::from).collect();
        let noise = |step: usize, period: usize| -> Vec<f64> {
            third.iter().map(|x| x + 2.0 * ((*x as usize * step) % period) as f64).collect()
        };
        let (one, other) = (noise(3, 7), noise(4, 11));

        let plain = partial_spearman(&one, &other, &[]).unwrap();
        let partial = partial_spearman(&one, &other, &[third]).unwrap();

        assert!(plain > 0.6 && partial.abs() < 0.5 * plain, "{plain} {partial}");
        assert_eq!(partial_spearman(&one[..4], &other[..4], &[one[..4].to_vec()]), None);
    }
}
