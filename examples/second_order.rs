//! Second order: the product of an MLP's Hessian with a vector, without forming the Hessian, checked in two ways.
//!
//! H v is the gradient of ⟨∇L, v⟩: the gradient is recorded, so it can be differentiated again.
//!
//! `cargo run --example second_order`

use wengert::nn::{for_each_param, for_each_param_mut, zoo};
use wengert::prelude::*;

fn main() -> Result<(), Error> {
    let mut rng = Rng::seed(0);
    let config = zoo::MlpConfig { widths: vec![3, 8, 8, 1], activation: Activation::Tanh, dropout: 0.0 };
    let mut net = zoo::Mlp::<f64>::with_config(&config, &mut rng);
    let (x, y) = (Tensor::randn([16, 3], &mut rng)?, Tensor::randn([16, 1], &mut rng)?);
    let mut v: Vec<Tensor<f64>> = Vec::new();
    for_each_param::<f64>(&net, &mut |_, p| {
        v.extend(Tensor::randn(p.shape(), &mut rng));
    });

    // H v on one tape.
    let tape = Tape::new();
    let mut params = Vec::new();
    for_each_param::<f64>(&net, &mut |_, p| params.push(tape.param(p)));
    let loss = loss::mse(net.forward(tape.constant(&x)), &y);
    let one = tape.constant(1.0);
    let gradient = tape.grad(&[(loss, one)], &params)?;
    let seeds: Vec<_> = gradient.iter().zip(&v).map(|(g, v)| (*g, tape.constant(v))).collect();
    let hv = tape.grad(&seeds, &params)?;
    let hv: Vec<f64> = flat(&hv)?;
    println!("‖H v‖ = {:.6} over {} parameters", norm(&hv), hv.len());

    // The same product from the change of the gradient along v.
    let h = 1e-5;
    let mut gradient_at = |t: f64| -> Result<Vec<f64>, Error> {
        let mut directions = v.iter();
        for_each_param_mut::<f64>(&mut net, &mut |_, p| {
            if let Some(v) = directions.next() {
                p.update(|value| value.data_mut().iter_mut().zip(v.to_vec()).for_each(|(w, v)| *w += t * v));
            }
        });
        let tape = Tape::new();
        let grads = loss::mse(net.forward(tape.constant(&x)), &y).backward()?;
        let mut all = Vec::new();
        for_each_param::<f64>(&net, &mut |_, p| {
            all.extend(grads.of(p).map(Tensor::to_vec).unwrap_or_default());
        });
        Ok(all)
    };
    let after = gradient_at(h)?;
    let before = gradient_at(-2.0 * h)?;
    let difference: Vec<f64> = after.iter().zip(&before).map(|(a, b)| (a - b) / (2.0 * h)).collect();
    let error = norm(&hv.iter().zip(&difference).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(&hv);
    println!("relative difference to finite differences: {error:.1e}");
    assert!(error < 1e-8, "{error}");

    // H is symmetric: ⟨u, H v⟩ = ⟨H u, v⟩ for any u; here u is the gradient itself.
    let u: Vec<_> = gradient.iter().map(|g| g.detach()).collect();
    let seeds: Vec<_> = gradient.iter().copied().zip(u.iter().copied()).collect();
    let hu = flat(&tape.grad(&seeds, &params)?)?;
    let v: Vec<f64> = v.iter().flat_map(Tensor::to_vec).collect();
    let (left, right) = (dot(&flat(&u)?, &hv), dot(&hu, &v));
    println!("⟨u, H v⟩ = {left:.12}, ⟨H u, v⟩ = {right:.12}");
    assert!((left - right).abs() < 1e-10 * left.abs().max(1.0));
    Ok(())
}

fn flat(values: &[Var<'_, f64>]) -> Result<Vec<f64>, Error> {
    let mut all = Vec::new();
    for v in values {
        all.extend(v.value()?.to_vec());
    }
    Ok(all)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[test]
fn runs() {
    main().unwrap();
}
