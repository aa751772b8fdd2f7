//! The largest numbers of a row, without sorting it.
//!
//! Numbers that are not negative have the order of their bits. A threshold that exactly `k` of them
//! reach is found by halving; every test of a threshold is one pass over the row, many numbers at
//! once. Of the numbers of many rows those above 0 are listed, and partitioned until the threshold is
//! in its place.

use pulp::{Simd, WithSimd};

use crate::kernels::lanes::Lanes;

/// Reads the numbers above 0 as their bits, and everything else as 0. What is not a number stays
/// one that is not: larger than all.
pub(super) fn keys(lanes: Lanes, row: &[f32], keys: &mut [i32]) {
    lanes.0.dispatch(Keys { row, keys });
}

/// Puts the places of the `k` largest keys above 0 into `places`, in ascending order, the first of
/// equals first; gives how many there are. `places` has room for one more than `k`.
pub(super) fn strongest(lanes: Lanes, keys: &[i32], k: usize, places: &mut [u32]) -> usize {
    lanes.0.dispatch(Strongest { keys, k, places })
}

/// As [`strongest`], for the keys that are `least` or more. `places` has room for one more than these.
pub(super) fn reaching(lanes: Lanes, keys: &[i32], least: i32, places: &mut [u32]) -> usize {
    lanes.0.dispatch(Reaching { keys, least, places })
}

/// How many keys are `least` or more.
pub(super) fn count_reaching(lanes: Lanes, keys: &[i32], least: i32) -> usize {
    lanes.0.dispatch(CountReaching { keys, least })
}

/// Appends the keys above 0 to `list`.
pub(super) fn list_positive(keys: &[i32], list: &mut Vec<i32>) {
    let mut count = list.len();
    list.resize(count + keys.len(), 0);
    for key in keys {
        // Written in any case, kept if it counts: no jump to guess wrongly.
        list[count] = *key;
        count += usize::from(*key > 0);
    }
    list.truncate(count);
}

/// The smallest of the `count` largest of `keys`, or of all if these are fewer; what hardly any number
/// reaches if there are none. Changes their order.
pub(super) fn least_of_largest(keys: &mut [i32], count: usize) -> i32 {
    let place = keys.len().saturating_sub(count);
    match place < keys.len() {
        true => *keys.select_nth_unstable(place).1,
        false => f32::MAX.to_bits() as i32,
    }
}

struct Keys<'a> {
    row: &'a [f32],
    keys: &'a mut [i32],
}

impl WithSimd for Keys<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (key, value) in self.keys.iter_mut().zip(self.row) {
            let silent = if value.is_nan() { f32::NAN } else { 0.0 };
            let rectified = if *value > 0.0 { *value } else { silent };
            *key = rectified.to_bits() as i32;
        }
    }
}

struct Strongest<'a> {
    keys: &'a [i32],
    k: usize,
    places: &'a mut [u32],
}

impl WithSimd for Strongest<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        match threshold(self.keys, self.k) {
            (least, true) => collect_first(self.keys, least, self.k, self.places),
            (least, false) => collect(self.keys, least, self.places),
        }
    }
}

struct Reaching<'a> {
    keys: &'a [i32],
    least: i32,
    places: &'a mut [u32],
}

impl WithSimd for Reaching<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        collect(self.keys, self.least, self.places)
    }
}

struct CountReaching<'a> {
    keys: &'a [i32],
    least: i32,
}

impl WithSimd for CountReaching<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        count(self.keys, self.least)
    }
}

/// What a key must reach to be chosen, and whether only some of those that just reach it are.
#[inline(always)]
fn threshold(keys: &[i32], k: usize) -> (i32, bool) {
    let (mut low, mut high) = (1, 1 + keys.iter().fold(0, |most, key| most.max(*key)));
    if count(keys, low) <= k {
        return (low, false);
    }
    // More than k reach `low`, fewer reach `high`.
    let mut tests = 0;
    while high - low > 1 {
        let bits = low + (high - low) / 2;
        let value = 0.5 * (f32::from_bits(low as u32) + f32::from_bits(high as u32));
        // The middle of the numbers is nearer, the middle of the bits always ends.
        let middle = match tests < 16 {
            true => (value.to_bits() as i32).clamp(low + 1, high - 1),
            false => bits,
        };
        tests += 1;
        match count(keys, middle).cmp(&k) {
            std::cmp::Ordering::Equal => return (middle, false),
            std::cmp::Ordering::Greater => low = middle,
            std::cmp::Ordering::Less => high = middle,
        }
    }
    (low, true)
}

#[inline(always)]
fn count(keys: &[i32], least: i32) -> usize {
    keys.iter().map(|key| i32::from(*key >= least)).sum::<i32>() as usize
}

/// The keys that are `least` or more.
#[inline(always)]
fn collect(keys: &[i32], least: i32, places: &mut [u32]) -> usize {
    let mut count = 0;
    for (place, key) in keys.iter().enumerate() {
        // Written in any case, kept if it counts: no jump to guess wrongly.
        places[count] = place as u32;
        count += usize::from(*key >= least);
    }
    count
}

/// `k` of the keys that are `least` or more: of those that are just that only the first.
#[inline(always)]
fn collect_first(keys: &[i32], least: i32, k: usize, places: &mut [u32]) -> usize {
    let mut equals = k - count(keys, least + 1);
    let mut count = 0;
    for (place, key) in keys.iter().enumerate() {
        places[count] = place as u32;
        let equal = *key == least;
        count += usize::from(*key > least || (equal && equals > 0));
        equals = equals.saturating_sub(usize::from(equal));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn strongest_of(row: &[f32], k: usize) -> Vec<u32> {
        let (mut bits, mut places) = (vec![0; row.len()], vec![0; k + 1]);
        keys(Lanes::new(), row, &mut bits);
        let count = strongest(Lanes::new(), &bits, k, &mut places);
        places[..count].to_vec()
    }

    #[test]
    fn the_largest_are_those_that_sorting_finds() {
        for length in 1..60 {
            let row = random::normal(&mut random::stream(length, "row"), length as usize, 1.0);
            for k in [0, 1, 2, 7, 40] {
                let mut order: Vec<u32> = (0..length as u32).collect();
                order.retain(|place| row[*place as usize] > 0.0);
                order.sort_by(|one, two| row[*two as usize].total_cmp(&row[*one as usize]));
                order.truncate(k);
                order.sort();

                assert_eq!(strongest_of(&row, k), order, "{k} of {length}");
            }
        }
    }

    #[test]
    fn of_equals_the_first_are_chosen() {
        assert_eq!(strongest_of(&[1.0, 2.0, 1.0, 1.0, 3.0], 3), [0, 1, 4]);
        assert_eq!(strongest_of(&[0.0, -1.0, -0.0], 2), [] as [u32; 0]);
        assert_eq!(strongest_of(&[1e-38, f32::MAX, 1e-38, 1e-45], 2), [0, 1]);
    }

    fn least_of(rows: [&[f32]; 2], count: usize) -> (f32, Vec<Vec<u32>>) {
        let lanes = Lanes::new();
        let bits = rows.map(|row| {
            let mut bits = vec![0; row.len()];
            keys(lanes, row, &mut bits);
            bits
        });
        let mut positive = vec![];
        bits.iter().for_each(|bits| list_positive(bits, &mut positive));
        let least = least_of_largest(&mut positive, count);
        let chosen = bits.iter().map(|bits| {
            let mut places = vec![0; count_reaching(lanes, bits, least) + 1];
            let count = reaching(lanes, bits, least, &mut places);
            places[..count].to_vec()
        });
        (f32::from_bits(least as u32), chosen.collect())
    }

    #[test]
    fn the_largest_of_all_rows_are_those_that_reach_the_least_of_them() {
        let rows: [&[f32]; 2] = [&[3.0, -1.0, 2.0, 0.5], &[2.0, 0.0, 1.0, 2.0]];

        assert_eq!(least_of(rows, 1), (3.0, vec![vec![0], vec![]]));
        // All equals stay.
        for count in [2, 3, 4] {
            assert_eq!(least_of(rows, count), (2.0, vec![vec![0, 2], vec![0, 3]]));
        }
        assert_eq!(least_of(rows, 5), (1.0, vec![vec![0, 2], vec![0, 2, 3]]));
        // Fewer are above 0 than may stay.
        assert_eq!(least_of(rows, 7), (0.5, vec![vec![0, 2, 3], vec![0, 2, 3]]));
        assert_eq!(least_of([&[-1.0], &[0.0]], 2), (f32::MAX, vec![vec![], vec![]]));
        assert_eq!(least_of([&[f32::NAN, 1.0], &[2.0, 3.0]], 2).1, [vec![0], vec![1]]);
    }

    #[test]
    fn what_is_not_a_number_is_chosen_so_that_it_shows() {
        assert_eq!(strongest_of(&[1.0, f32::NAN, -f32::NAN, f32::INFINITY], 2), [1, 2]);
    }
}
