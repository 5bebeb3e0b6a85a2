//! State dicts: a model's parameters and buffers by name, saved to and loaded from safetensors files.
//!
//! Names and layouts are PyTorch's for the same layers, so weights can be exchanged with it. Files are written under a
//! temporary name and renamed, so a file is never half written. Loading checks everything before it changes anything:
//! a damaged or mismatched file is refused whole, with an error that names the tensor, and the model stays as it was.
//!
//! What is not a model, such as the state of an optimiser, is a [`Dict`] of tensors by name, with [`write()`] and [`read`].

mod transfer;

pub use transfer::{Matched, transfer};

use crate::module::{Buffer, Module, ModulePath, Visitor, VisitorMut};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use wengert_ops::{DType, Element, Shape, Tensor};
use wengert_tape::{Float, Param};

/// Why a state could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read or written.
    #[error("{}: {source}", printable(path.display()))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a whole, valid safetensors file.
    #[error("{}: not a valid safetensors file: {}", printable(path.display()), printable(detail))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The file's tensors are not the model's.
    #[error("{}: {}", printable(path.display()), printable(detail))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The tensor, what was expected, and what was found.
        detail: String,
    },
    /// The tensors of a dict are not the model's.
    #[error("{}", printable(.0))]
    Misfit(String),
    /// What a file of this format cannot hold.
    #[error("{}", printable(.0))]
    Unwritable(String),
    /// Something of a model or an optimiser that could not be done.
    #[error(transparent)]
    Tape(#[from] wengert_tape::Error),
    /// Something of a tensor that could not be done.
    #[error(transparent)]
    Tensor(#[from] wengert_ops::Error),
}

/// So that one `?` serves for states, optimisers and tapes, whichever of their errors a function has.
///
/// ```
/// use wengert_nn::{Linear, optim::{Adam, Optimizer}, state};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// fn resumed(file: &str) -> wengert_tape::Result<Adam<f32>> {
///     let model = Linear::<f32>::new(2, 1, &mut Rng::seed(0));
///     let mut adam = Adam::new(0.1);
///     adam.load_state(&model, &state::read(file)?)?;
///     Ok(adam)
/// }
/// let e = resumed("nowhere.safetensors").unwrap_err();
/// assert_eq!(e.op(), "state");
/// assert!(e.detail().starts_with("nowhere.safetensors: "));
/// ```
impl From<Error> for wengert_tape::Error {
    fn from(e: Error) -> Self {
        match e {
            Error::Tape(e) => e,
            Error::Tensor(e) => e.into(),
            e => {
                let kind = wengert_tape::ErrorKind::Op(wengert_ops::ErrorKind::Argument);
                wengert_tape::Error::new(kind, "state", e.to_string())
            }
        }
    }
}

/// A text with escapes for what is not printed as itself: what stands in a file must not steer the terminal on which an error is
/// printed. Quotes and backslashes stay.
fn printable(text: impl std::fmt::Display) -> String {
    let shown = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.to_string().chars().map(shown).collect()
}

/// A header larger than this is taken for damage: it holds about a hundred bytes a tensor.
const LARGEST_HEADER: u64 = 16 << 20;

/// Writes all parameters and buffers of a model.
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
/// If the file cannot be written; what stood at `path` before is then still there.
pub fn save(model: &dyn Module, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let bytes = to_bytes(model).map_err(|e| Error::Mismatch { path: path.into(), detail: e.to_string() })?;
    write_whole(path, &bytes).map_err(|source| Error::Io { path: path.into(), source })
}

/// Reads all parameters and buffers of a model.
///
/// # Errors
/// If the file cannot be read, is damaged, lacks a tensor, has one too many, or has one of another shape or element
/// type; the model is then as it was.
#[doc(alias = "load_state_dict")]
pub fn load(model: &mut dyn Module, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    from_bytes(model, &bytes, path)
}

/// Tensors by name, in the order of the names.
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

/// A tensor of one of the element types that files hold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AnyTensor {
    /// 32-bit floating point.
    F32(Tensor<f32>),
    /// 64-bit floating point.
    F64(Tensor<f64>),
    /// 64-bit signed integers.
    I64(Tensor<i64>),
}

impl AnyTensor {
    /// A tensor of the element type of a tape.
    pub fn of<T: Float>(t: &Tensor<T>) -> Self {
        let any: &dyn Any = t;
        match (any.downcast_ref(), any.downcast_ref()) {
            (Some(t), _) => AnyTensor::F32(Tensor::clone(t)),
            (_, Some(t)) => AnyTensor::F64(Tensor::clone(t)),
            _ => AnyTensor::F64(t.cast()),
        }
    }

    /// The tensor, if its elements are of type `T`.
    pub fn to_float<T: Float>(&self) -> Option<Tensor<T>> {
        let any: &dyn Any = match self {
            AnyTensor::F32(t) => t,
            AnyTensor::F64(t) => t,
            AnyTensor::I64(t) => t,
        };
        any.downcast_ref().cloned()
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        match self {
            AnyTensor::F32(t) => t.shape(),
            AnyTensor::F64(t) => t.shape(),
            AnyTensor::I64(t) => t.shape(),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            AnyTensor::F32(t) => t.dtype(),
            AnyTensor::F64(t) => t.dtype(),
            AnyTensor::I64(t) => t.dtype(),
        }
    }

    fn entry(&self) -> Entry {
        match self {
            AnyTensor::F32(t) => Entry::of(t),
            AnyTensor::F64(t) => Entry::of(t),
            AnyTensor::I64(t) => Entry::of(t),
        }
    }
}

/// All parameters and buffers of a model, by name. The tensors share their memory with the model's until either changes.
#[doc(alias = "state_dict")]
pub fn dict(model: &dyn Module) -> Dict {
    struct Each(Dict);
    impl Visitor for Each {
        fn param_f32(&mut self, path: &ModulePath, p: &Param<f32>) {
            self.0.insert(path.as_str().to_owned(), AnyTensor::F32(p.value().clone()));
        }
        fn param_f64(&mut self, path: &ModulePath, p: &Param<f64>) {
            self.0.insert(path.as_str().to_owned(), AnyTensor::F64(p.value().clone()));
        }
        fn buffer_f32(&mut self, path: &ModulePath, b: &Buffer<f32>) {
            self.0.insert(path.as_str().to_owned(), AnyTensor::F32(b.value().clone()));
        }
        fn buffer_f64(&mut self, path: &ModulePath, b: &Buffer<f64>) {
            self.0.insert(path.as_str().to_owned(), AnyTensor::F64(b.value().clone()));
        }
        fn buffer_i64(&mut self, path: &ModulePath, b: &Buffer<i64>) {
            self.0.insert(path.as_str().to_owned(), AnyTensor::I64(b.value().clone()));
        }
    }
    let mut each = Each(Dict::new());
    model.visit(&mut ModulePath::root(), &mut each);
    each.0
}

/// Gives a model the parameters and buffers of a dict, which has to hold exactly the model's.
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
/// What does not fit; the model is then as it was.
#[doc(alias = "load_state_dict")]
pub fn restore(model: &mut dyn Module, from: &Dict) -> Result<(), Error> {
    let own = dict(model);
    for (name, t) in &own {
        let Some(found) = from.get(name) else {
            return Err(Error::Misfit(format!("there is no tensor {name}")));
        };
        if (found.shape(), found.dtype()) != (t.shape(), t.dtype()) {
            let (shape, kind) = (t.shape(), t.dtype());
            return Err(Error::Misfit(format!(
                "{name}: the model has shape {shape} of {kind}, found {} of {}",
                found.shape(),
                found.dtype()
            )));
        }
    }
    if let Some(extra) = from.keys().find(|name| !own.contains_key(*name)) {
        return Err(Error::Misfit(format!("there is a tensor {extra} that the model has not")));
    }
    model.visit_mut(&mut ModulePath::root(), &mut Restore(from));
    Ok(())
}

/// Puts the tensors of a dict, which were checked, into a model.
struct Restore<'d>(&'d Dict);

impl VisitorMut for Restore<'_> {
    fn param_f32(&mut self, path: &ModulePath, p: &mut Param<f32>) {
        if let Some(AnyTensor::F32(t)) = self.0.get(path.as_str()) {
            let _ = p.set(t.clone());
        }
    }
    fn param_f64(&mut self, path: &ModulePath, p: &mut Param<f64>) {
        if let Some(AnyTensor::F64(t)) = self.0.get(path.as_str()) {
            let _ = p.set(t.clone());
        }
    }
    fn buffer_f32(&mut self, path: &ModulePath, b: &mut Buffer<f32>) {
        if let Some(AnyTensor::F32(t)) = self.0.get(path.as_str()) {
            let _ = b.set(t.clone());
        }
    }
    fn buffer_f64(&mut self, path: &ModulePath, b: &mut Buffer<f64>) {
        if let Some(AnyTensor::F64(t)) = self.0.get(path.as_str()) {
            let _ = b.set(t.clone());
        }
    }
    fn buffer_i64(&mut self, path: &ModulePath, b: &mut Buffer<i64>) {
        if let Some(AnyTensor::I64(t)) = self.0.get(path.as_str()) {
            let _ = b.set(t.clone());
        }
    }
}

/// A dict, and a note about it, as the bytes of a safetensors file: the same bytes for the same contents. The note goes into
/// the file's metadata, under `note`.
///
/// ```
/// use wengert_nn::state::{self, AnyTensor, Dict};
/// use wengert_ops::Tensor;
/// let dict = Dict::from([("mean".to_owned(), AnyTensor::F32(Tensor::from([0.5, 1.5])))]);
/// let bytes = state::encode(&dict, Some("of 7 samples"))?;
/// assert_eq!(state::decode(&bytes, "mean.safetensors")?, (dict, Some("of 7 samples".to_owned())));
/// assert!(state::decode(&bytes[1..], "mean.safetensors").is_err());
/// # Ok::<(), state::Error>(())
/// ```
///
/// # Errors
/// What the format cannot hold.
pub fn encode(dict: &Dict, note: Option<&str>) -> Result<Vec<u8>, Error> {
    let entries: Vec<_> = dict.iter().map(|(name, t)| (name.clone(), t.entry())).collect();
    entries_to_bytes(&entries, note)
}

/// A dict and the note about it from the bytes of a safetensors file; `path` is for messages. See [`encode`] for an example.
///
/// # Errors
/// If the bytes are damaged, or hold a tensor of another element type than f32, f64 and i64.
pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<(Dict, Option<String>), Error> {
    let path = path.as_ref();
    let file = parse(bytes, path)?;
    let dict = file.iter().map(|(name, view)| Ok((name.to_owned(), tensor_of(name, &view, path)?)));
    let dict = dict.collect::<Result<_, Error>>()?;
    let (_, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|e| Error::Damaged { path: path.into(), detail: e.to_string() })?;
    let note = metadata.metadata().as_ref().and_then(|m| m.get("note").cloned());
    Ok((dict, note))
}

/// Writes a dict to a safetensors file.
///
/// # Errors
/// If the file cannot be written; what stood at `path` before is then still there.
#[doc(alias = "save")]
pub fn write(dict: &Dict, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let bytes =
        encode(dict, None).map_err(|e| Error::Mismatch { path: path.into(), detail: e.to_string() })?;
    write_whole(path, &bytes).map_err(|source| Error::Io { path: path.into(), source })
}

/// Reads a safetensors file of f32, f64 and i64 tensors.
///
/// # Errors
/// If the file cannot be read, is damaged, or holds a tensor of another element type.
#[doc(alias = "load")]
pub fn read(path: impl AsRef<Path>) -> Result<Dict, Error> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    Ok(decode(&bytes, path)?.0)
}

fn tensor_of(name: &str, view: &TensorView<'_>, path: &Path) -> Result<AnyTensor, Error> {
    let mismatch =
        |detail: String| Error::Mismatch { path: path.into(), detail: format!("{name}: {detail}") };
    let (data, shape) = (view.data(), view.shape());
    let made = match view.dtype() {
        Dtype::F32 => Tensor::from_vec(f32::read(data), shape).map(AnyTensor::F32),
        Dtype::F64 => Tensor::from_vec(f64::read(data), shape).map(AnyTensor::F64),
        Dtype::I64 => Tensor::from_vec(i64::read(data), shape).map(AnyTensor::I64),
        other => return Err(mismatch(format!("expected F32, F64 or I64, found {other:?}"))),
    };
    made.map_err(|e| mismatch(e.to_string()))
}

/// The state as the bytes of a safetensors file, the same for the same state.
fn to_bytes(model: &dyn Module) -> Result<Vec<u8>, Error> {
    entries_to_bytes(&Collect::of(model), None)
}

fn entries_to_bytes(entries: &[(String, Entry)], note: Option<&str>) -> Result<Vec<u8>, Error> {
    let mut names = HashSet::new();
    if let Some((twice, _)) = entries.iter().find(|(name, _)| !names.insert(name.clone())) {
        return Err(Error::Unwritable(format!("two tensors of the model are named {twice}")));
    }
    let views = entries.iter().map(|(name, e)| {
        let view = TensorView::new(e.dtype, e.shape.to_vec(), &e.bytes);
        let view = view.map_err(|e| Error::Unwritable(format!("{name}: {e}")))?;
        Ok((name.as_str(), view))
    });
    let views: BTreeMap<_, _> = views.collect::<Result<_, Error>>()?;
    let metadata = note.map(|note| HashMap::from([("note".to_owned(), note.to_owned())]));
    safetensors::serialize(views, metadata).map_err(|e| Error::Unwritable(e.to_string()))
}

/// Writes a file whole or not at all: under a temporary name beside it, which is then renamed, so that whoever reads
/// sees the old contents or the new ones.
///
/// # Errors
/// What the system says; nothing is left behind, and what stood at `path` is still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// What a model's state consists of, in the model's order.
#[derive(Default)]
struct Collect {
    entries: Vec<(String, Entry)>,
}

struct Entry {
    dtype: Dtype,
    shape: Shape,
    bytes: Vec<u8>,
}

impl Entry {
    fn of<T: Stored>(t: &Tensor<T>) -> Self {
        let mut bytes = Vec::with_capacity(t.numel() * size_of::<T>());
        t.to_vec().into_iter().for_each(|v| v.write(&mut bytes));
        Entry { dtype: T::KIND, shape: t.shape().clone(), bytes }
    }
}

impl Collect {
    fn of(model: &dyn Module) -> Vec<(String, Entry)> {
        let mut collect = Collect::default();
        model.visit(&mut ModulePath::root(), &mut collect);
        collect.entries
    }

    fn add<T: Stored>(&mut self, name: &ModulePath, t: &Tensor<T>) {
        self.entries.push((name.as_str().to_owned(), Entry::of(t)));
    }
}

impl Visitor for Collect {
    fn param_f32(&mut self, path: &ModulePath, p: &Param<f32>) {
        self.add(path, p.value());
    }
    fn param_f64(&mut self, path: &ModulePath, p: &Param<f64>) {
        self.add(path, p.value());
    }
    fn buffer_f32(&mut self, path: &ModulePath, b: &Buffer<f32>) {
        self.add(path, b.value());
    }
    fn buffer_f64(&mut self, path: &ModulePath, b: &Buffer<f64>) {
        self.add(path, b.value());
    }
    fn buffer_i64(&mut self, path: &ModulePath, b: &Buffer<i64>) {
        self.add(path, b.value());
    }
}

/// Element types that a state can hold, little-endian as the format has it.
trait Stored: Element {
    const KIND: Dtype;
    fn write(self, to: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! stored {
    ($($t:ty, $kind:ident;)*) => {$(
        impl Stored for $t {
            const KIND: Dtype = Dtype::$kind;
            fn write(self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }
            fn read(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|b| Self::from_le_bytes(*b)).collect()
            }
        }
    )*};
}
stored! {
    f32, F32;
    f64, F64;
    i64, I64;
}

/// The file in the bytes; `path` is for messages.
fn parse<'b>(bytes: &'b [u8], path: &Path) -> Result<SafeTensors<'b>, Error> {
    let damaged = |detail: String| Error::Damaged { path: path.into(), detail };
    let header = bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    if header > LARGEST_HEADER {
        return Err(damaged(format!("its header claims {header} bytes")));
    }
    SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))
}

/// Reads a state from the bytes of a file.
fn from_bytes(model: &mut dyn Module, bytes: &[u8], path: &Path) -> Result<(), Error> {
    let file = parse(bytes, path)?;
    check(&Collect::of(model), &file).map_err(|detail| Error::Mismatch { path: path.into(), detail })?;
    model.visit_mut(&mut ModulePath::root(), &mut Apply(&file));
    Ok(())
}

/// Whether the file holds exactly the tensors that the model has.
fn check(model: &[(String, Entry)], file: &SafeTensors<'_>) -> Result<(), String> {
    for (name, entry) in model {
        let found = file.tensor(name).map_err(|_| format!("there is no tensor {name}; {}", have(file)))?;
        if found.shape() != &entry.shape[..] {
            return Err(format!("{name}: the model has shape {}, the file {:?}", entry.shape, found.shape()));
        }
        if found.dtype() != entry.dtype {
            return Err(format!("{name}: the model has {:?}, the file {:?}", entry.dtype, found.dtype()));
        }
    }
    let known: HashSet<&str> = model.iter().map(|(name, _)| name.as_str()).collect();
    match file.names().into_iter().filter(|name| !known.contains(name)).min() {
        Some(extra) => Err(format!("the file has a tensor {extra} that the model has not")),
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

/// Puts the checked tensors into the model.
struct Apply<'f>(&'f SafeTensors<'f>);

impl Apply<'_> {
    fn find<T: Stored>(&self, name: &ModulePath) -> Option<Tensor<T>> {
        let found = self.0.tensor(name.as_str()).ok()?;
        Tensor::from_vec(T::read(found.data()), found.shape()).ok()
    }

    fn param<T: Stored + Float>(&self, name: &ModulePath, p: &mut Param<T>) {
        // The shapes were compared before: neither can fail.
        let set = self.find(name).map(|t| p.set(t));
        debug_assert!(matches!(set, Some(Ok(()))));
    }

    fn buffer<T: Stored>(&self, name: &ModulePath, b: &mut Buffer<T>) {
        let set = self.find(name).map(|t| b.set(t));
        debug_assert!(matches!(set, Some(Ok(()))));
    }
}

impl VisitorMut for Apply<'_> {
    fn param_f32(&mut self, path: &ModulePath, p: &mut Param<f32>) {
        self.param(path, p);
    }
    fn param_f64(&mut self, path: &ModulePath, p: &mut Param<f64>) {
        self.param(path, p);
    }
    fn buffer_f32(&mut self, path: &ModulePath, b: &mut Buffer<f32>) {
        self.buffer(path, b);
    }
    fn buffer_f64(&mut self, path: &ModulePath, b: &mut Buffer<f64>) {
        self.buffer(path, b);
    }
    fn buffer_i64(&mut self, path: &ModulePath, b: &mut Buffer<i64>) {
        self.buffer(path, b);
    }
}

#[cfg(test)]
mod tests;
