//! PNG images: read alone or as folders with a subfolder for each class, and written, alone or many in a grid.
//!
//! Images are tensors `[C, H, W]` with elements from 0 (black) to 1, where C is 1 for gray, 2 for gray with opacity, 3 for
//! red, green and blue, and 4 with opacity.

use super::bytes::{MOST_EXPANSION, read_file, write_file};
use crate::classification::Classification;
use crate::error::{Error, Place, Result};
use crate::transform::{Filter, resize};
use png::{BitDepth, ColorType, Transformations};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use wengert_ops::{Float, Tensor};

/// What every PNG file ends with: an empty chunk.
const LAST_CHUNK: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
/// A few bytes can stand for very many equal pixels: no more than these are read.
const MOST_PIXELS: u64 = 1 << 27;

/// Which channels an image is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channels {
    /// Those of the file.
    #[default]
    AsStored,
    /// Gray; of colours, 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601). Opacity is left out.
    Gray,
    /// Red, green and blue; gray gives three equal ones. Opacity is left out.
    Rgb,
    /// Red, green, blue and opacity, which is 1 where the file has none.
    Rgba,
}

/// Reads a PNG file of 1, 2, 4, 8 or 16 bits, gray, in colours or with a palette: `[C, H, W]`, from 0 to 1.
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
/// If the file cannot be read, is not a PNG file, is damaged, incomplete or animated, or has more than 2²⁷ pixels.
pub fn read<T: Float>(path: impl AsRef<Path>, channels: Channels) -> Result<Tensor<T>> {
    let path = path.as_ref();
    decode(&read_file(path)?, path, channels)
}

/// As [`read`], for contents in memory; `path` is for the messages.
///
/// ```
/// use wengert_data::format::image::{self, Channels};
/// let e = image::decode::<f32>(b"GIF89a", "cat.png", Channels::Gray).unwrap_err();
/// assert!(e.to_string().starts_with("cat.png: expected a PNG image"));
/// ```
///
/// # Errors
/// As [`read`], but for reading.
pub fn decode<T: Float>(bytes: &[u8], path: impl AsRef<Path>, channels: Channels) -> Result<Tensor<T>> {
    let path = path.as_ref();
    let refuse = |expected: &str, found: String| Error::malformed(path, Place::Whole, expected, found);
    let damaged = |e: png::DecodingError| refuse("a PNG image", e.to_string());
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let (width, height) = (info.width, info.height);
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS {
        return Err(refuse("an image of at most 2^27 pixels", format!("{width} by {height}")));
    }
    let bits = pixels * info.bits_per_pixel() as u64;
    if bits / 8 > (bytes.len() as u64).saturating_mul(MOST_EXPANSION) {
        return Err(refuse(
            "as many pixels as the header says",
            format!("too few bytes for {width} by {height}"),
        ));
    }
    if info.animation_control.is_some() {
        return Err(refuse("a still image", "an animated one".into()));
    }
    if !bytes.ends_with(LAST_CHUNK) {
        return Err(refuse("the chunk that ends an image", "another end".into()));
    }
    let size = reader.output_buffer_size();
    let mut samples =
        vec![0; size.ok_or_else(|| refuse("an image that fits in memory", "a larger one".into()))?];
    let frame = reader.next_frame(&mut samples).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    samples.truncate(frame.buffer_size());
    let samples: Vec<f64> = match frame.bit_depth {
        BitDepth::Sixteen => {
            let (words, _) = samples.as_chunks::<2>();
            words.iter().map(|&word| f64::from(u16::from_be_bytes(word)) / 65535.0).collect()
        }
        _ => samples.iter().map(|&sample| f64::from(sample) / 255.0).collect(),
    };
    let stored = frame.color_type.samples();
    let wanted = match channels {
        Channels::AsStored => stored,
        Channels::Gray => 1,
        Channels::Rgb => 3,
        Channels::Rgba => 4,
    };
    let area = width as usize * height as usize;
    let mut planes = vec![T::ZERO; wanted * area];
    for (at, pixel) in samples.chunks_exact(stored).enumerate() {
        let colour = |i: usize| if stored < 3 { pixel[0] } else { pixel[i] };
        for c in 0..wanted {
            let value = match channels {
                Channels::AsStored => pixel[c],
                Channels::Gray if stored < 3 => pixel[0],
                Channels::Gray => 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2],
                _ if c < 3 => colour(c),
                _ if stored % 2 == 0 => pixel[stored - 1],
                _ => 1.0,
            };
            planes[c * area + at] = T::from_f64(value);
        }
    }
    Ok(Tensor::from_vec(planes, [wanted, height as usize, width as usize])?)
}

/// How [`folder`] reads.
///
/// ```
/// use wengert_data::format::image::{Channels, FolderConfig};
/// let config = FolderConfig { channels: Channels::Gray, size: Some((28, 28)) };
/// assert_ne!(config, FolderConfig::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FolderConfig {
    /// Which channels the images are to have.
    pub channels: Channels,
    /// The height and width to bring images to, by bilinear interpolation; without it they must all be of one size.
    pub size: Option<(usize, usize)>,
}

/// What [`folder`] gives.
#[derive(Debug, Clone)]
pub struct Folder<T: Float = f32> {
    /// The images `[N, C, H, W]`, from 0 to 1, and the number of the subfolder of each.
    pub data: Classification<T>,
    /// The names of the subfolders, in alphabetical order.
    pub names: Vec<String>,
    /// Where each image came from.
    pub files: Vec<PathBuf>,
}

/// Reads a folder with a subfolder of PNG files for each class. Classes and files are in the order of their names; what
/// begins with a dot is left out.
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
/// If the folder cannot be read, has no subfolder, a subfolder holds anything but PNG files, or images differ in size or
/// channels.
pub fn folder<T: Float>(root: impl AsRef<Path>, config: &FolderConfig) -> Result<Folder<T>> {
    let root = root.as_ref();
    let (mut pixels, mut labels, mut names, mut files) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut shape: Option<Vec<usize>> = None;
    for class in entries(root)? {
        if !class.is_dir() {
            continue;
        }
        for file in entries(&class)? {
            if !file.extension().is_some_and(|end| end.eq_ignore_ascii_case("png")) {
                return Err(Error::malformed(
                    &file,
                    Place::Whole,
                    "a PNG file in a folder of a class",
                    "another",
                ));
            }
            let mut image = read::<T>(&file, config.channels)?;
            if let Some(size) = config.size {
                image = resize(&image.unsqueeze(0)?, size, Filter::Bilinear)?.squeeze(0)?;
            }
            let first = shape.get_or_insert_with(|| image.shape().to_vec());
            if image.shape()[..] != first[..] {
                let expected = format!("an image of shape {first:?} like the first");
                return Err(Error::malformed(&file, Place::Whole, expected, image.shape()));
            }
            pixels.extend(image.to_vec());
            labels.push(names.len() as i64);
            files.push(file);
        }
        names.push(class.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    let Some(shape) = shape else {
        return Err(Error::malformed(
            root,
            Place::Whole,
            "a folder with a subfolder of PNG files a class",
            "none",
        ));
    };
    let shape: Vec<usize> = std::iter::once(files.len()).chain(shape).collect();
    let data = Classification::new(Tensor::from_vec(pixels, shape)?, labels.into(), names.len())?;
    Ok(Folder { data, names, files })
}

/// What a folder holds, by name, without what begins with a dot.
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

/// Writes an image `[C, H, W]` with 8 bits a channel, where C is 1, 2, 3 or 4. Elements below 0 are written as 0 (as NaN
/// is), those above 1 as 1. See [`read`] for an example.
///
/// # Errors
/// If the file cannot be written, or as [`encode`].
pub fn write<T: Float>(path: impl AsRef<Path>, image: &Tensor<T>) -> Result<()> {
    write_file(path.as_ref(), &encode(image)?)
}

/// The bytes of a PNG file, as [`write`](fn@write) writes it.
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
/// If the shape is not that of an image.
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

/// How [`grid`] lays images out.
///
/// ```
/// use wengert_data::format::image::GridConfig;
/// assert_eq!(GridConfig::default(), GridConfig { columns: 8, margin: 2, background: 1.0 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridConfig {
    /// The number of images side by side.
    pub columns: usize,
    /// The number of pixels around each image.
    pub margin: usize,
    /// The shade between the images.
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
/// If the shape is another, there are no columns, or the result does not fit in memory.
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
            assert!(e.contains("too few bytes") || e.contains("2^27") || e.contains("PNG"), "{e}");
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
