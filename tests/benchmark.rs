//! The combination benchmark from outside: it finds what is there, nothing where nothing is, and says
//! what is wrong with its arguments.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

mod program;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

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

    let scored = &result["methods"]["screening"];
    let number = |size: &str, key: &str| scored[size][key].as_f64().unwrap();
    assert!(number("pairs", "effect_cosine_on_hits") > 0.8, "{}", scored["pairs"]);
    assert!(number("pairs", "rule_energy_explained_on_hits") > 0.6, "{}", scored["pairs"]);
    assert_eq!(scored["worlds"][0]["rules"].as_array().unwrap().len(), 12);
    let report = std::fs::read_to_string(program.path("b/benchmark.md")).unwrap();
    assert!(report.contains("Where nothing combines, `screening` proposes"), "{report}");
    for plot in report.split("](plots/").skip(1).filter_map(|rest| rest.split(')').next()) {
        for file in [plot.to_string(), plot.replace(".svg", ".png"), plot.replace(".svg", ".csv")] {
            assert!(program.path(&format!("b/plots/{file}")).exists(), "{file}");
        }
    }
}

#[test]
fn a_sweep_compares_the_methods_at_every_value() {
    let program = Program::new();
    let mut arguments = SMALL.to_vec();
    arguments.extend(["--sweep=delta=0.7,0.1", "--rules=4,0,0", "--worlds=2"]);
    arguments.retain(|argument| *argument != "--rules=8,4,0");

    let output = program.run(&arguments);

    assert!(output.status.success(), "{}", stderr(&output));
    let sweep = &json(&program.path("b/benchmark.json"))["sweep"];
    assert_eq!((&sweep["knob"], sweep["points"].as_array().unwrap().len()), (&"delta".into(), 2));
    let f1 = |place: usize| {
        sweep["points"][place]["methods"]["screening"]["pairs"]["deployed_f1"].as_f64().unwrap()
    };
    assert!(f1(0) > f1(1), "small effects must be harder to find: {} {}", f1(0), f1(1));
    let difference = &sweep["points"][0]["differences"][0];
    assert!(difference["paired_bootstrap_ci95"][0].as_f64().unwrap() > 0.0, "{difference}");
    assert!(program.path("b/plots/sweep_pairs.png").exists());
    let report = std::fs::read_to_string(program.path("b/benchmark.md")).unwrap();
    assert!(report.contains("`screening` wins over"), "{report}");
    assert!(report.contains("`screening` loses to `pmi`"), "{report}");
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
const SHORT: [&str; 9] = [
    "benchmark",
    "--out=b",
    "--track=learned",
    "--d-model=12",
    "--features=20",
    "--mean-l0=2.5",
    "--rules=3,1,0",
    "--rates=0.5",
    "--steps=20",
];

#[test]
fn every_variation_and_every_trained_rival_is_scored() {
    const METHODS: [&str; 14] = [
        "csae_not_orthogonal",
        "csae_not_detached",
        "csae_not_completed",
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
        assert!(number("fvu") > 0.0 && number("fvu").is_finite(), "{method}: {world}");
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
    refused("--kinds=emergent=1,odd=1", "inhibiting");
    refused("--gate=half", "geometric_mean");
    refused("--worlds=0", "worlds");
    refused("--sweep=colour=1,2", "there is no knob colour");
    refused("--sweep=noise=0.05,-1", "no such world");
}

/// A small world for others.
const EXPORT: [&str; 8] = [
    "benchmark",
    "--export=world/",
    "--export-rows=1024,512,256",
    "--d-model=24",
    "--features=40",
    "--mean-l0=4",
    "--rules=4,2,0",
    "--seed=3",
];

#[test]
fn a_world_is_exported_whole_and_never_over_something_else() {
    let program = Program::new();

    let output = program.run(&EXPORT);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("writes about 0."), "{}", stderr(&output));
    let files = program.contents("world");
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let wanted = [
        "test.safetensors",
        "threshold.safetensors",
        "training.safetensors",
        "world.json",
        "world.safetensors",
    ];
    assert_eq!(names, wanted);
    let world = json(&program.path("world/world.json"));
    assert_eq!((&world["version"], &world["config"]["seed"]), (&1.into(), &3.into()));
    assert_eq!(world["rules"].as_array().unwrap().len(), 6);
    assert_eq!(world["decoys"].as_array().unwrap().len(), 18);

    let again = program.run(&EXPORT);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("choose another folder"), "{}", stderr(&again));
    assert_eq!(program.contents("world"), files);
    let listed = std::fs::read_dir(program.path(".")).unwrap();
    let part = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().contains(".part");
    assert!(!listed.flatten().any(part), "something is left over");
}

#[test]
fn combinations_of_others_are_scored_like_our_own() {
    let program = Program::new();
    assert!(program.run(&EXPORT).status.success());
    let world = json(&program.path("world/world.json"));
    let parts = |list: &str, place: usize| world[list][place]["parts"].clone();
    let counted = world["rules"].as_array().unwrap().iter();
    let pairs: Vec<_> = counted
        .filter(|rule| rule["counts"] == true && rule["parts"].as_array().unwrap().len() == 2)
        .map(|rule| serde_json::json!({ "parts": rule["parts"], "score": 2.0 }))
        .collect();
    let decoy = (0..18).map(|place| parts("decoys", place));
    let decoy = decoy.into_iter().find(|parts| parts.as_array().unwrap().len() == 2).unwrap();
    let mut all = pairs.clone();
    all.push(serde_json::json!({ "parts": decoy, "score": 1.0 }));
    let file = serde_json::json!({
        "name": "theirs", "world": world["config"], "combinations": all,
    });
    std::fs::write(program.path("theirs.json"), file.to_string()).unwrap();

    let output = program.run(&["benchmark", "--score=theirs.json", "--out=scored"]);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("true feature ids"), "{}", stderr(&output));
    let score = &json(&program.path("scored/benchmark.json"))["methods"]["theirs"];
    let found = &score["worlds"][0]["sizes"]["pairs"];
    assert_eq!(found["hits"], pairs.len());
    assert_eq!(found["proposed"], pairs.len() + 1);
    assert_eq!(found["average_precision"], 1.0);
    assert_eq!(found["decoys"].as_object().unwrap().len(), 1);
    assert!(String::from_utf8_lossy(&output.stdout).contains("theirs"));
}

#[test]
fn what_is_wrong_with_a_file_of_others_is_said() {
    let program = Program::new();
    let refused = |text: &str, expected: &str| {
        std::fs::write(program.path("theirs.json"), text).unwrap();
        let output = program.run(&["benchmark", "--score=theirs.json", "--out=scored"]);
        assert_eq!(output.status.code(), Some(2), "{text}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{text}: {}", stderr(&output));
        assert!(!program.path("scored").exists());
    };
    let one = |parts: &str| format!("{{\"combinations\":[{{\"parts\":{parts},\"score\":1}}]}}");

    refused("{", "EOF");
    refused("{\"combos\":[]}", "combos");
    refused(&one("[1,1]"), "combination 0");
    refused(&one("[1]"), "two, three or four");
    refused(&one("[1,256]"), "the last one is 255");
    refused("{\"directions\":[[1,0]],\"combinations\":[]}", "give 128");
    refused("{\"world\":{\"d_model\":0},\"combinations\":[]}", "no such world");

    let missing = program.run(&["benchmark", "--score=nowhere.json", "--out=scored"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
    assert!(stderr(&missing).contains("nowhere.json"), "{}", stderr(&missing));
}

#[test]
fn directions_of_others_are_matched_by_cosine_where_nobody_says_when_they_fire() {
    let program = Program::new();
    let axes: Vec<Vec<f32>> = vec![vec![1.0; 128]];
    let file = serde_json::json!({ "directions": axes, "combinations": [] });
    std::fs::write(program.path("theirs.json"), file.to_string()).unwrap();

    let output = program.run(&["benchmark", "--score=theirs.json", "--out=scored"]);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("cosine alone"), "{}", stderr(&output));
    let result = json(&program.path("scored/benchmark.json"));
    assert_eq!(result["matched_by"], "cosine alone");
    assert_eq!(result["methods"]["foreign"]["worlds"][0]["sizes"]["pairs"]["recoverable"], 0);
}

#[test]
#[cfg(unix)]
fn one_that_was_stopped_says_that_it_begins_anew() {
    let program = Program::new();
    let arguments = ["benchmark", "--out=b", "--track=learned", "--methods=csae"];
    let mut child = program.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());

    said.read_line(&mut String::new()).unwrap();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();

    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("stopping: nothing is kept"), "{rest}");
    assert!(rest.ends_with("fix: nothing was kept: the same command begins anew\n"), "{rest}");
    assert!(!program.path("b/benchmark.json").exists());
}
