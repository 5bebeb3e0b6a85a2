//! relu: max(0, x); NaN stays NaN. Derivative: 1 above 0, else 0.

use super::prelude::*;

/// max(0, x); NaN stays NaN.
#[doc(alias = "ReLU")]
#[derive(Debug, Clone, Copy)]
pub struct Relu;

impl Pointwise for Relu {
    const NAME: &'static str = "relu";
    const USES_X: bool = false;
    const COST: usize = 1;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        if x <= F::ZERO { F::ZERO } else { x }
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        R::select(y.le(y.like(0.0)), y.like(0.0), y.like(1.0))
    }
}

impl<T: Float> Var<'_, T> {
    /// max(0, x); NaN stays NaN. Its derivative is 1 above 0, else 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([-1.0, 2.0])).relu().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 2.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn relu(self) -> Self {
        self.pointwise(Relu)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("relu", Domain::Kinks(&[0.0]), |x| case!(x, [], |x| x[0].relu()))
}
