//! Elementary functions written so that a plain loop over them vectorises: no branches, no tables, stated bounds. In
//! [`special`], the functions of an order branch.

pub mod double;
pub mod single;
pub mod special;
