//! Language models, on the characters of Hamlet. The frequencies of characters can be learned without context. A model that uses
//! the context has less than half the perplexity.

use super::{survives, trains_otherwise};
use wengert_data::{Loader, Text, hamlet};
use wengert_nn::optim::Adam;
use wengert_nn::zoo::{
    CharRnn, CharRnnConfig, Decoding, Gpt, GptConfig, LanguageModel, Recurrence, generate,
};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::Tape;
use wengert_train::{FitConfig, Minimize, NextToken, fit};

const STEPS: usize = 40;

fn text() -> (Text, Text) {
    Text::characters(&hamlet().unwrap()[..40_000]).split(0.1).unwrap()
}

/// The perplexity of a model that knows how often each character occurs, and nothing else.
fn of_frequencies(train: &Text, test: &Text) -> f64 {
    let mut counts = vec![1.0; train.vocabulary().len()];
    train.tokens().iter().for_each(|&id| counts[id as usize] += 1.0);
    let all: f64 = counts.iter().sum();
    let nats: f64 = test.tokens().iter().map(|&id| -(counts[id as usize] / all).ln()).sum();
    (nats / test.len() as f64).exp()
}

/// The model after a number of epochs, if it uses the context.
#[track_caller]
fn learned<M: LanguageModel<f32>>(mut model: M, rate: f64, epochs: usize) -> M {
    let (train, test) = text();
    let mut adam = Adam::new(rate);
    let loader = Loader::new(&train.windows(STEPS, STEPS).unwrap(), 16, 0).unwrap();
    let mut learner = Minimize::new(&mut model, &mut adam, NextToken).clip_norm(1.0);
    let config = FitConfig { epochs, ..FitConfig::default() };
    let fitted = fit(&mut learner, &loader, &test.windows(STEPS, STEPS).unwrap(), &config, &mut ()).unwrap();
    let perplexity = fitted.epochs[epochs - 1].test.get("perplexity").unwrap();
    let known = of_frequencies(&train, &test);
    assert!(perplexity < 0.5 * known, "{perplexity}, where frequencies give {known}");
    model
}

/// The logits for a few characters.
fn logits<M: LanguageModel<f32>>(model: &M, tape: &Tape<f32>) -> Tensor<f32> {
    model.logits(tape, &Tensor::from([[1, 2, 3, 4], [5, 6, 7, 8]])).value().unwrap()
}

fn char_rnn(recurrence: Recurrence) {
    let config = CharRnnConfig {
        vocabulary: text().0.vocabulary().len(),
        embedding: 16,
        recurrence,
        hidden: 48,
        layers: 1,
        dropout: 0.05,
    };
    let new = |seed| CharRnn::<f32>::with_config(&config, &mut Rng::seed(seed));
    let model = learned(new(0), 0.01, 3);
    survives(&model, new(1), logits);
    trains_otherwise(&model, logits);
}

#[test]
fn rnn() {
    char_rnn(Recurrence::Rnn);
}

#[test]
fn lstm() {
    char_rnn(Recurrence::Lstm);
}

#[test]
fn gru() {
    char_rnn(Recurrence::Gru);
}

#[test]
fn gpt() {
    let vocabulary = text().0.vocabulary().len();
    let config = GptConfig { vocabulary, context: STEPS, width: 32, heads: 2, layers: 1, dropout: 0.05 };
    let new = |seed| Gpt::<f32>::with_config(&config, &mut Rng::seed(seed));
    let model = learned(new(0), 5e-3, 6);
    survives(&model, new(1), logits);
    trains_otherwise(&model, logits);
    // Generated text looks like text: about one character in five is a space.
    let written = generate(&model, &[1], 300, Decoding::default(), &mut Rng::seed(0)).unwrap();
    let written = text().0.vocabulary().decode(&written).unwrap();
    let spaces = written.matches([' ', '\n']).count();
    assert!((30..120).contains(&spaces), "{written}");
}
