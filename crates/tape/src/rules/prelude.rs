//! Common imports of the rule files.

pub(crate) use super::Operand;
pub(crate) use crate::case;
pub(crate) use crate::error::Result;
pub(crate) use crate::gradcheck::{Domain, Order, Spec};
pub(crate) use crate::number::{Float, Real};
pub(crate) use crate::number::{Pointwise, Pointwise2};
pub(crate) use crate::tape::Tape;
pub(crate) use crate::tape::op::{
    BackwardContext, Cotangents, ElementwiseOp, ForwardOutput, Op, Saves, Selection, VjpContext, cotangents,
};
pub(crate) use crate::tape::var::Var;
pub(crate) use crate::term::{Equation, Term};
pub(crate) use wengert_ops::ErrorKind as Kind;
pub(crate) use wengert_ops::{Axes, Shape, Tensor, ToShape};

/// A failed value on the tape of `x`, for an argument that `op` refuses.
#[track_caller]
pub(crate) fn refuse<'t, T: Float>(
    x: Var<'t, T>,
    op: &'static str,
    kind: Kind,
    detail: impl Into<String>,
) -> Var<'t, T> {
    x.tape().failed(crate::Error::new(crate::ErrorKind::Op(kind), op, detail))
}

/// What the rule of a product reads: for the cotangent of each of its two operands, the other.
pub(crate) fn saves_of_product(needs: &[bool]) -> Saves {
    Saves { inputs: u32::from(needs[1]) | u32::from(needs[0]) << 1, outputs: false }
}

/// Indices as text: all of a few, the first of many.
pub(crate) fn listed(indices: &Tensor<i64>) -> String {
    const MOST: usize = 6;
    let all = indices.to_vec();
    if all.len() <= MOST {
        return format!("{all:?}");
    }
    let first: Vec<String> = all[..MOST - 1].iter().map(i64::to_string).collect();
    format!("[{}, .. {} in all]", first.join(", "), all.len())
}
