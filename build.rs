//! Tells a release build which commit it is of: `volley bench` prints it with every table.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A development build would be compiled anew after each commit.
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) else {
        return;
    };
    for changes in [&log, "src", "migrations", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={changes}");
    }
    if let Some(commit) = git(&["describe", "--always", "--dirty", "--exclude=*"]) {
        println!("cargo::rustc-env=VOLLEY_COMMIT={commit}");
    }
}

/// What git prints; nothing where it is not installed, or this is no checkout.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
