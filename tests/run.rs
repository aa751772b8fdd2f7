//! The main job from outside: results, resuming, refusals.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A call of the trainer in the smallest profile, with a text of its own.
struct Trainer {
    root: tempfile::TempDir,
}

impl Trainer {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let text: String =
            (0..4_000).map(|i| format!("{i} plus {} is {}\n", i % 7, i + i % 7)).collect();
        let file = root.path().join("texts/shakespeare_char/input.txt");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
        command
            .args(arguments)
            .current_dir(self.root.path())
            .env("CSAE_DATA", self.path("texts"))
            .env("CSAE_DEVICE", "cpu")
            .env("CSAE_PROFILE", "smoke");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_writes_its_results_and_a_second_call_touches_nothing() {
    let trainer = Trainer::new();

    let output = trainer.run(&["--out_dir=run_1"]);

    assert!(output.status.success(), "{}", stderr(&output));
    let info = json(&trainer.path("run_1/final_info.json"));
    let means = &info["shakespeare_char"]["means"];
    assert!(means["best_val_loss_mean"].as_f64().unwrap() > 0.5);
    let before = std::fs::metadata(trainer.path("run_1/final_info.json")).unwrap().modified();
    let again = trainer.run(&["--out_dir", "run_1"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(stderr(&again).contains("finished before"), "{}", stderr(&again));
    let after = std::fs::metadata(trainer.path("run_1/final_info.json")).unwrap().modified();
    assert_eq!(before.unwrap(), after.unwrap());
}
