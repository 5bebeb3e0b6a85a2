//! The log-normal distribution.

use super::support::{argument, within};
use super::{Distribution, Keys, Kl, Normal, Reparameterised};
use wengert_ops::{Shape, Tensor};
use wengert_tape::{Float, Operand, Result, Tape, Var};

/// The log-normal distribution: that of x = e^z > 0, where z has the distribution N(μ, σ²).
///
/// ```
/// use wengert_nn::dist::{Distribution, LogNormal};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = LogNormal::new(tape.var(0.0), 1.0);
/// assert_eq!(d.log_prob(-1.0).item()?, f64::NEG_INFINITY);
/// assert!((d.mean().item()? - 0.5f64.exp()).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LogNormal<'t, T: Float> {
    log: Normal<'t, T>,
}

impl<'t, T: Float> LogNormal<'t, T> {
    /// The distribution whose logarithm has mean μ and standard deviation σ > 0.
    #[track_caller]
    pub fn new(mean: Var<'t, T>, std: impl Operand<'t, T>) -> Self {
        LogNormal { log: Normal::called("log_normal", mean, std) }
    }
}

impl<'t, T: Float> Distribution<'t, T> for LogNormal<'t, T> {
    fn tape(&self) -> &'t Tape<T> {
        self.log.tape()
    }

    fn shape(&self) -> Shape {
        self.log.shape()
    }

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("log_normal", self.log.mean(), &self.shape(), x);
        within(x, x.le(0.0), 1.0, |x| {
            let z = x.log();
            self.log.log_prob(z) - z
        })
    }

    /// exp(μ + σ²/2).
    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        (self.log.mean() + self.log.variance() * 0.5).exp()
    }

    /// (exp σ² - 1) exp(2μ + σ²).
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        self.log.variance().expm1() * (self.log.mean() * 2.0 + self.log.variance()).exp()
    }

    /// exp(μ - σ²).
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        (self.log.mean() - self.log.variance()).exp()
    }

    /// The normal distribution's entropy plus μ.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        self.log.entropy() + self.log.mean()
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        Ok(self.log.draw(lead, keys)?.map(wengert_ops::Float::exp))
    }
}

/// exp(μ + σ ε).
impl<'t, T: Float> Reparameterised<'t, T> for LogNormal<'t, T> {
    #[track_caller]
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T> {
        self.log.redraw(lead, keys).exp()
    }
}

/// The divergence of the logarithms' normal distributions.
impl<'t, T: Float> Kl<'t, T> for LogNormal<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        self.log.kl(&q.log)
    }
}
