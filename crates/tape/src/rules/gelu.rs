//! gelu: x Φ(x) = x (1 + erf(x/√2))/2, the exact form (Hendrycks and Gimpel 2016). Derivative: Φ(x) + x φ(x).

use super::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// x Φ(x) = x (1 + erf(x/√2))/2, the exact form (Hendrycks and Gimpel 2016).
#[doc(alias = "GELU")]
#[derive(Debug, Clone, Copy)]
pub struct Gelu;

impl Pointwise for Gelu {
    const NAME: &'static str = "gelu";
    const USES_Y: bool = false;
    const COST: usize = 20;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        {
            let half_x = x * F::from_f64(0.5);
            half_x * (-x * F::from_f64(FRAC_1_SQRT_2)).erfc()
        }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        {
            // Accurate in the lower tail too.
            let cdf = x.apply(super::normal_cdf::NormalCdf);
            let pdf = (x * x).scale(-0.5).apply(super::exp::Exp).scale(0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
            cdf + x * pdf
        }
    }
}

impl<T: Float> Var<'_, T> {
    /// x Φ(x) = x (1 + erf(x/√2))/2, the exact form (Hendrycks and Gimpel 2016). Its derivative is Φ(x) + x φ(x).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 100.0])).gelu().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 100.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn gelu(self) -> Self {
        self.pointwise(Gelu)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("gelu", Domain::Real, |x| case!(x, [], |x| x[0].gelu()))
        .at(&[1e-9, 1.13137, -1.13137, -5.0, -9.0, -13.0, 13.0, 1e4, -1e4])
}
