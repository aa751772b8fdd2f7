//! Sums over vectors, in the same order on every machine.

use rayon::prelude::*;

/// `a . b`, in eight sums side by side, which the processor can add at once.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum::<f32>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// `one . other` of each two rows, `[ones, d_model]` and `[others, d_model]`: `[ones, others]`.
pub fn products(ones: &[f32], others: &[f32], d_model: usize) -> Vec<f32> {
    ones.par_chunks_exact(d_model)
        .flat_map_iter(|one| others.chunks_exact(d_model).map(move |other| dot(one, other)))
        .collect()
}

/// `a . b`, summed in the order of the entries.
pub fn dot_in_order(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The cosine of two directions of length 1, its products summed in order.
pub fn cosine(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum()
}

/// `to += times * what`.
#[inline(always)]
pub fn add(to: &mut [f32], times: f32, what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += times * what);
}

/// `|vector|^2`.
pub fn square(vector: &[f32]) -> f64 {
    f64::from(dot(vector, vector))
}

/// The place of the largest number, the first of several; 0 if there is none.
pub fn largest(vector: &[f32]) -> usize {
    let larger =
        |best: usize, place: usize| if vector[place] > vector[best] { place } else { best };
    (0..vector.len()).fold(0, larger)
}

/// Gives `vector` the length 1, if it has any.
pub fn normalize(vector: &mut [f32]) {
    let length = square(vector).sqrt() as f32;
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

/// The mean of rows, `[rows, d_model]`, in which no sum loses digits: `[d_model]`.
pub fn mean_row(rows: &[f32], d_model: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; d_model];
    for row in rows.chunks_exact(d_model) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let count = (rows.len() / d_model).max(1) as f64;
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_count_every_entry() {
        let numbers: Vec<f32> = (1..=11).map(|number| number as f32).collect();

        assert_eq!(dot(&numbers, &numbers), 506.0);
        assert_eq!(dot(&numbers[..3], &[1.0, 0.0, 2.0]), 7.0);
    }

    #[test]
    fn the_first_of_the_largest_is_taken() {
        assert_eq!(largest(&[-3.0, 2.0, -1.0, 2.0]), 1);
        assert_eq!(largest(&[-2.0, -2.0]), 0);
        assert_eq!(largest(&[]), 0);
    }

    #[test]
    fn nothing_stays_nothing() {
        let mut vector = [0.0; 3];
        normalize(&mut vector);
        assert_eq!(vector, [0.0; 3]);

        add(&mut vector, 2.0, &[3.0, 0.0, 4.0]);
        normalize(&mut vector);
        assert_eq!(vector, [0.6, 0.0, 0.8]);
    }
}
