//! Samples for both engines: tensors by name, whose first axis is the sample.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use wengert::nn::state::{AnyTensor, Dict};
use wengert::ops::Tensor;
use wengert::ops::random::{Rng, normal};
use wengert::prelude::*;

/// Tensors `[samples, ..]` by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    numbers: BTreeMap<&'static str, Tensor<f32>>,
    ids: BTreeMap<&'static str, Tensor<i64>>,
}

impl Samples {
    /// Adds a tensor of numbers.
    pub(crate) fn numbers(mut self, name: &'static str, t: Tensor<f32>) -> Self {
        self.numbers.insert(name, t);
        self
    }

    /// Adds a tensor of ids or labels.
    pub(crate) fn ids(mut self, name: &'static str, t: Tensor<i64>) -> Self {
        self.ids.insert(name, t);
        self
    }

    /// Replaces one of the tensors of numbers by a function of it.
    pub(crate) fn map(mut self, name: &'static str, f: impl Fn(f32) -> f32 + Sync) -> Self {
        if let Some(t) = self.numbers.get_mut(name) {
            *t = t.map(f);
        }
        self
    }

    /// The number of samples.
    pub(crate) fn len(&self) -> usize {
        let first =
            self.numbers.values().map(|t| t.shape()[0]).chain(self.ids.values().map(|t| t.shape()[0])).next();
        first.unwrap_or(0)
    }

    /// The samples at some positions, in the element type of a tape, with the step's random stream.
    pub(crate) fn batch<T: Float>(&self, positions: &[usize], rng: Rng) -> Result<Batch<T>> {
        let index = Tensor::from(positions.iter().map(|&i| i as i64).collect::<Vec<_>>());
        let mut batch = Batch { numbers: BTreeMap::new(), ids: BTreeMap::new(), rng };
        for (name, t) in &self.numbers {
            batch.numbers.insert(name, t.index_select(0, &index)?.cast());
        }
        for (name, t) in &self.ids {
            batch.ids.insert(name, t.index_select(0, &index)?);
        }
        Ok(batch)
    }

    /// All samples, as one batch.
    pub(crate) fn all<T: Float>(&self, rng: Rng) -> Result<Batch<T>> {
        self.batch(&(0..self.len()).collect::<Vec<_>>(), rng)
    }

    /// Adds the tensors to those of a file, under `prefix`.
    pub(crate) fn write<T: Float>(&self, prefix: &str, to: &mut Dict) {
        for (name, t) in &self.numbers {
            to.insert(format!("{prefix}.{name}"), AnyTensor::of(&t.cast::<T>()));
        }
        for (name, t) in &self.ids {
            to.insert(format!("{prefix}.{name}"), AnyTensor::I64(t.clone()));
        }
    }
}

/// The input of a training step.
pub(crate) struct Batch<T: Float> {
    numbers: BTreeMap<&'static str, Tensor<T>>,
    ids: BTreeMap<&'static str, Tensor<i64>>,
    /// The step's random stream.
    pub(crate) rng: Rng,
}

impl<T: Float> Batch<T> {
    /// A tensor of numbers, by name.
    pub(crate) fn numbers(&self, name: &str) -> Result<&Tensor<T>> {
        self.numbers.get(name).with_context(|| format!("the batch has no numbers {name}"))
    }

    /// A tensor of ids or labels, by name.
    pub(crate) fn ids(&self, name: &str) -> Result<&Tensor<i64>> {
        self.ids.get(name).with_context(|| format!("the batch has no ids {name}"))
    }

    /// The first normal random numbers of the step's stream.
    pub(crate) fn noise(&self, shape: &[usize]) -> Result<Tensor<T>> {
        Ok(normal(shape, 0.0, 1.0, self.rng.clone().next_key())?)
    }
}

/// Samples for training and for testing.
pub(crate) struct Sets {
    pub(crate) train: Samples,
    pub(crate) test: Samples,
}
