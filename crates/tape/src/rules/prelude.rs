//! Common imports of the rule files.

pub(crate) use super::Operand;
pub(crate) use crate::case;
pub(crate) use crate::error::Result;
pub(crate) use crate::gradcheck::{Domain, Order, Spec};
pub(crate) use crate::number::{Float, Real};
pub(crate) use crate::number::{Pointwise, Pointwise2};
pub(crate) use crate::tape::Tape;
pub(crate) use crate::tape::op::{
    BackwardContext, Cotangents, ForwardOutput, Op, Saves, Selection, VjpContext, cotangents,
};
pub(crate) use crate::tape::var::Var;
pub(crate) use crate::term::{Equation, Term};
pub(crate) use wengert_ops::{Axes, Shape, Tensor, ToShape};

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
