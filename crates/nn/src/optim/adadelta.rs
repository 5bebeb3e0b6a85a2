//! Adadelta.

use super::factors::{Factors, Formula, run};
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Adadelta`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdadeltaConfig {
    /// The learning rate η, which the paper does not have. Default: `1.0`.
    pub learning_rate: f64,
    /// ρ, the decay rate of the means of squares. Default: `0.9`.
    pub rho: f64,
    /// ε, which is added under both roots. Default: `1e-6`.
    pub epsilon: f64,
    /// λ of the weight decay, which is added to the gradient: g ← g + λ φ. Default: `0.0`.
    pub weight_decay: f64,
}

impl Default for AdadeltaConfig {
    fn default() -> Self {
        AdadeltaConfig { learning_rate: 1.0, rho: 0.9, epsilon: 1e-6, weight_decay: 0.0 }
    }
}

/// Adadelta (Zeiler 2012): v ← ρ v + (1-ρ) g², Δ = g √(u + ε) / √(v + ε), u ← ρ u + (1-ρ) Δ² and φ ← φ - η Δ. The steps
/// have the unit of the parameter.
///
/// ```
/// use wengert_nn::optim::{Optimizer, Adadelta};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut adadelta = Adadelta::new(1.0);
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// adadelta.step(&mut p, &grads)?;
/// let step = (1e-6f64 / (0.1 * 64.0 + 1e-6)).sqrt() * 8.0;
/// assert!((p.value().item()? - (4.0 - step)).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub type Adadelta<T> = FirstOrder<AdadeltaConfig, T>;

impl<T: Float> Adadelta<T> {
    /// An optimiser with the given learning rate and the defaults of [`AdadeltaConfig`].
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(AdadeltaConfig { learning_rate, ..AdadeltaConfig::default() })
    }
}

struct Step<T> {
    rate: T,
    decay: T,
    rho: T,
    one_minus_rho: T,
    epsilon: T,
}

impl<T: Float> Formula<3, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v, u]: [T; 3], g: T) -> [T; 3] {
        let g = F::decayed(g, self.decay, p);
        let v = F::times(self.rho, v) + F::times(self.one_minus_rho, g) * g;
        let delta = (u + self.epsilon).sqrt() / (v + self.epsilon).sqrt() * g;
        let u = F::times(self.rho, u) + F::times(self.one_minus_rho, delta) * delta;
        [p - F::times(self.rate, delta), v, u]
    }
}

impl UpdateRule for AdadeltaConfig {
    const NAME: &'static str = "adadelta";

    options!(share: rho; not_negative: epsilon, weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        &["v", "u"]
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let n = T::from_f64;
        let step = Step {
            rate: n(self.learning_rate),
            decay: n(self.weight_decay),
            rho: n(self.rho),
            one_minus_rho: n(1.0 - self.rho),
            epsilon: n(self.epsilon),
        };
        let [v, u] = state.slots_mut();
        run(Self::NAME, [p, v, u], g, &step, step.decay, &[step.rate, step.rho, step.one_minus_rho])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::follows;

    #[test]
    fn steps_are_pytorchs() {
        follows(
            Adadelta::new(1.0),
            6,
            [1.496837725682173, -0.5031621652296256, 0.0],
            [1.4804212944775954, -0.519906366087054, 0.0],
        );
        follows(
            Adadelta::with_config(AdadeltaConfig {
                learning_rate: 0.5,
                rho: 0.7,
                epsilon: 1e-3,
                weight_decay: 0.1,
            }),
            6,
            [1.4711413828814086, -0.5284225155140307, 0.0],
            [1.3208241428522731, -0.6951989906821868, 0.0],
        );
    }
}
