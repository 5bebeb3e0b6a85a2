//! A user-defined formula, elementwise: y = f(x), and y = f(a, b) with broadcasting. Cotangents: g f'(x), and g times the
//! partial derivatives, which are formulas too (see [`crate::formula`]).

use super::prelude::*;
use crate::formula::{Elementary, Expr, Formula};
use crate::tape::op::OpRef;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_ops::kernel::pointwise::loops;

struct Traced<T: Float>(Arc<Formula<T>>);

impl<T: Float> Traced<T> {
    #[track_caller]
    fn record<'t>(formula: &Arc<Formula<T>>, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].tape().record(OpRef::Shared(Arc::new(Traced(Arc::clone(formula)))), x)
    }

    fn pull(&self, r: &BackwardContext<'_, T>, i: usize) -> Result<Tensor<T>> {
        let (program, g) = (self.0.adjoint(i), r.gy()?);
        let gx = match self.0.inputs {
            1 => loops("map", [r.x(0)?, g], program),
            _ => loops("zip_map", [r.x(0)?, r.x(1)?, g], program),
        }?;
        Ok(gx.sum_to(r.shape(i))?)
    }
}

impl<T: Float> Op<T> for Traced<T> {
    fn name(&self) -> &'static str {
        if self.0.inputs == 1 { "map" } else { "zip_map" }
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(match x {
            [x] => loops("map", [*x], &self.0.program),
            _ => loops("zip_map", [x[0], x[1]], &self.0.program),
        }?
        .into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let pull = |i: usize| {
            r.when(i, || (r.gy() * Self::record(self.0.slope(i), r.inputs())).sum_to(r.x(i).raw_shape()))
        };
        (0..self.0.inputs).map(pull).collect()
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let pull = |i: usize| r.needs(i).then(|| self.pull(r, i)).transpose();
        Some((0..self.0.inputs).map(pull).collect())
    }
    fn equation(&self) -> Option<Equation> {
        let inputs: Vec<Term> = (0..self.0.inputs).map(Term::Input).collect();
        let slopes = (0..self.0.inputs).map(|i| self.0.slope(i).term(&inputs)).collect::<Option<_>>()?;
        Some(Equation { value: self.0.term(&inputs)?, slopes })
    }
    fn elementwise(&self) -> Option<&dyn ElementwiseOp<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<T: Float> ElementwiseOp<T> for Traced<T> {
    fn cost(&self) -> usize {
        self.0.program.cost()
    }
    fn value(&self, x: &[&[T]], y: &mut [T]) {
        self.0.program.run_blocks(x, y);
    }
    fn adjoint(&self, i: usize, g: &[T], x: &[&[T]], _y: &[T], gx: &mut [T]) {
        let operands: SmallVec<[&[T]; 3]> = x.iter().copied().chain([g]).collect();
        self.0.adjoint(i).run_blocks(&operands, gx);
    }
    fn reads(&self, _i: usize) -> Saves {
        Saves::INPUTS
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Your own formula, elementwise, differentiable to any order, without writing a derivative.
    ///
    /// The closure runs once, with an [`Expr`] in place of a number, whatever the size of this value. The formula runs over
    /// blocks of elements in cache, vectorised and on all threads, without intermediate results in memory; its derivative
    /// is derived from it. Functions come from [`Elementary`](crate::Elementary), branches are [`Expr::select`], and
    /// captured numbers are constants. For several values see [`zip_map`](Var::zip_map).
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Elementary, Tape};
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::from([0.5, 2.0]));
    /// let y = x.map(|s| s * s.sin() + 1.0);
    /// let slope = y.sum().grad(x)?;                   // sin x + x cos x
    /// assert!((slope.value()?.to_vec()[1] - (2f64.sin() + 2.0 * 2f64.cos())).abs() < 1e-15);
    /// let bend = slope.sum().grad(x)?;                // 2 cos x - x sin x
    /// assert!((bend.value()?.to_vec()[1] - (2.0 * 2f64.cos() - 2.0 * 2f64.sin())).abs() < 1e-15);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn map(self, f: impl for<'e> Fn(Expr<'e, T>) -> Expr<'e, T>) -> Self {
        Traced::record(&Arc::new(Formula::trace(|[x]| f(x))), &[self])
    }

    /// Your own formula of two numbers, elementwise over this value and another, which broadcast; otherwise as
    /// [`map`](Var::map).
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Elementary, Tape};
    /// let tape = Tape::new();
    /// let (a, b) = (tape.var(Tensor::from([3.0, 6.0])), tape.var(4.0));
    /// let y = a.zip_map(b, |a, b| (a * a + b * b).sqrt());
    /// assert_eq!(y.value()?.to_vec()[0], 5.0);
    /// assert!((y.sum().backward()?.wrt(a)?.to_vec()[0] - 0.6).abs() < 1e-15);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_map(
        self,
        o: impl Operand<'t, T>,
        f: impl for<'e> Fn(Expr<'e, T>, Expr<'e, T>) -> Expr<'e, T>,
    ) -> Self {
        let o = o.into_var(self.tape());
        Traced::record(&Arc::new(Formula::trace(|[a, b]| f(a, b))), &[self, o])
    }
}

/// Formulas with every kind of step; their branches are smooth to the second order where they meet.
fn formula<R: Real>(x: R, which: usize) -> R {
    let cube = |s: R| s * s * s;
    match which {
        0 => x * x.sin(),
        1 => (x * x + x.like(1.0)).recip().scale(3.0) - x.exp() / (x * x + x.like(2.0)),
        2 => R::select(x.lt(x.like(0.0)), -cube(x) * x, cube(x) * x).scale(0.1).tanh(),
        3 => x.like(1.5),
        4 => x,
        5 => (x.square() + x.like(0.5)).sqrt().log().power(2.0) - x.erf(),
        _ => x.hypot(x.like(1.0)) * x.softplus().sigmoid(),
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["map", "zip_map"], Order::Second, |g, which| {
        let ((a, b), kind, other) = (g.pair(), g.within(0..=6), g.within(0..=6));
        let mut x = vec![g.tensor(&a, Domain::Between(-2.0, 2.0))];
        if which == 1 {
            x.push(g.tensor(&b, Domain::Between(-2.0, 2.0)));
        }
        case!(x, [], |x| match x {
            [x] => x.map(|s| formula(s, kind)),
            _ => x[0].zip_map(x[1], |a, b| formula(a, kind) * formula(b - a, other) + a / (b * b + 1.0)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_branch_a_product_that_is_zero_has_a_second_derivative() {
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(Tensor::from([2.0])), tape.var(Tensor::from([2.0])));
        // a² (b - a) with a branch: ∂²/∂a² = 2b - 6a = -8, ∂²/∂a∂b = 2a = 4, where the factor b - a is 0.
        let y = a.zip_map(b, |a, b| Expr::select(a.greater(0.0), a * a, a * 3.0) * (b - a));
        let slope = y.sum().grad(a).unwrap();
        let g = slope.sum().backward_retaining().unwrap();
        assert_eq!(g.wrt(a).unwrap().to_vec(), [-8.0]);
        assert_eq!(g.wrt(b).unwrap().to_vec(), [4.0]);
        assert_eq!(slope.sum().grad(b).unwrap().value().unwrap().to_vec(), [4.0]);
    }

    #[test]
    fn a_branch_that_is_not_taken_has_no_influence_of_any_order() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([-1.0, 0.0, 4.0]));
        let y = x.map(|s| Expr::select(s.greater(0.0), s.sqrt() + s.log(), s * s));
        assert_eq!(y.value().unwrap().to_vec(), [1.0, 0.0, 2.0 + 4f64.ln()]);
        let first = y.sum().grad(x).unwrap();
        assert_eq!(first.value().unwrap().to_vec(), [-2.0, 0.0, 0.5]);
        let second = first.sum().grad(x).unwrap().value().unwrap().to_vec();
        assert_eq!(second, [2.0, 2.0, -0.25 / 8.0 - 1.0 / 16.0]);
        assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [-2.0, 0.0, 0.5]);
    }

    #[test]
    fn derivatives_have_no_last_order() {
        let tape = Tape::<f64>::new();
        let x = tape.var(0.7);
        let mut y = x.map(|s| s.sin());
        for want in [0.7f64.cos(), -0.7f64.sin(), -0.7f64.cos(), 0.7f64.sin(), 0.7f64.cos()] {
            y = y.grad(x).unwrap();
            assert!((y.item().unwrap() - want).abs() < 1e-14);
        }
    }

    #[test]
    fn the_closure_runs_once_and_large_values_come_out_the_same_as_ops() {
        let calls = std::cell::Cell::new(0);
        let tape = Tape::<f32>::new();
        let values = wengert_ops::Tensor::steps(-3.0, 1e-4, 60_000);
        let x = tape.var(&values);
        let y = x.map(|s| {
            calls.set(calls.get() + 1);
            (s * 2.0 + 1.0).tanh() * s.sigmoid()
        });
        let z = (x * 2.0 + 1.0).tanh() * x.sigmoid();
        assert_eq!((calls.get(), y.value().unwrap()), (1, z.value().unwrap()));
        let e = x.zip_map(Tensor::ones([7]), |a, b| a + b).value().unwrap_err();
        assert_eq!(e.op(), "zip_map");
        assert!(e.to_string().contains("[60000]") && e.to_string().contains("[7]"), "{e}");
    }
}
