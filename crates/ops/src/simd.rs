//! Choice of the instruction set at run time.
//!
//! A loop that is passed to `dispatch` is compiled once for each instruction set that pulp supports. Every function
//! between `dispatch` and the loop's body must be `#[inline(always)]`; otherwise the body is silently compiled for the
//! baseline.
//!
//! The best set that the machine has is used. The environment variable `WENGERT_SIMD` chooses a smaller one, so that one machine can show
//! that results do not depend on the width of vectors. It is read once, before the first kernel:
//!
//! | value | instructions | lanes of `f32` |
//! |---|---|---|
//! | `avx512` | AVX-512, on x86 | 16 |
//! | `avx2` | AVX2 and fused multiply-add, on x86 | 8 |
//! | `neon` | NEON, on 64-bit ARM | 4 |
//! | `baseline` | what every machine of the architecture has | 1 |
//!
//! An unknown value, or a set that the machine does not have, is reported on the standard error, and the best set is used.
//!
//! `baseline` is very slow, since each fused multiply-add is a function call. That function rounds once too, so most results have the bits
//! of the other sets; but vectors of the baseline multiply and add with two roundings ([`Vector::fma`]), so convolutions have other bits.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::ops::AddAssign;
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
    arch().dispatch(f)
}

/// The instruction set of all kernels.
#[inline(always)]
fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(first)
}

/// The set that `WENGERT_SIMD` names, or the best one.
#[cold]
fn first() -> Arch {
    let best = Arch::new();
    match std::env::var_os("WENGERT_SIMD") {
        Some(value) if !value.is_empty() => named(&value).unwrap_or_else(|fault| {
            // If the standard error is closed, there is no reader.
            let _ = writeln!(io::stderr(), "warning: WENGERT_SIMD: {fault}; {} is used", name(best));
            best
        }),
        _ => best,
    }
}

/// The set with this name, or what is wrong with the name.
fn named(value: &OsStr) -> Result<Arch, String> {
    match value.to_str() {
        Some("baseline") => Ok(Arch::Scalar),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Some("avx512") => pulp::x86::V4::try_new().map(Arch::V4).ok_or_else(|| lacking("avx512")),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Some("avx2") => pulp::x86::V3::try_new().map(Arch::V3).ok_or_else(|| lacking("avx2")),
        #[cfg(target_arch = "aarch64")]
        Some("neon") => pulp::aarch64::Neon::try_new().map(Arch::Neon).ok_or_else(|| lacking("neon")),
        Some(other) if ["avx512", "avx2", "neon"].contains(&other) => Err(lacking(other)),
        _ => Err(format!("expected avx512, avx2, neon or baseline, found {value:?}")),
    }
}

fn lacking(name: &str) -> String {
    format!("this machine does not have {name}")
}

fn name(arch: Arch) -> &'static str {
    match arch {
        Arch::Scalar => "baseline",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V3(_) => "avx2",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V4(_) => "avx512",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "neon",
        #[allow(unreachable_patterns, reason = "the sets of other architectures")]
        _ => "vectors",
    }
}

/// The name of the instruction set that kernels use: `avx512`, `avx2`, `neon` or `baseline`, or `vectors` on other architectures.
///
/// ```
/// assert!(["avx512", "avx2", "neon", "baseline", "vectors"].contains(&wengert_ops::simd::instruction_set()));
/// ```
pub fn instruction_set() -> &'static str {
    name(arch())
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
    /// `a + b`.
    fn plus<S: Simd>(simd: S, a: Self::V<S>, b: Self::V<S>) -> Self::V<S>;
    /// Writes the transpose of a 4×4 matrix. The rows of both have a distance in elements.
    ///
    /// # Safety
    /// The rows must be valid for reads and writes of four elements.
    unsafe fn transpose(from: *const Self, distance: isize, to: *mut Self, to_distance: isize);
    /// A slice as vectors, without the remainder that does not fill one.
    fn vectors<S: Simd>(v: &[Self]) -> &[Self::V<S>];
    /// A slice as vectors to be written, without the remainder that does not fill one.
    fn vectors_mut<S: Simd>(v: &mut [Self]) -> &mut [Self::V<S>];
}

macro_rules! vector {
    ($t:ident, $v:ident, $width:ident, $splat:ident, $fma:ident, $add:ident, $transpose:ident, $vectors:ident, $vectors_mut:ident) => {
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
            fn plus<S: Simd>(simd: S, a: S::$v, b: S::$v) -> S::$v {
                simd.$add(a, b)
            }
            #[inline(always)]
            unsafe fn transpose(from: *const Self, distance: isize, to: *mut Self, to_distance: isize) {
                // SAFETY: the same contract.
                unsafe { $transpose(from, distance, to, to_distance) }
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
vector!(
    f32,
    f32s,
    F32_LANES,
    splat_f32s,
    mul_add_e_f32s,
    add_f32s,
    transpose_f32,
    as_simd_f32s,
    as_mut_simd_f32s
);
vector!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    mul_add_e_f64s,
    add_f64s,
    transpose_f64,
    as_simd_f64s,
    as_mut_simd_f64s
);

/// The number of sums side by side for elements of four bytes. A sum whose terms lie in the lanes of vectors has as many on
/// every machine: shorter vectors take several.
pub(crate) const LANES: usize = 16;

/// The number of sums side by side: [`LANES`] for `f32`, half of it for `f64`.
pub(crate) const fn lanes<T>() -> usize {
    LANES * 4 / size_of::<T>()
}

/// The total of sums side by side: each of the first half gets that of the second half added, and so on for the halves of
/// the halves.
#[inline(always)]
pub(crate) fn total<T: Copy + AddAssign>(mut sums: [T; LANES]) -> T {
    let mut half = lanes::<T>() / 2;
    while half > 0 {
        for l in 0..half {
            sums[l] += sums[l + half];
        }
        half /= 2;
    }
    sums[0]
}

/// Writes the transpose of a 4×4 matrix, by the vector instructions that every x86-64 has.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_f32(from: *const f32, distance: isize, to: *mut f32, to_distance: isize) {
    use std::arch::x86_64::{
        _mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_storeu_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
    };
    // SAFETY: the caller guarantees four rows of four elements.
    unsafe {
        let row = |i: isize| _mm_loadu_ps(from.offset(i * distance));
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let (low, high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (low2, high2) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        _mm_storeu_ps(to, _mm_movelh_ps(low, low2));
        _mm_storeu_ps(to.offset(to_distance), _mm_movehl_ps(low2, low));
        _mm_storeu_ps(to.offset(2 * to_distance), _mm_movelh_ps(high, high2));
        _mm_storeu_ps(to.offset(3 * to_distance), _mm_movehl_ps(high2, high));
    }
}

/// As for f32, in four blocks of 2×2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_f64(from: *const f64, distance: isize, to: *mut f64, to_distance: isize) {
    use std::arch::x86_64::{_mm_loadu_pd, _mm_storeu_pd, _mm_unpackhi_pd, _mm_unpacklo_pd};
    for i in [0, 2] {
        for j in [0, 2] {
            // SAFETY: the caller guarantees four rows of four elements.
            unsafe {
                let a = _mm_loadu_pd(from.offset(i * distance + j));
                let b = _mm_loadu_pd(from.offset((i + 1) * distance + j));
                _mm_storeu_pd(to.offset(j * to_distance + i), _mm_unpacklo_pd(a, b));
                _mm_storeu_pd(to.offset((j + 1) * to_distance + i), _mm_unpackhi_pd(a, b));
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
use {transpose_elements as transpose_f32, transpose_elements as transpose_f64};

/// Writes the transpose of a 4×4 matrix, element by element.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn transpose_elements<T: Copy>(from: *const T, distance: isize, to: *mut T, to_distance: isize) {
    for i in 0..4 {
        for j in 0..4 {
            // SAFETY: the caller guarantees four rows of four elements.
            unsafe { *to.offset(j * to_distance + i) = *from.offset(i * distance + j) };
        }
    }
}

/// Writes the transpose of a matrix: element `c` of row `r` is element `r` of row `c` of the source. The rows of both have
/// a distance in elements.
///
/// # Safety
/// The source must be valid for `columns` rows of `rows` elements, the destination for `rows` rows of `columns`.
#[inline(always)]
pub(crate) unsafe fn copy_transposed<T: Vector>(
    from: *const T,
    distance: isize,
    to: *mut T,
    to_distance: usize,
    rows: usize,
    columns: usize,
) {
    let (low, left) = (rows / 4 * 4, columns / 4 * 4);
    // SAFETY: every index is below the numbers of rows and columns, four of them at a time where there are as many.
    unsafe {
        for c in (0..left).step_by(4) {
            let from = from.offset(c as isize * distance);
            for r in (0..low).step_by(4) {
                T::transpose(from.add(r), distance, to.add(r * to_distance + c), to_distance as isize);
            }
        }
        for c in 0..columns {
            let from = from.offset(c as isize * distance);
            for r in if c < left { low } else { 0 }..rows {
                *to.add(r * to_distance + c) = *from.add(r);
            }
        }
    }
}

/// Begins to load the line of the cache with this address, which need not be valid.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has the instruction, and it does nothing for an address that is not valid.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_has_a_name_by_which_it_can_be_chosen() {
        let best = name(Arch::new());
        for known in ["avx512", "avx2", "neon", "baseline"] {
            match named(known.as_ref()) {
                Ok(arch) => assert_eq!(name(arch), known),
                Err(fault) => assert!(known != best && fault.ends_with(known), "{fault}"),
            }
        }
        let fault = named("avx1024".as_ref()).err().unwrap();
        assert_eq!(fault, "expected avx512, avx2, neon or baseline, found \"avx1024\"");
    }
}
