//! Elementary functions written so that a plain loop over them vectorises: no branches, no tables, stated bounds. In
//! [`special`], the functions of an order branch; those of [`portable`] are for single numbers.

pub mod double;
pub mod portable;
pub mod single;
pub mod special;
