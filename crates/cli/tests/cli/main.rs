//! The command from the user's side: what it prints, which files it writes, and how it fails.

#[cfg(feature = "check")]
mod bits;
mod book;
mod install;
mod resume;
mod runs;
mod zoo;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A new empty folder for one test.
pub(crate) fn temporary(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

pub(crate) fn wengert(inside: &Path, arguments: &str) -> Output {
    wengert_with(inside, arguments, &[])
}

/// The same with environment variables.
pub(crate) fn wengert_with(inside: &Path, arguments: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wengert"))
        .args(arguments.split_whitespace())
        .envs(variables.iter().copied())
        .current_dir(inside)
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The output of a command, which must succeed.
#[track_caller]
pub(crate) fn succeeds(inside: &Path, arguments: &str) -> String {
    let output = wengert(inside, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {}", stderr(&output));
    stdout(&output)
}

/// The command must fail with this exit code, print nothing, and have all of these words in its error.
#[track_caller]
pub(crate) fn fails(inside: &Path, arguments: &str, code: i32, words: &[&str]) {
    let output = wengert(inside, arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {message}");
    assert_eq!(stdout(&output), "", "{arguments}");
    assert!(message.starts_with("error: "), "{arguments}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments}: {message:?} does not say {word:?}");
    }
    for noise in ["panicked", "RUST_BACKTRACE", "Error(", "Os {", "\u{1b}"] {
        assert!(!message.contains(noise), "{arguments}: {message}");
    }
}

/// The line of a result that begins with these words.
#[track_caller]
pub(crate) fn line<'o>(output: &'o str, begins: &str) -> &'o str {
    let found = output.lines().find(|line| line.starts_with(begins));
    found.unwrap_or_else(|| panic!("no line begins with {begins:?} in:\n{output}"))
}

/// Whether this process ignores a signal, as HUP under nohup and INT in the background of a script; the programs that it starts inherit
/// this. Only Linux reports it.
#[cfg(unix)]
pub(crate) fn is_ignored(signal: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1)
}

#[test]
fn a_run_is_the_same_again_and_on_any_number_of_threads() {
    let inside = temporary("threads");
    // The batches of the second command are large enough to be computed on several threads.
    for options in ["--epochs 2", "--epochs 2 --batch-size 600 --widths 512,256"] {
        let runs = ["--threads 1", "--threads 2", "--threads 2", "--threads 3"].map(|threads| {
            let output = succeeds(&inside, &format!("train mlp {options} {threads}"));
            let words = ["test accuracy", "test loss", "weights"];
            words.map(|word| line(&output, word).to_owned())
        });
        assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
    }
    // Each run has its own folder.
    let weights = |name: &str| fs::read(inside.join("runs").join(name).join("model.safetensors")).unwrap();
    assert_eq!(weights("mlp-seed0"), weights("mlp-seed0-2"));
    assert_ne!(weights("mlp-seed0"), weights("mlp-seed0-8"));
}

#[test]
fn another_seed_gives_other_weights() {
    let inside = temporary("seeds");
    let [a, b] = [1, 2].map(|seed| succeeds(&inside, &format!("train mlp --epochs 1 --seed {seed}")));
    assert_ne!(line(&a, "weights"), line(&b, "weights"));
    assert!(inside.join("runs/mlp-seed1").is_dir() && inside.join("runs/mlp-seed2").is_dir());
}

#[test]
fn eval_gives_the_numbers_of_the_training_again() {
    let inside = temporary("eval");
    for options in [
        "",
        "--seed 18446744073709551615 --test-fraction 0.31 --widths 20 --activation leaky-relu --dropout 0.5",
        "--optimizer sgd --widths 9,8,7,6 --activation tanh --schedule constant --batch-size 100",
        "--optimizer adam --lr 0.01 --weight-decay 0.001 --threads 2",
    ] {
        let trained = succeeds(&inside, &format!("train mlp --epochs 2 --out run --force {options}"));
        let evaluated = succeeds(&inside, "eval run");
        for word in ["test accuracy", "test loss", "weights"] {
            assert_eq!(line(&trained, word), line(&evaluated, word), "{options}");
        }
        assert_eq!(evaluated.lines().count(), 3);
    }
}

#[test]
fn the_result_is_on_the_standard_output_and_the_rest_is_plain_lines() {
    let inside = temporary("lines");
    let output = wengert(&inside, "train mlp --epochs 3 --out here");
    let (out, err) = (stdout(&output), stderr(&output));
    let words: Vec<&str> = out.lines().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(words[1..], ["test loss", "training seconds", "run folder", "weights"]);
    assert!(words[0].starts_with("test accuracy ") && out.contains(" of 359)\n"), "{out}");
    assert_eq!(line(&out, "run folder"), "run folder here");
    assert_eq!(line(&out, "weights").len(), "weights ".len() + 16);

    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    assert!(lines[2].starts_with("epoch 3/3  train loss "), "{err}");
    assert!(!err.contains(['\u{1b}', '\r']) && !out.contains(['\u{1b}', '\r']));
}

#[test]
fn a_run_leaves_its_metrics_curves_and_options() {
    let inside = temporary("folder");
    let output = succeeds(&inside, "train mlp --epochs 4 --seed 3 --out run");
    let read = |name: &str| fs::read_to_string(inside.join("run").join(name)).unwrap();

    let metrics = read("metrics.csv");
    let mut rows = metrics.lines();
    let header = "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds";
    assert_eq!(rows.next(), Some(header));
    let rows: Vec<Vec<f64>> = rows.map(|row| row.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 4);
    for (i, row) in rows.iter().enumerate() {
        assert!(row.len() == 6 && row[0] == (i + 1) as f64 && row.iter().all(|v| v.is_finite()));
    }
    assert_eq!(line(&output, "test loss"), format!("test loss {}", rows[3][3]));
    let accuracy = format!("test accuracy {:.2} % (", 100.0 * rows[3][4]);
    assert!(output.starts_with(&accuracy), "{output}");

    for picture in [read("loss.svg"), read("accuracy.svg")] {
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
        assert!(["train", "test", "epoch", "seed 3"].iter().all(|word| picture.contains(word)));
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }

    let config = read("config.toml");
    for part in
        ["seed = 3", "epochs = 4", "[model]", "name = \"mlp\"", "widths = [128, 64]", "data = \"digits\""]
    {
        assert!(config.contains(part), "{config}");
    }

    let mut names: Vec<_> = fs::read_dir(inside.join("run"))
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = ["accuracy.svg", "config.toml", "loss.svg", "metrics.csv", "model.safetensors"];
    assert_eq!(names, expected, "nothing temporary is left");
}

#[test]
fn a_folder_that_is_taken_is_left_alone_unless_forced() {
    let inside = temporary("taken");
    succeeds(&inside, "train mlp --epochs 1 --out run");
    fs::write(inside.join("run/notes.txt"), "mine").unwrap();
    let before = fs::read(inside.join("run/model.safetensors")).unwrap();
    fails(&inside, "train mlp --epochs 1 --seed 1 --out run", 1, &["run is not empty", "--force", "--out"]);
    assert_eq!(fs::read(inside.join("run/model.safetensors")).unwrap(), before);
    succeeds(&inside, "train mlp --epochs 1 --seed 1 --out run --force");
    assert_ne!(fs::read(inside.join("run/model.safetensors")).unwrap(), before);
    assert_eq!(fs::read_to_string(inside.join("run/notes.txt")).unwrap(), "mine");

    // Without --out, runs get new names.
    for folder in ["runs/mlp-seed0", "runs/mlp-seed0-2"] {
        let output = succeeds(&inside, "train mlp --epochs 1");
        assert_eq!(line(&output, "run folder"), format!("run folder {folder}"));
    }
}

#[test]
fn what_is_missing_or_damaged_is_refused_with_what_to_do() {
    let inside = temporary("damaged");
    fails(&inside, "eval nowhere", 1, &["no run folder nowhere", "wengert train"]);
    fails(&inside, "summary nowhere", 1, &["nowhere is neither a model nor", "wengert models"]);
    fs::create_dir(inside.join("empty")).unwrap();
    fails(&inside, "eval empty", 1, &["no config.toml in empty", "wengert train"]);
    fails(&inside, "summary empty", 1, &["no config.toml in empty"]);

    succeeds(&inside, "train mlp --epochs 1 --out run");
    let (weights, config) = (inside.join("run/model.safetensors"), inside.join("run/config.toml"));
    let (whole, options) = (fs::read(&weights).unwrap(), fs::read_to_string(&config).unwrap());
    for damaged in [&whole[..0], &whole[..100], &whole[..whole.len() - 1]] {
        fs::write(&weights, damaged).unwrap();
        fails(
            &inside,
            "eval run",
            1,
            &["weights in run", "train them again", "run/model.safetensors", "not a valid"],
        );
    }
    let nan = [&whole[..whole.len() - 4], &f32::NAN.to_le_bytes()].concat();
    fs::write(&weights, nan).unwrap();
    fails(&inside, "eval run", 1, &["NaN", "weights"]);
    fs::remove_file(&weights).unwrap();
    fails(&inside, "eval run", 1, &["run/model.safetensors", "No such file"]);
    fs::write(&weights, &whole).unwrap();

    for (from, to, words) in [
        ("128", "127", ["model.widths is [128,64] there", "[127,64] here"]),
        ("relu", "rule", ["config.toml", "unknown variant `rule`"]),
        ("seed = 0", "", ["config.toml", "missing field `seed`"]),
        ("\"mlp\"", "\"cnn\"", ["config.toml", "unknown variant `cnn`"]),
        ("]", "", ["config.toml", "at line "]),
        ("lr = ", "rate = ", ["config.toml", "unknown field `rate`"]),
        // A network that would not fit into memory is rejected.
        ("128", "1280000000000", ["'1280000000000' for '--widths", "whole number from 1 to 16384"]),
    ] {
        let changed = options.replacen(from, to, if from == "]" { 9 } else { 1 });
        assert_ne!(changed, options, "{from}");
        fs::write(&config, changed).unwrap();
        fails(&inside, "eval run", 1, &words);
    }
    fs::write(&config, &options).unwrap();
    succeeds(&inside, "eval run");
}

#[test]
fn an_impossible_folder_or_a_run_that_diverges_fails() {
    let inside = temporary("impossible");
    fs::write(inside.join("file"), "").unwrap();
    fails(&inside, "train mlp --epochs 1 --out file/run", 1, &["file/run"]);
    fails(
        &inside,
        "train mlp --epochs 1 --test-fraction 0.0001",
        1,
        &["at least 5000 samples for a test fraction of 0.0001", "found 1797"],
    );

    let output = wengert(&inside, "train mlp --epochs 5 --optimizer sgd --lr 1e30 --out run");
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    let last = message.lines().last().unwrap();
    assert!(
        last.starts_with("error: the training loss became ") && last.contains("at epoch 1, step "),
        "{message}"
    );
    assert!(last.contains("a lower learning rate"), "{message}");
}

#[test]
fn what_cannot_be_understood_is_told_with_what_could() {
    let inside = temporary("usage");
    for (arguments, words) in [
        ("train convnet", ["unrecognized subcommand 'convnet'", "--help"]),
        ("train resnet --augment flop", ["'flop' for '--augment", "flip"]),
        ("train mlp --labels 0", ["'0' for '--labels", "whole number from 1"]),
        ("sample run --temperature 0", ["'0' for '--temperature", "a number above 0"]),
        ("train mlp --epochs 0", ["'0' for '--epochs", "whole number from 1"]),
        ("train mlp --epochs 1.5", ["'1.5' for '--epochs", "whole number from 1"]),
        ("train mlp --batch-size 0", ["'0' for '--batch-size", "whole number from 1"]),
        ("train mlp --lr -1", ["unexpected argument '-1'", "--help"]),
        ("train mlp --lr=-1", ["'-1' for '--lr", "a number above 0"]),
        ("train mlp --lr nan", ["'nan' for '--lr", "a number above 0"]),
        ("train mlp --widths 128,x", ["'x' for '--widths", "whole number from 1"]),
        ("train mlp --widths 128,,64", ["for '--widths", "whole number from 1"]),
        ("train mlp --activation rule", ["'rule' for '--activation", "relu"]),
        ("train mlp --optimizer adm", ["'adm' for '--optimizer", "adam"]),
        ("train mlp --dropout 1", ["'1' for '--dropout", "a probability from 0 to below 1"]),
        ("train mlp --test-fraction 1", ["'1' for '--test-fraction", "between 0 and 1"]),
        ("train mlp --threads 0", ["'0' for '--threads", "whole number from 1"]),
        ("train mlp --seed -3", ["unexpected argument '-3'", "--help"]),
        ("train mlp --epoch 3", ["unexpected argument '--epoch'", "--epochs"]),
        ("train mlp --force", ["--out", "required"]),
        ("eval", ["<RUN_DIR>", "--help"]),
        ("evaluate run", ["unrecognized subcommand 'evaluate'", "eval"]),
    ] {
        fails(&inside, arguments, 2, &words);
    }
    assert!(!inside.join("runs").exists());
}

#[test]
fn help_explains_and_gives_examples() {
    let inside = temporary("help");
    for (arguments, words) in [
        ("--help", ["Examples:", "wengert train mlp", "summary", "models"]),
        ("train --help", ["Examples:", "wengert train mlp", "mlp", "--epochs"]),
        (
            "train mlp --help",
            ["--widths", "[default: 128,64]", "wengert train mlp --widths 256,128", "--optimizer"],
        ),
        ("sample --help", ["Examples:", "--prompt", "--temperature", "samples.png"]),
        ("eval --help", ["Example:", "wengert eval runs/mlp-seed0", "<RUN_DIR>", "config.toml"]),
        ("summary --help", ["Examples:", "wengert summary", "RUN_DIR", "default"]),
    ] {
        let help = succeeds(&inside, arguments);
        for word in words {
            assert!(help.contains(word), "{arguments} does not say {word:?}:\n{help}");
        }
    }
    // An incomplete command line prints help on the standard error.
    for (arguments, usage) in
        [("", "Usage: wengert <COMMAND>"), ("train", "Usage: wengert train [OPTIONS] <MODEL>")]
    {
        let output = wengert(&inside, arguments);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
        assert!(stderr(&output).contains(usage), "{}", stderr(&output));
    }
}

#[test]
fn a_model_offers_what_it_takes_and_says_why_it_does_not_take_the_rest() {
    let inside = temporary("offers");
    for (model, takes, refuses) in [
        ("vae", ["--labels", "--optimizer", "fashion-mnist"], ["--augment", "hamlet", "nile"]),
        ("gan", ["--labels", "--lr", "--judge-epochs"], ["--average", "--optimizer", "--clip-norm"]),
        ("gpt", ["--clip-norm", "--context", "hamlet"], ["--augment", "--labels", "digits"]),
        ("resnet", ["--augment", "--momentum", "folder"], ["iris", "--context", "--critic-steps"]),
    ] {
        let help = succeeds(&inside, &format!("train {model} --help"));
        assert!(takes.iter().all(|word| help.contains(word)), "{model}: {help}");
        assert!(refuses.iter().all(|word| !help.contains(word)), "{model}: {help}");
    }
    fails(&inside, "train vae --augment crop", 1, &["--augment", "rows and columns"]);
    fails(&inside, "train gpt --labels 10", 1, &["--augment and --labels"]);
    fails(&inside, "train gan --optimizer sgd", 1, &["gan trains both"]);
    fails(&inside, "train mlp --momentum 0.5", 1, &["--momentum is that of sgd", "adamw"]);
    succeeds(&inside, "train vae --convolutional --channels 2 --augment crop --epochs 1 --labels 50");
    let [plain, nesterov] = ["--momentum 0", ""]
        .map(|momentum| succeeds(&inside, &format!("train mlp --epochs 1 --optimizer sgd {momentum}")));
    assert_ne!(line(&plain, "weights"), line(&nesterov, "weights"));
}

#[test]
fn models_and_their_summaries_are_shown() {
    let inside = temporary("summary");
    let models = succeeds(&inside, "models");
    for also in ["also: cnn", "also: rnn, lstm, gru", "also: transformer"] {
        assert!(models.contains(also), "{models}");
    }
    let first: Vec<&str> = models.lines().take(4).map(str::trim).collect();
    let about = first[0].strip_prefix("mlp ").unwrap().trim_start();
    assert!(about.starts_with("A multilayer perceptron"), "{models}");
    assert!(first[1].starts_with("data: digits, "), "{models}");
    assert_eq!(first[2], "usually: 100 epochs of batches of 32, adamw at 0.003, cosine");
    assert!(first[3].starts_with("expect: 99 % of the digits"), "{models}");
    let summary = succeeds(&inside, "summary mlp");
    assert!(summary.contains("weight [128, 64], bias [128]"), "{summary}");
    assert!(summary.trim_end().ends_with("total 17,226 parameters, 17,226 trainable, 68.9 kB"), "{summary}");
    assert_eq!(succeeds(&inside, "summary"), summary);

    succeeds(&inside, "train mlp --epochs 1 --widths 5 --out run");
    let summary = succeeds(&inside, "summary run");
    assert!(summary.contains("weight [5, 64]") && summary.contains("total 385 parameters"), "{summary}");
}

#[cfg(feature = "check")]
#[test]
fn gradients_are_checked_from_the_command_line() {
    let dir = temporary("check");
    let text = succeeds(&dir, "check --op relu --op log* --cases 12 --seed 5");
    let names: Vec<_> = text.lines().skip(1).filter_map(|l| l.split(' ').next()).collect();
    assert!(["relu", "log", "log_softmax", "logsumexp"].iter().all(|op| names.contains(op)), "{text}");
    assert!(line(&text, &(names.len() - 1).to_string()).contains("operations passed"), "{text}");
    assert!(text.contains("seed 5"), "{text}");
    // The same cases, whichever other operations are checked.
    let alone = succeeds(&dir, "check --op relu --cases 12 --seed 5");
    assert_eq!(
        line(&text, "relu").split_whitespace().collect::<Vec<_>>(),
        line(&alone, "relu").split_whitespace().collect::<Vec<_>>()
    );
    let text = succeeds(&dir, "check --op softmax --op log1* --cases 3 --seed 1");
    let names: Vec<_> = text.lines().skip(1).filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(names, ["log10", "log1p", "softmax", "3"]);
    assert!(text.contains("3 of 3 operations passed"), "{text}");
    fails(&dir, "check --op sofmax", 3, &["sofmax", "there are softmax"]);
    fails(&dir, "check --op soft", 3, &["soft:", "softmax", "softplus"]);
    assert!(succeeds(&dir, "check --list --format terse softm").contains("softmax: test"));
    fails(&dir, "check --cases 0", 2, &["--cases"]);
}

#[test]
fn options_come_from_a_file_and_the_command_line_wins() {
    let inside = temporary("config");
    succeeds(&inside, "train mlp --epochs 2 --widths 20,10 --lr 0.01 --seed 18446744073709551615 --out a");
    let again = succeeds(&inside, "train --config a/config.toml --out b");
    assert_eq!(line(&succeeds(&inside, "eval a"), "weights"), line(&again, "weights"));
    succeeds(&inside, "train mlp --config a/config.toml --widths 7 --epochs 1 --out c");
    let config = fs::read_to_string(inside.join("c/config.toml")).unwrap();
    assert!(config.contains("widths = [7]") && config.contains("epochs = 1\n"), "{config}");
    assert!(config.contains("lr = 0.01") && config.contains("seed = \"18446744073709551615\""), "{config}");

    fs::write(inside.join("mine.toml"), "epochs = 1\nmodel = \"mlp\"\ndata = \"iris\"\nbatch-size = 10\n")
        .unwrap();
    let output = succeeds(&inside, "train --config mine.toml");
    assert!(output.contains("of 30)"), "{output}");
    let output = succeeds(&inside, "train --config mine.toml --out mlp");
    assert_eq!(line(&output, "run folder"), "run folder mlp");
    fs::write(inside.join("bad.toml"), "epoch = 1\n").unwrap();
    fails(&inside, "train mlp --config bad.toml", 2, &["unexpected argument '--epoch'"]);
    fails(&inside, "train --config bad.toml", 1, &["bad.toml names no model"]);
    fails(&inside, "train vae --config a/config.toml", 1, &["run of mlp, not of vae"]);
    fails(&inside, "train --config none.toml", 1, &["none.toml", "No such file"]);
    fails(&inside, "train vae --data iris", 1, &["vae learns from digits", "not from iris"]);
}

#[test]
fn every_kind_of_model_is_trained_and_evaluated() {
    let inside = temporary("kinds");
    let trained =
        succeeds(&inside, "train vae --epochs 2 --out v --average 0.9 --clip-norm 5 --accumulate 2");
    let evaluated = succeeds(&inside, "eval v");
    for word in ["test loss", "test reconstruction", "test divergence", "weights"] {
        assert_eq!(line(&trained, word), line(&evaluated, word));
    }
    let stopped = succeeds(&inside, "train mlp --epochs 60 --lr 0.03 --patience 2 --watch accuracy --out e");
    assert!(line(&stopped, "best epoch").ends_with("then stopped early"), "{stopped}");
    let evaluated = succeeds(&inside, "eval e");
    assert_eq!(line(&stopped, "test accuracy"), line(&evaluated, "test accuracy"));
    fails(&inside, "train mlp --epochs 1 --watch los", 1, &["\"los\"", "there are loss, accuracy"]);
}
