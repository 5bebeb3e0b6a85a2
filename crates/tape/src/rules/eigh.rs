//! Eigenvalues and eigenvectors of symmetric matrices. Cotangent: V (diag(gw) + F ⊙ (K - Kᵀ)/2) Vᵀ with K =
//! Vᵀ gV and Fᵢⱼ = 1/(wⱼ - wᵢ) off the diagonal, which is symmetric (Giles 2008, section 3.1).

use super::prelude::*;
use crate::error::{Error, ErrorKind};

struct Eigh;

impl<T: Float> Op<T> for Eigh {
    fn name(&self) -> &'static str {
        "eigh"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (w, v) = x[0].eigh()?;
        Ok(vec![w, v].into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (w, v) = (r.outputs()[0], r.outputs()[1]);
        let [gw, gv] = [r.cotangents()[0], r.cotangents()[1]];
        // The matrix between V and Vᵀ: the part of the values is a row that scales the columns of V.
        let mut g = match gw {
            Some(gw) => (v * gw.unsqueeze(-2)).matmul(v.t()),
            None => r.x(0).zeros_like(),
        };
        if let Some(gv) = gv {
            let diagonal = match diagonal(w) {
                Ok(mask) => mask,
                Err(e) => return cotangents([Some(w.tape().failed(e))]),
            };
            let gaps = (w.unsqueeze(-2) - w.unsqueeze(-1)).masked_fill(&diagonal, 1.0);
            let k = v.t().matmul(gv);
            g += v.matmul((k - k.t()) * 0.5 / gaps).matmul(v.t());
        }
        cotangents([Some(g)])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = outputs;
        let n = inputs[0].last().copied().unwrap_or(1);
        // Of the usual method, whatever the number of iterations.
        (9 * inputs[0].numel() * n) as u64
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::OUTPUTS
    }
}

/// Mask of the diagonal. Equal eigenvalues are an error, because their eigenvectors are not determined.
fn diagonal<T: Float>(w: Var<'_, T>) -> Result<Tensor<bool>> {
    let n = w.dim(-1);
    let values = w.value()?.to_vec();
    for row in values.chunks_exact(n.max(1)) {
        if let Some(i) = (1..n).find(|&i| row[i] == row[i - 1]) {
            let detail = format!(
                "eigenvalues {} and {i} are equal ({}): their eigenvectors have no gradient",
                i - 1,
                row[i].to_f64()
            );
            return Err(Error::new(ErrorKind::Op(Kind::Argument), "eigh", detail));
        }
    }
    Ok(Tensor::from_vec((0..n * n).map(|i| i / n == i % n).collect(), [n, n])?)
}

impl<'t, T: Float> Var<'t, T> {
    /// Eigenvalues `[.., n]`, ascending, and eigenvectors `[.., n, n]`, in columns, of symmetric matrices `[.., n, n]`. The
    /// upper triangle is not read: the matrix is taken as symmetric, and so is its gradient.
    ///
    /// Vectors have length 1 and a sign by convention (the first of the largest components is positive), so their gradient
    /// is meaningful for functions that do not depend on the sign. It is an error where eigenvalues are equal, and large
    /// where they are close. A first-order gradient that reaches only the values has no such limits.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let a = tape.var(Tensor::from([[2.0, 0.0], [0.0, 1.0]]));
    /// let (values, _) = a.eigh();
    /// assert_eq!(values.value()?.to_vec(), [1.0, 2.0]);
    /// assert_eq!(values.select(0, 1).backward()?.wrt(a)?.to_vec(), [1.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn eigh(self) -> (Self, Self) {
        let both = self.tape().apply_many(Eigh, &[self], 2);
        (both[0], both[1])
    }

    /// The eigenvalues alone, as [`eigh`](Var::eigh) returns them.
    #[track_caller]
    pub fn eigvalsh(self) -> Self {
        let _scope = self.tape().error_scope("eigvalsh");
        self.eigh().0
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["eigh", "eigvalsh"], Order::Second, |g, which| {
        let n = g.around(0..=3, &[7, 8, 9, 15, 16, 17, 31, 32, 33]);
        let batch = super::solve::batch(g, n);
        let noise = g.tensor(&[&batch[..], &[n, n]].concat(), Domain::Between(-0.3, 0.3));
        // Noise around distinct numbers, so that eigenvalues stay apart.
        let mut centre = Tensor::zeros([n, n]);
        centre.data_mut().iter_mut().step_by(n + 1).enumerate().for_each(|(i, v)| *v = 2.0 * i as f64);
        case!(vec![noise.add(&centre).unwrap_or(noise)], [], |x| {
            let a = (x[0] + x[0].t()) * 0.5;
            match which {
                0 => {
                    // Squared components do not depend on the sign.
                    let (values, vectors) = a.eigh();
                    vec![values, vectors.square()]
                }
                _ => vec![a.eigvalsh()],
            }
        })
    })
}
