//! Which units speak on a row, and how loudly. As [`crate::Units`] says it.

use super::Speakers;
use super::block::Context;

/// Decides who speaks, row after row.
#[derive(Clone, Debug, Default)]
pub(super) struct Assembly {
    /// How strongly each feature fires on this row: `[n_features]`, 0 between rows.
    code: Vec<f32>,
    /// The loudness of those who want to speak.
    loudness: Vec<f32>,
}

impl Assembly {
    /// For rows of so many features.
    pub(super) fn resize(&mut self, n_features: usize) {
        self.code.resize(n_features, 0.0);
    }

    /// Puts the units that speak where the `active` features fire with `values` into `spoken`, each
    /// with its strength.
    pub(super) fn listen(
        &mut self,
        (speakers, context): (&Speakers, &Context),
        (active, values): (&[u32], &[f32]),
        spoken: &mut Vec<(u32, f32)>,
    ) {
        for (feature, value) in active.iter().zip(values) {
            self.code[*feature as usize] = *value;
        }
        // Few of the units have a first part that is active at all.
        for unit in active.iter().flat_map(|first| context.by_first_part.of(*first as usize)) {
            let parts = &speakers.parts[*unit as usize];
            if parts.iter().all(|part| self.code[*part] > 0.0) {
                let strength = self.strength(parts);
                if strength > speakers.thresholds[*unit as usize] {
                    spoken.push((*unit, strength));
                }
            }
        }
        active.iter().for_each(|feature| self.code[*feature as usize] = 0.0);
        if spoken.len() > speakers.speaking {
            self.keep_loudest(speakers.speaking, context.lengths, spoken);
        }
        spoken.sort_unstable_by_key(|(unit, _)| *unit);
    }

    /// The geometric mean of the parts' strengths.
    fn strength(&self, parts: &[usize]) -> f32 {
        let of_part = |part: &usize| self.code[*part].max(1e-6);
        if let [one, other] = parts {
            return of_part(one).sqrt() * of_part(other).sqrt();
        }
        let logs: f32 = parts.iter().map(|part| of_part(part).ln()).sum();
        (logs / parts.len() as f32).exp()
    }

    fn keep_loudest(&mut self, speaking: usize, lengths: &[f32], spoken: &mut Vec<(u32, f32)>) {
        if speaking == 0 {
            return spoken.clear();
        }
        let loudness = |(unit, strength): &(u32, f32)| lengths[*unit as usize] * strength;
        self.loudness.clear();
        self.loudness.extend(spoken.iter().map(loudness));
        let descending = |one: &f32, other: &f32| other.total_cmp(one);
        let (_, least, _) = self.loudness.select_nth_unstable_by(speaking - 1, descending);
        let least = *least;
        spoken.retain(|said| loudness(said) >= least);
    }
}
