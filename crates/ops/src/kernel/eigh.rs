//! Eigenvalues and eigenvectors of symmetric matrices: Householder's reduction to tridiagonal form and the
//! implicit QL method (Bowdler, Martin, Reinsch and Wilkinson 1968; EISPACK's `tred2` and `tql2`), in double
//! precision.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::linalg::{each, narrow, square, wide, with_axes};
use crate::math::portable::hypot;
use crate::tensor::Tensor;

/// The largest number of sweeps for one eigenvalue; two or three are usual.
const MOST_SWEEPS: usize = 60;

/// Reduces the symmetric matrix in `v` to tridiagonal form: its diagonal in `d`, its subdiagonal in `e[1..]`, and in
/// `v` the transpose of the orthogonal matrix of the reduction, so that loops run along rows.
fn tridiagonal(v: &mut [f64], n: usize, d: &mut [f64], e: &mut [f64]) {
    let at = |row: usize, column: usize| column * n + row;
    for j in 0..n {
        d[j] = v[at(n - 1, j)];
    }
    for i in (1..n).rev() {
        let scale: f64 = d[..i].iter().map(|x| x.abs()).sum();
        let mut h = 0.0;
        if scale == 0.0 {
            e[i] = d[i - 1];
            for j in 0..i {
                d[j] = v[at(i - 1, j)];
                v[at(i, j)] = 0.0;
                v[at(j, i)] = 0.0;
            }
        } else {
            for x in &mut d[..i] {
                *x /= scale;
                h += *x * *x;
            }
            let f = d[i - 1];
            let g = if f > 0.0 { -h.sqrt() } else { h.sqrt() };
            e[i] = scale * g;
            h -= f * g;
            d[i - 1] = f - g;
            e[..i].fill(0.0);
            for j in 0..i {
                let f = d[j];
                v[at(j, i)] = f;
                let mut g = e[j] + v[at(j, j)] * f;
                for k in j + 1..i {
                    g += v[at(k, j)] * d[k];
                    e[k] += v[at(k, j)] * f;
                }
                e[j] = g;
            }
            let mut f = 0.0;
            for j in 0..i {
                e[j] /= h;
                f += e[j] * d[j];
            }
            let hh = f / (h + h);
            for j in 0..i {
                e[j] -= hh * d[j];
            }
            for j in 0..i {
                let (f, g) = (d[j], e[j]);
                for k in j..i {
                    v[at(k, j)] -= f * e[k] + g * d[k];
                }
                d[j] = v[at(i - 1, j)];
                v[at(i, j)] = 0.0;
            }
        }
        d[i] = h;
    }
    for i in 0..n - 1 {
        v[at(n - 1, i)] = v[at(i, i)];
        v[at(i, i)] = 1.0;
        let h = d[i + 1];
        if h != 0.0 {
            for k in 0..=i {
                d[k] = v[at(k, i + 1)] / h;
            }
            for j in 0..=i {
                let mut g = 0.0;
                for k in 0..=i {
                    g += v[at(k, i + 1)] * v[at(k, j)];
                }
                for k in 0..=i {
                    v[at(k, j)] -= g * d[k];
                }
            }
        }
        for k in 0..=i {
            v[at(k, i + 1)] = 0.0;
        }
    }
    for j in 0..n {
        d[j] = v[at(n - 1, j)];
        v[at(n - 1, j)] = 0.0;
    }
    v[at(n - 1, n - 1)] = 1.0;
    e[0] = 0.0;
}

/// Eigenvalues in `d` and eigenvectors in the rows of `v`, from the tridiagonal form.
fn diagonal(v: &mut [f64], n: usize, d: &mut [f64], e: &mut [f64]) -> std::result::Result<(), String> {
    e.rotate_left(1);
    e[n - 1] = 0.0;
    let (mut shift, mut size) = (0.0f64, 0.0f64);
    for l in 0..n {
        size = size.max(d[l].abs() + e[l].abs());
        let small = |x: f64| x.abs() <= f64::EPSILON * size;
        let m = (l..n).find(|&m| small(e[m])).unwrap_or(n - 1);
        let mut sweeps = 0;
        while m > l && !(sweeps > 0 && small(e[l])) {
            sweeps += 1;
            if sweeps > MOST_SWEEPS {
                return Err(format!("eigenvalue {l} did not converge"));
            }
            let g = d[l];
            let mut p = (d[l + 1] - g) / (2.0 * e[l]);
            let r = if p < 0.0 { -hypot(p, 1.0) } else { hypot(p, 1.0) };
            d[l] = e[l] / (p + r);
            d[l + 1] = e[l] * (p + r);
            let next = d[l + 1];
            let h = g - d[l];
            d[l + 2..].iter_mut().for_each(|x| *x -= h);
            shift += h;
            p = d[m];
            let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
            let (mut s, mut s2) = (0.0, 0.0);
            let below = e[l + 1];
            for i in (l..m).rev() {
                (c3, c2, s2) = (c2, c, s);
                let (g, h) = (c * e[i], c * p);
                let r = hypot(p, e[i]);
                e[i + 1] = s * r;
                s = e[i] / r;
                c = p / r;
                p = c * d[i] - s * g;
                d[i + 1] = h + s * (c * g + s * d[i]);
                let (low, high) = v[i * n..(i + 2) * n].split_at_mut(n);
                for (a, b) in low.iter_mut().zip(high) {
                    let h = *b;
                    *b = s * *a + c * h;
                    *a = c * *a - s * h;
                }
            }
            p = -s * s2 * c3 * below * e[l] / next;
            e[l] = s * p;
            d[l] = c * p;
        }
        d[l] += shift;
        e[l] = 0.0;
    }
    Ok(())
}

/// Eigenvalues in the first `n` elements of `out`, ascending, and the matrix of eigenvectors in the rest.
fn one(a: &[f64], n: usize, out: &mut [f64]) -> std::result::Result<(), String> {
    let mut v = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            v[i * n + j] = a[i * n + j];
            v[j * n + i] = a[i * n + j];
        }
    }
    if v.iter().any(|x| !x.is_finite()) {
        out.fill(f64::NAN);
        return Ok(());
    }
    let (mut d, mut e) = (vec![0.0; n], vec![0.0; n]);
    tridiagonal(&mut v, n, &mut d, &mut e);
    diagonal(&mut v, n, &mut d, &mut e)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| d[a].total_cmp(&d[b]));
    for (j, &from) in order.iter().enumerate() {
        out[j] = d[from];
        let vector = &v[from * n..(from + 1) * n];
        let largest = vector.iter().fold(0.0f64, |m, x| if x.abs() > m.abs() { *x } else { m });
        for (i, x) in vector.iter().enumerate() {
            out[n + i * n + j] = if largest < 0.0 { -x } else { *x };
        }
    }
    Ok(())
}

impl<T: Float> Tensor<T> {
    /// Eigenvalues `[.., n]`, ascending, and eigenvectors `[.., n, n]`, in columns, of symmetric matrices `[.., n, n]`,
    /// whose upper triangle is not read. Vectors have length 1, and the first among their components of largest
    /// magnitude is positive. For a matrix that contains a NaN or an infinity, both are NaN.
    ///
    /// ```
    /// let (values, vectors) = wengert_ops::Tensor::<f64>::from([[2.0, 0.0], [1.0, 2.0]]).eigh()?;
    /// assert!((values.to_vec()[0] - 1.0).abs() < 1e-15 && (values.to_vec()[1] - 3.0).abs() < 1e-15);
    /// assert!((vectors.get(&[0, 1])? - 0.5f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the matrices are not square, or an eigenvalue does not converge.
    pub fn eigh(&self) -> Result<(Tensor<T>, Tensor<T>)> {
        const OP: &str = "eigh";
        let (batch, n) = square(OP, self)?;
        let (count, a) = (batch.numel(), wide(self));
        let size = n + n * n;
        if count.checked_mul(size).is_none() {
            return Err(Error::shape(OP, format!("shape {} has too many elements", self.shape())));
        }
        let mut out = vec![0.0; count * size];
        each(OP, count, &mut out, 2 * n * n * n, &|i, out| one(&a[i * n * n..(i + 1) * n * n], n, out))?;
        let (mut values, mut vectors) = (Vec::with_capacity(count * n), Vec::with_capacity(count * n * n));
        for out in out.chunks_exact(size.max(1)) {
            values.extend_from_slice(&out[..n]);
            vectors.extend_from_slice(&out[n..]);
        }
        Ok((narrow(&values, with_axes(&batch, &[n])), narrow(&vectors, with_axes(&batch, &[n, n]))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symmetric(n: usize, seed: u64) -> Tensor<f64> {
        let x = crate::random::uniform([n, n], -1.0, 1.0, crate::random::Key { seed, stream: 0 }).unwrap();
        x.add(x.transpose(0, 1).unwrap()).unwrap()
    }

    #[test]
    fn eigenvectors_are_orthonormal_and_rebuild_the_matrix() {
        for n in [0, 1, 2, 3, 5, 8, 17, 40] {
            let diagonal = Tensor::eye(n).unwrap();
            let ones = Tensor::try_full([n, n], 1.0).unwrap();
            for a in
                [symmetric(n, 1), diagonal.clone(), ones, symmetric(n, 30).scale(1e150), diagonal.scale(0.0)]
            {
                let (w, v) = a.eigh().unwrap();
                let size = a.to_vec().iter().fold(1.0f64, |m, x| m.max(x.abs()));
                assert!(w.to_vec().windows(2).all(|p| p[0] <= p[1]), "{w}");
                let vt = v.transpose(0, 1).unwrap();
                let rebuilt = v.mul(&w).unwrap().matmul(&vt).unwrap();
                let near = |a: &Tensor<f64>, b: &Tensor<f64>, size: f64| {
                    a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() <= 1e-13 * size * n as f64)
                };
                assert!(near(&rebuilt, &a, size), "{n}");
                assert!(near(&vt.matmul(&v).unwrap(), &diagonal, 1.0), "{n}");
            }
        }
    }

    #[test]
    fn only_the_lower_triangle_is_read_in_any_layout() {
        let a = symmetric(4, 5);
        let mut spoiled = a.clone();
        for i in 0..4 {
            for j in i + 1..4 {
                spoiled.data_mut()[i * 4 + j] = f64::NAN;
            }
        }
        let (w, v) = a.eigh().unwrap();
        assert_eq!(spoiled.eigh().unwrap(), (w.clone(), v.clone()));
        assert_eq!(a.transpose(0, 1).unwrap().eigh().unwrap().0.shape(), w.shape());
        let batch = Tensor::stack(&[a.clone(), symmetric(4, 90), a.scale(2.0)], 0).unwrap();
        let (ws, vs) = batch.eigh().unwrap();
        assert_eq!((ws.select(0, 0).unwrap(), vs.select(0, 0).unwrap()), (w, v));
        assert!(Tensor::from([[f64::NAN, 0.0], [0.0, 1.0]]).eigh().unwrap().0.to_vec()[0].is_nan());
        assert!(Tensor::from([1.0]).eigh().is_err() && Tensor::<f64>::zeros([2, 3]).eigh().is_err());
        assert_eq!(*Tensor::<f32>::zeros([0, 2, 2]).eigh().unwrap().1.shape(), [0, 2, 2]);
    }
}
