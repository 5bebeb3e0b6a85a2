//! The command with which this program was called, for reports that say how to repeat a failure.

use crate::results::quoted;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The command that runs this program, to which arguments can be added: `cargo run` or `cargo test` if cargo started it, and otherwise the
/// path as it was typed.
pub(crate) fn command() -> String {
    let typed = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let by_cargo = std::env::var("CARGO_PKG_NAME").ok().and_then(|package| {
        let program = std::env::current_exe().ok()?;
        cargo_command(&program, &package)
    });
    by_cargo.unwrap_or_else(|| quoted(&typed.to_string_lossy()))
}

/// Whether this is a program of `cargo test` or of `cargo nextest`, whose filters may fit nothing in it.
pub(crate) fn is_test() -> bool {
    let program = std::env::current_exe().unwrap_or_default();
    std::env::var_os("CARGO_PKG_NAME").is_some() && folder(&program) == Some("deps")
}

fn folder(program: &Path) -> Option<&str> {
    program.parent()?.file_name()?.to_str()
}

/// The command of cargo for a program in its target folder.
fn cargo_command(program: &Path, package: &str) -> Option<String> {
    let name = program.file_stem().and_then(OsStr::to_str)?;
    let here = program.parent()?;
    let (what, name, profile) = match folder(program)? {
        // The program of a test has a hash at the end of its name.
        "deps" => ("test", name.rsplit_once('-')?.0, here.parent()?),
        "examples" => ("example", name, here.parent()?),
        _ => ("bin", name, here),
    };
    let profile = match profile.file_name()?.to_str()? {
        "debug" => String::new(),
        "release" => " --release".to_owned(),
        other => format!(" --profile {}", quoted(other)),
    };
    let run = if what == "test" { "test" } else { "run" };
    Some(format!("cargo {run} -p {}{profile} --{what} {} --", quoted(package), quoted(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_cargo() {
        let of = |path: &str| cargo_command(Path::new(path), "mine").unwrap();
        assert_eq!(of("/w/target/debug/check"), "cargo run -p mine --bin check --");
        assert_eq!(of("/w/target/release/examples/check"), "cargo run -p mine --release --example check --");
        assert_eq!(
            of("/w/target/ci/deps/my_gradients-0123456789abcdef"),
            "cargo test -p mine --profile ci --test my_gradients --"
        );
        assert_eq!(cargo_command(Path::new("check"), "mine"), None);
    }
}
