//! Traces of a computation on a tape and its reverse sweep, to be read, stepped through, and explained.
//!
//! - [`Trace`]: every node and every step, as data that can be saved; made by [`Trace::of`] from a value of a tape, or
//!   by a [`Builder`] from plain numbers;
//! - [`explain()`]: why a gradient has its value, by terms and by paths;
//! - [`text`], [`dot`], [`page`]: a table for the terminal, a graph for Graphviz, an interactive page for a browser;
//! - [`expression`]: formulas that a user types, such as `tanh(w*x + b)^2`;
//! - [`network`]: a multilayer perceptron in the scalar and in the vector notation of textbooks.
//!
//! ```
//! use wengert_trace::{Trace, expression::Expression};
//! let f = Expression::parse("tanh(w*x + b)^2")?;
//! let trace = f.trace(&[("w", 2.0), ("x", -1.0), ("b", 0.5)])?;
//! let table = wengert_trace::text::table(&trace, 100);
//! assert!(table.contains("v₅ = tanh(v₄)"), "{table}");
//! let page = wengert_trace::page::html(&trace);
//! assert!(page.starts_with("<!doctype html>"));
//! # Ok::<(), wengert_trace::Error>(())
//! ```
#![forbid(unsafe_code)]

mod builder;
pub mod describe;
pub mod dot;
mod error;
pub mod explain;
pub mod expression;
mod file;
mod layout;
mod math;
mod name;
pub mod network;
pub mod number;
pub mod page;
mod record;
mod scalar;
mod structure;
pub mod text;
mod trace;
mod value;

pub use builder::Builder;
pub use error::Error;
pub(crate) use error::like;
pub use explain::{Explain, Explanation, explain};
pub use math::{Markup, Math};
pub use record::Traceable;
pub use trace::{Contribution, Kind, Node, Step, Trace};
pub use value::{Summary, Value, WHOLE};
