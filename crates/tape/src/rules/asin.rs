//! asin: inverse sine, in radians; NaN outside [-1, 1]. Derivative: 1/√(1 - x²).

use super::prelude::*;

/// Inverse sine, in radians; NaN outside [-1, 1].
#[derive(Debug, Clone, Copy)]
pub struct Asin;

impl Pointwise for Asin {
    const NAME: &'static str = "asin";
    const USES_Y: bool = false;
    const COST: usize = 8;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.asin()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        ((x.like(1.0) - x) * (x.like(1.0) + x)).apply(super::rsqrt::Rsqrt)
    }
}

impl<T: Float> Var<'_, T> {
    /// Inverse sine, in radians; NaN outside [-1, 1]. Its derivative is 1/√(1 - x²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 1.0])).asin().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, std::f64::consts::FRAC_PI_2]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn asin(self) -> Self {
        self.pointwise(Asin)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("asin", Domain::Between(-0.99999, 0.99999), |x| case!(x, [], |x| x[0].asin()))
        .at(&[-0.99999, -0.5, 1e-9, 0.5, 0.99999])
}
