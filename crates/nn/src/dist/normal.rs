//! The normal distribution.

use super::support::{Needs, argument, broadcast, constant, normals, parameter, tape_and_shape_of};
use super::{Distribution, Independent, Keys, Kl, Reparameterised};
use std::f64::consts::{E, PI};
use wengert_ops::Tensor;
use wengert_ops::math::portable::ln;
use wengert_tape::{Float, Operand, Result, Var};

/// The normal distribution N(μ, σ²), with the density exp(-(x-μ)² / (2σ²)) / (√(2π) σ).
///
/// With μ a network's output and σ fixed, maximum likelihood is least squares; with σ predicted too (heteroscedastic
/// regression), the network also predicts its uncertainty.
///
/// ```
/// use wengert_nn::dist::{Distribution, Normal};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let mean = tape.var(Tensor::from([0.0, 3.0]));
/// let d = Normal::new(mean, 2.0);                                // σ broadcasts
/// let loss = -d.log_prob(Tensor::from([1.0, 3.0])).sum();
/// assert_eq!(loss.backward()?.wrt(mean)?.to_vec(), [-0.25, 0.0]);       // (μ - x) / σ²
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Normal<'t, T: Float> {
    mean: Var<'t, T>,
    std: Var<'t, T>,
}

impl<'t, T: Float> Normal<'t, T> {
    /// The distribution with mean μ and standard deviation σ > 0.
    #[track_caller]
    pub fn new(mean: Var<'t, T>, std: impl Operand<'t, T>) -> Self {
        Self::called("normal", mean, std)
    }

    /// The distribution, with `op` as the operation's name in errors.
    #[track_caller]
    pub(super) fn called(op: &'static str, mean: Var<'t, T>, std: impl Operand<'t, T>) -> Self {
        let std = parameter(op, "a standard deviation of", std.into_var(mean.tape()), Needs::FinitePositive);
        let mean = parameter(op, "a mean that is", mean, Needs::Finite);
        let [mean, std] = broadcast(op, [mean, std]);
        Normal { mean, std }
    }

    /// The distribution over vectors `[.., d]` with independent elements: the multivariate normal distribution with diagonal
    /// covariance.
    ///
    /// ```
    /// use wengert_nn::dist::{Distribution, Normal};
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let d = Normal::diagonal(tape.var(Tensor::zeros([5, 3])), 1.0);
    /// assert_eq!(d.log_prob(0.0).shape(), [5]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn diagonal(mean: Var<'t, T>, std: impl Operand<'t, T>) -> Independent<Self> {
        Independent::new(Self::new(mean, std), 1)
    }
}

impl<'t, T: Float> Distribution<'t, T> for Normal<'t, T> {
    tape_and_shape_of!(mean);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("normal", self.mean, &self.shape(), x);
        ((x - self.mean) / self.std).square() * -0.5 - self.std.log() - 0.5 * ln(2.0 * PI)
    }

    fn mean(&self) -> Var<'t, T> {
        self.mean
    }

    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        self.std.square()
    }

    fn std(&self) -> Var<'t, T> {
        self.std
    }

    fn mode(&self) -> Var<'t, T> {
        self.mean
    }

    /// log σ + log(2πe) / 2.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        self.std.log() + 0.5 * ln(2.0 * PI * E)
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let (mean, std) = (self.mean.value()?, self.std.value()?);
        Ok(mean.add(&std.mul(&normals(lead, &self.shape(), keys)?)?)?)
    }
}

/// μ + σ ε.
impl<'t, T: Float> Reparameterised<'t, T> for Normal<'t, T> {
    #[track_caller]
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T> {
        self.mean + self.std * constant(self.mean, normals(lead, &self.shape(), keys))
    }
}

/// log σ_q - log σ_p + (σ_p² + (μ_p - μ_q)²) / (2σ_q²) - ½.
impl<'t, T: Float> Kl<'t, T> for Normal<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let ratio = self.std / q.std;
        let apart = (self.mean - q.mean) / q.std;
        (ratio.square() + apart.square() - 1.0) * 0.5 - ratio.log()
    }
}
