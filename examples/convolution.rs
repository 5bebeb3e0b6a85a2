//! Convolution: if the input is shifted, the output is shifted and does not change otherwise; and the receptive field
//! of one output of a stack of layers, measured by its gradient, equals that of the formula.
//!
//! `cargo run --release --example convolution`

use wengert::nn::sizes::receptive_field;
use wengert::ops::{ConvOptions, Window};
use wengert::prelude::*;
use wengert_examples::{Failure, ORANGE, Palette, Plot, Run};

/// A layer of a stack: a convolution, or the mean of a window.
#[derive(Clone, Copy)]
struct Step {
    kernel: usize,
    stride: usize,
    dilation: usize,
    is_pool: bool,
}

fn conv(kernel: usize, stride: usize, dilation: usize) -> Step {
    Step { kernel, stride, dilation, is_pool: false }
}

fn pool(kernel: usize) -> Step {
    Step { kernel, stride: kernel, dilation: 1, is_pool: true }
}

/// The shift of the content in the input, and in the output.
fn moved_alike(
    options: ConvOptions<2>,
    kernel: [usize; 2],
    by: [usize; 2],
    rng: &mut Rng,
) -> Result<(), Failure> {
    const SIZE: usize = 32;
    let layer = Conv2d::<f64>::with_config(2, 3, kernel, options, rng);
    let patch: Tensor<f64> = Tensor::randn([1, 2, 6, 6], rng)?;
    // The patch in the middle of an empty image, and the same patch further down and to the right.
    let image = |[down, right]: [usize; 2]| {
        let (top, left) = (11 + down, 11 + right);
        patch.pad(&[(0, 0), (0, 0), (top, SIZE - 6 - top), (left, SIZE - 6 - left)], 0.0)
    };
    let tape = Tape::eval();
    let [stride_y, stride_x] = options.stride;
    let there = layer.forward(tape.constant(image([by[0] * stride_y, by[1] * stride_x])?));
    let moved = layer.forward(tape.constant(image([0, 0])?)).roll(2, by[0] as isize).roll(3, by[1] as isize);
    // t(f(x)) = f(t(x)), if the edge of the output is like the rest: what wraps around is the output for an empty
    // input, the bias.
    assert_eq!(there.value()?, moved.value()?, "{options:?}, kernel {kernel:?} by {by:?}");
    Ok(())
}

/// The gradient of one output in the middle with respect to the input, `[size][size]`; every kernel element is one, so
/// that nothing cancels.
fn seen(stack: &[Step], size: usize) -> Result<Vec<Vec<f64>>, Failure> {
    let mut net = Sequential::<f64>::new();
    let mut rng = Rng::seed(0);
    for step in stack {
        let Step { kernel, stride, dilation, is_pool } = *step;
        if is_pool {
            net = net.push(wengert::nn::AvgPool2d::new(Window::new(kernel).stride(stride)));
            continue;
        }
        let options = ConvOptions::default().stride(stride).dilation(dilation);
        let mut layer = Conv2d::with_config(1, 1, kernel, options, &mut rng).without_bias();
        layer.weight.set(Tensor::ones([1, 1, kernel, kernel]))?;
        net = net.push(layer);
    }
    let tape = Tape::new();
    let x = tape.var(Tensor::zeros([1, 1, size, size]));
    let y = net.forward(x);
    let [_, _, height, width] = y.dims();
    let gradient = y.select(3, width / 2).select(2, height / 2).sum().backward()?.wrt(x)?.to_vec();
    Ok(gradient.chunks(size).map(<[f64]>::to_vec).collect())
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let mut rng = Rng::seed(0);
    let mut cases = 0;
    for stride in 1..=2 {
        for dilation in 1..=2 {
            for kernel in [[1, 1], [3, 3], [2, 5], [4, 1]] {
                for by in [[0, 0], [1, 0], [0, 3], [2, 2], [3, 1]] {
                    let options = ConvOptions::default().stride(stride).dilation(dilation);
                    moved_alike(options, kernel, by, &mut rng)?;
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} convolutions of a moved input are the moved convolutions, bit by bit");

    let stacks: [(&str, Vec<Step>); 4] = [
        ("one 7 × 7", vec![conv(7, 1, 1)]),
        ("three 3 × 3", vec![conv(3, 1, 1); 3]),
        ("three 3 × 3, dilations 1, 2, 4", vec![conv(3, 1, 1), conv(3, 1, 2), conv(3, 1, 4)]),
        (
            "3 × 3, pool of 2, 3 × 3, pool of 2, 3 × 3",
            vec![conv(3, 1, 1), pool(2), conv(3, 1, 1), pool(2), conv(3, 1, 1)],
        ),
    ];
    const SIZE: usize = 25;
    let mut panels = Vec::new();
    for (name, stack) in stacks {
        let formula =
            receptive_field(&stack.iter().map(|s| (s.kernel, s.stride, s.dilation)).collect::<Vec<_>>());
        let seen = seen(&stack, SIZE)?;
        let sees = |row: &[f64]| row.iter().any(|v| *v != 0.0);
        let rows: Vec<usize> = (0..SIZE).filter(|&i| sees(&seen[i])).collect();
        let columns: Vec<usize> = (0..SIZE).filter(|&j| seen.iter().any(|row| row[j] != 0.0)).collect();
        let (top, bottom) = (rows[0], rows[rows.len() - 1] + 1);
        let (left, right) = (columns[0], columns[columns.len() - 1] + 1);
        println!("{name}: {formula} by the formula, {} × {} by the gradient", bottom - top, right - left);
        assert_eq!([bottom - top, right - left], [formula; 2], "{name}");
        let largest = seen.iter().flatten().fold(0.0, |m: f64, v| m.max(*v));
        // Pixels outside of the receptive field are white.
        let shade = |v: f64| if v == 0.0 { f64::NAN } else { v / largest };
        let relative = seen.into_iter().map(|row| row.into_iter().map(shade).collect()).collect();
        let (top, bottom, left, right) = (top as f64, bottom as f64, left as f64, right as f64);
        let edge = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        let panel = Plot::new(format!("{name}: {formula} × {formula}")).matrix(relative, Palette::Rising);
        panels.push(panel.x("column").y("row").line(ORANGE, "", edge));
    }
    let [a, b, c, d] = &panels[..] else { unreachable!("four stacks") };
    run.draw("receptive-field.svg", &[&[a.clone(), b.clone()], &[c.clone(), d.clone()]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
