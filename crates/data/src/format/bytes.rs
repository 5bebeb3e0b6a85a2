//! The bytes of a file, compressed or not, read in order, with positions in the errors.

use super::budget::limit;
use crate::error::{Error, Location, Result};
use crate::record;
use flate2::bufread::GzDecoder;
use std::io::Read;
use std::path::Path;

/// DEFLATE expands a byte to at most this many, so the length of a file bounds its decompressed length.
pub(crate) const MOST_EXPANSION: u64 = 1032;

/// The bytes that are reserved before the first byte is read.
const FIRST_RESERVE: u64 = 1 << 20;

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    record::note(path, &bytes);
    Ok(bytes)
}

pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::write(path))
}

/// The number of bytes of an array, if that shape is possible: the sizes next to a 0 must also fit in memory.
pub(crate) fn checked_bytes(shape: &[usize], size: usize) -> Option<u64> {
    let most = shape.iter().try_fold(size, |n, &d| n.checked_mul(d.max(1)))?;
    isize::try_from(most).ok()?;
    Some(if shape.contains(&0) { 0 } else { most as u64 })
}

/// Whether the bytes begin with the magic number of gzip.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The contents of a gzip file of at most `most` bytes: a damaged file must not fill the memory.
pub(crate) fn gunzip(gz: &[u8], most: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut source = Source::new(gz, path);
    source.reader.by_ref().take(most).read_to_end(&mut bytes).map_err(Error::read(path))?;
    source.at = bytes.len() as u64;
    if source.at == most && source.reader.read(&mut [0]).map_err(Error::read(path))? > 0 {
        let expected = format!("at most {most} bytes after decompression ({})", limit());
        return Err(Error::malformed(path, Location::Whole, expected, "more"));
    }
    source.end()?;
    Ok(bytes)
}

enum Reader<'a> {
    Plain(&'a [u8]),
    Gzip(Box<GzDecoder<&'a [u8]>>),
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Reader::Plain(bytes) => bytes.read(buf),
            Reader::Gzip(decoder) => decoder.read(buf),
        }
    }
}

/// The bytes of a file in order, decompressed if they begin with the magic number of gzip.
pub(crate) struct Source<'a> {
    path: &'a Path,
    reader: Reader<'a>,
    at: u64,
    most: u64,
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8], path: &'a Path) -> Self {
        let length = bytes.len() as u64;
        let (reader, most) = if is_gzip(bytes) {
            let most = length.saturating_mul(MOST_EXPANSION);
            (Reader::Gzip(Box::new(GzDecoder::new(bytes))), most)
        } else {
            (Reader::Plain(bytes), length)
        };
        Source { path, reader, at: 0, most }
    }

    /// The position of the next byte.
    pub(crate) fn place(&self) -> Location {
        Location::Byte(self.at)
    }

    /// Returns an error unless the file can hold another `n` bytes, which are `what`.
    pub(crate) fn check(&self, n: u64, what: &str) -> Result<()> {
        let left = self.most.saturating_sub(self.at);
        if n <= left {
            return Ok(());
        }
        let expected = format!("{n} bytes of {what}");
        Err(Error::malformed(self.path, self.place(), expected, format!("at most {left}")))
    }

    /// The most memory that [`take`](Source::take) needs for `n` bytes.
    pub(crate) fn cost(&self, n: u64) -> u64 {
        match self.reader {
            Reader::Plain(_) => n,
            Reader::Gzip(_) => n.saturating_mul(2),
        }
    }

    /// The next `n` bytes, which are `what`.
    pub(crate) fn take(&mut self, n: u64, what: &str) -> Result<Vec<u8>> {
        self.check(n, what)?;
        // The contents of a compressed file may be shorter than its header says: the buffer grows with the bytes that
        // are decompressed.
        let mut bytes = Vec::new();
        let mut room = match self.reader {
            Reader::Plain(_) => n,
            Reader::Gzip(_) => n.min(FIRST_RESERVE),
        };
        while (bytes.len() as u64) < n {
            let more = room - bytes.len() as u64;
            let reserved = bytes.try_reserve_exact(usize::try_from(more).unwrap_or(usize::MAX));
            reserved.map_err(|e| Error::read(self.path)(e.into()))?;
            let read = self.reader.by_ref().take(more).read_to_end(&mut bytes);
            if (read.map_err(Error::read(self.path))? as u64) < more {
                let expected = format!("{n} bytes of {what}");
                return Err(Error::malformed(self.path, self.place(), expected, bytes.len()));
            }
            room = n.min(room.saturating_mul(2));
        }
        self.at += n;
        Ok(bytes)
    }

    /// The same as [`take`](Source::take), for a number of bytes that is known at compile time.
    pub(crate) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let bytes = self.take(N as u64, what)?;
        let mut array = [0; N];
        array.copy_from_slice(&bytes);
        Ok(array)
    }

    /// Returns an error if bytes follow the last one. This also makes a gzip file check its checksum.
    pub(crate) fn end(mut self) -> Result<()> {
        let mut one = [0];
        let more = self.reader.read(&mut one).map_err(Error::read(self.path))?;
        let after = match &self.reader {
            Reader::Gzip(decoder) => decoder.get_ref().len(),
            Reader::Plain(_) => 0,
        };
        if more + after > 0 {
            return Err(Error::malformed(self.path, self.place(), "the end of the file", "more bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    pub(in crate::format) fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bytes_are_taken_in_order_and_missing_ones_are_refused_with_their_place() {
        let path = Path::new("f");
        for bytes in [b"abcdef".to_vec(), gz(b"abcdef")] {
            let mut source = Source::new(&bytes, path);
            assert_eq!(source.array::<2>("head").unwrap(), *b"ab");
            let e = source.take(u64::MAX, "tail").unwrap_err().to_string();
            assert!(
                e.starts_with("f, byte 2: expected 18446744073709551615 bytes of tail, found at most"),
                "{e}"
            );
            assert_eq!(source.take(4, "tail").unwrap(), b"cdef");
            assert!(source.take(1, "more").is_err());
            source.end().unwrap();
            let mut source = Source::new(&bytes, path);
            source.take(5, "part").unwrap();
            assert!(source.end().is_err());
        }
        let trailing = [gz(b"abc"), b"x".to_vec()].concat();
        let mut source = Source::new(&trailing, path);
        source.take(3, "all").unwrap();
        assert!(source.end().is_err());
    }

    #[test]
    fn a_file_that_expands_too_far_is_refused() {
        let bytes = gz(&vec![0; 100_000]);
        assert_eq!(gunzip(&bytes, 100_000, Path::new("f")).unwrap().len(), 100_000);
        let e = gunzip(&bytes, 99_999, Path::new("f")).unwrap_err().to_string();
        assert!(e.starts_with("f: expected at most 99999 bytes after decompression"), "{e}");
        let long = gz(&vec![7; 3 << 20]);
        let mut source = Source::new(&long, Path::new("f"));
        assert_eq!(source.take(3 << 20, "all").unwrap(), vec![7; 3 << 20]);
        source.end().unwrap();
    }
}
