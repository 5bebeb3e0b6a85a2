//! [`UpdateRule`]: the formula of an optimiser.

use std::fmt;
use wengert_ops::kernel::update::Gradient;
use wengert_ops::{Result, Tensor};
use wengert_tape::Float;

/// The formula of an optimiser, implemented by its options: how one parameter steps, given its gradient and the state of the
/// parameter.
///
/// Your own optimiser is a struct of options with this trait; [`FirstOrder`](super::FirstOrder) adds the walk over the model,
/// parameter groups, the learning rate, and saved states.
///
/// ```
/// use wengert_nn::optim::{FirstOrder, ParamState, UpdateRule, Optimizer};
/// use wengert_ops::{Tensor, kernel::update::{Gradient, Update, update}};
/// use wengert_tape::{Float, Param, Tape};
///
/// /// φ ← φ - η sign g (Riedmiller and Braun 1993, without its adaptation).
/// #[derive(Debug, Clone)]
/// struct SignDescent { learning_rate: f64 }
///
/// struct Step<T>(T);
/// impl<T: Float> Update<1, T> for Step<T> {
///     fn call(&self, [p]: [T; 1], g: T) -> [T; 1] {
///         [if g > T::ZERO { p - self.0 } else if g < T::ZERO { p + self.0 } else { p }]
///     }
/// }
///
/// impl UpdateRule for SignDescent {
///     const NAME: &'static str = "sign_descent";
///     fn learning_rate(&self) -> f64 { self.learning_rate }
///     fn set_learning_rate(&mut self, rate: f64) { self.learning_rate = rate; }
///     fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, _: &mut ParamState<T>) -> wengert_ops::Result<()> {
///         update(Self::NAME, [p], g, &Step(T::from_f64(self.learning_rate)))
///     }
/// }
///
/// let mut p = Param::new(Tensor::from([4.0f64, -3.0]));
/// let mut optimizer = FirstOrder::with_config(SignDescent { learning_rate: 0.5 });
/// let grads = Tape::new().param(&p).square().sum().backward()?;
/// optimizer.step(&mut p, &grads)?;
/// assert_eq!(p.value().to_vec(), [3.5, -2.5]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "functional")]
pub trait UpdateRule: Clone + fmt::Debug + Send + Sync + 'static {
    /// The optimiser's name, for messages.
    const NAME: &'static str;

    /// The name of the number in [`ParamState::scalar`], if it is used.
    const SCALAR: Option<&'static str> = None;

    /// The learning rate η.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate.
    fn set_learning_rate(&mut self, rate: f64);

    /// The names of the state's tensors with these options. Each has the parameter's shape.
    fn slots(&self) -> &'static [&'static str] {
        &[]
    }

    /// The initial value of the slots' elements and of the scalar.
    fn start(&self) -> f64 {
        0.0
    }

    /// Checks that the options are valid.
    ///
    /// # Errors
    /// If an option is invalid; the error says what was expected and found. [`FirstOrder`](super::FirstOrder) checks the
    /// learning rate.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// One step with the gradient `g`, which is a tensor times a factor. `state.steps` includes this one, so it is 1 in the first step of a parameter.
    ///
    /// # Errors
    /// If the shapes differ; nothing is changed then.
    fn step<T: Float>(&self, p: &mut Tensor<T>, g: Gradient<'_, T>, state: &mut ParamState<T>) -> Result<()>;
}

/// The state that an optimiser keeps for one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamState<T: Float> {
    /// The number of steps that the parameter has taken: those in which it had a gradient.
    pub steps: u64,
    /// The tensors, each of the parameter's shape, in the order of [`UpdateRule::slots`].
    pub slots: Vec<Tensor<T>>,
    /// A number, for a method that needs one; see [`UpdateRule::SCALAR`].
    pub scalar: f64,
    pub(super) names: &'static [&'static str],
}

impl<T: Float> ParamState<T> {
    pub(super) fn new<C: UpdateRule>(config: &C, p: &Tensor<T>) -> Self {
        let names = config.slots();
        let start = T::from_f64(config.start());
        let slots = names.iter().map(|_| Tensor::full_like(p, start)).collect();
        ParamState { steps: 0, slots, scalar: config.start(), names }
    }

    /// Adds the slots that the options require after a change, each with the initial value.
    pub(super) fn fit<C: UpdateRule>(&mut self, config: &C, p: &Tensor<T>) {
        if self.names != config.slots() {
            let mut fresh = ParamState::new(config, p);
            for (name, slot) in fresh.names.iter().zip(&mut fresh.slots) {
                if let Some(old) = self.names.iter().position(|n| n == name) {
                    *slot = self.slots[old].clone();
                }
            }
            (self.names, self.slots) = (fresh.names, fresh.slots);
        }
    }

    /// The slots as an array, for `update`.
    ///
    /// # Panics
    /// If the number of slots is not N; [`FirstOrder`](super::FirstOrder) makes sure that it is.
    pub fn slots_mut<const N: usize>(&mut self) -> &mut [Tensor<T>; N] {
        let found = self.slots.len();
        let slots = <&mut [Tensor<T>; N]>::try_from(&mut self.slots[..]);
        slots.unwrap_or_else(|_| panic!("the method asks for {N} slots of {found}"))
    }
}
