//! Columns: the channels of a batch `[n, channels]`, read row by row.
//!
//! Blocks of rows have fixed sizes, and so has the order in which the sums of blocks are added. A row of sums is in the
//! first cache while the rows of a block are added to it, and a block is in the second while it is read twice.

use super::COST;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel;
use crate::simd;

/// The most columns in a strip: their sums are on the stack.
const WIDTH: usize = 512;
/// The number of elements in a block, with at least `LEAST` and at most `MOST` rows.
const BLOCK: usize = 32 * 1024;
const LEAST: usize = 16;
const MOST: usize = 128;
/// The most pieces that the rows are cut into.
const PIECES: usize = 32;

/// How a matrix is cut into strips of columns and pieces of rows, by its sizes alone.
#[derive(Clone, Copy)]
struct Cut {
    rows: usize,
    columns: usize,
    /// The number of columns in a strip, except perhaps the last.
    width: usize,
    strips: usize,
    /// The number of rows in a block.
    block: usize,
    /// The number of rows in a piece: whole blocks.
    piece: usize,
    pieces: usize,
}

impl Cut {
    fn of(rows: usize, columns: usize) -> Self {
        let width = columns.min(WIDTH);
        let block = (BLOCK / width).clamp(LEAST, MOST);
        let piece = rows.div_ceil(PIECES).next_multiple_of(block);
        let (strips, pieces) = (columns.div_ceil(width), rows.div_ceil(piece));
        Cut { rows, columns, width, strips, block, piece, pieces }
    }

    /// Two sums of every column of every piece, by `f(first row, last row, first column, sums, sums)`.
    fn partial(
        self,
        cost: usize,
        f: impl Fn([usize; 2], usize, &mut [f64], &mut [f64]) + Sync,
    ) -> Buffer<f64> {
        let mut all = Buffer::unspecified(self.pieces * self.strips * self.width * 2);
        parallel::chunks_mut(&mut all, self.width * 2, cost * self.piece, |start, out| {
            let task = start / (self.width * 2);
            let (piece, from) = (task / self.strips, task % self.strips * self.width);
            let run = [piece * self.piece, self.rows.min((piece + 1) * self.piece)];
            let (a, b) = out.split_at_mut(self.width);
            let width = self.width.min(self.columns - from);
            f(run, from, &mut a[..width], &mut b[..width]);
        });
        all
    }

    /// The sums of a piece for a strip.
    fn part(self, all: &[f64], piece: usize, strip: usize) -> [&[f64]; 2] {
        let width = self.width.min(self.columns - strip * self.width);
        let (a, b) =
            all[(piece * self.strips + strip) * self.width * 2..][..self.width * 2].split_at(self.width);
        [&a[..width], &b[..width]]
    }
}

/// The mean and Σ(x - mean)² of every column of a matrix with at least one row and one column.
pub(super) fn moments<T: Float>(x: &[T], rows: usize, columns: usize) -> [Vec<f64>; 2] {
    let cut = Cut::of(rows, columns);
    let parts = cut.partial(COST / 2, |[first, last], from, mean, m2| {
        simd::dispatch(MomentsOf { x, cut, first, last, from, mean, m2 });
    });
    let (mut mean, mut m2) = (vec![0.0; columns], vec![0.0; columns]);
    simd::dispatch(Merge { cut, parts: &parts, mean: &mut mean, m2: &mut m2 });
    [mean, m2]
}

/// (Σ g, Σ g (x - high)) of every column.
pub(super) fn sums<T: Float>(x: &[T], g: &[T], high: &[T], rows: usize) -> [Vec<f64>; 2] {
    let cut = Cut::of(rows, high.len());
    let parts = cut.partial(COST / 2, |[first, last], from, sum, product| {
        simd::dispatch(SumsOf {
            x,
            g,
            high: &high[from..][..sum.len()],
            cut,
            first,
            last,
            from,
            sum,
            product,
        });
    });
    let mut all = [vec![0.0; high.len()], vec![0.0; high.len()]];
    for strip in 0..cut.strips {
        for piece in 0..cut.pieces {
            for (all, part) in all.iter_mut().zip(cut.part(&parts, piece, strip)) {
                for (a, &p) in all[strip * cut.width..].iter_mut().zip(part) {
                    *a += p;
                }
            }
        }
    }
    all
}

/// Adds a second run of elements to the moments of the first, which has `n` elements; for every column.
#[inline(always)]
fn merge(mean: &mut [f64], m2: &mut [f64], n: f64, other: impl Fn(usize) -> [f64; 2], others: f64) {
    let total = n + others;
    let (weight, share) = (n * others / total, others / total);
    let m2 = &mut m2[..mean.len()];
    for j in 0..mean.len() {
        let [there, square] = other(j);
        let apart = there - mean[j];
        m2[j] += square + apart * apart * weight;
        mean[j] += apart * share;
    }
}

struct Merge<'a> {
    cut: Cut,
    parts: &'a [f64],
    mean: &'a mut [f64],
    m2: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Merge<'_> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Merge { cut, parts, mean, m2 } = self;
        for strip in 0..cut.strips {
            for piece in 0..cut.pieces {
                let before = piece * cut.piece;
                let rows = cut.piece.min(cut.rows - before);
                let [a, b] = cut.part(parts, piece, strip);
                let run = strip * cut.width..strip * cut.width + a.len();
                let b = &b[..a.len()];
                merge(&mut mean[run.clone()], &mut m2[run], before as f64, |j| [a[j], b[j]], rows as f64);
            }
        }
    }
}

struct MomentsOf<'a, T> {
    x: &'a [T],
    cut: Cut,
    first: usize,
    last: usize,
    from: usize,
    mean: &'a mut [f64],
    m2: &'a mut [f64],
}

impl<T: Float> pulp::NullaryFnOnce for MomentsOf<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let MomentsOf { x, cut, first, last, from, mean, m2 } = self;
        let width = mean.len();
        let row = |i: usize| &x[i * cut.columns + from..][..width];
        let (mut shift, mut off, mut square) = ([T::ZERO; WIDTH], [T::ZERO; WIDTH], [T::ZERO; WIDTH]);
        let (shift, off, square) = (&mut shift[..width], &mut off[..width], &mut square[..width]);
        mean.fill(0.0);
        m2.fill(0.0);
        for start in (first..last).step_by(cut.block) {
            let end = last.min(start + cut.block);
            let (count, fours) = (end - start, end - (end - start) % 4);
            shift.fill(T::ZERO);
            for i in (start..fours).step_by(4) {
                let [a, b, c, d] = [row(i), row(i + 1), row(i + 2), row(i + 3)];
                for j in 0..width {
                    shift[j] += (a[j] + b[j]) + (c[j] + d[j]);
                }
            }
            for i in fours..end {
                for (s, &v) in shift.iter_mut().zip(row(i)) {
                    *s += v;
                }
            }
            let n = T::from_usize(count);
            for s in shift.iter_mut() {
                *s = *s / n;
            }
            off.fill(T::ZERO);
            square.fill(T::ZERO);
            for i in (start..fours).step_by(4) {
                let [a, b, c, d] = [row(i), row(i + 1), row(i + 2), row(i + 3)];
                for j in 0..width {
                    let s = shift[j];
                    let (a, b, c, d) = (a[j] - s, b[j] - s, c[j] - s, d[j] - s);
                    off[j] += (a + b) + (c + d);
                    square[j] += (a * a + b * b) + (c * c + d * d);
                }
            }
            for i in fours..end {
                let a = row(i);
                for j in 0..width {
                    let a = a[j] - shift[j];
                    off[j] += a;
                    square[j] += a * a;
                }
            }
            let n = count as f64;
            let of_block = |j: usize| {
                let off = off[j].to_f64();
                [shift[j].to_f64() + off / n, Float::maximum(square[j].to_f64() - off * off / n, 0.0)]
            };
            merge(mean, m2, (start - first) as f64, of_block, n);
        }
    }
}

struct SumsOf<'a, T> {
    x: &'a [T],
    g: &'a [T],
    high: &'a [T],
    cut: Cut,
    first: usize,
    last: usize,
    from: usize,
    sum: &'a mut [f64],
    product: &'a mut [f64],
}

impl<T: Float> pulp::NullaryFnOnce for SumsOf<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let SumsOf { x, g, high, cut, first, last, from, sum, product } = self;
        let width = high.len();
        let row = |of: usize| of * cut.columns + from..of * cut.columns + from + width;
        let (mut a, mut b) = ([T::ZERO; WIDTH], [T::ZERO; WIDTH]);
        let (a, b) = (&mut a[..width], &mut b[..width]);
        let (sum, product) = (&mut sum[..width], &mut product[..width]);
        sum.fill(0.0);
        product.fill(0.0);
        for start in (first..last).step_by(cut.block) {
            let end = last.min(start + cut.block);
            let twos = end - (end - start) % 2;
            a.fill(T::ZERO);
            b.fill(T::ZERO);
            for i in (start..twos).step_by(2) {
                let (x, y, g, h) = (&x[row(i)], &x[row(i + 1)], &g[row(i)], &g[row(i + 1)]);
                for j in 0..width {
                    a[j] += g[j] + h[j];
                    b[j] += g[j] * (x[j] - high[j]) + h[j] * (y[j] - high[j]);
                }
            }
            for i in twos..end {
                let (x, g) = (&x[row(i)], &g[row(i)]);
                for j in 0..width {
                    a[j] += g[j];
                    b[j] += g[j] * (x[j] - high[j]);
                }
            }
            for j in 0..width {
                sum[j] += a[j].to_f64();
                product[j] += b[j].to_f64();
            }
        }
    }
}
