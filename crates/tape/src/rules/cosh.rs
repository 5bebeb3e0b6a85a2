//! cosh: hyperbolic cosine. Derivative: sinh x.

use super::prelude::*;

/// Hyperbolic cosine.
#[derive(Debug, Clone, Copy)]
pub struct Cosh;

impl Pointwise for Cosh {
    const NAME: &'static str = "cosh";
    const USES_Y: bool = false;
    const COST: usize = 8;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.cosh()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(super::sinh::Sinh)
    }
}

impl<T: Float> Var<'_, T> {
    /// Hyperbolic cosine. Its derivative is sinh x.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0])).cosh().value()?;
    /// assert!(y.to_vec().iter().zip([1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cosh(self) -> Self {
        self.pointwise(Cosh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("cosh", Domain::Between(-20.0, 20.0), |x| case!(x, [], |x| x[0].cosh()))
        .at(&[0.0, 1e-9, 3e-4, 0.3466, -1.0, 20.0, -20.0])
}
