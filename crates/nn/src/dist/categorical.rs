//! The categorical distribution.

use super::support::{Needs, argument, failed, full, parameter, tape_and_shape_of, uniforms, within};
use super::{Distribution, Keys, Kl};
use crate::weighed::weighed;
use wengert_ops::{ErrorKind, Tensor};
use wengert_tape::{Float, Operand, Result, Var};

/// The categorical distribution: one of K classes, with probabilities softmax(logits) for logits `[.., K]`.
///
/// As a [`Distribution`] it is over one-hot vectors `[.., K]`; [`log_prob_of`](Categorical::log_prob_of),
/// [`sample_index`](Categorical::sample_index) and [`mode_index`](Categorical::mode_index) use class indices.
/// Maximum likelihood is categorical cross-entropy.
///
/// ```
/// use wengert_nn::dist::{Categorical, Distribution};
/// use wengert_ops::{Tensor, random::Rng};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Categorical::new(tape.var(Tensor::from([[0.0, 0.0, 3f64.ln()]])));
/// assert!((d.log_prob_of(&Tensor::from([2i64])).item()? - 0.6f64.ln()).abs() < 1e-15);
/// assert!((d.log_prob(Tensor::from([[0.0, 0.0, 1.0]])).item()? - 0.6f64.ln()).abs() < 1e-15);
/// assert_eq!(d.mode_index()?.to_vec(), [2]);
/// assert_eq!(d.sample_index(&mut Rng::seed(0))?.shape(), &[1]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "OneHotCategorical")]
#[derive(Debug, Clone, Copy)]
pub struct Categorical<'t, T: Float> {
    logits: Var<'t, T>,
}

impl<'t, T: Float> Categorical<'t, T> {
    /// The distribution with logits `[.., K]`, which need not be normalised. The logit of an impossible class is -∞; at least
    /// one class of each row must be possible.
    #[track_caller]
    pub fn new(logits: Var<'t, T>) -> Self {
        let logits = match logits.shape().as_shape().last() {
            _ if logits.is_failed() => logits,
            Some(&k) if k > 0 => possible(logits),
            _ => {
                let detail = format!("expected logits [.., classes], found shape {}", logits.shape());
                failed(logits, "categorical", ErrorKind::Shape, detail)
            }
        };
        Categorical { logits }
    }

    /// The probabilities `[.., K]`.
    #[track_caller]
    pub fn probs(&self) -> Var<'t, T> {
        self.logits.softmax(-1)
    }

    /// The log-probabilities `[.., K]`.
    #[track_caller]
    pub fn log_probs(&self) -> Var<'t, T> {
        self.logits.log_softmax(-1)
    }

    /// The log-probability of class indices, which have the batch shape; an index out of range is an error.
    #[track_caller]
    pub fn log_prob_of(&self, index: &Tensor<i64>) -> Var<'t, T> {
        if let Err(refused) = crate::loss::classes("categorical", self.logits, index) {
            return refused;
        }
        match index.unsqueeze(-1) {
            Ok(at) => self.log_probs().gather(-1, &at).squeeze(-1),
            Err(e) => self.tape().failed(e.in_op("categorical").into()),
        }
    }

    /// The index of the most probable class, the first if there are several.
    ///
    /// # Errors
    /// If the logits have failed.
    pub fn mode_index(&self) -> Result<Tensor<i64>> {
        Ok(self.logits.value()?.argmax(-1)?)
    }

    /// One draw of each, as a class index.
    ///
    /// # Errors
    /// If the logits have failed.
    pub fn sample_index(&self, mut keys: impl Keys) -> Result<Tensor<i64>> {
        self.indices(&[], &mut keys)
    }

    /// The position of the largest of logits + Gumbel noise (Gumbel 1954; Maddison et al. 2014).
    fn indices(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<i64>> {
        let noisy = self.logits.value()?.add(&self.gumbel(lead, keys)?)?;
        Ok(noisy.argmax(-1)?)
    }

    /// -log(-log u).
    fn gumbel(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        Ok(uniforms::<T>(lead, &self.shape(), keys)?.map(|u| -(-u.log()).log()))
    }

    /// A draw relaxed into the simplex, softmax((logits + Gumbel noise) / temperature) (Jang et al. 2017; Maddison et al. 2017):
    /// gradients flow to the logits, and as the temperature falls, draws become one-hot.
    ///
    /// ```
    /// use wengert_nn::dist::Categorical;
    /// use wengert_ops::{Tensor, random::Rng};
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let logits = tape.var(Tensor::from([0.0, 1.0, 2.0]));
    /// let y = Categorical::new(logits).relaxed_sample(0.5, &mut Rng::seed(0));
    /// assert!((y.sum().item()? - 1.0).abs() < 1e-12);
    /// assert!(y.square().sum().backward()?.wrt(logits)?.to_vec().iter().any(|g| *g != 0.0));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "RelaxedOneHotCategorical")]
    #[doc(alias = "gumbel_softmax")]
    #[track_caller]
    pub fn relaxed_sample(&self, temperature: f64, mut keys: impl Keys) -> Var<'t, T> {
        if self.logits.is_failed() {
            return self.logits;
        }
        if !(temperature > 0.0 && temperature.is_finite()) {
            let detail = format!("expected a temperature of more than 0, found {temperature}");
            return failed(self.logits, "relaxed_sample", ErrorKind::Argument, detail);
        }
        match self.gumbel(&[], &mut keys) {
            Ok(noise) => ((self.logits + noise) / temperature).softmax(-1),
            Err(e) => self.tape().failed(e),
        }
    }
}

/// Logits, or a failed value if one is NaN, or a row has no possible class or a logit of +∞.
#[track_caller]
fn possible<T: Float>(logits: Var<'_, T>) -> Var<'_, T> {
    let logits = parameter("categorical", "a logit that is", logits, Needs::Number);
    let Ok(value) = logits.value() else { return logits };
    // The largest logit of a row is -∞ if all are, and +∞ if one is.
    match value.max_axes(-1).map(|most| Needs::Finite.outside(&most, false)) {
        Ok(None) => logits,
        Ok(Some(found)) => {
            let detail = format!("expected rows of logits whose largest is finite, found {found}");
            failed(logits, "categorical", ErrorKind::Argument, detail)
        }
        Err(e) => logits.tape().failed(e.in_op("categorical").into()),
    }
}

/// The rows that are not one-hot vectors, which have one 1 and K - 1 zeros.
fn not_one_hot<T: Float>(x: Var<'_, T>) -> Result<Tensor<bool>> {
    let (ones, zeros) = (x.eq(1.0)?.to_float::<T>(), x.eq(0.0)?.to_float::<T>());
    let k = ones.shape().last().copied().unwrap_or(0);
    let one = Tensor::scalar(T::ONE);
    let rest = Tensor::scalar(T::from_f64(k as f64 - 1.0));
    let (ones, zeros) = (ones.sum_keepdim(-1)?, zeros.sum_keepdim(-1)?);
    Ok(ones.eq(&one)?.logical_and(&zeros.eq(&rest)?)?.logical_not())
}

impl<'t, T: Float> Distribution<'t, T> for Categorical<'t, T> {
    tape_and_shape_of!(logits);

    fn event_rank(&self) -> usize {
        1
    }

    /// The log-probability of one-hot vectors `[.., K]`.
    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("categorical", self.logits, &self.shape(), x);
        if x.is_failed() {
            return x;
        }
        let outside = not_one_hot(x);
        let squeezed = outside.and_then(|m| Ok(m.squeeze(-1)?));
        // The log-probability of an impossible class is -∞, which has an effect only where x is not 0.
        let chosen = weighed(x, self.log_probs()).sum_axes(-1);
        match squeezed {
            Ok(mask) => within(chosen, Ok(mask), 0.0, |x| x),
            Err(e) => x.tape().failed(e),
        }
    }

    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.probs()
    }

    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        let p = self.probs();
        p * (1.0 - p)
    }

    /// The one-hot vector of the most probable class, as a constant.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        let classes = self.shape().last().copied().unwrap_or(1);
        match self.mode_index() {
            Ok(index) => self.tape().constant(Tensor::<T>::one_hot(&index, classes)),
            Err(e) => self.tape().failed(e),
        }
    }

    /// -Σ π log π.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        -expected(self.probs(), self.log_probs())
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let classes = full(&[], &self.shape()).last().copied().unwrap_or(1);
        Ok(Tensor::one_hot(&self.indices(lead, keys)?, classes)?)
    }
}

/// Σ p x over the last axis, with 0 · -∞ = 0.
#[track_caller]
fn expected<'t, T: Float>(p: Var<'t, T>, x: Var<'t, T>) -> Var<'t, T> {
    weighed(p, x).sum_axes(-1)
}

/// Σ π_p (log π_p - log π_q).
impl<'t, T: Float> Kl<'t, T> for Categorical<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        -self.entropy() - expected(self.probs(), q.log_probs())
    }
}
