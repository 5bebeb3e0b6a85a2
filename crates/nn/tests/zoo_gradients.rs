//! The gradients of the zoo's models, in training and in evaluation, for one sample and for several.

use wengert_nn::gradcheck::{ModuleCheck, ModuleReport};
use wengert_nn::zoo::{
    Autoencoder, CharRnn, CharRnnConfig, Forecaster, ForecasterConfig, GanConfig, GanLoss, Gpt, GptConfig,
    LanguageModel, Recurrence, ResNet, ResNetConfig, Seq2Seq, Seq2SeqConfig, Vae, dense_gan, lenet,
};
use wengert_nn::{Activation, Layer, loss};
use wengert_ops::{Tensor, random::Rng};

const SIZES: [usize; 2] = [1, 3];

fn check(name: &str) -> ModuleCheck {
    ModuleCheck::new(name).directions(2)
}

#[track_caller]
fn right(report: wengert_tape::Result<ModuleReport>) {
    let report = report.unwrap();
    assert!(report.passed() && report.worst() < 1e-5 && report.unused.is_empty(), "{report}");
}

fn ids(shape: [usize; 2], from: i64, below: i64) -> Tensor<i64> {
    let ids = (0..(shape[0] * shape[1]) as i64).map(|i| from + (i * 7 + i / 3) % (below - from));
    Tensor::from_vec(ids.collect(), shape).unwrap()
}

fn labels(n: usize) -> Tensor<i64> {
    ids([n, 1], 0, 2).reshape([n]).unwrap()
}

fn images(n: usize, size: usize) -> Tensor<f64> {
    Tensor::rand([n, 1, size, size], &mut Rng::seed(2)).unwrap()
}

#[test]
fn sequences() {
    let rng = &mut Rng::seed(1);
    for n in SIZES {
        let (x, y) = (ids([n, 4], 0, 5), ids([n, 4], 0, 5));
        let config = GptConfig { vocabulary: 5, context: 6, width: 8, heads: 2, layers: 2, dropout: 0.1 };
        let mut gpt = Gpt::<f64>::with_config(&config, rng);
        right(check("gpt").run(&mut gpt, |m, tape| m.loss(tape, &x, &y)));
        for recurrence in [Recurrence::Rnn, Recurrence::Lstm, Recurrence::Gru] {
            let config =
                CharRnnConfig { vocabulary: 5, embedding: 3, recurrence, hidden: 5, layers: 2, dropout: 0.1 };
            let mut rnn = CharRnn::<f64>::with_config(&config, rng);
            right(check("recurrent").run(&mut rnn, |m, tape| m.loss(tape, &x, &y)));
        }
        let (x, y) = (ids([n, 3], 1, 5), ids([n, 4], 1, 6));
        let config = Seq2SeqConfig { source: 5, target: 6, embedding: 3, hidden: 4, padding: 0 };
        let mut seq2seq = Seq2Seq::<f64>::with_config(&config, rng);
        right(check("seq2seq").run(&mut seq2seq, |m, tape| m.loss(tape, &x, &y)));
        let config = ForecasterConfig { hidden: 4, layers: 2, horizon: 3, features: 2, ..Default::default() };
        let mut forecaster = Forecaster::<f64>::with_config(&config, rng);
        let x: Tensor<f64> = Tensor::randn([n, 4, 2], rng).unwrap();
        let y: Tensor<f64> = Tensor::randn([n, 3], rng).unwrap();
        right(check("forecaster").run(&mut forecaster, |m, tape| m.loss(tape.constant(&x), &y)));
    }
}

#[test]
fn generators() {
    let rng = &mut Rng::seed(1);
    for n in SIZES {
        let x = images(n, 8);
        let mut vae = Vae::<f64>::convolutional(1, 8, 2, 3, rng);
        right(check("vae").run(&mut vae, |m, tape| -m.elbo(tape.constant(&x)).bound.mean()));
        let mut autoencoder = Autoencoder::<f64>::convolutional(1, 8, 2, 3, rng);
        right(check("autoencoder").first_order().run(&mut autoencoder, |m, tape| m.loss(tape.constant(&x))));
        let config = GanConfig { latent: 3, hidden: vec![6, 5], outputs: 4, output: Activation::Tanh };
        let (mut generator, discriminator) = dense_gan::<f64>(&config, rng);
        let z = Tensor::randn([n, 3], rng).unwrap();
        let report = check("generator").first_order().run_with_inputs(&mut generator, &[z], |g, z| {
            GanLoss::NonSaturating.generator_loss(discriminator.forward(g.forward(z[0])))
        });
        right(report);
    }
}

#[test]
fn classifiers() {
    let rng = &mut Rng::seed(1);
    for n in SIZES {
        let check = |name| check(name).first_order().step(1e-6);
        let (x, classes) = (images(n, 12), labels(n));
        let mut net = lenet::<f64>(1, 12, 2, rng);
        right(
            check("lenet")
                .run(&mut net, |m, tape| loss::cross_entropy(m.forward(tape.constant(&x)), &classes)),
        );
        let (widths, blocks) = (vec![4, 6], vec![1, 1]);
        let config = ResNetConfig { channels: 1, classes: 2, widths, blocks, large: false };
        let mut net = ResNet::<f64>::with_config(&config, rng);
        let x = images(n, 8);
        right(
            check("resnet")
                .run(&mut net, |m, tape| loss::cross_entropy(m.forward(tape.constant(&x)), &classes)),
        );
    }
}
