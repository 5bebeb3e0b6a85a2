//! Softmax and log-softmax along an axis.
//! Cotangents: y (g - Σ g y), and g - exp(y) Σ g, of which the second term is 0 where Σ g is: a row of -∞ or NaN that does not
//! count has a gradient of 0.

use super::exp::Exp;
use super::prelude::*;

struct Softmax {
    axis: isize,
    log: bool,
}

/// s exp(y), and 0 where s is, though y be NaN. Derivatives: exp(y), and s exp(y).
#[derive(Debug, Clone, Copy)]
struct Shared;

impl Pointwise2 for Shared {
    const NAME: &'static str = "log_softmax";
    const COST: usize = 10;
    const DA_USES: u8 = 2;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, s: F, y: F) -> F {
        if s == F::ZERO { F::ZERO } else { y.exp() * s }
    }
    #[inline(always)]
    fn da<R: Real>(&self, _s: R, y: R, _out: R) -> R {
        y.apply(Exp)
    }
    #[inline(always)]
    fn db<R: Real>(&self, s: R, y: R, _out: R) -> R {
        R::select(s.equals(s.like(0.0)), s.like(0.0), y.apply(Exp) * s)
    }
}

impl<T: Float> Op<T> for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("axis {}", self.axis))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(if self.log { x[0].log_softmax(self.axis) } else { x[0].softmax(self.axis) }?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (y, g) = (r.y(), r.gy());
        cotangents([Some(if self.log {
            g - g.sum_keepdim(self.axis).pointwise2(y, Shared)
        } else {
            y * (g - (g * y).sum_keepdim(self.axis))
        })])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let (y, g) = (r.y()?, r.gy()?);
            let gx =
                if self.log { y.log_softmax_adjoint(g, self.axis) } else { y.softmax_adjoint(g, self.axis) };
            Ok(cotangents([Some(gx?)]))
        };
        Some(adjoint())
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::OUTPUTS
    }
}

impl<T: Float> Var<'_, T> {
    /// exp(x) / Σ exp(x) along an axis; never overflows.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1000.0, 1000.0, f64::NEG_INFINITY]));
    /// assert_eq!(x.softmax(-1).value()?.to_vec(), [0.5, 0.5, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Self {
        self.tape().apply(Softmax { axis, log: false }, &[self])
    }

    /// x - log Σ exp(x) along an axis; never overflows, and adding a constant to all elements costs no accuracy.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1e15, 1e15]));
    /// assert_eq!(x.log_softmax(-1).value()?.to_vec(), [-std::f64::consts::LN_2; 2]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Self {
        self.tape().apply(Softmax { axis, log: true }, &[self])
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let specs = Spec::family(&["softmax", "log_softmax"], Order::Second, |g, which| {
        let shape = g.shape(1..=3);
        let axis = g.axis(shape.len());
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => x[0].softmax(axis),
            _ => x[0].log_softmax(axis),
        })
    });
    // Where one of two probabilities is small, the other is near 1.
    specs.into_iter().map(|spec| spec.in_units_of(1.0)).collect()
}
