//! Rows that are columns in memory: along an axis that is not the last, or along a last axis of a few elements.
//!
//! A block of adjacent columns is copied to a tile, computed there as vectors of one element of each column, and copied
//! back. A column is folded in the lanes and by the tree of a row, so it has the bits of a row.

use super::COST;
use crate::float::Float;
use crate::kernel::fold::{Fold, LANES, Max, Sum};
use crate::parallel;
use crate::simd;

/// The number of columns of a tile.
const WIDTH: usize = 32;
/// One element of each column.
type Line<T> = [T; WIDTH];

/// Whether an array `[.., n, inner]` is better computed as columns than as rows that are moved together.
pub(super) fn suits(n: usize, inner: usize) -> bool {
    if inner == 1 { n <= 16 } else { inner >= 8 }
}

/// What is computed of the first `w` columns of a tile: the tile itself, and one number for each column. The width is a
/// variable, since the compiler does not make vectors of loops that it unrolls.
pub(super) trait Columns<T>: Sync {
    fn call(&self, tile: &mut [Line<T>], other: &[Line<T>], w: usize) -> Line<T>;
}

/// Calls `f` with each of `w` elements of `to` and those of the two others at the same place.
#[inline(always)]
fn each<T: Copy>(to: &mut Line<T>, a: &Line<T>, b: &Line<T>, w: usize, f: impl Fn(T, T, T) -> T) {
    for ((to, &a), &b) in to[..w].iter_mut().zip(&a[..w]).zip(&b[..w]) {
        *to = f(*to, a, b);
    }
}

/// Folds every column, after `load` of an element and the number of its column.
#[inline(always)]
fn fold<T: Float, F: Fold<T>>(
    f: &F,
    tile: &[Line<T>],
    numbers: &Line<T>,
    w: usize,
    load: impl Fn(T, T) -> T,
) -> Line<T> {
    match tile.len() {
        0..=2 => fold_in::<2, T, F>(f, tile, numbers, w, load),
        3..=8 => fold_in::<8, T, F>(f, tile, numbers, w, load),
        _ => fold_in::<LANES, T, F>(f, tile, numbers, w, load),
    }
}

#[inline(always)]
fn fold_in<const L: usize, T: Float, F: Fold<T>>(
    f: &F,
    tile: &[Line<T>],
    numbers: &Line<T>,
    w: usize,
    load: impl Fn(T, T) -> T,
) -> Line<T> {
    let mut acc = [[f.identity(); WIDTH]; L];
    for lines in tile.chunks(L) {
        for (acc, line) in acc.iter_mut().zip(lines) {
            each(acc, line, numbers, w, |acc, v, number| f.combine(acc, load(v, number)));
        }
    }
    let mut width = tile.len().min(L).next_power_of_two();
    while width > 1 {
        width /= 2;
        let (low, high) = acc.split_at_mut(width);
        for (a, b) in low.iter_mut().zip(high) {
            each(a, b, b, w, |a, b, _| f.combine(a, b));
        }
    }
    acc[0]
}

#[inline(always)]
fn largest<T: Float>(tile: &[Line<T>], w: usize) -> Line<T> {
    fold(&Max, tile, &[T::ZERO; WIDTH], w, |v, _| v)
}

#[inline(always)]
fn total<T: Float>(tile: &[Line<T>], w: usize) -> Line<T> {
    fold(&Sum, tile, &[T::ZERO; WIDTH], w, |v, _| v)
}

/// The largest elements and log Σ exp(x - largest), which is 0 where the first is not finite.
#[inline(always)]
fn log_sum_exp<T: Float>(tile: &[Line<T>], w: usize) -> (Line<T>, Line<T>) {
    let max = largest(tile, w);
    let mut rest = fold(&Sum, tile, &max, w, |v, max| (v - max).exp());
    each(&mut rest, &max, &max, w, |sum, max, _| {
        let log = sum.log();
        if max.is_finite() { log } else { T::ZERO }
    });
    (max, rest)
}

pub(super) struct Softmax<const LOG: bool>;
impl<T: Float, const LOG: bool> Columns<T> for Softmax<LOG> {
    #[inline(always)]
    fn call(&self, tile: &mut [Line<T>], _: &[Line<T>], w: usize) -> Line<T> {
        if LOG {
            let (max, rest) = log_sum_exp(tile, w);
            for line in tile {
                each(line, &max, &rest, w, |v, max, rest| (v - max) - rest);
            }
            return max;
        }
        let max = largest(tile, w);
        for line in &mut *tile {
            each(line, &max, &max, w, |v, max, _| (v - max).exp());
        }
        let scale = total(tile, w).map(|v| T::ONE / v);
        for line in tile {
            each(line, &scale, &scale, w, |v, scale, _| v * scale);
        }
        scale
    }
}

/// The adjoint, of results in the tile and cotangents in the other one.
pub(super) struct Adjoint<const LOG: bool>;
impl<T: Float, const LOG: bool> Columns<T> for Adjoint<LOG> {
    #[inline(always)]
    fn call(&self, tile: &mut [Line<T>], other: &[Line<T>], w: usize) -> Line<T> {
        if LOG {
            let total = total(other, w);
            for (y, g) in tile.iter_mut().zip(other) {
                each(y, g, &total, w, |y, g, total| {
                    // Also where the row has no softmax: of a row that does not count, nothing flows back.
                    let d = g - y.exp() * total;
                    if total == T::ZERO { g } else { d }
                });
            }
            return total;
        }
        let mut products = other.to_vec();
        for (p, y) in products.iter_mut().zip(&*tile) {
            each(p, y, y, w, |g, y, _| y * g);
        }
        let total = total(&products, w);
        for (y, p) in tile.iter_mut().zip(&products) {
            each(y, p, &total, w, |y, p, total| p - y * total);
        }
        total
    }
}

pub(super) struct LogSumExp;
impl<T: Float> Columns<T> for LogSumExp {
    #[inline(always)]
    fn call(&self, tile: &mut [Line<T>], _: &[Line<T>], w: usize) -> Line<T> {
        let (mut max, rest) = log_sum_exp(tile, w);
        each(&mut max, &rest, &rest, w, |max, rest, _| max + rest);
        max
    }
}

struct Tile<'a, T, K> {
    kernel: &'a K,
    tile: &'a mut [Line<T>],
    other: &'a [Line<T>],
    w: usize,
}

impl<T: Float, K: Columns<T>> pulp::NullaryFnOnce for Tile<'_, T, K> {
    type Output = Line<T>;
    #[inline(always)]
    fn call(self) -> Line<T> {
        self.kernel.call(self.tile, self.other, self.w)
    }
}

/// Where a result goes: the tiles, or the numbers of the columns.
pub(super) enum Result<'a, T> {
    Tiles(&'a mut [T]),
    Numbers(&'a mut [T]),
}

struct Shared<T>(*mut T);
// SAFETY: every block writes elements of its own; see `columns`.
unsafe impl<T: Send> Sync for Shared<T> {}

/// Applies `kernel` to every column of arrays `[outer, n, inner]`, `n` > 0: of `x`, and of `other` if there is one.
pub(super) fn columns<T: Float, K: Columns<T>>(
    kernel: &K,
    x: &[T],
    other: Option<&[T]>,
    [outer, n, inner]: [usize; 3],
    result: Result<'_, T>,
) {
    let (out, tiles, len) = match result {
        Result::Tiles(out) => (out, true, outer * n * inner),
        Result::Numbers(out) => (out, false, outer * inner),
    };
    assert!(x.len() == outer * n * inner && out.len() == len && other.is_none_or(|o| o.len() == x.len()));
    let out = Shared(out.as_mut_ptr());
    // Columns that are adjacent: the inner axis, or rows of a last axis, `n` apart.
    let (sets, across, down, apart) = if inner == 1 { (1, outer, 1, n) } else { (outer, inner, inner, 1) };
    let blocks = across.div_ceil(WIDTH);
    let together = parallel::rows(n * WIDTH, COST);
    let task = |t: usize| {
        let out = &out;
        let mut tile = vec![[T::ZERO; WIDTH]; n];
        let mut beside = vec![[T::ZERO; WIDTH]; if other.is_some() { n } else { 0 }];
        for b in t * together..((t + 1) * together).min(sets * blocks) {
            let (set, first) = (b / blocks, b % blocks * WIDTH);
            let (base, w) = (set * n * inner + first * apart, WIDTH.min(across - first));
            let load = |from: &[T], tile: &mut [Line<T>]| {
                for (i, line) in tile.iter_mut().enumerate() {
                    let from = &from[base + i * down..];
                    if apart == 1 {
                        line[..w].copy_from_slice(&from[..w]);
                    } else {
                        line[..w].iter_mut().zip(from.iter().step_by(apart)).for_each(|(l, &v)| *l = v);
                    }
                }
            };
            load(x, &mut tile);
            if let Some(other) = other {
                load(other, &mut beside);
            }
            let numbers = simd::dispatch(Tile { kernel, tile: &mut tile, other: &beside, w });
            // SAFETY: the positions are those of the block's columns, which no other block has, inside `out`, whose
            // length is asserted above and which is borrowed uniquely.
            unsafe {
                if !tiles {
                    std::slice::from_raw_parts_mut(out.0.add(set * inner + first), w)
                        .copy_from_slice(&numbers[..w]);
                    continue;
                }
                for (i, line) in tile.iter().enumerate() {
                    let to = out.0.add(base + i * down);
                    if apart == 1 {
                        std::slice::from_raw_parts_mut(to, w).copy_from_slice(&line[..w]);
                    } else {
                        line[..w].iter().enumerate().for_each(|(c, &v)| to.add(c * apart).write(v));
                    }
                }
            }
        }
    };
    parallel::for_each((sets * blocks).div_ceil(together), together * n * WIDTH * COST, &task);
}
