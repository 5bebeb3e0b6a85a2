//! [`Module`]: something with named parameters and buffers.

use crate::optim::groups::covers;
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use wengert_ops::{DType, Element, Tensor};
use wengert_tape::{BufferId, BufferUpdate, Change, Error, ErrorKind, Float, Grads, Param, Result, Updates};

/// Where a walk over a module stands: the names of the parts it went into, joined by dots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModulePath(String);

impl ModulePath {
    /// The path of the module where a walk begins.
    pub fn root() -> Self {
        ModulePath::default()
    }

    /// The names, joined by dots: `encoder.0.weight`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Runs `f` with `name` added to the path.
    pub fn enter<R>(&mut self, name: &str, f: impl FnOnce(&mut ModulePath) -> R) -> R {
        let len = self.push(name);
        let result = f(self);
        self.0.truncate(len);
        result
    }

    /// Adds a name; gives the length without it.
    fn push(&mut self, name: &str) -> usize {
        let len = self.0.len();
        if len > 0 {
            self.0.push('.');
        }
        self.0.push_str(name);
        len
    }
}

/// Non-learned state that belongs to a model and is saved with it, such as running statistics.
///
/// A layer does not write its buffers: it [announces](wengert_tape::Tape::announce) on the tape how they should change,
/// and an optimiser's step, or [`UpdatesExt::apply`], does it. `clone` makes an independent buffer with an identity of
/// its own.
#[derive(Debug)]
pub struct Buffer<T: Element> {
    value: Tensor<T>,
    id: BufferId,
}

impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer::new(self.value.clone())
    }
}

impl<T: Element> Buffer<T> {
    /// A buffer that starts at `value`. Other element types than `f32`, `f64` and `i64` do not compile, since no visitor
    /// would see them.
    pub fn new(value: Tensor<T>) -> Self {
        const { assert!(matches!(T::DTYPE, DType::F32 | DType::F64 | DType::I64), "a buffer is f32, f64 or i64") };
        Buffer { value, id: BufferId::fresh() }
    }

    /// The identity under which changes are announced.
    pub fn id(&self) -> BufferId {
        self.id
    }

    /// The current value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// If the shape differs; the buffer is left as it was.
    pub fn set(&mut self, value: Tensor<T>) -> Result<()> {
        if value.shape() != self.value.shape() {
            let detail = format!("the buffer has shape {}, found {}", self.value.shape(), value.shape());
            return Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), "set", detail));
        }
        self.value = value;
        Ok(())
    }
}

/// Sees the parts of a module, each with its path.
#[doc(alias = "children")]
#[doc(alias = "named_buffers")]
#[doc(alias = "named_modules")]
#[allow(unused_variables, reason = "what a visitor does not care for, it passes over")]
pub trait Visitor {
    /// The parts of a module of this kind follow.
    fn enter(&mut self, path: &ModulePath, kind: &'static str) {}
    /// The parts of the module are done.
    fn leave(&mut self, path: &ModulePath) {}
    /// A parameter.
    fn param_f32(&mut self, path: &ModulePath, p: &Param<f32>) {}
    /// A parameter.
    fn param_f64(&mut self, path: &ModulePath, p: &Param<f64>) {}
    /// A buffer.
    fn buffer_f32(&mut self, path: &ModulePath, b: &Buffer<f32>) {}
    /// A buffer.
    fn buffer_f64(&mut self, path: &ModulePath, b: &Buffer<f64>) {}
    /// A buffer.
    fn buffer_i64(&mut self, path: &ModulePath, b: &Buffer<i64>) {}
}

/// Sees and changes the parts of a module, each with its path.
#[allow(unused_variables, reason = "what a visitor does not care for, it passes over")]
pub trait VisitorMut {
    /// A parameter.
    fn param_f32(&mut self, path: &ModulePath, p: &mut Param<f32>) {}
    /// A parameter.
    fn param_f64(&mut self, path: &ModulePath, p: &mut Param<f64>) {}
    /// A buffer.
    fn buffer_f32(&mut self, path: &ModulePath, b: &mut Buffer<f32>) {}
    /// A buffer.
    fn buffer_f64(&mut self, path: &ModulePath, b: &mut Buffer<f64>) {}
    /// A buffer.
    fn buffer_i64(&mut self, path: &ModulePath, b: &mut Buffer<i64>) {}
}

/// Something with named parameters and buffers; derive it for your structs.
///
/// ```standalone_crate
/// # extern crate wengert_nn as wengert;
/// use wengert::{Linear, Module};
/// use wengert_ops::random::Rng;
///
/// #[derive(Module)]
/// struct Net {
///     fc1: Linear<f32>,
///     fc2: Linear<f32>,
///     width: usize,                 // plain fields hold no parameters
/// }
///
/// # fn main() {
/// let mut rng = Rng::seed(0);
/// let net = Net { fc1: Linear::new(4, 8, &mut rng), fc2: Linear::new(8, 1, &mut rng), width: 8 };
/// assert_eq!(net.num_params(), 4 * 8 + 8 + 8 + 1);
/// assert_eq!(net.param_names(), ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
/// # }
/// ```
pub trait Module {
    /// The name of the type, for tables.
    fn kind(&self) -> &'static str {
        "Module"
    }

    /// Shows every part to a visitor, in a fixed order.
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor);

    /// Lets a visitor change every part, in the same order. Parameters are given their names on the way.
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut);

    /// The number of numbers in all parameters, frozen or not.
    fn num_params(&self) -> usize {
        let mut n = 0;
        walk(self, |_, shape, _| n += shape);
        n
    }

    /// The number of numbers in all parameters that are not frozen.
    fn num_trainable(&self) -> usize {
        let mut n = 0;
        walk(self, |_, shape, trainable| n += if trainable { shape } else { 0 });
        n
    }

    /// The paths of all parameters, in order.
    fn param_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        walk(self, |path, _, _| names.push(path.as_str().to_owned()));
        names
    }

    /// Freezes every parameter: no gradient is computed for it, and optimisers pass it over.
    #[doc(alias = "requires_grad_")]
    fn freeze(&mut self) {
        set_trainable(self, None, false);
    }

    /// Undoes [`freeze`](Module::freeze).
    fn unfreeze(&mut self) {
        set_trainable(self, None, true);
    }

    /// Freezes the parameters whose names a pattern covers, and says how many they are.
    ///
    /// Pattern and names are split at dots. In a part of the pattern `*` stands for any characters; a part that is `*` alone
    /// stands for any number of parts, also none; and what follows a covered beginning is covered too. (The parameter groups
    /// of [optimisers](crate::optim) are chosen by the same patterns.)
    ///
    /// ```
    /// use wengert_nn::{Module, TransformerConfig, Transformer};
    /// use wengert_ops::random::Rng;
    /// let config = TransformerConfig { width: 4, heads: 2, hidden: 8, layers: 2, ..TransformerConfig::default() };
    /// let mut model = Transformer::<f32>::with_config(&config, &mut Rng::seed(0));
    /// model.freeze_matching("encoder")?;
    /// assert_eq!(model.num_trainable(), model.decoder.num_params());
    /// assert_eq!(model.unfreeze_matching("encoder.*.norm*")?, 2 * 4 + 2);    // of two layers, and behind them
    /// assert!(model.freeze_matching("encodr.*").is_err());
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the pattern covers no parameter.
    fn freeze_matching(&mut self, pattern: &str) -> Result<usize> {
        some_trainable(self, "freeze_matching", pattern, false)
    }

    /// Undoes [`freeze_matching`](Module::freeze_matching).
    ///
    /// # Errors
    /// If the pattern covers no parameter.
    fn unfreeze_matching(&mut self, pattern: &str) -> Result<usize> {
        some_trainable(self, "unfreeze_matching", pattern, true)
    }

    /// Tells every parameter its name, so that errors can say where they come from. Optimisers and loading do this too.
    fn named(mut self) -> Self
    where
        Self: Sized,
    {
        struct Nothing;
        impl VisitorMut for Nothing {}
        self.visit_mut(&mut ModulePath::root(), &mut Nothing);
        self
    }
}

/// Calls `f` with path, element count and trainability of every parameter.
fn walk<M: Module + ?Sized>(m: &M, f: impl FnMut(&ModulePath, usize, bool)) {
    struct Each<F>(F);
    impl<F: FnMut(&ModulePath, usize, bool)> Visitor for Each<F> {
        fn param_f32(&mut self, path: &ModulePath, p: &Param<f32>) {
            (self.0)(path, p.numel(), p.is_trainable());
        }
        fn param_f64(&mut self, path: &ModulePath, p: &Param<f64>) {
            (self.0)(path, p.numel(), p.is_trainable());
        }
    }
    m.visit(&mut ModulePath::root(), &mut Each(f));
}

/// Freezes or thaws the parameters that a pattern covers, or all; the number of them.
fn set_trainable<M: Module + ?Sized>(m: &mut M, pattern: Option<&str>, trainable: bool) -> usize {
    struct Set<'p> {
        pattern: Option<&'p str>,
        trainable: bool,
        covered: usize,
    }
    impl Set<'_> {
        fn offer<T: Float>(&mut self, path: &ModulePath, p: &mut Param<T>) {
            if self.pattern.is_none_or(|pattern| covers(pattern, path.as_str())) {
                p.set_trainable(self.trainable);
                self.covered += 1;
            }
        }
    }
    impl VisitorMut for Set<'_> {
        fn param_f32(&mut self, path: &ModulePath, p: &mut Param<f32>) {
            self.offer(path, p);
        }
        fn param_f64(&mut self, path: &ModulePath, p: &mut Param<f64>) {
            self.offer(path, p);
        }
    }
    let mut set = Set { pattern, trainable, covered: 0 };
    m.visit_mut(&mut ModulePath::root(), &mut set);
    set.covered
}

fn some_trainable<M: Module + ?Sized>(
    m: &mut M,
    op: &'static str,
    pattern: &str,
    trainable: bool,
) -> Result<usize> {
    match set_trainable(m, Some(pattern), trainable) {
        0 => {
            let mut names = m.param_names();
            let more =
                if names.len() > 8 { format!(", … ({} in all)", names.len()) } else { String::new() };
            names.truncate(8);
            let detail =
                format!("no parameter is covered by {pattern}; the model has {}{more}", names.join(", "));
            Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), op, detail))
        }
        covered => Ok(covered),
    }
}

/// Calls `f` with every parameter of element type `T`, in order.
#[doc(alias = "named_parameters")]
#[doc(alias = "parameters")]
pub fn for_each_param<T: Float>(m: &dyn Module, f: &mut dyn FnMut(&ModulePath, &Param<T>)) {
    struct Each<'f, T: Float>(&'f mut dyn FnMut(&ModulePath, &Param<T>));
    impl<T: Float> Each<'_, T> {
        fn offer(&mut self, path: &ModulePath, p: &dyn Any) {
            if let Some(p) = p.downcast_ref::<Param<T>>() {
                (self.0)(path, p);
            }
        }
    }
    impl<T: Float> Visitor for Each<'_, T> {
        fn param_f32(&mut self, path: &ModulePath, p: &Param<f32>) {
            self.offer(path, p);
        }
        fn param_f64(&mut self, path: &ModulePath, p: &Param<f64>) {
            self.offer(path, p);
        }
    }
    m.visit(&mut ModulePath::root(), &mut Each(f));
}

/// Calls `f` with every parameter of element type `T`, to be changed, in order.
pub fn for_each_param_mut<T: Float>(m: &mut dyn Module, f: &mut dyn FnMut(&ModulePath, &mut Param<T>)) {
    struct Each<'f, T: Float>(&'f mut dyn FnMut(&ModulePath, &mut Param<T>));
    impl<T: Float> Each<'_, T> {
        fn offer(&mut self, path: &ModulePath, p: &mut dyn Any) {
            if let Some(p) = p.downcast_mut::<Param<T>>() {
                (self.0)(path, p);
            }
        }
    }
    impl<T: Float> VisitorMut for Each<'_, T> {
        fn param_f32(&mut self, path: &ModulePath, p: &mut Param<f32>) {
            self.offer(path, p);
        }
        fn param_f64(&mut self, path: &ModulePath, p: &mut Param<f64>) {
            self.offer(path, p);
        }
    }
    m.visit_mut(&mut ModulePath::root(), &mut Each(f));
}

impl<T: Float> Module for Param<T> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        let p: &dyn Any = self;
        if let Some(p) = p.downcast_ref() {
            visitor.param_f32(path, p);
        } else if let Some(p) = p.downcast_ref() {
            visitor.param_f64(path, p);
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self.set_name(path.as_str());
        let p: &mut dyn Any = self;
        if let Some(p) = p.downcast_mut() {
            visitor.param_f32(path, p);
        } else if let Some(p) = p.downcast_mut() {
            visitor.param_f64(path, p);
        }
    }
}

impl<T: Element> Module for Buffer<T> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        let b: &dyn Any = self;
        if let Some(b) = b.downcast_ref() {
            visitor.buffer_f32(path, b);
        } else if let Some(b) = b.downcast_ref() {
            visitor.buffer_f64(path, b);
        } else if let Some(b) = b.downcast_ref() {
            visitor.buffer_i64(path, b);
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        let b: &mut dyn Any = self;
        if let Some(b) = b.downcast_mut() {
            visitor.buffer_f32(path, b);
        } else if let Some(b) = b.downcast_mut() {
            visitor.buffer_f64(path, b);
        } else if let Some(b) = b.downcast_mut() {
            visitor.buffer_i64(path, b);
        }
    }
}

macro_rules! no_parts {
    ($($t:ty)*) => {$(
        impl Module for $t {
            fn visit(&self, _: &mut ModulePath, _: &mut dyn Visitor) {}
            fn visit_mut(&mut self, _: &mut ModulePath, _: &mut dyn VisitorMut) {}
        }
    )*};
}
no_parts!(() bool char u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64 String &'static str);

impl<T: ?Sized> Module for PhantomData<T> {
    fn visit(&self, _: &mut ModulePath, _: &mut dyn Visitor) {}
    fn visit_mut(&mut self, _: &mut ModulePath, _: &mut dyn VisitorMut) {}
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn kind(&self) -> &'static str {
        (**self).kind()
    }
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        (**self).visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        (**self).visit_mut(path, visitor);
    }
}

/// The parts are named by their positions.
impl<M: Module> Module for [M] {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        for (i, m) in self.iter().enumerate() {
            path.enter(&i.to_string(), |path| m.visit(path, visitor));
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        for (i, m) in self.iter_mut().enumerate() {
            path.enter(&i.to_string(), |path| m.visit_mut(path, visitor));
        }
    }
}

impl<M: Module> Module for Vec<M> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        self[..].visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self[..].visit_mut(path, visitor);
    }
}

impl<M: Module, const N: usize> Module for [M; N] {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        self[..].visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self[..].visit_mut(path, visitor);
    }
}

impl<M: Module> Module for Option<M> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        if let Some(m) = self {
            m.visit(path, visitor);
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        if let Some(m) = self {
            m.visit_mut(path, visitor);
        }
    }
}

/// What a set of gradients says about a model.
pub trait GradsExt<T: Float> {
    /// The names of trainable parameters that got no gradient: the output does not depend on them.
    fn unused(&self, model: &dyn Module) -> Vec<String>;
}

impl<T: Float> GradsExt<T> for Grads<T> {
    fn unused(&self, model: &dyn Module) -> Vec<String> {
        let mut names = Vec::new();
        for_each_param::<T>(model, &mut |path, p| {
            if p.is_trainable() && self.get(p.id()).is_none() {
                names.push(path.as_str().to_owned());
            }
        });
        names
    }
}

/// Carrying out what layers announced about their buffers.
pub trait UpdatesExt<T: Float> {
    /// Changes the buffers of a model as announced, each announcement once, however often it is offered; those for buffers of
    /// other models stay as they are. Optimisers do this in their step; without one, to settle running statistics for instance,
    /// or for a second model that had a part in the loss, use it directly:
    ///
    /// ```
    /// use wengert_nn::{BatchNorm, Layer, UpdatesExt};
    /// use wengert_ops::Tensor;
    /// let mut layer = BatchNorm::<f64>::new(1);
    /// let tape = wengert_tape::Tape::train(0);
    /// let _ = layer.forward(tape.constant(Tensor::from([[1.0], [3.0]])));
    /// tape.updates().apply(&mut layer)?;
    /// tape.updates().apply(&mut layer)?;                               // nothing is left to do
    /// assert_eq!(layer.running_mean.unwrap().value().item()?, 0.2);    // 0.9 · 0 + 0.1 · 2
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an announced value does not have its buffer's shape. The other changes are carried out.
    fn apply(&self, model: &mut dyn Module) -> Result<()>;
}

/// The identities of all buffers of a model.
pub(crate) fn buffers_of(model: &dyn Module) -> HashSet<BufferId> {
    struct Each(HashSet<BufferId>);
    impl Visitor for Each {
        fn buffer_f32(&mut self, _: &ModulePath, b: &Buffer<f32>) {
            self.0.insert(b.id);
        }
        fn buffer_f64(&mut self, _: &ModulePath, b: &Buffer<f64>) {
            self.0.insert(b.id);
        }
        fn buffer_i64(&mut self, _: &ModulePath, b: &Buffer<i64>) {
            self.0.insert(b.id);
        }
    }
    let mut each = Each(HashSet::new());
    model.visit(&mut ModulePath::root(), &mut each);
    each.0
}

impl<T: Float> UpdatesExt<T> for Updates<T> {
    fn apply(&self, model: &mut dyn Module) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut of: HashMap<BufferId, Vec<usize>> = HashMap::new();
        for (i, u) in self.iter().enumerate() {
            of.entry(u.id()).or_default().push(i);
        }
        let mut visitor = Apply { all: self.iter().collect(), of, outcome: Ok(()) };
        model.visit_mut(&mut ModulePath::root(), &mut visitor);
        visitor.outcome
    }
}

struct Apply<'u, T: Float> {
    all: Vec<&'u BufferUpdate<T>>,
    of: HashMap<BufferId, Vec<usize>>,
    outcome: Result<()>,
}

impl<T: Float> Apply<'_, T> {
    fn offer(&mut self, path: &ModulePath, id: BufferId, b: &mut dyn Any) {
        for &i in self.of.get(&id).into_iter().flatten() {
            let done = match self.all[i].take() {
                None => Ok(()),
                Some(Change::Towards { value, rate }) => match b.downcast_mut::<Buffer<T>>() {
                    Some(b) => moved(&b.value, value, *rate).and_then(|v| b.set(v)),
                    None => Err(misfit("a value")),
                },
                Some(Change::Count(n)) => match b.downcast_mut::<Buffer<i64>>() {
                    Some(b) => {
                        b.value = b.value.map(|v| v.saturating_add(*n));
                        Ok(())
                    }
                    None => Err(misfit("a count")),
                },
            };
            if self.outcome.is_ok() {
                self.outcome = done.map_err(|e| e.inside(Some(path.as_str().to_owned())));
            }
        }
    }
}

/// (1 - rate) b + rate · value; what has no share has no influence, though it be infinite.
fn moved<T: Float>(b: &Tensor<T>, value: &Tensor<T>, rate: f64) -> Result<Tensor<T>> {
    if b.shape() == value.shape() && (rate == 0.0 || rate == 1.0) {
        return Ok(if rate == 0.0 { b.clone() } else { value.clone() });
    }
    Ok(b.scale(1.0 - rate).add(value.scale(rate))?)
}

fn misfit(what: &str) -> Error {
    let detail = format!("{what} was announced for a buffer of another element type");
    Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), "apply", detail)
}

impl<T: Float> VisitorMut for Apply<'_, T> {
    fn buffer_f32(&mut self, path: &ModulePath, b: &mut Buffer<f32>) {
        self.offer(path, b.id, b);
    }
    fn buffer_f64(&mut self, path: &ModulePath, b: &mut Buffer<f64>) {
        self.offer(path, b.id, b);
    }
    fn buffer_i64(&mut self, path: &ModulePath, b: &mut Buffer<i64>) {
        self.offer(path, b.id, b);
    }
}
