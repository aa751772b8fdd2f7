//! `trainer study` and `trainer ratings`: a finished run becomes a blind study, and what raters hand
//! over becomes tables.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

mod program;

use std::process::Output;

use program::{Program, json, stderr};
use shared::digest::sha256;
use shared::ratings::{
    Answer, Background, Consent, End, Header, SCHEMA, Screen, Session, code, rater_id,
};
use shared::study::Study;

/// Raters made up for this test: they find most foreign lines, and agree that items of features are
/// clearer than others. No person has said any of this.
fn simulated_rater(study: &Study, bytes: &[u8], key: &serde_json::Value, number: u8) -> Session {
    let rater = rater_id([number; 16]);
    let item = |id: &str| &key["items"][id];
    let answer = |(place, shown): (usize, shared::study::Shown)| {
        let right = item(&shown.item)["intruder"].as_u64().unwrap() as u8;
        let is_clear =
            ["feature", "gold"].contains(&item(&shown.item)["condition"].as_str().unwrap());
        let drift = (usize::from(number) + place) % 5 == 0;
        Answer {
            intruder: if drift && !is_clear { 0 } else { right },
            clarity: if is_clear { 4 + u8::from(drift) } else { 1 + u8::from(drift) },
            item: shown.item,
            pos: place + 1,
            repeat: shown.repeat,
            confidence: 2,
            seconds: 12.5,
            keys: true,
            ..Answer::default()
        }
    };
    let answers: Vec<Answer> =
        study.sequence(0, &rater).into_iter().enumerate().map(answer).collect();
    let comment = Some("fine, thanks".into());
    let end = End { n: answers.len(), complete: true, difficulty: Some(4), comment };
    let consent = Consent { at: "2026-11-23".into(), publish: true, ..Consent::default() };
    let background = Background {
        experience: Some("much".into()),
        colour_vision: Some("yes".into()),
        ..Background::default()
    };
    let header = Header {
        schema: SCHEMA,
        study: study.name.clone(),
        study_sha256: sha256(bytes),
        rater,
        consent,
        background,
        screen: Screen::Tablet,
        ..Header::default()
    };
    Session { header, answers, end: Some(end) }
}

fn complain(output: &Output, code: i32, expected: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert!(stderr(output).contains(expected), "{}", stderr(output));
}

#[test]
fn a_run_becomes_a_blind_study_and_answers_become_tables() {
    let program = Program::new();
    assert!(program.run(&["--out_dir=run_3"]).status.success());

    let output = program.run(&["study", "--run=run_3", "--items=4", "--seed=0"]);

    assert!(output.status.success(), "{}", stderr(&output));
    let bytes = std::fs::read(program.path("site/data/study/pilot.json")).unwrap();
    let study = Study::read(&bytes).unwrap();
    let key = json(&program.path("run_3/study_key/pilot.json"));
    assert_eq!(key["study_sha256"], sha256(&bytes));
    let text = serde_json::to_string(&(&study.items, &study.blocks)).unwrap();
    for method in ["feature", "combination", "pca", "component", "random", "gold"] {
        assert!(!text.contains(method), "the study says {method}");
    }
    for item in &study.items {
        assert!(key["items"][&item.id]["rows"].as_array().unwrap().len() == item.lines.len());
    }
    let again = program.run(&[
        "study",
        "--run=run_3",
        "--items=4",
        "--seed=0",
        "--out=again",
        "--key=k.json",
    ]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(std::fs::read(program.path("again/pilot.json")).unwrap() == bytes);
    a_study_has_a_seed_of_its_own_and_is_not_written_over(&program);
    keys_and_designs_that_cannot_be_are_complaints(&program);
    answers_become_tables(&program, &study, &bytes, &key);
}

fn a_study_has_a_seed_of_its_own_and_is_not_written_over(program: &Program) {
    let before = (program.contents("site"), program.contents("run_3"));
    let study =
        |more: &[&str]| program.run(&[&["study", "--run=run_3", "--items=4"], more].concat());

    complain(&study(&["--seed=1"]), 2, "is there already and says something else");
    complain(&study(&[]), 2, "is there already and says something else");
    complain(&study(&["--seed=0", "--key=run_3/config.json"]), 2, "run_3/config.json is there");
    assert!((program.contents("site"), program.contents("run_3")) == before);
    assert!(study(&["--seed=0"]).status.success(), "the same bytes may be written again");
    assert!(study(&["--name=drawn"]).status.success());
    assert_ne!(json(&program.path("run_3/study_key/drawn.json"))["seed"], 0);
}

fn keys_and_designs_that_cannot_be_are_complaints(program: &Program) {
    let study = |more: &[&str]| program.run(&[&["study", "--run=run_3"], more].concat());

    complain(&study(&["--key=site/data/study/key.json"]), 2, "would be deployed");
    complain(&study(&["--key=again/deep/key.json", "--out=again"]), 2, "would be deployed");
    assert!(!program.path("site/data/study/key.json").exists());
    complain(&study(&["--name=../x"]), 2, "is no name for a study");
    complain(&study(&["--items=5", "--blocks=2"]), 2, "cannot be spread");
    complain(&study(&["--consent=none.txt"]), 2, "cannot read none.txt");
    complain(&program.run(&["study", "--run=run_7"]), 2, "not the folder of a finished run");
    let text = program.path("texts/shakespeare_char/input.txt");
    let kept = std::fs::read(&text).unwrap();
    std::fs::write(&text, "another text, long enough. ".repeat(4_000)).unwrap();
    complain(&study(&[]), 2, "the text found is not the one that run_3 was made of");
    std::fs::write(&text, kept).unwrap();
}

fn answers_become_tables(program: &Program, study: &Study, bytes: &[u8], key: &serde_json::Value) {
    let write = |name: &str, content: &[u8]| {
        let path = program.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    let session = |number| simulated_rater(study, bytes, key, number);
    let named = |number| format!("answers/csae-pilot-{}.jsonl", session(number).header.rater);
    for number in 2..5 {
        write(&format!("answers/{number}.jsonl"), session(number).to_jsonl().as_bytes());
    }
    // Files have the names that the page gives them.
    write(&named(1), session(1).to_jsonl().as_bytes());
    let letters = code::encode(session(5).to_jsonl().as_bytes());
    let mail = [b"Gr\xfc\xdfe\n".as_slice(), letters.as_bytes()].concat();
    write("answers/deep/latin_1.txt", &mail);
    write("answers/deep/two.txt", letters.repeat(2).as_bytes());
    #[cfg(unix)]
    for (target, link) in [("nowhere", "answers/broken.jsonl"), (".", "answers/deep/round")] {
        std::os::unix::fs::symlink(target, program.path(link)).unwrap();
    }
    write("answers/deep/same.jsonl", session(1).to_jsonl().as_bytes());
    let mut stopped = session(6);
    stopped.answers.truncate(3);
    stopped.end = None;
    write(&named(6), stopped.to_jsonl().as_bytes());
    let mut shorter = session(2);
    shorter.answers.truncate(2);
    shorter.end = None;
    write("answers/0.jsonl", shorter.to_jsonl().as_bytes());
    let mut hasty = session(7);
    hasty.answers.iter_mut().for_each(|answer| answer.seconds = 0.4);
    write("answers/hasty.jsonl", hasty.to_jsonl().as_bytes());
    let mut other = session(8);
    other.header.study_sha256 = "0".repeat(64);
    write("answers/other.jsonl", other.to_jsonl().as_bytes());
    let long =
        session(9).to_jsonl().replacen("\"item\"", &format!("\"{}\"", "x".repeat(10_000_000)), 1);
    write("answers/long.jsonl", long.as_bytes());
    let whole = session(9).to_jsonl();
    write("answers/cut.jsonl", &whole.as_bytes()[..whole.len() - 9]);
    write("bad/noise.bin", &[0, 7, 27, 255]);
    let ratings = |files: &str| {
        let (study, key) =
            ("--study=site/data/study/pilot.json", "--key=run_3/study_key/pilot.json");
        program.run(&["ratings", study, key, "--out=merged", files])
    };

    complain(&ratings("bad"), 1, "none of 1 files is usable");
    let output = ratings("answers");

    assert!(output.status.success(), "{}", stderr(&output));
    let told = stderr(&output);
    for expected in [
        "refused: answers/other.jsonl: line 1: it answers \"pilot\" in another version",
        "refused: answers/long.jsonl: line 1: the file has more than",
        &format!(
            "refused: answers/cut.jsonl: line {}: it is no line of a session",
            whole.lines().count()
        ),
        "passed over: answers/0.jsonl: answers/2.jsonl is of the same rater",
        &format!("not finished: {}", named(6)),
        "refused: answers/deep/two.txt: there are two codes",
        #[cfg(unix)]
        "refused: answers/broken.jsonl: No such file",
        #[cfg(unix)]
        "refused: answers/deep/round: it is no file",
        "needed 0.4 s for an item",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    assert!(!told.contains("same.jsonl"), "{told}");
    let agreement = json(&program.path("merged/agreement.json"));
    assert_eq!((&agreement["raters"], &agreement["complete"]), (&7.into(), &6.into()));
    assert_eq!(agreement["after_exclusions"]["raters"], 6);
    let clarity = &agreement["all"]["krippendorff"]["clarity"]["ordinal"];
    let alpha = clarity["alpha"].as_f64().unwrap();
    assert!((0.3..1.0).contains(&alpha), "{clarity}");
    let bound = |place: usize| clarity["ci95"][place].as_f64().unwrap();
    assert!((bound(0)..=bound(1)).contains(&alpha), "{clarity}");
    let refused = if cfg!(unix) { 6 } else { 4 };
    assert_eq!((&agreement["refused"], &agreement["passed_over"]), (&refused.into(), &1.into()));
    let methods = std::fs::read_to_string(program.path("merged/by_method.csv")).unwrap();
    assert!(
        methods.contains("\nfalse,feature,") && methods.contains("\ntrue,feature,"),
        "{methods}"
    );
    let table = std::fs::read_to_string(program.path("merged/ratings.csv")).unwrap();
    let answers = 6 * session(1).answers.len() + 3;
    assert_eq!(table.lines().count(), 1 + answers);
    let raters = std::fs::read_to_string(program.path("merged/raters.csv")).unwrap();
    assert!(raters.contains("publish") && table.starts_with("rater,publish,"), "{raters}");
    let said = "\"much\",\"\",\"yes\",\"tablet\",4,\"fine, thanks\"\n";
    assert_eq!(raters.matches(said).count(), 6, "{raters}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("Krippendorff's alpha, clarity (ordinal): 0."), "{printed}");
    let before = program.contents("merged");
    for (name, bytes) in &before {
        let text = String::from_utf8_lossy(bytes);
        for number in 1..10 {
            assert!(!text.contains(&session(number).header.rater), "{name} has an id");
        }
    }
    assert!(ratings("answers").status.success());
    assert!(program.contents("merged") == before, "the same files give the same tables");
}
