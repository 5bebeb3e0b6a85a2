//! Derivatives of a function as tensors: vector-Jacobian and Jacobian-vector products, the Jacobian, the Hessian, and
//! Hessian-vector products.
//!
//! Each function here takes a function of one value. For a function of several values, capture the others in the closure,
//! or record on a [`Tape`] and use [`backward`](Tape::backward) and [`grad`](Tape::grad), on which these functions are
//! built. Write the closure in the call, or pass a named function: Rust does not infer that a closure held in a variable
//! works for any tape.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::sweep::RetainGraph;
use crate::tape::Tape;
use crate::tape::var::Var;
use std::panic::Location;
use wengert_ops::{Shape, Tensor};

/// The gradient of the swept output with respect to `x`; zeros if the output does not depend on `x`.
fn gradient<T: Float>(tape: &Tape<T>, y: Var<'_, T>, seed: Tensor<T>, x: Var<'_, T>) -> Result<Tensor<T>> {
    let zero = || Ok(Tensor::try_full(x.raw_shape(), T::ZERO)?);
    if !y.kind().1 {
        // No gradient flows to this output. If it failed, that error comes first.
        y.value()?;
        return zero();
    }
    match tape.swept(&[(y, seed)], RetainGraph::Values, None)?.wrt(x) {
        Err(e) if e.kind() == ErrorKind::Unreached => zero(),
        other => other,
    }
}

/// The value of `f` at `x`, and vᵀJ: the gradient of ⟨v, f(x)⟩. `v` has the shape of `f(x)`.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::vjp;
/// let (y, g) = vjp(|x| x.square(), &Tensor::from([1.0, 3.0]), &Tensor::from([1.0, 10.0]))?;
/// assert_eq!((y.to_vec(), g.to_vec()), (vec![1.0, 9.0], vec![2.0, 60.0]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If `f` fails at `x`, or `v` has another shape.
#[track_caller]
pub fn vjp<T: Float>(
    f: impl for<'t> FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: &Tensor<T>,
    v: &Tensor<T>,
) -> Result<(Tensor<T>, Tensor<T>)> {
    let tape = Tape::new();
    let x = tape.var(x);
    let y = f(x);
    let value = y.value()?;
    same_shape("vjp", v.shape(), value.shape())?;
    Ok((value, gradient(&tape, y, v.clone(), x)?))
}

/// The value of `f` at `x`, and J v: how it changes when `x` moves along `v`. `v` has the shape of `x`.
///
/// It is computed as the vjp of the vjp: uᵀJ is linear in u, and the gradient of ⟨uᵀJ, v⟩ with respect to u is J v. So ops
/// need no separate forward-mode rule, and the cost is that of a second-order sweep.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::jvp;
/// let (y, d) = jvp(|x| x.square().sum(), &Tensor::from([1.0, 3.0]), &Tensor::from([1.0, 10.0]))?;
/// assert_eq!((y.item()?, d.item()?), (10.0, 62.0));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If `f` fails at `x`, or `v` has another shape.
#[track_caller]
pub fn jvp<T: Float>(
    f: impl for<'t> FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: &Tensor<T>,
    v: &Tensor<T>,
) -> Result<(Tensor<T>, Tensor<T>)> {
    same_shape("jvp", v.shape(), x.shape())?;
    let tape = Tape::new();
    let x = tape.var(x);
    let y = f(x);
    let value = y.value()?;
    let u = tape.var(Tensor::try_full(value.shape(), T::ZERO)?);
    if !y.kind().1 {
        return Ok((value, u.value()?));
    }
    let pulled = tape.grad(&[(y, u)], &[x])?[0];
    let d = gradient(&tape, pulled, v.clone(), u)?;
    Ok((value, d))
}

/// The Jacobian ∂f_i/∂x_j, of shape `[f(x).., x..]`, by one sweep for each element of `f(x)`.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::jacobian;
/// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// assert_eq!(jacobian(|x| x.tape().constant(&a).matmul(x), &Tensor::from([7.0, 8.0]))?, a);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If `f` fails at `x`.
#[doc(alias = "jacfwd")]
#[track_caller]
pub fn jacobian<T: Float>(
    f: impl for<'t> FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: &Tensor<T>,
) -> Result<Tensor<T>> {
    let tape = Tape::new();
    let v = tape.var(x);
    rows(&tape, f(v), v)
}

/// The Hessian ∂²f/∂x_i∂x_j of a scalar function, of shape `[x.., x..]`.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::hessian;
/// let h = hessian(|x| (x.select(0, 0) * x.select(0, 1)).square(), &Tensor::from([1.0, 2.0]))?;   // (x y)²
/// assert_eq!(h, Tensor::from([[8.0, 8.0], [8.0, 2.0]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If `f` fails at `x` or is not a scalar.
#[track_caller]
pub fn hessian<T: Float>(
    f: impl for<'t> FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: &Tensor<T>,
) -> Result<Tensor<T>> {
    let tape = Tape::new();
    let v = tape.var(x);
    let g = recorded_gradient(&tape, f(v), v)?;
    rows(&tape, g, v)
}

/// The gradient of a scalar function, and H v, the product of its Hessian with a tensor of the shape of `x`. The Hessian is
/// never formed: H v is the gradient of ⟨∇f, v⟩.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::hvp;
/// let (g, hv) = hvp(|x| (x * x * x).sum(), &Tensor::from([1.0, 2.0]), &Tensor::from([1.0, 10.0]))?;
/// assert_eq!((g.to_vec(), hv.to_vec()), (vec![3.0, 12.0], vec![6.0, 120.0]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If `f` fails at `x` or is not a scalar, or `v` has another shape.
#[track_caller]
pub fn hvp<T: Float>(
    f: impl for<'t> FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: &Tensor<T>,
    v: &Tensor<T>,
) -> Result<(Tensor<T>, Tensor<T>)> {
    same_shape("hvp", v.shape(), x.shape())?;
    let tape = Tape::new();
    let x = tape.var(x);
    let g = recorded_gradient(&tape, f(x), x)?;
    Ok((g.value()?, gradient(&tape, g, v.clone(), x)?))
}

#[track_caller]
fn recorded_gradient<'t, T: Float>(tape: &'t Tape<T>, y: Var<'t, T>, x: Var<'t, T>) -> Result<Var<'t, T>> {
    let value = y.value()?;
    if value.numel() == 1 && !y.kind().1 {
        return Ok(tape.constant(Tensor::try_full(x.raw_shape(), T::ZERO)));
    }
    y.grad(x)
}

/// The gradients of all elements of `y`, stacked.
fn rows<T: Float>(tape: &Tape<T>, y: Var<'_, T>, x: Var<'_, T>) -> Result<Tensor<T>> {
    let value = y.value()?;
    let mut all = Vec::with_capacity(value.numel());
    for i in 0..value.numel() {
        let mut seed = Tensor::try_full(value.shape(), T::ZERO)?;
        seed.data_mut()[i] = T::ONE;
        all.push(gradient(tape, y, seed, x)?);
    }
    let shape: Shape = value.shape().iter().chain(x.raw_shape().iter()).copied().collect();
    if all.is_empty() {
        return Ok(Tensor::try_full(shape, T::ZERO)?);
    }
    Ok(Tensor::stack(&all, 0)?.reshape(shape)?)
}

#[track_caller]
fn same_shape(op: &'static str, v: &Shape, want: &Shape) -> Result<()> {
    if v == want {
        return Ok(());
    }
    let detail = format!("expected a vector of shape {want}, found {v}");
    Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), op, detail).at(Location::caller()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::random::Rng;

    fn f(x: Var<'_, f64>) -> Var<'_, f64> {
        let w = Tensor::randn([4, 3], &mut Rng::seed(1)).unwrap();
        x.tanh().matmul(x.tape().constant(w)).softmax(-1) * x.sum() // [2, 4] → [2, 3]
    }

    fn scalar(x: Var<'_, f64>) -> Var<'_, f64> {
        f(x).square().sum()
    }

    fn constant(x: Var<'_, f64>) -> Var<'_, f64> {
        x.detach().sum()
    }

    fn close(a: &Tensor<f64>, b: &Tensor<f64>) {
        assert_eq!(a.shape(), b.shape());
        assert!(a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() < 1e-13), "{a}\n{b}");
    }

    #[test]
    fn both_products_agree_with_the_jacobian() {
        let mut rng = Rng::seed(0);
        let x = Tensor::randn([2, 4], &mut rng).unwrap();
        let (u, v) = (Tensor::randn([2, 3], &mut rng).unwrap(), Tensor::randn([2, 4], &mut rng).unwrap());
        let j = jacobian(f, &x).unwrap();
        assert_eq!(*j.shape(), [2, 3, 2, 4]);
        let flat = j.reshape([6, 8]).unwrap();
        let (y, pulled) = vjp(f, &x, &u).unwrap();
        close(&pulled, &u.reshape([6]).unwrap().matmul(&flat).unwrap().reshape([2, 4]).unwrap());
        let (same, pushed) = jvp(f, &x, &v).unwrap();
        assert_eq!(y, same);
        close(&pushed, &flat.matmul(&v.reshape([8]).unwrap()).unwrap().reshape([2, 3]).unwrap());
    }

    #[test]
    fn the_hessian_is_symmetric_and_agrees_with_its_products() {
        let mut rng = Rng::seed(2);
        let (x, v) = (Tensor::randn([2, 4], &mut rng).unwrap(), Tensor::randn([2, 4], &mut rng).unwrap());
        let h = hessian(scalar, &x).unwrap().reshape([8, 8]).unwrap();
        close(&h, &h.transpose(0, 1).unwrap());
        let (_, hv) = hvp(scalar, &x, &v).unwrap();
        close(&hv, &h.matmul(&v.reshape([8]).unwrap()).unwrap().reshape([2, 4]).unwrap());
    }

    #[test]
    fn constants_have_zero_derivatives_and_mistakes_are_errors() {
        let x = Tensor::from([1.0, 2.0]);
        assert_eq!(jacobian(constant, &x).unwrap(), Tensor::from([0.0, 0.0]));
        assert_eq!(hessian(|x| x.sum(), &x).unwrap(), Tensor::from([[0.0, 0.0], [0.0, 0.0]]));
        assert_eq!(hessian(constant, &x).unwrap(), Tensor::from([[0.0, 0.0], [0.0, 0.0]]));
        assert_eq!(jvp(constant, &x, &x).unwrap().1.item().unwrap(), 0.0);
        assert_eq!(hvp(constant, &x, &x).unwrap().1, Tensor::from([0.0, 0.0]));
        assert!(hessian(|x| x * 2.0, &x).is_err(), "not a scalar");
        assert!(
            vjp(|x| x, &x, &Tensor::from([1.0])).is_err() && jvp(|x| x, &x, &Tensor::from([1.0])).is_err()
        );
        assert!(jacobian(|x| x.matmul(Tensor::ones([3, 3])), &x).is_err());
        let e = hvp(|x| x.sum(), &x, &Tensor::from([1.0])).unwrap_err();
        assert_eq!(e.location().map(|at| at.file()), Some(file!()));
    }
}
