//! Leaky ReLU: x above 0, α x below. It is often written max(αx, x), which is the same only for α ≤ 1; here it is defined
//! by cases.

use super::prelude::*;

/// x for x > 0, else α x.
#[doc(alias = "LeakyReLU")]
#[derive(Debug, Clone, Copy)]
pub struct LeakyRelu(pub f64);

impl Pointwise for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const COST: usize = 1;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        // Computed for every x: a choice between two values is vectorised, a branch is not.
        let scaled = x * F::from_f64(self.0);
        if x <= F::ZERO { scaled } else { x }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        R::select(x.le(x.like(0.0)), x.like(self.0), x.like(1.0))
    }
}

impl<T: Float> Var<'_, T> {
    /// x above 0, `slope` times x below.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([-2.0, 3.0])).leaky_relu(0.5).value()?.to_vec(), [-1.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn leaky_relu(self, slope: f64) -> Self {
        self.pointwise(LeakyRelu(slope))
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("leaky_relu", Domain::Kinks(&[0.0]), |x| case!(x, [], |x| x[0].leaky_relu(0.01)))
}
