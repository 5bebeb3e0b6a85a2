//! The data that models learn from: the source of each set, and how it is split.

use crate::options::DataOptions;
use crate::options::names::{Augment, Data};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
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

/// Samples to train on, as the loader reads them, and samples to test on.
pub(crate) struct Images {
    /// The samples to train on, augmented if augmentation is given.
    pub(crate) train: Arc<dyn Dataset<Batch = Batch>>,
    /// The samples to train on, without augmentation.
    pub(crate) plain: Classification,
    pub(crate) test: Classification,
}

impl Images {
    /// The length of a sample's first axis: the channels of an image, or the numbers of a row.
    pub(crate) fn first_axis(&self) -> usize {
        self.plain.inputs().shape()[1]
    }

    /// The number of channels and the side of square images.
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
    /// Mean 0 and standard deviation 1 over the training part, for each channel or each column of a table.
    Standard,
}

impl DataOptions {
    /// Images `[n, channels, height, width]`, augmented in training if augmentation is given.
    pub(crate) fn images(&self, scale: Scale) -> Result<Images> {
        let (train, test) = self.labelled()?;
        let (train, test) = scaled(train, test, scale)?;
        let augmented: Arc<dyn Dataset<Batch = Batch>> = match self.augmentation(&train)? {
            Some(transform) => Arc::new(Augmented::new(&train, transform, self.seed)),
            None => Arc::new(train.clone()),
        };
        Ok(Images { train: augmented, plain: train, test })
    }

    /// Rows of numbers, `[n, numbers]`: images are flattened.
    pub(crate) fn rows(&self, scale: Scale) -> Result<Images> {
        ensure!(self.augment.is_empty(), "--augment is for models of images with rows and columns");
        let (train, test) = self.labelled()?;
        let numbers = train.inputs().shape()[1..].iter().product::<usize>();
        let (train, test) = (train.reshaped([numbers])?, test.reshaped([numbers])?);
        // The columns of a table have different units.
        let scale = if self.data.is_table() { Scale::Standard } else { scale };
        let (train, test) = scaled(train, test, scale)?;
        Ok(Images { train: Arc::new(train.clone()), plain: train, test })
    }

    /// Data with classes: the part to train on and the part to test on, the same at every call.
    fn labelled(&self) -> Result<(Classification, Classification)> {
        let path = self.path.as_deref();
        let whole = match self.data {
            Data::FashionMnist | Data::Mnist => {
                let (train, test) = match self.data {
                    Data::Mnist => mnist(self.path()?)?,
                    _ => fashion_mnist(path).context("the files of Fashion-MNIST cannot be read")?,
                };
                return Ok((self.with_labels(train)?, test));
            }
            Data::Digits => digits()?.reshaped([1, 8, 8])?,
            Data::FashionSample => fashion_sample()?,
            Data::Iris => iris()?,
            Data::Wine => wine()?,
            Data::Folder => image::folder(self.path()?, &FolderConfig::default())?.data,
            Data::Csv => table(self.path()?)?,
            _ => bail!("{} has no classes", self.data.name()),
        };
        let (train, test) = whole.stratified_split(self.test_fraction, self.seed)?;
        self.check_split(train.len(), test.len())?;
        Ok((self.with_labels(train)?, test))
    }

    /// A text: the part to train on, and the part after it to test on.
    pub(crate) fn text(&self) -> Result<(Text, Text)> {
        self.refuse_image_options()?;
        let text = match self.data {
            Data::Hamlet => Text::characters(&hamlet()?),
            Data::Text => Text::read(self.path()?)?,
            _ => bail!("{} is no text", self.data.name()),
        };
        let (train, test) = text.split(self.test_fraction)?;
        self.check_split(train.len(), test.len())?;
        Ok((train, test))
    }

    /// Pairs of texts to train on and to test on.
    pub(crate) fn pairs(&self) -> Result<(Pairs, Pairs)> {
        self.refuse_image_options()?;
        let pairs = match self.data {
            Data::Names => Pairs::new(&country_and_language_names()?)?,
            Data::Pairs => Pairs::read(self.path()?)?,
            _ => bail!("{} is no set of pairs", self.data.name()),
        };
        let n = pairs.len();
        let held = data::held_out(n, self.test_fraction)?;
        // All pairs in random order, of which the first are held out.
        let order = permutation(n, Key::of(self.seed, Purpose::Split, 0));
        let (test, train) = order.split_at(held);
        Ok((pairs.select(train)?, pairs.select(test)?))
    }

    /// Texts with classes to train on and to test on.
    pub(crate) fn texts(&self) -> Result<(Texts, Texts)> {
        self.refuse_image_options()?;
        let texts = match self.data {
            Data::Languages => {
                // A name that is the same in both languages has no class.
                let names = country_and_language_names()?;
                let differ = names.iter().filter(|(english, german)| english != german);
                let both = differ.flat_map(|(english, german)| [(english, "English"), (german, "German")]);
                Texts::new(&both.collect::<Vec<_>>())?
            }
            Data::Texts => Texts::read(self.path()?)?,
            _ => bail!("{} is no set of texts with classes", self.data.name()),
        };
        let (train, test) = texts.split(self.test_fraction, self.seed)?;
        self.check_split(train.len(), test.len())?;
        Ok((train, test))
    }

    /// Numbers over time, normalised by the part to train on, which is the earlier one. The part to test on begins with the last
    /// `past` points of the part to train on, which its first prediction reads.
    pub(crate) fn series(&self, past: usize) -> Result<(Series, Series, Normalize)> {
        self.refuse_image_options()?;
        let series = match self.data {
            Data::Sunspots => data::sunspots()?,
            Data::Co2 => data::co2()?,
            Data::Nile => data::nile()?,
            Data::Series => {
                let table = Table::read(self.path()?, &TableConfig::default())?;
                let columns: Vec<usize> = (0..table.width()).collect();
                Series::new(table.numbers(columns, Missing::Refuse)?)?
            }
            _ => bail!("{} is no series of numbers", self.data.name()),
        };
        let (train, test) = series.split(self.test_fraction)?;
        self.check_split(train.len(), test.len())?;
        let normalize = train.normalize()?;
        let from = train.len().saturating_sub(past);
        let seen = Series::new(series.values().slice(0, from..)?)?;
        Ok((train.normalized(&normalize)?, seen.normalized(&normalize)?, normalize))
    }

    /// The path of the user's files.
    fn path(&self) -> Result<&Path> {
        let missing = || anyhow!("--data {} needs --data-path: where the files are", self.data.name());
        self.path.as_deref().ok_or_else(missing)
    }

    /// The random changes of training images; `None` if there are none.
    pub(crate) fn augmentation(&self, train: &Classification) -> Result<Option<Compose<f32>>> {
        if self.augment.is_empty() {
            return Ok(None);
        }
        let shape = train.inputs().shape();
        let side = shape[2].min(shape[3]);
        // Pixels from outside the image are as dark as the darkest pixel.
        let dark = train.inputs().to_vec().into_iter().fold(f32::INFINITY, f32::min).into();
        let mut all = Compose::new();
        for kind in &self.augment {
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

    fn refuse_image_options(&self) -> Result<()> {
        ensure!(
            self.augment.is_empty() && self.labels.is_none(),
            "--augment and --labels are for images with classes"
        );
        Ok(())
    }

    /// Checks that both parts of a split have samples.
    fn check_split(&self, train: usize, test: usize) -> Result<()> {
        data::held_out(train + test, self.test_fraction)?;
        ensure!(
            train > 0 && test > 0,
            "expected texts that differ, of which equal ones stay in one part, found {train} to train on and {test} to test on"
        );
        Ok(())
    }

    /// The samples that keep their labels.
    fn with_labels(&self, train: Classification) -> Result<Classification> {
        let Some(labels) = self.labels else { return Ok(train) };
        let classes = train.classes();
        ensure!(
            labels.is_multiple_of(classes),
            "--labels: expected a multiple of the {classes} classes, since each gets the same number, found {labels}"
        );
        Ok(train.select(&train.labelled(labels / classes, self.seed)?.chosen)?)
    }
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
