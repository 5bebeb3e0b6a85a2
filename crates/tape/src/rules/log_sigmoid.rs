//! log_sigmoid: log σ(x), stable for large x of either sign. Derivative: σ(-x).

use super::prelude::*;

/// log σ(x), stable for large x of either sign.
#[derive(Debug, Clone, Copy)]
pub struct LogSigmoid;

impl Pointwise for LogSigmoid {
    const NAME: &'static str = "log_sigmoid";
    const USES_Y: bool = false;
    const COST: usize = 12;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.minimum(F::ZERO) - (-x.abs()).exp().log1p()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        (-x).apply(super::sigmoid::Sigmoid)
    }
}

impl<T: Float> Var<'_, T> {
    /// log σ(x), stable for large x of either sign. Its derivative is σ(-x).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, -1000.0])).log_sigmoid().value()?;
    /// assert!(y.to_vec().iter().zip([-std::f64::consts::LN_2, -1000.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "logsigmoid")]
    #[track_caller]
    pub fn log_sigmoid(self) -> Self {
        self.pointwise(LogSigmoid)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("log_sigmoid", Domain::Real, |x| case!(x, [], |x| x[0].log_sigmoid()))
        .at(&[0.0, 1e-9, 20.0, -20.0, 37.0, 88.0, 104.0, -745.0])
}
