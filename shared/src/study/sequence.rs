//! In which order a rater sees the items of a block.

use super::Study;

/// An item as a rater meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The item's id.
    pub item: String,
    /// Whether it is asked for the second time.
    pub repeat: bool,
}

impl Study {
    /// The block of a rater whom nobody gave one.
    pub fn block_of(&self, rater: &str) -> usize {
        (Dice::of(rater).next() % self.blocks.len().max(1) as u64) as usize
    }

    /// What `rater` is asked, in order; empty if there is no such block. The same rater gets the same
    /// order. What is repeated comes first in the first half and again in the last quarter.
    pub fn sequence(&self, block: usize, rater: &str) -> Vec<Shown> {
        let Some(block) = self.blocks.get(block) else { return vec![] };
        let mut dice = Dice::of(rater);
        let mut items = block.items.clone();
        dice.shuffle(&mut items);
        let half = items.len() / 2;
        let is_repeated = |item: &String| block.repeats.contains(item);
        for late in half..items.len() {
            if is_repeated(&items[late]) {
                let places: Vec<usize> =
                    (0..half).filter(|place| !is_repeated(&items[*place])).collect();
                if !places.is_empty() {
                    items.swap(late, places[dice.below(places.len())]);
                }
            }
        }
        let first = |item| Shown { item, repeat: false };
        let mut shown: Vec<Shown> = items.into_iter().map(first).collect();
        let mut repeats = block.repeats.clone();
        dice.shuffle(&mut repeats);
        for item in repeats {
            let from = shown.len() * 3 / 4;
            let place = from + dice.below(shown.len() + 1 - from);
            shown.insert(place, Shown { item, repeat: true });
        }
        shown
    }
}

/// SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014): the page
/// has no other generator, and an order of items needs no better one.
struct Dice(u64);

impl Dice {
    /// Seeded by a rater's id through FNV-1a.
    fn of(rater: &str) -> Self {
        Self(rater.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `limit`, which is above 0.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn shuffle<T>(&mut self, values: &mut [T]) {
        for place in (1..values.len()).rev() {
            values.swap(place, self.below(place + 1));
        }
    }
}
