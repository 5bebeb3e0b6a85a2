//! Views: other layouts of the same buffer.

use crate::dtype::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::shape::{Axes, Layout, Shape, ToShape, normalize_axis};
use crate::tensor::Tensor;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo};

/// The positions to take of one axis: a range, with an optional step that may be negative.
///
/// `start` and `end` may be negative to count from the end, and are clamped to the axis, as in NumPy.
///
/// ```
/// use wengert_ops::{Slice, Tensor};
/// let t = Tensor::from([0.0, 1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(t.slice(0, 1..3)?.to_vec(), [1.0, 2.0]);
/// assert_eq!(t.slice(0, Slice::all().step(-2))?.to_vec(), [4.0, 2.0, 0.0]);
/// # Ok::<(), wengert_ops::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slice {
    start: Option<isize>,
    end: Option<isize>,
    step: isize,
}

impl std::fmt::Display for Slice {
    /// The range in Rust's syntax, followed by the step if it is not 1.
    ///
    /// ```
    /// use wengert_ops::Slice;
    /// assert_eq!(Slice::from(1..3).to_string(), "1..3");
    /// assert_eq!(Slice::all().step(-2).to_string(), ".. by -2");
    /// ```
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(start) = self.start {
            write!(f, "{start}")?;
        }
        write!(f, "..")?;
        if let Some(end) = self.end {
            write!(f, "{end}")?;
        }
        if self.step == 1 { Ok(()) } else { write!(f, " by {}", self.step) }
    }
}

impl Slice {
    /// The whole axis.
    pub fn all() -> Self {
        Slice { start: None, end: None, step: 1 }
    }

    /// The same range in steps of `step`; a negative step walks backwards, from the end if no start is given.
    #[must_use]
    pub fn step(mut self, step: isize) -> Self {
        self.step = step;
        self
    }

    /// First position, number of positions and step for an axis of size `n`.
    pub(crate) fn resolve(&self, n: usize) -> Result<(usize, usize, isize)> {
        if self.step == 0 || self.step == isize::MIN {
            return Err(Error::argument(
                "slice",
                format!("step must be a non-zero number, found {}", self.step),
            ));
        }
        let n = n as isize;
        let back = self.step < 0;
        let (lowest, highest) = if back { (-1, n - 1) } else { (0, n) };
        let bound = |b: Option<isize>, default: isize| match b {
            None => default,
            Some(b) if b < 0 => b.saturating_add(n).clamp(lowest, highest),
            Some(b) => b.clamp(lowest, highest),
        };
        let start = bound(self.start, if back { n - 1 } else { 0 });
        let end = bound(self.end, if back { -1 } else { n });
        let span = if back { start - end } else { end - start };
        let count = if span <= 0 { 0 } else { (span - 1) / self.step.abs() + 1 };
        Ok((if count == 0 { 0 } else { start as usize }, count as usize, self.step))
    }
}

macro_rules! slice_from {
    ($($t:ty)*) => {$(
        impl From<Range<$t>> for Slice {
            fn from(r: Range<$t>) -> Self {
                Slice { start: Some(r.start as isize), end: Some(r.end as isize), step: 1 }
            }
        }
        impl From<RangeFrom<$t>> for Slice {
            fn from(r: RangeFrom<$t>) -> Self {
                Slice { start: Some(r.start as isize), end: None, step: 1 }
            }
        }
        impl From<RangeTo<$t>> for Slice {
            fn from(r: RangeTo<$t>) -> Self {
                Slice { start: None, end: Some(r.end as isize), step: 1 }
            }
        }
        impl From<RangeInclusive<$t>> for Slice {
            fn from(r: RangeInclusive<$t>) -> Self {
                // -1 as an inclusive end is the last position, not "before the first".
                let end = *r.end() as isize;
                Slice { start: Some(*r.start() as isize), end: if end == -1 { None } else { Some(end + 1) }, step: 1 }
            }
        }
    )*};
}
slice_from!(usize isize i32);

impl From<RangeFull> for Slice {
    fn from(_: RangeFull) -> Self {
        Slice::all()
    }
}

impl<T: Element> Tensor<T> {
    /// The axes in another order: axis `i` of the result is axis `order[i]` of this tensor.
    ///
    /// # Errors
    /// If `order` is not a permutation of the axes.
    pub fn permute(&self, order: impl Axes) -> Result<Self> {
        let listed = order.list();
        let sorted = order.resolve("permute", self.rank())?;
        if sorted.len() != self.rank() {
            let detail =
                format!("expected {} axes for shape {}, found {:?}", self.rank(), self.shape(), &listed[..]);
            return Err(Error::new("permute", ErrorKind::Axis, detail));
        }
        let mut layout = self.layout.clone();
        for (i, &a) in listed.iter().enumerate() {
            let a = normalize_axis("permute", a, self.rank())?;
            layout.shape.dims_mut()[i] = self.layout.shape[a];
            layout.strides[i] = self.layout.strides[a];
        }
        Ok(self.with_layout(layout))
    }

    /// The tensor with two axes exchanged.
    ///
    /// # Errors
    /// If an axis is out of range.
    pub fn transpose(&self, a: isize, b: isize) -> Result<Self> {
        let (a, b) =
            (normalize_axis("transpose", a, self.rank())?, normalize_axis("transpose", b, self.rank())?);
        let mut layout = self.layout.clone();
        layout.shape.dims_mut().swap(a, b);
        layout.strides.swap(a, b);
        Ok(self.with_layout(layout))
    }

    /// The given positions of one axis.
    ///
    /// # Errors
    /// If the axis is out of range or the step is zero.
    pub fn slice(&self, axis: isize, range: impl Into<Slice>) -> Result<Self> {
        let axis = normalize_axis("slice", axis, self.rank())?;
        let (start, count, step) = range.into().resolve(self.shape()[axis])?;
        let mut layout = self.layout.clone();
        let stride = layout.strides[axis];
        layout.shape.dims_mut()[axis] = count;
        // A step larger than the axis leaves at most one position, whose stride is never used.
        layout.strides[axis] = if count > 1 { stride * step } else { stride };
        if layout.shape.numel() > 0 {
            layout.offset = layout.offset.wrapping_add_signed(start as isize * stride);
        }
        Ok(self.with_layout(layout))
    }

    /// The slice at one position of an axis; the axis is removed.
    ///
    /// # Errors
    /// If the axis or the position is out of range.
    pub fn select(&self, axis: isize, position: usize) -> Result<Self> {
        let axis = normalize_axis("select", axis, self.rank())?;
        let n = self.shape()[axis];
        if position >= n {
            let detail =
                format!("position {position} is out of range for axis {axis} of shape {}", self.shape());
            return Err(Error::new("select", ErrorKind::Index, detail));
        }
        self.slice(axis as isize, position..position + 1)?.squeeze(axis as isize)
    }

    /// The tensor broadcast to a shape, without copying. -1 keeps the size of an axis.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0], [2.0]]);
    /// assert_eq!(t.expand([-1, 2])?, wengert_ops::Tensor::from([[1.0, 1.0], [2.0, 2.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the tensor does not broadcast to the shape, or a new axis has size -1.
    #[doc(alias = "broadcast_to")]
    pub fn expand(&self, shape: impl ToShape) -> Result<Self> {
        let mut sizes = shape.sizes();
        let new = sizes.len().saturating_sub(self.rank());
        for (size, &own) in sizes.iter_mut().skip(new).zip(self.shape().iter()) {
            if *size == -1 {
                *size = own as isize;
            }
        }
        let to = sizes[..].to_shape("expand")?;
        if *self.shape() == to {
            return Ok(self.clone());
        }
        let fits = to.len() >= self.rank()
            && self.shape().iter().rev().zip(to.iter().rev()).all(|(&a, &b)| a == b || a == 1);
        if !fits {
            let detail = format!("cannot broadcast {} to {to}", self.shape());
            return Err(Error::shape("expand", detail));
        }
        Ok(self.with_layout(self.layout.broadcast(&to)))
    }

    /// The same elements in another shape: a view where the memory layout allows it, otherwise a copy. One size may be -1;
    /// it is inferred.
    ///
    /// # Errors
    /// If the element counts differ.
    pub fn reshape(&self, shape: impl ToShape) -> Result<Self> {
        let to = shape.infer("reshape", self.shape())?;
        if to == *self.shape() {
            return Ok(self.clone());
        }
        Ok(match reshape_layout(&self.layout, &to) {
            Some(layout) => self.with_layout(layout),
            None => {
                let dense = self.contiguous();
                dense.with_layout(Layout::contiguous(to))
            }
        })
    }

    /// Like [`reshape`](Tensor::reshape), but never copies.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::<f32>::zeros([2, 3, 4]);
    /// assert!(t.view([6, -1])?.shares_buffer(&t));
    /// assert!(t.transpose(0, 1)?.view([6, 4]).is_err());
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the element counts differ, or the memory layout does not allow the shape without a copy.
    pub fn view(&self, shape: impl ToShape) -> Result<Self> {
        let to = shape.infer("view", self.shape())?;
        match reshape_layout(&self.layout, &to) {
            Some(layout) => Ok(self.with_layout(layout)),
            None => {
                let detail = format!(
                    "shape {} with strides {:?} cannot be viewed as {to} without a copy; reshape() makes one",
                    self.shape(),
                    self.strides()
                );
                Err(Error::shape("view", detail))
            }
        }
    }

    /// Windows of `size` adjacent elements along an axis, one every `step` positions. The axis becomes the axis of
    /// windows, and a new last axis holds the elements of a window. Elements at the end that do not fill a window are
    /// left out. Nothing is copied, so overlapping windows share their elements.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(t.unfold(0, 3, 1)?, Tensor::from([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or shorter than a window, or the step is zero.
    pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Result<Self> {
        const OP: &str = "unfold";
        let axis = normalize_axis(OP, axis, self.rank())?;
        let n = self.shape()[axis];
        if size > n {
            let detail = format!("a window of {size} does not fit axis {axis} of shape {}", self.shape());
            return Err(Error::argument(OP, detail));
        }
        if step == 0 {
            return Err(Error::argument(OP, "expected a step of at least 1, found 0"));
        }
        let windows = (n - size) / step + 1;
        let mut layout = self.layout.clone();
        let stride = layout.strides[axis];
        layout.shape.dims_mut()[axis] = windows;
        if windows > 1 {
            layout.strides[axis] = stride * step as isize;
        }
        layout.shape.push(size);
        layout.strides.push(stride);
        match layout.shape.checked_numel() {
            Some(_) => Ok(self.with_layout(layout)),
            None => {
                let detail = format!("the result {} has too many elements", layout.shape);
                Err(Error::new(OP, ErrorKind::Overflow, detail))
            }
        }
    }

    /// The tensor with an axis of size one inserted before `axis` (at the end for `rank` or -1).
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn unsqueeze(&self, axis: isize) -> Result<Self> {
        let axis = normalize_axis("unsqueeze", axis, self.rank() + 1)?;
        let mut layout = self.layout.clone();
        layout.shape.dims_mut().insert(axis, 1);
        layout.strides.insert(axis, 1);
        Ok(self.with_layout(layout))
    }

    /// The tensor without the given axes, which must have size one.
    ///
    /// # Errors
    /// If an axis is out of range or its size is not one.
    pub fn squeeze(&self, axes: impl Axes) -> Result<Self> {
        let axes = axes.resolve("squeeze", self.rank())?;
        if let Some(a) = axes.iter().find(|&&a| self.shape()[a] != 1) {
            let detail =
                format!("axis {a} of shape {} has size {}, expected 1", self.shape(), self.shape()[*a]);
            return Err(Error::shape("squeeze", detail));
        }
        let mut layout = self.layout.clone();
        for &a in axes.iter().rev() {
            layout.shape.dims_mut().remove(a);
            layout.strides.remove(a);
        }
        Ok(self.with_layout(layout))
    }
}

/// The layout in which the same elements in the same order have shape `to`, if there is one.
fn reshape_layout(from: &Layout, to: &Shape) -> Option<Layout> {
    if from.is_contiguous() {
        return Some(Layout { offset: from.offset, ..Layout::contiguous(to.clone()) });
    }
    let mut groups = from.collapsed().into_iter();
    let mut layout = Layout { offset: from.offset, ..Layout::contiguous(to.clone()) };
    // Each collapsed group must consist of whole axes of the new shape.
    let (mut left, mut stride) = (1usize, 1isize);
    for (i, &d) in to.iter().enumerate() {
        if d == 1 {
            continue;
        }
        if left == 1 {
            (left, stride) = groups.next()?;
        }
        if !left.is_multiple_of(d) {
            return None;
        }
        left /= d;
        layout.strides[i] = stride * left as isize;
    }
    Some(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: impl ToShape) -> Tensor<f64> {
        let n = shape.sizes().iter().product::<isize>() as usize;
        Tensor::steps(0.0, 1.0, n).reshape(shape).unwrap()
    }

    #[test]
    fn views_share_and_reshape_copies_only_when_it_must() {
        let t = counting([2, 3, 4]);
        let p = t.permute([2, 0, 1]).unwrap();
        assert_eq!(*p.shape(), [4, 2, 3]);
        assert!(p.shares_buffer(&t));
        assert_eq!(p.get(&[3, 1, 2]).unwrap(), t.get(&[1, 2, 3]).unwrap());
        let merged = p.reshape([4, 6]).unwrap();
        assert!(merged.shares_buffer(&t), "axes that lie evenly merge without a copy");
        assert_eq!(merged.to_vec(), p.to_vec());
        let copied = p.reshape([8, 3]).unwrap();
        assert!(!copied.shares_buffer(&t));
        assert_eq!(copied.to_vec(), p.to_vec());
    }

    #[test]
    #[allow(
        clippy::reversed_empty_ranges,
        reason = "a negative end counts from the last, and steps may be negative"
    )]
    fn slices_follow_numpy() {
        let t = counting([5]);
        let check = |s: Slice, want: &[f64]| assert_eq!(t.slice(0, s).unwrap().to_vec(), want, "{s:?}");
        check((1..4).into(), &[1., 2., 3.]);
        check((-2..).into(), &[3., 4.]);
        check((3..99).into(), &[3., 4.]);
        check((4..2).into(), &[]);
        check((1..=-1).into(), &[1., 2., 3., 4.]);
        check(Slice::all().step(2), &[0., 2., 4.]);
        check(Slice::all().step(-1), &[4., 3., 2., 1., 0.]);
        check(Slice::from(3..0).step(-2), &[3., 1.]);
        check(Slice::from(2..).step(isize::MAX), &[2.]);
        assert!(t.slice(0, Slice::all().step(0)).is_err() && t.slice(1, ..).is_err());
    }

    #[test]
    fn empty_tensors_take_any_shape_whatever_their_strides() {
        let t = counting([2, 3])
            .expand([4, 2, 3])
            .unwrap()
            .slice(0, 0..0)
            .unwrap()
            .slice(2, Slice::all().step(-2));
        let t = t.unwrap();
        assert_eq!(*t.reshape([5, 0, 7]).unwrap().shape(), [5, 0, 7]);
        assert_eq!(*t.transpose(0, 2).unwrap().reshape([0]).unwrap().shape(), [0]);
        assert!(t.is_contiguous() && t.to_vec().is_empty());
    }

    #[test]
    fn windows_of_every_layout() {
        let t = counting([2, 5, 3]);
        let views = [
            t.clone(),
            t.transpose(0, 1).unwrap().contiguous().transpose(0, 1).unwrap(),
            t.slice(1, Slice::all().step(-1)).unwrap(),
            t.slice(0, 0..1).unwrap().expand([4, 5, 3]).unwrap(),
        ];
        for (v, (size, step)) in
            views.iter().flat_map(|v| [(1, 1), (2, 1), (3, 2), (5, 7), (0, 2)].map(|s| (v, s)))
        {
            let w = v.unfold(-2, size, step).unwrap();
            let windows = (5 - size) / step + 1;
            assert_eq!(*w.shape(), [v.shape()[0], windows, 3, size]);
            for i in 0..w.numel() {
                let (j, rest) = (i % size, i / size);
                let at = [rest / 3 / windows, rest / 3 % windows, rest % 3];
                let want = v.get(&[at[0], at[1] * step + j, at[2]]).unwrap();
                assert_eq!(w.get(&[at[0], at[1], at[2], j]).unwrap(), want);
                assert_eq!(w.to_vec()[i], want);
            }
        }
        assert!(t.unfold(1, 6, 1).is_err() && t.unfold(1, 2, 0).is_err() && t.unfold(3, 1, 1).is_err());
        assert_eq!(*t.unfold(1, 5, usize::MAX).unwrap().shape(), [2, 1, 3, 5]);
    }

    #[test]
    fn a_view_never_copies() {
        let t = counting([2, 3, 4]);
        assert!(t.view([4, 6]).unwrap().shares_buffer(&t));
        let p = t.permute([2, 0, 1]).unwrap();
        assert!(p.view([4, -1]).unwrap().shares_buffer(&t));
        let e = p.view([8, 3]).unwrap_err().to_string();
        assert!(e.contains("[4, 2, 3]") && e.contains("[1, 12, 4]") && e.contains("[8, 3]"), "{e}");
        assert!(t.view([5]).is_err() && t.view([-1, -1]).is_err());
    }

    #[test]
    fn wrong_views_are_refused() {
        let t = counting([2, 3]);
        assert!(t.permute([0]).is_err() && t.permute([0, 0]).is_err() && t.permute([0, 2]).is_err());
        assert!(t.expand([3, 3]).is_err() && t.expand([3]).is_err());
        assert!(t.squeeze(0).is_err() && t.unsqueeze(4).is_err() && t.select(1, 3).is_err());
        assert_eq!(t.expand([2, 2, 3]).unwrap().to_vec().len(), 12);
        assert_eq!(*t.unsqueeze(-1).unwrap().squeeze(-1).unwrap().shape(), [2, 3]);
    }
}
