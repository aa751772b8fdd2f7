//! How sure a mean over worlds is.

use shared::random::stream;

pub use crate::analysis::paired::interval;
use crate::analysis::rank::resampled_mean;

/// How often worlds are drawn anew.
const RESAMPLES: usize = 10_000;

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The 95 % percentile interval of the mean of differences over worlds, each between two methods in
/// the same world: 10,000 seeded resamples; none for fewer than two.
///
/// Few worlds make it too narrow: with three, one resample in nine is of one world alone.
pub fn paired_bootstrap(differences: &[f64]) -> Option<[f64; 2]> {
    resampled_mean(differences, RESAMPLES, &mut stream(0, "paired bootstrap"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_of_many_worlds_agrees_with_the_normal_distribution() {
        let differences: Vec<f64> = (0..100).map(|world| f64::from(world % 10)).collect();

        let [low, high] = paired_bootstrap(&differences).unwrap();

        // The standard deviation is 2.872, so the interval is 4.5 -+ 1.96 * 0.2872.
        assert!((low - 3.937).abs() < 0.03 && (high - 5.063).abs() < 0.03, "{low} {high}");
        assert_eq!(paired_bootstrap(&differences), Some([low, high]));
        assert_eq!(paired_bootstrap(&[0.25, 0.25]), Some([0.25, 0.25]));
        assert_eq!(paired_bootstrap(&[0.25]), None);
    }
}
