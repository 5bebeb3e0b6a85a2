//! Models from sequence to sequence, and from a sequence to a class.

use super::{accuracy, descend, survives, trains_alike, trains_otherwise};
use wengert_data::{
    BEGIN, Dataset, END, PAD, PairBatch, Pairs, Text, country_and_language_names, pad, permutation,
};
use wengert_nn::zoo::{
    Pooling, Seq2Seq, Seq2SeqConfig, TextClassifier, TextClassifierConfig, Translator, TranslatorConfig,
};
use wengert_ops::Tensor;
use wengert_ops::random::{Key, Rng, uniform};
use wengert_tape::Tape;

/// Words of two to five letters out of eight, paired with the same words backwards: for training and for testing.
fn reversed() -> (Pairs, Pairs) {
    let u: Tensor<f64> = uniform([600, 6], 0.0, 1.0, Key { seed: 1, stream: 0 }).unwrap();
    let word = |u: &[f64]| -> String {
        u[..2 + (u[5] * 4.0) as usize].iter().map(|u| char::from(b'a' + (u * 8.0) as u8)).collect()
    };
    let mut words: Vec<String> = u.to_vec().chunks(6).map(word).collect();
    words.sort();
    words.dedup();
    let pairs: Vec<(String, String)> =
        words.into_iter().map(|word| (word.clone(), word.chars().rev().collect())).collect();
    let (all, order) = (Pairs::new(&pairs).unwrap(), order(pairs.len()));
    (all.select(&order[60..]).unwrap(), all.select(&order[..60]).unwrap())
}

fn order(n: usize) -> Vec<usize> {
    permutation(n, Key { seed: 2, stream: 0 })
}

/// Batches of sixteen pairs.
fn batches(pairs: &Pairs) -> Vec<PairBatch> {
    order(pairs.len()).chunks(16).map(|positions| pairs.fetch(positions).unwrap()).collect()
}

/// The number of words that are written backwards without a mistake. By chance it would be 0.
fn right(test: &Pairs, write: impl Fn(&[i64]) -> Vec<i64>) -> usize {
    let one = |i: usize| test.fetch(&[i]).unwrap();
    (0..test.len())
        .filter(|&i| {
            let written = write(&one(i).source.to_vec());
            let wanted = one(i).target.to_vec();
            written == wanted[1..wanted.len() - 1]
        })
        .count()
}

#[test]
fn seq2seq() {
    let (train, test) = reversed();
    let (source, target) = (train.source().len(), train.target().len());
    let config = Seq2SeqConfig { source, target, embedding: 16, hidden: 32, padding: PAD };
    let new = |seed| Seq2Seq::<f32>::with_config(&config, &mut Rng::seed(seed));
    let (mut model, batches) = (new(0), batches(&train));
    descend(&mut model, 5e-3, 400, |model, tape, step| {
        let batch = &batches[step % batches.len()];
        model.loss(tape, &batch.source, &batch.target)
    });
    let right = right(&test, |source| model.translate(source, BEGIN, END, 9).unwrap().0);
    assert!(right >= 48, "{right} of 60");
    let logits = |model: &Seq2Seq<f32>, tape: &Tape<f32>| {
        model.logits(tape, &batches[0].source, &batches[0].target).value().unwrap()
    };
    survives(&model, new(1), logits);
    trains_alike(&model, logits);
}

#[test]
fn translator() {
    let (train, test) = reversed();
    let (source, target) = (train.source().len(), train.target().len());
    let config = TranslatorConfig {
        source,
        target,
        width: 32,
        heads: 2,
        hidden: 64,
        layers: 1,
        dropout: 0.02,
        padding: PAD,
    };
    let new = |seed| Translator::<f32>::with_config(&config, &mut Rng::seed(seed));
    let (mut model, batches) = (new(0), batches(&train));
    descend(&mut model, 5e-3, 900, |model, tape, step| {
        let batch = &batches[step % batches.len()];
        model.loss(tape, &batch.source, &batch.target)
    });
    let right = right(&test, |source| model.translate(source, BEGIN, END, 9).unwrap());
    assert!(right >= 48, "{right} of 60");
    let logits = |model: &Translator<f32>, tape: &Tape<f32>| {
        model.logits(tape, &batches[0].source, &batches[0].target).value().unwrap()
    };
    survives(&model, new(1), logits);
    trains_otherwise(&model, logits);
}

/// Texts, one per row, their lengths, and their labels.
type Texts = (Tensor<i64>, Tensor<i64>, Tensor<i64>);

/// Whether the name of a country or a language is English or German, for names that differ in the two, without capital letters
/// (German has them inside names too): for training and for testing. A name and its translation are on the same side.
fn names() -> (usize, Texts, Texts) {
    let mut names = country_and_language_names().unwrap();
    names.retain(|(english, german)| english != german && english.len().max(german.len()) < 16);
    let lower = names.iter().map(|(e, g)| (e.to_lowercase(), g.to_lowercase())).collect::<Vec<_>>();
    let all: String = lower.iter().flat_map(|(e, g)| [e.as_str(), g.as_str()]).collect();
    let vocabulary = Text::characters(&all).vocabulary().clone();
    let texts = |positions: &[usize]| -> Texts {
        let encode = |text: &String| vocabulary.encode(text).unwrap();
        let ids: Vec<Vec<i64>> =
            positions.iter().flat_map(|&i| [encode(&lower[i].0), encode(&lower[i].1)]).collect();
        let (rows, lengths) = pad(&ids, 0).unwrap();
        (rows, lengths, Tensor::from((0..ids.len() as i64).map(|i| i % 2).collect::<Vec<_>>()))
    };
    let order = order(lower.len());
    (vocabulary.len(), texts(&order[100..]), texts(&order[..100]))
}

#[test]
fn text_classifier() {
    let (vocabulary, train, test) = names();
    let longest = train.0.shape()[1].max(test.0.shape()[1]);
    for pooling in [Pooling::Mean, Pooling::Class] {
        let config = TextClassifierConfig {
            vocabulary,
            classes: 2,
            longest,
            width: 16,
            heads: 2,
            layers: 1,
            dropout: 0.1,
            pooling,
        };
        let new = |seed| TextClassifier::<f32>::with_config(&config, &mut Rng::seed(seed));
        let mut model = new(0);
        let n = train.0.shape()[0];
        descend(&mut model, 5e-3, 400, |model, tape, step| {
            let from = step * 32 % (n - 32);
            let part = |t: &Tensor<i64>| t.slice(0, from..from + 32).unwrap().contiguous();
            model.loss(tape, &part(&train.0), &part(&train.1), &part(&train.2))
        });
        let logits = |model: &TextClassifier<f32>, tape: &Tape<f32>| {
            model.logits(tape, &test.0, &test.1).value().unwrap()
        };
        let accuracy = accuracy(&logits(&model, &Tape::eval()), &test.2);
        // The accuracy by chance is one half.
        assert!(accuracy > 0.7, "{pooling:?}: {accuracy}");
        survives(&model, new(1), logits);
        trains_otherwise(&model, logits);
    }
}
