//! log Σ exp(x) over axes. Cotangent: g times the softmax; 0 where all elements of a group are -∞.

use super::prelude::*;
use smallvec::SmallVec;

struct LogSumExp {
    axes: SmallVec<[isize; 4]>,
    keepdim: bool,
}

impl<T: Float> Op<T> for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (x, axes) = (x[0], &self.axes[..]);
        Ok(if self.keepdim { x.logsumexp_keepdim(axes)? } else { x.logsumexp(axes)? }.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let x = r.x(0);
        let shape = x.raw_shape();
        let axes = self.axes[..].resolve("logsumexp", shape.len()).unwrap_or_default();
        // The largest element, taken as a constant, is subtracted, so the shares are accurate however large x is.
        let shift = || -> Result<Tensor<T>> {
            let top = x.value()?.max_keepdim(&axes)?;
            let absent = top.eq(Tensor::scalar(T::NEG_INFINITY))?;
            Ok(Tensor::scalar(T::ZERO).where_cond(&absent, &top)?)
        };
        if shape.numel() == 0 {
            return cotangents([Some(x.zeros_like())]);
        }
        let e = match shift() {
            Ok(shift) => (x - shift).exp(),
            Err(e) => return cotangents([Some(x.tape().failed(e))]),
        };
        let total = e.sum_keepdim(&axes);
        let share = e / total.masked_fill(total.eq(0.0), 1.0);
        cotangents([Some(r.gy().reshape(shape.reduced(&axes, true)) * share)])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<T: Float> Var<'_, T> {
    /// log Σ exp(x) over some axes, which are removed; never overflows. Over no elements it is -∞.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1000.0, 1000.0]));
    /// assert_eq!(x.logsumexp(0).item()?, 1000.0 + std::f64::consts::LN_2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn logsumexp(self, axes: impl Axes) -> Self {
        self.tape().apply(LogSumExp { axes: axes.list(), keepdim: false }, &[self])
    }

    /// As [`logsumexp`](Var::logsumexp), but the axes are kept with size 1.
    #[track_caller]
    pub fn logsumexp_keepdim(self, axes: impl Axes) -> Self {
        self.tape().apply(LogSumExp { axes: axes.list(), keepdim: true }, &[self])
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["logsumexp", "logsumexp_keepdim"], Order::Second, |g, which| {
        let shape = g.full_shape(0..=3);
        let axes = g.axes(shape.len());
        case!(vec![g.tensor(&shape, Domain::Real)], [axes], |x| match which {
            0 => x[0].logsumexp(&axes),
            _ => x[0].logsumexp_keepdim(&axes),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_minus_infinity_have_zero_gradient() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([[f64::NEG_INFINITY, f64::NEG_INFINITY], [0.0, f64::NEG_INFINITY]]));
        let y = x.logsumexp(1);
        assert_eq!(y.value().unwrap().to_vec(), [f64::NEG_INFINITY, 0.0]);
        assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [0.0, 0.0, 1.0, 0.0]);
    }
}
