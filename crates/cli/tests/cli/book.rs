//! What the book says of the systems is true: the tests that it names exist, and so do the examples and the commands.

use super::{succeeds, temporary};
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
            // Whether the options are right; what they do is tested elsewhere.
            let help = succeeds(&inside, &format!("{} --help", words.replace('\'', "")));
            for option in words.split(' ').filter(|w| w.starts_with("--")) {
                assert!(help.contains(option), "{id}: {command} has no {option}");
            }
        }
    }
}
