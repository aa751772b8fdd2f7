//! What holds for every language.

use std::collections::{HashMap, HashSet};

use super::*;

/// The names of a variable's values at each character, `.` where it is undefined.
pub fn known(language: Language, text: &str, variable: &str) -> String {
    let text = language.annotate(text);
    let variable = text.variable(variable).expect("the language has this variable");
    let places = 0..variable.at.len();
    let names: Vec<&str> = places.map(|place| variable.name_at(place).unwrap_or(".")).collect();
    names.join(" ")
}

#[test]
fn the_same_seed_gives_the_same_text_and_fewer_lines_its_beginning() {
    for language in Language::ALL {
        let text = language.generate(1, Split::Train, 50);

        assert_eq!(text, language.generate(1, Split::Train, 50));
        assert!(text.text.starts_with(&language.generate(1, Split::Train, 20).text));
        assert_ne!(text.text, language.generate(2, Split::Train, 50).text);
        assert_eq!(text.text.lines().count(), 50);
        assert_eq!(language.generate(1, Split::Train, 0).text, "");
    }
}

/// Fixed, because language models are cached and published by their text.
#[test]
fn the_first_lines_of_seed_1() {
    fn check(language: Language, expected: &str) {
        assert_eq!(language.generate(1, Split::Train, 2).text, expected);
    }

    check(Language::Arithmetic, "86+38=124\n98+70=168\n");
    check(Language::Boolean, "((!(F|T=T)|T=T)|T=T)&F=F\n((!F&F=F)&(F|!T=F)=F)|F=F\n");
    check(
        Language::Grammar,
        "the uncles near the kings like themselves.\nthe uncle by the uncles sleeps.\n",
    );
}

#[test]
fn no_line_of_one_split_is_in_the_other_whatever_the_seed() {
    for language in Language::ALL {
        let lines = |seed, split| -> HashSet<String> {
            language.generate(seed, split, 4_000).text.lines().map(String::from).collect()
        };

        let train: HashSet<String> =
            lines(1, Split::Train).union(&lines(2, Split::Train)).cloned().collect();
        let validation = lines(3, Split::Validation);

        assert!(train.is_disjoint(&validation), "{language}");
        assert!(validation.len() > 500, "{language}: {}", validation.len());
    }
}

#[test]
fn one_line_in_ten_is_held_out() {
    for language in Language::ALL {
        let held_out =
            (0..5_000).filter(|n| language.split_of(&n.to_string()) == Split::Validation).count();

        assert!((430..570).contains(&held_out), "{language}: {held_out}");
    }
}

#[test]
fn hidden_variables_never_look_ahead() {
    for language in Language::ALL {
        let text = language.generate(5, Split::Train, 3_000);
        let characters: Vec<char> = text.text.chars().collect();
        let mut seen: HashMap<String, Vec<i8>> = HashMap::new();
        let mut shared = 0;
        for (line, &start) in text.line_starts.iter().enumerate() {
            let end = text.line_starts.get(line + 1).copied().unwrap_or(characters.len());
            for position in start..end {
                let prefix: String = characters[start..=position].iter().collect();
                let values: Vec<i8> =
                    text.hidden.iter().map(|variable| variable.at[position]).collect();
                shared += usize::from(seen.contains_key(&prefix));
                assert_eq!(seen.entry(prefix).or_insert_with(|| values.clone()), &values);
            }
        }
        assert!(shared > 10_000, "{language}: {shared}");
    }
}

#[test]
fn the_beginning_of_a_text_is_annotated_like_the_whole() {
    for language in Language::ALL {
        let whole = language.generate(6, Split::Validation, 12);
        for end in 0..whole.text.len() {
            let begun = language.annotate(&whole.text[..end]);

            for (begun, whole) in begun.hidden.iter().zip(&whole.hidden) {
                assert_eq!(begun.at, whole.at[..end], "{language} {}", whole.name);
            }
            assert_eq!(begun.answers, whole.answers[..begun.answers.len()]);
        }
    }
}

#[test]
fn generated_lines_are_of_the_language_and_answer_as_it_demands() {
    for language in Language::ALL {
        let text = language.generate(7, Split::Train, 3_000);
        let characters: Vec<char> = text.text.chars().collect();

        let right = text.task_accuracy(|position| characters.get(position + 1).copied());

        assert_eq!(right.answers, text.answers.len());
        assert_eq!((right.right, right.lines_right), (right.answers, 3_000), "{language}");
        let before_breaks = text.line_starts[1..].iter().map(|start| start - 2);
        for place in before_breaks {
            assert!(text.hidden[0].at[place] >= 0, "{language}: lost at {place}");
        }
        let longest = text.text.lines().map(str::len).max().unwrap() + 1;
        assert!(longest <= language.longest_line(), "{language}: {longest}");
    }
}

#[test]
fn every_value_of_every_variable_occurs() {
    for language in Language::ALL {
        let text = language.generate(8, Split::Train, 5_000);
        for variable in &text.hidden {
            let seen: HashSet<i8> = variable.at.iter().copied().collect();
            let expected = (-1..variable.values.len() as i8).collect::<HashSet<i8>>();
            let always = expected.difference(&seen).copied().collect::<Vec<_>>();
            assert!(seen.is_subset(&expected), "{language} {}", variable.name);
            assert!(always.is_empty() || always == [-1], "{} {always:?}", variable.name);
        }
    }
}

#[test]
fn the_example_and_text_of_other_origin_can_be_annotated() {
    for language in Language::ALL {
        let example = language.annotate(&format!("{}\n", language.example()));

        assert!(!example.answers.is_empty());
        assert!(example.hidden[0].at.iter().all(|value| *value >= 0), "{language}");
        for foreign in ["", "\n\n", "To be, or not to be", "the the\u{1F3AD}", "((((((((", "=\n=T"]
        {
            let text = language.annotate(foreign);
            assert_eq!(text.hidden[0].at.len(), foreign.chars().count());
        }
    }
}

#[test]
fn annotations_come_back_from_json() {
    for language in Language::ALL {
        let text = language.generate(1, Split::Validation, 3);

        let json = serde_json::to_string(&text).unwrap();

        assert_eq!(serde_json::from_str::<AnnotatedText>(&json).unwrap(), text);
    }
}
