//! Newton's method on Rosenbrock's function, with gradient and Hessian from the tape.
//!
//! `cargo run -p wengert-tape --example newton`

#![allow(clippy::print_stdout, reason = "an example prints")]

use wengert_ops::Tensor;
use wengert_tape::{Error, Tape, Var, hessian};

/// (1 - x)² + 100 (y - x²)², which is 0 at (1, 1).
fn rosenbrock(p: Var<'_, f64>) -> Var<'_, f64> {
    let (x, y) = (p.select(0, 0), p.select(0, 1));
    (1.0 - x).square() + 100.0 * (y - x.square()).square()
}

fn main() -> Result<(), Error> {
    let mut at = Tensor::from([-1.2, 1.0]);
    for step in 0..10 {
        let tape = Tape::new();
        let p = tape.var(&at);
        let value = rosenbrock(p);
        let gradient = value.backward()?.wrt(p)?.clone();
        println!("{step}  f = {:.3e}  at {:?}", value.item()?, at.to_vec());
        let curvature = hessian(rosenbrock, &at)?;
        let downhill = curvature.solve(&gradient)?;
        at = at.sub(&downhill)?;
    }
    assert!(at.to_vec().iter().all(|x| (x - 1.0).abs() < 1e-9));
    Ok(())
}
