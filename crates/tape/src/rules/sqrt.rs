//! sqrt: √x; the derivative at 0 is ∞. Derivative: 1/(2y).

use super::prelude::*;

/// √x; the derivative at 0 is ∞.
#[derive(Debug, Clone, Copy)]
pub struct Sqrt;

impl Pointwise for Sqrt {
    const NAME: &'static str = "sqrt";
    const USES_X: bool = false;
    const COST: usize = 3;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.sqrt()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        y.like(0.5) / y
    }
}

impl<T: Float> Var<'_, T> {
    /// √x; the derivative at 0 is ∞. Its derivative is 1/(2y).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([4.0, 9.0])).sqrt().value()?;
    /// assert!(y.to_vec().iter().zip([2.0, 3.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn sqrt(self) -> Self {
        self.pointwise(Sqrt)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("sqrt", Domain::Between(1e-3, 1e3), |x| case!(x, [], |x| x[0].sqrt()))
        .at(&[1e-3, 1.0, 4.0, 1e3])
}
