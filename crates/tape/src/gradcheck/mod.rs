//! Gradient checks: comparisons with finite differences, to second order.
//!
//! [`Check`] compares the full Jacobian from the tape with the one from differences, in `f64`:
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
//! [`Spec`] enrols an op together with a generator of valid inputs; [`suite::run`] runs all property tests on an
//! enrolled op, and [`mutants`] measures which wrong rules these tests would miss. The ops of this crate are enrolled
//! in [`rules::table`](crate::rules::table).
//!
//! # When two derivatives are equal
//! See [`Tolerance`] and [`Differences`]: several steps are used, each with its uncertainty. If the one-sided
//! derivatives differ at every step, however small, there is a kink, and any value between them is correct.

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
mod subject;
pub mod suite;

pub use check::Check;
pub use difference::{Differences, Tolerance, Unknown, Verdict};
pub use generate::{Domain, Gen, Kind};
pub use layout::LayoutKind;
pub use report::{Mismatch, Report};
pub use spec::{Accuracy, Against, AtPoint, Case, Expected, IntoOutputs, Order, Spec, outputs};
pub use suite::Property;
