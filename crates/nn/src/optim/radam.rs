//! RAdam.

use super::factors::{Factors, Formula, run};
use super::moments::Moments;
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::math::portable::powf;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Radam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadamConfig {
    /// The learning rate η. Default: `1e-3`.
    pub learning_rate: f64,
    /// β₁, the decay rate of the first moment. Default: `0.9`.
    pub beta1: f64,
    /// β₂, the decay rate of the second moment. Default: `0.999`.
    pub beta2: f64,
    /// ε, which is added to the root of the second moment. Default: `1e-8`.
    pub epsilon: f64,
    /// λ of the weight decay. Default: `0.0`.
    pub weight_decay: f64,
    /// Whether weights decay directly, φ ← φ - η λ φ, instead of through the gradient (PyTorch's `decoupled_weight_decay`).
    /// Default: `false`.
    pub decoupled: bool,
}

impl Default for RadamConfig {
    fn default() -> Self {
        RadamConfig {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        }
    }
}

/// RAdam (Liu et al. 2020): [`Adam`](super::Adam) with plain momentum steps, φ ← φ - η m̃, until its second moment depends on
/// enough gradients. With ρ∞ = 2 / (1-β₂) - 1 and ρₜ = ρ∞ - 2 t β₂ᵗ / (1-β₂ᵗ), steps are plain while ρₜ ≤ 5; after that,
/// Adam's step is multiplied by √[(ρₜ-4) (ρₜ-2) ρ∞ / ((ρ∞-4) (ρ∞-2) ρₜ)]. As in PyTorch, its root is (√v + ε) / √(1-β₂ᵗ).
///
/// ```
/// use wengert_nn::optim::{Optimizer, Radam};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut radam = Radam::new(0.1);
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// radam.step(&mut p, &grads)?;
/// assert!((p.value().item()? - (4.0 - 0.1 * 8.0)).abs() < 1e-12);   // a plain step at first
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "RAdam")]
pub type Radam<T> = FirstOrder<RadamConfig, T>;

impl<T: Float> Radam<T> {
    /// An optimiser with the given learning rate and the defaults of [`RadamConfig`].
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(RadamConfig { learning_rate, ..RadamConfig::default() })
    }
}

struct Step<T> {
    moments: Moments<T>,
    rate: T,
    epsilon: T,
}

struct Plain<T>(Step<T>);
struct Adaptive<T>(Step<T>);

impl<T: Float> Formula<3, T> for Plain<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, state: [T; 3], g: T) -> [T; 3] {
        let Step { moments, rate, .. } = &self.0;
        let [_, m, v] = moments.next::<F>(state, g);
        [F::times(moments.shrink, state[0]) - F::times(*rate, m), m, v]
    }
}

impl<T: Float> Formula<3, T> for Adaptive<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, state: [T; 3], g: T) -> [T; 3] {
        let Step { moments, rate, epsilon } = &self.0;
        let [_, m, v] = moments.next::<F>(state, g);
        [F::times(moments.shrink, state[0]) - F::times(*rate, m) / (v.sqrt() + *epsilon), m, v]
    }
}

impl UpdateRule for RadamConfig {
    const NAME: &'static str = "radam";

    options!(fraction: beta1, beta2; not_negative: epsilon, weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let Self { learning_rate, beta1, beta2, weight_decay, decoupled, .. } = *self;
        let n = T::from_f64;
        let t = state.steps as f64;
        let left = 1.0 - powf(beta2, t);
        let most = 2.0 / (1.0 - beta2) - 1.0;
        let rho = most - 2.0 * t * powf(beta2, t) / left;
        let adaptive = rho > 5.0;
        let factor = if adaptive {
            ((rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho) * left).sqrt()
        } else {
            1.0
        };
        let step = Step {
            moments: Moments::new([beta1, beta2], learning_rate, weight_decay, decoupled),
            rate: n(learning_rate / (1.0 - powf(beta1, t)) * factor),
            epsilon: n(self.epsilon),
        };
        let Moments { first, second, coupled, shrink } = &step.moments;
        let (decay, others) = (*coupled, [first.beta, second.beta, *shrink, step.rate]);
        let [m, v] = state.slots_mut();
        if adaptive {
            run(Self::NAME, [p, m, v], g, &Adaptive(step), decay, &others)
        } else {
            run(Self::NAME, [p, m, v], g, &Plain(step), decay, &others)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::follows;

    #[test]
    fn steps_are_pytorchs() {
        let base = RadamConfig { learning_rate: 0.1, ..RadamConfig::default() };
        follows(Radam::new(0.1), 9, [1.2825, -0.5375, 0.0], [0.8167742670069654, -0.7036893754525184, 0.0]);
        follows(
            Radam::with_config(RadamConfig { weight_decay: 0.1, ..base }),
            9,
            [1.2675, -0.5325, 0.0],
            [0.7698157478202508, -0.6769784748263957, 0.0],
        );
        follows(
            Radam::with_config(RadamConfig { weight_decay: 0.1, decoupled: true, ..base }),
            9,
            [1.2674999999999998, -0.5325, 0.0],
            [0.7467026711494974, -0.6493461259887415, 0.0],
        );
    }
}
