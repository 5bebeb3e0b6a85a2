//! The pixels of a PNG file, row by row: decompressed, with the filters undone, and moved to their positions.
//!
//! Source: W3C, *Portable Network Graphics (PNG) Specification (Third Edition)*, sections 7 to 9.

use super::budget::{Budget, tensor_bytes};
use super::bytes::MOST_EXPANSION;
use super::chunks::{Colour, Picture};
use super::image::Channels;
use crate::error::{Error, Location, Result};
use flate2::bufread::ZlibDecoder;
use std::io::{BufRead, Read};
use std::path::Path;
use wengert_ops::{Float, Tensor};

/// First column, first row, and the steps to the next ones, for each pass over an interlaced image.
const PASSES: [[u32; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const ONE_PASS: [[u32; 4]; 1] = [[0, 0, 1, 1]];
/// The memory of the decompressor, rounded up.
const DECOMPRESSOR: u64 = 1 << 17;

/// The pixels as a tensor `[C, H, W]`, from 0 to 1.
pub(super) fn decode<T: Float>(
    picture: &Picture<'_>,
    channels: Channels,
    path: &Path,
    mut budget: Budget,
) -> Result<Tensor<T>> {
    let (width, height) = (picture.width, picture.height);
    let place = Location::Byte(picture.at as u64);
    let stored = match picture.colour {
        Colour::Indexed => 3,
        colour => colour.samples(),
    } + usize::from(picture.transparency.is_some());
    let wanted = match channels {
        Channels::AsStored => stored,
        Channels::Gray => 1,
        Channels::Rgb => 3,
        Channels::Rgba => 4,
    };

    let bits = picture.colour.samples() as u64 * u64::from(picture.depth);
    let area = u64::from(width) * u64::from(height);
    let longest = u64::from(width).saturating_mul(bits).div_ceil(8);
    let compressed: u64 = picture.data.iter().map(|piece| piece.len() as u64).sum();
    if area.saturating_mul(bits) / 8 > compressed.saturating_mul(MOST_EXPANSION) {
        let expected = format!("{width} by {height} pixels");
        return Err(Error::malformed(path, place, expected, format!("too few bytes for them: {compressed}")));
    }
    let what = format!("{width} by {height} pixels in {wanted} channels");
    let planes = tensor_bytes(area.saturating_mul(wanted as u64), size_of::<T>());
    let cost = planes.saturating_add(2 * longest).saturating_add(DECOMPRESSOR);
    budget.spend(cost, &what, path, Location::Whole)?;

    let mut image = Tensor::try_full([wanted, height as usize, width as usize], T::ZERO)?;
    let (planes, area) = (image.data_mut(), area as usize);
    let mut rows = Rows::new(picture, path);
    let passes: &[[u32; 4]] = if picture.interlaced { &PASSES } else { &ONE_PASS };
    for &[left, top, right, down] in passes {
        let columns = width.saturating_sub(left).div_ceil(right) as usize;
        let lines = height.saturating_sub(top).div_ceil(down);
        if columns == 0 || lines == 0 {
            continue;
        }
        rows.begin((columns as u64 * bits).div_ceil(8) as usize, (bits as usize).div_ceil(8));
        for line in 0..lines {
            let row = rows.next()?;
            let begin = (top + line * down) as usize * width as usize + left as usize;
            for i in 0..columns {
                let pixel = picture.pixel(row, i).map_err(|(expected, found)| {
                    Error::malformed(path, Location::Byte(picture.at as u64), expected, found)
                })?;
                let at = begin + i * right as usize;
                for c in 0..wanted {
                    planes[c * area + at] = T::from_f64(channel(&pixel[..stored], c, channels));
                }
            }
        }
    }
    rows.end()?;
    Ok(image)
}

/// A channel of a pixel.
fn channel(pixel: &[f64], c: usize, channels: Channels) -> f64 {
    let stored = pixel.len();
    match channels {
        Channels::AsStored => pixel[c],
        Channels::Gray if stored < 3 => pixel[0],
        Channels::Gray => 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2],
        _ if c < 3 => pixel[if stored < 3 { 0 } else { c }],
        _ if stored.is_multiple_of(2) => pixel[stored - 1],
        _ => 1.0,
    }
}

impl Picture<'_> {
    /// The channels of the pixel at `i` in a row, from 0 to 1; if there are fewer than four, the last are 0.
    fn pixel(&self, row: &[u8], i: usize) -> Result<[f64; 4], (String, String)> {
        let mut pixel = [0.0; 4];
        if self.colour == Colour::Indexed {
            let index = usize::from(self.sample(row, i));
            let Some(entry) = self.palette.get(index) else {
                let expected = format!("pixels below {}, the length of the palette", self.palette.len());
                return Err((expected, index.to_string()));
            };
            let opacity = self.transparency.map_or(255, |t| t.get(index).copied().unwrap_or(255));
            for (slot, &byte) in pixel.iter_mut().zip(entry.iter().chain([&opacity])) {
                *slot = f64::from(byte) / 255.0;
            }
            return Ok(pixel);
        }
        let samples = self.colour.samples();
        let brightest = f64::from(u16::MAX >> (16 - self.depth));
        let mut transparent = true;
        for (c, slot) in pixel.iter_mut().enumerate().take(samples) {
            let sample = self.sample(row, i * samples + c);
            *slot = f64::from(sample) / brightest;
            transparent &= self.transparency.is_some_and(|t| self.sample_of_colour(t, c) == sample);
        }
        if self.transparency.is_some() {
            pixel[samples] = if transparent { 0.0 } else { 1.0 };
        }
        Ok(pixel)
    }

    /// The sample at `i` in a row.
    fn sample(&self, row: &[u8], i: usize) -> u16 {
        match self.depth {
            16 => u16::from_be_bytes([row[2 * i], row[2 * i + 1]]),
            8 => row[i].into(),
            depth => {
                let at = i * usize::from(depth);
                u16::from(row[at / 8] << (at % 8) >> (8 - depth))
            }
        }
    }

    /// A sample of the transparent colour, of which only the bits of the depth are used.
    fn sample_of_colour(&self, colour: &[u8], c: usize) -> u16 {
        u16::from_be_bytes([colour[2 * c], colour[2 * c + 1]]) & (u16::MAX >> (16 - self.depth))
    }
}

/// The rows of an image in order.
struct Rows<'a> {
    decoder: ZlibDecoder<Pieces<'a>>,
    path: &'a Path,
    at: u64,
    /// The number of bytes of a pixel, at least one.
    step: usize,
    above: Vec<u8>,
    row: Vec<u8>,
}

impl<'a> Rows<'a> {
    fn new(picture: &'a Picture<'_>, path: &'a Path) -> Self {
        let decoder = ZlibDecoder::new(Pieces { first: &[], rest: &picture.data });
        Rows { decoder, path, at: picture.at as u64, step: 1, above: Vec::new(), row: Vec::new() }
    }

    /// Begins a pass whose rows have `length` bytes.
    fn begin(&mut self, length: usize, step: usize) {
        self.step = step;
        for row in [&mut self.above, &mut self.row] {
            row.clear();
            row.reserve_exact(length);
            row.resize(length, 0);
        }
    }

    fn refuse(&self, expected: &str, found: impl ToString) -> Error {
        Error::malformed(self.path, Location::Byte(self.at), expected, found)
    }

    fn read(&mut self, row: bool) -> Result<u8> {
        let mut filter = [0];
        let bytes = if row { &mut self.row[..] } else { &mut filter };
        match self.decoder.read_exact(bytes) {
            Ok(()) => Ok(filter[0]),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(self.refuse("image data for all pixels", "less"))
            }
            Err(e) => Err(self.refuse("compressed image data", e)),
        }
    }

    fn next(&mut self) -> Result<&[u8]> {
        std::mem::swap(&mut self.above, &mut self.row);
        let filter = self.read(false)?;
        self.read(true)?;
        if !unfilter(filter, &mut self.row, &self.above, self.step) {
            return Err(self.refuse("rows with a filter from 0 to 4", filter));
        }
        Ok(&self.row)
    }

    /// Returns an error if data remains.
    fn end(mut self) -> Result<()> {
        let more = self.decoder.read(&mut [0]).map_err(|e| self.refuse("compressed image data", e))?;
        let pieces = self.decoder.get_ref();
        if more > 0 || !pieces.first.is_empty() || pieces.rest.iter().any(|piece| !piece.is_empty()) {
            return Err(self.refuse("the end of the image data after the last pixel", "more"));
        }
        Ok(())
    }
}

/// Adds to each byte of a row the prediction of its filter, from the byte one pixel to the left, the one above, and the
/// one above and to the left. Returns `false` if there is no such filter.
fn unfilter(filter: u8, row: &mut [u8], above: &[u8], step: usize) -> bool {
    let predict: fn(u8, u8, u8) -> u8 = match filter {
        0 => return true,
        1 => |left, _, _| left,
        2 => |_, up, _| up,
        3 => |left, up, _| ((u16::from(left) + u16::from(up)) / 2) as u8,
        4 => paeth,
        _ => return false,
    };
    for i in 0..row.len() {
        let (left, corner) = if i < step { (0, 0) } else { (row[i - step], above[i - step]) };
        row[i] = row[i].wrapping_add(predict(left, above[i], corner));
    }
    true
}

/// The one of the three that is nearest to left + up − corner; of equally near ones the first.
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(up), i16::from(corner));
    let (to_left, to_up, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_left <= to_up && to_left <= to_corner {
        left
    } else if to_up <= to_corner {
        up
    } else {
        corner
    }
}

/// Slices of bytes, read one after the other.
struct Pieces<'a> {
    first: &'a [u8],
    rest: &'a [&'a [u8]],
}

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        while let ([], [next, rest @ ..]) = (self.first, self.rest) {
            (self.first, self.rest) = (next, rest);
        }
        Ok(self.first)
    }

    fn consume(&mut self, n: usize) {
        self.first = &self.first[n.min(self.first.len())..];
    }
}
