//! [`Subject`]: what a check compares, values and the derivatives that are claimed for them.

use crate::error::{Error, ErrorKind, Result};
use crate::gradcheck::jacobian::{Numbers, swept};
use crate::number::Float;
use crate::tape::Tape;
use crate::tape::var::Var;
use std::any::Any;
use wengert_ops::Tensor;

/// Values and claimed derivatives of a function of tensors, whichever way both are computed.
pub(crate) trait Subject {
    /// The outputs, from which differences are taken.
    fn values(&self, inputs: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>>;

    /// For each element of the outputs, the claimed derivatives with respect to each input.
    fn jacobian(&self, inputs: &[Tensor<f64>]) -> Result<Vec<Vec<Numbers>>>;

    /// The claimed gradients of Σ⟨u, output⟩ with respect to each input.
    fn vjp(&self, inputs: &[Tensor<f64>], u: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>>;
}

/// All numbers of some tensors.
pub(crate) fn flat(of: &[Tensor<f64>]) -> Numbers {
    of.iter().flat_map(Tensor::to_vec).collect()
}

/// A function on a tape that may also fail otherwise.
pub(crate) type Fallible<'f, T> = dyn for<'t> Fn(&[Var<'t, T>]) -> Result<Vec<Var<'t, T>>> + 'f;

/// The same tensor in another precision; without a change of precision, in the same memory layout.
pub(crate) fn convert<A: Float, B: Float>(t: &Tensor<A>) -> Tensor<B> {
    let any: &dyn Any = t;
    any.downcast_ref::<Tensor<B>>().cloned().unwrap_or_else(|| t.cast())
}

/// The derivatives of a function by a tape, and its values, or those of another function.
pub(crate) struct OnTape<'f, T: Float> {
    f: &'f Fallible<'f, T>,
    values: Option<&'f Fallible<'f, f64>>,
}

impl<'f, T: Float> OnTape<'f, T> {
    pub(crate) fn new(f: &'f Fallible<'f, T>) -> Self {
        OnTape { f, values: None }
    }

    /// The derivatives of `f`, compared with the differences of another function.
    pub(crate) fn against(f: &'f Fallible<'f, T>, values: &'f Fallible<'f, f64>) -> Self {
        OnTape { f, values: Some(values) }
    }
}

fn evaluate<T: Float>(f: &Fallible<'_, T>, inputs: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>> {
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|t| tape.var(convert::<f64, T>(t))).collect();
    f(&x)?.into_iter().map(|y| Ok(convert(&y.value()?))).collect()
}

impl<T: Float> Subject for OnTape<'_, T> {
    fn values(&self, inputs: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>> {
        match self.values {
            Some(other) => evaluate(other, inputs),
            None => evaluate(self.f, inputs),
        }
    }

    fn jacobian(&self, inputs: &[Tensor<f64>]) -> Result<Vec<Vec<Numbers>>> {
        let tape = Tape::new();
        let x: Vec<_> = inputs.iter().map(|t| tape.var(convert::<f64, T>(t))).collect();
        let mut rows = Vec::new();
        for output in (self.f)(&x)? {
            let value = output.value()?;
            for j in 0..value.numel() {
                if !output.kind().1 {
                    rows.push(inputs.iter().map(|t| vec![0.0; t.numel()]).collect());
                    continue;
                }
                let mut seed = Tensor::try_full(value.shape(), T::ZERO)?;
                seed.data_mut()[j] = T::ONE;
                let gradients = swept(&tape, &[(output, seed)], &x)?;
                rows.push(gradients.iter().map(|g| convert::<T, f64>(g).to_vec()).collect());
            }
        }
        Ok(rows)
    }

    fn vjp(&self, inputs: &[Tensor<f64>], u: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>> {
        let tape = Tape::new();
        let x: Vec<_> = inputs.iter().map(|t| tape.var(convert::<f64, T>(t))).collect();
        let y = (self.f)(&x)?;
        let seeds: Vec<_> = y.into_iter().zip(u.iter().map(convert::<f64, T>)).collect();
        Ok(swept(&tape, &seeds, &x)?.iter().map(convert).collect())
    }
}

/// The product of the Jacobian at the first slice with the second.
type Product<'f> = dyn Fn(&[f64], &[f64]) -> Vec<f64> + 'f;

/// How the derivatives of a function over slices are claimed.
pub(crate) enum Claim<'f> {
    /// The Jacobian, row by row: one row per output.
    Jacobian(&'f dyn Fn(&[f64]) -> Vec<f64>),
    /// Jᵀu.
    Vjp(&'f Product<'f>),
    /// J v.
    Jvp(&'f Product<'f>),
}

/// A function of one slice, with derivatives that come from elsewhere.
pub(crate) struct OverSlices<'f> {
    pub(crate) f: &'f dyn Fn(&[f64]) -> Vec<f64>,
    pub(crate) claim: Claim<'f>,
}

impl OverSlices<'_> {
    fn sized(&self, what: &str, got: Numbers, expected: usize) -> Result<Numbers> {
        if got.len() == expected {
            return Ok(got);
        }
        let detail = format!("{what}: expected {expected} numbers, found {}", got.len());
        Err(Error::new(ErrorKind::Rule, "gradcheck", detail))
    }

    fn rows(&self, x: &[f64]) -> Result<Vec<Numbers>> {
        let (n, m) = (x.len(), (self.f)(x).len());
        let unit = |n: usize, j: usize| {
            let mut unit = vec![0.0; n];
            unit[j] = 1.0;
            unit
        };
        match self.claim {
            Claim::Jacobian(df) => {
                let all = self.sized(&format!("derivatives of {m} outputs by {n} inputs"), df(x), m * n)?;
                Ok((0..m).map(|j| all[j * n..(j + 1) * n].to_vec()).collect())
            }
            Claim::Vjp(vjp) => {
                (0..m).map(|j| self.sized("vjp, one number per input", vjp(x, &unit(m, j)), n)).collect()
            }
            Claim::Jvp(jvp) => {
                let columns =
                    (0..n).map(|k| self.sized("jvp, one number per output", jvp(x, &unit(n, k)), m));
                let columns = columns.collect::<Result<Vec<_>>>()?;
                Ok((0..m).map(|j| columns.iter().map(|c| c[j]).collect()).collect())
            }
        }
    }
}

impl Subject for OverSlices<'_> {
    fn values(&self, inputs: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>> {
        Ok(vec![Tensor::from((self.f)(&flat(inputs)))])
    }

    fn jacobian(&self, inputs: &[Tensor<f64>]) -> Result<Vec<Vec<Numbers>>> {
        let split = |row: Numbers| {
            let mut rest = row.as_slice();
            let part = |x: &Tensor<f64>| {
                let (here, after) = rest.split_at(x.numel());
                rest = after;
                here.to_vec()
            };
            inputs.iter().map(part).collect::<Vec<_>>()
        };
        Ok(self.rows(&flat(inputs))?.into_iter().map(split).collect())
    }

    fn vjp(&self, inputs: &[Tensor<f64>], u: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>> {
        let (x, u) = (flat(inputs), flat(u));
        let gradient = match self.claim {
            Claim::Vjp(vjp) => self.sized("vjp, one number per input", vjp(&x, &u), x.len())?,
            _ => {
                let mut sum = vec![0.0; x.len()];
                for (row, u) in self.rows(&x)?.iter().zip(&u) {
                    sum.iter_mut().zip(row).for_each(|(s, d)| *s += u * d);
                }
                sum
            }
        };
        let mut rest = gradient.as_slice();
        let part = |x: &Tensor<f64>| {
            let (here, after) = rest.split_at(x.numel());
            rest = after;
            Ok(Tensor::from_vec(here.to_vec(), x.shape())?)
        };
        inputs.iter().map(part).collect()
    }
}
