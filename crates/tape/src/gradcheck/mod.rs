//! Gradient checks: finite differences are the oracle, to second order.
//!
//! [`Check`] compares the full Jacobian that the tape gives with one that central differences give, in `f64`:
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
//! property tests. Our own ops are enrolled in [`rules::table`](crate::rules::table).
//!
//! # How equal is equal
//! A derivative by Richardson-extrapolated central differences in `f64` has about ten correct digits for functions of
//! moderate size. An entry passes if it is within `tolerance · (1 + |expected|)` of it, `tolerance` being 10⁻⁶ unless
//! told otherwise. Where the one-sided derivatives differ there is a kink, and any value between them is right.

mod check;
mod generate;
mod report;
mod spec;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod suite;

pub use check::Check;
pub use generate::{Domain, Gen};
pub use report::{Mismatch, Report};
pub use spec::{Case, Order, Spec};
