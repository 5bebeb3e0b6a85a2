//! The choice of how a product is computed, and its cut into pieces for threads. Neither has an effect on a result's bits.

use super::blocks::{DIRECT, Job, Pack, PackedColumns, SmallJob, Start, block};
use super::matrix::Matrix;
use super::vector::VectorJob;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel;
use crate::simd;
use std::marker::PhantomData;

/// The number of multiply-adds that cost as much as an addition of elements in memory.
pub(crate) const PER_ADDITION: usize = 16;
/// The same for products with a vector.
const VECTOR_PER_ADDITION: usize = 8;
/// The number of multiply-adds that are worth a piece, in grains. (A grain of 32 Ki gives 0.8 million: on two Zen 4 cores in
/// f32, 128³ takes 18 µs whole and 11 µs in two halves, if the other thread is awake.)
const PIECE: usize = 24;
/// The largest number of multiply-adds of a product that needs no plan.
const SMALL: usize = 384;
/// The largest number of elements that are packed at once.
const PACKED: usize = 1 << 21;
/// The smallest inner axis of a product with a vector that is summed in lanes.
const LONG: usize = 32;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Element types with a matrix product. Its loops are compiled here, once for each type, not in every crate that calls
/// them.
pub trait Gemm: Sized + sealed::Sealed {
    /// Computes a product.
    ///
    /// # Safety
    /// The operands must lie in their slices. The destination must be valid for writes of its rows, and nothing else may
    /// access it.
    #[doc(hidden)]
    unsafe fn gemm(job: Job<'_, Self>);
    /// Computes a small product.
    ///
    /// # Safety
    /// As for [`Gemm::gemm`].
    #[doc(hidden)]
    unsafe fn small(job: SmallJob<'_, Self>);
    /// Computes a product with a vector.
    #[doc(hidden)]
    fn gemv(job: VectorJob<'_, Self>);
    /// Packs the rows of a right operand, of one block, into panels.
    #[doc(hidden)]
    fn pack(right: Matrix<'_, Self>, to: &mut [Self]);
}

macro_rules! gemm {
    ($($t:ident)*) => {$(
        impl Gemm for $t {
            unsafe fn gemm(job: Job<'_, Self>) {
                simd::dispatch_simd(job);
            }
            unsafe fn small(job: SmallJob<'_, Self>) {
                simd::dispatch(job);
            }
            fn gemv(job: VectorJob<'_, Self>) {
                simd::dispatch_simd(job);
            }
            fn pack(right: Matrix<'_, Self>, to: &mut [Self]) {
                simd::dispatch_simd(Pack { right, to });
            }
        }
    )*};
}
gemm!(f32 f64);

/// The destination of a product, in which every piece writes a part of its own.
#[derive(Clone, Copy)]
struct Destination<T>(*mut T);
// SAFETY: pieces write disjoint elements; see `add_product`.
unsafe impl<T: Send> Sync for Destination<T> {}

/// The cost of a product in multiply-adds of vectors, without what both orientations share.
fn cost<T>(rows: usize, right: &Matrix<'_, T>) -> f64 {
    let (k, columns) = (right.rows as f64, right.columns);
    let compute = rows.max(4) as f64 * k * columns.next_multiple_of(16) as f64 / 16.0;
    let copy = match right.column_stride {
        1 => 0.1 * f64::from(rows > DIRECT),
        _ => 0.35,
    };
    compute + copy * k * columns as f64
}

/// Whether the transposed product is cheaper: another operand is packed, and tiles are transposed when they are stored.
fn turns<T: Float>(a: &Matrix<'_, T>, b: &Matrix<'_, T>) -> bool {
    let stored = (a.rows * b.columns * a.columns.div_ceil(block(a.columns))) as f64;
    cost(a.rows, b) > cost(b.columns, &a.transposed()) + 0.6 * stored
}

/// `dst ← dst·read + a b`, on several threads if that is worth it and `parallel`.
pub(crate) fn add_product<T: Float>(
    dst: &mut [T],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    read: bool,
    parallel: bool,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert!(b.rows == k && dst.len() == m * n && a.in_bounds() && b.in_bounds());
    if m * n * k == 0 {
        if !read {
            dst.fill(T::ZERO);
        }
        return;
    }
    if (m == 1 || n == 1) && k >= LONG {
        let (matrix, x) = if n == 1 { (a, b.transposed()) } else { (b.transposed(), a) };
        return add_vector_product(dst, matrix, x, read, parallel);
    }
    multiply(dst, a, b, if read { Start::Destination } else { Start::Zero }, parallel);
}

/// `dst ← bias + a b`, for a bias with a number for each column.
pub(crate) fn product_and_bias<T: Float>(dst: &mut [T], a: Matrix<'_, T>, b: Matrix<'_, T>, bias: &[T]) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert!(bias.len() == n && dst.len() == m * n);
    if ((m == 1 || n == 1) && k >= LONG) || m * n * k <= SMALL {
        dst.chunks_exact_mut(n.max(1)).for_each(|row| row.copy_from_slice(bias));
        return add_product(dst, a, b, true, true);
    }
    multiply(dst, a, b, Start::Bias(bias), true);
}

/// Like [`add_product`], with the sums of larger products also if one side is 1: a row of the result does not depend on the
/// number of rows.
pub(crate) fn add_product_in_blocks<T: Float>(dst: &mut [T], a: Matrix<'_, T>, b: Matrix<'_, T>, read: bool) {
    multiply(dst, a, b, if read { Start::Destination } else { Start::Zero }, false);
}

/// `dst ← start + a b`, with the sums of a larger product.
fn multiply<T: Float>(
    dst: &mut [T],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    start: Start<'_, T>,
    parallel: bool,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert!(b.rows == k && dst.len() == m * n && a.in_bounds() && b.in_bounds());
    let read = matches!(start, Start::Destination);
    if m * n * k == 0 {
        if !read {
            dst.fill(T::ZERO);
        }
        return;
    }
    if m * n * k <= SMALL && !matches!(start, Start::Bias(_)) {
        let (left, right, strides) =
            if m > n { (b.transposed(), a.transposed(), [1, n]) } else { (a, b, [n, 1]) };
        // SAFETY: the matrices lie inside their slices and dst has the product's size, asserted above.
        return unsafe { T::small(SmallJob { left, right, dst: dst.as_mut_ptr(), strides, read }) };
    }
    let turned = turns(&a, &b);
    let (left, right) = if turned { (b.transposed(), a.transposed()) } else { (a, b) };
    let work = m * n * k;
    let piece = parallel::grain() * PIECE;
    let pieces =
        if parallel && work >= 2 * piece { (work / piece).min(4 * parallel::threads()).max(2) } else { 1 };

    let (rows, columns) = (left.rows, right.columns);
    let too_large = (PACKED / k).max(64) / 64 * 64;
    let by_columns = columns >= rows || columns > too_large;
    let (side, width) = if by_columns {
        (columns, columns.div_ceil(pieces).next_multiple_of(64).min(too_large))
    } else {
        (rows, rows.div_ceil(pieces).next_multiple_of(8))
    };
    let dst = Destination(dst.as_mut_ptr());
    let job = Job { left, right, packed: None, dst: dst.0, stride: n, turned, start };
    if width >= side {
        // SAFETY: the matrices lie inside their slices and dst has the product's size, asserted above.
        return unsafe { T::gemm(job) };
    }
    // Pieces of rows share a packed operand.
    let packed = (!by_columns).then(|| pack(right));
    let piece = |i: usize| {
        let dst = &dst;
        let first = i * width;
        let len = width.min(side - first);
        let (left, right, row, column) = if by_columns {
            (left, right.columns(first, len), 0, first)
        } else {
            (left.rows(first, len), right, first, 0)
        };
        let at = if turned { column * n + row } else { row * n + column };
        // The bias is that of the product's columns, which are rows here if it is transposed.
        let start = match start {
            Start::Bias(bias) if turned == by_columns => Start::Bias(bias),
            Start::Bias(bias) => Start::Bias(&bias[first..first + len]),
            other => other,
        };
        // SAFETY: as above, for parts of the matrices; no two pieces share a row (or column) of the destination, which is
        // borrowed uniquely.
        unsafe {
            let dst = dst.0.add(at);
            T::gemm(Job { left, right, packed: packed.as_deref(), dst, stride: n, turned, start });
        }
    };
    let cost = if pieces > 1 { (work / side * width / PER_ADDITION).max(1) } else { 0 };
    parallel::for_each(side.div_ceil(width), cost, &piece);
}

/// A right operand in panels, for many products.
pub(crate) struct Packed<T: Float> {
    panels: Buffer<T>,
    rows: usize,
    columns: usize,
}

impl<T: Float> Packed<T> {
    pub(crate) fn new(right: Matrix<'_, T>) -> Self {
        assert!(right.in_bounds());
        Packed { panels: pack(right), rows: right.rows, columns: right.columns }
    }

    /// `dst ← start + left right`, on this thread, with the sums of [`add_product_in_blocks`].
    pub(crate) fn multiply(&self, dst: &mut [T], left: Matrix<'_, T>, start: Start<'_, T>) {
        let Packed { ref panels, rows, columns } = *self;
        assert!(left.columns == rows && dst.len() == left.rows * columns && left.in_bounds());
        assert!(if let Start::Bias(bias) = start { bias.len() == columns } else { true });
        if dst.is_empty() || rows == 0 {
            match start {
                Start::Zero => dst.fill(T::ZERO),
                Start::Destination => {}
                Start::Bias(b) => dst.chunks_exact_mut(columns.max(1)).for_each(|row| row.copy_from_slice(b)),
            }
            return;
        }
        // The operand itself is not read.
        let right = Matrix { data: &[], offset: 0, rows, columns, row_stride: 0, column_stride: 0 };
        let (dst, packed) = (dst.as_mut_ptr(), Some(&panels[..]));
        // SAFETY: the left operand lies in its slice, the packed one has this many rows and columns, and so has dst.
        unsafe { T::gemm(Job { left, right, packed, dst, stride: columns, turned: false, start }) };
    }
}

/// The right operand in panels, block by block.
fn pack<T: Float>(right: Matrix<'_, T>) -> Buffer<T> {
    let (k, length) = (right.rows, block(right.rows));
    let width = simd::dispatch_simd(PackedColumns(right.columns, PhantomData::<T>));
    let mut packed = Buffer::unspecified(k * width);
    parallel::chunks_mut(&mut packed, length * width, 1, |start, to| {
        let first = start / width;
        T::pack(right.rows(first, length.min(k - first)), to);
    });
    packed
}

/// `y ← y·read + matrix x`, for `x` of one row.
fn add_vector_product<T: Float>(
    y: &mut [T],
    matrix: Matrix<'_, T>,
    x: Matrix<'_, T>,
    read: bool,
    parallel: bool,
) {
    let mut copy;
    let x = if x.column_stride == 1 {
        &x.data[x.offset..][..x.columns]
    } else {
        copy = Buffer::unspecified(x.columns);
        x.copy_to(&mut copy);
        &copy[..]
    };
    if !parallel {
        return T::gemv(VectorJob { matrix, x, y, read });
    }
    let rows = parallel::rows(x.len(), 1).next_multiple_of(8);
    let cost = x.len().div_ceil(VECTOR_PER_ADDITION);
    parallel::chunks_mut(y, rows, cost, |first, y| {
        T::gemv(VectorJob { matrix: matrix.rows(first, y.len()), x, y, read });
    });
}
