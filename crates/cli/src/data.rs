//! What models learn from, by name.

use crate::config::Config;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use wengert::data::transform::Normalize;
use wengert::data::{Classification, digits, fashion_mnist, fashion_sample, iris, wine};

/// A data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Data {
    /// 1797 handwritten digits of 8 × 8 pixels
    Digits,
    /// 500 pictures of clothes of 28 × 28 pixels
    FashionSample,
    /// 150 flowers, by four lengths
    Iris,
    /// 178 wines, by 13 properties
    Wine,
    /// 70 000 pictures of clothes, from files on this machine
    FashionMnist,
}

impl Data {
    /// What the option calls it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
    }

    /// How a title calls it.
    pub(crate) fn title(self) -> String {
        match self {
            Data::Digits => "the digits".to_owned(),
            _ => self.name(),
        }
    }
}

/// Where the samples of each kind come from.
pub(crate) trait Source {
    /// Rows with classes: the part to train on and the part to test on, the same whenever they are asked for.
    fn classes(self, config: &Config) -> Result<(Classification, Classification)>;
}

impl Source for Data {
    fn classes(self, config: &Config) -> Result<(Classification, Classification)> {
        let (all, table) = match self {
            Data::Digits => (digits()?, false),
            Data::FashionSample => (fashion_sample()?, false),
            Data::Iris => (iris()?, true),
            Data::Wine => (wine()?, true),
            Data::FashionMnist => {
                let (train, test) =
                    fashion_mnist(None).context("the files of Fashion-MNIST cannot be read")?;
                return Ok((rows(&train)?, rows(&test)?));
            }
        };
        let (train, test) = rows(&all)?.stratified_split(config.test_fraction, config.seed)?;
        ensure!(
            !train.is_empty() && !test.is_empty(),
            "a test fraction of {} leaves {} samples to train on and {} to test on; take one nearer to 0.2",
            config.test_fraction,
            train.len(),
            test.len()
        );
        if !table {
            return Ok((train, test));
        }
        // Columns of a table have units of their own.
        let normalize = Normalize::fit(train.inputs())?;
        Ok((
            train.with_inputs(normalize.apply(train.inputs())?)?,
            test.with_inputs(normalize.apply(test.inputs())?)?,
        ))
    }
}

/// Each sample as one row.
fn rows(data: &Classification) -> Result<Classification> {
    let numbers = data.inputs().shape()[1..].iter().product::<usize>();
    Ok(data.reshaped([numbers])?)
}
