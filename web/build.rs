//! Tells the page which commit it was built from: the engine's address carries it, so that no visitor
//! gets an older engine from a cache.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The engines do not say it, and need not be built anew for every commit.
    if std::env::var_os("CARGO_FEATURE_PAGE").is_none() {
        return;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_string())
    };
    let commit = git(&["rev-parse", "--short=7", "HEAD"]).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=CSAE_COMMIT={commit}");
    for path in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", path]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}
