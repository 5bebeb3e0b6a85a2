//! The Laplace distribution.

use super::support::{Needs, argument, broadcast, constant, parameter, tape_and_shape_of, uniforms};
use super::{Distribution, Keys, Kl, Reparameterised};
use wengert_ops::Tensor;
use wengert_tape::{Float, Operand, Result, Var};

/// The Laplace distribution, with the density exp(-|x-μ| / b) / (2b). Maximum likelihood is the absolute error.
///
/// ```
/// use wengert_nn::dist::{Distribution, Laplace};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Laplace::new(tape.var(1.0), 2.0);
/// assert_eq!(d.log_prob(4.0).item()?, -1.5 - 4f64.ln());
/// assert_eq!(d.variance().item()?, 8.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Laplace<'t, T: Float> {
    mean: Var<'t, T>,
    scale: Var<'t, T>,
}

impl<'t, T: Float> Laplace<'t, T> {
    /// The distribution with mean μ and scale b > 0.
    #[track_caller]
    pub fn new(mean: Var<'t, T>, scale: impl Operand<'t, T>) -> Self {
        let scale = parameter("laplace", "a scale of", scale.into_var(mean.tape()), Needs::FinitePositive);
        let mean = parameter("laplace", "a mean that is", mean, Needs::Finite);
        let [mean, scale] = broadcast("laplace", [mean, scale]);
        Laplace { mean, scale }
    }

    /// ε = -sign(v) log(1 - |v|) with v = 2u - 1, for uniform u.
    fn noise(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let u = uniforms::<T>(lead, &self.shape(), keys)?;
        let half = T::from_f64(0.5);
        let two = T::from_f64(2.0);
        Ok(u.map(|u| if u < half { (two * u).log() } else { -(two * (T::ONE - u)).log() }))
    }
}

impl<'t, T: Float> Distribution<'t, T> for Laplace<'t, T> {
    tape_and_shape_of!(mean);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("laplace", self.mean, &self.shape(), x);
        -((x - self.mean).abs() / self.scale) - (self.scale * 2.0).log()
    }

    fn mean(&self) -> Var<'t, T> {
        self.mean
    }

    /// 2b².
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        self.scale.square() * 2.0
    }

    fn mode(&self) -> Var<'t, T> {
        self.mean
    }

    /// 1 + log 2b.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        (self.scale * 2.0).log() + 1.0
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let (mean, scale) = (self.mean.value()?, self.scale.value()?);
        Ok(mean.add(&scale.mul(&self.noise(lead, keys)?)?)?)
    }
}

/// μ + b ε.
impl<'t, T: Float> Reparameterised<'t, T> for Laplace<'t, T> {
    #[track_caller]
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T> {
        self.mean + self.scale * constant(self.mean, self.noise(lead, keys))
    }
}

/// d / b_q + r e^{-d / b_p} - log r - 1, with r = b_p / b_q and d = |μ_p - μ_q|.
impl<'t, T: Float> Kl<'t, T> for Laplace<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let ratio = self.scale / q.scale;
        let apart = (self.mean - q.mean).abs();
        apart / q.scale + ratio * (-(apart / self.scale)).exp() - ratio.log() - 1.0
    }
}
