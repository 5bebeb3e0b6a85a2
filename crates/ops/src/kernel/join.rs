//! Joining and padding tensors along axes: concat, stack, pad.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::kernel::copy::Strided;
use crate::parallel;
use crate::shape::{Shape, ToShape, normalize_axis};
use crate::tensor::Tensor;
use smallvec::SmallVec;

/// Copies rows of `width` elements to the beginnings of rows of `row` elements. Where the width is known to the compiler, a
/// short row is a few instructions instead of the call of a function.
fn copy_rows<T: Copy>(from: &[T], width: usize, to: &mut [T], row: usize) {
    fn fixed<T: Copy, const N: usize>(from: &[T], to: &mut [T], row: usize) {
        for (from, to) in from.as_chunks::<N>().0.iter().zip(to.chunks_mut(row)) {
            to[..N].copy_from_slice(from);
        }
    }
    match width {
        1 => fixed::<T, 1>(from, to, row),
        2 => fixed::<T, 2>(from, to, row),
        3 => fixed::<T, 3>(from, to, row),
        4 => fixed::<T, 4>(from, to, row),
        _ => {
            for (from, to) in from.chunks_exact(width).zip(to.chunks_mut(row)) {
                to[..width].copy_from_slice(from);
            }
        }
    }
}

/// Below this number of elements, a part of a row is short.
const SHORT: usize = 64;

/// The index of a row along each axis but the last.
struct Odometer<'a> {
    sizes: &'a [usize],
    at: SmallVec<[usize; 5]>,
}

impl<'a> Odometer<'a> {
    fn at(mut row: usize, sizes: &'a [usize]) -> Self {
        let mut at = SmallVec::from_elem(0, sizes.len());
        for (at, &size) in at.iter_mut().zip(sizes).rev() {
            (*at, row) = (row % size, row / size);
        }
        Odometer { sizes, at }
    }

    fn advance(&mut self) {
        for (at, &size) in self.at.iter_mut().zip(self.sizes).rev() {
            *at += 1;
            if *at < size {
                return;
            }
            *at = 0;
        }
    }
}

impl<T: Element> Tensor<T> {
    /// Tensors joined one after another along an axis; all other sizes must be equal.
    ///
    /// # Errors
    /// If there are none, the axis is out of range, or the other sizes differ.
    #[doc(alias = "cat")]
    #[doc(alias = "concatenate")]
    pub fn concat(parts: &[Tensor<T>], axis: isize) -> Result<Tensor<T>> {
        let Some(first) = parts.first() else {
            return Err(Error::argument("concat", "expected at least one tensor, found none"));
        };
        let axis = normalize_axis("concat", axis, first.rank())?;
        let mut shape = first.shape().clone();
        for t in &parts[1..] {
            let fits =
                t.rank() == first.rank() && (0..t.rank()).all(|i| i == axis || t.shape()[i] == shape[i]);
            if !fits {
                let detail = format!("{} and {} differ outside axis {axis}", first.shape(), t.shape());
                return Err(Error::shape("concat", detail));
            }
            shape.dims_mut()[axis] += t.shape()[axis];
        }
        let shape = shape.to_shape("concat")?;
        let inner: usize = shape[axis + 1..].iter().product();
        let row = shape[axis] * inner;
        // Where a row has a few elements of a part, a copy of the part is faster than finding them row by row.
        let dense = |t: &Tensor<T>| t.as_slice().is_none() && t.shape()[axis] * inner < SHORT;
        let copies: Vec<Option<Tensor<T>>> = parts.iter().map(|t| dense(t).then(|| t.contiguous())).collect();
        let mut out = Buffer::unspecified(shape.numel());
        parallel::chunks_mut(&mut out, parallel::rows(row, 1) * row, 1, |start, piece| {
            let (first, rows) = (start / row, piece.len() / row);
            let mut at = 0;
            for (t, copy) in parts.iter().zip(&copies) {
                let t = copy.as_ref().unwrap_or(t);
                let width = t.shape()[axis] * inner;
                if let Some(src) = t.as_slice().filter(|_| width > 0) {
                    copy_rows(&src[first * width..][..rows * width], width, &mut piece[at..], row);
                } else if width > 0 {
                    let src = Strided::new(t);
                    for (o, to) in piece.chunks_exact_mut(row).enumerate() {
                        src.read((first + o) * width, &mut to[at..at + width]);
                    }
                }
                at += width;
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }

    /// Tensors of one shape joined along a new axis.
    ///
    /// # Errors
    /// If there are none, the shapes differ, or the axis is out of range.
    pub fn stack(parts: &[Tensor<T>], axis: isize) -> Result<Tensor<T>> {
        if let [first, rest @ ..] = parts
            && let Some(t) = rest.iter().find(|t| t.shape() != first.shape())
        {
            let detail = format!("expected equal shapes, found {} and {}", first.shape(), t.shape());
            return Err(Error::shape("stack", detail));
        }
        let rows: Vec<_> =
            parts.iter().map(|t| t.unsqueeze(axis)).collect::<Result<_>>().map_err(|e| e.in_op("stack"))?;
        Tensor::concat(&rows, axis).map_err(|e| e.in_op("stack"))
    }

    /// The tensor padded with `value`: for each axis, the number of positions before and after.
    ///
    /// # Errors
    /// If there is not one pair per axis, or the result does not fit in memory.
    pub fn pad(&self, widths: &[(usize, usize)], value: T) -> Result<Tensor<T>> {
        if widths.len() != self.rank() {
            let detail =
                format!("expected {} pairs for shape {}, found {}", self.rank(), self.shape(), widths.len());
            return Err(Error::argument("pad", detail));
        }
        let padded =
            self.shape().iter().zip(widths).map(|(&d, &(a, b))| d.saturating_add(a).saturating_add(b));
        let shape = padded.collect::<Shape>().to_shape("pad")?;
        let Some((&(left, _), before)) = widths.split_last() else {
            return Ok(self.clone());
        };
        let (row, inner) = (shape[self.rank() - 1], self.shape()[self.rank() - 1]);
        if self.numel() == 0 || row == 0 {
            return Ok(Tensor::from_buffer(Buffer::filled(shape.numel(), value), shape));
        }
        let sizes = &self.shape()[..before.len()];
        let (whole, src) = (self.as_slice(), Strided::new(self));
        let mut out = Buffer::unspecified(shape.numel());
        parallel::chunks_mut(&mut out, parallel::rows(row, 1) * row, 1, |start, piece| {
            if let (Some(whole), true) = (whole, before.iter().all(|&w| w == (0, 0))) {
                let rows = start / row..(start + piece.len()) / row;
                piece.fill(value);
                copy_rows(&whole[rows.start * inner..rows.end * inner], inner, &mut piece[left..], row);
                return;
            }
            let mut rows = Odometer::at(start / row, &shape[..before.len()]);
            for to in piece.chunks_exact_mut(row) {
                let mut from = Some(0);
                for ((&at, &(before, _)), &size) in rows.at.iter().zip(before).zip(sizes) {
                    let inside = at.checked_sub(before).filter(|&at| at < size);
                    from = from.zip(inside).map(|(from, at)| from * size + at);
                }
                rows.advance();
                let Some(from) = from else {
                    to.fill(value);
                    continue;
                };
                let (start, rest) = to.split_at_mut(left);
                let (middle, end) = rest.split_at_mut(inner);
                start.fill(value);
                match whole {
                    Some(whole) => middle.copy_from_slice(&whole[from * inner..][..inner]),
                    None => src.read(from * inner, middle),
                }
                end.fill(value);
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    #[test]
    fn joining_and_padding() {
        let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        let b = a.transpose(0, 1).unwrap();
        assert_eq!(
            Tensor::concat(&[a.clone(), b.clone()], 1).unwrap().to_vec(),
            [1., 2., 1., 3., 3., 4., 2., 4.]
        );
        assert_eq!(*Tensor::stack(&[a.clone(), b.clone()], -1).unwrap().shape(), [2, 2, 2]);
        assert_eq!(Tensor::stack(&[a.clone(), b], 0).unwrap().to_vec(), [1., 2., 3., 4., 1., 3., 2., 4.]);
        assert_eq!(a.pad(&[(1, 0), (0, 1)], 9.0).unwrap().to_vec(), [9., 9., 9., 1., 2., 9., 3., 4., 9.]);
        assert_eq!(Tensor::scalar(1.0).pad(&[], 0.0).unwrap().to_vec(), [1.0]);
        assert_eq!(*Tensor::<f64>::zeros([0, 2]).pad(&[(1, 1), (0, 0)], 1.0).unwrap().shape(), [2, 2]);
    }

    #[test]
    fn padding_agrees_with_positions_in_every_layout() {
        let whole = Tensor::<f64>::steps(1.0, 1.0, 2 * 3 * 4).reshape([2, 3, 4]).unwrap();
        for x in [whole.clone(), whole.permute([2, 0, 1]).unwrap(), whole.flip(-1).unwrap()] {
            for widths in [[(0, 0), (1, 2), (2, 1)], [(1, 1), (0, 3), (0, 0)], [(2, 0), (0, 0), (0, 5)]] {
                let run = || x.pad(&widths, -1.0).unwrap();
                let y = parallel::in_small_pieces(3, run);
                assert_eq!(y, run());
                for i in 0..y.numel() {
                    let [_, n, m] = [0, 1, 2].map(|axis| y.shape()[axis]);
                    let at = [i / (n * m), i / m % n, i % m];
                    let source: Vec<_> =
                        at.iter().zip(widths).map(|(&at, (before, _))| at.wrapping_sub(before)).collect();
                    let inside = source.iter().zip(&x.shape()[..]).all(|(at, size)| at < size);
                    let want = if inside { x.get(&source).unwrap() } else { -1.0 };
                    assert_eq!(y.get(&at).unwrap(), want, "{widths:?} {at:?}");
                }
            }
        }
    }

    #[test]
    fn short_rows_of_strided_parts_are_joined() {
        let x = Tensor::<f64>::steps(0.0, 1.0, 40).reshape([10, 4]).unwrap();
        let columns: Vec<_> = (0..4).map(|c| x.select(1, c).unwrap()).collect();
        assert_eq!(Tensor::stack(&columns, 1).unwrap(), x);
        let halves = [x.slice(1, Slice::from(3..)).unwrap(), x.slice(1, Slice::from(..3)).unwrap()];
        let first = Tensor::concat(&halves, 1).unwrap().slice(0, Slice::from(..1)).unwrap();
        assert_eq!(first.to_vec(), [3.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let a = Tensor::<f64>::zeros([2, 2]);
        assert!(Tensor::<f64>::concat(&[], 0).is_err() && Tensor::<f64>::stack(&[], 0).is_err());
        assert!(Tensor::concat(&[a.clone(), Tensor::zeros([2, 3])], 0).is_err());
        assert!(
            Tensor::concat(std::slice::from_ref(&a), 2).is_err()
                && Tensor::concat(&[a.clone(), Tensor::zeros([2])], 0).is_err()
        );
        assert!(a.pad(&[(0, 0)], 0.0).is_err() && a.pad(&[(usize::MAX, 1), (0, 0)], 0.0).is_err());
    }
}
