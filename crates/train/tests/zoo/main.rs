//! Smoke tests of every model of the zoo, on data that come with the crates. In a few seconds, each model reaches a bound on its
//! measure, is read from a file with the same bits, and behaves differently in evaluation and in training where it should.
//!
//! A model that works reaches its bound with a margin, and one that does not work cannot reach it; each bound states what the
//! latter would reach. Gradients are tested with each model, in `nn`.

mod generative;
mod images;
mod language;
mod pretraining;
mod runs;
mod sequences;
mod series;

use std::sync::atomic::{AtomicUsize, Ordering};
use wengert_nn::optim::{Adam, Optimizer};
use wengert_nn::{Module, state};
use wengert_ops::Tensor;
use wengert_tape::{Tape, Var};

/// A model that is written to a file and read into a `fresh` one with other weights has the same outputs, bit for bit.
#[track_caller]
fn survives<M: Module>(model: &M, mut fresh: M, says: impl Fn(&M, &Tape<f32>) -> Tensor<f32>) {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let name =
        format!("wengert-zoo-{}-{}.safetensors", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
    let file = std::env::temp_dir().join(name);
    let bits = |model: &M| -> Vec<u32> {
        says(model, &Tape::eval()).to_vec().into_iter().map(f32::to_bits).collect()
    };
    let before = bits(model);
    assert_ne!(before, bits(&fresh), "other weights say something else");
    state::save(model, &file).unwrap();
    state::load(&mut fresh, &file).unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!(before, bits(&fresh));
}

/// A model behaves differently in evaluation and in training, and evaluation is repeatable.
#[track_caller]
fn trains_otherwise<M: ?Sized>(model: &M, says: impl Fn(&M, &Tape<f32>) -> Tensor<f32>) {
    let evaluated = says(model, &Tape::eval());
    assert_ne!(evaluated, says(model, &Tape::train(1)));
    assert_eq!(evaluated, says(model, &Tape::eval()));
}

/// A model without dropout and batch norm behaves the same in training and in evaluation.
#[track_caller]
fn trains_alike<M: ?Sized>(model: &M, says: impl Fn(&M, &Tape<f32>) -> Tensor<f32>) {
    assert_eq!(says(model, &Tape::eval()), says(model, &Tape::train(1)));
}

/// Makes a number of steps with Adam on a loss that draws its own data, by the number of the step. Returns the last loss.
fn descend<M: Module>(
    model: &mut M,
    learning_rate: f64,
    steps: usize,
    loss: impl for<'t> Fn(&M, &'t Tape<f32>, usize) -> Var<'t, f32>,
) -> f64 {
    let (mut adam, mut tape, mut last) = (Adam::new(learning_rate), Tape::train(0), f64::NAN);
    for step in 0..steps {
        tape.reset();
        let l = loss(model, &tape, step);
        last = f64::from(l.item().unwrap());
        adam.step(model, &l.backward().unwrap()).unwrap();
    }
    last
}

/// The mean over all samples, `[1, ..]`.
fn mean_sample(x: &Tensor<f32>) -> Tensor<f32> {
    Tape::eval().constant(x).mean_keepdim(0).value().unwrap()
}

/// The share of rows of `logits`, `[n, classes]`, that are largest at their label.
fn accuracy(logits: &Tensor<f32>, labels: &Tensor<i64>) -> f64 {
    let chosen = logits.argmax(-1).unwrap().to_vec();
    let right = chosen.iter().zip(labels.to_vec()).filter(|(a, b)| **a == *b).count();
    right as f64 / chosen.len() as f64
}
