//! logit: log(x/(1 - x)), the inverse of the sigmoid. Derivative: 1/(x (1 - x)).

use super::clamp::Clamp;
use super::prelude::*;

/// log(x/(1 - x)).
#[derive(Debug, Clone, Copy)]
pub struct Logit;

impl Pointwise for Logit {
    const NAME: &'static str = "logit";
    const COST: usize = 12;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        // From ¼ on, 2x - 1 is exact, so the zero at ½ costs no accuracy.
        let odds = x / (F::ONE - x);
        let above = ((x + x - F::ONE) / (F::ONE - x)).log1p();
        if x < F::from_f64(0.25) { odds.log() } else { above }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(1.0) / (x * (x.like(1.0) - x))
    }
}

/// x clamped between two bounds, with slope 1 at the bounds too: PyTorch's `logit` with `eps`, unlike its `clamp`.
#[derive(Debug, Clone, Copy)]
struct Within(Clamp);

impl Pointwise for Within {
    const NAME: &'static str = "logit_within";
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        self.0.f(x)
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let below_high = R::select(x.like(self.0.high).lt(x), x.like(0.0), x.like(1.0));
        R::select(x.lt(x.like(self.0.low)), x.like(0.0), below_high)
    }
}

impl<T: Float> Var<'_, T> {
    /// log(x/(1 - x)), the inverse of the sigmoid, accurate around ½: ∓∞ at 0 and 1, NaN outside. Its
    /// derivative is 1/(x (1 - x)).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let y = tape.var(Tensor::from([-3.0, 0.0, 5.0])).sigmoid().logit().value()?;
    /// assert!(y.to_vec().iter().zip([-3.0, 0.0, 5.0]).all(|(y, want)| (y - want).abs() < 1e-13));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn logit(self) -> Self {
        self.pointwise(Logit)
    }

    /// [`logit`](Var::logit) of this value clamped between `eps` and 1 - `eps`, so finite for `eps` > 0; no gradient
    /// outside these bounds, as with PyTorch's `eps`.
    ///
    /// # Errors
    /// If `eps` is not between 0 and ½.
    #[track_caller]
    pub fn logit_within(self, eps: f64) -> Self {
        if (0.0..=0.5).contains(&eps) || self.is_failed() {
            return self.pointwise(Within(Clamp { low: eps, high: 1.0 - eps })).logit();
        }
        let detail = format!("expected eps between 0 and 1/2, found {eps}");
        refuse(self, "logit_within", Kind::Argument, detail)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["logit", "logit_within"], Order::Second, |g, which| {
        let shape = g.shape(0..=3);
        let domain = if which == 0 { Domain::Between(1e-4, 0.9999) } else { Domain::Between(0.11, 0.89) };
        case!(vec![g.tensor(&shape, domain)], [], |x| match which {
            0 => x[0].logit(),
            // Half of the values are outside the bounds, and none near them.
            _ => (x[0] * 2.0 - 0.5).where_cond(x[0].gt(0.5), x[0] * 0.1).logit_within(0.1),
        })
    })
    .into_iter()
    .map(|spec| match spec.name {
        "logit" => spec.at(&[1e-4, 0.2499, 0.25, 0.4999, 0.5, 0.75, 0.9999]),
        // At ½ its case jumps.
        _ => spec.at(&[0.2499, 0.25, 0.75]),
    })
    .collect()
}
