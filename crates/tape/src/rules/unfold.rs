//! unfold: windows along an axis. Cotangent: each element sums the cotangents of the windows that contain it.

use super::prelude::*;
use wengert_ops::normalize_axis;

struct Unfold {
    axis: isize,
    size: usize,
    step: usize,
}

impl<T: Float> Op<T> for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].unfold(self.axis, self.size, self.step)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, g) = (r.x(0), r.gy());
        let shape = x.raw_shape();
        let axis = match normalize_axis("unfold", self.axis, shape.len()) {
            Ok(axis) => axis,
            Err(e) => return cotangents([Some(x.tape().failed(e.into()))]),
        };
        let windows = g.dim(axis as isize);
        let at: Vec<i64> =
            (0..windows).flat_map(|w| (0..self.size).map(move |j| (w * self.step + j) as i64)).collect();
        let mut merged = shape.to_vec();
        merged[axis] = at.len();
        let side_by_side = g.movedim(-1, axis as isize + 1).reshape(merged);
        cotangents([Some(x.zeros_like().index_add(axis as isize, &Tensor::from(at), side_by_side))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Var<'_, T> {
    /// Windows of `size` neighbours along an axis, every `step` positions, without copying: the axis becomes that of the
    /// windows, and a new last axis contains the positions within a window, as in PyTorch's `Tensor.unfold`. Elements left
    /// over at the end are in no window and have gradient 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0]));
    /// let y = x.unfold(0, 2, 1);
    /// assert_eq!(y.value()?.to_vec(), [1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [1.0, 2.0, 2.0, 2.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn unfold(self, axis: isize, size: usize, step: usize) -> Self {
        self.tape().apply(Unfold { axis, size, step }, &[self])
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("unfold", Order::Second, |g| {
        let shape = g.shape(1..=3);
        let axis = g.axis(shape.len());
        let n = normalize_axis("unfold", axis, shape.len()).map_or(0, |a| shape[a]);
        // On a long axis, few windows or small ones.
        let few = g.within(0..=n.min(9));
        let size = if !g.is_large() {
            g.within(0..=n)
        } else if g.once_in(2) {
            few
        } else {
            n - few
        };
        let step = g.within(1..=3);
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| x[0].unfold(axis, size, step))
    })
}
