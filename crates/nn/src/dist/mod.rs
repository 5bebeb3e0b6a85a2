//! Probability distributions, whose parameters are values of a tape: for networks that predict a distribution instead of a
//! number. The loss of maximum likelihood is the mean of -`log_prob`.
//!
//! **Shapes.** Parameters broadcast; the result is the *batch* shape, with one distribution per element. A draw has the batch
//! shape, followed, for distributions over vectors, by the axis of the vector. `log_prob` has the batch shape. In `log_prob(x)`,
//! x may have additional leading axes (several draws), or fewer axes than the batch (one value for all). Two shapes that would
//! enlarge each other, such as `[4]` and `[4, 1]`, are an error, since this is usually a mistake.
//!
//! **Errors.** A parameter that is impossible (σ ≤ 0, a probability of 1.5, NaN, infinity, logits that are all -∞) is a failed
//! value, and so is every result that depends on it; the error names the distribution, the value and its index. Outside the
//! support, `log_prob` is -∞ with a gradient of zero; at NaN it is NaN. (A logit may be infinite where the distribution's
//! documentation says so.)
//!
//! **Samples** are plain tensors, the same for the same key on any number of threads. Where a distribution is
//! [`Reparameterised`], [`rsample`](Reparameterised::rsample) returns a draw as a value through which gradients flow.
//!
//! ```
//! use wengert_nn::dist::{Distribution, Normal, Reparameterised, kl};
//! use wengert_ops::{Tensor, random::Rng};
//! use wengert_tape::Tape;
//! let tape = Tape::<f64>::new();
//! let (mean, log_std) = (tape.var(Tensor::from([0.5, -1.0])), tape.var(Tensor::from([0.0, 0.3])));
//! let q = Normal::new(mean, log_std.exp());
//! let z = q.rsample(&mut Rng::seed(0));                               // [2]
//! let p = Normal::new(tape.constant(0.0), 1.0);
//! let bound = q.log_prob(z) - p.log_prob(z);                          // one draw's estimate of the KL divergence
//! let loss = bound.sum() + kl(&q, &p).sum();
//! assert!(loss.backward()?.wrt(mean)?.to_vec().iter().all(|g| g.is_finite()));
//! # Ok::<(), wengert_tape::Error>(())
//! ```

mod bernoulli;
mod beta;
mod categorical;
mod dirichlet;
mod exponential;
mod gamma;
mod independent;
mod laplace;
mod log_normal;
mod mixture;
mod multivariate_normal;
mod normal;
mod poisson;
mod student_t;
mod support;
#[cfg(test)]
mod tests;
mod uniform;

pub use bernoulli::Bernoulli;
pub use beta::Beta;
pub use categorical::Categorical;
pub use dirichlet::Dirichlet;
pub use exponential::Exponential;
pub use gamma::Gamma;
pub use independent::Independent;
pub use laplace::Laplace;
pub use log_normal::LogNormal;
pub use mixture::Mixture;
pub use multivariate_normal::MultivariateNormal;
pub use normal::Normal;
pub use poisson::Poisson;
pub use student_t::StudentT;
pub use uniform::Uniform;

use wengert_ops::random::{Key, Rng};
use wengert_ops::{Shape, Tensor};
use wengert_tape::{Float, Operand, Result, Tape, Var};

/// A source of random keys: `&mut Rng`, or the random stream of a tape.
pub trait Keys {
    /// The next key.
    fn next_key(&mut self) -> Key;
}

impl Keys for &mut Rng {
    fn next_key(&mut self) -> Key {
        Rng::next_key(self)
    }
}

impl<T: Float> Keys for &Tape<T> {
    fn next_key(&mut self) -> Key {
        Tape::next_key(self)
    }
}

/// A family of probability distributions with parameters on a tape.
pub trait Distribution<'t, T: Float> {
    /// The tape of the parameters.
    fn tape(&self) -> &'t Tape<T>;

    /// The shape of one draw: the batch shape and the axes of the event.
    #[doc(alias = "batch_shape")]
    fn shape(&self) -> Shape;

    /// The number of last axes that form one event: 0 for numbers, 1 for vectors.
    #[doc(alias = "event_shape")]
    fn event_rank(&self) -> usize {
        0
    }

    /// The logarithm of the density, or of the probability, of `x`.
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T>;

    /// The mean of each element.
    fn mean(&self) -> Var<'t, T>;

    /// The variance of each element.
    fn variance(&self) -> Var<'t, T>;

    /// The standard deviation of each element.
    #[doc(alias = "stddev")]
    #[track_caller]
    fn std(&self) -> Var<'t, T> {
        self.variance().sqrt()
    }

    /// The x at which `log_prob` is largest: the point prediction of maximum likelihood.
    fn mode(&self) -> Var<'t, T>;

    /// The entropy E\[-log p\], in nats.
    fn entropy(&self) -> Var<'t, T>;

    /// Draws, with the axes `lead` before the shape of one draw.
    ///
    /// # Errors
    /// If a parameter has failed, or the shape is too large.
    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>>;

    /// One draw of each.
    ///
    /// # Errors
    /// If a parameter has failed.
    fn sample(&self, mut keys: impl Keys) -> Result<Tensor<T>>
    where
        Self: Sized,
    {
        self.draw(&[], &mut keys)
    }

    /// `n` draws of each, `[n, ..]`.
    ///
    /// # Errors
    /// If a parameter has failed, or the shape is too large.
    fn sample_n(&self, n: usize, mut keys: impl Keys) -> Result<Tensor<T>>
    where
        Self: Sized,
    {
        self.draw(&[n], &mut keys)
    }
}

/// A distribution whose draws are a differentiable function of the parameters and of noise (Kingma and Welling 2014).
#[doc(alias = "has_rsample")]
pub trait Reparameterised<'t, T: Float>: Distribution<'t, T> {
    /// [`draw`](Distribution::draw) as a value of the tape. The same keys give the same numbers.
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T>;

    /// One draw of each, through which gradients flow to the parameters.
    #[track_caller]
    fn rsample(&self, mut keys: impl Keys) -> Var<'t, T>
    where
        Self: Sized,
    {
        self.redraw(&[], &mut keys)
    }

    /// `n` draws of each, `[n, ..]`.
    #[track_caller]
    fn rsample_n(&self, n: usize, mut keys: impl Keys) -> Var<'t, T>
    where
        Self: Sized,
    {
        self.redraw(&[n], &mut keys)
    }
}

/// Pairs of distributions whose Kullback-Leibler divergence has a closed form.
#[doc(alias = "register_kl")]
pub trait Kl<'t, T: Float, Q = Self> {
    /// KL\[self ‖ q\].
    fn kl(&self, q: &Q) -> Var<'t, T>;
}

/// KL\[p ‖ q\] = E_p\[log p - log q\], in closed form, of the batch shape. Note the order of the arguments.
///
/// ```
/// use wengert_nn::dist::{Normal, kl};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let (p, q) = (Normal::new(tape.var(1.0), 2.0), Normal::new(tape.var(0.0), 1.0));
/// assert!((kl(&p, &q).item()? - (2.0 - 2f64.ln())).abs() < 1e-15);       // (σ² + μ² - 1) / 2 - log σ
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "kl_divergence")]
#[track_caller]
pub fn kl<'t, T: Float, P: Kl<'t, T, Q>, Q>(p: &P, q: &Q) -> Var<'t, T> {
    p.kl(q)
}
