//! Products of a matrix and a vector.
//!
//! **The order of summation** is that of [`LANES`] sums side by side: sum `l` runs over the products `l`, `l + LANES`, ..,
//! by fused multiply-adds that begin with zero. Then each sum of the first half gets that of the second half added, and so
//! on for the halves of the halves. It does not depend on the width of vectors or on strides. (A single chain, as in larger
//! products, would leave vectors empty where the matrix is contiguous along the sum.)

use super::matrix::Matrix;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::{LANES, lanes, prefetch, total};
use pulp::{Simd, WithSimd};

/// The number of rows of a matrix with contiguous columns that are in use at once.
const ROWS: usize = 256;

/// `y ← y·read + matrix x`.
#[doc(hidden)]
pub struct VectorJob<'a, T> {
    pub(super) matrix: Matrix<'a, T>,
    pub(super) x: &'a [T],
    pub(super) y: &'a mut [T],
    pub(super) read: bool,
}

impl<T: Float> WithSimd for VectorJob<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let VectorJob { matrix, x, y, read } = self;
        assert!(matrix.in_bounds() && matrix.columns == x.len() && matrix.rows == y.len());
        if matrix.row_stride == 1 && matrix.column_stride != 1 && matrix.rows > 1 {
            let mut sums = Buffer::unspecified(ROWS * lanes::<T>());
            for (i, y) in y.chunks_mut(ROWS).enumerate() {
                by_columns(matrix.rows(i * ROWS, y.len()), x, &mut sums, |i, sum| {
                    y[i] = if read { y[i] + sum } else { sum };
                });
            }
            return;
        }
        let mut put = |i: usize, sum: T| y[i] = if read { y[i] + sum } else { sum };
        let mut copy;
        let mut row = 0;
        while row < matrix.rows {
            let left = matrix.rows - row;
            let mut rows = matrix.rows(row, left.min(8));
            if matrix.column_stride != 1 {
                copy = Buffer::unspecified(rows.rows * rows.columns);
                rows.copy_to(&mut copy);
                rows = Matrix::new(&copy, 0, rows.rows, rows.columns, rows.columns);
            }
            let put = |i: usize, sum: T| put(row + i, sum);
            row += match (left, lanes::<T>() / T::width::<S>()) {
                (4.., 1) => by_rows::<T, S, 4, 1>(simd, rows, x, put),
                (_, 1) => by_rows::<T, S, 1, 1>(simd, rows, x, put),
                (4.., 2) => by_rows::<T, S, 4, 2>(simd, rows, x, put),
                (_, 2) => by_rows::<T, S, 1, 2>(simd, rows, x, put),
                (2.., 4) => by_rows::<T, S, 2, 4>(simd, rows, x, put),
                (_, 4) => by_rows::<T, S, 1, 4>(simd, rows, x, put),
                (_, 8) => by_rows::<T, S, 1, 8>(simd, rows, x, put),
                _ => by_rows::<T, S, 1, LANES>(simd, rows, x, put),
            };
        }
    }
}

/// `M` contiguous rows, with the lanes in `N` vectors; returns `M`.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "loops over indices of constant length are unrolled at once")]
fn by_rows<T: Float, S: Simd, const M: usize, const N: usize>(
    simd: S,
    rows: Matrix<'_, T>,
    x: &[T],
    mut put: impl FnMut(usize, T),
) -> usize {
    let lanes = lanes::<T>();
    let mut vectors = [[T::splat(simd, T::ZERO); N]; M];
    let each: [&[T]; M] = std::array::from_fn(|i| {
        let begin = rows.offset.wrapping_add_signed(i as isize * rows.row_stride);
        &rows.data[begin..][..x.len()]
    });
    for p in (0..x.len() / lanes * lanes).step_by(lanes) {
        // SAFETY: `lanes` elements, which are N vectors, follow in x and in each row.
        unsafe {
            let x = x.as_ptr().add(p).cast::<T::V<S>>();
            for v in 0..N {
                let x = x.add(v).read_unaligned();
                for i in 0..M {
                    if v == 0 {
                        // The same place in the rows that are next.
                        let next = each[i].as_ptr().wrapping_add(p);
                        prefetch(next.wrapping_offset(M as isize * rows.row_stride));
                    }
                    let row = each[i].as_ptr().add(p).cast::<T::V<S>>().add(v).read_unaligned();
                    vectors[i][v] = T::fma(simd, row, x, vectors[i][v]);
                }
            }
        }
    }
    let rest = x.len() / lanes * lanes;
    for i in 0..M {
        let mut sums = [T::ZERO; LANES];
        T::vectors_mut::<S>(&mut sums[..lanes]).copy_from_slice(&vectors[i]);
        for (sum, (&a, &x)) in sums.iter_mut().zip(each[i][rest..].iter().zip(&x[rest..])) {
            *sum = a.mul_add(x, *sum);
        }
        put(i, total(sums));
    }
    M
}

/// A matrix with contiguous columns, of at most `ROWS` rows; `sums` has room for the lanes of each of them.
#[inline(always)]
fn by_columns<T: Float>(matrix: Matrix<'_, T>, x: &[T], sums: &mut [T], mut put: impl FnMut(usize, T)) {
    let (lanes, n) = (lanes::<T>(), matrix.rows);
    sums[..lanes * n].fill(T::ZERO);
    let column = |p: usize| {
        let begin = matrix.offset.wrapping_add_signed(p as isize * matrix.column_stride);
        &matrix.data[begin..][..n]
    };
    let mut p = 0;
    while p < x.len() {
        for l in 0..lanes.min(x.len() - p) {
            let sums = &mut sums[l * n..][..n];
            // Four columns of this lane, if there are as many: a sum is loaded and stored once for all.
            if p + 3 * lanes + l < x.len() {
                let at = [p + l, p + lanes + l, p + 2 * lanes + l, p + 3 * lanes + l];
                let [a, b, c, d] = at.map(column);
                let [e, f, g, h] = at.map(|p| x[p]);
                for i in 0..n {
                    sums[i] = d[i].mul_add(h, c[i].mul_add(g, b[i].mul_add(f, a[i].mul_add(e, sums[i]))));
                }
            } else {
                for p in (p + l..x.len().min(p + 4 * lanes)).step_by(lanes) {
                    let (a, x) = (column(p), x[p]);
                    for i in 0..n {
                        sums[i] = a[i].mul_add(x, sums[i]);
                    }
                }
            }
        }
        p += 4 * lanes;
    }
    let mut half = lanes / 2;
    while half > 0 {
        let (low, high) = sums.split_at_mut(half * n);
        low.iter_mut().zip(high).for_each(|(low, &mut high)| *low += high);
        half /= 2;
    }
    for (i, &sum) in sums[..n].iter().enumerate() {
        put(i, sum);
    }
}
