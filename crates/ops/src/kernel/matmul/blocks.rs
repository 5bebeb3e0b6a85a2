//! The loops of a matrix product: tiles of the result in registers, over blocks of the inner axis.
//!
//! A tile has a few rows and two vectors of columns. In each step of the inner axis, the elements of the left operand are
//! broadcast one by one from where they lie, and the right operand gives vectors. If its rows are not contiguous, or are
//! used often, it is copied first (*packed*) into panels as wide as a tile.
//!
//! **The order of summation** depends on the length of the inner axis alone: the axis is cut into blocks of equal length,
//! a block is summed from its first to its last product by fused multiply-adds that begin with zero, and the sums of the
//! blocks are added in their order to what was there before. Results therefore have the same bits for any width of
//! vectors, any cut into tiles and tasks, and any strides.

use super::matrix::Matrix;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::{Vector, copy_transposed, prefetch};
use pulp::{NullaryFnOnce, Simd, WithSimd};
use std::mem::MaybeUninit;

/// The largest length of a block of the inner axis. A panel of a block fits the first-level cache.
const BLOCK: usize = 384;
/// The number of bytes of columns that are in use at once; with a block's length, they fit the second-level cache.
const GROUP: usize = 2048;
/// A right operand with contiguous rows is used where it lies if the left one has at most this number of rows.
pub(super) const DIRECT: usize = 384;
/// The same for short vectors, whose loads from distant rows are costlier.
const DIRECT_SHORT: usize = 48;
/// The number of rows of the left operand that are copied at a time, if they are.
const COPIED: usize = 64;
/// The largest number of rows of a tile.
const TALLEST: usize = 8;
/// The largest number of columns of a tile.
const WIDEST: usize = 32;
/// The number of columns that a small product computes at once.
const SUMS: usize = 16;
/// Packed operands up to this number of elements lie on the stack.
const SMALL: usize = 1024;

/// The length of the blocks of an inner axis.
pub(super) fn block(k: usize) -> usize {
    k.div_ceil(k.div_ceil(BLOCK).max(1)).max(1)
}

/// The numbers of columns of a packed operand: in whole panels, and in the last one, which is padded to one or two vectors.
#[inline(always)]
fn padded<T: Vector, S: Simd>(columns: usize) -> (usize, usize) {
    let lanes = T::width::<S>();
    let edge = columns % (2 * lanes);
    (columns - edge, edge.next_multiple_of(lanes))
}

/// Asks for the number of elements of a packed operand, for each row of it.
pub(super) struct PackedColumns<T>(pub(super) usize, pub(super) std::marker::PhantomData<T>);

impl<T: Vector> WithSimd for PackedColumns<T> {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let (whole, edge) = padded::<T, S>(self.0);
        whole + edge
    }
}

/// Whether the right operand of a product of this number of rows is packed.
#[inline(always)]
pub(super) fn is_packed<T>(rows: usize, right: &Matrix<'_, T>, registers: usize) -> bool {
    right.column_stride != 1 || rows > if registers >= 32 { DIRECT } else { DIRECT_SHORT }
}

/// Copies some rows of a right operand, of one block, into panels.
pub(super) struct Pack<'a, T> {
    pub(super) right: Matrix<'a, T>,
    pub(super) to: &'a mut [T],
}

impl<T: Float> WithSimd for Pack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (whole, edge) = padded::<T, S>(self.right.columns);
        assert!(self.to.len() >= self.right.rows * (whole + edge) && self.right.in_bounds());
        // SAFETY: asserted.
        unsafe { pack::<T, S>(self.right, self.to.as_mut_ptr()) }
    }
}

/// Copies the rows of a block into panels: panel by panel, row by row.
///
/// # Safety
/// The matrix must lie in its slice, and `to` must be valid for its rows times its padded columns.
#[inline(always)]
unsafe fn pack<T: Float, S: Simd>(right: Matrix<'_, T>, to: *mut T) {
    let wide = 2 * T::width::<S>();
    let Matrix { rows, columns, .. } = right;
    // A few contiguous rows at a time, so that memory is read in its order.
    let step = if right.column_stride == 1 { 8 } else { rows.max(1) };
    let (whole, edge) = padded::<T, S>(columns);
    let mut row = 0;
    while row < rows {
        let n = step.min(rows - row);
        let mut column = 0;
        while column < columns {
            let (count, width) = if column < whole { (wide, wide) } else { (columns - column, edge) };
            // SAFETY: `to` has room for whole panels of all rows before this one, and for this one's rows.
            unsafe {
                let to = to.add(rows * column + row * width);
                copy(right.rows(row, n).columns(column, count), to, width);
                if count < width {
                    for r in 0..n {
                        std::slice::from_raw_parts_mut(to.add(r * width + count), width - count)
                            .fill(T::ZERO);
                    }
                }
            }
            column += count;
        }
        row += n;
    }
}

/// Copies a matrix to rows that are `stride` apart.
///
/// # Safety
/// The matrix must lie in its slice, and `to` must be valid for its rows.
#[inline(always)]
unsafe fn copy<T: Float>(from: Matrix<'_, T>, to: *mut T, stride: usize) {
    let Matrix { rows, columns, row_stride, column_stride, .. } = from;
    // SAFETY: every index is below the numbers of rows and columns.
    unsafe {
        if column_stride == 1 {
            for r in 0..rows {
                std::ptr::copy_nonoverlapping(from.at(r, 0), to.add(r * stride), columns);
            }
        } else if row_stride == 1 {
            copy_transposed(from.at(0, 0), column_stride, to, stride, rows, columns);
        } else {
            for r in 0..rows {
                for c in 0..columns {
                    *to.add(r * stride + c) = *from.at(r, c);
                }
            }
        }
    }
}

/// A product or a part of one: `dst ← start + left right`.
#[doc(hidden)]
pub struct Job<'a, T> {
    pub(super) left: Matrix<'a, T>,
    pub(super) right: Matrix<'a, T>,
    /// The right operand in panels, block by block, if it is packed already.
    pub(super) packed: Option<&'a [T]>,
    pub(super) dst: *mut T,
    /// The distance of the rows of the destination.
    pub(super) stride: usize,
    /// Whether the destination gets the transpose of the product.
    pub(super) turned: bool,
    pub(super) start: Start<'a, T>,
}

/// What a product is added to.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    /// Nothing: the destination is overwritten.
    Zero,
    /// What the destination has.
    Destination,
    /// A number for each column of the product, which is a row of it if it is transposed.
    Bias(&'a [T]),
}

/// Room for some elements, on the stack if they are few.
macro_rules! room {
    ($name:ident: $t:ident, $len:expr) => {
        let mut stack = MaybeUninit::<[$t; SMALL]>::uninit();
        let mut heap;
        let $name: *mut $t = if $len <= SMALL {
            stack.as_mut_ptr().cast()
        } else {
            heap = Buffer::<$t>::unspecified($len);
            heap.as_mut_ptr()
        };
    };
}

impl<T: Float> WithSimd for Job<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, k, columns) = (self.left.rows, self.left.columns, self.right.columns);
        let wide = 2 * T::width::<S>();
        let (whole, edge) = padded::<T, S>(columns);
        let length = block(k);

        // Where the panels are: in `packed`, or whole ones in the operand itself and the last one packed.
        let direct = self.packed.is_none() && !is_packed(rows, &self.right, S::REGISTER_COUNT);
        let first = if direct { whole } else { 0 };
        let width = whole + edge - first;
        room!(panels: T, if self.packed.is_none() { k * width } else { 0 });
        let panels = match self.packed {
            Some(packed) => packed.as_ptr(),
            None => {
                if width > 0 {
                    let right = self.right.columns(first, columns - first);
                    for at in (0..k).step_by(length) {
                        // SAFETY: the caller of `Gemm::gemm` guarantees that the operand lies in its slice; there is room
                        // for k rows.
                        unsafe { pack::<T, S>(right.rows(at, length.min(k - at)), panels.add(at * width)) };
                    }
                }
                panels.cast_const()
            }
        };

        // Elements of the left operand that are far apart share few sets of the cache; they are copied.
        let apart = self.left.column_stride.unsigned_abs() * size_of::<T>();
        let copied = self.left.row_stride == 1 && apart.is_multiple_of(2048) && columns > wide && rows > 1;
        room!(copy_of_left: T, if copied { length * COPIED } else { 0 });
        let tall = if S::REGISTER_COUNT >= 32 { 8 } else { 6 };
        let step = if copied { COPIED } else { tall };
        // Few rows stay in the first-level cache, while the panels pass by.
        let group = if rows <= COPIED && !copied { wide } else { GROUP / size_of::<T>() };

        for at in (0..k).step_by(length) {
            let n = length.min(k - at);
            let start = if at > 0 { Start::Destination } else { self.start };
            for begin in (0..columns).step_by(group) {
                let end = (begin + group).min(columns);
                for row in (0..rows).step_by(step) {
                    let height = step.min(rows - row);
                    let mut left = self.left.rows(row, height).columns(at, n);
                    if copied {
                        // SAFETY: there is room for a block of COPIED columns; the copy is read while it exists.
                        unsafe {
                            copy(left.transposed(), copy_of_left, COPIED);
                            let data = std::slice::from_raw_parts(copy_of_left, n * COPIED);
                            left = Matrix::new(data, 0, n, height, COPIED).transposed();
                        }
                    }
                    for column in (begin..end).step_by(wide) {
                        let count = wide.min(columns - column);
                        let (right, stride) = if column < first {
                            (self.right.at(at, column), self.right.row_stride)
                        } else {
                            let width_here = if column < whole { wide } else { edge };
                            let before = at * width + n * (column - first);
                            (panels.wrapping_add(before), width_here as isize)
                        };
                        let panel = Panel { job: &self, left, right, stride, row, column, count, start };
                        // Hidden from the compiler, which would otherwise carry addresses of all kinds of tiles from panel to
                        // panel: several hundred instructions.
                        let panel = std::hint::black_box(&panel);
                        // SAFETY: rows, columns and the inner axis are inside both operands and the destination.
                        unsafe {
                            if count > wide / 2 {
                                panel.rows::<S, 2>(simd);
                            } else {
                                panel.rows::<S, 1>(simd);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A product of a few multiply-adds, for which a plan and panels would cost more than the arithmetic. Its inner axis is
/// at most a block.
#[doc(hidden)]
pub struct SmallJob<'a, T> {
    pub(super) left: Matrix<'a, T>,
    pub(super) right: Matrix<'a, T>,
    pub(super) dst: *mut T,
    /// The distances of rows and columns in the destination.
    pub(super) strides: [usize; 2],
    pub(super) read: bool,
}

impl<T: Float> NullaryFnOnce for SmallJob<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let SmallJob { left, right, dst, strides: [down, along], read } = self;
        for (i, first) in (0..left.rows).flat_map(|i| (0..right.columns).step_by(SUMS).map(move |c| (i, c))) {
            let n = SUMS.min(right.columns - first);
            let mut sums = [T::ZERO; SUMS];
            for p in 0..left.columns {
                let mut row = [T::ZERO; SUMS];
                // SAFETY: the rows, the columns and the inner axis are inside both operands.
                let element = unsafe {
                    if n == SUMS && right.column_stride == 1 {
                        row = right.at(p, first).cast::<[T; SUMS]>().read();
                    } else {
                        for (j, to) in row[..n].iter_mut().enumerate() {
                            *to = *right.at(p, first + j);
                        }
                    }
                    *left.at(i, p)
                };
                for (sum, &v) in sums.iter_mut().zip(&row) {
                    *sum = element.mul_add(v, *sum);
                }
            }
            for (j, &sum) in sums[..n].iter().enumerate() {
                // SAFETY: inside the destination.
                unsafe {
                    let to = dst.add(i * down + (first + j) * along);
                    *to = if read { *to + sum } else { sum };
                }
            }
        }
    }
}

/// Some rows of a panel, over a block of the inner axis.
struct Panel<'a, T> {
    job: &'a Job<'a, T>,
    /// The rows of the left operand.
    left: Matrix<'a, T>,
    right: *const T,
    stride: isize,
    /// The first row and column in the product.
    row: usize,
    column: usize,
    /// The number of columns; vectors beyond them are padding.
    count: usize,
    start: Start<'a, T>,
}

impl<T: Float> Panel<'_, T> {
    /// # Safety
    /// `right` must be valid for `V` vectors in each step of the inner axis, and the rows and columns must be inside the
    /// destination.
    #[inline(always)]
    unsafe fn rows<S: Simd, const V: usize>(&self, simd: S) {
        let mut i = 0;
        while i < self.left.rows {
            // SAFETY: the tile's rows are among the panel's.
            i += unsafe {
                match self.left.rows - i {
                    8.. if S::REGISTER_COUNT >= 32 => self.tile::<S, 8, V>(simd, i),
                    6.. if S::REGISTER_COUNT < 32 => self.tile::<S, 6, V>(simd, i),
                    4.. => self.tile::<S, 4, V>(simd, i),
                    2.. => self.tile::<S, 2, V>(simd, i),
                    _ => self.tile::<S, 1, V>(simd, i),
                }
            };
        }
    }

    /// Computes `M` rows, starting at row `i` of the panel; returns `M`.
    ///
    /// # Safety
    /// As for [`Panel::rows`], for rows from `i` to `i + M`.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "loops over indices of constant length are unrolled at once"
    )]
    unsafe fn tile<S: Simd, const M: usize, const V: usize>(&self, simd: S, i: usize) -> usize {
        let lanes = T::width::<S>();
        let Job { dst, stride, turned, .. } = *self.job;
        let (row, column) = (self.row + i, self.column);
        if matches!(self.start, Start::Destination) {
            let (lines, vectors) = if turned { (self.count, 1) } else { (M, V) };
            let start = if turned {
                dst.wrapping_add(column * stride + row)
            } else {
                dst.wrapping_add(row * stride + column)
            };
            for line in 0..lines {
                for v in 0..vectors {
                    prefetch(start.wrapping_add(line * stride + v * lanes));
                }
            }
        }

        let mut sums = [[T::splat(simd, T::ZERO); V]; M];
        let (mut left, mut right) = (self.left.at(i, 0), self.right);
        let Matrix { row_stride, column_stride, columns, .. } = self.left;
        for _ in 0..columns {
            let mut vectors = [T::splat(simd, T::ZERO); V];
            for v in 0..V {
                // SAFETY: the caller guarantees V vectors.
                vectors[v] = unsafe { right.add(v * lanes).cast::<T::V<S>>().read_unaligned() };
            }
            for r in 0..M {
                // SAFETY: the row is inside the operand.
                let element = T::splat(simd, unsafe { *left.offset(r as isize * row_stride) });
                for v in 0..V {
                    sums[r][v] = T::fma(simd, element, vectors[v], sums[r][v]);
                }
            }
            left = left.wrapping_offset(column_stride);
            right = right.wrapping_offset(self.stride);
        }

        // SAFETY: rows and columns are inside the destination, and the bias has a number for each row or column of it, as the
        // caller guarantees.
        unsafe {
            if let (Start::Bias(bias), true) = (self.start, turned) {
                for r in 0..M {
                    let bias = T::splat(simd, bias[row + r]);
                    for v in 0..V {
                        sums[r][v] = T::plus(simd, bias, sums[r][v]);
                    }
                }
            }
            if !turned && self.count == V * lanes {
                if let Start::Bias(bias) = self.start {
                    let bias = bias[column..column + V * lanes].as_ptr().cast::<T::V<S>>();
                    for v in 0..V {
                        let bias = bias.add(v).read_unaligned();
                        for r in 0..M {
                            sums[r][v] = T::plus(simd, bias, sums[r][v]);
                        }
                    }
                }
                for r in 0..M {
                    let to = dst.add((row + r) * stride + column).cast::<T::V<S>>();
                    for v in 0..V {
                        let sum = sums[r][v];
                        let sum = match self.start {
                            Start::Destination => T::plus(simd, to.add(v).read_unaligned(), sum),
                            _ => sum,
                        };
                        to.add(v).write_unaligned(sum);
                    }
                }
                return M;
            }
            let mut tile = MaybeUninit::<[T; TALLEST * WIDEST]>::uninit();
            let tile = tile.as_mut_ptr().cast::<T>();
            for r in 0..M {
                for v in 0..V {
                    tile.add((r * V + v) * lanes).cast::<T::V<S>>().write_unaligned(sums[r][v]);
                }
            }
            let add = matches!(self.start, Start::Destination);
            let from = Stored { tile, width: V * lanes, count: self.count, add };
            if turned {
                from.transpose_to::<M>(dst.add(column * stride + row), stride);
                return M;
            }
            if let Start::Bias(bias) = self.start {
                for r in 0..M {
                    let row = std::slice::from_raw_parts_mut(tile.add(r * V * lanes), self.count);
                    row.iter_mut().zip(&bias[column..]).for_each(|(sum, &bias)| *sum = bias + *sum);
                }
            }
            from.copy_to::<M>(dst.add(row * stride + column), stride);
        }
        M
    }
}

/// A tile in memory, on its way to a destination.
struct Stored<T> {
    tile: *const T,
    /// The distance of its rows, and the number of columns that are not padding.
    width: usize,
    count: usize,
    /// Whether it is added to the destination.
    add: bool,
}

impl<T: Float> Stored<T> {
    /// # Safety
    /// `to` must be valid for `M` rows of `count` elements, `stride` apart.
    #[inline(always)]
    unsafe fn copy_to<const M: usize>(&self, to: *mut T, stride: usize) {
        for r in 0..M {
            // SAFETY: the tile has M rows, and so has the destination.
            let (from, to) = unsafe {
                let from = std::slice::from_raw_parts(self.tile.add(r * self.width), self.count);
                (from, std::slice::from_raw_parts_mut(to.add(r * stride), self.count))
            };
            if self.add {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
            } else {
                to.copy_from_slice(from);
            }
        }
    }

    /// # Safety
    /// `to` must be valid for `count` rows of `M` elements, `stride` apart.
    #[inline(always)]
    unsafe fn transpose_to<const M: usize>(&self, to: *mut T, stride: usize) {
        let Stored { tile, width, count, add } = *self;
        let (low, left) = (M / 4 * 4, count / 4 * 4);
        for r in (0..low).step_by(4) {
            for c in (0..left).step_by(4) {
                // SAFETY: four rows and columns are inside the tile and the destination.
                unsafe {
                    let (from, to) = (tile.add(r * width + c), to.add(c * stride + r));
                    if !add {
                        T::transpose(from, width as isize, to, stride as isize);
                        continue;
                    }
                    let mut block = [T::ZERO; 16];
                    T::transpose(from, width as isize, block.as_mut_ptr(), 4);
                    for (i, row) in block.as_chunks::<4>().0.iter().enumerate() {
                        let to = to.add(i * stride).cast::<[T; 4]>();
                        let mut sum = to.read();
                        for j in 0..4 {
                            sum[j] += row[j];
                        }
                        to.write(sum);
                    }
                }
            }
        }
        for c in 0..count {
            for r in if c < left { low } else { 0 }..M {
                // SAFETY: inside the tile and the destination.
                unsafe {
                    let (from, to) = (*tile.add(r * width + c), to.add(c * stride + r));
                    *to = if add { *to + from } else { from };
                }
            }
        }
    }
}
