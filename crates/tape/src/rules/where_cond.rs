//! where and masked_fill: elements of one value or another, selected by a mask. The branch not taken gets a zero cotangent,
//! not a product with zero, so NaN and infinity in it do no harm.

use super::prelude::*;
use wengert_ops::kernel::pointwise::{Elementwise, FnKernel, Kernel, SliceKernel};

struct WhereCond {
    mask: Tensor<bool>,
}

impl<T: Float> Op<T> for WhereCond {
    fn name(&self) -> &'static str {
        "where_cond"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].where_cond(&self.mask, x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (g, mask) = (r.gy(), &self.mask);
        let zero = r.gy().like(0.0);
        cotangents([
            r.when(0, || select(mask.clone(), g, zero).sum_to(r.x(0).raw_shape())),
            r.when(1, || select(mask.clone(), zero, g).sum_to(r.x(1).raw_shape())),
        ])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = (inputs, outputs);
        0
    }
    fn elementwise(&self) -> Option<&dyn ElementwiseOp<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> ElementwiseOp<T> for WhereCond {
    fn cost(&self) -> usize {
        1
    }
    fn value(&self, x: &[&[T]], y: &mut [T]) {
        Elementwise(Choose).run([x[2], x[0], x[1]], y);
    }
    fn adjoint(&self, i: usize, g: &[T], x: &[&[T]], _y: &[T], gx: &mut [T]) {
        if i == 0 {
            Elementwise(FnKernel(|m: T, g: T| if m == T::ZERO { T::ZERO } else { g })).run([x[2], g], gx);
        } else {
            Elementwise(FnKernel(|m: T, g: T| if m == T::ZERO { g } else { T::ZERO })).run([x[2], g], gx);
        }
    }
    fn reads(&self, _i: usize) -> Saves {
        Saves::NOTHING
    }
    fn mask(&self) -> Option<&Tensor<bool>> {
        Some(&self.mask)
    }
}

/// The second number where the first is not zero, otherwise the third.
struct Choose;

impl<T: Float> Kernel<3, T, T> for Choose {
    #[inline(always)]
    fn call(&self, [mask, yes, no]: [T; 3]) -> T {
        if mask == T::ZERO { no } else { yes }
    }
}

#[track_caller]
pub(crate) fn select<'t, T: Float>(mask: Tensor<bool>, yes: Var<'t, T>, no: Var<'t, T>) -> Var<'t, T> {
    yes.tape().apply(WhereCond { mask }, &[yes, no])
}

impl<'t, T: Float> Var<'t, T> {
    /// This value where `condition` is true, elsewhere `other`; all three broadcast.
    ///
    /// The condition may be the result of a comparison; its error becomes this value's error:
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([-1.0, 4.0]));
    /// let y = x.sqrt().where_cond(x.gt(0.0), 0.0);            // √x where that is a number
    /// assert_eq!(y.value()?.to_vec(), [0.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    #[doc(alias = "where")]
    #[doc(alias = "where_")]
    pub fn where_cond(self, condition: impl super::IntoMask, other: impl Operand<'t, T>) -> Self {
        let _scope = self.tape().error_scope("where_cond");
        let other = other.into_var(self.tape());
        match condition.into_mask() {
            Ok(mask) => select(mask, self, other),
            Err(e) => self.tape().failed(e),
        }
    }

    /// This value with `fill` where the mask is true.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0]));
    /// let y = x.masked_fill(Tensor::from([true, false]), f64::NEG_INFINITY);
    /// assert_eq!(y.value()?.to_vec(), [f64::NEG_INFINITY, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn masked_fill(self, mask: impl super::IntoMask, fill: impl Operand<'t, T>) -> Self {
        let _scope = self.tape().error_scope("masked_fill");
        let fill = fill.into_var(self.tape());
        match mask.into_mask() {
            Ok(mask) => select(mask, fill, self),
            Err(e) => self.tape().failed(e),
        }
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["where_cond", "masked_fill"], Order::Second, |g, which| {
        let (a, b) = g.pair();
        let wide = if a.len() > b.len() { a.clone() } else { b.clone() };
        let narrow = g.broadcastable(&wide);
        let mask = g.mask(&narrow);
        let x = vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real)];
        case!(x, [mask], |x| match which {
            0 => x[0].where_cond(&mask, x[1]),
            _ => x[0].masked_fill(&mask, x[1]),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_in_the_branch_not_taken_does_no_harm() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([-1.0, 4.0]));
        let y = x.log().where_cond(x.gt(0.0), x * 2.0).sum();
        assert_eq!(y.backward().unwrap().wrt(x).unwrap().to_vec(), [2.0, 0.25]);
    }
}
