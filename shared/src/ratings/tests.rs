use super::*;
use crate::study::{Block, Item, StudyLine};

const RATER: &str = "ABCDEFGHIJKLMNOPQRSTUVWX27";

fn study() -> Study {
    let line = StudyLine { text: "ab".into(), at: 0, levels: "80".into() };
    let ids = ["i01", "i02", "i03", "i04"];
    let item = |id: &str| Item { id: id.into(), lines: vec![line.clone(); 5] };
    let items = ids.map(String::from).to_vec();
    Study {
        name: "pilot".into(),
        items: ids.map(item).to_vec(),
        blocks: vec![Block { items, repeats: vec!["i01".into()] }],
        ..Study::default()
    }
}

fn session() -> Session {
    let header = Header {
        schema: SCHEMA,
        study: "pilot".into(),
        study_sha256: "abc".into(),
        rater: RATER.into(),
        ..Header::default()
    };
    let answers = study().sequence(0, RATER).into_iter().enumerate().map(|(place, shown)| Answer {
        item: shown.item,
        pos: place + 1,
        repeat: shown.repeat,
        intruder: place as u8 % 6,
        clarity: 4,
        first_clarity: Some(2),
        confidence: 2,
        label: Some("titles \u{1f3ad}".into()),
        seconds: 21.4,
        ..Answer::default()
    });
    let end = End { n: 5, complete: true, comment: Some("fine".into()), difficulty: Some(3) };
    Session { header, answers: answers.collect(), end: Some(end) }
}

fn refused(text: &str, line: usize, expected: &str) {
    let bad = Session::read(text.as_bytes()).unwrap_err();

    assert!(bad.line == line && bad.reason.contains(expected), "{bad}");
}

#[test]
fn a_session_comes_back_as_it_was() {
    let session = session();
    let text = session.to_jsonl();

    assert_eq!(Session::read(text.as_bytes()), Ok(session.clone()));
    let mailed = format!("\u{feff}{}\r\n\r\n", text.replace('\n', "\r\n"));
    assert_eq!(Session::read(mailed.as_bytes()), Ok(session.clone()));
    assert_eq!(session.check(&study(), "abc"), Ok(()));
}

#[test]
fn a_session_without_an_end_is_one_that_was_not_finished() {
    let text = session().to_jsonl();
    let lines: Vec<&str> = text.lines().take(3).collect();

    let session = Session::read(lines.join("\n").as_bytes()).unwrap();

    assert_eq!((session.answers.len(), session.is_complete()), (2, false));
    assert_eq!(session.check(&study(), "abc"), Ok(()));
}

#[test]
fn lines_that_are_none_are_refused_with_their_number() {
    let text = session().to_jsonl();

    refused("", 1, "empty");
    refused(&text[..text.len() - 20], 7, "no line of a session");
    refused("{\"a\":1}\n", 1, "no line of a session");
    refused(&text.replacen("\"schema\":1", "\"schema\":2", 1), 1, "the form 2");
    refused(&text.replacen("titles", &"x".repeat(10_000_000), 1), 1, "more than 1000000 bytes");
    refused(&text.replacen("titles", &"x".repeat(20_000), 1), 2, "more than 10000 bytes");
    refused(&text.replacen("titles", &"x".repeat(81), 1), 2, "longer than 80");
    refused(&text.replacen("titles", "\\u0000", 1), 2, "control characters");
    refused(&text.replacen("titles", "\\u001b[2J", 1), 2, "control characters");
    refused(&text.replacen("titles", "\u{7}", 1), 2, "no line of a session");
    refused(&text.replacen("\"clarity\":4", "\"clarity\":6", 1), 2, "none that can be answered");
    refused(&text.replacen("21.4", "1e99", 1), 2, "none that can be answered");
    refused(&text.replacen("\"pos\":3", "\"pos\":2", 1), 4, "does not come after");
    refused(&text.replacen("\"n\":5", "\"n\":4", 1), 7, "counts 4 answers");
    refused(&text.replacen("\"pos\":3", "\"pos\":3,\"method\":\"x\"", 1), 4, "unknown field");
    refused(&text.replacen(RATER, "me", 1), 1, "no rater's id");
    refused(&format!("{text}{text}"), 8, "more after the end");
    refused("\u{0}\u{1}\u{2}", 1, "no line of a session");
}

#[test]
fn answers_to_another_study_or_out_of_place_are_refused() {
    let check = |session: &Session| session.check(&study(), "abc").unwrap_err().to_string();
    let whole = session();

    assert!(whole.check(&study(), "abd").unwrap_err().reason.contains("another version"));
    let mut other = whole.clone();
    other.answers.swap(0, 1);
    (other.answers[0].pos, other.answers[1].pos) = (1, 2);
    assert!(check(&other).contains("line 2: "), "{}", check(&other));
    let mut short = whole.clone();
    short.answers.pop();
    assert!(check(&short).contains("4 answers of 5"), "{}", check(&short));
    let mut elsewhere = whole;
    elsewhere.header.block = 1;
    assert!(check(&elsewhere).contains("no block 1"));
}

#[test]
fn ids_are_base32() {
    let bits = *b"0123456789abcdef";

    assert_eq!(rater_id(bits), "GAYTEMZUGU3DOOBZMFRGGZDFMY");
    assert_eq!(rater_id([255; 16]), "77777777777777777777777774");
}
