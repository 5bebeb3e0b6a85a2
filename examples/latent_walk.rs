//! Latent space: a variational autoencoder with two latent dimensions on the digits, its decoded images over a grid,
//! and its evidence lower bound compared with tighter bounds of the same likelihood.
//!
//! `cargo run --release --example latent_walk`

use wengert::data::format::image::{self, GridConfig};
use wengert::data::{Loader, digits};
use wengert::nn::dist::Distribution;
use wengert::nn::zoo::{Vae, VaeConfig};
use wengert::prelude::*;
use wengert_examples::{
    BLACK, BLUE, Color, Corner, Failure, GRAY, GREEN, ORANGE, PURPLE, Plot, Run, SKY, YELLOW, mean,
};

/// The `q` quantile of the standard normal distribution.
fn normal_quantile(q: f64) -> Result<f64, Error> {
    let tape = Tape::<f64>::eval();
    (tape.constant(2.0 * q - 1.0).erfinv() * std::f64::consts::SQRT_2).item()
}

/// Every pixel as a square of `times` × `times`.
fn enlarged(images: &Tensor<f32>, times: usize) -> Result<Tensor<f32>, Error> {
    Tape::eval().constant(images).repeat_interleave(2, times).repeat_interleave(3, times).value()
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let (train, test) = digits()?.stratified_split(0.2, 0)?;
    let config = VaeConfig {
        inputs: 64,
        hidden: vec![128, 64],
        latent: 2,
        activation: Activation::Tanh,
        ..VaeConfig::default()
    };
    let mut vae = Vae::<f32>::dense(&config, &mut Rng::seed(0));
    let (mut adam, mut tape) = (Adam::new(2e-3), Tape::train(0));
    let loader = Loader::new(&train, 64, 0)?;
    for epoch in 0..run.pick(150, 15) {
        for batch in loader.epoch(epoch) {
            tape.reset();
            let bound = vae.elbo(tape.constant(&batch?.inputs)).bound.mean();
            adam.step(&mut vae, &(-bound).backward()?)?;
        }
    }

    // log p(x) ≥ the bound with k draws ≥ the bound with fewer draws, in expectation; with one draw it is the evidence
    // lower bound.
    let x = test.inputs();
    let mut bounds = Vec::new();
    for k in [1usize, 2, 5, 10, 50] {
        let mut all = Vec::new();
        for seed in 0..(60 / k).max(4) {
            let tape = Tape::train(seed as u64);
            all.push(f64::from(vae.importance_bound(tape.constant(x), k).mean().item()?));
        }
        bounds.push((k as f64, mean(&all)));
    }
    let mut elbos = Vec::new();
    for seed in 100..160 {
        let tape = Tape::train(seed);
        elbos.push(f64::from(vae.elbo(tape.constant(x)).bound.mean().item()?));
    }
    let elbo = mean(&elbos);
    println!("test ELBO {elbo:.3} nats; importance-weighted {bounds:.3?}");
    assert!((elbo - bounds[0].1).abs() < 0.15, "one draw is the ELBO: {elbo} {bounds:?}");
    assert!(bounds.windows(2).all(|w| w[0].1 < w[1].1) && elbo < bounds[4].1, "{elbo} {bounds:?}");
    assert!(elbo > run.pick(-24.0, -30.0), "{elbo}");

    // The grid is uniform in probability: quantiles of the prior.
    const SIDE: usize = 15;
    let mut z = Vec::new();
    for i in 0..SIDE {
        for j in 0..SIDE {
            let at = |i: usize| normal_quantile((i as f64 + 0.5) / SIDE as f64);
            z.extend([at(j)? as f32, at(SIDE - 1 - i)? as f32]);
        }
    }
    let tape = Tape::eval();
    let decoded = vae.decode(tape.constant(Tensor::from_vec(z, [SIDE * SIDE, 2])?)).value()?;
    let images = enlarged(&decoded.reshape([SIDE * SIDE, 1, 8, 8])?, 4)?;
    let grid = GridConfig { columns: SIDE, margin: 1, background: 1.0 };
    image::write_grid(run.path("latent-walk.png")?, &images, &grid)?;

    // The positions of the test images.
    let tape = Tape::eval();
    let means = vae.encode(tape.constant(x)).mean().value()?.to_vec();
    let labels = test.labels().to_vec();
    const COLORS: [Color; 10] = [BLUE, ORANGE, GREEN, PURPLE, BLACK, YELLOW, SKY, GRAY, BLUE, ORANGE];
    let mut space = Plot::new("Means of q(z|x) of test images").x("z₁").y("z₂");
    for (class, color) in COLORS.into_iter().enumerate() {
        let of = means.chunks(2).zip(&labels).filter(|(_, l)| **l == class as i64).take(30);
        space = space.words(color, of.map(|(m, _)| (f64::from(m[0]), f64::from(m[1]), class)));
    }
    let tighter = Plot::new("Bounds of log p(x), mean of the test images")
        .x("draws k")
        .y("nats")
        .log_x()
        .x_ticks([1, 2, 5, 10, 50].map(|k| (k as f64, k)))
        .line(BLUE, "importance-weighted bound", bounds.iter().copied())
        .dots(BLUE, "", bounds.iter().copied())
        .dashed(ORANGE, "ELBO", [(1.0, elbo), (50.0, elbo)])
        .legend(Corner::UpperLeft);
    run.draw("latent-space.svg", &[&[space, tighter]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
