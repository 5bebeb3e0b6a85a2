//! Sum and mean over axes. Cotangent: g, expanded along the axes that were summed (divided by their size for the mean).

use super::prelude::*;
use crate::tape::op::Summed;
use smallvec::SmallVec;

struct Sum {
    axes: SmallVec<[isize; 4]>,
    all: bool,
    keepdim: bool,
    mean: bool,
}

impl Sum {
    fn axes(&self, op: &'static str, rank: usize) -> wengert_ops::Result<SmallVec<[usize; 4]>> {
        if self.all { Ok((0..rank).collect()) } else { self.axes[..].resolve(op, rank) }
    }

    fn factor(&self, shape: &Shape, axes: &[usize]) -> f64 {
        if self.mean { 1.0 / axes.iter().map(|&a| shape[a]).product::<usize>() as f64 } else { 1.0 }
    }

    /// The cotangent's shape in which the summed axes have size 1, and the factor.
    fn kept(&self, shape: &Shape) -> (Shape, f64) {
        let axes = self.axes("sum", shape.len()).unwrap_or_default();
        (shape.reduced(&axes, true), self.factor(shape, &axes))
    }
}

impl<T: Float> Op<T> for Sum {
    fn name(&self) -> &'static str {
        if self.mean { "mean" } else { "sum" }
    }
    fn arguments(&self) -> Option<String> {
        (!self.all).then(|| format!("axes {:?}", self.axes))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let op = Op::<T>::name(self);
        let axes = self.axes(op, x[0].rank())?;
        let y = if self.keepdim { x[0].sum_keepdim(&axes) } else { x[0].sum_axes(&axes) };
        let y = y.map_err(|e| e.in_op(op))?;
        Ok(if self.mean { y.scale(self.factor(x[0].shape(), &axes)) } else { y }.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let shape = r.x(0).raw_shape();
        let (kept, factor) = self.kept(&shape);
        let g = if self.mean { r.gy() * factor } else { r.gy() };
        cotangents([Some(g.reshape(kept).expand(shape))])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let spread = || -> Result<_> {
            let (kept, factor) = self.kept(r.shape(0));
            let g = if self.mean { r.gy()?.scale(factor) } else { r.gy()?.clone() };
            Ok(cotangents([Some(g.reshape(&kept)?.expand(r.shape(0))?)]))
        };
        Some(spread())
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
    fn summed(&self, input: &Shape) -> Option<Summed> {
        let axes = self.axes(Op::<T>::name(self), input.len()).ok()?;
        let factor = self.mean.then(|| self.factor(input, &axes));
        Some(Summed { axes, keepdim: self.keepdim, factor })
    }
}

impl<T: Float> Var<'_, T> {
    #[track_caller]
    fn summed(self, axes: Option<&dyn AxesList>, keepdim: bool, mean: bool) -> Self {
        let (all, axes) = (axes.is_none(), axes.map(AxesList::listed).unwrap_or_default());
        self.tape().apply(Sum { axes, all, keepdim, mean }, &[self])
    }

    /// The sum of all elements, of rank 0.
    #[track_caller]
    pub fn sum(self) -> Self {
        self.summed(None, false, false)
    }

    /// The sum over some axes, which are removed; negative axes count from the last. An empty sum is 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.sum_axes(-1).value()?.to_vec(), [3.0, 7.0]);
    /// assert_eq!(x.sum_axes([0, 1]).item()?, 10.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "sum")]
    #[track_caller]
    pub fn sum_axes(self, axes: impl Axes) -> Self {
        self.summed(Some(&axes), false, false)
    }

    /// The sum over some axes, which are kept with size 1.
    #[doc(alias = "sum")]
    #[track_caller]
    pub fn sum_keepdim(self, axes: impl Axes) -> Self {
        self.summed(Some(&axes), true, false)
    }

    /// The mean of all elements, of rank 0; over no elements it is NaN.
    #[track_caller]
    pub fn mean(self) -> Self {
        self.summed(None, false, true)
    }

    /// The mean over some axes, which are removed.
    #[doc(alias = "mean")]
    #[track_caller]
    pub fn mean_axes(self, axes: impl Axes) -> Self {
        self.summed(Some(&axes), false, true)
    }

    /// The mean over some axes, which are kept with size 1.
    #[doc(alias = "mean")]
    #[track_caller]
    pub fn mean_keepdim(self, axes: impl Axes) -> Self {
        self.summed(Some(&axes), true, true)
    }
}

/// [`Axes`] as a trait object, so that the code that uses it is compiled once.
trait AxesList {
    fn listed(&self) -> SmallVec<[isize; 4]>;
}

impl<A: Axes> AxesList for A {
    fn listed(&self) -> SmallVec<[isize; 4]> {
        self.list()
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["sum", "sum_axes", "sum_keepdim"], Order::Second, |g, which| {
        let shape = g.shape(0..=4);
        let axes = g.axes(shape.len());
        case!(vec![g.tensor(&shape, Domain::Real)], [axes], |x| match which {
            0 => x[0].sum(),
            1 => x[0].sum_axes(&axes),
            _ => x[0].sum_keepdim(&axes),
        })
    })
}

pub(super) fn mean_spec() -> Vec<Spec> {
    Spec::family(&["mean", "mean_axes", "mean_keepdim"], Order::Second, |g, which| {
        let shape = g.full_shape(0..=4);
        let axes = g.axes(shape.len());
        case!(vec![g.tensor(&shape, Domain::Real)], [axes], |x| match which {
            0 => x[0].mean(),
            1 => x[0].mean_axes(&axes),
            _ => x[0].mean_keepdim(&axes),
        })
    })
}
