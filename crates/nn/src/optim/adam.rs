//! Adam, AdamW, and AMSGrad.

use super::factors::{Factors, Formula, run};
use super::moments::Moments;
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::math::portable::powf;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// The learning rate η. Default: `1e-3`.
    pub learning_rate: f64,
    /// β₁ (β in some texts), the decay rate of the first moment. Default: `0.9`.
    pub beta1: f64,
    /// β₂ (γ in some texts), the decay rate of the second moment. Default: `0.999`.
    pub beta2: f64,
    /// ε, which is added to the root of the second moment. Default: `1e-8`.
    pub epsilon: f64,
    /// λ of the weight decay. Default: `0.0`.
    pub weight_decay: f64,
    /// Whether weights decay directly, φ ← φ - η λ φ, instead of through the gradient (AdamW, Loshchilov and Hutter 2019).
    /// Default: `false`.
    pub decoupled: bool,
    /// Whether the step is divided by the root of the largest second moment so far instead of the current one (AMSGrad, Reddi et
    /// al. 2018). Default: `false`.
    pub amsgrad: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        AdamConfig {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            amsgrad: false,
        }
    }
}

/// Adam (Kingma and Ba 2015): m ← β₁ m + (1-β₁) g, v ← β₂ v + (1-β₂) g², both divided by 1 - βᵗ to correct for their
/// start at zero, and φ ← φ - η m̃ / (√ṽ + ε).
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut adam = Adam::new(0.1);
/// let tape = Tape::new();
/// let grads = tape.param(&p).square().sum().backward()?;
/// adam.step(&mut p, &grads)?;
/// assert!((p.value().item()? - 3.9).abs() < 1e-8);       // the first step has size η
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub type Adam<T> = FirstOrder<AdamConfig, T>;

impl<T: Float> Adam<T> {
    /// Adam with the given learning rate and the paper's other constants.
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(AdamConfig { learning_rate, ..AdamConfig::default() })
    }

    /// AdamW: Adam with decoupled weight decay, λ = 0.01.
    pub fn adamw(learning_rate: f64) -> Self {
        Self::with_config(AdamConfig {
            learning_rate,
            weight_decay: 0.01,
            decoupled: true,
            ..AdamConfig::default()
        })
    }
}

struct Step<T> {
    moments: Moments<T>,
    /// η / (1 - β₁ᵗ).
    rate: T,
    /// 1 / √(1 - β₂ᵗ).
    root: T,
    epsilon: T,
}

impl<T: Float> Step<T> {
    /// The new moments, and the parameter after a step divided by the root of a function of the second moment.
    #[inline(always)]
    fn take<F: Factors>(&self, state: [T; 3], g: T, largest: impl FnOnce(T) -> T) -> [T; 4] {
        let [_, m, v] = self.moments.next::<F>(state, g);
        let under = largest(v);
        let step = F::times(self.rate, m) / (under.sqrt() * self.root + self.epsilon);
        [F::times(self.moments.shrink, state[0]) - step, m, v, under]
    }
}

impl<T: Float> Formula<3, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, state: [T; 3], g: T) -> [T; 3] {
        let [p, m, v, _] = self.take::<F>(state, g, |v| v);
        [p, m, v]
    }
}

impl<T: Float> Formula<4, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, m, v, largest]: [T; 4], g: T) -> [T; 4] {
        self.take::<F>([p, m, v], g, |v| largest.maximum(v))
    }
}

impl UpdateRule for AdamConfig {
    const NAME: &'static str = "adam";

    options!(fraction: beta1, beta2; not_negative: epsilon, weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        if self.amsgrad { &["m", "v", "v_max"] } else { &["m", "v"] }
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let Self { learning_rate, beta1, beta2, weight_decay, decoupled, .. } = *self;
        let n = T::from_f64;
        let t = state.steps as f64;
        let step = Step {
            moments: Moments::new([beta1, beta2], learning_rate, weight_decay, decoupled),
            rate: n(learning_rate / (1.0 - powf(beta1, t))),
            root: n(1.0 / (1.0 - powf(beta2, t)).sqrt()),
            epsilon: n(self.epsilon),
        };
        let Moments { first, second, coupled, shrink } = &step.moments;
        let (decay, others) = (*coupled, [first.beta, second.beta, *shrink, step.rate]);
        if self.amsgrad {
            let [m, v, largest] = state.slots_mut();
            run(Self::NAME, [p, m, v, largest], g, &step, decay, &others)
        } else {
            let [m, v] = state.slots_mut();
            run(Self::NAME, [p, m, v], g, &step, decay, &others)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Optimizer, tests::follows};
    use wengert_tape::{Param, Tape};

    /// The steps as written in the papers, one number at a time.
    #[test]
    fn steps_follow_the_formulas() {
        for (weight_decay, decoupled) in [(0.0, false), (0.1, false), (0.1, true)] {
            let config = AdamConfig { learning_rate: 0.05, weight_decay, decoupled, ..AdamConfig::default() };
            let mut adam = Adam::with_config(config);
            let mut p = Param::new(Tensor::from([1.5, 0.0]));
            let (mut want, mut m, mut v) = ([1.5f64, 0.0], [0.0; 2], [0.0; 2]);
            for t in 1..=6 {
                let tape = Tape::new();
                let grads = tape.param(&p).square().sum().backward().unwrap();
                adam.step(&mut p, &grads).unwrap();
                for i in 0..2 {
                    let coupled = if decoupled { 0.0 } else { weight_decay };
                    let g = 2.0 * want[i] + coupled * want[i];
                    m[i] = 0.9 * m[i] + 0.1 * g;
                    v[i] = 0.999 * v[i] + 0.001 * g * g;
                    let (mh, vh) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                    if decoupled {
                        want[i] -= 0.05 * weight_decay * want[i];
                    }
                    want[i] -= 0.05 * mh / (vh.sqrt() + 1e-8);
                }
            }
            assert!(p.value().to_vec().iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{config:?}");
        }
    }

    #[test]
    fn a_parameter_that_misses_a_step_keeps_its_own_count() {
        let mut model = vec![Param::new(Tensor::from([1.0])), Param::new(Tensor::from([1.0]))];
        let mut adam = Adam::new(0.1);
        for only_first in [true, false] {
            let tape = Tape::new();
            let (a, b) = (tape.param(&model[0]), tape.param(&model[1]));
            let loss = if only_first { a.square().sum() } else { (a.square() + b.square()).sum() };
            adam.step(&mut model, &loss.backward().unwrap()).unwrap();
        }
        assert!((model[1].value().item().unwrap() - 0.9f64).abs() < 1e-8, "its first step has size η");
    }

    #[test]
    fn steps_are_pytorchs() {
        let base = AdamConfig { learning_rate: 0.1, ..AdamConfig::default() };
        follows(
            Adam::with_config(AdamConfig { weight_decay: 0.1, ..base }),
            6,
            [1.4000000004301076, -0.599999996923077, 0.0],
            [0.9458484696973283, -1.0553850981257662, 0.0],
        );
        follows(
            Adam::with_config(AdamConfig { beta1: 0.5, beta2: 0.6, amsgrad: true, ..base }),
            6,
            [1.4000000004597701, -0.5999999973333334, 0.0],
            [1.0396270797058003, -1.0130367641612552, 0.0],
        );
        follows(
            Adam::with_config(AdamConfig { weight_decay: 0.1, decoupled: true, ..base }),
            6,
            [1.38500000045977, -0.5949999973333334, 0.0],
            [0.8880072682774095, -1.0370729050366252, 0.0],
        );
    }
}
