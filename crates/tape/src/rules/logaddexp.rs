//! logaddexp: log(eᵃ + eᵇ), which never overflows, broadcasting. Derivatives: σ(a - b) and σ(b - a).

use super::prelude::*;

/// log(eᵃ + eᵇ), which never overflows.
#[derive(Debug, Clone, Copy)]
pub struct LogAddExp;

/// σ(d); ½ where both operands are the same infinity and d is NaN.
#[inline(always)]
fn share<R: Real>(d: R) -> R {
    R::select(d.equals(d), d, d.like(0.0)).apply(super::sigmoid::Sigmoid)
}

impl Pointwise2 for LogAddExp {
    const NAME: &'static str = "logaddexp";
    const COST: usize = 12;
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        let d = if a == b { F::ZERO } else { (a - b).abs() };
        a.maximum(b) + (-d).exp().log1p()
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        share(a - b)
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, b: R, _y: R) -> R {
        share(b - a)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// log(eᵃ + eᵇ), which never overflows, with this value as a; operands broadcast. Its derivatives are σ(a - b) and
    /// σ(b - a).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1000.0])).logaddexp(Tensor::from([1000.0]));
    /// assert!((y.item()? - [1000.0 + std::f64::consts::LN_2][0] as f64).abs() < 1e-12);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn logaddexp(self, b: impl Operand<'t, T>) -> Self {
        self.pointwise2(b, LogAddExp)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("logaddexp", Order::Second, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real)], [], |x| x[0].logaddexp(x[1]))
    })
    .at(&[0.0, 1e-9, 20.0, -37.0, 88.0, -745.0, 1e4])
}
