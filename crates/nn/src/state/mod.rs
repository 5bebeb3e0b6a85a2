//! State dicts: a model's parameters and buffers by name, saved to and loaded from safetensors files.
//!
//! Names and memory layouts are PyTorch's for the same layers, so weights can be exchanged with it. Files are written under a
//! temporary name and renamed, so a file is never half written. Loading checks everything before it changes anything:
//! a damaged or mismatched file is refused as a whole, with an error that names the tensor, and the model is unchanged.
//!
//! Other state, such as that of an optimiser, is a [`Dict`] of tensors by name, written and read with [`write()`] and [`read`].

mod any_tensor;
mod error;
mod file;
mod transfer;

pub use any_tensor::AnyTensor;
pub use error::Error;
pub use file::{decode, encode, read, write, write_whole};
pub use transfer::{Matched, transfer};

use crate::module::{Module, for_each_leaf, for_each_leaf_mut};
use safetensors::tensor::SafeTensors;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Writes all parameters and buffers of a model to a file.
///
/// ```
/// use wengert_nn::{Linear, state};
/// use wengert_ops::random::Rng;
/// let file = std::env::temp_dir().join(format!("wengert-doc-{}.safetensors", std::process::id()));
/// let a = Linear::<f32>::new(3, 2, &mut Rng::seed(0));
/// let mut b = Linear::<f32>::new(3, 2, &mut Rng::seed(1));
/// state::save(&a, &file)?;
/// state::load(&mut b, &file)?;
/// assert_eq!(a.weight.value(), b.weight.value());
/// # std::fs::remove_file(&file).unwrap();
/// # Ok::<(), state::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written; the previous contents of `path` are then still there.
pub fn save(model: &dyn Module, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let bytes = to_bytes(model).map_err(|e| Error::Mismatch { path: path.into(), detail: e.to_string() })?;
    write_whole(path, &bytes).map_err(|source| Error::Io { path: path.into(), source })
}

/// Reads all parameters and buffers of a model from a file.
///
/// # Errors
/// If the file cannot be read, is damaged, lacks a tensor, has one too many, or has one of another shape or element
/// type; the model is then unchanged.
#[doc(alias = "load_state_dict")]
pub fn load(model: &mut dyn Module, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    from_bytes(model, &bytes, path)
}

/// Tensors by name, sorted by name.
///
/// ```
/// use wengert_nn::state::{self, AnyTensor, Dict};
/// use wengert_ops::Tensor;
/// let file = std::env::temp_dir().join(format!("wengert-doc-dict-{}.safetensors", std::process::id()));
/// let mut dict = Dict::new();
/// dict.insert("mean".to_owned(), AnyTensor::F32(Tensor::from([0.5, 1.5])));
/// dict.insert("steps".to_owned(), AnyTensor::I64(Tensor::scalar(7)));
/// state::write(&dict, &file)?;
/// assert_eq!(state::read(&file)?, dict);
/// # std::fs::remove_file(&file).unwrap();
/// # Ok::<(), state::Error>(())
/// ```
pub type Dict = BTreeMap<String, AnyTensor>;

/// All parameters and buffers of a model, by name. The tensors share their memory with the model's until one of them changes.
#[doc(alias = "state_dict")]
pub fn dict(model: &dyn Module) -> Dict {
    entries(model).into_iter().collect()
}

/// All parameters and buffers of a model with their names, in the model's order.
fn entries(model: &dyn Module) -> Vec<(String, AnyTensor)> {
    let mut all = Vec::new();
    for_each_leaf(model, |path, leaf| all.push((path.as_str().to_owned(), leaf.value())));
    all
}

/// Sets the parameters and buffers of a model to those of a dict, which must hold exactly the model's.
///
/// ```
/// use wengert_nn::{Linear, state};
/// use wengert_ops::random::Rng;
/// let a = Linear::<f32>::new(3, 2, &mut Rng::seed(0));
/// let mut b = Linear::<f32>::new(3, 2, &mut Rng::seed(1));
/// state::restore(&mut b, &state::dict(&a))?;
/// assert_eq!(a.weight.value(), b.weight.value());
/// let e = state::restore(&mut Linear::<f32>::new(3, 4, &mut Rng::seed(1)), &state::dict(&a)).unwrap_err();
/// assert_eq!(e.to_string(), "bias: the model has shape [4] of f32, found [2] of f32");
/// # Ok::<(), state::Error>(())
/// ```
///
/// # Errors
/// If a tensor is missing, is one too many, or has another shape or element type; the model is then unchanged.
#[doc(alias = "load_state_dict")]
pub fn restore(model: &mut dyn Module, from: &Dict) -> Result<(), Error> {
    let own = dict(model);
    let detail = match difference(&own, from) {
        None => return Ok(put(model, from)?),
        Some(Difference::Missing(name)) => format!("there is no tensor {name}"),
        Some(Difference::Kind(name, own, found)) => format!(
            "{name}: the model has shape {} of {}, found {} of {}",
            own.shape(),
            own.dtype(),
            found.shape(),
            found.dtype()
        ),
        Some(Difference::Extra(name)) => format!("there is a tensor {name} that the model does not have"),
    };
    Err(Error::Misfit(detail))
}

/// The first difference between two dicts.
pub(crate) enum Difference<'d> {
    /// The second has no tensor of this name.
    Missing(&'d str),
    /// The tensors of this name differ in shape or element type.
    Kind(&'d str, &'d AnyTensor, &'d AnyTensor),
    /// The first has no tensor of this name.
    Extra(&'d str),
}

/// The first difference between the names, shapes and element types of two dicts, if there is one.
pub(crate) fn difference<'d>(own: &'d Dict, other: &'d Dict) -> Option<Difference<'d>> {
    for (name, t) in own {
        match other.get(name) {
            None => return Some(Difference::Missing(name)),
            Some(found) if (found.shape(), found.dtype()) != (t.shape(), t.dtype()) => {
                return Some(Difference::Kind(name, t, found));
            }
            Some(_) => {}
        }
    }
    other.keys().find(|name| !own.contains_key(*name)).map(|name| Difference::Extra(name))
}

/// Sets the parameters and buffers of a model to the tensors of a dict, which must have all of them.
pub(crate) fn put(model: &mut dyn Module, from: &Dict) -> wengert_tape::Result<()> {
    let mut outcome = Ok(());
    for_each_leaf_mut(model, |path, mut leaf| {
        if let (Some(t), true) = (from.get(path.as_str()), outcome.is_ok()) {
            outcome = leaf.set(t.clone());
        }
    });
    outcome
}

/// The state as the bytes of a safetensors file, the same for the same state.
fn to_bytes(model: &dyn Module) -> Result<Vec<u8>, Error> {
    let all = entries(model);
    let mut names = HashSet::new();
    if let Some((twice, _)) = all.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(Error::Unwritable(format!("two tensors of the model are named {twice}")));
    }
    file::tensors_to_bytes(all.iter().map(|(name, t)| (name, t)), None)
}

/// Reads a state from the bytes of a file.
fn from_bytes(model: &mut dyn Module, bytes: &[u8], path: &Path) -> Result<(), Error> {
    let file = file::parse(bytes, path)?;
    check(&entries(model), &file).map_err(|detail| Error::Mismatch { path: path.into(), detail })?;
    Ok(put(model, &file::tensors(&file, path)?)?)
}

/// Checks that the file holds exactly the model's tensors, before any of them is read.
fn check(model: &[(String, AnyTensor)], file: &SafeTensors<'_>) -> Result<(), String> {
    for (name, t) in model {
        let found = file.tensor(name).map_err(|_| format!("there is no tensor {name}; {}", have(file)))?;
        if found.shape() != &t.shape()[..] {
            return Err(format!("{name}: the model has shape {}, the file {:?}", t.shape(), found.shape()));
        }
        let dtype = file::dtype_of(t);
        if found.dtype() != dtype {
            return Err(format!("{name}: the model has {dtype:?}, the file {:?}", found.dtype()));
        }
    }
    let known: HashSet<&str> = model.iter().map(|(name, _)| name.as_str()).collect();
    match file.names().into_iter().filter(|name| !known.contains(name)).min() {
        Some(extra) => Err(format!("the file has a tensor {extra} that the model does not have")),
        None => Ok(()),
    }
}

fn have(file: &SafeTensors<'_>) -> String {
    let mut names: Vec<_> = file.names();
    names.sort_unstable();
    match names.len() {
        0 => "the file holds none".to_owned(),
        n if n > 8 => format!("the file has {}, … ({n} in all)", names[..8].join(", ")),
        _ => format!("the file has {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
