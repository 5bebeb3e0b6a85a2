//! sort and topk: elements in sorted order along an axis. The permutation is constant around almost every point, so the
//! cotangent goes back to where each element came from, as with gather.

use super::prelude::*;
use crate::error::Error;

/// The positions of a value that failed.
fn no_positions() -> Tensor<i64> {
    Tensor::from(Vec::new())
}

impl<'t, T: Float> Var<'t, T> {
    /// The elements in sorted order along an axis, and their positions in the value. Equal elements keep their order in
    /// either direction; NaN counts as the largest, as in PyTorch. If the value cannot be sorted, the positions are empty.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([3.0, 1.0, 2.0]));
    /// let (y, at) = x.sort(0, true);
    /// assert_eq!((y.value()?.to_vec(), at.to_vec()), (vec![3.0, 2.0, 1.0], vec![0, 2, 1]));
    /// let g = (y * Tensor::from([1.0, 10.0, 100.0])).sum().backward()?.wrt(x)?;
    /// assert_eq!(g.to_vec(), [1.0, 100.0, 10.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn sort(self, axis: isize, descending: bool) -> (Var<'t, T>, Tensor<i64>) {
        match self.value() {
            Ok(x) => self.in_order(axis, x.argsort(axis, descending).map_err(|e| e.in_op("sort"))),
            Err(e) => (self.tape().failed(e), no_positions()),
        }
    }

    /// The positions that sort the elements along an axis, as a plain tensor; see [`sort`](Var::sort).
    ///
    /// # Errors
    /// If the value has failed or was freed, or the axis is out of range.
    #[track_caller]
    pub fn argsort(self, axis: isize, descending: bool) -> Result<Tensor<i64>> {
        let at = std::panic::Location::caller();
        self.value()?.argsort(axis, descending).map_err(|e| Error::from(e).relocated(at))
    }

    /// The `k` largest elements along an axis, largest first, or the `k` smallest, smallest first, and their positions. Of
    /// equal elements the first ones are taken, and they get the gradient; NaN counts as the largest, as in PyTorch. If
    /// there are fewer than `k` elements, the positions are empty.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([3.0, 1.0, 3.0, 2.0]));
    /// let (y, at) = x.topk(0, 2, true);
    /// assert_eq!((y.value()?.to_vec(), at.to_vec()), (vec![3.0, 3.0], vec![0, 2]));
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [1.0, 0.0, 1.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn topk(self, axis: isize, k: usize, largest: bool) -> (Var<'t, T>, Tensor<i64>) {
        match self.value() {
            Ok(x) => self.in_order(axis, x.argtopk(axis, k, largest).map_err(|e| e.in_op("topk"))),
            Err(e) => (self.tape().failed(e), no_positions()),
        }
    }

    #[track_caller]
    fn in_order(self, axis: isize, at: wengert_ops::Result<Tensor<i64>>) -> (Var<'t, T>, Tensor<i64>) {
        match at {
            Ok(at) => (self.gather(axis, &at), at),
            Err(e) => (self.tape().failed(e.into()), no_positions()),
        }
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["sort", "topk"], Order::Second, |g, which| {
        let shape = g.shape(1..=3);
        let axis = g.axis(shape.len());
        let n = wengert_ops::normalize_axis("topk", axis, shape.len()).map_or(0, |a| shape[a]);
        let (k, down, large) = (g.within(0..=n), g.once_in(2), g.is_large());
        // The middle one of three equal elements cannot move alone, so finite differences see no effect there: ties are
        // avoided.
        case!(vec![g.tensor(&shape, Domain::Grid)], [], |x| {
            // In a large tensor all elements differ.
            let step = if large { 0.0 } else { 0.01 };
            let apart = x[0] + Tensor::steps(0.0, step, x[0].numel()).reshape(x[0].shape());
            match which {
                0 => apart.sort(axis, down).0,
                _ => apart.topk(axis, k, down).0,
            }
        })
    })
}
