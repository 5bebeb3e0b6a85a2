//! NumPy's `.npy`: a magic number, a version, a header that is a Python dictionary, the elements.
//!
//! Versions 1, 2 and 3, both byte orders, C and Fortran order, booleans, integers and floating-point numbers are
//! supported. Files are written as version 1, little-endian, in C order.
//!
//! Source: `numpy.lib.format`, NEP 1.
//!
//! Read here, not by a crate: sizes are held against the file's length before memory is reserved, and an error names the byte.

use super::array::{Array, collect};
use super::budget::{Budget, tensor_bytes};
use super::bytes::{Source, checked_bytes, read_file, write_file};
use crate::error::{Error, Location, Result, quoted};
use std::path::Path;
use wengert_ops::{DType, Element, Shape, Tensor};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The headers of plain arrays have about a hundred bytes.
const LONGEST_HEADER: u64 = 1 << 16;
/// NumPy's own limit.
const MOST_AXES: usize = 64;

/// Reads a file. Integers other than bytes are widened to `i64`, half precision to `f32`.
///
/// ```
/// use wengert_data::format::{Array, npy};
/// use wengert_ops::Tensor;
/// let path = std::env::temp_dir().join(format!("wengert-{}.npy", std::process::id()));
/// let x = Tensor::from([[0.5f32, -1.0], [2.0, 3.0]]);
/// npy::write(&path, &x)?;
/// assert_eq!(npy::read(&path)?, Array::F32(x));
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is not `.npy`, has elements that are not numbers or booleans, or integers above the
/// range of `i64`, is longer or shorter than its header says, or takes [too much memory](super::MOST_PER_BYTE).
#[doc(alias = "from_numpy")]
#[doc(alias = "load")]
pub fn read(path: impl AsRef<Path>) -> Result<Array> {
    let path = path.as_ref();
    decode(&read_file(path)?, path)
}

/// The same as [`read`], for contents in memory; `path` is for error messages.
///
/// ```
/// use wengert_data::format::npy;
/// use wengert_ops::Tensor;
/// let bytes = npy::encode(Tensor::from([true, false]));
/// assert_eq!(npy::decode(&bytes, "mask.npy")?, Tensor::from([true, false]).into());
/// let e = npy::decode(&bytes[..bytes.len() - 1], "mask.npy").unwrap_err();
/// assert_eq!(e.to_string(), "mask.npy, byte 128: expected 2 bytes of elements, found at most 1");
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// As [`read`], except that nothing is read.
pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<Array> {
    decode_within(bytes, path.as_ref(), &mut Budget::of(bytes.len()))
}

/// The same as [`decode`], for a file that may be part of another.
pub(super) fn decode_within(bytes: &[u8], path: &Path, budget: &mut Budget) -> Result<Array> {
    let mut source = Source::new(bytes, path);
    let refuse =
        |at, expected: &str, found: String| Error::malformed(path, Location::Byte(at), expected, found);
    let magic = source.array::<6>("magic number")?;
    if magic != *MAGIC {
        return Err(refuse(0, "the magic number of .npy", format!("{:?}", String::from_utf8_lossy(&magic))));
    }
    let [major, minor] = source.array::<2>("version")?;
    let length = match (major, minor) {
        (1, 0) => u64::from(u16::from_le_bytes(source.array("header length")?)),
        (2 | 3, 0) => u64::from(u32::from_le_bytes(source.array("header length")?)),
        _ => return Err(refuse(6, "version 1.0, 2.0 or 3.0", format!("{major}.{minor}"))),
    };
    if length > LONGEST_HEADER {
        let expected = format!("a header of at most {LONGEST_HEADER} bytes");
        return Err(refuse(8, &expected, length.to_string()));
    }
    let at = source.place();
    let text = source.take(length, "header")?;
    let text = String::from_utf8_lossy(&text);
    let header = Header::parse(&text).map_err(|(expected, found)| {
        Error::malformed(path, at.clone(), format!("a header with {expected}"), found)
    })?;
    let total = checked_bytes(&header.shape, header.kind.size().into());
    let total = total.ok_or_else(|| {
        Error::malformed(path, at, "a shape that fits in memory", Shape::from(&header.shape[..]))
    })?;
    let place = source.place();
    source.check(total, "elements")?;
    let count = total / u64::from(header.kind.size());
    let tensors = tensor_bytes(count, header.kind.size_in_memory()) * if header.fortran { 2 } else { 1 };
    budget.spend(source.cost(total).saturating_add(tensors), "elements", path, place.clone())?;
    let elements = source.take(total, "elements")?;
    source.end()?;
    header.tensor(&elements).map_err(|(expected, found)| Error::malformed(path, place, expected, found))?
}

/// What was expected and what was found.
type Mismatch = (String, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed(u8),
    Unsigned(u8),
    Float(u8),
}

impl Kind {
    fn size(self) -> u8 {
        match self {
            Kind::Bool => 1,
            Kind::Signed(n) | Kind::Unsigned(n) | Kind::Float(n) => n,
        }
    }

    /// The number of bytes of an element in memory.
    fn size_in_memory(self) -> usize {
        match self {
            Kind::Bool | Kind::Unsigned(1) => 1,
            Kind::Float(2 | 4) => 4,
            _ => 8,
        }
    }
}

#[derive(Debug, PartialEq)]
struct Header {
    kind: Kind,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, Mismatch> {
        let mut scan = Scan { rest: text };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        scan.eat('{')?;
        while !scan.is_next('}') {
            let key = scan.string()?;
            scan.eat(':')?;
            let first = match key {
                "descr" => descr.replace(scan.descr()?).is_none(),
                "fortran_order" => fortran.replace(scan.boolean()?).is_none(),
                "shape" => shape.replace(scan.tuple()?).is_none(),
                _ => {
                    return Err(("no other keys than descr, fortran_order and shape".into(), quoted(key)));
                }
            };
            if !first {
                return Err((format!("one {key}"), "two".into()));
            }
            if !scan.is_next('}') {
                scan.eat(',')?;
            }
        }
        scan.eat('}')?;
        if !scan.rest.trim().is_empty() {
            return Err(("nothing after the dictionary".into(), scan.found()));
        }
        let missing = |key: &str| (format!("the key {key}"), "none".to_owned());
        let (kind, big_endian) = descr.ok_or_else(|| missing("descr"))?;
        let fortran = fortran.ok_or_else(|| missing("fortran_order"))?;
        let shape = shape.ok_or_else(|| missing("shape"))?;
        Ok(Header { kind, big_endian, fortran, shape })
    }

    /// The outer result is about the elements, the inner one about making a tensor of them.
    fn tensor(&self, e: &[u8]) -> Result<Result<Array>, Mismatch> {
        Ok(match self.kind {
            Kind::Bool => {
                if let Some(byte) = e.iter().find(|&&byte| byte > 1) {
                    return Err(("booleans of 0 or 1".into(), byte.to_string()));
                }
                self.shaped(e.iter().map(|&b| b == 1))
            }
            Kind::Unsigned(1) => self.shaped(e.iter().copied()),
            Kind::Signed(1) => self.shaped(e.iter().map(|&b| i64::from(b as i8))),
            Kind::Signed(2) => self.shaped(self.words(e).map(|b| i64::from(i16::from_le_bytes(b)))),
            Kind::Signed(4) => self.shaped(self.words(e).map(|b| i64::from(i32::from_le_bytes(b)))),
            Kind::Signed(_) => self.shaped(self.words(e).map(i64::from_le_bytes)),
            Kind::Unsigned(2) => self.shaped(self.words(e).map(|b| i64::from(u16::from_le_bytes(b)))),
            Kind::Unsigned(4) => self.shaped(self.words(e).map(|b| i64::from(u32::from_le_bytes(b)))),
            Kind::Unsigned(_) => {
                let values = || self.words(e).map(u64::from_le_bytes);
                if let Some(value) = values().find(|&v| i64::try_from(v).is_err()) {
                    return Err(("integers up to 2^63 - 1".into(), value.to_string()));
                }
                self.shaped(values().map(|v| v as i64))
            }
            Kind::Float(2) => self.shaped(self.words(e).map(|b| half(u16::from_le_bytes(b)))),
            Kind::Float(4) => self.shaped(self.words(e).map(f32::from_le_bytes)),
            Kind::Float(_) => self.shaped(self.words(e).map(f64::from_le_bytes)),
        })
    }

    fn words<const N: usize>(&self, bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
        let big_endian = self.big_endian;
        bytes.as_chunks::<N>().0.iter().map(move |&(mut word)| {
            if big_endian {
                word.reverse();
            }
            word
        })
    }

    fn shaped<T: Element>(&self, values: impl Iterator<Item = T>) -> Result<Array>
    where
        Array: From<Tensor<T>>,
    {
        if !self.fortran {
            return Ok(collect(&self.shape, values)?.into());
        }
        let reversed: Vec<usize> = self.shape.iter().rev().copied().collect();
        let axes: Vec<isize> = (0..self.shape.len() as isize).rev().collect();
        Ok(collect(&reversed, values)?.permute(&axes[..])?.contiguous().into())
    }
}

/// Half precision: a sign bit, five bits of exponent with bias 15, ten bits of fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    };
    sign * magnitude
}

/// Reads the literals that occur in a header.
struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    fn found(&self) -> String {
        match self.rest.trim_start() {
            "" => "the end of the header".into(),
            rest => format!("{:?}", rest.chars().take(20).collect::<String>()),
        }
    }

    fn is_next(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.starts_with(c)
    }

    fn eat(&mut self, c: char) -> Result<(), Mismatch> {
        if !self.is_next(c) {
            return Err((format!("{c:?}"), self.found()));
        }
        self.rest = &self.rest[c.len_utf8()..];
        Ok(())
    }

    fn string(&mut self) -> Result<&'a str, Mismatch> {
        let quote = if self.is_next('"') { '"' } else { '\'' };
        if !self.is_next(quote) {
            return Err(("a string".into(), self.found()));
        }
        let inner = &self.rest[1..];
        let end = inner.find(quote).ok_or_else(|| ("a closing quote".to_owned(), self.found()))?;
        self.rest = &inner[end + 1..];
        Ok(&inner[..end])
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    fn boolean(&mut self) -> Result<bool, Mismatch> {
        let found = self.found();
        match self.word() {
            "True" => Ok(true),
            "False" => Ok(false),
            _ => Err(("True or False".into(), found)),
        }
    }

    fn tuple(&mut self) -> Result<Vec<usize>, Mismatch> {
        let mut sizes = Vec::new();
        self.eat('(')?;
        while !self.is_next(')') {
            let found = self.found();
            // Python 2 wrote long integers with a final L.
            let size = self.word().trim_end_matches('L').parse();
            sizes.push(size.map_err(|_| ("a size".to_owned(), found))?);
            if sizes.len() > MOST_AXES {
                return Err((format!("at most {MOST_AXES} axes"), "more".into()));
            }
            if !self.is_next(')') {
                self.eat(',')?;
            }
        }
        self.eat(')')?;
        Ok(sizes)
    }

    fn descr(&mut self) -> Result<(Kind, bool), Mismatch> {
        let expected = || "an element type of booleans, integers or floating-point numbers".to_owned();
        if !self.is_next('\'') && !self.is_next('"') {
            return Err((expected(), self.found()));
        }
        let text = self.string()?;
        let kind = match text.trim_start_matches(['<', '>', '=', '|']) {
            "b1" | "?" => Kind::Bool,
            "i1" => Kind::Signed(1),
            "i2" => Kind::Signed(2),
            "i4" => Kind::Signed(4),
            "i8" => Kind::Signed(8),
            "u1" => Kind::Unsigned(1),
            "u2" => Kind::Unsigned(2),
            "u4" => Kind::Unsigned(4),
            "u8" => Kind::Unsigned(8),
            "f2" => Kind::Float(2),
            "f4" => Kind::Float(4),
            "f8" => Kind::Float(8),
            _ => return Err((expected(), quoted(text))),
        };
        Ok((kind, text.starts_with('>')))
    }
}

/// Writes a file. See [`read`] for an example.
///
/// # Errors
/// If the file cannot be written.
#[doc(alias = "save")]
pub fn write(path: impl AsRef<Path>, array: impl Into<Array>) -> Result<()> {
    write_file(path.as_ref(), &encode(array))
}

/// The bytes of a file. See [`decode`] for an example.
pub fn encode(array: impl Into<Array>) -> Vec<u8> {
    let array = array.into();
    let descr = match array.dtype() {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        _ => "|b1",
    };
    let sizes: String = array.shape().iter().map(|d| format!("{d}, ")).collect();
    let sizes = if array.shape().len() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // The elements begin at a multiple of 64, after a line feed.
    let before = MAGIC.len() + 4;
    let padded = (before + header.len() + 1).next_multiple_of(64) - before;
    header.extend(std::iter::repeat_n(' ', padded - 1 - header.len()));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    match &array {
        Array::F32(t) => t.to_vec().iter().for_each(|v| bytes.extend(v.to_le_bytes())),
        Array::F64(t) => t.to_vec().iter().for_each(|v| bytes.extend(v.to_le_bytes())),
        Array::I64(t) => t.to_vec().iter().for_each(|v| bytes.extend(v.to_le_bytes())),
        Array::U8(t) => bytes.extend(t.to_vec()),
        Array::Bool(t) => bytes.extend(t.to_vec().into_iter().map(u8::from)),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, elements: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(elements);
        bytes
    }

    #[test]
    fn every_type_and_rank_goes_out_and_comes_back() {
        let arrays: [Array; 7] = [
            Tensor::from([[0.5f32, f32::NEG_INFINITY], [1e-40, 3.0]]).into(),
            Tensor::from([0.1f64]).into(),
            Tensor::from([[i64::MIN, 0, i64::MAX]]).into(),
            Tensor::from([0u8, 255]).into(),
            Tensor::from([[[true], [false]]]).into(),
            Tensor::scalar(2.5f32).into(),
            Tensor::from_vec(Vec::<f64>::new(), [3, 0]).unwrap().into(),
        ];
        for array in arrays {
            let bytes = encode(&array);
            assert_eq!(decode(&bytes, "f").unwrap(), array);
            for cut in 0..bytes.len() {
                assert!(decode(&bytes[..cut], "f").is_err(), "cut to {cut}");
            }
            assert!(decode(&[&bytes[..], &[0]].concat(), "f").is_err());
        }
        let view = Tensor::from([[1i64, 2], [3, 4]]).transpose(0, 1).unwrap();
        assert_eq!(decode(&encode(&view), "f").unwrap(), Tensor::from([[1i64, 3], [2, 4]]).into());
    }

    #[test]
    fn headers_are_read_as_python_writes_them() {
        let header = |text: &str| Header::parse(text);
        let plain = header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!(
            plain,
            Header { kind: Kind::Float(4), big_endian: false, fortran: false, shape: vec![3, 4] }
        );
        let other = header("{\"shape\":(5L,),\"fortran_order\":True,\"descr\":\">i2\"}").unwrap();
        assert_eq!(other, Header { kind: Kind::Signed(2), big_endian: true, fortran: true, shape: vec![5] });
        assert_eq!(header("{'descr': '|b1', 'fortran_order': False, 'shape': ()}").unwrap().shape, [0; 0]);
        for (text, message) in [
            ("", "'{'"),
            ("{'descr': '<f4', 'shape': (1,)}", "the key fortran_order"),
            ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "an element type"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "an element type"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "an element type"),
            ("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "True or False"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "a size"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "no other keys"),
            ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "one descr"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "nothing after"),
            ("{'descr': '<f4", "a closing quote"),
        ] {
            let (expected, _) = header(text).unwrap_err();
            assert!(expected.contains(message), "{text}: {expected}");
        }
    }

    #[test]
    fn absurd_sizes_allocate_nothing() {
        for shape in [
            "(9223372036854775807,)",
            "(4294967296, 4294967296)",
            "(1000000000000,)",
            "(99999999999999999999,)",
        ] {
            let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}");
            assert!(decode(&file(&header, &[0; 8]), "f").is_err(), "{shape}");
        }
        let header =
            "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 9223372036854775807, 9223372036854775807)}";
        assert!(decode(&file(header, &[]), "f").is_err());
        let mut long = b"\x93NUMPY\x02\x00".to_vec();
        long.extend(u32::MAX.to_le_bytes());
        assert!(decode(&long, "f").unwrap_err().to_string().contains("a header of at most"));
        assert!(decode(b"\x93NUMPY\x04\x00", "f").unwrap_err().to_string().contains("found 4.0"));
        assert!(decode(b"\x93NUMPZ\x01\x00", "f").is_err());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let header = |descr: &str| format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
        assert!(decode(&file(&header("|b1"), &[2]), "f").is_err());
        assert!(decode(&file(&header("<u8"), &[255; 8]), "f").is_err());
        assert_eq!(decode(&file(&header(">u2"), &[1, 2]), "f").unwrap(), Tensor::from([258i64]).into());
    }

    #[test]
    fn halves() {
        for (bits, value) in
            [(0x3C00, 1.0), (0xC000, -2.0), (0x3555, 0.333_251_95), (1, 5.960_464_5e-8), (0x7BFF, 65504.0)]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7C00) == f32::INFINITY && half(0xFC00) == f32::NEG_INFINITY && half(0x7C01).is_nan());
    }
}
