//! LU factors of batches of small matrices, and what is computed from them: solutions, inverses, determinants,
//! cofactors.

use crate::error::Result;
use crate::float::Float;
use crate::kernel::linalg::{System, Triangle, Verdict, each, narrow, square, substitute, subtract, wide};
use crate::math::portable;
use crate::simd;
use crate::tensor::Tensor;

/// Subtracts a multiple of row `k` of a matrix from every row below it, from column `k` on; the factors are kept in
/// column k.
#[inline(always)]
fn eliminate(a: &mut [f64], n: usize, k: usize) {
    let (above, below) = a.split_at_mut((k + 1) * n);
    let pivot = &above[k * n..];
    for row in below.chunks_exact_mut(n) {
        let f = row[k] / pivot[k];
        row[k] = f;
        subtract(&mut row[k + 1..], f, &pivot[k + 1..]); // for f = 0 too, which must not hide a NaN
    }
}

#[inline(always)]
fn swap_rows(a: &mut [f64], n: usize, i: usize, j: usize) {
    if i != j {
        let (low, high) = (i.min(j), i.max(j));
        let (head, tail) = a.split_at_mut(high * n);
        head[low * n..(low + 1) * n].swap_with_slice(&mut tail[..n]);
    }
}

/// The factors of `P A = L U`, in place of A. Rows are exchanged so that the largest element of a column is its pivot.
struct Lu {
    /// Row `i` of `P A` is this row of A.
    order: Vec<usize>,
    /// The determinant of P.
    sign: f64,
    /// The first pivot that is 0.
    singular: Option<usize>,
}

struct Factor<'a> {
    a: &'a mut [f64],
    n: usize,
}

impl pulp::NullaryFnOnce for Factor<'_> {
    type Output = Lu;
    #[inline(always)]
    fn call(self) -> Lu {
        let Factor { a, n } = self;
        let mut found = Lu { order: (0..n).collect(), sign: 1.0, singular: None };
        for k in 0..n {
            let mut best = k;
            for i in k + 1..n {
                // A NaN becomes the pivot, so that it is not lost.
                let (v, b) = (a[i * n + k].abs(), a[best * n + k].abs());
                if v > b || (v.is_nan() && !b.is_nan()) {
                    best = i;
                }
            }
            if best != k {
                swap_rows(a, n, k, best);
                found.order.swap(k, best);
                found.sign = -found.sign;
            }
            if a[k * n + k] == 0.0 {
                found.singular.get_or_insert(k);
            } else {
                eliminate(a, n, k);
            }
        }
        found
    }
}

fn lu(a: &mut [f64], n: usize) -> Lu {
    simd::dispatch(Factor { a, n })
}

fn is_regular(f: &Lu) -> Verdict {
    match f.singular {
        None => Ok(()),
        Some(k) => Err(format!("the matrix is singular: its pivot {k} is zero")),
    }
}

/// X ← A⁻¹ B from the factors of A.
fn solve_factored(factors: &[f64], f: &Lu, n: usize, b: &[f64], x: &mut [f64], columns: usize) {
    for (i, &from) in f.order.iter().enumerate() {
        x[i * columns..(i + 1) * columns].copy_from_slice(&b[from * columns..(from + 1) * columns]);
    }
    substitute(factors, n, Triangle::LOWER.unit(), x, columns);
    substitute(factors, n, Triangle::UPPER, x, columns);
}

/// The cofactors as |A| A⁻ᵀ, if the pivots show that A is far from singular; returns whether they do.
fn regular_cofactors(a: &[f64], n: usize, out: &mut [f64]) -> bool {
    let mut factors = a.to_vec();
    let f = lu(&mut factors, n);
    let (mut det, mut least, mut most) = (f.sign, f64::INFINITY, 0.0f64);
    for k in 0..n {
        let pivot = factors[k * n + k];
        det *= pivot;
        least = least.min(pivot.abs());
        most = most.max(pivot.abs());
    }
    if least <= 1e-4 * most || det == 0.0 || !det.is_finite() {
        return false;
    }
    let mut eye = vec![0.0; n * n];
    eye.iter_mut().step_by(n + 1).for_each(|v| *v = det);
    let mut x = vec![0.0; n * n];
    solve_factored(&factors, &f, n, &eye, &mut x, n);
    for (i, row) in x.chunks_exact(n).enumerate() {
        for (j, &v) in row.iter().enumerate() {
            out[j * n + i] = v;
        }
    }
    true
}

/// The matrix of cofactors, with rows and columns exchanged so that every pivot is the largest remaining element. Then
/// only the last pivots can be 0, nothing is divided by the very last, and if another is 0, every cofactor is.
fn cofactors(a: &[f64], n: usize, out: &mut [f64]) {
    if a.iter().any(|v| !v.is_finite()) {
        return out.fill(f64::NAN);
    }
    if regular_cofactors(a, n, out) {
        return;
    }
    let mut u = a.to_vec();
    let (mut rows, mut columns): (Vec<usize>, Vec<usize>) = ((0..n).collect(), (0..n).collect());
    let mut sign = 1.0;
    let mut det = 1.0; // of all pivots but the last
    for k in 0..n.saturating_sub(1) {
        let (mut best, mut size) = ((k, k), 0.0);
        for i in k..n {
            for j in k..n {
                if u[i * n + j].abs() > size {
                    (best, size) = ((i, j), u[i * n + j].abs());
                }
            }
        }
        if size == 0.0 {
            return out.fill(0.0);
        }
        if best.0 != k {
            swap_rows(&mut u, n, k, best.0);
            rows.swap(k, best.0);
            sign = -sign;
        }
        if best.1 != k {
            u.chunks_exact_mut(n).for_each(|row| row.swap(k, best.1));
            columns.swap(k, best.1);
            sign = -sign;
        }
        det *= u[k * n + k];
        eliminate(&mut u, n, k);
    }
    // U = [V u; 0 d] has the adjugate [d |V| V⁻¹, -|V| V⁻¹ u; 0, |V|].
    let m = n - 1;
    let d = u[n * n - 1];
    let v: Vec<f64> = u.chunks_exact(n).take(m).flat_map(|row| &row[..m]).copied().collect();
    let mut x = vec![0.0; m * n];
    for i in 0..m {
        x[i * n + i] = 1.0;
        x[i * n + m] = -u[i * n + m];
    }
    substitute(&v, m, Triangle::UPPER, &mut x, n);
    // Its transpose, times L⁻ᵀ, is the matrix of cofactors of L U.
    let mut c = vec![0.0; n * n];
    for i in 0..m {
        for j in 0..m {
            c[j * n + i] = det * d * x[i * n + j];
        }
        c[m * n + i] = det * x[i * n + m];
    }
    c[n * n - 1] = det;
    substitute(&u, n, Triangle::LOWER.unit().transposed(), &mut c, n);
    for (i, &r) in rows.iter().enumerate() {
        for (j, &s) in columns.iter().enumerate() {
            out[r * n + s] = sign * c[i * n + j];
        }
    }
}

impl<T: Float> Tensor<T> {
    /// The solution X of A X = B for matrices A `[.., n, n]` (this tensor) and B `[.., n, k]`, whose leading axes
    /// broadcast, or a vector `[n]`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let a = Tensor::from([[0.0, 2.0], [1.0, 1.0]]);
    /// assert_eq!(a.solve(&Tensor::from([[4.0], [5.0]]))?, Tensor::from([[3.0], [2.0]]));
    /// assert_eq!(a.solve(&Tensor::from([4.0, 5.0]))?, Tensor::from([3.0, 2.0]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes are not consistent, or a matrix is singular.
    pub fn solve(&self, b: &Tensor<T>) -> Result<Tensor<T>> {
        const OP: &str = "solve";
        if b.rank() == 1 {
            return self.solve(&b.unsqueeze(-1)?)?.squeeze(-1);
        }
        let System { a, b, count, n, columns, shape } = self.system(OP, b)?;
        let mut x = vec![0.0; b.len()];
        let solve = |i: usize, x: &mut [f64]| {
            let mut factors = a[i * n * n..(i + 1) * n * n].to_vec();
            let f = lu(&mut factors, n);
            is_regular(&f)?;
            let size = n * columns;
            solve_factored(&factors, &f, n, &b[i * size..(i + 1) * size], x, columns);
            Ok(())
        };
        each(OP, count, &mut x, n * n * (n + columns) / 8, &solve)?;
        Ok(narrow(&x, shape))
    }

    /// The inverses of matrices `[.., n, n]`.
    ///
    /// # Errors
    /// If the matrices are not square, or one is singular.
    #[doc(alias = "inv")]
    pub fn inverse(&self) -> Result<Tensor<T>> {
        const OP: &str = "inverse";
        let (_, n) = square(OP, self)?;
        self.solve(&Tensor::eye(n)?).map_err(|e| e.in_op(OP))
    }

    /// The determinants of matrices `[.., n, n]`, as `[..]`; that of an empty matrix is 1.
    ///
    /// # Errors
    /// If the matrices are not square.
    pub fn det(&self) -> Result<Tensor<T>> {
        let (batch, n) = square("det", self)?;
        let a = wide(self);
        let mut out = vec![0.0; batch.numel()];
        each("det", out.len(), &mut out, n * n * n / 8, &|i, out| {
            let mut factors = a[i * n * n..(i + 1) * n * n].to_vec();
            let f = lu(&mut factors, n);
            out[0] = (0..n).map(|k| factors[k * n + k]).fold(f.sign, |d, p| d * p);
            Ok(())
        })?;
        Ok(narrow(&out, batch))
    }

    /// Sign (or 0) and logarithm of the absolute value of the determinants of matrices `[.., n, n]`, each as
    /// `[..]`.
    ///
    /// # Errors
    /// If the matrices are not square.
    pub fn slogdet(&self) -> Result<(Tensor<T>, Tensor<T>)> {
        let (batch, n) = square("slogdet", self)?;
        let a = wide(self);
        let count = batch.numel();
        let mut out = vec![0.0; 2 * count];
        each("slogdet", count, &mut out, n * n * n / 8, &|i, out| {
            let mut factors = a[i * n * n..(i + 1) * n * n].to_vec();
            let f = lu(&mut factors, n);
            let pivots = (0..n).map(|k| factors[k * n + k]);
            out[0] = pivots.clone().fold(f.sign, |s, p| if p == 0.0 { 0.0 } else { s * p.signum() });
            out[1] = pivots.map(|p| portable::ln(p.abs())).sum();
            Ok(())
        })?;
        let half = |k: usize| out.iter().skip(k).step_by(2).copied().collect::<Vec<_>>();
        Ok((narrow(&half(0), batch.clone()), narrow(&half(1), batch)))
    }

    /// The cofactors of matrices `[.., n, n]`, det(A) A⁻ᵀ: the derivative of the determinant. They exist for singular
    /// matrices too, and are computed without a division by 0.
    ///
    /// ```
    /// let a = wengert_ops::Tensor::from([[1.0, 2.0], [2.0, 4.0]]);
    /// assert_eq!(a.cofactors()?.to_vec(), [4.0, -2.0, -2.0, 1.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the matrices are not square.
    pub fn cofactors(&self) -> Result<Tensor<T>> {
        let (batch, n) = square("cofactors", self)?;
        let a = wide(self);
        let mut out = vec![0.0; a.len()];
        each("cofactors", batch.numel(), &mut out, n * n * n / 4, &|i, out| {
            cofactors(&a[i * n * n..(i + 1) * n * n], n, out);
            Ok(())
        })?;
        Ok(narrow(&out, self.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::linalg::tests::{filled, layouts, near};

    /// Laplace's expansion along the first row.
    fn laplace(a: &Tensor<f64>) -> f64 {
        let n = a.shape()[0];
        let minor = |j: usize| {
            let columns: Vec<i64> = (0..n as i64).filter(|&k| k != j as i64).collect();
            a.slice(0, 1..n).unwrap().index_select(1, &Tensor::from(columns)).unwrap()
        };
        let term = |j: usize| {
            let sign = if j.is_multiple_of(2) { 1.0 } else { -1.0 };
            sign * a.get(&[0, j]).unwrap() * laplace(&minor(j))
        };
        if n == 0 { 1.0 } else { (0..n).map(term).sum() }
    }

    #[test]
    fn solutions_solve_in_every_layout() {
        for n in [0, 1, 2, 5, 16, 33] {
            for a in layouts(n) {
                let b = filled(&[n, 3], 20);
                let x = a.solve(&b).unwrap();
                let rebuilt = a.matmul(&x).unwrap();
                assert!(near(&rebuilt, &b.expand(rebuilt.shape()).unwrap(), 1e-9), "{n}");
                let i = a.matmul(&a.inverse().unwrap()).unwrap();
                assert!(near(&i, &Tensor::eye(n).unwrap().expand(i.shape()).unwrap(), 1e-9), "{n}");
            }
        }
        assert_eq!(*filled(&[3, 3], 1).solve(&Tensor::zeros([3, 0])).unwrap().shape(), [3, 0]);
        assert_eq!(*filled(&[4, 1, 3, 3], 1).solve(&filled(&[2, 3, 1], 0)).unwrap().shape(), [4, 2, 3, 1]);
    }

    #[test]
    fn determinants_and_cofactors_agree_with_expansion() {
        for n in 0..6 {
            for a in layouts(n) {
                let (det, cofactors) = (a.det().unwrap(), a.cofactors().unwrap());
                let (sign, log) = a.slogdet().unwrap();
                for (i, det) in det.to_vec().into_iter().enumerate() {
                    let a = a.select(0, i).unwrap();
                    assert!((det - laplace(&a)).abs() < 1e-13, "{n}");
                    assert!((sign.to_vec()[i] * log.to_vec()[i].exp() - det).abs() < 1e-13, "{n}");
                    let rebuilt =
                        a.matmul(&cofactors.select(0, i).unwrap().transpose(0, 1).unwrap()).unwrap();
                    assert!(near(&rebuilt, &Tensor::eye(n).unwrap().scale(det), 1e-13), "{n}");
                }
            }
        }
    }

    #[test]
    fn cofactors_of_singular_matrices() {
        let minors = |a: &Tensor<f64>| {
            let n = a.shape()[0];
            let without =
                |i: usize| Tensor::from((0..n as i64).filter(|&k| k != i as i64).collect::<Vec<_>>());
            let cell = |k: usize| {
                let rows = a.index_select(0, &without(k / n)).unwrap();
                let sign = if (k / n + k % n).is_multiple_of(2) { 1.0 } else { -1.0 };
                sign * laplace(&rows.index_select(1, &without(k % n)).unwrap())
            };
            Tensor::from_vec((0..n * n).map(cell).collect(), [n, n]).unwrap()
        };
        let (u, v) = (filled(&[4, 1], 2), filled(&[1, 4], 12));
        let (p, q) = (filled(&[4, 3], 2), filled(&[3, 4], 12));
        let counting = Tensor::<f64>::steps(1.0, 1.0, 9).reshape([3, 3]).unwrap();
        for a in [
            u.matmul(&v).unwrap(), // of rank 1
            p.matmul(&q).unwrap(), // of rank 3
            counting,
            Tensor::zeros([3, 3]),
            Tensor::zeros([1, 1]),
            Tensor::from([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0], [5.0, 7.0, 1.0]]),
        ] {
            assert!(near(&a.cofactors().unwrap(), &minors(&a), 1e-13), "{a}");
        }
    }

    #[test]
    fn singular_matrices_are_named_and_nan_goes_through() {
        let e = Tensor::from([[1.0, 2.0], [2.0, 4.0]]).inverse().unwrap_err();
        assert!(e.op() == "inverse" && e.to_string().contains("pivot 1 is zero"), "{e}");
        assert_eq!(Tensor::from([[1.0, 2.0], [2.0, 4.0]]).det().unwrap().item().unwrap(), 0.0);
        let (sign, log) = Tensor::from([[0.0]]).slogdet().unwrap();
        assert_eq!((sign.item().unwrap(), log.item().unwrap()), (0.0, f64::NEG_INFINITY));
        let nan = Tensor::from([[0.0, f64::NAN], [f64::NAN, 0.0]]);
        assert!(Tensor::from([[1.0, f64::NAN], [0.0, 1.0]]).det().unwrap().item().unwrap().is_nan());
        assert!(nan.det().unwrap().item().unwrap().is_nan() && nan.inverse().unwrap().to_vec()[0].is_nan());
        assert_eq!(Tensor::<f64>::zeros([2, 0, 0]).det().unwrap().to_vec(), [1.0, 1.0]);
    }
}
