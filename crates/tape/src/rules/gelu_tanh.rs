//! gelu_tanh: x (1 + tanh u)/2 with u = √(2/π) (x + 0.044715 x³), the approximation of GPT-2. Derivative: (1 + t)/2 + x (1 - t²)/2 du/dx with t = tanh u.

use super::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The weight of x³ that fits the exact form best.
const CUBIC: f64 = 0.044715;

/// X (1 + tanh u)/2 with u = √(2/π) (x + 0.044715 x³), the approximation of GPT-2.
#[derive(Debug, Clone, Copy)]
pub struct GeluTanh;

impl Pointwise for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const USES_Y: bool = false;
    const COST: usize = 20;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        {
            let u = F::from_f64(FRAC_2_SQRT_PI * FRAC_1_SQRT_2) * (x + F::from_f64(CUBIC) * x * x * x);
            F::from_f64(0.5) * x * (F::ONE + u.tanh())
        }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        {
            // Beyond ±10 the tanh is ±1; there x³ may overflow, and its infinity would meet a zero.
            let x = R::select(x.lt(x.like(-10.0)), x.like(-10.0), x);
            let x = R::select(x.like(10.0).lt(x), x.like(10.0), x);
            let k = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
            let t = (x + (x * x * x).scale(CUBIC)).scale(k).apply(super::tanh::Tanh);
            let du = (x.like(1.0) + (x * x).scale(3.0 * CUBIC)).scale(k);
            (x.like(1.0) + t).scale(0.5) + x * (x.like(1.0) - t * t) * du.scale(0.5)
        }
    }
}

impl<T: Float> Var<'_, T> {
    /// X (1 + tanh u)/2 with u = √(2/π) (x + 0.044715 x³), the approximation of GPT-2. Its derivative is (1 + t)/2 + x (1 - t²)/2 du/dx with t = tanh u.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 100.0])).gelu_tanh().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 100.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn gelu_tanh(self) -> Self {
        self.pointwise(GeluTanh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("gelu_tanh", Domain::Real, |x| case!(x, [], |x| x[0].gelu_tanh()))
}
