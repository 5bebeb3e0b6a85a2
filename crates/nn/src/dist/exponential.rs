//! The exponential distribution.

use super::support::{Needs, argument, constant, parameter, tape_and_shape_of, uniforms, within};
use super::{Distribution, Keys, Kl, Reparameterised};
use wengert_ops::Tensor;
use wengert_tape::{Float, Operand, Result, Var};

/// The exponential distribution of the waiting time at rate λ, with the density λ e^{-λx} for x ≥ 0.
///
/// ```
/// use wengert_nn::dist::{Distribution, Exponential};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Exponential::new(tape.var(2.0));
/// assert_eq!(d.mean().item()?, 0.5);
/// assert_eq!(d.log_prob(Tensor::from([-1.0, 0.0])).value()?.to_vec(), [f64::NEG_INFINITY, 2f64.ln()]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Exponential<'t, T: Float> {
    rate: Var<'t, T>,
}

impl<'t, T: Float> Exponential<'t, T> {
    /// The distribution with rate λ > 0.
    #[track_caller]
    pub fn new(rate: Var<'t, T>) -> Self {
        Exponential { rate: parameter("exponential", "a rate of", rate, Needs::FinitePositive) }
    }

    /// ε = -log u, for uniform u.
    fn noise(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        Ok(uniforms::<T>(lead, &self.shape(), keys)?.map(|u| -u.log()))
    }
}

impl<'t, T: Float> Distribution<'t, T> for Exponential<'t, T> {
    tape_and_shape_of!(rate);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("exponential", self.rate, &self.shape(), x);
        within(x, x.lt(0.0), 1.0, |x| self.rate.log() - self.rate * x)
    }

    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.rate.recip()
    }

    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        self.rate.recip().square()
    }

    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        self.rate * 0.0
    }

    /// 1 - log λ.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        1.0 - self.rate.log()
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        Ok(self.noise(lead, keys)?.div(&self.rate.value()?)?)
    }
}

/// ε / λ.
impl<'t, T: Float> Reparameterised<'t, T> for Exponential<'t, T> {
    #[track_caller]
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T> {
        constant(self.rate, self.noise(lead, keys)) / self.rate
    }
}

/// r - 1 - log r, with r = λ_q / λ_p.
impl<'t, T: Float> Kl<'t, T> for Exponential<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let ratio = q.rate / self.rate;
        ratio - 1.0 - ratio.log()
    }
}
