//! Bagging: networks are trained on bootstrap samples, and their averaged prediction is better than the average member.
//!
//! `cargo run --release --example bagging`

use wengert::data::{Classification, bootstrap, digits};
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::prelude::*;
use wengert_examples::{BLACK, BLUE, Failure, GRAY, ORANGE, Plot, Run, mean};

/// Class probabilities `[n, 10]`.
fn predict(net: &Mlp<f32>, x: &Tensor<f32>) -> Result<Tensor<f32>, Error> {
    let tape = Tape::eval();
    net.forward(tape.constant(x)).softmax(-1).value()
}

/// The fraction of wrong predictions, and the mean of -log p(label).
fn score(probabilities: &Tensor<f32>, labels: &Tensor<i64>) -> Result<(f64, f64), Error> {
    let wrong = probabilities.argmax(-1)?.ne(labels)?.to_vec().into_iter().filter(|w| *w).count();
    let tape = Tape::eval();
    let nll = loss::nll(tape.constant(probabilities).log(), labels).item()?;
    Ok((wrong as f64 / labels.numel() as f64, f64::from(nll)))
}

/// A network trained on a part of the data, given by positions, which may repeat.
fn train(data: &Classification, positions: &[usize], seed: u64, steps: usize) -> Result<Mlp<f32>, Failure> {
    let part = data.select(positions)?;
    let config = MlpConfig { widths: vec![64, 64, 10], ..MlpConfig::default() };
    let mut net = Mlp::with_config(&config, &mut Rng::seed(seed));
    let (mut adam, mut tape) = (Adam::new(0.01), Tape::train(seed));
    for _ in 0..steps {
        tape.reset();
        let loss = loss::cross_entropy(net.forward(tape.constant(part.inputs())), part.labels());
        adam.step(&mut net, &loss.backward()?)?;
    }
    Ok(net)
}

fn average(all: &[Tensor<f32>]) -> Result<Tensor<f32>, Error> {
    let mut sum = all[0].clone();
    for p in &all[1..] {
        sum = sum.add(p)?;
    }
    Ok(sum.scale(1.0 / all.len() as f64))
}

fn analyse(run: &Run) -> Result<(), Failure> {
    // Few samples, so that members differ.
    let all = digits()?;
    let split = all.labelled(20, 0)?;
    let (data, test) = (all.select(&split.chosen)?, all.select(&split.rest)?);
    let (members, steps) = run.pick((32, 100), (10, 60));
    let (mut predictions, mut scores) = (Vec::new(), Vec::new());
    let mut votes = vec![[0.0f32; 10]; data.len()];
    for member in 0..members {
        let sample = bootstrap(data.len(), 0, member);
        let net = train(&data, &sample.drawn, member, steps)?;
        let p = predict(&net, test.inputs())?;
        scores.push(score(&p, test.labels())?);
        predictions.push(p);
        // Samples that a member has not seen are its test samples.
        let unseen = data.select(&sample.out_of_bag)?;
        let p = predict(&net, unseen.inputs())?.to_vec();
        for (&i, p) in sample.out_of_bag.iter().zip(p.chunks(10)) {
            votes[i].iter_mut().zip(p).for_each(|(v, p)| *v += p);
        }
    }
    let (errors, losses): (Vec<f64>, Vec<f64>) = scores.into_iter().unzip();
    let (ensemble_error, ensemble_loss) = score(&average(&predictions)?, test.labels())?;
    let out_of_bag = Tensor::from_vec(votes.concat(), [data.len(), 10])?;
    let estimate = out_of_bag.argmax(-1)?.ne(data.labels())?.to_vec().iter().filter(|w| **w).count() as f64
        / data.len() as f64;
    println!(
        "test error: members {:.2} % on average, {:.2} % the best; their ensemble {:.2} %; out of bag {:.2} %",
        100.0 * mean(&errors),
        100.0 * errors.iter().fold(1.0, |m: f64, e| m.min(*e)),
        100.0 * ensemble_error,
        100.0 * estimate
    );
    println!("test loss: members {:.3} on average, their ensemble {ensemble_loss:.3}", mean(&losses));
    // -log is convex: the loss of a mean is at most the mean of the losses, for any members.
    assert!(ensemble_loss < mean(&losses), "{ensemble_loss} {losses:?}");
    assert!(ensemble_error < 0.85 * mean(&errors), "{ensemble_error} {errors:?}");

    // Ensembles of k consecutive members, for every start: the mean over the starts.
    let sizes: Vec<usize> =
        [1, 2, 3, 4, 6, 8, 12, 16, 24, 32].into_iter().filter(|k| *k <= members as usize).collect();
    let (mut by_error, mut by_loss) = (Vec::new(), Vec::new());
    for &k in &sizes {
        let (mut e, mut l) = (Vec::new(), Vec::new());
        for start in (0..members as usize).step_by(2) {
            let some: Vec<_> = predictions.iter().cycle().skip(start).take(k).cloned().collect();
            let (error, loss) = score(&average(&some)?, test.labels())?;
            e.push(100.0 * error);
            l.push(loss);
        }
        by_error.push((k as f64, mean(&e)));
        by_loss.push((k as f64, mean(&l)));
    }
    let most = sizes[sizes.len() - 1] as f64;
    let ticks = || sizes.iter().map(|&k| (k as f64, k));
    let members_percent: Vec<f64> = errors.iter().map(|e| 100.0 * e).collect();
    let flat = |v: f64| [(1.0, v), (most, v)];
    let error = Plot::new("Error on test samples")
        .x("members")
        .y("error (%)")
        .log_x()
        .x_ticks(ticks())
        .dots(GRAY, "each member", members_percent.iter().map(|e| (1.0, *e)))
        .dashed(ORANGE, "their mean", flat(mean(&members_percent)))
        .line(BLUE, "ensemble", by_error)
        .dashed(BLACK, "out of bag", flat(100.0 * estimate));
    let loss = Plot::new("Cross-entropy on test samples")
        .x("members")
        .y("nats")
        .log_x()
        .x_ticks(ticks())
        .dots(GRAY, "each member", losses.iter().map(|l| (1.0, *l)))
        .dashed(ORANGE, "their mean", flat(mean(&losses)))
        .line(BLUE, "ensemble", by_loss);
    run.draw("bagging.svg", &[&[error, loss]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
