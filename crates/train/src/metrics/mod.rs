//! Metrics: scores of a model other than the loss that it was trained with. Each takes plain tensors, so that it can be used
//! within a [`Task`](crate::Task), after training, or on the results of another program.
//!
//! | of | metric |
//! |---|---|
//! | classifiers | [`accuracy`], [`top_k`], [`Confusion`]: precision, recall, F1 |
//! | likelihoods | [`perplexity`], [`bits_per_dim`] |
//! | generated samples | [`inception_score`], [`frechet_distance`] |
//! | any numbers | [`Moments`]: mean and variance |

mod classes;
mod generated;
mod moments;

pub use classes::{Average, Confusion, accuracy, top_k};
pub use generated::{FeatureStats, frechet_distance, inception_score};
pub use moments::Moments;

use crate::error::{Error, Result};
use std::f64::consts::LN_2;
use wengert_ops::math::portable;
use wengert_ops::{Float, Tensor};

/// The perplexity e^L of a mean negative log-likelihood L, in nats per token: the number of equally likely tokens that would be
/// as uncertain. Within a [`Task`](crate::Task), a measure of [`MetricKind::Exp`](crate::MetricKind::Exp) averages before it
/// takes the exponential.
///
/// ```
/// use wengert_train::metrics::perplexity;
/// assert!((perplexity(27f64.ln()) - 27.0).abs() < 1e-12);
/// ```
pub fn perplexity(nll: f64) -> f64 {
    portable::exp(nll)
}

/// Bits per dimension of a negative log-likelihood in nats per sample of `dims` numbers: nll / (dims · log 2). If pixels with 256
/// levels were scaled to [0, 1], the density is that of the scaled pixels: add log2(256) = 8.
///
/// ```
/// use wengert_train::metrics::bits_per_dim;
/// let uniform = 784.0 * 256f64.ln();
/// assert!((bits_per_dim(uniform, 784) - 8.0).abs() < 1e-12);
/// ```
pub fn bits_per_dim(nll: f64, dims: usize) -> f64 {
    nll / (dims as f64 * LN_2)
}

fn argument(call: &'static str, expected: &'static str, found: impl ToString) -> Error {
    Error::Argument { call, expected, found: found.to_string() }
}

/// A matrix in row-major order and double precision, with its sizes.
fn matrix<T: Float>(call: &'static str, t: &Tensor<T>) -> Result<(Vec<f64>, usize, usize)> {
    let [n, d] = t.shape()[..] else {
        return Err(argument(call, "a tensor of two axes", format!("shape {}", t.shape())));
    };
    Ok((t.cast::<f64>().to_vec(), n, d))
}
