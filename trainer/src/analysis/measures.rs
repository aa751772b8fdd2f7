//! How well a reconstruction explains rows: each measure a pure function.
//!
//! Sums run in `f64` over all held-out rows at once, so that no value depends on how the rows were
//! split into batches.

/// Mean squared error per dimension: `sum |x - x_hat|^2 / (rows * d_model)`.
pub fn mse(rows: &[f32], reconstruction: &[f32]) -> f64 {
    squared_error(rows, reconstruction) / rows.len() as f64
}

/// Fraction of variance unexplained: `sum |x - x_hat|^2 / sum |x - mean|^2` over all rows, with
/// the mean of these rows. Predicting the mean gives 1; a constant error counts.
pub fn fvu(rows: &[f32], reconstruction: &[f32], d_model: usize) -> f64 {
    squared_error(rows, reconstruction) / variation(rows, d_model)
}

/// The mean over rows of `<x, x_hat> / (|x| |x_hat|)`, 0 where either is 0 (SAELens, evals.py).
pub fn cosine(rows: &[f32], reconstruction: &[f32], d_model: usize) -> f64 {
    let cosine = |row: &[f32], rebuilt: &[f32]| {
        ratio(dot(row, rebuilt), (dot(row, row) * dot(rebuilt, rebuilt)).sqrt())
    };
    mean_over_rows(rows, reconstruction, d_model, cosine)
}

/// The mean over rows of `|x_hat| / |x|`, 0 where `x` is 0 (`l2_ratio` of SAELens, evals.py).
pub fn norm_ratio(rows: &[f32], reconstruction: &[f32], d_model: usize) -> f64 {
    let length = |row: &[f32]| dot(row, row).sqrt();
    let ratio = |row: &[f32], rebuilt: &[f32]| ratio(length(rebuilt), length(row));
    mean_over_rows(rows, reconstruction, d_model, ratio)
}

/// The relative reconstruction bias `sum |x_hat|^2 / sum <x, x_hat>` (Rajamanoharan et al., Improving
/// Dictionary Learning with Gated Sparse Autoencoders, 2024): one over the factor by which all
/// reconstructions would have to be longer to leave least. 0 where nothing is reconstructed.
pub fn reconstruction_bias(rows: &[f32], reconstruction: &[f32]) -> f64 {
    ratio(dot(reconstruction, reconstruction), dot(rows, reconstruction))
}

fn mean_over_rows(
    rows: &[f32],
    reconstruction: &[f32],
    d_model: usize,
    of: impl Fn(&[f32], &[f32]) -> f64,
) -> f64 {
    let pairs = rows.chunks_exact(d_model).zip(reconstruction.chunks_exact(d_model));
    pairs.map(|(row, rebuilt)| of(row, rebuilt)).sum::<f64>() / (rows.len() / d_model) as f64
}

fn dot(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
}

fn ratio(above: f64, below: f64) -> f64 {
    if below == 0.0 { 0.0 } else { above / below }
}

/// Share of what an ablation costs that a reconstruction recovers:
/// `(CE_ablated - CE_spliced) / (CE_ablated - CE_clean)`, from means over all characters
/// (SAELens, evals.py).
pub fn ce_recovered(clean: f64, spliced: f64, ablated: f64) -> f64 {
    (ablated - spliced) / (ablated - clean)
}

/// Kullback-Leibler divergence of predictions `q` from predictions `p`, in nats, summed over rows:
/// `sum over rows and classes of p (ln p - ln q)`, from the logarithms of both. KL(clean | spliced) of
/// SAELens, evals.py, is its mean over rows.
pub fn kl_sum(log_p: &[f32], log_q: &[f32]) -> f64 {
    let pairs = log_p.iter().zip(log_q).map(|(p, q)| (f64::from(*p), f64::from(*q)));
    pairs.map(|(p, q)| p.exp() * (p - q)).sum()
}

fn squared_error(rows: &[f32], reconstruction: &[f32]) -> f64 {
    let pairs = rows.iter().zip(reconstruction);
    pairs.map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2)).sum()
}

fn variation(rows: &[f32], d_model: usize) -> f64 {
    let count = (rows.len() / d_model) as f64;
    let mut mean = vec![0.0; d_model];
    for row in rows.chunks_exact(d_model) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / count);
    }
    let square = |row: &[f32]| -> f64 {
        row.iter().zip(&mean).map(|(value, mean)| (f64::from(*value) - mean).powi(2)).sum()
    };
    rows.chunks_exact(d_model).map(square).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three rows of two; their mean is (2, 20), their variation 2 + 200.
    const ROWS: [f32; 6] = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];

    #[test]
    fn errors_of_one_give_a_mean_squared_error_of_one() {
        assert_eq!(mse(&ROWS, &ROWS.map(|value| value + 1.0)), 1.0);
        assert_eq!(mse(&ROWS, &ROWS), 0.0);
    }

    #[test]
    fn predicting_the_mean_leaves_all_variance_unexplained() {
        assert_eq!(fvu(&ROWS, &[2.0, 20.0, 2.0, 20.0, 2.0, 20.0], 2), 1.0);
    }

    #[test]
    fn half_a_row_has_its_direction_and_half_its_length() {
        let half = ROWS.map(|value| value / 2.0);

        assert!((cosine(&ROWS, &half, 2) - 1.0).abs() < 1e-12);
        assert!((norm_ratio(&ROWS, &half, 2) - 0.5).abs() < 1e-12);
        assert!((reconstruction_bias(&ROWS, &half) - 0.5).abs() < 1e-12);
        assert_eq!(reconstruction_bias(&ROWS, &[0.0; 6]), 0.0);
    }

    #[test]
    fn directions_and_lengths_are_means_over_rows() {
        let (rows, rebuilt) = ([3.0, 4.0, 1.0, 0.0, 0.0, 0.0], [4.0, 3.0, 0.0, 2.0, 1.0, 1.0]);

        // 24 / 25, 0, and a row of nothing.
        assert!((cosine(&rows, &rebuilt, 2) - 0.32).abs() < 1e-12);
        assert!((norm_ratio(&rows, &rebuilt, 2) - 1.0).abs() < 1e-12);
        // 25 + 4 + 2 over 24.
        assert!((reconstruction_bias(&rows, &rebuilt) - 31.0 / 24.0).abs() < 1e-12);
    }

    #[test]
    fn a_constant_error_counts() {
        let shifted = ROWS.map(|value| value + 1.0);

        assert!((fvu(&ROWS, &shifted, 2) - 6.0 / 202.0).abs() < 1e-12);
    }

    #[test]
    fn a_large_mean_does_not_drown_the_variance() {
        let rows = ROWS.map(|value| value + 100_000.0);
        let shifted = rows.map(|value| value + 1.0);

        assert!((fvu(&rows, &shifted, 2) - 6.0 / 202.0).abs() < 1e-9);
    }

    #[test]
    fn predictions_diverge_from_others_and_not_from_themselves() {
        // Rows (1/2, 1/2) and (1, 0) against (1/4, 3/4) and (1/2, 1/2).
        let p = [0.5, 0.5, 1.0, 1e-30].map(f32::ln);
        let q = [0.25, 0.75, 0.5, 0.5].map(f32::ln);

        let expected = 0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln() + 2.0_f64.ln();
        assert!((kl_sum(&p, &q) - expected).abs() < 1e-6);
        assert_eq!(kl_sum(&p, &p), 0.0);
    }

    #[test]
    fn a_perfect_reconstruction_recovers_all_and_an_ablation_nothing() {
        assert_eq!(ce_recovered(1.9, 1.9, 6.6), 1.0);
        assert_eq!(ce_recovered(1.9, 6.6, 6.6), 0.0);
        assert!((ce_recovered(2.0, 2.5, 4.0) - 0.75).abs() < 1e-12);
    }
}
