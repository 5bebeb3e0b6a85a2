//! [`Matrix`]: a strided matrix inside a slice.

use crate::float::Float;
use crate::tensor::Tensor;

/// A strided matrix inside a slice.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) offset: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: isize,
    pub(super) column_stride: isize,
}

impl<'a, T> Matrix<'a, T> {
    /// `rows` rows of `columns` adjacent elements, `row_stride` apart, starting at `offset`.
    pub(crate) fn new(data: &'a [T], offset: usize, rows: usize, columns: usize, row_stride: usize) -> Self {
        Matrix { data, offset, rows, columns, row_stride: row_stride as isize, column_stride: 1 }
    }

    /// A tensor of rank 2.
    pub(crate) fn of(t: &'a Tensor<T>) -> Self
    where
        T: Float,
    {
        matrix(t, t.layout.offset)
    }

    /// Rows of `columns` elements, contiguous.
    pub(crate) fn dense(data: &'a [T], columns: usize) -> Self {
        Matrix::new(data, 0, data.len() / columns.max(1), columns, columns)
    }

    /// The number of rows.
    pub(crate) fn height(&self) -> usize {
        self.rows
    }

    /// The transpose.
    pub(crate) fn transposed(self) -> Self {
        let Matrix { rows, columns, row_stride, column_stride, .. } = self;
        Matrix { rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride, ..self }
    }

    /// Whether every element lies inside the slice.
    pub(super) fn in_bounds(&self) -> bool {
        if self.rows == 0 || self.columns == 0 {
            return true;
        }
        let reach = |n: usize, s: isize| (n as isize - 1) * s;
        let (r, c) = (reach(self.rows, self.row_stride), reach(self.columns, self.column_stride));
        let low = self.offset as isize + r.min(0) + c.min(0);
        let high = self.offset as isize + r.max(0) + c.max(0);
        low >= 0 && (high as usize) < self.data.len()
    }

    /// The address of an element.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, column: usize) -> *const T {
        let by = row as isize * self.row_stride + column as isize * self.column_stride;
        self.data.as_ptr().wrapping_add(self.offset).wrapping_offset(by)
    }

    /// `n` rows, starting at row `first`.
    pub(crate) fn rows(mut self, first: usize, n: usize) -> Self {
        self.offset = self.offset.wrapping_add_signed(first as isize * self.row_stride);
        self.rows = n;
        self
    }

    /// `n` columns, starting at column `first`.
    pub(super) fn columns(mut self, first: usize, n: usize) -> Self {
        self.offset = self.offset.wrapping_add_signed(first as isize * self.column_stride);
        self.columns = n;
        self
    }

    /// Copies the elements in row-major order.
    #[inline(always)]
    pub(super) fn copy_to(&self, to: &mut [T])
    where
        T: Copy,
    {
        for i in 0..self.rows {
            let row = self.offset.wrapping_add_signed(i as isize * self.row_stride);
            for j in 0..self.columns {
                to[i * self.columns + j] =
                    self.data[row.wrapping_add_signed(j as isize * self.column_stride)];
            }
        }
    }
}

/// The last two axes of a tensor as a matrix that begins at `offset` in the buffer.
pub(crate) fn matrix<T: Float>(t: &Tensor<T>, offset: usize) -> Matrix<'_, T> {
    let r = t.rank();
    Matrix {
        data: &t.buf,
        offset,
        rows: t.shape()[r - 2],
        columns: t.shape()[r - 1],
        row_stride: t.strides()[r - 2],
        column_stride: t.strides()[r - 1],
    }
}

/// The offset in the buffer at which the matrix of the last two axes begins, for position `i` of the leading axes.
pub(crate) fn batch_offset<T: Float>(t: &Tensor<T>, mut i: usize) -> usize {
    let mut at = t.layout.offset as isize;
    for (&d, &s) in t.shape()[..t.rank() - 2].iter().zip(t.strides()).rev() {
        at += (i % d) as isize * s;
        i /= d;
    }
    at as usize
}
