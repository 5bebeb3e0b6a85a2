//! The tests named on the page about gradients that are easy to get wrong exist.

use std::path::Path;

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/src/traps.md")).expect("the page is there");
    let mut named = 0;
    for row in page.lines().filter(|l| l.starts_with("| ")).skip(1) {
        let proof = row.split('|').nth(2).expect("a row has a second column");
        let (mut file, mut text, mut tests) = ("", String::new(), 0);
        for token in proof.split('`').skip(1).step_by(2) {
            if token.ends_with(".rs") {
                file = token;
                text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            } else {
                let at = text.find(&format!("fn {token}()"));
                let at = at.unwrap_or_else(|| panic!("{file} has no test `{token}`"));
                let before = text[..at].trim_end();
                assert!(before.ends_with("#[test]"), "`{token}` in {file} is not a test");
                tests += 1;
            }
        }
        assert!(tests > 0, "a row without a test: {row}");
        named += tests;
    }
    assert!(named > 60, "the table was read: {named}");
}
