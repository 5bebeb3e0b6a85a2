//! The table of operations drives the property tests and contains every operation.

use wengert_tape::gradcheck::mutants::{self, Fate, Mutation};
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

/// First-order entries exist for kinks: each of them must have a case at a kink.
#[test]
fn the_entries_with_kinks_meet_them() {
    let kinked: Vec<_> = table().into_iter().filter(|spec| spec.order == Order::First).collect();
    let outcomes = suite::run_all(&kinked, 1, CASES, |_| {});
    let smooth: Vec<_> = outcomes.iter().filter(|o| o.kinked.is_none()).map(|o| &o.report.name).collect();
    assert!(smooth.is_empty(), "no case at a kink: {smooth:?}");
}

/// Mutants of every op would take too long for a test. Of these ops, one per kind of rule, no mutant may survive.
#[test]
fn no_mutant_of_a_few_operations_survives() {
    for name in ["tanh", "mul", "matmul", "layer_norm", "split", "sum_axes"] {
        let spec = table().into_iter().find(|spec| spec.name == name).unwrap();
        let fates = mutants::run(&spec, Mutation::ALL, 0, CASES);
        let caught = fates.iter().filter(|f| matches!(f, Fate::Caught(_))).count();
        let survived: Vec<_> =
            Mutation::ALL.iter().zip(&fates).filter(|(_, f)| **f == Fate::Survived).collect();
        assert!(survived.is_empty() && caught >= 25, "{name}: {caught} caught, {survived:?}");
    }
}

/// Entries that draw only small tensors: their ops have no blocks, or small ones.
const SMALL: &[&str] =
    &["embedding", "embedding_padded", "meshgrid", "meshgrid_xy", "local_response_norm", "cross"];

/// The blocks of kernels are reached: every other entry has a case of more than 64 elements.
#[test]
fn large_cases_are_large() {
    let small: Vec<_> = table()
        .into_iter()
        .filter(|spec| (0..CASES as u64).all(|seed| spec.draw(seed).0.inputs.iter().all(|x| x.numel() <= 64)))
        .map(|spec| spec.name)
        .collect();
    assert_eq!(small, SMALL, "entries without a case of more than 64 elements");
}
