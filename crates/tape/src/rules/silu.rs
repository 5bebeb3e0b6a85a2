//! silu: x σ(x), also called swish (Elfwing et al. 2018). Derivative: σ(x) + y (1 - σ(x)).

use super::prelude::*;

/// x σ(x), also called swish (Elfwing et al. 2018).
#[doc(alias = "SiLU")]
#[derive(Debug, Clone, Copy)]
pub struct Silu;

impl Pointwise for Silu {
    const NAME: &'static str = "silu";
    const COST: usize = 7;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x * x.sigmoid()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, y: R) -> R {
        {
            let s = x.apply(super::sigmoid::Sigmoid);
            s + y * (y.like(1.0) - s)
        }
    }
}

impl<T: Float> Var<'_, T> {
    /// x σ(x), also called swish (Elfwing et al. 2018). Its derivative is σ(x) + y (1 - σ(x)).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 100.0])).silu().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 100.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn silu(self) -> Self {
        self.pointwise(Silu)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("silu", Domain::Real, |x| case!(x, [], |x| x[0].silu()))
        .at(&[0.0, 1e-9, 20.0, -20.0, 37.0, -88.0, -103.0, 1e4])
}
