//! Backpropagation in vector form: the tape's gradients of a multilayer perceptron equal those of the recursion, term
//! by term, and the error term δ of every layer is shown.
//!
//! `cargo run --release --example deltas`

use wengert::data::digits;
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::prelude::*;
use wengert_examples::{Failure, Palette, Plot, Run};

/// The largest difference of any two elements, relative to the largest element.
fn apart(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (a.to_vec(), b.to_vec());
    let largest = b.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
}

fn rows(t: &Tensor<f64>) -> Vec<Vec<f64>> {
    t.to_vec().chunks(t.shape()[1]).map(<[f64]>::to_vec).collect()
}

fn analyse(run: &Run) -> Result<(), Failure> {
    // One image of each digit, and a network that has been trained for a few steps.
    let data = digits()?.cast::<f64>();
    let first = |class: i64| data.labels().to_vec().iter().position(|l| *l == class);
    let batch = data.select(&(0..10).filter_map(first).collect::<Vec<_>>())?;
    let (x, labels) = (batch.inputs(), batch.labels());
    let config = MlpConfig { widths: vec![64, 24, 16, 10], activation: Activation::Tanh, dropout: 0.0 };
    let mut net = Mlp::<f64>::with_config(&config, &mut Rng::seed(0));
    let (mut adam, mut tape) = (Adam::new(0.01), Tape::new());
    for _ in 0..20 {
        tape.reset();
        let loss = loss::cross_entropy(net.forward(tape.constant(x)), labels);
        adam.step(&mut net, &loss.backward()?)?;
    }

    // The tape: z of every layer is kept, so that its gradient δ = ∂L/∂z can be read.
    tape.reset();
    let z: Vec<_> = net.pre_activations(tape.constant(x)).into_iter().map(Var::keep).collect();
    let last = z.len() - 1;
    let loss = loss::cross_entropy(z[last], labels);
    let values: Vec<Tensor<f64>> = z.iter().map(|z| z.value()).collect::<Result<_, _>>()?;
    let grads = loss.backward()?;

    // The recursion, in products of matrices; each row is a sample. It begins with δ = (softmax(z) - y) / n.
    let mut delta = values[last].softmax(-1)?.sub(&Tensor::one_hot(labels, 10)?)?.scale(0.1);
    let (mut worst, mut deltas) = (0.0f64, Vec::new());
    for l in (0..=last).rev() {
        let layer = &net.layers[l];
        let h = if l == 0 { x.clone() } else { values[l - 1].map(f64::tanh) };
        // ∂L/∂W = δ hᵀ and ∂L/∂b = δ, both summed over the samples.
        let weight = delta.transpose(0, 1)?.matmul(&h)?;
        let bias = delta.sum_axes(0)?;
        let found = layer.bias.as_ref().map(|b| grads.of(b)).transpose()?;
        let differences = [
            apart(&grads.wrt(z[l])?, &delta),
            apart(grads.of(&layer.weight)?, &weight),
            found.map_or(0.0, |b| apart(b, &bias)),
        ];
        println!(
            "layer {}: δ, ∂L/∂W, ∂L/∂b apart by {:.1e}, {:.1e}, {:.1e} of the largest element",
            l + 1,
            differences[0],
            differences[1],
            differences[2]
        );
        worst = differences.into_iter().fold(worst, f64::max);
        deltas.push(delta.clone());
        if l > 0 {
            // δ(l) = (W(l+1)ᵀ δ(l+1)) ⊙ σ'(z(l)), with σ' = 1 - tanh².
            let slope = values[l - 1].map(|z| 1.0 - z.tanh().powi(2));
            delta = delta.matmul(layer.weight.value())?.mul(&slope)?;
        }
    }
    assert!(worst < 1e-13, "{worst}");

    let panel = |i: usize, what: &str| {
        let delta = rows(&deltas[i]).into_iter().map(|row| row.into_iter().map(|v| 100.0 * v).collect());
        Plot::new(format!("100 · δ of layer {}{what}", last + 1 - i))
            .x("unit")
            .y("image of a")
            .matrix(delta.collect(), Palette::Signed)
    };
    run.draw("deltas.svg", &[&[panel(2, ""), panel(1, ""), panel(0, ", the output")]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
