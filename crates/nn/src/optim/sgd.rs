//! Stochastic gradient descent, with momentum and Nesterov's variant.

use super::factors::{Factors, Formula, run};
use super::options::{check, fraction, not_negative};
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Sgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// The learning rate η. Default: `0.01`.
    pub learning_rate: f64,
    /// The momentum μ; 0 for none. Default: `0.0`.
    pub momentum: f64,
    /// τ, the fraction of each gradient after the first that does not go into the velocity. Default: `0.0`.
    pub dampening: f64,
    /// Whether to take Nesterov's step (Nesterov 1983, in the form of Sutskever et al. 2013). Default: `false`.
    pub nesterov: bool,
    /// λ of the ℓ² penalty λ/2 ‖φ‖², whose gradient is added. Default: `0.0`.
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig { learning_rate: 0.01, momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

/// φ ← φ - η ∇L, or with momentum v ← μ v + (1 - τ) ∇L, φ ← φ - η v; Nesterov's step is φ ← φ - η (∇L + μ v).
///
/// The velocity starts as the first gradient, undampened, as in PyTorch.
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
#[doc(alias = "SGD")]
pub type Sgd<T> = FirstOrder<SgdConfig, T>;

impl<T: Float> Sgd<T> {
    /// Plain gradient descent with the given learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(SgdConfig { learning_rate, ..SgdConfig::default() })
    }
}

struct Plain<T> {
    rate: T,
    decay: T,
}

impl<T: Float> Formula<1, T> for Plain<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p]: [T; 1], g: T) -> [T; 1] {
        [p - F::times(self.rate, F::decayed(g, self.decay, p))]
    }
}

struct Momentum<T> {
    rate: T,
    decay: T,
    momentum: T,
    /// The fraction of the gradient that goes into the velocity.
    fresh: T,
}

impl<T: Float> Momentum<T> {
    /// The decayed gradient and the new velocity.
    #[inline(always)]
    fn velocity<F: Factors>(&self, [p, v]: [T; 2], g: T) -> [T; 2] {
        let g = F::decayed(g, self.decay, p);
        [g, self.momentum * v + F::times(self.fresh, g)]
    }
}

struct HeavyBall<T>(Momentum<T>);
struct Nesterov<T>(Momentum<T>);

impl<T: Float> Formula<2, T> for HeavyBall<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v]: [T; 2], g: T) -> [T; 2] {
        let [_, v] = self.0.velocity::<F>([p, v], g);
        [p - F::times(self.0.rate, v), v]
    }
}

impl<T: Float> Formula<2, T> for Nesterov<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v]: [T; 2], g: T) -> [T; 2] {
        let [g, v] = self.0.velocity::<F>([p, v], g);
        [p - F::times(self.0.rate, g + self.0.momentum * v), v]
    }
}

impl UpdateRule for SgdConfig {
    const NAME: &'static str = "sgd";

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["velocity"] }
    }

    fn check(&self) -> Result<()> {
        not_negative(Self::NAME, "momentum", self.momentum)?;
        not_negative(Self::NAME, "weight_decay", self.weight_decay)?;
        let possible = !self.nesterov || self.momentum > 0.0 && self.dampening == 0.0;
        check(Self::NAME, possible, || "Nesterov's step needs a momentum and no dampening".to_owned())?;
        if self.dampening == 1.0 { Ok(()) } else { fraction(Self::NAME, "dampening", self.dampening) }
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let n = T::from_f64;
        let (rate, decay) = (n(self.learning_rate), n(self.weight_decay));
        if self.momentum == 0.0 {
            return run(Self::NAME, [p], g, &Plain { rate, decay }, decay, &[rate]);
        }
        let fresh = if state.steps == 1 { T::ONE } else { n(1.0 - self.dampening) };
        let momentum = Momentum { rate, decay, momentum: n(self.momentum), fresh };
        let [v] = state.slots_mut();
        if self.nesterov {
            run(Self::NAME, [p, v], g, &Nesterov(momentum), decay, &[rate, fresh])
        } else {
            run(Self::NAME, [p, v], g, &HeavyBall(momentum), decay, &[rate, fresh])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Optimizer, tests::follows};
    use wengert_tape::{Param, Tape};

    /// The step as written in the papers, one number at a time.
    #[test]
    fn steps_follow_the_formulas() {
        for (momentum, nesterov, weight_decay) in [(0.0, false, 0.1), (0.9, false, 0.0), (0.9, true, 0.1)] {
            let config =
                SgdConfig { learning_rate: 0.1, momentum, nesterov, weight_decay, ..SgdConfig::default() };
            let mut sgd = Sgd::with_config(config);
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

    #[test]
    fn steps_are_pytorchs() {
        let base = SgdConfig { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.1, ..SgdConfig::default() };
        follows(
            Sgd::with_config(SgdConfig { dampening: 0.3, ..base }),
            6,
            [1.2675, -0.5325, 0.0],
            [-0.02554672071286441, -0.9302528262287316, 0.0],
        );
        follows(
            Sgd::with_config(SgdConfig { nesterov: true, ..base }),
            6,
            [1.05825, -0.56175, 0.0],
            [-0.013651563875554405, -1.0540871752377585, 0.0],
        );
    }
}
