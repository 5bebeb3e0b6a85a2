//! Functions of numbers: [`Real`], the number type of formulas, and [`Pointwise`], a formula with its derivative.

mod pointwise;
mod real;

pub use pointwise::{Pointwise, Pointwise2};
pub(crate) use pointwise::{Value, Value2};
pub(crate) use real::Exact;
pub use real::{Float, Real};
