//! The Dirichlet distribution.

use super::support::{
    Needs, argument, either, failed, gammas, parameter, positive, shares, spread, tape_and_shape_of,
};
use super::{Distribution, Keys, Kl};
use wengert_ops::{ErrorKind, Tensor};
use wengert_tape::{Float, Operand, Result, Var};

/// The Dirichlet distribution over probabilities `[.., K]` that add up to 1, with the density Π x_k^{α_k - 1} / B(α).
///
/// ```
/// use wengert_nn::dist::{Dirichlet, Distribution};
/// use wengert_ops::{Tensor, random::Rng};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Dirichlet::new(tape.var(Tensor::from([1.0, 1.0, 1.0])));               // a constant density
/// let x = d.sample(&mut Rng::seed(0))?;
/// assert!((d.log_prob(&x).item()? - 2f64.ln()).abs() < 1e-14);
/// assert!((x.sum().item()? - 1.0).abs() < 1e-14);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Dirichlet<'t, T: Float> {
    concentration: Var<'t, T>,
}

/// The largest difference between the elements' sum and 1.
const SLACK: f64 = 1e-5;

impl<'t, T: Float> Dirichlet<'t, T> {
    /// The distribution with concentrations α > 0, `[.., K]`.
    #[track_caller]
    pub fn new(concentration: Var<'t, T>) -> Self {
        let concentration = match concentration.shape().as_shape().last() {
            _ if concentration.is_failed() => concentration,
            Some(&k) if k > 0 => {
                parameter("dirichlet", "concentrations of", concentration, Needs::FinitePositive)
            }
            _ => {
                let detail =
                    format!("expected concentrations [.., classes], found shape {}", concentration.shape());
                failed(concentration, "dirichlet", ErrorKind::Shape, detail)
            }
        };
        Dirichlet { concentration }
    }

    #[track_caller]
    fn total(&self) -> Var<'t, T> {
        self.concentration.sum_axes(-1)
    }

    /// log B(α).
    #[track_caller]
    fn log_normaliser(&self) -> Var<'t, T> {
        self.concentration.lgamma().sum_axes(-1) - self.total().lgamma()
    }
}

impl<'t, T: Float> Distribution<'t, T> for Dirichlet<'t, T> {
    tape_and_shape_of!(concentration);

    fn event_rank(&self) -> usize {
        1
    }

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("dirichlet", self.concentration, &self.shape(), x);
        if x.is_failed() {
            return x;
        }
        let outside = || -> Result<Tensor<bool>> {
            let value = x.value()?;
            let zero = Tensor::scalar(T::ZERO);
            let sum = value.sum_keepdim(-1)?;
            let off = either(sum.lt(Tensor::scalar(T::from_f64(1.0 - SLACK))).map_err(Into::into), {
                sum.gt(Tensor::scalar(T::from_f64(1.0 + SLACK))).map_err(Into::into)
            })?;
            let negative = value.lt(&zero)?.to_float::<T>().max_keepdim(-1)?.gt(&zero)?;
            Ok(off.logical_or(&negative)?)
        };
        let outside = match outside() {
            Ok(mask) => mask,
            Err(e) => return x.tape().failed(e),
        };
        let inside = x.masked_fill(&outside, 1.0);
        let log_prob = (self.concentration - 1.0).xlogy(inside).sum_axes(-1) - self.log_normaliser();
        match outside.squeeze(-1) {
            Ok(mask) => log_prob.masked_fill(&mask, f64::NEG_INFINITY),
            Err(e) => x.tape().failed(e.into()),
        }
    }

    /// α / Σα.
    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.concentration / self.concentration.sum_keepdim(-1)
    }

    /// m (1 - m) / (s + 1), with the mean m and s = Σα.
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        let mean = self.mean();
        mean * (1.0 - mean) / (self.concentration.sum_keepdim(-1) + 1.0)
    }

    /// (α - 1) / (Σα - K), with elements of α below 1 replaced by 1; NaN if no element is larger than 1.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        let a = (self.concentration - 1.0).relu();
        a / a.sum_keepdim(-1)
    }

    /// log B(α) + (s - K) ψ(s) - Σ (α-1) ψ(α), with s = Σα.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        let (a, s) = (self.concentration, self.total());
        let classes = a.shape().as_shape().last().copied().unwrap_or(1) as f64;
        self.log_normaliser() + (s - classes) * s.digamma() - ((a - 1.0) * a.digamma()).sum_axes(-1)
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let shape = self.shape();
        let classes = shape.last().copied().unwrap_or(1).max(1);
        let drawn = gammas(&spread(self.concentration, lead, &shape)?, keys)?;
        positive(drawn.chunks(classes).flat_map(shares).collect(), lead, &shape)
    }
}

/// log B_q - log B_p + Σ (α_p - α_q) (ψ(α_p) - ψ(Σα_p)).
impl<'t, T: Float> Kl<'t, T> for Dirichlet<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let (a, b) = (self.concentration, q.concentration);
        let logs = a.digamma() - self.concentration.sum_keepdim(-1).digamma();
        q.log_normaliser() - self.log_normaliser() + ((a - b) * logs).sum_axes(-1)
    }
}
