//! A custom operation, with its gradient checked: x ↦ x · exp(-|x|²/2) for each row x of a matrix.
//!
//! `cargo run --example custom_op`

use wengert::ops::Result as OpResult;
use wengert::prelude::*;
use wengert::tape::gradcheck::{Check, Domain, Gen};
use wengert::tape::{Cotangents, ForwardOutput, Op, VjpContext, cotangents};

/// Rows `[n, d]` damped by their length.
struct Damp;

impl<T: Float> Op<T> for Damp {
    fn name(&self) -> &'static str {
        "damp"
    }

    /// y = x w with w = exp(-|x|²/2), a number per row.
    fn forward(&self, x: &[&Tensor<T>]) -> OpResult<ForwardOutput<T>> {
        let w = x[0].mul(x[0])?.sum_keepdim(-1)?.scale(-0.5).map(T::exp);
        Ok(x[0].mul(&w)?.into())
    }

    /// gx = w (gy - x ⟨gy, x⟩). The rule consists of operations on `Var`, so it can be differentiated again.
    fn vjp<'s>(&self, rule: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, gy) = (rule.x(0), rule.gy());
        let w = (x.square().sum_keepdim(-1) * -0.5).exp();
        cotangents([Some(w * (gy - x * (gy * x).sum_keepdim(-1)))])
    }
}

/// The operation as a method of `Var`.
trait DampExt<'t, T: Float> {
    fn damp(self) -> Var<'t, T>;
}

impl<'t, T: Float> DampExt<'t, T> for Var<'t, T> {
    #[track_caller]
    fn damp(self) -> Var<'t, T> {
        self.tape().apply(Damp, &[self])
    }
}

fn main() -> Result<(), Error> {
    let tape = Tape::new();
    let x = tape.var(Tensor::from([[0.5, -1.0], [3.0, 0.0]]));
    let y = x.damp();
    println!("y =\n{}", y.value()?);
    println!("gradient of Σ y =\n{}", y.sum().backward()?.wrt(x)?);

    // First and second order against finite differences, over shapes, layouts and difficult values.
    let mut generate = Gen::seeded(0);
    let mut compared = 0;
    for _ in 0..50 {
        let shape = generate.full_shape(2..=3);
        let input = generate.tensor(&shape, Domain::Real);
        let report = Check::new("damp").run(|x| x[0].damp(), &[input]);
        assert!(report.passed(), "{report}");
        compared += report.compared;
    }
    println!("{compared} entries of Jacobians agree with finite differences");
    assert!(compared > 1000);

    // A vector has rows of one number; a scalar has none, which is an error with a line of this file.
    let error = tape.var(Tensor::scalar(1.0)).damp().value().unwrap_err();
    println!("{error}");
    assert!(error.location().is_some_and(|at| at.file().ends_with("custom_op.rs")));
    Ok(())
}

#[test]
fn runs() {
    main().unwrap();
}
