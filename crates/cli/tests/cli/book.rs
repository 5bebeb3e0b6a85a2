//! The book's statements about the systems are true: the tests, examples and commands that it names exist.

use super::{fails, line, succeeds, temporary};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The words between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_system_has_a_test_an_example_and_a_command() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/src/equations.md")).unwrap();
    let inside = temporary("book");
    let rows: Vec<&str> = page.lines().filter(|l| l.starts_with("| S")).collect();
    assert_eq!(rows.len(), 33);
    for (i, row) in rows.into_iter().enumerate() {
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let &[id, system, items, tests, examples, commands] = &cells[..] else { panic!("{row}") };
        assert_eq!(id, format!("S{:02}", i + 1));
        assert!(!system.is_empty() && !items.is_empty());

        let examples: Vec<&str> = quoted(examples).collect();
        for example in &examples {
            let text = fs::read_to_string(root.join("examples").join(format!("{example}.rs")));
            let text = text.unwrap_or_else(|e| panic!("{id}: {example}: {e}"));
            assert!(text.contains("#[test]"), "{id}: {example} is not tested");
        }
        let (mut text, mut named) = (String::new(), 0);
        for token in quoted(tests) {
            if token.ends_with(".rs") {
                text = fs::read_to_string(root.join("crates").join(token))
                    .unwrap_or_else(|e| panic!("{id}: {token}: {e}"));
            } else {
                let at = text.find(&format!("fn {token}("));
                let at = at.unwrap_or_else(|| panic!("{id}: there is no test {token}"));
                let before = text[..at].trim_end().lines().last().unwrap_or_default().trim();
                assert!(before.ends_with("#[test]"), "{id}: {token} is no test");
                named += 1;
            }
        }
        assert!(named > 0 || (tests == "the example itself" && !examples.is_empty()), "{id} has no test");

        let commands: Vec<&str> = quoted(commands).collect();
        assert!(!commands.is_empty(), "{id} has no command");
        for command in commands {
            let words = command.strip_prefix("wengert ").unwrap_or_else(|| panic!("{id}: {command}"));
            // Only that the options exist; their effect is tested elsewhere.
            let help = succeeds(&inside, &format!("{} --help", words.replace('\'', "")));
            for option in words.split(' ').filter(|w| w.starts_with("--")) {
                assert!(help.contains(option), "{id}: {command} has no {option}");
            }
        }
    }
}

/// Each command of the table has an effect: training runs for an epoch, checks on few cases.
#[test]
fn every_command_of_the_table_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/src/equations.md")).unwrap();
    let inside = temporary("book-commands");
    succeeds(&inside, "train forecaster --epochs 1 --out RUN");
    let cells = page.lines().filter(|l| l.starts_with("| S")).filter_map(|row| row.split(" | ").last());
    let commands: BTreeSet<&str> = cells.flat_map(quoted).collect();
    assert!(commands.len() > 25, "{commands:?}");
    for command in commands {
        let words = command.strip_prefix("wengert ").unwrap().replace('\'', "");
        if words.starts_with("check") && !cfg!(feature = "check") {
            continue;
        }
        let more = match words.split(' ').next() {
            Some("train") if words.starts_with("train gan") => " --epochs 1 --judge-epochs 1 --labels 200",
            Some("train") => " --epochs 1",
            Some("check") => " --cases 2",
            Some("step") => " --format text",
            _ => "",
        };
        let more = if words.contains("--regions") { "" } else { more };
        succeeds(&inside, &format!("{words}{more}"));
    }
}

#[test]
fn commands_show_what_their_rows_say() {
    let inside = temporary("book-rows");
    // Linear regions.
    let regions = succeeds(&inside, "step mlp --widths 1,8,8,1 --regions");
    let last = regions.lines().last().unwrap();
    let count: usize = last.split(' ').next().unwrap().parse().unwrap();
    assert!((3..=81).contains(&count) && last.ends_with("has at most 81"), "{regions}");
    assert_eq!(regions.lines().count(), count + 2);
    fails(&inside, "step mlp --widths 2,8,1 --regions", 1, &["--regions", "one input"]);
    fails(&inside, "step mlp --activation tanh --widths 1,8,1 --regions", 1, &["--regions", "relu"]);
    fails(&inside, "step x^2 --regions", 1, &["--regions is for the model mlp"]);

    // Initialisation: gradients vanish through the layers with `small`, and do not with the other schemes.
    let deep = "train mlp --epochs 1 --widths 64,64,64,64,64 --gradient-flow";
    let flow = |init: &str| succeeds(&inside, &format!("{deep} --init {init} --out {init}"));
    assert!(line(&flow("small"), "layers.0.weight").ends_with("vanishing"));
    for init in ["xavier-uniform", "xavier-normal", "kaiming-uniform", "kaiming-normal"] {
        assert!(!flow(init).contains("vanishing"), "{init}");
    }

    // Bias: both losses are high and similar. Variance: the training loss is low, the validation loss is not.
    let losses = |options: &str, out: &str| -> [f64; 2] {
        succeeds(&inside, &format!("train mlp --dropout 0 --epochs 40 {options} --out {out}"));
        let table = fs::read_to_string(inside.join(out).join("metrics.csv")).unwrap();
        let last: Vec<&str> = table.lines().last().unwrap().split(',').collect();
        [1, 3].map(|column: usize| last[column].parse().unwrap())
    };
    let [train, test] = losses("--widths 2", "bias");
    assert!(train > 0.3 && test < 1.5 * train, "{train} {test}");
    let [train, test] = losses("--labels 100", "variance");
    assert!(train < 0.1 && test > 3.0 * train, "{train} {test}");
}
