//! expm1: eˣ - 1, accurate near zero. Derivative: eˣ, not computed as y + 1, which has no digits left far below 0.

use super::prelude::*;

/// eˣ - 1, accurate near zero.
#[derive(Debug, Clone, Copy)]
pub struct Expm1;

impl Pointwise for Expm1 {
    const NAME: &'static str = "expm1";
    const USES_Y: bool = false;
    const COST: usize = 6;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.expm1()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(super::exp::Exp)
    }
}

impl<T: Float> Var<'_, T> {
    /// eˣ - 1, accurate near zero. Its derivative is eˣ.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 1e-18])).expm1().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 1e-18]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn expm1(self) -> Self {
        self.pointwise(Expm1)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("expm1", Domain::Real, |x| case!(x, [], |x| x[0].expm1())).at(&[
        1e-8,
        -1e-8,
        1e-16,
        0.34657359,
        -0.34657359,
        -20.0,
        -40.0,
        40.0,
    ])
}
