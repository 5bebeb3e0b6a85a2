//! Reductions, by a tree that depends on the sizes alone: they have the same bits on any number of threads.
//!
//! A run of elements is folded in 32 lanes whatever the vector width, in blocks of 4096 elements; the results of the
//! blocks are combined pairwise. Therefore the rounding error of a sum grows with the logarithm of its length.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Axes, Shape, ToShape, normalize_axis};
use crate::short::{self, Short};
use crate::simd;
use crate::tensor::Tensor;

pub(crate) const LANES: usize = 32;
pub(crate) const BLOCK: usize = 4096;
/// The number of rows in one task of a fold over an outer axis.
pub(crate) const ROWS: usize = 256;
/// An inner axis narrower than this is transposed first.
const NARROW: usize = 8;

/// A fold of elements by an associative operation; every function must be `#[inline(always)]`.
pub trait Fold<T>: Sync {
    /// Whether an empty fold has a value that users expect: an empty sum is 0, but there is no largest element.
    const OF_NOTHING: bool = true;
    /// The value of an empty fold.
    fn identity(&self) -> T;
    /// What an element contributes.
    fn load(&self, x: T) -> T;
    /// Combines two partial results.
    fn combine(&self, a: T, b: T) -> T;
}

/// Σ x.
pub struct Sum;
/// Σ x², only of all elements: a sum of sums is not squared again.
struct Squares;
/// Π x.
pub struct Prod;
/// The largest element; NaN if any element is NaN.
pub struct Max;
/// The smallest element; NaN if any element is NaN.
pub struct Min;

impl<T: Float> Fold<T> for Sum {
    #[inline(always)]
    fn identity(&self) -> T {
        T::ZERO
    }
    #[inline(always)]
    fn load(&self, x: T) -> T {
        x
    }
    #[inline(always)]
    fn combine(&self, a: T, b: T) -> T {
        a + b
    }
}

impl<T: Float> Fold<T> for Squares {
    #[inline(always)]
    fn identity(&self) -> T {
        T::ZERO
    }
    #[inline(always)]
    fn load(&self, x: T) -> T {
        x * x
    }
    #[inline(always)]
    fn combine(&self, a: T, b: T) -> T {
        a + b
    }
}

impl<T: Float> Fold<T> for Prod {
    #[inline(always)]
    fn identity(&self) -> T {
        T::ONE
    }
    #[inline(always)]
    fn load(&self, x: T) -> T {
        x
    }
    #[inline(always)]
    fn combine(&self, a: T, b: T) -> T {
        a * b
    }
}

impl<T: Float> Fold<T> for Max {
    const OF_NOTHING: bool = false;
    #[inline(always)]
    fn identity(&self) -> T {
        T::NEG_INFINITY
    }
    #[inline(always)]
    fn load(&self, x: T) -> T {
        x
    }
    #[inline(always)]
    fn combine(&self, a: T, b: T) -> T {
        a.maximum(b)
    }
}

impl<T: Float> Fold<T> for Min {
    const OF_NOTHING: bool = false;
    #[inline(always)]
    fn identity(&self) -> T {
        T::INFINITY
    }
    #[inline(always)]
    fn load(&self, x: T) -> T {
        x
    }
    #[inline(always)]
    fn combine(&self, a: T, b: T) -> T {
        a.minimum(b)
    }
}

/// Folds one run of elements in lanes; must be called from code that is compiled for the vector instruction set.
#[inline(always)]
pub(crate) fn lanes<T: Float, F: Fold<T>>(f: &F, x: &[T]) -> T {
    let mut acc = [f.identity(); LANES];
    let (chunks, tail) = x.as_chunks::<LANES>();
    for c in chunks {
        for l in 0..LANES {
            acc[l] = f.combine(acc[l], f.load(c[l]));
        }
    }
    for (a, &v) in acc.iter_mut().zip(tail) {
        *a = f.combine(*a, f.load(v));
    }
    let mut width = if chunks.is_empty() { tail.len().next_power_of_two() } else { LANES };
    while width > 1 {
        width /= 2;
        for l in 0..width {
            acc[l] = f.combine(acc[l], acc[l + width]);
        }
    }
    acc[0]
}

struct Lanes<'a, T, F>(&'a F, &'a [T]);
impl<T: Float, F: Fold<T>> pulp::NullaryFnOnce for Lanes<'_, T, F> {
    type Output = T;
    #[inline(always)]
    fn call(self) -> T {
        lanes(self.0, self.1)
    }
}

/// [`lanes`] of a run that arrives in parts; the length of each but the last is a multiple of [`LANES`].
pub(crate) struct LaneSums<T> {
    lanes: [T; LANES],
    len: usize,
}

impl<T: Float> LaneSums<T> {
    pub(crate) fn new() -> Self {
        LaneSums { lanes: [T::ZERO; LANES], len: 0 }
    }

    pub(crate) fn add(&mut self, x: &[T]) {
        debug_assert!(self.len.is_multiple_of(LANES));
        self.len += x.len();
        simd::dispatch(AddLanes(&mut self.lanes, x));
    }

    /// The sum; the next run begins at zero.
    pub(crate) fn take(&mut self) -> T {
        let mut width = self.len.min(LANES).next_power_of_two();
        while width > 1 {
            width /= 2;
            for l in 0..width {
                self.lanes[l] += self.lanes[l + width];
            }
        }
        let sum = self.lanes[0];
        *self = Self::new();
        sum
    }
}

struct AddLanes<'a, T>(&'a mut [T; LANES], &'a [T]);
impl<T: Float> pulp::NullaryFnOnce for AddLanes<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let mut acc = *self.0;
        let (chunks, tail) = self.1.as_chunks::<LANES>();
        for c in chunks {
            for l in 0..LANES {
                acc[l] += c[l];
            }
        }
        for (a, &v) in acc.iter_mut().zip(tail) {
            *a += v;
        }
        *self.0 = acc;
    }
}

/// The sums of runs of `n` elements, at most a block, one after another.
pub(crate) fn sum_runs<T: Float>(x: &[T], n: usize, out: &mut [T]) {
    simd::dispatch(Runs { f: &Sum, x, n, out });
}

/// Adds the rows of `x` to `sums`, which is as long as a row.
pub(crate) fn add_rows<T: Float>(sums: &mut [T], x: &[T]) {
    simd::dispatch(AddRows { f: &Sum, rows: x, acc: sums });
}

/// The sum of partial sums, by the tree of [`fold_run`].
pub(crate) fn sum_parts<T: Float>(parts: &mut [T]) -> T {
    tree(&Sum, parts)
}

/// The sums of groups of rows of `inner` partial sums, by the tree of [`fold_columns`].
pub(crate) fn sum_part_rows<T: Float>(parts: &mut [T], inner: usize) {
    fold_part_rows(&Sum, parts, inner);
}

/// A sum over the innermost of the given runs of adjacent axes, as [`fold_axes`] takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Innermost {
    /// Over all elements.
    Whole,
    /// Over rows of this length.
    Rows(usize),
    /// Over `n` rows of `inner` elements, for each outer position.
    Columns { n: usize, inner: usize },
    /// Over rows of less than [`NARROW`] elements, which are transposed first.
    Narrow,
}

/// The first step of a sum over `axes` (sorted, in range, not empty), and the number of axes that are left for later steps.
pub(crate) fn innermost(shape: &Shape, axes: &[usize]) -> (Innermost, usize) {
    if axes.len() == shape.len() {
        return (Innermost::Whole, 0);
    }
    let mut start = axes.len() - 1;
    while start > 0 && axes[start - 1] + 1 == axes[start] {
        start -= 1;
    }
    let (a, b) = (axes[start], axes[axes.len() - 1] + 1);
    let n: usize = shape[a..b].iter().product();
    let inner: usize = shape[b..].iter().product();
    let outer: usize = shape[..a].iter().product();
    let kind = match inner {
        1 if outer == 1 => Innermost::Whole,
        1 => Innermost::Rows(n),
        2..NARROW => Innermost::Narrow,
        _ => Innermost::Columns { n, inner },
    };
    (kind, start)
}

/// Folds runs of `n` elements, at most a block, each to one.
struct Runs<'a, T, F> {
    f: &'a F,
    x: &'a [T],
    n: usize,
    out: &'a mut [T],
}
impl<T: Float, F: Fold<T>> pulp::NullaryFnOnce for Runs<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let f = self.f;
        match self.n {
            // As `lanes` does it.
            0 => self.out.fill(f.identity()),
            1 => {
                for (o, &v) in self.out.iter_mut().zip(self.x) {
                    *o = f.combine(f.identity(), f.load(v));
                }
            }
            2 => {
                for (o, v) in self.out.iter_mut().zip(self.x.as_chunks::<2>().0) {
                    let [a, b] = v.map(|v| f.combine(f.identity(), f.load(v)));
                    *o = f.combine(a, b);
                }
            }
            3 => short::<3, 4, T, F>(f, self.x, self.out),
            4 => short::<4, 4, T, F>(f, self.x, self.out),
            5 => short::<5, 8, T, F>(f, self.x, self.out),
            6 => short::<6, 8, T, F>(f, self.x, self.out),
            7 => short::<7, 8, T, F>(f, self.x, self.out),
            8 => short::<8, 8, T, F>(f, self.x, self.out),
            n => {
                for (o, run) in self.out.iter_mut().zip(self.x.chunks_exact(n)) {
                    *o = lanes(f, run);
                }
            }
        }
    }
}

/// Folds runs of `N` elements by the tree of [`lanes`], of which they fill `WIDTH` lanes; the compiler unrolls it.
#[inline(always)]
fn short<const N: usize, const WIDTH: usize, T: Float, F: Fold<T>>(f: &F, x: &[T], out: &mut [T]) {
    for (o, run) in out.iter_mut().zip(x.as_chunks::<N>().0) {
        let mut acc = [f.identity(); WIDTH];
        for l in 0..N {
            acc[l] = f.combine(f.identity(), f.load(run[l]));
        }
        let mut width = WIDTH;
        while width > 1 {
            width /= 2;
            for l in 0..width {
                acc[l] = f.combine(acc[l], acc[l + width]);
            }
        }
        *o = acc[0];
    }
}

fn tree<T: Float, F: Fold<T>>(f: &F, parts: &mut [T]) -> T {
    let mut n = parts.len();
    while n > 1 {
        let half = n.div_ceil(2);
        for i in 0..n - half {
            parts[i] = f.combine(parts[i], parts[i + half]);
        }
        n = half;
    }
    parts.first().copied().unwrap_or(f.identity())
}

fn fold_run<T: Float, F: Fold<T>>(f: &F, x: &[T]) -> T {
    if x.len() <= BLOCK {
        return simd::dispatch(Lanes(f, x));
    }
    let mut parts = Buffer::unspecified(x.len().div_ceil(BLOCK));
    parallel::chunks_mut(&mut parts, 8, BLOCK, |start, piece| {
        for (i, p) in piece.iter_mut().enumerate() {
            let at = (start + i) * BLOCK;
            *p = simd::dispatch(Lanes(f, &x[at..(at + BLOCK).min(x.len())]));
        }
    });
    tree(f, &mut parts)
}

struct AddRows<'a, T, F> {
    f: &'a F,
    rows: &'a [T],
    acc: &'a mut [T],
}
impl<T: Float, F: Fold<T>> pulp::NullaryFnOnce for AddRows<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        for row in self.rows.chunks_exact(self.acc.len()) {
            for (a, &v) in self.acc.iter_mut().zip(row) {
                *a = self.f.combine(*a, self.f.load(v));
            }
        }
    }
}

/// Folds `[outer, n, inner]` to `[outer, inner]`, for wide `inner`.
fn fold_columns<T: Float, F: Fold<T>>(f: &F, x: &[T], outer: usize, n: usize, inner: usize) -> Buffer<T> {
    let pieces = n.div_ceil(ROWS).max(1);
    let mut parts = Buffer::unspecified(outer * pieces * inner);
    parallel::chunks_mut(&mut parts, inner, ROWS.min(n), |start, acc| {
        let (o, p) = (start / inner / pieces, start / inner % pieces);
        let (first, last) = (o * n + p * ROWS, o * n + ((p + 1) * ROWS).min(n));
        acc.fill(f.identity());
        simd::dispatch(AddRows { f, rows: &x[first * inner..last * inner], acc });
    });
    if pieces == 1 {
        return parts;
    }
    let mut out = Buffer::unspecified(outer * inner);
    for (o, to) in out.chunks_mut(inner).enumerate() {
        let parts = &mut parts[o * pieces * inner..(o + 1) * pieces * inner];
        fold_part_rows(f, parts, inner);
        to.copy_from_slice(&parts[..inner]);
    }
    out
}

/// Folds rows of `inner` partial results pairwise into the first.
fn fold_part_rows<T: Float, F: Fold<T>>(f: &F, parts: &mut [T], inner: usize) {
    let mut rows = parts.len() / inner;
    while rows > 1 {
        let half = rows.div_ceil(2);
        let (low, high) = parts[..rows * inner].split_at_mut(half * inner);
        for (a, &b) in low.iter_mut().zip(&*high) {
            *a = f.combine(*a, b);
        }
        rows = half;
    }
}

/// `x` folded over `axes` (sorted, in range); `keepdim` keeps them with size one, otherwise they are removed.
#[inline(never)]
pub(crate) fn fold_axes<T: Float, F: Fold<T>>(
    f: &F,
    x: &Tensor<T>,
    axes: &[usize],
    keepdim: bool,
) -> Tensor<T> {
    let shape = x.shape().reduced(axes, keepdim);
    let dense;
    let x = if x.is_contiguous() {
        x
    } else {
        dense = x.contiguous();
        &dense
    };
    let run = x.as_slice().expect("contiguous");
    if axes.is_empty() {
        let mut out = Buffer::from_slice(run);
        out.iter_mut().for_each(|v| *v = f.combine(f.identity(), f.load(*v)));
        return Tensor::from_buffer(out, shape);
    }
    if axes.len() == x.rank() {
        return Tensor::from_buffer(Buffer::filled(1, fold_run(f, run)), shape);
    }
    // Runs of adjacent axes, the innermost first. Under every fold here, `load` leaves folded values as they are.
    let mut current = x;
    let mut made;
    let mut end = axes.len();
    loop {
        let mut start = end - 1;
        while start > 0 && axes[start - 1] + 1 == axes[start] {
            start -= 1;
        }
        let (a, b) = (axes[start], axes[end - 1] + 1);
        let sizes = current.shape();
        let outer: usize = sizes[..a].iter().product();
        let n: usize = sizes[a..b].iter().product();
        let inner: usize = sizes[b..].iter().product();
        let run = current.as_slice().expect("contiguous");
        let folded = if inner >= NARROW || (inner > 1 && n == 0) {
            fold_columns(f, run, outer, n, inner)
        } else {
            let rows;
            let run = if inner <= 1 {
                run
            } else {
                // The elements may begin at any offset in their buffer.
                rows = current
                    .reshape([outer, n, inner])
                    .expect("as many elements")
                    .transpose(1, 2)
                    .expect("three axes")
                    .contiguous();
                rows.as_slice().expect("contiguous")
            };
            let mut out = Buffer::unspecified(outer * inner);
            if outer * inner == 1 {
                out[0] = fold_run(f, run);
            } else if n <= BLOCK {
                let piece = parallel::rows(n, 1);
                parallel::chunks_mut(&mut out, piece, n, |first, piece| {
                    simd::dispatch(Runs { f, x: &run[first * n..(first + piece.len()) * n], n, out: piece });
                });
            } else {
                let piece = parallel::rows(n, 1);
                parallel::chunks_mut(&mut out, piece, n, |first, piece| {
                    for (i, o) in piece.iter_mut().enumerate() {
                        *o = fold_run(f, &run[(first + i) * n..(first + i + 1) * n]);
                    }
                });
            }
            out
        };
        if start == 0 {
            return Tensor::from_buffer(folded, shape);
        }
        let mut sizes = current.shape().clone();
        sizes.dims_mut()[a..b].fill(1);
        made = Tensor::from_buffer(folded, sizes);
        current = &made;
        end = start;
    }
}

fn non_empty<T: Float>(op: &'static str, x: &Tensor<T>, axes: &[usize]) -> Result<()> {
    match axes.iter().find(|&&a| x.shape()[a] == 0) {
        Some(a) => Err(Error::shape(
            op,
            format!("axis {a} of shape {} is empty; there has to be an element", x.shape()),
        )),
        None => Ok(()),
    }
}

impl<T: Float> Tensor<T> {
    /// Folds the given axes; `keepdim` keeps them with size 1.
    fn folded<F: Fold<T>>(
        &self,
        op: &'static str,
        fold: &F,
        axes: impl Axes,
        keepdim: bool,
    ) -> Result<Tensor<T>> {
        let axes = axes.resolve(op, self.rank())?;
        if !F::OF_NOTHING {
            non_empty(op, self, &axes)?;
        }
        Ok(fold_axes(fold, self, &axes, keepdim))
    }

    fn all_axes(&self) -> Short<usize> {
        short::from_fn(self.rank(), |axis| axis)
    }

    /// The sum of all elements, of shape `[]`.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.sum().item()?, 10.0);
    /// assert_eq!(t.sum_axes(0)?.to_vec(), [4.0, 6.0]);
    /// assert_eq!(t.sum_keepdim(1)?, wengert_ops::Tensor::from([[3.0], [7.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    pub fn sum(&self) -> Tensor<T> {
        fold_axes(&Sum, self, &self.all_axes(), false)
    }

    /// The sum of the squares of all elements, of shape `[]`, in one pass.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([3.0, 4.0]);
    /// assert_eq!(t.norm_squared().item()?, 25.0);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    #[must_use]
    pub fn norm_squared(&self) -> Tensor<T> {
        fold_axes(&Squares, self, &self.all_axes(), false)
    }

    /// The product of all elements, of shape `[]`.
    pub fn prod(&self) -> Tensor<T> {
        fold_axes(&Prod, self, &self.all_axes(), false)
    }

    /// The largest of all elements, of shape `[]`; NaN if any element is NaN.
    ///
    /// # Errors
    /// If there is no element.
    #[doc(alias = "amax")]
    pub fn max(&self) -> Result<Tensor<T>> {
        self.folded("max", &Max, self.all_axes(), false)
    }

    /// The smallest of all elements, of shape `[]`; NaN if any element is NaN.
    ///
    /// # Errors
    /// If there is no element.
    #[doc(alias = "amin")]
    pub fn min(&self) -> Result<Tensor<T>> {
        self.folded("min", &Min, self.all_axes(), false)
    }

    /// The sum over the given axes; an empty sum is 0.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn sum_axes(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("sum_axes", &Sum, axes, false)
    }

    /// Like [`sum_axes`](Tensor::sum_axes), but keeps the axes with size 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn sum_keepdim(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("sum_keepdim", &Sum, axes, true)
    }

    /// The product over the given axes; an empty product is 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn prod_axes(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("prod_axes", &Prod, axes, false)
    }

    /// Like [`prod_axes`](Tensor::prod_axes), but keeps the axes with size 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn prod_keepdim(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("prod_keepdim", &Prod, axes, true)
    }

    /// The largest element over the given axes; NaN if any element is NaN.
    ///
    /// # Errors
    /// If an axis is out of range, named twice, or empty.
    #[doc(alias = "amax")]
    pub fn max_axes(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("max_axes", &Max, axes, false)
    }

    /// Like [`max_axes`](Tensor::max_axes), but keeps the axes with size 1.
    ///
    /// # Errors
    /// If an axis is out of range, named twice, or empty.
    pub fn max_keepdim(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("max_keepdim", &Max, axes, true)
    }

    /// The smallest element over the given axes; NaN if any element is NaN.
    ///
    /// # Errors
    /// If an axis is out of range, named twice, or empty.
    #[doc(alias = "amin")]
    pub fn min_axes(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("min_axes", &Min, axes, false)
    }

    /// Like [`min_axes`](Tensor::min_axes), but keeps the axes with size 1.
    ///
    /// # Errors
    /// If an axis is out of range, named twice, or empty.
    pub fn min_keepdim(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.folded("min_keepdim", &Min, axes, true)
    }

    /// Sums the axes along which `shape` would be broadcast to this tensor: the adjoint of broadcasting.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.sum_to([2, 1])?.to_vec(), [3.0, 7.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `shape` does not broadcast to this tensor's.
    #[doc(alias = "sum_to_size")]
    pub fn sum_to(&self, shape: impl ToShape) -> Result<Tensor<T>> {
        let shape = &shape.to_shape("sum_to")?;
        if self.shape() == shape {
            return Ok(self.clone());
        }
        let lead = self.rank().checked_sub(shape.len());
        let fits =
            lead.is_some_and(|l| shape.iter().zip(&self.shape()[l..]).all(|(&a, &b)| a == b || a == 1));
        let (Some(lead), true) = (lead, fits) else {
            return Err(Error::shape("sum_to", format!("{shape} does not broadcast to {}", self.shape())));
        };
        let axes: Vec<usize> = (0..self.rank())
            .filter(|&i| i < lead || (shape[i - lead] == 1 && self.shape()[i] != 1))
            .collect();
        let folded = fold_axes(&Sum, self, &axes, true);
        Ok(folded.with_layout(crate::shape::Layout::contiguous(shape.clone())))
    }

    /// The position of the largest element along `axis`: the first among equals; the first NaN if there is one.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]);
    /// assert_eq!(t.argmax(-1)?.to_vec(), [1, 0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    pub fn argmax(&self, axis: isize) -> Result<Tensor<i64>> {
        self.arg("argmax", axis, |v, best| v > best)
    }

    /// The position of the smallest element along `axis`: the first among equals; the first NaN if there is one.
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    pub fn argmin(&self, axis: isize) -> Result<Tensor<i64>> {
        self.arg("argmin", axis, |v, best| v < best)
    }

    /// Like [`argmax`](Tensor::argmax), but keeps the axis with size 1.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]);
    /// let at = t.argmax_keepdim(1)?;
    /// assert_eq!(t.gather(1, &at)?, t.max_keepdim(1)?);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "argmax")]
    pub fn argmax_keepdim(&self, axis: isize) -> Result<Tensor<i64>> {
        self.arg("argmax_keepdim", axis, |v, best| v > best)?.unsqueeze(axis)
    }

    /// Like [`argmin`](Tensor::argmin), but keeps the axis with size 1.
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "argmin")]
    pub fn argmin_keepdim(&self, axis: isize) -> Result<Tensor<i64>> {
        self.arg("argmin_keepdim", axis, |v, best| v < best)?.unsqueeze(axis)
    }

    fn arg(
        &self,
        op: &'static str,
        axis: isize,
        better: impl Fn(T, T) -> bool + Sync + Send,
    ) -> Result<Tensor<i64>> {
        let axis = normalize_axis(op, axis, self.rank())?;
        non_empty(op, self, &[axis])?;
        let n = self.shape()[axis];
        let last = self.rank() as isize - 1;
        let mut order: Vec<isize> = (0..=last).filter(|&a| a != axis as isize).collect();
        order.push(axis as isize);
        let rows = self.permute(order)?.contiguous();
        let run = rows.as_slice().expect("contiguous");
        let shape = self.shape().reduced(&[axis], false);
        let mut out = Buffer::unspecified(shape.numel());
        parallel::chunks_mut(&mut out, parallel::rows(n, 1), n, |first, piece| {
            for (i, o) in piece.iter_mut().enumerate() {
                let row = &run[(first + i) * n..(first + i + 1) * n];
                let mut best = 0;
                for (j, &v) in row.iter().enumerate() {
                    if row[best].is_nan() {
                        break;
                    }
                    if better(v, row[best]) || v.is_nan() {
                        best = j;
                    }
                }
                *o = best as i64;
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reduction of every shape against indexing, one element at a time.
    #[test]
    fn folds_agree_with_loops() {
        let sizes = [
            vec![7],
            vec![3, 5],
            vec![2, 3, 4],
            vec![5, 1, 9],
            vec![2, 0, 3],
            vec![300, 17],
            vec![2, 3, 2, 70],
        ];
        for sizes in sizes {
            let n: usize = sizes.iter().product();
            let t = Tensor::<f64>::steps(1.0, 0.5, n).reshape(&sizes).unwrap();
            for mask in 0..1usize << sizes.len() {
                let axes: Vec<usize> = (0..sizes.len()).filter(|i| mask >> i & 1 == 1).collect();
                let sum = t.sum_keepdim(&axes).unwrap();
                let prod = t.map(|v| 1.0 + 1e-3 * v).prod_keepdim(&axes).unwrap();
                let mut product = vec![1.0; sum.numel()];
                let mut want = vec![0.0; sum.numel()];
                let mut most = vec![f64::NEG_INFINITY; sum.numel()];
                for (flat, &v) in t.to_vec().iter().enumerate() {
                    let (mut rest, mut at, mut step) = (flat, 0, 1);
                    for (i, &d) in sizes.iter().enumerate().rev() {
                        if !axes.contains(&i) {
                            at += rest % d * step;
                            step *= d;
                        }
                        rest /= d;
                    }
                    want[at] += v;
                    product[at] *= 1.0 + 1e-3 * v;
                    most[at] = most[at].max(v);
                }
                assert!(
                    sum.to_vec().iter().zip(&want).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs()),
                    "{sizes:?} {axes:?}"
                );
                assert!(
                    prod.to_vec()
                        .iter()
                        .zip(&product)
                        .all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs() || a == b),
                    "{sizes:?} {axes:?}"
                );
                match t.max_keepdim(&axes) {
                    Ok(max) => assert_eq!(max.to_vec(), most),
                    Err(_) => assert!(axes.iter().any(|&a| sizes[a] == 0)),
                }
            }
        }
    }

    #[test]
    fn what_begins_inside_a_larger_buffer_is_folded_from_there() {
        for inner in [1, 2, 7, 8, 9] {
            let t = Tensor::<f64>::steps(0.0, 1.0, 6 * inner).reshape([6, inner]).unwrap();
            let part = t.slice(0, 2..5).unwrap();
            assert!(part.is_contiguous());
            let want: Vec<f64> = (0..inner).map(|c| (3 * (3 * inner + c)) as f64).collect();
            assert_eq!(part.sum_axes(0).unwrap().to_vec(), want);
            assert_eq!(part.max_axes(0).unwrap().to_vec(), t.slice(0, 4..5).unwrap().to_vec());
            assert_eq!(part.sum().item().unwrap(), want.iter().sum::<f64>());
        }
    }

    #[test]
    fn long_sums_are_accurate() {
        let t = Tensor::try_full([10_000_019], 0.1f32).unwrap();
        let exact = 10_000_019.0 * f64::from(0.1f32);
        assert!((f64::from(t.sum().item().unwrap()) / exact - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nan_wins_and_ties_take_the_first() {
        let t = Tensor::from([1.0, f64::NAN, 3.0]);
        assert!(
            t.max_axes(0).unwrap().item().unwrap().is_nan()
                && t.min_axes(0).unwrap().item().unwrap().is_nan()
        );
        assert_eq!(t.argmax(0).unwrap().item().unwrap(), 1);
        assert_eq!(Tensor::from([2.0, 5.0, 5.0]).argmax(0).unwrap().item().unwrap(), 1);
        assert!(Tensor::<f64>::zeros([0]).max_axes(0).is_err());
    }
}
