//! Texts with classes.

use crate::dataset::Dataset;
use crate::error::{Error, Location, Result};
use crate::format::{columns, text};
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

/// The memory that a line of a file needs: its entry, and the name of a class that occurs only there.
const COST_OF_A_LINE: u64 = 100;
/// The memory that a byte of a file needs: the byte while it is read, and its token.
const COST_OF_A_BYTE: u64 = 10;

/// Texts split into characters, with a class for each text. In the vocabulary, [`PAD`] comes before the characters;
/// classes are numbered in alphabetical order.
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
    texts: Arc<Vec<(Vec<i64>, i64)>>,
    vocabulary: Arc<Vocabulary>,
    classes: Arc<[String]>,
}

/// Some texts. See [`Texts`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct TextsBatch {
    /// The characters, padded with [`PAD`]: `[texts, longest]`.
    pub ids: Tensor<i64>,
    /// The number of characters of each text, `[texts]`.
    pub lengths: Tensor<i64>,
    /// The class of each text, `[texts]`.
    pub labels: Tensor<i64>,
    /// The position of each text in the dataset.
    pub indices: Vec<usize>,
}

impl Texts {
    /// Texts and the names of their classes. See [`Texts`] for an example.
    ///
    /// # Errors
    /// If a text is empty.
    pub fn new<S: AsRef<str>, C: AsRef<str>>(texts: &[(S, C)]) -> Result<Self> {
        Texts::of(texts.iter().map(|(text, class)| (text.as_ref(), class.as_ref())))
    }

    fn of<'a>(texts: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Result<Self> {
        let characters = texts.clone().flat_map(|(text, _)| text.chars());
        let vocabulary = Vocabulary::with_specials(&["<pad>"], characters);
        let names: BTreeSet<&str> = texts.clone().map(|(_, class)| class).collect();
        let classes: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut numbered = Vec::with_capacity(texts.clone().count());
        for (i, (text, class)) in texts.enumerate() {
            if text.is_empty() {
                let found = format!("an empty one at {i}");
                return Err(Error::argument("texts", "texts that are not empty", found));
            }
            let label = classes.partition_point(|name| name.as_str() < class);
            numbered.push((vocabulary.encode(text)?, label as i64));
        }
        Ok(Texts { texts: Arc::new(numbered), vocabulary: Arc::new(vocabulary), classes: classes.into() })
    }

    /// Reads a file with a text, a tab and the name of its class on each line, gzip-compressed or not. A byte order
    /// mark at the beginning is skipped.
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
    /// If the file cannot be read, is not UTF-8, takes [too much memory](crate::format::MOST_PER_BYTE), or a line does
    /// not have exactly one tab with text on both sides.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (text, mut budget) = text::read(path, text::UNPACKING)?;
        let lines = columns::two(&text, "a text, a tab and its class", columns::Second::Needed, path)?;
        let count = lines.clone().count() as u64;
        let cost = (COST_OF_A_LINE * count).saturating_add(COST_OF_A_BYTE * text.len() as u64);
        budget.spend(cost, "texts", path, Location::Whole)?;
        Texts::of(lines)
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

    /// The number of characters of the longest text.
    ///
    /// ```
    /// assert_eq!(wengert_data::Texts::new(&[("ab", "x"), ("abc", "y")])?.longest(), 3);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn longest(&self) -> usize {
        self.texts.iter().map(|(ids, _)| ids.len()).max().unwrap_or(0)
    }

    /// A random part to train on and the other part to test on, which has the fraction `test_fraction` of the texts, to
    /// the nearest whole number. Equal texts are in the same part.
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
            texts: Arc::new(
                self.texts.iter().filter(|(ids, _)| in_test.contains(&ids[..]) == test).cloned().collect(),
            ),
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

    #[test]
    fn files_have_two_columns_and_may_begin_with_a_mark() {
        let path = std::env::temp_dir().join(format!("wengert-texts-columns-{}.tsv", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Texts::read(&path)
        };
        let texts = read("\u{feff}good\tyes\nbad\tno\n").unwrap();
        assert_eq!((texts.classes(), texts.longest()), (&["no".to_owned(), "yes".to_owned()][..], 4));
        for (text, message) in [
            (
                "a\tx\nb\tc\ty\n",
                r#"line 2: expected a text, a tab and its class, found 3 columns: "b\tc\ty""#,
            ),
            ("a\tx\nb\t\n", "line 2: expected a text, a tab and its class, found nothing after the tab"),
            ("\tx\n", "line 1: expected a text, a tab and its class, found nothing before the tab"),
        ] {
            let e = read(text).unwrap_err().to_string();
            assert!(e.ends_with(message), "{e}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
