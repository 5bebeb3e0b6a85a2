//! The sensitivities ("Greeks") of a call option on the scalar tape: one formula, written once over any kind of number,
//! is evaluated, differentiated to the second order, traced, and compared with a simulation with eight paths per node.
//!
//! The formula is that of Black and Scholes (1973): C = S Φ(d₁) - K e^(-rT) Φ(d₂), d₁ = (ln(S/K) + (r + σ²/2) T) / (σ √T),
//! d₂ = d₁ - σ √T.
//!
//! `cargo run --release --example greeks`, or with a folder into which an interactive page of the steps is written

use std::path::PathBuf;
use wengert::prelude::*;
use wengert::tape::Elementary;
use wengert::tape::scalar::{Lanes, Number, Tape, Traced, gradient, hessian};
use wengert::trace::{Explain, Trace, page};

type Failure = Box<dyn std::error::Error>;

const STRIKE: f64 = 105.0;
/// Spot, rate, volatility, time in years.
const MARKET: [f64; 4] = [100.0, 0.03, 0.25, 0.75];

/// The price of a call.
fn call<R: Real>([spot, rate, vol, time]: [R; 4]) -> R {
    let deviation = vol * time.sqrt();
    let d1 = ((spot.scale(1.0 / STRIKE)).log() + (rate + vol.square().scale(0.5)) * time) / deviation;
    let d2 = d1 - deviation;
    spot * d1.normal_cdf() - ((-rate * time).exp() * d2.normal_cdf()).scale(STRIKE)
}

const LANES: usize = 8;
const STEPS: usize = 12;

/// The discounted payoff of a path, from normal deviates: a program over any number, here one with eight lanes.
fn path<R: Number>([spot, rate, vol, time]: [R; 4], deviates: &[R]) -> R {
    let dt = time.scale(1.0 / deviates.len() as f64);
    let (drift, step) = ((rate - vol.square().scale(0.5)) * dt, vol * dt.sqrt());
    let mut log_growth = R::of(0.0);
    for &z in deviates {
        log_growth = log_growth + drift + step * z;
    }
    let payoff = (spot * log_growth.exp() - R::of(STRIKE)).relu();
    (-rate * time).exp() * payoff
}

/// Sums over one batch of paths: price and derivatives, and their squares. Each batch has its own seed.
fn batch(seed: u64, paths: usize) -> Result<[[f64; 5]; 2], Error> {
    let z = Tensor::<f64>::randn([paths, STEPS, LANES], &mut Rng::seed(seed))?.to_vec();
    let (mut sums, mut tape) = ([[0.0; 5]; 2], Tape::<Lanes<LANES>>::default());
    for z in z.chunks_exact(STEPS * LANES) {
        tape.reset();
        let x = MARKET.map(|c| tape.var(Lanes([c; LANES])));
        let deviates = z.chunks_exact(LANES).map(|z| Lanes(std::array::from_fn(|i| z[i])));
        let deviates: Vec<_> = deviates.map(|z| tape.constant(z)).collect();
        let payoff = path(x, &deviates);
        let g = tape.gradient(payoff)?;
        let all = [payoff.value(), g.wrt(x[0])?, g.wrt(x[1])?, g.wrt(x[2])?, g.wrt(x[3])?];
        for (i, lanes) in all.into_iter().enumerate() {
            sums[0][i] += lanes.sum();
            sums[1][i] += lanes.0.iter().map(|v| v * v).sum::<f64>();
        }
    }
    Ok(sums)
}

/// Means and standard errors over batches, each on a thread with its own tape. They are added in order, so that the
/// result does not depend on the scheduling of the threads.
fn simulate(batches: usize, paths: usize) -> Result<[[f64; 5]; 2], Error> {
    let all: Vec<Result<_, Error>> = std::thread::scope(|s| {
        let started: Vec<_> = (0..batches).map(|b| s.spawn(move || batch(b as u64, paths))).collect();
        started.into_iter().map(|t| t.join().expect("a batch does not panic")).collect()
    });
    let mut sums = [[0.0; 5]; 2];
    for one in all {
        let one = one?;
        (0..2).for_each(|k| (0..5).for_each(|i| sums[k][i] += one[k][i]));
    }
    let n = (batches * paths * LANES) as f64;
    let mean = sums[0].map(|s| s / n);
    let error = |i: usize| ((sums[1][i] / n - mean[i] * mean[i]) / n).sqrt();
    Ok([mean, std::array::from_fn(error)])
}

fn analyse(folder: Option<PathBuf>, paths: usize) -> Result<(), Failure> {
    // First order: one sweep for all four inputs. Second order: a sweep of dual numbers for each input.
    let (price, greeks) = gradient(|x| call([x[0], x[1], x[2], x[3]]), &MARKET)?;
    let second = hessian(|x| call([x[0], x[1], x[2], x[3]]), &MARKET)?;
    let (gamma, vanna) = (second[0][0], second[0][2]);

    // The textbook's formulas, with plain numbers.
    let [spot, rate, vol, time] = MARKET;
    let d1 = ((spot / STRIKE).ln() + (rate + vol * vol / 2.0) * time) / (vol * time.sqrt());
    let d2 = d1 - vol * time.sqrt();
    let textbook = [d1.normal_cdf(), STRIKE * time * (-rate * time).exp() * d2.normal_cdf()];
    let vega = spot * d1.normal_pdf() * time.sqrt();
    for (name, ours, want) in [
        ("delta  ∂C/∂S", greeks[0], textbook[0]),
        ("rho    ∂C/∂r", greeks[1], textbook[1]),
        ("vega   ∂C/∂σ", greeks[2], vega),
        ("gamma ∂²C/∂S²", gamma, d1.normal_pdf() / (spot * vol * time.sqrt())),
        ("vanna ∂²C/∂S∂σ", vanna, -d1.normal_pdf() * d2 / vol),
    ] {
        println!("{name:14} {ours:10.6}, the formula's {want:10.6}");
        assert!((ours - want).abs() < 1e-12 * (1.0 + want.abs()), "{name}");
    }

    let [mean, error] = simulate(8, paths)?;
    let exact = [price, greeks[0], greeks[1], greeks[2], greeks[3]];
    for (i, name) in ["price", "delta", "rho", "vega", "theta"].into_iter().enumerate() {
        println!("{name:6} by simulation {:9.4} ± {:.4}, exactly {:9.4}", mean[i], error[i], exact[i]);
        assert!((mean[i] - exact[i]).abs() < 4.0 * error[i], "{name} is off");
    }

    // The same program, traced.
    let tape = Tape::<Traced>::default();
    let x =
        [("S", spot), ("r", rate), ("σ", vol), ("T", time)].map(|(name, c)| tape.var(Traced(c)).named(name));
    let c = call(x).named("C");
    println!("\n{}", tape.explain(c, x[2])?);
    if let Some(folder) = folder {
        let file = folder.join("call.html");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(&file, page::html(&Trace::of(c)?))?;
        println!("a page to step through: {}", file.display());
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    analyse(std::env::args().nth(1).map(PathBuf::from), 20_000)
}

#[test]
fn runs() {
    analyse(None, 500).unwrap();
    let (one, again) = (simulate(3, 50).unwrap(), simulate(3, 50).unwrap());
    assert_eq!(one, again);
}
