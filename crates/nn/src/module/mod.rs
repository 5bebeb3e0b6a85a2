//! [`Module`]: something with named parameters and buffers.

mod buffer;
mod leaf;
mod parts;
mod updates;
mod walk;

pub use buffer::Buffer;
pub use leaf::{Leaf, LeafMut};
pub use updates::UpdatesExt;
pub(crate) use walk::buffers_of;
pub use walk::{
    ModulePath, Visitor, VisitorMut, for_each_leaf, for_each_leaf_mut, for_each_param, for_each_param_mut,
};

use crate::optim::groups::covers;
use wengert_tape::{Error, ErrorKind, Float, Grads, Result};

/// Something with named parameters and buffers; derive it for your own structs.
///
/// ```
/// use wengert_nn::{Linear, Module};
/// use wengert_ops::random::Rng;
///
/// #[derive(Module)]
/// #[module(crate = "wengert_nn")]   // not needed where the crate `wengert` is used
/// struct Net {
///     fc1: Linear<f32>,
///     fc2: Linear<f32>,
///     width: usize,                 // plain fields hold no parameters
/// }
///
/// let mut rng = Rng::seed(0);
/// let net = Net { fc1: Linear::new(4, 8, &mut rng), fc2: Linear::new(8, 1, &mut rng), width: 8 };
/// assert_eq!(net.num_params(), 4 * 8 + 8 + 8 + 1);
/// assert_eq!(net.param_names(), ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
/// ```
pub trait Module {
    /// The name of the type, for tables.
    fn kind(&self) -> &'static str {
        "Module"
    }

    /// Passes every part to a visitor, in a fixed order.
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor);

    /// Lets a visitor change every part, in the same order. On the way, each parameter receives its name.
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut);

    /// The number of elements in all parameters, frozen or not.
    fn num_params(&self) -> usize {
        let mut n = 0;
        for_each_leaf(self, |_, leaf| n += if leaf.is_param() { leaf.numel() } else { 0 });
        n
    }

    /// The number of elements in all parameters that are not frozen.
    fn num_trainable(&self) -> usize {
        let mut n = 0;
        for_each_leaf(self, |_, leaf| n += if leaf.is_trainable() { leaf.numel() } else { 0 });
        n
    }

    /// The paths of all parameters, in order.
    fn param_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for_each_leaf(self, |path, leaf| {
            if leaf.is_param() {
                names.push(path.as_str().to_owned());
            }
        });
        names
    }

    /// Freezes every parameter: no gradient is computed for it, and optimisers skip it.
    #[doc(alias = "requires_grad_")]
    fn freeze(&mut self) {
        set_trainable(self, None, false);
    }

    /// Undoes [`freeze`](Module::freeze).
    #[doc(alias = "requires_grad_")]
    fn unfreeze(&mut self) {
        set_trainable(self, None, true);
    }

    /// Freezes the parameters whose names match a pattern, and returns the number of them.
    ///
    /// Pattern and names are split at dots. Within a part of the pattern, `*` matches any characters. A part that is `*` alone
    /// matches any number of parts, including none. A name whose beginning matches also matches. (The parameter groups of
    /// [optimisers](crate::optim) are chosen by the same patterns.)
    ///
    /// ```
    /// use wengert_nn::{Module, TransformerConfig, Transformer};
    /// use wengert_ops::random::Rng;
    /// let config = TransformerConfig { width: 4, heads: 2, hidden: 8, layers: 2, ..TransformerConfig::default() };
    /// let mut model = Transformer::<f32>::with_config(&config, &mut Rng::seed(0));
    /// model.freeze_matching("encoder")?;
    /// assert_eq!(model.num_trainable(), model.decoder.num_params());
    /// assert_eq!(model.unfreeze_matching("encoder.*.norm*")?, 2 * 4 + 2);    // of two layers, and the norm after them
    /// assert!(model.freeze_matching("encodr.*").is_err());
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no parameter matches the pattern.
    fn freeze_matching(&mut self, pattern: &str) -> Result<usize> {
        some_trainable(self, "freeze_matching", pattern, false)
    }

    /// Undoes [`freeze_matching`](Module::freeze_matching).
    ///
    /// # Errors
    /// If no parameter matches the pattern.
    fn unfreeze_matching(&mut self, pattern: &str) -> Result<usize> {
        some_trainable(self, "unfreeze_matching", pattern, true)
    }

    /// Gives every parameter its name, so that errors can report it. Optimisers and loading do this too.
    fn named(mut self) -> Self
    where
        Self: Sized,
    {
        // Every walk with mutable access gives parameters their names.
        for_each_leaf_mut(&mut self, |_, _| {});
        self
    }
}

/// Freezes or unfreezes the parameters that match a pattern, or all of them; returns their number.
fn set_trainable<M: Module + ?Sized>(m: &mut M, pattern: Option<&str>, trainable: bool) -> usize {
    let mut covered = 0;
    for_each_leaf_mut(m, |path, mut leaf| {
        if leaf.as_leaf().is_param() && pattern.is_none_or(|pattern| covers(pattern, path.as_str())) {
            leaf.set_trainable(trainable);
            covered += 1;
        }
    });
    covered
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
            let detail = format!("no parameter matches {pattern}; the model has {}{more}", names.join(", "));
            Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), op, detail))
        }
        covered => Ok(covered),
    }
}

/// Questions about the gradients of a model.
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
