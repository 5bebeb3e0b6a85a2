//! The README and the book: their Rust blocks are compiled and run with the documentation tests.

#[doc = include_str!("../README.md")]
mod readme {}

#[doc = include_str!("../book/first-gradient.md")]
mod first_gradient {}

#[doc = include_str!("../book/how-the-tape-works.md")]
mod how_the_tape_works {}

#[doc = include_str!("../book/scalar-tape.md")]
mod scalar_tape {}

#[doc = include_str!("../book/checking-gradients.md")]
mod checking_gradients {}

#[doc = include_str!("../book/gradient-checks-in-ci.md")]
mod gradient_checks_in_ci {}

#[doc = include_str!("../book/errors.md")]
mod errors {}

#[doc = include_str!("../book/equations.md")]
mod equations {}

#[doc = include_str!("../book/from-pytorch.md")]
mod from_pytorch {}

#[doc = include_str!("../book/data.md")]
mod data {}

#[cfg(feature = "train")]
#[doc = include_str!("../book/training.md")]
mod training {}

#[cfg(feature = "trace")]
#[doc = include_str!("../book/stepping.md")]
mod stepping {}

#[doc = include_str!("../book/profiling.md")]
mod profiling {}

#[doc = include_str!("../book/fusion.md")]
mod fusion {}
