//! Lion.

use super::factors::{Factors, Formula, run};
use super::moments::RunningMean;
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Lion`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LionConfig {
    /// The learning rate η. Default: `1e-4`.
    pub learning_rate: f64,
    /// β₁, the weight of the momentum in the sign. Default: `0.9`.
    pub beta1: f64,
    /// β₂, the decay rate of the momentum. Default: `0.99`.
    pub beta2: f64,
    /// λ of the weight decay, which is decoupled: φ ← φ - η λ φ. Default: `0.0`.
    pub weight_decay: f64,
}

impl Default for LionConfig {
    fn default() -> Self {
        LionConfig { learning_rate: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

/// Lion (Chen et al. 2023, algorithm 2): φ ← φ - η (sign(β₁ m + (1-β₁) g) + λ φ), then m ← β₂ m + (1-β₂) g. Every
/// coordinate moves by η, so η is three to ten times smaller than Adam's, and λ is larger by the same factor. Where the sum is
/// 0, the sign is 0.
///
/// ```
/// use wengert_nn::optim::{Optimizer, Lion};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut lion = Lion::new(0.1);
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// lion.step(&mut p, &grads)?;
/// assert!((p.value().item()? - 3.9).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub type Lion<T> = FirstOrder<LionConfig, T>;

impl<T: Float> Lion<T> {
    /// An optimiser with the given learning rate and the defaults of [`LionConfig`].
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(LionConfig { learning_rate, ..LionConfig::default() })
    }
}

struct Step<T> {
    /// The mean whose sign is the step.
    ahead: RunningMean<T>,
    momentum: RunningMean<T>,
    rate: T,
    shrink: T,
}

impl<T: Float> Formula<2, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, m]: [T; 2], g: T) -> [T; 2] {
        let u = self.ahead.next::<F>(m, g);
        // NaN stays NaN, so that it is noticed.
        let step = if u > T::ZERO {
            self.rate
        } else if u < T::ZERO {
            -self.rate
        } else {
            u
        };
        [F::times(self.shrink, p) - step, self.momentum.next::<F>(m, g)]
    }
}

impl UpdateRule for LionConfig {
    const NAME: &'static str = "lion";

    options!(fraction: beta1, beta2; not_negative: weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        &["m"]
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let n = T::from_f64;
        let step = Step {
            ahead: RunningMean::new(self.beta1),
            momentum: RunningMean::new(self.beta2),
            rate: n(self.learning_rate),
            shrink: n(1.0 - self.learning_rate * self.weight_decay),
        };
        let [m] = state.slots_mut();
        run(Self::NAME, [p, m], g, &step, T::ZERO, &[step.ahead.beta, step.momentum.beta, step.shrink])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::follows;

    /// The steps as written in the paper, one number at a time.
    #[test]
    fn steps_follow_the_formulas() {
        let (mut phi, mut m) = ([1.5f64, -0.5, 0.0], [0.0f64; 3]);
        let mut first = phi;
        for t in 0..6 {
            for i in 0..3 {
                let g = phi[i].powi(3) - phi[i] + if i == 0 { 0.3 } else { 0.0 };
                let u = 0.9 * m[i] + (1.0 - 0.9) * g;
                let sign = if u == 0.0 { 0.0 } else { u.signum() };
                phi[i] -= 0.1 * (sign + 0.2 * phi[i]);
                m[i] = 0.99 * m[i] + (1.0 - 0.99) * g;
            }
            if t == 0 {
                first = phi;
            }
        }
        follows(
            Lion::with_config(LionConfig { learning_rate: 0.1, weight_decay: 0.2, ..LionConfig::default() }),
            6,
            first,
            phi,
        );
    }
}
