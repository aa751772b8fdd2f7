//! Which partners a feature attends to on a row, and how much; eight heads at once.

use super::{HEADS, Heads, each};
use crate::kernels::exp::exp;

/// The scores of the pairs of a row's firing features, at strength 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pairs<'a> {
    pub(super) scores: &'a [Heads],
    /// Where the scores of a feature's pairs begin.
    pub(super) first: usize,
    /// How far behind that those with each other feature stand.
    pub(super) columns: &'a [u32],
    /// How strongly the other features fire.
    pub(super) strengths: &'a [f32],
}

/// What a feature attends to, partner after partner.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    /// The partners' places among the firing features; the own place where there is nobody.
    pub(super) places: &'a mut [[u32; HEADS]],
    /// The scores of these pairs at strength 1, 0 where there is nobody.
    pub(super) pairs: &'a mut [Heads],
    /// How much attention each gets, the null slot last.
    pub(super) weights: &'a mut [Heads],
}

impl Pairs<'_> {
    /// Chooses partners for the feature in the place `own`: those with the largest scores, the
    /// first of equals first, never itself; then shares the attention.
    #[inline(always)]
    pub(super) fn choose(&self, own: u32, null: &Heads, mut chosen: Chosen) {
        match chosen.places.len() {
            1 => self.keep(own, &self.strongest::<1>(own), &mut chosen),
            2 => self.keep(own, &self.strongest::<2>(own), &mut chosen),
            3 => self.keep(own, &self.strongest::<3>(own), &mut chosen),
            many => {
                let mut room = vec![([f32::NEG_INFINITY; HEADS], [own; HEADS]); many];
                self.find(&mut room);
                self.keep(own, &room, &mut chosen);
            }
        }
        share(chosen.weights, null);
    }

    #[inline(always)]
    fn strongest<const COUNT: usize>(&self, own: u32) -> [(Heads, [u32; HEADS]); COUNT] {
        let mut room = [([f32::NEG_INFINITY; HEADS], [own; HEADS]); COUNT];
        self.find(&mut room);
        room
    }

    /// Finds the largest scores, but for the own strength, and whose they are; in one go, each new
    /// one before those that are smaller.
    #[inline(always)]
    fn find(&self, room: &mut [(Heads, [u32; HEADS])]) {
        for (place, (column, strength)) in self.columns.iter().zip(self.strengths).enumerate() {
            let pair = &self.scores[self.first + *column as usize];
            let score = each(|head| pair[head] * strength);
            for rank in (0..room.len()).rev() {
                let (best, found) = room[rank];
                // What stands before it moves here when the new one comes before that.
                let (above, its_place) = match rank {
                    0 => (score, [place as u32; HEADS]),
                    _ => room[rank - 1],
                };
                let moves: [bool; HEADS] = std::array::from_fn(|head| score[head] > above[head]);
                let comes: [bool; HEADS] = std::array::from_fn(|head| score[head] > best[head]);
                let here = each(|head| if moves[head] { above[head] } else { score[head] });
                let whose: [u32; HEADS] =
                    std::array::from_fn(
                        |head| {
                            if moves[head] { its_place[head] } else { place as u32 }
                        },
                    );
                room[rank].0 = each(|head| if comes[head] { here[head] } else { best[head] });
                room[rank].1 =
                    std::array::from_fn(|head| if comes[head] { whose[head] } else { found[head] });
            }
        }
    }

    /// Notes down who was found.
    #[inline(always)]
    fn keep(&self, own: u32, room: &[(Heads, [u32; HEADS])], chosen: &mut Chosen) {
        for (rank, (best, found)) in room.iter().enumerate() {
            let pair = &mut chosen.pairs[rank];
            for head in 0..HEADS {
                let here = self.first + self.columns[found[head] as usize] as usize;
                let nobody = best[head] == f32::NEG_INFINITY;
                pair[head] = if nobody { 0.0 } else { self.scores[here][head] };
                chosen.weights[rank][head] = best[head] * self.strengths[own as usize];
            }
            chosen.places[rank] = *found;
        }
    }
}

/// Turns the scores of partners into shares of the attention, of which the null slot, whose place
/// is the last, gets the rest.
#[inline(always)]
fn share(weights: &mut [Heads], null: &Heads) {
    let Some((rest, scores)) = weights.split_last_mut() else { return };
    let most = scores.iter().fold(*null, |most, score| each(|head| most[head].max(score[head])));
    *rest = each(|head| exp(null[head] - most[head]));
    let mut total = *rest;
    for score in scores {
        let weight = each(|head| exp(score[head] - most[head]));
        let nobody = each(|head| f32::from(score[head] > f32::NEG_INFINITY));
        *score = each(|head| weight[head] * nobody[head]);
        total = each(|head| total[head] + score[head]);
    }
    for weight in weights {
        *weight = each(|head| weight[head] / total[head]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first of three features chooses, in the first head and the last.
    fn chosen(scores: [[f32; 2]; 3], strengths: [f32; 3]) -> [[(u32, f32); 2]; 2] {
        let mut table = [[0.0; HEADS]; 3];
        for (row, [first, last]) in table.iter_mut().zip(scores) {
            (row[0], row[HEADS - 1]) = (first, last);
        }
        let pairs = Pairs { scores: &table, first: 0, columns: &[0, 1, 2], strengths: &strengths };
        let (mut places, mut scores) = ([[9; HEADS]; 2], [[9.0; HEADS]; 2]);
        let mut weights = [[9.0; HEADS]; 3];
        let room = Chosen { places: &mut places, pairs: &mut scores, weights: &mut weights };
        pairs.choose(0, &[0.0; HEADS], room);

        for head in 0..HEADS {
            let sum: f32 = weights.iter().map(|weight| weight[head]).sum();
            assert!((sum - 1.0).abs() < 1e-6);
        }
        [0, HEADS - 1].map(|head| [0, 1].map(|rank| (places[rank][head], weights[rank][head])))
    }

    #[test]
    fn the_strongest_partner_comes_first_in_every_head_and_never_oneself() {
        const SELF: f32 = f32::NEG_INFINITY;

        let [first, last] = chosen([[SELF; 2], [1.0, 2.0], [1.5, 1.0]], [1.0, 1.0, 1.0]);
        assert_eq!(first.map(|(place, _)| place), [2, 1]);
        assert_eq!(last.map(|(place, _)| place), [1, 2]);
        let sum = 1.0 + 2.0_f32.exp() + 1.0_f32.exp();
        assert!((last[0].1 - 2.0_f32.exp() / sum).abs() < 1e-6);

        // The second fires so strongly that it is worth more.
        let [first, _] = chosen([[SELF; 2], [1.0, 0.0], [1.5, 0.0]], [0.5, 2.0, 1.0]);
        assert_eq!(first.map(|(place, _)| place), [1, 2]);
        // Equals, in their order.
        let [first, _] = chosen([[SELF; 2], [1.0, 0.0], [1.0, 0.0]], [1.0, 1.0, 1.0]);
        assert_eq!(first.map(|(place, _)| place), [1, 2]);
    }

    #[test]
    fn where_there_is_nobody_nothing_is_attended_to() {
        const SELF: f32 = f32::NEG_INFINITY;

        let [first, _] = chosen([[SELF; 2], [1.0, 0.0], [SELF; 2]], [1.0, 1.0, 1.0]);

        assert_eq!(first[1], (0, 0.0));
        assert!(first[0].1 > 0.7);
    }
}
