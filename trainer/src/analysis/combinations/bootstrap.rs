//! How sure a number is: by resampling stretches of the text, because rows close to one another are
//! alike.

use rand::RngExt;
use shared::random;

use crate::analysis::screening::sparse::Column;

/// Into how many stretches the text is cut.
const STRETCHES: usize = 128;
/// How often it is put together anew.
const TIMES: usize = 200;

/// A text that was cut into stretches and put together anew.
#[derive(Clone, Debug)]
pub(super) struct Resampled {
    /// How many rows the text has.
    rows: usize,
    /// How often each stretch comes in each new text.
    weights: Vec<[f64; STRETCHES]>,
    /// How many rows each new text has.
    pub sizes: Vec<f64>,
}

impl Resampled {
    /// Of a text with so many rows.
    pub fn new(rows: usize) -> Self {
        let mut stream = random::stream(0, "bootstrap of combinations");
        let weights = (0..TIMES).map(|_| {
            let mut weights = [0.0; STRETCHES];
            (0..STRETCHES).for_each(|_| weights[stream.random_range(0..STRETCHES)] += 1.0);
            weights
        });
        let mut all = Self { rows, weights: weights.collect(), sizes: vec![] };
        all.sizes = all.counts(0..rows);
        all
    }

    /// The sum over `entries`, rows with a number each, in each new text.
    pub fn sums(&self, entries: impl IntoIterator<Item = (usize, f64)>) -> Vec<f64> {
        let mut sums = [0.0; STRETCHES];
        for (row, number) in entries {
            sums[row * STRETCHES / self.rows] += number;
        }
        let sum = |weights: &[f64; STRETCHES]| sums.iter().zip(weights).map(|(s, w)| s * w).sum();
        self.weights.iter().map(sum).collect()
    }

    /// How many of `rows` are in each new text.
    pub fn counts(&self, rows: impl IntoIterator<Item = usize>) -> Vec<f64> {
        self.sums(rows.into_iter().map(|row| (row, 1.0)))
    }

    /// The mean strength of each feature where it fires, in each new text: `[texts][features]`.
    pub fn mean_strengths(&self, columns: &[Column]) -> Vec<Vec<f32>> {
        let of_feature = |column: &Column| -> Vec<f32> {
            let strengths = column.iter().map(|(row, value)| (*row as usize, f64::from(*value)));
            let counts = self.counts(column.iter().map(|(row, _)| *row as usize));
            let sums = self.sums(strengths).into_iter().zip(counts);
            sums.map(|(sum, count)| (sum / count.max(1.0)) as f32).collect()
        };
        let features: Vec<Vec<f32>> = columns.iter().map(of_feature).collect();
        let of_text = |text: usize| features.iter().map(|means| means[text]).collect();
        (0..self.weights.len()).map(of_text).collect()
    }
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

        let means = Resampled::new(1_280).mean_strengths(&columns);
        let of_first: Vec<f64> = means.iter().map(|all| f64::from(all[0])).collect();

        let [low, high] = middle(of_first).unwrap();
        let expected = 4.0 * 0.98 / 1_280.0_f64.sqrt();
        assert!((high - low) / expected > 0.8 && (high - low) / expected < 1.2, "{low} {high}");
        assert!(means.iter().all(|all| all[1] == 0.0));
        assert_eq!(middle(vec![]), None);
    }

    #[test]
    fn rows_close_to_one_another_count_as_less_than_rows_far_apart() {
        let resampled = Resampled::new(12_800);
        let width = |rows: Vec<usize>| {
            let [low, high] = middle(resampled.counts(rows)).unwrap();
            high - low
        };

        // 128 rows: one in each stretch, 64 in each of two stretches, and all rows of the text.
        let apart = width((0..12_800).step_by(100).collect());
        let close = width((0..64).chain(6_400..6_464).collect());

        assert_eq!(apart, 0.0);
        assert!(close > 200.0, "{close}");
        assert_eq!(width((0..12_800).collect()), 0.0);
    }
}
