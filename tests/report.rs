//! `trainer report`: several finished runs become tables, pictures and text.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

mod program;

use std::fs;

use program::{Program, json, stderr};

#[test]
fn finished_runs_become_a_report_with_a_table_behind_every_claim() {
    let program = Program::new();
    for run in ["run_0", "run_3"] {
        let output = program.run(&[&format!("--out_dir={run}")]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let before = program.contents("run_3");

    let output = program.run(&["report", "--runs=run_0,run_3", "--out=r"]);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(program.contents("run_3") == before, "a report changes no run");
    let text = fs::read_to_string(program.path("r/report.md")).unwrap();
    let claims: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
    assert!(claims.len() >= 5, "{text}");
    for claim in &claims {
        assert!(claim.ends_with(".csv))"), "{claim}");
    }
    every_link_leads_somewhere(&program, &text);
    for own in ["run_3/steps.csv", "run_3/trainings.csv", "run_0/boolean/plots/lm_loss.png"] {
        assert!(text.contains(&format!("]({own})")), "{own}: {text}");
    }
    the_numbers_are_the_runs_own(&program);
    assert!(text.contains("1.4693") && text.contains("profile smoke"), "{text}");
    let of_both = claims.iter().find(|claim| claim.contains("run_0, run_3 on shakespeare_char"));
    assert!(of_both.is_some(), "one language model for both: {claims:?}");
    let sums = claims.iter().find(|claim| claim.contains("of run_0 on arithmetic")).unwrap();
    assert!(sums.contains("% of the lines"), "{sums}");

    let first = program.contents("r");
    assert!(program.run(&["report", "--runs=run_0,run_3", "--out=r"]).status.success());
    assert!(program.contents("r") == first, "the same runs give the same bytes");
    what_is_no_finished_run_is_refused(&program);
}

fn every_link_leads_somewhere(program: &Program, text: &str) {
    let links: Vec<&str> =
        text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 10);
    for link in links {
        match link.strip_prefix('#') {
            Some(heading) => assert!(text.contains(&format!("\n### {heading}\n")), "{heading}"),
            None => assert!(program.path(&format!("r/{link}")).is_file(), "{link}"),
        }
    }
}

/// Looked up without the report's own code.
fn the_numbers_are_the_runs_own(program: &Program) {
    let table = fs::read_to_string(program.path("r/methods.csv")).unwrap();
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let fvu = header.iter().position(|name| *name == "FVU").unwrap();
    let info = json(&program.path("run_3/final_info.json"));
    let mut methods = 0;
    for line in table.lines().filter(|line| line.starts_with("run_3,")) {
        let fields: Vec<&str> = line.split(',').collect();
        let key = format!("{}_fvu_mean", fields[3]);
        let expected = info["shakespeare_char"]["means"][&key].as_f64().unwrap();
        assert_eq!(fields[fvu].parse::<f64>().unwrap(), expected, "{key}");
        methods += 1;
    }
    assert!(methods >= 6, "{table}");
    let combinations = fs::read_to_string(program.path("r/combinations.csv")).unwrap();
    let counted = fs::read_to_string(program.path("run_3/combinations/units.csv")).unwrap();
    let fields: Vec<&str> = combinations.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(fields[..2], ["run_3", "units"]);
    assert_eq!(fields[2].parse::<usize>().unwrap(), counted.lines().count() - 1);
    let models = fs::read_to_string(program.path("r/language_models.csv")).unwrap();
    for expected in ["0.8084,1.4693,301,477", "0.9415,1.0055,2372,481", "0.994,0.9802,2351,477"] {
        assert!(models.contains(expected), "{models}");
    }
}

fn what_is_no_finished_run_is_refused(program: &Program) {
    let refused = |arguments: &[&str], expected: &[&str]| {
        let output = program.run(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        for expected in expected.iter().chain(&["fix: "]) {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(!program.path("other").exists(), "nothing is written then");
    };
    fs::create_dir(program.path("empty")).unwrap();
    fs::create_dir(program.path("begun")).unwrap();
    fs::write(program.path("begun/config.json"), "{}").unwrap();
    let looked = &["looked for: ", "final_info.json"];

    refused(&["report", "--runs=run_0,run_9", "--out=other"], &["no report of run_9", looked[0]]);
    refused(
        &["report", "--runs=empty", "--out=other"],
        &["it is not the folder of a run", looked[1]],
    );
    refused(&["report", "--runs=begun", "--out=other"], &["is not finished", "--out_dir=begun"]);
    refused(&["report", "--runs=run_0,run_0", "--out=other"], &["two runs are called run_0"]);
    refused(&["report", "--runs=run_0", "--out=run_3"], &["run_3 is the folder of a run"]);

    fs::write(program.path("run_0/final_info.json"), "{").unwrap();
    let damaged = program.run(&["report", "--runs=run_0", "--out=other"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(stderr(&damaged).contains("final_info.json"), "{}", stderr(&damaged));
}
