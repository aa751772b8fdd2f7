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

/// A training so short that it only shows that everything runs.
const SHORT: [&str; 8] = [
    "benchmark",
    "--out=b",
    "--track=learned",
    "--d-model=24",
    "--features=32",
    "--mean-l0=3",
    "--rules=4,2,1",
    "--steps=100",
];

#[test]
fn every_trained_rival_is_scored() {
    const METHODS: [&str; 11] = [
        "topk_384",
        "batch_topk",
        "matryoshka",
        "mlp_encoder",
        "attention",
        "attention_two_rounds",
        "poly_sae_64",
        "poly_sae_128",
        "coefficient_attention",
        "literal",
        "and_mining",
    ];
    let program = Program::new();
    let methods = format!("--methods={}", METHODS.join(","));

    let output = program.run(&[&SHORT[..], &["--rival-learning-rates=3e-3", &methods]].concat());

    assert!(output.status.success(), "{}", stderr(&output));
    let result = json(&program.path("b/benchmark.json"));
    for method in METHODS {
        let world = &result["methods"][method]["worlds"][0];
        let number = |key: &str| world[key].as_f64().unwrap();
        assert!(number("fvu") > 0.0 && number("fvu") < 1.0, "{method}: {world}");
        assert!((0.0..=1.0).contains(&number("mcc")), "{method}: {world}");
        assert!(number("seconds") > 0.0);
        assert_eq!(world["sizes"]["pairs"]["size"], 2);
    }
}

#[test]
fn a_rival_gets_the_learning_rate_that_serves_it_best_and_the_same_one_each_time() {
    let program = Program::new();
    let result = |folder: &str| {
        let mut arguments = SHORT.to_vec();
        let out = format!("--out={folder}");
        arguments[1] = &out;
        arguments.push("--rival-learning-rates=1e-5,3e-3");
        arguments.push("--methods=poly_sae_64");
        let output = program.run(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        let mut result = json(&program.path(&format!("{folder}/benchmark.json")));
        program::remove_times(&mut result);
        result
    };

    let one = result("one");

    let world = &one["methods"]["poly_sae_64"]["worlds"][0];
    let fvu = |place: usize| world["tried"][place]["fvu"].as_f64().unwrap();
    assert!(fvu(1) < fvu(0), "{world}");
    assert_eq!(world["learning_rate"], 3e-3);
    assert_eq!(one, result("other"));
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
    refused("--rival-learning-rates=1e-3,0", "learning rate");
}
