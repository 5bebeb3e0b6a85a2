//! erfc: complementary error function 1 - erf x, accurate in the tail. Derivative: -2/√π e^(-x²).

use super::prelude::*;

/// Complementary error function 1 - erf x, accurate in the tail.
#[derive(Debug, Clone, Copy)]
pub struct Erfc;

impl Pointwise for Erfc {
    const NAME: &'static str = "erfc";
    const USES_Y: bool = false;
    const COST: usize = 12;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.erfc()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        (-(x * x)).apply(super::exp::Exp).scale(-std::f64::consts::FRAC_2_SQRT_PI)
    }
}

impl<T: Float> Var<'_, T> {
    /// Complementary error function 1 - erf x, accurate in the tail. Its derivative is -2/√π e^(-x²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, f64::NEG_INFINITY])).erfc().value()?;
    /// assert!(y.to_vec().iter().zip([1.0, 2.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn erfc(self) -> Self {
        self.pointwise(Erfc)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("erfc", Domain::Real, |x| case!(x, [], |x| x[0].erfc()))
        .at(&[1e-9, 0.8, -0.8, 0.85, 4.0, 9.0, 10.2, 26.0, 27.5, -3.0])
}
