//! [`transfer`]: loads the part of a state that matches another model.

use super::Dict;
use crate::module::{Module, for_each_leaf_mut};
use std::collections::HashSet;
use std::fmt;

/// The tensors that went into a model, and those that did not. Names are in the order of the model; those that the model does
/// not have are in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// The names of the model's tensors that were replaced.
    pub loaded: Vec<String>,
    /// The names of the model's tensors that the state does not have.
    pub missing: Vec<String>,
    /// The names of the model's tensors that have another shape or element type in the state, each with the difference.
    pub different: Vec<(String, String)>,
    /// The names of the state's tensors that the model does not have.
    pub unused: Vec<String>,
}

/// The number of tensors that were loaded, then the names of those that were not.
impl fmt::Display for Matched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.loaded.len() + self.missing.len() + self.different.len();
        write!(f, "{} of {all} tensors loaded", self.loaded.len())?;
        if !self.missing.is_empty() {
            write!(f, "\nnot in the state: {}", self.missing.join(", "))?;
        }
        for (name, why) in &self.different {
            write!(f, "\nleft alone: {name}: {why}")?;
        }
        if !self.unused.is_empty() {
            write!(f, "\nnot in the model: {}", self.unused.join(", "))?;
        }
        Ok(())
    }
}

/// Loads the tensors of a state whose name, shape and element type match a parameter or buffer of a model, and reports which
/// matched. The rest of the model is unchanged. An example is a new head on a trained trunk.
///
/// The state can be that of another model ([`dict`](super::dict)), of a part of one, or of a file ([`read`](super::read)). If
/// parts have other names in it, change its keys first.
///
/// ```
/// use wengert_nn::{Activation, Linear, Module, Sequential, state};
/// use wengert_ops::random::Rng;
/// let mut rng = Rng::seed(0);
/// let mut net = |classes: usize| {
///     let hidden = Linear::<f32>::new(4, 8, &mut rng);
///     Sequential::new().push(hidden).push(Activation::Relu).push(Linear::new(8, classes, &mut rng))
/// };
/// let (old, mut new) = (net(10), net(3));
/// let matched = state::transfer(&mut new, &state::dict(&old));
/// assert_eq!(matched.loaded, ["0.weight", "0.bias"]);
/// assert_eq!(matched.different[0].1, "the model has f32 [3, 8], the state f32 [10, 8]");
/// new.freeze_matching("0.*")?;                                   // only the head is trained
/// assert_eq!((new.num_params(), new.num_trainable()), (4 * 8 + 8 + 8 * 3 + 3, 8 * 3 + 3));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "load_state_dict")]
#[must_use = "what did not match is in the result"]
pub fn transfer(model: &mut dyn Module, state: &Dict) -> Matched {
    let (mut matched, mut known) = (Matched::default(), HashSet::new());
    for_each_leaf_mut(model, |path, mut leaf| {
        let name = path.as_str().to_owned();
        known.insert(name.clone());
        let own = leaf.as_leaf();
        match state.get(&name) {
            None => matched.missing.push(name),
            Some(found) if (found.shape(), found.dtype()) != (own.shape(), own.dtype()) => {
                let (ours, theirs) = (own.dtype(), found.dtype());
                let why =
                    format!("the model has {ours} {}, the state {theirs} {}", own.shape(), found.shape());
                matched.different.push((name, why));
            }
            Some(found) => {
                // Shape and element type were compared above, so this cannot fail.
                let set = leaf.set(found.clone());
                debug_assert!(set.is_ok());
                matched.loaded.push(name);
            }
        }
    });
    Matched { unused: state.keys().filter(|name| !known.contains(*name)).cloned().collect(), ..matched }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm, Linear, Sequential, state, state::AnyTensor};
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;

    #[test]
    fn what_fits_is_copied_and_the_report_says_the_rest() {
        let mut rng = Rng::seed(0);
        let old = Sequential::<f64>::new().push(Linear::new(3, 4, &mut rng)).push(BatchNorm::new(4));
        let old = old.push(Linear::new(4, 2, &mut rng)).push(Linear::new(2, 2, &mut rng));
        let mut new = Sequential::<f64>::new().push(Linear::new(3, 4, &mut rng)).push(BatchNorm::new(4));
        new = new.push(Linear::new(4, 5, &mut rng)).push(Linear::new(2, 2, &mut rng).without_bias());
        new = new.push(Linear::new(1, 1, &mut rng));
        let (theirs, before) = (state::dict(&old), state::dict(&new));
        let matched = transfer(&mut new, &theirs);
        assert_eq!(matched.loaded.len(), 2 + 5 + 1);
        assert_eq!(matched.missing, ["4.weight", "4.bias"]);
        assert_eq!(matched.unused, ["3.bias"]);
        let names: Vec<_> = matched.different.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["2.weight", "2.bias"]);
        let said = matched.to_string();
        assert!(said.starts_with("8 of 12 tensors loaded\nnot in the state: 4.weight, 4.bias\n"), "{said}");
        assert!(said.contains("left alone: 2.bias: the model has f64 [5], the state f64 [2]"), "{said}");
        for (name, tensor) in state::dict(&new) {
            let from = if matched.loaded.contains(&name) { &theirs } else { &before };
            assert_eq!(tensor, from[&name], "{name}");
        }
    }

    #[test]
    fn another_element_type_does_not_fit() {
        let single = Linear::<f32>::new(3, 4, &mut Rng::seed(0));
        let mut double = Linear::<f64>::new(3, 4, &mut Rng::seed(0));
        let matched = transfer(&mut double, &state::dict(&single));
        assert!(matched.loaded.is_empty() && matched.different.len() == 2, "{matched}");
        let mut count = BatchNorm::<f64>::new(1);
        let mut dict = state::dict(&count);
        dict.insert("num_batches_tracked".into(), AnyTensor::F64(Tensor::scalar(1.0)));
        let matched = transfer(&mut count, &dict);
        assert_eq!(matched.different[0].0, "num_batches_tracked");
    }
}
