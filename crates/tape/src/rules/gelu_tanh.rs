//! gelu_tanh: x (1 + tanh u)/2 with u = √(2/π) (x + 0.044715 x³), the approximation of GPT-2. Derivative:
//! (1 + t)/2 + x (1 - t²)/2 du/dx with t = tanh u.

use super::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The coefficient of x³ that approximates the exact form best.
const CUBIC: f64 = 0.044715;

/// x (1 + tanh u)/2 with u = √(2/π) (x + 0.044715 x³), the approximation of GPT-2.
#[doc(alias = "GELU")]
#[derive(Debug, Clone, Copy)]
pub struct GeluTanh;

impl Pointwise for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const USES_Y: bool = false;
    const COST: usize = 20;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        {
            // (1 + tanh u)/2 is the sigmoid of 2u, which is accurate in the lower tail.
            let u = F::from_f64(FRAC_2_SQRT_PI * FRAC_1_SQRT_2) * (x + F::from_f64(CUBIC) * x * x * x);
            x * (u + u).sigmoid()
        }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        {
            // Beyond ±30 the sigmoid is 0 or 1; x³ may overflow there, and infinity times zero would be NaN.
            let x = R::select(x.lt(x.like(-30.0)), x.like(-30.0), x);
            let x = R::select(x.like(30.0).lt(x), x.like(30.0), x);
            let k = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
            let s = (x + (x * x * x).scale(CUBIC)).scale(2.0 * k).apply(super::sigmoid::Sigmoid);
            let du = (x.like(1.0) + (x * x).scale(3.0 * CUBIC)).scale(k);
            s + x * s * (x.like(1.0) - s) * du.scale(2.0)
        }
    }
}

impl<T: Float> Var<'_, T> {
    /// x (1 + tanh u)/2 with u = √(2/π) (x + 0.044715 x³), the approximation of GPT-2. Its derivative is (1 + t)/2 + x (1 -
    /// t²)/2 du/dx with t = tanh u.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 100.0])).gelu_tanh().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 100.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "gelu")]
    #[track_caller]
    pub fn gelu_tanh(self) -> Self {
        self.pointwise(GeluTanh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("gelu_tanh", Domain::Real, |x| case!(x, [], |x| x[0].gelu_tanh()))
        .at(&[1e-9, -1.0, -3.0, -5.0, 10.0, -10.0, 1e4, -1e4])
}
