//! mish: x tanh(log(1 + eˣ)) (Misra 2019). Derivative: t + x (1 - t²) σ(x) with t = tanh(log(1 + eˣ)).

use super::prelude::*;

/// x tanh(log(1 + eˣ)) (Misra 2019).
#[derive(Debug, Clone, Copy)]
pub struct Mish;

impl Pointwise for Mish {
    const NAME: &'static str = "mish";
    const USES_Y: bool = false;
    const COST: usize = 20;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x * (x.maximum(F::ZERO) + (-x.abs()).exp().log1p()).tanh()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let t = x.apply(super::softplus::Softplus).apply(super::tanh::Tanh);
        t + x * (x.like(1.0) - t * t) * x.apply(super::sigmoid::Sigmoid)
    }
}

impl<T: Float> Var<'_, T> {
    /// x tanh(log(1 + eˣ)) (Misra 2019). Its derivative is t + x (1 - t²) σ(x) with t = tanh(log(1 + eˣ)).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 100.0])).mish().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 100.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn mish(self) -> Self {
        self.pointwise(Mish)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("mish", Domain::Real, |x| case!(x, [], |x| x[0].mish()))
        .at(&[0.0, 1e-9, 20.0, -20.0, 37.0, -88.0, 1e4])
}
