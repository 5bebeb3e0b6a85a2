//! Elementary functions written so that a plain loop over them vectorises: no branches, no tables, stated bounds. The
//! less common ones in [`special`] branch.

pub mod double;
pub mod single;
pub mod special;
