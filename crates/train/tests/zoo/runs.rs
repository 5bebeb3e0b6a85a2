//! Every kind of model is trained by the same loop, whatever its batches, loss and measures are.

use wengert_data::{Batch, Loader, PairBatch, Pairs, Text, digits, hamlet};
use wengert_nn::optim::Adam;
use wengert_nn::zoo::{CharRnn, CharRnnConfig, Seq2Seq, Seq2SeqConfig, Vae, VaeConfig};
use wengert_ops::random::Rng;
use wengert_tape::Tape;
use wengert_train::{
    Checkpoints, Every, FitConfig, FitReport, MetricKind, Minimize, Monitor, NextToken, Outcome, fit,
    metrics_csv, task,
};

fn config(epochs: usize) -> FitConfig {
    FitConfig { epochs, ..FitConfig::default() }
}

#[track_caller]
fn learns(fitted: &FitReport) {
    let (first, last) = (&fitted.epochs[0], &fitted.epochs[fitted.epochs.len() - 1]);
    assert!(last.test.loss() < first.test.loss(), "{}", metrics_csv(&fitted.epochs));
}

#[test]
fn a_language_model() {
    let (train, test) = Text::characters(&hamlet().unwrap()[..6000]).split(0.2).unwrap();
    let shape = CharRnnConfig {
        vocabulary: train.vocabulary().len(),
        hidden: 24,
        embedding: 8,
        ..CharRnnConfig::default()
    };
    let (mut model, mut adam) = (CharRnn::with_config(&shape, &mut Rng::seed(0)), Adam::new(0.01));
    let loader = Loader::new(&train.windows(20, 20).unwrap(), 16, 0).unwrap();
    let mut learner = Minimize::new(&mut model, &mut adam, NextToken).clip_norm(1.0);
    let fitted = fit(&mut learner, &loader, &test.windows(20, 20).unwrap(), &config(3), &mut ()).unwrap();
    learns(&fitted);
    let csv = metrics_csv(&fitted.epochs);
    assert!(
        csv.starts_with("epoch,train_loss,train_perplexity,test_loss,test_perplexity,seconds\n"),
        "{csv}"
    );
}

#[test]
fn a_variational_autoencoder() {
    let (train, test) = digits().unwrap().stratified_split(0.2, 0).unwrap();
    let shape = VaeConfig { inputs: 64, hidden: vec![32], latent: 4, ..VaeConfig::default() };
    let (mut model, mut adam) = (Vae::dense(&shape, &mut Rng::seed(0)), Adam::new(0.003));
    let elbo = task(|model: &Vae<f32>, batch: &Batch, tape: &Tape<f32>| {
        let elbo = model.elbo(tape.constant(&batch.inputs));
        let divergence = f64::from(elbo.divergence.mean().item()?);
        let n = batch.len();
        Ok(Outcome::of(-elbo.bound.mean(), n)?.measured(|m| m.mean("divergence", divergence, n as f64)))
    });
    let mut learner = Minimize::new(&mut model, &mut adam, elbo);
    let fitted = fit(&mut learner, &Loader::new(&train, 64, 0).unwrap(), &test, &config(4), &mut ()).unwrap();
    learns(&fitted);
    assert!(fitted.epochs[3].test.get("divergence").unwrap() > 0.0);
}

#[test]
fn sequence_to_sequence_from_a_checkpoint() {
    let words: Vec<(String, String)> = (0..60)
        .map(|i| {
            let word: String =
                (0..3 + i % 3).map(|k| char::from(b'a' + ((i * 7 + k * 3) % 6) as u8)).collect();
            let reversed = word.chars().rev().collect();
            (word, reversed)
        })
        .collect();
    let data = Pairs::new(&words).unwrap();
    let shape = Seq2SeqConfig {
        source: data.source().len(),
        target: data.target().len(),
        hidden: 16,
        embedding: 8,
        ..Seq2SeqConfig::default()
    };
    let translate = task(|model: &Seq2Seq<f32>, batch: &PairBatch, tape: &Tape<f32>| {
        let pairs = batch.indices.len();
        // The first token of each sequence is given.
        let tokens = batch.target_lengths.to_vec().into_iter().sum::<i64>() as usize - pairs;
        let outcome = Outcome::weighted(model.loss(tape, &batch.source, &batch.target), pairs, tokens)?;
        let nats = outcome.measures.loss();
        Ok(outcome.measured(|m| m.with("perplexity", MetricKind::Exp, nats, tokens as f64)))
    });
    let folder = std::env::temp_dir().join(format!("wengert-seq2seq-{}", std::process::id()));
    let checkpoints = Checkpoints::new(&folder, Every::Epochs(1)).keep(10);
    let run = |config: &FitConfig| {
        let (mut model, mut adam) = (Seq2Seq::with_config(&shape, &mut Rng::seed(0)), Adam::new(0.01));
        let mut learner = Minimize::new(&mut model, &mut adam, &translate);
        let fitted = fit(&mut learner, &Loader::new(&data, 8, 0).unwrap(), &data, config, &mut ()).unwrap();
        (fitted, wengert_nn::state::dict(&model))
    };
    let monitor = Some(Monitor::new("perplexity"));
    let (fitted, weights) = run(&FitConfig { checkpoints: Some(checkpoints.clone()), monitor, ..config(4) });
    learns(&fitted);
    let (step, path) = checkpoints.list().unwrap().remove(1);
    assert_eq!(step, 16);
    let resume = Some(wengert_train::Snapshot::read(path).unwrap());
    let (again, resumed) = run(&FitConfig { resume, monitor: Some(Monitor::new("perplexity")), ..config(4) });
    assert!(resumed == weights && again.best == fitted.best && folder.join("best.safetensors").exists());
    std::fs::remove_dir_all(folder).unwrap();
}
