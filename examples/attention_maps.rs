//! Attention maps: a model with one attention layer learns to copy, rotate and sort a sequence, and its map shows which
//! inputs each output attends to. For the first two tasks, these inputs are known.
//!
//! `cargo run --release --example attention_maps`

use wengert::nn::LearnedPositions;
use wengert::prelude::*;
use wengert_examples::{Failure, Palette, Plot, Run, mean};

const LENGTH: usize = 10;
const SYMBOLS: usize = 12;
const WIDTH: usize = 32;

/// Output t knows only t, attends to symbols and their positions, and predicts a symbol.
#[derive(Module)]
struct Reader {
    symbols: Embedding<f32>,
    places: LearnedPositions<f32>,
    asked: Param<f32>, // [LENGTH, WIDTH]
    attention: MultiHeadAttention<f32>,
    head: Linear<f32>,
}

impl Reader {
    fn new(rng: &mut Rng) -> Result<Self, Failure> {
        Ok(Reader {
            symbols: Embedding::new(SYMBOLS, WIDTH, rng),
            places: LearnedPositions::new(LENGTH, WIDTH, rng),
            asked: Param::new(Tensor::randn([LENGTH, WIDTH], rng)?),
            attention: MultiHeadAttention::new(WIDTH, 1, rng),
            head: Linear::new(WIDTH, SYMBOLS, rng),
        })
    }

    /// Queries and keys `[n, LENGTH, WIDTH]` of symbols `[n, LENGTH]`.
    fn sides<'t>(&self, tape: &'t Tape<f32>, x: &Tensor<i64>) -> (Var<'t, f32>, Var<'t, f32>) {
        let keys = self.places.forward(self.symbols.forward(tape, x));
        (tape.param(&self.asked).expand([x.shape()[0], LENGTH, WIDTH]), keys)
    }

    /// Logits `[n, LENGTH, SYMBOLS]`.
    fn forward<'t>(&self, tape: &'t Tape<f32>, x: &Tensor<i64>) -> Var<'t, f32> {
        let (queries, keys) = self.sides(tape, x);
        self.head.forward(self.attention.attend(queries, keys, keys, &AttentionMask::new()))
    }

    /// The attention of output t to input s, `[n][t][s]`.
    fn map(&self, x: &Tensor<i64>) -> Result<Vec<Vec<Vec<f64>>>, Error> {
        let tape = Tape::eval();
        let (queries, keys) = self.sides(&tape, x);
        let weights = self.attention.weights(queries, keys, &AttentionMask::new()).value()?.to_vec();
        let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
        let rows = |map: &[f64]| map.chunks(LENGTH).map(<[f64]>::to_vec).collect();
        Ok(weights.chunks(LENGTH * LENGTH).map(rows).collect())
    }
}

fn sequences(n: usize, rng: &mut Rng) -> Result<Vec<Vec<i64>>, Error> {
    let drawn: Tensor<f64> = Tensor::rand([n, LENGTH], rng)?;
    let symbols: Vec<i64> = drawn.to_vec().into_iter().map(|u| (u * SYMBOLS as f64) as i64).collect();
    Ok(symbols.chunks(LENGTH).map(<[i64]>::to_vec).collect())
}

fn stack(sequences: &[Vec<i64>]) -> Result<Tensor<i64>, Error> {
    Ok(Tensor::from_vec(sequences.concat(), [sequences.len(), LENGTH])?)
}

/// A trained model and its fraction of correct symbols on new sequences.
fn train(task: fn(&[i64]) -> Vec<i64>, steps: usize) -> Result<(Reader, f64), Failure> {
    let mut rng = Rng::seed(3);
    let mut model = Reader::new(&mut rng)?;
    let (mut adam, mut tape) = (Adam::new(5e-3), Tape::train(0));
    for _ in 0..steps {
        let x = sequences(64, &mut rng)?;
        let y: Vec<Vec<i64>> = x.iter().map(|x| task(x)).collect();
        tape.reset();
        let logits = model.forward(&tape, &stack(&x)?).flatten_axes(0, 1);
        let loss = loss::cross_entropy(logits, &stack(&y)?.reshape([64 * LENGTH])?);
        adam.step(&mut model, &loss.backward()?)?;
    }
    let x = sequences(200, &mut rng)?;
    let y: Vec<Vec<i64>> = x.iter().map(|x| task(x)).collect();
    let tape = Tape::eval();
    let said = model.forward(&tape, &stack(&x)?).argmax(-1)?.to_vec();
    let right = said.iter().zip(y.concat()).filter(|(a, b)| *a == b).count();
    Ok((model, right as f64 / said.len() as f64))
}

fn analyse(run: &Run) -> Result<(), Failure> {
    type Task = (&'static str, fn(&[i64]) -> Vec<i64>, fn(usize) -> usize);
    let tasks: [Task; 3] = [
        ("copy", |x| x.to_vec(), |t| t),
        ("turn around", |x| x.iter().rev().copied().collect(), |t| LENGTH - 1 - t),
        ("turn by three", |x| [&x[3..], &x[..3]].concat(), |t| (t + 3) % LENGTH),
    ];
    let mut panels = Vec::new();
    for (name, task, place) in tasks {
        let (model, right) = train(task, run.pick(1000, 300))?;
        let x = sequences(50, &mut Rng::seed(9))?;
        let maps = model.map(&stack(&x)?)?;
        let there: Vec<f64> = maps.iter().flat_map(|map| (0..LENGTH).map(|t| map[t][place(t)])).collect();
        let least = there.iter().fold(1.0, |m: f64, v| m.min(*v));
        println!(
            "{name}: {:.1} % of symbols right; {:.3} of the attention is where it should be, {least:.3} at least",
            100.0 * right,
            mean(&there)
        );
        assert!(
            right > 0.99 && mean(&there) > 0.8 && least > 0.5,
            "{name}: {right}, {}, {least}",
            mean(&there)
        );
        let written = |(s, symbol): (usize, &i64)| (s as f64 + 0.5, char::from(b'a' + *symbol as u8));
        let read: Vec<_> = x[0].iter().enumerate().map(written).collect();
        let said: Vec<_> = task(&x[0]).iter().enumerate().map(written).collect();
        let panel = Plot::new(name).matrix(maps[0].clone(), Palette::Rising).x_ticks(read).y_ticks(said);
        panels.push(panel.x("input").y("output"));
    }
    run.draw("attention-maps.svg", &[&panels])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
