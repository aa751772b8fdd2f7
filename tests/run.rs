//! The main job from outside: results, stopping and going on, refusals.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

mod program;

use program::{Program, json, stderr};

#[test]
fn a_run_writes_its_results_and_a_second_call_touches_nothing() {
    let program = Program::new();

    let output = program.run(&["--out_dir=run_1"]);

    assert!(output.status.success(), "{}", stderr(&output));
    let info = json(&program.path("run_1/final_info.json"));
    let means = &info["shakespeare_char"]["means"];
    assert!(means["best_val_loss_mean"].as_f64().unwrap() > 0.5);
    assert!(means["topk_l0_max_mean"].as_f64().unwrap() <= 32.0);
    let table = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(table.contains("attention") && table.lines().count() == 7, "{table}");
    assert!(!stderr(&output).contains('\r') && !stderr(&output).contains('\x1b'));

    let before = program.contents("run_1");
    let again = program.run(&["--out_dir", "run_1"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(stderr(&again).contains("finished before"), "{}", stderr(&again));
    assert_eq!(program.contents("run_1"), before);
}

#[test]
#[cfg(unix)]
fn a_run_that_is_stopped_and_killed_ends_with_the_same_bytes() {
    let straight = Program::new();
    assert!(straight.run(&["--out_dir=run_1"]).status.success());

    let stopped = Program::new();
    let mut signals = 0;
    for attempt in 0.. {
        let signal = if attempt % 2 == 0 { "INT" } else { "KILL" };
        match stopped.signal_after(&["--out_dir=run_1"], 700 + 150 * attempt, signal) {
            None => break,
            Some(status) if signal == "INT" => assert_eq!(status.code(), Some(130)),
            Some(status) => assert!(status.code().is_none()),
        }
        signals += 1;
    }

    assert!(signals >= 3, "only {signals} signals came in time");
    same_but_for_times((&straight, "run_1"), (&stopped, "run_1"));
}

/// With few steps, which go through all that a plan does: on one thread, then on all with trainings side
/// by side.
#[test]
#[cfg(unix)]
fn every_plan_gives_the_same_bytes_twice_also_when_it_is_killed() {
    let few = |program: Program| {
        std::fs::write(program.path("csae.toml"), "steps = 20\nseeds = 1\n").unwrap();
        program
    };
    let (straight, killed) = (few(Program::new()), few(Program::new()));
    for run in ["run_0", "run_1", "run_2", "run_3", "run_4", "run_5"] {
        let arguments = &[&*format!("--out_dir={run}")];
        let alone = straight.command(arguments).env("RAYON_NUM_THREADS", "1").output();
        assert!(alone.unwrap().status.success());

        let at = |milliseconds| killed.signal_after(arguments, milliseconds, "KILL").is_some();
        let signals = [400, 1_200].into_iter().filter(|milliseconds| at(*milliseconds)).count();
        assert!(signals >= 1, "{run}: no signal came in time");
        assert!(killed.run(arguments).status.success());

        same_but_for_times((&straight, run), (&killed, run));
    }
    let metrics = std::fs::read_to_string(straight.path("run_0/metrics.jsonl")).unwrap();
    for stage in ["lm", "lm grammar", "topk lr=0.001 seed=0 boolean"] {
        assert!(metrics.contains(&format!("{{\"stage\":\"{stage}\",")), "{stage}");
    }
    let config = json(&straight.path("run_5/config.json"));
    let training = &config["trials"][0]["training"];
    assert_eq!((&config["profile"]["seeds"], &training["steps"]), (&1.into(), &20.into()));
}

/// The same files with the same bytes, but for how long things took.
fn same_but_for_times(one: (&Program, &str), other: (&Program, &str)) {
    let timed = |name: &&String| name.ends_with("final_info.json");
    let contents = |(program, run): (&Program, &str)| {
        let mut files = program.contents(run);
        // A pickle of what final_info.json says, with losses that metrics.jsonl has as well.
        assert!(!files.remove("all_results.npy").unwrap().is_empty());
        files.remove("log.txt");
        files
    };
    let (run, one_files, other_files) = (one.1, contents(one), contents(other));
    assert!(one_files.keys().eq(other_files.keys()), "{run}: other files");
    for (name, bytes) in one_files.iter().filter(|(name, _)| !timed(name)) {
        assert!(other_files.get(name) == Some(bytes), "{run}/{name} differs");
    }
    for name in one_files.keys().filter(timed) {
        let results = |(program, run): (&Program, &str)| {
            let mut info = json(&program.path(&format!("{run}/{name}")));
            program::remove_times(&mut info);
            serde_json::to_vec(&info).unwrap()
        };
        assert!(results(one) == results(other), "{run}/{name} differs");
    }
}

#[test]
fn every_plan_leaves_what_it_promises() {
    let program = Program::new();
    for (run, method, files) in [
        ("run_0", "topk", &["boolean/hidden/topk.csv", "grammar/export/saelens/topk/cfg.json"][..]),
        ("run_2", "attention", &["plots/steps.svg", "steps.md", "steps.csv"]),
        (
            "run_3",
            "units_k16",
            &[
                "pareto.md",
                "pareto.csv",
                "plots/pareto_fvu.png",
                "trainings.csv",
                "interactions.md",
            ],
        ),
        ("run_4", "no_refit", &["ablations.md", "ablations.csv", "plots/ablations.svg"]),
        (
            "run_5",
            "relu_l1_k16",
            &[
                "pareto.csv",
                "rivals.md",
                "plots/pareto_ce_recovered.csv",
                "export/saelens/batch_topk/cfg.json",
                "export/sparsify/units/h.0/cfg.json",
            ],
        ),
    ] {
        let output = program.run(&[&format!("--out_dir={run}")]);

        assert!(output.status.success(), "{}", stderr(&output));
        let text = |name: &str| {
            let path = program.path(&format!("{run}/{name}"));
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
        };
        for name in ["README.txt", "export/bundle.json", "plots/fvu.csv", "plots/schedule.csv"] {
            assert!(!text(name).is_empty());
        }
        for name in files {
            assert!(std::fs::metadata(program.path(&format!("{run}/{name}"))).unwrap().len() > 0);
            let table = name.ends_with(".md");
            assert!(!table || text("README.txt").contains(name), "{name}");
        }
        let info = json(&program.path(&format!("{run}/final_info.json")));
        let fvu = &info["shakespeare_char"]["means"][format!("{method}_fvu_mean")];
        assert!(fvu.as_f64().unwrap() > 0.0, "{run}: {fvu}");
        assert!(!program.path(&format!("{run}/checkpoint")).exists());
    }
    every_text_is_explained_by_the_first_run(&program);
    every_ablation_is_compared_with_the_whole_model(&program);
    every_rival_has_a_line_at_every_number_of_active_features(&program);
}

fn every_text_is_explained_by_the_first_run(program: &Program) {
    let info = json(&program.path("run_0/final_info.json"));
    let names: Vec<&String> = info.as_object().unwrap().keys().collect();
    assert_eq!(names, ["arithmetic", "boolean", "grammar", "shakespeare_char"]);
    let notes = std::fs::read_to_string(program.path("run_0/notes.txt")).unwrap();
    for name in ["arithmetic", "boolean", "grammar"] {
        let means = &info[name]["means"];
        let share = means["task_accuracy_mean"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share) && means["topk_fvu_mean"].as_f64().unwrap() > 0.0);
        let (_, own) = notes.split_once(&format!("\n{name}\n====")).unwrap();
        assert!(own.contains(&format!("decide ({:.2} %)", 100.0 * share)), "{own}");
    }
    assert!(notes.contains("Left out: text8, because it is not at hand"), "{notes}");

    let site = program.run(&["site", "--runs=run_0,run_0/grammar", "--out=site"]);
    assert!(site.status.success(), "{}", stderr(&site));
    let shown = |run: &str| json(&program.path(&format!("site/{run}/index.json")));
    let fvu = |run: &str, name: &str| {
        let index = shown(run);
        assert_eq!(index["dataset"], name);
        let methods = index["methods"].as_array().unwrap().clone();
        let topk = methods.iter().find(|method| method["name"] == "topk").unwrap();
        let expected = info[name]["means"]["topk_fvu_mean"].as_f64().unwrap();
        assert!((topk["fvu"]["mean"].as_f64().unwrap() / expected - 1.0).abs() < 1e-3, "{topk}");
    };
    fvu("run_0", "shakespeare_char");
    fvu("grammar", "grammar");
}

fn every_ablation_is_compared_with_the_whole_model(program: &Program) {
    let table = std::fs::read_to_string(program.path("run_4/ablations.csv")).unwrap();
    let config = json(&program.path("run_4/config.json"));
    let trials = config["trials"].as_array().unwrap();

    assert_eq!(table.lines().count(), trials.len());
    for trial in &trials[1..] {
        let reference = trial["compared_with"].as_str().unwrap();
        let start = format!("{},{reference},2,", trial["label"].as_str().unwrap());
        let line = table.lines().find(|line| line.starts_with(&start)).unwrap();
        let told = ["not distinguishable", "lower", "higher"];
        assert!(told.iter().any(|words| line.ends_with(words)), "{line}");
    }
    let notes = std::fs::read_to_string(program.path("run_4/notes.txt")).unwrap();
    assert!(notes.contains("| literal | full | 2 |"), "{notes}");
}

fn every_rival_has_a_line_at_every_number_of_active_features(program: &Program) {
    let table = std::fs::read_to_string(program.path("run_5/pareto.csv")).unwrap();
    let wide = ["topk", "topk_refit", "topk_384", "topk_384_refit"];
    let rivals = ["mlp_encoder", "batch_topk", "matryoshka", "relu_l1", "poly_sae", "literal"];
    let others = ["units", "pca", "pca_largest", "nmf_largest"];

    for method in wide.into_iter().chain(rivals).chain(others) {
        for (k, seeds) in [(16, 1), (32, 2)] {
            let start = format!("{method},{k},");
            let line = table.lines().find(|line| line.starts_with(&start));
            let line = line.unwrap_or_else(|| panic!("{start} is not in {table}"));
            let is_trained = !method.starts_with("pca") && !method.starts_with("nmf");
            let seeds = if is_trained { seeds } else { 1 };
            assert_eq!(line.split(',').nth(3), Some(&*seeds.to_string()), "{line}");
        }
    }
    assert_eq!(table.lines().count(), 1 + 14 * 2);
}

#[test]
fn rows_on_the_disk_give_the_same_bytes_as_rows_in_memory() {
    let program = Program::new();
    let run = |folder: &str, mib: &str| {
        let output = program
            .command(&[&format!("--out_dir={folder}/run_3")])
            .env("CSAE_LANGUAGE", "arithmetic")
            .env("CSAE_STEPS", "20")
            .env("CSAE_SEEDS", "1")
            .env("CSAE_CACHE", program.path("cache"))
            .env("CSAE_ROWS_IN_MEMORY_MIB", mib)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };

    let said = run("memory", "100");
    assert!(!said.contains("stay on the disk"), "{said}");
    for entry in std::fs::read_dir(program.path("cache")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("activations") || name.starts_with("perceptron") {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() - 4]).unwrap();
        }
    }
    let said = run("disk", "1");
    for expected in ["activations", "what the perceptron reads", "what the perceptron adds"] {
        assert!(said.contains(&format!("{expected} stay on the disk: ")), "{said}");
    }
    assert_eq!(said.matches("made again").count(), 2, "{said}");

    same_but_for_times((&program, "memory/run_3"), (&program, "disk/run_3"));
}

#[test]
fn a_setting_that_is_none_is_refused_with_a_suggestion() {
    let program = Program::new();
    std::fs::write(program.path("csae.toml"), "devcie = \"cpu\"\n").unwrap();

    let output = program.run(&["--out_dir=run_1"]);

    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("did you mean \"device\"?"), "{}", stderr(&output));
    assert!(!program.path("run_1").exists());
}

#[test]
fn without_text_and_network_a_generated_language_is_explained() {
    let program = Program::new();

    let output = program
        .command(&["--out_dir=run_0"])
        .env_remove("CSAE_DATA")
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .output()
        .unwrap();

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("shakespeare_char (1.1 MB) from https://"),
        "{}",
        stderr(&output)
    );
    let info = json(&program.path("run_0/final_info.json"));
    let left_out = info["arithmetic"]["final_info_dict"]["left_out"].to_string();
    assert!(left_out.contains("shakespeare_char"), "{left_out}");
    let notes = std::fs::read_to_string(program.path("run_0/notes.txt")).unwrap();
    assert!(notes.contains("Left out: shakespeare_char"), "{notes}");
}

#[test]
fn an_unknown_plan_lists_the_plans() {
    let output = Program::new().run(&["--out_dir=run_l"]);

    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("error: no plan is called \"run_l\""), "{text}");
    assert!(text.contains("run_0") && text.contains("run_1  Does attention"), "{text}");
    assert!(text.contains("did you mean \"run_"), "{text}");
}

#[test]
fn texts_that_are_missing_or_unusable_are_named_and_nothing_is_trained() {
    let program = Program::new();
    let text = program.path("texts/shakespeare_char/input.txt");
    let refused = |expected: &str| {
        let output = program.run(&["--out_dir=run_1"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains(expected) && said.contains("fix: "), "{expected}: {said}");
        assert!(!program.path("run_1/config.json").exists());
    };

    std::fs::write(&text, "").unwrap();
    refused("is empty");
    std::fs::write(&text, "aaaaaaaaaaaaaaaaaaaa").unwrap();
    refused("one-character text");
    std::fs::write(&text, b"\xff\xfeabc").unwrap();
    refused("UTF-8");
    std::fs::remove_file(&text).unwrap();
    refused("input.txt");
}

#[test]
fn folders_that_cannot_be_a_run_folder_are_refused() {
    let program = Program::new();
    std::fs::write(program.path("file"), "").unwrap();
    std::fs::create_dir(program.path("run_1")).unwrap();
    std::fs::write(program.path("run_1/thesis.tex"), "mine").unwrap();

    let foreign = program.run(&["--out_dir=run_1"]);
    let inside_a_file = program.run(&["--out_dir=file/run_1"]);

    assert_eq!(foreign.status.code(), Some(2));
    assert!(stderr(&foreign).contains("it holds \"thesis.tex\""), "{}", stderr(&foreign));
    assert_eq!(program.contents("run_1").len(), 1);
    assert_eq!(inside_a_file.status.code(), Some(2));
    assert!(stderr(&inside_a_file).contains("cannot"), "{}", stderr(&inside_a_file));
}

#[test]
fn a_damaged_checkpoint_is_named_and_left_for_the_user_to_delete() {
    let program = Program::new();
    let folder = program.path("run_1/checkpoint");
    program.signal_after(&["--out_dir=run_1"], 900, "INT");
    std::fs::create_dir_all(&folder).unwrap();
    let name = "topk_lr_0.0003_seed_0.safetensors";
    std::fs::write(folder.join(name), b"half a file").unwrap();

    let output = program.run(&["--out_dir=run_1"]);

    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.contains(name) && text.contains("fix: delete this file"), "{text}");
    assert!(folder.join(name).exists() && !program.path("run_1/final_info.json").exists());
}

#[test]
fn help_shows_an_example_and_version_the_commit() {
    let program = Program::new();

    let help = String::from_utf8(program.run(&["--help"]).stdout).unwrap();
    let version = String::from_utf8(program.run(&["--version"]).stdout).unwrap();

    assert!(help.contains("trainer --out_dir=run_1") && help.contains("Exit codes"), "{help}");
    assert!(version.starts_with("trainer 0.1.0 (") && version.len() > 20, "{version}");
    assert_eq!(program.run(&["--out-dir=run_1"]).status.code(), Some(2));
}

/// Cargo ignores a file of this folder that no crate lists.
#[test]
fn every_file_of_this_folder_is_registered() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifests = ["trainer", "web"]
        .map(|name| std::fs::read_to_string(root.join(name).join("Cargo.toml")).unwrap())
        .concat();

    for entry in std::fs::read_dir(root.join("tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".rs") {
            assert!(manifests.contains(&format!("\"../tests/{name}\"")), "{name}");
        }
    }
}
