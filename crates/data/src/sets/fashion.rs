//! Fashion-MNIST and MNIST, read from files on the machine, and 500 images that come with the crate.

use crate::classification::Classification;
use crate::error::{Error, Location, Result};
use crate::format::image::{Channels, decode};
use crate::format::{Array, idx};
use std::path::{Path, PathBuf};
use wengert_ops::Tensor;

static IMAGES: &[u8] = include_bytes!("../../assets/fashion-mnist-500.png");
static LABELS: &[u8] = include_bytes!("../../assets/fashion-mnist-500-labels.idx1.gz");

/// The classes of [`fashion_mnist`].
pub const FASHION_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// The folder of Debian's package.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";
const SIDE: usize = 28;

/// The 60,000 training and the 10,000 test images of Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf 2017, MIT licence):
/// inputs of shape `[N, 1, 28, 28]` from 0 (background) to 1, and the classes of [`FASHION_CLASSES`].
///
/// They are read from the given folder or, by default, from the folder of Debian's package `dataset-fashion-mnist`. The
/// folder must contain four files in IDX format, compressed (`.gz`) or not: `train-images-idx3-ubyte`,
/// `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`.
///
/// ```
/// use wengert_data::fashion_mnist;
/// let e = fashion_mnist(Some("no/such/folder".as_ref())).unwrap_err();
/// assert!(e.to_string().contains("apt-get install dataset-fashion-mnist"));
/// if let Ok((train, test)) = fashion_mnist(None) {
///     assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// }
/// ```
///
/// # Errors
/// If a file is missing (the error says how to get it), damaged, or does not contain such images or labels.
#[doc(alias = "FashionMNIST")]
pub fn fashion_mnist(folder: Option<&Path>) -> Result<(Classification, Classification)> {
    let advice = "install Debian's package (apt-get install dataset-fashion-mnist), or give a folder with the four files \
                  of https://github.com/zalandoresearch/fashion-mnist, which are at \
                  http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/ as train-images-idx3-ubyte.gz, \
                  train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz";
    load("Fashion-MNIST", folder.unwrap_or(Path::new(DEBIAN)), advice)
}

/// The 60,000 training and the 10,000 test images of handwritten digits of MNIST (Y. LeCun, C. Cortes, C. J. C.
/// Burges), in the form of [`fashion_mnist`], from a folder with its four files under the same names.
///
/// ```
/// let e = wengert_data::mnist("no/such/folder").unwrap_err();
/// assert!(e.to_string().starts_with("MNIST was not found: looked for no/such/folder/train-images-idx3-ubyte"));
/// ```
///
/// # Errors
/// If a file is missing, damaged, or does not contain such images or labels.
#[doc(alias = "MNIST")]
pub fn mnist(folder: impl AsRef<Path>) -> Result<(Classification, Classification)> {
    let advice = "give a folder with the files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, \
                  t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz";
    load("MNIST", folder.as_ref(), advice)
}

fn load(what: &str, folder: &Path, advice: &str) -> Result<(Classification, Classification)> {
    let part = |name: &str| {
        let images = find(what, folder, &format!("{name}-images-idx3-ubyte"), advice)?;
        let labels = find(what, folder, &format!("{name}-labels-idx1-ubyte"), advice)?;
        put_together(idx::read(&images)?, &images, idx::read(&labels)?, &labels)
    };
    Ok((part("train")?, part("t10k")?))
}

/// The path of the file with this name, compressed or not.
fn find(what: &str, folder: &Path, name: &str, advice: &str) -> Result<PathBuf> {
    let looked = vec![folder.join(name), folder.join(format!("{name}.gz"))];
    if let Some(path) = looked.iter().find(|path| path.is_file()) {
        return Ok(path.clone());
    }
    Err(Error::Missing { what: what.into(), looked, advice: advice.into() })
}

fn put_together(
    images: Array,
    images_path: &Path,
    labels: Array,
    labels_path: &Path,
) -> Result<Classification> {
    let n = images.shape().first().copied().unwrap_or(0);
    let (Array::U8(pixels), [_, SIDE, SIDE]) = (&images, &images.shape()[..]) else {
        let found = format!("{} of shape {}", images.dtype(), images.shape());
        return Err(Error::malformed(images_path, Location::Whole, "bytes of shape [N, 28, 28]", found));
    };
    let found = format!("{} of shape {}", labels.dtype(), labels.shape());
    let refuse = |found: &str| {
        Error::malformed(labels_path, Location::Whole, format!("bytes from 0 to 9 of shape [{n}]"), found)
    };
    let (Array::U8(_), true) = (&labels, labels.shape()[..] == [n]) else { return Err(refuse(&found)) };
    let inputs = pixels.map(|pixel| f32::from(pixel) / 255.0).reshape([n, 1, SIDE, SIDE])?;
    let labels = labels.to_i64()?;
    if let Some(i) = labels.to_vec().iter().position(|&label| label > 9) {
        return Err(refuse(&format!("{} at sample {i}", labels.get(&[i])?)));
    }
    Classification::new(inputs, labels, FASHION_CLASSES.len())
}

/// The first 50 test images of each class of [`fashion_mnist`], in the same form: enough to try a program, not to judge
/// a model.
///
/// ```
/// let sample = wengert_data::fashion_sample()?;
/// assert_eq!((sample.len(), sample.class_counts()), (500, vec![50; 10]));
/// assert_eq!(*sample.inputs().shape(), [500, 1, 28, 28]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn fashion_sample() -> Result<Classification> {
    // All images are in one column of one picture, which compresses better.
    let path = Path::new("assets/fashion-mnist-500.png");
    let column: Tensor<f32> = decode(IMAGES, path, Channels::AsStored)?;
    let labels = idx::decode(LABELS, "assets/fashion-mnist-500-labels.idx1.gz")?.to_i64()?;
    let n = labels.numel();
    if column.shape()[..] != [1, n * SIDE, SIDE] {
        let expected = format!("{n} images one below the other");
        return Err(Error::malformed(path, Location::Whole, expected, column.shape()));
    }
    Classification::new(column.reshape([n, 1, SIDE, SIDE])?, labels, FASHION_CLASSES.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::idx::Kind;

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    /// A folder with tiny parts, some files compressed.
    fn folder(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("wengert-fashion-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        for (part, n, end) in [("train", 3, ".gz"), ("t10k", 2, "")] {
            let pixels =
                Tensor::from_vec((0..n * 784).map(|i| (i % 256) as u8).collect(), [n, 28, 28]).unwrap();
            idx::write(path.join(format!("{part}-images-idx3-ubyte{end}")), &pixels).unwrap();
            let labels = Tensor::from((0..n as u8).collect::<Vec<_>>());
            idx::write(path.join(format!("{part}-labels-idx1-ubyte{end}")), &labels).unwrap();
        }
        Folder(path)
    }

    #[test]
    fn four_files_make_two_parts() {
        let folder = folder("good");
        let (train, test) = fashion_mnist(Some(&folder.0)).unwrap();
        assert_eq!((train.len(), test.len(), train.classes()), (3, 2, 10));
        assert_eq!(train.inputs().to_vec()[255..257], [1.0, 0.0]);
        assert_eq!(mnist(&folder.0).unwrap(), (train, test));
        std::fs::remove_file(folder.0.join("t10k-labels-idx1-ubyte")).unwrap();
        let e = mnist(&folder.0).unwrap_err();
        assert!(matches!(&e, Error::Missing { looked, .. } if looked.len() == 2), "{e}");
    }

    #[test]
    fn files_that_do_not_fit_together_are_refused() {
        let folder = folder("bad");
        let labels = folder.0.join("train-labels-idx1-ubyte.gz");
        let message = || fashion_mnist(Some(&folder.0)).unwrap_err().to_string();
        idx::write(&labels, Tensor::from([0u8, 1])).unwrap();
        assert!(
            message().contains("expected bytes from 0 to 9 of shape [3], found u8 of shape [2]"),
            "{}",
            message()
        );
        idx::write(&labels, Tensor::from([0u8, 10, 1])).unwrap();
        assert!(message().contains("found 10 at sample 1"), "{}", message());
        idx::write_as(&labels, Tensor::from([0i64, 1, 2]), Kind::I32).unwrap();
        assert!(message().contains("found i64"), "{}", message());
        idx::write(folder.0.join("train-images-idx3-ubyte.gz"), Tensor::from([[0u8, 1]])).unwrap();
        assert!(
            message().contains("expected bytes of shape [N, 28, 28], found u8 of shape [1, 2]"),
            "{}",
            message()
        );
    }

    #[test]
    fn the_sample_is_the_first_fifty_of_each_class() {
        let sample = fashion_sample().unwrap();
        let pixels: Vec<f64> =
            sample.inputs().to_vec().iter().map(|&v| (f64::from(v) * 255.0).round()).collect();
        assert_eq!(sample.labels().to_vec()[..10], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
        // If Debian's package is installed, its first image equals that of the sample.
        if let Ok((_, test)) = fashion_mnist(None) {
            let first: Vec<f64> =
                test.inputs().to_vec()[..784].iter().map(|&v| (f64::from(v) * 255.0).round()).collect();
            assert_eq!(first, pixels[..784]);
        }
    }
}
