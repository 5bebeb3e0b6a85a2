//! [`FirstOrder`]: what all optimisers that step each parameter by itself have in common.

use super::{Optimizer, groups};
use crate::module::{Module, UpdatesExt, buffers_of, for_each_param, for_each_param_mut};
use crate::state::{AnyTensor, Dict};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use wengert_ops::Tensor;
use wengert_tape::{
    BufferId, BufferUpdate, Change, Error, ErrorKind, Float, Grads, Param, ParamId, Result, Updates,
};

/// The formula of an optimiser, implemented by its options: how one parameter steps, given its gradient and what is
/// remembered of it.
///
/// An optimiser of one's own is a struct of options and this trait; [`FirstOrder`] adds the walk over the model,
/// parameter groups, the learning rate, and saved states.
///
/// ```
/// use wengert_nn::optim::{FirstOrder, ParamState, UpdateRule, Optimizer};
/// use wengert_ops::{Tensor, kernel::update::{Update, update}};
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
///     fn step<T: Float>(&self, p: &mut Tensor<T>, g: &Tensor<T>, _: &mut ParamState<T>) -> wengert_ops::Result<()> {
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
    /// The name, for messages.
    const NAME: &'static str;

    /// The name of the number that [`ParamState::scalar`] holds, if it holds one.
    const SCALAR: Option<&'static str> = None;

    /// The learning rate η.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate.
    fn set_learning_rate(&mut self, rate: f64);

    /// The names of the tensors, of the parameter's shape, that are remembered with these options.
    fn slots(&self) -> &'static [&'static str] {
        &[]
    }

    /// What the elements of the slots, and the scalar, are before the first step.
    fn start(&self) -> f64 {
        0.0
    }

    /// Which option is impossible, if one is.
    ///
    /// # Errors
    /// What was expected and found.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// One step. `memory.steps` counts this one, so the first step of a parameter has 1.
    ///
    /// # Errors
    /// If the shapes differ; nothing is changed then.
    fn step<T: Float>(
        &self,
        p: &mut Tensor<T>,
        g: &Tensor<T>,
        memory: &mut ParamState<T>,
    ) -> wengert_ops::Result<()>;
}

/// What an optimiser remembers of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamState<T: Float> {
    /// The number of steps that the parameter has taken: those in which it had a gradient.
    pub steps: u64,
    /// The tensors, in the order of [`UpdateRule::slots`].
    pub slots: Vec<Tensor<T>>,
    /// A number, for a method that needs one.
    pub scalar: f64,
    names: &'static [&'static str],
}

impl<T: Float> ParamState<T> {
    fn new<C: UpdateRule>(config: &C, p: &Tensor<T>) -> Self {
        let names = config.slots();
        let start = T::from_f64(config.start());
        let slots = names.iter().map(|_| Tensor::full_like(p, start)).collect();
        ParamState { steps: 0, slots, scalar: config.start(), names }
    }

    /// After a change of options, the slots that are new begin at their start.
    fn fit<C: UpdateRule>(&mut self, config: &C, p: &Tensor<T>) {
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

    /// The slots by themselves, for `update`.
    ///
    /// # Panics
    /// If there are not N, which [`FirstOrder`] sees to.
    pub fn slots_mut<const N: usize>(&mut self) -> &mut [Tensor<T>; N] {
        let found = self.slots.len();
        let slots = <&mut [Tensor<T>; N]>::try_from(&mut self.slots[..]);
        slots.unwrap_or_else(|_| panic!("the method asks for {N} slots of {found}"))
    }
}

/// An optimiser that steps each parameter by itself, by the formula of its options: [`Sgd`](super::Sgd),
/// [`Adam`](super::Adam) and most others are this.
///
/// **Groups.** Options for some of the parameters are changed by [`group`](FirstOrder::group), whose pattern is a path:
/// `encoder` covers all that is under it, `*` stands for any parts, also none, or, within a part, for any characters.
/// Every group that covers a parameter changes its options, in the order in which they were given.
///
/// **Learning rate.** [`set_learning_rate`](Optimizer::set_learning_rate) moves those of the groups in proportion, so that
/// a schedule is one for all.
///
/// ```
/// use wengert_nn::{Linear, Module, Sequential, optim::{Adam, Optimizer, Sgd}};
/// use wengert_ops::random::Rng;
/// let mut rng = Rng::seed(0);
/// let net = Sequential::<f64>::new().push(Linear::new(3, 4, &mut rng)).push(Linear::new(4, 1, &mut rng));
/// let mut adam = Adam::<f64>::adamw(1e-3)
///     .group("0", |c| c.learning_rate *= 0.1)         // a pretrained layer moves slowly
///     .group("*.bias", |c| c.weight_decay = 0.0);     // biases do not decay
/// adam.set_learning_rate(5e-4);
/// let options = adam.options(&net);
/// assert_eq!(options[0].0, "0.weight");
/// assert_eq!((options[0].1.learning_rate, options[0].1.weight_decay), (5e-5, 0.01));
/// assert_eq!((options[3].1.learning_rate, options[3].1.weight_decay), (5e-4, 0.0));
/// ```
#[derive(Debug, Clone)]
pub struct FirstOrder<C, T: Float> {
    config: C,
    /// η as the optimiser was made, which groups see.
    initial: f64,
    groups: Vec<Group<C>>,
    /// Whether every group was seen to cover a parameter.
    checked: bool,
    memories: HashMap<ParamId, ParamState<T>>,
    /// What the last step's gradients announced, if it was not all for its model.
    left: Option<Updates<T>>,
}

#[derive(Clone)]
struct Group<C> {
    pattern: Arc<str>,
    change: Arc<dyn Fn(&mut C) + Send + Sync>,
}

impl<C> fmt::Debug for Group<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(&self.pattern).finish_non_exhaustive()
    }
}

impl<C: UpdateRule, T: Float> FirstOrder<C, T> {
    /// With options.
    pub fn with_config(config: C) -> Self {
        let initial = config.learning_rate();
        FirstOrder {
            config,
            initial,
            groups: Vec::new(),
            checked: true,
            memories: HashMap::new(),
            left: None,
        }
    }

    /// Other options for the parameters whose names the pattern covers; see [`FirstOrder`].
    ///
    /// A pattern that covers no parameter of the model is an error of the first step.
    #[doc(alias = "add_param_group")]
    #[must_use]
    pub fn group(mut self, pattern: &str, change: impl Fn(&mut C) + Send + Sync + 'static) -> Self {
        self.groups.push(Group { pattern: pattern.into(), change: Arc::new(change) });
        self.checked = false;
        self
    }

    /// The options of parameters that no group covers.
    pub fn config(&self) -> &C {
        &self.config
    }

    /// The options, to be changed between steps.
    pub fn config_mut(&mut self) -> &mut C {
        &mut self.config
    }

    /// The options of every parameter of a model, by name, in the model's order.
    #[doc(alias = "param_groups")]
    pub fn options(&self, model: &dyn Module) -> Vec<(String, C)> {
        let mut all = Vec::new();
        for_each_param::<T>(model, &mut |path, _| {
            all.push((path.as_str().to_owned(), self.of(path.as_str())));
        });
        all
    }

    /// How many steps a parameter has taken.
    pub fn steps(&self, p: &Param<T>) -> u64 {
        self.memories.get(&p.id()).map_or(0, |m| m.steps)
    }

    /// The options of one parameter.
    fn of(&self, name: &str) -> C {
        let mut config = self.config.clone();
        if self.groups.is_empty() {
            return config;
        }
        let rate = config.learning_rate();
        config.set_learning_rate(self.initial);
        for group in self.groups.iter().filter(|g| groups::covers(&g.pattern, name)) {
            (group.change)(&mut config);
        }
        let own = config.learning_rate();
        let scaled = match (own == self.initial, rate == self.initial) {
            (true, _) => rate,
            (_, true) => own,
            _ => rate * (own / self.initial),
        };
        config.set_learning_rate(scaled);
        config
    }

    /// Whether the options are possible and every group covers something.
    fn check(&mut self, model: &dyn Module) -> Result<()> {
        let possible = |config: &C| {
            let rate = config.learning_rate();
            if !(rate >= 0.0 && rate.is_finite()) {
                return Err(argument(
                    C::NAME,
                    format!("expected a learning rate of at least 0, found {rate}"),
                ));
            }
            config.check().map_err(|detail| argument(C::NAME, detail))
        };
        if self.groups.is_empty() {
            return possible(&self.config);
        }
        let options = self.options(model);
        options.iter().try_for_each(|(_, config)| possible(config))?;
        if let Some(group) =
            self.groups.iter().find(|g| !options.iter().any(|(n, _)| groups::covers(&g.pattern, n)))
            && !self.checked
        {
            let names: Vec<&str> = options.iter().map(|(n, _)| n.as_str()).collect();
            let detail = format!("the group {:?} covers no parameter; {}", group.pattern, some(&names));
            return Err(argument(C::NAME, detail));
        }
        self.checked = true;
        Ok(())
    }
}

/// Whether a step with these gradients moves anything of the model.
pub(super) fn concerns<T: Float>(op: &'static str, model: &dyn Module, grads: &Grads<T>) -> Result<()> {
    let (mut own, mut trainable, mut hit) = (Vec::new(), 0, false);
    for_each_param::<T>(model, &mut |path, p| {
        trainable += usize::from(p.is_trainable());
        hit |= p.is_trainable() && grads.get(p.id()).is_some();
        // What is only said in an error is only collected for the first few.
        let name = if own.len() < LISTED { described(path.as_str(), p.shape()) } else { String::new() };
        own.push(name);
    });
    if hit {
        return Ok(());
    }
    let buffers = buffers_of(model);
    if trainable == 0 && grads.updates().iter().any(|u| buffers.contains(&u.id())) {
        return Ok(());
    }
    let model_has = listed(own.iter().map(String::as_str), own.len());
    let detail = match (own.len(), trainable, grads.len()) {
        (0, ..) => format!("the model has no parameter of {}, so there is nothing to step", T::DTYPE),
        (_, 0, _) => {
            format!("every parameter of the model is frozen ({model_has}); unfreeze() lets them move")
        }
        (_, _, 0) => format!(
            "there is no gradient of any parameter: the loss depends on none (was it detached, or made of values?); the \
             model has {model_has}"
        ),
        (_, _, n) => {
            let of =
                grads.iter().map(|(_, name, g)| described(name.unwrap_or("an unnamed parameter"), g.shape()));
            let of: Vec<String> = of.take(LISTED).collect();
            format!(
                "the gradients are of {}, none of which is a trainable parameter of this model; it has {model_has} (a \
                 clone's parameters are its own: differentiate the model that is to be stepped)",
                listed(of.iter().map(String::as_str), n)
            )
        }
    };
    Err(Error::new(ErrorKind::Unreached, op, detail))
}

/// How many names a message has at most.
const LISTED: usize = 8;

fn described(name: &str, shape: &[usize]) -> String {
    let name = if name.is_empty() { "a parameter" } else { name };
    format!("{name} {shape:?}")
}

/// The first few of `n` things.
fn listed<'n>(names: impl Iterator<Item = &'n str>, n: usize) -> String {
    let first: Vec<&str> = names.take(LISTED).collect();
    let more = if n > LISTED { format!(", … ({n} in all)") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// What is missed of announced changes, in words, but for those of some buffers.
pub(super) fn owed<T: Float>(updates: &Updates<T>, own: impl Fn(BufferId) -> bool) -> Option<String> {
    let owed = updates.iter().filter(|u| u.is_owed() && !own(u.id()));
    let owed = owed.map(|u| match u.change() {
        Change::Towards { value, .. } => format!("{} {}", T::DTYPE, value.shape()),
        Change::Count(_) => "a count".to_owned(),
    });
    let owed: Vec<String> = owed.collect();
    let changes = if owed.len() == 1 { "change" } else { "changes" };
    let which = listed(owed.iter().map(String::as_str), owed.len());
    (!owed.is_empty()).then(|| {
        format!("{} announced {changes} of buffers that are not of this model ({which})", owed.len())
    })
}

/// The first few names.
fn some(names: &[&str]) -> String {
    match names.len() {
        0 => "the model has none of this element type".to_owned(),
        n if n > 8 => format!("the model has {}, … ({n} in all)", names[..8].join(", ")),
        _ => format!("the model has {}", names.join(", ")),
    }
}

pub(super) fn argument(op: &'static str, detail: String) -> Error {
    Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), op, detail)
}

impl<C: UpdateRule, T: Float> Optimizer<T> for FirstOrder<C, T> {
    fn step(&mut self, model: &mut dyn Module, grads: &Grads<T>) -> Result<()> {
        self.check(model)?;
        concerns(C::NAME, model, grads)?;
        if let Some(owed) = self.left.take().and_then(|left| owed(&left, |_| false)) {
            let detail = format!(
                "{owed} came with the gradients of the step before, and nobody has carried them out, so that another model's \
                 running statistics miss them; after a step, grads.updates().apply(&mut other) carries out what is left, and \
                 grads.updates().discard() gives it up"
            );
            return Err(argument(C::NAME, detail));
        }
        let mut outcome = Ok(());
        for_each_param_mut::<T>(model, &mut |path, p| {
            let (Some(g), true, true) = (grads.get(p.id()), p.is_trainable(), outcome.is_ok()) else {
                return;
            };
            let config = self.of(path.as_str());
            let memory = self.memories.entry(p.id()).or_insert_with(|| ParamState::new(&config, p.value()));
            memory.fit(&config, p.value());
            memory.steps += 1;
            if let Err(e) = p.update(|value| config.step(value, g, memory)) {
                memory.steps -= 1;
                outcome = Err(Error::from(e).inside(Some(path.as_str().to_owned())));
            }
        });
        outcome?;
        grads.updates().apply(model)?;
        self.left = grads.updates().iter().any(BufferUpdate::is_owed).then(|| grads.updates().clone());
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.config.set_learning_rate(rate);
    }

    fn state(&self, model: &dyn Module) -> Dict {
        let mut dict = Dict::new();
        for_each_param::<T>(model, &mut |path, p| {
            let name = path.as_str();
            let memory = self.memories.get(&p.id());
            let steps = memory.map_or(0, |m| m.steps);
            dict.insert(join(name, "steps"), AnyTensor::I64(Tensor::scalar(steps as i64)));
            let Some(memory) = memory else { return };
            for (slot, t) in memory.names.iter().zip(&memory.slots) {
                dict.insert(join(name, slot), AnyTensor::of(t));
            }
            if let Some(scalar) = C::SCALAR {
                dict.insert(join(name, scalar), AnyTensor::F64(Tensor::scalar(memory.scalar)));
            }
        });
        dict
    }

    fn load_state(&mut self, model: &dyn Module, dict: &Dict) -> Result<()> {
        let mut memories = HashMap::new();
        let mut outcome = Ok(());
        for_each_param::<T>(model, &mut |path, p| {
            if outcome.is_ok() {
                let config = self.of(path.as_str());
                outcome = remembered(&config, path.as_str(), p, dict).map(|memory| {
                    memories.extend(memory.map(|m| (p.id(), m)));
                });
            }
        });
        outcome?;
        self.memories = memories;
        Ok(())
    }
}

/// The key of something remembered of a parameter; that of a model that is a single parameter has no name before it.
pub(super) fn join(name: &str, slot: &str) -> String {
    if name.is_empty() { slot.to_owned() } else { format!("{name}.{slot}") }
}

/// What a dict holds under a name.
pub(super) fn find<'d>(op: &'static str, dict: &'d Dict, key: &str) -> Result<&'d AnyTensor> {
    dict.get(key).ok_or_else(|| argument(op, format!("the state has no tensor {key}")))
}

pub(super) fn find_tensor<T: Float>(
    op: &'static str,
    dict: &Dict,
    key: &str,
    like: &Tensor<T>,
) -> Result<Tensor<T>> {
    let found = find(op, dict, key)?;
    let t = found.to_float::<T>().ok_or_else(|| {
        argument(op, format!("{key}: expected elements of {:?}, found {:?}", like.dtype(), found.dtype()))
    })?;
    if t.shape() != like.shape() {
        let detail = format!("{key}: the parameter has shape {}, the state {}", like.shape(), t.shape());
        return Err(argument(op, detail));
    }
    Ok(t)
}

pub(super) fn find_count(op: &'static str, dict: &Dict, key: &str) -> Result<u64> {
    match find(op, dict, key)? {
        AnyTensor::I64(t) if t.numel() == 1 && t.item()? >= 0 => Ok(t.item()? as u64),
        other => Err(argument(op, format!("{key}: expected one count, found {other:?}"))),
    }
}

pub(super) fn find_number(op: &'static str, dict: &Dict, key: &str) -> Result<f64> {
    match find(op, dict, key)? {
        AnyTensor::F64(t) if t.numel() == 1 => Ok(t.item()?),
        other => Err(argument(op, format!("{key}: expected one f64, found {other:?}"))),
    }
}

fn remembered<C: UpdateRule, T: Float>(
    config: &C,
    name: &str,
    p: &Param<T>,
    dict: &Dict,
) -> Result<Option<ParamState<T>>> {
    let steps = find_count(C::NAME, dict, &join(name, "steps"))?;
    if steps == 0 {
        return Ok(None);
    }
    let names = config.slots();
    let slots = names.iter().map(|slot| find_tensor(C::NAME, dict, &join(name, slot), p.value()));
    let slots = slots.collect::<Result<_>>()?;
    let scalar = match C::SCALAR {
        Some(scalar) => find_number(C::NAME, dict, &join(name, scalar))?,
        None => config.start(),
    };
    Ok(Some(ParamState { steps, slots, scalar, names }))
}

/// `Ok` if `value` lies in [0, 1).
pub(super) fn fraction(name: &str, value: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(format!("expected {name} in [0, 1), found {value}"))
    }
}

/// `Ok` if `value` is at least 0, and finite.
pub(super) fn not_negative(name: &str, value: f64) -> Result<(), String> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(format!("expected {name} of at least 0, found {value}"))
    }
}
