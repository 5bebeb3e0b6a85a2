//! The derivative of a formula, by a reverse sweep over its steps that appends more steps.

use super::Formula;
use super::expr::{Arithmetic, Expr, Step, continued};
use crate::number::{Float, Real};

/// ∂f/∂input `i`.
pub(super) fn slope<T: Float>(f: &Formula<T>, i: usize) -> (Vec<Step<T>>, u32) {
    continued(&f.steps, |at| sweep(f, i, at, at(0).like(1.0)))
}

/// g ∂f/∂input `i`, where g is an additional input.
pub(super) fn adjoint<T: Float>(f: &Formula<T>, i: usize) -> (Vec<Step<T>>, u32) {
    continued(&f.steps, |at| sweep(f, i, at, at(0).push(Step::Input(f.inputs))))
}

/// What a step has received: its cotangent, and the number of taken branches that use it, or `None` if the formula
/// always uses it. A cotangent of zero alone does not mean that the step is unused: its own derivative need not be
/// zero.
#[derive(Clone, Copy)]
struct Cotangent<'e, T: Float> {
    g: Expr<'e, T>,
    live: Option<Expr<'e, T>>,
}

impl<T: Float> Cotangent<'_, T> {
    fn plus(self, o: Self) -> Self {
        Cotangent { g: self.g + o.g, live: self.live.zip(o.live).map(|(a, b)| a + b) }
    }
}

fn sweep<'e, T: Float>(
    f: &Formula<T>,
    input: usize,
    at: &dyn Fn(u32) -> Expr<'e, T>,
    seed: Expr<'e, T>,
) -> Expr<'e, T> {
    // Only the steps between the input and the output.
    let mut active = vec![false; f.steps.len()];
    for (id, step) in f.steps.iter().enumerate() {
        active[id] = match step {
            Step::Input(i) => *i == input,
            Step::Compare(..) => false,
            other => other.operands().iter().any(|&o| active[o as usize]),
        };
    }
    let mut cotangents: Vec<Option<Cotangent<'e, T>>> = vec![None; f.steps.len()];
    cotangents[f.output as usize] = Some(Cotangent { g: seed, live: None });
    for id in (0..=f.output).rev() {
        let (Some(Cotangent { g, live }), true) = (cotangents[id as usize], active[id as usize]) else {
            continue;
        };
        let mut add = |to: u32, c: &dyn Fn() -> Cotangent<'e, T>| {
            if active[to as usize] {
                let slot = &mut cotangents[to as usize];
                *slot = Some(slot.map_or_else(c, |sum| sum.plus(c())));
            }
        };
        let mut give = |to: u32, g: &dyn Fn() -> Expr<'e, T>| add(to, &|| Cotangent { g: g(), live });
        // The product of zero and a pole would be NaN on a branch that is not taken.
        let times = |g: Expr<'e, T>, slope: Expr<'e, T>| match live {
            None => g * slope,
            Some(live) => Expr::select(live.greater(0.0), g * slope, g.like(0.0)),
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
                let (zero, one) = (g.like(0.0), live.unwrap_or_else(|| g.like(1.0)));
                let chosen = |taken: Expr<'e, T>, other: Expr<'e, T>| {
                    g.push(Step::Select([*mask, taken.id(), other.id()]))
                };
                add(*yes, &|| Cotangent { g: chosen(g, zero), live: Some(chosen(one, zero)) });
                add(*no, &|| Cotangent { g: chosen(zero, g), live: Some(chosen(zero, one)) });
            }
        }
    }
    let inputs = f.steps.iter().position(|s| matches!(s, Step::Input(i) if *i == input));
    inputs.and_then(|i| cotangents[i]).map_or_else(|| seed.like(0.0), |c| c.g)
}
