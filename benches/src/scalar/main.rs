//! Times the scalar tape on six programs, compared with plain `f64` in the same run: nanoseconds per elementary operation, for
//! recording and reverse sweep together, with warm memory.
//!
//! `RUSTFLAGS="-C target-cpu=native" CARGO_PROFILE_RELEASE_LTO=fat cargo run --release -p wengert-benches --bin scalar`
#![allow(clippy::print_stdout, reason = "a program that prints its results")]

mod harness;
mod numbers;
mod programs;

use harness::{Program, Run};
use programs::*;
use std::hint::black_box;
use wengert::tape::scalar::{Lanes, Number, Tape, Var, affine, fuse, fuse_all, sum_of_products};

fn main() {
    harness::main([p1, p2, p3a, p3b, p4, p5], || {
        let (weights, x) = network_inputs();
        let mut grads = vec![0.0; WEIGHTS];
        on_operators(&mut Tape::new(), &weights, &x, &mut grads);
        black_box(&grads);
    });
}

/// The variant with plain numbers: no derivatives, no tape.
fn plain(mut run: impl FnMut() + 'static) -> (&'static str, Run) {
    let run = move |_: &mut [f64]| {
        run();
        0
    };
    ("plain", Box::new(run))
}

/// The bytes of a tape with the given number of variables: for each node that is not a variable, a record of two
/// derivatives and two indices; for each node, a cotangent.
fn bytes<T: Number>(tape: &Tape<T>, variables: usize, number: usize) -> usize {
    (tape.len() - variables) * (2 * number + 8) + tape.len() * number
}

/// P1 with operators, on a tape that may be new.
fn on_operators(tape: &mut Tape, weights: &[f64], x: &[f64], grads: &mut [f64]) -> usize {
    tape.reset();
    let mut scratch = [Vec::with_capacity(32), Vec::with_capacity(32)];
    let w: Vec<Var<'_>> = tape.vars(weights).collect();
    let x: Vec<Var<'_>> = x.iter().map(|&x| Var::from(x)).collect();
    let y = network(&w, &x, 0.5, &mut scratch);
    let g = tape.gradient(y).expect("one tape");
    for (to, w) in grads.iter_mut().zip(&w) {
        *to = g.wrt(*w).expect("a variable");
    }
    bytes(tape, WEIGHTS, 8)
}

fn p1() -> Program {
    let (weights, x) = network_inputs();
    let plain = {
        let (weights, x, mut scratch) = (weights.clone(), x.clone(), [Vec::new(), Vec::new()]);
        plain(move || {
            black_box(network(black_box(&weights[..]), &x, 0.5, &mut scratch));
        })
    };
    let operators = {
        let (weights, x, mut tape) = (weights.clone(), x.clone(), Tape::new());
        move |grads: &mut [f64]| on_operators(&mut tape, &weights, &x, grads)
    };
    let fused = {
        let mut tape = Tape::new();
        move |grads: &mut [f64]| {
            tape.reset();
            let w: Vec<Var<'_>> = tape.vars(&weights).collect();
            let mut h: Vec<Var<'_>> = x.iter().map(|&x| Var::from(x)).collect();
            let mut at = 0;
            for (layer, pair) in WIDTHS.windows(2).enumerate() {
                let mut next = Vec::with_capacity(32);
                for _ in 0..pair[1] {
                    let sum = affine(w[at], &w[at + 1..at + 1 + pair[0]], &h);
                    at += pair[0] + 1;
                    next.push(if layer < 2 { programs::Num::tanh(sum) } else { sum });
                }
                h = next;
            }
            let e = h[0] - 0.5;
            let g = tape.gradient(e * e).expect("one tape");
            for (to, w) in grads.iter_mut().zip(&w) {
                *to = g.wrt(*w).expect("a variable");
            }
            bytes(&tape, WEIGHTS, 8)
        }
    };
    Program {
        name: "P1",
        ops: P1_OPS,
        inputs: WEIGHTS,
        variants: vec![plain, ("operators", Box::new(operators)), ("fused", Box::new(fused))],
    }
}

fn p2() -> Program {
    fn on_tape(
        mut tape: Tape,
        step: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>,
    ) -> impl FnMut(&mut [f64]) -> usize {
        move |grads| {
            tape.reset();
            let (start, y) = (tape.var(black_box(P2_START[0])), tape.var(black_box(P2_START[1])));
            let mut x = start;
            for _ in 0..P2_STEPS {
                x = step(x, y);
            }
            let g = tape.gradient(x).expect("one tape");
            grads[0] = g.wrt(start).expect("a variable");
            grads[1] = g.wrt(y).expect("a variable");
            bytes(&tape, 2, 8)
        }
    }
    let plain = plain(|| {
        let [mut x, y] = black_box(P2_START);
        for _ in 0..P2_STEPS {
            x = oscillate(x, y);
        }
        black_box(x);
    });
    Program {
        name: "P2",
        ops: 5 * P2_STEPS,
        inputs: 2,
        variants: vec![
            plain,
            ("operators", Box::new(on_tape(Tape::new(), |x, y| oscillate(x, y)))),
            ("flushed", Box::new(on_tape(Tape::new().flush_denormals(), |x, y| oscillate(x, y)))),
            ("fused", Box::new(on_tape(Tape::new(), |x, y| fuse([x, y], |[x, y]| oscillate(x, y))))),
        ],
    }
}

fn p3a() -> Program {
    fn on_tape(price: impl for<'t> Fn([Var<'t>; 5]) -> Var<'t>) -> impl FnMut(&mut [f64]) -> usize {
        let mut tape = Tape::new();
        move |grads| {
            let mut used = 0;
            for (i, grads) in grads.chunks_exact_mut(5).enumerate() {
                tape.reset();
                let x = option(i).map(|v| tape.var(v));
                let g = tape.gradient(price(x)).expect("one tape");
                for (to, x) in grads.iter_mut().zip(x) {
                    *to = g.wrt(x).expect("a variable");
                }
                drop(g);
                used += bytes(&tape, 5, 8);
            }
            used
        }
    }
    let plain = plain(|| {
        for i in 0..MANY {
            black_box(black_scholes(black_box(option(i))));
        }
    });
    Program {
        name: "P3a",
        ops: P3A_OPS * MANY,
        inputs: 5 * MANY,
        variants: vec![
            plain,
            ("operators", Box::new(on_tape(|x| black_scholes(x)))),
            ("fused", Box::new(on_tape(|x| fuse(x, black_scholes)))),
        ],
    }
}

fn p3b() -> Program {
    fn fused_path<'t>(x: [Var<'t>; 7], z: &[f64]) -> Var<'t> {
        let [mut x, mut v, kappa, theta, xi, rho, rate] = x;
        let other = orthogonal(rho);
        for k in 0..P3B_STEPS {
            let (z1, z2) = (z[2 * k], z[2 * k + 1]);
            // The logarithm does not depend on the last parameters, nor the variance on x: each statement takes only its inputs.
            let x2 = fuse([x, v, rate], |[x, v, rate]| {
                const DT: f64 = 1.0 / P3B_STEPS as f64;
                let variance = programs::Num::positive(v);
                x + (rate - variance * 0.5) * DT + programs::Num::sqrt(variance * DT) * z1
            });
            let [v2] = fuse_all([v, kappa, theta, xi, rho, other], |[v, kappa, theta, xi, rho, other]| {
                const DT: f64 = 1.0 / P3B_STEPS as f64;
                let variance = programs::Num::positive(v);
                let noise = rho * z1 + other * z2;
                [v + kappa * (theta - variance) * DT + xi * programs::Num::sqrt(variance * DT) * noise]
            });
            (x, v) = (x2, v2);
        }
        payoff(x)
    }
    fn on_tape(price: impl for<'t> Fn([Var<'t>; 7], &[f64]) -> Var<'t>) -> impl FnMut(&mut [f64]) -> usize {
        let (z, mut tape) = (normals(), Tape::new());
        move |grads| {
            let mut used = 0;
            for (i, grads) in grads.chunks_exact_mut(7).enumerate() {
                tape.reset();
                let x = START.map(|v| tape.var(v));
                let g = tape.gradient(price(x, &z[i..])).expect("one tape");
                for (to, x) in grads.iter_mut().zip(x) {
                    *to = g.wrt(x).expect("a variable");
                }
                drop(g);
                used += bytes(&tape, 7, 8);
            }
            used
        }
    }
    fn lanes<const N: usize>() -> impl FnMut(&mut [f64]) -> usize {
        let (z, mut tape) = (normals(), Tape::<Lanes<N>>::default());
        move |grads| {
            let mut used = 0;
            for (i, grads) in grads.chunks_exact_mut(7 * N).enumerate() {
                tape.reset();
                let x = START.map(|v| tape.var(Lanes([v; N])));
                let at = |k: usize| Var::constant(Lanes(std::array::from_fn(|lane| z[i * N + lane + k])));
                let y = path(x, |k| [at(2 * k), at(2 * k + 1)]);
                let g = tape.gradient(y).expect("one tape");
                for (k, x) in x.into_iter().enumerate() {
                    for (lane, slope) in g.wrt(x).expect("a variable").0.into_iter().enumerate() {
                        grads[lane * 7 + k] = slope;
                    }
                }
                drop(g);
                used += bytes(&tape, 7, 8 * N);
            }
            used
        }
    }
    let z = normals();
    let plain = plain(move || {
        for i in 0..MANY {
            let z = &z[i..];
            black_box(path(black_box(START), |k| [z[2 * k], z[2 * k + 1]]));
        }
    });
    Program {
        name: "P3b",
        ops: P3B_OPS * MANY,
        inputs: 7 * MANY,
        variants: vec![
            plain,
            ("operators", Box::new(on_tape(|x, z| path(x, |k| [z[2 * k], z[2 * k + 1]])))),
            ("fused", Box::new(on_tape(fused_path))),
            ("4 lanes", Box::new(lanes::<4>())),
            ("8 lanes", Box::new(lanes::<8>())),
        ],
    }
}

fn p4() -> Program {
    fn on_tape(sum: impl for<'a, 't> Fn(&'a [Var<'t>]) -> Var<'t>) -> impl FnMut(&mut [f64]) -> usize {
        let (x, mut tape) = (numbers(P4_N), Tape::new());
        move |grads| {
            tape.reset();
            let v: Vec<Var<'_>> = tape.vars(&x).collect();
            let g = tape.gradient(sum(&v)).expect("one tape");
            for (to, v) in grads.iter_mut().zip(&v) {
                *to = g.wrt(*v).expect("a variable");
            }
            bytes(&tape, P4_N, 8)
        }
    }
    let x = numbers(P4_N);
    let plain = plain(move || {
        black_box(chain(black_box(&x[..]), 0.0));
    });
    let fused = on_tape(|x| sum_of_products(x.windows(2).map(|x| (x[1], programs::Num::exp(x[0])))));
    Program {
        name: "P4",
        ops: 3 * (P4_N - 1),
        inputs: P4_N,
        variants: vec![
            plain,
            ("operators", Box::new(on_tape(|x| chain(x, Var::from(0.0))))),
            ("fused", Box::new(fused)),
        ],
    }
}

fn p5() -> Program {
    fn on_tape(point: impl for<'t> Fn([Var<'t>; 7]) -> Var<'t>) -> impl FnMut(&mut [f64]) -> usize {
        let (start, mut tape) = (numbers(2 * SIDE * SIDE), Tape::new());
        move |grads| {
            tape.reset();
            let v: Vec<Var<'_>> = tape.vars(&start).collect();
            let (u, w) = v.split_at(SIDE * SIDE);
            let end = march([u.to_vec(), w.to_vec()], &point);
            let total: Var<'_> = end.iter().flatten().sum();
            let g = tape.gradient(total).expect("one tape");
            for (to, v) in grads.iter_mut().zip(&v) {
                *to = g.wrt(*v).expect("a variable");
            }
            bytes(&tape, 2 * SIDE * SIDE, 8)
        }
    }
    let start = numbers(2 * SIDE * SIDE);
    let plain = plain(move || {
        let (u, v) = black_box(&start[..]).split_at(SIDE * SIDE);
        black_box(march([u.to_vec(), v.to_vec()], burgers));
    });
    Program {
        name: "P5",
        ops: P5_OPS,
        inputs: 2 * SIDE * SIDE,
        variants: vec![
            plain,
            ("operators", Box::new(on_tape(|x| burgers(x)))),
            ("fused", Box::new(on_tape(|x| fuse(x, burgers)))),
        ],
    }
}
