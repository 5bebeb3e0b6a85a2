//! The functions of a number, for formulas and for code that is generic over [`Real`].

use crate::number::Real;
use crate::rules;

macro_rules! elementary {
    ($($(#[$doc:meta])* $name:ident = $rule:expr;)*) => {
        /// The usual functions, for every [`Real`]: numbers, [`Expr`](super::Expr)essions in formulas, and values of a
        /// tape.
        ///
        /// A function that is generic over `R: Real` can be evaluated on numbers and given to
        /// [`Var::map`](crate::Var::map):
        ///
        /// ```
        /// use wengert_ops::Tensor;
        /// use wengert_tape::{Elementary, Real, Tape};
        ///
        /// /// The density of the standard normal distribution.
        /// fn density<R: Real>(x: R) -> R {
        ///     (x.square().scale(-0.5)).exp().scale(1.0 / (2.0 * std::f64::consts::PI).sqrt())
        /// }
        ///
        /// let tape = Tape::new();
        /// let x = tape.var(Tensor::from([0.0, 1.0]));
        /// let y = x.map(|s| density(s));
        /// assert!((y.value()?.to_vec()[1] - density(1.0)).abs() < 1e-15);
        /// let slope = y.sum().backward()?.wrt(x)?;              // -x times the density
        /// assert!((slope.to_vec()[1] + density(1.0)).abs() < 1e-15);
        /// # Ok::<(), wengert_tape::Error>(())
        /// ```
        pub trait Elementary: Real {
            $($(#[$doc])*
            #[inline(always)]
            #[track_caller]
            fn $name(self) -> Self {
                self.apply($rule)
            })*

            /// This number to the power of a constant.
            #[inline(always)]
            #[track_caller]
            fn power(self, p: f64) -> Self {
                self.apply(rules::pow::Powf(p))
            }

            /// This number to the power of another.
            #[inline(always)]
            #[track_caller]
            fn power_of(self, p: Self) -> Self {
                self.apply2(p, rules::pow::Power)
            }

            /// The larger of two; NaN if either is.
            #[inline(always)]
            #[track_caller]
            fn larger(self, o: Self) -> Self {
                self.apply2(o, rules::maximum::Pick::<true>)
            }

            /// The smaller of two; NaN if either is.
            #[inline(always)]
            #[track_caller]
            fn smaller(self, o: Self) -> Self {
                self.apply2(o, rules::maximum::Pick::<false>)
            }

            /// √(x² + y²) without overflow.
            #[inline(always)]
            #[track_caller]
            fn hypot(self, o: Self) -> Self {
                self.apply2(o, rules::hypot::Hypot)
            }

            /// The angle of the point (o, self), in radians.
            #[inline(always)]
            #[track_caller]
            fn atan2(self, o: Self) -> Self {
                self.apply2(o, rules::atan2::Atan2)
            }
        }
    };
}
elementary! {
    /// |x|.
    abs = rules::abs::Abs;
    /// √x.
    sqrt = rules::sqrt::Sqrt;
    /// 1/√x.
    rsqrt = rules::rsqrt::Rsqrt;
    /// 1/x.
    recip = rules::recip::Recip;
    /// x².
    square = rules::square::Square;
    /// eˣ.
    exp = rules::exp::Exp;
    /// 2ˣ.
    exp2 = rules::exp2::Exp2;
    /// eˣ - 1, accurate near zero.
    expm1 = rules::expm1::Expm1;
    /// Natural logarithm.
    log = rules::log::Log;
    /// log(1 + x), accurate near zero.
    log1p = rules::log1p::Log1p;
    /// Logarithm to base 2.
    log2 = rules::log2::Log2;
    /// Logarithm to base 10.
    log10 = rules::log10::Log10;
    /// Sine.
    sin = rules::sin::Sin;
    /// Cosine.
    cos = rules::cos::Cos;
    /// Tangent.
    tan = rules::tan::Tan;
    /// Inverse sine.
    asin = rules::asin::Asin;
    /// Inverse cosine.
    acos = rules::acos::Acos;
    /// Inverse tangent.
    atan = rules::atan::Atan;
    /// Hyperbolic sine.
    sinh = rules::sinh::Sinh;
    /// Hyperbolic cosine.
    cosh = rules::cosh::Cosh;
    /// Hyperbolic tangent.
    tanh = rules::tanh::Tanh;
    /// Inverse hyperbolic sine.
    asinh = rules::asinh::Asinh;
    /// Inverse hyperbolic cosine.
    acosh = rules::acosh::Acosh;
    /// Inverse hyperbolic tangent.
    atanh = rules::atanh::Atanh;
    /// Error function.
    erf = rules::erf::Erf;
    /// 1 - erf(x), accurate for large x.
    erfc = rules::erfc::Erfc;
    /// The standard normal distribution function Φ.
    normal_cdf = rules::normal_cdf::NormalCdf;
    /// log Φ, accurate in both tails.
    log_ndtr = rules::log_ndtr::LogNdtr;
    /// The standard normal density φ.
    normal_pdf = rules::normal_pdf::NormalPdf;
    /// 1 / (1 + e⁻ˣ).
    sigmoid = rules::sigmoid::Sigmoid;
    /// log(1 + eˣ).
    softplus = rules::softplus::Softplus;
    /// log of the sigmoid.
    log_sigmoid = rules::log_sigmoid::LogSigmoid;
    /// max(x, 0).
    relu = rules::relu::Relu;
    /// x sigmoid(x).
    silu = rules::silu::Silu;
    /// x Φ(x), with the normal distribution function Φ.
    gelu = rules::gelu::Gelu;
}

impl<R: Real> Elementary for R {}
