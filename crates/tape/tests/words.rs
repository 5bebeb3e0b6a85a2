//! The words of macros, for tests that read sources. The fuzz includes this file by its path.

/// The identifiers and the other single characters, without strings.
pub(crate) fn words(tokens: &str) -> Vec<&str> {
    let ident = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    for code in tokens.split('"').step_by(2) {
        let mut rest = code.trim_start();
        while let Some(first) = rest.chars().next() {
            let end = if ident(first) { rest.find(|c| !ident(c)) } else { Some(first.len_utf8()) };
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            words.push(word);
            rest = after.trim_start();
        }
    }
    words
}
