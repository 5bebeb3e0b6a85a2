//! recip: 1/x. Derivative: -y².

use super::prelude::*;

/// 1/x.
#[derive(Debug, Clone, Copy)]
pub struct Recip;

impl Pointwise for Recip {
    const NAME: &'static str = "recip";
    const USES_X: bool = false;
    const COST: usize = 2;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::ONE / x
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        -(y * y)
    }
    fn written(&self, x: Term) -> Term {
        Term::Number(1.0).over(x)
    }
}

impl<T: Float> Var<'_, T> {
    /// 1/x. Its derivative is -y².
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([4.0, -0.5])).recip().value()?;
    /// assert!(y.to_vec().iter().zip([0.25, -2.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "reciprocal")]
    #[track_caller]
    pub fn recip(self) -> Self {
        self.pointwise(Recip)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("recip", Domain::Away(1e-2, 1e3), |x| case!(x, [], |x| x[0].recip()))
        .at(&[1e-2, -1.0, 1.0, 1e3])
}
