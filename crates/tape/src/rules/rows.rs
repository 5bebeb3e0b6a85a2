//! rows: a scalar program applied to each row of a tensor, [.., n] → [.., m]. Cotangents: a scalar tape records each row
//! again and sweeps it; the second order uses a tape of dual numbers.

use super::prelude::*;
use crate::error::{Error, ErrorKind};
use crate::scalar::{self, Dual, Function, Number};
use crate::tape::op::OpRef;
use std::sync::Arc;

/// The program, as an op.
struct Rows<P>(Arc<P>);

/// gᵀJ of the program, as a function of the row and of g, which the recorded sweep records.
struct PulledRows<P>(Arc<P>);

/// The length of the rows, and all elements in order.
fn rows<T: Float>(x: &Tensor<T>) -> (usize, Vec<T>) {
    (x.shape().last().copied().unwrap_or(1), x.to_vec())
}

/// A tensor with as many rows as `like`, of another length.
fn shaped<T: Float>(values: Vec<T>, like: &Tensor<T>, length: usize) -> wengert_ops::Result<Tensor<T>> {
    let mut shape = like.shape().to_vec();
    match shape.last_mut() {
        Some(last) => *last = length,
        None => {
            return Err(refused("expected rows, found a tensor of rank 0".to_owned()));
        }
    }
    Tensor::from_vec(values, &shape[..])
}

fn refused(detail: String) -> wengert_ops::Error {
    wengert_ops::Error::new("rows", wengert_ops::ErrorKind::Argument, detail)
}

/// gᵀJ of every row, computed on one scalar tape.
fn pull<T: Float + Number>(p: &impl Function, x: &Tensor<T>, g: &Tensor<T>) -> Result<Tensor<T>> {
    let ((n, values), (m, cotangents)) = (rows(x), rows(g));
    let mut tape = scalar::Tape::<T>::default();
    let mut pulled = Vec::with_capacity(values.len());
    for (row, g) in values.chunks(n.max(1)).zip(cotangents.chunks(m.max(1))) {
        tape.reset();
        let row: Vec<_> = tape.vars(row).collect();
        let seeds: Vec<_> = p.call(&row).into_iter().zip(g.iter().copied()).collect();
        pulled.extend(tape.gradient_of(&seeds)?.of(&row)?);
    }
    if m == 0 {
        pulled.resize(values.len(), T::ZERO);
    }
    Ok(shaped(pulled, x, n)?)
}

/// The cotangents of x and g, where h is the cotangent of gᵀJ: Σ gₖ Hₖ h, and J h.
fn pull_pulled<T: Float + Number>(
    p: &impl Function,
    x: &Tensor<T>,
    g: &Tensor<T>,
    h: &Tensor<T>,
) -> Result<[Tensor<T>; 2]> {
    let ((n, values), (m, weights), (_, along)) = (rows(x), rows(g), rows(h));
    let mut tape = scalar::Tape::<Dual<T>>::default();
    let (mut gx, mut gg) = (Vec::with_capacity(values.len()), Vec::with_capacity(weights.len()));
    let rows = values.chunks(n.max(1)).zip(along.chunks(n.max(1))).zip(weights.chunks(m.max(1)));
    for ((row, h), g) in rows {
        tape.reset();
        let duals: Vec<_> = row.iter().zip(h).map(|(&x, &h)| Dual::new(x, h)).collect();
        let row: Vec<_> = tape.vars(&duals).collect();
        let outputs = p.call(&row);
        gg.extend(outputs.iter().map(|y| y.value().tangent));
        let seeds: Vec<_> = outputs.into_iter().zip(g.iter().map(|&g| Dual::constant(g))).collect();
        gx.extend(tape.gradient_of(&seeds)?.of(&row)?.into_iter().map(|d| d.tangent));
    }
    gx.resize(values.len(), T::ZERO);
    gg.resize(weights.len(), T::ZERO);
    Ok([shaped(gx, x, n)?, shaped(gg, g, m)?])
}

impl<T: Float + Number, P: Function> Op<T> for Rows<P> {
    fn name(&self) -> &'static str {
        "rows"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (n, values) = rows(x[0]);
        let m = self.0.outputs(n);
        let mut all = Vec::new();
        // Rows of no elements count too.
        let count =
            values.len().checked_div(n).unwrap_or_else(|| x[0].shape().iter().rev().skip(1).product());
        for i in 0..count {
            let y = self.0.call(&values[i * n..(i + 1) * n]);
            if y.len() != m {
                return Err(refused(format!("the program returned {} numbers, expected {m}", y.len())));
            }
            all.extend(y);
        }
        Ok(shaped(all, x[0], m)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let pulled = OpRef::Shared(Arc::new(PulledRows(Arc::clone(&self.0))));
        cotangents([r.when(0, || r.x(0).tape().record(pulled, &[r.x(0), r.gy()]))])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let gx = || pull(&*self.0, r.x(0)?, r.gy()?);
        Some(gx().map(|gx| cotangents([Some(gx)])))
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<T: Float + Number, P: Function> Op<T> for PulledRows<P> {
    fn name(&self) -> &'static str {
        "rows"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let gx = pull(&*self.0, x[0], x[1]).map_err(|e| refused(e.detail().to_owned()))?;
        Ok(gx.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let detail = "a scalar program on rows can be differentiated twice, not three times";
        let failed = || r.gy().tape().failed(Error::new(ErrorKind::NoGradient, "rows", detail));
        cotangents([r.when(0, failed), r.when(1, failed)])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let both = || pull_pulled(&*self.0, r.x(0)?, r.x(1)?, r.gy()?);
        Some(both().map(|[gx, gg]| cotangents([Some(gx), Some(gg)])))
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<T: Float + Number> Var<'_, T> {
    /// A scalar program applied to each row, [.., n] → [.., m]. An internal scalar tape computes its derivatives of first
    /// and second order: a recorded sweep (`grad`) and one more `backward`.
    ///
    /// For a formula of one or two numbers, [`map`](Var::map) and [`zip_map`](Var::zip_map) are faster and can be
    /// differentiated to any order. `rows` is for programs: loops, branches that depend on values, intermediate arrays.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::Tape;
    /// use wengert_tape::scalar::{Function, Number};
    ///
    /// /// The continued fraction a₀ + 1/(a₁ + 1/(a₂ + ..)).
    /// struct Continued;
    /// impl Function for Continued {
    ///     fn outputs(&self, _inputs: usize) -> usize {
    ///         1
    ///     }
    ///     fn call<R: Number>(&self, a: &[R]) -> Vec<R> {
    ///         vec![a.iter().rev().copied().reduce(|tail, a| a + R::of(1.0) / tail).unwrap_or(R::of(0.0))]
    ///     }
    /// }
    ///
    /// let tape = Tape::<f64>::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = x.rows(Continued);
    /// assert_eq!(y.value()?, Tensor::from([[1.5], [3.25]]));
    /// assert_eq!(y.sum().backward()?.wrt(x)?, Tensor::from([[1.0, -0.25], [1.0, -0.0625]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn rows(self, program: impl Function) -> Self {
        self.tape().record(OpRef::Shared(Arc::new(Rows(Arc::new(program)))), &[self])
    }
}

/// A program with a loop, a branch and two results.
struct Orbit;

impl Function for Orbit {
    fn outputs(&self, _inputs: usize) -> usize {
        2
    }
    fn call<R: Number>(&self, x: &[R]) -> Vec<R> {
        use crate::formula::Elementary;
        let mut state = [R::of(0.3), R::of(0.2)];
        for &x in x {
            let r = (state[0] * state[0] + state[1] * state[1] + R::of(0.5)).sqrt();
            state = [state[0] * x.cos() - state[1] / r, (state[0] + x * r).sin()];
        }
        state.to_vec()
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("rows", Order::Second, |g| {
        let shape = g.shape(1..=3);
        case!(vec![g.tensor(&shape, Domain::Between(-2.0, 2.0))], [], |x| x[0].rows(Orbit))
    })
    .accurate_to(8.0, 8.0) // the program's constants, 0.3 and 0.2, are rounded too, and results may cancel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_0_and_the_third_order_are_refused() {
        let tape = Tape::<f64>::new();
        let e = tape.var(1.0).rows(Orbit).value().unwrap_err();
        assert!(e.detail().contains("rank 0"), "{e}");
        let x = tape.var(Tensor::from([0.3, 0.4]));
        let first = x.rows(Orbit).sum().grad(x).unwrap();
        assert!(first.sum().backward().unwrap().wrt(x).is_ok());
    }
}
