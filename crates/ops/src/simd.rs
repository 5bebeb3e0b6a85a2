//! Choice of the instruction set at run time.
//!
//! A loop that is passed to `dispatch` is compiled once for each instruction set that pulp supports. Every function
//! between `dispatch` and the loop's body must be `#[inline(always)]`; otherwise the body is silently compiled for the
//! baseline.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};
use std::sync::OnceLock;

/// Runs `f`, compiled for the best instruction set of this machine.
#[inline(always)]
pub(crate) fn dispatch<F: NullaryFnOnce>(f: F) -> F::Output {
    struct Adapter<F>(F);
    impl<F: NullaryFnOnce> WithSimd for Adapter<F> {
        type Output = F::Output;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> F::Output {
            self.0.call()
        }
    }
    dispatch_simd(Adapter(f))
}

/// Like [`dispatch`], for a kernel that uses vector types.
#[inline(always)]
pub(crate) fn dispatch_simd<F: WithSimd>(f: F) -> F::Output {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    ARCH.get_or_init(Arch::new).dispatch(f)
}

/// The vector type of an element type, for kernels that hold vectors in registers.
#[doc(hidden)]
pub trait Vector: Copy + 'static {
    /// A vector: the elements that fit a register.
    type V<S: Simd>: Copy;
    /// The number of elements in a vector.
    fn width<S: Simd>() -> usize;
    /// A vector with `v` in every lane.
    fn splat<S: Simd>(simd: S, v: Self) -> Self::V<S>;
    /// `a b + c`, with one rounding where the machine has an instruction for it.
    fn fma<S: Simd>(simd: S, a: Self::V<S>, b: Self::V<S>, c: Self::V<S>) -> Self::V<S>;
    /// The sum of the lanes.
    fn total<S: Simd>(simd: S, v: Self::V<S>) -> Self;
    /// A slice as vectors, without the remainder that does not fill one.
    fn vectors<S: Simd>(v: &[Self]) -> &[Self::V<S>];
    /// A slice as vectors to be written, without the remainder that does not fill one.
    fn vectors_mut<S: Simd>(v: &mut [Self]) -> &mut [Self::V<S>];
}

macro_rules! vector {
    ($t:ident, $v:ident, $width:ident, $splat:ident, $fma:ident, $total:ident, $vectors:ident, $vectors_mut:ident) => {
        impl Vector for $t {
            type V<S: Simd> = S::$v;
            #[inline(always)]
            fn width<S: Simd>() -> usize {
                S::$width
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, v: Self) -> S::$v {
                simd.$splat(v)
            }
            #[inline(always)]
            fn fma<S: Simd>(simd: S, a: S::$v, b: S::$v, c: S::$v) -> S::$v {
                simd.$fma(a, b, c)
            }
            #[inline(always)]
            fn total<S: Simd>(simd: S, v: S::$v) -> Self {
                simd.$total(v)
            }
            #[inline(always)]
            fn vectors<S: Simd>(v: &[Self]) -> &[S::$v] {
                S::$vectors(v).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(v: &mut [Self]) -> &mut [S::$v] {
                S::$vectors_mut(v).0
            }
        }
    };
}
vector!(f32, f32s, F32_LANES, splat_f32s, mul_add_e_f32s, reduce_sum_f32s, as_simd_f32s, as_mut_simd_f32s);
vector!(f64, f64s, F64_LANES, splat_f64s, mul_add_e_f64s, reduce_sum_f64s, as_simd_f64s, as_mut_simd_f64s);

/// Runs a few lines of arithmetic with the instructions that [`math`](crate::math) is written for.
///
/// Where the whole program is compiled for them (`-C target-cpu=native`), this is a plain, inlined call. Otherwise it
/// is a call through a pointer, which takes about two nanoseconds; without it, every fused multiply-add would be a
/// function call.
///
/// ```
/// let y = wengert_ops::simd::with_fma(|| wengert_ops::math::double::exp(1.0));
/// assert!((y - std::f64::consts::E).abs() < 1e-15);
/// ```
#[inline(always)]
pub fn with_fma<R>(f: impl FnOnce() -> R) -> R {
    if cfg!(target_feature = "fma") { f() } else { dispatch(f) }
}
