//! IDX, the format of MNIST and similar datasets: a magic number with element type and rank, the sizes, the elements,
//! all big-endian. Gzip-compressed files can be read, and written if their names end in `.gz`.
//!
//! Source: Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of handwritten digits*, section "File formats".
//!
//! Read here, not by a crate: sizes are held against the file's length before memory is reserved, and an error names the byte.

use super::array::{Array, collect};
use super::budget::{Budget, tensor_bytes};
use super::bytes::{Source, checked_bytes, read_file, write_file};
use crate::error::{Error, Location, Result};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::Path;
use wengert_ops::{Shape, Tensor};

/// The element types of the format.
///
/// ```
/// use wengert_data::format::idx::Kind;
/// assert_eq!((Kind::U8.size(), Kind::F64.size()), (1, 8));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    U8 = 0x08,
    /// Signed bytes.
    I8 = 0x09,
    /// 16-bit integers.
    I16 = 0x0B,
    /// 32-bit integers.
    I32 = 0x0C,
    /// 32-bit floating point.
    F32 = 0x0D,
    /// 64-bit floating point.
    F64 = 0x0E,
}

impl Kind {
    const ALL: [Kind; 6] = [Kind::U8, Kind::I8, Kind::I16, Kind::I32, Kind::F32, Kind::F64];

    /// The number of bytes of an element in a file. See [`Kind`] for an example.
    pub fn size(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 => 1,
            Kind::I16 => 2,
            Kind::I32 | Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }

    /// The number of bytes of an element in memory.
    fn size_in_memory(self) -> usize {
        match self {
            Kind::U8 => 1,
            Kind::F32 => 4,
            _ => 8,
        }
    }

    /// The least and the greatest integer.
    fn range(self) -> std::ops::RangeInclusive<i64> {
        match self {
            Kind::U8 => 0..=255,
            Kind::I8 => i64::from(i8::MIN)..=i64::from(i8::MAX),
            Kind::I16 => i64::from(i16::MIN)..=i64::from(i16::MAX),
            _ => i64::from(i32::MIN)..=i64::from(i32::MAX),
        }
    }
}

/// Reads a file, compressed or not. Integers other than bytes are widened to `i64`.
///
/// ```
/// use wengert_data::format::{Array, idx};
/// use wengert_ops::Tensor;
/// let path = std::env::temp_dir().join(format!("wengert-idx-{}.gz", std::process::id()));
/// let images = Tensor::from([[[0u8, 255], [7, 9]]]);
/// idx::write(&path, &images)?;
/// assert_eq!(idx::read(&path)?, Array::U8(images));
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is not IDX, is longer or shorter than its header says, or takes
/// [too much memory](super::MOST_PER_BYTE).
pub fn read(path: impl AsRef<Path>) -> Result<Array> {
    let path = path.as_ref();
    decode(&read_file(path)?, path)
}

/// The same as [`read`], for contents in memory; `path` is for error messages.
///
/// ```
/// use wengert_data::format::idx;
/// let labels = idx::decode(&[0, 0, 8, 1, 0, 0, 0, 2, 7, 3], "labels")?;
/// assert_eq!(labels.to_i64()?.to_vec(), [7, 3]);
/// let e = idx::decode(&[0, 0, 8, 1, 0, 0, 0, 3, 7, 3], "labels").unwrap_err();
/// assert_eq!(e.to_string(), "labels, byte 8: expected 3 bytes of elements, found at most 2");
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// As [`read`], except that nothing is read.
pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<Array> {
    let path = path.as_ref();
    let mut source = Source::new(bytes, path);
    let refuse =
        |at, expected: &str, found: String| Err(Error::malformed(path, Location::Byte(at), expected, found));
    let magic = source.array::<4>("magic number")?;
    let kind = match magic {
        [0, 0, code, _] => Kind::ALL.into_iter().find(|&kind| kind as u8 == code),
        _ => {
            return refuse(
                0,
                "two zero bytes, which every IDX file begins with",
                format!("{:?}", &magic[..2]),
            );
        }
    };
    let Some(kind) = kind else {
        return refuse(2, "an element type of 8, 9, 11, 12, 13 or 14", magic[2].to_string());
    };
    let rank = magic[3];
    if rank == 0 {
        return refuse(3, "at least one axis", "none".into());
    }
    let sizes = source.take(4 * u64::from(rank), "sizes")?;
    let sizes: Shape =
        sizes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let total = checked_bytes(&sizes, kind.size());
    let Some(total) = total else {
        let found = if rank > 16 { format!("{rank} large ones") } else { sizes.to_string() };
        return refuse(4, "sizes that fit in memory", found);
    };
    source.check(total, "elements")?;
    let count = total / kind.size() as u64;
    let cost = source.cost(total).saturating_add(tensor_bytes(count, kind.size_in_memory()));
    Budget::of(bytes.len()).spend(cost, "elements", path, source.place())?;
    let elements = source.take(total, "elements")?;
    source.end()?;
    let e = &elements[..];
    Ok(match kind {
        Kind::U8 => Tensor::from_slice(e, &sizes)?.into(),
        Kind::I8 => collect(&sizes, e.iter().map(|&b| i64::from(b as i8)))?.into(),
        Kind::I16 => collect(&sizes, words(e).map(|b| i64::from(i16::from_be_bytes(b))))?.into(),
        Kind::I32 => collect(&sizes, words(e).map(|b| i64::from(i32::from_be_bytes(b))))?.into(),
        Kind::F32 => collect(&sizes, words(e).map(f32::from_be_bytes))?.into(),
        Kind::F64 => collect(&sizes, words(e).map(f64::from_be_bytes))?.into(),
    })
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// Writes a file, compressed if its name ends in `.gz`: bytes as bytes, integers as 32-bit integers, floating-point
/// numbers in their own width. See [`read`] for an example.
///
/// # Errors
/// If the file cannot be written, and as [`encode`].
pub fn write(path: impl AsRef<Path>, array: impl Into<Array>) -> Result<()> {
    let array = array.into();
    let kind = match array {
        Array::U8(_) | Array::Bool(_) => Kind::U8,
        Array::I64(_) => Kind::I32,
        Array::F32(_) => Kind::F32,
        Array::F64(_) => Kind::F64,
    };
    write_as(path, &array, kind)
}

/// The same as [`write`](fn@write), in the given element type.
///
/// ```
/// use wengert_data::format::idx::{self, Kind};
/// use wengert_ops::Tensor;
/// let path = std::env::temp_dir().join(format!("wengert-idx-as-{}", std::process::id()));
/// idx::write_as(&path, Tensor::from([-1i64, 2]), Kind::I8)?;
/// assert_eq!(std::fs::read(&path).unwrap(), [0, 0, 9, 1, 0, 0, 0, 2, 255, 2]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written, and as [`encode`].
pub fn write_as(path: impl AsRef<Path>, array: impl Into<Array>, kind: Kind) -> Result<()> {
    let path = path.as_ref();
    let mut bytes = encode(array, kind)?;
    if path.extension().is_some_and(|end| end == "gz") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes).map_err(Error::write(path))?;
        bytes = encoder.finish().map_err(Error::write(path))?;
    }
    write_file(path, &bytes)
}

/// The bytes of a file, uncompressed.
///
/// ```
/// use wengert_data::format::idx::{self, Kind};
/// use wengert_ops::Tensor;
/// let e = idx::encode(Tensor::from([1i64, 300]), Kind::U8).unwrap_err();
/// assert_eq!(e.to_string(), "idx: expected elements from 0 to 255, found 300 at position 1");
/// ```
///
/// # Errors
/// If an integer is out of range of the type, the elements are floating-point numbers and the type is not, the rank is
/// not from 1 to 255, or a size does not fit in 32 bits.
pub fn encode(array: impl Into<Array>, kind: Kind) -> Result<Vec<u8>> {
    const CALL: &str = "idx";
    let array = array.into();
    let shape = array.shape();
    let rank = u8::try_from(shape.len()).ok().filter(|&rank| rank > 0);
    let rank = rank.ok_or_else(|| Error::argument(CALL, "from 1 to 255 axes", shape.len()))?;
    let mut bytes = vec![0, 0, kind as u8, rank];
    for &size in shape.iter() {
        let size = u32::try_from(size);
        let size = size.map_err(|_| Error::argument(CALL, "sizes below 2^32", shape))?;
        bytes.extend(size.to_be_bytes());
    }
    match kind {
        Kind::F32 => array.to_float::<f32>().to_vec().iter().for_each(|v| bytes.extend(v.to_be_bytes())),
        Kind::F64 => array.to_float::<f64>().to_vec().iter().for_each(|v| bytes.extend(v.to_be_bytes())),
        _ => {
            let range = kind.range();
            for (i, v) in array.to_i64()?.to_vec().into_iter().enumerate() {
                if !range.contains(&v) {
                    let expected = format!("elements from {} to {}", range.start(), range.end());
                    return Err(Error::argument(CALL, expected, format!("{v} at position {i}")));
                }
                bytes.extend(&v.to_be_bytes()[8 - kind.size()..]);
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(Array, Kind)> {
        let shape = [2, 3];
        let ints = |v: [i64; 6]| Array::from(Tensor::from_vec(v.to_vec(), shape).unwrap());
        vec![
            (Tensor::from_vec(vec![0u8, 1, 2, 3, 254, 255], shape).unwrap().into(), Kind::U8),
            (ints([-128, -1, 0, 1, 2, 127]), Kind::I8),
            (ints([-32768, -1, 0, 1, 256, 32767]), Kind::I16),
            (ints([i64::from(i32::MIN), -1, 0, 1, 65536, i64::from(i32::MAX)]), Kind::I32),
            (
                Tensor::from_vec(vec![0.0f32, -1.5, 1e-40, f32::MAX, f32::INFINITY, 0.1], shape)
                    .unwrap()
                    .into(),
                Kind::F32,
            ),
            (
                Tensor::from_vec(vec![0.0f64, -1.5, 5e-324, f64::MAX, f64::INFINITY, 0.1], shape)
                    .unwrap()
                    .into(),
                Kind::F64,
            ),
            (Tensor::from_vec(Vec::<u8>::new(), [0, 28, 28]).unwrap().into(), Kind::U8),
        ]
    }

    #[test]
    fn every_type_goes_out_and_comes_back() {
        for (array, kind) in samples() {
            let bytes = encode(&array, kind).unwrap();
            assert_eq!(decode(&bytes, "f").unwrap(), array, "{kind:?}");
        }
        // From the definition of the format.
        let bytes = [0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFE, 0x01, 0x00];
        assert_eq!(decode(&bytes, "f").unwrap(), Tensor::from([[-2i64, 256]]).into());
    }

    #[test]
    fn every_truncation_and_every_added_byte_is_refused() {
        for (array, kind) in samples() {
            let plain = encode(&array, kind).unwrap();
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&plain).unwrap();
            for whole in [plain, encoder.finish().unwrap()] {
                for cut in 0..whole.len() {
                    assert!(decode(&whole[..cut], "f").is_err(), "{kind:?} cut to {cut}");
                }
                assert!(decode(&[&whole[..], &[0]].concat(), "f").is_err());
                assert!(decode(&whole, "f").is_ok());
            }
        }
    }

    #[test]
    fn wrong_headers_are_refused_and_absurd_sizes_allocate_nothing() {
        for (bytes, message) in [
            (&[1, 0, 8, 1, 0, 0, 0, 0][..], "byte 0: expected two zero bytes"),
            (&[0, 0, 10, 1, 0, 0, 0, 0], "byte 2: expected an element type"),
            (&[0, 0, 8, 0], "byte 3: expected at least one axis"),
            (
                &[0, 0, 8, 1, 255, 255, 255, 255],
                "byte 8: expected 4294967295 bytes of elements, found at most 0",
            ),
        ] {
            let e = decode(bytes, "f").unwrap_err().to_string();
            assert!(e.contains(message), "{e}");
        }
        for rank in [2u8, 3, 255] {
            let mut bytes = vec![0, 0, 14, rank];
            bytes.extend(vec![255; 4 * rank as usize]);
            assert!(decode(&bytes, "f").is_err());
            // The product of the sizes is 0, but no tensor can have this shape.
            bytes.extend([0; 4]);
            bytes[3] = rank.wrapping_add(1).max(1);
            let _ = decode(&bytes, "f");
        }
        // Compressed: the compressed length bounds the sizes that a header may give.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&[0, 0, 8, 1, 255, 255, 255, 255]).unwrap();
        assert!(decode(&encoder.finish().unwrap(), "f").is_err());
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        assert!(encode(Tensor::from([0.5f32]), Kind::U8).is_err());
        assert!(encode(Tensor::from([-1i64]), Kind::U8).is_err());
        assert!(encode(Tensor::from([128i64]), Kind::I8).is_err());
        assert!(encode(Tensor::scalar(1.0f32), Kind::F32).is_err());
        assert!(read("no/such/file").is_err());
        assert!(write("no/such/folder/file", Tensor::from([1u8])).is_err());
    }
}
