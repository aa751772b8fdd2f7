//! A text as a language model is trained on it: its characters as ids, in two parts.

use sha2::{Digest, Sha256};
use shared::bundle::hex;
use shared::vocab::Vocab;

/// A text as ids, split as nanoGPT does: the first nine tenths of the characters to train on,
/// the rest to validate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// What results call it, as in `shakespeare_char`.
    pub name: String,
    /// The characters of the whole text, of both parts.
    pub vocab: Vocab,
    /// The ids to train on.
    pub train: Vec<u32>,
    /// The ids to validate on.
    pub validation: Vec<u32>,
    /// The SHA-256 of the text's UTF-8 bytes, in hexadecimal digits.
    pub sha256: String,
}

/// A text that no language model can be trained on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorpusError {
    /// It has no character.
    #[error("{origin} is empty\n  fix: put a text of at least {minimum} characters there")]
    Empty {
        /// Where the text is from.
        origin: String,
        /// How many characters it needs.
        minimum: usize,
    },
    /// All its characters are the same, so there is nothing to predict.
    #[error(
        "{origin} is a one-character text, nothing but {character:?}\n  \
         fix: put a text of at least 2 different characters there"
    )]
    OneCharacter {
        /// Where the text is from.
        origin: String,
        /// Its only character.
        character: char,
    },
    /// A part of it would hold not even one batch's row.
    #[error(
        "{origin} is too short: {characters} characters\n  \
         fix: put a text of at least {minimum} characters there, or use a smaller block_size"
    )]
    TooShort {
        /// Where the text is from.
        origin: String,
        /// How many characters it has.
        characters: usize,
        /// How many characters it needs.
        minimum: usize,
    },
}

impl Corpus {
    /// Encodes and splits `text`, refused if it has fewer than `minimum_characters`.
    pub fn from_text(
        name: &str,
        text: &str,
        origin: &str,
        minimum_characters: usize,
    ) -> Result<Self, CorpusError> {
        let origin = origin.to_owned();
        let vocab = Vocab::of(text);
        match (vocab.len(), vocab.char(0)) {
            (_, None) => {
                return Err(CorpusError::Empty { origin, minimum: minimum_characters });
            }
            (1, Some(character)) => return Err(CorpusError::OneCharacter { origin, character }),
            _ => {}
        }
        let mut train = vocab.encode(text).expect("the vocabulary is this text's");
        let characters = train.len();
        if characters < minimum_characters {
            let minimum = minimum_characters;
            return Err(CorpusError::TooShort { origin, characters, minimum });
        }
        let validation = train.split_off(n_train(characters));
        let sha256 = sha256_hex(text.as_bytes());
        Ok(Self { name: name.to_owned(), vocab, train, validation, sha256 })
    }

    /// Encodes two texts: one to train on, and one that shares no line with it to validate on.
    ///
    /// # Errors
    /// One of them is empty, too short, or of one character.
    pub fn from_parts(
        name: &str,
        [train, validation]: [&str; 2],
        minimum_characters: usize,
    ) -> Result<Self, CorpusError> {
        let text = [train, validation].concat();
        let whole = Self::from_text(name, &text, name, 2 * minimum_characters)?;
        let part = |part: &str| whole.vocab.encode(part).unwrap_or_default();
        let (train, validation) = (part(train), part(validation));
        Ok(Self { train, validation, ..whole })
    }

    /// Takes each byte for a character: the one with this code point, below 256. The parts share no byte
    /// of the text, and need not follow each other.
    ///
    /// # Errors
    /// A part has fewer than `minimum_characters`, or all bytes are the same.
    pub fn from_bytes(
        name: &str,
        [train, validation]: [&[u8]; 2],
        origin: &str,
        minimum_characters: usize,
    ) -> Result<Self, CorpusError> {
        let origin = origin.to_owned();
        let characters = train.len().min(validation.len());
        if characters < minimum_characters.max(1) {
            let minimum = minimum_characters;
            return Err(CorpusError::TooShort { origin, characters, minimum });
        }
        let mut seen = [false; 256];
        train.iter().chain(validation).for_each(|byte| seen[usize::from(*byte)] = true);
        let bytes: Vec<u8> = (0..=255).filter(|byte| seen[usize::from(*byte)]).collect();
        if let [only] = bytes[..] {
            return Err(CorpusError::OneCharacter { origin, character: char::from(only) });
        }
        let mut ids = [0; 256];
        bytes.iter().zip(0..).for_each(|(byte, id)| ids[usize::from(*byte)] = id);
        let encode = |part: &[u8]| part.iter().map(|byte| ids[usize::from(*byte)]).collect();
        let characters: Vec<char> = bytes.iter().copied().map(char::from).collect();
        let vocab = Vocab::try_from(characters).expect("bytes ascend, each once");
        let mut digest = Sha256::new();
        digest.update(train);
        digest.update(validation);
        Ok(Self {
            name: name.to_owned(),
            vocab,
            train: encode(train),
            validation: encode(validation),
            sha256: hex(&digest.finalize()),
        })
    }

    /// How many characters a text needs for both parts to hold a block of `block_size` and the
    /// character after it.
    pub fn minimum_characters(block_size: usize) -> usize {
        10 * block_size + 1 // the smallest n with n - n_train(n) > block_size
    }
}

/// How many of `n` characters are to train on: `int(0.9 * n)`.
fn n_train(n: usize) -> usize {
    n * 9 / 10
}

/// The SHA-256 of `bytes`, in hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_nine_tenths_of_the_characters_are_to_train_on() {
        let text = "äbcdeäbcdeäbcdeäbcdeäbc"; // 23 characters, 28 bytes

        let corpus = Corpus::from_text("letters", text, "letters.txt", 0).unwrap();

        assert_eq!(corpus.vocab, Vocab::of("bcdeä"));
        assert_eq!((corpus.train.len(), corpus.validation.len()), (20, 3));
        assert_eq!(corpus.vocab.decode(&corpus.train) + "äbc", text);
        assert_eq!(corpus.vocab.decode(&corpus.validation), "äbc");
        assert_eq!(corpus.name, "letters");
    }

    #[test]
    fn two_texts_stay_apart_and_share_a_vocabulary() {
        let corpus = Corpus::from_parts("t", ["abab", "acc"], 3).unwrap();

        assert_eq!(corpus.vocab, Vocab::of("abc"));
        assert_eq!((corpus.train, corpus.validation), (vec![0, 1, 0, 1], vec![0, 2, 2]));
        assert_eq!(corpus.sha256, sha256_hex(b"ababacc"));
        assert!(Corpus::from_parts("t", ["abab", "acc"], 4).is_err());
    }

    #[test]
    fn bytes_are_the_characters_below_256() {
        let corpus = Corpus::from_bytes("t", [b"b\xc3\xa9b", b"\xffb"], "t", 2).unwrap();

        assert_eq!(corpus.vocab, Vocab::of("b\u{a9}\u{c3}\u{ff}"));
        assert_eq!((corpus.train, corpus.validation), (vec![0, 2, 1, 0], vec![3, 0]));
        assert_eq!(corpus.sha256, sha256_hex(b"b\xc3\xa9b\xffb"));
        let refused = |parts| Corpus::from_bytes("t", parts, "t", 2).unwrap_err().to_string();
        assert!(refused([b"ab", b"a"]).contains("too short"));
        assert!(refused([b"aa", b"aa"]).contains("a one-character text"));
    }

    #[test]
    fn splits_where_nanogpt_does() {
        for n in (0..2_000).chain([1_115_394, 100_000_000]) {
            assert_eq!(n_train(n), (0.9 * n as f64) as usize, "n = {n}");
        }
    }

    #[test]
    fn a_character_may_occur_in_the_validation_part_only() {
        let corpus = Corpus::from_text("t", "aaaaaaaaab", "t", 0).unwrap();

        assert_eq!((corpus.train, corpus.validation), (vec![0; 9], vec![1]));
    }

    #[test]
    fn the_checksum_is_that_of_the_bytes() {
        let corpus = Corpus::from_text("t", "abc", "t", 0).unwrap();

        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(corpus.sha256, of_abc);
    }

    #[test]
    fn the_minimum_leaves_a_block_and_its_next_character_to_both_parts() {
        for block_size in [1, 7, 32, 256] {
            let n = Corpus::minimum_characters(block_size);

            assert!(n_train(n) > block_size);
            assert!(n - n_train(n) > block_size);
            assert!(n - 1 - n_train(n - 1) <= block_size, "one fewer would do");
        }
    }

    #[test]
    fn refuses_texts_there_is_nothing_to_learn_from() {
        fn check(text: &str, expected: &str) {
            let error = Corpus::from_text("t", text, "data/t/input.txt", 11).unwrap_err();
            assert!(error.to_string().starts_with("data/t/input.txt is "), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.to_string().contains("\n  fix: put a text of at least "), "{error}");
        }

        check("", "is empty");
        check("\n\n\n", r"a one-character text, nothing but '\n'");
        check("x", "a one-character text");
        check("äbäbäbäbäb", "too short: 10 characters");
    }
}
