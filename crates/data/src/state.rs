//! The position of a loader in an epoch, to be saved and resumed.

use crate::error::{Error, quoted};
use std::fmt;
use std::str::FromStr;

/// The position of a loader in an epoch, and the loader's options, so that a different loader is not resumed by
/// mistake.
///
/// [`FromStr`] reads its text form.
///
/// ```
/// use wengert_data::State;
/// let state = State { epoch: 3, batch: 17, seed: 7, batch_size: 32, samples: 1438 };
/// assert_eq!(state.to_string(), "epoch 3 batch 17 seed 7 batch_size 32 samples 1438");
/// assert_eq!(state.to_string().parse::<State>()?, state);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The number of the epoch.
    pub epoch: u64,
    /// The next batch of the epoch, counted from 0.
    pub batch: usize,
    /// The loader's seed.
    pub seed: u64,
    /// The number of samples in a batch.
    pub batch_size: usize,
    /// The number of samples in an epoch.
    pub samples: usize,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { epoch, batch, seed, batch_size, samples } = self;
        write!(f, "epoch {epoch} batch {batch} seed {seed} batch_size {batch_size} samples {samples}")
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let mut words = text.split(' ');
            let mut value = |name: &str| {
                words.next().filter(|word| *word == name)?;
                words.next()?.parse::<u64>().ok()
            };
            let size = |value: Option<u64>| value.and_then(|v| usize::try_from(v).ok());
            let (epoch, batch) = (value("epoch")?, size(value("batch"))?);
            let (seed, batch_size) = (value("seed")?, size(value("batch_size"))?);
            let samples = size(value("samples"))?;
            words.next().is_none().then_some(State { epoch, batch, seed, batch_size, samples })
        };
        parse().ok_or_else(|| Error::argument("state", "text as of a state", quoted(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_state_is_refused() {
        let good = State { epoch: u64::MAX, batch: 0, seed: 1, batch_size: 2, samples: 3 }.to_string();
        assert!(good.parse::<State>().is_ok());
        for cut in 0..good.len() - 1 {
            assert!(good[..cut].parse::<State>().is_err(), "{}", &good[..cut]);
        }
        for bad in
            [good.replace("seed 1", "seed -1"), format!("{good} "), good.replace("batch 0", "batches 0")]
        {
            assert!(bad.parse::<State>().is_err());
        }
    }
}
