//! Two spirals, told apart by a network of your own.
//!
//! `cargo run -p wengert-nn --example spirals`

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::f32::consts::PI;
use wengert_nn::optim::{Adam, Optimizer};
use wengert_nn::{Layer, Linear, Module, loss};
use wengert_ops::{Tensor, random::Rng};
use wengert_tape::{Error, Tape, Var};

#[derive(Debug, Module)]
#[module(crate = "wengert_nn")]
struct Net {
    first: Linear<f32>,
    second: Linear<f32>,
    output: Linear<f32>,
}

impl Net {
    fn new(hidden: usize, rng: &mut Rng) -> Self {
        Net {
            first: Linear::new(2, hidden, rng),
            second: Linear::new(hidden, hidden, rng),
            output: Linear::new(hidden, 2, rng),
        }
    }

    /// Points `[n, 2]` → logits `[n, 2]`.
    fn forward<'t>(&self, points: Var<'t, f32>) -> Var<'t, f32> {
        let hidden = self.second.forward(self.first.forward(points).tanh()).tanh();
        self.output.forward(hidden)
    }
}

fn main() -> Result<(), Error> {
    let (mut points, mut classes) = (Vec::new(), Vec::new());
    for i in 0..200 {
        let (class, radius) = (i % 2, 0.1 + i as f32 / 200.0);
        let angle = 6.0 * radius + PI * class as f32;
        points.extend([radius * angle.cos(), radius * angle.sin()]);
        classes.push(i64::from(class));
    }
    let (points, classes) = (Tensor::from(points).reshape([200, 2])?, Tensor::from(classes));

    let mut net = Net::new(16, &mut Rng::seed(0));
    let mut adam = Adam::new(0.02);
    let mut tape = Tape::train(0);
    let mut last = f32::INFINITY;
    for step in 0..400 {
        tape.reset();
        let loss = loss::cross_entropy(net.forward(tape.constant(&points)), &classes);
        last = loss.item()?;
        adam.step(&mut net, &loss.backward()?)?;
        if step % 100 == 0 {
            println!("step {step}: loss {last:.4}");
        }
    }
    println!("loss {last:.4}");
    assert!(last < 0.05, "{last}");
    Ok(())
}
