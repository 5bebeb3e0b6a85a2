//! Functions written in plain operations, as a user writes them, where the library may have one of its own.

use super::run::{Run, start};
use anyhow::Result;
use wengert::nn::state::AnyTensor;
use wengert::prelude::*;

/// Tensors by name, of given shapes, drawn at random.
fn draw(shapes: &[(&'static str, &[usize])]) -> Result<Vec<(&'static str, Tensor<f32>)>> {
    let mut rng = Rng::seed(0);
    shapes
        .iter()
        .map(|(name, shape)| Ok((*name, Tensor::<f32>::randn(*shape, &mut rng)?.map(|v| 0.5 * v))))
        .collect()
}

/// The loss of some values and its gradients in the first `leaves` of them; the others are data.
fn chain(
    given: Vec<(&'static str, Tensor<f32>)>,
    leaves: usize,
    loss: impl for<'t> Fn(&[Var<'t, f32>]) -> Var<'t, f32> + 'static,
) -> Result<Run> {
    let inputs: Vec<_> = given.iter().map(|(name, t)| (*name, AnyTensor::of(t))).collect();
    let start = start(&[], &inputs);
    let mut tape = Tape::new();
    let step = move || {
        tape.reset();
        let values: Vec<_> = given
            .iter()
            .enumerate()
            .map(|(i, (_, t))| if i < leaves { tape.var(t) } else { tape.constant(t) })
            .collect();
        let loss = loss(&values);
        let value = loss.value()?;
        std::hint::black_box(loss.backward()?);
        Ok(value)
    };
    Ok(Run { step: Box::new(step), start })
}

/// Two products with erf GELU and a dropout mask between them, 1,024 rows of 256 and 1,024 features.
pub(super) fn gelu_mlp() -> Result<Run> {
    let mut given = draw(&[
        ("x", &[1024, 256]),
        ("w1", &[1024, 256]),
        ("b1", &[1024]),
        ("w2", &[256, 1024]),
        ("mask", &[1024, 1024]),
    ])?;
    given[4].1 = given[4].1.map(|v| if v > -0.6 { 1.25 } else { 0.0 });
    chain(given, 4, |v| {
        let h = v[0].matmul(v[1].t()) * 0.1 + v[2];
        let a = 0.5 * h * (1.0 + (h * std::f64::consts::FRAC_1_SQRT_2).erf());
        (a * v[4]).matmul(v[3].t()).square().mean()
    })
}

/// Two products whose results are multiplied, one after Swish, and a third; 1,024 rows of 256 and 768 features.
pub(super) fn swish_gate() -> Result<Run> {
    let given = draw(&[("x", &[1024, 256]), ("w1", &[768, 256]), ("w2", &[768, 256]), ("w3", &[256, 768])])?;
    chain(given, 4, |v| {
        let (a, b) = (v[0].matmul(v[1].t()) * 0.1, v[0].matmul(v[2].t()) * 0.1);
        (a * a.sigmoid() * b).matmul(v[3].t()).square().mean()
    })
}

/// Binary cross-entropy of logits and the divergence of a Gaussian from the standard one: 512 samples of 784 and 64 numbers.
pub(super) fn vae_loss() -> Result<Run> {
    let mut given =
        draw(&[("z", &[512, 784]), ("mean", &[512, 64]), ("logvar", &[512, 64]), ("t", &[512, 784])])?;
    given[3].1 = given[3].1.map(|v| if v > 0.0 { 1.0 } else { 0.0 });
    chain(given, 3, |v| {
        let (z, mean, logvar, t) = (v[0], v[1], v[2], v[3]);
        let entropy = (z.relu() - z * t + (-z.abs()).exp().log1p()).sum();
        let divergence = -0.5 * (1.0 + logvar - mean * mean - logvar.exp()).sum();
        (entropy + divergence) / 512.0
    })
}

/// Layer norm of 2,048 rows of 1,024 features.
pub(super) fn plain_layer_norm() -> Result<Run> {
    let given = draw(&[("x", &[2048, 1024]), ("w", &[1024]), ("b", &[1024])])?;
    chain(given, 3, |v| {
        let d = v[0] - v[0].mean_keepdim(-1);
        let y = d / ((d * d).mean_keepdim(-1) + 1e-5).sqrt() * v[1] + v[2];
        y.square().mean()
    })
}

/// The mean square of the residual u_t + u u_x - 0.01 u_xx of Burgers' equation at 4,096 points (x, t), where u is a network of two
/// hidden layers of 64 units with tanh: its gradient in the weights is of the third order.
pub(super) fn pinn_residual() -> Result<Run> {
    let given = draw(&[
        ("x", &[4096, 2]),
        ("w1", &[64, 2]),
        ("b1", &[64]),
        ("w2", &[64, 64]),
        ("b2", &[64]),
        ("w3", &[1, 64]),
    ])?;
    let inputs: Vec<_> = given.iter().map(|(name, t)| (*name, AnyTensor::of(t))).collect();
    let start = start(&[], &inputs);
    let mut tape = Tape::new();
    let step = move || {
        tape.reset();
        let v: Vec<_> = given.iter().map(|(_, t)| tape.var(t)).collect();
        let x = v[0];
        let h = (x.matmul(v[1].t()) + v[2]).tanh();
        let u = ((h.matmul(v[3].t()) * 0.2 + v[4]).tanh()).matmul(v[5].t());
        let du = u.sum().grad(x)?;
        let (u_x, u_t) = (du.slice(1, 0..1), du.slice(1, 1..2));
        let u_xx = u_x.sum().grad(x)?.slice(1, 0..1);
        let loss = (u_t + u * u_x - 0.01 * u_xx).square().mean();
        let value = loss.value()?;
        std::hint::black_box(loss.backward()?);
        Ok(value)
    };
    Ok(Run { step: Box::new(step), start })
}

/// A step of Adam on 4 Mi parameters, written with values. Instead of a loss, the mean of the new parameters is compared.
pub(super) fn plain_adam() -> Result<Run> {
    const N: usize = 4 << 20;
    let given = draw(&[("p", &[N]), ("m", &[N]), ("v", &[N]), ("g", &[N])])?;
    let inputs: Vec<_> = given.iter().map(|(name, t)| (*name, AnyTensor::of(t))).collect();
    let start = start(&[], &inputs);
    let mut tape = Tape::new();
    let [p, m, v, g] =
        <[_; 4]>::try_from(given).map_err(|_| anyhow::anyhow!("four tensors"))?.map(|(_, t)| t);
    let mut state = [p, m, v.map(|v| v * v)];
    let mut first = true;
    let step = move || {
        tape.reset();
        let [p, m, v] = [&state[0], &state[1], &state[2]].map(|t| tape.constant(t));
        let g = tape.constant(&g);
        let m = 0.9 * m + 0.1 * g;
        let v = 0.999 * v + 0.001 * g * g;
        let p = p - 1e-6 * (m / 0.1) / ((v / 0.001).sqrt() + 1e-8);
        state = tape.values([p, m, v])?;
        if !std::mem::take(&mut first) {
            return Ok(Tensor::scalar(0.0));
        }
        Ok(state[0].mean())
    };
    Ok(Run { step: Box::new(step), start })
}
