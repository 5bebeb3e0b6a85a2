//! Times the scalar tape on five programs, beside plain `f64` in the same run: nanoseconds per elementary operation, record
//! and reverse sweep together, with warm memory.
//!
//! `RUSTFLAGS="-C target-cpu=native" CARGO_PROFILE_RELEASE_LTO=fat cargo run --release -p wengert-benches --bin scalar`
#![allow(clippy::print_stdout, reason = "a program that prints its results")]

mod programs;

use clap::Parser;
use programs::*;
use std::hint::black_box;
use std::time::{Duration, Instant};
use wengert::tape::scalar::{Lanes, Tape, Var, affine, fuse, fuse_all, sum_of_products};

#[derive(Parser)]
#[command(about = "Times the scalar tape")]
struct Args {
    /// Programs, separated by commas: p1, p2, p3a, p3b, p4, p5
    #[arg(long, default_value = "p1,p2,p3a,p3b,p4,p5")]
    programs: String,
    /// Rounds; the least time of each variant counts
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Milliseconds of a measurement
    #[arg(long, default_value_t = 60)]
    millis: u64,
}

/// A variant: its name, and a run that returns the bytes of tape it used.
type Variant = (&'static str, Box<dyn FnMut() -> usize>);

struct Program {
    name: &'static str,
    /// Elementary operations of a run.
    ops: usize,
    variants: Vec<Variant>,
}

fn main() {
    let args = Args::parse();
    println!("{:5} {:11} {:>9} {:>9} {:>9}", "", "", "ns/op", "bytes/op", "by plain");
    for build in [p1, p2, p3a, p3b, p4, p5] {
        let mut program = build();
        if !args.programs.split(',').any(|p| p.eq_ignore_ascii_case(program.name)) {
            continue;
        }
        let ops = program.ops as f64;
        let mut best = vec![f64::INFINITY; program.variants.len()];
        let mut bytes = vec![0; program.variants.len()];
        // In turns, so that all see the same machine.
        for _ in 0..args.rounds {
            for (i, (_, run)) in program.variants.iter_mut().enumerate() {
                bytes[i] = run();
                let (start, mut least) = (Instant::now(), f64::INFINITY);
                while start.elapsed() < Duration::from_millis(args.millis) {
                    let one = Instant::now();
                    black_box(run());
                    least = least.min(one.elapsed().as_secs_f64());
                }
                best[i] = best[i].min(least * 1e9 / ops);
            }
        }
        for (i, (name, _)) in program.variants.iter().enumerate() {
            let (ns, bytes) = (best[i], bytes[i] as f64 / ops);
            println!("{:5} {name:11} {ns:9.3} {bytes:9.2} {:9.2}", program.name, ns / best[0]);
        }
    }
}

/// Numbers of a fixed sequence in (-1, 1).
fn numbers(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 + 13) % 10_007) as f64 / 5003.5 - 1.0).collect()
}

fn p1() -> Program {
    let weights: Vec<f64> = numbers(WEIGHTS).iter().map(|w| w * 0.3).collect();
    let x = numbers(WIDTHS[0]);
    let mut grads = vec![0.0; WEIGHTS];
    let plain = {
        let (weights, x, mut scratch) = (weights.clone(), x.clone(), [Vec::new(), Vec::new()]);
        move || {
            black_box(network(black_box(&weights[..]), &x, 0.5, &mut scratch));
            0
        }
    };
    let operators = {
        let (weights, x, mut grads, mut tape) = (weights.clone(), x.clone(), grads.clone(), Tape::new());
        move || {
            tape.reset();
            let mut scratch = [Vec::with_capacity(32), Vec::with_capacity(32)];
            let w: Vec<Var<'_>> = tape.vars(&weights).collect();
            let x: Vec<Var<'_>> = x.iter().map(|&x| Var::from(x)).collect();
            let y = network(&w, &x, 0.5, &mut scratch);
            let g = tape.gradient(y).expect("one tape");
            for (to, w) in grads.iter_mut().zip(&w) {
                *to = g.wrt(*w).expect("a variable");
            }
            black_box(&grads);
            tape.len() * 32
        }
    };
    let fused = {
        let mut tape = Tape::new();
        move || {
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
            black_box(&grads);
            tape.len() * 32
        }
    };
    Program {
        name: "P1",
        ops: P1_OPS,
        variants: vec![
            ("plain", Box::new(plain)),
            ("operators", Box::new(operators)),
            ("fused", Box::new(fused)),
        ],
    }
}

fn p2() -> Program {
    fn on_tape(step: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>) -> impl FnMut() -> usize {
        let mut tape = Tape::new();
        move || {
            tape.reset();
            let (start, y) = (tape.var(black_box(0.7)), tape.var(black_box(2.0)));
            let mut x = start;
            for _ in 0..P2_STEPS {
                x = step(x, y);
            }
            let g = tape.gradient(x).expect("one tape");
            black_box((g.wrt(start).expect("a variable"), g.wrt(y).expect("a variable")));
            tape.len() * 32
        }
    }
    let plain = || {
        let (mut x, y) = (black_box(0.7), black_box(2.0));
        for _ in 0..P2_STEPS {
            x = oscillate(x, y);
        }
        black_box(x);
        0
    };
    Program {
        name: "P2",
        ops: 5 * P2_STEPS,
        variants: vec![
            ("plain", Box::new(plain)),
            ("operators", Box::new(on_tape(|x, y| oscillate(x, y)))),
            ("fused", Box::new(on_tape(|x, y| fuse([x, y], |[x, y]| oscillate(x, y))))),
        ],
    }
}

/// Options of a run; 10⁵ of them in a benchmark of minutes, a thousand here.
const MANY: usize = 1000;

fn option(i: usize) -> [f64; 5] {
    [100.0, 80.0 + (i % 41) as f64, 0.03, 0.15 + (i % 7) as f64 * 0.02, 0.5 + (i % 5) as f64 * 0.1]
}

fn p3a() -> Program {
    fn on_tape(price: impl for<'t> Fn([Var<'t>; 5]) -> Var<'t>) -> impl FnMut() -> usize {
        let mut tape = Tape::new();
        move || {
            let mut nodes = 0;
            for i in 0..MANY {
                tape.reset();
                let x = option(i).map(|v| tape.var(v));
                let g = tape.gradient(price(x)).expect("one tape");
                black_box(x.map(|x| g.wrt(x).expect("a variable")));
                drop(g);
                nodes += tape.len();
            }
            nodes * 32
        }
    }
    let plain = || {
        for i in 0..MANY {
            black_box(black_scholes(black_box(option(i))));
        }
        0
    };
    Program {
        name: "P3a",
        ops: P3A_OPS * MANY,
        variants: vec![
            ("plain", Box::new(plain)),
            ("operators", Box::new(on_tape(|x| black_scholes(x)))),
            ("fused", Box::new(on_tape(|x| fuse(x, black_scholes)))),
        ],
    }
}

fn p3b() -> Program {
    const START: [f64; 7] = [0.0, 0.04, 1.5, 0.04, 0.3, -0.6, 0.02];
    fn path<R: Num>(x: [R; 7], normal: impl Fn(usize) -> [R; 2]) -> R {
        let [mut x, mut v, kappa, theta, xi, rho, rate] = x;
        let (model, other) = (Heston { kappa, theta, xi, rho, rate }, orthogonal(rho));
        for k in 0..P3B_STEPS {
            let [z1, z2] = normal(k);
            [x, v] = heston_step(x, v, &model, other, z1, z2);
        }
        payoff(x)
    }
    fn fused_path<'t>(x: [Var<'t>; 7], z: &[f64]) -> Var<'t> {
        let [mut x, mut v, kappa, theta, xi, rho, rate] = x;
        let other = orthogonal(rho);
        for k in 0..P3B_STEPS {
            let (z1, z2) = (z[2 * k], z[2 * k + 1]);
            // The logarithm does not depend on the last parameters, nor the variance on x: two statements of what they need.
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
    let z: Vec<f64> = numbers(2 * P3B_STEPS + MANY);
    let plain = {
        let z = z.clone();
        move || {
            for i in 0..MANY {
                let z = &z[i..];
                black_box(path(black_box(START), |k| [z[2 * k], z[2 * k + 1]]));
            }
            0
        }
    };
    let operators = {
        let (z, mut tape) = (z.clone(), Tape::new());
        move || {
            let mut nodes = 0;
            for i in 0..MANY {
                tape.reset();
                let z = &z[i..];
                let x = START.map(|v| tape.var(v));
                let y = path(x, |k| [z[2 * k].into(), z[2 * k + 1].into()]);
                let g = tape.gradient(y).expect("one tape");
                black_box(x.map(|x| g.wrt(x).expect("a variable")));
                drop(g);
                nodes += tape.len();
            }
            nodes * 32
        }
    };
    let fused = {
        let (z, mut tape) = (z.clone(), Tape::new());
        move || {
            let mut nodes = 0;
            for i in 0..MANY {
                tape.reset();
                let x = START.map(|v| tape.var(v));
                let g = tape.gradient(fused_path(x, &z[i..])).expect("one tape");
                black_box(x.map(|x| g.wrt(x).expect("a variable")));
                drop(g);
                nodes += tape.len();
            }
            nodes * 32
        }
    };
    fn lanes<const N: usize>(z: Vec<f64>) -> impl FnMut() -> usize {
        let mut tape = Tape::<Lanes<N>>::default();
        move || {
            let mut nodes = 0;
            for i in (0..MANY).step_by(N) {
                tape.reset();
                let x = START.map(|v| tape.var(Lanes([v; N])));
                let at = |k: usize| Var::constant(Lanes(std::array::from_fn(|lane| z[i + lane + k])));
                let y = path(x, |k| [at(2 * k), at(2 * k + 1)]);
                let g = tape.gradient(y).expect("one tape");
                black_box(x.map(|x| g.wrt(x).expect("a variable")));
                drop(g);
                nodes += tape.len();
            }
            nodes * (24 * N + 8)
        }
    }
    Program {
        name: "P3b",
        ops: P3B_OPS * MANY,
        variants: vec![
            ("plain", Box::new(plain)),
            ("operators", Box::new(operators)),
            ("fused", Box::new(fused)),
            ("4 lanes", Box::new(lanes::<4>(z.clone()))),
            ("8 lanes", Box::new(lanes::<8>(z))),
        ],
    }
}

fn p4() -> Program {
    fn on_tape(x: Vec<f64>, sum: impl for<'a, 't> Fn(&'a [Var<'t>]) -> Var<'t>) -> impl FnMut() -> usize {
        let mut tape = Tape::new();
        let mut grads = vec![0.0; x.len()];
        move || {
            tape.reset();
            let v: Vec<Var<'_>> = tape.vars(&x).collect();
            let g = tape.gradient(sum(&v)).expect("one tape");
            for (to, v) in grads.iter_mut().zip(&v) {
                *to = g.wrt(*v).expect("a variable");
            }
            black_box(&grads);
            (tape.len() - x.len()) * 32 + x.len() * 8
        }
    }
    let x = numbers(P4_N);
    let plain = {
        let x = x.clone();
        move || {
            let mut sum = 0.0;
            for x in black_box(&x[..]).windows(2) {
                sum += x[1] * x[0].exp();
            }
            black_box(sum);
            0
        }
    };
    let operators = on_tape(x.clone(), |x| {
        let mut sum = Var::from(0.0);
        for x in x.windows(2) {
            sum += x[1] * programs::Num::exp(x[0]);
        }
        sum
    });
    let fused = on_tape(x, |x| sum_of_products(x.windows(2).map(|x| (x[1], programs::Num::exp(x[0])))));
    Program {
        name: "P4",
        ops: 3 * (P4_N - 1),
        variants: vec![
            ("plain", Box::new(plain)),
            ("operators", Box::new(operators)),
            ("fused", Box::new(fused)),
        ],
    }
}

fn p5() -> Program {
    type Fields<R> = [Vec<R>; 2];
    /// All steps; `point` gives a field's next value from (u, v), the field, and its neighbours.
    #[inline(always)]
    fn march<R: Num>(mut now: Fields<R>, point: impl Fn([R; 7]) -> R) -> Fields<R> {
        let mut next = now.clone();
        for _ in 0..P5_STEPS {
            for (from, to) in now.iter().zip(&mut next) {
                for j in 1..SIDE - 1 {
                    for i in j * SIDE + 1..(j + 1) * SIDE - 1 {
                        let f = from[i];
                        let around = [from[i - 1], from[i + 1], from[i - SIDE], from[i + SIDE]];
                        let [west, east, south, north] = around;
                        to[i] = point([now[0][i], now[1][i], f, west, east, south, north]);
                    }
                }
            }
            std::mem::swap(&mut now, &mut next);
        }
        now
    }
    fn on_tape(point: impl for<'t> Fn([Var<'t>; 7]) -> Var<'t>) -> impl FnMut() -> usize {
        let start = numbers(2 * SIDE * SIDE);
        let mut tape = Tape::new();
        let mut grads = vec![0.0; start.len()];
        move || {
            tape.reset();
            let v: Vec<Var<'_>> = tape.vars(&start).collect();
            let (u, w) = v.split_at(SIDE * SIDE);
            let end = march([u.to_vec(), w.to_vec()], &point);
            let total: Var<'_> = end.iter().flatten().sum();
            let g = tape.gradient(total).expect("one tape");
            for (to, v) in grads.iter_mut().zip(&v) {
                *to = g.wrt(*v).expect("a variable");
            }
            black_box(&grads);
            tape.len() * 32
        }
    }
    let plain = {
        let start = numbers(2 * SIDE * SIDE);
        move || {
            let (u, v) = black_box(&start[..]).split_at(SIDE * SIDE);
            let end = march([u.to_vec(), v.to_vec()], |[u, v, f, w, e, s, n]| burgers(u, v, f, w, e, s, n));
            black_box(end);
            0
        }
    };
    Program {
        name: "P5",
        ops: P5_OPS,
        variants: vec![
            ("plain", Box::new(plain)),
            ("operators", Box::new(on_tape(|[u, v, f, w, e, s, n]| burgers(u, v, f, w, e, s, n)))),
            ("fused", Box::new(on_tape(|x| fuse(x, |[u, v, f, w, e, s, n]| burgers(u, v, f, w, e, s, n))))),
        ],
    }
}
