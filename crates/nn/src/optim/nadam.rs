//! NAdam.

use super::factors::{Factors, Formula, run};
use super::moments::Moments;
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::math::portable::powf;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Nadam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NadamConfig {
    /// The learning rate η. Default: `2e-3`.
    pub learning_rate: f64,
    /// β₁, the decay rate of the first moment. Default: `0.9`.
    pub beta1: f64,
    /// β₂, the decay rate of the second moment. Default: `0.999`.
    pub beta2: f64,
    /// ε, which is added to the root of the second moment. Default: `1e-8`.
    pub epsilon: f64,
    /// λ of the weight decay. Default: `0.0`.
    pub weight_decay: f64,
    /// ψ, the rate at which the momentum grows to β₁. Default: `4e-3`.
    pub momentum_decay: f64,
    /// Whether weights decay directly, φ ← φ - η λ φ, instead of through the gradient (PyTorch's `decoupled_weight_decay`).
    /// Default: `false`.
    pub decoupled: bool,
}

impl Default for NadamConfig {
    fn default() -> Self {
        NadamConfig {
            learning_rate: 2e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            momentum_decay: 4e-3,
            decoupled: false,
        }
    }
}

/// NAdam (Dozat 2016): Adam with Nesterov's momentum. With μₜ = β₁ (1 - ½ · 0.96^{tψ}), the product Mₜ of all μ up to t, m
/// and v as in [`Adam`](super::Adam), and ṽ = v / (1 - β₂ᵗ),
/// φ ← φ - η [(1-μₜ) / (1-Mₜ) g + μₜ₊₁ / (1-Mₜ₊₁) m] / (√ṽ + ε).
///
/// ```
/// use wengert_nn::optim::{Optimizer, Nadam};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut nadam = Nadam::new(0.1);
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// nadam.step(&mut p, &grads)?;
/// let mu = |t: f64| 0.9 * (1.0 - 0.5 * 0.96f64.powf(t * 4e-3));
/// let step = 0.1 * (1.0 + 0.1 * mu(2.0) / (1.0 - mu(1.0) * mu(2.0)));
/// assert!((p.value().item()? - (4.0 - step)).abs() < 1e-8);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "NAdam")]
pub type Nadam<T> = FirstOrder<NadamConfig, T>;

impl<T: Float> Nadam<T> {
    /// An optimiser with the given learning rate and the defaults of [`NadamConfig`].
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(NadamConfig { learning_rate, ..NadamConfig::default() })
    }
}

struct Step<T> {
    moments: Moments<T>,
    /// η times the weight of the gradient, and η times that of the first moment.
    direct: T,
    ahead: T,
    /// 1 / √(1 - β₂ᵗ).
    root: T,
    epsilon: T,
}

impl<T: Float> Formula<3, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, state: [T; 3], g: T) -> [T; 3] {
        let [g, m, v] = self.moments.next::<F>(state, g);
        let step = F::times(self.direct, g) + F::times(self.ahead, m);
        [F::times(self.moments.shrink, state[0]) - step / (v.sqrt() * self.root + self.epsilon), m, v]
    }
}

impl UpdateRule for NadamConfig {
    const NAME: &'static str = "nadam";
    const SCALAR: Option<&'static str> = Some("momentum_product");

    options!(fraction: beta1, beta2; not_negative: epsilon, momentum_decay, weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let Self { learning_rate, beta1, beta2, weight_decay, decoupled, .. } = *self;
        let n = T::from_f64;
        let t = state.steps as f64;
        let mu = |t: f64| beta1 * (1.0 - 0.5 * powf(0.96, t * self.momentum_decay));
        let before = if state.steps == 1 { 1.0 } else { state.scalar };
        let product = before * mu(t);
        let step = Step {
            moments: Moments::new([beta1, beta2], learning_rate, weight_decay, decoupled),
            direct: n(learning_rate * (1.0 - mu(t)) / (1.0 - product)),
            ahead: n(learning_rate * mu(t + 1.0) / (1.0 - product * mu(t + 1.0))),
            root: n(1.0 / (1.0 - powf(beta2, t)).sqrt()),
            epsilon: n(self.epsilon),
        };
        let [m, v] = state.slots_mut();
        let Moments { first, second, coupled, shrink } = &step.moments;
        let others = [first.beta, second.beta, *shrink, step.direct, step.ahead];
        run(Self::NAME, [p, m, v], g, &step, *coupled, &others)?;
        state.scalar = product;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::follows;

    #[test]
    fn steps_are_pytorchs() {
        let base = NadamConfig { learning_rate: 0.1, ..NadamConfig::default() };
        follows(
            Nadam::new(0.1),
            6,
            [1.394354822650186, -0.6056451750183341, 0.0],
            [1.1182398583368425, -0.9372452122910144, 0.0],
        );
        follows(
            Nadam::with_config(NadamConfig { weight_decay: 0.1, momentum_decay: 0.1, ..base }),
            6,
            [1.3942937539278397, -0.605706243274311, 0.0],
            [1.1129088386215709, -0.9170351217379398, 0.0],
        );
        follows(
            Nadam::with_config(NadamConfig { weight_decay: 0.1, decoupled: true, ..base }),
            6,
            [1.379354822650186, -0.6006451750183341, 0.0],
            [1.0600027274076986, -0.905647677270725, 0.0],
        );
    }
}
