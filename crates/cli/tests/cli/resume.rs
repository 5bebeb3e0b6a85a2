//! Runs that are stopped, killed and resumed.

use super::{fails, line, stderr, stdout, succeeds, temporary, wengert};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The columns of metrics.csv that do not depend on the clock.
fn measured(run: &Path) -> Vec<String> {
    let table = fs::read_to_string(run.join("metrics.csv")).unwrap();
    table.lines().map(|row| row.rsplit_once(',').unwrap().0.to_owned()).collect()
}

/// A run that is killed many times without warning ends with the same weights as a run that was not killed. The variable `KILLS`
/// is the number of kills.
#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_weights() {
    use std::process::Stdio;
    use std::time::Duration;
    let inside = temporary("killed");
    let options = "train mlp --epochs 25 --batch-size 16 --seed 5 --patience 30 --average 0.9";
    let straight = succeeds(&inside, &format!("{options} --out straight"));
    let start = |arguments: &str| {
        Command::new(env!("CARGO_BIN_EXE_wengert"))
            .args(arguments.split_whitespace())
            .current_dir(&inside)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut child = start(&format!("{options} --checkpoint-every 2steps --out killed"));
    let (mut kills, mut seed) = (0, 12345u32);
    let mut last = 0;
    let wanted = std::env::var("KILLS").map_or(12, |n| n.parse().expect("KILLS is a number"));
    while kills < wanted {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(30 + (seed >> 16) % 90)));
        if child.try_wait().unwrap().is_some() {
            // The run ended before it was killed: it starts again.
            fs::remove_dir_all(inside.join("killed")).unwrap();
            child = start(&format!("{options} --checkpoint-every 2steps --out killed"));
            last = 0;
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        // Every file with a checkpoint's name is complete.
        let mut steps: Vec<usize> = Vec::new();
        for entry in fs::read_dir(inside.join("killed/checkpoints")).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if let Some(step) = name.strip_prefix("step-").and_then(|n| n.strip_suffix(".safetensors")) {
                wengert::train::Snapshot::read(&path).unwrap();
                steps.push(step.parse().unwrap());
            }
        }
        let newest = steps.into_iter().max().unwrap_or(0);
        assert!(newest >= last, "what was saved is not lost");
        last = newest;
        let begun = inside.join("killed/config.toml").exists();
        child = match begun {
            true => start("resume killed"),
            false => {
                let _ = fs::remove_dir_all(inside.join("killed"));
                start(&format!("{options} --checkpoint-every 2steps --out killed"))
            }
        };
    }
    assert!(child.wait().unwrap().success());
    let ended = succeeds(&inside, "eval killed");
    assert_eq!(line(&ended, "weights"), line(&straight, "weights"));
    assert_eq!(measured(&inside.join("killed")), measured(&inside.join("straight")));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_a_checkpoint_and_the_run_goes_on() {
    use std::process::Stdio;
    if super::is_ignored(2) {
        return;
    }
    let inside = temporary("interrupted");
    let straight = succeeds(&inside, "train mlp --epochs 150 --out straight");
    let child = Command::new(env!("CARGO_BIN_EXE_wengert"))
        .args("train mlp --epochs 150 --out run".split_whitespace())
        .current_dir(&inside)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !inside.join("run/config.toml").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    std::thread::sleep(std::time::Duration::from_millis(60));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let message = stderr(&output);
    let last = message.lines().last().unwrap();
    assert!(last.starts_with("interrupted after step ") && last.ends_with("wengert resume run"), "{last}");
    assert_eq!(stdout(&output), "");
    let resumed = succeeds(&inside, "resume run --threads 1");
    assert_eq!(line(&resumed, "weights"), line(&straight, "weights"));
    assert_eq!(measured(&inside.join("run")), measured(&inside.join("straight")));
}

#[test]
fn a_checkpoint_that_is_damaged_is_passed_over() {
    let inside = temporary("passed-over");
    let trained = succeeds(&inside, "train mlp --epochs 3 --checkpoint-every 10steps --out run");
    let folder = inside.join("run/checkpoints");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    let mut bytes = fs::read(&files[2]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[2], bytes).unwrap();
    let output = wengert(&inside, "resume run");
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(message.contains("warning: passed over") && message.contains("checksum"), "{message}");
    assert_eq!(line(&stdout(&output), "weights"), line(&trained, "weights"));
    for file in &files {
        fs::write(file, "not a checkpoint").unwrap();
    }
    for entry in fs::read_dir(&folder).unwrap() {
        fs::write(entry.unwrap().path(), "not a checkpoint").unwrap();
    }
    fails(&inside, "resume run", 1, &["no checkpoint in run can be used", "checkpoints/step-"]);
    succeeds(&inside, "train mlp --epochs 1 --out done");
    fails(&inside, "resume done", 1, &["is complete", "wengert eval done"]);
}
