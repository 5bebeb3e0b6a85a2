//! exp: eˣ. Derivative: y.

use super::prelude::*;

/// eˣ.
#[derive(Debug, Clone, Copy)]
pub struct Exp;

impl Pointwise for Exp {
    const NAME: &'static str = "exp";
    const USES_X: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.exp()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        y
    }
}

impl<T: Float> Var<'_, T> {
    /// eˣ. Its derivative is y.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 1.0])).exp().value()?;
    /// assert!(y.to_vec().iter().zip([1.0, std::f64::consts::E]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn exp(self) -> Self {
        self.pointwise(Exp)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("exp", Domain::Real, |x| case!(x, [], |x| x[0].exp())).at(&[
        1e-9,
        0.34657359,
        -0.34657359,
        40.0,
        -40.0,
        -87.5,
        -103.0,
    ])
}
