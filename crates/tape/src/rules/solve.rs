//! Linear systems with batches of square matrices: solve, solve_triangular, inverse, cholesky.
//!
//! Cotangents, where g is that of the result: for X = A⁻¹ B, gB = A⁻ᵀ g and gA = -gB Xᵀ, and for a triangular A only its
//! triangle; for Y = A⁻¹, -Yᵀ g Yᵀ; for the Cholesky factor L, ½ L⁻ᵀ (P + P̂ᵀ) L⁻¹, where P is the lower triangle of Lᵀ g
//! and P̂ is P without its diagonal (Murray 2016), which is symmetric.

use super::prelude::*;
use wengert_ops::Triangle;

struct Solve;

impl<T: Float> Op<T> for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].solve(x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (a, b, x) = (r.x(0), r.x(1), r.y());
        let gb = a.tape().apply_static(&Solve, &[a.t(), r.gy()]);
        cotangents([
            r.when(0, || -gb.matmul(x.t()).sum_to(a.raw_shape())),
            r.when(1, || gb.sum_to(b.raw_shape())),
        ])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let n = inputs[0].last().copied().unwrap_or(1);
        // A factorisation, and two triangular systems per column.
        (2 * inputs[0].numel() * n / 3 + 2 * outputs[0].numel() * n) as u64
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        Saves { inputs: 1, outputs: needs[0] }
    }
}

struct SolveTriangular(Triangle);

impl<T: Float> Op<T> for SolveTriangular {
    fn name(&self) -> &'static str {
        "solve_triangular"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].solve_triangular(x[1], self.0)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (a, b, x, triangle) = (r.x(0), r.x(1), r.y(), self.0);
        let gb = substituted(a, r.gy(), triangle.transposed());
        let ga = || {
            let g = if triangle.transposed { x.matmul(gb.t()) } else { gb.matmul(x.t()) };
            let inside = isize::from(triangle.unit);
            let g = if triangle.upper { g.triu(inside) } else { g.tril(-inside) };
            -g.sum_to(a.raw_shape())
        };
        cotangents([r.when(0, ga), r.when(1, || gb.sum_to(b.raw_shape()))])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let n = inputs[0].last().copied().unwrap_or(1);
        (outputs[0].numel() * n) as u64
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        Saves { inputs: 1, outputs: needs[0] }
    }
}

#[track_caller]
fn substituted<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>, triangle: Triangle) -> Var<'t, T> {
    a.tape().apply(SolveTriangular(triangle), &[a, b])
}

struct Inverse;

impl<T: Float> Op<T> for Inverse {
    fn name(&self) -> &'static str {
        "inverse"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].inverse()?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let yt = r.y().t();
        cotangents([Some(-yt.matmul(r.gy()).matmul(yt))])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = outputs;
        let n = inputs[0].last().copied().unwrap_or(1);
        (2 * inputs[0].numel() * n) as u64
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::OUTPUTS
    }
}

struct Cholesky;

impl<T: Float> Op<T> for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].cholesky()?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let l = r.y();
        let p = l.t().matmul(r.gy()).tril(0);
        let s = (p + p.tril(-1).t()) * 0.5;
        let back = Triangle::LOWER.transposed();
        // S is symmetric, so L⁻ᵀ S L⁻¹ is the same substitution twice, with a transpose between them.
        cotangents([Some(substituted(l, substituted(l, s, back).t(), back))])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = outputs;
        let n = inputs[0].last().copied().unwrap_or(1);
        (inputs[0].numel() * n / 3) as u64
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::OUTPUTS
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The operands of a solve, with a vector as a column, and whether it was a vector.
    #[track_caller]
    fn columns(self, b: Var<'t, T>, op: &'static str) -> Result<(Var<'t, T>, Var<'t, T>, bool), Var<'t, T>> {
        if self.is_failed() || b.is_failed() || b.rank() != 1 {
            return Ok((self, b, false));
        }
        let (a, n) = (self.raw_shape(), b.raw_shape());
        if a.len() < 2 || a[a.len() - 1] != n[0] {
            let detail = format!("matrices {a} do not fit a right-hand side {n}");
            return Err(refuse(self, op, Kind::Shape, detail));
        }
        Ok((self, b.unsqueeze(-1), true))
    }

    /// The solution X of A X = B for matrices A `[.., n, n]` (this value) and B `[.., n, k]`, whose leading axes broadcast,
    /// or a vector `[n]`. Computed by LU factors with partial pivoting, in double precision. A singular matrix is an error.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let a = tape.var(Tensor::from([[0.0, 2.0], [1.0, 1.0]]));
    /// assert_eq!(a.solve(Tensor::from([4.0, 5.0])).value()?.to_vec(), [3.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn solve(self, b: impl Operand<'t, T>) -> Self {
        let b = b.into_var(self.tape());
        let (a, b, vector) = match self.columns(b, "solve") {
            Ok(found) => found,
            Err(failed) => return failed,
        };
        let x = self.tape().apply_static(&Solve, &[a, b]);
        if vector { x.squeeze(-1) } else { x }
    }

    /// The solution X of T X = B, where T is a triangle of this value's matrices `[.., n, n]`, optionally transposed, and B
    /// is `[.., n, k]`, whose leading axes broadcast, or a vector `[n]`. Elements outside the triangle are not read and
    /// have gradient 0. A zero on the diagonal is an error.
    ///
    /// ```
    /// # use wengert_ops::{Tensor, Triangle};
    /// let tape = wengert_tape::Tape::new();
    /// let t = tape.var(Tensor::from([[2.0, 9.0], [1.0, 4.0]]));
    /// let x = t.solve_triangular(Tensor::from([2.0, 9.0]), Triangle::LOWER);
    /// assert_eq!(x.value()?.to_vec(), [1.0, 2.0]);
    /// assert_eq!(x.sum().backward()?.wrt(t)?.to_vec()[1], 0.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn solve_triangular(self, b: impl Operand<'t, T>, triangle: Triangle) -> Self {
        let b = b.into_var(self.tape());
        let (a, b, vector) = match self.columns(b, "solve_triangular") {
            Ok(found) => found,
            Err(failed) => return failed,
        };
        let x = substituted(a, b, triangle);
        if vector { x.squeeze(-1) } else { x }
    }

    /// The inverses of matrices `[.., n, n]`. A singular matrix is an error. To solve a system, [`solve`](Var::solve) is
    /// cheaper and more accurate.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([[2.0, 0.0], [1.0, 1.0]])).inverse();
    /// assert_eq!(y.value()?, Tensor::from([[0.5, 0.0], [-0.5, 1.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "inv")]
    #[track_caller]
    pub fn inverse(self) -> Self {
        self.tape().apply_static(&Inverse, &[self])
    }

    /// The lower triangular L with L Lᵀ = A for symmetric positive definite matrices A `[.., n, n]` (this value). The upper
    /// triangle is not read: A is taken as symmetric, and so is its gradient, as in PyTorch. A matrix that is not positive
    /// definite is an error that names the leading minor that is not positive.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let l = tape.var(Tensor::from([[4.0, 2.0], [2.0, 5.0]])).cholesky();
    /// assert_eq!(l.value()?, Tensor::from([[2.0, 0.0], [1.0, 2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cholesky(self) -> Self {
        self.tape().apply_static(&Cholesky, &[self])
    }
}

/// Leading axes for matrices with `n` rows; they are large only if `n` is small.
pub(super) fn batch(g: &mut crate::gradcheck::Gen, n: usize) -> Vec<usize> {
    let one = if n < 10 { g.dim(1..=2) } else { g.within(1..=2) };
    vec![one; g.within(0..=1)]
}

/// Matrices whose smallest singular value is well away from 0: noise around four times the identity.
pub(super) fn regular(g: &mut crate::gradcheck::Gen, batch: &[usize], n: usize) -> Tensor<f64> {
    // Well conditioned at any size: the eigenvalues are within 0.6 bound √n of 4.
    let bound = if g.is_large() { 0.3 } else { 1.0 };
    let noise = g.tensor(&[batch, &[n, n]].concat(), Domain::Between(-bound, bound));
    let diagonal = Tensor::eye(n).map(|eye| eye.scale(4.0));
    diagonal.and_then(|d| noise.add(&d)).unwrap_or(noise)
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["solve", "solve_triangular", "inverse", "cholesky"], Order::Second, |g, which| {
        let (n, k, vector) = (g.dim(0..=3), g.dim(0..=2), g.once_in(3));
        let batch = batch(g, n);
        let (inner, outer) = (g.broadcastable(&batch), batch);
        let triangle = Triangle { upper: g.once_in(2), transposed: g.once_in(2), unit: g.once_in(3) };
        let mut x = vec![regular(g, &inner, n)];
        if which < 2 {
            let b = if vector { vec![n] } else { [&outer[..], &[n, k]].concat() };
            x.push(g.tensor(&b, Domain::Real));
        }
        case!(x, [], |x| match which {
            0 => x[0].solve(x[1]),
            1 => x[0].solve_triangular(x[1], triangle),
            2 => x[0].t().inverse(),
            // Symmetric, and positive definite because the diagonal dominates.
            _ => (x[0] + x[0].t()).cholesky(),
        })
    })
}
