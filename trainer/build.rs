//! Tells the program which commit it was built from.

use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_string())
    };
    let commit = git(&["rev-parse", "--short=7", "HEAD"]).unwrap_or_else(|| "no commit".into());
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some();
    let commit = if changed { commit + "-changed" } else { commit };
    println!("cargo::rustc-env=CSAE_COMMIT={commit}");
    for path in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", path]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    for path in ["build.rs", "src", "../shared/src"] {
        println!("cargo::rerun-if-changed={path}");
    }
}
