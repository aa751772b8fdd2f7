//! A generated language whose rules are known: sums and differences, one a line.

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One line of the language and what is behind it.
///
/// | line | left | operator | right | result | carry |
/// |---|---|---|---|---|---|
/// | `27+58=85` | 27 | + | 58 | 85 | yes, 7 + 8 > 9 |
/// | `61-7=54` | 61 | - | 7 | 54 | yes, 1 < 7 |
/// | `40-20=20` | 40 | - | 20 | 20 | no |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The first operand, 0 to 99; the larger one of a difference.
    pub left: u32,
    /// The second operand, 0 to 99.
    pub right: u32,
    /// What is done with them.
    pub operator: Operator,
    /// What comes out, never negative.
    pub result: u32,
    /// Whether the units digits carry into the tens, or borrow from them.
    pub carry: bool,
}

/// What is done with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// `count` problems of this seed; operators and operands are equally likely, each by itself.
///
/// A smaller `count` gives the beginning of the same list.
pub fn lines(count: usize, seed: u64) -> Vec<Problem> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut problem = || {
        let operator = if random.random() { Operator::Plus } else { Operator::Minus };
        Problem::new(random.random_range(0..=99), operator, random.random_range(0..=99))
    };
    (0..count).map(|_| problem()).collect()
}

/// The same problems as a text, each followed by a line break.
pub fn text(count: usize, seed: u64) -> String {
    lines(count, seed).iter().map(|problem| format!("{problem}\n")).collect()
}

impl Problem {
    fn new(one: u32, operator: Operator, other: u32) -> Self {
        match operator {
            Operator::Plus => {
                let carry = one % 10 + other % 10 > 9;
                Self { left: one, right: other, operator, result: one + other, carry }
            }
            Operator::Minus => {
                let (left, right) = (one.max(other), one.min(other));
                let carry = left % 10 < right % 10;
                Self { left, right, operator, result: left - right, carry }
            }
        }
    }
}

/// The line, without its line break.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}{}{}={}", self.left, self.operator, self.right, self.result)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Plus => "+",
            Self::Minus => "-",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_line_and_whether_the_units_carry_or_borrow() {
        fn check(one: u32, operator: Operator, other: u32, line: &str, carry: bool) {
            let problem = Problem::new(one, operator, other);
            assert_eq!((problem.to_string().as_str(), problem.carry), (line, carry));
        }

        check(27, Operator::Plus, 58, "27+58=85", true);
        check(5, Operator::Plus, 4, "5+4=9", false);
        check(5, Operator::Plus, 5, "5+5=10", true);
        check(99, Operator::Plus, 99, "99+99=198", true);
        check(90, Operator::Plus, 90, "90+90=180", false);
        check(7, Operator::Minus, 61, "61-7=54", true);
        check(40, Operator::Minus, 20, "40-20=20", false);
        check(0, Operator::Minus, 0, "0-0=0", false);
    }

    #[test]
    fn every_line_is_true_and_in_range() {
        for problem in lines(5_000, 3) {
            let Problem { left, right, result, .. } = problem;
            let expected = match problem.operator {
                Operator::Plus => left + right,
                Operator::Minus => left - right, // would panic below 0
            };

            assert_eq!(result, expected);
            assert!(left <= 99 && right <= 99);
        }
    }

    #[test]
    fn all_operands_both_operators_and_carries_occur() {
        let problems = lines(5_000, 3);

        let mut lefts: Vec<u32> = problems.iter().map(|problem| problem.left).collect();
        lefts.sort_unstable();
        lefts.dedup();
        let share = |claim: fn(&Problem) -> bool| {
            problems.iter().filter(|&problem| claim(problem)).count() as f64 / 5_000.0
        };
        assert_eq!(lefts, (0..=99).collect::<Vec<u32>>());
        assert!((share(|problem| problem.operator == Operator::Plus) - 0.5).abs() < 0.05);
        assert!((share(|problem| problem.carry) - 0.45).abs() < 0.05);
    }

    #[test]
    fn a_seed_always_gives_the_same_text() {
        assert_eq!(text(3, 1), "40+98=138\n59-21=38\n83-21=62\n");
        assert!(text(5, 1).starts_with(&text(3, 1)));
        assert_ne!(text(5, 1), text(5, 2));
        assert_eq!(text(0, 1), "");
    }
}
