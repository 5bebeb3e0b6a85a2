//! tanh: hyperbolic tangent. Derivative: 1 - y².

use super::prelude::*;

/// Hyperbolic tangent.
#[derive(Debug, Clone, Copy)]
pub struct Tanh;

impl Pointwise for Tanh {
    const NAME: &'static str = "tanh";
    const USES_X: bool = false;
    const COST: usize = 8;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.tanh()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        y.like(1.0) - y * y
    }
}

impl<T: Float> Var<'_, T> {
    /// Hyperbolic tangent. Its derivative is 1 - y².
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 100.0])).tanh().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn tanh(self) -> Self {
        self.pointwise(Tanh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("tanh", Domain::Real, |x| case!(x, [], |x| x[0].tanh()))
        .at(&[0.0, 1e-9, 1e-5, -0.17, 0.5493, 5.0, -10.0, 20.0])
        // Its slope is 1 - y², so it has the absolute accuracy of y.
        .in_units_of(1.0)
}
