//! A program of checks, run as users run it: options, reports, exit codes.

mod github;
mod schema;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The ops that are right.
const RIGHT: [&str; 4] = ["square", "affine", "distance", "slow"];
/// The ops that are wrong.
const WRONG: [&str; 4] = ["ratio", "panics", "nasty", "convention"];
/// The source of the program, as the compiler knows it.
const SOURCE: &str = "crates/check/tests/fixture/program.rs";

/// The program with some words, in an environment without ours.
fn program(words: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let mut command = Command::new(tests.ancestors().nth(2).unwrap().join("examples").join("fixture"));
    command.args(words.split_whitespace()).stdin(Stdio::null());
    let ours = [
        "NO_COLOR",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_WORKSPACE",
        "CI_PROJECT_DIR",
        "WORKSPACE",
        "CARGO_PKG_NAME",
    ];
    for name in ours.into_iter().chain(["WENGERT_SEED", "WENGERT_CASES", "FIXTURE_WRONG", "FIXTURE_TOLERANT"])
    {
        command.env_remove(name);
    }
    command
}

fn run(words: &str) -> Output {
    program(words).output().unwrap()
}

fn run_wrong(words: &str) -> Output {
    program(words).env("FIXTURE_WRONG", "1").output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The standard output of a run that must pass.
fn passes(words: &str) -> String {
    let output = run(words);
    assert_eq!(code(&output), 0, "{words}: {}{}", out(&output), err(&output));
    out(&output)
}

fn report_schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/check-report.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The report in JSON, which fits its schema.
fn json(output: &Output) -> Value {
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", out(output)));
    let schema = report_schema();
    assert_eq!(schema::errors(&schema, &report), Vec::<String>::new());
    assert_eq!(report["exit_code"], code(output));
    report
}

fn operation<'r>(report: &'r Value, name: &str) -> &'r Value {
    let mut all = report["operations"].as_array().unwrap().iter();
    all.find(|op| op["name"] == name).unwrap_or_else(|| panic!("{name}"))
}

fn names(report: &Value) -> Vec<&str> {
    report["operations"].as_array().unwrap().iter().map(|op| op["name"].as_str().unwrap()).collect()
}

/// The line of an op's attribute.
fn line(name: &str) -> u64 {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(SOURCE)).unwrap();
    let function = format!("fn {name}<");
    source.lines().position(|line| line.starts_with(&function)).unwrap() as u64
}

/// A folder of one test.
fn folder(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("wengert-check-{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn right_gradients_are_a_table_and_nothing_else() {
    let output = run("--cases 20");
    assert_eq!((code(&output), err(&output)), (0, String::new()));
    let text = out(&output);
    let first: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(first, [&["operation"], &RIGHT[..], &["4"]].concat());
    assert!(text.contains("4 of 4 operations passed") && text.contains("seed 0"), "{text}");
    assert_eq!(out(&run("--cases 20 --quiet")), "");
}

#[test]
fn wrong_gradients_are_described_with_commands_that_repeat_them() {
    let output = run_wrong("--cases 20");
    let text = out(&output);
    assert_eq!(code(&output), 1, "{text}");
    assert!(text.contains("4 of 8 operations passed"), "{text}");
    for name in WRONG {
        assert!(text.contains(&format!("{name} at {SOURCE}:{}: failed", line(name))), "{name}: {text}");
    }
    assert!(text.contains("order 1, y [] = ") && text.contains("y: Tensor::from("), "{text}");
    assert!(
        text.contains("panicked: three or more") && text.contains(&format!("panicked at {SOURCE}:")),
        "{text}"
    );
    assert!(!err(&output).contains("three or more"), "{}", err(&output));
    assert!(text.contains("declared Tensor::from(0.5)"), "{text}");
    // A terminal shows nothing of what a message tries to do to it.
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");

    // Each command repeats one failure.
    let commands: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("again: ")).collect();
    assert!(commands.len() >= 4, "{text}");
    for command in commands {
        let words: Vec<_> = command.split(' ').collect();
        let again = program("").args(&words[1..]).env("FIXTURE_WRONG", "1").output().unwrap();
        assert_eq!(code(&again), 1, "{command}: {}", out(&again));
        assert!(Path::new(words[0]).exists(), "{command}");
        assert!(out(&again).contains("0 of 1 operations passed"), "{command}: {}", out(&again));
    }
}

#[test]
fn json_fits_its_schema() {
    let report = json(&run("--cases 20 --seed 7 --format json"));
    assert_eq!(names(&report), RIGHT);
    assert_eq!(
        (&report["seed"], &report["cases"], &report["verdict"]),
        (&7.into(), &20.into(), &"passed".into())
    );
    let affine = operation(&report, "affine");
    assert_eq!((&affine["file"], &affine["line"]), (&SOURCE.into(), &line("affine").into()));
    assert!(affine["worst_error"].as_f64().unwrap() < 1e-5 && affine["compared"].as_u64().unwrap() > 100);

    let report = json(&run_wrong("--cases 20 --format json"));
    assert_eq!(report["totals"]["failed"], 4);
    let failure = &operation(&report, "ratio")["failures"][0];
    assert_eq!((&failure["kind"], &failure["inputs"][1]["name"]), (&"usual".into(), &"y".into()));
    let mismatch = &failure["mismatches"][0];
    assert_eq!((&mismatch["input"], &mismatch["order"]), (&"y".into(), &1.into()));
    let (left, tape) = (mismatch["differences"][0].as_f64().unwrap(), mismatch["tape"].as_f64().unwrap());
    assert!((left + tape).abs() < 1e-6 * tape.abs(), "{mismatch}");
    let panic = operation(&report, "panics")["panics"][0].as_str().unwrap();
    assert!(panic.starts_with(&format!("panicked at {SOURCE}:{}:", line("panics") + 2)), "{panic}");
    // A message comes through as it was.
    let message = operation(&report, "nasty")["failures"][0]["messages"][0].as_str().unwrap();
    assert!(
        message.contains("]]> <b>&amp;</b> \u{1b}[31m 100%") && message.contains("injected \0\u{ffff}é"),
        "{message:?}"
    );
}

#[test]
fn junit_is_read_by_other_parsers() {
    let output = run_wrong("--cases 20 --seed 3 --format junit");
    assert_eq!(code(&output), 1);
    let text = out(&output);
    let document = roxmltree::Document::parse(&text).unwrap();
    let suites = junit_parser::from_reader(text.as_bytes()).unwrap();
    assert_eq!((suites.tests, suites.failures, suites.errors, suites.skipped), (8, 4, 0, 0));
    let [suite] = &suites.suites[..] else { panic!("{suites:?}") };
    assert_eq!((suite.name.as_str(), suite.tests, suite.failures), ("gradients", 8, 4));
    let cases: BTreeMap<&str, &junit_parser::TestCase> =
        suite.cases.iter().map(|c| (c.original_name.as_str(), c)).collect();
    for name in RIGHT {
        assert!(cases[name].status.is_success(), "{name}");
    }
    for name in WRONG {
        let junit_parser::TestStatus::Failure(failure) = &cases[name].status else { panic!("{name}") };
        assert!(!failure.message.is_empty() && failure.text.contains("again: "), "{failure:?}");
    }
    let element = |name: &str| {
        let mut all = document.descendants();
        all.find(|n| n.has_tag_name("testcase") && n.attribute("name") == Some(name)).unwrap()
    };
    let at = |name: &str| {
        (
            element(name).attribute("file").unwrap().to_owned(),
            element(name).attribute("line").unwrap().to_owned(),
        )
    };
    assert_eq!(at("ratio"), (SOURCE.to_owned(), line("ratio").to_string()));
    let nasty = element("nasty").first_element_child().unwrap().text().unwrap();
    assert!(nasty.contains("]]> <b>&amp;</b> \\u{1b}[31m 100%, a:b | `code` ```\n"), "{nasty}");
    let seed =
        document.descendants().find(|n| n.has_tag_name("property") && n.attribute("name") == Some("seed"));
    assert_eq!(seed.unwrap().attribute("value"), Some("3"));
}

#[test]
fn github_annotates_the_lines_of_ops_and_nothing_is_injected() {
    let inside = folder("github");
    let summary = inside.join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let mut command = program("--cases 20 --format github");
    command.env("FIXTURE_WRONG", "1").env("GITHUB_STEP_SUMMARY", &summary);
    let output = command.output().unwrap();
    assert_eq!(code(&output), 1);
    let commands = github::commands(&out(&output));
    assert_eq!(commands.len(), 4, "{commands:#?}");
    for (command, name) in commands.iter().zip(WRONG) {
        assert_eq!(command.name, "error");
        assert_eq!(command.property("file"), Some(SOURCE));
        assert_eq!(command.property("line"), Some(line(name).to_string().as_str()));
        assert_eq!(command.property("title"), Some(format!("the gradient of {name} is wrong").as_str()));
        assert!(command.data.contains("\nagain: "), "{command:?}");
    }
    let nasty = &commands[2].data;
    assert!(
        nasty.contains("100%, a:b | `code` ```\n") && nasty.contains("::error file=x::injected"),
        "{nasty}"
    );
    // The log has the table too.
    assert!(out(&output).contains("4 of 8 operations passed"));

    let summary = fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("before\n## ❌ A gradient is wrong\n"), "{summary}");
    let rows: Vec<_> = summary.lines().filter(|line| line.starts_with("| ")).collect();
    assert_eq!(rows.len(), 9, "{summary}");
    assert!(rows[1].starts_with("| ratio | ❌ failed | 2.0e0 | "), "{summary}");
    assert!(rows[5].starts_with("| square | ✅ passed | "), "{summary}");
    // The message's fence does not end ours.
    assert!(summary.contains("````text\n"), "{summary}");
    assert_eq!(
        out(&run_wrong("--cases 20 --format markdown")).lines().next(),
        Some("## ❌ A gradient is wrong")
    );
    fs::remove_dir_all(inside).unwrap();
}

#[test]
fn annotations_are_relative_to_the_repository() {
    // As if the workspace was a folder of a larger repository.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let (parent, name) = (workspace.parent().unwrap(), workspace.file_name().unwrap().to_str().unwrap());
    let mut command = program("--op ratio --cases 20 --format github");
    command.current_dir(workspace.join("crates/check"));
    let output = command.env("FIXTURE_WRONG", "1").env("GITHUB_WORKSPACE", parent).output().unwrap();
    let commands = github::commands(&out(&output));
    assert_eq!(commands[0].property("file"), Some(format!("{name}/{SOURCE}").as_str()));
}

#[test]
fn several_reports_are_written_to_files_and_the_files_are_complete_or_absent() {
    let inside = folder("files");
    let path = |name: &str| inside.join(name).display().to_string();
    fs::write(path("a.json"), "old").unwrap();
    let words = format!(
        "--cases 10 --format json={} --format junit={} --format markdown --output {}",
        path("a.json"),
        path("b.xml"),
        path("c.md")
    );
    assert!(passes(&words).contains("4 of 4 operations passed"));
    let report: Value = serde_json::from_str(&fs::read_to_string(path("a.json")).unwrap()).unwrap();
    assert_eq!(names(&report), RIGHT);
    assert_eq!(junit_parser::from_reader(&fs::read(path("b.xml")).unwrap()[..]).unwrap().tests, 4);
    assert!(fs::read_to_string(path("c.md")).unwrap().starts_with("## ✅ Gradients are right\n"));
    let mut left: Vec<_> = fs::read_dir(&inside).unwrap().map(|f| f.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.json", "b.xml", "c.md"]);

    // A file that cannot be written is known before the work.
    let begin = Instant::now();
    for wrong in [path("none/a.json"), inside.display().to_string()] {
        let output = run(&format!("--time 60s --format json={wrong}"));
        assert_eq!(code(&output), 2, "{}", err(&output));
        assert!(
            err(&output).contains("a report cannot be written: ") && err(&output).contains(&wrong),
            "{}",
            err(&output)
        );
    }
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert!(json(&run("--cases 1 --op square --format text=/dev/null --format json")).is_object());
    assert!(!Path::new("/dev/null").is_file());
    fs::remove_dir_all(inside).unwrap();
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let help = passes("--help");
    for words in [
        "0         every gradient is right",
        "3         not everything",
        "143 for SIGTERM",
        "--shard <I/N>",
        "[default: 0]",
    ] {
        assert!(help.contains(words), "{words}: {help}");
    }
    for wrong in [
        "--cases 0",
        "--frob",
        "--seed -1",
        "--shard 0/3",
        "--time 0s",
        "--format xml",
        "--case 1 --seed 2",
        "--property x",
    ] {
        assert_eq!(code(&run(wrong)), 2, "{wrong}");
    }
    for (words, message) in [
        ("--op sqare", "no op is named sqare: there are square"),
        ("--op square --op none*", "no op is named none*: `--list` lists all"),
        ("none", "no operation is selected, of 4"),
        ("--skip *", "no operation is selected, of 4"),
    ] {
        let output = run(words);
        assert_eq!(code(&output), 3, "{words}");
        assert!(err(&output).contains(message), "{words}: {}", err(&output));
    }
    // An op that no case concerns is no success.
    let output = run("--op square --property broadcast --cases 10");
    assert!(code(&output) == 3 && out(&output).contains("skipped"), "{}", out(&output));
    let output = run("--property broadcast --cases 20");
    assert!(code(&output) == 0, "{}", out(&output));
}

#[test]
fn properties_are_tested_alone() {
    let output = run_wrong("--op ratio --op convention --property layouts,f32 --cases 20 --format json");
    assert_eq!(json(&output)["properties"], serde_json::json!(["layouts", "f32"]));
    assert_eq!(code(&output), 0, "{}", out(&output));
    let report = json(&run_wrong("--op ratio --op convention --property points --format json --cases 5"));
    assert_eq!(
        (&operation(&report, "ratio")["verdict"], &operation(&report, "convention")["verdict"]),
        (&"skipped".into(), &"failed".into())
    );
    assert!(
        operation(&report, "convention")["reproduce"][0]
            .as_str()
            .unwrap()
            .ends_with("--op convention --property points")
    );
    let report = json(&run_wrong("--op ratio --property first_order --cases 20 --format json"));
    assert_eq!(operation(&report, "ratio")["failures"][0]["property"], "first_order");
    assert!(
        operation(&report, "ratio")["reproduce"][0].as_str().unwrap().ends_with("--property first_order")
    );
}

#[test]
fn ops_are_selected_by_names_patterns_and_filters() {
    let listed = |words: &str| {
        let text = passes(&format!("{words} --list --format terse"));
        text.lines().map(|line| line.strip_suffix(": test").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(""), RIGHT);
    assert_eq!(listed("--op s*"), ["square", "slow"]);
    assert_eq!(listed("--op ?lo? --op affine"), ["affine", "slow"]);
    assert_eq!(listed("s*"), ["square", "slow"]);
    assert_eq!(listed("qua"), ["square"]);
    assert_eq!(listed("square --exact"), ["square"]);
    assert_eq!(listed("--skip a"), ["slow"]);
    assert_eq!(listed("--ignored"), Vec::<String>::new());
    let text = passes("--list");
    assert!(text.lines().next().unwrap().ends_with(&format!("{SOURCE}:{}", line("square"))), "{text}");
    let list: Value = serde_json::from_str(&passes("--list --format json")).unwrap();
    assert_eq!((list["version"].as_u64(), names(&list)), (Some(1), RIGHT.to_vec()));
    let mut schema = report_schema();
    schema["$ref"] = "#/$defs/list".into();
    assert_eq!(schema::errors(&schema, &list), Vec::<String>::new());
}

#[test]
fn seeds_replay() {
    // Everything but times is the same, whatever the number of threads.
    let without_times = |words: &str| {
        let mut report = json(&run_wrong(&format!("{words} --format json")));
        report["seconds"] = Value::Null;
        report["threads"] = Value::Null;
        for op in report["operations"].as_array_mut().unwrap() {
            op["seconds"] = Value::Null;
        }
        report
    };
    let (one, three) =
        (without_times("--seed 5 --cases 20 --threads 1"), without_times("--seed 5 --cases 20 --threads 3"));
    assert_eq!(one, three);
    assert_ne!(one["operations"], without_times("--seed 6 --cases 20")["operations"]);

    let random = json(&run("--op square --seed random --cases 12 --format json"));
    let again = json(&run(&format!("--op square --seed {} --cases 12 --format json", random["seed"])));
    assert_eq!(operation(&random, "square")["worst_error"], operation(&again, "square")["worst_error"]);
    assert_ne!(random["seed"], json(&run("--op square --seed random --cases 1 --format json"))["seed"]);
    let output = run("--op square --seed random --cases 2");
    let seed = err(&output).trim().to_owned();
    assert!(
        seed.starts_with("seed ") && out(&output).contains(&format!(", {seed}, ")),
        "{}{seed}",
        out(&output)
    );

    let environment = program("--op square --format json")
        .env("WENGERT_SEED", "9")
        .env("WENGERT_CASES", "3")
        .output()
        .unwrap();
    let report = json(&environment);
    assert_eq!((&report["seed"], &report["cases"]), (&9.into(), &3.into()));
    assert_eq!(code(&program("").env("WENGERT_SEED", "x").output().unwrap()), 2);
}

#[test]
fn shards_partition_the_run() {
    let sums = |reports: &[Value]| {
        let mut sums: BTreeMap<String, [u64; 3]> = BTreeMap::new();
        for op in reports.iter().flat_map(|r| r["operations"].as_array().unwrap()) {
            let sum = sums.entry(op["name"].as_str().unwrap().to_owned()).or_default();
            for (sum, field) in sum.iter_mut().zip(["cases", "compared", "strided"]) {
                *sum += op[field].as_u64().unwrap();
            }
        }
        sums
    };
    let report = |words: &str| json(&run(&format!("{words} --cases 35 --format json")));
    let whole = sums(&[report("")]);
    assert_eq!(whole.len(), 4);
    for count in [2, 3, 16] {
        let parts: Vec<Value> = (1..=count).map(|i| report(&format!("--shard {i}/{count}"))).collect();
        assert_eq!(sums(&parts), whole, "{count} shards");
        assert_eq!(parts[0]["shard"]["count"], count);
    }
    // With fewer blocks than shards, some have nothing to do, and that is no failure.
    assert_eq!(code(&run("--op square --cases 5 --shard 2/2")), 0);
}

#[test]
fn time_is_kept_and_shared() {
    let begin = Instant::now();
    let report = json(&run("--time 2s --format json --threads 1"));
    let took = begin.elapsed();
    assert!(Duration::from_millis(1900) < took && took < Duration::from_secs(8), "{took:?}");
    assert_eq!((&report["ended"], &report["verdict"]), (&"time".into(), &"passed".into()));
    let seconds: Vec<f64> =
        RIGHT.iter().map(|name| operation(&report, name)["seconds"].as_f64().unwrap()).collect();
    assert!(seconds.iter().all(|s| *s > 0.05), "{seconds:?}");
    // With a number of cases, it ends when they are done.
    let report = json(&run("--op square --time 60s --cases 5 --format json"));
    assert_eq!((&report["ended"], &report["totals"]["cases"]), (&"complete".into(), &4.into()));
    // Without time for a single case, nothing has passed.
    let output = run("--time 0.001ms");
    assert!(code(&output) == 3 && out(&output).contains("not checked: "), "{}", out(&output));
    let commands = github::commands(&out(&run("--time 0.001ms --format github")));
    assert!(commands.len() > 1 && commands.iter().all(|c| c.name == "warning"), "{commands:?}");
    let late = run("--time 0.001ms --format junit");
    assert!(junit_parser::from_reader(&late.stdout[..]).unwrap().errors > 1, "{}", out(&late));
    // An op that is wrong gets no more time after three failures.
    let report = json(&run_wrong("--op ratio --op square --time 1s --format json --threads 1"));
    assert!(
        operation(&report, "ratio")["cases"].as_u64() < operation(&report, "square")["cases"].as_u64(),
        "{report}"
    );
}

#[test]
fn fail_fast_ends_after_the_first_failure() {
    let output = run_wrong("--op ratio --op square --fail-fast --threads 1 --format json");
    let report = json(&output);
    // Ops are checked in the order of the program: the first one is complete.
    let verdict = |name| operation(&report, name)["verdict"].as_str().unwrap();
    assert_eq!((verdict("square"), verdict("ratio")), ("passed", "failed"));
    assert!(operation(&report, "ratio")["cases"].as_u64().unwrap() < 10);
    assert_eq!((&report["ended"], code(&output)), (&"fail-fast".into(), 1));
    let report = json(&run_wrong("--fail-fast --threads 1 --skip square --format json --cases 10"));
    assert!(
        names(&report).iter().any(|name| operation(&report, name)["verdict"] == "incomplete"),
        "{report}"
    );
}

#[test]
fn mutants_are_caught_or_the_checks_are_too_weak() {
    let output = run("--mutants --op square --op affine --cases 30 --format json");
    let report = json(&output);
    assert_eq!((code(&output), &report["mode"]), (0, &"mutants".into()), "{report}");
    let mutants = operation(&report, "affine")["mutants"].as_array().unwrap();
    assert!(mutants.iter().filter(|m| m["fate"] == "caught").count() > 25, "{mutants:?}");

    let tolerant = |words: &str| program(words).env("FIXTURE_TOLERANT", "1").output().unwrap();
    let output = tolerant("--mutants --cases 10");
    let text = out(&output);
    assert_eq!(code(&output), 4, "{text}");
    assert!(
        text.contains(&format!("tolerant at {SOURCE}:{}: wrong rules are not noticed", line("tolerant"))),
        "{text}"
    );
    assert!(
        text.contains("survived: factor 1.0001")
            && text.contains("--op tolerant --mutants --seed 0 --cases 10"),
        "{text}"
    );
    json(&tolerant("--mutants --cases 10 --format json"));
    let commands = github::commands(&out(&tolerant("--mutants --cases 10 --format github")));
    assert_eq!((commands.len(), commands[0].name.as_str()), (1, "warning"));
    assert_eq!(
        junit_parser::from_reader(&tolerant("--mutants --cases 10 --format junit").stdout[..])
            .unwrap()
            .failures,
        1
    );

    // What fails without a mutation fails, and a panic is no abort.
    let output = run_wrong("--mutants --op ratio --op panics --cases 10");
    assert_eq!(code(&output), 1, "{}", out(&output));
    assert!(out(&output).contains("three or more"), "{}", out(&output));
    // In shards, each op is in one of them.
    let of = |i| names(&json(&run(&format!("--mutants --cases 2 --shard {i}/2 --format json")))).len();
    assert_eq!(of(1) + of(2), 4);
}

#[test]
fn colours_are_for_terminals() {
    let coloured = |words: &str| passes(&format!("--op square --cases 5 {words}")).contains("\u{1b}[");
    assert!(!coloured("") && !coloured("--color never") && coloured("--color always"));
    let json = program("--op square --cases 5 --color always --format json").output().unwrap();
    assert!(!out(&json).contains('\u{1b}'));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_a_summary() {
    // A program that a script starts in the background ignores the first, and so do those that it starts.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
    let signals = [("HUP", 1), ("INT", 2), ("TERM", 15)];
    for (signal, number) in signals.into_iter().filter(|(_, number)| ignored & (1 << (number - 1)) == 0) {
        let child = program("--time 60s --format json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(700));
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 128 + number, "{}", err(&output));
        let report = json(&output);
        assert_eq!((&report["ended"], &report["verdict"]), (&"signal".into(), &"interrupted".into()));
        assert!(report["totals"]["cases"].as_u64().unwrap() > 0);
    }
}

#[test]
fn test_programs_are_called_in_these_ways() {
    // As cargo test and cargo nextest do. A filter that fits nothing is for other programs.
    let as_test = |words: &str| {
        let program = program("");
        let inside = folder("as-test").join("deps");
        fs::create_dir_all(&inside).unwrap();
        let path = inside.join(format!("gradients-{:016x}", u64::from(std::process::id())));
        if !path.exists() {
            fs::copy(program.get_program(), &path).unwrap();
        }
        let mut command = Command::new(&path);
        command.args(words.split_whitespace()).env("CARGO_PKG_NAME", "mine").env("FIXTURE_WRONG", "1");
        let output = command.output().unwrap();
        fs::remove_dir_all(inside.parent().unwrap()).unwrap();
        output
    };
    assert_eq!(code(&as_test("other")), 0);
    assert_eq!(code(&as_test("square --exact --nocapture")), 0);
    assert_eq!(code(&as_test("--ignored")), 0);
    assert_eq!(code(&as_test("other --op none")), 3);
    let output = as_test("ratio --exact --nocapture --cases 10");
    assert_eq!(code(&output), 1);
    assert!(
        out(&output).contains("again: cargo test -p mine --bin")
            || out(&output).contains("again: cargo test -p mine"),
        "{}",
        out(&output)
    );
}
