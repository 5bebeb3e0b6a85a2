//! Vocabularies: the numbers of characters or words.

use crate::error::{Error, Result, quoted};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The unit that a text is split into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Characters (Unicode scalar values).
    Character,
    /// Words: runs of letters, digits and apostrophes; any other non-blank character is a word of its own.
    Word,
}

/// Characters or words and their numbers, from 0.
///
/// ```
/// use wengert_data::Vocabulary;
/// let letters = Vocabulary::characters("hello");
/// assert_eq!((letters.len(), letters.encode("hole")?), (4, vec![1, 3, 2, 0]));
/// assert_eq!(letters.decode(&[1, 0, 2, 2, 3])?, "hello");
/// let e = letters.encode("help").unwrap_err();
/// assert_eq!(e.to_string(), "encode: expected text of the vocabulary's 4 characters, found \"p\" at position 3");
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    unit: Unit,
    tokens: Vec<String>,
    numbers: HashMap<String, i64>,
    unknown: Option<i64>,
}

/// The token of words that are not in a vocabulary.
pub const UNKNOWN: &str = "<unk>";

impl Vocabulary {
    /// The characters that occur in a text, sorted. See [`Vocabulary`] for an example.
    pub fn characters(text: &str) -> Self {
        Vocabulary::with_specials(&[], text.chars())
    }

    /// The `most` most frequent words of a text, the most frequent first, equally frequent ones in alphabetical order;
    /// [`UNKNOWN`] is number 0 and is the token of all other words.
    ///
    /// ```
    /// use wengert_data::Vocabulary;
    /// let words = Vocabulary::words("to be, or not to be", 3);
    /// assert_eq!(words.tokens(), ["<unk>", "be", "to", ","]);
    /// assert_eq!(words.encode("to sleep, to be")?, [2, 0, 3, 2, 1]);
    /// assert_eq!(words.decode(&[2, 0])?, "to <unk>");
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn words(text: &str, most: usize) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for word in words(text) {
            *counts.entry(word).or_default() += 1;
        }
        let mut by_count: Vec<(&str, usize)> = counts.into_iter().collect();
        by_count.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let tokens = std::iter::once(UNKNOWN).chain(by_count.into_iter().take(most).map(|(word, _)| word));
        Vocabulary::of(Unit::Word, tokens.map(str::to_owned).collect(), Some(0))
    }

    /// The characters that occur, after the given special tokens, which occur in no text.
    pub(crate) fn with_specials(specials: &[&str], text: impl Iterator<Item = char>) -> Self {
        let characters: BTreeSet<char> = text.collect();
        let tokens = specials.iter().map(|&s| s.to_owned()).chain(characters.into_iter().map(String::from));
        let tokens = tokens.collect();
        Vocabulary::of(Unit::Character, tokens, None)
    }

    fn of(unit: Unit, tokens: Vec<String>, unknown: Option<i64>) -> Self {
        let numbers = tokens.iter().cloned().zip(0..).collect();
        Vocabulary { unit, tokens, numbers, unknown }
    }

    /// The number of tokens. See [`Vocabulary`] for an example.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens.
    ///
    /// ```
    /// assert!(wengert_data::Vocabulary::characters("").is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens in the order of their numbers. See [`words`](Vocabulary::words) for an example.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The unit that a text is split into.
    ///
    /// ```
    /// use wengert_data::{Unit, Vocabulary};
    /// assert_eq!(Vocabulary::characters("a").unit(), Unit::Character);
    /// ```
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The numbers of the tokens of a text. See [`Vocabulary`] for an example.
    ///
    /// # Errors
    /// If a character is not in the vocabulary. Words that are not in it become [`UNKNOWN`].
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        match self.unit {
            Unit::Character => {
                let mut numbers = Vec::with_capacity(text.chars().count());
                for (at, c) in text.chars().enumerate() {
                    numbers.push(self.number(c.encode_utf8(&mut [0; 4]), at)?);
                }
                Ok(numbers)
            }
            Unit::Word => words(text).enumerate().map(|(at, word)| self.number(word, at)).collect(),
        }
    }

    fn number(&self, token: &str, at: usize) -> Result<i64> {
        self.numbers.get(token).copied().or(self.unknown).ok_or_else(|| {
            let expected = format!("text of the vocabulary's {} characters", self.len());
            Error::argument("encode", expected, format!("{} at position {at}", quoted(token)))
        })
    }

    /// The text of tokens; words are joined by blanks. See [`Vocabulary`] for an example.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn decode(&self, tokens: &[i64]) -> Result<String> {
        let text = |&token: &i64| {
            let found = usize::try_from(token).ok().and_then(|token| self.tokens.get(token));
            let expected = || format!("tokens from 0 to {}", self.len() as i64 - 1);
            found.map(String::as_str).ok_or_else(|| Error::argument("decode", expected(), token))
        };
        let parts: Vec<&str> = tokens.iter().map(text).collect::<Result<_>>()?;
        Ok(parts.join(if self.unit == Unit::Word { " " } else { "" }))
    }
}

/// The words of a text, in order.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let of_word = |c: char| c.is_alphanumeric() || c == '\'';
        let end = match rest.find(|c| !of_word(c)) {
            Some(0) => first.len_utf8(),
            Some(end) => end,
            None => rest.len(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_encoding() {
        let text = "Grüße, ¿qué? \n\u{1F600}ab";
        let letters = Vocabulary::characters(text);
        assert_eq!(letters.decode(&letters.encode(text).unwrap()).unwrap(), text);
        assert!(letters.tokens().is_sorted());
        assert!(
            letters.encode("z").is_err() && letters.decode(&[-1]).is_err() && letters.decode(&[99]).is_err()
        );
        assert_eq!(Vocabulary::characters("").decode(&[]).unwrap(), "");
        assert!(Vocabulary::characters("").decode(&[0]).is_err());
    }

    #[test]
    fn words_are_cut_at_blanks_and_signs() {
        let cut: Vec<&str> = words(" O, that this  'tis--doch schön! ").collect();
        assert_eq!(cut, ["O", ",", "that", "this", "'tis", "-", "-", "doch", "schön", "!"]);
        assert_eq!(Vocabulary::words("b a b", 0).tokens(), [UNKNOWN]);
        assert_eq!(Vocabulary::words("", 5).encode("x").unwrap(), [0]);
    }
}
