//! log |Γ|, and its derivatives: digamma ψ = (log Γ)', and polygamma ψ⁽ⁿ⁾, whose derivative is ψ⁽ⁿ⁺¹⁾.

use super::prelude::*;
use wengert_ops::math::special;

/// log |Γ(x)|.
#[derive(Debug, Clone, Copy)]
pub struct Lgamma;

impl Pointwise for Lgamma {
    const NAME: &'static str = "lgamma";
    const COST: usize = 19;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.lgamma()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(Digamma)
    }
}

/// ψ(x) = d/dx log Γ(x).
#[derive(Debug, Clone, Copy)]
pub struct Digamma;

impl Pointwise for Digamma {
    const NAME: &'static str = "digamma";
    const COST: usize = 17;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::from_f64(special::digamma(x.to_f64()))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(Trigamma)
    }
}

/// ψ′, which is ψ⁽¹⁾ without a branch.
#[derive(Debug, Clone, Copy)]
pub struct Trigamma;

impl Pointwise for Trigamma {
    const NAME: &'static str = "polygamma";
    const COST: usize = 15;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::from_f64(special::trigamma(x.to_f64()))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(Polygamma(2))
    }
}

/// The n-th derivative of ψ.
#[derive(Debug, Clone, Copy)]
pub struct Polygamma(pub u32);

impl Pointwise for Polygamma {
    const NAME: &'static str = "polygamma";
    const COST: usize = 100;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::from_f64(special::polygamma(self.0, x.to_f64()))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(Polygamma(self.0.saturating_add(1)))
    }
}

/// For orders up to this one, n! is far below the largest `f64`.
const HIGHEST: usize = 100;

impl<T: Float> Var<'_, T> {
    /// log |Γ(x)|, +∞ at 0 and the negative integers. Its derivative is [`digamma`](Var::digamma).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let y = tape.var(Tensor::from([1.0, 2.0, 5.0])).lgamma().exp().value()?;       // (n - 1)!
    /// assert!(y.to_vec().iter().zip([1.0, 1.0, 24.0]).all(|(y, want)| (y - want).abs() < 1e-13));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn lgamma(self) -> Self {
        self.pointwise(Lgamma)
    }

    /// ψ(x), the derivative of log Γ; -∞ at 0, and NaN at the negative integers, where the limits from left and right
    /// differ. Its derivative is [`polygamma(1)`](Var::polygamma).
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// assert!((tape.var(1.0).digamma().item()? + 0.5772156649015329).abs() < 1e-15);     // -γ
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn digamma(self) -> Self {
        self.pointwise(Digamma)
    }

    /// The `n`-th derivative of ψ, for n up to 100; `polygamma(0)` is [`digamma`](Var::digamma) and
    /// `polygamma(1)` the trigamma function. Its derivative is `polygamma(n + 1)`.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let pi = std::f64::consts::PI;
    /// assert!((tape.var(1.0).polygamma(1).item()? - pi * pi / 6.0).abs() < 1e-14);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn polygamma(self, n: usize) -> Self {
        let _scope = self.tape().error_scope("polygamma");
        match u32::try_from(n) {
            _ if self.is_failed() => self,
            Ok(0) => self.digamma(),
            Ok(1) => self.pointwise(Trigamma),
            Ok(order) if n <= HIGHEST => self.pointwise(Polygamma(order)),
            _ => {
                let detail = format!("expected an order of at most {HIGHEST}, found {n}");
                refuse(self, "polygamma", Kind::Argument, detail)
            }
        }
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["lgamma", "digamma", "polygamma"], Order::Second, |g, which| {
        let (shape, n, below) = (g.shape(0..=3), g.within(0..=3), g.pick(&[0.0, 1.0, 3.0]));
        // Between two poles, on one side of 0 or the other.
        let domain = if below > 0.0 { Domain::Between(0.3, 0.7) } else { Domain::Between(0.1, 15.0) };
        case!(vec![g.tensor(&shape, domain)], [], |x| {
            let x = if below > 0.0 { x[0] - below } else { x[0] };
            match which {
                0 => x.lgamma(),
                1 => x.digamma(),
                _ => x.polygamma(n) * 0.1,
            }
        })
    })
    .into_iter()
    .map(|spec| spec.at(&[0.1, 0.4999, 0.5, 1.0, 1.5, 2.0, 2.5, 11.999, 12.0]))
    .collect()
}
