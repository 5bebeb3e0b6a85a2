//! sigmoid: logistic function 1/(1 + e⁻ˣ). Derivative: y(1 - y).

use super::prelude::*;

/// Logistic function 1/(1 + e⁻ˣ).
#[derive(Debug, Clone, Copy)]
pub struct Sigmoid;

impl Pointwise for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const USES_X: bool = false;
    const COST: usize = 6;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.sigmoid()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        y * (y.like(1.0) - y)
    }
}

impl<T: Float> Var<'_, T> {
    /// Logistic function 1/(1 + e⁻ˣ). Its derivative is y(1 - y).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, -800.0])).sigmoid().value()?;
    /// assert!(y.to_vec().iter().zip([0.5, 0.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn sigmoid(self) -> Self {
        self.pointwise(Sigmoid)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("sigmoid", Domain::Real, |x| case!(x, [], |x| x[0].sigmoid()))
        .at(&[0.0, 1e-9, -20.0, -88.0, -103.0]) // for large x 1 - y is rounded, which affects differences of the slope
        .gradient_in_units_of(0.25) // relative to its largest, also for single precision
}
