//! The README and the book: their Rust blocks are compiled and run with the documentation tests.

#[doc = include_str!("../../../README.md")]
mod readme {}

#[doc = include_str!("../../../docs/src/first-gradient.md")]
mod first_gradient {}

#[doc = include_str!("../../../docs/src/how-the-tape-works.md")]
mod how_the_tape_works {}

#[doc = include_str!("../../../docs/src/scalar-tape.md")]
mod scalar_tape {}

#[doc = include_str!("../../../docs/src/checking-gradients.md")]
mod checking_gradients {}

#[doc = include_str!("../../../docs/src/gradient-checks-in-ci.md")]
mod gradient_checks_in_ci {}

#[doc = include_str!("../../../docs/src/errors.md")]
mod errors {}

#[doc = include_str!("../../../docs/src/equations.md")]
mod equations {}

#[doc = include_str!("../../../docs/src/from-pytorch.md")]
mod from_pytorch {}

#[doc = include_str!("../../../docs/src/data.md")]
mod data {}

#[cfg(feature = "train")]
#[doc = include_str!("../../../docs/src/training.md")]
mod training {}

#[cfg(feature = "trace")]
#[doc = include_str!("../../../docs/src/stepping.md")]
mod stepping {}

#[doc = include_str!("../../../docs/src/profiling.md")]
mod profiling {}

#[doc = include_str!("../../../docs/src/fusion.md")]
mod fusion {}
