//! Which ops a command line selects.

use crate::options::Options;

impl Options {
    /// The entries that the command line selects by their names, in their order.
    ///
    /// ```
    /// use clap::{Args, Command, FromArgMatches};
    /// use wengert_check::Options;
    /// let matches = Options::augment_args(Command::new("mine")).get_matches_from(["mine", "--op", "log*"]);
    /// let options = Options::from_arg_matches(&matches)?;
    /// assert_eq!(options.select(vec!["log", "tanh", "log2"], |name| name), Ok(vec!["log", "log2"]));
    /// assert_eq!(options.select(vec!["tanh"], |name| name), Err("no op is named log*: `--list` lists all".to_owned()));
    /// # Ok::<(), clap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The message for a name or pattern of `--op` that no entry fits, with names like it.
    pub fn select<E>(&self, entries: Vec<E>, name: impl Fn(&E) -> &str) -> Result<Vec<E>, String> {
        for pattern in &self.ops {
            if !entries.iter().any(|entry| fits(pattern, name(entry))) {
                let part = pattern.trim_matches(['*', '?']);
                let near: Vec<_> =
                    entries.iter().map(&name).filter(|name| near(part, name)).take(20).collect();
                let hint = match &near[..] {
                    [] => "`--list` lists all".to_owned(),
                    near => format!("there are {}", near.join(", ")),
                };
                return Err(format!("no op is named {pattern}: {hint}"));
            }
        }
        Ok(entries.into_iter().filter(|entry| self.selects(name(entry))).collect())
    }

    fn selects(&self, name: &str) -> bool {
        let everything = self.ops.is_empty() && self.filters.is_empty();
        let filtered = |filter: &String| filtered(filter, name, self.exact);
        let asked = everything
            || self.ops.iter().any(|pattern| fits(pattern, name))
            || self.filters.iter().any(filtered);
        asked && !self.nothing && !self.skip.iter().any(filtered)
    }
}

/// Whether a name may be meant by a pattern that fits none: it contains it, or all but one of its letters in order.
fn near(part: &str, name: &str) -> bool {
    let letters = part.chars().count();
    letters > 0 && (name.contains(part) || (letters > 3 && common(part, name) + 1 >= letters))
}

/// The length of the longest common subsequence.
fn common(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row = vec![0; b.len() + 1];
    for c in a.chars() {
        let mut diagonal = 0;
        for j in 0..b.len() {
            let above = row[j + 1];
            row[j + 1] = if b[j] == c { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

/// Whether a filter of a test program selects a name: it is part of it, or the whole if `exact`, or a pattern.
fn filtered(filter: &str, name: &str, exact: bool) -> bool {
    if exact {
        filter == name
    } else if filter.contains(['*', '?']) {
        fits(filter, name)
    } else {
        name.contains(filter)
    }
}

/// Whether a name fits a pattern: `*` is any text, `?` any character.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // The last star, and the position in the name up to which it reaches: only this one ever has to take more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, reach)) => {
                    star = Some((at, reach + 1));
                    (p, n) = (at + 1, reach + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in exponential time.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                slow(rest, name) || name.split_first().is_some_and(|(_, after)| slow(pattern, after))
            }
            (Some((p, rest)), Some((n, after))) => (*p == b'?' || p == n) && slow(rest, after),
            _ => false,
        }
    }

    #[test]
    fn patterns_fit_by_their_definition() {
        let words = |letters: &[u8], length: usize| {
            let mut all = vec![Vec::new()];
            for _ in 0..length {
                let longer =
                    all.iter().flat_map(|w: &Vec<u8>| letters.iter().map(|l| [&w[..], &[*l]].concat()));
                all = all.iter().cloned().chain(longer.collect::<Vec<_>>()).collect();
                all.sort();
                all.dedup();
            }
            all
        };
        for pattern in words(b"ab*?", 4) {
            for name in words(b"ab", 4) {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                assert_eq!(
                    fits(&text(&pattern), &text(&name)),
                    slow(&pattern, &name),
                    "{pattern:?} {name:?}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_letter_is_near() {
        assert!(near("sofmax", "softmax") && near("soft", "softplus") && near("softmix", "softmax"));
        assert!(!near("sin", "tanh") && !near("", "tanh"));
    }
}
