//! [`Snapshot`]: tensors and notes by name, in one file with a checksum.
//!
//! The file is a safetensors file, so that other programs can read its tensors. Its metadata has one JSON text with the format of
//! the snapshot, its notes, and a CRC-32C of notes and tensors. A file that is damaged anywhere is refused as a whole.

use crate::error::{Error, Result};
use crate::learner::odd_element;
use crate::settings::Settings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use wengert_nn::Module;
use wengert_nn::optim::Optimizer;
use wengert_nn::state::{self, AnyTensor, Dict, write_whole};

/// The name of the format, written in the file.
const FORMAT: &str = "wengert snapshot 1";
const SETTINGS: &str = "settings";

/// Everything that a run needs to continue, or any part of it: models, optimisers and other tensors, and notes, each under a
/// name.
///
/// [`fit`](crate::fit) writes and reads snapshots by itself. Your own loop can do the same:
///
/// ```
/// use wengert_nn::{Linear, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::Snapshot;
///
/// let path = std::env::temp_dir().join(format!("wengert-snapshot-{}.safetensors", std::process::id()));
/// let (model, adam) = (Linear::<f32>::new(3, 2, &mut Rng::seed(0)), Adam::<f32>::new(0.1));
/// let mut snapshot = Snapshot::new();
/// snapshot.put_module("model", &model)?;
/// snapshot.put_optimizer("optimizer", &adam, &model)?;
/// snapshot.put_note("step", &17)?;
/// snapshot.write(&path)?;
///
/// // Later, or elsewhere:
/// let snapshot = Snapshot::read(&path)?;
/// let (mut model, mut adam) = (Linear::<f32>::new(3, 2, &mut Rng::seed(1)), Adam::<f32>::new(0.1));
/// snapshot.get_module("model", &mut model)?;
/// snapshot.get_optimizer("optimizer", &mut adam, &model)?;
/// assert_eq!(snapshot.note::<usize>("step")?, 17);
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[doc(alias = "save")]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    tensors: Dict,
    notes: BTreeMap<String, Value>,
    /// The file that the snapshot was read from.
    origin: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    checksum: String,
    /// The notes, as the exact text that the checksum covers.
    notes: String,
}

/// Why a snapshot could not be encoded.
#[derive(Debug, thiserror::Error)]
enum EncodeError {
    #[error(transparent)]
    Notes(#[from] serde_json::Error),
    #[error(transparent)]
    Tensors(#[from] state::Error),
}

impl Snapshot {
    /// An empty snapshot. See [`Snapshot`] for an example.
    pub fn new() -> Self {
        Snapshot::default()
    }

    /// Adds tensors under a name.
    ///
    /// ```
    /// use wengert_nn::state::{AnyTensor, Dict};
    /// use wengert_train::Snapshot;
    /// let dict = Dict::from([("mean".to_owned(), AnyTensor::F32(wengert_ops::Tensor::from([0.5])))]);
    /// let mut snapshot = Snapshot::new();
    /// snapshot.put_dict("data", &dict)?;
    /// assert_eq!(snapshot.dict("data"), dict);
    /// assert!(snapshot.put_dict("data", &dict).is_err() && snapshot.dict("other").is_empty());
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the name already has tensors, is empty, or contains a `/`.
    pub fn put_dict(&mut self, name: &str, dict: &Dict) -> Result<()> {
        if name.is_empty() || name.contains('/') {
            return Err(self.misfit(format!("{name:?} is no name for a part of a snapshot")));
        }
        let prefix = format!("{name}/");
        if self.tensors.keys().any(|key| key.starts_with(&prefix)) {
            return Err(self.misfit(format!("there are tensors below {name} already")));
        }
        self.tensors.extend(dict.iter().map(|(key, t)| (format!("{prefix}{key}"), t.clone())));
        Ok(())
    }

    /// The tensors under a name; empty if there are none. See [`put_dict`](Snapshot::put_dict) for an example.
    pub fn dict(&self, name: &str) -> Dict {
        let prefix = format!("{name}/");
        let below = self.tensors.iter().filter_map(|(key, t)| Some((key.strip_prefix(&prefix)?, t)));
        below.map(|(key, t)| (key.to_owned(), t.clone())).collect()
    }

    /// Adds a model's parameters and buffers under a name. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// As [`put_dict`](Snapshot::put_dict).
    pub fn put_module(&mut self, name: &str, model: &dyn Module) -> Result<()> {
        self.put_dict(name, &state::dict(model))
    }

    /// Restores a model's parameters and buffers. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If the tensors under the name are not exactly those of the model, which is then unchanged.
    pub fn get_module(&self, name: &str, model: &mut dyn Module) -> Result<()> {
        state::restore(model, &self.dict(name)).map_err(|detail| self.misfit(format!("{name}: {detail}")))
    }

    /// Adds the state of an optimiser for a model under a name. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// As [`put_dict`](Snapshot::put_dict).
    pub fn put_optimizer(
        &mut self,
        name: &str,
        optimizer: &dyn Optimizer<f32>,
        model: &dyn Module,
    ) -> Result<()> {
        self.put_dict(name, &optimizer.state(model))
    }

    /// Restores the state of an optimiser for a model. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If the state is not that of such an optimiser for such a model; the optimiser is then unchanged.
    pub fn get_optimizer(
        &self,
        name: &str,
        optimizer: &mut dyn Optimizer<f32>,
        model: &dyn Module,
    ) -> Result<()> {
        let loaded = optimizer.load_state(model, &self.dict(name));
        loaded.map_err(|e| self.misfit(format!("{name}: {e}")))
    }

    /// Adds a note under a name. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If the note cannot be written as JSON.
    pub fn put_note(&mut self, name: &str, note: &impl Serialize) -> Result<()> {
        let note = serde_json::to_value(note).map_err(|e| self.misfit(format!("{name}: {e}")))?;
        self.notes.insert(name.to_owned(), note);
        Ok(())
    }

    /// The note under a name. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If there is no such note, or it is not an `N`.
    pub fn note<N: DeserializeOwned>(&self, name: &str) -> Result<N> {
        let Some(note) = self.notes.get(name) else {
            return Err(self.misfit(format!("there is no note {name}")));
        };
        N::deserialize(note).map_err(|e| self.misfit(format!("{name}: {e}")))
    }

    /// Whether there is a note under a name.
    ///
    /// ```
    /// let mut snapshot = wengert_train::Snapshot::new();
    /// snapshot.put_note("step", &17)?;
    /// assert!(snapshot.has_note("step") && !snapshot.has_note("epoch"));
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn has_note(&self, name: &str) -> bool {
        self.notes.contains_key(name)
    }

    /// Adds the options of the run. [`fit`](crate::fit) does so if it is [given](crate::FitConfig::settings) them.
    ///
    /// ```
    /// use wengert_train::{Settings, Snapshot};
    /// let settings = Settings::of(&std::collections::BTreeMap::from([("seed", 7)]))?;
    /// let mut snapshot = Snapshot::new();
    /// assert_eq!(snapshot.settings()?, None);
    /// snapshot.put_settings(&settings)?;
    /// assert_eq!(snapshot.settings()?, Some(settings));
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put_note`](Snapshot::put_note).
    pub fn put_settings(&mut self, settings: &Settings) -> Result<()> {
        self.put_note(SETTINGS, settings)
    }

    /// The options of the run, if the snapshot has them. See [`put_settings`](Snapshot::put_settings) for an example.
    ///
    /// # Errors
    /// As [`note`](Snapshot::note).
    pub fn settings(&self) -> Result<Option<Settings>> {
        self.has_note(SETTINGS).then(|| self.note(SETTINGS)).transpose()
    }

    /// Checks that the snapshot belongs to a run with these options.
    ///
    /// ```
    /// use wengert_train::{Error, Settings, Snapshot};
    /// let settings = |seed| Settings::of(&std::collections::BTreeMap::from([("seed", seed)]));
    /// let mut snapshot = Snapshot::new();
    /// snapshot.put_settings(&settings(7)?)?;
    /// snapshot.check_settings(&settings(7)?, &[])?;
    /// let e = snapshot.check_settings(&settings(8)?, &[]).unwrap_err();
    /// assert!(matches!(e, Error::Foreign { .. }));
    /// snapshot.check_settings(&settings(8)?, &["seed"])?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If the snapshot has other options, apart from those named by `may_differ`, or has none.
    pub fn check_settings(&self, settings: &Settings, may_differ: &[&str]) -> Result<()> {
        let here = settings.clone().without(may_differ);
        let there = self.settings()?.map(|there| there.without(may_differ));
        here.check(there.as_ref(), self.origin.as_deref())
    }

    /// The number of finished epochs, in a snapshot of a run by [`fit`](crate::fit).
    ///
    /// ```
    /// assert!(wengert_train::Snapshot::new().epochs().is_err());
    /// ```
    ///
    /// # Errors
    /// If the snapshot was not made by such a run.
    pub fn epochs(&self) -> Result<usize> {
        #[derive(Deserialize)]
        struct Run {
            epochs: Vec<serde::de::IgnoredAny>,
        }
        Ok(self.note::<Run>("run")?.epochs.len())
    }

    /// Writes the file under a temporary name, synchronises it to the disk and then renames it, so that a file with this name is
    /// complete or does not exist, whenever the program or the machine stops. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written. An existing file at `path` is then unchanged.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let refused = |e: EncodeError| Error::Snapshot { path: Some(path.into()), detail: e.to_string() };
        let bytes = self.encode().map_err(refused)?;
        write_whole(path, &bytes).map_err(Error::io(path))?;
        // The new name is an entry of the folder, which must reach the disk as well. Not every system supports that.
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    /// Reads a file. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or is not a snapshot.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Snapshot::decode(&fs::read(path).map_err(Error::io(path))?, path)
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let notes = serde_json::to_string(&self.notes)?;
        let checksum = checksum(&notes, &self.tensors);
        let header = Header { format: FORMAT.to_owned(), checksum: format!("{checksum:08x}"), notes };
        let header = serde_json::to_string(&header)?;
        Ok(state::encode(&self.tensors, Some(&header))?)
    }

    fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let refused = |detail: String| Error::Snapshot { path: Some(path.into()), detail };
        let (tensors, note) = state::decode(bytes, path)?;
        let note =
            note.ok_or_else(|| refused("a safetensors file, but not a snapshot of a run".to_owned()))?;
        let header: Header = serde_json::from_str(&note)
            .map_err(|e| refused(format!("not a snapshot of a run, or damaged: {e}")))?;
        if header.format != FORMAT {
            return Err(refused(format!("expected a {FORMAT:?}, found a {:?}", header.format)));
        }
        let found = format!("{:08x}", checksum(&header.notes, &tensors));
        if found != header.checksum {
            let said = header.checksum;
            return Err(refused(format!(
                "damaged: its checksum is {found}, and was {said} when it was written"
            )));
        }
        let notes = serde_json::from_str(&header.notes)
            .map_err(|e| refused(format!("its notes are no JSON: {e}")))?;
        Ok(Snapshot { tensors, notes, origin: Some(path.into()) })
    }

    /// The tensors with an element that is NaN or infinite, and the first such element of each.
    pub(crate) fn odd(&self) -> impl Iterator<Item = (&str, f64)> {
        let first = |t: &AnyTensor| match t {
            AnyTensor::F32(t) => odd_element(t).map(f64::from),
            AnyTensor::F64(t) => odd_element(t),
            _ => None,
        };
        self.tensors.iter().filter_map(move |(name, t)| Some((name.as_str(), first(t)?)))
    }

    /// The file that the snapshot was read from.
    pub(crate) fn origin(&self) -> Option<&Path> {
        self.origin.as_deref()
    }

    /// An error about this snapshot.
    pub(crate) fn misfit(&self, detail: String) -> Error {
        Error::Snapshot { path: self.origin.clone(), detail }
    }
}

/// The checksum of notes and tensors, including names, element types, shapes and elements.
fn checksum(notes: &str, tensors: &Dict) -> u32 {
    let mut crc = crc32c::crc32c(notes.as_bytes());
    for (name, t) in tensors {
        crc = crc32c::crc32c_append(crc, format!("\n{name} {:?} {}\n", t.dtype(), t.shape()).as_bytes());
        crc = match t {
            AnyTensor::F32(t) => elements(crc, &t.to_vec(), f32::to_le_bytes),
            AnyTensor::F64(t) => elements(crc, &t.to_vec(), f64::to_le_bytes),
            AnyTensor::I64(t) => elements(crc, &t.to_vec(), i64::to_le_bytes),
            _ => crc,
        };
    }
    crc
}

/// Extends the checksum by elements.
fn elements<T: Copy, const N: usize>(mut crc: u32, values: &[T], bytes: impl Fn(T) -> [u8; N]) -> u32 {
    let mut block = Vec::with_capacity(1 << 12);
    for part in values.chunks((1 << 12) / N) {
        block.clear();
        part.iter().for_each(|v| block.extend(bytes(*v)));
        crc = crc32c::crc32c_append(crc, &block);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;

    fn snapshot() -> Snapshot {
        let mut s = Snapshot::new();
        let dict = Dict::from([
            ("a".to_owned(), AnyTensor::F32(Tensor::from([1.0, f32::NAN, -0.0]))),
            ("steps".to_owned(), AnyTensor::I64(Tensor::scalar(7))),
        ]);
        s.put_dict("model", &dict).unwrap();
        s.put_dict("more", &Dict::from([("x".to_owned(), AnyTensor::F64(Tensor::from([[0.1], [0.2]])))]))
            .unwrap();
        s.put_note("place", &[3, 4]).unwrap();
        s
    }

    /// Files of earlier versions stay readable: the checksum is CRC-32C, and the first value is the published check value.
    #[test]
    fn checksums_stay_as_they_are() {
        assert_eq!(checksum("123456789", &Dict::new()), 0xe306_9283);
        assert_eq!(checksum("a note", &snapshot().tensors), 0x3387_5688);
    }

    /// Every bit of the file matters, or is padding: no damage is read as something else.
    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused_or_harmless() {
        let bytes = snapshot().encode().unwrap();
        let path = Path::new("x.safetensors");
        let whole = Snapshot::decode(&bytes, path).unwrap().encode().unwrap();
        assert_eq!(whole, bytes);
        let mut read = 0;
        for i in 0..bytes.len() {
            assert!(Snapshot::decode(&bytes[..i], path).is_err(), "the first {i} bytes");
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[i] ^= 1 << bit;
                match Snapshot::decode(&damaged, path) {
                    Ok(s) => {
                        assert_eq!(s.encode().unwrap(), bytes, "byte {i}, bit {bit}");
                        read += 1;
                    }
                    Err(e) => assert!(e.to_string().contains("x.safetensors"), "{e}"),
                }
            }
        }
        // A space between parts of the header may become another kind of white space.
        assert!(read < 64, "{read}");
    }

    #[test]
    fn what_is_foreign_says_so() {
        let path = Path::new("x.safetensors");
        let plain = state::encode(&Dict::new(), None).unwrap();
        let e = Snapshot::decode(&plain, path).unwrap_err().to_string();
        assert_eq!(e, "x.safetensors: a safetensors file, but not a snapshot of a run");
        let noted = state::encode(&Dict::new(), Some("hello")).unwrap();
        let e = Snapshot::decode(&noted, path).unwrap_err().to_string();
        assert!(e.contains("not a snapshot of a run"), "{e}");
        let header =
            Header { format: "wengert snapshot 9".into(), checksum: String::new(), notes: "{}".into() };
        let future = state::encode(&Dict::new(), Some(&serde_json::to_string(&header).unwrap())).unwrap();
        let e = Snapshot::decode(&future, path).unwrap_err().to_string();
        assert!(e.contains("snapshot 1") && e.contains("snapshot 9"), "{e}");
        let e = snapshot().note::<String>("place").unwrap_err().to_string();
        assert!(e.starts_with("place: invalid type"), "{e}");
        assert!(
            snapshot().put_dict("", &Dict::new()).is_err()
                && snapshot().put_dict("a/b", &Dict::new()).is_err()
        );
    }
}
