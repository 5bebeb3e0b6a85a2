//! What a model makes, and shows at the end of its training.

use super::{Picture, Sample, Wanted};
use anyhow::{Result, bail};

type Make<M> = Box<dyn Fn(&M, &Wanted) -> Result<Sample>>;
type Pictures<M> = Box<dyn Fn(&M) -> Result<Vec<Picture>>>;

/// Both, where there are any.
pub(super) struct Products<M> {
    pub(super) make: Option<Make<M>>,
    pub(super) pictures: Option<Pictures<M>>,
}

impl<M> Default for Products<M> {
    fn default() -> Self {
        Products { make: None, pictures: None }
    }
}

impl<M> Products<M> {
    pub(super) fn sample(&self, model: &M, wanted: &Wanted) -> Result<Sample> {
        match &self.make {
            Some(make) => make(model, wanted),
            None => bail!(
                "it makes nothing; what does are language models, translators, forecasters, vae and gan"
            ),
        }
    }

    pub(super) fn pictures(&self, model: &M) -> Result<Vec<Picture>> {
        self.pictures.as_ref().map_or_else(|| Ok(Vec::new()), |pictures| pictures(model))
    }
}
