//! A custom model, trained on the digits: two layers with a skip connection, and a learned temperature.
//!
//! `cargo run --release --example custom_module`

use wengert::data::{Loader, digits};
use wengert::prelude::*;

type Failure = Box<dyn std::error::Error>;

/// logits = (W₂ (h + relu(W₁ h))) · τ with h = relu(W₀ x).
#[derive(Module)]
struct Net {
    stem: Linear<f32>,
    block: Linear<f32>,
    head: Linear<f32>,
    temperature: Param<f32>,
}

impl Net {
    fn new(width: usize, rng: &mut Rng) -> Self {
        Net {
            stem: Linear::new(64, width, rng),
            block: Linear::new(width, width, rng),
            head: Linear::new(width, 10, rng),
            temperature: Param::new(Tensor::scalar(1.0)),
        }
    }

    /// `[n, 64]` → `[n, 10]`.
    fn forward<'t>(&self, x: Var<'t, f32>) -> Var<'t, f32> {
        let h = self.stem.forward(x).relu();
        let h = h + self.block.forward(h).relu();
        self.head.forward(h.dropout(0.1)) * x.tape().param(&self.temperature)
    }
}

fn accuracy(net: &Net, images: &Tensor<f32>, labels: &Tensor<i64>) -> Result<f64, Failure> {
    let tape = Tape::eval();
    let guesses = net.forward(tape.constant(images)).value()?.argmax(-1)?;
    let right = guesses.eq(labels)?.to_vec().into_iter().filter(|&r| r).count();
    Ok(right as f64 / labels.numel() as f64)
}

fn main() -> Result<(), Failure> {
    let (train, test) = digits()?.stratified_split(0.2, 0)?;
    let mut net = Net::new(96, &mut Rng::seed(0));
    println!("{}", Summary::of(&net));

    let mut optimizer = Adam::new(3e-3);
    let loader = Loader::new(&train, 64, 0)?;
    let mut tape = Tape::train(0);
    for epoch in 0..12 {
        let mut total = 0.0;
        for batch in loader.epoch(epoch) {
            let batch = batch?;
            tape.reset();
            let loss = loss::cross_entropy(net.forward(tape.constant(&batch.inputs)), &batch.labels);
            total += f64::from(loss.item()?) * batch.len() as f64;
            let mut grads = loss.backward()?;
            assert!(grads.unused(&net).is_empty(), "every parameter takes part");
            optim::clip_norm(&mut grads, 5.0)?;
            optimizer.step(&mut net, &grads)?;
        }
        println!("epoch {:2}: loss {:.4}", epoch + 1, total / train.len() as f64);
    }
    let right = accuracy(&net, test.inputs(), test.labels())?;
    println!("test accuracy {:.2} %", 100.0 * right);
    assert!(right > 0.95, "{right}");
    Ok(())
}

#[test]
fn runs() {
    main().unwrap();
}
