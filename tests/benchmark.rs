//! The combination benchmark from outside: it finds what is there, nothing where nothing is, and says
//! what is wrong with its arguments.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

mod program;

use program::{Program, json, stderr};

/// A world small enough for a test, in which every rule can be seen.
const SMALL: [&str; 7] = [
    "benchmark",
    "--out=b",
    "--d-model=48",
    "--features=72",
    "--mean-l0=5",
    "--rules=8,4,0",
    "--methods=screening,pmi,cosine",
];

#[test]
fn the_oracle_track_finds_the_rules_and_nothing_in_the_null_set() {
    let program = Program::new();

    let mut arguments = SMALL.to_vec();
    arguments.push("--null");
    let output = program.run(&arguments);

    assert!(output.status.success(), "{}", stderr(&output));
    let result = json(&program.path("b/benchmark.json"));
    let f1 =
        |method: &str, size: &str| result["methods"][method][size]["deployed_f1"].as_f64().unwrap();
    assert!(f1("screening", "pairs") >= 0.95, "{}", f1("screening", "pairs"));
    assert!(f1("screening", "triples") >= 0.8, "{}", f1("screening", "triples"));
    assert!(f1("pmi", "pairs") < 0.8 && f1("cosine", "pairs") < 0.8);
    assert!(result["null"]["screening"][0].as_u64().unwrap() <= 1, "{}", result["null"]);
    assert_eq!(result["world"]["n_features"], 72);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().count(), 4, "{table}");
}

#[test]
fn the_same_seed_gives_the_same_result() {
    let program = Program::new();
    let scores = |folder: &str| {
        let mut arguments = SMALL.to_vec();
        let out = format!("--out={folder}");
        arguments[1] = &out;
        assert!(program.run(&arguments).status.success());
        let mut result = json(&program.path(&format!("{folder}/benchmark.json")));
        program::remove_times(&mut result);
        result
    };

    assert_eq!(scores("one"), scores("other"));
}

#[test]
fn impossible_worlds_are_refused_with_a_reason() {
    let program = Program::new();
    let refused = |argument: &str, expected: &str| {
        let output = program.run(&["benchmark", "--out=b", argument]);
        assert_eq!(output.status.code(), Some(2), "{argument}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{argument}: {}", stderr(&output));
    };

    refused("--mean-l0=1", "no such world");
    refused("--noise=-1", "no such world");
    refused("--features=0", "no such world");
    refused("--rules=8,4", "give three");
    refused("--track=oracel", "oracle");
    refused("--methods=guess", "screening");
}
