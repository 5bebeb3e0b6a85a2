//! Invalid calls are errors that name the operation, what was found, and the rule; one file per family.

mod attention;
mod convolving;
mod indexing;
mod linalg;
mod normalizing;
mod pointwise;
mod products;
mod rearranging;
mod reducing;

use wengert_ops::Tensor;
use wengert_tape::{Tape, Var};

/// Asserts that a call failed under its own name, with these words in the message.
#[track_caller]
fn refused(y: Var<'_, f64>, op: &str, parts: &[&str]) {
    let e = y.value().err().unwrap_or_else(|| panic!("{op}: this must fail"));
    assert_eq!(e.op(), op, "{e}");
    assert!(e.location().is_some_and(|at| at.file().contains("refusals")), "{e}");
    for part in parts {
        assert!(e.to_string().contains(part), "{op}: {part} is not in {e}");
    }
}
