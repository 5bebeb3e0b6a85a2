//! Gradient checks: finite differences are the oracle, to second order.
//!
//! [`Check`] compares the full Jacobian that the tape gives with one that differences give, in `f64`:
//!
//! ```
//! use wengert_ops::Tensor;
//! use wengert_tape::gradcheck::Check;
//!
//! let x = Tensor::from([[0.3, -1.2], [0.7, 2.0]]);
//! let report = Check::new("my function").run(|x| (x[0] * x[0].sin()).sum(), &[x]);
//! assert!(report.passed(), "{report}");
//! ```
//!
//! [`Spec`] enrols an op together with a generator of valid inputs; [`suite::run`] puts an enrolled op through all
//! property tests, and [`mutants`] finds out what those would miss. Our own ops are enrolled in
//! [`rules::table`](crate::rules::table).
//!
//! # How equal is equal
//! See [`Tolerance`] and [`Differences`]: several steps, each with its uncertainty. Where the one-sided derivatives
//! differ however small the step, there is a kink, and any value between them is right.

mod accuracy;
mod check;
mod demands;
mod difference;
mod generate;
mod jacobian;
mod layout;
pub mod mutants;
mod report;
mod spec;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod suite;

pub use check::Check;
pub use difference::{Differences, Tolerance, Unknown, Verdict};
pub use generate::{Domain, Gen, Kind};
pub use layout::LayoutKind;
pub use report::{Mismatch, Report};
pub use spec::{Accuracy, Case, IntoOutputs, Order, Spec, outputs};
