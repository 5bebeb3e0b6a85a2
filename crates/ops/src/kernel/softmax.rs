//! Softmax, log-softmax and log-sum-exp along the last axis, and their adjoints: one pass a row, in cache.
//!
//! A row is shifted by its largest element, so that nothing overflows. Conventions: a row of -∞ alone has log-sum-exp
//! -∞ and softmax NaN (0/0), as in PyTorch.

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::kernel::fold::{Fold, Max, Sum, lanes};
use crate::parallel;
use crate::shape::{Axes, normalize_axis};
use crate::simd;
use crate::tensor::Tensor;

/// One exponential's cost in additions.
const COST: usize = 4;

/// Σ exp(x - shift), without a place for the exponentials: a buffer a task would make the number of buffers in use
/// depend on how many tasks happen to run at once.
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

/// log Σ exp(x) of a row.
#[inline(always)]
fn log_sum_exp<T: Float>(x: &[T]) -> T {
    let max = lanes(&Max, x);
    if !max.is_finite() {
        return max;
    }
    max + lanes(&SumExp { shift: max }, x).log()
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
            let lse = log_sum_exp(x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - lse;
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
            *o = log_sum_exp(&self.x[i * self.n..(i + 1) * self.n]);
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

/// `axis` moved to the end, dense.
fn rows<T: Float>(t: &Tensor<T>, axis: usize) -> Result<Tensor<T>> {
    Ok(t.transpose(axis as isize, -1)?.contiguous())
}

fn apply<T: Float, const LOG: bool>(op: &'static str, x: &Tensor<T>, axis: isize) -> Result<Tensor<T>> {
    let axis = normalize_axis(op, axis, x.rank())?;
    let n = x.shape()[axis];
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

fn adjoint<T: Float, const LOG: bool>(
    op: &'static str,
    y: &Tensor<T>,
    g: &Tensor<T>,
    axis: isize,
) -> Result<Tensor<T>> {
    let axis = normalize_axis(op, axis, y.rank())?;
    let n = y.shape()[axis];
    let (y, g) = (rows(y, axis)?, rows(&g.broadcast_to(y.shape())?, axis)?);
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

    /// The cotangent of softmax's input from its output (this tensor) and the cotangent of that.
    ///
    /// # Errors
    /// If the shapes differ or the axis is out of range.
    pub fn softmax_adjoint(&self, g: &Tensor<T>, axis: isize) -> Result<Tensor<T>> {
        adjoint::<T, false>("softmax", self, g, axis)
    }

    /// The cotangent of log-softmax's input from its output (this tensor) and the cotangent of that.
    ///
    /// # Errors
    /// If the shapes differ or the axis is out of range.
    pub fn log_softmax_adjoint(&self, g: &Tensor<T>, axis: isize) -> Result<Tensor<T>> {
        adjoint::<T, true>("log_softmax", self, g, axis)
    }

    /// log Σ exp(x) - x\[target\] for every row of logits `[.., classes]` and class indices `[..]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is out of range.
    pub fn cross_entropy(&self, targets: &Tensor<i64>) -> Result<Tensor<T>> {
        let (n, at) = class_indices(self, targets)?;
        let dense = self.contiguous();
        let src = dense.as_slice().expect("contiguous");
        let mut out = Buffer::unspecified(at.len());
        if n > 0 {
            parallel::chunks_mut(&mut out, parallel::rows(n, COST), COST * n, |start, out| {
                let x = &src[start * n..(start + out.len()) * n];
                simd::dispatch(Lse { x, n, out: &mut *out });
                for (i, o) in out.iter_mut().enumerate() {
                    *o -= x[i * n + at[start + i]];
                }
            });
        }
        Ok(Tensor::from_buffer(out, targets.shape().clone()))
    }

    /// The cotangent of the logits (this tensor) from that of each row's [`cross_entropy`](Tensor::cross_entropy):
    /// g (softmax(x) - onehot(target)).
    ///
    /// # Errors
    /// As `cross_entropy`, and if `g` does not have the targets' shape.
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
                simd::dispatch(Row::<T, false> { x: &src[row * n..][..n], y: &mut *y });
                y[at[row]] -= T::ONE;
                y.iter_mut().for_each(|v| *v *= gs[row]);
            }
        });
        Ok(Tensor::from_buffer(out, self.shape().clone()))
    }

    /// log Σ exp(x) over `axes`; of nothing it is -∞.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn logsumexp(&self, axes: impl Axes, keepdim: bool) -> Result<Tensor<T>> {
        let axes = axes.resolve("logsumexp", self.rank())?;
        let order: Vec<usize> =
            (0..self.rank()).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
        let n: usize = axes.iter().map(|&a| self.shape()[a]).product();
        let shape = self.shape().reduced(&axes, keepdim);
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
        let x = Tensor::<f64>::arange(-3.0, 0.37, 24).reshape([2, 3, 4]).unwrap();
        for axis in 0..3 {
            let y = x.softmax(axis).unwrap();
            assert!(y.sum(axis as usize, false).unwrap().to_vec().iter().all(|s| (s - 1.0).abs() < 1e-14));
            let l = x.log_softmax(axis).unwrap();
            assert!(l.to_vec().iter().zip(y.to_vec()).all(|(l, y)| (l.exp() - y).abs() < 1e-14));
        }
    }

    #[test]
    fn large_and_infinite_elements() {
        let big = Tensor::from([1000.0, 1000.0, f64::NEG_INFINITY]);
        assert_eq!(big.softmax(0).unwrap().to_vec(), [0.5, 0.5, 0.0]);
        assert!((big.logsumexp(0, false).unwrap().item().unwrap() - (1000.0 + 2f64.ln())).abs() < 1e-12);
        let none = Tensor::from([f64::NEG_INFINITY; 2]);
        assert_eq!(none.logsumexp(0, false).unwrap().item().unwrap(), f64::NEG_INFINITY);
        assert_eq!(
            Tensor::<f64>::zeros([2, 0]).logsumexp(1, false).unwrap().to_vec(),
            [f64::NEG_INFINITY; 2]
        );
        assert_eq!(*Tensor::<f64>::zeros([0, 3]).softmax(0).unwrap().shape(), [0, 3]);
    }
}
