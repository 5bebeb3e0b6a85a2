//! log1p: log(1 + x), accurate near zero. Derivative: 1/(1 + x).

use super::prelude::*;

/// log(1 + x), accurate near zero.
#[derive(Debug, Clone, Copy)]
pub struct Log1p;

impl Pointwise for Log1p {
    const NAME: &'static str = "log1p";
    const USES_Y: bool = false;
    const COST: usize = 6;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.log1p()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(1.0) / (x.like(1.0) + x)
    }
}

impl<T: Float> Var<'_, T> {
    /// log(1 + x), accurate near zero. Its derivative is 1/(1 + x).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 1e-18])).log1p().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 1e-18]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn log1p(self) -> Self {
        self.pointwise(Log1p)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("log1p", Domain::Between(-0.999, 1e3), |x| case!(x, [], |x| x[0].log1p())).at(&[
        -0.999,
        -0.29289322,
        -1e-8,
        0.0,
        1e-8,
        1e-16,
        0.41421356,
        1e3,
    ])
}
