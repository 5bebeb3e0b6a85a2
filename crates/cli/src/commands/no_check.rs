//! `wengert check` in builds without it: explains how to get it.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Whatever the command takes where it is there.
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<std::ffi::OsString>,
}

impl CheckArgs {
    pub(crate) fn run(self) -> Result<String> {
        bail!(
            "this wengert was built without the table of gradient checks, which takes long to compile; build it with: \
             cargo install wengert-cli --features check (in a checkout: cargo run --release --features check -- check)"
        )
    }
}
