//! Run-time choice of the instruction set.
//!
//! A loop handed to [`dispatch`] is compiled once for each instruction set that pulp knows. Everything between here
//! and the loop's body has to be `#[inline(always)]`, or the body is silently compiled for the baseline.

use pulp::{Arch, NullaryFnOnce};
use std::sync::OnceLock;

/// Runs `f` compiled for the best instruction set of this machine.
#[inline(always)]
pub(crate) fn dispatch<F: NullaryFnOnce>(f: F) -> F::Output {
    struct Adapter<F>(F);
    impl<F: NullaryFnOnce> pulp::WithSimd for Adapter<F> {
        type Output = F::Output;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> F::Output {
            self.0.call()
        }
    }
    static ARCH: OnceLock<Arch> = OnceLock::new();
    ARCH.get_or_init(Arch::new).dispatch(Adapter(f))
}
