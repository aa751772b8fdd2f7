//! What the models make of a text, as the explorer shows it. Numbers only, no tensors.

use serde::{Deserialize, Serialize};

/// The longest text that is read, in characters.
pub const LONGEST: usize = 256;

/// What the models make of a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The text.
    pub text: String,
    /// One for each character.
    pub positions: Vec<Position>,
}

/// What the models make of one character with those before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The features that fire here, strongest first.
    pub active: Vec<ActiveFeature>,
    /// The composition units that speak here, strongest first.
    pub units: Vec<SpeakingUnit>,
    /// The strongest attention between features that fire here, strongest first.
    pub attention: Vec<Attended>,
    /// Share of the reconstruction that the combinations give; may be negative.
    pub composed_share: f32,
    /// Squared error of the reconstruction over the squared length of the centred activation.
    pub error: f32,
    /// The likeliest next characters, by the untouched model.
    pub next: Vec<Guess>,
    /// Nats that the untouched model pays for the character that follows, if one does.
    pub clean_loss: Option<f32>,
    /// The same with every activation replaced by its reconstruction.
    pub reconstructed_loss: Option<f32>,
}

/// A feature that fires at a character. As JSON `[feature, strength, share]`, because there are many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "(usize, f32, f32)", from = "(usize, f32, f32)")]
pub struct ActiveFeature {
    /// Which one.
    pub feature: usize,
    /// How strongly.
    pub strength: f32,
    /// Its share of the reconstruction: the projection of what it adds, over the squared length. The
    /// shares of all features and of the combinations are 1 in sum.
    pub share: f32,
}

/// A composition unit that speaks at a character.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeakingUnit {
    /// Which one.
    pub unit: usize,
    /// Its parts.
    pub parts: Vec<usize>,
    /// How strongly it speaks.
    pub strength: f32,
}

/// Attention that a feature pays to a partner. As JSON `[head, from, to, weight]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "(usize, usize, usize, f32)", from = "(usize, usize, usize, f32)")]
pub struct Attended {
    /// In which head.
    pub head: usize,
    /// Who looks.
    pub from: usize,
    /// At whom.
    pub to: usize,
    /// How much, of 1 in all with the null slot.
    pub weight: f32,
}

/// A character that may come next. As JSON `[character, clean, reconstructed]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "(char, f32, f32)", from = "(char, f32, f32)")]
pub struct Guess {
    /// The character.
    pub character: char,
    /// Its probability.
    pub clean: f32,
    /// The same with every activation replaced by its reconstruction.
    pub reconstructed: f32,
}

impl From<ActiveFeature> for (usize, f32, f32) {
    fn from(active: ActiveFeature) -> Self {
        (active.feature, active.strength, active.share)
    }
}

impl From<(usize, f32, f32)> for ActiveFeature {
    fn from((feature, strength, share): (usize, f32, f32)) -> Self {
        Self { feature, strength, share }
    }
}

impl From<Attended> for (usize, usize, usize, f32) {
    fn from(attended: Attended) -> Self {
        (attended.head, attended.from, attended.to, attended.weight)
    }
}

impl From<(usize, usize, usize, f32)> for Attended {
    fn from((head, from, to, weight): (usize, usize, usize, f32)) -> Self {
        Self { head, from, to, weight }
    }
}

impl From<Guess> for (char, f32, f32) {
    fn from(guess: Guess) -> Self {
        (guess.character, guess.clean, guess.reconstructed)
    }
}

impl From<(char, f32, f32)> for Guess {
    fn from((character, clean, reconstructed): (char, f32, f32)) -> Self {
        Self { character, clean, reconstructed }
    }
}

/// A stretch of a text that the language model reads at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first character that it reads.
    pub start: usize,
    /// The first character that it answers for; those before are only context.
    pub from: usize,
    /// One past the last.
    pub end: usize,
}

/// The windows in which a text of `length` characters is read by a model that sees `block` at once.
///
/// All have the same length. From the second window on, every character that a window answers for has
/// at least half a block before it, as the rows of training have.
pub fn windows(length: usize, block: usize) -> Vec<Window> {
    let mut windows = vec![];
    let mut from = 0;
    while from < length {
        let start = (from.saturating_sub(block / 2)).min(length.saturating_sub(block));
        let end = (start + block).min(length);
        windows.push(Window { start, from, end });
        from = end;
    }
    windows
}

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing to read.
    #[error("there is no text: type at least one character")]
    Empty,
    /// More than [`LONGEST`] characters.
    #[error("the text has {0} characters; at most {LONGEST} are read")]
    TooLong(usize),
    /// Characters that the language model has never seen.
    #[error(
        "the language model does not know {}: its text had no such character",
        list(.0)
    )]
    Unknown(Vec<char>),
}

/// The ids of `text`'s characters, if the models can read it.
///
/// # Errors
/// It is empty, too long, or has characters that the vocabulary lacks.
pub fn encode(text: &str, vocab: &crate::Vocab) -> Result<Vec<u32>, Unreadable> {
    let length = text.chars().count();
    match length {
        0 => return Err(Unreadable::Empty),
        1..=LONGEST => {}
        _ => return Err(Unreadable::TooLong(length)),
    }
    vocab.encode(text).map_err(|_| {
        let mut unknown: Vec<char> =
            text.chars().filter(|character| vocab.id(*character).is_none()).collect();
        unknown.sort_unstable();
        unknown.dedup();
        Unreadable::Unknown(unknown)
    })
}

fn list(characters: &[char]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> =
        characters.iter().take(SHOWN).map(|character| format!("{character:?}")).collect();
    match characters.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vocab;

    #[test]
    fn windows_answer_for_every_character_once() {
        for block in [1, 2, 5, 32, 64, 256] {
            for length in 0..=300 {
                let windows = windows(length, block);
                let answered: Vec<usize> =
                    windows.iter().flat_map(|window| window.from..window.end).collect();

                assert_eq!(answered, (0..length).collect::<Vec<_>>());
                for window in &windows {
                    assert_eq!(window.end - window.start, block.min(length));
                    assert!(window.from == 0 || window.from - window.start >= block / 2);
                }
            }
        }
    }

    #[test]
    fn texts_that_cannot_be_read_are_refused_with_the_reason() {
        let vocab = Vocab::of("ab\n");
        let refusal = |text: &str| encode(text, &vocab).unwrap_err().to_string();

        assert!(refusal("").contains("no text"));
        assert!(refusal(&"a".repeat(257)).contains("257 characters; at most 256"));
        assert!(refusal("a\u{0}b\u{202e}").contains(r"know '\0', '\u{202e}':"));
        assert!(refusal("cdefghijklmn").contains("and 4 more"));
        assert_eq!(encode(&"a".repeat(256), &vocab).unwrap().len(), 256);
    }
}
