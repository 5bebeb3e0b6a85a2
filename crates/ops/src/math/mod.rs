//! Elementary functions written so that a plain loop over them vectorises: no branches, no tables, stated bounds.

pub mod double;
pub mod single;
