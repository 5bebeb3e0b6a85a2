//! hardsigmoid: clamp(x/6 + 1/2, 0, 1) (Howard et al. 2019). Derivative: 1/6 inside, 0 outside and at the corners.

use super::prelude::*;

/// clamp(x/6 + 1/2, 0, 1) (Howard et al. 2019).
#[derive(Debug, Clone, Copy)]
pub struct Hardsigmoid;

impl Pointwise for Hardsigmoid {
    const NAME: &'static str = "hardsigmoid";
    const USES_Y: bool = false;
    const COST: usize = 3;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        (x * F::from_f64(1.0 / 6.0) + F::from_f64(0.5)).maximum(F::ZERO).minimum(F::ONE)
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        {
            let inside = R::select(x.lt(x.like(3.0)), x.like(1.0 / 6.0), x.like(0.0));
            R::select(x.le(x.like(-3.0)), x.like(0.0), inside)
        }
    }
}

impl<T: Float> Var<'_, T> {
    /// clamp(x/6 + 1/2, 0, 1) (Howard et al. 2019). Its derivative is 1/6 inside, 0 outside and at the corners.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 5.0])).hardsigmoid().value()?;
    /// assert!(y.to_vec().iter().zip([0.5, 1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn hardsigmoid(self) -> Self {
        self.pointwise(Hardsigmoid)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("hardsigmoid", Domain::Kinks(&[-3.0, 3.0]), |x| case!(x, [], |x| x[0].hardsigmoid()))
        .at(&[0.0, -100.0, 1e4])
}
