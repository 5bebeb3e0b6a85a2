//! max and min over axes. Equal elements share the gradient evenly, as in PyTorch's `amax`; NaN elements get all of it.

use super::prelude::*;
use smallvec::SmallVec;

struct Extremum {
    /// `None` for all axes.
    axes: Option<SmallVec<[isize; 4]>>,
    keepdim: bool,
    max: bool,
}

impl Extremum {
    fn axes(&self, rank: usize) -> wengert_ops::Result<SmallVec<[usize; 4]>> {
        let op = if self.max { "max" } else { "min" };
        match &self.axes {
            None => Ok((0..rank).collect()),
            Some(axes) => axes[..].resolve(op, rank),
        }
    }
}

impl<T: Float> Op<T> for Extremum {
    fn name(&self) -> &'static str {
        if self.max { "max" } else { "min" }
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let axes = self.axes(x[0].rank())?;
        let y = match (self.max, self.keepdim) {
            (true, false) => x[0].max_axes(&axes),
            (true, true) => x[0].max_keepdim(&axes),
            (false, false) => x[0].min_axes(&axes),
            (false, true) => x[0].min_keepdim(&axes),
        };
        Ok(y.map_err(|e| e.in_op(if self.max { "max" } else { "min" }))?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, y, shape) = (r.x(0), r.y(), r.x(0).raw_shape());
        let axes = self.axes(shape.len()).unwrap_or_default();
        let kept = shape.reduced(&axes, true);
        // The elements that share are constant around almost every point, so the shares are constants.
        let shares = || -> Result<Tensor<T>> {
            let (x, y) = (x.value()?, y.value()?.reshape(&kept)?);
            let taken = x.eq(&y)?.logical_or(&x.ne(&x)?)?.to_float::<T>();
            Ok(taken.div(&taken.sum_keepdim(&axes)?)?)
        };
        let g = r.gy().reshape(&kept).expand(&shape);
        cotangents([Some(match shares() {
            Ok(shares) => g * shares,
            Err(e) => x.tape().failed(e),
        })])
    }
}

macro_rules! methods {
    ($(($all:ident $axes:ident $keepdim:ident $max:literal $word:literal $example:literal))*) => {
        impl<T: Float> Var<'_, T> {$(
            #[doc = concat!("The ", $word, " of all elements, of rank 0; NaN if there is one. It is an error if there are no elements.")]
            #[track_caller]
            pub fn $all(self) -> Self {
                self.tape().apply(Extremum { axes: None, keepdim: false, max: $max }, &[self])
            }

            #[doc = concat!("The ", $word, " over some axes, which are removed; equal elements share the gradient.")]
            ///
            /// ```
            /// # use wengert_ops::Tensor;
            /// let tape = wengert_tape::Tape::new();
            /// let x = tape.var(Tensor::from([[1.0, 2.0, 2.0]]));
            #[doc = concat!("let y = x.", stringify!($axes), "(1);")]
            #[doc = concat!("assert_eq!(y.value()?.to_vec(), [", $example, "]);")]
            /// # Ok::<(), wengert_tape::Error>(())
            /// ```
            #[track_caller]
            pub fn $axes(self, axes: impl Axes) -> Self {
                self.tape().apply(Extremum { axes: Some(axes.list()), keepdim: false, max: $max }, &[self])
            }

            #[doc = concat!("The ", $word, " over some axes, which are kept with size 1.")]
            #[track_caller]
            pub fn $keepdim(self, axes: impl Axes) -> Self {
                self.tape().apply(Extremum { axes: Some(axes.list()), keepdim: true, max: $max }, &[self])
            }
        )*}
    };
}
methods! {
    (max max_axes max_keepdim true "largest" "2.0")
    (min min_axes min_keepdim false "smallest" "1.0")
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["max", "max_axes", "max_keepdim", "min", "min_axes", "min_keepdim"];
    Spec::family(&names, Order::First, |g, which| {
        let shape = g.full_shape(0..=3);
        let axes = g.axes(shape.len());
        case!(vec![g.tensor(&shape, Domain::Grid)], [axes], |x| match which {
            0 => x[0].max(),
            1 => x[0].max_axes(&axes),
            2 => x[0].max_keepdim(&axes),
            3 => x[0].min(),
            4 => x[0].min_axes(&axes),
            _ => x[0].min_keepdim(&axes),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_share_and_nan_takes_all() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([[3.0, 1.0, 3.0], [0.0, f64::NAN, 9.0]]));
        let g = x.max_axes(1).sum().backward().unwrap().wrt(x).unwrap();
        assert_eq!(g.to_vec(), [0.5, 0.0, 0.5, 0.0, 1.0, 0.0]);
    }
}
