//! Selecting and adding elements by index. Indices are checked once, in a pass of their own; then each loop copies or adds
//! row by row, and threads share the rows that do not write to the same element.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Shape, normalize_axis};
use crate::tensor::Tensor;
use crate::view::Slice;
use std::ops::Range;

/// An error if an index, which it names with its position in row-major order, is outside an axis of size `n`.
fn check(op: &'static str, index: &[i64], n: usize) -> Result<()> {
    // Without an early exit, so that the loop has no branches.
    if !index.iter().fold(false, |bad, &i| bad | (i as u64 >= n as u64)) {
        return Ok(());
    }
    let at = index.iter().position(|&i| i as u64 >= n as u64).unwrap_or_default();
    let detail = format!("index {} at position {at} is out of range for an axis of size {n}", index[at]);
    Err(Error::new(op, ErrorKind::Index, detail))
}

/// Indices checked against an axis of size `n`.
pub(crate) fn checked(op: &'static str, index: &Tensor<i64>, n: usize) -> Result<Vec<usize>> {
    let index = index.contiguous();
    let index = index.as_slice().expect("contiguous");
    check(op, index, n)?;
    Ok(index.iter().map(|&i| i as usize).collect())
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

/// Calls `put` with each element of the rows of `inner` elements in `from`, in their order, and the element of `to` at the
/// same place of the row that its position selects.
#[inline]
fn put_rows<T: Copy>(to: &mut [T], at: &[usize], inner: usize, from: &[T], put: impl Fn(&mut T, T)) {
    if inner == 1 {
        for (&v, &i) in from.iter().zip(at) {
            put(&mut to[i], v);
        }
    } else {
        for (row, &i) in from.chunks_exact(inner).zip(at) {
            for (to, &v) in to[i * inner..][..inner].iter_mut().zip(row) {
                put(to, v);
            }
        }
    }
}

/// For rows shorter than this, a call of the function that copies memory costs more than a loop.
const SHORT: usize = 16;
/// For rows of this length, the time to look at an index is small next to that of its row.
const LONG: usize = 64;

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
        let row = plan.row();
        parallel::chunks_mut(&mut out, parallel::rows(row, 2) * row, 2, |start, to| {
            plan.each(start / row..(start + to.len()) / row, |i, at| to[i - start] = src[at]);
        });
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
        self.clone().with_rows("index_add", axis, index, src, |to, v| *to += v)
    }

    /// Like [`index_add`](Tensor::index_add), in this tensor's own buffer if it is not shared.
    ///
    /// # Errors
    /// Those of `index_add`.
    pub fn into_index_add(self, axis: isize, index: &Tensor<i64>, src: &Tensor<T>) -> Result<Tensor<T>> {
        self.with_rows("index_add", axis, index, src, |to, v| *to += v)
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
        self.clone().with_rows("index_copy", axis, index, src, |to, v| *to = v)
    }

    /// Calls `put` with each element of `src`, in order, and the element of this tensor that its index selects.
    fn with_rows(
        mut self,
        op: &'static str,
        axis: isize,
        index: &Tensor<i64>,
        src: &Tensor<T>,
        put: impl Fn(&mut T, T) + Sync,
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
        if src.numel() == 0 {
            return Ok(self);
        }
        let from = src.contiguous();
        let from = from.as_slice().expect("contiguous");
        let (block, line) = (n * inner, at.len() * inner);
        let cost = line.div_ceil(block);
        let to = self.data_mut();
        if outer == 1 && inner >= LONG {
            // A task has some of the rows, and looks for the positions that select them.
            let rows = parallel::rows(inner, cost).max(n.div_ceil(16));
            parallel::chunks_mut(to, rows * inner, cost, |start, to| {
                let mine = start / inner..(start + to.len()) / inner;
                for (row, &i) in from.chunks_exact(inner).zip(&at).filter(|(_, i)| mine.contains(i)) {
                    put_rows(to, &[i - mine.start], inner, row, &put);
                }
            });
        } else {
            parallel::chunks_mut(to, parallel::rows(block, cost) * block, cost, |start, piece| {
                for (k, to) in piece.chunks_exact_mut(block).enumerate() {
                    put_rows(to, &at, inner, &from[(start / block + k) * line..][..line], &put);
                }
            });
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
        let size = plan.size();
        if plan.outer.is_none() && size > 0 {
            // A block gets the elements of its own rows alone.
            let rows = plan.rows_in_block();
            let cost = (rows * plan.row()).div_ceil(size) * 2;
            parallel::chunks_mut(to, parallel::rows(size, cost) * size, cost, |start, to| {
                let blocks = start / size..(start + to.len()) / size;
                plan.each(blocks.start * rows..blocks.end * rows, |i, at| to[at - start] += from[i]);
            });
        } else {
            plan.each(0..plan.rows(), |i, at| to[at] += from[i]);
        }
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

/// The elements to which an index tensor refers. The tensor is `[outer, n, inner]`, and so is the index, with sizes of its
/// own; its rows, along `inner` or along `n` where nothing is inside, refer to elements of one block `[n, inner]`.
pub(crate) struct Places {
    index: Tensor<i64>,
    /// The sizes of the index from the axis on, and of the tensor.
    chosen: [usize; 2],
    sizes: [usize; 2],
    /// For positions of the index before and after the axis, those in the tensor, where they are not the same.
    outer: Option<Vec<usize>>,
    inner: Option<Vec<usize>>,
}

/// For each position in row-major order of an array of shape `small`, the one with the same coordinates in `large`; `None`
/// if it is the same.
fn corner(small: &[usize], large: &[usize]) -> Option<Vec<usize>> {
    if small == large {
        return None;
    }
    let mut at = vec![0];
    for (&d, &n) in small.iter().zip(large) {
        at = at.iter().flat_map(|&base| (0..d).map(move |i| base * n + i)).collect();
    }
    Some(at)
}

impl Places {
    pub(crate) fn new(op: &'static str, tensor: &Shape, axis: isize, index: &Tensor<i64>) -> Result<Self> {
        let axis = normalize_axis(op, axis, tensor.len())?;
        let shape = index.shape();
        let fits = index.rank() == tensor.len()
            && shape.iter().zip(tensor.iter()).enumerate().all(|(i, (a, b))| i == axis || a <= b);
        if !fits {
            let detail = format!("index {shape} does not fit {tensor} along axis {axis}");
            return Err(Error::shape(op, detail));
        }
        let ((_, k, width), (_, n, inner)) = (around(shape, axis), around(tensor, axis));
        let index = index.contiguous();
        check(op, index.as_slice().expect("contiguous"), n)?;
        Ok(Places {
            chosen: [k, width],
            sizes: [n, inner],
            outer: corner(&shape[..axis], &tensor[..axis]),
            inner: corner(&shape[axis + 1..], &tensor[axis + 1..]),
            index,
        })
    }

    /// Whether nothing is inside the axis.
    fn is_last(&self) -> bool {
        self.chosen[1] == 1 && self.sizes[1] == 1
    }

    /// The number of elements in a row of the index.
    pub(crate) fn row(&self) -> usize {
        self.chosen[usize::from(!self.is_last())]
    }

    /// The number of rows of the index that refer to one block.
    fn rows_in_block(&self) -> usize {
        if self.is_last() { 1 } else { self.chosen[0] }
    }

    /// The number of rows of the index.
    pub(crate) fn rows(&self) -> usize {
        self.index.numel().checked_div(self.row()).unwrap_or(0)
    }

    /// The number of elements in a block of the tensor.
    fn size(&self) -> usize {
        self.sizes[0] * self.sizes[1]
    }

    /// Calls `f` with each position in the given rows of the index and the position in the tensor that it refers to.
    #[inline(always)]
    pub(crate) fn each(&self, rows: Range<usize>, mut f: impl FnMut(usize, usize)) {
        let (row, inner, size) = (self.row(), self.sizes[1], self.size());
        if row == 0 {
            return;
        }
        let block = |o: usize| self.outer.as_ref().map_or(o, |at| at[o]) * size;
        let all = &self.index.as_slice().expect("contiguous")[rows.start * row..rows.end * row];
        let chosen = rows.zip(all.chunks_exact(row));
        if self.is_last() {
            for (r, chosen) in chosen {
                let (first, base) = (r * row, block(r));
                chosen.iter().enumerate().for_each(|(i, &c)| f(first + i, base + c as usize));
            }
            return;
        }
        let rows_in_block = self.rows_in_block();
        for (r, chosen) in chosen {
            let (first, base) = (r * row, block(r / rows_in_block));
            match &self.inner {
                None => {
                    chosen.iter().enumerate().for_each(|(i, &c)| f(first + i, base + c as usize * inner + i));
                }
                Some(at) => {
                    let chosen = chosen.iter().zip(at).enumerate();
                    chosen.for_each(|(i, (&c, at))| f(first + i, base + c as usize * inner + at));
                }
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

    /// Indices below `n` in a fixed disorder, in a layout that is not contiguous.
    fn scattered(shape: [usize; 3], n: usize) -> Tensor<i64> {
        let [a, b, c] = shape;
        let values = (0..a * b * c).map(|i| (i * 7919 % 104_729 % n.max(1)) as i64).collect();
        Tensor::from_vec(values, [c, b, a]).unwrap().permute([2, 1, 0]).unwrap()
    }

    /// Gathering and both kinds of adding along every axis of tensors of many sizes, by indexing.
    fn agree<T: Float>() {
        let sizes = [[0, 3, 2], [1, 1, 1], [3, 0, 2], [5, 7, 1], [2, 13, 3], [1, 31, 17], [40, 67, 23]];
        for ([a, b, c], axis) in sizes.iter().flat_map(|&s| (0..3).map(move |axis| (s, axis))) {
            let base = Tensor::<T>::steps(-1.0, 0.37, a * b * c).reshape([c, b, a]).unwrap();
            let t = base.permute([2, 1, 0]).unwrap();
            let n = t.shape()[axis];
            let mut shapes = [[a, b, c]; 3];
            shapes[0][axis] = if n == 0 { 0 } else { 19 };
            shapes[1] = shapes[0].map(|d| d - d / 3);
            for shape in shapes {
                let index = scattered(shape, n);
                let src = Tensor::<T>::steps(0.5, 0.3, index.numel()).reshape(shape).unwrap();
                let got = t.gather(axis as isize, &index).unwrap();
                let sum = t.scatter_add(axis as isize, &index, &src).unwrap();
                let mut want = t.contiguous();
                for i in 0..index.numel() {
                    let place = [i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]];
                    let mut at = place;
                    at[axis] = index.get(&place).unwrap() as usize;
                    assert_eq!(got.get(&place).unwrap(), t.get(&at).unwrap());
                    want.data_mut()[(at[0] * b + at[1]) * c + at[2]] += src.get(&place).unwrap();
                }
                assert_eq!(sum.to_vec(), want.to_vec(), "{:?} by {shape:?} along {axis}", [a, b, c]);
            }
            let mut shape = [a, b, c];
            shape[axis] = if n == 0 { 0 } else { 29 };
            let index = scattered([shape[axis], 1, 1], n).reshape([shape[axis]]).unwrap();
            let src = Tensor::<T>::steps(0.5, 0.3, shape.iter().product()).reshape(shape).unwrap();
            let [mut added, mut copied] = [t.contiguous(), t.contiguous()];
            for i in 0..src.numel() {
                let mut at = [i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]];
                at[axis] = index.get(&[at[axis]]).unwrap() as usize;
                let at = (at[0] * b + at[1]) * c + at[2];
                added.data_mut()[at] += src.to_vec()[i];
                copied.data_mut()[at] = src.to_vec()[i];
            }
            assert_eq!(t.index_add(axis as isize, &index, &src).unwrap(), added);
            assert_eq!(t.index_copy(axis as isize, &index, &src).unwrap(), copied);
        }
    }

    #[test]
    fn every_axis_and_size_agrees_with_indexing() {
        agree::<f32>();
        agree::<f64>();
    }

    #[test]
    fn threads_add_in_the_order_of_the_index() {
        // Values whose sums depend on the order.
        for (shape, axis) in [([1, 300, 700], 1), ([300, 70, 20], 1), ([50, 1, 3000], 2)] {
            let t = Tensor::<f32>::steps(0.1, 1e-3, shape.iter().product()).reshape(shape).unwrap();
            let n = shape[axis as usize];
            let index = scattered([2 * n, 1, 1], n).reshape([2 * n]).unwrap();
            let src = Tensor::concat(&[t.clone(), t.scale(1e5)], axis).unwrap();
            let sums = || t.index_add(axis, &index, &src).unwrap().to_vec();
            assert_eq!(sums(), parallel::in_small_pieces(3, sums));
            let mut wide = [1; 3];
            wide[axis as usize] = 2 * n;
            let index = index.reshape(wide).unwrap().expand(src.shape()).unwrap();
            let sums = || t.scatter_add(axis, &index, &src).unwrap().to_vec();
            assert_eq!(sums(), parallel::in_small_pieces(3, sums));
        }
    }

    #[test]
    fn out_of_range_is_named() {
        let t = Tensor::<f64>::zeros([2, 3]);
        let e = t.index_select(1, &Tensor::from([0i64, 3])).unwrap_err();
        assert!(e.to_string().contains("index 3 at position 1") && e.to_string().contains("size 3"), "{e}");
        assert!(t.index_select(1, &Tensor::from([-1i64])).is_err());
        assert!(
            t.gather(0, &Tensor::from([0i64])).is_err() && t.gather(0, &Tensor::from([[0i64; 4]])).is_err()
        );
        assert!(Tensor::<f32>::one_hot(&Tensor::from([i64::MAX]), 3).is_err());
        assert_eq!(*Tensor::<f32>::one_hot(&Tensor::<i64>::from(vec![]), 0).unwrap().shape(), [0, 0]);
    }
}
