//! Generated languages whose rules are known: text, and what is behind every character of it.
//!
//! | language | a line | the rule decides |
//! |---|---|---|
//! | arithmetic | `27+58=85` | the digits of the answer and where it ends |
//! | boolean | `(T&!F=T)\|F=T` | the truth values |
//! | grammar | `the keys by the hat were old.` | the forms of verbs and pronouns |
//!
//! A language reads text one character at a time and says what is known then. So no hidden
//! variable can look ahead, and any text can be read: a generated one, one that a model wrote, one
//! with a digit swapped.

mod annotated;
mod arithmetic;
mod boolean;
mod grammar;
mod lexicon;

use std::fmt;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use shared::random::stream;

pub use annotated::{AnnotatedText, Answer, TaskAccuracy, Variable};

/// One in this many lines is kept for validation.
const HELD_OUT: u64 = 10;

/// A language with known rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Sums and differences of two numbers below 100.
    Arithmetic,
    /// Truth values combined by and, or, exclusive or.
    Boolean,
    /// English sentences whose verb agrees with a noun further back.
    Grammar,
}

/// Which lines of a language a text is made of. It depends on what a line says, not on the seed:
/// what is held out from one training text is held out from all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Nine in ten of all possible lines.
    Train,
    /// The others.
    Validation,
}

/// A hidden variable, and what else decides the next character: rows that are alike in all else can be
/// given the value of each other.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The variable.
    pub variable: &'static str,
    /// At which kind of position, if not at any.
    pub place: Option<&'static str>,
    /// The other variables that decide.
    pub alike: &'static [&'static str],
    /// Whether the word so far decides as well.
    pub same_word: bool,
}

/// A line as it is generated.
struct Line {
    /// Without its line break.
    text: String,
    /// What decides about its split. Lines that give each other away have the same.
    content: String,
}

/// Reads a language one character at a time.
trait Reader {
    /// Reads `character` and writes what is known then into `known`, a value for each variable
    /// of the language, all undefined before. Gives the next character if the rule decides it.
    ///
    /// A line that is not of the language leaves everything undefined up to the next line break.
    fn read(&mut self, character: char, known: &mut [i8]) -> Option<char>;
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Arithmetic, Self::Boolean, Self::Grammar];

    /// What results call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arithmetic => "arithmetic",
            Self::Boolean => "boolean",
            Self::Grammar => "grammar",
        }
    }

    /// What it is, in a sentence.
    pub fn description(self) -> &'static str {
        match self {
            Self::Arithmetic => {
                "Sums and differences of two numbers from 0 to 99; no answer is negative."
            }
            Self::Boolean => {
                "Two truth values combined by and (&), or (|) or exclusive or (^), and what comes \
                 out; each may be negated (!) or a combination in brackets, up to three deep."
            }
            Self::Grammar => {
                "A noun, up to two phrases or relative clauses with nouns of their own, and a \
                 verb or pronoun that agrees with the first noun in number and gender."
            }
        }
    }

    /// What can be exchanged between two lines, so that it is known what must follow then.
    pub fn exchanges(self) -> &'static [Exchange] {
        /// What decides the tens digit of an answer beside the carry, and whether it begins with it.
        const TENS: &[&str] = &["operator", "left tens", "right tens", "digits of the answer"];
        const fn at_equals(variable: &'static str, alike: &'static [&'static str]) -> Exchange {
            Exchange { variable, place: Some("equals"), alike, same_word: false }
        }
        match self {
            Self::Arithmetic => &const { [at_equals("carry", TENS), at_equals("borrow", TENS)] },
            Self::Boolean => {
                &const {
                    [
                        at_equals("first", &["combined by", "second"]),
                        at_equals("second", &["first", "combined by"]),
                        at_equals("combined by", &["first", "second"]),
                    ]
                }
            }
            Self::Grammar => {
                &const {
                    [Exchange {
                        variable: "head number",
                        place: None,
                        alike: &["position", "subject gender"],
                        same_word: true,
                    }]
                }
            }
        }
    }

    /// A line, without its line break.
    pub fn example(self) -> &'static str {
        match self {
            Self::Arithmetic => "27+58=85",
            Self::Boolean => "(T&!F=T)|F=T",
            Self::Grammar => "the keys by the hat that the boy sees were old.",
        }
    }

    /// How many characters a line has at most, with its line break. A model whose block is at
    /// least twice as long sees the whole beginning of the line at every character that counts.
    pub fn longest_line(self) -> usize {
        match self {
            Self::Arithmetic => arithmetic::LONGEST_LINE,
            Self::Boolean => boolean::LONGEST_LINE,
            Self::Grammar => grammar::LONGEST_LINE,
        }
    }

    /// `lines` lines of this seed and split, and what is behind them. Lines can occur again. Fewer
    /// lines are the beginning of the same text.
    pub fn generate(self, seed: u64, split: Split, lines: usize) -> AnnotatedText {
        let mut random = stream(seed, &format!("language {self} {split}"));
        let mut text = String::new();
        for _ in 0..lines {
            text.push_str(&self.line(&mut random, split));
            text.push('\n');
        }
        self.annotate(&text)
    }

    /// What is behind the characters of any `text`, nothing where it is not of the language.
    pub fn annotate(self, text: &str) -> AnnotatedText {
        let (mut reader, variables): (Box<dyn Reader>, _) = match self {
            Self::Arithmetic => (Box::<arithmetic::Sum>::default(), arithmetic::variables()),
            Self::Boolean => (Box::<boolean::Expression>::default(), boolean::variables()),
            Self::Grammar => (Box::<grammar::Sentence>::default(), grammar::variables()),
        };
        AnnotatedText::read(text, variables, |character, known| reader.read(character, known))
    }

    fn line(self, random: &mut ChaCha8Rng, split: Split) -> String {
        loop {
            let line = match self {
                Self::Arithmetic => arithmetic::line(random),
                Self::Boolean => boolean::line(random),
                Self::Grammar => grammar::line(random),
            };
            let fits = line.text.len() < self.longest_line();
            if fits && self.split_of(&line.content) == split {
                return line.text;
            }
        }
    }

    /// A named random stream is a hash as well.
    fn split_of(self, content: &str) -> Split {
        let hash = stream(0, &format!("split {self} {content}")).next_u64();
        if hash.is_multiple_of(HELD_OUT) { Split::Validation } else { Split::Train }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
        })
    }
}

#[cfg(test)]
mod tests;
