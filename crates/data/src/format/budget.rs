//! How much memory reading a file may take: a few bytes can expand to a very large array.

use crate::error::{Error, Location, Result};
use std::path::Path;

/// Reading a file takes no more memory than this many times its length, or [`MOST_FOR_ANY_FILE`] if that is more. A
/// file whose header asks for more is refused before memory is reserved.
///
/// ```
/// use wengert_data::format::{MOST_FOR_ANY_FILE, MOST_PER_BYTE};
/// assert_eq!((MOST_PER_BYTE, MOST_FOR_ANY_FILE), (40, 512 << 20));
/// ```
pub const MOST_PER_BYTE: u64 = 40;

/// The memory in bytes that reading any file may take, even a short one. See [`MOST_PER_BYTE`].
pub const MOST_FOR_ANY_FILE: u64 = 1 << 29;

/// The remaining memory that reading a file may take.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    left: u64,
}

impl Budget {
    /// For a file of this length in bytes, all of which are in memory.
    pub(crate) fn of(length: usize) -> Self {
        let length = length as u64;
        Budget {
            left: length
                .saturating_mul(MOST_PER_BYTE - 1)
                .max(MOST_FOR_ANY_FILE - length.min(MOST_FOR_ANY_FILE)),
        }
    }

    /// For files with this total length, each of which may take another `each` bytes, whatever its length.
    pub(crate) fn of_all(lengths: u64, files: usize, each: u64) -> Self {
        let more = each.saturating_mul(files as u64);
        Budget { left: lengths.saturating_mul(MOST_PER_BYTE).max(MOST_FOR_ANY_FILE.saturating_add(more)) }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Subtracts the bytes that are about to be reserved for `what`.
    pub(crate) fn spend(&mut self, bytes: u64, what: &str, path: &Path, at: Location) -> Result<()> {
        let Some(left) = self.left.checked_sub(bytes) else {
            let expected = format!("{what} that take at most {} bytes of memory ({})", self.left, limit());
            return Err(Error::malformed(path, at, expected, bytes));
        };
        self.left = left;
        Ok(())
    }
}

/// The limit in words.
pub(crate) fn limit() -> String {
    let any = MOST_FOR_ANY_FILE >> 20;
    format!("reading a file takes at most {MOST_PER_BYTE} times its length or, if that is more, {any} MiB")
}

/// The memory of a tensor: the size of its buffer is rounded up by at most a quarter.
pub(crate) fn tensor_bytes(elements: u64, size: usize) -> u64 {
    let bytes = elements.saturating_mul(size as u64);
    bytes.saturating_add(bytes / 4).saturating_add(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_once() {
        let path = Path::new("f");
        let mut small = Budget::of(1000);
        assert_eq!(small.left(), MOST_FOR_ANY_FILE - 1000);
        small.spend(MOST_FOR_ANY_FILE - 1010, "elements", path, Location::Byte(8)).unwrap();
        small.spend(10, "elements", path, Location::Whole).unwrap();
        let e = small.spend(1, "elements", path, Location::Byte(8)).unwrap_err().to_string();
        assert_eq!(
            e,
            "f, byte 8: expected elements that take at most 0 bytes of memory (reading a file takes at most 40 times its \
             length or, if that is more, 512 MiB), found 1"
        );
        assert_eq!(Budget::of(1 << 30).left(), 39 << 30);
        assert_eq!(Budget::of_all(0, 2, 5).left(), MOST_FOR_ANY_FILE + 10);
        assert_eq!(tensor_bytes(u64::MAX, 8), u64::MAX);
    }
}
