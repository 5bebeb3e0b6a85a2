//! Text as tokens, and windows of it for language models.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::format::text;
use crate::vocabulary::Vocabulary;
use std::path::Path;
use std::sync::Arc;
use wengert_ops::Tensor;

/// The memory that a byte of text needs: the byte while it is read, and its token.
const COST: u64 = 10;

/// A text as the numbers of its tokens.
///
/// ```
/// use wengert_data::{Loader, Text, hamlet};
/// let text = Text::characters(&hamlet()?);
/// let (train, validation) = text.split(0.1)?;
/// assert_eq!((text.vocabulary().len(), train.len(), validation.len()), (65, 156_548, 17_394));
/// let windows = train.windows(64, 64)?;
/// let batch = Loader::new(&windows, 8, 7)?.epoch(0).next().unwrap()?;
/// assert_eq!((&batch.inputs.shape()[..], &batch.targets.shape()[..]), (&[8, 64][..], &[8, 64][..]));
/// // The target of each token is the one after it.
/// assert_eq!(batch.inputs.slice(1, 1..64)?, batch.targets.slice(1, 0..63)?);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Text {
    tokens: Arc<Vec<i64>>,
    vocabulary: Arc<Vocabulary>,
}

impl Text {
    /// A text split into characters; its vocabulary is the characters that occur. See [`Text`] for an example.
    pub fn characters(text: &str) -> Self {
        Text::with_own(text, Vocabulary::characters(text))
    }

    /// A text split into words; its vocabulary is the `most` frequent words.
    ///
    /// ```
    /// use wengert_data::{Text, hamlet};
    /// let text = Text::words(&hamlet()?, 1000);
    /// assert_eq!(text.vocabulary().len(), 1001);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn words(text: &str, most: usize) -> Self {
        Text::with_own(text, Vocabulary::words(text, most))
    }

    /// A text whose tokens are all in its vocabulary.
    fn with_own(text: &str, vocabulary: Vocabulary) -> Self {
        let tokens = vocabulary.encode(text).unwrap_or_default();
        Text { tokens: Arc::new(tokens), vocabulary: Arc::new(vocabulary) }
    }

    /// A text with a given vocabulary, such as that of a trained model.
    ///
    /// ```
    /// use wengert_data::{Text, Vocabulary};
    /// let text = Text::with_vocabulary("abba", Vocabulary::characters("abc"))?;
    /// assert_eq!(text.tokens(), [0, 1, 1, 0]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a character is not in the vocabulary.
    pub fn with_vocabulary(text: &str, vocabulary: Vocabulary) -> Result<Self> {
        Ok(Text { tokens: Arc::new(vocabulary.encode(text)?), vocabulary: Arc::new(vocabulary) })
    }

    /// A file split into characters, gzip-compressed or not. A byte order mark at the beginning is skipped.
    ///
    /// ```
    /// assert!(wengert_data::Text::read("no/such/file.txt").is_err());
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is not UTF-8, or takes [too much memory](crate::format::MOST_PER_BYTE).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Text::characters(&text::read(path.as_ref(), COST)?.0))
    }

    /// The number of tokens. See [`Text`] for an example.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens.
    ///
    /// ```
    /// assert!(wengert_data::Text::characters("").is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The numbers of the tokens. See [`with_vocabulary`](Text::with_vocabulary) for an example.
    pub fn tokens(&self) -> &[i64] {
        &self.tokens
    }

    /// The vocabulary. See [`Text`] for an example.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The beginning, to train on, and the end, which has the fraction `validation_fraction` of the tokens, to the
    /// nearest whole number. See [`Text`] for an example.
    ///
    /// # Errors
    /// If the fraction is not from 0 to 1.
    pub fn split(&self, validation_fraction: f64) -> Result<(Self, Self)> {
        let held = crate::split::test_count("split", self.len(), validation_fraction)?;
        let (train, validation) = self.tokens.split_at(self.len() - held);
        let part = |tokens: &[i64]| Text {
            tokens: Arc::new(tokens.to_vec()),
            vocabulary: Arc::clone(&self.vocabulary),
        };
        Ok((part(train), part(validation)))
    }

    /// Windows of `length` tokens, as a dataset. Each window begins `stride` tokens after the previous one; the tokens
    /// that remain at the end are in no window. See [`Text`] for an example.
    ///
    /// # Errors
    /// If `length` or `stride` is 0, or the text has no more than `length` tokens.
    pub fn windows(&self, length: usize, stride: usize) -> Result<Windows> {
        if length == 0 || stride == 0 {
            let found = format!("{length} and {stride}");
            return Err(Error::argument("windows", "a length and a stride of at least 1", found));
        }
        if self.len() <= length {
            let expected = format!("a text of more than {length} tokens");
            return Err(Error::argument("windows", expected, self.len()));
        }
        Ok(Windows { tokens: Arc::clone(&self.tokens), length, stride })
    }
}

/// Windows of a text: what [`Text::windows`] returns.
#[derive(Debug, Clone)]
pub struct Windows {
    tokens: Arc<Vec<i64>>,
    length: usize,
    stride: usize,
}

/// Some windows of a text and the token after each of their tokens. See [`Text`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBatch {
    /// The tokens: `[windows, length]`.
    pub inputs: Tensor<i64>,
    /// The token after each of the inputs: `[windows, length]`.
    pub targets: Tensor<i64>,
    /// The position of each window in the dataset.
    pub indices: Vec<usize>,
}

impl Dataset for Windows {
    type Batch = TokenBatch;

    fn len(&self) -> usize {
        // A window needs its tokens and the token after the last.
        (self.tokens.len() - self.length - 1) / self.stride + 1
    }

    fn fetch(&self, indices: &[usize]) -> Result<TokenBatch> {
        check_positions(indices, self.len())?;
        let rows = |after: usize| {
            let window = |&i: &usize| &self.tokens[i * self.stride + after..][..self.length];
            let rows: Vec<i64> = indices.iter().flat_map(window).copied().collect();
            Tensor::from_vec(rows, [indices.len(), self.length])
        };
        Ok(TokenBatch { inputs: rows(0)?, targets: rows(1)?, indices: indices.to_vec() })
    }
}

pub(crate) fn check_positions(indices: &[usize], n: usize) -> Result<()> {
    match indices.iter().find(|&&i| i >= n) {
        Some(i) => Err(Error::argument("fetch", format!("positions below {n}"), i)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_text_and_no_more() {
        let text = Text::characters("abcdefghij");
        for (length, stride, count) in [(3, 1, 7), (3, 3, 3), (9, 1, 1), (9, 5, 1), (2, 4, 2), (1, 1, 9)] {
            let windows = text.windows(length, stride).unwrap();
            assert_eq!(windows.len(), count, "{length} {stride}");
            let last = windows.fetch(&[count - 1]).unwrap();
            let begin = ((count - 1) * stride) as i64;
            assert!(last.inputs.to_vec().into_iter().eq(begin..begin + length as i64));
            assert!(last.targets.to_vec().into_iter().eq(begin + 1..begin + 1 + length as i64));
            assert!(windows.fetch(&[count]).is_err());
        }
        assert!(text.windows(10, 1).is_err() && text.windows(0, 1).is_err() && text.windows(1, 0).is_err());
        assert_eq!(*text.windows(3, 1).unwrap().fetch(&[]).unwrap().inputs.shape(), [0, 3]);
    }

    #[test]
    fn parts_are_cut_by_position() {
        let text = Text::characters("abcdefghij");
        let (train, validation) = text.split(0.3).unwrap();
        let decode = |part: &Text| part.vocabulary().decode(part.tokens()).unwrap();
        assert_eq!((decode(&train), decode(&validation)), ("abcdefg".into(), "hij".into()));
        assert!(text.split(1.5).is_err());
    }
}
