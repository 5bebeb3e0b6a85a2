//! [`Snapshot`]: tensors and notes by name, as one checked file.
//!
//! The container is a safetensors file, so that its tensors can be read by other programs. Its metadata hold one JSON text with
//! what the snapshot is, its notes, and a CRC-32C of notes and tensors: a file that is damaged anywhere is refused whole.

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

/// What a file says that it is.
const FORMAT: &str = "wengert snapshot 1";
const SETTINGS: &str = "settings";

/// Everything that a run needs to go on, or any part of it: models, optimisers and other tensors, and notes, each below a name.
///
/// [`fit`](crate::fit) makes and reads these by itself; a loop of one's own can do the same:
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
    /// The file that it was read from.
    origin: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    checksum: String,
    /// The notes, as the very text that the checksum covers.
    notes: String,
}

/// Why a snapshot could not become a file.
#[derive(Debug, thiserror::Error)]
enum EncodeError {
    #[error(transparent)]
    Notes(#[from] serde_json::Error),
    #[error(transparent)]
    Tensors(#[from] state::Error),
}

impl Snapshot {
    /// With nothing in it. See [`Snapshot`] for an example.
    pub fn new() -> Self {
        Snapshot::default()
    }

    /// Puts tensors below a name.
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
    /// If there are tensors below the name already, or it is no name: empty, or with a `/`.
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

    /// The tensors below a name; none if there are none. See [`put_dict`](Snapshot::put_dict) for an example.
    pub fn dict(&self, name: &str) -> Dict {
        let prefix = format!("{name}/");
        let below = self.tensors.iter().filter_map(|(key, t)| Some((key.strip_prefix(&prefix)?, t)));
        below.map(|(key, t)| (key.to_owned(), t.clone())).collect()
    }

    /// Puts a model's parameters and buffers below a name. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// As [`put_dict`](Snapshot::put_dict).
    pub fn put_module(&mut self, name: &str, model: &dyn Module) -> Result<()> {
        self.put_dict(name, &state::dict(model))
    }

    /// Gives a model its parameters and buffers back. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If those below the name are not exactly the model's, which is then as it was.
    pub fn get_module(&self, name: &str, model: &mut dyn Module) -> Result<()> {
        state::restore(model, &self.dict(name)).map_err(|detail| self.misfit(format!("{name}: {detail}")))
    }

    /// Puts what an optimiser remembers of a model below a name. See [`Snapshot`] for an example.
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

    /// Gives an optimiser back what it remembered of a model. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If that is not of such an optimiser for such a model; the optimiser is then as it was.
    pub fn get_optimizer(
        &self,
        name: &str,
        optimizer: &mut dyn Optimizer<f32>,
        model: &dyn Module,
    ) -> Result<()> {
        let loaded = optimizer.load_state(model, &self.dict(name));
        loaded.map_err(|e| self.misfit(format!("{name}: {e}")))
    }

    /// Puts a note. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn put_note(&mut self, name: &str, note: &impl Serialize) -> Result<()> {
        let note = serde_json::to_value(note).map_err(|e| self.misfit(format!("{name}: {e}")))?;
        self.notes.insert(name.to_owned(), note);
        Ok(())
    }

    /// A note. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If there is none of this name, or it does not hold what is asked for.
    pub fn note<N: DeserializeOwned>(&self, name: &str) -> Result<N> {
        let Some(note) = self.notes.get(name) else {
            return Err(self.misfit(format!("there is no note {name}")));
        };
        N::deserialize(note).map_err(|e| self.misfit(format!("{name}: {e}")))
    }

    /// Whether there is a note of this name.
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

    /// Puts the options of the run that it is of. [`fit`](crate::fit) does so if it is [told](crate::FitConfig::settings) them.
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

    /// The options of the run that it is of, if it says so. See [`put_settings`](Snapshot::put_settings) for an example.
    ///
    /// # Errors
    /// As [`note`](Snapshot::note).
    pub fn settings(&self) -> Result<Option<Settings>> {
        self.has_note(SETTINGS).then(|| self.note(SETTINGS)).transpose()
    }

    /// Whether it is of a run with these options.
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
    /// If it is of another, apart from the options that `may_differ` names, or does not say.
    pub fn check_settings(&self, settings: &Settings, may_differ: &[&str]) -> Result<()> {
        let here = settings.clone().without(may_differ);
        let there = self.settings()?.map(|there| there.without(may_differ));
        here.check(there.as_ref(), self.origin.as_deref())
    }

    /// How many epochs of a run by [`fit`](crate::fit) are over in it.
    ///
    /// ```
    /// assert!(wengert_train::Snapshot::new().epochs().is_err());
    /// ```
    ///
    /// # Errors
    /// If it is not of such a run.
    pub fn epochs(&self) -> Result<usize> {
        #[derive(Deserialize)]
        struct Run {
            epochs: Vec<serde::de::IgnoredAny>,
        }
        Ok(self.note::<Run>("run")?.epochs.len())
    }

    /// Writes the file: under a temporary name, which is synchronised to the disk and then renamed, so that a file of this name is
    /// whole or not there, whenever the program or the machine stops. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If it cannot be written; what stood at `path` is then still there.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let refused = |e: EncodeError| Error::Snapshot { path: Some(path.into()), detail: e.to_string() };
        let bytes = self.encode().map_err(refused)?;
        write_whole(path, &bytes).map_err(Error::io(path))?;
        // The new name is in the folder, which has to reach the disk as well. Not every system can do that.
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    /// Reads a file. See [`Snapshot`] for an example.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is no snapshot.
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

    /// The tensors with an element that is NaN or an infinity, and the first such element of each.
    pub(crate) fn odd(&self) -> impl Iterator<Item = (&str, f64)> {
        let first = |t: &AnyTensor| match t {
            AnyTensor::F32(t) => odd_element(t).map(f64::from),
            AnyTensor::F64(t) => odd_element(t),
            _ => None,
        };
        self.tensors.iter().filter_map(move |(name, t)| Some((name.as_str(), first(t)?)))
    }

    /// The file that it was read from.
    pub(crate) fn origin(&self) -> Option<&Path> {
        self.origin.as_deref()
    }

    /// An error about this snapshot.
    pub(crate) fn misfit(&self, detail: String) -> Error {
        Error::Snapshot { path: self.origin.clone(), detail }
    }
}

/// Of names, element types, shapes and elements.
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

/// The checksum with the elements after what it had.
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

    /// Files that were written before are read: the checksum is CRC-32C, the first value the one that its catalogues have.
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
        // Spaces between parts of the header may become other spaces.
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
