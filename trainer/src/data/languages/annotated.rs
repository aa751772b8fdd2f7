//! A text, the hidden variables at each of its characters, and where its rule decides what follows.

use serde::{Deserialize, Serialize};

use super::Exchange;

/// What is behind a text. Positions count characters from 0; what is said of a position follows
/// from the characters up to it and including it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnotatedText {
    /// Lines, each with its line break.
    pub text: String,
    /// Where each line begins.
    pub line_starts: Vec<usize>,
    /// The hidden variables.
    pub hidden: Vec<Variable>,
    /// Where the rule of the language decides the next character, in ascending order.
    pub answers: Vec<Answer>,
}

/// A quantity that is behind the characters of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// What it is, as in `carry`.
    pub name: String,
    /// What its values mean, as in `["no", "yes"]`.
    pub values: Vec<String>,
    /// The place in `values` for each character of the text, or [`Variable::UNDEFINED`].
    pub at: Vec<i8>,
}

/// A position after which the rule leaves one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The last character that is read before.
    pub position: usize,
    /// The one that must follow.
    pub expected: char,
}

/// How often the rule was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAccuracy {
    /// How many answers were predicted.
    pub answers: usize,
    /// How many of them rightly.
    pub right: usize,
    /// How many lines had all of their answers predicted, at least one.
    pub lines: usize,
    /// In how many of them all were right.
    pub lines_right: usize,
}

impl AnnotatedText {
    /// Reads `text` with a function as [`Reader::read`](super::Reader::read).
    pub(super) fn read(
        text: &str,
        mut hidden: Vec<Variable>,
        mut read: impl FnMut(char, &mut [i8]) -> Option<char>,
    ) -> Self {
        let (mut line_starts, mut answers) = (vec![], vec![]);
        let mut known = vec![Variable::UNDEFINED; hidden.len()];
        let mut begins = true;
        for (position, character) in text.chars().enumerate() {
            if begins {
                line_starts.push(position);
            }
            begins = character == '\n';
            known.fill(Variable::UNDEFINED);
            if let Some(expected) = read(character, &mut known) {
                answers.push(Answer { position, expected });
            }
            hidden.iter_mut().zip(&known).for_each(|(variable, known)| variable.at.push(*known));
        }
        Self { text: text.to_owned(), line_starts, hidden, answers }
    }

    /// The hidden variable of this name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.hidden.iter().find(|variable| variable.name == name)
    }

    /// What else decides the character after the last of these, the text's first ones, beside what is
    /// exchanged; nothing where it is not exchanged.
    pub fn alike(&self, exchange: &Exchange, characters: &[char]) -> Option<String> {
        let position = characters.len().checked_sub(1)?;
        if let Some(place) = exchange.place {
            let here = self.variable("position")?.name_at(position)?;
            if here != place {
                return None;
            }
        }
        let mut alike = String::new();
        for name in exchange.alike {
            alike += self.variable(name)?.name_at(position)?;
            alike.push(' ');
        }
        if exchange.same_word {
            let word = characters.iter().rev().take_while(|character| character.is_alphabetic());
            alike.extend(word);
        }
        Some(alike)
    }

    /// Which line a position is in.
    pub fn line_of(&self, position: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= position).saturating_sub(1)
    }

    /// Compares what a model says with what must follow. `predicted` gives the character it finds
    /// most likely after a position, or `None` where it was not asked; such answers do not count.
    /// So a part of the answers, as those where a variable has some value, can be counted alone.
    pub fn task_accuracy(&self, predicted: impl Fn(usize) -> Option<char>) -> TaskAccuracy {
        let mut accuracy = TaskAccuracy::default();
        let line_of = |answer: &Answer| self.line_of(answer.position);
        for line in self.answers.chunk_by(|one, next| line_of(one) == line_of(next)) {
            let verdict = |answer: &Answer| Some(predicted(answer.position)? == answer.expected);
            let verdicts: Vec<bool> = line.iter().filter_map(verdict).collect();
            accuracy.answers += verdicts.len();
            accuracy.right += verdicts.iter().filter(|right| **right).count();
            let whole = verdicts.len() == line.len();
            accuracy.lines += usize::from(whole);
            accuracy.lines_right += usize::from(whole && verdicts.iter().all(|right| *right));
        }
        accuracy
    }

    /// A variable that nothing should find, to judge what is found of `variable` by: defined
    /// where it is and with its values as often, but chosen by a hash of the line up to there
    /// (control tasks: Hewitt and Liang, Designing and Interpreting Probes, 2019).
    ///
    /// Places with the same line up to them have the same value: where a variable is known after
    /// few characters, so few that a model meets them often, its control can be learnt by heart.
    pub fn control_of(&self, variable: &Variable) -> Variable {
        let mut pool: Vec<i8> = variable.at.iter().copied().filter(|value| *value >= 0).collect();
        pool.sort_unstable();
        let mut hash = FNV_OFFSET;
        let characters = self.text.chars().zip(&variable.at);
        let at = characters.map(|(character, value)| {
            hash = (hash ^ u64::from(character)).wrapping_mul(FNV_PRIME);
            let place = (u128::from(mixed(hash)) * pool.len() as u128) >> 64;
            if character == '\n' {
                hash = FNV_OFFSET;
            }
            if *value < 0 { Variable::UNDEFINED } else { pool[place as usize] }
        });
        let (name, values) = (format!("control of {}", variable.name), variable.values.clone());
        Variable { name, values, at: at.collect() }
    }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// The last steps of splitmix64 (Steele, Lea, Flood 2014), so that short texts differ in all bits.
fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

impl Variable {
    /// Stands for no value: the variable is not known at this character, or means nothing there.
    pub const UNDEFINED: i8 = -1;

    /// A variable that is not known anywhere yet.
    pub(super) fn new(name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| value.to_string()).collect();
        Self { name: name.to_owned(), values, at: vec![] }
    }

    /// What its value at a position is called.
    pub fn name_at(&self, position: usize) -> Option<&str> {
        let value = usize::try_from(*self.at.get(position)?).ok()?;
        self.values.get(value).map(String::as_str)
    }

    /// Whether it has this value, 0 or 1, where it is defined: a variable of many values as one
    /// of two, for truth tables.
    pub fn is(&self, value: &str) -> Option<Self> {
        let wanted = self.values.iter().position(|name| name == value)?;
        let is = |value: &i8| match usize::try_from(*value) {
            Ok(value) => i8::from(value == wanted),
            Err(_) => Self::UNDEFINED,
        };
        let at = self.at.iter().map(is).collect();
        Some(Self { at, ..Self::new(&format!("{} is {value}", self.name), &["no", "yes"]) })
    }
}

impl TaskAccuracy {
    /// The share of answers that are right; not a number if none was predicted.
    pub fn of_answers(&self) -> f64 {
        self.right as f64 / self.answers as f64
    }

    /// The share of lines whose answers are all right; not a number if there is none.
    pub fn of_lines(&self) -> f64 {
        self.lines_right as f64 / self.lines as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows one variable, whether the last character was a `b`, not at line breaks; after an `x`
    /// a `y` must follow.
    fn annotated(text: &str) -> AnnotatedText {
        AnnotatedText::read(text, vec![Variable::new("b", &["no", "yes"])], |character, known| {
            if character != '\n' {
                known[0] = i8::from(character == 'b');
            }
            (character == 'x').then_some('y')
        })
    }

    #[test]
    fn what_else_decides_is_told_by_variables_and_the_word_so_far() {
        let text = annotated("ab ba");
        let characters: Vec<char> = text.text.chars().collect();
        let all = Exchange { variable: "b", place: None, alike: &["b"], same_word: true };

        let alike = |exchange: &Exchange, count: usize| text.alike(exchange, &characters[..count]);

        assert_eq!(alike(&all, 2).unwrap(), "yes ba");
        assert_eq!(alike(&all, 5).unwrap(), "no ab");
        assert_eq!(alike(&Exchange { same_word: false, ..all }, 5).unwrap(), "no ");
        assert_eq!(alike(&Exchange { alike: &["c"], ..all }, 5), None);
        assert_eq!(alike(&Exchange { place: Some("end"), ..all }, 5), None);
    }

    #[test]
    fn positions_count_characters_and_lines_begin_after_breaks() {
        let text = annotated("äb\n\nxy");

        assert_eq!(text.line_starts, [0, 3, 4]);
        assert_eq!(text.hidden[0].at, [0, 1, -1, -1, 0, 0]);
        assert_eq!(text.answers, [Answer { position: 4, expected: 'y' }]);
        assert_eq!([0, 2, 3, 4, 5].map(|position| text.line_of(position)), [0, 0, 1, 2, 2]);
        assert_eq!(text.variable("b").unwrap().name_at(1), Some("yes"));
        assert_eq!(text.hidden[0].name_at(2), None);
        assert_eq!(text.hidden[0].name_at(6), None);
        assert_eq!(text.variable("c"), None);
    }

    #[test]
    fn accuracy_counts_answers_and_whole_lines_that_were_asked() {
        let text = annotated("xx\naa\nx\nxx\n"); // answers at 0, 1; none; 6; 8, 9

        let accuracy = text.task_accuracy(|position| match position {
            0 | 6 | 9 => Some('y'),
            1 => Some('x'),
            _ => None,
        });

        let expected = TaskAccuracy { answers: 4, right: 3, lines: 2, lines_right: 1 };
        assert_eq!(accuracy, expected);
        assert_eq!((accuracy.of_answers(), accuracy.of_lines()), (0.75, 0.5));
        assert!(text.task_accuracy(|_| None).of_answers().is_nan());
    }

    #[test]
    fn a_control_has_the_same_values_as_often_but_independently() {
        let lines: Vec<String> =
            (0..4_000).map(|n| format!("{n}{}", if n % 4 == 0 { "b" } else { "a" })).collect();
        let text = annotated(&lines.join("\n"));

        let control = text.control_of(&text.hidden[0]);

        let rows = || control.at.iter().zip(&text.hidden[0].at);
        assert!(rows().all(|(control, value)| (*control < 0) == (*value < 0)));
        let share = |of: (i8, i8)| {
            let defined = rows().filter(|(control, _)| **control >= 0).count();
            rows().filter(|(control, value)| (**control, **value) == of).count() as f64
                / defined as f64
        };
        let yes = share((0, 1)) + share((1, 1));
        assert!((share((1, 0)) + share((1, 1)) - yes).abs() < 0.02);
        assert!((share((1, 1)) - yes * yes).abs() < 0.02);
        assert_ne!(control.at, text.hidden[0].at);
    }

    #[test]
    fn places_with_the_same_line_up_to_them_have_the_same_control() {
        let text = annotated("abab\nbab\nabab\naba");

        let control = text.control_of(&text.hidden[0]).at;

        assert_eq!(control[..5], control[9..14]);
        assert_eq!(control[..3], control[14..]);
    }

    #[test]
    fn one_value_of_many_becomes_a_variable_of_two() {
        let variable = Variable { at: vec![2, -1, 0], ..Variable::new("digit", &["0", "1", "2"]) };

        let is_two = variable.is("2").unwrap();

        assert_eq!((is_two.at, is_two.name.as_str()), (vec![1, -1, 0], "digit is 2"));
        assert_eq!(variable.is("7"), None);
    }
}
