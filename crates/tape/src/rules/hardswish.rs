//! hardswish: x · clamp(x + 3, 0, 6)/6 (Howard et al. 2019). Derivative: (2x + 3)/6 inside, 0 below -3, 1 above 3.

use super::prelude::*;

/// x · clamp(x + 3, 0, 6)/6 (Howard et al. 2019).
#[derive(Debug, Clone, Copy)]
pub struct Hardswish;

impl Pointwise for Hardswish {
    const NAME: &'static str = "hardswish";
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x * (x + F::from_f64(3.0)).maximum(F::ZERO).minimum(F::from_f64(6.0)) * F::from_f64(1.0 / 6.0)
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        {
            let inside = (x.scale(2.0) + x.like(3.0)).scale(1.0 / 6.0);
            let upper = R::select(x.lt(x.like(3.0)), inside, x.like(1.0));
            R::select(x.le(x.like(-3.0)), x.like(0.0), upper)
        }
    }
}

impl<T: Float> Var<'_, T> {
    /// x · clamp(x + 3, 0, 6)/6 (Howard et al. 2019). Its derivative is (2x + 3)/6 inside, 0 below -3, 1 above 3.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 6.0])).hardswish().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 6.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn hardswish(self) -> Self {
        self.pointwise(Hardswish)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("hardswish", Domain::Kinks(&[-3.0, 3.0]), |x| case!(x, [], |x| x[0].hardswish()))
        .at(&[0.0, -100.0, 1e4])
}
