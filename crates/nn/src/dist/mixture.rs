//! Mixtures of distributions of one family.

use super::support::{argument, failed};
use super::{Categorical, Distribution, Keys};
use wengert_ops::{ErrorKind, Shape, Tensor, broadcast_shapes};
use wengert_tape::{Float, Operand, Result, Tape, Var};

/// A mixture with the density Σ_k π_k p_k(x): the components are the last batch axis of one distribution, and the weights a
/// [`Categorical`] over them. A component of weight 0 has no influence, even if its variance is infinite or its mean does not
/// exist.
///
/// A network that predicts the logits and the components' parameters is a mixture density network (Bishop 1994), for
/// targets with several probable values.
///
/// ```
/// use wengert_nn::dist::{Categorical, Distribution, Mixture, Normal};
/// use wengert_ops::{Tensor, random::Rng};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let weights = Categorical::new(tape.var(Tensor::zeros([5, 2])));                     // [5, K]
/// let parts = Normal::new(tape.var(Tensor::from([-1.0, 1.0])), Tensor::ones([5, 2]));     // [5, K]
/// let d = Mixture::new(weights, parts);
/// assert_eq!(d.log_prob(Tensor::zeros([5])).shape(), [5]);
/// assert_eq!(d.sample_n(3, &mut Rng::seed(0))?.shape(), &[3, 5]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "MixtureSameFamily")]
#[derive(Debug, Clone, Copy)]
pub struct Mixture<'t, T: Float, D> {
    weights: Categorical<'t, T>,
    parts: D,
}

impl<'t, T: Float, D: Distribution<'t, T>> Mixture<'t, T, D> {
    /// The mixture with weights over K components, from logits `[.., K]`, and components of batch shape `[.., K]`.
    pub fn new(weights: Categorical<'t, T>, parts: D) -> Self {
        Mixture { weights, parts }
    }

    /// The axis of the components in one of their draws, counted from the end.
    fn axis(&self) -> isize {
        -1 - self.parts.event_rank() as isize
    }

    /// The weights, with axes added to broadcast with draws of the components: `[.., K, 1, ..]`.
    #[track_caller]
    fn beside(&self, mut p: Var<'t, T>) -> Var<'t, T> {
        for _ in 0..self.parts.event_rank() {
            p = p.unsqueeze(-1);
        }
        p
    }

    /// A quantity of each component, with 0 for components of weight 0: these have no influence, even if it is infinite or NaN.
    #[track_caller]
    fn present(&self, x: Var<'t, T>) -> Var<'t, T> {
        match self.beside(self.weights.probs()).eq(0.0) {
            Ok(absent) if absent.any_true() => x.masked_fill(&absent, 0.0),
            Ok(_) => x,
            Err(e) => self.tape().failed(e),
        }
    }

    /// The components' log-densities at x, `[.., K, ..]`; 0 for components of weight 0, if a log-density is not finite.
    #[track_caller]
    fn each(&self, x: Var<'t, T>) -> Var<'t, T> {
        let each = self.parts.log_prob(x); // [.., K]
        let stand_in = || -> Result<Option<(Tensor<bool>, Tensor<T>)>> {
            let absent = self.weights.log_probs().eq(f64::NEG_INFINITY)?;
            if !absent.any_true() || !each.value()?.has_non_finite() {
                return Ok(None);
            }
            // The density has a finite gradient at the component's mean; any point with a finite gradient would do.
            let middle = self.parts.mean().value()?.map(|v| if v.is_finite() { v } else { T::ZERO });
            Ok(Some((absent, middle)))
        };
        match stand_in() {
            Ok(None) => each,
            Ok(Some((absent, middle))) => {
                let mut beside = absent.clone();
                for _ in 0..self.event_rank() {
                    beside = match beside.unsqueeze(-1) {
                        Ok(beside) => beside,
                        Err(e) => return x.tape().failed(e.into()),
                    };
                }
                self.parts.log_prob(x.masked_fill(&beside, middle)).masked_fill(&absent, 0.0)
            }
            Err(e) => x.tape().failed(e),
        }
    }

    #[track_caller]
    fn averaged(&self, x: Var<'t, T>) -> Var<'t, T> {
        (self.beside(self.weights.probs()) * x).sum_axes(self.axis())
    }

    #[track_caller]
    fn no_closed_form(&self, op: &'static str) -> Var<'t, T> {
        let on = self.weights.probs();
        if on.is_failed() {
            return on;
        }
        failed(
            on,
            op,
            ErrorKind::Argument,
            "a mixture has no closed form of this; estimate it from samples".to_owned(),
        )
    }
}

impl<'t, T: Float, D: Distribution<'t, T>> Distribution<'t, T> for Mixture<'t, T, D> {
    fn tape(&self) -> &'t Tape<T> {
        self.parts.tape()
    }

    fn shape(&self) -> Shape {
        let parts = self.parts.shape();
        let at = parts.len().checked_sub(1 + self.parts.event_rank());
        parts.iter().enumerate().filter(|(i, _)| Some(*i) != at).map(|(_, n)| *n).collect()
    }

    fn event_rank(&self) -> usize {
        self.parts.event_rank()
    }

    /// log Σ_k exp(log π_k + log p_k(x)).
    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("mixture", self.weights.probs(), &self.shape(), x);
        if x.is_failed() {
            return x;
        }
        let lifted = if x.rank() <= self.event_rank() { x } else { x.unsqueeze(self.axis()) };
        match broadcast_shapes("mixture", lifted.shape().as_shape(), &self.parts.shape()) {
            Ok(shape) => (self.weights.log_probs() + self.each(lifted.expand(shape))).logsumexp(-1),
            Err(e) => x.tape().failed(e.into()),
        }
    }

    /// Σ π μ.
    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.averaged(self.present(self.parts.mean()))
    }

    /// Σ π (σ² + (μ - μ̄)²).
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        let apart = self.present(self.parts.mean()) - self.mean().unsqueeze(self.axis());
        self.averaged(self.present(self.parts.variance()) + apart.square())
    }

    /// A failed value: there is no closed form.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        self.no_closed_form("mode")
    }

    /// A failed value: there is no closed form.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        self.no_closed_form("entropy")
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let mut chosen = self.weights.draw(lead, keys)?; // [.., K]
        for _ in 0..self.parts.event_rank() {
            chosen = chosen.unsqueeze(-1)?;
        }
        let all = self.parts.draw(lead, keys)?;
        // Multiplied by 0, an infinite draw of another component would become NaN.
        let zero = Tensor::scalar(T::ZERO);
        let mine = all.where_cond(&chosen.ne(&zero)?, &zero)?;
        Ok(mine.sum_axes(self.axis())?)
    }
}
