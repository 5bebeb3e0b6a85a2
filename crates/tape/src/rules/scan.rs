//! Scans along an axis: cumsum, cumprod, logcumsumexp, cummax, cummin.
//!
//! Cotangents: for the running sum, the running sum of g from the other end. For the others, λ times a factor, where λ
//! satisfies the linear recurrence λᵢ = gᵢ + aᵢ₊₁ λᵢ₊₁ from the other end. For y = cumprod(x), a = x and the factor is
//! yᵢ₋₁: no division, so it is exact at zeros. For y = logcumsumexp(x), with the largest element so far m, a constant, y =
//! m + log s: here aᵢ₊₁ = exp(mᵢ - mᵢ₊₁) ≤ 1, the factor is exp(xᵢ - mᵢ) ≤ 1, and g is divided by s ≥ 1. The recurrence is
//! its own adjoint, so every order follows.

use super::prelude::*;
use wengert_ops::{Direction, Slice, normalize_axis};

struct CumSum {
    axis: isize,
    direction: Direction,
}

impl<T: Float> Op<T> for CumSum {
    fn name(&self) -> &'static str {
        match self.direction {
            Direction::Forward => "cumsum",
            Direction::Backward => "cumsum_reversed",
        }
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let y = match self.direction {
            Direction::Forward => x[0].cumsum(self.axis),
            Direction::Backward => x[0].cumsum_reversed(self.axis),
        };
        Ok(y?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let back = CumSum { axis: self.axis, direction: self.direction.opposite() };
        cotangents([Some(r.gy().tape().apply(back, &[r.gy()]))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

/// x shifted by one position in the given direction along an axis; the position that becomes free is `fill`.
#[track_caller]
pub(super) fn shifted<T: Float>(x: Var<'_, T>, axis: isize, direction: Direction, fill: f64) -> Var<'_, T> {
    let shape = x.raw_shape();
    let (a, n) = match normalize_axis("shift", axis, shape.len()) {
        Ok(a) if shape[a] > 0 => (a, shape[a]),
        _ => return x,
    };
    let mut widths = vec![(0, 0); shape.len()];
    match direction {
        Direction::Forward => {
            widths[a] = (1, 0);
            x.slice(axis, Slice::from(0..n - 1)).pad(&widths, fill)
        }
        Direction::Backward => {
            widths[a] = (0, 1);
            x.slice(axis, Slice::from(1..n)).pad(&widths, fill)
        }
    }
}

/// h ← a h + b from one end. Cotangents: λ of the same recurrence from the other end; gb = λ, ga = λ h of the previous
/// step.
struct Recurrence {
    axis: isize,
    direction: Direction,
}

impl<T: Float> Op<T> for Recurrence {
    fn name(&self) -> &'static str {
        "linear_recurrence"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].linear_recurrence(x[1], self.axis, self.direction)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (axis, back) = (self.axis, self.direction.opposite());
        let a = shifted(r.x(0), axis, back, 0.0);
        let lambda = recurrence(a, r.gy(), axis, back);
        cotangents([r.when(0, || lambda * shifted(r.y(), axis, self.direction, 0.0)), Some(lambda)])
    }
}

#[track_caller]
fn recurrence<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>, axis: isize, direction: Direction) -> Var<'t, T> {
    a.tape().apply(Recurrence { axis, direction }, &[a, b])
}

struct CumProd {
    axis: isize,
    direction: Direction,
}

impl<T: Float> Op<T> for CumProd {
    fn name(&self) -> &'static str {
        match self.direction {
            Direction::Forward => "cumprod",
            Direction::Backward => "cumprod_reversed",
        }
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let y = match self.direction {
            Direction::Forward => x[0].cumprod(self.axis),
            Direction::Backward => x[0].cumprod_reversed(self.axis),
        };
        Ok(y?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (axis, back) = (self.axis, self.direction.opposite());
        let lambda = recurrence(shifted(r.x(0), axis, back, 0.0), r.gy(), axis, back);
        cotangents([Some(lambda * shifted(r.y(), axis, self.direction, 1.0))])
    }
}

#[track_caller]
pub(super) fn cumprod<T: Float>(x: Var<'_, T>, axis: isize, direction: Direction) -> Var<'_, T> {
    x.tape().apply(CumProd { axis, direction }, &[x])
}

struct LogCumSumExp {
    axis: isize,
}

/// The largest element so far, and a mask of where it is infinite.
fn running_max<T: Float>(x: &Tensor<T>, axis: isize) -> Result<(Tensor<T>, Tensor<bool>)> {
    let top = x.gather(axis, &x.cumargmax(axis)?)?;
    let infinite = top.map(|m| !m.is_finite() && !m.is_nan());
    Ok((top, infinite))
}

impl<T: Float> Op<T> for LogCumSumExp {
    fn name(&self) -> &'static str {
        "logcumsumexp"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].logcumsumexp(self.axis)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, axis) = (r.x(0), self.axis);
        let (top, infinite) = match x.value().and_then(|x| running_max(&x, axis)) {
            Ok(found) => found,
            Err(e) => return cotangents([Some(x.tape().failed(e))]),
        };
        let top = x.tape().constant(top);
        // As long as all elements are -∞, none has a share. In an infinite sum, only infinite elements have one.
        let shift = top.masked_fill(top.eq(f64::NEG_INFINITY), 0.0);
        let carried = (shifted(top, axis, Direction::Forward, 0.0) - top).exp().masked_fill(&infinite, 0.0);
        let e = (x - shift).exp();
        let s = recurrence(carried, e, axis, Direction::Forward).masked_fill(&infinite, 1.0);
        let g = (r.gy() / s).masked_fill(&infinite, 0.0);
        let back = shifted(carried, axis, Direction::Backward, 0.0);
        cotangents([Some(e * recurrence(back, g, axis, Direction::Backward))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The running sum along an axis: yᵢ = x₀ + … + xᵢ.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.cumsum(0);
    /// assert_eq!(y.value()?.to_vec(), [1.0, 3.0, 6.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [3.0, 2.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Self {
        self.tape().apply(CumSum { axis, direction: Direction::Forward }, &[self])
    }

    /// The running sum along an axis from its end: yᵢ = xᵢ + … + xₙ₋₁.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.cumsum_reversed(0);
    /// assert_eq!(y.value()?.to_vec(), [6.0, 5.0, 3.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [1.0, 2.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "cumsum")]
    #[track_caller]
    pub fn cumsum_reversed(self, axis: isize) -> Self {
        self.tape().apply(CumSum { axis, direction: Direction::Backward }, &[self])
    }

    /// The running product along an axis. Its gradient divides by no element, so zeros need no special case.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([2.0, 0.0, 3.0]));
    /// let y = x.cumprod(0);
    /// assert_eq!(y.value()?.to_vec(), [2.0, 0.0, 0.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [1.0, 8.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cumprod(self, axis: isize) -> Self {
        cumprod(self, axis, Direction::Forward)
    }

    /// The running product along an axis from its end: yᵢ = xᵢ … xₙ₋₁. Its gradient divides by no element.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([2.0, 0.0, 3.0]));
    /// let y = x.cumprod_reversed(0);
    /// assert_eq!(y.value()?.to_vec(), [0.0, 0.0, 3.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [0.0, 9.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "cumprod")]
    #[track_caller]
    pub fn cumprod_reversed(self, axis: isize) -> Self {
        cumprod(self, axis, Direction::Backward)
    }

    /// The running log-sum-exp along an axis: yᵢ = log Σ exp(xⱼ) over j ≤ i; never overflows. As long as every element is
    /// -∞, the result is -∞ too, with a zero gradient.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1000.0, 1000.0]));
    /// assert_eq!(x.logcumsumexp(0).value()?.to_vec(), [1000.0, 1000.0 + std::f64::consts::LN_2]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn logcumsumexp(self, axis: isize) -> Self {
        self.tape().apply(LogCumSumExp { axis }, &[self])
    }

    /// The largest element so far along an axis, and its position: the first of equal elements, which gets the gradient.
    /// (PyTorch takes the last.) From the first NaN on, the result is NaN. Positions of a failed value are empty.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 3.0, 2.0]));
    /// let (y, at) = x.cummax(0);
    /// assert_eq!((y.value()?.to_vec(), at.to_vec()), (vec![1.0, 3.0, 3.0], vec![0, 1, 1]));
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [1.0, 2.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cummax(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        let at = match self.value() {
            Ok(x) => x.cumargmax(axis),
            Err(e) => return (self.tape().failed(e), Tensor::from(Vec::new())),
        };
        self.taken(axis, at)
    }

    /// The smallest element so far along an axis, and its position; otherwise as [`cummax`](Var::cummax).
    #[track_caller]
    pub fn cummin(self, axis: isize) -> (Var<'t, T>, Tensor<i64>) {
        let at = match self.value() {
            Ok(x) => x.cumargmin(axis),
            Err(e) => return (self.tape().failed(e), Tensor::from(Vec::new())),
        };
        self.taken(axis, at)
    }

    /// The elements at positions along an axis.
    #[track_caller]
    fn taken(self, axis: isize, at: wengert_ops::Result<Tensor<i64>>) -> (Var<'t, T>, Tensor<i64>) {
        match at {
            Ok(at) => (self.gather(axis, &at), at),
            Err(e) => (self.tape().failed(e.into()), Tensor::from(Vec::new())),
        }
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["cumsum", "cumprod", "logcumsumexp", "cumsum_reversed", "cumprod_reversed"];
    Spec::family(&names, Order::Second, |g, which| {
        let shape = g.shape(1..=3);
        let axis = g.axis(shape.len());
        // Factors near 1, so that a product of many neither overflows nor vanishes.
        let product = matches!(which, 1 | 4);
        let domain = if product && g.is_large() { Domain::Away(0.99, 1.01) } else { Domain::Real };
        case!(vec![g.tensor(&shape, domain)], [], |x| match which {
            0 => x[0].cumsum(axis),
            1 => x[0].cumprod(axis),
            2 => x[0].logcumsumexp(axis),
            3 => x[0].cumsum_reversed(axis),
            _ => x[0].cumprod_reversed(axis),
        })
    })
}

pub(super) fn extremum_spec() -> Vec<Spec> {
    Spec::family(&["cummax", "cummin"], Order::First, |g, which| {
        let shape = g.shape(1..=3);
        let axis = g.axis(shape.len());
        case!(vec![g.tensor(&shape, Domain::Grid)], [], |x| match which {
            0 => x[0].cummax(axis).0,
            _ => x[0].cummin(axis).0,
        })
    })
}
