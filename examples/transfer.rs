//! Transfer learning: a trunk that has learned the digits 0 to 4 is frozen, and a new head on it learns 5 to 9 from a
//! few labels. The same network, trained from scratch, has more parameters to train, and is worse as long as there are
//! few labels.
//!
//! `cargo run --release --example transfer`

use wengert::data::{Classification, Loader, digits};
use wengert::nn::GlobalMaxPool;
use wengert::ops::ConvOptions;
use wengert::prelude::*;
use wengert_examples::{BLUE, Corner, Failure, GREEN, ORANGE, Plot, Run, mean, standard_error};

/// Height and width of the images.
const SIZE: usize = 14;
/// The number of features that the head reads.
const FEATURES: usize = 96;
/// The name of the head in the network; everything before it is the trunk.
const HEAD: &str = "9";

/// Images `[n, 1, SIZE, SIZE]` → logits `[n, 5]`.
fn network(rng: &mut Rng) -> Sequential<f32> {
    let same = ConvOptions::default().same();
    Sequential::new()
        .push(Conv2d::with_config(1, 12, 3, same, rng))
        .push(Activation::Relu)
        .push(Conv2d::with_config(12, 24, 3, same, rng))
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Conv2d::with_config(24, FEATURES, 3, same, rng))
        .push(Activation::Relu)
        .push(GlobalMaxPool)
        .push(Flatten)
        .push(Linear::new(FEATURES, 5, rng))
}

/// The 8 × 8 images at random positions in larger images: a network must learn that the position does not matter.
fn placed(data: &Classification) -> Result<Classification, Failure> {
    let room = SIZE - 8 + 1;
    let places: Vec<f64> = Tensor::rand([2 * data.len()], &mut Rng::seed(5))?.to_vec();
    let mut images = Vec::new();
    for (i, place) in places.chunks(2).enumerate() {
        let [top, left] = [place[0], place[1]].map(|u| (u * room as f64) as usize);
        let image = data.inputs().select(0, i)?.reshape([8, 8])?;
        images.push(image.pad(&[(top, room - 1 - top), (left, room - 1 - left)], 0.0)?);
    }
    Ok(data.with_inputs(Tensor::stack(&images, 0)?.unsqueeze(1)?)?)
}

/// The samples of five classes, which become 0 to 4.
fn five(data: &Classification, first: i64) -> Result<Classification, Failure> {
    let labels = data.labels().to_vec();
    let some: Vec<usize> = (0..labels.len()).filter(|&i| (first..first + 5).contains(&labels[i])).collect();
    let part = data.select(&some)?;
    Ok(Classification::new(part.inputs().clone(), part.labels().map(|l: i64| l - first), 5)?)
}

fn train(net: &mut Sequential<f32>, data: &Classification, steps: usize) -> Result<(), Failure> {
    let (mut adam, mut tape) = (Adam::new(3e-3), Tape::train(0));
    let loader = Loader::new(data, data.len().min(64), 0)?;
    let mut left = steps;
    for epoch in 0.. {
        for batch in loader.epoch(epoch) {
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            let batch = batch?;
            tape.reset();
            let loss = loss::cross_entropy(net.forward(tape.constant(&batch.inputs)), &batch.labels);
            adam.step(net, &loss.backward()?)?;
        }
    }
    Ok(())
}

fn accuracy(net: &Sequential<f32>, data: &Classification) -> Result<f64, Failure> {
    let tape = Tape::eval();
    let guesses = net.forward(tape.constant(data.inputs())).argmax(-1)?;
    let right = guesses.eq(data.labels())?.to_vec().into_iter().filter(|r| *r).count();
    Ok(100.0 * right as f64 / data.len() as f64)
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let all = placed(&digits()?)?;
    let (pool, test) = five(&all, 5)?.stratified_split(0.5, 0)?;
    let mut old = network(&mut Rng::seed(0));
    train(&mut old, &five(&all, 0)?, run.pick(300, 120))?;
    println!("trained on 0 to 4: {:.1} % right on the same", accuracy(&old, &five(&all, 0)?)?);

    let labels: &[usize] = run.pick(&[1, 2, 3, 5, 10, 20], &[2]);
    let (seeds, steps) = run.pick((5, 100), (2, 60));
    let names = [
        ("frozen trunk of 0 to 4, new head", BLUE),
        ("from scratch", ORANGE),
        ("frozen random trunk, new head", GREEN),
    ];
    let mut curves: [Vec<Vec<f64>>; 3] = Default::default();
    for &few in labels {
        let mut scores: [Vec<f64>; 3] = Default::default();
        for seed in 0..seeds {
            let some = pool.select(&pool.labelled(few, seed)?.chosen)?;
            for (way, scores) in scores.iter_mut().enumerate().take(run.pick(3, 2)) {
                let mut net = network(&mut Rng::seed(1 + seed));
                if way == 0 {
                    // Everything but the head, which keeps its random initialisation.
                    let mut learned = state::dict(&old);
                    learned.retain(|name, _| !name.starts_with(HEAD));
                    assert_eq!(state::transfer(&mut net, &learned).loaded.len(), 6);
                }
                if way != 1 {
                    net.freeze();
                    net.unfreeze_matching(&format!("{HEAD}.*"))?;
                    assert_eq!(net.num_trainable(), FEATURES * 5 + 5, "only the head is trained");
                }
                train(&mut net, &some, steps)?;
                scores.push(accuracy(&net, &test)?);
            }
        }
        let said: Vec<_> =
            names.iter().zip(&scores).map(|((name, _), s)| format!("{:.1} % {name}", mean(s))).collect();
        println!("{few} labels a class: {}", said.join("; "));
        let gains: Vec<f64> = scores[0].iter().zip(&scores[1]).map(|(a, b)| a - b).collect();
        if few == 2 {
            assert!(mean(&gains) > 5.0, "{gains:?}");
        }
        curves.iter_mut().zip(scores).for_each(|(c, s)| c.push(s));
    }
    let mut plot = Plot::new("Digits 5 to 9 from few labels")
        .x("labels of each class")
        .y("test images right (%)")
        .y_range(0.0, 100.0)
        .log_x()
        .x_ticks(labels.iter().map(|&l| (l as f64, l)))
        .legend(Corner::LowerRight);
    for (curve, (name, color)) in curves.iter().zip(names) {
        let points = || labels.iter().zip(curve).map(|(&l, s)| (l as f64, mean(s), standard_error(s)));
        plot = plot.band(color, points().map(|(l, m, e)| (l, m - e, m + e))).line(
            color,
            name,
            points().map(|(l, m, _)| (l, m)),
        );
    }
    run.draw("transfer.svg", &[&[plot]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
