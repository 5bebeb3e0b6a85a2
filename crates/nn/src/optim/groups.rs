//! Patterns that choose parameters by their names.

/// Whether `pattern` matches a name such as `encoder.0.weight`.
///
/// Both are split at dots. A part of the pattern is a name in which `*` matches any characters; a part that is `*` alone
/// matches any number of parts, including none. A name whose beginning matches also matches.
pub(crate) fn covers(pattern: &str, name: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let name: Vec<&str> = name.split('.').collect();
    parts(&pattern, &name)
}

fn parts(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], _) => true,
        (["*", rest @ ..], _) => (0..=name.len()).any(|skip| parts(rest, &name[skip..])),
        (_, []) => false,
        ([p, rest @ ..], [n, others @ ..]) => characters(p, n) && parts(rest, others),
    }
}

fn characters(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_paths_with_gaps() {
        for (pattern, yes, no) in [
            ("encoder", &["encoder", "encoder.0.weight"][..], &["encoders", "decoder.encoder"][..]),
            ("*.bias", &["bias", "0.bias", "a.b.bias"], &["bias2", "0.weight", "debias"]),
            ("*", &["weight", "0.weight"], &[]),
            (
                "layers.*.weight",
                &["layers.weight", "layers.0.weight", "layers.0.a.weight"],
                &["layers.0.bias"],
            ),
            ("*.norm*.weight", &["norm1.weight", "block.3.norm.weight"], &["block.weight", "norm1.bias"]),
            ("fc*b*", &["fcb", "fc1b2.weight"], &["fc", "b.fc1"]),
            ("*.ab*ab", &["abab", "x.ab.abcab"], &["ab", "aba"]),
        ] {
            for name in yes {
                assert!(covers(pattern, name), "{pattern} should match {name}");
            }
            for name in no {
                assert!(!covers(pattern, name), "{pattern} should not match {name}");
            }
        }
    }
}
