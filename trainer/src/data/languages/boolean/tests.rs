use super::super::tests::known;
use super::super::{Answer, Language, Split};

fn check(line: &str, variable: &str, expected: &str) {
    assert_eq!(known(Language::Boolean, line, variable), expected, "{line} {variable}");
}

#[test]
fn an_expression_by_hand() {
    let line = "(T&!F=T)|F=T\n";

    check(
        line,
        "position",
        "open literal operator not literal equals answer close operator literal equals answer end",
    );
    check(line, "depth", "1 1 1 1 1 1 1 0 0 0 0 0 .");
    check(line, "operator", ". . & & & & & . | | | | .");
    check(line, "negated", "no . no yes . . . . no . . . .");
    check(line, "left", ". true true true . . . true true . . . .");
    check(line, "decided", ". . no no . . . . yes . . . .");
    check(line, "first", ". . . . true true true true . true true true .");
    check(line, "combined by", ". . . . & & & & . | | | .");
    check(line, "second", ". . . . true true true true . false false false .");
    check(line, "and", ". . . . true true . . . . . . .");
    check(line, "or", ". . . . . . . . . true true . .");
    check(line, "xor", ". . . . . . . . . . . . .");
    check(line, "last value", ". . . . true true true true true true true true .");
    check(line, "whole", ". . . . . . . . . true true . .");
    let answers = Language::Boolean.annotate(line).answers;
    let expected = [5, 10].map(|position| Answer { position, expected: 'T' });
    assert_eq!(answers, expected);
}

#[test]
fn a_negated_combination_is_shown_before_its_negation() {
    let line = "T^!(F|T=T)=T\n";

    check(line, "or", ". . . . . . true true . . . . .");
    check(line, "second", ". . . . . . true true true false false false .");
    check(line, "xor", ". . . . . . . . . true true . .");
    check(line, "last value", ". . . . . . true true true true true true .");
    check(line, "depth", "0 0 0 1 1 1 1 1 1 0 0 0 .");
    check(line, "left", "true true true . false false . . . . . . .");
    check(line, "negated", ". no yes no . no . . . . . . .");
}

#[test]
fn a_line_that_cannot_be_leaves_the_next_one_alone() {
    let wrong_lines = [
        "T=", "TT", "T&F|T", "(T)", "T&F)", "((((", "T&T=F", "T&T=TT", "&", "T!", "x", "(T&T)",
        "(T&T=F", "(T&T=)", "(T&T=T=",
    ];
    for wrong in wrong_lines {
        let text = Language::Boolean.annotate(&format!("{wrong}\nT&T=T\n"));

        let last = wrong.chars().count() - 1;
        assert!(text.hidden.iter().all(|variable| variable.at[last] == -1), "{wrong}");
        let second = text.answers.iter().filter(|answer| answer.position > last).count();
        assert_eq!(second, 1, "{wrong}");
    }
}

/// Rewrites `!T`, `(T&F=F)` and so on, until a letter is left; a wrong answer stays as it is.
fn rewritten(line: &str) -> String {
    let mut text = format!("({line})");
    while text.len() > 1 {
        let before = text.clone();
        for (one, other) in [('T', 'F'), ('F', 'T')] {
            text = text.replace(&format!("!{one}"), &other.to_string());
            text = text.replace(&format!("({one}^{one}=F)"), "F");
            text = text.replace(&format!("({one}^{other}=T)"), "T");
            for second in ['T', 'F'] {
                let (and, or) = if one == 'T' { (second, 'T') } else { ('F', second) };
                text = text.replace(&format!("({one}&{second}={and})"), &and.to_string());
                text = text.replace(&format!("({one}|{second}={or})"), &or.to_string());
            }
        }
        assert_ne!(text, before, "{line}");
    }
    text
}

#[test]
fn every_answer_is_right_and_both_answers_and_all_depths_occur() {
    let text = Language::Boolean.generate(3, Split::Train, 3_000);

    let mut truths = 0;
    for line in text.text.lines() {
        truths += usize::from(rewritten(line) == "T");
    }
    assert!((1_300..1_700).contains(&truths), "{truths}");
    let depths = &text.variable("depth").unwrap().at;
    for depth in 0..4 {
        assert!(depths.iter().filter(|at| **at == depth).count() > 1_000, "{depth}");
    }
}
