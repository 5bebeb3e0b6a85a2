//! The errors of this crate.

/// An error of this crate.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the tape.
    #[error(transparent)]
    Tape(#[from] wengert_tape::Error),
    /// An expression that cannot be read.
    #[error(transparent)]
    Expression(#[from] crate::expression::Mistake),
    /// A trace whose parts are inconsistent.
    #[error("the trace is damaged: {}", printable(.0))]
    Damaged(String),
    /// A name that does not exist.
    #[error("there is no {what} {}{}", printable(name), printable(&suggestion(.like)))]
    Unknown {
        /// The kind of thing that was looked for.
        what: &'static str,
        /// The name.
        name: String,
        /// Similar names.
        like: Vec<String>,
    },
    /// A request that is not possible.
    #[error("{}", printable(.0))]
    Refused(String),
}

/// So that one `?` serves for tensors, tapes and traces.
///
/// ```
/// fn traced() -> Result<wengert_trace::Trace, wengert_trace::Error> {
///     let x = wengert_ops::Tensor::<f64>::ones([2, 3]).reshape([6])?;
///     wengert_trace::Trace::of(wengert_tape::Tape::new().var(x).sum())
/// }
/// assert!(traced().is_ok());
/// ```
impl From<wengert_ops::Error> for Error {
    #[track_caller]
    fn from(e: wengert_ops::Error) -> Self {
        Error::Tape(e.into())
    }
}

/// A text with escapes for characters that are not printed as themselves: the contents of a file must not steer the
/// terminal on which an error is printed. Quotes and backslashes are kept.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.chars().map(shown).collect()
}

fn suggestion(like: &[String]) -> String {
    match like {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        [all @ .., last] => format!("; did you mean {} or {last}?", all.join(", ")),
    }
}

/// Up to three of the names with the most similar spelling.
pub(crate) fn like(name: &str, all: impl IntoIterator<Item = String>) -> Vec<String> {
    let most = 1 + name.chars().count() / 3;
    let mut near: Vec<(usize, String)> =
        all.into_iter().map(|other| (distance(name, &other), other)).collect();
    near.retain(|(d, other)| *d <= most && *d < other.chars().count().max(2));
    near.sort();
    near.dedup();
    let nearest = near.first().map_or(0, |(d, _)| *d);
    near.retain(|(d, _)| *d == nearest);
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// The number of letters to change, insert, delete or swap with the next letter.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if swap { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_like_it_are_found() {
        let all = || ["tanh", "tan", "atanh", "sin", "exp"].map(str::to_owned);
        assert_eq!(like("thanh", all()), ["tanh"]);
        assert_eq!(like("tnah", all()), ["tanh"]);
        assert_eq!(like("atan", all()), ["atanh", "tan"]);
        assert!(like("gamma", all()).is_empty());
        assert_eq!(like("ab", ["x".to_owned(), "ba".to_owned()]), ["ba"]);
    }
}
