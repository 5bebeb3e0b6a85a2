//! [`record_files`]: which files were read, and what was in them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// A file that was read: how many bytes it had, and their checksum, as they were on the disk, compressed or not.
///
/// ```
/// use wengert_data::FileRead;
/// let file = FileRead::of("some/file.csv", b"123456789");
/// assert_eq!((file.length, file.checksum), (9, 0xcbf4_3926));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// The CRC-32 of its bytes, as in gzip (RFC 1952, section 8). It is no protection against forgery.
    pub checksum: u32,
}

impl FileRead {
    /// What is to be remembered of a file with these contents. See [`FileRead`] for an example.
    pub fn of(path: impl Into<PathBuf>, bytes: &[u8]) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        FileRead { path: path.into(), length: bytes.len() as u64, checksum: crc.sum() }
    }
}

thread_local! {
    /// What is being recorded on this thread: a list for each call of `record_files` that is going on.
    static RECORDING: RefCell<Vec<Vec<FileRead>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `read`, and says which files the functions of this crate read in it, on this thread, in that order. The checksums are of the
/// bytes that were read, so that they cost little and are of nothing else. Sets that come with the crate are no files.
///
/// ```
/// use wengert_data::{Text, digits, record_files};
/// # let path = std::env::temp_dir().join(format!("wengert-record-{}.txt", std::process::id()));
/// std::fs::write(&path, "to be").unwrap();
/// let (text, files) = record_files(|| Text::read(&path));
/// assert_eq!((text?.len(), files.len()), (5, 1));
/// assert_eq!((&files[0].path, files[0].length), (&path, 5));
/// assert!(record_files(digits).1.is_empty());
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), wengert_data::Error>(())
/// ```
pub fn record_files<R>(read: impl FnOnce() -> R) -> (R, Vec<FileRead>) {
    /// Ends the recording, whether `read` returns or panics.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            RECORDING.with_borrow_mut(|all| drop(all.pop()));
        }
    }
    RECORDING.with_borrow_mut(|all| all.push(Vec::new()));
    let ends = Ends;
    let result = read();
    let files = RECORDING.with_borrow_mut(|all| all.last_mut().map(std::mem::take).unwrap_or_default());
    drop(ends);
    (result, files)
}

/// Remembers a file, if somebody asked for that.
pub(crate) fn note(path: &Path, bytes: &[u8]) {
    RECORDING.with_borrow_mut(|all| {
        if !all.is_empty() {
            let file = FileRead::of(path, bytes);
            all.iter_mut().for_each(|files| files.push(file.clone()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;

    #[test]
    fn every_reader_is_recorded_also_inside_of_another_recording_and_after_a_panic() {
        use crate::format::{csv, idx, image, npy, npz};
        let folder = std::env::temp_dir().join(format!("wengert-recorded-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("class")).unwrap();
        let path = folder.join("class/file.png");
        let readers: [&dyn Fn(); 8] = [
            &|| drop(csv::Table::read(&path, &csv::TableConfig::default())),
            &|| drop(idx::read(&path)),
            &|| drop(npy::read(&path)),
            &|| drop(npz::read(&path)),
            &|| drop(image::folder::<f32>(&folder, &image::FolderConfig::default())),
            &|| drop(Text::read(&path)),
            &|| drop(crate::Pairs::read(&path)),
            &|| drop(crate::Texts::read(&path)),
        ];
        std::fs::write(&path, "123456789").unwrap();
        for (i, read) in readers.into_iter().enumerate() {
            // What is damaged was read, too.
            let (((), inner), outer) = record_files(|| record_files(read));
            assert_eq!(inner, [FileRead::of(&path, b"123456789")], "{i}");
            assert_eq!(inner, outer, "{i}");
        }
        assert!(std::panic::catch_unwind(|| record_files(|| panic!("expected"))).is_err());
        readers[5]();
        assert!(record_files(|| ()).1.is_empty() && RECORDING.with_borrow(Vec::is_empty));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
