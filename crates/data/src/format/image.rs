//! PNG images: read one by one or from folders with a subfolder per class, and written alone or several in a grid.
//!
//! Images are tensors `[C, H, W]` with elements from 0 (black) to 1. C is 1 for gray, 2 for gray with opacity, 3 for
//! red, green and blue, and 4 for these with opacity.

use super::budget::{Budget, tensor_bytes};
use super::bytes::{read_file, write_file};
use super::chunks::Picture;
use super::pixels;
use crate::classification::Classification;
use crate::error::{Error, Location, Result};
use crate::transform::{Filter, resize};
use png::{BitDepth, ColorType};
use std::path::{Path, PathBuf};
use wengert_ops::{Float, Tensor};

/// The memory that an image of a folder may take, whatever the length of its file.
const MOST_FOR_ANY_IMAGE: u64 = 1 << 22;

/// The channels of the images that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channels {
    /// The channels of the file.
    #[default]
    AsStored,
    /// Gray; colours become 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601). Opacity is dropped.
    Gray,
    /// Red, green and blue; gray becomes three equal channels. Opacity is dropped.
    Rgb,
    /// Red, green, blue and opacity, which is 1 if the file has none.
    Rgba,
}

/// Reads a PNG file with 1, 2, 4, 8 or 16 bits, in gray, in colours or with a palette: `[C, H, W]`, from 0 to 1.
///
/// ```
/// use wengert_data::format::image::{self, Channels};
/// use wengert_ops::Tensor;
/// let path = std::env::temp_dir().join(format!("wengert-{}.png", std::process::id()));
/// let gray = Tensor::from([[[0.0f32, 0.2], [0.8, 1.0]]]);
/// image::write(&path, &gray)?;
/// assert_eq!(image::read::<f32>(&path, Channels::AsStored)?, gray);
/// assert_eq!(*image::read::<f32>(&path, Channels::Rgb)?.shape(), [3, 2, 2]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is not a PNG file, is damaged, incomplete or animated, or takes
/// [too much memory](super::MOST_PER_BYTE).
#[doc(alias = "read_image")]
pub fn read<T: Float>(path: impl AsRef<Path>, channels: Channels) -> Result<Tensor<T>> {
    let path = path.as_ref();
    decode(&read_file(path)?, path, channels)
}

/// The same as [`read`], for contents in memory; `path` is for error messages.
///
/// ```
/// use wengert_data::format::image::{self, Channels};
/// let e = image::decode::<f32>(b"GIF89a", "cat.png", Channels::Gray).unwrap_err();
/// assert!(e.to_string().starts_with("cat.png: expected a PNG image"));
/// ```
///
/// # Errors
/// As [`read`], except that nothing is read.
pub fn decode<T: Float>(bytes: &[u8], path: impl AsRef<Path>, channels: Channels) -> Result<Tensor<T>> {
    let path = path.as_ref();
    let picture = Picture::parse(bytes, path)?;
    pixels::decode(&picture, channels, path, Budget::of(bytes.len()))
}

/// The options of [`folder`].
///
/// ```
/// use wengert_data::format::image::{Channels, FolderConfig};
/// let config = FolderConfig { channels: Channels::Gray, size: Some((28, 28)) };
/// assert_ne!(config, FolderConfig::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FolderConfig {
    /// The channels of the images. Default: `AsStored`.
    pub channels: Channels,
    /// The height and width to resize images to, by bilinear interpolation. If it is not given, all images must have
    /// the same size. Default: `None`.
    pub size: Option<(usize, usize)>,
}

/// What [`folder`] returns.
#[derive(Debug, Clone)]
pub struct Folder<T: Float = f32> {
    /// The images, `[N, C, H, W]`, from 0 to 1, and the number of the subfolder of each.
    pub data: Classification<T>,
    /// The names of the subfolders, in alphabetical order.
    pub names: Vec<String>,
    /// The path of each image.
    pub files: Vec<PathBuf>,
}

/// Reads a folder with a subfolder of PNG files per class. Classes and files are sorted by name; names that begin with
/// a dot are skipped.
///
/// ```
/// use wengert_data::format::image::{self, FolderConfig};
/// use wengert_ops::Tensor;
/// let root = std::env::temp_dir().join(format!("wengert-folder-{}", std::process::id()));
/// for (class, shade) in [("dark", 0.0f32), ("light", 1.0)] {
///     std::fs::create_dir_all(root.join(class)).unwrap();
///     image::write(root.join(class).join("a.png"), &Tensor::try_full([1, 2, 2], shade)?)?;
/// }
/// let folder = image::folder::<f32>(&root, &FolderConfig::default())?;
/// assert_eq!((folder.names, folder.data.labels().to_vec()), (vec!["dark".to_owned(), "light".to_owned()], vec![0, 1]));
/// # std::fs::remove_dir_all(root).ok();
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the folder cannot be read, has no subfolder, a subfolder holds anything but PNG files, images differ in size or
/// channels, or one image or all of them together take [too much memory](super::MOST_PER_BYTE). For all images as they
/// are stored, 4 MiB per file is allowed in addition to that limit.
pub fn folder<T: Float>(root: impl AsRef<Path>, config: &FolderConfig) -> Result<Folder<T>> {
    let root = root.as_ref();
    let (mut labels, mut names, mut files, mut lengths) = (Vec::new(), Vec::new(), Vec::new(), 0u64);
    for class in entries(root)? {
        if !class.is_dir() {
            continue;
        }
        for file in entries(&class)? {
            if !file.extension().is_some_and(|end| end.eq_ignore_ascii_case("png")) {
                return Err(Error::malformed(
                    &file,
                    Location::Whole,
                    "a PNG file in a folder of a class",
                    "another",
                ));
            }
            lengths += std::fs::metadata(&file).map_err(Error::read(&file))?.len();
            labels.push(names.len() as i64);
            files.push(file);
        }
        names.push(class.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    let mut all: Option<Tensor<T>> = None;
    for (i, file) in files.iter().enumerate() {
        let mut image = read::<T>(file, config.channels)?;
        if let Some(size) = config.size {
            image = resize(&image.unsqueeze(0)?, size, Filter::Bilinear)?.squeeze(0)?;
        }
        let shape = image.shape();
        let all = match &mut all {
            Some(all) => all,
            all => {
                let whole: Vec<usize> = std::iter::once(files.len()).chain(shape.iter().copied()).collect();
                // A size that the caller gave is not limited.
                if config.size.is_none() {
                    let pixels = (files.len() as u64).saturating_mul(image.numel() as u64);
                    let mut budget = Budget::of_all(lengths, files.len(), MOST_FOR_ANY_IMAGE);
                    let what = format!("{} images of shape {shape}", files.len());
                    budget.spend(tensor_bytes(pixels, size_of::<T>()), &what, root, Location::Whole)?;
                }
                all.insert(Tensor::try_full(whole, T::ZERO)?)
            }
        };
        let first = &all.shape()[1..];
        if shape[..] != *first {
            let expected = format!("an image of shape {first:?} like the first");
            return Err(Error::malformed(file, Location::Whole, expected, shape));
        }
        let n = image.numel();
        all.data_mut()[i * n..][..n].copy_from_slice(&image.to_vec());
    }
    let Some(all) = all else {
        return Err(Error::malformed(
            root,
            Location::Whole,
            "a folder with a subfolder of PNG files a class",
            "none",
        ));
    };
    let data = Classification::new(all, labels.into(), names.len())?;
    Ok(Folder { data, names, files })
}

/// The entries of a folder, sorted by name, without those that begin with a dot.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::read(folder))? {
        let entry = entry.map_err(Error::read(folder))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Writes an image `[C, H, W]` with 8 bits per channel, where C is 1, 2, 3 or 4. Elements below 0 and NaN are written
/// as 0, those above 1 as 1. See [`read`] for an example.
///
/// # Errors
/// If the file cannot be written, and as [`encode`].
#[doc(alias = "save_image")]
pub fn write<T: Float>(path: impl AsRef<Path>, image: &Tensor<T>) -> Result<()> {
    write_file(path.as_ref(), &encode(image)?)
}

/// The bytes of the PNG file that [`write`](fn@write) writes.
///
/// ```
/// use wengert_data::format::image;
/// use wengert_ops::Tensor;
/// assert!(image::encode(&Tensor::<f32>::zeros([1, 4, 4]))?.starts_with(b"\x89PNG"));
/// let e = image::encode(&Tensor::<f32>::zeros([4, 4])).unwrap_err();
/// assert_eq!(e.to_string(), "image: expected shape [C, H, W] with 1 to 4 channels and no empty axis, found [4, 4]");
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the tensor does not have the shape of an image.
pub fn encode<T: Float>(image: &Tensor<T>) -> Result<Vec<u8>> {
    let refuse =
        || Error::argument("image", "shape [C, H, W] with 1 to 4 channels and no empty axis", image.shape());
    let &[c @ 1..=4, h @ 1..=usize::MAX, w @ 1..=usize::MAX] = &image.shape()[..] else {
        return Err(refuse());
    };
    let (Ok(width), Ok(height)) = (u32::try_from(w), u32::try_from(h)) else { return Err(refuse()) };
    let planes = image.to_vec();
    let area = h * w;
    let byte = |v: T| (v.to_f64().clamp(0.0, 1.0) * 255.0).round() as u8;
    let samples: Vec<u8> =
        (0..area).flat_map(|at| (0..c).map(move |k| k * area + at)).map(|i| byte(planes[i])).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder
        .set_color([ColorType::Grayscale, ColorType::GrayscaleAlpha, ColorType::Rgb, ColorType::Rgba][c - 1]);
    encoder.set_depth(BitDepth::Eight);
    let failed = |e: png::EncodingError| Error::argument("image", "an image that PNG can hold", e);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&samples).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// The layout of [`grid`].
///
/// ```
/// use wengert_data::format::image::GridConfig;
/// assert_eq!(GridConfig::default(), GridConfig { columns: 8, margin: 2, background: 1.0 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridConfig {
    /// The number of images in a row. Default: `8`.
    pub columns: usize,
    /// The number of pixels around each image. Default: `2`.
    pub margin: usize,
    /// The value of the pixels between the images. Default: `1`.
    pub background: f64,
}

impl Default for GridConfig {
    fn default() -> Self {
        GridConfig { columns: 8, margin: 2, background: 1.0 }
    }
}

/// Images `[N, C, H, W]` as one image `[C, H', W']`, row by row.
///
/// ```
/// use wengert_data::format::image::{self, GridConfig};
/// use wengert_ops::Tensor;
/// let images = Tensor::<f32>::zeros([3, 1, 8, 8]);
/// let config = GridConfig { columns: 2, margin: 1, ..GridConfig::default() };
/// assert_eq!(*image::grid(&images, &config)?.shape(), [1, 19, 19]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the shape is different, there are no columns, or the result does not fit in memory.
pub fn grid<T: Float>(images: &Tensor<T>, config: &GridConfig) -> Result<Tensor<T>> {
    const CALL: &str = "grid";
    let &[n, c, h, w] = &images.shape()[..] else {
        return Err(Error::argument(CALL, "images [N, C, H, W]", images.shape()));
    };
    if config.columns == 0 {
        return Err(Error::argument(CALL, "at least one column", 0));
    }
    let columns = config.columns.min(n.max(1));
    let margin = config.margin;
    let side =
        |count: usize, size: usize| count.saturating_mul(size.saturating_add(margin)).saturating_add(margin);
    let (height, width) = (side(n.div_ceil(columns), h), side(columns, w));
    let mut out = Tensor::try_full([c, height, width], T::from_f64(config.background))?;
    if images.numel() == 0 {
        return Ok(out);
    }
    let pixels = images.to_vec();
    let place = out.data_mut();
    for (i, image) in pixels.chunks_exact(c * h * w).enumerate() {
        let (top, left) = (margin + i / columns * (h + margin), margin + i % columns * (w + margin));
        for (row, line) in image.chunks_exact(w).enumerate() {
            let at = (row / h * height + top + row % h) * width + left;
            place[at..at + w].copy_from_slice(line);
        }
    }
    Ok(out)
}

/// Writes images `[N, C, H, W]` as one PNG file.
///
/// ```
/// use wengert_data::digits;
/// use wengert_data::format::image::{self, GridConfig};
/// let path = std::env::temp_dir().join(format!("wengert-grid-{}.png", std::process::id()));
/// let images = digits()?.reshaped([1, 8, 8])?.select(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])?;
/// image::write_grid(&path, images.inputs(), &GridConfig { columns: 5, ..GridConfig::default() })?;
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// As [`grid`] and [`write`](fn@write).
pub fn write_grid<T: Float>(path: impl AsRef<Path>, images: &Tensor<T>, config: &GridConfig) -> Result<()> {
    write(path, &grid(images, config)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(color: ColorType, depth: BitDepth, width: u32, height: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 0, 255, 0, 51, 102, 153]);
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(data).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn every_depth_and_colour_is_read() {
        let read = |bytes: &[u8], channels| decode::<f64>(bytes, "f", channels).unwrap().to_vec();
        let gray =
            |depth, data: &[u8]| read(&encoded(ColorType::Grayscale, depth, 2, 1, data), Channels::AsStored);
        assert_eq!(gray(BitDepth::One, &[0b0100_0000]), [0.0, 1.0]);
        assert_eq!(gray(BitDepth::Two, &[0b0110_0000]), [1.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(gray(BitDepth::Four, &[0x3F]), [0.2, 1.0]);
        assert_eq!(gray(BitDepth::Eight, &[51, 255]), [0.2, 1.0]);
        assert_eq!(gray(BitDepth::Sixteen, &[0, 1, 255, 255]), [1.0 / 65535.0, 1.0]);
        let palette = encoded(ColorType::Indexed, BitDepth::Two, 2, 1, &[0b1101_0000]);
        assert_eq!(read(&palette, Channels::AsStored), [0.2, 1.0, 0.4, 0.0, 0.6, 0.0]);
        let rgba = encoded(ColorType::Rgba, BitDepth::Eight, 1, 1, &[255, 0, 51, 102]);
        assert_eq!(read(&rgba, Channels::AsStored), [1.0, 0.0, 0.2, 0.4]);
        assert_eq!(read(&rgba, Channels::Rgb), [1.0, 0.0, 0.2]);
        assert_eq!(read(&rgba, Channels::Gray), [0.299 + 0.114 * 0.2]);
        let gray_alpha = encoded(ColorType::GrayscaleAlpha, BitDepth::Eight, 1, 1, &[51, 102]);
        assert_eq!(read(&gray_alpha, Channels::Rgba), [0.2, 0.2, 0.2, 0.4]);
        assert_eq!(read(&gray_alpha, Channels::Gray), [0.2]);
        let white = encoded(ColorType::Rgb, BitDepth::Eight, 1, 1, &[255; 3]);
        assert_eq!(read(&white, Channels::Rgba), [1.0; 4]);
    }

    #[test]
    fn every_truncation_is_refused_and_no_changed_byte_panics() {
        let bytes = encoded(ColorType::Rgb, BitDepth::Eight, 5, 3, &(0..45).collect::<Vec<u8>>());
        assert!(decode::<f32>(&bytes, "f", Channels::AsStored).is_ok());
        for cut in 0..bytes.len() {
            assert!(decode::<f32>(&bytes[..cut], "f", Channels::AsStored).is_err(), "cut to {cut}");
        }
        for at in 0..bytes.len() {
            for bit in [1, 8, 128] {
                let mut damaged = bytes.clone();
                damaged[at] ^= bit;
                assert!(decode::<f32>(&damaged, "f", Channels::AsStored).is_err(), "byte {at}");
            }
        }
    }

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes(), &kind[..], data, &crc.sum().to_be_bytes()].concat()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn header(width: u32, height: u32, depth: u8, colour: u8, interlace: u8) -> Vec<u8> {
        let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
        chunk(b"IHDR", &[&sizes[..], &[depth, colour, 0, 0, interlace]].concat())
    }

    /// A file of these chunks.
    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat(), chunk(b"IEND", &[])].concat()
    }

    fn refused(bytes: &[u8], message: &str) {
        let e = decode::<f32>(bytes, "f", Channels::AsStored).unwrap_err().to_string();
        assert!(e.contains(message), "{e}, but not {message}");
    }

    #[test]
    fn palettes_that_are_not_palettes_are_refused() {
        let data = chunk(b"IDAT", &zlib(&[0, 0]));
        let indexed = |chunks: &[(&[u8; 4], usize)]| {
            let between =
                chunks.iter().map(|(kind, n)| chunk(kind, &vec![0; *n])).collect::<Vec<_>>().concat();
            file(&[header(1, 1, 8, 3, 0), between, data.clone()])
        };
        for length in (0..=800).filter(|n| n % 3 != 0 || !(3..=768).contains(n)) {
            let found = format!(
                "byte 33: expected a palette (chunk PLTE) of 1 to 256 entries of 3 bytes each, found {length} bytes"
            );
            refused(&indexed(&[(b"PLTE", length)]), &found);
            for colour in [0, 2, 4, 6] {
                let pixel = chunk(b"IDAT", &zlib(&[0; 5]));
                refused(
                    &file(&[header(1, 1, 8, colour, 0), chunk(b"PLTE", &vec![0; length]), pixel]),
                    "found",
                );
            }
        }
        for entries in 1..=256 {
            assert!(decode::<f32>(&indexed(&[(b"PLTE", 3 * entries)]), "f", Channels::Rgb).is_ok());
            assert!(
                decode::<f32>(&indexed(&[(b"PLTE", 3 * entries), (b"tRNS", entries)]), "f", Channels::Rgb)
                    .is_ok()
            );
            let long = indexed(&[(b"PLTE", 3 * entries), (b"tRNS", entries + 1)]);
            refused(
                &long,
                &format!(
                    "expected a chunk tRNS of 1 to {entries} bytes, after a palette of {entries} entries, found"
                ),
            );
        }
        refused(&indexed(&[]), "expected a palette (chunk PLTE), since the colours are indexed, found none");
        refused(&indexed(&[(b"PLTE", 3), (b"PLTE", 3)]), "expected one palette, found two");
        refused(&indexed(&[(b"tRNS", 1), (b"PLTE", 3)]), "after a palette");
        refused(&indexed(&[(b"PLTE", 3), (b"tRNS", 0)]), "found 0 bytes");
        refused(&indexed(&[(b"PLTE", 6), (b"tRNS", 1), (b"tRNS", 1)]), "expected one chunk tRNS, found two");
        let plte = chunk(b"PLTE", &[0; 3]);
        refused(&file(&[header(1, 1, 8, 3, 0), data.clone(), plte.clone()]), "before the image data");
        refused(
            &file(&[header(1, 1, 8, 3, 0), plte.clone(), data.clone(), chunk(b"tRNS", &[0])]),
            "before the image data",
        );
        let beyond = file(&[header(1, 1, 8, 3, 0), plte, chunk(b"IDAT", &zlib(&[0, 1]))]);
        refused(&beyond, "expected pixels below 1, the length of the palette, found 1");
        for (colour, length) in [(0, 1), (0, 3), (2, 5), (2, 7), (4, 2), (6, 6)] {
            let trns = chunk(b"tRNS", &vec![0; length]);
            refused(&file(&[header(1, 1, 8, colour, 0), trns, data.clone()]), "chunk tRNS");
        }
    }

    #[test]
    fn chunks_out_of_place_are_refused() {
        let (head, data) = (header(1, 1, 8, 0, 0), chunk(b"IDAT", &zlib(&[0, 7])));
        let text = chunk(b"tEXt", b"k\0v");
        assert!(
            decode::<f32>(
                &file(&[head.clone(), text.clone(), data.clone(), text.clone()]),
                "f",
                Channels::Gray
            )
            .is_ok()
        );
        for (chunks, message) in [
            (vec![data.clone()], "byte 8: expected a first chunk IHDR of 13 bytes"),
            (vec![chunk(b"abcd", &[0; 13])], "byte 8: expected a first chunk IHDR, found \"abcd\""),
            (vec![head.clone(), head.clone(), data.clone()], "expected a critical chunk"),
            (vec![head.clone(), chunk(b"ABCD", b"x"), data.clone()], "found \"ABCD\""),
            (vec![head.clone(), chunk(b"a\x1b[m", b"x"), data.clone()], r#"four letters, found "a\u{1b}[m""#),
            (vec![head.clone(), chunk(b"acTL", &[0; 8]), data.clone()], "expected a still image"),
            (vec![head.clone()], "expected a chunk IDAT before the chunk IEND"),
            (
                vec![head.clone(), data.clone(), text.clone(), data.clone()],
                "expected all image data together",
            ),
            (vec![head.clone(), data.clone(), chunk(b"IEND", &[])], "expected the end of the file"),
            (vec![head.clone(), chunk(b"IDAT", &zlib(&[0, 7, 0]))], "expected the end of the image data"),
            (
                vec![head.clone(), chunk(b"IDAT", &[zlib(&[0, 7]), vec![0]].concat())],
                "expected the end of the image data",
            ),
            (
                vec![head.clone(), chunk(b"IDAT", &zlib(&[0]))],
                "expected image data for all pixels, found less",
            ),
            (
                vec![head.clone(), chunk(b"IDAT", &zlib(&[5, 7]))],
                "expected rows with a filter from 0 to 4, found 5",
            ),
            (vec![header(0, 1, 8, 0, 0)], "found 0 by 1"),
            (vec![header(1, 1, 3, 0, 0)], "found type 0 with 3 bits"),
            (vec![header(1, 1, 16, 3, 0)], "found type 3 with 16 bits"),
            (vec![header(1, 1, 8, 0, 2)], "interlace 0 or 1, found 0, 0 and 2"),
        ] {
            refused(&file(&chunks), message);
        }
        let mut damaged = file(&[head.clone(), text, data]);
        damaged[33 + 8] ^= 1;
        refused(&damaged, "byte 33: expected a chunk \"tEXt\" whose sum is");
        let mut long = file(&[head]);
        long[33..37].copy_from_slice(&u32::MAX.to_be_bytes());
        refused(&long, "byte 33: expected 4294967295 bytes of a chunk \"IEND\" and its sum, found at most 4");
    }

    /// As the crate `png` decodes it: 8 or 16 bits per sample.
    fn reference(bytes: &[u8]) -> Vec<f64> {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut samples = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut samples).unwrap();
        let values: Vec<f64> = match frame.bit_depth {
            BitDepth::Sixteen => {
                samples.as_chunks().0.iter().map(|&b| f64::from(u16::from_be_bytes(b)) / 65535.0).collect()
            }
            _ => samples.iter().map(|&b| f64::from(b) / 255.0).collect(),
        };
        let stored = frame.color_type.samples();
        (0..stored).flat_map(|c| values.iter().skip(c).step_by(stored).copied()).collect()
    }

    #[test]
    fn pixels_are_those_of_another_decoder() {
        let mut seed = 1u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for (colour, samples) in [(0u8, 1usize), (2, 3), (3, 1), (4, 2), (6, 4)] {
            for depth in [1usize, 2, 4, 8, 16] {
                if (depth < 8 && samples > 1) || (depth == 16 && colour == 3) {
                    continue;
                }
                for (w, h) in [(1usize, 1usize), (3, 2), (5, 9), (8, 8), (13, 17)] {
                    for interlace in [0, 1] {
                        let passes: &[[usize; 4]] = if interlace == 0 {
                            &[[0, 0, 1, 1]]
                        } else {
                            &[
                                [0, 0, 8, 8],
                                [4, 0, 8, 8],
                                [0, 4, 4, 8],
                                [2, 0, 4, 4],
                                [0, 2, 2, 4],
                                [1, 0, 2, 2],
                                [0, 1, 1, 2],
                            ]
                        };
                        let mut raw = Vec::new();
                        for &[left, top, right, down] in passes {
                            let columns = (w + right - 1 - left) / right;
                            for line in 0..if columns == 0 { 0 } else { (h + down - 1 - top) / down } {
                                raw.push((line % 5) as u8);
                                raw.extend((0..(columns * samples * depth).div_ceil(8)).map(|_| random()));
                            }
                        }
                        let compressed = zlib(&raw);
                        let (one, two) = compressed.split_at(compressed.len() / 2);
                        for transparent in [false, true] {
                            let mut chunks = vec![header(w as u32, h as u32, depth as u8, colour, interlace)];
                            if colour == 3 {
                                chunks.push(chunk(
                                    b"PLTE",
                                    &(0..3 << depth).map(|_| random()).collect::<Vec<_>>(),
                                ));
                            }
                            if transparent && colour < 4 {
                                let some = [0, 1 & raw[1], 0, raw[1], 0, raw[1]];
                                let n = [2, 0, 6, 2][usize::from(colour)];
                                chunks.push(chunk(b"tRNS", &some[..n]));
                            }
                            chunks.extend([chunk(b"IDAT", one), chunk(b"IDAT", &[]), chunk(b"IDAT", two)]);
                            let bytes = file(&chunks);
                            let read = decode::<f64>(&bytes, "f", Channels::AsStored).unwrap();
                            assert_eq!(
                                read.to_vec(),
                                reference(&bytes),
                                "{colour} {depth} {w} {h} {interlace}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn absurd_sizes_allocate_nothing() {
        for (width, height) in
            [(65_000u32, 65_000u32), (u32::MAX >> 1, u32::MAX >> 1), (1 << 17, 1), (10_000, 10_000)]
        {
            let mut bytes = encoded(ColorType::Rgb, BitDepth::Eight, 1, 1, &[0; 3]);
            bytes[16..20].copy_from_slice(&width.to_be_bytes());
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
            let mut crc = flate2::Crc::new();
            crc.update(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
            let e = decode::<f32>(&bytes, "f", Channels::AsStored).unwrap_err().to_string();
            assert!(e.contains("too few bytes") || e.contains("2^31 - 1"), "{e}");
        }
    }

    #[test]
    fn folders_are_read_in_the_order_of_names() {
        let root = std::env::temp_dir().join(format!("wengert-image-folder-{}", std::process::id()));
        let put = |name: &str, shape: [usize; 3], shade: f32| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(path, &Tensor::try_full(shape, shade).unwrap()).unwrap();
        };
        assert!(folder::<f32>(&root, &FolderConfig::default()).is_err());
        put("b/2.png", [1, 2, 3], 1.0);
        put("b/1.PNG", [1, 2, 3], 0.2);
        put("a/x.png", [1, 2, 3], 0.0);
        std::fs::write(root.join("notes.txt"), "not a class").unwrap();
        std::fs::write(root.join("a/.hidden"), "not an image").unwrap();
        let images = folder::<f32>(&root, &FolderConfig::default()).unwrap();
        assert_eq!(images.data.inputs().to_vec(), [[0.0f32; 6], [0.2; 6], [1.0; 6]].concat());
        assert_eq!(
            (images.data.labels().to_vec(), &images.names[..]),
            (vec![0, 1, 1], &["a".into(), "b".into()][..])
        );
        assert!(images.files[1].ends_with("b/1.PNG"));

        put("a/y.png", [3, 4, 4], 0.4);
        let e = folder::<f32>(&root, &FolderConfig::default()).unwrap_err().to_string();
        assert!(
            e.contains("y.png: expected an image of shape [1, 2, 3] like the first, found [3, 4, 4]"),
            "{e}"
        );
        let config = FolderConfig { channels: Channels::Gray, size: Some((2, 2)) };
        let images = folder::<f32>(&root, &config).unwrap();
        assert_eq!(*images.data.inputs().shape(), [4, 1, 2, 2]);
        // A few bytes hold many pixels: each image may be read, all of them together may not.
        let large = root.join("large/class");
        std::fs::create_dir_all(&large).unwrap();
        let rows = zlib(&vec![0; 4096 * 513]);
        let flat = file(&[header(4096, 4096, 1, 0, 0), chunk(b"IDAT", &rows)]);
        for i in 0..10 {
            std::fs::write(large.join(format!("{i}.png")), &flat).unwrap();
        }
        let e = folder::<f32>(root.join("large"), &FolderConfig::default()).unwrap_err().to_string();
        assert!(e.contains("expected 10 images of shape [1, 4096, 4096] that take at most"), "{e}");
        std::fs::remove_dir_all(root.join("large")).unwrap();
        std::fs::write(root.join("a/z.jpg"), "not a PNG image").unwrap();
        assert!(folder::<f32>(&root, &config).is_err());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_grid_has_images_in_rows_and_background_between() {
        let images = Tensor::from_vec((0..6).map(|i| i as f32).collect(), [3, 1, 1, 2]).unwrap();
        let config = GridConfig { columns: 2, margin: 1, background: 9.0 };
        let g = grid(&images, &config).unwrap();
        assert_eq!(*g.shape(), [1, 5, 7]);
        let b = 9.0;
        assert_eq!(g.to_vec()[7..14], [b, 0.0, 1.0, b, 2.0, 3.0, b]);
        assert_eq!(g.to_vec()[21..28], [b, 4.0, 5.0, b, b, b, b]);
        let none = GridConfig { margin: 0, ..config };
        assert_eq!(grid(&Tensor::<f32>::ones([4, 3, 2, 2]), &none).unwrap(), Tensor::ones([3, 4, 4]));
        assert!(grid(&images, &GridConfig { columns: 0, ..config }).is_err());
        assert!(grid(&images, &GridConfig { margin: usize::MAX, ..config }).is_err());
        assert!(grid(&Tensor::<f32>::ones([2, 2]), &config).is_err());
        assert!(encode(&Tensor::<f32>::zeros([1, 0, 3])).is_err());
        // Out of range and NaN.
        let odd = Tensor::from([[[-1.0f32, 2.0, f32::NAN, 0.5]]]);
        let read = decode::<f32>(&encode(&odd).unwrap(), "f", Channels::AsStored).unwrap().to_vec();
        assert_eq!(read, [0.0, 1.0, 0.0, 128.0 / 255.0]);
    }
}
