//! `trainer site`: a finished run becomes what the explorer loads.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

mod program;

use program::{Program, json, stderr};
use shared::reading::Reading;
use shared::report::{Combination, FeatureStats};
use shared::site::{CompositionKind, RunIndex, SiteManifest};

fn read<T: serde::de::DeserializeOwned>(program: &Program, name: &str) -> T {
    serde_json::from_value(json(&program.path(name))).unwrap()
}

#[test]
fn a_finished_run_becomes_small_files_with_everything_the_explorer_shows() {
    let program = Program::new();
    assert!(program.run(&["--out_dir=run_1"]).status.success());

    let output = program.run(&["site", "--runs=run_1", "--out=site/data"]);

    assert!(output.status.success(), "{}", stderr(&output));
    let manifest: SiteManifest = read(&program, "site/data/manifest.json");
    let run = &manifest.runs[0];
    assert_eq!((run.name.as_str(), run.version.len()), ("run_1", 12));
    let index: RunIndex = read(&program, "site/data/run_1/index.json");
    assert_eq!(
        (index.model.as_str(), index.composition),
        ("attention", CompositionKind::Attention)
    );
    let info = json(&program.path("run_1/final_info.json"));
    let expected = info["shakespeare_char"]["means"]["attention_fvu_mean"].as_f64().unwrap();
    let method = index.methods.iter().find(|method| method.name == "attention").unwrap();
    assert!((method.fvu.mean.unwrap() / expected - 1.0).abs() < 1e-3);
    for number in 0..index.features.len() {
        let path = format!("site/data/run_1/f/{number}.json");
        let stats: FeatureStats = read(&program, &path);
        assert!((stats.density - index.features[number].density).abs() < 1e-3);
        assert!(std::fs::metadata(program.path(&path)).unwrap().len() <= 8_000);
    }
    for (number, text) in index.texts.iter().enumerate() {
        let reading: Reading = read(&program, &format!("site/data/run_1/t/{number}.json"));
        assert_eq!(&reading.text, text);
        assert_eq!(reading.positions.len(), text.chars().count());
        assert!(reading.positions.iter().all(|position| !position.next.is_empty()));
    }
    assert!(!index.texts.is_empty());

    let before = program.contents("site");
    assert!(program.run(&["site", "--runs=run_1"]).status.success());
    assert!(program.contents("site") == before, "the same run gives the same bytes");
    only_runs_that_are_no_longer_listed_are_removed(&program);
    unfinished_and_unknown_are_complaints(&program);
}

#[test]
fn combinations_of_a_run_stand_on_pages_of_their_own() {
    let program = Program::new();
    assert!(program.run(&["--out_dir=run_3"]).status.success());

    let output = program.run(&["site", "--runs=run_3", "--out=site/data"]);

    assert!(output.status.success(), "{}", stderr(&output));
    let index: RunIndex = read(&program, "site/data/run_3/index.json");
    assert_eq!((index.model.as_str(), index.composition), ("units", CompositionKind::Units));
    let bundled = json(&program.path("run_3/export/combinations.json"));
    assert_eq!(bundled["units"].as_array().unwrap().len(), index.combinations.len());
    let table = std::fs::read_to_string(program.path("run_3/combinations/units.csv")).unwrap();
    assert_eq!(table.lines().count(), index.combinations.len() + 1);
    assert!(!index.combinations.is_empty());
    for (number, row) in index.combinations.iter().enumerate() {
        let page: Combination = read(&program, &format!("site/data/run_3/c/{number}.json"));
        assert_eq!((&page.parts, page.support), (&row.parts, row.support));
        assert!(page.support >= 15 && page.interaction > 0.0, "{page:?}");
        assert!(!page.together.is_empty() && page.alone.len() == page.parts.len());
        assert_eq!(page.seeds.unwrap()[1], 2);
    }
    let sizes: Vec<f64> = index.combinations.iter().map(|row| row.interaction).collect();
    assert!(sizes.is_sorted_by(|one, other| one >= other), "{sizes:?}");
}

fn only_runs_that_are_no_longer_listed_are_removed(program: &Program) {
    let copy = |name: &str| {
        for (file, bytes) in program.contents("site/data/run_1") {
            let path = program.path(&format!("site/data/{name}")).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    };
    let mut manifest = json(&program.path("site/data/manifest.json"));
    let run = manifest["runs"][0].clone();
    for name in ["run_3", "unlisted", "../outside", "study"] {
        copy(name);
        if name != "unlisted" {
            let mut run = run.clone();
            run["name"] = name.into();
            manifest["runs"].as_array_mut().unwrap().push(run);
        }
    }
    std::fs::remove_file(program.path("site/data/study/index.json")).unwrap();
    std::fs::write(program.path("site/data/manifest.json"), manifest.to_string()).unwrap();

    let output = program.run(&["site", "--runs=run_1"]);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!program.path("site/data/run_3").exists());
    for name in ["data/run_1", "data/unlisted", "outside", "data/study"] {
        assert!(program.path(&format!("site/{name}")).is_dir(), "{name} is gone");
    }
}

fn unfinished_and_unknown_are_complaints(program: &Program) {
    let complain = |arguments: &[&str], code: i32, expected: &str| {
        let output = program.run(arguments);
        assert_eq!(output.status.code(), Some(code));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    complain(&["site", "--runs=run_7"], 2, "run_7 is not the folder of a finished run");
    complain(&["site", "--runs=run_1", "--model=x"], 2, "one of attention, topk");
    complain(&["site", "--runs=run_1,run_1"], 2, "two runs are called run_1");
    complain(&["site", "--runs=run_1", "--out=."], 2, "would replace the run run_1 itself");
    std::fs::write(program.path("run_1/export/weights.safetensors"), "no weights").unwrap();
    complain(&["site", "--runs=run_1"], 1, "weights.safetensors is damaged");
}
