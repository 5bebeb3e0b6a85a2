//! The derivative of a formula, by a reverse sweep over its steps that writes down more steps.

use super::Formula;
use super::expr::{Arithmetic, Expr, Step, continued};
use crate::real::{Float, Real};

/// ∂f/∂input `i`.
pub(super) fn slope<T: Float>(f: &Formula<T>, i: usize) -> (Vec<Step<T>>, u32) {
    continued(&f.steps, |at| sweep(f, i, at, at(0).like(1.0)))
}

/// g ∂f/∂input `i`, where g is one more input.
pub(super) fn adjoint<T: Float>(f: &Formula<T>, i: usize) -> (Vec<Step<T>>, u32) {
    continued(&f.steps, |at| sweep(f, i, at, at(0).push(Step::Input(f.inputs))))
}

fn sweep<'e, T: Float>(
    f: &Formula<T>,
    input: usize,
    at: &dyn Fn(u32) -> Expr<'e, T>,
    seed: Expr<'e, T>,
) -> Expr<'e, T> {
    // Only what lies between the input and the output.
    let mut active = vec![false; f.steps.len()];
    for (id, step) in f.steps.iter().enumerate() {
        active[id] = match step {
            Step::Input(i) => *i == input,
            Step::Compare(..) => false,
            other => other.operands().iter().any(|&o| active[o as usize]),
        };
    }
    // Behind a branch that is not taken the cotangent is zero, and a product of zero with a pole would be NaN.
    let branches = f.steps.iter().any(|s| matches!(s, Step::Select(_)));
    let times = |g: Expr<'e, T>, slope: Expr<'e, T>| {
        let product = g * slope;
        if branches { Expr::select(g.equals(g.like(0.0)), g, product) } else { product }
    };
    let mut cotangents: Vec<Option<Expr<'e, T>>> = vec![None; f.steps.len()];
    cotangents[f.output as usize] = Some(seed);
    for id in (0..=f.output).rev() {
        let (Some(g), true) = (cotangents[id as usize], active[id as usize]) else {
            continue;
        };
        let mut give = |to: u32, g: &dyn Fn() -> Expr<'e, T>| {
            if active[to as usize] {
                let slot = &mut cotangents[to as usize];
                *slot = Some(slot.map_or_else(g, |sum| sum + g()));
            }
        };
        match &f.steps[id as usize] {
            Step::Input(_) | Step::Constant(_) | Step::Compare(..) => {}
            Step::Unary(p, x) => give(*x, &|| times(g, p.slope(at(*x), at(id)))),
            Step::Binary(p, [a, b]) => {
                let [da, db] = p.slopes(at(*a), at(*b), at(id));
                give(*a, &|| times(g, da));
                give(*b, &|| times(g, db));
            }
            Step::Arithmetic(op, [a, b]) => {
                let (va, vb) = (at(*a), at(*b));
                match op {
                    Arithmetic::Add => {
                        give(*a, &|| g);
                        give(*b, &|| g);
                    }
                    Arithmetic::Sub => {
                        give(*a, &|| g);
                        give(*b, &|| -g);
                    }
                    Arithmetic::Mul => {
                        give(*a, &|| times(g, vb));
                        give(*b, &|| times(g, va));
                    }
                    Arithmetic::Div => {
                        give(*a, &|| times(g, vb.like(1.0) / vb));
                        give(*b, &|| times(g, -(at(id) / vb)));
                    }
                }
            }
            Step::Select([mask, yes, no]) => {
                let zero = g.like(0.0);
                let chosen = |taken, other| g.push(Step::Select([*mask, taken, other]));
                give(*yes, &|| chosen(g.id(), zero.id()));
                give(*no, &|| chosen(zero.id(), g.id()));
            }
        }
    }
    let inputs = f.steps.iter().position(|s| matches!(s, Step::Input(i) if *i == input));
    inputs.and_then(|i| cotangents[i]).unwrap_or_else(|| seed.like(0.0))
}
