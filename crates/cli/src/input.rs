//! Reads text files that the user names.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The text of a file of at most `most` bytes. A longer file is an error, and is not read further.
pub(crate) fn read_text(path: &Path, most: usize) -> Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() <= most, "expected at most {most} bytes, found more");
    String::from_utf8(bytes).context("expected text in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_long_or_no_text_is_refused() {
        let path = std::env::temp_dir().join(format!("wengert-input-{}", std::process::id()));
        let read = |bytes: &str| {
            std::fs::write(&path, bytes).unwrap();
            read_text(&path, 4).map_err(|e| e.to_string())
        };
        assert_eq!(read("four"), Ok("four".to_owned()));
        // The limit may cut a character in two.
        for long in ["fives", "abcdé", &"x".repeat(1 << 20)] {
            assert_eq!(read(long), Err("expected at most 4 bytes, found more".to_owned()));
        }
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read_text(&path, 4).unwrap_err().to_string(), "expected text in UTF-8");
        std::fs::remove_file(&path).unwrap();
        assert!(read_text(&path, 4).is_err());
    }
}
