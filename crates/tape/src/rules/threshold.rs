//! threshold: x above a threshold, else a constant. Derivative: 1 above, 0 at the threshold and below.

use super::prelude::*;

/// x for x > `threshold`, else `value`.
#[derive(Debug, Clone, Copy)]
pub struct Threshold {
    /// x passes above this number.
    pub threshold: f64,
    /// The result elsewhere.
    pub value: f64,
}

impl Pointwise for Threshold {
    const NAME: &'static str = "threshold";
    const COST: usize = 1;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let (threshold, value) = (F::from_f64(self.threshold), F::from_f64(self.value));
        if x <= threshold { value } else { x }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        R::select(x.le(x.like(self.threshold)), x.like(0.0), x.like(1.0))
    }
}

impl<T: Float> Var<'_, T> {
    /// This value where it is above `threshold`, elsewhere `value`; NaN stays NaN.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([0.5, 2.0])).threshold(1.0, -1.0).value()?.to_vec(), [-1.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn threshold(self, threshold: f64, value: f64) -> Self {
        self.pointwise(Threshold { threshold, value })
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("threshold", Order::First, |g| {
        let shape = g.shape(0..=3);
        // At a jump there is no derivative to find; without a jump there is a kink.
        let (value, domain) = g.pick(&[(-2.0, Domain::NON_ZERO), (0.25, Domain::Kinks(&[0.25]))]);
        case!(vec![g.tensor(&shape, domain)], [], |x| x[0].threshold(0.25, value))
    })
}
