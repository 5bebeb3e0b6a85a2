//! The gradient and the Hessian of a function in one call.

use super::dual::Dual;
use super::tape::Tape;
use super::var::Var;
use crate::error::Result;

/// The value of a function and its gradient.
///
/// # Errors
/// If the function uses a handle of another tape.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::gradient;
/// let (y, g) = gradient(|x| x[0] * x[1].exp(), &[3.0, 0.0])?;
/// assert_eq!((y, g), (3.0, vec![1.0, 3.0]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[track_caller]
pub fn gradient(f: impl for<'t> FnOnce(&[Var<'t>]) -> Var<'t>, x: &[f64]) -> Result<(f64, Vec<f64>)> {
    let tape = Tape::new();
    let x: Vec<Var<'_>> = tape.vars(x).collect();
    let y = f(&x);
    Ok((y.value(), tape.gradient(y)?.of(&x)?))
}

/// The Hessian of a function, row by row: one sweep of a tape of dual numbers per input.
///
/// # Errors
/// If the function uses a handle of another tape.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::hessian;
/// let h = hessian(|x| x[0] * x[0] * x[1].exp(), &[3.0, 0.0])?;
/// assert_eq!(h, [[2.0, 6.0], [6.0, 9.0]]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[track_caller]
pub fn hessian(
    f: impl for<'t> Fn(&[Var<'t, Dual<f64>>]) -> Var<'t, Dual<f64>>,
    x: &[f64],
) -> Result<Vec<Vec<f64>>> {
    let mut tape = Tape::default();
    let mut rows = Vec::with_capacity(x.len());
    for along in 0..x.len() {
        tape.reset();
        let dual = |(i, &x)| Dual::new(x, if i == along { 1.0 } else { 0.0 });
        let duals: Vec<_> = x.iter().enumerate().map(dual).collect();
        let x: Vec<_> = tape.vars(&duals).collect();
        let g = tape.gradient(f(&x))?;
        rows.push(g.of(&x)?.into_iter().map(|d| d.tangent).collect());
    }
    Ok(rows)
}
