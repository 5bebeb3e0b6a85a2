//! The table of operations drives the property tests, and enrols everything.

use wengert_tape::gradcheck::suite;
use wengert_tape::rules::table;

/// Cases per operation here; `wengert check` runs more.
const CASES: usize = 40;

#[test]
fn every_enrolled_operation_passes_every_property() {
    let mut failed = Vec::new();
    for spec in table() {
        let outcome = suite::run(&spec, 1, CASES);
        if !outcome.report.passed() {
            failed.push(outcome.to_string());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
