//! Gives the command what `wengert --version` says about its build: the commit, the target and the compiler.
//!
//! Everything is optional. Without git, or in a folder that is no checkout, the commit is unknown, and nothing fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    let commit = packaged_commit(&folder).or_else(|| commit_of_checkout(&folder));
    let compiler = env::var_os("RUSTC").and_then(|rustc| output(Command::new(rustc).arg("--version")));
    let unknown = || "unknown".to_owned();
    println!("cargo::rustc-env=WENGERT_COMMIT={}", commit.unwrap_or_else(unknown));
    println!("cargo::rustc-env=WENGERT_COMPILER={}", compiler.unwrap_or_else(unknown));
    println!("cargo::rustc-env=WENGERT_TARGET={}", env::var("TARGET").unwrap_or_else(|_| unknown()));
}

/// The commit that `cargo package` wrote into the archive.
fn packaged_commit(folder: &Path) -> Option<String> {
    let info = folder.join(".cargo_vcs_info.json");
    let text = fs::read_to_string(&info).ok()?;
    println!("cargo::rerun-if-changed={}", info.display());
    let (_, rest) = text.split_once("\"sha1\"")?;
    let sum = rest.split('"').nth(1)?;
    let dirty = if text.contains("\"dirty\": true") { " with changes" } else { "" };
    is_sum(sum).then(|| format!("{}{dirty}", &sum[..12]))
}

/// The commit that is checked out, if this folder is `crates/cli` of a checkout.
fn commit_of_checkout(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| output(Command::new("git").arg("-C").arg(folder).args(arguments));
    // A copy of the crate in another project's repository must not show that project's commit.
    if git(&["rev-parse", "--show-prefix"])? != "crates/cli/" {
        return None;
    }
    // Cargo runs this again when the commit changes: HEAD names a branch, whose commit is in a file of its own or packed. The log
    // of HEAD changes when a file of its own is created.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let Some(path) = git(&["rev-parse", "--git-path", name]) else { continue };
        let path = folder.join(path);
        // A file that does not exist would make every build run this again.
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let sum = git(&["rev-parse", "HEAD"])?;
    is_sum(&sum).then(|| sum[..12].to_owned())
}

fn is_sum(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a command prints, without the end of the line, if it succeeds.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}
