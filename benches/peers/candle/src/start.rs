//! Wengert's weights and inputs, as tensors and variables of candle.

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use std::collections::HashMap;
use std::path::Path;

/// The tensors of a file.
pub struct Start(HashMap<String, Tensor>);

impl Start {
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Start(candle_core::safetensors::load(path, &Device::Cpu)?))
    }

    /// An input of numbers.
    pub fn input(&self, name: &str) -> Result<Tensor> {
        Ok(self.0.get(name).with_context(|| format!("the file has no {name}"))?.clone())
    }

    /// An input of labels or ids.
    pub fn ids(&self, name: &str) -> Result<Tensor> {
        Ok(self.input(name)?.to_dtype(DType::U32)?)
    }

    /// The weights whose names begin with a prefix, as variables under the rest of their names.
    pub fn model(&self, prefix: &str) -> Result<Model> {
        let map = VarMap::new();
        {
            let mut vars = map.data().lock().unwrap();
            for (name, t) in &self.0 {
                if let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'))
                    && t.dtype() == DType::F32
                {
                    vars.insert(rest.to_owned(), Var::from_tensor(&t.copy()?)?);
                }
            }
        }
        Ok(Model(map))
    }
}

/// A model's variables.
pub struct Model(VarMap);

impl Model {
    /// For the layers of candle-nn, which look up their weights by name.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_varmap(&self.0, DType::F32, &Device::Cpu)
    }

    /// The variables to train.
    pub fn parameters(&self) -> Vec<Var> {
        let vars = self.0.data().lock().unwrap();
        vars.iter().filter(|(name, _)| !name.contains("running_")).map(|(_, v)| v.clone()).collect()
    }
}
