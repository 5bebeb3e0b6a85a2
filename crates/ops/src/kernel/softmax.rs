//! Softmax, log-softmax and log-sum-exp along an axis, and their adjoints: one pass per row, in cache. Rows that are not
//! contiguous, or very short, are computed as blocks of columns.
//!
//! A row is shifted by its largest element, so that nothing overflows. A difference log Σ exp(x) - xᵢ is taken from the shifted
//! row, since a large offset of all elements would round away its digits. Conventions: a row of only -∞ has
//! log-sum-exp -∞ and softmax NaN (0/0), as in PyTorch.

mod columns;

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::kernel::fold::{Fold, Max, Sum, lanes};
use crate::parallel;
use crate::shape::{Axes, Shape, normalize_axis};
use crate::simd;
use crate::tensor::Tensor;

/// The cost of one exponential, in additions.
const COST: usize = 4;

/// Σ exp(x - shift), without memory for the exponentials: one buffer per task would make the number of buffers in use
/// depend on the number of tasks that happen to run at once.
struct SumExp<T> {
    shift: T,
}

impl<T: Float> Fold<T> for SumExp<T> {
    #[inline(always)]
    fn identity(&self) -> T {
        T::ZERO
    }
    #[inline(always)]
    fn load(&self, x: T) -> T {
        (x - self.shift).exp()
    }
    #[inline(always)]
    fn combine(&self, a: T, b: T) -> T {
        a + b
    }
}

/// The largest element of a row and log Σ exp(x - largest), the parts of log Σ exp(x): the second is 0 if the first
/// is not finite.
#[inline(always)]
fn log_sum_exp<T: Float>(x: &[T]) -> (T, T) {
    let max = lanes(&Max, x);
    if !max.is_finite() {
        return (max, T::ZERO);
    }
    (max, lanes(&SumExp { shift: max }, x).log())
}

struct Row<'a, T, const LOG: bool> {
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Float, const LOG: bool> pulp::NullaryFnOnce for Row<'_, T, LOG> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Row { x, y } = self;
        if LOG {
            let (max, rest) = log_sum_exp(x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - max) - rest;
            }
        } else {
            let max = lanes(&Max, x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - max).exp();
            }
            let scale = T::ONE / lanes(&Sum, y);
            for y in y.iter_mut() {
                *y *= scale;
            }
        }
    }
}

struct Lse<'a, T> {
    x: &'a [T],
    n: usize,
    out: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for Lse<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        for (i, o) in self.out.iter_mut().enumerate() {
            let (max, rest) = log_sum_exp(&self.x[i * self.n..(i + 1) * self.n]);
            *o = max + rest;
        }
    }
}

/// log Σ exp(x) - x\[target\] for every row.
struct Surprise<'a, T> {
    x: &'a [T],
    targets: &'a [usize],
    out: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for Surprise<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let n = self.x.len() / self.out.len().max(1);
        for (i, (o, &target)) in self.out.iter_mut().zip(self.targets).enumerate() {
            let x = &self.x[i * n..(i + 1) * n];
            let (max, rest) = log_sum_exp(x);
            *o = (max - x[target]) + rest;
        }
    }
}

struct Adjoint<'a, T, const LOG: bool> {
    y: &'a [T],
    g: &'a [T],
    gx: &'a mut [T],
}

impl<T: Float, const LOG: bool> pulp::NullaryFnOnce for Adjoint<'_, T, LOG> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Adjoint { y, g, gx } = self;
        if LOG {
            let total = lanes(&Sum, g);
            // Also where the row has no softmax: of a row that does not count, nothing flows back.
            if total == T::ZERO {
                gx.copy_from_slice(g);
                return;
            }
            for ((d, &y), &g) in gx.iter_mut().zip(y).zip(g) {
                *d = g - y.exp() * total;
            }
        } else {
            for ((d, &y), &g) in gx.iter_mut().zip(y).zip(g) {
                *d = y * g;
            }
            let total = lanes(&Sum, gx);
            for (d, &y) in gx.iter_mut().zip(y) {
                *d -= y * total;
            }
        }
    }
}

/// `axis` moved to the end, contiguous.
fn rows<T: Float>(t: &Tensor<T>, axis: usize) -> Result<Tensor<T>> {
    Ok(t.transpose(axis as isize, -1)?.contiguous())
}

/// The sizes before, of and after an axis, if rows along it are better computed as columns.
fn as_columns(shape: &Shape, axis: usize) -> Option<[usize; 3]> {
    let (outer, n, inner) = (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product());
    (n > 0 && outer * inner > 0 && columns::suits(n, inner)).then_some([outer, n, inner])
}

#[inline(never)]
fn apply<T: Float, const LOG: bool>(op: &'static str, x: &Tensor<T>, axis: isize) -> Result<Tensor<T>> {
    let axis = normalize_axis(op, axis, x.rank())?;
    let n = x.shape()[axis];
    if let Some(sizes) = as_columns(x.shape(), axis) {
        let x = x.contiguous();
        let mut out = Buffer::unspecified(x.numel());
        let src = x.as_slice().expect("contiguous");
        columns::columns(&columns::Softmax::<LOG>, src, None, sizes, columns::Result::Tiles(&mut out));
        return Ok(Tensor::from_buffer(out, x.shape().clone()));
    }
    let dense = rows(x, axis)?;
    let src = dense.as_slice().expect("contiguous");
    let mut out = Buffer::unspecified(src.len());
    let piece = parallel::rows(n, COST) * n;
    parallel::chunks_mut(&mut out, piece, COST, |start, piece| {
        for (i, y) in piece.chunks_exact_mut(n).enumerate() {
            simd::dispatch(Row::<T, LOG> { x: &src[start + i * n..][..n], y });
        }
    });
    Tensor::from_buffer(out, dense.shape().clone()).transpose(axis as isize, -1)
}

#[inline(never)]
fn adjoint<T: Float, const LOG: bool>(
    op: &'static str,
    y: &Tensor<T>,
    g: &Tensor<T>,
    axis: isize,
) -> Result<Tensor<T>> {
    let axis = normalize_axis(op, axis, y.rank())?;
    let n = y.shape()[axis];
    if let Some(sizes) = as_columns(y.shape(), axis) {
        let (y, g) = (y.contiguous(), g.expand(y.shape())?.contiguous());
        let mut out = Buffer::unspecified(y.numel());
        let (ys, gs) = (y.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
        columns::columns(&columns::Adjoint::<LOG>, ys, Some(gs), sizes, columns::Result::Tiles(&mut out));
        return Ok(Tensor::from_buffer(out, y.shape().clone()));
    }
    let (y, g) = (rows(y, axis)?, rows(&g.expand(y.shape())?, axis)?);
    let (ys, gs) = (y.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
    let mut out = Buffer::unspecified(ys.len());
    let piece = parallel::rows(n, COST) * n;
    parallel::chunks_mut(&mut out, piece, COST, |start, piece| {
        for (i, gx) in piece.chunks_exact_mut(n).enumerate() {
            let at = start + i * n;
            simd::dispatch(Adjoint::<T, LOG> { y: &ys[at..at + n], g: &gs[at..at + n], gx });
        }
    });
    Tensor::from_buffer(out, y.shape().clone()).transpose(axis as isize, -1)
}

/// The number of classes and the targets, checked against the logits.
fn class_indices<T: Float>(logits: &Tensor<T>, targets: &Tensor<i64>) -> Result<(usize, Vec<usize>)> {
    const OP: &str = "cross_entropy";
    let Some((&n, rows)) = logits.shape().split_last().filter(|(_, rows)| **rows == targets.shape()[..])
    else {
        let detail = format!(
            "logits {} and targets {}: expected [.., classes] and [..]",
            logits.shape(),
            targets.shape()
        );
        return Err(Error::new(OP, ErrorKind::Shape, detail));
    };
    let targets = targets.to_vec();
    debug_assert_eq!(targets.len(), rows.iter().product::<usize>());
    if let Some(bad) = targets.iter().find(|&&t| t < 0 || t as u64 >= n as u64) {
        return Err(Error::new(
            OP,
            ErrorKind::Index,
            format!("target {bad} is out of range for {n} classes"),
        ));
    }
    Ok((n, targets.into_iter().map(|t| t as usize).collect()))
}

impl<T: Float> Tensor<T> {
    /// exp(x) / Σ exp(x) along `axis`.
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn softmax(&self, axis: isize) -> Result<Tensor<T>> {
        apply::<T, false>("softmax", self, axis)
    }

    /// x - log Σ exp(x) along `axis`.
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn log_softmax(&self, axis: isize) -> Result<Tensor<T>> {
        apply::<T, true>("log_softmax", self, axis)
    }

    /// The cotangent of softmax's input from its output (this tensor) and the output's cotangent.
    ///
    /// # Errors
    /// If the shapes differ or the axis is out of range.
    pub fn softmax_adjoint(&self, g: &Tensor<T>, axis: isize) -> Result<Tensor<T>> {
        adjoint::<T, false>("softmax", self, g, axis)
    }

    /// The cotangent of log-softmax's input from its output y (this tensor) and the output's cotangent g: g - exp(y) Σ g. The second
    /// term is 0 where Σ g is 0, even if y is NaN, so that rows that do not count have gradient 0.
    ///
    /// # Errors
    /// If the shapes differ or the axis is out of range.
    pub fn log_softmax_adjoint(&self, g: &Tensor<T>, axis: isize) -> Result<Tensor<T>> {
        adjoint::<T, true>("log_softmax", self, g, axis)
    }

    /// log Σ exp(x) - x\[target\] for every row of logits `[.., classes]` and class indices `[..]`.
    ///
    /// # Errors
    /// If the shapes are not consistent or a target is out of range.
    pub fn cross_entropy(&self, targets: &Tensor<i64>) -> Result<Tensor<T>> {
        let (n, at) = class_indices(self, targets)?;
        let dense = self.contiguous();
        let src = dense.as_slice().expect("contiguous");
        let mut out = Buffer::unspecified(at.len());
        if n > 0 {
            parallel::chunks_mut(&mut out, parallel::rows(n, COST), COST * n, |start, out| {
                let (first, last) = (start, start + out.len());
                simd::dispatch(Surprise { x: &src[first * n..last * n], targets: &at[first..last], out });
            });
        }
        Ok(Tensor::from_buffer(out, targets.shape().clone()))
    }

    /// The cotangent of the logits (this tensor) from the cotangent of each row's [`cross_entropy`](Tensor::cross_entropy):
    /// g (softmax(x) - onehot(target)). Where g is 0 it is 0, whatever the logits are.
    ///
    /// # Errors
    /// Those of `cross_entropy`; also if `g` does not have the targets' shape.
    pub fn cross_entropy_adjoint(&self, targets: &Tensor<i64>, g: &Tensor<T>) -> Result<Tensor<T>> {
        let (n, at) = class_indices(self, targets)?;
        if g.shape() != targets.shape() {
            let detail = format!("expected a cotangent of shape {}, found {}", targets.shape(), g.shape());
            return Err(Error::new("cross_entropy", ErrorKind::Shape, detail));
        }
        let (dense, g) = (self.contiguous(), g.contiguous());
        let (src, gs) = (dense.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
        let mut out = Buffer::unspecified(src.len());
        let piece = parallel::rows(n, COST) * n;
        parallel::chunks_mut(&mut out, piece, COST, |start, piece| {
            for (i, y) in piece.chunks_exact_mut(n).enumerate() {
                let row = start / n + i;
                // A row that does not count may be anything, also -∞ or NaN.
                if gs[row] == T::ZERO {
                    y.fill(T::ZERO);
                    continue;
                }
                simd::dispatch(Row::<T, false> { x: &src[row * n..][..n], y: &mut *y });
                y[at[row]] -= T::ONE;
                y.iter_mut().for_each(|v| *v *= gs[row]);
            }
        });
        Ok(Tensor::from_buffer(out, self.shape().clone()))
    }

    /// log Σ exp(x) over `axes`; -∞ for an empty group.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn logsumexp(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.logsumexp_over(axes, false)
    }

    /// Like [`logsumexp`](Tensor::logsumexp), but keeps the axes with size 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn logsumexp_keepdim(&self, axes: impl Axes) -> Result<Tensor<T>> {
        self.logsumexp_over(axes, true)
    }

    fn logsumexp_over(&self, axes: impl Axes, keepdim: bool) -> Result<Tensor<T>> {
        let axes = axes.resolve("logsumexp", self.rank())?;
        let order: Vec<usize> =
            (0..self.rank()).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
        let n: usize = axes.iter().map(|&a| self.shape()[a]).product();
        let shape = self.shape().reduced(&axes, keepdim);
        if let &[axis] = &axes[..]
            && let Some(sizes) = as_columns(self.shape(), axis)
        {
            let x = self.contiguous();
            let src = x.as_slice().expect("contiguous");
            let mut out = Buffer::unspecified(shape.numel());
            columns::columns(&columns::LogSumExp, src, None, sizes, columns::Result::Numbers(&mut out));
            return Ok(Tensor::from_buffer(out, shape));
        }
        let dense = self.permute(order)?.contiguous();
        let src = dense.as_slice().expect("contiguous");
        let mut out = Buffer::filled(shape.numel(), T::NEG_INFINITY);
        if n > 0 {
            parallel::chunks_mut(&mut out, parallel::rows(n, COST), COST * n, |start, out| {
                let x = &src[start * n..(start + out.len()) * n];
                simd::dispatch(Lse { x, n, out });
            });
        }
        Ok(Tensor::from_buffer(out, shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sum_to_one_along_any_axis() {
        let x = Tensor::<f64>::steps(-3.0, 0.37, 24).reshape([2, 3, 4]).unwrap();
        for axis in 0..3 {
            let y = x.softmax(axis).unwrap();
            assert!(y.sum_axes(axis as usize).unwrap().to_vec().iter().all(|s| (s - 1.0).abs() < 1e-14));
            let l = x.log_softmax(axis).unwrap();
            assert!(l.to_vec().iter().zip(y.to_vec()).all(|(l, y)| (l.exp() - y).abs() < 1e-14));
        }
    }

    /// Columns have the bits of rows, in every layout, on any number of threads, and with elements that are not finite.
    fn columns_agree_with_rows<T: Float>() {
        let bits = |t: &Tensor<T>| t.to_vec().iter().map(|v| v.to_f64().to_bits()).collect::<Vec<_>>();
        for [a, n, b] in
            [[1, 1, 8], [2, 0, 9], [0, 3, 8], [3, 2, 1], [70, 16, 1], [2, 7, 31], [1, 31, 32], [2, 33, 67]]
        {
            let x = Tensor::<T>::steps(-3.0, 0.37, a * n * b).map(|v| (v * v).sin() * T::from_f64(9.0));
            let mut x = x.reshape([a, n, b]).unwrap();
            let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
            for (k, v) in special.into_iter().enumerate().filter(|_| a * n * b > 100) {
                x.data_mut()[k * 37 % (a * n * b)] = T::from_f64(v);
            }
            let g = x.map(|v| if v.is_finite() { v * v - T::ONE } else { T::ZERO });
            let moved = x.transpose(1, 2).unwrap().contiguous().transpose(1, 2).unwrap();
            let flat = |t: &Tensor<T>| t.transpose(1, 2).unwrap().contiguous().reshape([a * b, n]).unwrap();
            let back = |t: Tensor<T>| t.reshape([a, b, n]).unwrap().transpose(1, 2).unwrap().contiguous();
            for x in [x, moved] {
                let each = |rows: fn(&[T], &[T], &mut [T])| {
                    let (x, g) = (flat(&x).to_vec(), flat(&g).to_vec());
                    let mut out = x.clone();
                    for i in 0..a * b {
                        rows(&x[i * n..][..n], &g[i * n..][..n], &mut out[i * n..][..n]);
                    }
                    back(Tensor::from(out))
                };
                let soft = each(|x, _, y| simd::dispatch(Row::<T, false> { x, y }));
                assert_eq!(bits(&x.softmax(1).unwrap()), bits(&soft));
                assert_eq!(bits(&parallel::in_small_pieces(3, || x.softmax(1).unwrap())), bits(&soft));
                let log = each(|x, _, y| simd::dispatch(Row::<T, true> { x, y }));
                assert_eq!(bits(&x.log_softmax(1).unwrap()), bits(&log));
                let down = each(|y, g, gx| simd::dispatch(Adjoint::<T, false> { y, g, gx }));
                assert_eq!(bits(&x.softmax_adjoint(&g, 1).unwrap()), bits(&down));
                let down = each(|y, g, gx| simd::dispatch(Adjoint::<T, true> { y, g, gx }));
                assert_eq!(bits(&x.log_softmax_adjoint(&g, 1).unwrap()), bits(&down));
                if n > 0 {
                    let mut out = vec![T::ZERO; a * b];
                    simd::dispatch(Lse { x: &flat(&x).to_vec(), n, out: &mut out });
                    assert_eq!(bits(&x.logsumexp(1).unwrap()), bits(&Tensor::from(out)));
                }
            }
        }
    }

    #[test]
    fn columns_have_the_bits_of_rows() {
        columns_agree_with_rows::<f32>();
        columns_agree_with_rows::<f64>();
    }

    #[test]
    fn large_and_infinite_elements() {
        let big = Tensor::from([1000.0, 1000.0, f64::NEG_INFINITY]);
        assert_eq!(big.softmax(0).unwrap().to_vec(), [0.5, 0.5, 0.0]);
        assert!((big.logsumexp(0).unwrap().item().unwrap() - (1000.0 + 2f64.ln())).abs() < 1e-12);
        let none = Tensor::from([f64::NEG_INFINITY; 2]);
        assert_eq!(none.logsumexp(0).unwrap().item().unwrap(), f64::NEG_INFINITY);
        assert_eq!(Tensor::<f64>::zeros([2, 0]).logsumexp(1).unwrap().to_vec(), [f64::NEG_INFINITY; 2]);
        assert_eq!(*Tensor::<f64>::zeros([0, 3]).softmax(0).unwrap().shape(), [0, 3]);
    }

    #[test]
    fn a_row_without_cotangent_has_none_whatever_it_is() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let x = Tensor::from([[-inf, -inf], [nan, 0.0], [inf, 1.0], [0.0, 0.0]]);
        let g = Tensor::from([0.0, -0.0, 0.0, 1.0]);
        let gx = x.cross_entropy_adjoint(&Tensor::from([0, 1, 0, 1]), &g).unwrap();
        assert_eq!(gx.to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, -0.5]);
        let g = Tensor::from([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]);
        let gx = x.log_softmax(1).unwrap().log_softmax_adjoint(&g, 1).unwrap();
        assert_eq!(gx.to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, -0.5]);
    }

    #[test]
    fn an_offset_of_all_elements_costs_no_digits() {
        fn check<T: Float>(offsets: &[f64], within: f64) {
            // log Σ exp of [0, 1, 2.5] by mpmath, at 30 digits.
            let total = 2.766_367_899_807_133_7;
            for &c in offsets {
                let x = Tensor::from([[c, c + 1.0, c + 2.5]]).cast::<T>();
                let y = x.log_softmax(1).unwrap().to_vec();
                for (i, at) in [0.0, 1.0, 2.5].into_iter().enumerate() {
                    let loss = x.cross_entropy(&Tensor::from([i as i64])).unwrap().item().unwrap();
                    for found in [loss.to_f64(), -y[i].to_f64()] {
                        let error = (found / (total - at) - 1.0).abs();
                        assert!(error <= within, "at {c}, class {i}: {found}, off by {error:e}");
                    }
                }
                let g = x.log_softmax(1).unwrap().log_softmax_adjoint(&Tensor::scalar(T::ONE), 1).unwrap();
                let sum: f64 = g.to_vec().iter().map(|g| g.to_f64()).sum();
                assert!(sum.abs() <= 4.0 * within, "at {c}: {g}");
            }
        }
        check::<f32>(&[0.0, 100.0, 1e3, 1e4, 1e6, -1e6], 5e-7);
        check::<f64>(&[0.0, 1e4, 1e6, 1e15, -1e15], 1e-15);
        let y = |x: [f64; 3]| Tensor::from(x).log_softmax(0).unwrap().to_vec();
        assert!(y([1e50; 3]).iter().all(|y| (y + 3f64.ln()).abs() < 1e-15));
        let ends = y([f64::MAX, f64::MAX, -f64::MAX]);
        assert!((ends[0] + 2f64.ln()).abs() < 1e-15 && ends[2] == f64::NEG_INFINITY, "{ends:?}");
    }
}
