//! `nn::zoo`: models.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::nn::dist::Distribution;
use wengert::nn::zoo::{
    Forecaster, ForecasterConfig, Game, GanConfig, Observation, Vae, VaeConfig, dense_gan, gradient_penalty,
    noise,
};
use wengert::nn::{Activation, Layer, Linear, Sequential};
use wengert::tape::{Float, Var};

fn forecaster<T: Float>(a: &mut Arguments<'_, T>) -> (Forecaster<T>, ForecasterConfig) {
    let [features, hidden, horizon] = a.sizes().map(|n: usize| n.min(3));
    let least_std = if a.once_in(4) { a.number() } else { 1e-3 };
    let config = ForecasterConfig { features, hidden, layers: a.below(3), horizon, least_std };
    (Forecaster::new(&config, &mut a.rng()), config)
}

fn past<'t, T: Float>(a: &mut Arguments<'t, T>, features: usize) -> Var<'t, T> {
    let [n, steps] = a.sizes().map(|n: usize| n.min(3));
    a.of(&[n, steps, features])
}

fn gan<T: Float>(a: &mut Arguments<'_, T>) -> (GanConfig, Sequential<T>, Sequential<T>) {
    let hidden = (0..a.below(3)).map(|_| a.size()).collect();
    let config = GanConfig { latent: a.size(), hidden, outputs: a.size(), output: Activation::Tanh };
    let (generator, discriminator) = dense_gan(&config, &mut a.rng());
    (config, generator, discriminator)
}

fn game<T: Float>(a: &mut Arguments<'_, T>) -> Game {
    let c = a.number();
    a.pick(&[Game::Minimax, Game::NonSaturating, Game::Wasserstein(c)])
}

fn penalised<'t, T: Float>(a: &mut Arguments<'t, T>) -> wengert::Result<Var<'t, T>> {
    let x = a.var_ranked(1..=3);
    let y = a.same();
    let which = a.below(3);
    let critic = |x: Var<'t, T>| match which {
        0 => x.sum(),
        1 => x.flatten(1).tanh().sum_axes(-1),
        _ => x.tanh(),
    };
    gradient_penalty(critic, x, y, &mut a.rng())
}

/// An autoencoder, and the size of what it takes.
fn vae<T: Float>(a: &mut Arguments<'_, T>) -> (Vae<T>, usize) {
    let (inputs, latent) = (a.size(), a.size());
    let hidden = (0..a.below(2)).map(|_| a.size()).collect();
    let observation = if a.once_in(2) { Observation::Bernoulli } else { Observation::Gaussian(a.positive()) };
    let config =
        VaeConfig { inputs, hidden, latent, activation: Activation::Tanh, observation, beta: a.number() };
    (Vae::dense(&config, &mut a.rng()), inputs)
}

fn rows<'t, T: Float>(a: &mut Arguments<'t, T>, n: usize) -> Var<'t, T> {
    a.of(&[2, n])
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "nn::Forecaster" {
            new: done(forecaster(a));
            predict: { let (m, c) = forecaster(a); m.predict(past(a, c.features)).mean() };
            loss: { let (m, c) = forecaster(a); let x = past(a, c.features);
                let n = a.shape.first().copied().unwrap_or(1);
                m.loss(x, a.operand(&[n, c.horizon])) };
        }
        "nn::Game" {
            discriminator_loss: { let x = a.var(); game(a).discriminator_loss(x, a.same()) };
            generator_loss: game(a).generator_loss(a.var());
        }
        "nn::gan" {
            gradient_penalty: penalised(a);
            dense_gan: { let (c, g, d) = gan(a); d.forward(g.forward(rows(a, c.latent))) };
            noise: noise::<T>(a.count(0..=4), a.count(0..=4), a.key());
        }
        "nn::Vae" {
            dense: done(vae(a));
            new: { let [i, h, z] = a.sizes(); let rng = &mut a.rng();
                let (e, d) = (Linear::new(i, h, rng), Linear::new(z, i, rng));
                let m = Vae::new(Sequential::new().push(e), h, z, Sequential::new().push(d), rng);
                    m.elbo(rows(a, i)).bound };
            with: { let (m, n) = vae(a); m.with(Observation::Gaussian(a.number()), a.number()).elbo(rows(a,
                n)).bound };
            latent: vae(a).0.latent();
            encode: { let (m, n) = vae(a); m.encode(rows(a, n)).mean() };
            log_likelihood: { let (m, n) = vae(a); let x = rows(a, n); m.log_likelihood(x, a.same()) };
            elbo: { let (m, n) = vae(a); let e = m.elbo(rows(a, n)); [e.likelihood, e.divergence, e.bound] };
            importance_bound: { let (m, n) = vae(a); m.importance_bound(rows(a, n), a.count(1..=3)) };
            decode: { let (m, _) = vae(a); m.decode(rows(a, m.latent())) };
            reconstruct: { let (m, n) = vae(a); m.reconstruct(&a.like(&[2, n])) };
            sample: { let (m, _) = vae(a); m.sample(a.count(0..=3), &mut a.rng()) };
        }
    }
}
