//! `wengert --version`: the version, where the build comes from, and what it uses on this machine.

use std::fmt::Write as _;
use wengert::ops::{parallel, simd};

/// What the compiler knew: the version, and a line for each fact about the build.
pub(crate) const BUILD: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit        ",
    env!("WENGERT_COMMIT"),
    "\ntarget        ",
    env!("WENGERT_TARGET"),
    "\ncompiler      ",
    env!("WENGERT_COMPILER"),
);

/// What kernels use on this machine, which is found out only for this text: it starts the threads.
pub(crate) fn machine() -> String {
    let mut text = format!("features      {}\n", if cfg!(feature = "check") { "check" } else { "none" });
    let chosen = simd::instruction_set();
    let width = match chosen {
        "avx512" => "AVX-512, 16 numbers of f32 at a time",
        "avx2" => "AVX2 and FMA, 8 numbers of f32 at a time",
        "neon" => "NEON, 4 numbers of f32 at a time",
        _ => "no vector instructions beyond the target's",
    };
    let _ = writeln!(text, "instructions  {chosen} ({width})");
    let threads = parallel::threads();
    let _ = write!(text, "threads       {threads}");
    text
}
