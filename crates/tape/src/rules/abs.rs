//! abs: |x|. Derivative: sign x, and 0 at 0.

use super::prelude::*;

/// |x|.
#[derive(Debug, Clone, Copy)]
pub struct Abs;

impl Pointwise for Abs {
    const NAME: &'static str = "abs";
    const USES_Y: bool = false;
    const COST: usize = 1;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.abs()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        R::select(
            x.lt(x.like(0.0)),
            x.like(-1.0),
            R::select(x.equals(x.like(0.0)), x.like(0.0), R::select(x.equals(x), x.like(1.0), x)),
        )
    }
}

impl<T: Float> Var<'_, T> {
    /// |x|. Its derivative is sign x, 0 at 0, and NaN at NaN.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([-2.0, 0.0])).abs().value()?;
    /// assert!(y.to_vec().iter().zip([2.0, 0.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn abs(self) -> Self {
        self.pointwise(Abs)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("abs", Domain::Kinks(&[0.0]), |x| case!(x, [], |x| x[0].abs()))
}
