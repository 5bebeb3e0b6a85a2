//! Checkpoints and weights are used only with their own run, folders have one writer, and a run that ends early leaves its
//! results.

use super::{fails, line, stderr, stdout, succeeds, temporary, wengert};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn start(inside: &Path, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_wengert"))
        .args(arguments.split_whitespace())
        .current_dir(inside)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[track_caller]
fn wait_for(what: &str, mut happens: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happens() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A difference in any option that results depend on is detected, whether in the config.toml or in the checkpoint.
#[test]
fn a_checkpoint_or_weights_of_other_options_are_refused_with_what_differs() {
    let inside = temporary("foreign");
    let base = "--epochs 3 --checkpoint-every 20steps --labels 500 --clip-norm 5";
    succeeds(&inside, &format!("train mlp {base} --out run"));
    let config = inside.join("run/config.toml");
    let options = fs::read_to_string(&config).unwrap();
    let read = ["resume run", "eval run", "sample run", "step run --format text", "summary run"];
    let edits = [
        ("seed = 0", "seed = 1", "seed is 0 there and 1 here"),
        ("lr = 0.003", "lr = 0.03", "lr is 0.003 there and 0.03 here"),
        ("dropout = 0.2", "dropout = 0.1", "model.dropout is 0.2 there and 0.1 here"),
        ("weight-decay = 0.01", "weight-decay = 0.0", "weight-decay is 0.01 there and 0.0 here"),
        (
            "schedule = \"cosine\"",
            "schedule = \"linear\"",
            "schedule is \"cosine\" there and \"linear\" here",
        ),
        ("version = \"", "version = \"9.", "version is "),
        ("epochs = 3", "epochs = 4", "epochs is 3 there and 4 here"),
        (
            "activation = \"relu\"",
            "activation = \"tanh\"",
            "model.activation is \"relu\" there and \"tanh\" here",
        ),
        ("clip-norm = 5.0", "clip-norm = 1.0", "clip-norm is 5.0 there and 1.0 here"),
        ("warmup = 0", "warmup = 7", "warmup is 0 there and 7 here"),
        ("optimizer = \"adamw\"", "optimizer = \"lion\"", "optimizer is \"adamw\" there and \"lion\" here"),
        ("labels = 500", "labels = 510", "labels is 500 there and 510 here"),
        ("test-fraction = 0.2", "test-fraction = 0.21", "test-fraction is 0.2 there and 0.21 here"),
        ("batch-size = 32", "batch-size = 33", "batch-size is 32 there and 33 here"),
    ];
    let mut refused = 0;
    for (from, to, words) in edits {
        let changed = options.replacen(from, to, 1);
        assert_ne!(changed, options, "{from}");
        fs::write(&config, changed).unwrap();
        for command in read {
            fails(&inside, command, 1, &["run", "of another run: ", words]);
        }
        refused += 1;
    }
    fs::write(&config, &options).unwrap();

    // Files of runs that differ by one option, in this run's folder.
    for (i, other) in ["--seed 1", "--lr 0.01", "--dropout 0.3", "--weight-decay 0.2", "--schedule constant"]
        .into_iter()
        .enumerate()
    {
        succeeds(&inside, &format!("train mlp {base} {other} --out other{i}"));
        let there = inside.join(format!("other{i}"));
        let mut names: Vec<_> =
            fs::read_dir(there.join("checkpoints")).unwrap().map(|f| f.unwrap().file_name()).collect();
        names.sort();
        let newest = names.last().unwrap();
        succeeds(&inside, "eval run");
        for name in [Path::new("model.safetensors"), &Path::new("checkpoints").join(newest)] {
            let own = fs::read(inside.join("run").join(name)).unwrap();
            fs::copy(there.join(name), inside.join("run").join(name)).unwrap();
            let command = if name.starts_with("checkpoints") { "resume run" } else { "eval run" };
            let option = other[2..].split(' ').next().unwrap();
            fails(&inside, command, 1, &["of another run: ", &format!("{option} is ")]);
            fs::write(inside.join("run").join(name), own).unwrap();
        }
        refused += 1;
    }
    assert_eq!(refused, 19);

    // Options that the results do not depend on may change.
    let free = options.replace("keep-checkpoints = 3", "keep-checkpoints = 5\nthreads = 1");
    assert_ne!(free, options);
    fs::write(&config, free).unwrap();
    let resumed = succeeds(&inside, "resume run");
    assert_eq!(line(&resumed, "weights"), line(&succeeds(&inside, "eval run"), "weights"));
}

/// The contents of the data matter, not their path.
#[test]
fn a_run_whose_data_were_changed_is_refused_and_one_whose_data_were_moved_goes_on() {
    let inside = temporary("data");
    let rows = |last: &str| {
        let rows: Vec<String> =
            (0..60).map(|i| format!("{}.5,{},{}", i % 7, i % 5, ["a", "b"][i % 2])).collect();
        format!("x,y,class\n{}\n{last}\n", rows.join("\n"))
    };
    fs::write(inside.join("d.csv"), rows("1.5,2,a")).unwrap();
    let begun = "train mlp --data csv --data-path d.csv --epochs 2 --checkpoint-every 1epochs --out run";
    let trained = succeeds(&inside, begun);
    let read = ["resume run", "eval run", "step run --format text"];
    read[..2].iter().for_each(|command| drop(succeeds(&inside, command)));
    // The same number of rows, and of bytes.
    fs::write(inside.join("d.csv"), rows("1.5,3,a")).unwrap();
    for command in read {
        let words = [
            "the data in d.csv are not those that the run was begun with",
            "data-files is 498 bytes, CRC-32 ",
        ];
        fails(&inside, command, 1, &words);
        fails(&inside, command, 1, &[" there and 498 bytes, CRC-32 ", " here"]);
    }
    // The same path from another folder is another file.
    let elsewhere = temporary("data-elsewhere");
    fs::write(elsewhere.join("d.csv"), rows("2.5,2,b")).unwrap();
    let run = inside.join("run");
    fails(&elsewhere, &format!("eval {}", run.display()), 1, &["the data in d.csv are not those"]);
    // The same contents at another path are the same data.
    fs::write(inside.join("moved.csv"), rows("1.5,2,a")).unwrap();
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replace("d.csv", "moved.csv")).unwrap();
    for command in &read[..2] {
        assert_eq!(line(&succeeds(&inside, command), "weights"), line(&trained, "weights"));
    }

    // For a folder, the error names the file that differs.
    let folder = inside.join("images");
    let image = |class: &str, i: usize, level: f32| {
        fs::create_dir_all(folder.join(class)).unwrap();
        let pixels = wengert::ops::Tensor::try_full([1, 8, 8], level).unwrap();
        wengert::data::format::image::write(folder.join(class).join(format!("{i}.png")), &pixels).unwrap();
    };
    for i in 0..10 {
        image("dark", i, 0.1 + 0.01 * i as f32);
        image("light", i, 0.8 + 0.01 * i as f32);
    }
    succeeds(&inside, "train mlp --data folder --data-path images --epochs 1 --out of-images");
    image("light", 3, 0.5);
    fails(&inside, "eval of-images", 1, &["the data in images are not those", "data-files.light/3.png is "]);
    fs::remove_file(folder.join("light/3.png")).unwrap();
    fails(&inside, "eval of-images", 1, &["data-files.light/3.png is ", " there and not given here"]);
}

#[test]
fn files_that_are_too_long_are_refused_before_they_are_parsed() {
    let inside = temporary("too-long");
    succeeds(&inside, "train mlp --epochs 1 --out run");
    let long = format!("seed = [{}1]\n", "1,".repeat(1 << 20));
    fs::write(inside.join("run/config.toml"), &long).unwrap();
    fs::write(inside.join("long.toml"), &long).unwrap();
    let expected = "of at most 1048576 bytes, found more";
    fails(&inside, "eval run", 1, &["config.toml", expected]);
    fails(
        &inside,
        "train mlp --config long.toml",
        1,
        &["long.toml", "expected at most 1048576 bytes, found more"],
    );
    let trace = fs::File::create(inside.join("trace.json")).unwrap();
    trace.set_len((128 << 20) + 1).unwrap();
    fails(&inside, "step trace.json", 1, &["trace.json", "expected at most 134217728 bytes, found more"]);
}

#[test]
fn a_run_goes_on_from_the_checkpoint_that_is_named_and_to_more_epochs_if_asked() {
    let inside = temporary("named");
    let options = "train mlp --epochs 4 --checkpoint-every 20steps --keep-checkpoints 9 --schedule constant";
    let straight = succeeds(&inside, &format!("{options} --out run"));
    let steps = || {
        let names = fs::read_dir(inside.join("run/checkpoints")).unwrap();
        let mut names: Vec<String> = names.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let all = steps();
    assert!(all.len() > 6, "{all:?}");
    fails(&inside, "resume run --checkpoint 21", 1, &["of 21 steps", "there are 20, 40, 60"]);
    fails(&inside, "resume run --checkpoint none.safetensors", 1, &["none.safetensors", "No such file"]);
    fs::copy(inside.join("run/checkpoints").join(&all[1]), inside.join("kept")).unwrap();
    for asked in ["60", "kept"] {
        let resumed = succeeds(&inside, &format!("resume run --checkpoint {asked}"));
        assert_eq!(line(&resumed, "weights"), line(&straight, "weights"), "{asked}");
        assert_eq!(steps(), all);
    }
    let child = {
        let mut child = start(&inside, "resume run --checkpoint 40");
        let _ = child.wait();
        child.wait_with_output().unwrap()
    };
    assert_eq!(child.status.code(), Some(0), "{}", stderr(&child));

    // With a constant rate, additional epochs are the same as in a run that was longer from the start.
    let longer = succeeds(&inside, &format!("{} --out longer", options.replace("--epochs 4", "--epochs 6")));
    let resumed = succeeds(&inside, "resume run --epochs 6");
    assert_eq!(line(&resumed, "weights"), line(&longer, "weights"));
    assert!(fs::read_to_string(inside.join("run/config.toml")).unwrap().contains("epochs = 6\n"));
    assert_eq!(line(&succeeds(&inside, "eval run"), "weights"), line(&longer, "weights"));
    fails(&inside, "resume run --epochs 2", 1, &["--epochs", "are over already, found 2"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_being_written_is_refused_to_a_second_run() {
    let inside = temporary("locked");
    let mut first = start(&inside, "train mlp --epochs 3000 --checkpoint-every 10steps --out run");
    let checkpoints = inside.join("run/checkpoints");
    wait_for("a checkpoint", || fs::read_dir(&checkpoints).is_ok_and(|mut all| all.next().is_some()));
    for second in ["train mlp --epochs 1 --force --out run", "resume run"] {
        fails(
            &inside,
            second,
            1,
            &["run is being written by another run (process ", &first.id().to_string()],
        );
    }
    assert!(inside.join("run/config.toml").exists());
    first.kill().unwrap();
    first.wait().unwrap();
    // A killed run holds no lock, and its incomplete files are removed.
    let half = ["model.safetensors.77.tmp", "checkpoints/step-000000000010.safetensors.77.tmp"];
    half.iter().for_each(|name| fs::write(inside.join("run").join(name), "half").unwrap());
    succeeds(&inside, "train mlp --epochs 1 --force --out run");
    assert!(half.iter().all(|name| !inside.join("run").join(name).exists()));
    assert!(!inside.join("run/run.lock").exists());
}

#[cfg(unix)]
#[test]
fn every_signal_that_ends_a_program_ends_it_with_a_checkpoint() {
    let inside = temporary("signals");
    let straight = succeeds(&inside, "train mlp --epochs 150 --out straight");
    for (signal, code, number) in [("TERM", 143, 15), ("HUP", 129, 1), ("INT", 130, 2)] {
        if super::is_ignored(number) {
            continue;
        }
        let child = start(&inside, &format!("train mlp --epochs 150 --out {signal}"));
        wait_for("the run", || inside.join(signal).join("config.toml").exists());
        std::thread::sleep(Duration::from_millis(60));
        assert!(
            Command::new("kill")
                .args([&format!("-{signal}"), &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains("interrupted after step "), "{}", stderr(&output));
        let resumed = succeeds(&inside, &format!("resume {signal}"));
        assert_eq!(line(&resumed, "weights"), line(&straight, "weights"), "{signal}");
    }
}

/// A program that was started to survive its terminal, or in the background of a script, is not ended by signals that it ignores.
/// Only Linux reports which signals these are.
#[cfg(target_os = "linux")]
#[test]
fn signals_that_were_ignored_stay_ignored() {
    let inside = temporary("ignored");
    for signal in ["HUP", "INT", "TERM"] {
        let begun = format!("trap '' {signal}; exec \"$0\" train mlp --epochs 150 --out {signal}");
        let child = Command::new("sh")
            .args(["-c", &begun, env!("CARGO_BIN_EXE_wengert")])
            .current_dir(&inside)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for("the run", || inside.join(signal).join("config.toml").exists());
        std::thread::sleep(Duration::from_millis(60));
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{signal}: {}", stderr(&output));
    }
}

/// Takes a folder away in one step, since a run may be writing to it.
#[cfg(unix)]
fn take_away(folder: &Path) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}-taken-{}", folder.display(), COUNT.fetch_add(1, Ordering::Relaxed));
    fs::rename(folder, name).unwrap();
}

/// Puts a file in a folder's place. The run that writes to the folder may create it again in between, hence the loop.
#[cfg(unix)]
fn replace_by_file(folder: &Path) {
    loop {
        take_away(folder);
        match fs::File::create_new(folder) {
            Ok(_) => return,
            Err(error) => assert!(matches!(error.kind(), ErrorKind::AlreadyExists), "{error}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn weights_are_not_lost_with_their_folder() {
    let inside = temporary("lost");
    let straight = succeeds(&inside, "train mlp --epochs 100 --out straight");
    let begin = |out: &str, options: &str| {
        let child = start(&inside, &format!("train mlp --epochs 100 --out {out} {options}"));
        wait_for("the run", || inside.join(out).join("config.toml").exists());
        std::thread::sleep(Duration::from_millis(30));
        child
    };
    // The folder is removed: it is created again, with all its files.
    let child = begin("gone", "");
    take_away(&inside.join("gone"));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(line(&succeeds(&inside, "eval gone"), "weights"), line(&straight, "weights"));

    // Nothing can be written there: the results are saved in another folder, which the error names.
    let child = begin("broken", "--checkpoint-every 50steps");
    replace_by_file(&inside.join("broken"));
    let output = child.wait_with_output().unwrap();
    let message = stderr(&output);
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(1), ""), "{message}");
    let last = message.lines().last().unwrap();
    assert!(
        last.contains("broken-rescued instead") && last.contains("could be written to broken"),
        "{message}"
    );
    assert_eq!(
        message.matches("warning: ").count(),
        message.lines().filter(|l| l.starts_with("warning: ")).count()
    );
    assert_eq!(line(&succeeds(&inside, "eval broken-rescued"), "weights"), line(&straight, "weights"));

    // The same for a run that is interrupted.
    let child = begin("stopped", "");
    replace_by_file(&inside.join("stopped"));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", stderr(&output));
    assert!(stderr(&output).contains("wengert resume ./stopped-rescued"), "{}", stderr(&output));
    assert_eq!(line(&succeeds(&inside, "resume stopped-rescued"), "weights"), line(&straight, "weights"));
}

/// A file cannot be written at the end, as on a full disk: here a folder has the file's name, which fails on every system.
#[test]
fn weights_are_not_lost_if_a_file_cannot_be_written_at_the_end() {
    let inside = temporary("full");
    let straight = succeeds(&inside, "train mlp --epochs 60 --out straight");
    for name in ["model.safetensors", "metrics.csv", "loss.svg"] {
        let out = name.replace('.', "-");
        let child = start(&inside, &format!("train mlp --epochs 60 --out {out}"));
        wait_for("the run", || inside.join(&out).join("config.toml").exists());
        fs::create_dir_all(inside.join(&out).join(name).join("in the way")).unwrap();
        let output = child.wait_with_output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {message}");
        let last = message.lines().last().unwrap();
        assert!(
            last.contains(&format!("the weights and options are in ./{out}-rescued instead")),
            "{message}"
        );
        let kept = succeeds(&inside, &format!("eval {out}-rescued"));
        assert_eq!(line(&kept, "weights"), line(&straight, "weights"), "{name}");
        if name != "model.safetensors" {
            assert_eq!(
                line(&succeeds(&inside, &format!("eval {out}")), "weights"),
                line(&straight, "weights")
            );
        }
    }
}

/// The events of a folder as TensorBoard reads them: file by file in the order of their names, each up to the first incomplete
/// record. At the start of a session, earlier events of its first step and of later steps are dropped.
fn events(folder: &Path) -> Vec<(String, u64)> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents."));
    files.sort();
    let mut all: Vec<(String, u64)> = Vec::new();
    for file in files {
        let bytes = fs::read(file).unwrap();
        let mut rest = &bytes[..];
        while let Some((length, after)) = rest.split_first_chunk::<8>() {
            let length = u64::from_le_bytes(*length) as usize;
            let Some(contents) = after.get(4..4 + length) else { break };
            rest = after.get(4 + length + 4..).unwrap_or_default();
            let event = fields(contents);
            let step = event.iter().find(|f| f.0 == 2).map_or(0, |f| f.1);
            if event.iter().any(|f| f.0 == 7) {
                all.retain(|(_, at)| *at < step);
            }
            for (_, _, summary) in event.iter().filter(|f| f.0 == 5) {
                for (_, _, value) in fields(summary).iter().filter(|f| f.0 == 1) {
                    let tag = fields(value).iter().find(|f| f.0 == 1).unwrap().2.to_vec();
                    all.push((String::from_utf8(tag).unwrap(), step));
                }
            }
        }
    }
    all
}

/// The fields of a protocol buffer: the number, the value of an integer, and the bytes of a field with a length.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            n |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return n;
            }
        }
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let (number, length) = match tag & 7 {
            0 => (varint(&mut bytes), 0),
            1 => (0, 8),
            2 => (0, varint(&mut bytes) as usize),
            _ => (0, 4),
        };
        let (value, rest) = bytes.split_at(length);
        all.push((tag >> 3, number, value));
        bytes = rest;
    }
    all
}

#[test]
fn tensorboard_shows_each_step_once_after_a_kill() {
    let inside = temporary("board");
    let options = "train mlp --widths 64,64 --epochs 6 --batch-size 64 --tensorboard --gradient-flow";
    succeeds(&inside, &format!("{options} --out straight"));
    let sorted = |run: &str| {
        let mut all = events(&inside.join(run));
        all.sort();
        all
    };
    let straight = sorted("straight");
    let steps = straight.iter().filter(|(tag, _)| tag == "step/loss").count();
    assert_eq!(steps, 6 * 23);
    assert!(straight.windows(2).all(|pair| pair[0] != pair[1]));
    // The first interval is not a multiple of an epoch's 23 steps; the second is.
    for (i, every) in ["50steps", "23steps", "2epochs", "46steps"].into_iter().enumerate() {
        let out = format!("over{i}");
        let mut child = start(&inside, &format!("{options} --checkpoint-every {every} --out {out}"));
        let last = if i == 0 { "step-000000000100.safetensors" } else { "step-000000000092.safetensors" };
        wait_for("a checkpoint", || inside.join(&out).join("checkpoints").join(last).exists());
        std::thread::sleep(Duration::from_millis(3 * i as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        if i == 1 {
            // As if killed before that checkpoint was written, but after the epoch's events were.
            fs::remove_file(inside.join(&out).join("checkpoints").join(last)).unwrap();
        }
        succeeds(&inside, &format!("resume {out}"));
        assert_eq!(sorted(&out), straight, "{every}");
    }
}

#[test]
fn a_profile_adds_up_and_its_trace_is_in_the_folder() {
    let inside = temporary("profile");
    let options = "train mlp --epochs 2 --batch-size 64 --checkpoint-every 30steps";
    let plain = succeeds(&inside, &format!("{options} --out plain"));
    let said = succeeds(&inside, &format!("{options} --profile --out profiled"));
    assert!(!inside.join("plain/profile.json").exists());
    // The results are the same.
    assert_eq!(line(&said, "weights "), line(&plain, "weights "));
    assert!(line(&said, "profile of ").starts_with("profile of 37 steps of "), "{said}");
    let row = |begins: &str| line(&said, begins).split_whitespace().collect::<Vec<_>>();
    let number = |cell: &str| cell.parse::<f64>().unwrap_or_else(|e| panic!("{cell}: {e}\n{said}"));
    // The passes add up to all, within their rounding.
    let passes = ["forward ", "backward ", "optimizer ", "data ", "evaluation ", "saving ", "observers "];
    let shares: f64 = passes.iter().map(|pass| number(row(pass)[3])).sum();
    let other = row("other ");
    let other = other.iter().map(|cell| cell.parse().unwrap_or(0.0)).nth(2).unwrap_or(0.0);
    assert!((99.0..101.0).contains(&(shares + other)), "{shares} {other}\n{said}");
    assert!(said.contains("layers.0 ") && said.contains("adam "), "{said}");

    let trace = fs::read_to_string(inside.join("profiled/profile.json")).unwrap();
    let trace: serde_json::Value = serde_json::from_str(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let bars = |name: &str| events.iter().filter(|e| e["ph"] == "X" && e["name"] == name).count();
    // Each of the two epochs ends with a look for more data.
    assert_eq!((bars("data"), bars("profile"), bars("saving")), (37 + 2, 1, 1));
    // A folder that is used again keeps nothing of the old run.
    succeeds(&inside, "train mlp --epochs 1 --out profiled --force");
    assert!(!inside.join("profiled/profile.json").exists());
}

#[test]
fn nothing_that_a_file_or_a_command_line_says_steers_the_terminal() {
    let inside = temporary("escapes");
    let wild = "\u{1b}]0;pwned\u{7}\u{1b}[31mred";
    let json = r#"{"\u001b]0;pwned\u0007\u001b[31mred":1}"#;
    fs::write(inside.join("trace.json"), json).unwrap();
    succeeds(&inside, "train mlp --epochs 1 --out run");
    let (config, weights) = (inside.join("run/config.toml"), inside.join("run/model.safetensors"));
    let options = fs::read_to_string(&config).unwrap();
    let asked = |words: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_wengert")).args(words).current_dir(&inside).output().unwrap();
        let said = stderr(&output) + &stdout(&output);
        assert_ne!(output.status.code(), Some(0), "{words:?}");
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{words:?}: {said:?}");
        said
    };
    let said = asked(&["step", "trace.json"]);
    assert!(said.contains(r"unknown field `\u{1b}]0;pwned\u{7}\u{1b}[31mred`"), "{said}");
    for (from, to) in [
        ("seed = 0", "\"\\u001B]0;pwned\\u0007\" = 0\nseed = 0".to_owned()),
        ("\"relu\"", "\"\\u001B]0;pwned\\u0007\"".to_owned()),
        ("\"mlp\"", "\"\\u001B]0;pwned\\u0007\"".to_owned()),
        ("version = \"", "version = \"\\u001B]0;pwned\\u0007".to_owned()),
    ] {
        fs::write(&config, options.replacen(from, &to, 1)).unwrap();
        for command in ["eval", "resume", "sample", "summary", "step"] {
            asked(&[command, "run"]);
        }
    }
    fs::write(&config, format!("\"\\u001B]0;pwned\\u0007\" = 0\n{options}")).unwrap();
    asked(&["train", "--config", "run/config.toml"]);
    fs::write(&config, &options).unwrap();
    // The names of tensors, and the contents of the metadata.
    for header in [
        r#"{"\u001b]0;pwned\u0007":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"\u001b]0;pwned\u0007","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"__metadata__":{"note":"{\"\\u001b]0;pwned\\u0007\":1}"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"__metadata__":{"note":"{\"settings\":{\"\\u001b]0;pwned\\u0007\":\"\\u001b[2J\"}}"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
    ] {
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        fs::write(&weights, &file).unwrap();
        asked(&["eval", "run"]);
        fs::write(inside.join("own"), &file).unwrap();
        asked(&["resume", "run", "--checkpoint", "own"]);
    }
    for words in [
        &["eval", wild][..],
        &["summary", wild],
        &["step", wild],
        &["step", "x", "--at", wild],
        &["step", "mlp", "--explain", wild],
        &["train", wild],
        &["train", "mlp", "--epochs", wild],
        &["train", "mlp", wild],
        &["train", "mlp", "--watch", wild, "--epochs", "1", "--out", "watched"],
        &["train", "mlp", "--data", "csv", "--data-path", wild],
        #[cfg(feature = "check")]
        &["check", "--op", wild],
        &["resume", "run", "--checkpoint", wild],
        &[wild],
    ] {
        asked(words);
    }
    let output = wengert(&inside, "eval run");
    assert!(!stderr(&output).contains('\u{1b}'));
}
