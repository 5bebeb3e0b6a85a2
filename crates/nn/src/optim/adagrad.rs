//! Adagrad.

use super::factors::{Factors, Formula, run};
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Adagrad`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdagradConfig {
    /// The learning rate η. Default: `0.01`.
    pub learning_rate: f64,
    /// The decay of the learning rate: in step t it is η / (1 + (t - 1) · `lr_decay`). Default: `0.0`.
    pub lr_decay: f64,
    /// The initial value of the sum of squares. Default: `0.0`.
    pub initial_accumulator_value: f64,
    /// ε, which is added to the root. Default: `1e-10`.
    pub epsilon: f64,
    /// λ of the weight decay, which is added to the gradient: g ← g + λ φ. Default: `0.0`.
    pub weight_decay: f64,
}

impl Default for AdagradConfig {
    fn default() -> Self {
        AdagradConfig {
            learning_rate: 0.01,
            lr_decay: 0.0,
            initial_accumulator_value: 0.0,
            epsilon: 1e-10,
            weight_decay: 0.0,
        }
    }
}

/// Adagrad (Duchi, Hazan and Singer 2011): v ← v + g² and φ ← φ - η g / (√v + ε).
///
/// ```
/// use wengert_nn::optim::{Optimizer, Adagrad};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut adagrad = Adagrad::new(0.5);
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// adagrad.step(&mut p, &grads)?;
/// assert!((p.value().item()? - 3.5).abs() < 1e-9);              // the first step has size η
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub type Adagrad<T> = FirstOrder<AdagradConfig, T>;

impl<T: Float> Adagrad<T> {
    /// An optimiser with the given learning rate and the defaults of [`AdagradConfig`].
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(AdagradConfig { learning_rate, ..AdagradConfig::default() })
    }
}

struct Step<T> {
    rate: T,
    decay: T,
    epsilon: T,
}

impl<T: Float> Formula<2, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v]: [T; 2], g: T) -> [T; 2] {
        let g = F::decayed(g, self.decay, p);
        let v = v + g * g;
        [p - F::times(self.rate, g) / (v.sqrt() + self.epsilon), v]
    }
}

impl UpdateRule for AdagradConfig {
    const NAME: &'static str = "adagrad";

    options!(not_negative: lr_decay, initial_accumulator_value, epsilon, weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        &["v"]
    }

    fn start(&self) -> f64 {
        self.initial_accumulator_value
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let n = T::from_f64;
        let before = (state.steps - 1) as f64;
        let step = Step {
            rate: n(self.learning_rate / (1.0 + before * self.lr_decay)),
            decay: n(self.weight_decay),
            epsilon: n(self.epsilon),
        };
        let [v] = state.slots_mut();
        run(Self::NAME, [p, v], g, &step, step.decay, &[step.rate])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::follows;

    #[test]
    fn steps_are_pytorchs() {
        follows(
            Adagrad::new(0.1),
            6,
            [1.4000000000045978, -0.5999999999733333, 0.0],
            [1.2026262932572889, -0.8460774454676812, 0.0],
        );
        follows(
            Adagrad::with_config(AdagradConfig {
                learning_rate: 0.1,
                lr_decay: 0.2,
                weight_decay: 0.1,
                initial_accumulator_value: 0.5,
                ..AdagradConfig::default()
            }),
            6,
            [1.4043268608226596, -0.541762016797844, 0.0],
            [1.2640042347659426, -0.6533493358590692, 0.0],
        );
    }
}
