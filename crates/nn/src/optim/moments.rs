//! Running means, and the moments of Adam and its variants.

use super::factors::Factors;
use wengert_tape::Float;

/// A running mean with the decay rate β.
pub(super) struct RunningMean<T> {
    pub(super) beta: T,
    one_minus_beta: T,
}

impl<T: Float> RunningMean<T> {
    pub(super) fn new(beta: f64) -> Self {
        RunningMean { beta: T::from_f64(beta), one_minus_beta: T::from_f64(1.0 - beta) }
    }

    /// β m + (1-β) x.
    #[inline(always)]
    pub(super) fn next<F: Factors>(&self, m: T, x: T) -> T {
        F::times(self.beta, m) + self.one_minus_beta * x
    }

    /// β v + (1-β) x².
    #[inline(always)]
    pub(super) fn next_square<F: Factors>(&self, v: T, x: T) -> T {
        F::times(self.beta, v) + self.one_minus_beta * x * x
    }
}

/// The first and the second moment of the gradient, and the weight decay, which goes through the gradient or is decoupled.
pub(super) struct Moments<T> {
    pub(super) first: RunningMean<T>,
    pub(super) second: RunningMean<T>,
    /// λ if the decay goes through the gradient, otherwise 0.
    pub(super) coupled: T,
    /// 1 - η λ if the decay is decoupled, otherwise 1.
    pub(super) shrink: T,
}

impl<T: Float> Moments<T> {
    pub(super) fn new(
        [beta1, beta2]: [f64; 2],
        learning_rate: f64,
        weight_decay: f64,
        decoupled: bool,
    ) -> Self {
        Moments {
            first: RunningMean::new(beta1),
            second: RunningMean::new(beta2),
            coupled: T::from_f64(if decoupled { 0.0 } else { weight_decay }),
            shrink: T::from_f64(if decoupled { 1.0 - learning_rate * weight_decay } else { 1.0 }),
        }
    }

    /// The gradient with the decay that goes through it, and the moments after it.
    #[inline(always)]
    pub(super) fn next<F: Factors>(&self, [p, m, v]: [T; 3], g: T) -> [T; 3] {
        let g = F::decayed(g, self.coupled, p);
        [g, self.first.next::<F>(m, g), self.second.next_square::<F>(v, g)]
    }
}
