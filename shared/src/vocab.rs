//! Which characters a text has, and the id of each.

use serde::{Deserialize, Serialize};

/// The distinct characters of a text, sorted by code point; the id of each is its place.
///
/// As JSON it is the plain list: `["\n", " ", "a"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<char>", try_from = "Vec<char>")]
pub struct Vocab {
    characters: Vec<char>,
}

/// A text has a character its vocabulary lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the vocabulary has no {character:?}, character {position} of the text (the first is 0): \
     remove it, or use a vocabulary made of this text"
)]
pub struct UnknownCharacter {
    /// The character.
    pub character: char,
    /// How many characters of the text stand before it.
    pub position: usize,
}

/// A list of characters is no vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no vocabulary: {character:?} at place {place} does not come after {previous:?}; \
     list each character once, in the order of code points"
)]
pub struct InvalidVocab {
    /// The first character that is out of order.
    pub character: char,
    /// Where in the list it stands, counted from 0.
    pub place: usize,
    /// The character before it, which should have come later or only once.
    pub previous: char,
}

impl Vocab {
    /// The characters of `text`.
    pub fn of(text: &str) -> Self {
        let mut characters = Vec::new();
        for character in text.chars() {
            if let Err(place) = characters.binary_search(&character) {
                characters.insert(place, character);
            }
        }
        Self { characters }
    }

    /// How many characters there are.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The id of `character`.
    pub fn id(&self, character: char) -> Option<usize> {
        self.characters.binary_search(&character).ok()
    }

    /// The character with this id.
    pub fn char(&self, id: usize) -> Option<char> {
        self.characters.get(id).copied()
    }

    /// The id of every character of `text`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, UnknownCharacter> {
        let id_at = |(position, character)| match self.id(character) {
            Some(id) => Ok(id as u32),
            None => Err(UnknownCharacter { character, position }),
        };
        text.chars().enumerate().map(id_at).collect()
    }

    /// The text these ids stand for; an id out of range becomes U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let character = |&id: &u32| self.char(id as usize).unwrap_or(char::REPLACEMENT_CHARACTER);
        ids.iter().map(character).collect()
    }
}

impl From<Vocab> for Vec<char> {
    fn from(vocab: Vocab) -> Self {
        vocab.characters
    }
}

impl TryFrom<Vec<char>> for Vocab {
    type Error = InvalidVocab;

    fn try_from(characters: Vec<char>) -> Result<Self, InvalidVocab> {
        for (before, pair) in characters.windows(2).enumerate() {
            let [previous, character] = [pair[0], pair[1]];
            if previous >= character {
                return Err(InvalidVocab { character, place: before + 1, previous });
            }
        }
        Ok(Self { characters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_the_characters_in_the_order_of_code_points() {
        let vocab = Vocab::of("hé\nhello");

        assert_eq!(Vec::from(vocab.clone()), ['\n', 'e', 'h', 'l', 'o', 'é']);
        assert_eq!((vocab.len(), vocab.is_empty()), (6, false));
        assert_eq!((vocab.id('h'), vocab.id('x')), (Some(2), None));
        assert_eq!((vocab.char(5), vocab.char(6)), (Some('é'), None));
    }

    #[test]
    fn no_text_has_no_characters() {
        assert!(Vocab::of("").is_empty());
    }

    #[test]
    fn decoding_undoes_encoding() {
        let text = "to be, or not to be: ü, 日本, 🎭\r\n";
        let vocab = Vocab::of(text);

        let ids = vocab.encode(text).unwrap();

        assert_eq!(vocab.decode(&ids), text);
    }

    #[test]
    fn names_an_unknown_character_escaped_and_by_its_place_among_the_characters() {
        let unknown = Vocab::of("éab").encode("éa\tb").unwrap_err();

        assert_eq!(unknown, UnknownCharacter { character: '\t', position: 2 });
        assert!(unknown.to_string().contains(r"has no '\t', character 2 of"), "{unknown}");
    }

    #[test]
    fn an_unknown_id_becomes_the_replacement_character() {
        assert_eq!(Vocab::of("ab").decode(&[1, 2, 0, u32::MAX]), "b\u{fffd}a\u{fffd}");
    }

    #[test]
    fn json_is_the_sorted_list_and_comes_back() {
        let vocab = Vocab::of("a\n\"é");

        let json = serde_json::to_string(&vocab).unwrap();

        assert_eq!(json, r#"["\n","\"","a","é"]"#);
        assert_eq!(serde_json::from_str::<Vocab>(&json).unwrap(), vocab);
    }

    #[test]
    fn refuses_lists_that_are_no_vocabulary() {
        fn check(json: &str, expected: &str) {
            let error = serde_json::from_str::<Vocab>(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }

        check(r#"["b", "a"]"#, "'a' at place 1 does not come after 'b'");
        check(r#"["a", "b", "b"]"#, "'b' at place 2 does not come after 'b'");
        check(r#"["ab"]"#, "expected a character");
        check(r#"[7]"#, "expected a character");
        check(r#""ab""#, "expected a sequence");
    }
}
