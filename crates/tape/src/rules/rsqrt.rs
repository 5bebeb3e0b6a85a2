//! rsqrt: 1/√x. Derivative: -y³/2.

use super::prelude::*;

/// 1/√x.
#[derive(Debug, Clone, Copy)]
pub struct Rsqrt;

impl Pointwise for Rsqrt {
    const NAME: &'static str = "rsqrt";
    const USES_X: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::ONE / x.sqrt()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        (y * y * y).scale(-0.5)
    }
}

impl<T: Float> Var<'_, T> {
    /// 1/√x. Its derivative is -y³/2.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([4.0, 0.25])).rsqrt().value()?;
    /// assert!(y.to_vec().iter().zip([0.5, 2.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn rsqrt(self) -> Self {
        self.pointwise(Rsqrt)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("rsqrt", Domain::Between(1e-3, 1e3), |x| case!(x, [], |x| x[0].rsqrt()))
        .at(&[1e-3, 1.0, 4.0, 1e3])
}
