//! The bytes of a safetensors file, and reading and writing such files.

use super::{AnyTensor, Dict, Error};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use wengert_ops::{Element, Tensor};

/// A larger header is taken for damage: a header has about a hundred bytes per tensor.
const LARGEST_HEADER: u64 = 16 << 20;

/// The bytes of a safetensors file with a dict and a note about it; the same contents give the same bytes. The note is stored
/// in the file's metadata, under `note`.
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
/// If the format cannot hold the dict.
pub fn encode(dict: &Dict, note: Option<&str>) -> Result<Vec<u8>, Error> {
    tensors_to_bytes(dict.iter(), note)
}

/// The bytes of a file with named tensors and a note. The names must differ. The order of the tensors does not change the bytes.
pub(super) fn tensors_to_bytes<'d>(
    tensors: impl Iterator<Item = (&'d String, &'d AnyTensor)>,
    note: Option<&str>,
) -> Result<Vec<u8>, Error> {
    let metadata = note.map(|note| HashMap::from([("note".to_owned(), note.to_owned())]));
    let written = safetensors::serialize(tensors.map(|(name, t)| (name, Written(t))), metadata);
    written.map_err(|e| Error::Unwritable(e.to_string()))
}

/// The dict and the note in the bytes of a safetensors file; `path` is for messages. See [`encode`] for an example.
///
/// # Errors
/// If the bytes are damaged, or hold a tensor of an element type other than f32, f64 and i64.
pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<(Dict, Option<String>), Error> {
    let path = path.as_ref();
    let dict = tensors(&parse(bytes, path)?, path)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|e| Error::Damaged { path: path.into(), detail: e.to_string() })?;
    let note = metadata.metadata().as_ref().and_then(|m| m.get("note").cloned());
    Ok((dict, note))
}

/// All tensors of a file.
pub(super) fn tensors(file: &SafeTensors<'_>, path: &Path) -> Result<Dict, Error> {
    file.iter().map(|(name, view)| Ok((name.to_owned(), tensor_of(name, &view, path)?))).collect()
}

fn tensor_of(name: &str, view: &TensorView<'_>, path: &Path) -> Result<AnyTensor, Error> {
    let mismatch =
        |detail: String| Error::Mismatch { path: path.into(), detail: format!("{name}: {detail}") };
    let (data, shape) = (view.data(), view.shape());
    let made = match view.dtype() {
        Dtype::F32 => Tensor::from_vec(numbers(data, f32::from_le_bytes), shape).map(AnyTensor::F32),
        Dtype::F64 => Tensor::from_vec(numbers(data, f64::from_le_bytes), shape).map(AnyTensor::F64),
        Dtype::I64 => Tensor::from_vec(numbers(data, i64::from_le_bytes), shape).map(AnyTensor::I64),
        other => return Err(mismatch(format!("expected F32, F64 or I64, found {other:?}"))),
    };
    made.map_err(|e| mismatch(e.to_string()))
}

/// The numbers in little-endian bytes, the byte order of the format.
fn numbers<T, const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|b| number(*b)).collect()
}

/// A tensor in the form that the format's writer reads.
struct Written<'t>(&'t AnyTensor);

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        dtype_of(self.0)
    }
    fn shape(&self) -> &[usize] {
        self.0.shape()
    }
    fn data(&self) -> Cow<'_, [u8]> {
        fn bytes<T: Element, const N: usize>(t: &Tensor<T>, bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
            let mut all = Vec::with_capacity(t.numel() * N);
            t.to_vec().into_iter().for_each(|v| all.extend_from_slice(&bytes(v)));
            all
        }
        Cow::Owned(match self.0 {
            AnyTensor::F32(t) => bytes(t, f32::to_le_bytes),
            AnyTensor::F64(t) => bytes(t, f64::to_le_bytes),
            AnyTensor::I64(t) => bytes(t, i64::to_le_bytes),
        })
    }
    fn data_len(&self) -> usize {
        self.0.nbytes()
    }
}

/// The format's name for the element type of a tensor.
pub(super) fn dtype_of(t: &AnyTensor) -> Dtype {
    match t {
        AnyTensor::F32(_) => Dtype::F32,
        AnyTensor::F64(_) => Dtype::F64,
        AnyTensor::I64(_) => Dtype::I64,
    }
}

/// Parses the bytes of a file; `path` is for messages.
pub(super) fn parse<'b>(bytes: &'b [u8], path: &Path) -> Result<SafeTensors<'b>, Error> {
    let damaged = |detail: String| Error::Damaged { path: path.into(), detail };
    let header = bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    if header > LARGEST_HEADER {
        return Err(damaged(format!("its header claims {header} bytes")));
    }
    SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))
}

/// Writes a dict to a safetensors file.
///
/// # Errors
/// If the file cannot be written; the previous contents of `path` are then still there.
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
pub fn read(path: impl AsRef<Path>) -> Result<Dict, Error> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    Ok(decode(&bytes, path)?.0)
}

/// Writes a file as a whole or not at all: writes a temporary file next to it and renames that, so that a reader sees either
/// the old contents or the new ones.
///
/// # Errors
/// The error of the operating system; no temporary file remains, and the previous contents of `path` are still there.
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
