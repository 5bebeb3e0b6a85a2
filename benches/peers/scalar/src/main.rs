//! Times the scalar tape's programs in other engines of reverse mode, beside plain `f64` in the same run. The programs and
//! the timing are those of `benches/src/scalar`.
//!
//! `RUSTFLAGS="-C target-cpu=native" CARGO_PROFILE_RELEASE_LTO=fat cargo run --release --features xad --ignore-rust-version`

mod engines;
#[path = "../../../src/scalar/harness.rs"]
mod harness;
#[path = "../../../src/scalar/programs.rs"]
mod programs;

use engines::*;
use harness::{Program, Run};
use programs::*;
use std::hint::black_box;

fn main() {
    harness::main([p1, p2, p3a, p3b, p4, p5], || {
        let (weights, x) = network_inputs();
        let mut grads = vec![0.0; WEIGHTS];
        on_network(&mut Reverse::with_capacity(P1_OPS), &weights, &x, &mut grads);
        black_box(&grads);
    });
}

/// A program without, and with the engines.
fn program<const N: usize>(
    name: &'static str,
    ops: usize,
    inputs: usize,
    mut plain: impl FnMut() + 'static,
    engines: [Option<(&'static str, Run)>; N],
) -> Program {
    let plain: Run = Box::new(move |_| {
        plain();
        0
    });
    let engines = engines.into_iter().flatten();
    Program { name, ops, inputs, variants: std::iter::once(("plain", plain)).chain(engines).collect() }
}

/// A function with the engine as its parameter, for each of them.
macro_rules! engines {
    ($on:ident) => {
        [
            engines!($on, Reverse),
            engines!($on, Aad),
            engines!($on, Echidna),
            #[cfg(feature = "xad")]
            engines!($on, Xad),
        ]
    };
    ($on:ident, $engine:ident) => {
        Some(($engine::NAME, $on::<$engine>()))
    };
}

fn on_network<E: Engine>(engine: &mut E, weights: &[f64], x: &[f64], grads: &mut [f64]) -> usize {
    engine.gradient(weights, grads, |w| {
        let mut scratch = [Vec::with_capacity(32), Vec::with_capacity(32)];
        let x: Vec<_> = x.iter().map(|&x| w[0].constant(x)).collect();
        network(w, &x, 0.5, &mut scratch)
    })
}

fn p1() -> Program {
    fn on<E: Engine>() -> Run {
        let ((weights, x), mut engine) = (network_inputs(), E::with_capacity(P1_OPS + WEIGHTS));
        Box::new(move |grads| on_network(&mut engine, &weights, &x, grads))
    }
    let ((weights, x), mut scratch) = (network_inputs(), [Vec::new(), Vec::new()]);
    let plain = move || {
        black_box(network(black_box(&weights[..]), &x, 0.5, &mut scratch));
    };
    program("P1", P1_OPS, WEIGHTS, plain, engines!(on))
}

fn p2() -> Program {
    fn on<E: Engine>() -> Run {
        let mut engine = E::with_capacity(5 * P2_STEPS + 2);
        Box::new(move |grads| {
            engine.gradient(&black_box(P2_START), grads, |v| {
                let (mut x, y) = (v[0], v[1]);
                for _ in 0..P2_STEPS {
                    x = oscillate(x, y);
                }
                x
            })
        })
    }
    let plain = || {
        let [mut x, y] = black_box(P2_START);
        for _ in 0..P2_STEPS {
            x = oscillate(x, y);
        }
        black_box(x);
    };
    program("P2", 5 * P2_STEPS, 2, plain, engines!(on))
}

fn p3a() -> Program {
    fn on<E: Engine>() -> Run
    where
        for<'t> E::Var<'t>: ErrorFunction,
    {
        let mut engine = E::with_capacity(P3A_OPS + 5);
        Box::new(move |grads| {
            let grads = grads.chunks_exact_mut(5).enumerate();
            grads.map(|(i, grads)| engine.gradient(&option(i), grads, |x| black_scholes(first(x)))).sum()
        })
    }
    let plain = || {
        for i in 0..MANY {
            black_box(black_scholes(black_box(option(i))));
        }
    };
    // `reverse` has no error function, and no way to add one.
    let engines = [
        engines!(on, Aad),
        engines!(on, Echidna),
        #[cfg(feature = "xad")]
        engines!(on, Xad),
    ];
    program("P3a", P3A_OPS * MANY, 5 * MANY, plain, engines)
}

fn p3b() -> Program {
    fn on<E: Engine>() -> Run {
        let (z, mut engine) = (normals(), E::with_capacity(P3B_OPS + 7));
        Box::new(move |grads| {
            let grads = grads.chunks_exact_mut(7).enumerate();
            grads
                .map(|(i, grads)| {
                    let z = &z[i..];
                    engine.gradient(&START, grads, |x| path(first(x), |k| [z[2 * k], z[2 * k + 1]]))
                })
                .sum()
        })
    }
    let z = normals();
    let plain = move || {
        for i in 0..MANY {
            let z = &z[i..];
            black_box(path(black_box(START), |k| [z[2 * k], z[2 * k + 1]]));
        }
    };
    program("P3b", P3B_OPS * MANY, 7 * MANY, plain, engines!(on))
}

fn p4() -> Program {
    fn on<E: Engine>() -> Run {
        let (x, mut engine) = (numbers(P4_N), E::with_capacity(4 * P4_N));
        Box::new(move |grads| engine.gradient(&x, grads, |x| chain(x, x[0].constant(0.0))))
    }
    let x = numbers(P4_N);
    let plain = move || {
        black_box(chain(black_box(&x[..]), 0.0));
    };
    program("P4", 3 * (P4_N - 1), P4_N, plain, engines!(on))
}

fn p5() -> Program {
    fn on<E: Engine>() -> Run {
        let (start, mut engine) = (numbers(2 * SIDE * SIDE), E::with_capacity(P5_OPS + 4 * SIDE * SIDE));
        Box::new(move |grads| {
            engine.gradient(&start, grads, |v| {
                let (u, w) = v.split_at(SIDE * SIDE);
                let end = march([u.to_vec(), w.to_vec()], burgers);
                let mut all = end.iter().flatten().copied();
                let first = all.next().expect("points");
                all.fold(first, |sum, x| sum + x)
            })
        })
    }
    let start = numbers(2 * SIDE * SIDE);
    let plain = move || {
        let (u, v) = black_box(&start[..]).split_at(SIDE * SIDE);
        black_box(march([u.to_vec(), v.to_vec()], burgers));
    };
    program("P5", P5_OPS, 2 * SIDE * SIDE, plain, engines!(on))
}

fn first<R: Copy, const N: usize>(x: &[R]) -> [R; N] {
    std::array::from_fn(|i| x[i])
}
