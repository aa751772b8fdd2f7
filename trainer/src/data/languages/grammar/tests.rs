use super::super::tests::known;
use super::super::{Language, Split};
use super::*;

/// The first letters of a variable's values, each under its character.
fn check(text: &str, variable: &str, expected: &str) {
    let names = known(Language::Grammar, text, variable);
    let letters: String = names.split(' ').filter_map(|name| name.chars().next()).collect();
    assert_eq!(letters, expected, "{variable} of\n{text}");
}

/// The characters that must follow, each under the one before it.
fn check_answers(text: &str, expected: &str) {
    let annotated = Language::Grammar.annotate(text);
    let mut answers = vec!['.'; text.len()];
    for answer in annotated.answers {
        answers[answer.position] = answer.expected;
    }
    assert_eq!(answers.into_iter().collect::<String>(), expected, "of\n{text}");
}

#[test]
fn agreement_over_a_phrase_by_hand() {
    let text = "the keys by the hat were old.";

    check(text, "position", "ddddnnnnnpppddddnnnnvvvvvaaaa");
    check(text, "subject number", ".......pppppppppppppppppppppp");
    check(text, "subject gender", ".......nnnnnnnnnnnnnnnnnnnnnn");
    check(text, "head number", ".......ppppppppppppppppp.....");
    check(text, "nearest number", ".......ppppppppppppssssssssss");
    check(text, "conflict", ".......nnnnnnnnnnnnyyyyy.....");
    check(text, "distance", ".......00111222233334444.....");
    check(text, "depth", "00000000000000000000000000000");
    check(text, "modifiers", "00000000011111111111111111111");
    check_answers(text, "....................e........");
}

#[test]
fn the_verb_of_a_relative_clause_agrees_with_its_own_noun() {
    let text = "the cat that the men see runs.";

    check(text, "subject number", ".......sssssssssssssssssssssss");
    check(text, "head number", ".......s..........ppppppsssss.");
    check(text, "nearest number", ".......ssssssssssspppppppppppp");
    check(text, "conflict", ".......n..........nnnnnnyyyyy.");
    check(text, "distance", ".......0..........00011145555.");
    check(text, "depth", "000000001111111111111111000000");
    check_answers(text, "....................... ...s..");
}

#[test]
fn a_relative_clause_without_a_noun_of_its_own_agrees_with_the_noun_before_it() {
    let text = "the boy that sees the cats that the man hears runs.";

    check(text, "head number", ".......s.....ssssssssssssss..........sssssssssssss.");
    check(text, "nearest number", ".......ssssssssssssssssssppppppppppppssssssssssssss");
    check(text, "conflict", ".......n.....nnnnnnnnnnnnyy..........nnnnnnnnnnnnn.");
    check(text, "distance", ".......0.....22222333344444..........0001111189999.");
    // The outer clause ends where `runs` begins, the inner one with its verb.
    check(text, "depth", "000000001111111111111111111222222222222222222100000");
    check(text, "modifiers", "000000001111111111111111111222222222222222222222222");
    check_answers(text, "...............s...........................s....s..");
}

#[test]
fn clauses_close_from_the_inside() {
    let text = "the men that the boy that the cats like sees see themselves.";

    check(text, "head number", ".....ppp............s............ppppppssssspppp............");
    check(text, "conflict", ".....nnn............n............nnnnnnyyyyynnnn............");
    check(text, "distance", ".....000............0............001111455558999............");
    check(text, "depth", "000000001111111111111222222222222222222111110000000000000000");
    check_answers(text, "...................................... ...s.... t...........");
}

#[test]
fn a_pronoun_agrees_with_the_subject_in_number_and_gender() {
    check_answers("the girl near the boys hears herself.", "..........................s.he.......");
    check_answers("the boy hears himself.", "...........s.hi.......");
    check_answers("the key hears itself.", "...........s.i.......");
    check_answers("the girls hear themselves.", "............. t...........");
}

#[test]
fn a_line_that_cannot_be_leaves_the_next_one_alone() {
    let wrong_lines = [
        "a cat",
        "the cat.",
        "the cat runs the",
        "the cat runs..",
        "the cat by the cat by the cat by",
        "the cat that the dog runs",
        "the cat that that",
        "the  ",
        "the cät",
    ];
    for wrong in wrong_lines {
        let text = Language::Grammar.annotate(&format!("{wrong}\nthe cat runs.\n"));

        let last = wrong.chars().count() - 1;
        assert!(text.hidden.iter().all(|variable| variable.at[last] == -1), "{wrong}");
        let second = text.answers.iter().filter(|answer| answer.position > last).count();
        assert_eq!(second, 1, "{wrong}");
    }
}

#[test]
fn a_verb_that_does_not_agree_is_read_and_its_right_form_expected() {
    check_answers("the cat run.", "..........s.");
    check("the cat run.", "head number", ".......ssss.");
}

/// Whether a noun or a verb is in the plural, by another way than the product's.
fn is_plural(word: &str) -> bool {
    let nouns = ["aunts", "girls", "queens", "women", "boys", "kings", "men", "uncles"];
    let others = ["cats", "dogs", "hats", "keys", "were", "themselves"];
    let verbs = ["fall", "jump", "run", "sleep", "fear", "hear", "like", "see"];
    nouns.contains(&word) || others.contains(&word) || verbs.contains(&word)
}

/// Takes the modifiers away from the right, checking the verbs of relative clauses.
fn without_modifiers(sentence: &str) -> Vec<&str> {
    let mut words: Vec<&str> = sentence.trim_end_matches('.').split(' ').collect();
    let modifier =
        |words: &[&str]| words.iter().rposition(|word| ["by", "near", "on", "that"].contains(word));
    while let Some(at) = modifier(&words) {
        let (before, length) = (words[at - 1], words.len());
        let end = match &words[at..] {
            ["that", "the", noun, verb, ..] => {
                assert_eq!(is_plural(noun), is_plural(verb), "{sentence}");
                at + 4
            }
            ["that", verb, "the", _, ..] => {
                assert_eq!(is_plural(before), is_plural(verb), "{sentence}");
                at + 4
            }
            _ => at + 3,
        };
        assert!(end < length, "{sentence}");
        words.drain(at..end);
    }
    words
}

#[test]
fn every_verb_agrees_with_its_noun_and_every_pronoun_with_the_subject() {
    let text = Language::Grammar.generate(3, Split::Train, 5_000).text;

    let (mut plurals, mut pronouns) = (0, 0);
    for sentence in text.lines() {
        let words = without_modifiers(sentence);
        let [the, subject, verb] = words[..3] else { panic!("{sentence}") };
        assert_eq!((the, is_plural(subject)), ("the", is_plural(verb)), "{sentence}");
        plurals += usize::from(is_plural(verb));
        let Some(pronoun) = words.get(3).filter(|word| word.contains("sel")) else { continue };
        pronouns += 1;
        let expected = match subject {
            plural if is_plural(plural) => "themselves",
            "aunt" | "girl" | "queen" | "woman" => "herself",
            "boy" | "king" | "man" | "uncle" => "himself",
            _ => "itself",
        };
        assert_eq!(*pronoun, expected, "{sentence}");
    }
    assert!((2_300..2_700).contains(&plurals), "{plurals}");
    assert!((1_300..1_900).contains(&pronouns), "{pronouns}");
}

#[test]
fn a_held_out_sentence_is_not_in_training_with_other_numbers_either() {
    let singular = |sentence: &str| -> String {
        let groups = [
            Group::Nouns(Gender::Feminine),
            Group::Nouns(Gender::Masculine),
            Group::Nouns(Gender::Neuter),
            Group::Intransitives,
            Group::Transitives,
            Group::Copulas,
        ];
        let forms = || groups.iter().flat_map(|group| group.words());
        let one = |word| forms().find(|forms| forms[1] == word).map_or(word, |forms| forms[0]);
        // A plural pronoun has no gender, but its subject does.
        let words = sentence.trim_end_matches('.').split(' ').filter(|word| !word.contains("sel"));
        words.map(one).collect::<Vec<_>>().join(" ")
    };
    let sentences = |split| -> std::collections::HashSet<String> {
        Language::Grammar.generate(4, split, 5_000).text.lines().map(singular).collect()
    };

    assert!(sentences(Split::Train).is_disjoint(&sentences(Split::Validation)));
}
