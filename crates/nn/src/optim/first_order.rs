//! [`FirstOrder`]: the common part of all optimisers that step each parameter separately.

use super::options::{argument, not_negative, refused};
use super::refusal::{concerns, owed, some};
use super::saved::{find_count, find_number, find_tensor, join};
use super::{Optimizer, ParamState, UpdateRule, groups};
use crate::module::{Module, UpdatesExt, for_each_param, for_each_param_mut};
use crate::state::{AnyTensor, Dict};
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::Arc;
use wengert_ops::Tensor;
use wengert_tape::profile::{Pass, span, span_of};
use wengert_tape::{BufferUpdate, Error, Float, Grads, Param, ParamId, Result, Updates};

/// An optimiser that steps each parameter separately, by the formula of its options: [`Sgd`](super::Sgd),
/// [`Adam`](super::Adam) and most others.
///
/// **Groups.** [`group`](FirstOrder::group) changes the options for some of the parameters. Its pattern is a path:
/// `encoder` matches everything under it, `*` matches any number of parts, including none, or, within a part, any characters.
/// Every group that matches a parameter changes its options, in the order in which the groups were added.
///
/// **Learning rate.** [`set_learning_rate`](Optimizer::set_learning_rate) scales those of the groups in proportion, so one
/// schedule serves for all.
///
/// ```
/// use wengert_nn::{Linear, Module, Sequential, optim::{Adam, Optimizer, Sgd}};
/// use wengert_ops::random::Rng;
/// let mut rng = Rng::seed(0);
/// let net = Sequential::<f64>::new().push(Linear::new(3, 4, &mut rng)).push(Linear::new(4, 1, &mut rng));
/// let mut adam = Adam::<f64>::adamw(1e-3)
///     .group("0", |c| c.learning_rate *= 0.1)         // a small learning rate for a pretrained layer
///     .group("*.bias", |c| c.weight_decay = 0.0);     // no weight decay for biases
/// adam.set_learning_rate(5e-4);
/// let options = adam.options(&net);
/// assert_eq!(options[0].0, "0.weight");
/// assert_eq!((options[0].1.learning_rate, options[0].1.weight_decay), (5e-5, 0.01));
/// assert_eq!((options[3].1.learning_rate, options[3].1.weight_decay), (5e-4, 0.0));
/// ```
#[derive(Debug, Clone)]
pub struct FirstOrder<C, T: Float> {
    config: C,
    /// η when the optimiser was created; groups see this value.
    initial: f64,
    groups: Vec<Group<C>>,
    /// Whether every group is known to match a parameter.
    checked: bool,
    states: FxHashMap<ParamId, ParamState<T>>,
    /// The changes announced with the last step's gradients, if some were not for the step's model.
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
    /// An optimiser with the given options.
    pub fn with_config(config: C) -> Self {
        let initial = config.learning_rate();
        FirstOrder {
            config,
            initial,
            groups: Vec::new(),
            checked: true,
            states: FxHashMap::default(),
            left: None,
        }
    }

    /// Changes the options for the parameters whose names match the pattern; see [`FirstOrder`].
    ///
    /// If the pattern matches no parameter of the model, the first step returns an error.
    #[doc(alias = "add_param_group")]
    #[must_use]
    pub fn group(mut self, pattern: &str, change: impl Fn(&mut C) + Send + Sync + 'static) -> Self {
        self.groups.push(Group { pattern: pattern.into(), change: Arc::new(change) });
        self.checked = false;
        self
    }

    /// The options of parameters that no group matches.
    pub fn config(&self) -> &C {
        &self.config
    }

    /// The options, to change between steps.
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

    /// The number of steps that a parameter has taken.
    pub fn steps(&self, p: &Param<T>) -> u64 {
        self.states.get(&p.id()).map_or(0, |m| m.steps)
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

    /// Checks that the options are valid and that every group matches a parameter.
    fn check(&mut self, model: &dyn Module) -> Result<()> {
        let possible = |config: &C| {
            let rate = not_negative(C::NAME, "a learning rate", config.learning_rate());
            rate.and_then(|()| config.check()).map_err(refused)
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
            let detail = format!("the group {:?} matches no parameter; {}", group.pattern, some(&names));
            return Err(argument(C::NAME, detail));
        }
        self.checked = true;
        Ok(())
    }
}

impl<C: UpdateRule, T: Float> Optimizer<T> for FirstOrder<C, T> {
    fn step(&mut self, model: &mut dyn Module, grads: &Grads<T>) -> Result<()> {
        let _span = span(Pass::Optimizer);
        self.check(model)?;
        if let Some(owed) = self.left.as_ref().and_then(|left| owed(left, |_| false)) {
            concerns(C::NAME, model, grads)?;
            self.left = None;
            let detail = format!(
                "{owed} came with the gradients of the previous step and were not applied, so another model's running \
                 statistics lack them; after a step, grads.updates().apply(&mut other) applies what is left, and \
                 grads.updates().discard() drops it"
            );
            return Err(argument(C::NAME, detail));
        }
        self.left = None;
        let (mut outcome, mut stepped) = (Ok(()), false);
        for_each_param_mut::<T>(model, &mut |path, p| {
            let (Some(g), true, true) = (grads.gradient(p.id()), p.is_trainable(), outcome.is_ok()) else {
                return;
            };
            stepped = true;
            let _span = span_of(C::NAME, Pass::Optimizer, || module_of(path.as_str()));
            let config = self.of(path.as_str());
            let state = self.states.entry(p.id()).or_insert_with(|| ParamState::new(&config, p.value()));
            state.fit(&config, p.value());
            state.steps += 1;
            if let Err(e) = p.update(|value| config.step(value, g, state)) {
                state.steps -= 1;
                outcome = Err(Error::from(e).inside(Some(path.as_str().to_owned())));
            }
        });
        outcome?;
        if !stepped {
            concerns(C::NAME, model, grads)?;
        }
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
            let state = self.states.get(&p.id());
            let steps = state.map_or(0, |m| m.steps);
            dict.insert(join(name, "steps"), AnyTensor::I64(Tensor::scalar(steps as i64)));
            let Some(state) = state else { return };
            for (slot, t) in state.names.iter().zip(&state.slots) {
                dict.insert(join(name, slot), AnyTensor::of(t));
            }
            if let Some(scalar) = C::SCALAR {
                dict.insert(join(name, scalar), AnyTensor::F64(Tensor::scalar(state.scalar)));
            }
        });
        dict
    }

    fn load_state(&mut self, model: &dyn Module, dict: &Dict) -> Result<()> {
        let mut states = FxHashMap::default();
        let mut outcome = Ok(());
        for_each_param::<T>(model, &mut |path, p| {
            if outcome.is_ok() {
                let config = self.of(path.as_str());
                outcome = remembered(&config, path.as_str(), p, dict).map(|state| {
                    states.extend(state.map(|m| (p.id(), m)));
                });
            }
        });
        outcome?;
        self.states = states;
        Ok(())
    }
}

/// The path of the module that a parameter belongs to.
fn module_of(parameter: &str) -> Option<String> {
    Some(parameter.rsplit_once('.').map_or("", |(module, _)| module).to_owned())
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
