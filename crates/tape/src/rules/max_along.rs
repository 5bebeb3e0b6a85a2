//! Elements of an axis selected by their order, with their positions: max_along, min_along, median, quantile, argmax,
//! argmin, and their forms that keep the axis. The selection is constant around almost every point, so the cotangent goes
//! to the selected elements.

use super::prelude::*;
use crate::error::{Error, ErrorKind};
use wengert_ops::normalize_axis;

impl<'t, T: Float> Var<'t, T> {
    /// The position of the largest element along an axis, which is removed: the first of equal elements, or the first NaN
    /// if there is one. The result is a plain tensor, because it has no gradient.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]));
    /// assert_eq!(x.argmax(-1)?.to_vec(), [1, 0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value has failed, or the axis is out of range or empty.
    #[track_caller]
    pub fn argmax(self, axis: isize) -> Result<Tensor<i64>> {
        Ok(self.value()?.argmax(axis)?)
    }

    /// The position of the smallest element along an axis, which is removed: the first of equal elements, or the first NaN
    /// if there is one.
    ///
    /// # Errors
    /// As [`argmax`](Var::argmax).
    #[track_caller]
    pub fn argmin(self, axis: isize) -> Result<Tensor<i64>> {
        Ok(self.value()?.argmin(axis)?)
    }

    /// As [`argmax`](Var::argmax), but the axis is kept with size 1.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]));
    /// assert_eq!(x.gather(1, &x.argmax_keepdim(1)?).value()?, Tensor::from([[3.0], [2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`argmax`](Var::argmax).
    #[doc(alias = "argmax")]
    #[track_caller]
    pub fn argmax_keepdim(self, axis: isize) -> Result<Tensor<i64>> {
        Ok(self.value()?.argmax_keepdim(axis)?)
    }

    /// As [`argmin`](Var::argmin), but the axis is kept with size 1.
    ///
    /// # Errors
    /// As [`argmax`](Var::argmax).
    #[doc(alias = "argmin")]
    #[track_caller]
    pub fn argmin_keepdim(self, axis: isize) -> Result<Tensor<i64>> {
        Ok(self.value()?.argmin_keepdim(axis)?)
    }

    /// The elements at one position of an axis for each position of the others, and the positions; the axis is removed, or
    /// kept with size 1.
    #[track_caller]
    fn ranked(
        self,
        axis: isize,
        at: wengert_ops::Result<Tensor<i64>>,
        keepdim: bool,
    ) -> (Var<'t, T>, Tensor<i64>) {
        let kept = at.and_then(|at| Ok((at.unsqueeze(axis)?, at)));
        match kept {
            Ok((kept, _)) if keepdim => (self.gather(axis, &kept), kept),
            Ok((kept, at)) => (self.gather(axis, &kept).squeeze(axis), at),
            Err(e) => (self.tape().failed(e.into()), Tensor::from(Vec::new())),
        }
    }

    #[track_caller]
    fn largest(self, op: &'static str, axis: isize, keepdim: bool) -> (Var<'t, T>, Tensor<i64>) {
        match self.value() {
            Ok(x) => self.ranked(axis, x.argmax(axis).map_err(|e| e.in_op(op)), keepdim),
            Err(e) => (self.tape().failed(e), Tensor::from(Vec::new())),
        }
    }

    #[track_caller]
    fn smallest(self, op: &'static str, axis: isize, keepdim: bool) -> (Var<'t, T>, Tensor<i64>) {
        match self.value() {
            Ok(x) => self.ranked(axis, x.argmin(axis).map_err(|e| e.in_op(op)), keepdim),
            Err(e) => (self.tape().failed(e), Tensor::from(Vec::new())),
        }
    }

    /// The largest element along an axis, which is removed, and its position: the first of equal elements, which alone gets
    /// the gradient ([`max_axes`](Var::max_axes) shares it); NaN if there is one. This is `torch.max(x, dim)`. Positions of
    /// a failed value are empty.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]));
    /// let (y, at) = x.max_along(1);
    /// assert_eq!((y.value()?.to_vec(), at.to_vec()), (vec![3.0, 2.0], vec![1, 0]));
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "max")]
    #[track_caller]
    pub fn max_along(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        self.largest("max_along", axis, false)
    }

    /// As [`max_along`](Var::max_along), but the axis is kept with size 1.
    #[doc(alias = "max")]
    #[track_caller]
    pub fn max_along_keepdim(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        self.largest("max_along_keepdim", axis, true)
    }

    /// The smallest element along an axis, which is removed, and its position; otherwise as [`max_along`](Var::max_along).
    #[doc(alias = "min")]
    #[track_caller]
    pub fn min_along(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        self.smallest("min_along", axis, false)
    }

    /// As [`min_along`](Var::min_along), but the axis is kept with size 1.
    #[doc(alias = "min")]
    #[track_caller]
    pub fn min_along_keepdim(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        self.smallest("min_along_keepdim", axis, true)
    }

    /// The median along an axis, which is removed, and its position: for an even number of elements, the lower of the
    /// middle two; of equal elements, the one that a stable sort puts there. It alone gets the gradient. NaN if there is
    /// one.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([5.0, 1.0, 4.0, 2.0]));
    /// let (y, at) = x.median_along(0);
    /// assert_eq!((y.item()?, at.item()?), (2.0, 3));
    /// assert_eq!(y.backward()?.wrt(x)?.to_vec(), [0.0, 0.0, 0.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "median")]
    #[track_caller]
    pub fn median_along(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        self.middle("median_along", axis, false)
    }

    /// As [`median_along`](Var::median_along), but the axis is kept with size 1.
    #[doc(alias = "median")]
    #[track_caller]
    pub fn median_along_keepdim(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        self.middle("median_along_keepdim", axis, true)
    }

    #[track_caller]
    fn middle(self, op: &'static str, axis: isize, keepdim: bool) -> (Var<'t, T>, Tensor<i64>) {
        let x = match self.value() {
            Ok(x) => x,
            Err(e) => return (self.tape().failed(e), Tensor::from(Vec::new())),
        };
        let rank = match normalize_axis(op, axis, x.rank()) {
            Ok(a) if x.shape()[a] > 0 => (x.shape()[a] - 1) / 2,
            Ok(_) => {
                let detail =
                    format!("axis {axis} of shape {} is empty; there has to be an element", x.shape());
                let e = Error::new(ErrorKind::Op(Kind::Shape), op, detail);
                return (self.tape().failed(e), Tensor::from(Vec::new()));
            }
            Err(e) => return (self.tape().failed(e.into()), Tensor::from(Vec::new())),
        };
        self.ranked(axis, x.argrank(axis, rank), keepdim)
    }

    /// The median of all elements, of rank 0, as [`median_along`](Var::median_along) defines it.
    #[track_caller]
    pub fn median(self) -> Self {
        let _scope = self.tape().error_scope("median");
        if self.is_failed() {
            return self;
        }
        self.reshape([-1]).middle("median", 0, false).0
    }

    /// The quantile `q` (from 0 to 1) along an axis, which is removed: at rank q (n - 1), between two ranks by linear
    /// interpolation, as by default in PyTorch and NumPy. The elements on either side share the gradient in the same
    /// proportion. NaN if there is one.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([4.0, 0.0, 1.0, 3.0]));
    /// let y = x.quantile(0.5, 0);
    /// assert_eq!(y.item()?, 2.0);
    /// assert_eq!(y.backward()?.wrt(x)?.to_vec(), [0.0, 0.0, 0.5, 0.5]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn quantile(self, q: f64, axis: isize) -> Self {
        self.between("quantile", q, axis, false)
    }

    /// As [`quantile`](Var::quantile), but the axis is kept with size 1.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[4.0, 0.0], [1.0, 3.0]]));
    /// assert_eq!(x.quantile_keepdim(0.5, 1).value()?, Tensor::from([[2.0], [2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "quantile")]
    #[track_caller]
    pub fn quantile_keepdim(self, q: f64, axis: isize) -> Self {
        self.between("quantile_keepdim", q, axis, true)
    }

    #[track_caller]
    fn between(self, op: &'static str, q: f64, axis: isize, keepdim: bool) -> Self {
        let x = match self.value() {
            Ok(x) => x,
            Err(e) => return self.tape().failed(e),
        };
        let refused = match normalize_axis(op, axis, x.rank()) {
            Ok(a) if x.shape()[a] == 0 => {
                let detail =
                    format!("axis {axis} of shape {} is empty; there has to be an element", x.shape());
                Error::new(ErrorKind::Op(Kind::Shape), op, detail)
            }
            Ok(_) if !(0.0..=1.0).contains(&q) => {
                let detail = format!("expected a quantile from 0 to 1, found {q}");
                Error::new(ErrorKind::Op(Kind::Argument), op, detail)
            }
            Ok(a) => {
                let at = q * (x.shape()[a] - 1) as f64;
                let (low, share) = (at.floor() as usize, at - at.floor());
                let low_value = self.ranked(axis, x.argrank(axis, low), keepdim).0;
                if share == 0.0 {
                    return low_value; // an infinite neighbour has no influence
                }
                let high_value = self.ranked(axis, x.argrank(axis, low + 1), keepdim).0;
                return low_value * (1.0 - share) + high_value * share;
            }
            Err(e) => e.into(),
        };
        self.tape().failed(refused)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names = [
        "max_along",
        "min_along",
        "median_along",
        "median",
        "quantile",
        "max_along_keepdim",
        "min_along_keepdim",
        "median_along_keepdim",
        "quantile_keepdim",
    ];
    Spec::family(&names, Order::First, |g, which| {
        let shape = g.full_shape(if which == 3 { 0..=3 } else { 1..=3 });
        let (axis, q) = (g.axis(shape.len()), g.pick(&[0.0, 0.25, 0.4, 0.5, 1.0]));
        // Of two equal elements on either side of a rank, either may get the gradient. With three, moving the middle one
        // changes nothing, and no choice would pass the check.
        let extreme = matches!(which, 0 | 1 | 5 | 6);
        let domain = if extreme || g.is_large() { Domain::Grid } else { Domain::Between(-3.0, 3.0) };
        let step = if !extreme && g.kind == crate::gradcheck::Kind::Extreme { 0.01 } else { 0.0 };
        case!(vec![g.tensor(&shape, domain)], [], |x| {
            let apart = x[0] + Tensor::steps(0.0, step, x[0].numel()).reshape(x[0].shape());
            match which {
                0 => x[0].max_along(axis).0,
                1 => x[0].min_along(axis).0,
                2 => apart.median_along(axis).0,
                3 => apart.median(),
                4 => apart.quantile(q, axis),
                5 => x[0].max_along_keepdim(axis).0,
                6 => x[0].min_along_keepdim(axis).0,
                7 => apart.median_along_keepdim(axis).0,
                _ => apart.quantile_keepdim(q, axis),
            }
        })
    })
}
