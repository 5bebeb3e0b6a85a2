//! Bridges: [`Function`], a scalar program for the tensor tape, and [`tensor_block`], a tensor program for the scalar
//! tape.

use super::block::fallible_block;
use super::number::Number;
use super::var::Var;
use crate::derivatives;
use crate::error::Result;
use crate::number::Float;
use wengert_ops::{Tensor, ToShape};

/// A scalar program from numbers to numbers, written once for every [`Number`].
///
/// [`Var::rows`](crate::Var::rows) applies it to each row of a tensor and differentiates it with a scalar tape.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::scalar::{Function, Number};
/// use wengert_tape::{Elementary, Tape};
///
/// /// Polar coordinates of a point.
/// struct Polar;
/// impl Function for Polar {
///     fn outputs(&self, _inputs: usize) -> usize {
///         2
///     }
///     fn call<R: Number>(&self, x: &[R]) -> Vec<R> {
///         vec![x[0].hypot(x[1]), x[1].atan2(x[0])]
///     }
/// }
///
/// let tape = Tape::<f64>::new();
/// let x = tape.var(Tensor::from([[3.0, 4.0], [0.0, 2.0]]));
/// let y = x.rows(Polar);
/// assert_eq!(y.value()?.to_vec()[0], 5.0);
/// let g = y.sum().backward()?.wrt(x)?;                            // ∂r + ∂φ
/// assert!((g.to_vec()[0] - (3.0 - 4.0 / 5.0) / 5.0).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub trait Function: Send + Sync + 'static {
    /// The number of outputs for this number of inputs.
    fn outputs(&self, inputs: usize) -> usize;

    /// The program.
    fn call<R: Number>(&self, x: &[R]) -> Vec<R>;
}

/// A program on tensors inside a scalar program: the inputs fill a tensor of the given shape, and the elements of the
/// result are the outputs. The program is not recorded; a sweep runs it again on a tensor tape.
///
/// # Errors
/// If the number of elements of the shape is not the number of inputs, or the program fails.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::scalar::{Tape, Var, tensor_block};
/// let tape = Tape::new();
/// let a: Vec<Var> = tape.vars(&[4.0, 1.0, 1.0, 3.0]).collect();
/// let det = tensor_block(&a, [2, 2], |a| a.det())?;
/// assert!((det[0].value() - 11.0).abs() < 1e-12);
/// let g = tape.gradient(det[0])?.of(&a)?;                         // the adjugate, transposed
/// assert!(g.iter().zip([3.0, -1.0, -1.0, 4.0]).all(|(g, want)| (g - want).abs() < 1e-12));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[track_caller]
pub fn tensor_block<'t, T: Float + Number>(
    inputs: &[Var<'t, T>],
    shape: impl ToShape,
    f: impl for<'s> Fn(crate::Var<'s, T>) -> crate::Var<'s, T> + Send + Sync + 'static,
) -> Result<Vec<Var<'t, T>>> {
    let x = Tensor::from_vec(inputs.iter().map(|x| x.value()).collect(), shape)?;
    let tape = crate::Tape::eval();
    let y = f(tape.constant(&x)).value()?;
    let shape = y.shape().clone();
    let again = move |g: &[T]| {
        let g = Tensor::from_vec(g.to_vec(), &shape)?;
        Ok(derivatives::vjp(&f, &x, &g)?.1.to_vec())
    };
    Ok(fallible_block(inputs, &y.to_vec(), again))
}
