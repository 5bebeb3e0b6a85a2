//! sinh: hyperbolic sine. Derivative: cosh x.

use super::prelude::*;

/// Hyperbolic sine.
#[derive(Debug, Clone, Copy)]
pub struct Sinh;

impl Pointwise for Sinh {
    const NAME: &'static str = "sinh";
    const USES_Y: bool = false;
    const COST: usize = 8;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.sinh()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(super::cosh::Cosh)
    }
}

impl<T: Float> Var<'_, T> {
    /// Hyperbolic sine. Its derivative is cosh x.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0])).sinh().value()?;
    /// assert!(y.to_vec().iter().zip([0.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn sinh(self) -> Self {
        self.pointwise(Sinh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("sinh", Domain::Between(-20.0, 20.0), |x| case!(x, [], |x| x[0].sinh()))
        .at(&[0.0, 1e-9, 0.3466, -1.0, 20.0, -20.0])
}
