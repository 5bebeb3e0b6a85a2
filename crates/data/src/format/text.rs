//! Text files: decompressed if necessary, in UTF-8, without a byte order mark.

use super::budget::Budget;
use super::bytes::{gunzip, is_gzip, read_file};
use crate::error::{Error, Location, Result};
use std::path::Path;

/// The mark that some programs write at the beginning of a text in UTF-8. It is not part of the text.
pub(crate) const MARK: char = '\u{feff}';

/// The memory per byte of a compressed text while its buffer grows.
pub(crate) const UNPACKING: u64 = 4;

/// The text of a file. `cost` is the number of bytes of memory that a byte of text needs, including what is made of it;
/// if the file is compressed, this bounds its text.
pub(crate) fn read(path: &Path, cost: u64) -> Result<(String, Budget)> {
    let bytes = read_file(path)?;
    let budget = Budget::of(bytes.len());
    Ok((decode(bytes, path, budget.left() / cost)?, budget))
}

/// The text of the contents of a file, of at most `most` bytes if they are compressed.
fn decode(mut bytes: Vec<u8>, path: &Path, most: u64) -> Result<String> {
    if is_gzip(&bytes) {
        bytes = gunzip(&bytes, most, path)?;
    }
    let other = match bytes[..] {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => None,
    };
    if let Some(other) = other {
        let found = format!("the byte order mark of {other}; save it in UTF-8");
        return Err(Error::malformed(path, Location::Byte(0), "text in UTF-8", found));
    }
    let mut text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let found = format!("the byte {:#04x}", e.as_bytes()[at]);
        Error::malformed(path, Location::Byte(at as u64), "text in UTF-8", found)
    })?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::tests::gz;

    fn decoded(bytes: &[u8]) -> Result<String> {
        let path = Path::new("t");
        let plain = decode(bytes.to_vec(), path, 100);
        let compressed = decode(gz(bytes), path, 100);
        assert_eq!(plain.as_ref().ok(), compressed.as_ref().ok());
        plain
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(decoded(b"\xef\xbb\xbfa\xef\xbb\xbf").unwrap(), "a\u{feff}");
        assert_eq!(decoded(b"\xef\xbb\xbf").unwrap(), "");
        assert_eq!(decoded(b"").unwrap(), "");
        for (bytes, name) in [
            (&b"\xff\xfea\0"[..], "UTF-16"),
            (b"\xfe\xff\0a", "UTF-16"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
            (b"\0\0\xfe\xff\0\0\0a", "UTF-32"),
        ] {
            let e = decoded(bytes).unwrap_err().to_string();
            let expected = "t, byte 0: expected text in UTF-8, found the byte order mark of";
            assert_eq!(e, format!("{expected} {name}; save it in UTF-8"));
        }
    }

    #[test]
    fn text_that_is_not_utf_8_or_too_long_is_refused() {
        let e = decoded(b"a\xff").unwrap_err().to_string();
        assert_eq!(e, "t, byte 1: expected text in UTF-8, found the byte 0xff");
        assert!(decode(gz(&[b'a'; 100]), Path::new("t"), 100).is_ok());
        let e = decode(gz(&[b'a'; 101]), Path::new("t"), 100).unwrap_err().to_string();
        assert!(e.starts_with("t: expected at most 100 bytes after decompression"), "{e}");
        assert!(decode(vec![b'a'; 101], Path::new("t"), 100).is_ok());
    }
}
