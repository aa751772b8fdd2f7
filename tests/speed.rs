//! `trainer speed`: times of our own, and of peers that are there.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

mod program;

use program::{Program, json, stderr};

const SCRIPTS: [&str; 5] = ["language_model", "topk", "attention", "units", "pca"];

/// Peers that say without measuring what they were told to do.
fn write_peers(program: &Program, line: &str) {
    std::fs::create_dir(program.path("peers")).unwrap();
    for script in SCRIPTS {
        std::fs::write(program.path(&format!("peers/{script}.py")), line).unwrap();
    }
}

const LINE: &str = r#"
import sys
assert any(word.startswith("--seconds=") for word in sys.argv), sys.argv
print('{"name": "a clock", "tenth": 900.0, "median": 1000.0, "ninetieth": 1100.0, "count": 7}')
"#;

#[test]
fn times_are_printed_and_written_as_shares_of_a_peers() {
    let program = Program::new();
    write_peers(&program, LINE);

    let output = program.run(&[
        "speed",
        "--tasks=topk,writing",
        "--rounds=2",
        "--seconds=0.05",
        "--peers=peers",
        "--out=speed",
    ]);

    assert!(output.status.success(), "{}", stderr(&output));
    let written = json(&program.path("speed/speed.json"));
    assert_eq!(written["rounds"], 2);
    let task = &written["tasks"][0];
    assert_eq!((task["task"].as_str(), task["peer"].as_str()), (Some("topk"), Some("a clock")));
    let ours = task["milliseconds"][1]["ours"]["median"].as_f64().unwrap();
    assert!(ours > 0.01 && ours < 1_000.0, "{ours}");
    let ratio = task["ratio"]["median"].as_f64().unwrap();
    assert!(ratio > 0.0 && ratio < 1.0, "{ratio}");
    let text = std::fs::read_to_string(program.path("speed/speed.md")).unwrap();
    assert!(text.contains("| a clock |"), "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
}

#[test]
fn peers_that_cannot_run_are_complaints() {
    let program = Program::new();
    let quick = ["speed", "--tasks=topk", "--rounds=1", "--seconds=0.05", "--peers=peers"];

    let missing = program.run(&quick);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("language_model.py is not there"), "{}", stderr(&missing));

    write_peers(&program, "import a_module_that_nobody_has");
    let failing = program.run(&quick);
    assert_eq!(failing.status.code(), Some(1));
    let said = stderr(&failing);
    assert!(said.contains("a_module_that_nobody_has") && said.contains("pip install -r"), "{said}");

    let no_python = program.run(&[&quick[..], &["--python=no/such/python"]].concat());
    assert_eq!(no_python.status.code(), Some(2));
    assert!(stderr(&no_python).contains("no/such/python"), "{}", stderr(&no_python));
}

#[test]
fn impossible_times_are_refused() {
    let program = Program::new();

    for seconds in ["--seconds=0", "--seconds=nan", "--seconds=-1"] {
        let output = program.run(&["speed", "--tasks=topk", seconds]);

        assert_eq!(output.status.code(), Some(2), "{seconds}");
    }
}
