//! Texts with classes.

use crate::dataset::Dataset;
use crate::error::{Error, Place, Result};
use crate::order::permutation;
use crate::pairs::{PAD, pad};
use crate::split::test_count;
use crate::text::check_positions;
use crate::vocabulary::Vocabulary;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use wengert_ops::Tensor;
use wengert_ops::random::{Key, Purpose};

/// Texts by characters, each of a class. The vocabulary has [`PAD`] before the characters; classes are numbered in alphabetical order.
///
/// ```
/// use wengert_data::{Dataset, Texts};
/// let texts = Texts::new(&[("good", "yes"), ("bad", "no"), ("very good", "yes")])?;
/// assert_eq!(texts.classes(), ["no", "yes"]);
/// let batch = texts.fetch(&[2, 1])?;
/// assert_eq!(batch.ids.shape()[..], [2, 9]);
/// assert_eq!((batch.lengths.to_vec(), batch.labels.to_vec()), (vec![9, 3], vec![1, 0]));
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Texts {
    texts: Arc<[(Vec<i64>, i64)]>,
    vocabulary: Arc<Vocabulary>,
    classes: Arc<[String]>,
}

/// Some texts. See [`Texts`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct TextsBatch {
    /// The characters, filled up with [`PAD`]: `[texts, longest]`.
    pub ids: Tensor<i64>,
    /// The number of characters of each, `[texts]`.
    pub lengths: Tensor<i64>,
    /// The class of each, `[texts]`.
    pub labels: Tensor<i64>,
    /// Where each stands in the dataset.
    pub indices: Vec<usize>,
}

impl Texts {
    /// Texts and the names of their classes. See [`Texts`] for an example.
    ///
    /// # Errors
    /// If a text is empty.
    pub fn new<S: AsRef<str>, C: AsRef<str>>(texts: &[(S, C)]) -> Result<Self> {
        let all: String = texts.iter().map(|(text, _)| text.as_ref()).collect();
        let vocabulary = Vocabulary::with_specials(&["<pad>"], &all);
        let names: BTreeSet<&str> = texts.iter().map(|(_, class)| class.as_ref()).collect();
        let classes: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut numbered = Vec::with_capacity(texts.len());
        for (i, (text, class)) in texts.iter().enumerate() {
            if text.as_ref().is_empty() {
                let found = format!("an empty one at {i}");
                return Err(Error::argument("texts", "texts that are not empty", found));
            }
            let label = classes.partition_point(|name| name.as_str() < class.as_ref());
            numbered.push((vocabulary.encode(text.as_ref())?, label as i64));
        }
        Ok(Texts { texts: numbered.into(), vocabulary: Arc::new(vocabulary), classes: classes.into() })
    }

    /// Reads a file with a text, a tab and the name of its class on each line.
    ///
    /// ```
    /// let path = std::env::temp_dir().join(format!("wengert-texts-{}.tsv", std::process::id()));
    /// std::fs::write(&path, "good\tyes\nbad\tno\n").unwrap();
    /// assert_eq!(wengert_data::Texts::read(&path)?.classes(), ["no", "yes"]);
    /// std::fs::write(&path, "good\tyes\nbad\n").unwrap();
    /// let e = wengert_data::Texts::read(&path).unwrap_err().to_string();
    /// assert!(e.contains("line 2: expected a text, a tab and its class"), "{e}");
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, or a line has no tab or nothing before it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut texts = Vec::new();
        for (i, line) in text.lines().enumerate() {
            match line.rsplit_once('\t') {
                Some((text, class)) if !text.is_empty() => texts.push((text, class)),
                _ => {
                    let expected = "a text, a tab and its class";
                    return Err(Error::malformed(path, Place::Line(i + 1), expected, format!("{line:?}")));
                }
            }
        }
        Texts::new(&texts)
    }

    /// The vocabulary.
    ///
    /// ```
    /// let texts = wengert_data::Texts::new(&[("ab", "x")])?;
    /// assert_eq!(texts.vocabulary().tokens(), ["<pad>", "a", "b"]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The names of the classes. See [`Texts`] for an example.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The characters of the longest text.
    ///
    /// ```
    /// assert_eq!(wengert_data::Texts::new(&[("ab", "x"), ("abc", "y")])?.longest(), 3);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn longest(&self) -> usize {
        self.texts.iter().map(|(ids, _)| ids.len()).max().unwrap_or(0)
    }

    /// A random part to train on and the other, of `test_fraction` of the texts to the nearest, to test on. Equal texts are in the
    /// same part.
    ///
    /// ```
    /// use wengert_data::{Dataset, Texts};
    /// let texts = Texts::new(&[("a", "x"), ("b", "y"), ("c", "x"), ("d", "y")])?;
    /// let (train, test) = texts.split(0.25, 7)?;
    /// assert_eq!((train.len(), test.len(), test.classes().len()), (3, 1, 2));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the fraction is not from 0 to 1.
    pub fn split(&self, test_fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let held = test_count("split", self.texts.len(), test_fraction)?;
        let order = permutation(self.texts.len(), Key::of(seed, Purpose::Split, 0));
        let in_test: BTreeSet<&[i64]> = order[..held].iter().map(|&i| &self.texts[i].0[..]).collect();
        let part = |test: bool| Texts {
            texts: self.texts.iter().filter(|(ids, _)| in_test.contains(&ids[..]) == test).cloned().collect(),
            ..self.clone()
        };
        Ok((part(false), part(true)))
    }
}

impl Dataset for Texts {
    type Batch = TextsBatch;

    fn len(&self) -> usize {
        self.texts.len()
    }

    fn fetch(&self, indices: &[usize]) -> Result<TextsBatch> {
        check_positions(indices, self.texts.len())?;
        let ids: Vec<&[i64]> = indices.iter().map(|&i| &self.texts[i].0[..]).collect();
        let labels: Vec<i64> = indices.iter().map(|&i| self.texts[i].1).collect();
        let (ids, lengths) = pad(&ids, PAD)?;
        Ok(TextsBatch { ids, lengths, labels: labels.into(), indices: indices.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_parts_no_equals() {
        let texts: Vec<(String, &str)> =
            (0..60).map(|i| (format!("text {}", i % 20), ["a", "b", "c"][i % 3])).collect();
        let texts = Texts::new(&texts).unwrap();
        let (train, test) = texts.split(0.3, 1).unwrap();
        assert_eq!(train.len() + test.len(), 60);
        assert!(test.len() >= 18 && train.texts.iter().all(|(t, _)| test.texts.iter().all(|(u, _)| t != u)));
        assert_eq!(train.vocabulary().len(), test.vocabulary().len());
        assert!(texts.split(1.5, 1).is_err() && texts.fetch(&[60]).is_err());
        assert!(Texts::new(&[("", "a")]).is_err());
    }
}
