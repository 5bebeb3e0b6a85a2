//! The chunks of a PNG file, checked before a pixel is decoded.
//!
//! Source: W3C, *Portable Network Graphics (PNG) Specification (Third Edition)*, sections 5.3, 5.6 and 11.

use crate::error::{Error, Location, Result, quoted};
use flate2::Crc;
use std::path::Path;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The largest width and height.
const LARGEST: u32 = i32::MAX as u32;

/// What the samples of a pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Gray,
    Rgb,
    /// Positions in a palette.
    Indexed,
    GrayOpacity,
    RgbOpacity,
}

impl Colour {
    /// The number of samples of a pixel in the file.
    pub(super) fn samples(self) -> usize {
        match self {
            Colour::Gray | Colour::Indexed => 1,
            Colour::GrayOpacity => 2,
            Colour::Rgb => 3,
            Colour::RgbOpacity => 4,
        }
    }
}

/// An image whose pixels are still compressed.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The bits of a sample.
    pub(super) depth: u8,
    pub(super) colour: Colour,
    pub(super) interlaced: bool,
    /// Red, green and blue of each entry; not empty if the colours are indexed.
    pub(super) palette: &'a [[u8; 3]],
    /// The contents of the chunk tRNS: the opacity of the first entries of the palette, or the samples of the one
    /// transparent colour.
    pub(super) transparency: Option<&'a [u8]>,
    /// The position of the compressed pixels.
    pub(super) at: usize,
    /// The compressed pixels, in pieces.
    pub(super) data: Vec<&'a [u8]>,
}

impl<'a> Picture<'a> {
    pub(super) fn parse(bytes: &'a [u8], path: &'a Path) -> Result<Self> {
        if !bytes.starts_with(SIGNATURE) {
            let found = quoted(&String::from_utf8_lossy(&bytes[..bytes.len().min(SIGNATURE.len())]));
            return Err(Error::malformed(
                path,
                Location::Whole,
                "a PNG image, which begins with \"\\u{89}PNG\"",
                found,
            ));
        }
        let mut chunks = Chunks { bytes, at: SIGNATURE.len(), path, before: *b"IHDR" };
        let first = chunks.next()?;
        let mut picture = first.header(path)?;
        let mut has_palette = false;
        loop {
            let chunk = chunks.next()?;
            let refuse = |expected: &str, found: &str| Err(chunk.refuse(path, expected, found));
            match &chunk.kind {
                b"IDAT" => {
                    if picture.data.is_empty() {
                        picture.at = chunk.at;
                    } else if chunks.before != *b"IDAT" {
                        return refuse("all image data together", "more of it after another chunk");
                    }
                    picture.data.push(chunk.data);
                }
                b"PLTE" if has_palette => return refuse("one palette", "two"),
                b"PLTE" | b"tRNS" if !picture.data.is_empty() => {
                    return refuse("palette and transparency before the image data", "one of them after it");
                }
                b"PLTE" => {
                    has_palette = true;
                    let palette = chunk.palette(path)?;
                    // For true colours the palette is a hint, in gray images it is not allowed; neither uses it.
                    if picture.colour == Colour::Indexed {
                        picture.palette = palette;
                    }
                }
                b"tRNS" if picture.transparency.is_some() => return refuse("one chunk tRNS", "two"),
                b"tRNS" => picture.transparency = Some(chunk.transparency(&picture, path)?),
                b"acTL" => return refuse("a still image", "an animated one"),
                b"IEND" => break,
                kind if kind[0].is_ascii_uppercase() => {
                    let found = quoted(&String::from_utf8_lossy(kind));
                    return refuse("a critical chunk IHDR, PLTE, IDAT or IEND", &found);
                }
                _ => {}
            }
            chunks.before = chunk.kind;
        }
        let refuse = |expected: &str, found: &str| {
            Err(Error::malformed(path, Location::Byte(chunks.at as u64), expected, found))
        };
        if chunks.at != bytes.len() {
            return refuse("the end of the file after the chunk IEND", "more bytes");
        }
        if picture.data.is_empty() {
            return refuse("a chunk IDAT before the chunk IEND", "none");
        }
        if picture.colour == Colour::Indexed && !has_palette {
            return refuse("a palette (chunk PLTE), since the colours are indexed", "none");
        }
        Ok(picture)
    }
}

struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
    path: &'a Path,
    /// The kind of the previous chunk.
    before: [u8; 4],
}

struct Chunk<'a> {
    at: usize,
    kind: [u8; 4],
    data: &'a [u8],
}

impl<'a> Chunks<'a> {
    fn next(&mut self) -> Result<Chunk<'a>> {
        let at = self.at;
        let refuse = |expected: &str, found: String| {
            Error::malformed(self.path, Location::Byte(at as u64), expected, found)
        };
        let rest = &self.bytes[at..];
        let Some((&[a, b, c, d, e, f, g, h], after)) = rest.split_first_chunk::<8>() else {
            return Err(refuse("a chunk, the last of which is IEND", format!("{} bytes", rest.len())));
        };
        let (length, kind) = (u32::from_be_bytes([a, b, c, d]), [e, f, g, h]);
        let name = quoted(&String::from_utf8_lossy(&kind));
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(refuse("the kind of a chunk, four letters", name));
        }
        let data = usize::try_from(length).ok().and_then(|length| after.split_at_checked(length));
        let Some((data, Some((sum, _)))) = data.map(|(data, rest)| (data, rest.split_first_chunk::<4>()))
        else {
            let expected = format!("{length} bytes of a chunk {name} and its sum");
            return Err(refuse(&expected, format!("at most {}", after.len())));
        };
        let mut crc = Crc::new();
        crc.update(&kind);
        crc.update(data);
        let sum = u32::from_be_bytes(*sum);
        if crc.sum() != sum {
            let expected = format!("a chunk {name} whose sum is {sum:08x}");
            return Err(refuse(&expected, format!("{:08x}", crc.sum())));
        }
        self.at += 12 + data.len();
        Ok(Chunk { at, kind, data })
    }
}

impl<'a> Chunk<'a> {
    fn refuse(&self, path: &Path, expected: &str, found: impl ToString) -> Error {
        Error::malformed(path, Location::Byte(self.at as u64), expected, found)
    }

    fn header(&self, path: &Path) -> Result<Picture<'a>> {
        let refuse = |expected: &str, found: String| Err(self.refuse(path, expected, found));
        let &[w0, w1, w2, w3, h0, h1, h2, h3, depth, colour, compression, filter, interlace] = self.data
        else {
            return refuse("a first chunk IHDR of 13 bytes", format!("{} bytes", self.data.len()));
        };
        if self.kind != *b"IHDR" {
            return refuse("a first chunk IHDR", quoted(&String::from_utf8_lossy(&self.kind)));
        }
        let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
        if !(1..=LARGEST).contains(&width) || !(1..=LARGEST).contains(&height) {
            return refuse("a width and a height from 1 to 2^31 - 1", format!("{width} by {height}"));
        }
        let colour = match (colour, depth) {
            (0, 1 | 2 | 4 | 8 | 16) => Colour::Gray,
            (2, 8 | 16) => Colour::Rgb,
            (3, 1 | 2 | 4 | 8) => Colour::Indexed,
            (4, 8 | 16) => Colour::GrayOpacity,
            (6, 8 | 16) => Colour::RgbOpacity,
            _ => {
                let found = format!("type {colour} with {depth} bits");
                return refuse("a colour type of 0, 2, 3, 4 or 6 with bits that it can have", found);
            }
        };
        if (compression, filter) != (0, 0) || interlace > 1 {
            let found = format!("{compression}, {filter} and {interlace}");
            return refuse("compression 0, filter 0 and interlace 0 or 1", found);
        }
        Ok(Picture {
            width,
            height,
            depth,
            colour,
            interlaced: interlace == 1,
            palette: &[],
            transparency: None,
            at: 0,
            data: Vec::new(),
        })
    }

    fn palette(&self, path: &Path) -> Result<&'a [[u8; 3]]> {
        match self.data.as_chunks::<3>() {
            (entries, []) if (1..=256).contains(&entries.len()) => Ok(entries),
            _ => {
                let found = format!("{} bytes", self.data.len());
                Err(self.refuse(path, "a palette (chunk PLTE) of 1 to 256 entries of 3 bytes each", found))
            }
        }
    }

    fn transparency(&self, picture: &Picture<'_>, path: &Path) -> Result<&'a [u8]> {
        let (expected, fits) = match picture.colour {
            Colour::Gray => ("a chunk tRNS of 2 bytes for a gray image".to_owned(), self.data.len() == 2),
            Colour::Rgb => {
                ("a chunk tRNS of 6 bytes for an image in colours".to_owned(), self.data.len() == 6)
            }
            Colour::Indexed => {
                let entries = picture.palette.len();
                let expected =
                    format!("a chunk tRNS of 1 to {entries} bytes, after a palette of {entries} entries");
                (expected, (1..=entries).contains(&self.data.len()))
            }
            Colour::GrayOpacity | Colour::RgbOpacity => {
                ("no chunk tRNS in an image with opacity".to_owned(), false)
            }
        };
        if fits {
            Ok(self.data)
        } else {
            Err(self.refuse(path, &expected, format!("{} bytes", self.data.len())))
        }
    }
}
