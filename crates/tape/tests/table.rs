//! The table of operations drives the property tests, and enrols everything.

use wengert_tape::gradcheck::{Order, suite};
use wengert_tape::rules::table;

/// Cases per operation here; `wengert check` runs more.
const CASES: usize = 40;

#[test]
fn every_enrolled_operation_passes_every_property() {
    let outcomes = suite::run_all(&table(), 1, CASES, |_| {});
    let failed: Vec<_> = outcomes.iter().filter(|o| !o.passed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Kinks are what the first-order entries are about: each has to meet some.
#[test]
fn the_entries_with_kinks_meet_them() {
    let kinked: Vec<_> = table().into_iter().filter(|spec| spec.order == Order::First).collect();
    let outcomes = suite::run_all(&kinked, 1, CASES, |_| {});
    let smooth: Vec<_> = outcomes.iter().filter(|o| o.kinked.is_none()).map(|o| &o.report.name).collect();
    assert!(smooth.is_empty(), "no case at a kink: {smooth:?}");
}
