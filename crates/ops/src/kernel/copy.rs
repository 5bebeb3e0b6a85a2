//! Reading strided elements in row-major order.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::parallel;
use crate::shape::Layout;
use crate::tensor::Tensor;
use smallvec::SmallVec;

/// A tensor's elements as a row-major sequence that can be read from any position.
pub(crate) struct Strided<'a, T> {
    data: &'a [T],
    offset: isize,
    /// (size, stride), outermost first, with adjacent axes merged where possible.
    dims: SmallVec<[(usize, isize); 4]>,
}

/// A row of a [`Strided`].
pub(crate) enum Row<'a, T> {
    /// One element, at this position of the buffer, repeated.
    Same(usize, T),
    /// Neighbours in the buffer.
    Slice(&'a [T]),
    /// Elements of equal distance: the position of the first, and the distance.
    Steps(isize, isize),
}

/// The position of a row: its place in each of the outer axes, and the element at which it begins.
#[derive(Default)]
pub(crate) struct Cursor {
    at: SmallVec<[usize; 4]>,
    base: isize,
}

impl<'a, T: Element> Strided<'a, T> {
    pub(crate) fn new(t: &'a Tensor<T>) -> Self {
        Self::with_layout(t, &t.layout)
    }

    /// The elements of the tensor's buffer in another layout of it.
    pub(crate) fn with_layout(t: &'a Tensor<T>, layout: &Layout) -> Self {
        Strided { data: &t.buf, offset: layout.offset as isize, dims: layout.collapsed() }
    }

    /// The number of elements in a row: as far as their distance is the same. `None` if all elements are one.
    pub(crate) fn row(&self) -> Option<usize> {
        self.dims.last().map(|&(n, _)| n)
    }

    /// The same elements in shorter rows; `n` divides the length of a row.
    pub(crate) fn with_row(mut self, n: usize) -> Self {
        if let Some(&(length, stride)) = self.dims.last()
            && length != n
        {
            let last = self.dims.len() - 1;
            self.dims[last] = (length / n, stride * n as isize);
            self.dims.push((n, stride));
        }
        self
    }

    /// The position of row `i`.
    pub(crate) fn cursor(&self, i: usize) -> Cursor {
        let outer = self.dims.split_last().map_or(&[][..], |(_, outer)| outer);
        let mut cursor = Cursor { at: SmallVec::from_elem(0, outer.len()), base: self.offset };
        let mut rest = i;
        for (i, &(d, s)) in outer.iter().enumerate().rev() {
            cursor.at[i] = rest % d;
            rest /= d;
            cursor.base += cursor.at[i] as isize * s;
        }
        cursor
    }

    /// Moves to the next row.
    #[inline]
    pub(crate) fn advance(&self, cursor: &mut Cursor) {
        let outer = self.dims.split_last().map_or(&[][..], |(_, outer)| outer);
        for (i, &(d, s)) in outer.iter().enumerate().rev() {
            cursor.at[i] += 1;
            cursor.base += s;
            if cursor.at[i] < d {
                break;
            }
            cursor.base -= d as isize * s;
            cursor.at[i] = 0;
        }
    }

    /// `len` elements of the row, from `column` on.
    #[inline]
    pub(crate) fn part(&self, cursor: &Cursor, column: usize, len: usize) -> Row<'a, T> {
        let stride = self.dims.last().map_or(0, |&(_, stride)| stride);
        let first = cursor.base + column as isize * stride;
        match stride {
            0 => Row::Same(first as usize, self.data[first as usize]),
            1 => Row::Slice(&self.data[first as usize..first as usize + len]),
            _ => Row::Steps(first, stride),
        }
    }

    /// Fills `out` with elements of equal distance.
    #[inline]
    pub(crate) fn steps(&self, first: isize, stride: isize, out: &mut [T]) {
        copy_row(self.data, first, stride, out);
    }

    /// Fills `out` with the elements from position `start` on, in row-major order, one run of equal stride at a time.
    #[inline]
    pub(crate) fn read(&self, start: usize, out: &mut [T]) {
        if out.is_empty() {
            return;
        }
        let Some(&(inner, stride)) = self.dims.last() else {
            out.fill(self.data[self.offset as usize]);
            return;
        };
        let mut column = start % inner;
        let mut cursor = self.cursor(start / inner);
        let mut done = 0;
        loop {
            let n = (inner - column).min(out.len() - done);
            let first = cursor.base + column as isize * stride;
            copy_row(self.data, first, stride, &mut out[done..done + n]);
            done += n;
            if done == out.len() {
                return;
            }
            column = 0;
            self.advance(&mut cursor);
        }
    }
}

/// Fewer elements are copied by a loop: a call of `memcpy` costs more.
const SHORT: usize = 16;

#[inline]
fn copy_row<T: Element>(data: &[T], first: isize, stride: isize, out: &mut [T]) {
    match stride {
        1 => {
            let from = &data[first as usize..first as usize + out.len()];
            if out.len() < SHORT {
                out.iter_mut().zip(from).for_each(|(o, &v)| *o = v);
            } else {
                out.copy_from_slice(from);
            }
        }
        0 => out.fill(data[first as usize]),
        -1 => {
            let last = first as usize + 1;
            let from = &data[last - out.len()..last];
            out.iter_mut().zip(from.iter().rev()).for_each(|(o, &v)| *o = v);
        }
        _ if stride > 0 => {
            let from = data[first as usize..].iter().step_by(stride as usize);
            out.iter_mut().zip(from).for_each(|(o, &v)| *o = v);
        }
        _ => {
            let from = data[..=first as usize].iter().rev().step_by(stride.unsigned_abs());
            out.iter_mut().zip(from).for_each(|(o, &v)| *o = v);
        }
    }
}

/// The elements in row-major order.
#[inline(never)]
pub(crate) fn gather<T: Element>(t: &Tensor<T>) -> Buffer<T> {
    let mut out = Buffer::unspecified(t.numel());
    if let Some(s) = transposed(t) {
        transpose_blocks(s, &mut out);
        return out;
    }
    let src = Strided::new(t);
    parallel::chunks_mut(&mut out, parallel::grain(), 2, |start, piece| {
        src.read(start, piece);
    });
    out
}

/// Whether a tensor is a transposed view of a batch of contiguous matrices.
pub(crate) fn is_transposed<T: Element>(t: &Tensor<T>) -> bool {
    transposed(t).is_some()
}

/// For a tensor that is a transposed view of a batch of contiguous matrices: their elements, and batch, rows and
/// columns of the view.
fn transposed<T: Element>(t: &Tensor<T>) -> Option<(&[T], usize, usize, usize)> {
    let dims = t.layout.collapsed();
    let (batch, rows, columns) = match dims[..] {
        [(r, 1), (c, s)] if s == r as isize => (1, r, c),
        [(b, sb), (r, 1), (c, s)] if s == r as isize && sb == (r * c) as isize => (b, r, c),
        _ => return None,
    };
    let start = t.layout.offset;
    Some((&t.buf[start..start + batch * rows * columns], batch, rows, columns))
}

fn transpose_blocks<T: Element>((src, batch, rows, columns): (&[T], usize, usize, usize), out: &mut [T]) {
    const TILE: usize = 16;
    // A piece is a band of rows, so that both sides of a tile stay in the first-level cache.
    let bands = rows.div_ceil(TILE);
    let band = |b: usize, i: usize, out: &mut [T]| {
        let src = &src[b * rows * columns..(b + 1) * rows * columns];
        let r0 = i * TILE;
        let r1 = (r0 + TILE).min(rows);
        for c0 in (0..columns).step_by(TILE) {
            for r in r0..r1 {
                for c in c0..(c0 + TILE).min(columns) {
                    out[(r - r0) * columns + c] = src[c * rows + r];
                }
            }
        }
    };
    if rows.is_multiple_of(TILE) || batch == 1 {
        parallel::chunks_mut(out, TILE * columns, 2, |start, piece| {
            let i = start / (TILE * columns);
            band(i / bands, i % bands, piece);
        });
    } else {
        for (b, matrix) in out.chunks_mut(rows * columns).enumerate() {
            for (i, piece) in matrix.chunks_mut(TILE * columns).enumerate() {
                band(b, i, piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn transposing_agrees_with_indexing_around_the_tile() {
        for (b, r, c) in
            [(1, 15, 17), (1, 16, 33), (3, 16, 5), (3, 17, 16), (2, 1, 40), (2, 64, 3), (1, 300, 300)]
        {
            let t = Tensor::<f64>::steps(0.0, 1.0, b * r * c).reshape([b, c, r]).unwrap();
            let v = t.transpose(1, 2).unwrap();
            let dense = v.contiguous();
            for i in 0..b * r * c {
                let at = [i / (r * c), i / c % r, i % c];
                assert_eq!(dense.get(&at).unwrap(), v.get(&at).unwrap(), "{b} {r} {c} at {at:?}");
            }
        }
    }
}
