//! Sentences in which a verb agrees with a noun some words before it, one a line:
//! `the keys by the hat that the boy sees were old.`
//!
//! A sentence has a subject, up to two modifiers and a predicate. A modifier belongs to the noun
//! right before it: a preposition and a noun, or a relative clause, either with a noun of its own
//! before its verb (`that the boy sees`, the verb agrees with `boy`) or with one after it (`that
//! sees the boy`, the verb agrees with the noun before `that`). The predicate is a verb, `was` or
//! `were` with an adjective, or a verb with a reflexive pronoun, which agrees in gender too. All
//! choices are equally likely but for the number of modifiers. Held out are sentences whatever
//! their words' number, so a sentence in the plural does not give away the one in the singular.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::lexicon::{Candidate, Class, Gender, Group, Number};
use super::{Line, Reader, Variable};

/// Longer sentences are left out.
pub const LONGEST_LINE: usize = 64;

const MOST_MODIFIERS: usize = 2;
/// No modifier in three sentences of ten, one in four, two in three.
const MODIFIERS: [usize; 10] = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2];
/// Longer distances count as this one.
const FARTHEST: usize = 9;

/// The hidden variables, in the order of [`variables`].
#[derive(Clone, Copy)]
enum Hidden {
    Position,
    SubjectNumber,
    SubjectGender,
    HeadNumber,
    NearestNumber,
    Conflict,
    Distance,
    Depth,
    Modifiers,
}

/// The place of the line break among the values of `position`, after the classes of words.
const END: i8 = 7;

/// What is behind a sentence.
///
/// - `position`: the class of the word that a character belongs to, as soon as it is certain; the
///   space or full stop after a word belongs to it.
/// - `subject number`, `subject gender`: of the sentence's first noun, up to the full stop.
/// - `head number`: of the noun that the next verb must agree with, up to that verb's end;
///   undefined while a relative clause leaves open which noun that is.
/// - `nearest number`: of the last noun. `conflict`: whether it differs from the head's.
/// - `distance`: how many words were begun after the head.
/// - `depth`: how many relative clauses are open. One whose verb comes before its noun ends when
///   the next verb begins.
/// - `modifiers`: how many were begun.
///
/// The number of a noun is known where its two forms part: with the `s` of `keys`, the space after
/// `key`, the `e` of `men`.
pub fn variables() -> Vec<Variable> {
    let classes =
        ["determiner", "noun", "preposition", "relative", "verb", "adjective", "pronoun", "end"];
    let numbers = ["singular", "plural"];
    let distances = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9+"];
    let counts = ["0", "1", "2"];
    vec![
        Variable::new("position", &classes),
        Variable::new("subject number", &numbers),
        Variable::new("subject gender", &["feminine", "masculine", "neuter"]),
        Variable::new("head number", &numbers),
        Variable::new("nearest number", &numbers),
        Variable::new("conflict", &["no", "yes"]),
        Variable::new("distance", &distances),
        Variable::new("depth", &counts),
        Variable::new("modifiers", &counts),
    ]
}

/// A random line; it may be too long.
pub fn line(random: &mut ChaCha8Rng) -> Line {
    let mut words = Words::default();
    let subject = words.noun(random);
    let mut before = subject.number;
    let mut closing = vec![];
    for _ in 0..MODIFIERS[random.random_range(0..MODIFIERS.len())] {
        let kind = random.random_range(0..3);
        words.push(random, if kind == 0 { Group::Prepositions } else { Group::Relatives }, before);
        if kind == 2 {
            words.push(random, Group::Transitives, before);
        }
        before = words.noun(random).number;
        if kind == 1 {
            closing.push(before);
        }
    }
    for number in closing.into_iter().rev() {
        words.push(random, Group::Transitives, number);
    }
    let predicate = [
        &[Group::Intransitives][..],
        &[Group::Copulas, Group::Adjectives],
        &[Group::Transitives, Group::Pronouns(subject.gender)],
    ];
    for group in predicate[random.random_range(0..predicate.len())] {
        words.push(random, *group, subject.number);
    }
    Line { text: words.spoken.join(" ") + ".", content: words.singular.join(" ") }
}

/// A sentence as far as it is written.
#[derive(Default)]
struct Words {
    spoken: Vec<&'static str>,
    singular: Vec<&'static str>,
}

/// What agreement asks of a noun.
#[derive(Clone, Copy)]
struct Noun {
    number: Number,
    gender: Gender,
}

impl Words {
    fn push(&mut self, random: &mut ChaCha8Rng, group: Group, number: Number) {
        let forms = group.words()[random.random_range(0..group.words().len())];
        self.spoken.push(forms[number as usize]);
        self.singular.push(forms[0]);
    }

    /// Writes a noun with its determiner.
    fn noun(&mut self, random: &mut ChaCha8Rng) -> Noun {
        let number = Number::ALL[random.random_range(0..2)];
        let gender = Gender::ALL[random.random_range(0..3)];
        self.push(random, Group::Determiners, number);
        self.push(random, Group::Nouns(gender), number);
        Noun { number, gender }
    }
}

/// A sentence as far as it is read.
pub struct Sentence {
    /// The clauses that are not closed yet, the innermost last; never empty.
    clauses: Vec<Clause>,
    subject: Option<Noun>,
    nearest: Option<Number>,
    modifiers: usize,
    /// How many words were begun.
    words: usize,
    /// The words that can be the one that is being read.
    candidates: Vec<Candidate>,
    /// How many of its characters are read.
    characters: usize,
    /// Its class, as soon as it is certain.
    class: Option<Class>,
    /// Whether it is a noun whose number is certain.
    noted: bool,
    /// Whether the line is not of the language.
    lost: bool,
}

/// A clause as far as it is read.
#[derive(Clone, Copy)]
struct Clause {
    kind: Kind,
    head: Option<Head>,
    /// Whether its verb is read.
    has_verb: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Main,
    /// A relative clause of which no word but `that` is read.
    Open,
    /// `that the boy sees`
    NounFirst,
    /// `that sees the boy`
    VerbFirst,
}

/// The noun that a clause's verb agrees with.
#[derive(Clone, Copy)]
struct Head {
    number: Number,
    /// Which word of the sentence it is.
    word: usize,
}

impl Default for Sentence {
    fn default() -> Self {
        Self {
            clauses: vec![Clause { kind: Kind::Main, head: None, has_verb: false }],
            subject: None,
            nearest: None,
            modifiers: 0,
            words: 0,
            candidates: Group::Determiners.candidates().collect(),
            characters: 0,
            class: None,
            noted: false,
            lost: false,
        }
    }
}

impl Reader for Sentence {
    fn read(&mut self, character: char, known: &mut [i8]) -> Option<char> {
        if character == '\n' {
            *self = Self::default();
            known[Hidden::Position as usize] = END;
            return None;
        }
        let place = self.characters;
        self.candidates.retain(|candidate| candidate.character(place) == Some(character));
        self.lost |= self.candidates.is_empty();
        if self.lost {
            return None;
        }
        self.words += usize::from(place == 0);
        self.characters += 1;
        self.note_class();
        self.note_noun();
        let class = self.class;
        if self.candidates[0].form.len() == place {
            self.end_word();
        }
        self.describe(class, known);
        self.next()
    }
}

/// What all have in common.
fn common<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

impl Sentence {
    /// Once the class of a word is certain, its clause is.
    fn note_class(&mut self) {
        if self.class.is_some() {
            return;
        }
        self.class = common(self.candidates.iter().map(|candidate| candidate.group.class()));
        let innermost = self.clauses.len() - 1;
        match self.class {
            Some(Class::Preposition) => self.modifiers += 1,
            Some(Class::Relative) => {
                self.modifiers += 1;
                self.clauses.push(Clause { kind: Kind::Open, head: None, has_verb: false });
            }
            Some(Class::Determiner) if self.clauses[innermost].kind == Kind::Open => {
                self.clauses[innermost].kind = Kind::NounFirst;
            }
            Some(Class::Verb) if self.clauses[innermost].kind == Kind::Open => {
                // The noun before `that`, which is the last one: two words before this one.
                let head = self.nearest.map(|number| Head { number, word: self.words - 2 });
                self.clauses[innermost] = Clause { kind: Kind::VerbFirst, head, has_verb: false };
            }
            // A clause goes on: the ones inside it have ended.
            Some(Class::Verb) => {
                let pending = self.clauses.iter().rposition(|clause| !clause.has_verb);
                self.clauses.truncate(pending.map_or(1, |pending| pending + 1));
            }
            _ => {}
        }
    }

    /// Once the number of a noun is certain, it is the nearest, and the head of a clause that has
    /// none.
    fn note_noun(&mut self) {
        let number = common(self.candidates.iter().map(|candidate| candidate.number)).flatten();
        let gender = common(self.candidates.iter().map(Candidate::gender)).flatten();
        let (Some(Class::Noun), Some(number), Some(gender)) = (self.class, number, gender) else {
            return;
        };
        if std::mem::replace(&mut self.noted, true) {
            return;
        }
        self.nearest = Some(number);
        self.subject.get_or_insert(Noun { number, gender });
        if let Some(clause) = self.clauses.last_mut() {
            clause.head.get_or_insert(Head { number, word: self.words });
        }
    }

    fn end_word(&mut self) {
        let group = self.candidates[0].group;
        self.candidates = self.after(group).into_iter().flat_map(Group::candidates).collect();
        self.characters = 0;
        self.class = None;
        self.noted = false;
    }

    /// What can come after a word of this group. A verb ends its clause.
    fn after(&mut self, group: Group) -> Vec<Group> {
        match group.class() {
            Class::Determiner => Gender::ALL.map(Group::Nouns).to_vec(),
            Class::Noun if self.modifiers < MOST_MODIFIERS => {
                [vec![Group::Prepositions, Group::Relatives], self.verbs()].concat()
            }
            Class::Noun => self.verbs(),
            Class::Preposition => vec![Group::Determiners],
            Class::Relative => vec![Group::Determiners, Group::Transitives],
            Class::Verb => self.after_verb(group),
            Class::Adjective | Class::Pronoun => vec![],
        }
    }

    fn after_verb(&mut self, group: Group) -> Vec<Group> {
        let Some(clause) = self.clauses.last_mut() else { return vec![] };
        clause.has_verb = true;
        match (clause.kind, group) {
            (Kind::VerbFirst, _) => vec![Group::Determiners],
            (Kind::NounFirst, _) => {
                self.clauses.pop();
                self.verbs()
            }
            (_, Group::Copulas) => vec![Group::Adjectives],
            (_, Group::Transitives) => Gender::ALL.map(Group::Pronouns).to_vec(),
            _ => vec![],
        }
    }

    /// The innermost clause that has no verb yet.
    fn pending(&self) -> Option<&Clause> {
        self.clauses.iter().rev().find(|clause| !clause.has_verb)
    }

    /// What can be the verb of the pending clause.
    fn verbs(&self) -> Vec<Group> {
        match self.pending().map(|clause| clause.kind) {
            Some(Kind::Main) => vec![Group::Intransitives, Group::Copulas, Group::Transitives],
            Some(_) => vec![Group::Transitives],
            None => vec![],
        }
    }

    fn describe(&self, class: Option<Class>, known: &mut [i8]) {
        let mut set = |hidden: Hidden, value: i8| known[hidden as usize] = value;
        if let Some(class) = class {
            set(Hidden::Position, class as i8);
        }
        if let Some(subject) = self.subject {
            set(Hidden::SubjectNumber, subject.number as i8);
            set(Hidden::SubjectGender, subject.gender as i8);
        }
        if let Some(nearest) = self.nearest {
            set(Hidden::NearestNumber, nearest as i8);
        }
        if let Some(head) = self.pending().and_then(|clause| clause.head) {
            set(Hidden::HeadNumber, head.number as i8);
            set(Hidden::Conflict, i8::from(self.nearest != Some(head.number)));
            set(Hidden::Distance, (self.words - head.word).min(FARTHEST) as i8);
        }
        set(Hidden::Depth, self.clauses.len() as i8 - 1);
        set(Hidden::Modifiers, self.modifiers as i8);
    }

    /// What must follow, if the words leave a choice and agreement does not.
    fn next(&self) -> Option<char> {
        let next = |candidate: &Candidate| candidate.character(self.characters);
        if common(self.candidates.iter().map(next)).is_some() {
            return None;
        }
        let agree = |candidate: &&Candidate| match candidate.group.class() {
            Class::Verb => {
                let head = self.pending().and_then(|clause| clause.head);
                head.is_none_or(|head| candidate.number == Some(head.number))
            }
            Class::Pronoun => self.subject.is_some_and(|subject| {
                let of_gender = candidate.gender() == Some(subject.gender);
                candidate.number == Some(subject.number) && of_gender
            }),
            _ => true,
        };
        common(self.candidates.iter().filter(agree).map(next)).flatten()
    }
}

#[cfg(test)]
mod tests;
