//! Which entries belong to which number.

/// Which entries belong to each number below some limit, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted {
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Sorted {
    /// Sorts pairs of a number below `limit` and an entry by their number.
    pub(super) fn sort(&mut self, limit: usize, pairs: impl Iterator<Item = (u32, usize)> + Clone) {
        self.starts.clear();
        self.starts.resize(limit + 2, 0);
        let mut count = 0;
        for (number, _) in pairs.clone() {
            self.starts[number as usize + 2] += 1;
            count += 1;
        }
        for place in 2..limit + 2 {
            self.starts[place] += self.starts[place - 1];
        }
        self.entries.resize(count, 0);
        for (number, entry) in pairs {
            let next = &mut self.starts[number as usize + 1];
            self.entries[*next as usize] = entry as u32;
            *next += 1;
        }
    }

    pub(super) fn of(&self, number: usize) -> &[u32] {
        &self.entries[self.starts[number] as usize..self.starts[number + 1] as usize]
    }
}
