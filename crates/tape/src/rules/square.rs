//! square: x². Derivative: 2x.

use super::prelude::*;

/// x².
#[derive(Debug, Clone, Copy)]
pub struct Square;

impl Pointwise for Square {
    const NAME: &'static str = "square";
    const USES_Y: bool = false;
    const COST: usize = 1;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x * x
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.scale(2.0)
    }
    fn written(&self, x: Term) -> Term {
        x.power(2.0)
    }
}

impl<T: Float> Var<'_, T> {
    /// x². Its derivative is 2x.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([3.0, -2.0])).square().value()?;
    /// assert!(y.to_vec().iter().zip([9.0, 4.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn square(self) -> Self {
        self.pointwise(Square)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("square", Domain::Real, |x| case!(x, [], |x| x[0].square()))
}
