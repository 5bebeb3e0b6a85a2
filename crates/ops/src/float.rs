//! The floating-point element types and the functions that kernels may call on them.

use crate::dtype::Element;
use crate::kernel::matmul::Gemm;
use crate::math::{double, single, special};
use crate::simd::Vector;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// `f32` or `f64`.
///
/// The functions of [`math::single`](crate::math::single) and [`math::double`](crate::math::double) are branch-free and
/// inlined, so that a loop over them vectorises for the instruction set found at run time; those modules state their
/// error bounds. The functions marked as not vectorised are those of the crate `libm`, and have the same bits on every machine too.
///
/// They are made for [`Tensor::map`](crate::Tensor::map) and kernels. A program that is compiled for any machine has no
/// instruction for a fused multiply-add, and in its own loops each one becomes a function call: `exp` takes about 30 ns
/// there, the standard library's 4 ns. Put such a loop into [`simd::with_fma`](crate::simd::with_fma), or use the
/// functions of the standard library.
pub trait Float:
    Element
    + Gemm
    + Vector
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + std::iter::Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The smallest positive number that is not denormal.
    const MIN_POSITIVE: Self;
    /// +∞.
    const INFINITY: Self;
    /// -∞.
    const NEG_INFINITY: Self;
    /// Not a number.
    const NAN: Self;

    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same number as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// |x|.
    fn abs(self) -> Self;
    /// √x, correctly rounded.
    fn sqrt(self) -> Self;
    /// `self · a + b` with one rounding.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// 2ˣ.
    fn exp2(self) -> Self;
    /// eˣ - 1, accurate near zero.
    fn expm1(self) -> Self;
    /// Natural logarithm.
    fn log(self) -> Self;
    /// log(1 + x), accurate near zero.
    fn log1p(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// 1 / (1 + e⁻ˣ).
    fn sigmoid(self) -> Self;
    /// Error function.
    fn erf(self) -> Self;
    /// 1 - erf(x), accurate in the tail.
    fn erfc(self) -> Self;
    /// Sine; use [`sin_any`](Float::sin_any) where [`trig_is_large`](Float::trig_is_large).
    fn sin(self) -> Self;
    /// Cosine; use [`cos_any`](Float::cos_any) where [`trig_is_large`](Float::trig_is_large).
    fn cos(self) -> Self;
    /// Whether the fast `sin` and `cos` lose accuracy at this argument.
    fn trig_is_large(self) -> bool;
    /// Sine at any argument (not vectorised).
    fn sin_any(self) -> Self;
    /// Cosine at any argument (not vectorised).
    fn cos_any(self) -> Self;
    /// Tangent; use [`tan_any`](Float::tan_any) where [`trig_is_large`](Float::trig_is_large).
    fn tan(self) -> Self;
    /// Tangent at any argument (not vectorised).
    fn tan_any(self) -> Self;
    /// Inverse tangent.
    fn atan(self) -> Self;
    /// Inverse sine; NaN outside of [-1, 1].
    fn asin(self) -> Self;
    /// Inverse cosine; NaN outside of [-1, 1].
    fn acos(self) -> Self;
    /// Hyperbolic sine.
    fn sinh(self) -> Self;
    /// Hyperbolic cosine.
    fn cosh(self) -> Self;
    /// Inverse hyperbolic sine.
    fn asinh(self) -> Self;
    /// Inverse hyperbolic cosine; NaN below 1.
    fn acosh(self) -> Self;
    /// Inverse hyperbolic tangent; ±∞ at ±1, NaN beyond.
    fn atanh(self) -> Self;
    /// Logarithm to base 2.
    fn log2(self) -> Self;
    /// Logarithm to base 10.
    fn log10(self) -> Self;
    /// log |Γ(x)|; +∞ at 0 and the negative integers.
    fn lgamma(self) -> Self;
    /// Inverse of the error function; ±∞ at ±1, NaN beyond.
    fn erfinv(self) -> Self;
    /// √(self² + o²) without overflow.
    fn hypot(self, o: Self) -> Self;
    /// The angle of the point (o, self), in radians.
    fn atan2(self, o: Self) -> Self;
    /// The remainder of `self / o` with the sign of `self`; use [`fmod_any`](Float::fmod_any) where
    /// [`fmod_is_large`](Float::fmod_is_large).
    fn fmod(self, o: Self) -> Self;
    /// Whether the fast `fmod` is wrong for these operands, whose quotient is large.
    fn fmod_is_large(self, o: Self) -> bool;
    /// The remainder of any quotient (not vectorised).
    fn fmod_any(self, o: Self) -> Self;
    /// `self` to the power `y`.
    fn powf(self, y: Self) -> Self;
    /// Largest integer not above `self`.
    fn floor(self) -> Self;
    /// Smallest integer not below `self`.
    fn ceil(self) -> Self;
    /// Nearest integer; halves round to even.
    fn round(self) -> Self;
    /// Integer part.
    fn trunc(self) -> Self;
    /// Whether this is NaN.
    fn is_nan(self) -> bool;
    /// Whether this is neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// The larger of two numbers; NaN if either is NaN.
    #[inline(always)]
    fn maximum(self, o: Self) -> Self {
        if self > o || self.is_nan() { self } else { o }
    }

    /// The smaller of two numbers; NaN if either is NaN.
    #[inline(always)]
    fn minimum(self, o: Self) -> Self {
        if self < o || self.is_nan() { self } else { o }
    }

    /// The nearest number to `n`.
    #[inline(always)]
    fn from_usize(n: usize) -> Self {
        Self::from_f64(n as f64)
    }
}

macro_rules! float {
    ($t:ident, $math:ident, $lgamma:path, $erfinv:path, [$sin:path, $cos:path, $tan:path]) => {
        impl Float for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $t::EPSILON;
            const MAX: Self = $t::MAX;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const INFINITY: Self = $t::INFINITY;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const NAN: Self = $t::NAN;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn powf(self, y: Self) -> Self {
                $math::powf(self, y)
            }
            #[inline(always)]
            fn hypot(self, o: Self) -> Self {
                $math::hypot(self, o)
            }
            #[inline(always)]
            fn atan2(self, o: Self) -> Self {
                $math::atan2(self, o)
            }
            #[inline(always)]
            fn fmod(self, o: Self) -> Self {
                $math::fmod(self, o)
            }
            #[inline(always)]
            fn fmod_is_large(self, o: Self) -> bool {
                $math::fmod_is_large(self, o)
            }
            #[inline(always)]
            fn fmod_any(self, o: Self) -> Self {
                self % o
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn trig_is_large(self) -> bool {
                $math::trig_is_large(self)
            }
            float!(@unary $t: abs = $t::abs, sqrt = $t::sqrt, floor = $t::floor, ceil = $t::ceil,
                round = $t::round_ties_even, trunc = $t::trunc, sinh = $math::sinh, cosh = $math::cosh, tan = $math::tan,
                asin = $math::asin, acos = $math::acos, atan = $math::atan, asinh = $math::asinh,
                acosh = $math::acosh, atanh = $math::atanh, log2 = $math::log2, log10 = $math::log10,
                lgamma = $lgamma, erfinv = $erfinv, tan_any = $tan,
                sin_any = $sin, cos_any = $cos, exp = $math::exp, exp2 = $math::exp2, expm1 = $math::expm1,
                log = $math::ln, log1p = $math::ln_1p, tanh = $math::tanh, sigmoid = $math::sigmoid,
                erf = $math::erf, erfc = $math::erfc, sin = $math::sin, cos = $math::cos);
        }
    };
    (@unary $t:ident: $($name:ident = $f:path),*) => {$(
        #[inline(always)]
        fn $name(self) -> Self {
            $f(self)
        }
    )*};
}
float!(f32, single, single::log_gamma, single::erf_inv, [libm::sinf, libm::cosf, libm::tanf]);
float!(f64, double, special::log_gamma, special::erf_inv, [libm::sin, libm::cos, libm::tan]);
