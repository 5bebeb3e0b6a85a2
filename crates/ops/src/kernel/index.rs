//! Selecting and adding elements by index.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Shape, normalize_axis};
use crate::tensor::Tensor;
use crate::view::Slice;

/// Indices checked against an axis of size `n`.
pub(crate) fn checked(op: &'static str, index: &Tensor<i64>, n: usize) -> Result<Vec<usize>> {
    let index = index.to_vec();
    if let Some(bad) = index.iter().find(|&&i| i < 0 || i as u64 >= n as u64) {
        let detail = format!("index {bad} is out of range for an axis of size {n}");
        return Err(Error::new(op, ErrorKind::Index, detail));
    }
    Ok(index.into_iter().map(|i| i as usize).collect())
}

/// Sizes before, at and after an axis.
fn around(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

fn vector(op: &'static str, index: &Tensor<i64>) -> Result<()> {
    match index.rank() {
        1 => Ok(()),
        _ => Err(Error::shape(op, format!("expected indices of rank 1, found shape {}", index.shape()))),
    }
}

/// The rows of `inner` elements at the given positions, one after the other.
fn select_rows<T: Copy>(from: &[T], at: &[usize], inner: usize, to: &mut [T]) {
    if inner == 1 {
        for (to, &i) in to.iter_mut().zip(at) {
            *to = from[i];
        }
    } else if inner < SHORT {
        for (to, &i) in to.chunks_exact_mut(inner).zip(at) {
            for (to, &v) in to.iter_mut().zip(&from[i * inner..][..inner]) {
                *to = v;
            }
        }
    } else {
        for (to, &i) in to.chunks_exact_mut(inner).zip(at) {
            to.copy_from_slice(&from[i * inner..][..inner]);
        }
    }
}

/// For rows shorter than this, a call of the function that copies memory costs more than a loop.
const SHORT: usize = 16;

impl<T: Element> Tensor<T> {
    /// The slices of one axis at the given positions, in that order; positions may repeat.
    ///
    /// # Errors
    /// If the axis or an index is out of range, or `index` is not of rank 1.
    pub fn index_select(&self, axis: isize, index: &Tensor<i64>) -> Result<Tensor<T>> {
        const OP: &str = "index_select";
        let axis = normalize_axis(OP, axis, self.rank())?;
        vector(OP, index)?;
        let (outer, n, inner) = around(self.shape(), axis);
        let at = checked(OP, index, n)?;
        let src = self.contiguous();
        let src = src.as_slice().expect("contiguous");
        let mut shape = self.shape().clone();
        shape.dims_mut()[axis] = at.len();
        if shape.checked_numel().is_none() {
            return Err(Error::new(
                OP,
                ErrorKind::Overflow,
                format!("the result {shape} has too many elements"),
            ));
        }
        let mut out = Buffer::unspecified(shape.numel());
        let line = at.len() * inner;
        if line > 0 {
            debug_assert_eq!(out.len(), outer * line);
            parallel::chunks_mut(&mut out, parallel::rows(line, 1) * line, 1, |start, piece| {
                for (k, to) in piece.chunks_exact_mut(line).enumerate() {
                    let from = &src[(start / line + k) * n * inner..][..n * inner];
                    select_rows(from, &at, inner, to);
                }
            });
        }
        Ok(Tensor::from_buffer(out, shape))
    }

    /// For every position of `index`, the element of `self` at that position with its coordinate along `axis` replaced
    /// by the index found there. Other axes of `index` may be shorter than this tensor's.
    ///
    /// # Errors
    /// If ranks differ, another axis of `index` is longer, or an index is out of range.
    pub fn gather(&self, axis: isize, index: &Tensor<i64>) -> Result<Tensor<T>> {
        let plan = Places::new("gather", self.shape(), axis, index)?;
        let src = self.contiguous();
        let src = src.as_slice().expect("contiguous");
        let mut out = Buffer::unspecified(index.numel());
        plan.each(|i, at| out[i] = src[at]);
        Ok(Tensor::from_buffer(out, index.shape().clone()))
    }
}

impl<T: Float> Tensor<T> {
    /// This tensor with the slices of `src` added along `axis` at the given positions: the adjoint of
    /// [`index_select`](Tensor::index_select).
    ///
    /// # Errors
    /// If the axis or an index is out of range, or the shapes are not consistent.
    pub fn index_add(&self, axis: isize, index: &Tensor<i64>, src: &Tensor<T>) -> Result<Tensor<T>> {
        self.clone().with_rows("index_add", axis, index, src, |to, row| {
            for (d, &v) in to.iter_mut().zip(row) {
                *d += v;
            }
        })
    }

    /// Like [`index_add`](Tensor::index_add), in this tensor's own buffer if it is not shared.
    ///
    /// # Errors
    /// Those of `index_add`.
    pub fn into_index_add(self, axis: isize, index: &Tensor<i64>, src: &Tensor<T>) -> Result<Tensor<T>> {
        self.with_rows("index_add", axis, index, src, |to, row| {
            for (d, &v) in to.iter_mut().zip(row) {
                *d += v;
            }
        })
    }

    /// This tensor with `src` added to one of its slices: the adjoint of [`slice`](Tensor::slice). It works in this
    /// tensor's own buffer if that is not shared.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::<f64>::ones([4]).into_slice_add(0, 1..3, &Tensor::from([10.0, 20.0]))?;
    /// assert_eq!(t, Tensor::from([1.0, 11.0, 21.0, 1.0]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, the step is zero, or `src` does not have the shape of the slice.
    pub fn into_slice_add(
        mut self,
        axis: isize,
        range: impl Into<Slice>,
        src: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        const OP: &str = "slice_add";
        let axis = normalize_axis(OP, axis, self.rank())?;
        let (outer, n, inner) = around(self.shape(), axis);
        let (start, count, step) = range.into().resolve(n)?;
        let mut want = self.shape().clone();
        want.dims_mut()[axis] = count;
        if *src.shape() != want {
            return Err(Error::shape(OP, format!("expected source of shape {want}, found {}", src.shape())));
        }
        if want.numel() == 0 {
            return Ok(self);
        }
        // Adjacent positions along the axis are one run of elements.
        let (runs, length) = if step == 1 { (1, count * inner) } else { (count, inner) };
        let from = src.contiguous();
        let mut rows = from.as_slice().expect("contiguous").chunks_exact(length);
        let to = self.data_mut();
        for o in 0..outer {
            for (k, row) in (0..runs).zip(&mut rows) {
                let at = (o * n + start).wrapping_add_signed(k as isize * step) * inner;
                for (d, &v) in to[at..at + length].iter_mut().zip(row) {
                    *d += v;
                }
            }
        }
        Ok(self)
    }

    /// This tensor with its slices along `axis` at the given positions replaced by those of `src`; where a position
    /// repeats, the last one is kept.
    ///
    /// # Errors
    /// If the axis or an index is out of range, or the shapes are not consistent.
    pub fn index_copy(&self, axis: isize, index: &Tensor<i64>, src: &Tensor<T>) -> Result<Tensor<T>> {
        self.clone().with_rows("index_copy", axis, index, src, |to, row| to.copy_from_slice(row))
    }

    /// Calls `put` with each row of `src` and the row of this tensor that its index selects.
    fn with_rows(
        mut self,
        op: &'static str,
        axis: isize,
        index: &Tensor<i64>,
        src: &Tensor<T>,
        put: impl Fn(&mut [T], &[T]),
    ) -> Result<Tensor<T>> {
        let axis = normalize_axis(op, axis, self.rank())?;
        vector(op, index)?;
        let (outer, n, inner) = around(self.shape(), axis);
        let at = checked(op, index, n)?;
        let mut want = self.shape().clone();
        want.dims_mut()[axis] = at.len();
        if *src.shape() != want {
            return Err(Error::shape(op, format!("expected source of shape {want}, found {}", src.shape())));
        }
        let from = src.contiguous();
        let from = from.as_slice().expect("contiguous");
        let to = self.data_mut();
        if inner > 0 {
            let mut rows = from.chunks_exact(inner);
            for o in 0..outer {
                for (&i, row) in at.iter().zip(&mut rows) {
                    put(&mut to[(o * n + i) * inner..][..inner], row);
                }
            }
        }
        Ok(self)
    }

    /// This tensor with every element of `src` added at the position that [`gather`](Tensor::gather) with the same
    /// index reads: the adjoint of `gather`.
    ///
    /// # Errors
    /// Those of `gather`; also if `src` and `index` differ in shape.
    pub fn scatter_add(&self, axis: isize, index: &Tensor<i64>, src: &Tensor<T>) -> Result<Tensor<T>> {
        self.clone().into_scatter_add(axis, index, src)
    }

    /// Like [`scatter_add`](Tensor::scatter_add), in this tensor's own buffer if it is not shared.
    ///
    /// # Errors
    /// Those of `scatter_add`.
    pub fn into_scatter_add(
        mut self,
        axis: isize,
        index: &Tensor<i64>,
        src: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        let plan = Places::new("scatter_add", self.shape(), axis, index)?;
        if src.shape() != index.shape() {
            let detail = format!("expected source of shape {}, found {}", index.shape(), src.shape());
            return Err(Error::shape("scatter_add", detail));
        }
        let from = src.contiguous();
        let from = from.as_slice().expect("contiguous");
        let to = self.data_mut();
        plan.each(|i, at| to[at] += from[i]);
        Ok(self)
    }

    /// 1 at each index along a new last axis of size `classes`, 0 elsewhere.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::<f32>::one_hot(&Tensor::from([2i64, 0]), 3)?;
    /// assert_eq!(t, Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an index is out of range or the result does not fit in memory.
    pub fn one_hot(index: &Tensor<i64>, classes: usize) -> Result<Tensor<T>> {
        let at = checked("one_hot", index, classes)?;
        let mut shape = index.shape().clone();
        shape.push(classes);
        let mut out = Tensor::try_full(shape, T::ZERO).map_err(|e| e.in_op("one_hot"))?;
        let to = out.data_mut();
        for (row, i) in at.into_iter().enumerate() {
            to[row * classes + i] = T::ONE;
        }
        Ok(out)
    }
}

/// The elements to which an index tensor refers: pairs of (position in the index, position in the tensor).
pub(crate) struct Places {
    index: Vec<usize>,
    shape: Shape,
    strides: Vec<usize>,
    axis: usize,
}

impl Places {
    pub(crate) fn new(op: &'static str, tensor: &Shape, axis: isize, index: &Tensor<i64>) -> Result<Self> {
        let axis = normalize_axis(op, axis, tensor.len())?;
        let fits = index.rank() == tensor.len()
            && index.shape().iter().zip(tensor.iter()).enumerate().all(|(i, (a, b))| i == axis || a <= b);
        if !fits {
            let detail = format!("index {} does not fit {tensor} along axis {axis}", index.shape());
            return Err(Error::shape(op, detail));
        }
        let mut strides = vec![1; tensor.len()];
        for i in (1..tensor.len()).rev() {
            strides[i - 1] = strides[i] * tensor[i];
        }
        Ok(Places { index: checked(op, index, tensor[axis])?, shape: index.shape().clone(), strides, axis })
    }

    pub(crate) fn each(&self, mut f: impl FnMut(usize, usize)) {
        let Some((&inner, outer)) = self.shape.split_last() else {
            return;
        };
        // Along the last axis, only the index varies, or the index and the column.
        let (stride, column) = (self.strides[self.axis], usize::from(self.axis != outer.len()));
        let mut at = vec![0; outer.len()];
        let mut base = 0;
        for (row, chosen) in self.index.chunks_exact(inner.max(1)).enumerate() {
            for (j, &c) in chosen.iter().enumerate() {
                f(row * inner + j, base + c * stride + j * column);
            }
            for (a, &d) in outer.iter().enumerate().rev() {
                let step = if a == self.axis { 0 } else { self.strides[a] };
                at[a] += 1;
                base += step;
                if at[a] < d {
                    break;
                }
                base -= step * d;
                at[a] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_and_its_adjoint() {
        let t = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let i = Tensor::from([2i64, 0, 2]);
        assert_eq!(t.index_select(1, &i).unwrap(), Tensor::from([[3.0, 1.0, 3.0], [6.0, 4.0, 6.0]]));
        let back = Tensor::zeros([2, 3]).index_add(1, &i, &Tensor::<f64>::ones([2, 3])).unwrap();
        assert_eq!(back, Tensor::from([[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]]), "duplicates accumulate");
        let rows = Tensor::from([[7.0, 8.0, 9.0], [4.0, 5.0, 6.0]]);
        let put = t.index_copy(1, &i, &rows).unwrap();
        assert_eq!(put, Tensor::from([[8.0, 2.0, 9.0], [5.0, 5.0, 6.0]]), "the last duplicate stays");
        assert_eq!(
            t.transpose(0, 1).unwrap().index_copy(0, &i, &rows.transpose(0, 1).unwrap()).unwrap(),
            put.transpose(0, 1).unwrap()
        );
        let g = Tensor::from([[0i64, 2]]);
        assert_eq!(t.gather(1, &g).unwrap(), Tensor::from([[1.0, 3.0]]));
        assert_eq!(t.gather(0, &Tensor::from([[1i64, 0, 1]])).unwrap(), Tensor::from([[4.0, 2.0, 6.0]]));
        let s = Tensor::zeros([2, 3])
            .scatter_add(1, &Tensor::from([[1i64, 1]]), &Tensor::from([[5.0, 7.0]]))
            .unwrap();
        assert_eq!(s, Tensor::from([[0.0, 12.0, 0.0], [0.0, 0.0, 0.0]]));
    }

    #[test]
    fn a_slice_is_added_where_it_was_taken_from() {
        let t = Tensor::<f64>::steps(0.0, 1.0, 60).reshape([3, 4, 5]).unwrap();
        let ranges = [
            Slice::from(1..3),
            Slice::from(..),
            Slice::from(2..2),
            Slice::all().step(2),
            Slice::all().step(-3),
        ];
        for base in [t.clone(), t.permute([0, 2, 1]).unwrap().contiguous().permute([0, 2, 1]).unwrap()] {
            for (axis, range) in (0..3).flat_map(|a| ranges.map(|r| (a, r))) {
                let part = base.slice(axis, range).unwrap();
                let index: Vec<i64> = (0..base.shape()[axis as usize] as i64).collect();
                let index = Tensor::from(index).slice(0, range).unwrap();
                let got = base.clone().into_slice_add(axis, range, &part).unwrap();
                assert_eq!(got, base.index_add(axis, &index, &part).unwrap(), "axis {axis}, {range}");
            }
        }
        assert_eq!(
            t,
            Tensor::steps(0.0, 1.0, 60).reshape([3, 4, 5]).unwrap(),
            "what is shared is not written"
        );
        assert!(t.into_slice_add(1, 0..2, &Tensor::zeros([3, 3, 5])).is_err());
    }

    #[test]
    fn gathering_along_every_axis_agrees_with_indexing() {
        let t = Tensor::<f64>::steps(0.0, 1.0, 60).reshape([3, 4, 5]).unwrap();
        for axis in 0..3 {
            let mut sizes = [2, 3, 4];
            sizes[axis] = 6;
            let n = t.shape()[axis];
            let values = (0..sizes.iter().product::<usize>()).map(|i| (i * 7 % n) as i64).collect();
            let index = Tensor::from_vec(values, sizes).unwrap();
            let (got, base) = (t.gather(axis as isize, &index).unwrap(), Tensor::<f64>::zeros([3, 4, 5]));
            let back = base.scatter_add(axis as isize, &index, &Tensor::ones(sizes)).unwrap();
            let mut counts = vec![0.0; 60];
            for i in 0..index.numel() {
                let mut at = [i / sizes[2] / sizes[1], i / sizes[2] % sizes[1], i % sizes[2]];
                let place = at;
                at[axis] = index.get(&place).unwrap() as usize;
                assert_eq!(got.get(&place).unwrap(), t.get(&at).unwrap());
                counts[at[0] * 20 + at[1] * 5 + at[2]] += 1.0;
            }
            assert_eq!(back.to_vec(), counts);
        }
    }

    #[test]
    fn out_of_range_is_named() {
        let t = Tensor::<f64>::zeros([2, 3]);
        let e = t.index_select(1, &Tensor::from([0i64, 3])).unwrap_err();
        assert!(e.to_string().contains("index 3") && e.to_string().contains("size 3"), "{e}");
        assert!(t.index_select(1, &Tensor::from([-1i64])).is_err());
        assert!(
            t.gather(0, &Tensor::from([0i64])).is_err() && t.gather(0, &Tensor::from([[0i64; 4]])).is_err()
        );
        assert!(Tensor::<f32>::one_hot(&Tensor::from([i64::MAX]), 3).is_err());
        assert_eq!(*Tensor::<f32>::one_hot(&Tensor::<i64>::from(vec![]), 0).unwrap().shape(), [0, 0]);
    }
}
