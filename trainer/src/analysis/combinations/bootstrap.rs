//! How sure a number is: by resampling stretches of the text, because rows close to one another are
//! alike.

use rand::RngExt;
use shared::random;

use crate::analysis::screening::sparse::Column;

/// Into how many stretches the text is cut.
const STRETCHES: usize = 128;
/// How often it is put together anew.
const TIMES: usize = 200;

/// The mean strength of each feature where it fires, in each resampled text.
pub(super) fn mean_strengths(columns: &[Column], rows: usize) -> impl Iterator<Item = Vec<f32>> {
    let n_features = columns.len();
    let mut sums = vec![(0.0_f64, 0.0_f64); STRETCHES * n_features];
    for (feature, column) in columns.iter().enumerate() {
        for (row, strength) in column {
            let stretch = *row as usize * STRETCHES / rows;
            let sum = &mut sums[stretch * n_features + feature];
            *sum = (sum.0 + f64::from(*strength), sum.1 + 1.0);
        }
    }
    let mut stream = random::stream(0, "bootstrap of combinations");
    (0..TIMES).map(move |_| {
        let mut all = vec![(0.0, 0.0_f64); n_features];
        for _ in 0..STRETCHES {
            let stretch = stream.random_range(0..STRETCHES);
            let some = &sums[stretch * n_features..][..n_features];
            all.iter_mut().zip(some).for_each(|(all, some)| {
                *all = (all.0 + some.0, all.1 + some.1);
            });
        }
        all.into_iter().map(|(sum, count)| (sum / count.max(1.0)) as f32).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rank::middle;

    #[test]
    fn resampled_means_scatter_as_the_mean_does() {
        // On each of 1,280 rows the strength is 1 or 3 by chance: a deviation of 1.
        let mut coin = random::stream(1, "test");
        let strength = |row| (row, if coin.random() { 1.0 } else { 3.0 });
        let columns = [(0..1_280).map(strength).collect::<Column>(), vec![]];

        let means: Vec<Vec<f32>> = mean_strengths(&columns, 1_280).collect();
        let of_first: Vec<f64> = means.iter().map(|all| f64::from(all[0])).collect();

        let [low, high] = middle(of_first).unwrap();
        let expected = 4.0 * 0.98 / 1_280.0_f64.sqrt();
        assert!((high - low) / expected > 0.8 && (high - low) / expected < 1.2, "{low} {high}");
        assert!(means.iter().all(|all| all[1] == 0.0));
        assert_eq!(middle(vec![]), None);
    }
}
