//! What an installed command offers around its work: version, shell completions, manual pages.

use super::{fails, line, stderr, stdout, succeeds, temporary, wengert_with};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The output of a program that may not be installed. It must succeed and print no warning.
fn if_there(program: &str, arguments: &[&str], inside: &Path) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(inside).output().ok()?;
    let warnings = stderr(&output);
    assert!(output.status.success() && warnings.is_empty(), "{program} {arguments:?}: {warnings}");
    Some(stdout(&output))
}

#[test]
fn the_short_version_is_a_number_and_the_long_one_says_what_is_used() {
    let inside = temporary("version");
    let short = format!("wengert {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(succeeds(&inside, "-V"), short);
    let long = succeeds(&inside, "--version");
    assert!(long.starts_with(&short), "{long}");
    let fact = |name: &str| line(&long, name)[name.len()..].trim().to_owned();

    let git =
        Command::new("git").args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let commit = git.ok().filter(|output| output.status.success()).map(|output| stdout(&output));
    match commit {
        Some(commit) => assert_eq!(fact("commit"), commit[..12]),
        None => assert_eq!(fact("commit"), "unknown"),
    }
    assert!(fact("target").starts_with(std::env::consts::ARCH), "{long}");
    assert!(fact("compiler").starts_with("rustc "), "{long}");
    assert_eq!(fact("features"), if cfg!(feature = "check") { "check" } else { "none" });
    let chosen = |variables: &[(&str, &str)], begins: &str| {
        let output = stdout(&wengert_with(&inside, "--version", variables));
        line(&output, begins)[begins.len()..].trim().to_owned()
    };
    let set = fact("instructions");
    assert!(["avx512", "avx2", "neon", "baseline", "vectors"].iter().any(|s| set.starts_with(s)), "{long}");
    assert!(chosen(&[("WENGERT_SIMD", "baseline")], "instructions").starts_with("baseline "));
    assert_eq!(chosen(&[("RAYON_NUM_THREADS", "3")], "threads"), "3");

    // Subcommands have the same version.
    assert_eq!(succeeds(&inside, "train -V"), short.replace("wengert", "wengert-train"));
    assert!(succeeds(&inside, "train --version").contains("\nthreads "));
}

#[test]
fn every_shell_has_completions_that_it_can_parse() {
    let inside = temporary("completions");
    for (shell, check) in [
        ("bash", Some(("bash", vec!["--norc", "-n"]))),
        ("zsh", Some(("zsh", vec!["-f", "-n"]))),
        ("fish", Some(("fish", vec!["--no-config", "-n"]))),
        ("powershell", None),
        ("elvish", None),
    ] {
        let script = succeeds(&inside, &format!("completions {shell}"));
        for word in ["train", "resume", "mlp", "--epochs", "completions", "man"] {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
        // Those for PowerShell and Elvish complete no values.
        assert!(check.is_none() || script.contains("fashion-mnist"), "{shell} does not complete values");
        fs::write(inside.join(shell), &script).unwrap();
        if let Some((program, mut arguments)) = check {
            arguments.push(shell);
            if_there(program, &arguments, &inside);
        }
    }
    // What the scripts do, in the shell that is nearly everywhere.
    let ask = "source ./bash; COMP_WORDS=(wengert train mlp --opt); COMP_CWORD=3; _wengert wengert --opt mlp; echo \"${COMPREPLY[@]}\"";
    if let Some(answer) = if_there("bash", &["--norc", "-c", ask], &inside) {
        assert_eq!(answer.trim(), "--optimizer");
    }
    fails(&inside, "completions cmd", 2, &["cmd", "powershell"]);
}

#[test]
fn every_command_has_a_manual_page_without_warnings() {
    let inside = temporary("man");
    let said = succeeds(&inside, "man --output pages/man1");
    let mut pages: Vec<_> =
        fs::read_dir(inside.join("pages/man1")).unwrap().map(|p| p.unwrap().path()).collect();
    pages.sort();
    assert_eq!(said, format!("{} pages in pages/man1\n", pages.len()));
    let named = |name: &str| pages.iter().any(|p| p.file_name().unwrap() == format!("{name}.1").as_str());
    for name in
        ["wengert", "wengert-train", "wengert-train-mlp", "wengert-check", "wengert-step", "wengert-man"]
    {
        assert!(named(name), "{name} has no page");
    }
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        assert!(text.is_ascii(), "{}", page.display());
        assert_eq!(text.matches("\n.SH NAME\n").count(), 1, "{}", page.display());
        // Words too long for a line are not a fault of the page.
        let arguments = ["-man", "-ww", "-Wbreak", "-Tutf8", page.to_str().unwrap()];
        let Some(rendered) = if_there("groff", &arguments, &inside) else { continue };
        assert!(rendered.contains("Print help"), "{}", page.display());
    }
    let main = succeeds(&inside, "man");
    assert_eq!(main, fs::read_to_string(inside.join("pages/man1/wengert.1")).unwrap());
    assert!(
        main.contains(&format!("\"wengert {}\"", env!("CARGO_PKG_VERSION")))
            && main.contains("\n.SH EXAMPLES\n")
    );
    // A folder that cannot be created.
    fs::write(inside.join("file"), "").unwrap();
    fails(&inside, "man --output file/man1", 1, &["file/man1", "the pages cannot be written"]);
}
