//! `nn::zoo`: models.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::nn::dist::Distribution;
use wengert::nn::zoo::{
    Autoencoder, AutoencoderConfig, CharRnn, CharRnnConfig, Contrastive, ContrastiveConfig, DcganConfig,
    Decoding, Forecaster, ForecasterConfig, GanConfig, GanLoss, Gpt, GptConfig, LanguageModel,
    LatentClassifier, LatentClassifierConfig, MaskedAutoencoder, MaskedConfig, Observation, Pooling,
    ReconstructionLoss, Recurrence, ResNet, ResNetConfig, Seq2Seq, Seq2SeqConfig, TextClassifier,
    TextClassifierConfig, Translator, TranslatorConfig, Vae, VaeConfig, VggConfig, Vit, VitConfig, dcgan,
    dense_gan, generate, gradient_penalty, lenet, linear_probe, noise, vgg,
};
use wengert::nn::{Activation, Layer, Linear, Module, Sequential};
use wengert::ops::Tensor;
use wengert::tape::{Float, Tape, Var};

fn forecaster<T: Float>(a: &mut Arguments<'_, T>) -> (Forecaster<T>, ForecasterConfig) {
    let [features, hidden, horizon] = a.sizes().map(|n: usize| n.min(3));
    let least_std = if a.once_in(4) { a.number() } else { 1e-3 };
    let config = ForecasterConfig { features, hidden, layers: a.below(3), horizon, least_std };
    (Forecaster::with_config(&config, &mut a.rng()), config)
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

fn game<T: Float>(a: &mut Arguments<'_, T>) -> GanLoss {
    let c = a.number();
    a.pick(&[GanLoss::Minimax, GanLoss::NonSaturating, GanLoss::Wasserstein(c)])
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

/// An autoencoder, and the size of its inputs.
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

/// Images of the given numbers of channels and pixels, or sometimes of others.
fn images<'t, T: Float>(a: &mut Arguments<'t, T>, channels: usize, size: usize) -> Var<'t, T> {
    let n = 1 + a.below(2);
    let x = a.of(&[n, channels, size, size]);
    // Usually brightnesses between 0 and 1.
    if a.once_in(4) { x } else { x.sigmoid() }
}

/// A convolutional network, and the number of channels of its images.
fn stages<T: Float>(a: &mut Arguments<'_, T>) -> (Sequential<T>, usize) {
    let (channels, classes) = (a.size().min(3), a.size());
    let stages = (0..a.below(3)).map(|_| (0..a.below(3)).map(|_| a.size().min(3)).collect()).collect();
    let config = VggConfig { channels, classes, stages, dropout: a.probability() };
    (vgg(&config, &mut a.rng()), channels)
}

fn resnet<T: Float>(a: &mut Arguments<'_, T>) -> (ResNet<T>, usize) {
    let (channels, classes) = (a.size().min(3), a.size());
    let widths = (0..1 + a.below(2)).map(|_| a.size().min(3)).collect();
    let config = ResNetConfig { channels, classes, widths, blocks: vec![1, a.below(3)], large: a.once_in(3) };
    (ResNet::with_config(&config, &mut a.rng()), channels)
}

/// A vision Transformer for 4 × 4 pixels, and the number of channels of its images.
fn vit<T: Float>(a: &mut Arguments<'_, T>) -> (Vit<T>, usize) {
    let (channels, classes, layers, dropout) = (a.size().min(3), a.size(), a.below(2), a.probability());
    let config = VitConfig { channels, size: 4, patch: 2, classes, width: 4, heads: 2, layers, dropout };
    let mut model = Vit::with_config(&config, &mut a.rng());
    if a.once_in(8) {
        model.patch = a.count(2..=2);
    }
    (model, channels)
}

const IDS: usize = 5;

fn gpt<T: Float>(a: &mut Arguments<'_, T>) -> Gpt<T> {
    let (context, layers, dropout) = (if a.once_in(6) { 0 } else { 4 }, a.below(3), a.probability());
    let config = GptConfig { vocabulary: IDS, context, width: 4, heads: 2, layers, dropout };
    Gpt::with_config(&config, &mut a.rng())
}

fn char_rnn<T: Float>(a: &mut Arguments<'_, T>) -> CharRnn<T> {
    let recurrence = a.pick(&[Recurrence::Rnn, Recurrence::Lstm, Recurrence::Gru]);
    let ([embedding, hidden], layers) = (a.sizes().map(|n: usize| n.clamp(1, 3)), 1 + a.below(2));
    let config =
        CharRnnConfig { vocabulary: IDS, embedding, recurrence, hidden, layers, dropout: a.probability() };
    let mut model = CharRnn::with_config(&config, &mut a.rng());
    if a.once_in(8) {
        (model.rnn, model.lstm, model.gru) = (None, None, None);
    }
    model
}

/// Ids of `n` sequences, or sometimes of another number.
fn ids<T: Float>(a: &mut Arguments<'_, T>, n: usize) -> Tensor<i64> {
    let steps = a.size().min(3);
    a.index_of(&[n, steps], IDS)
}

/// The logits after two consecutive parts of a sequence.
fn gone_on<T: Float, M: LanguageModel<T>>(a: &mut Arguments<'_, T>, model: &M) -> wengert::Result<Tensor<T>> {
    let mut memory = M::Memory::default();
    model.go_on(&ids(a, 1), &mut memory)?;
    model.go_on(&ids(a, 1), &mut memory)
}

fn generated<T: Float>(a: &mut Arguments<'_, T>) -> wengert::Result<()> {
    let prompt = ids(a, 1).to_vec();
    let (how, n) = (decoding(a), a.below(7));
    let ids = if a.once_in(2) {
        generate(&gpt(a), &prompt, n, how, &mut a.rng())
    } else {
        generate(&char_rnn(a), &prompt, n, how, &mut a.rng())
    };
    ids.map(done)
}

fn language_loss<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let x = ids(a, 2);
    let y = a.index_of(x.shape(), IDS);
    let tape: &Tape<T> = a.tape;
    if a.once_in(2) { gpt(a).loss(tape, &x, &y) } else { char_rnn(a).loss(tape, &x, &y) }
}

fn seq2seq<T: Float>(a: &mut Arguments<'_, T>) -> Seq2Seq<T> {
    let [embedding, hidden] = a.sizes().map(|n: usize| n.clamp(1, 3));
    let padding = if a.once_in(4) { a.offset() as i64 } else { 0 };
    Seq2Seq::with_config(
        &Seq2SeqConfig { source: IDS, target: IDS, embedding, hidden, padding },
        &mut a.rng(),
    )
}

fn translator<T: Float>(a: &mut Arguments<'_, T>) -> Translator<T> {
    let padding = if a.once_in(4) { a.offset() as i64 } else { 0 };
    let (layers, hidden, dropout) = (a.below(3), a.size(), a.probability());
    let config =
        TranslatorConfig { source: IDS, target: IDS, width: 4, heads: 2, hidden, layers, dropout, padding };
    Translator::with_config(&config, &mut a.rng())
}

fn decoding<T: Float>(a: &mut Arguments<'_, T>) -> Decoding {
    Decoding { temperature: a.positive(), top_k: a.once_in(2).then(|| a.count(1..=IDS)) }
}

/// A source, and the id that begins a target.
fn to_translate<T: Float>(a: &mut Arguments<'_, T>) -> (Vec<i64>, i64) {
    (ids(a, 1).to_vec(), if a.once_in(6) { a.offset() as i64 } else { 1 })
}

fn text_classifier<T: Float>(a: &mut Arguments<'_, T>) -> TextClassifier<T> {
    let config = TextClassifierConfig {
        vocabulary: IDS,
        classes: a.size(),
        longest: if a.once_in(6) { 0 } else { 4 },
        width: 4,
        heads: 2,
        layers: a.below(3),
        dropout: a.probability(),
        pooling: a.pick(&[Pooling::Mean, Pooling::Class]),
    };
    TextClassifier::with_config(&config, &mut a.rng())
}

/// The ids of two texts, and their lengths.
fn texts<T: Float>(a: &mut Arguments<'_, T>) -> [Tensor<i64>; 2] {
    let ids = ids(a, 2);
    let steps = ids.shape().last().copied().unwrap_or(0);
    [ids, a.index_of(&[2], steps + 1)]
}

/// An autoencoder, and its configuration.
fn autoencoder<T: Float>(a: &mut Arguments<'_, T>) -> (Autoencoder<T>, AutoencoderConfig) {
    let (inputs, latent) = (a.size(), a.size());
    let hidden = (0..a.below(3)).map(|_| a.size()).collect();
    let loss = a.pick(&[ReconstructionLoss::Squared, ReconstructionLoss::Bernoulli]);
    let config = AutoencoderConfig { inputs, hidden, latent, activation: Activation::Tanh, loss };
    (Autoencoder::dense(&config, &mut a.rng()), config)
}

/// A contrastive model, and the size of its inputs.
fn contrastive<T: Float>(a: &mut Arguments<'_, T>) -> (Contrastive<T, Linear<T>>, usize) {
    let [inputs, features, hidden, outputs] = a.sizes();
    let config = ContrastiveConfig { features, hidden, outputs, temperature: a.positive() };
    let rng = &mut a.rng();
    (Contrastive::new(Linear::new(inputs, features, rng), &config, rng), inputs)
}

/// A masked autoencoder for 4 × 4 pixels, and the number of channels of its images.
fn masked<T: Float>(a: &mut Arguments<'_, T>) -> (MaskedAutoencoder<T>, usize) {
    let (channels, layers, decoder_layers) = (a.size().min(3), a.below(2), a.below(2));
    let config = MaskedConfig {
        channels,
        size: 4,
        patch: 2,
        width: 4,
        heads: 2,
        layers,
        decoder_width: 2 + 2 * a.below(2),
        decoder_layers,
        hidden: if a.once_in(4) { a.number() } else { 0.5 },
    };
    let mut model = MaskedAutoencoder::with_config(&config, &mut a.rng());
    if a.once_in(8) {
        model.patch = a.count(2..=2);
    }
    (model, channels)
}

/// A classifier on the latents of an autoencoder, and the size of its inputs.
fn latent_classifier<T: Float>(a: &mut Arguments<'_, T>) -> (LatentClassifier<T>, usize) {
    let (vae, inputs) = vae(a);
    let hidden = (0..a.below(2)).map(|_| a.size()).collect();
    let config = LatentClassifierConfig {
        classes: a.size(),
        hidden,
        activation: Activation::Tanh,
        dropout: a.probability(),
    };
    let mut model = LatentClassifier::new(vae, &config, &mut a.rng());
    if a.once_in(2) {
        model.unfreeze();
    }
    (model, inputs)
}

/// An autoencoder for images, and the number of channels and the size of its images.
fn convolutional<T: Float>(a: &mut Arguments<'_, T>) -> (Vae<T>, usize, usize) {
    let (channels, size, width, latent) = (1 + a.below(2), 4 + 4 * a.below(2), 1 + a.below(2), a.size());
    (Vae::convolutional(channels, size, width, latent, &mut a.rng()), channels, size)
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "nn::Forecaster" {
            with_config: done(forecaster(a));
            predict: { let (m, c) = forecaster(a); m.predict(past(a, c.features)).mean() };
            loss: { let (m, c) = forecaster(a); let x = past(a, c.features);
                let n = a.shape.first().copied().unwrap_or(1);
                m.loss(x, a.operand(&[n, c.horizon])) };
        }
        "nn::GanLoss" {
            discriminator_loss: { let x = a.var(); game(a).discriminator_loss(x, a.same()) };
            generator_loss: game(a).generator_loss(a.var());
        }
        "nn::gan" {
            gradient_penalty: penalised(a);
            dense_gan: { let (c, g, d) = gan(a); d.forward(g.forward(rows(a, c.latent))) };
            dcgan: { let (latent, channels) = (a.size(), 1 + a.below(2));
                let config = DcganConfig { latent, channels, size: 4 + 4 * a.below(2), width: 1 + a.below(2) };
                let (g, d) = dcgan(&config, &mut a.rng()); d.forward(g.forward(rows(a, latent))) };
            noise: noise::<T>(a.count(0..=4), a.count(0..=4), a.key());
        }
        "nn::cnn" {
            lenet: { let (c, size) = (1 + a.below(2), 12 + 2 * a.below(3)); let classes = a.size();
                let net = lenet(c, size, classes, &mut a.rng()); net.forward(images(a, c, size)) };
            vgg: { let (net, c) = stages(a); net.forward(images(a, c, 8)) };
        }
        "nn::ResNetConfig" {
            cifar: done(ResNetConfig::cifar(a.count(0..=5)));
            resnet18: done(ResNetConfig::resnet18(a.count(0..=5)));
            resnet34: done(ResNetConfig::resnet34(a.count(0..=5)));
        }
        "nn::ResNet" {
            with_config: done(resnet(a));
            forward: { let (net, c) = resnet(a); net.forward(images(a, c, 8)) };
        }
        "nn::BasicBlock" {
            forward: { let (mut net, _) = resnet(a); let block = net.stages.remove(0).remove(0);
                let c = block.conv1.weight.shape()[1]; block.forward(images(a, c, 5)) };
        }
        "nn::Vit" {
            with_config: done(vit(a));
            patches: { let (net, c) = vit(a); net.patches(images(a, c, 4)) };
            forward: { let (net, c) = vit(a); net.forward(images(a, c, 4)) };
        }
        "nn::Gpt" {
            with_config: done(gpt(a));
            context: gpt(a).context();
            vocabulary: gpt(a).vocabulary();
            logits: { let model = gpt(a); model.logits(a.tape, &ids(a, 2)) };
            go_on: { let model = gpt(a); gone_on(a, &model) };
        }
        "nn::CharRnn" {
            with_config: done(char_rnn(a));
            vocabulary: char_rnn(a).vocabulary();
            logits: { let model = char_rnn(a); model.logits(a.tape, &ids(a, 2)) };
            go_on: { let model = char_rnn(a); gone_on(a, &model) };
        }
        "nn::dyn LanguageModel" {
            loss: language_loss(a);
        }
        "nn::language" {
            generate: generated(a);
        }
        "nn::Seq2Seq" {
            with_config: done(seq2seq(a));
            logits: { let model = seq2seq(a); model.logits(a.tape, &ids(a, 2), &ids(a, 2)) };
            loss: { let model = seq2seq(a); model.loss(a.tape, &ids(a, 2), &ids(a, 2)) };
            translate: { let model = seq2seq(a); let source = ids(a, 1).to_vec();
                let begin = if a.once_in(6) { a.offset() as i64 } else { 1 };
                model.translate(&source, begin, 2, a.below(4)).map(done) };
        }
        "nn::Translator" {
            with_config: done(translator(a));
            logits: { let model = translator(a); model.logits(a.tape, &ids(a, 2), &ids(a, 2)) };
            loss: { let model = translator(a); model.loss(a.tape, &ids(a, 2), &ids(a, 2)) };
            translate: { let model = translator(a); let (source, begin) = to_translate(a);
                model.translate(&source, begin, 2, a.below(4)).map(done) };
            sample: { let model = translator(a); let (source, begin) = to_translate(a); let how = decoding(a);
                model.sample(&source, begin, 2, a.below(4), how, &mut a.rng()).map(done) };
        }
        "nn::TextClassifier" {
            with_config: done(text_classifier(a));
            features: { let (m, [x, n]) = (text_classifier(a), texts(a)); m.features(a.tape, &x, &n) };
            logits: { let (m, [x, n]) = (text_classifier(a), texts(a)); m.logits(a.tape, &x, &n) };
            loss: { let (m, [x, n]) = (text_classifier(a), texts(a)); let classes = m.head.weight.shape()[0];
                m.loss(a.tape, &x, &n, &a.index_of(&[2], classes)) };
        }
        "nn::Autoencoder" {
            dense: done(autoencoder(a));
            convolutional: { let (channels, size) = (1 + a.below(2), 4 + 4 * a.below(2));
                let m = Autoencoder::convolutional(channels, size, 1 + a.below(2), a.size(), &mut a.rng());
                m.loss(images(a, channels, size)) };
            new: { let [i, z] = a.sizes(); let rng = &mut a.rng();
                let (e, d) = (Linear::new(i, z, rng), Linear::new(z, i, rng));
                Autoencoder::new(Sequential::new().push(e), Sequential::new().push(d)).loss(rows(a, i)) };
            with: { let (m, c) = autoencoder(a); m.with(ReconstructionLoss::Bernoulli).loss(rows(a, c.inputs)) };
            encode: { let (m, c) = autoencoder(a); m.encode(rows(a, c.inputs)) };
            decode: { let (m, c) = autoencoder(a); m.decode(rows(a, c.latent)) };
            loss: { let (m, c) = autoencoder(a); m.loss(rows(a, c.inputs)) };
            denoising_loss: { let (m, c) = autoencoder(a); let x = rows(a, c.inputs); m.denoising_loss(x, a.operand(&[2, c.inputs])) };
            reconstruct: { let (m, c) = autoencoder(a); m.reconstruct(&a.like(&[2, c.inputs])) };
        }
        "nn::probe" {
            linear_probe: { let [n, d, classes] = a.sizes(); let x = a.like(&[n, d]);
                let y = if classes == 0 { Tensor::from(Vec::<i64>::new()) } else { a.index_of(&[n], classes) };
                let decay = if a.once_in(3) { a.number() } else { 0.1 };
                linear_probe(&x, &y, classes, decay).map(done) };
        }
        "nn::Contrastive" {
            new: done(contrastive(a));
            features: { let (m, n) = contrastive(a); m.features(rows(a, n)) };
            project: { let (m, n) = contrastive(a); m.project(rows(a, n)) };
            loss: { let (m, n) = contrastive(a); let x = rows(a, n); m.loss(x, a.operand(&[2, n])) };
        }
        "nn::MaskedAutoencoder" {
            with_config: done(masked(a));
            classifier: { let (m, c) = masked(a); let vit = m.classifier(a.size(), &mut a.rng());
                vit.forward(images(a, c, 4)) };
            features: { let (m, c) = masked(a); m.features(images(a, c, 4)) };
            guess: { let (m, c) = masked(a); let x = images(a, c, 4);
                m.guess(x, &mut a.rng()).map(|guess| guess.patches) };
            loss: { let (m, c) = masked(a); m.loss(images(a, c, 4)) };
            fill: { let (m, c) = masked(a); let x = a.like(&[2, c, 4, 4]); m.fill(&x, &mut a.rng()).map(done) };
        }
        "nn::LatentClassifier" {
            new: done(latent_classifier(a));
            features: { let (m, n) = latent_classifier(a); m.features(rows(a, n)) };
            forward: { let (m, n) = latent_classifier(a); m.forward(rows(a, n)) };
        }
        "nn::Vae" {
            convolutional: { let (m, c, size) = convolutional(a); m.elbo(images(a, c, size)).bound };
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
