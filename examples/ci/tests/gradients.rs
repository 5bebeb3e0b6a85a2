//! The program of checks: `cargo test --test gradients -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    use ops::*;
    wengert::check::main([
        swish2::spec(),
        affine::spec(),
        huber::spec(),
        binarize::spec(),
        polar::spec(),
        centred::spec(),
    ])
}
