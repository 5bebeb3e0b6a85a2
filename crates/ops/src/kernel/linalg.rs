//! Dense linear algebra on batches of small square matrices `[.., n, n]`: triangular solves and Cholesky factors. LU
//! factors and their uses are in `lu.rs`, eigenvectors in `eigh.rs`.
//!
//! Everything is computed in double precision, for `f32` too, so that results are as accurate as the data. One loop
//! serves both types, and half the width is a small price at these sizes. Threads share a batch; each matrix is
//! computed by one thread.

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Shape, broadcast_shapes};
use crate::simd;
use crate::tensor::Tensor;
use std::sync::{Mutex, PoisonError};

/// Which triangle of a matrix a triangular solve reads, and how. The default is the lower triangle with its
/// diagonal.
///
/// ```
/// use wengert_ops::{Tensor, Triangle};
/// let t = Tensor::from([[2.0, 9.0], [1.0, 4.0]]);
/// let b = Tensor::from([[2.0], [9.0]]);
/// assert_eq!(t.solve_triangular(&b, Triangle::LOWER)?.to_vec(), [1.0, 2.0]);
/// assert_eq!(t.solve_triangular(&b, Triangle::UPPER.transposed())?.to_vec(), [1.0, 0.0]);
/// # Ok::<(), wengert_ops::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Triangle {
    /// The upper triangle instead of the lower one. The other is never read.
    pub upper: bool,
    /// The triangle is transposed before the solve.
    pub transposed: bool,
    /// The diagonal is taken as ones and is not read.
    pub unit: bool,
}

impl Triangle {
    /// The lower triangle.
    pub const LOWER: Triangle = Triangle { upper: false, transposed: false, unit: false };
    /// The upper triangle.
    pub const UPPER: Triangle = Triangle { upper: true, transposed: false, unit: false };

    /// The same triangle, transposed (or no longer transposed, if it was).
    #[must_use]
    pub fn transposed(self) -> Self {
        Triangle { transposed: !self.transposed, ..self }
    }

    /// The same triangle with ones on its diagonal.
    #[must_use]
    pub fn unit(self) -> Self {
        Triangle { unit: true, ..self }
    }
}

/// Success, or what is wrong with a matrix.
pub(super) type Verdict = std::result::Result<(), String>;

/// The leading axes and the size of square matrices.
pub(super) fn square<T: Float>(op: &'static str, t: &Tensor<T>) -> Result<(Shape, usize)> {
    match t.shape()[..] {
        [ref batch @ .., n, m] if n == m => Ok((Shape::from(batch), n)),
        _ => Err(Error::shape(op, format!("expected square matrices [.., n, n], found shape {}", t.shape()))),
    }
}

pub(super) fn with_axes(batch: &Shape, axes: &[usize]) -> Shape {
    batch.iter().chain(axes).copied().collect()
}

/// Calls `f(i, out)` with the part of `out` that belongs to matrix `i`, at `cost` additions each. The error is that of
/// the first matrix for which `f` returns one.
pub(super) fn each(
    op: &'static str,
    count: usize,
    out: &mut [f64],
    cost: usize,
    f: &(dyn Fn(usize, &mut [f64]) -> Verdict + Sync),
) -> Result<()> {
    let size = out.len() / count.max(1);
    let first: Mutex<Option<(usize, String)>> = Mutex::new(None);
    let run = |i: usize, out: &mut [f64]| {
        if let Err(what) = f(i, out) {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(j, _)| i < *j) {
                *first = Some((i, what));
            }
        }
    };
    if size > 0 {
        let piece = parallel::rows(1, cost) * size;
        parallel::chunks_mut(out, piece, cost / size + 1, |start, piece| {
            for (i, out) in piece.chunks_exact_mut(size).enumerate() {
                run(start / size + i, out);
            }
        });
    }
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some((_, what)) if count == 1 => Err(Error::new(op, ErrorKind::Argument, what)),
        Some((i, what)) => {
            Err(Error::new(op, ErrorKind::Argument, format!("matrix {i} of the batch: {what}")))
        }
    }
}

/// `a ← a - f b`, elementwise.
#[inline(always)]
pub(super) fn subtract(a: &mut [f64], f: f64, b: &[f64]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a -= f * b;
    }
}

/// X ← T⁻¹ X for X with `columns` columns.
struct Substitute<'a> {
    t: &'a [f64],
    n: usize,
    triangle: Triangle,
    x: &'a mut [f64],
    columns: usize,
}

impl pulp::NullaryFnOnce for Substitute<'_> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Substitute { t, n, triangle, x, columns } = self;
        let at = |i: usize, j: usize| if triangle.transposed { t[j * n + i] } else { t[i * n + j] };
        let backwards = triangle.upper != triangle.transposed;
        for step in 0..n {
            let i = if backwards { n - 1 - step } else { step };
            // The rows found so far are on one side of row i.
            let (before, rest) = x.split_at_mut(if backwards { (i + 1) * columns } else { i * columns });
            let (row, known, first) = if backwards {
                (&mut before[i * columns..], &*rest, i + 1)
            } else {
                (&mut rest[..columns], &*before, 0)
            };
            for (k, other) in known.chunks_exact(columns).enumerate() {
                let f = at(i, first + k);
                if f != 0.0 {
                    subtract(row, f, other);
                }
            }
            if !triangle.unit {
                let d = at(i, i);
                row.iter_mut().for_each(|v| *v /= d);
            }
        }
    }
}

pub(super) fn substitute(t: &[f64], n: usize, triangle: Triangle, x: &mut [f64], columns: usize) {
    if columns > 0 {
        simd::dispatch(Substitute { t, n, triangle, x, columns });
    }
}

/// The lower factor, in place of the matrix; otherwise the order of the first leading minor that is not positive.
struct Cholesky<'a> {
    a: &'a mut [f64],
    n: usize,
    column: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Cholesky<'_> {
    type Output = std::result::Result<(), usize>;
    #[inline(always)]
    fn call(self) -> Self::Output {
        let Cholesky { a, n, column } = self;
        for j in 0..n {
            let d = a[j * n + j];
            if !(d > 0.0 && d.is_finite()) {
                return Err(j + 1);
            }
            let d = d.sqrt();
            a[j * n + j] = d;
            a[j * n + j + 1..(j + 1) * n].fill(0.0);
            for i in j + 1..n {
                column[i] = a[i * n + j] / d;
                a[i * n + j] = column[i];
            }
            for i in j + 1..n {
                subtract(&mut a[i * n + j + 1..=i * n + i], column[i], &column[j + 1..=i]);
            }
        }
        Ok(())
    }
}

/// The elements in row-major order, in double precision.
pub(super) fn wide<T: Float>(t: &Tensor<T>) -> Vec<f64> {
    t.to_vec().into_iter().map(Float::to_f64).collect()
}

pub(super) fn narrow<T: Float>(values: &[f64], shape: Shape) -> Tensor<T> {
    let mut out = Buffer::unspecified(values.len());
    for (o, &v) in out.iter_mut().zip(values) {
        *o = T::from_f64(v);
    }
    Tensor::from_buffer(out, shape)
}

/// Contiguous matrices `[n, n]` and right-hand sides `[n, columns]`, `count` of each.
pub(super) struct System {
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
    pub(super) count: usize,
    pub(super) n: usize,
    pub(super) columns: usize,
    /// The shape of the solution.
    pub(super) shape: Shape,
}

impl<T: Float> Tensor<T> {
    /// The matrices and right-hand sides of a solve.
    pub(super) fn system(&self, op: &'static str, b: &Tensor<T>) -> Result<System> {
        let (batch, n) = square(op, self)?;
        let &[ref others @ .., rows, columns] = &b.shape()[..] else {
            let detail = format!("expected right-hand sides [.., n, k], found shape {}", b.shape());
            return Err(Error::shape(op, detail));
        };
        if rows != n {
            let detail = format!(
                "matrices {} have {n} rows, right-hand sides {} have {rows}",
                self.shape(),
                b.shape()
            );
            return Err(Error::shape(op, detail));
        }
        let batch = broadcast_shapes(op, &batch, &Shape::from(others))?;
        let shape = with_axes(&batch, &[n, columns]);
        for shape in [&shape, &with_axes(&batch, &[n, n])] {
            if shape.checked_numel().is_none() {
                return Err(Error::new(
                    op,
                    ErrorKind::Overflow,
                    format!("shape {shape} has too many elements"),
                ));
            }
        }
        let (a, b) = (self.expand(with_axes(&batch, &[n, n]))?, b.expand(&shape)?);
        Ok(System { a: wide(&a), b: wide(&b), count: batch.numel(), n, columns, shape })
    }

    /// The solution X of T X = B, where T is a triangle of this tensor's matrices `[.., n, n]` and B is `[..,
    /// n, k]`, whose leading axes broadcast, or a vector `[n]`. See [`Triangle`].
    ///
    /// # Errors
    /// If the shapes are not consistent, or an element of the diagonal is 0.
    pub fn solve_triangular(&self, b: &Tensor<T>, triangle: Triangle) -> Result<Tensor<T>> {
        const OP: &str = "solve_triangular";
        if b.rank() == 1 {
            return self.solve_triangular(&b.unsqueeze(-1)?, triangle)?.squeeze(-1);
        }
        let System { a, b: mut x, count, n, columns, shape } = self.system(OP, b)?;
        let solve = |i: usize, x: &mut [f64]| {
            let t = &a[i * n * n..(i + 1) * n * n];
            if let (false, Some(k)) = (triangle.unit, (0..n).find(|k| t[k * n + k] == 0.0)) {
                return Err(format!("the triangle is singular: its diagonal element {k} is zero"));
            }
            substitute(t, n, triangle, x, columns);
            Ok(())
        };
        each(OP, count, &mut x, n * n * columns / 8, &solve)?;
        Ok(narrow(&x, shape))
    }

    /// The lower triangular L with L Lᵀ = A for symmetric positive definite matrices A `[.., n, n]` (this
    /// tensor), whose upper triangle is not read.
    ///
    /// ```
    /// let a = wengert_ops::Tensor::from([[4.0, 0.0], [2.0, 5.0]]);
    /// assert_eq!(a.cholesky()?.to_vec(), [2.0, 0.0, 1.0, 2.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the matrices are not square, or one is not positive definite.
    pub fn cholesky(&self) -> Result<Tensor<T>> {
        const OP: &str = "cholesky";
        let (batch, n) = square(OP, self)?;
        let mut out = wide(self);
        each(OP, batch.numel(), &mut out, n * n * n / 16, &|_, a| {
            let mut column = vec![0.0; n];
            simd::dispatch(Cholesky { a, n, column: &mut column })
                .map_err(|k| format!("not positive definite: the leading minor of order {k} is not positive"))
        })?;
        Ok(narrow(&out, self.shape().clone()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Slice;

    pub(in crate::kernel) fn filled(shape: &[usize], seed: u64) -> Tensor<f64> {
        crate::random::uniform(shape, -1.0, 1.0, crate::random::Key { seed, stream: 0 }).unwrap()
    }

    pub(in crate::kernel) fn near(a: &Tensor<f64>, b: &Tensor<f64>, tolerance: f64) -> bool {
        a.shape() == b.shape() && a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() <= tolerance)
    }

    /// Matrices in every layout.
    pub(in crate::kernel) fn layouts(n: usize) -> Vec<Tensor<f64>> {
        let base = filled(&[2, n, n], 3);
        vec![
            base.clone(),
            base.transpose(1, 2).unwrap(),
            base.slice(1, Slice::all().step(-1)).unwrap(),
            filled(&[2, 2 * n, n], 9).slice(1, Slice::all().step(2)).unwrap(),
            base.slice(0, 0..1).unwrap().expand([3, n, n]).unwrap(),
        ]
    }

    #[test]
    fn every_kind_of_triangle() {
        for n in [0, 1, 2, 7, 20] {
            for upper in [false, true] {
                for transposed in [false, true] {
                    for unit in [false, true] {
                        let triangle = Triangle { upper, transposed, unit };
                        let mut a = filled(&[n, n], 3);
                        a.data_mut().iter_mut().step_by(n + 1).for_each(|v| *v += 3.0);
                        let b = filled(&[n, 2], 10);
                        let x = a.solve_triangular(&b, triangle).unwrap();
                        // The triangle, written out.
                        let mut t = a.clone();
                        for (k, v) in t.data_mut().iter_mut().enumerate() {
                            let (i, j) = (k / n, k % n);
                            if i == j {
                                *v = if unit { 1.0 } else { *v };
                            } else if (i < j) != upper {
                                *v = 0.0;
                            }
                        }
                        let t = if transposed { t.transpose(0, 1).unwrap() } else { t };
                        let rebuilt = t.matmul(&x).unwrap();
                        assert!(near(&rebuilt, &b, 1e-7), "{n} {triangle:?}");
                    }
                }
            }
        }
        let singular = Tensor::from([[1.0, 0.0], [0.0, 0.0]]);
        let e = singular.solve_triangular(&Tensor::ones([2, 1]), Triangle::LOWER).unwrap_err();
        assert!(e.to_string().contains("diagonal element 1 is zero"), "{e}");
        assert!(singular.solve_triangular(&Tensor::ones([2, 1]), Triangle::LOWER.unit()).is_ok());
    }

    #[test]
    fn cholesky_factors_and_refuses() {
        for n in [0, 1, 2, 6, 30] {
            for x in layouts(n) {
                let eye = Tensor::eye(n).unwrap();
                let a = x.matmul(&x.transpose(1, 2).unwrap()).unwrap().add(&eye).unwrap();
                let l = a.cholesky().unwrap();
                assert!(near(&l.matmul(&l.transpose(1, 2).unwrap()).unwrap(), &a, 1e-12), "{n}");
            }
        }
        let good = Tensor::<f64>::eye(3).unwrap();
        let mut bad = good.clone();
        bad.data_mut()[4] = -1.0;
        let e = bad.cholesky().unwrap_err();
        assert!(e.to_string().contains("leading minor of order 2"), "{e}");
        let e = Tensor::stack(&[good.clone(), bad, good], 0).unwrap().cholesky().unwrap_err();
        assert!(e.to_string().contains("matrix 1 of the batch"), "{e}");
    }
}
