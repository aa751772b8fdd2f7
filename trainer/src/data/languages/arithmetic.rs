//! Sums and differences of two numbers below 100, one a line: `27+58=85`.
//!
//! | line | carry | borrow | what is hard |
//! |---|---|---|---|
//! | `27+58=85` | yes, 7 + 8 > 9 | | the tens need the units first |
//! | `61-7=54` | | yes, 1 < 7 | the same in a difference |
//! | `40-20=20` | | no | |
//!
//! Operands are equally likely and have no leading zeros; the larger one of a difference is on
//! the left. Held out are pairs of operands: neither their sum, either way round, nor their
//! difference is in a training text.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Line, Reader, Variable};

/// `99+99=198` and the line break.
pub const LONGEST_LINE: usize = 10;

const NO_YES: [&str; 2] = ["no", "yes"];
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The hidden variables, in the order of [`variables`].
#[derive(Clone, Copy)]
enum Hidden {
    Position,
    Operator,
    LeftTens,
    LeftUnits,
    RightTens,
    RightUnits,
    LeftHigh,
    RightHigh,
    Carry,
    Borrow,
    CarryOrBorrow,
    Hundred,
    Digits,
    NextDigit,
}

/// Where in its line a character stands; the place among the values of `position`.
#[derive(Clone, Copy)]
enum Position {
    Left,
    LeftSecond,
    Operator,
    Right,
    RightSecond,
    Equals,
    Answer,
    End = 9,
}

/// What is behind a line. An operand is known from its second digit on or from the sign after it;
/// all that depends on both operands is known as soon as they are.
pub fn variables() -> Vec<Variable> {
    let positions = [
        "left, digit 1",
        "left, digit 2",
        "operator",
        "right, digit 1",
        "right, digit 2",
        "equals",
        "answer, digit 1",
        "answer, digit 2",
        "answer, digit 3",
        "end",
    ];
    let next = [&DIGITS[..], &["end"]].concat();
    vec![
        Variable::new("position", &positions),
        Variable::new("operator", &["+", "-"]),
        Variable::new("left tens", &DIGITS),
        Variable::new("left units", &DIGITS),
        Variable::new("right tens", &DIGITS),
        Variable::new("right units", &DIGITS),
        // Two binary views of the units whose AND is a carry for sure, whose NOR is none.
        Variable::new("left units above 4", &NO_YES),
        Variable::new("right units above 4", &NO_YES),
        Variable::new("carry", &NO_YES),
        Variable::new("borrow", &NO_YES),
        Variable::new("carry or borrow", &NO_YES),
        Variable::new("hundred", &NO_YES),
        Variable::new("digits of the answer", &["1", "2", "3"]),
        Variable::new("next digit", &next),
    ]
}

/// A random line.
pub fn line(random: &mut ChaCha8Rng) -> Line {
    let plus: bool = random.random();
    let (one, other): (u32, u32) = (random.random_range(0..=99), random.random_range(0..=99));
    let (low, high) = (one.min(other), one.max(other));
    let text = if plus {
        format!("{one}+{other}={}", one + other)
    } else {
        format!("{high}-{low}={}", high - low)
    };
    Line { text, content: format!("{low} {high}") }
}

/// A line as far as it is read.
#[derive(Default)]
pub struct Sum {
    left: Operand,
    operator: Option<Operator>,
    right: Operand,
    /// The digits of the result, once the equals sign is read.
    result: Option<String>,
    /// How many of them are read.
    answered: usize,
    /// Whether the line is not of the language.
    lost: bool,
}

#[derive(Clone, Copy, Default)]
struct Operand {
    value: u32,
    digits: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Plus,
    Minus,
}

impl Reader for Sum {
    fn read(&mut self, character: char, known: &mut [i8]) -> Option<char> {
        if character == '\n' {
            *self = Self::default();
            known[Hidden::Position as usize] = Position::End as i8;
            return None;
        }
        let position = if self.lost { None } else { self.advance(character) };
        self.lost = position.is_none();
        known[Hidden::Position as usize] = position?;
        self.describe(known);
        self.next(known)
    }
}

impl Sum {
    /// Takes in a character; its place among the positions, or `None` if it cannot stand here.
    fn advance(&mut self, character: char) -> Option<i8> {
        let digit = character.to_digit(10);
        match (self.operator, &self.result) {
            (None, _) => {
                if let Some(digit) = digit {
                    return self.left.take(digit, [Position::Left, Position::LeftSecond]);
                }
                self.operator = Some(Operator::of(character).filter(|_| self.left.digits > 0)?);
                Some(Position::Operator as i8)
            }
            (Some(operator), None) => {
                if let Some(digit) = digit {
                    return self.right.take(digit, [Position::Right, Position::RightSecond]);
                }
                if character != '=' || self.right.digits == 0 {
                    return None;
                }
                let result = operator.apply(self.left.value, self.right.value)?;
                self.result = Some(result.to_string());
                Some(Position::Equals as i8)
            }
            (Some(_), Some(result)) => {
                (result.chars().nth(self.answered)? == character).then_some(())?;
                self.answered += 1;
                Some(Position::Answer as i8 + self.answered as i8 - 1)
            }
        }
    }

    fn describe(&self, known: &mut [i8]) {
        let mut set = |hidden: Hidden, value: u32| known[hidden as usize] = value as i8;
        let Some(left) = self.left.known(self.operator.is_some()) else { return };
        set(Hidden::LeftTens, left / 10);
        set(Hidden::LeftUnits, left % 10);
        set(Hidden::LeftHigh, u32::from(left % 10 > 4));
        let Some(operator) = self.operator else { return };
        set(Hidden::Operator, operator as u32);
        let Some(right) = self.right.known(self.result.is_some()) else { return };
        set(Hidden::RightTens, right / 10);
        set(Hidden::RightUnits, right % 10);
        set(Hidden::RightHigh, u32::from(right % 10 > 4));
        let across = match operator {
            Operator::Plus => left % 10 + right % 10 > 9,
            Operator::Minus => left % 10 < right % 10,
        };
        set(Hidden::CarryOrBorrow, u32::from(across));
        if let Some(result) = operator.apply(left, right) {
            set(Hidden::Digits, u32::from(result > 9) + u32::from(result > 99));
        }
        match operator {
            Operator::Plus => {
                set(Hidden::Carry, u32::from(across));
                set(Hidden::Hundred, u32::from(left + right > 99));
            }
            Operator::Minus => set(Hidden::Borrow, u32::from(across)),
        }
    }

    /// What must follow, if the rule decides it: from the equals sign to the last digit. The end
    /// of the line is part of the answer, for answers are of different lengths.
    fn next(&self, known: &mut [i8]) -> Option<char> {
        let digit = self.result.as_ref()?.chars().nth(self.answered);
        let value = digit.and_then(|digit| digit.to_digit(10)).unwrap_or(10);
        known[Hidden::NextDigit as usize] = value as i8;
        Some(digit.unwrap_or('\n'))
    }
}

impl Operand {
    fn take(&mut self, digit: u32, positions: [Position; 2]) -> Option<i8> {
        let leading_zero = self.digits == 1 && self.value == 0;
        let position = *positions.get(self.digits).filter(|_| !leading_zero)?;
        self.value = 10 * self.value + digit;
        self.digits += 1;
        Some(position as i8)
    }

    fn known(&self, ended: bool) -> Option<u32> {
        (ended || self.digits == 2).then_some(self.value)
    }
}

impl Operator {
    fn of(character: char) -> Option<Self> {
        match character {
            '+' => Some(Self::Plus),
            '-' => Some(Self::Minus),
            _ => None,
        }
    }

    fn apply(self, left: u32, right: u32) -> Option<u32> {
        match self {
            Self::Plus => Some(left + right),
            Self::Minus => left.checked_sub(right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::known;
    use super::super::{Language, Split};

    fn check(line: &str, variable: &str, expected: &str) {
        assert_eq!(known(Language::Arithmetic, line, variable), expected, "{line} {variable}");
    }

    #[test]
    fn a_sum_with_a_carry_by_hand() {
        let line = "27+58=85\n";

        check(line, "operator", ". . + + + + + + .");
        check(line, "left tens", ". 2 2 2 2 2 2 2 .");
        check(line, "left units", ". 7 7 7 7 7 7 7 .");
        check(line, "right tens", ". . . . 5 5 5 5 .");
        check(line, "right units", ". . . . 8 8 8 8 .");
        check(line, "left units above 4", ". yes yes yes yes yes yes yes .");
        check(line, "carry", ". . . . yes yes yes yes .");
        check(line, "borrow", ". . . . . . . . .");
        check(line, "carry or borrow", ". . . . yes yes yes yes .");
        check(line, "hundred", ". . . . no no no no .");
        check(line, "digits of the answer", ". . . . 2 2 2 2 .");
        check(line, "next digit", ". . . . . 8 5 end .");
    }

    #[test]
    fn operands_of_one_digit_are_known_by_the_sign_after_them() {
        let line = "5+5=10\n";

        check(line, "left tens", ". 0 0 0 0 0 .");
        check(line, "left units", ". 5 5 5 5 5 .");
        check(line, "right units", ". . . 5 5 5 .");
        check(line, "carry", ". . . yes yes yes .");
        check(line, "next digit", ". . . 1 0 end .");
    }

    #[test]
    fn a_difference_borrows() {
        let line = "61-7=54\n";

        check(line, "operator", ". . - - - - - .");
        check(line, "right tens", ". . . . 0 0 0 .");
        check(line, "borrow", ". . . . yes yes yes .");
        check(line, "carry", ". . . . . . . .");
        check("40-20=20\n", "borrow", ". . . . no no no no .");
    }

    #[test]
    fn positions_are_named() {
        let line = Language::Arithmetic.annotate("99+9=108\n");

        let names = (0..9).map(|position| line.hidden[0].name_at(position).unwrap());
        let expected = "left, digit 1|left, digit 2|operator|right, digit 1|equals|\
                        answer, digit 1|answer, digit 2|answer, digit 3|end";
        assert_eq!(names.collect::<Vec<_>>().join("|"), expected);
    }

    #[test]
    fn a_line_that_cannot_be_leaves_the_next_one_alone() {
        for wrong in ["7-61=", "05+1=", "123+4=", "+1=", "1+=", "1+1=3", "1+1=22", "1*1", "é"] {
            let text = Language::Arithmetic.annotate(&format!("{wrong}\n1+1=2\n"));

            let last = wrong.chars().count() - 1;
            assert!(text.hidden.iter().all(|variable| variable.at[last] == -1), "{wrong}");
            let second = text.answers.iter().filter(|answer| answer.position > last).count();
            assert_eq!(second, 2, "{wrong}");
        }
    }

    #[test]
    fn every_answer_is_right_and_every_kind_of_line_occurs() {
        let text = Language::Arithmetic.generate(3, Split::Train, 5_000).text;

        let (mut sums, mut carries) = (0.0, 0.0);
        for line in text.lines() {
            let (problem, result) = line.split_once('=').unwrap();
            let sign = if problem.contains('+') { '+' } else { '-' };
            let (left, right) = problem.split_once(sign).unwrap();
            let [left, right, result] = [left, right, result].map(|n| n.parse::<u32>().unwrap());
            assert!(left < 100 && right < 100);
            if sign == '+' {
                assert_eq!(left + right, result);
                sums += 1.0;
                carries += f64::from(u8::from(left % 10 + right % 10 > 9));
            } else {
                assert_eq!(left - right, result); // would panic below 0
            }
        }
        assert!((sums / 5_000.0_f64 - 0.5).abs() < 0.05);
        assert!((carries / sums - 0.45_f64).abs() < 0.05);
    }

    #[test]
    fn a_held_out_pair_of_operands_is_nowhere_in_training() {
        let pairs = |split| -> std::collections::HashSet<(u32, u32)> {
            let text = Language::Arithmetic.generate(1, split, 3_000).text;
            let pair = |line: &str| {
                let (problem, _) = line.split_once('=').unwrap();
                let (left, right) = problem.split_once(['+', '-']).unwrap();
                let [left, right] = [left, right].map(|n| n.parse::<u32>().unwrap());
                (left.min(right), left.max(right))
            };
            text.lines().map(pair).collect()
        };

        let (train, validation) = (pairs(Split::Train), pairs(Split::Validation));

        assert!(train.is_disjoint(&validation));
        assert!(train.len() > 1_500 && validation.len() > 350, "{}", validation.len());
    }
}
