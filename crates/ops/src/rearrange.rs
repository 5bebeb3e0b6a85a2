//! Operations that reorder elements and axes, made of views and [`Tensor::concat`].

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel;
use crate::shape::{Axes, Shape, ToShape, normalize_axis};
use crate::tensor::{IntoTensor, Tensor};
use crate::view::Slice;
use smallvec::SmallVec;

/// The order of axes, for `permute`, that moves the axes `from` to the positions `to`; the others keep their order.
///
/// # Errors
/// If the numbers of axes and positions differ, or one of them is out of range for `rank` or named twice.
///
/// ```
/// assert_eq!(wengert_ops::moved_order(3, 0, -1)?[..], [1, 2, 0]);
/// assert_eq!(wengert_ops::moved_order(4, [0, 1], [-1, -2])?[..], [2, 3, 1, 0]);
/// # Ok::<(), wengert_ops::Error>(())
/// ```
pub fn moved_order(rank: usize, from: impl Axes, to: impl Axes) -> Result<SmallVec<[usize; 4]>> {
    const OP: &str = "movedim";
    let (listed, places) = (from.list(), to.list());
    if listed.len() != places.len() {
        let detail =
            format!("expected one position for each axis, found {} for {}", places.len(), listed.len());
        return Err(Error::new(OP, ErrorKind::Axis, detail));
    }
    from.resolve(OP, rank)?;
    to.resolve(OP, rank)?;
    let mut order: SmallVec<[usize; 4]> = SmallVec::from_elem(usize::MAX, rank);
    for (&a, &p) in listed.iter().zip(&places) {
        order[normalize_axis(OP, p, rank)?] = normalize_axis(OP, a, rank)?;
    }
    let moved: SmallVec<[usize; 4]> = order.iter().copied().filter(|&a| a != usize::MAX).collect();
    let mut others = (0..rank).filter(|a| !moved.contains(a));
    for place in &mut order {
        if *place == usize::MAX {
            *place = others.next().unwrap_or_default();
        }
    }
    Ok(order)
}

/// The axes that `roll` shifts, counted from the first and in the given order, each with its shift.
fn roll_shifts(rank: usize, axes: impl Axes, shifts: impl Axes) -> Result<SmallVec<[(usize, isize); 4]>> {
    let (axes, shifts) = (axes.list(), shifts.list());
    if axes.len() != shifts.len() {
        let detail = format!("expected one shift for each axis, found {} for {}", shifts.len(), axes.len());
        return Err(Error::argument("roll", detail));
    }
    axes.iter().zip(shifts).map(|(&a, shift)| Ok((normalize_axis("roll", a, rank)?, shift))).collect()
}

impl<T: Element> Tensor<T> {
    /// The last two axes exchanged: the transpose of a matrix, or of each matrix of a batch.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.t()?.to_vec(), [1.0, 3.0, 2.0, 4.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[doc(alias = "T")]
    #[doc(alias = "adjoint")]
    #[doc(alias = "mT")]
    pub fn t(&self) -> Result<Self> {
        self.transpose(-2, -1).map_err(|e| e.in_op("t"))
    }

    /// All axes from `start` on merged into one; for a scalar, an axis of size 1.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::<f32>::zeros([2, 3, 4]);
    /// assert_eq!(*t.flatten(1)?.shape(), [2, 12]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `start` is larger than the number of axes.
    #[doc(alias = "ravel")]
    pub fn flatten(&self, start: usize) -> Result<Self> {
        let shape = self.shape();
        if start > shape.len() {
            let detail = format!("axis {start} is out of range for shape {shape}");
            return Err(Error::new("flatten", ErrorKind::Axis, detail));
        }
        let mut sizes = shape[..start].to_vec();
        sizes.push(shape[start..].iter().product());
        self.reshape(sizes).map_err(|e| e.in_op("flatten"))
    }

    /// The axes from `first` to `last`, both included, merged into one; for a scalar, an axis of size 1.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::<f32>::zeros([2, 3, 4, 5]);
    /// assert_eq!(*t.flatten_axes(1, -2)?.shape(), [2, 12, 5]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, or `first` comes after `last`.
    #[doc(alias = "flatten")]
    pub fn flatten_axes(&self, first: isize, last: isize) -> Result<Self> {
        const OP: &str = "flatten_axes";
        let shape = self.shape();
        // A scalar is flattened as if it had one axis.
        let rank = shape.len().max(1);
        let (first, last) = (normalize_axis(OP, first, rank)?, normalize_axis(OP, last, rank)?);
        if first > last {
            let detail = format!("axis {first} does not come before axis {last} of shape {shape}");
            return Err(Error::new(OP, ErrorKind::Axis, detail));
        }
        let end = (last + 1).min(shape.len());
        let mut sizes = shape[..first].to_vec();
        sizes.push(shape[first..end].iter().product());
        sizes.extend(&shape[end..]);
        self.reshape(sizes).map_err(|e| e.in_op(OP))
    }

    /// An axis split into several, the outermost first; one size may be -1.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::<f32>::zeros([2, 12, 5]);
    /// assert_eq!(*t.unflatten(1, [3, -1])?.shape(), [2, 3, 4, 5]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, or the product of the sizes is not its size.
    pub fn unflatten(&self, axis: isize, sizes: impl ToShape) -> Result<Self> {
        const OP: &str = "unflatten";
        let shape = self.shape();
        let a = normalize_axis(OP, axis, shape.len())?;
        let sizes = sizes.infer(OP, &Shape::from([shape[a]]))?;
        let all: Vec<usize> = shape[..a].iter().chain(sizes.iter()).chain(&shape[a + 1..]).copied().collect();
        self.reshape(all).map_err(|e| e.in_op(OP))
    }

    /// The tensor without its axes of size 1.
    ///
    /// ```
    /// assert_eq!(*wengert_ops::Tensor::<f32>::zeros([1, 2, 1]).squeeze_all().shape(), [2]);
    /// ```
    #[doc(alias = "squeeze")]
    #[must_use]
    pub fn squeeze_all(&self) -> Self {
        let mut layout = self.layout.clone();
        for a in (0..self.rank()).rev().filter(|&a| self.shape()[a] == 1) {
            layout.shape.dims_mut().remove(a);
            layout.strides.remove(a);
        }
        self.with_layout(layout)
    }

    /// The elements in reverse order along the given axes, without copying.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(t.flip(0)?.to_vec(), [3.0, 2.0, 1.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "fliplr")]
    #[doc(alias = "flipud")]
    pub fn flip(&self, axes: impl Axes) -> Result<Self> {
        let mut flipped = self.clone();
        for a in axes.resolve("flip", self.rank())? {
            flipped = flipped.slice(a as isize, Slice::all().step(-1))?;
        }
        Ok(flipped)
    }

    /// The elements shifted along an axis, or along several by one shift each. Elements that leave at one end enter at
    /// the other.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(t.roll(1, 1)?.to_vec(), [3.0, 1.0, 2.0, 6.0, 4.0, 5.0]);
    /// assert_eq!(t.roll([0, 1], [1, -1])?.to_vec(), [5.0, 6.0, 4.0, 2.0, 3.0, 1.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, or there is not one shift for each axis.
    pub fn roll(&self, axes: impl Axes, shifts: impl Axes) -> Result<Self> {
        let mut rolled = self.clone();
        for (a, shift) in roll_shifts(self.rank(), axes, shifts)? {
            let n = self.shape()[a] as isize;
            if n > 0 {
                let cut = (n - shift.rem_euclid(n)) % n;
                let a = a as isize;
                rolled = Tensor::concat(&[rolled.slice(a, cut..)?, rolled.slice(a, 0..cut)?], a)?;
            }
        }
        Ok(rolled)
    }

    /// The tensor with an axis, or several, moved to other positions; the other axes keep their order.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::<f32>::zeros([2, 3, 4]);
    /// assert_eq!(*t.movedim(0, -1)?.shape(), [3, 4, 2]);
    /// assert_eq!(*t.movedim([0, 1], [-1, 0])?.shape(), [3, 4, 2]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the numbers of axes and positions differ, or one of them is out of range or named twice.
    #[doc(alias = "moveaxis")]
    pub fn movedim(&self, from: impl Axes, to: impl Axes) -> Result<Self> {
        self.permute(moved_order(self.rank(), from, to)?)
    }

    /// `length` positions of an axis, starting at `start`. Unlike in [`slice`](Tensor::slice), positions beyond the
    /// axis are an error.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(t.narrow(0, 1, 2)?.to_vec(), [2.0, 3.0]);
    /// assert!(t.narrow(0, 2, 2).is_err());
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis or a position is out of range.
    pub fn narrow(&self, axis: isize, start: usize, length: usize) -> Result<Self> {
        let a = normalize_axis("narrow", axis, self.rank())?;
        let end = start.saturating_add(length);
        if end > self.shape()[a] {
            let detail =
                format!("{length} positions from {start} on are not in axis {a} of shape {}", self.shape());
            return Err(Error::new("narrow", ErrorKind::Index, detail));
        }
        self.slice(axis, start..end)
    }

    /// Consecutive parts of the given sizes along an axis.
    ///
    /// ```
    /// let parts = wengert_ops::Tensor::from([1.0, 2.0, 3.0]).split(0, &[1, 2])?;
    /// assert_eq!(parts[1].to_vec(), [2.0, 3.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or the sizes do not add up to its size.
    pub fn split(&self, axis: isize, sizes: &[usize]) -> Result<Vec<Self>> {
        let a = normalize_axis("split", axis, self.rank())?;
        if sizes.iter().fold(0usize, |a, &b| a.saturating_add(b)) != self.shape()[a] {
            let detail = format!("sizes {sizes:?} do not add up to axis {axis} of shape {}", self.shape());
            return Err(Error::argument("split", detail));
        }
        let mut at = 0;
        let mut next = |&size: &usize| {
            at += size;
            self.slice(axis, at - size..at)
        };
        sizes.iter().map(&mut next).collect()
    }

    /// Consecutive parts of `size` positions along an axis; the last may be smaller. This is PyTorch's `split` with one
    /// number. An empty axis makes one empty part.
    ///
    /// ```
    /// let parts = wengert_ops::Tensor::from([1.0, 2.0, 3.0]).split_every(0, 2)?;
    /// assert_eq!((parts.len(), parts[1].to_vec()), (2, vec![3.0]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or the size is 0.
    #[doc(alias = "split")]
    pub fn split_every(&self, axis: isize, size: usize) -> Result<Vec<Self>> {
        const OP: &str = "split_every";
        let n = self.shape()[normalize_axis(OP, axis, self.rank())?];
        if size == 0 {
            return Err(Error::argument(OP, "expected parts of at least one position, found 0"));
        }
        let mut sizes = vec![size; n / size];
        if sizes.is_empty() || !n.is_multiple_of(size) {
            sizes.push(n % size);
        }
        self.split(axis, &sizes)
    }

    /// `n` parts along an axis, of equal size except for the last, which may be smaller. There are fewer parts where
    /// the axis is too short, as in PyTorch.
    ///
    /// ```
    /// let parts = wengert_ops::Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0]).chunk(0, 2)?;
    /// assert_eq!(parts[1].to_vec(), [4.0, 5.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or `n` is 0.
    pub fn chunk(&self, axis: isize, n: usize) -> Result<Vec<Self>> {
        let a = normalize_axis("chunk", axis, self.rank())?;
        if n == 0 {
            return Err(Error::argument("chunk", "expected at least one part, found 0"));
        }
        self.split_every(axis, self.shape()[a].div_ceil(n).max(1))
    }

    /// The slices along an axis, which is removed.
    ///
    /// ```
    /// let rows = wengert_ops::Tensor::from([[1.0, 2.0], [3.0, 4.0]]).unbind(0)?;
    /// assert_eq!(rows[1].to_vec(), [3.0, 4.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range.
    #[doc(alias = "unstack")]
    pub fn unbind(&self, axis: isize) -> Result<Vec<Self>> {
        let a = normalize_axis("unbind", axis, self.rank())?;
        (0..self.shape()[a]).map(|i| self.select(axis, i)).collect()
    }

    /// The tensor repeated `times[i]` times along axis `i`. If there are more entries than axes, leading axes of size 1
    /// are added first, as in PyTorch's `repeat`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([1.0, 2.0]).repeat(&[2, 2])?;
    /// assert_eq!(t, Tensor::from([[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer entries than axes, or the result does not fit in memory.
    pub fn repeat(&self, times: &[usize]) -> Result<Self> {
        const OP: &str = "repeat";
        let shape = self.shape();
        let Some(lead) = times.len().checked_sub(shape.len()) else {
            let detail =
                format!("expected at least {} factors for shape {shape}, found {}", shape.len(), times.len());
            return Err(Error::argument(OP, detail));
        };
        // [a, b] is viewed as [1, a, 1, b], expanded to [m, a, n, b], and reshaped to [m a, n b].
        let (mut split, mut wide, mut merged) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &m) in times.iter().enumerate() {
            let n = if i < lead { 1 } else { shape[i - lead] };
            split.extend([1, n]);
            wide.extend([m, n]);
            merged.push(m.saturating_mul(n));
        }
        let merged = merged.to_shape(OP)?;
        self.reshape(split)?.expand(wide).map_err(|e| e.in_op(OP))?.reshape(merged)
    }

    /// The tensor repeated `times[i]` times along axis `i`, like [`repeat`](Tensor::repeat); but if there are fewer
    /// entries than axes, the first axes are not repeated, as in NumPy.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([[1.0], [2.0]]).tile(&[2])?;
    /// assert_eq!(t, Tensor::from([[1.0, 1.0], [2.0, 2.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the result does not fit in memory.
    pub fn tile(&self, times: &[usize]) -> Result<Self> {
        let mut all = vec![1; self.rank().saturating_sub(times.len())];
        all.extend(times);
        self.repeat(&all).map_err(|e| e.in_op("tile"))
    }

    /// Every slice along an axis, repeated `times` times in a row.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([1.0, 2.0]).repeat_interleave(0, 3)?;
    /// assert_eq!(t.to_vec(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, or the result does not fit in memory.
    pub fn repeat_interleave(&self, axis: isize, times: usize) -> Result<Self> {
        const OP: &str = "repeat_interleave";
        let mut shape = self.shape().to_vec();
        let a = normalize_axis(OP, axis, shape.len())?;
        let mut wide = shape.clone();
        wide.insert(a + 1, times);
        shape[a] = shape[a].saturating_mul(times);
        let shape = shape.to_shape(OP)?;
        self.unsqueeze(a as isize + 1)?.expand(wide).map_err(|e| e.in_op(OP))?.reshape(shape)
    }

    /// The tensor rotated by `k` quarter turns in the plane of two axes, from the first axis towards the second; a
    /// negative `k` rotates back. Nothing is copied.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).rot90(1, [0, 1])?;
    /// assert_eq!(t, Tensor::from([[2.0, 4.0], [1.0, 3.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn rot90(&self, k: isize, axes: [isize; 2]) -> Result<Self> {
        axes.resolve("rot90", self.rank())?;
        let [a, b] = axes;
        match k.rem_euclid(4) {
            0 => Ok(self.clone()),
            1 => self.flip(b)?.transpose(a, b),
            2 => self.flip(axes),
            _ => self.flip(a)?.transpose(a, b),
        }
    }

    /// The elements (i, i + offset) of matrices `[.., n, m]`, as `[.., k]`, without copying; empty if the diagonal is
    /// outside.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(t.diagonal(1)?.to_vec(), [2.0, 6.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[doc(alias = "diag")]
    pub fn diagonal(&self, offset: isize) -> Result<Self> {
        let &[.., rows, columns] = &self.shape()[..] else {
            let detail = format!("expected a matrix or a batch of them, found shape {}", self.shape());
            return Err(Error::shape("diagonal", detail));
        };
        let (row, column) = (offset.min(0).unsigned_abs(), offset.max(0) as usize);
        let n = rows.saturating_sub(row).min(columns.saturating_sub(column));
        let (row, column) = if n == 0 { (0, 0) } else { (row, column) };
        let part = self.narrow(-2, row, n)?.narrow(-1, column, n)?;
        let mut layout = part.layout.clone();
        let step = layout.strides[layout.strides.len() - 2];
        layout.shape.dims_mut().pop();
        layout.strides.pop();
        let last = layout.strides.len() - 1;
        layout.strides[last] = step + part.layout.strides[last + 1];
        Ok(part.with_layout(layout))
    }

    /// The elements where the mask is true, in row-major order, as `[n]`. The mask and the tensor broadcast together.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([1.0, -2.0, 3.0]);
    /// assert_eq!(t.masked_select(t.gt(0.0))?.to_vec(), [1.0, 3.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[doc(alias = "extract")]
    pub fn masked_select(&self, mask: impl IntoTensor<bool>) -> Result<Self> {
        let mask = mask.into_tensor()?;
        let shape = crate::shape::broadcast_shapes("masked_select", self.shape(), mask.shape())?;
        let (values, mask) = (self.expand(&shape)?.to_vec(), mask.expand(&shape)?.to_vec());
        let chosen: Vec<T> = values.into_iter().zip(mask).filter_map(|(v, m)| m.then_some(v)).collect();
        Ok(Tensor::from(chosen))
    }
}

impl<T: crate::Float> Tensor<T> {
    /// Matrices `[.., n, m]` with everything above diagonal `offset` set to zero: element (i, j) is kept where j ≤ i +
    /// offset.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(t.tril(0)?, Tensor::from([[1.0, 0.0, 0.0], [4.0, 5.0, 0.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two axes.
    pub fn tril(&self, offset: isize) -> Result<Self> {
        self.triangle("tril", |i, n| {
            0..(i as isize).saturating_add(offset).saturating_add(1).clamp(0, n as isize) as usize
        })
    }

    /// Matrices `[.., n, m]` with everything below diagonal `offset` set to zero: element (i, j) is kept where j ≥ i +
    /// offset.
    ///
    /// # Errors
    /// If there are fewer than two axes.
    pub fn triu(&self, offset: isize) -> Result<Self> {
        self.triangle("triu", |i, n| (i as isize).saturating_add(offset).clamp(0, n as isize) as usize..n)
    }

    /// The matrices with zeros outside `kept(i, n)` of each row `i` of `n` elements, copied row by row.
    fn triangle(
        &self,
        op: &'static str,
        kept: impl Fn(usize, usize) -> std::ops::Range<usize> + Sync,
    ) -> Result<Self> {
        let &[.., rows, n] = &self.shape()[..] else {
            let detail = format!("expected a matrix or a batch of them, found shape {}", self.shape());
            return Err(Error::shape(op, detail));
        };
        let x = self.contiguous();
        let x = x.as_slice().expect("contiguous");
        let mut out = Buffer::unspecified(x.len());
        parallel::chunks_mut(&mut out, parallel::rows(n, 1) * n, 1, |start, piece| {
            for (k, to) in piece.chunks_exact_mut(n).enumerate() {
                let (at, kept) = (start + k * n, kept((start / n + k) % rows, n));
                to[..kept.start].fill(T::ZERO);
                to[kept.end..].fill(T::ZERO);
                to[kept.clone()].copy_from_slice(&x[at..at + n][kept]);
            }
        });
        Ok(Tensor::from_buffer(out, self.shape().clone()))
    }

    /// The sum of the diagonal of matrices `[.., n, m]`, square or not, as `[..]`.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.trace()?.item()?, 5.0);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two axes.
    pub fn trace(&self) -> Result<Self> {
        self.diagonal(0).map_err(|e| e.in_op("trace"))?.sum_axes(-1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: impl ToShape) -> Tensor<f64> {
        let n = shape.sizes().iter().product::<isize>() as usize;
        Tensor::from((0..n).map(|i| i as f64).collect::<Vec<_>>()).reshape(shape).unwrap()
    }

    #[test]
    fn several_axes_are_rolled_and_moved_as_one_after_another() {
        let t = counting([2, 3, 4]);
        let one = t.roll(0, 1).unwrap().roll(-1, -3).unwrap();
        assert_eq!(t.roll([0, 2], [1, -3]).unwrap(), one);
        assert_eq!(t.roll([1, 1], [1, 1]).unwrap(), t.roll(1, 2).unwrap(), "an axis may be named twice");
        assert_eq!(t.roll(0, isize::MIN).unwrap(), t);
        assert!(t.roll([0, 1], 1).is_err() && t.roll(3, 1).is_err());
        assert_eq!(*t.slice(1, 0..0).unwrap().roll(1, 5).unwrap().shape(), [2, 0, 4]);

        assert_eq!(t.movedim([0, 1], [1, 0]).unwrap(), t.transpose(0, 1).unwrap());
        assert_eq!(t.movedim([2, 0], [0, 1]).unwrap(), t.permute([2, 0, 1]).unwrap());
        assert!(t.movedim([0, 1], 0).is_err() && t.movedim([0, 0], [1, 2]).is_err());
        assert!(t.movedim([0, 1], [1, 1]).is_err() && t.movedim(3, 0).is_err() && t.movedim(0, -4).is_err());
    }

    #[test]
    fn diagonals_agree_with_indexing_in_every_layout() {
        let t = counting([2, 3, 4]);
        let views = [
            t.clone(),
            t.transpose(1, 2).unwrap(),
            t.flip(2).unwrap(),
            t.slice(1, 0..1).unwrap().expand([2, 3, 4]).unwrap(),
        ];
        for t in views {
            let (n, m) = (t.shape()[1] as isize, t.shape()[2] as isize);
            for offset in [-9, -3, -2, -1, 0, 1, 2, 3, 4, isize::MIN, isize::MAX] {
                let cells = (0..n).filter_map(|i| Some((i, i.checked_add(offset)?)));
                let cells: Vec<_> = cells.filter(|(_, j)| (0..m).contains(j)).collect();
                let d = t.diagonal(offset).unwrap();
                assert_eq!(*d.shape(), [2, cells.len()]);
                for b in 0..2 {
                    for (k, &(i, j)) in cells.iter().enumerate() {
                        assert_eq!(d.get(&[b, k]).unwrap(), t.get(&[b, i as usize, j as usize]).unwrap());
                    }
                }
            }
        }
        assert!(counting([3]).diagonal(0).is_err() && counting([3]).tril(0).is_err());
    }

    #[test]
    fn triangles_agree_with_indexing_in_every_layout() {
        for shape in [[2, 3, 4], [1, 1, 1], [3, 0, 2], [2, 5, 0], [2, 211, 97]] {
            let t = counting(shape).map(|v| v + 1.0);
            for t in [t.clone(), t.transpose(1, 2).unwrap(), t.flip(2).unwrap()] {
                let (n, m) = (t.shape()[1], t.shape()[2]);
                for offset in [-3, -1, 0, 1, 2, 60, isize::MIN, isize::MAX] {
                    let (lower, upper) = (t.tril(offset).unwrap().to_vec(), t.triu(offset).unwrap().to_vec());
                    for (k, v) in t.to_vec().into_iter().enumerate() {
                        let (i, j) = ((k / m % n) as isize, (k % m) as isize);
                        let reach = i.saturating_add(offset);
                        assert_eq!(lower[k], if j <= reach { v } else { 0.0 });
                        assert_eq!(upper[k], if j >= reach { v } else { 0.0 });
                    }
                }
            }
        }
        let t = Tensor::from([[f64::NAN, f64::NAN], [1.0, f64::INFINITY]]);
        assert_eq!(t.tril(-1).unwrap().to_vec(), [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn parts_make_the_whole_again() {
        let t = counting([5, 2]);
        for parts in [t.split(0, &[1, 4]), t.split_every(0, 2), t.chunk(0, 3), t.split_every(0, 9)] {
            assert_eq!(Tensor::concat(&parts.unwrap(), 0).unwrap(), t);
        }
        assert_eq!(Tensor::stack(&t.unbind(1).unwrap(), 1).unwrap(), t);
        assert!(t.split(0, &[1, 3]).is_err() && t.split_every(0, 0).is_err() && t.chunk(0, 0).is_err());
        assert!(t.split(2, &[]).is_err() && t.unbind(2).is_err() && t.chunk(-3, 1).is_err());
        assert!(t.repeat(&[2]).is_err() && t.repeat(&[usize::MAX, 2]).is_err() && t.flatten(3).is_err());
        assert!(t.repeat_interleave(0, usize::MAX).is_err() && t.flatten_axes(1, 0).is_err());
    }
}
