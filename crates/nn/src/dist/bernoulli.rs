//! The Bernoulli distribution.

use super::support::{Needs, argument, parameter, uniforms, within};
use super::{Distribution, Keys, Kl};
use crate::weighed::weighed;
use wengert_ops::{Shape, Tensor};
use wengert_tape::{Float, Operand, Result, Tape, Var};

/// The Bernoulli distribution: 1 with probability π, else 0. Maximum likelihood is binary cross-entropy.
///
/// ```
/// use wengert_nn::dist::{Bernoulli, Distribution};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let logits = tape.var(Tensor::from([0.0, 1000.0]));
/// let d = Bernoulli::from_logits(logits);
/// assert_eq!(d.log_prob(Tensor::from([1.0, 0.0])).value()?.to_vec(), [-2f64.ln(), -1000.0]);
/// assert_eq!(d.mode().value()?.to_vec(), [0.0, 1.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Bernoulli<'t, T: Float> {
    given: Given<'t, T>,
}

#[derive(Debug, Clone, Copy)]
enum Given<'t, T: Float> {
    Logits(Var<'t, T>),
    Probabilities(Var<'t, T>),
}

impl<'t, T: Float> Bernoulli<'t, T> {
    /// The distribution with logits log(π / (1 - π)), accurate also where π is near 0 or 1.
    #[track_caller]
    pub fn from_logits(logits: Var<'t, T>) -> Self {
        let logits = parameter("bernoulli", "a logit that is", logits, Needs::Number);
        Bernoulli { given: Given::Logits(logits) }
    }

    /// The distribution with probabilities π. An impossible event has the log-probability -∞.
    #[track_caller]
    pub fn from_probs(probs: Var<'t, T>) -> Self {
        Bernoulli {
            given: Given::Probabilities(parameter(
                "bernoulli",
                "each element to be",
                probs,
                Needs::Probability,
            )),
        }
    }

    /// The probability π of a 1.
    #[track_caller]
    pub fn probs(&self) -> Var<'t, T> {
        match self.given {
            Given::Logits(logits) => logits.sigmoid(),
            Given::Probabilities(probs) => probs,
        }
    }

    /// 1 - π, accurate also where it is small.
    #[track_caller]
    fn complement(&self) -> Var<'t, T> {
        match self.given {
            Given::Logits(logits) => (-logits).sigmoid(),
            Given::Probabilities(probs) => 1.0 - probs,
        }
    }

    fn raw(&self) -> Var<'t, T> {
        match self.given {
            Given::Logits(x) | Given::Probabilities(x) => x,
        }
    }

    /// x log π + y log(1 - π), with 0 · -∞ = 0.
    #[track_caller]
    fn expected(&self, x: Var<'t, T>, y: Var<'t, T>) -> Var<'t, T> {
        match self.given {
            // One of the two logarithms is nearly 0, and nothing cancels.
            Given::Logits(logits) => weighed(x, logits.log_sigmoid()) + weighed(y, (-logits).log_sigmoid()),
            Given::Probabilities(probs) => x.xlogy(probs) + y.xlogy(1.0 - probs),
        }
    }
}

impl<'t, T: Float> Distribution<'t, T> for Bernoulli<'t, T> {
    fn tape(&self) -> &'t Tape<T> {
        self.raw().tape()
    }

    fn shape(&self) -> Shape {
        self.raw().shape().as_shape().clone()
    }

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("bernoulli", self.raw(), &self.shape(), x);
        let outside = || -> Result<Tensor<bool>> {
            let (zero, one) = (x.ne(0.0)?, x.ne(1.0)?);
            // NaN is not outside.
            Ok(zero.logical_and(&one)?.logical_and(&x.eq(x)?)?)
        };
        within(x, outside(), 0.0, |x| self.expected(x, 1.0 - x))
    }

    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.probs()
    }

    /// π (1 - π).
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        self.probs() * self.complement()
    }

    /// 1 where π > ½, else 0, as a constant.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        let likely = match self.given {
            Given::Logits(logits) => logits.gt(0.0),
            Given::Probabilities(probs) => probs.gt(0.5),
        };
        match likely {
            Ok(mask) => self.tape().constant(mask.to_float::<T>()),
            Err(e) => self.tape().failed(e),
        }
    }

    /// -π log π - (1 - π) log(1 - π).
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        -self.expected(self.probs(), self.complement())
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let probs = match self.given {
            Given::Logits(logits) => logits.value()?.map(wengert_ops::Float::sigmoid),
            Given::Probabilities(probs) => probs.value()?,
        };
        Ok(uniforms::<T>(lead, &self.shape(), keys)?.lt(&probs)?.to_float())
    }
}

/// π_p log(π_p / π_q) + (1 - π_p) log((1 - π_p) / (1 - π_q)).
impl<'t, T: Float> Kl<'t, T> for Bernoulli<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        -self.entropy() - q.expected(self.probs(), self.complement())
    }
}
