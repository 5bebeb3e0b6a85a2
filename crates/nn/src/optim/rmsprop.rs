//! RMSprop.

use super::factors::{Factors, Formula, run};
use super::moments::RunningMean;
use super::options::options;
use super::{FirstOrder, ParamState, UpdateRule};
use wengert_ops::kernel::update::Gradient;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The options of [`Rmsprop`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmspropConfig {
    /// The learning rate η. Default: `0.01`.
    pub learning_rate: f64,
    /// α, the decay rate of the mean of squares. Default: `0.99`.
    pub alpha: f64,
    /// ε, which is added to the root. Default: `1e-8`.
    pub epsilon: f64,
    /// The momentum μ; 0 for none. Default: `0.0`.
    pub momentum: f64,
    /// Whether the squared mean of the gradients is subtracted, which leaves their variance (Graves 2013). Default: `false`.
    pub centered: bool,
    /// λ of the weight decay, which is added to the gradient: g ← g + λ φ. Default: `0.0`.
    pub weight_decay: f64,
}

impl Default for RmspropConfig {
    fn default() -> Self {
        RmspropConfig {
            learning_rate: 0.01,
            alpha: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
        }
    }
}

/// RMSprop (Tieleman and Hinton 2012, lecture 6e): v ← α v + (1-α) g² and φ ← φ - η g / (√v + ε).
///
/// If centered, ḡ ← α ḡ + (1-α) g and the root is of v - ḡ²; with momentum, b ← μ b + g / (√v + ε) and φ ← φ - η b. Where
/// rounding makes v - ḡ² negative, it counts as 0 (in PyTorch, the step is then NaN).
///
/// ```
/// use wengert_nn::optim::{Optimizer, Rmsprop};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let mut p = Param::new(Tensor::from([4.0f64]));
/// let mut rmsprop = Rmsprop::new(0.01);
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// rmsprop.step(&mut p, &grads)?;
/// assert!((p.value().item()? - (4.0 - 0.1)).abs() < 1e-8);      // η g / √((1-α) g²) is 10 η
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "RMSprop")]
pub type Rmsprop<T> = FirstOrder<RmspropConfig, T>;

impl<T: Float> Rmsprop<T> {
    /// An optimiser with the given learning rate and the defaults of [`RmspropConfig`].
    pub fn new(learning_rate: f64) -> Self {
        Self::with_config(RmspropConfig { learning_rate, ..RmspropConfig::default() })
    }
}

struct Step<T> {
    rate: T,
    decay: T,
    mean: RunningMean<T>,
    momentum: T,
    epsilon: T,
}

impl<T: Float> Step<T> {
    #[inline(always)]
    fn gradient<F: Factors>(&self, p: T, g: T) -> T {
        F::decayed(g, self.decay, p)
    }
    #[inline(always)]
    fn root(&self, v: T) -> T {
        v.sqrt() + self.epsilon
    }
    #[inline(always)]
    fn centered_root(&self, v: T, mean: T) -> T {
        (v - mean * mean).maximum(T::ZERO).sqrt() + self.epsilon
    }
}

struct Plain<T>(Step<T>);
struct Centered<T>(Step<T>);
struct Moving<T>(Step<T>);
struct CenteredMoving<T>(Step<T>);

impl<T: Float> Formula<2, T> for Plain<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v]: [T; 2], g: T) -> [T; 2] {
        let s = &self.0;
        let g = s.gradient::<F>(p, g);
        let v = s.mean.next::<F>(v, g * g);
        [p - F::times(s.rate, g) / s.root(v), v]
    }
}

impl<T: Float> Formula<3, T> for Centered<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v, mean]: [T; 3], g: T) -> [T; 3] {
        let s = &self.0;
        let g = s.gradient::<F>(p, g);
        let (v, mean) = (s.mean.next::<F>(v, g * g), s.mean.next::<F>(mean, g));
        [p - F::times(s.rate, g) / s.centered_root(v, mean), v, mean]
    }
}

impl<T: Float> Formula<3, T> for Moving<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v, b]: [T; 3], g: T) -> [T; 3] {
        let s = &self.0;
        let g = s.gradient::<F>(p, g);
        let v = s.mean.next::<F>(v, g * g);
        let b = s.momentum * b + g / s.root(v);
        [p - F::times(s.rate, b), v, b]
    }
}

impl<T: Float> Formula<4, T> for CenteredMoving<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [p, v, mean, b]: [T; 4], g: T) -> [T; 4] {
        let s = &self.0;
        let g = s.gradient::<F>(p, g);
        let (v, mean) = (s.mean.next::<F>(v, g * g), s.mean.next::<F>(mean, g));
        let b = s.momentum * b + g / s.centered_root(v, mean);
        [p - F::times(s.rate, b), v, mean, b]
    }
}

impl UpdateRule for RmspropConfig {
    const NAME: &'static str = "rmsprop";

    options!(fraction: alpha; not_negative: epsilon, momentum, weight_decay);

    fn slots(&self) -> &'static [&'static str] {
        match (self.centered, self.momentum != 0.0) {
            (false, false) => &["v"],
            (true, false) => &["v", "mean"],
            (false, true) => &["v", "momentum"],
            (true, true) => &["v", "mean", "momentum"],
        }
    }

    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()> {
        let n = T::from_f64;
        let step = Step {
            rate: n(self.learning_rate),
            decay: n(self.weight_decay),
            mean: RunningMean::new(self.alpha),
            momentum: n(self.momentum),
            epsilon: n(self.epsilon),
        };
        let (decay, others) = (step.decay, [step.rate, step.mean.beta]);
        match (self.centered, self.momentum != 0.0) {
            (false, false) => {
                let [v] = state.slots_mut();
                run(Self::NAME, [p, v], g, &Plain(step), decay, &others)
            }
            (true, false) => {
                let [v, mean] = state.slots_mut();
                run(Self::NAME, [p, v, mean], g, &Centered(step), decay, &others)
            }
            (false, true) => {
                let [v, b] = state.slots_mut();
                run(Self::NAME, [p, v, b], g, &Moving(step), decay, &others)
            }
            (true, true) => {
                let [v, mean, b] = state.slots_mut();
                run(Self::NAME, [p, v, mean, b], g, &CenteredMoving(step), decay, &others)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::follows;

    #[test]
    fn steps_are_pytorchs() {
        let base = RmspropConfig { learning_rate: 0.05, alpha: 0.9, ..RmspropConfig::default() };
        follows(
            Rmsprop::new(0.05),
            6,
            [1.0000000229885049, -0.999999866666702, 0.0],
            [0.8317439985625162, -1.0000019331835541, 0.0],
        );
        follows(
            Rmsprop::with_config(RmspropConfig { momentum: 0.8, centered: true, weight_decay: 0.1, ..base }),
            6,
            [1.3333333357228194, -0.6666666495726513, 0.0],
            [0.3971680319583058, -0.9924892604988108, 0.0],
        );
        follows(
            Rmsprop::with_config(RmspropConfig { centered: true, ..base }),
            6,
            [1.3333333358876116, -0.6666666518518533, 0.0],
            [1.0318105560417732, -0.9953537399368959, 0.0],
        );
        follows(
            Rmsprop::with_config(RmspropConfig { momentum: 0.8, ..base }),
            6,
            [1.3418861192904314, -0.6581138696750868, 0.0],
            [0.4908432827948627, -1.0918458696803603, 0.0],
        );
    }

    #[test]
    fn a_steady_gradient_has_no_variance_and_the_centered_step_is_still_a_number() {
        use crate::optim::Optimizer;
        use wengert_tape::{Param, Tape};
        let config =
            RmspropConfig { alpha: 0.5, centered: true, learning_rate: 1e-9, ..RmspropConfig::default() };
        let mut rmsprop = Rmsprop::with_config(config);
        let mut p = Param::new(Tensor::<f32>::steps(0.1, 0.37, 100));
        let slope = p.value().clone();
        for _ in 0..200 {
            let tape = Tape::new();
            let grads = (tape.param(&p) * &slope).sum().backward().unwrap();
            rmsprop.step(&mut p, &grads).unwrap();
        }
        assert!(!p.value().has_non_finite());
    }
}
