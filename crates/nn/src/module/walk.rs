//! [`Visitor`] and [`VisitorMut`]: they receive the parameters and buffers of a module, each with its path.

use super::{Leaf, LeafMut, Module};
use std::collections::HashSet;
use std::fmt::Write;
use wengert_tape::{BufferId, Float, Param};

/// The position of a walk over a module: the names of the parts that it has entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModulePath(String);

impl ModulePath {
    /// The path at which a walk begins: no names.
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

    /// Runs `f` with the position in a list added to the path, as its name.
    ///
    /// ```
    /// let path = |i| wengert_nn::ModulePath::root().enter_index(i, |p| p.enter("weight", |p| p.as_str().to_owned()));
    /// assert_eq!(path(12), "12.weight");
    /// ```
    pub fn enter_index<R>(&mut self, i: usize, f: impl FnOnce(&mut ModulePath) -> R) -> R {
        let len = self.push("");
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "{i}");
        let result = f(self);
        self.0.truncate(len);
        result
    }

    /// Adds a name; returns the length of the path without it.
    fn push(&mut self, name: &str) -> usize {
        let len = self.0.len();
        if len > 0 {
            self.0.push('.');
        }
        self.0.push_str(name);
        len
    }
}

/// Receives the parameters and buffers of a module, each with its path, and the modules that contain them.
///
/// ```
/// use wengert_nn::{BatchNorm, Leaf, Module, ModulePath, Visitor};
///
/// #[derive(Default)]
/// struct Buffers(Vec<String>);
/// impl Visitor for Buffers {
///     fn leaf(&mut self, path: &ModulePath, leaf: Leaf<'_>) {
///         if !leaf.is_param() {
///             self.0.push(format!("{}: {} {}", path.as_str(), leaf.dtype(), leaf.shape()));
///         }
///     }
/// }
///
/// let mut buffers = Buffers::default();
/// BatchNorm::<f32>::new(3).visit(&mut ModulePath::root(), &mut buffers);
/// assert_eq!(buffers.0, ["running_mean: f32 [3]", "running_var: f32 [3]", "num_batches_tracked: i64 []"]);
/// ```
#[doc(alias = "children")]
#[doc(alias = "named_buffers")]
#[doc(alias = "named_modules")]
#[allow(unused_variables, reason = "the default methods ignore what they receive")]
pub trait Visitor {
    /// Called before the parts of a module of type `kind`.
    fn enter(&mut self, path: &ModulePath, kind: &'static str) {}
    /// Called after the parts of the module at `path`.
    fn leave(&mut self, path: &ModulePath) {}
    /// Called for each parameter and buffer.
    fn leaf(&mut self, path: &ModulePath, leaf: Leaf<'_>);
}

/// Receives the parameters and buffers of a module to change them, each with its path. See [`LeafMut`] for an example.
pub trait VisitorMut {
    /// Called for each parameter and buffer.
    fn leaf(&mut self, path: &ModulePath, leaf: LeafMut<'_>);
}

/// Calls `f` with every parameter and buffer, in order. See [`Leaf`] for an example.
#[doc(alias = "named_buffers")]
pub fn for_each_leaf(m: &(impl Module + ?Sized), f: impl FnMut(&ModulePath, Leaf<'_>)) {
    struct Each<F>(F);
    impl<F: FnMut(&ModulePath, Leaf<'_>)> Visitor for Each<F> {
        fn leaf(&mut self, path: &ModulePath, leaf: Leaf<'_>) {
            (self.0)(path, leaf);
        }
    }
    m.visit(&mut ModulePath::root(), &mut Each(f));
}

/// Calls `f` with every parameter and buffer, mutably, in order. See [`LeafMut`] for an example.
pub fn for_each_leaf_mut(m: &mut (impl Module + ?Sized), f: impl FnMut(&ModulePath, LeafMut<'_>)) {
    struct Each<F>(F);
    impl<F: FnMut(&ModulePath, LeafMut<'_>)> VisitorMut for Each<F> {
        fn leaf(&mut self, path: &ModulePath, leaf: LeafMut<'_>) {
            (self.0)(path, leaf);
        }
    }
    m.visit_mut(&mut ModulePath::root(), &mut Each(f));
}

/// Calls `f` with every parameter of element type `T`, in order.
#[doc(alias = "named_parameters")]
#[doc(alias = "parameters")]
pub fn for_each_param<T: Float>(m: &dyn Module, f: &mut dyn FnMut(&ModulePath, &Param<T>)) {
    for_each_leaf(m, |path, leaf| {
        if let Some(p) = leaf.param() {
            f(path, p);
        }
    });
}

/// Calls `f` with every parameter of element type `T`, mutably, in order.
pub fn for_each_param_mut<T: Float>(m: &mut dyn Module, f: &mut dyn FnMut(&ModulePath, &mut Param<T>)) {
    for_each_leaf_mut(m, |path, mut leaf| {
        if let Some(p) = leaf.param_mut() {
            f(path, p);
        }
    });
}

/// The identities of all buffers of a model.
pub(crate) fn buffers_of(model: &dyn Module) -> HashSet<BufferId> {
    let mut ids = HashSet::new();
    for_each_leaf(model, |_, leaf| ids.extend(leaf.buffer_id()));
    ids
}
