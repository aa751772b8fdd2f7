//! Whether one training differs from another, when both were repeated from the same seeds.
//!
//! A seed decides the order of rows, and for models of one kind the first weights; so differences are
//! taken seed by seed. Student's t over these differences gives the interval of their mean.

use serde::Serialize;

/// The mean of differences over seeds, with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// The interval of the mean; none for a single seed.
    pub ci95: Option<[f64; 2]>,
    /// Over how many seeds.
    pub seeds: usize,
}

/// What an interval says of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies below 0.
    Lower,
    /// The interval lies above 0.
    Higher,
    /// The interval holds 0.
    NotDistinguishable,
    /// There is no interval.
    OneSeed,
}

impl Difference {
    /// The differences `one - other`, each a value by seed, over the seeds that both have; none if
    /// there is no such seed.
    pub fn of(one: &[(u64, f64)], other: &[(u64, f64)]) -> Option<Self> {
        let differences: Vec<f64> = one
            .iter()
            .filter_map(|(seed, value)| {
                let same = other.iter().find(|(other, _)| other == seed)?;
                Some(value - same.1)
            })
            .collect();
        let ci95 = interval(&differences);
        (!differences.is_empty()).then(|| Self {
            mean: differences.iter().sum::<f64>() / differences.len() as f64,
            ci95,
            seeds: differences.len(),
        })
    }

    /// What its interval says.
    pub fn verdict(&self) -> Verdict {
        match self.ci95 {
            None => Verdict::OneSeed,
            Some([_, high]) if high < 0.0 => Verdict::Lower,
            Some([low, _]) if low > 0.0 => Verdict::Higher,
            Some(_) => Verdict::NotDistinguishable,
        }
    }
}

impl Verdict {
    /// As tables have it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::NotDistinguishable => "not distinguishable",
            Self::OneSeed => "one seed: cannot tell",
        }
    }
}

/// The 97.5 % quantiles of Student's t for 1, 2, .. degrees of freedom.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The 95 % confidence interval of a mean, by Student's t; none for fewer than two values.
pub fn interval(values: &[f64]) -> Option<[f64; 2]> {
    let count = values.len();
    if count < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1) as f64 / count as f64).sqrt();
    // Beyond the table the normal distribution is near enough.
    let t = T.get(count - 2).copied().unwrap_or(2.0);
    Some([mean - t * error, mean + t * error])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        assert_eq!(interval(&[0.5]), None);
        let [low, high] = interval(&[0.4, 0.6]).unwrap();
        // The standard error of 0.4 and 0.6 is 0.1.
        assert!((low - (0.5 - 1.2706)).abs() < 1e-9 && (high - (0.5 + 1.2706)).abs() < 1e-9);
    }

    #[test]
    fn differences_are_taken_seed_by_seed() {
        let one = [(0, 1.1), (1, 2.2), (2, 3.3), (7, 99.0)];
        let other = [(2, 3.0), (1, 2.0), (0, 1.0), (8, 99.0)];

        let difference = Difference::of(&one, &other).unwrap();

        // 0.1, 0.2, 0.3: the standard deviation is 0.1, the standard error 0.1 / sqrt 3 = 0.057735,
        // times 4.303 is 0.248434.
        assert_eq!(difference.seeds, 3);
        assert!((difference.mean - 0.2).abs() < 1e-9);
        let [low, high] = difference.ci95.unwrap();
        assert!((low + 0.048434).abs() < 1e-6 && (high - 0.448434).abs() < 1e-6, "{low} {high}");
        assert_eq!(difference.verdict(), Verdict::NotDistinguishable);
        assert_eq!(Difference::of(&one, &[(9, 1.0)]), None);
    }

    #[test]
    fn a_verdict_needs_an_interval_without_0() {
        let verdict = |values: [f64; 3]| {
            let values: Vec<(u64, f64)> = (0..).zip(values).collect();
            Difference::of(&values, &[(0, 0.0), (1, 0.0), (2, 0.0)]).unwrap().verdict()
        };

        assert_eq!(verdict([0.10, 0.11, 0.12]), Verdict::Higher);
        assert_eq!(verdict([-0.10, -0.11, -0.12]), Verdict::Lower);
        assert_eq!(verdict([0.1, 0.2, 0.3]).words(), "not distinguishable");
        let single = Difference::of(&[(0, 1.0)], &[(0, 0.5)]).unwrap();
        assert_eq!((single.mean, single.verdict()), (0.5, Verdict::OneSeed));
    }
}
