//! The words of the small grammar, and which of them can come next.
//!
//! Words that can come at the same place can be told apart by their first letters, but for the two
//! forms of the same word. So where these forms part, agreement alone decides the next character.

/// What kind of word a character belongs to. The character that ends a word belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `the`
    Determiner,
    /// As in `keys`.
    Noun,
    /// As in `by`.
    Preposition,
    /// `that`
    Relative,
    /// As in `sees`.
    Verb,
    /// As in `old`.
    Adjective,
    /// As in `herself`.
    Pronoun,
}

/// One or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// One.
    Singular,
    /// More.
    Plural,
}

/// Which pronoun stands for a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    /// `herself`
    Feminine,
    /// `himself`
    Masculine,
    /// `itself`
    Neuter,
}

/// Words with the same place in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `the`
    Determiners,
    /// Nouns, by gender.
    Nouns(Gender),
    /// As in `near`.
    Prepositions,
    /// `that`
    Relatives,
    /// Verbs that end a sentence, as in `run`.
    Intransitives,
    /// Verbs with a noun or pronoun after or before them, as in `see`.
    Transitives,
    /// `was`, `were`
    Copulas,
    /// As in `old`.
    Adjectives,
    /// `herself` and `themselves`, by gender.
    Pronouns(Gender),
}

/// A word that may be the one that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its letters.
    pub form: &'static str,
    /// Where it belongs.
    pub group: Group,
    /// What it says, or must agree with.
    pub number: Option<Number>,
}

/// A word that does not change.
const fn same(form: &'static str) -> [&'static str; 2] {
    [form, form]
}

impl Group {
    /// The words: singular, plural.
    pub fn words(self) -> &'static [[&'static str; 2]] {
        match self {
            Self::Determiners => const { &[same("the")] },
            Self::Nouns(Gender::Feminine) => {
                &[["aunt", "aunts"], ["girl", "girls"], ["queen", "queens"], ["woman", "women"]]
            }
            Self::Nouns(Gender::Masculine) => {
                &[["boy", "boys"], ["king", "kings"], ["man", "men"], ["uncle", "uncles"]]
            }
            Self::Nouns(Gender::Neuter) => {
                &[["cat", "cats"], ["dog", "dogs"], ["hat", "hats"], ["key", "keys"]]
            }
            Self::Prepositions => const { &[same("by"), same("near"), same("on")] },
            Self::Relatives => const { &[same("that")] },
            Self::Intransitives => {
                &[["falls", "fall"], ["jumps", "jump"], ["runs", "run"], ["sleeps", "sleep"]]
            }
            Self::Transitives => {
                &[["fears", "fear"], ["hears", "hear"], ["likes", "like"], ["sees", "see"]]
            }
            Self::Copulas => &[["was", "were"]],
            Self::Adjectives => const { &[same("kind"), same("old"), same("red"), same("small")] },
            Self::Pronouns(Gender::Feminine) => &[["herself", "themselves"]],
            Self::Pronouns(Gender::Masculine) => &[["himself", "themselves"]],
            Self::Pronouns(Gender::Neuter) => &[["itself", "themselves"]],
        }
    }

    /// What kind of words they are.
    pub fn class(self) -> Class {
        match self {
            Self::Determiners => Class::Determiner,
            Self::Nouns(_) => Class::Noun,
            Self::Prepositions => Class::Preposition,
            Self::Relatives => Class::Relative,
            Self::Intransitives | Self::Transitives | Self::Copulas => Class::Verb,
            Self::Adjectives => Class::Adjective,
            Self::Pronouns(_) => Class::Pronoun,
        }
    }

    /// What stands after such a word.
    pub fn end(self) -> char {
        match self {
            Self::Intransitives | Self::Adjectives | Self::Pronouns(_) => '.',
            _ => ' ',
        }
    }

    /// Both forms of all the words.
    pub fn candidates(self) -> impl Iterator<Item = Candidate> {
        self.words().iter().flat_map(move |&[singular, plural]| {
            let number = |number| (singular != plural).then_some(number);
            let candidate = move |form, number| Candidate { form, group: self, number };
            [
                candidate(singular, number(Number::Singular)),
                candidate(plural, number(Number::Plural)),
            ]
        })
    }
}

impl Gender {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Feminine, Self::Masculine, Self::Neuter];
}

impl Number {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Singular, Self::Plural];
}

impl Candidate {
    /// Its gender, if it is a noun or a pronoun.
    pub fn gender(&self) -> Option<Gender> {
        match self.group {
            Group::Nouns(gender) | Group::Pronouns(gender) => Some(gender),
            _ => None,
        }
    }

    /// Its character at this place, the one that ends it included.
    pub fn character(&self, place: usize) -> Option<char> {
        self.form.chars().chain([self.group.end()]).nth(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_of_a_word_share_their_beginning_with_no_other_word_of_its_place() {
        use Gender::{Feminine, Masculine, Neuter};
        let nouns = [Group::Nouns(Feminine), Group::Nouns(Masculine), Group::Nouns(Neuter)];
        let after_noun = [
            Group::Prepositions,
            Group::Relatives,
            Group::Transitives,
            Group::Intransitives,
            Group::Copulas,
        ];
        for groups in [&nouns[..], &after_noun, &[Group::Determiners, Group::Transitives]] {
            let words = || groups.iter().flat_map(|group| group.words());
            for [singular, plural] in words().filter(|[singular, plural]| singular != plural) {
                let pairs = singular.chars().zip(plural.chars());
                let shared: String =
                    pairs.take_while(|(one, other)| one == other).map(|(one, _)| one).collect();
                let begun = |forms: &&[&str; 2]| forms.iter().any(|form| form.starts_with(&shared));
                assert_eq!(words().filter(begun).count(), 1, "{shared}");
            }
        }
    }
}
