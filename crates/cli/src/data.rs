//! What models learn from, by name: where each comes from, and how it is split.

use crate::config::Config;
use crate::values::{Augment, spelt};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use wengert::data::format::csv::{Missing, Table, TableConfig};
use wengert::data::format::image::{self, FolderConfig};
use wengert::data::transform::{Augmented, Compose, Crop, Cutout, Flip, Noise, Normalize, Rotate};
use wengert::data::{
    self, Batch, Classification, Dataset, Pairs, Series, Text, Texts, country_and_language_names, digits,
    fashion_mnist, fashion_sample, hamlet, iris, mnist, permutation, wine,
};
use wengert::ops::random::{Key, Purpose};

/// A data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Data {
    /// 1797 handwritten digits of 8 × 8 pixels
    Digits,
    /// 500 pictures of clothes of 28 × 28 pixels
    FashionSample,
    /// 70 000 pictures of clothes, from Debian's package or the folder of --data-path
    FashionMnist,
    /// 70 000 handwritten digits of 28 × 28 pixels, from the folder of --data-path
    Mnist,
    /// The PNG images of --data-path, in a folder for each class
    Folder,
    /// 150 flowers, by four lengths
    Iris,
    /// 178 wines, by 13 properties
    Wine,
    /// The table of --data-path: numbers, and the class in the last column
    Csv,
    /// Shakespeare's Hamlet, by characters
    Hamlet,
    /// The text of --data-path, by characters
    Text,
    /// 939 names of countries and languages, English and German
    Names,
    /// The pairs of texts of --data-path: two a line, with a tab between them
    Pairs,
    /// The same names, each English or German
    Languages,
    /// The texts of --data-path: one a line, then a tab and its class
    Texts,
    /// Sunspots a year, 1700 to 2008
    Sunspots,
    /// Carbon dioxide in the air over Mauna Loa
    Co2,
    /// The Nile's flow a year, 1871 to 1970
    Nile,
    /// The numbers of --data-path: a point in time a line, its variables separated by commas
    Series,
}

/// Images with classes.
pub(crate) const IMAGES: &[Data] =
    &[Data::Digits, Data::FashionSample, Data::FashionMnist, Data::Mnist, Data::Folder];
/// Images of 28 × 28 pixels and more.
pub(crate) const LARGER_IMAGES: &[Data] =
    &[Data::FashionSample, Data::FashionMnist, Data::Mnist, Data::Folder];
/// Whatever has classes.
pub(crate) const CLASSES: &[Data] = &[
    Data::Digits,
    Data::FashionSample,
    Data::FashionMnist,
    Data::Mnist,
    Data::Folder,
    Data::Iris,
    Data::Wine,
    Data::Csv,
];
/// Sequences of tokens.
pub(crate) const TEXTS: &[Data] = &[Data::Hamlet, Data::Text];
/// Pairs of sequences.
pub(crate) const PAIRS: &[Data] = &[Data::Names, Data::Pairs];
/// Texts with classes.
pub(crate) const LABELLED_TEXTS: &[Data] = &[Data::Languages, Data::Texts];
/// Numbers over time.
pub(crate) const SERIES: &[Data] = &[Data::Sunspots, Data::Co2, Data::Nile, Data::Series];

/// Samples to train on, as the loader gives them, and samples to test on.
pub(crate) struct Images {
    /// As it is learned from: augmented, if that was asked for.
    pub(crate) train: Arc<dyn Dataset<Batch = Batch>>,
    /// The same as they are.
    pub(crate) plain: Classification,
    pub(crate) test: Classification,
}

impl Images {
    /// Numbers in a row, channels, or what else the samples begin with.
    pub(crate) fn first(&self) -> usize {
        self.plain.inputs().shape()[1]
    }

    /// Channels, and the side of the square.
    pub(crate) fn square(&self) -> Result<(usize, usize)> {
        match self.plain.inputs().shape()[1..] {
            [channels, height, width] if height == width => Ok((channels, height)),
            ref other => bail!("expected square images, found samples of shape {other:?}"),
        }
    }
}

/// How values are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Pixels from 0 to 1, columns of a table as they are.
    Unit,
    /// Pixels from -1 to 1.
    Symmetric,
    /// Mean 0 and standard deviation 1 over the training part: of each channel, or of each column of a table.
    Standard,
}

impl Data {
    /// What the option calls it.
    pub(crate) fn name(self) -> String {
        spelt(self)
    }

    /// How a title calls it.
    pub(crate) fn title(self) -> String {
        match self {
            Data::Digits => "the digits".to_owned(),
            _ => self.name(),
        }
    }

    /// Whether it has so many samples that few epochs do.
    pub(crate) fn is_large(self) -> bool {
        matches!(self, Data::FashionMnist | Data::Mnist)
    }

    /// Whether it comes from the user's files, which have to be named.
    pub(crate) fn needs_path(self) -> bool {
        use Data::{Csv, Folder, Mnist, Pairs, Series, Text, Texts};
        matches!(self, Mnist | Folder | Csv | Text | Pairs | Texts | Series)
    }

    fn is_table(self) -> bool {
        matches!(self, Data::Iris | Data::Wine | Data::Csv)
    }

    /// Images `[n, channels, height, width]`, which are augmented in training if that was asked for.
    pub(crate) fn images(self, config: &Config, scale: Scale) -> Result<Images> {
        let (train, test) = self.labelled(config)?;
        let (train, test) = scaled(train, test, scale)?;
        let shown: Arc<dyn Dataset<Batch = Batch>> = match augmentation(config, &train)? {
            Some(transform) => Arc::new(Augmented::new(&train, transform, config.seed)),
            None => Arc::new(train.clone()),
        };
        Ok(Images { train: shown, plain: train, test })
    }

    /// Rows of numbers, `[n, numbers]`: images are laid out flat.
    pub(crate) fn rows(self, config: &Config, scale: Scale) -> Result<Images> {
        ensure!(config.augment.is_empty(), "--augment is for models of images with rows and columns");
        let (train, test) = self.labelled(config)?;
        let numbers = train.inputs().shape()[1..].iter().product::<usize>();
        let (train, test) = (train.reshaped([numbers])?, test.reshaped([numbers])?);
        // Columns of a table have units of their own.
        let scale = if self.is_table() { Scale::Standard } else { scale };
        let (train, test) = scaled(train, test, scale)?;
        Ok(Images { train: Arc::new(train.clone()), plain: train, test })
    }

    /// What has classes: the part to train on and the part to test on, the same whenever they are asked for.
    fn labelled(self, config: &Config) -> Result<(Classification, Classification)> {
        let path = config.data_path.as_deref();
        let whole = match self {
            Data::FashionMnist | Data::Mnist => {
                let (train, test) = match self {
                    Data::Mnist => mnist(self.path(config)?)?,
                    _ => fashion_mnist(path).context("the files of Fashion-MNIST cannot be read")?,
                };
                return Ok((some(train, config)?, test));
            }
            Data::Digits => digits()?.reshaped([1, 8, 8])?,
            Data::FashionSample => fashion_sample()?,
            Data::Iris => iris()?,
            Data::Wine => wine()?,
            Data::Folder => image::folder(self.path(config)?, &FolderConfig::default())?.data,
            Data::Csv => table(self.path(config)?)?,
            _ => bail!("{} has no classes", self.name()),
        };
        let (train, test) = whole.stratified_split(config.test_fraction, config.seed)?;
        held_out(config, train.len(), test.len())?;
        Ok((some(train, config)?, test))
    }

    /// A text: the part to train on and the later part to test on.
    pub(crate) fn text(self, config: &Config) -> Result<(Text, Text)> {
        unaugmented(config)?;
        let text = match self {
            Data::Hamlet => Text::characters(&hamlet()?),
            Data::Text => Text::read(self.path(config)?)?,
            _ => bail!("{} is no text", self.name()),
        };
        let (train, test) = text.split(config.test_fraction)?;
        held_out(config, train.len(), test.len())?;
        Ok((train, test))
    }

    /// Pairs of texts.
    pub(crate) fn pairs(self, config: &Config) -> Result<(Pairs, Pairs)> {
        unaugmented(config)?;
        let pairs = match self {
            Data::Names => Pairs::new(&country_and_language_names()?)?,
            Data::Pairs => Pairs::read(self.path(config)?)?,
            _ => bail!("{} is no set of pairs", self.name()),
        };
        let n = pairs.len();
        let held = data::held_out(n, config.test_fraction)?;
        // A shuffled order of all, of which the first are held out.
        let order = permutation(n, Key::of(config.seed, Purpose::Split, 0));
        let (test, train) = order.split_at(held);
        Ok((pairs.select(train)?, pairs.select(test)?))
    }

    /// Texts with classes.
    pub(crate) fn texts(self, config: &Config) -> Result<(Texts, Texts)> {
        unaugmented(config)?;
        let texts = match self {
            Data::Languages => {
                // What is the same in both languages is of neither.
                let names = country_and_language_names()?;
                let differ = names.iter().filter(|(english, german)| english != german);
                let both = differ.flat_map(|(english, german)| [(english, "English"), (german, "German")]);
                Texts::new(&both.collect::<Vec<_>>())?
            }
            Data::Texts => Texts::read(self.path(config)?)?,
            _ => bail!("{} is no set of texts with classes", self.name()),
        };
        let (train, test) = texts.split(config.test_fraction, config.seed)?;
        held_out(config, train.len(), test.len())?;
        Ok((train, test))
    }

    /// Numbers over time: the earlier ones to train on and, after as many of them as a prediction looks back on, the later ones to
    /// test on; normalised by the earlier.
    pub(crate) fn series(self, config: &Config, past: usize) -> Result<(Series, Series, Normalize)> {
        unaugmented(config)?;
        let series = match self {
            Data::Sunspots => data::sunspots()?,
            Data::Co2 => data::co2()?,
            Data::Nile => data::nile()?,
            Data::Series => {
                let table = Table::read(self.path(config)?, &TableConfig::default())?;
                let columns: Vec<usize> = (0..table.width()).collect();
                Series::new(table.numbers(columns, Missing::Refuse)?)?
            }
            _ => bail!("{} is no series of numbers", self.name()),
        };
        let (train, test) = series.split(config.test_fraction)?;
        held_out(config, train.len(), test.len())?;
        let normalize = train.normalize()?;
        let from = train.len().saturating_sub(past);
        let seen = Series::new(series.values().slice(0, from..)?)?;
        Ok((train.normalized(&normalize)?, seen.normalized(&normalize)?, normalize))
    }

    /// Where the user's files are.
    fn path(self, config: &Config) -> Result<&Path> {
        let missing = || anyhow!("--data {} needs --data-path: where the files are", self.name());
        config.data_path.as_deref().ok_or_else(missing)
    }
}

fn held_out(config: &Config, train: usize, test: usize) -> Result<()> {
    data::held_out(train + test, config.test_fraction)?;
    ensure!(
        train > 0 && test > 0,
        "expected texts that differ, of which equal ones stay in one part, found {train} to train on and {test} to test on"
    );
    Ok(())
}

/// The samples whose labels are to be known.
fn some(train: Classification, config: &Config) -> Result<Classification> {
    let Some(labels) = config.labels else { return Ok(train) };
    let classes = train.classes();
    ensure!(
        labels.is_multiple_of(classes),
        "--labels: expected a multiple of the {classes} classes, of which each gets as many, found {labels}"
    );
    Ok(train.select(&train.labelled(labels / classes, config.seed)?.chosen)?)
}

fn scaled(
    train: Classification,
    test: Classification,
    scale: Scale,
) -> Result<(Classification, Classification)> {
    let both = |normalize: &Normalize| -> Result<(Classification, Classification)> {
        Ok((
            train.with_inputs(normalize.apply(train.inputs())?)?,
            test.with_inputs(normalize.apply(test.inputs())?)?,
        ))
    };
    match scale {
        Scale::Unit => Ok((train, test)),
        Scale::Symmetric => {
            let halves = vec![0.5; train.inputs().shape()[1]];
            both(&Normalize::new(&halves, &halves)?)
        }
        Scale::Standard => both(&Normalize::fit(train.inputs())?),
    }
}

fn table(path: &Path) -> Result<Classification> {
    let table = Table::read(path, &TableConfig::default())?;
    let width = table.width();
    ensure!(width > 1, "{}: expected numbers and a class in each line, found one column", path.display());
    let columns: Vec<usize> = (0..width - 1).collect();
    Ok(table.classification(columns, width - 1, Missing::Refuse)?.0)
}

fn unaugmented(config: &Config) -> Result<()> {
    ensure!(
        config.augment.is_empty() && config.labels.is_none(),
        "--augment and --labels are for images with classes"
    );
    Ok(())
}

/// What is done to images before they are learned from.
pub(crate) fn augmentation(config: &Config, train: &Classification) -> Result<Option<Compose<f32>>> {
    if config.augment.is_empty() {
        return Ok(None);
    }
    let shape = train.inputs().shape();
    let side = shape[2].min(shape[3]);
    // What comes in from outside is as dark as the corners.
    let dark = train.inputs().to_vec().into_iter().fold(f32::INFINITY, f32::min).into();
    let mut all = Compose::new();
    for kind in &config.augment {
        all = match kind {
            Augment::Crop => all.then(Crop::padded((side / 14).max(1))?.fill(dark)?),
            Augment::Flip => all.then(Flip::horizontal(0.5)?),
            Augment::Rotate => all.then(Rotate::new(10.0)?.fill(dark)?),
            Augment::Cutout => all.then(Cutout::new(side / 4, dark)?),
            Augment::Noise => all.then(Noise::new(0.1)?),
        };
    }
    Ok(Some(all))
}
