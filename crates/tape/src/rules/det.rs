//! Determinants of batches of square matrices, and their logarithms.
//!
//! Cotangents: of the determinant, g times the cofactors, which exist for singular matrices too; of log |det
//! A|, g A⁻ᵀ.

use super::prelude::*;
use super::solve::{batch, regular};

struct Det;

impl<T: Float> Op<T> for Det {
    fn name(&self) -> &'static str {
        "det"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].det()?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        cotangents([Some(cofactors(r.x(0)) * r.gy().unsqueeze(-1).unsqueeze(-1))])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = outputs;
        let n = inputs[0].last().copied().unwrap_or(1);
        (2 * inputs[0].numel() * n / 3) as u64
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

/// The cofactors C = |A| A⁻ᵀ. Cotangent: |A| (tr(gᵀ A⁻ᵀ) A⁻ᵀ - A⁻ᵀ gᵀ A⁻ᵀ). Where A is singular or nearly singular, the
/// cotangent follows from the definition: a cofactor is a determinant, whose derivatives are cofactors.
struct Cofactors;

/// A matrix counts as nearly singular below this ratio of the determinant to the product of row lengths.
const NEARLY: f64 = 1e-8;
/// The size of the largest matrix whose minors are all formed.
const MOST: usize = 32;

impl<T: Float> Op<T> for Cofactors {
    fn name(&self) -> &'static str {
        "cofactors"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].cofactors()?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, g) = (r.x(0), r.gy());
        let n = x.dim(-1);
        if n < 2 {
            return cotangents([Some(x.zeros_like())]); // the cofactor of a number is 1
        }
        let singular = match x.value() {
            Ok(x) => nearly_singular(&x),
            Err(e) => return cotangents([Some(x.tape().failed(e))]),
        };
        cotangents([Some(match singular {
            Ok(false) => {
                let yt = x.inverse().t();
                let trace = (g * yt).sum_keepdim([-2, -1]);
                (trace * yt - yt.matmul(g.t()).matmul(yt)) * x.det().unsqueeze(-1).unsqueeze(-1)
            }
            Ok(true) if n > MOST => {
                let detail = format!(
                    "the second derivative at a singular matrix is computed up to size {MOST}, found {n}"
                );
                refuse(x, "det", Kind::Argument, detail)
            }
            Ok(true) => through_minors(x, g, n),
            Err(e) => x.tape().failed(e.into()),
        })])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

#[track_caller]
fn cofactors<T: Float>(x: Var<'_, T>) -> Var<'_, T> {
    x.tape().apply_static(&Cofactors, &[x])
}

/// Whether any matrix of a batch is so nearly singular that |A| A⁻¹ would cancel. Hadamard: |det A| is at most the product
/// of the rows' lengths.
fn nearly_singular<T: Float>(x: &Tensor<T>) -> wengert_ops::Result<bool> {
    let x = x.cast::<f64>();
    let lengths = x.mul(&x)?.sum_axes(-1)?.map(f64::sqrt);
    let bound = lengths.prod_axes(-1)?.scale(NEARLY);
    Ok(x.det()?.map(f64::abs).le(&bound)?.any_true())
}

/// The cotangent of the cofactors, computed from the minors: the matrices without one row and one column.
fn through_minors<'s, T: Float>(x: Var<'s, T>, g: Var<'s, T>, n: usize) -> Var<'s, T> {
    let m = n - 1;
    let mut places = Vec::with_capacity(n * n * m * m);
    let mut signs = Vec::with_capacity(n * n);
    for i in 0..n {
        for j in 0..n {
            signs.push(if (i + j).is_multiple_of(2) { T::ONE } else { -T::ONE });
            for r in (0..n).filter(|&r| r != i) {
                places.extend((0..n).filter(|&c| c != j).map(|c| (r * n + c) as i64));
            }
        }
    }
    let places = Tensor::from(places);
    let batch = &x.raw_shape()[..x.rank() - 2];
    let with = |axes: &[usize]| [batch, axes].concat();
    let minors = x.reshape(with(&[n * n])).index_select(-1, &places).reshape(with(&[n * n, m, m]));
    let signs = Tensor::from_vec(signs, [n * n, 1, 1]);
    let each = cofactors(minors) * (g.reshape(with(&[n * n, 1, 1])) * signs);
    let flat = each.reshape(with(&[n * n * m * m]));
    x.zeros_like().reshape(with(&[n * n])).index_add(-1, &places, flat).reshape(x.raw_shape())
}

/// Sign and logarithm; the sign has no gradient.
struct SLogDet;

impl<T: Float> Op<T> for SLogDet {
    fn name(&self) -> &'static str {
        "slogdet"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (sign, log) = x[0].slogdet()?;
        Ok(vec![sign, log].into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let x = r.x(0);
        cotangents([Some(match r.cotangents()[1] {
            Some(g) => x.inverse().t() * g.unsqueeze(-1).unsqueeze(-1),
            None => x.zeros_like(),
        })])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = outputs;
        let n = inputs[0].last().copied().unwrap_or(1);
        (2 * inputs[0].numel() * n / 3) as u64
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The determinants of matrices `[.., n, n]`, as `[..]`; that of an empty matrix is 1. The gradient, the cofactors, is
    /// correct for singular matrices too; there its own gradient costs n⁵ operations and is an error for n > 32.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let a = tape.var(Tensor::from([[1.0, 2.0], [2.0, 4.0]]));
    /// let y = a.det();
    /// assert_eq!(y.item()?, 0.0);
    /// assert_eq!(y.backward()?.wrt(a)?.to_vec(), [4.0, -2.0, -2.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn det(self) -> Self {
        self.tape().apply_static(&Det, &[self])
    }

    /// The sign of the determinants of matrices `[.., n, n]`, and the logarithm of their absolute value, each as `[..]`;
    /// neither overflows. A singular matrix has sign 0 and logarithm -∞, and the gradient of that logarithm is an error.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (sign, log) = tape.var(Tensor::from([[0.0, 1e200], [1e200, 0.0]])).slogdet();
    /// assert_eq!((sign.item()?, log.item()?), (-1.0, 400.0 * std::f64::consts::LN_10));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn slogdet(self) -> (Self, Self) {
        let both = self.tape().apply_many(SLogDet, &[self], 2);
        (both[0], both[1])
    }

    /// The logarithm of the determinants of matrices `[.., n, n]`, as `[..]`: -∞ where the determinant is 0, NaN where it
    /// is negative.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let a = tape.var(Tensor::from([[1.0, 2.0], [0.0, 1.0]]));
    /// assert_eq!(a.logdet().item()?, 0.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn logdet(self) -> Self {
        let _scope = self.tape().error_scope("logdet");
        let (sign, log) = self.slogdet();
        log.masked_fill(sign.lt(0.0), f64::NAN)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["det", "logdet", "slogdet"], Order::Second, |g, which| {
        let (n, singular) = (g.dim(0..=3), g.once_in(2));
        let batch = batch(g, n);
        let mut a = regular(g, &batch, n);
        if g.is_large() {
            a = a.scale(0.25); // a determinant within the range of single precision
        } else if which == 0 && singular {
            // Matrices of any rank, often with equal rows.
            a = g.tensor(&[&batch[..], &[n, n]].concat(), Domain::Grid);
        }
        case!(vec![a], [], |x| match which {
            0 => vec![x[0].det()],
            1 => vec![x[0].logdet()],
            _ => <[_; 2]>::from(x[0].slogdet()).to_vec(),
        })
    })
}
