//! Student's t-distribution.

use super::support::{
    Needs, argument, broadcast, full, gammas, normals, parameter, spread, tape_and_shape_of,
};
use super::{Distribution, Keys};
use std::f64::consts::PI;
use wengert_ops::Tensor;
use wengert_ops::math::portable::ln;
use wengert_tape::{Float, Operand, Result, Var};

/// Student's t-distribution with ν degrees of freedom, shifted by μ and scaled by σ: like a normal distribution, but with heavy
/// tails, for regression that is robust to outliers. With y = (x - μ) / σ, the density is
/// Γ((ν+1)/2) / (Γ(ν/2) √(νπ) σ) · (1 + y²/ν)^{-(ν+1)/2}.
///
/// ```
/// use wengert_nn::dist::{Distribution, StudentT};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let cauchy = StudentT::new(tape.var(1.0), 0.0, 1.0);
/// assert!((cauchy.log_prob(0.0).item()? + std::f64::consts::PI.ln()).abs() < 1e-14);
/// assert!(cauchy.mean().item()?.is_nan());                      // a Cauchy distribution has no mean
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StudentT<'t, T: Float> {
    freedom: Var<'t, T>,
    location: Var<'t, T>,
    scale: Var<'t, T>,
}

impl<'t, T: Float> StudentT<'t, T> {
    /// The distribution with ν > 0 degrees of freedom, location μ and scale σ > 0.
    #[track_caller]
    pub fn new(freedom: Var<'t, T>, location: impl Operand<'t, T>, scale: impl Operand<'t, T>) -> Self {
        let tape = freedom.tape();
        let scale = parameter("student_t", "a scale of", scale.into_var(tape), Needs::FinitePositive);
        let freedom = parameter("student_t", "degrees of freedom of", freedom, Needs::FinitePositive);
        let location = parameter("student_t", "a location that is", location.into_var(tape), Needs::Finite);
        let [freedom, location] = broadcast("student_t", [freedom, location]);
        let [location, scale] = broadcast("student_t", [location, scale]);
        let [freedom, scale] = broadcast("student_t", [freedom, scale]);
        StudentT { freedom, location, scale }
    }

    /// `x` where ν is larger than `least`, else NaN.
    #[track_caller]
    fn exists(&self, x: Var<'t, T>, least: f64) -> Var<'t, T> {
        x.where_cond(self.freedom.gt(least), f64::NAN)
    }
}

impl<'t, T: Float> Distribution<'t, T> for StudentT<'t, T> {
    tape_and_shape_of!(scale);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("student_t", self.scale, &self.shape(), x);
        let nu = self.freedom;
        let half = (nu + 1.0) * 0.5;
        let y = (x - self.location) / self.scale;
        half.lgamma()
            - (nu * 0.5).lgamma()
            - (nu * PI).log() * 0.5
            - self.scale.log()
            - half * (y.square() / nu).log1p()
    }

    /// μ for ν > 1, else NaN.
    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.exists(self.location, 1.0)
    }

    /// σ² ν / (ν - 2) for ν > 2, +∞ for 2 ≥ ν > 1, else NaN.
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        let nu = self.freedom;
        let heavy = nu.le(2.0);
        let safe = match &heavy {
            Ok(mask) => nu.masked_fill(mask, 3.0),
            Err(e) => return self.tape().failed(e.clone()),
        };
        let variance = self.scale.square() * (safe / (safe - 2.0));
        self.exists(variance.masked_fill(heavy, f64::INFINITY), 1.0)
    }

    fn mode(&self) -> Var<'t, T> {
        self.location
    }

    /// (ν+1)/2 (ψ((ν+1)/2) - ψ(ν/2)) + log √ν B(ν/2, 1/2) + log σ.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        let (half, next) = (self.freedom * 0.5, (self.freedom + 1.0) * 0.5);
        let log_beta = half.lgamma() - next.lgamma() + 0.5 * ln(PI);
        next * (next.digamma() - half.digamma()) + self.freedom.log() * 0.5 + log_beta + self.scale.log()
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let shape = self.shape();
        let half: Vec<f64> = spread(self.freedom, lead, &shape)?.into_iter().map(|nu| nu * 0.5).collect();
        // z / √(χ²/ν), where χ² is twice a draw of the gamma distribution with concentration ν/2.
        let z = normals::<f64>(lead, &shape, keys)?.to_vec();
        let chi = gammas(&half, keys)?;
        let noise =
            z.into_iter().zip(chi).zip(half).map(|((z, g), half)| T::from_f64(z / (g.value() / half).sqrt()));
        let noise = Tensor::from_vec(noise.collect(), full(lead, &shape))?;
        Ok(self.location.value()?.add(&self.scale.value()?.mul(&noise)?)?)
    }
}
