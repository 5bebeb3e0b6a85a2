//! [`EventFile`] and [`TensorBoard`]: event files for TensorBoard.
//!
//! A file is a sequence of records (TFRecord): length, masked CRC-32C of the length, contents, masked CRC-32C of the contents.
//! The contents are protocol buffers: an `Event` (event.proto) with a `Summary` (summary.proto) of one value. Both are small
//! enough to be encoded by hand.

use crate::epoch::Epoch;
use crate::error::{Error, Result};
use crate::observer::{Gradients, Observer, RunPlan, StepReport};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use wengert_data::image;
use wengert_nn::for_each_param;
use wengert_ops::Tensor;

/// A protocol buffer under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn int(mut self, field: u32, n: i64) -> Self {
        self.tag(field, 0);
        self.varint(n as u64);
        self
    }

    fn double(mut self, field: u32, x: f64) -> Self {
        self.tag(field, 1);
        self.0.extend(x.to_le_bytes());
        self
    }

    fn float(mut self, field: u32, x: f32) -> Self {
        self.tag(field, 5);
        self.0.extend(x.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// Repeated doubles, packed.
    fn doubles(self, field: u32, all: &[f64]) -> Self {
        let packed: Vec<u8> = all.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.bytes(field, &packed)
    }
}

/// The masked checksum of a record.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn record(contents: &[u8]) -> Vec<u8> {
    let length = (contents.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(&length).to_le_bytes());
    record.extend(contents);
    record.extend(masked(contents).to_le_bytes());
    record
}

/// A file of events for TensorBoard (`tensorboard --logdir FOLDER`).
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_train::EventFile;
/// let folder = std::env::temp_dir().join(format!("wengert-events-{}", std::process::id()));
/// let mut events = EventFile::create(&folder)?;
/// for step in 0..3 {
///     events.scalar("loss", step, 1.0 / (step + 1) as f64)?;
/// }
/// events.histogram("weights", 2, &[0.0, 0.5, 0.5, 1.0])?;
/// events.image("sample", 2, &Tensor::<f32>::zeros([1, 8, 8]))?;
/// events.flush()?;
/// assert!(std::fs::metadata(events.path()).unwrap().len() > 300);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[doc(alias = "SummaryWriter")]
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventFile {
    /// A new file in a folder, which is created if it does not exist. See [`EventFile`] for an example.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let (seconds, process) = (now(), std::process::id());
        // TensorBoard reads files in the order of their names. The new name sorts after the existing ones, whatever the clock
        // says.
        let after = newest(folder).map_or(0, |stamp| stamp.saturating_add(1));
        let stamp = (seconds as u64).max(after);
        let mut number = 0;
        let (path, file) = loop {
            let path = folder.join(format!("{NAME}{stamp:010}.wengert.{process}.{number}"));
            match File::create_new(&path) {
                Ok(file) => break (path, file),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(Error::io(&path)(e)),
            }
        };
        let mut events = EventFile { path, file: BufWriter::new(file) };
        events.write(&Message::default().double(1, seconds).bytes(3, b"brain.Event:2").0)?;
        Ok(events)
    }

    /// The path of the file. See [`EventFile`] for an example.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a session whose first step is `step`. Readers discard what was written before for this step and later ones, by a
    /// run that was stopped and then continued from an earlier step.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("wengert-events-begin-{}", std::process::id()));
    /// let mut events = wengert_train::EventFile::create(&folder)?;
    /// events.begin(101)?;
    /// events.scalar("loss", 101, 0.5)?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(&mut self, step: usize) -> Result<()> {
        self.write(&beginning(now(), step))
    }

    /// Writes a number at a step. See [`EventFile`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: usize, value: f64) -> Result<()> {
        self.value(step, &Message::default().bytes(1, tag.as_bytes()).float(2, value as f32).0)
    }

    /// Writes the distribution of numbers at a step. Numbers that are not finite are left out. See [`EventFile`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn histogram(&mut self, tag: &str, step: usize, numbers: &[f64]) -> Result<()> {
        let histogram = histogram(numbers);
        self.value(step, &Message::default().bytes(1, tag.as_bytes()).bytes(5, &histogram).0)
    }

    /// Writes a picture at a step: `[channels, height, width]` with 1 or 3 channels, and elements from 0 to 1. See [`EventFile`]
    /// for an example.
    ///
    /// # Errors
    /// If the tensor is not a picture, or the file cannot be written.
    pub fn image(&mut self, tag: &str, step: usize, picture: &Tensor<f32>) -> Result<()> {
        let png = image::encode(picture)?;
        let [channels, height, width] = picture.shape()[..] else {
            return Err(Error::Argument {
                call: "image",
                expected: "[channels, height, width]",
                found: picture.shape().to_string(),
            });
        };
        let size = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let image =
            Message::default().int(1, size(height)).int(2, size(width)).int(3, size(channels)).bytes(4, &png);
        self.value(step, &Message::default().bytes(1, tag.as_bytes()).bytes(4, &image.0).0)
    }

    /// Passes all buffered data to the system. See [`EventFile`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io(&self.path))
    }

    /// Passes all data to the disk.
    fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file.get_ref().sync_data().map_err(Error::io(&self.path))
    }

    fn value(&mut self, step: usize, value: &[u8]) -> Result<()> {
        self.write(&event(now(), step, value))
    }

    fn write(&mut self, contents: &[u8]) -> Result<()> {
        self.file.write_all(&record(contents)).map_err(Error::io(&self.path))
    }
}

/// The beginning of the names of all event files.
pub(crate) const NAME: &str = "events.out.tfevents.";

/// The time in the name of the newest event file of a folder.
fn newest(folder: &Path) -> Option<u64> {
    let names = fs::read_dir(folder).ok()?.filter_map(|e| e.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_prefix(NAME)?.split('.').next()?.parse().ok()).max()
}

/// An Event with a SessionLog of status START.
fn beginning(seconds: f64, step: usize) -> Vec<u8> {
    let start = Message::default().int(1, 1).0;
    Message::default().double(1, seconds).int(2, i64::try_from(step).unwrap_or(i64::MAX)).bytes(7, &start).0
}

fn event(seconds: f64, step: usize, value: &[u8]) -> Vec<u8> {
    let summary = Message::default().bytes(1, value).0;
    Message::default().double(1, seconds).int(2, i64::try_from(step).unwrap_or(i64::MAX)).bytes(5, &summary).0
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

const BUCKETS: usize = 30;

/// A HistogramProto with buckets of equal width between the smallest and the largest number.
fn histogram(numbers: &[f64]) -> Vec<u8> {
    let finite: Vec<f64> = numbers.iter().copied().filter(|x| x.is_finite()).collect();
    let (low, high) =
        finite.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
    let (low, high) = if finite.is_empty() { (0.0, 0.0) } else { (low, high) };
    let width = (high - low) / BUCKETS as f64;
    let mut counts = vec![0.0; BUCKETS];
    for x in &finite {
        let bucket = if width > 0.0 { ((x - low) / width) as usize } else { 0 };
        counts[bucket.min(BUCKETS - 1)] += 1.0;
    }
    // A limit is the upper end of its bucket; the last one is the largest number itself.
    let mut limits: Vec<f64> = (1..BUCKETS).map(|i| low + width * i as f64).collect();
    limits.push(high);
    if width == 0.0 {
        (limits, counts) = (vec![high], vec![finite.len() as f64]);
    }
    Message::default()
        .double(1, low)
        .double(2, high)
        .double(3, finite.len() as f64)
        .double(4, finite.iter().sum())
        .double(5, finite.iter().map(|x| x * x).sum())
        .doubles(6, &limits)
        .doubles(7, &counts)
        .0
}

/// An [`Observer`] for TensorBoard. It writes a run's loss and learning rate at each step, its measures at the last step of each
/// epoch, and histograms of weights and gradients at the first. Steps are counted from the beginning of the run.
///
/// A run that continues from a checkpoint writes a new file, which first makes readers discard what was written for later steps.
/// Everything before a checkpoint is on the disk before the checkpoint is. So each step appears once, whenever the run was
/// killed.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Linear, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Minimize, TensorBoard, fit};
///
/// let folder = std::env::temp_dir().join(format!("wengert-board-{}", std::process::id()));
/// let (train, test) = digits()?.stratified_split(0.2, 0)?;
/// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
/// let mut learner = Minimize::new(&mut model, &mut adam, Classify);
/// let config = FitConfig { epochs: 2, ..FitConfig::default() };
/// let mut board = TensorBoard::create(&folder)?;
/// fit(&mut learner, &Loader::new(&train, 64, 0)?, &test, &config, &mut board)?;
/// assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug)]
pub struct TensorBoard {
    events: EventFile,
    steps: usize,
    /// The first write error, which is returned at the end of the epoch.
    failed: Option<Error>,
}

impl TensorBoard {
    /// Writes to a new file in a folder. See [`TensorBoard`] for an example.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self> {
        Ok(TensorBoard { events: EventFile::create(folder)?, steps: 0, failed: None })
    }

    /// The file, to write more to it.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("wengert-board-more-{}", std::process::id()));
    /// let mut board = wengert_train::TensorBoard::create(&folder)?;
    /// board.events().scalar("temperature", 0, 21.5)?;
    /// assert!(board.events().path().starts_with(&folder));
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn events(&mut self) -> &mut EventFile {
        &mut self.events
    }

    fn note(&mut self, written: Result<()>) {
        if let (Err(e), None) = (written, &self.failed) {
            self.failed = Some(e);
        }
    }
}

impl Observer for TensorBoard {
    fn start(&mut self, plan: &RunPlan) {
        self.steps = plan.steps;
        let written = self.events.begin(plan.done + 1);
        self.note(written);
    }

    fn gradients(&mut self, gradients: &Gradients<'_>) {
        if gradients.step != 1 {
            return;
        }
        let step = (gradients.epoch - 1) * self.steps + 1;
        for_each_param::<f32>(gradients.model, &mut |path, p| {
            let name = format!("{}/{}", gradients.part, path.as_str());
            let numbers = |t: &Tensor<f32>| -> Vec<f64> { t.to_vec().into_iter().map(f64::from).collect() };
            let written = self.events.histogram(&format!("weights/{name}"), step, &numbers(p.value()));
            self.note(written);
            if let Some(g) = gradients.grads.get(p.id()) {
                let written = self.events.histogram(&format!("gradients/{name}"), step, &numbers(g));
                self.note(written);
            }
        });
    }

    fn step(&mut self, step: &StepReport) {
        let written = self.events.scalar("step/loss", step.done, step.loss);
        self.note(written);
        let written = self.events.scalar("step/learning_rate", step.done, step.learning_rate);
        self.note(written);
    }

    fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        if let Some(epoch) = epochs.last() {
            for (part, measures) in [("train", &epoch.train), ("test", &epoch.test)] {
                for m in measures.iter() {
                    self.events.scalar(
                        &format!("{part}/{}", m.name()),
                        epoch.number * self.steps,
                        m.value(),
                    )?;
                }
            }
        }
        self.events.flush()
    }

    fn saving(&mut self) -> Result<()> {
        match self.failed.take() {
            Some(e) => Err(e),
            None => self.events.sync(),
        }
    }

    fn finish(&mut self) {
        // An earlier write error was returned at the end of the epoch, or is lost with an unfinished epoch.
        let _ = self.events.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_known_bytes() {
        // The first record of a file that TensorFlow wrote, with time 0.
        let version = Message::default().double(1, 0.0).bytes(3, b"brain.Event:2").0;
        let expected = [
            9, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 13, b'b', b'r', b'a', b'i', b'n', b'.', b'E', b'v', b'e', b'n',
            b't', b':', b'2',
        ];
        assert_eq!(version, expected);
        // From an independent, bitwise computation.
        assert_eq!(masked(&24u64.to_le_bytes()), 0x224b_7fa3);
        assert_eq!(masked(&version), 0xa328_dfee);
        let whole = record(&version);
        assert_eq!(whole.len(), 8 + 4 + 24 + 4);
        assert_eq!(whole[..8], 24u64.to_le_bytes());
    }

    #[test]
    fn events_have_the_known_bytes() {
        let value = Message::default().bytes(1, b"loss").float(2, 0.5).0;
        let expected = [
            &[9][..],
            &1.5f64.to_le_bytes(),
            &[0x10, 0xac, 0x02],
            &[0x2a, 13, 0x0a, 11, 0x0a, 4],
            b"loss",
            &[0x15],
            &0.5f32.to_le_bytes(),
        ];
        assert_eq!(event(1.5, 300, &value), expected.concat());
    }

    #[test]
    fn a_session_begins_with_the_known_bytes() {
        // status is field 1 of SessionLog, START is 1; session_log is field 7 of Event.
        let expected = [&[9][..], &1.5f64.to_le_bytes(), &[0x10, 0xac, 0x02, 0x3a, 2, 0x08, 1]];
        assert_eq!(beginning(1.5, 300), expected.concat());
    }

    #[test]
    fn a_later_file_is_read_later_whatever_the_clock_says() {
        let folder = std::env::temp_dir().join(format!("wengert-order-{}", std::process::id()));
        let first = EventFile::create(&folder).unwrap();
        let second = EventFile::create(&folder).unwrap();
        assert!(first.path() < second.path());
        let future = folder.join(format!("{NAME}9999999990.wengert.4194304.0"));
        File::create(&future).unwrap();
        assert!(EventFile::create(&folder).unwrap().path() > future.as_path());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn histograms_count_every_finite_number_once() {
        let cases: [&[f64]; 6] = [
            &[],
            &[1.0],
            &[2.0, 2.0],
            &[0.0, 1.0, f64::NAN],
            &[-1e300, 1e300, f64::INFINITY],
            &[0.1, 0.2, 0.3],
        ];
        for numbers in cases {
            let bytes = histogram(numbers);
            let finite = numbers.iter().filter(|x| x.is_finite()).count() as f64;
            assert_eq!(bytes[19..27], finite.to_le_bytes(), "{numbers:?}");
            // The counts are the last field.
            let counts = if finite < 2.0 || numbers[0] == numbers[1] { 1 } else { BUCKETS };
            let last = bytes[bytes.len() - 8 * counts..].as_chunks::<8>().0;
            assert_eq!(last.iter().map(|b| f64::from_le_bytes(*b)).sum::<f64>(), finite, "{numbers:?}");
        }
    }
}
