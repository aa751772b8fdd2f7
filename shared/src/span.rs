//! What vectors span, by Gram and Schmidt.

/// The span of some vectors, as axes of length 1 that are orthogonal to each other.
#[derive(Clone, Debug)]
pub struct Span(Vec<Vec<f64>>);

impl Span {
    /// Of `vectors`. One adds nothing whose energy the ones before hold but for the share `least`.
    pub fn of(vectors: impl IntoIterator<Item = Vec<f64>>, least: f64) -> Self {
        let mut span = Self(vec![]);
        for mut axis in vectors {
            let before = dot(&axis, &axis);
            span.remove_from(&mut axis);
            let length = dot(&axis, &axis);
            if length > least * before {
                let length = length.sqrt();
                axis.iter_mut().for_each(|value| *value /= length);
                span.0.push(axis);
            }
        }
        span
    }

    /// Takes out of `vector` what lies in the span.
    pub fn remove_from(&self, vector: &mut [f64]) {
        for axis in &self.0 {
            let along = dot(vector, axis);
            vector.iter_mut().zip(axis).for_each(|(value, axis)| *value -= along * axis);
        }
    }
}

/// `one . other`, summed in the order of the entries.
pub fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
