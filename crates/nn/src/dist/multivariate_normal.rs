//! The multivariate normal distribution.

use super::support::{Needs, argument, constant, failed, full, normals, parameter, tape_and_shape_of};
use super::{Distribution, Keys, Kl, Reparameterised};
use std::f64::consts::{E, PI};
use wengert_ops::math::portable::ln;
use wengert_ops::{ErrorKind, Tensor, Triangle};
use wengert_tape::{Float, Operand, Result, Var};

/// The normal distribution N(μ, Σ) over vectors `[.., d]`, with Σ = L Lᵀ and L lower triangular, `[.., d, d]`. (For a diagonal Σ,
/// see [`Normal::diagonal`](super::Normal::diagonal).)
///
/// ```
/// use wengert_nn::dist::{Distribution, MultivariateNormal};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let covariance = tape.var(Tensor::from([[4.0, 2.0], [2.0, 5.0]]));
/// let d = MultivariateNormal::from_covariance(tape.var(Tensor::from([1.0, 0.0])), covariance);
/// let peak = d.log_prob(Tensor::from([1.0, 0.0])).item()?;
/// assert!((peak + (std::f64::consts::TAU * 4.0).ln()).abs() < 1e-14);       // -½ log((2π)² · 16)
/// assert_eq!(d.variance().value()?.to_vec(), [4.0, 5.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MultivariateNormal<'t, T: Float> {
    mean: Var<'t, T>,
    factor: Var<'t, T>,
}

impl<'t, T: Float> MultivariateNormal<'t, T> {
    /// The distribution with a symmetric positive definite covariance Σ, of which only the lower triangle is read.
    #[track_caller]
    pub fn from_covariance(mean: Var<'t, T>, covariance: impl Operand<'t, T>) -> Self {
        Self::from_factor(mean, covariance.into_var(mean.tape()).cholesky())
    }

    /// The distribution with Σ = L Lᵀ, from L, whose diagonal must be positive; elements above the diagonal are not read.
    #[track_caller]
    pub fn from_factor(mean: Var<'t, T>, factor: impl Operand<'t, T>) -> Self {
        let factor = factor.into_var(mean.tape());
        if mean.is_failed() || factor.is_failed() {
            let bad = if mean.is_failed() { mean } else { factor };
            return MultivariateNormal { mean: bad, factor: bad };
        }
        let refuse = |detail: String| {
            let bad = failed(mean, "multivariate_normal", ErrorKind::Shape, detail);
            MultivariateNormal { mean: bad, factor: bad }
        };
        let (m, l) = (mean.shape().as_shape().clone(), factor.shape().as_shape().clone());
        let (&[.., d], &[.., rows, columns]) = (&m[..], &l[..]) else {
            return refuse(format!("expected a mean [.., d] and a factor [.., d, d], found {m} and {l}"));
        };
        if d != rows || d != columns {
            return refuse(format!("expected a mean [.., d] and a factor [.., d, d], found {m} and {l}"));
        }
        const OP: &str = "multivariate_normal";
        let factor = factor.tril(0);
        for checked in [
            parameter(OP, "a diagonal of the factor of", factor.diagonal(0), Needs::FinitePositive),
            parameter(OP, "each element of the factor to be", factor, Needs::Finite),
            parameter(OP, "a mean that is", mean, Needs::Finite),
        ] {
            if checked.is_failed() {
                return MultivariateNormal { mean: checked, factor: checked };
            }
        }
        // The common shape `[.., d]` of the mean and the factor's rows.
        let rows_of = factor.sum_axes(-1);
        let shape = wengert_ops::broadcast_shapes("multivariate_normal", &m, rows_of.shape().as_shape());
        match shape {
            Ok(shape) => MultivariateNormal { mean: mean.expand(&shape), factor },
            Err(e) => {
                let bad = mean.tape().failed(e.into());
                MultivariateNormal { mean: bad, factor: bad }
            }
        }
    }

    /// L, with zeros above its diagonal.
    pub fn factor(&self) -> Var<'t, T> {
        self.factor
    }

    /// Σ = L Lᵀ.
    #[track_caller]
    pub fn covariance(&self) -> Var<'t, T> {
        self.factor.matmul(self.factor.t())
    }

    /// ½ log det Σ.
    #[track_caller]
    fn half_log_det(&self) -> Var<'t, T> {
        self.factor.diagonal(0).log().sum_axes(-1)
    }

    fn dimension(&self) -> f64 {
        self.mean.shape().as_shape().last().copied().unwrap_or(1) as f64
    }

    /// L⁻¹ x for vectors x `[.., d]`.
    #[track_caller]
    fn whitened(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.factor.solve_triangular(x.unsqueeze(-1), Triangle::LOWER).squeeze(-1)
    }
}

impl<'t, T: Float> Distribution<'t, T> for MultivariateNormal<'t, T> {
    tape_and_shape_of!(mean);

    fn event_rank(&self) -> usize {
        1
    }

    /// -½ ‖L⁻¹(x - μ)‖² - ½ log det Σ - d/2 log 2π.
    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("multivariate_normal", self.mean, &self.shape(), x);
        if x.is_failed() {
            return x;
        }
        let distance = self.whitened(x - self.mean).square().sum_axes(-1);
        distance * -0.5 - self.half_log_det() - 0.5 * self.dimension() * ln(2.0 * PI)
    }

    fn mean(&self) -> Var<'t, T> {
        self.mean
    }

    /// The diagonal of Σ.
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        if self.mean.is_failed() {
            return self.mean;
        }
        self.factor.square().sum_axes(-1).expand(self.shape())
    }

    fn mode(&self) -> Var<'t, T> {
        self.mean
    }

    /// ½ log det Σ + d/2 log 2πe.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        if self.mean.is_failed() {
            return self.mean;
        }
        let batch = self.mean.sum_axes(-1).shape();
        (self.half_log_det() + 0.5 * self.dimension() * ln(2.0 * PI * E)).expand(batch)
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let noise = normals::<T>(lead, &self.shape(), keys)?.unsqueeze(-1)?;
        let moved = self.factor.value()?.matmul(&noise)?.squeeze(-1)?;
        debug_assert_eq!(moved.shape()[..], full(lead, &self.shape())[..]);
        Ok(self.mean.value()?.add(&moved)?)
    }
}

/// μ + L ε.
impl<'t, T: Float> Reparameterised<'t, T> for MultivariateNormal<'t, T> {
    #[track_caller]
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T> {
        let noise = constant(self.mean, normals(lead, &self.shape(), keys));
        self.mean + self.factor.matmul(noise.unsqueeze(-1)).squeeze(-1)
    }
}

/// ½ (‖L_q⁻¹ L_p‖² + ‖L_q⁻¹ (μ_p - μ_q)‖² - d) + ½ log det Σ_q - ½ log det Σ_p.
impl<'t, T: Float> Kl<'t, T> for MultivariateNormal<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let spread = q.factor.solve_triangular(self.factor, Triangle::LOWER).square().sum_axes([-1, -2]);
        let apart = q.whitened(self.mean - q.mean).square().sum_axes(-1);
        (spread + apart - self.dimension()) * 0.5 + q.half_log_det() - self.half_log_det()
    }
}
