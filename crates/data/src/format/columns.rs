//! Files with two columns separated by a tab.

use crate::error::{Error, Location, Result, quoted};
use std::path::Path;

/// Whether the second column may be empty. The first may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    MayBeEmpty,
    Needed,
}

/// The columns of each line; `expected` says what they are.
pub(crate) fn two<'a>(
    text: &'a str,
    expected: &str,
    second: Second,
    path: &Path,
) -> Result<impl Iterator<Item = (&'a str, &'a str)> + Clone> {
    for (i, line) in text.lines().enumerate() {
        let found = match line.split('\t').count() {
            2 if line.starts_with('\t') => "nothing before the tab".to_owned(),
            2 if line.ends_with('\t') && second == Second::Needed => "nothing after the tab".to_owned(),
            2 => continue,
            1 => format!("no tab in {}", quoted(line)),
            columns => format!("{columns} columns: {}", quoted(line)),
        };
        return Err(Error::malformed(path, Location::Line(i + 1), expected, found));
    }
    Ok(text.lines().filter_map(|line| line.split_once('\t')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_two_columns() {
        let read_as =
            |text, second| two(text, "two texts", second, Path::new("t")).map(Iterator::collect::<Vec<_>>);
        let read = |text| read_as(text, Second::MayBeEmpty);
        assert!(read_as("a\t\n", Second::Needed).is_err() && read_as("a\tb\n", Second::Needed).is_ok());
        assert_eq!(read("a\tb\r\n\u{1b}\t\n").unwrap(), [("a", "b"), ("\u{1b}", "")]);
        assert!(read("").unwrap().is_empty());
        for (text, message) in [
            ("a\tb\na\tb\tc\n", r#"line 2: expected two texts, found 3 columns: "a\tb\tc""#),
            ("a\tb\t\n", r#"line 1: expected two texts, found 3 columns: "a\tb\t""#),
            ("a\tb\n\nc\td", "line 2: expected two texts, found no tab in \"\""),
            ("\ta", "line 1: expected two texts, found nothing before the tab"),
            ("\u{1b}[2J", r#"line 1: expected two texts, found no tab in "\u{1b}[2J""#),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), format!("t, {message}"));
        }
    }
}
