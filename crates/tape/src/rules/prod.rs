//! Product over axes. Cotangent: g times the product of all other elements, computed as the running product before each
//! element times the one after it. Nothing is divided, so zeros need no special case, at any order.

use super::prelude::*;
use super::scan::{cumprod, shifted};
use smallvec::SmallVec;
use wengert_ops::Direction;

struct Prod {
    /// `None` for all axes.
    axes: Option<SmallVec<[isize; 4]>>,
    keepdim: bool,
}

impl Prod {
    fn axes(&self, rank: usize) -> wengert_ops::Result<SmallVec<[usize; 4]>> {
        match &self.axes {
            None => Ok((0..rank).collect()),
            Some(axes) => axes[..].resolve("prod", rank),
        }
    }
}

/// The axes of the product moved last and merged into one: the order of the axes and its inverse, the shape in that order,
/// that with the merged axis, and that of the products.
struct Moved {
    order: Vec<usize>,
    back: Vec<usize>,
    moved: Shape,
    rows: Shape,
    each: Shape,
}

impl Prod {
    fn moved(&self, shape: &Shape) -> Moved {
        let axes = self.axes(shape.len()).unwrap_or_default();
        let order: Vec<usize> =
            (0..shape.len()).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
        let mut back = vec![0usize; order.len()];
        for (i, &a) in order.iter().enumerate() {
            back[a] = i;
        }
        let moved: Shape = order.iter().map(|&a| shape[a]).collect();
        let (kept, merged) = moved.split_at(shape.len() - axes.len());
        let with = |n: usize| kept.iter().copied().chain([n]).collect();
        let (rows, each) = (with(merged.iter().product()), with(1));
        Moved { order, back, moved, rows, each }
    }
}

impl<T: Float> Op<T> for Prod {
    fn name(&self) -> &'static str {
        "prod"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let axes = self.axes(x[0].rank())?;
        Ok(if self.keepdim { x[0].prod_keepdim(&axes)? } else { x[0].prod_axes(&axes)? }.into())
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let Moved { order, back, moved, rows, each } = self.moved(r.shape(0));
            let others = r.x(0)?.permute(&order)?.reshape(rows)?.product_of_others(-1)?;
            let gx = r.gy()?.reshape(each)?.mul(others)?;
            Ok(cotangents([Some(gx.reshape(moved)?.permute(back)?)]))
        };
        Some(adjoint())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let Moved { order, back, moved, rows, each } = self.moved(&r.x(0).raw_shape());
        let x = r.x(0).permute(&order).reshape(rows);
        let before = shifted(cumprod(x, -1, Direction::Forward), -1, Direction::Forward, 1.0);
        let behind = shifted(cumprod(x, -1, Direction::Backward), -1, Direction::Backward, 1.0);
        let gx = r.gy().reshape(each) * (before * behind);
        cotangents([Some(gx.reshape(moved).permute(back))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<T: Float> Var<'_, T> {
    /// The product of all elements, of rank 0; over no elements it is 1. Its gradient divides by no element.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([2.0, 0.0, 3.0]));
    /// assert_eq!(x.prod().backward()?.wrt(x)?.to_vec(), [0.0, 6.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn prod(self) -> Self {
        self.tape().apply(Prod { axes: None, keepdim: false }, &[self])
    }

    /// The product over some axes, which are removed; negative axes count from the last.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.prod_axes(-1).value()?.to_vec(), [2.0, 12.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "prod")]
    #[track_caller]
    pub fn prod_axes(self, axes: impl Axes) -> Self {
        self.tape().apply(Prod { axes: Some(axes.list()), keepdim: false }, &[self])
    }

    /// The product over some axes, which are kept with size 1.
    #[doc(alias = "prod")]
    #[track_caller]
    pub fn prod_keepdim(self, axes: impl Axes) -> Self {
        self.tape().apply(Prod { axes: Some(axes.list()), keepdim: true }, &[self])
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["prod", "prod_axes", "prod_keepdim"], Order::Second, |g, which| {
        // In some cases a third of the elements are zeros: none, one, or several per product.
        let shape = if which == 0 { vec![g.beside(0..=6, 1)] } else { g.shape(0..=3) };
        let axes = g.axes(shape.len());
        let zeros = g.once_in(2);
        // Factors near 1, so that a product of many neither overflows nor vanishes.
        let (many, few) = (Domain::Away(0.99, 1.01), Domain::Between(-1.5, 1.5));
        let mut x = g.tensor(&shape, if g.is_large() { many } else { few });
        if g.is_large() {
            let n = x.numel();
            for _ in 0..if n > 0 { g.within(0..=5).saturating_sub(3) } else { 0 } {
                x.data_mut()[g.within(0..=n - 1)] = 0.0;
            }
        } else if zeros {
            let keep = g.mask(&shape).logical_or(&g.mask(&shape));
            x = keep.and_then(|keep| x.mul(keep.to_float())).unwrap_or(x);
        }
        case!(vec![x], [axes], |x| match which {
            0 => x[0].prod(),
            1 => x[0].prod_axes(&axes),
            _ => x[0].prod_keepdim(&axes),
        })
    })
}
