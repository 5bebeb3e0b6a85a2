//! Wengert's weights and inputs, as tensors and layers of burn.

use anyhow::{Context, Result};
use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::{Int, Tensor, TensorData};
use safetensors::SafeTensors;
use std::path::Path;

/// The bytes of a file, and the device of the tensors.
pub struct Start {
    bytes: Vec<u8>,
    pub device: Device,
}

impl Start {
    pub fn read(path: &Path, device: Device) -> Result<Self> {
        Ok(Start { bytes: std::fs::read(path)?, device })
    }

    fn data(&self, name: &str) -> Result<(Vec<u8>, Vec<usize>)> {
        let file = SafeTensors::deserialize(&self.bytes)?;
        let view = file.tensor(name).with_context(|| format!("the file has no {name}"))?;
        Ok((view.data().to_vec(), view.shape().to_vec()))
    }

    /// A tensor of numbers.
    pub fn numbers<const D: usize>(&self, name: &str) -> Result<Tensor<D>> {
        let (bytes, shape) = self.data(name)?;
        let (chunks, _) = bytes.as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// A tensor of labels or ids.
    pub fn ids<const D: usize>(&self, name: &str) -> Result<Tensor<D, Int>> {
        let (bytes, shape) = self.data(name)?;
        let (chunks, _) = bytes.as_chunks::<8>();
        let values: Vec<i32> = chunks.iter().map(|b| i64::from_le_bytes(*b) as i32).collect();
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn param<const D: usize>(&self, name: &str) -> Result<Param<Tensor<D>>> {
        Ok(Param::from_tensor(self.numbers(&format!("model.{name}"))?))
    }

    /// The linear layer of a weight and a bias. burn's weight is the transposed one, `[inputs, outputs]`.
    pub fn linear_of(&self, weight: &str, bias: &str) -> Result<Linear> {
        let rows: Tensor<2> = self.numbers(&format!("model.{weight}"))?;
        let [outputs, inputs] = rows.dims();
        // Through plain data, so that the columns are contiguous.
        let columns =
            Tensor::<2>::from_data(rows.transpose().into_data(), &self.device).reshape([inputs, outputs]);
        Ok(Linear { weight: Param::from_tensor(columns), bias: Some(self.param(bias)?) })
    }

    pub fn linear(&self, name: &str) -> Result<Linear> {
        self.linear_of(&format!("{name}.weight"), &format!("{name}.bias"))
    }

    pub fn conv(&self, name: &str, stride: usize, bias: bool) -> Result<Conv2d> {
        let weight = self.param::<4>(&format!("{name}.weight"))?;
        let [outputs, inputs, kernel, _] = weight.val().dims();
        let pad = kernel / 2;
        let mut conv = Conv2dConfig::new([inputs, outputs], [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(false)
            .init(&self.device);
        conv.weight = weight;
        conv.bias = if bias { Some(self.param(&format!("{name}.bias"))?) } else { None };
        Ok(conv)
    }

    pub fn batch_norm(&self, name: &str) -> Result<BatchNorm> {
        let gamma = self.param::<1>(&format!("{name}.weight"))?;
        let mut norm = BatchNormConfig::new(gamma.val().dims()[0]).init(&self.device);
        norm.gamma = gamma;
        norm.beta = self.param(&format!("{name}.bias"))?;
        Ok(norm)
    }

    pub fn layer_norm(&self, name: &str) -> Result<LayerNorm> {
        let gamma = self.param::<1>(&format!("{name}.weight"))?;
        let mut norm = LayerNormConfig::new(gamma.val().dims()[0]).init(&self.device);
        norm.gamma = gamma;
        norm.beta = Some(self.param(&format!("{name}.bias"))?);
        Ok(norm)
    }

    /// A parameter that is not part of a layer.
    pub fn table(&self, name: &str) -> Result<Param<Tensor<2>>> {
        self.param(name)
    }
}
