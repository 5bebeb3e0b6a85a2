//! Stochastic gradient descent, with momentum and Nesterov's variant.

use super::{Optimizer, States, zeros};
use crate::module::Module;
use wengert_ops::Tensor;
use wengert_ops::kernel::update::{Update, update};
use wengert_tape::{Float, Grads, Result};

/// The options of [`Sgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// η.
    pub learning_rate: f64,
    /// μ; 0 for none.
    pub momentum: f64,
    /// Whether the step looks ahead (Nesterov 1983, in the form of Sutskever et al. 2013).
    pub nesterov: bool,
    /// λ of the ℓ² penalty λ/2 ‖φ‖², added to the gradient.
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig { learning_rate: 0.01, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

/// φ ← φ - η ∇L, or with momentum v ← μ v + ∇L, φ ← φ - η v; Nesterov's step is φ ← φ - η (∇L + μ v).
///
/// The velocity starts as the first gradient, as in PyTorch.
///
/// ```
/// use wengert_nn::{Module, optim::{Optimizer, Sgd}};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0]));
/// let mut sgd = Sgd::new(0.25);
/// let tape = Tape::new();
/// let grads = tape.param(&p).square().sum().backward()?;
/// sgd.step(&mut p, &grads)?;
/// assert_eq!(p.value().to_vec(), [4.0 - 0.25 * 8.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sgd<T: Float> {
    config: SgdConfig,
    velocity: States<Option<Tensor<T>>>,
}

impl<T: Float> Sgd<T> {
    /// Plain gradient descent with the given learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self::with(SgdConfig { learning_rate, ..SgdConfig::default() })
    }

    /// With options.
    pub fn with(config: SgdConfig) -> Self {
        Sgd { config, velocity: States::default() }
    }
}

struct Plain<T> {
    rate: T,
    decay: T,
}

impl<T: Float> Update<1, T> for Plain<T> {
    #[inline(always)]
    fn call(&self, [p]: [T; 1], g: T) -> [T; 1] {
        [p - self.rate * (g + self.decay * p)]
    }
}

struct Momentum<T> {
    rate: T,
    decay: T,
    momentum: T,
    /// How much of the gradient and of the velocity the step takes.
    direct: T,
    carried: T,
}

impl<T: Float> Update<2, T> for Momentum<T> {
    #[inline(always)]
    fn call(&self, [p, v]: [T; 2], g: T) -> [T; 2] {
        let g = g + self.decay * p;
        let v = self.momentum * v + g;
        [p - self.rate * (self.direct * g + self.carried * v), v]
    }
}

impl<T: Float> Optimizer<T> for Sgd<T> {
    fn step(&mut self, model: &mut dyn Module, grads: &Grads<T>) -> Result<()> {
        let SgdConfig { learning_rate, momentum, nesterov, weight_decay } = self.config;
        let (rate, decay) = (T::from_f64(learning_rate), T::from_f64(weight_decay));
        let (direct, carried) = if nesterov { (T::ONE, T::from_f64(momentum)) } else { (T::ZERO, T::ONE) };
        let with_momentum = Momentum { rate, decay, momentum: T::from_f64(momentum), direct, carried };
        let init = |p: &wengert_tape::Param<T>| (momentum != 0.0).then(|| zeros(p));
        self.velocity.each(model, grads, init, |p, g, velocity| {
            p.update(|value| match velocity {
                Some(v) => update("sgd", [value, v], g, &with_momentum),
                None => update("sgd", [value], g, &Plain { rate, decay }),
            })?;
            Ok(())
        })
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.config.learning_rate = rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tape::{Param, Tape};

    /// The step as the papers write it, one number at a time.
    #[test]
    fn steps_follow_the_formulas() {
        for (momentum, nesterov, weight_decay) in [(0.0, false, 0.1), (0.9, false, 0.0), (0.9, true, 0.1)] {
            let config = SgdConfig { learning_rate: 0.1, momentum, nesterov, weight_decay };
            let mut sgd = Sgd::with(config);
            let mut p = Param::new(Tensor::from([1.5, -0.5]));
            let (mut want, mut v) = ([1.5, -0.5], [0.0; 2]);
            for _ in 0..5 {
                let tape = Tape::new();
                let x = tape.param(&p);
                let grads = (x * x * x).sum().backward().unwrap();
                sgd.step(&mut p, &grads).unwrap();
                for (w, v) in want.iter_mut().zip(&mut v) {
                    let g = 3.0 * *w * *w + weight_decay * *w;
                    *v = momentum * *v + g;
                    let step = if nesterov { g + momentum * *v } else { *v };
                    *w -= 0.1 * step;
                }
            }
            assert!(p.value().to_vec().iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{config:?}");
        }
    }
}
