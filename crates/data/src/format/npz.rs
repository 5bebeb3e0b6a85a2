//! NumPy's `.npz`: a zip archive of `.npy` files, stored (`numpy.savez`) or compressed (`numpy.savez_compressed`).
//!
//! Source: PKWARE, *APPNOTE.TXT*, sections 4.3 and 4.5.3 (the sizes of zip64); archives above 4 GiB are refused.
//!
//! Read here, not by a crate for zip: one budget of memory, by the length of the archive, holds for all members together and is spent
//! before one is inflated; an error names the member or the byte.

use super::array::Array;
use super::budget::Budget;
use super::bytes::{MOST_EXPANSION, read_file, write_file};
use super::npy;
use crate::error::{Error, Location, Result, shortened};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// The length of the end record without its comment.
const END_SIZE: usize = 22;
const LONGEST_COMMENT: usize = u16::MAX as usize;

/// Reads all arrays of an archive with their names, in the order of the archive.
///
/// ```
/// use wengert_data::format::{Array, npz};
/// use wengert_ops::Tensor;
/// let path = std::env::temp_dir().join(format!("wengert-{}.npz", std::process::id()));
/// npz::write(&path, &[("x", Tensor::from([1.0f32]).into()), ("y", Tensor::from([7i64]).into())])?;
/// let arrays = npz::read(&path)?;
/// assert_eq!(arrays[1], ("y".to_owned(), Array::I64(Tensor::from([7i64]))));
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is not a zip archive of `.npy` files with distinct names, is encrypted or damaged, takes
/// [too much memory](super::MOST_PER_BYTE), or [`npy::decode`] refuses one of its members.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<(String, Array)>> {
    let path = path.as_ref();
    decode(&read_file(path)?, path)
}

/// The same as [`read`], for contents in memory; `path` is for error messages.
///
/// ```
/// use wengert_data::format::npz;
/// use wengert_ops::Tensor;
/// let bytes = npz::encode(&[("x", Tensor::from([1.0f32]).into())])?;
/// assert_eq!(npz::decode(&bytes, "x.npz")?[0].0, "x");
/// assert!(npz::decode(&bytes[..bytes.len() - 1], "x.npz").is_err());
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// As [`read`], except that nothing is read.
pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<Vec<(String, Array)>> {
    let path = path.as_ref();
    let zip = Zip { bytes, path };
    let (mut arrays, mut names) = (Vec::new(), HashSet::new());
    // Members may share their bytes, so the bound is on their total memory.
    let mut budget = Budget::of(bytes.len());
    let members = zip.members()?;
    for member in &members {
        let refuse = |expected: &str, found: &str| {
            Error::malformed(path, Location::Member(member.name.clone()), expected, found)
        };
        let Some(name) = member.name.strip_suffix(".npy") else {
            return Err(refuse("a name that ends in .npy", "another"));
        };
        if !names.insert(name) {
            return Err(refuse("a unique name", "two members with this name"));
        }
        let mut own = budget.clone();
        let contents = zip.contents(member, &mut own)?;
        let array = npy::decode_within(&contents, &inside(path, &member.name), &mut own)?;
        let place = Location::Member(member.name.clone());
        budget.spend(array.bytes().saturating_add(name.len() as u64), "arrays", path, place)?;
        arrays.push((name.to_owned(), array));
    }
    Ok(arrays)
}

/// The path of a member, for error messages. A leading slash makes no difference.
fn inside(path: &Path, name: &str) -> PathBuf {
    let mut inside = path.as_os_str().to_owned();
    inside.push("/");
    inside.push(&*shortened(name));
    inside.into()
}

struct Member {
    name: String,
    encrypted: bool,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    offset: u64,
}

struct Zip<'a> {
    bytes: &'a [u8],
    path: &'a Path,
}

impl<'a> Zip<'a> {
    fn refuse(&self, at: usize, expected: &str, found: impl ToString) -> Error {
        Error::malformed(self.path, Location::Byte(at as u64), expected, found)
    }

    /// The `n` bytes at `at`, which are `what`.
    fn slice(&self, at: usize, n: usize, what: &str) -> Result<&'a [u8]> {
        let bytes = self.bytes.get(at..).and_then(|rest| rest.get(..n));
        bytes.ok_or_else(|| {
            let left = self.bytes.len().saturating_sub(at);
            self.refuse(at, &format!("{n} bytes of {what}"), format!("at most {left}"))
        })
    }

    fn members(&self) -> Result<Vec<Member>> {
        let end = self.end()?;
        let e = &self.bytes[end..];
        let (disk, entries, entries_all) = (u16_at(e, 4), u16_at(e, 8), u16_at(e, 10));
        if disk != 0 || entries != entries_all {
            return Err(self.refuse(end, "an archive in one part", "several"));
        }
        let (length, start) = (u32_at(e, 12) as usize, u32_at(e, 16) as usize);
        if entries == u16::MAX || start == u32::MAX as usize {
            return Err(self.refuse(end, "an archive of less than 4 GiB and 65,535 members", "a larger one"));
        }
        if start.checked_add(length) != Some(end) {
            return Err(self.refuse(end, "a directory that ends here", format!("{length} bytes at {start}")));
        }
        let mut at = start;
        let mut members = Vec::new();
        for _ in 0..entries {
            let (member, after) = self.member(at)?;
            members.push(member);
            at = after;
        }
        if at != end {
            return Err(self.refuse(at, "the end of the directory", "more bytes"));
        }
        Ok(members)
    }

    /// The position of the record that ends every archive.
    fn end(&self) -> Result<usize> {
        let last = self.bytes.len().checked_sub(END_SIZE);
        let last = last.ok_or_else(|| self.refuse(0, "a zip archive", "less than its shortest"))?;
        let is_end = |&at: &usize| {
            let record = &self.bytes[at..];
            u32_at(record, 0) == END && u16_at(record, 20) as usize == record.len() - END_SIZE
        };
        let first = last.saturating_sub(LONGEST_COMMENT);
        (first..=last).rev().find(is_end).ok_or_else(|| self.refuse(0, "a zip archive", "no end record"))
    }

    fn member(&self, at: usize) -> Result<(Member, usize)> {
        let h = self.slice(at, 46, "directory entry")?;
        if u32_at(h, 0) != CENTRAL {
            return Err(self.refuse(at, "a directory entry", "none"));
        }
        let (name, extra, comment) = (u16_at(h, 28) as usize, u16_at(h, 30) as usize, u16_at(h, 32) as usize);
        let tail = self.slice(at + 46, name + extra + comment, "name and extra fields")?;
        let mut member = Member {
            name: String::from_utf8_lossy(&tail[..name]).into_owned(),
            encrypted: u16_at(h, 8) & 1 == 1,
            method: u16_at(h, 10),
            crc: u32_at(h, 16),
            compressed: u64::from(u32_at(h, 20)),
            size: u64::from(u32_at(h, 24)),
            offset: u64::from(u32_at(h, 42)),
        };
        self.widen(&mut member, &tail[name..name + extra], at)?;
        Ok((member, at + 46 + tail.len()))
    }

    /// Takes the sizes that do not fit in 32 bits from the zip64 field.
    fn widen(&self, member: &mut Member, mut extra: &[u8], at: usize) -> Result<()> {
        let wide = |v: u64| v == u64::from(u32::MAX);
        if !(wide(member.size) || wide(member.compressed) || wide(member.offset)) {
            return Ok(());
        }
        while extra.len() >= 4 {
            let (id, length) = (u16_at(extra, 0), u16_at(extra, 2) as usize);
            let Some(field) = extra[4..].get(..length) else { break };
            if id == 1 {
                let (words, _) = field.as_chunks::<8>();
                let mut words = words.iter().map(|&w| u64::from_le_bytes(w));
                for value in [&mut member.size, &mut member.compressed, &mut member.offset] {
                    if wide(*value) {
                        *value = words.next().ok_or_else(|| self.refuse(at, "sizes of 64 bits", "fewer"))?;
                    }
                }
                return Ok(());
            }
            extra = &extra[4 + length..];
        }
        Err(self.refuse(at, "sizes of 64 bits", "none"))
    }

    fn contents(&self, member: &Member, budget: &mut Budget) -> Result<Vec<u8>> {
        let refuse = |expected: String, found: String| {
            Error::malformed(self.path, Location::Member(member.name.clone()), expected, found)
        };
        if member.encrypted {
            return Err(refuse("a member that is not encrypted".into(), "an encrypted one".into()));
        }
        let at = usize::try_from(member.offset).unwrap_or(usize::MAX);
        let h = self.slice(at, 30, "member header")?;
        if u32_at(h, 0) != LOCAL {
            return Err(self.refuse(at, "a member", "none"));
        }
        let start = at + 30 + u16_at(h, 26) as usize + u16_at(h, 28) as usize;
        let compressed = usize::try_from(member.compressed).unwrap_or(usize::MAX);
        let data = self.slice(start, compressed, "member")?;
        let most = (compressed as u64).saturating_mul(MOST_EXPANSION);
        if member.size > most {
            return Err(refuse(format!("at most {most} bytes"), member.size.to_string()));
        }
        // A compressed member is decompressed into a buffer that doubles.
        let cost = member.size.saturating_mul(if member.method == 0 { 1 } else { 3 });
        budget.spend(cost, "members", self.path, Location::Member(member.name.clone()))?;
        let contents = match member.method {
            0 => data.to_vec(),
            8 => {
                let mut out = Vec::new();
                let mut decoder = DeflateDecoder::new(data);
                decoder.by_ref().take(member.size).read_to_end(&mut out).map_err(Error::read(self.path))?;
                let more = decoder.read(&mut [0]).map_err(Error::read(self.path))?;
                if more > 0 || !decoder.get_ref().is_empty() {
                    return Err(refuse(format!("{} bytes", member.size), "more".into()));
                }
                out
            }
            method => return Err(refuse("a stored or deflated member".into(), format!("method {method}"))),
        };
        if contents.len() as u64 != member.size {
            return Err(refuse(format!("{} bytes", member.size), contents.len().to_string()));
        }
        let mut crc = Crc::new();
        crc.update(&contents);
        if crc.sum() != member.crc {
            return Err(refuse(
                format!("bytes whose sum is {:08x}", member.crc),
                format!("{:08x}", crc.sum()),
            ));
        }
        Ok(contents)
    }
}

/// Two bytes at a position that the caller has checked.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// Four bytes at a position that the caller has checked.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// Writes an archive, stored without compression. See [`read`] for an example.
///
/// # Errors
/// If the file cannot be written, and as [`encode`].
pub fn write(path: impl AsRef<Path>, arrays: &[(&str, Array)]) -> Result<()> {
    write_file(path.as_ref(), &encode(arrays)?)
}

/// The bytes of an archive. See [`decode`] for an example.
///
/// # Errors
/// If a name is empty, occurs twice or has more than 60,000 bytes, or the archive would have 4 GiB or more.
pub fn encode(arrays: &[(&str, Array)]) -> Result<Vec<u8>> {
    const CALL: &str = "npz";
    if arrays.len() >= usize::from(u16::MAX) {
        return Err(Error::argument(CALL, "less than 65,535 arrays", arrays.len()));
    }
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (i, (name, array)) in arrays.iter().enumerate() {
        if name.is_empty() || name.len() > 60_000 {
            return Err(Error::argument(CALL, "names of 1 to 60,000 bytes", name.len()));
        }
        if arrays[..i].iter().any(|(other, _)| other == name) {
            return Err(Error::argument(CALL, "names that differ", format!("{name:?} twice")));
        }
        let contents = npy::encode(array);
        let offset = bytes.len();
        let name = format!("{name}.npy");
        if offset + contents.len() + name.len() + 30 + directory.len() >= u32::MAX as usize {
            return Err(Error::argument(CALL, "an archive of less than 4 GiB", "more"));
        }
        let mut crc = Crc::new();
        crc.update(&contents);
        let size = (contents.len() as u32).to_le_bytes();
        let mut common = vec![20, 0]; // version 2.0
        common.extend([0, 8]); // names in UTF-8
        common.extend([0, 0]); // stored
        common.extend([0, 0, 0x21, 0]); // midnight of the first day of 1980
        common.extend(crc.sum().to_le_bytes());
        common.extend(size);
        common.extend(size);
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]); // no extra fields
        bytes.extend(LOCAL.to_le_bytes());
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(contents);
        directory.extend(CENTRAL.to_le_bytes());
        directory.extend([20, 0]);
        directory.extend(&common);
        directory.extend([0; 10]); // no comment, first disk, no attributes
        directory.extend((offset as u32).to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = (arrays.len() as u16).to_le_bytes();
    let start = bytes.len() as u32;
    let length = directory.len() as u32;
    bytes.extend(directory);
    bytes.extend(END.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(length.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;

    fn archive() -> (Vec<(&'static str, Array)>, Vec<u8>) {
        let arrays = vec![
            ("x", Tensor::from([[1.5f32, -2.0]]).into()),
            ("labels", Tensor::from([1u8, 2, 3]).into()),
            ("ü", Tensor::scalar(7i64).into()),
        ];
        let bytes = encode(&arrays).unwrap();
        (arrays, bytes)
    }

    #[test]
    fn archives_go_out_and_come_back() {
        let (arrays, bytes) = archive();
        let read = decode(&bytes, "f").unwrap();
        assert!(read.iter().map(|(n, a)| (n.as_str(), a.clone())).eq(arrays));
        assert_eq!(decode(&encode(&[]).unwrap(), "f").unwrap(), []);
        let one: Array = Tensor::from([1u8]).into();
        assert!(encode(&[("a", one.clone()), ("a", one.clone())]).is_err());
        assert!(encode(&[("", one)]).is_err());
    }

    #[test]
    fn every_truncation_is_refused_and_no_changed_byte_panics_or_changes_a_value() {
        let (_, bytes) = archive();
        let good = decode(&bytes, "f").unwrap();
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut], "f").is_err(), "cut to {cut}");
        }
        for at in 0..bytes.len() {
            for bit in [1, 16, 128] {
                let mut damaged = bytes.clone();
                damaged[at] ^= bit;
                if let Ok(read) = decode(&damaged, "f") {
                    // Times, attributes and the copy of the name in the member's header do not matter.
                    assert!(read.iter().zip(&good).all(|(a, b)| a.1 == b.1), "byte {at}");
                }
            }
        }
    }
}
