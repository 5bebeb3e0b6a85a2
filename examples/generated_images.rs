//! The quality of generated images: the inception score and the Fréchet distance of an adversarial network while it
//! learns the digits, computed from the probabilities and the features of a classifier of the real ones.
//!
//! `cargo run --release --example generated_images`

use wengert::data::format::image::{GridConfig, write_grid};
use wengert::data::{Loader, digits};
use wengert::nn::optim::AdamConfig;
use wengert::nn::zoo::{GanConfig, GanLoss, Mlp, MlpConfig, dense_gan, noise};
use wengert::ops::random::Key;
use wengert::prelude::*;
use wengert::train::metrics::{FeatureStats, frechet_distance, inception_score};
use wengert::train::{Adversarial, Classify, FitConfig, Measures, MetricKind, Minimize, NoValidation, fit};
use wengert_examples::{BLACK, BLUE, Failure, GRAY, ORANGE, Plot, Run};

const LATENT: usize = 16;

fn analyse(run: &Run) -> Result<(), Failure> {
    let (train, test) = digits()?.stratified_split(0.4, 0)?;
    // The judge is a classifier; its last hidden layer gives the features.
    let mut rng = Rng::seed(0);
    let widths = vec![64, 64, 10];
    let mut judge =
        Mlp::with_config(&MlpConfig { widths, activation: Activation::Relu, dropout: 0.0 }, &mut rng);
    let mut adam = Adam::new(0.003);
    let config = FitConfig { epochs: 30, ..FitConfig::default() };
    let mut learner = Minimize::new(&mut judge, &mut adam, Classify);
    fit(&mut learner, &Loader::new(&train, 32, 0)?, &NoValidation, &config, &mut ())?;
    let looks_at = |x: &Tensor<f32>| -> Result<(FeatureStats, f64), wengert::train::Error> {
        let tape = Tape::eval();
        let features = judge.layers[0].forward(tape.constant(x)).relu();
        let probabilities = judge.layers[1].forward(features).softmax(-1).value()?;
        Ok((FeatureStats::of(&features.value()?)?, inception_score(&probabilities, 1)?.0))
    };
    let (real, best_inception) = looks_at(test.inputs())?;
    let (seen, _) = looks_at(train.inputs())?;
    let least = frechet_distance(&real, &seen)?;
    let (of_noise, _) = looks_at(&Tensor::rand([600, 64], &mut Rng::seed(9))?)?;
    let most = frechet_distance(&real, &of_noise)?;

    let shape =
        GanConfig { latent: LATENT, hidden: vec![128, 128], outputs: 64, output: Activation::Sigmoid };
    let (mut generator, mut discriminator) = dense_gan(&shape, &mut Rng::seed(1));
    let adam =
        || Adam::<f32>::with_config(AdamConfig { learning_rate: 2e-3, beta1: 0.5, ..AdamConfig::default() });
    let (mut g, mut d) = (adam(), adam());
    let made = |generator: &Sequential<f32>, n: usize| -> Result<Tensor<f32>, Error> {
        let z = noise(n, LATENT, Key { seed: 7, stream: 0 })?;
        generator.forward(Tape::eval().constant(z)).value()
    };
    let epochs = run.pick(200, 100);
    let players = ((&mut generator, &mut g as _), (&mut discriminator, &mut d as _));
    let mut gan = Adversarial::new(players.0, players.1, GanLoss::NonSaturating, LATENT).judge(|generator| {
        let (stats, inception) = looks_at(&made(generator, 600)?)?;
        let distance = frechet_distance(&real, &stats)?;
        Ok(Measures::default().mean("fid", distance, 1.0).with(
            "inception",
            MetricKind::Score,
            inception,
            1.0,
        ))
    });
    let config = FitConfig { epochs, ..FitConfig::default() };
    let fitted = fit(&mut gan, &Loader::new(&train, 32, 0)?.drop_last(), &test, &config, &mut ())?;
    drop(gan);
    let of = |name: &str| -> Vec<(f64, f64)> {
        fitted.epochs.iter().filter_map(|e| Some((e.number as f64, e.test.get(name)?))).collect()
    };
    let (fid, inception) = (of("fid"), of("inception"));
    let ((_, first), (_, last)) = (fid[0], fid[fid.len() - 1]);
    let (_, score) = inception[inception.len() - 1];
    println!(
        "Fréchet distance {first:.1} after an epoch, {last:.2} after {epochs}; real images {least:.2}, noise {most:.0}"
    );
    println!("inception score {score:.2} of {best_inception:.2} for real images");
    assert!(last < 0.5 * first && last < 0.1 * most && last > least, "{first} {last} {least} {most}");
    assert!(score > 0.6 * best_inception, "{score} {best_inception}");

    let images = made(&generator, 64)?.reshape([64, 1, 8, 8])?;
    write_grid(
        run.path("generated-images.png")?,
        &images,
        &GridConfig { columns: 16, ..GridConfig::default() },
    )?;
    let flat = |v: f64| [(1.0, v), (epochs as f64, v)];
    let distance = Plot::new("Fréchet distance to test images")
        .x("epoch")
        .y("squared distance of features")
        .log_y()
        .line(BLUE, "generated", fid)
        .dashed(BLACK, "training images", flat(least))
        .dashed(GRAY, "noise", flat(most));
    let inception = Plot::new("Inception score")
        .x("epoch")
        .y("classes")
        .line(ORANGE, "generated", inception)
        .dashed(BLACK, "test images", flat(best_inception));
    run.draw("generated-images.svg", &[&[distance, inception]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
