//! x wᵀ + b, the affine map of a layer, in one op: the product is accumulated onto the bias.
//! Cotangents: gx = g w, gw = gᵀ x, gb = Σ g.

use super::prelude::*;
use std::borrow::Cow;

struct Linear;

/// `[.., n]` as `[rows, n]`.
fn rows<T: Float>(t: &Tensor<T>) -> wengert_ops::Result<Cow<'_, Tensor<T>>> {
    if t.rank() == 2 {
        return Ok(Cow::Borrowed(t));
    }
    let (n, rows) = (t.shape().last().copied().unwrap_or(1), t.shape().iter().rev().skip(1).product());
    t.reshape([rows, n]).map(Cow::Owned)
}

impl<T: Float> Op<T> for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].linear(x[1], x.get(2).copied())?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, w, g) = (r.x(0), r.x(1), r.gy());
        let (n, k) = (w.dim(0), w.dim(1));
        let rows: usize = g.raw_shape().iter().rev().skip(1).product();
        let flat = g.reshape([rows, n]);
        let mut out =
            cotangents([r.when(0, || g.matmul(w)), r.when(1, || flat.t().matmul(x.reshape([rows, k])))]);
        if r.inputs().len() == 3 {
            out.push(r.when(2, || flat.sum_axes(0)));
        }
        out
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let g = rows(r.gy()?)?;
            let mut out = cotangents([None, None]);
            if r.needs(0) {
                let gx = g.matmul(r.x(1)?)?;
                out[0] = Some(if gx.shape() == r.shape(0) { gx } else { gx.reshape(r.shape(0))? });
            }
            if r.needs(1) {
                out[1] = Some(g.transpose(0, 1)?.matmul(rows(r.x(0)?)?.as_ref())?);
            }
            if r.inputs() == 3 {
                out.push(if r.needs(2) { Some(g.sum_axes(0)?) } else { None });
            }
            Ok(out)
        };
        Some(adjoint())
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        2 * (outputs[0].numel() * inputs[0].last().copied().unwrap_or(1)) as u64
    }
    fn backward_flops(&self, inputs: &[&Shape], outputs: &[&Shape], needs: &[bool]) -> u64 {
        let bias = if needs.get(2) == Some(&true) { outputs[0].numel() as u64 } else { 0 };
        let products = u64::from(needs[0]) + u64::from(needs[1]);
        products * Op::<T>::flops(self, inputs, outputs) + bias
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        saves_of_product(needs)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// `x wᵀ + b` for `x` `[.., in]`, `weight` `[out, in]` and `bias` `[out]`, as `[.., out]`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let w = tape.var(Tensor::from([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]]));
    /// let y = tape.constant(Tensor::from([[1.0, 10.0]])).linear(w, Some(tape.var(Tensor::from([0.5, 0.0, 0.0]))));
    /// assert_eq!(y.value()?, Tensor::from([[21.5, 10.0, 11.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn linear(self, weight: impl Operand<'t, T>, bias: Option<Var<'t, T>>) -> Self {
        let weight = weight.into_var(self.tape());
        match bias {
            Some(b) => self.tape().apply_static(&Linear, &[self, weight, b]),
            None => self.tape().apply_static(&Linear, &[self, weight]),
        }
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("linear", Order::Second, |g| {
        let (k, n, biased) = (g.dim(1..=3), g.dim(1..=3), g.once_in(2));
        let mut shape = if g.is_large() { vec![g.beside(1..=3, k.max(n))] } else { g.shape(0..=2) };
        shape.push(k);
        let mut x = vec![g.tensor(&shape, Domain::Real), g.tensor(&[n, k], Domain::Real)];
        if biased {
            x.push(g.tensor(&[n], Domain::Real));
        }
        case!(x, [], |x| x[0].linear(x[1], x.get(2).copied()))
    })
}
