//! The 1797 handwritten digits that come with the crate.

use crate::classification::Classification;
use crate::error::{Error, Location, Result, quoted};
use flate2::read::GzDecoder;
use std::io::Read;
use wengert_ops::Tensor;

static ASSET: &[u8] = include_bytes!("../../assets/digits.csv.gz");
const PATH: &str = "assets/digits.csv.gz";
const SAMPLES: usize = 1797;
const PIXELS: usize = 64;
const BRIGHTEST: u8 = 16;
const CLASSES: usize = 10;
/// Several times the decompressed size: a damaged asset must not fill the memory.
const MOST_BYTES: u64 = 1 << 20;

/// 1797 images of handwritten digits: inputs of shape `[1797, 64]`, each with 8 rows of 8 pixels from 0 (paper) to 1
/// (ink), and the digits as labels.
///
/// They are the test part of *Optical Recognition of Handwritten Digits* (E. Alpaydin and C. Kaynak, 1998, UCI Machine
/// Learning Repository, [DOI 10.24432/C50P49](https://doi.org/10.24432/C50P49), CC BY 4.0), as distributed with
/// scikit-learn.
///
/// ```
/// let digits = wengert_data::digits()?;
/// assert_eq!(digits.class_counts(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
/// assert!(digits.inputs().to_vec().iter().all(|pixel| (0.0..=1.0).contains(pixel)));
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn digits() -> Result<Classification> {
    decode(ASSET)
}

fn decode(gz: &[u8]) -> Result<Classification> {
    let mut text = String::new();
    let read = GzDecoder::new(gz).take(MOST_BYTES).read_to_string(&mut text);
    read.map_err(|source| Error::Read { path: PATH.into(), source })?;
    parse(&text)
}

fn parse(text: &str) -> Result<Classification> {
    let mut pixels = Vec::with_capacity(SAMPLES * PIXELS);
    let mut labels = Vec::with_capacity(SAMPLES);
    for (i, line) in text.lines().enumerate() {
        let columns = line.split(',').count();
        if columns != PIXELS + 1 {
            let expected = format!("{} columns", PIXELS + 1);
            return Err(malformed(i + 1, expected, columns));
        }
        for (column, word) in line.split(',').enumerate() {
            if column < PIXELS {
                let pixel = integer(i + 1, "a pixel", word, BRIGHTEST)?;
                pixels.push(f32::from(pixel) / f32::from(BRIGHTEST));
            } else {
                labels.push(i64::from(integer(i + 1, "a digit", word, CLASSES as u8 - 1)?));
            }
        }
    }
    if labels.len() != SAMPLES {
        let expected = format!("{SAMPLES} lines in all");
        return Err(malformed(labels.len().max(1), expected, labels.len()));
    }
    let inputs = Tensor::from_vec(pixels, [SAMPLES, PIXELS])?;
    Classification::new(inputs, labels.into(), CLASSES)
}

fn integer(line: usize, what: &str, word: &str, most: u8) -> Result<u8> {
    let value = word.parse().ok().filter(|&value| value <= most);
    value.ok_or_else(|| malformed(line, format!("{what} from 0 to {most}"), quoted(word)))
}

fn malformed(line: usize, expected: String, found: impl ToString) -> Error {
    Error::malformed(PATH.as_ref(), Location::Line(line), expected, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_all_there() {
        let digits = digits().unwrap();
        let counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180];
        assert_eq!(digits.class_counts(), counts);
        assert_eq!(*digits.inputs().shape(), [1797, 64]);
        // A middle row of the first image, a zero: ink on both sides of a gap.
        let pixels: Vec<f32> = digits.inputs().to_vec().iter().map(|p| p * 16.0).collect();
        assert_eq!(pixels[32..40], [0.0, 5.0, 8.0, 0.0, 0.0, 9.0, 8.0, 0.0]);
        assert_eq!(pixels.iter().sum::<f32>(), 561_718.0);
    }

    #[test]
    fn a_damaged_asset_is_an_error() {
        for cut in [0, 5, 100, ASSET.len() / 2, ASSET.len() - 1] {
            assert!(decode(&ASSET[..cut]).is_err(), "cut to {cut} bytes");
        }
        // After the header, whose time and flags do not affect the contents, every change is noticed.
        for at in (40..ASSET.len()).step_by(997) {
            let mut damaged = ASSET.to_vec();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_err(), "changed byte {at}");
        }
    }

    #[test]
    fn text_that_is_not_the_digits_is_an_error_with_its_line() {
        let good = format!("{}3", "16,".repeat(PIXELS));
        let message = |text: String| parse(&text).unwrap_err().to_string();
        assert_eq!(
            message(good.clone()),
            "assets/digits.csv.gz, line 1: expected 1797 lines in all, found 1"
        );
        assert_eq!(
            message(format!("{good}\n{}", good.replace("16", "17"))),
            "assets/digits.csv.gz, line 2: expected a pixel from 0 to 16, found \"17\""
        );
        assert!(message(format!("{good}\n{good},3")).ends_with("line 2: expected 65 columns, found 66"));
        assert!(message(good.replace('3', "ten")).ends_with("expected a digit from 0 to 9, found \"ten\""));
        assert!(parse("").is_err());
    }
}
