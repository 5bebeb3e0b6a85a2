//! Pairs of texts, as for translation, and sequences of different lengths in one tensor.

use crate::dataset::Dataset;
use crate::error::{Error, Location, Result};
use crate::format::{columns, text};
use crate::text::check_positions;
use crate::vocabulary::Vocabulary;
use std::path::Path;
use std::sync::Arc;
use wengert_ops::{Element, Tensor};

/// The token that pads shorter sequences.
pub const PAD: i64 = 0;
/// The token that begins a sequence.
pub const BEGIN: i64 = 1;
/// The token that ends a sequence.
pub const END: i64 = 2;

/// Sequences as rows, the shorter ones padded at their ends, and their lengths.
///
/// ```
/// use wengert_data::pad;
/// let (rows, lengths) = pad(&[&[5i64, 6, 7][..], &[8]], 0)?;
/// assert_eq!((rows.to_vec(), lengths.to_vec()), (vec![5, 6, 7, 8, 0, 0], vec![3, 1]));
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the result does not fit in memory.
#[doc(alias = "pad_sequence")]
pub fn pad<T: Element>(sequences: &[impl AsRef<[T]>], value: T) -> Result<(Tensor<T>, Tensor<i64>)> {
    let lengths: Vec<usize> = sequences.iter().map(|s| s.as_ref().len()).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut rows = Tensor::try_full([sequences.len(), longest], value)?;
    if longest > 0 {
        for (row, sequence) in rows.data_mut().chunks_exact_mut(longest).zip(sequences) {
            row[..sequence.as_ref().len()].copy_from_slice(sequence.as_ref());
        }
    }
    let lengths: Vec<i64> = lengths.into_iter().map(|length| length as i64).collect();
    Ok((rows, lengths.into()))
}

/// The memory that a line of a file needs: its entry, and the begin and end tokens of its target.
const COST_OF_A_LINE: u64 = 64;
/// The memory that a byte of a file needs: the byte while it is read, and its token, twice for targets.
const COST_OF_A_BYTE: u64 = 10;

/// Pairs of a source and a target text, by characters. In the vocabularies, [`PAD`], [`BEGIN`] and [`END`] come before
/// the characters.
///
/// ```
/// use wengert_data::{BEGIN, Dataset, END, Loader, PAD, Pairs, Sampler};
/// let pairs = Pairs::new(&[("cat", "Katze"), ("dog", "Hund"), ("ox", "Ochse")])?;
/// let batch = pairs.fetch(&[0, 1])?;
/// assert_eq!((&batch.source.shape()[..], batch.source_lengths.to_vec()), (&[2, 3][..], vec![3, 3]));
/// let target = batch.target.to_vec();
/// assert_eq!((target[0], target[6], target[13]), (BEGIN, END, PAD));
/// assert_eq!(batch.target_lengths.to_vec(), [7, 6]);
/// assert_eq!(pairs.target().decode(&target[1..6])?, "Katze");
/// // With pairs of similar length in a batch:
/// let loader = Loader::new(&pairs, 2, 7)?.sampler(Sampler::buckets(&pairs.lengths(), 10)?)?;
/// assert_eq!(loader.epoch(0).count(), 2);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pairs {
    pairs: Arc<Vec<(Vec<i64>, Vec<i64>)>>,
    source: Arc<Vocabulary>,
    target: Arc<Vocabulary>,
}

/// Some pairs of texts. See [`Pairs`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct PairBatch {
    /// The sources, padded with [`PAD`]: `[pairs, longest]`.
    pub source: Tensor<i64>,
    /// The number of tokens of each source, `[pairs]`: the lengths that recurrent layers take.
    pub source_lengths: Tensor<i64>,
    /// The targets, each after [`BEGIN`] and before [`END`], padded with [`PAD`]: `[pairs, longest]`.
    pub target: Tensor<i64>,
    /// The number of tokens of each target, `[pairs]`, including [`BEGIN`] and [`END`].
    pub target_lengths: Tensor<i64>,
    /// The position of each pair in the dataset.
    pub indices: Vec<usize>,
}

impl Pairs {
    /// Pairs whose vocabularies are the characters that occur. See [`Pairs`] for an example.
    ///
    /// # Errors
    /// If a source is empty.
    pub fn new<S: AsRef<str>, T: AsRef<str>>(pairs: &[(S, T)]) -> Result<Self> {
        Pairs::of(pairs.iter().map(|(source, target)| (source.as_ref(), target.as_ref())))
    }

    fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Result<Self> {
        let specials = ["<pad>", "<begin>", "<end>"];
        let source = Vocabulary::with_specials(&specials, pairs.clone().flat_map(|(s, _)| s.chars()));
        let target = Vocabulary::with_specials(&specials, pairs.clone().flat_map(|(_, t)| t.chars()));
        let mut tokens = Vec::with_capacity(pairs.clone().count());
        for (i, (s, t)) in pairs.enumerate() {
            if s.is_empty() {
                let found = format!("an empty one at {i}");
                return Err(Error::argument("pairs", "sources that are not empty", found));
            }
            let t = target.encode(t)?;
            let mut ended = Vec::with_capacity(t.len() + 2);
            ended.push(BEGIN);
            ended.extend(t);
            ended.push(END);
            tokens.push((source.encode(s)?, ended));
        }
        Ok(Pairs { pairs: Arc::new(tokens), source: Arc::new(source), target: Arc::new(target) })
    }

    /// Reads a file with a source, a tab and its target on each line, gzip-compressed or not. A byte order mark at the
    /// beginning is skipped.
    ///
    /// ```
    /// use wengert_data::{Dataset, Pairs};
    /// let path = std::env::temp_dir().join(format!("wengert-pairs-{}.tsv", std::process::id()));
    /// std::fs::write(&path, "cat\tKatze\nox\tOchse\n").unwrap();
    /// assert_eq!(Pairs::read(&path)?.lengths(), [3, 2]);
    /// std::fs::write(&path, "cat\tKatze\nox\tOchse\tbœuf\n").unwrap();
    /// let e = Pairs::read(&path).unwrap_err().to_string();
    /// assert!(e.contains("line 2: expected two texts with a tab between them, found 3 columns"), "{e}");
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is not UTF-8, takes [too much memory](crate::format::MOST_PER_BYTE), or a line does
    /// not have exactly one tab with text before it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (text, mut budget) = text::read(path, text::UNPACKING)?;
        const EXPECTED: &str = "two texts with a tab between them";
        let lines = columns::two(&text, EXPECTED, columns::Second::MayBeEmpty, path)?;
        let count = lines.clone().count() as u64;
        let cost = (COST_OF_A_LINE * count).saturating_add(COST_OF_A_BYTE * text.len() as u64);
        budget.spend(cost, "pairs", path, Location::Whole)?;
        Pairs::of(lines)
    }

    /// The vocabulary of the sources. See [`Pairs::target`] for an example.
    pub fn source(&self) -> &Vocabulary {
        &self.source
    }

    /// The vocabulary of the targets.
    ///
    /// ```
    /// use wengert_data::Pairs;
    /// let pairs = Pairs::new(&[("ab", "c")])?;
    /// assert_eq!(pairs.source().tokens(), ["<pad>", "<begin>", "<end>", "a", "b"]);
    /// assert_eq!(pairs.target().len(), 4);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn target(&self) -> &Vocabulary {
        &self.target
    }

    /// The number of tokens of each source, for [`Sampler::buckets`](crate::Sampler::buckets). See [`Pairs`] for an example.
    pub fn lengths(&self) -> Vec<usize> {
        self.pairs.iter().map(|(source, _)| source.len()).collect()
    }

    /// The pairs at the given positions, with the same vocabularies: a part to train or test on.
    ///
    /// ```
    /// use wengert_data::{Dataset, Pairs, k_fold};
    /// let pairs = Pairs::new(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")])?;
    /// let fold = &k_fold(pairs.len(), 2, 7)?[0];
    /// let train = pairs.select(&fold.train)?;
    /// assert_eq!((train.len(), train.source().len()), (2, 7));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a position is out of range.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        check_positions(indices, self.pairs.len())?;
        let pairs = indices.iter().map(|&i| self.pairs[i].clone()).collect();
        Ok(Pairs { pairs: Arc::new(pairs), ..self.clone() })
    }
}

impl Dataset for Pairs {
    type Batch = PairBatch;

    fn len(&self) -> usize {
        self.pairs.len()
    }

    fn fetch(&self, indices: &[usize]) -> Result<PairBatch> {
        check_positions(indices, self.pairs.len())?;
        let sources: Vec<&[i64]> = indices.iter().map(|&i| &self.pairs[i].0[..]).collect();
        let targets: Vec<&[i64]> = indices.iter().map(|&i| &self.pairs[i].1[..]).collect();
        let (source, source_lengths) = pad(&sources, PAD)?;
        let (target, target_lengths) = pad(&targets, PAD)?;
        Ok(PairBatch { source, source_lengths, target, target_lengths, indices: indices.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_padded_at_their_ends() {
        let pairs = Pairs::new(&[("a", ""), ("bcd", "xy")]).unwrap();
        let batch = pairs.fetch(&[1, 0]).unwrap();
        assert_eq!(batch.source.to_vec(), [4, 5, 6, 3, PAD, PAD]);
        assert_eq!(batch.target.to_vec(), [BEGIN, 3, 4, END, BEGIN, END, PAD, PAD]);
        assert_eq!((batch.source_lengths.to_vec(), batch.target_lengths.to_vec()), (vec![3, 1], vec![4, 2]));
        assert!(pairs.fetch(&[2]).is_err() && pairs.select(&[2]).is_err());
        assert!(Pairs::new(&[("", "x")]).is_err());
        assert_eq!(*pairs.fetch(&[]).unwrap().source.shape(), [0, 0]);
        assert_eq!(*pad::<f32>(&[vec![], vec![]], 1.0).unwrap().0.shape(), [2, 0]);
    }

    #[test]
    fn files_have_two_columns_and_may_begin_with_a_mark() {
        let path = std::env::temp_dir().join(format!("wengert-pairs-columns-{}.tsv", std::process::id()));
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            Pairs::read(&path)
        };
        let pairs = read("\u{feff}a\tb\r\nb\t\r\n".as_bytes()).unwrap();
        assert_eq!((pairs.len(), pairs.source().len(), pairs.target().len()), (2, 5, 4));
        for (text, message) in [
            (
                &b"a\tb\n\x1b[2J\tc\td\n"[..],
                r#"line 2: expected two texts with a tab between them, found 3 columns: "\u{1b}[2J\tc\td""#,
            ),
            (b"a\tb\nc\n", "line 2: expected two texts with a tab between them, found no tab in \"c\""),
            (b"\ta\n", "line 1: expected two texts with a tab between them, found nothing before the tab"),
            (
                b"\xff\xfea\0\t\0b\0",
                "byte 0: expected text in UTF-8, found the byte order mark of UTF-16; save it in UTF-8",
            ),
        ] {
            let e = read(text).unwrap_err().to_string();
            assert!(e.ends_with(message), "{e}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
