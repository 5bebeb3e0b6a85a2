//! What rule files use.

pub(crate) use crate::case;
pub(crate) use crate::error::Result;
pub(crate) use crate::gradcheck::{Domain, Order, Spec};
pub(crate) use crate::op::{Cotangents, Eager, Forward, Op, Rule, Saves, cotangents};
pub(crate) use crate::pointwise::{Pointwise, Pointwise2};
pub(crate) use crate::real::{Float, Real};
pub(crate) use crate::tape::Tape;
pub(crate) use crate::var::{Operand, Var};
pub(crate) use crate::written::{Equation, Term};
pub(crate) use wengert_ops::{Axes, Shape, Tensor, ToShape};
