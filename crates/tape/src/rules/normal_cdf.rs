//! normal_cdf: the standard normal distribution function Φ(x) = ½ erfc(-x/√2), accurate in the lower tail. Derivative: the
//! density φ(x).

use super::prelude::*;
use std::f64::consts::FRAC_1_SQRT_2;

/// The standard normal distribution function ½ erfc(-x/√2).
#[derive(Debug, Clone, Copy)]
pub struct NormalCdf;

impl Pointwise for NormalCdf {
    const NAME: &'static str = "normal_cdf";
    const USES_Y: bool = false;
    const COST: usize = 13;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::from_f64(0.5) * (x * F::from_f64(-FRAC_1_SQRT_2)).erfc()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(super::normal_pdf::NormalPdf)
    }
}

impl<T: Float> Var<'_, T> {
    /// The standard normal distribution function Φ(x) = ½ erfc(-x/√2). Its derivative is the density
    /// [`normal_pdf`](Var::normal_pdf). Its logarithm is [`log_ndtr`](Var::log_ndtr), which stays finite where Φ rounds
    /// to 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, f64::NEG_INFINITY, f64::INFINITY])).normal_cdf().value()?;
    /// assert_eq!(y.to_vec(), [0.5, 0.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "ndtr")]
    #[track_caller]
    pub fn normal_cdf(self) -> Self {
        self.pointwise(NormalCdf)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("normal_cdf", Domain::Real, |x| case!(x, [], |x| x[0].normal_cdf()))
        .at(&[1e-9, 1.13137, -1.13137, -5.0, -9.0, -14.0, -30.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_tail_is_relatively_accurate() {
        // mpmath.ncdf at 50 digits.
        for (x, want) in
            [(-1.0, 0.15865525393145705), (-10.0, 7.619853024160527e-24), (-37.0, 5.725571222524577e-300)]
        {
            let y: f64 = NormalCdf.f(x);
            assert!((y / want - 1.0).abs() < 1e-12, "{x}: {y}");
        }
    }
}
