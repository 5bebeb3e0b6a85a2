//! Adamax.

use super::factors::{Factors, Formula, run};
use super::moments::RunningMean;
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::math::portable::powf;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Adamax`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamaxConfig {
    /// The learning rate η. Default: `2e-3`.
    pub learning_rate: f64,
    /// β₁, the decay rate of the first moment. Default: `0.9`.
    pub beta1: f64,
    /// β₂, the decay rate of the largest gradient. Default: `0.999`.
    pub beta2: f64,
    /// ε, which is added to the absolute gradient. Default: `1e-8`.
    pub epsilon: f64,
    /// λ of the weight decay, which is added to the gradient: g ← g + λ φ. Default: `0.0`.
    pub weight_decay: f64,
}

impl Default for AdamaxConfig {
    fn default() -> Self {
        AdamaxConfig { learning_rate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// Adamax (Kingma and Ba 2015, section 7.1): [`Adam`](super::Adam) with the maximum in place of the second moment,
/// m ← β₁ m + (1-β₁) g, u ← max(β₂ u, |g| + ε) and φ ← φ - η / (1-β₁ᵗ) m / u.
///
/// ```
/// use wengert_nn::optim::{Optimizer, Adamax};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut adamax = Adamax::new(0.1);
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// adamax.step(&mut p, &grads)?;
/// assert!((p.value().item()? - 3.9).abs() < 1e-9);              // the first step has size η
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub type Adamax<T> = FirstOrder<AdamaxConfig, T>;

impl<T: Float> Adamax<T> {
    /// An optimiser with the given learning rate and the defaults of [`AdamaxConfig`].
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(AdamaxConfig { learning_rate, ..AdamaxConfig::default() })
    }
}

struct Step<T> {
    first: RunningMean<T>,
    beta2: T,
    decay: T,
    /// η / (1 - β₁ᵗ).
    rate: T,
    epsilon: T,
}

impl<T: Float> Formula<3, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, m, u]: [T; 3], g: T) -> [T; 3] {
        let g = F::decayed(g, self.decay, p);
        let m = self.first.next::<F>(m, g);
        let u = F::times(self.beta2, u).maximum(wengert_ops::Float::abs(g) + self.epsilon);
        [p - F::times(self.rate, m) / u, m, u]
    }
}

impl UpdateRule for AdamaxConfig {
    const NAME: &'static str = "adamax";

    options!(fraction: beta1, beta2; not_negative: epsilon, weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        &["m", "u"]
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let n = T::from_f64;
        let step = Step {
            first: RunningMean::new(self.beta1),
            beta2: n(self.beta2),
            decay: n(self.weight_decay),
            rate: n(self.learning_rate / (1.0 - powf(self.beta1, state.steps as f64))),
            epsilon: n(self.epsilon),
        };
        let [m, u] = state.slots_mut();
        run(Self::NAME, [p, m, u], g, &step, step.decay, &[step.first.beta, step.beta2, step.rate])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::follows;

    #[test]
    fn steps_are_pytorchs() {
        follows(
            Adamax::new(0.1),
            6,
            [1.4000000004597701, -0.5999999973333334, 0.0],
            [1.0586272733655964, -1.0346387648803126, 0.0],
        );
        follows(
            Adamax::with_config(AdamaxConfig {
                learning_rate: 0.1,
                weight_decay: 0.1,
                ..AdamaxConfig::default()
            }),
            6,
            [1.4000000004301074, -0.599999996923077, 0.0],
            [1.0520550597228189, -1.0138900353175466, 0.0],
        );
    }
}
