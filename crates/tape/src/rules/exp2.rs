//! exp2: 2ˣ. Derivative: y ln 2.

use super::prelude::*;

/// 2ˣ.
#[derive(Debug, Clone, Copy)]
pub struct Exp2;

impl Pointwise for Exp2 {
    const NAME: &'static str = "exp2";
    const USES_X: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.exp2()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        y.scale(std::f64::consts::LN_2)
    }
}

impl<T: Float> Var<'_, T> {
    /// 2ˣ. Its derivative is y ln 2.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([3.0, -1.0])).exp2().value()?;
    /// assert!(y.to_vec().iter().zip([8.0, 0.5]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn exp2(self) -> Self {
        self.pointwise(Exp2)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("exp2", Domain::Real, |x| case!(x, [], |x| x[0].exp2()))
        .at(&[1e-9, 0.5, -0.5, 1.5, 60.0, -126.5, -148.0])
}
