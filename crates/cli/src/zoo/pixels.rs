//! Shared by models that reconstruct or generate images: their data, and the pictures of their outputs.

use super::{Picture, Sample, SampleOptions};
use crate::data::{Images, Scale};
use crate::options::DataOptions;
use anyhow::{Result, ensure};
use wengert::data::Classification;
use wengert::nn::zoo::Vae;
use wengert::ops::Tensor;
use wengert::ops::random::Rng;

/// The number of images in a picture of a run folder.
pub(super) const PICTURE_IMAGES: usize = 64;

/// Images for convolutions that halve them twice, or the same images as rows of numbers; and the shape of one image.
pub(super) fn images_or_rows(
    options: &DataOptions,
    convolutional: bool,
    scale: Scale,
) -> Result<(Images, [usize; 3])> {
    let images = options.images(scale)?;
    let (channels, size) = images.square()?;
    let shape = [channels, size, size];
    if !convolutional {
        return Ok((options.rows(scale)?, shape));
    }
    ensure!(size.is_multiple_of(4), "expected images whose side is a multiple of 4, found {size}");
    Ok((images, shape))
}

/// The first held-out samples, for a picture of reconstructions.
pub(super) fn first_samples(test: &Classification) -> Result<Tensor<f32>> {
    Ok(test.inputs().slice(0, ..PICTURE_IMAGES.min(test.len()))?)
}

/// Rows or images as images, with values from 0 to 1.
pub(super) fn as_images(samples: &Tensor<f32>, shape: [usize; 3]) -> Result<Tensor<f32>> {
    let [c, h, w] = shape;
    let n = samples.shape()[0];
    Ok(samples.reshape([n, c, h, w])?.map(|v| v.clamp(0.0, 1.0)))
}

/// The picture of images and their reconstructions: a row of eight images, then the same eight reconstructed, and so on.
pub(super) fn reconstructions(a: &Tensor<f32>, b: &Tensor<f32>, shape: [usize; 3]) -> Result<Picture> {
    let (a, b) = (as_images(a, shape)?, as_images(b, shape)?);
    let n = a.shape()[0];
    let mut rows = Vec::new();
    for from in (0..n).step_by(8) {
        let row = from..(from + 8).min(n);
        // An incomplete row would shift the others.
        if row.len() == 8 {
            rows.push(a.slice(0, row.clone())?);
            rows.push(b.slice(0, row)?);
        }
    }
    Ok(("reconstructions", Tensor::concat(&rows, 0)?))
}

/// Images that a variational autoencoder generates.
pub(super) fn vae_samples(model: &Vae<f32>, options: &SampleOptions, shape: [usize; 3]) -> Result<Sample> {
    let count = options.count.unwrap_or(PICTURE_IMAGES);
    Ok(Sample::Images(as_images(&model.sample(count, &mut Rng::seed(options.seed))?, shape)?))
}
