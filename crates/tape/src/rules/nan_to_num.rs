//! nan_to_num: NaN and infinities replaced by numbers. Derivative: 1 where x is finite, 0 where it was
//! replaced.

use super::prelude::*;

/// x where it is finite, else a number.
#[derive(Debug, Clone, Copy)]
pub struct NanToNum {
    /// The replacement of NaN.
    pub nan: f64,
    /// The replacement of +∞; `None` for the largest number of the element type.
    pub above: Option<f64>,
    /// The replacement of -∞; `None` for the least number of the element type.
    pub below: Option<f64>,
}

impl Pointwise for NanToNum {
    const NAME: &'static str = "nan_to_num";
    const COST: usize = 3;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let above = self.above.map_or(F::MAX, F::from_f64);
        let nan = F::from_f64(self.nan);
        let below = self.below.map_or(-F::MAX, F::from_f64);
        let y = if x == F::INFINITY { above } else { x };
        let y = if x == F::NEG_INFINITY { below } else { y };
        if x.is_nan() { nan } else { y }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        // 0 x is 0 for finite x, NaN otherwise.
        R::select(x.scale(0.0).equals(x.like(0.0)), x.like(1.0), x.like(0.0))
    }
}

impl<T: Float> Var<'_, T> {
    /// This value with NaN replaced by `nan`, +∞ by `above` and -∞ by `below` (`None`: the largest and the least finite
    /// number). Replaced elements get no gradient.
    ///
    /// It cleans values, not the operations that computed them: if x comes from an operation that is not finite there, the
    /// gradient before that operation may be 0 · ∞. Instead, [`select`](Var::select) a harmless argument before such an
    /// operation.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(Tensor::from([f64::NAN, 2.0, f64::NEG_INFINITY]));
    /// let y = x.nan_to_num(0.0, None, Some(-9.0));
    /// assert_eq!(y.value()?.to_vec(), [0.0, 2.0, -9.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [0.0, 1.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn nan_to_num(self, nan: f64, above: Option<f64>, below: Option<f64>) -> Self {
        self.pointwise(NanToNum { nan, above, below })
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("nan_to_num", Order::Second, |g| {
        let (shape, holes) = (g.shape(0..=3), g.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.5]));
        case!(vec![g.tensor(&shape, Domain::NON_ZERO)], [], |x| {
            let x = x[0].masked_fill(x[0].gt(1.5), holes) * 1.0;
            x.nan_to_num(0.25, Some(1.0), Some(-1.0))
        })
    })
}
