//! Shared by all distributions: checks and broadcasts of parameters, checks of values against the shape, and noise.

use super::Keys;
use wengert_ops::math::portable::{exp, ln, powf};
use wengert_ops::random::{normal, uniform};
use wengert_ops::{ErrorKind as OpErrorKind, Shape, Tensor, broadcast_shapes};
use wengert_tape::{Error, ErrorKind, Float, Operand, Result, Var};

/// What a parameter must be.
pub(super) use crate::domain::Domain as Needs;

/// The methods of a [`Distribution`](super::Distribution) that follow from a parameter, which has the shape of a draw.
macro_rules! tape_and_shape_of {
    ($parameter:ident) => {
        fn tape(&self) -> &'t wengert_tape::Tape<T> {
            self.$parameter.tape()
        }

        fn shape(&self) -> wengert_ops::Shape {
            self.$parameter.shape().as_shape().clone()
        }
    };
}
pub(super) use tape_and_shape_of;

/// A parameter, or a failed value whose error names the impossible element and its position. NaN is impossible.
#[track_caller]
pub(super) fn parameter<'t, T: Float>(
    op: &'static str,
    name: &str,
    x: Var<'t, T>,
    needs: Needs,
) -> Var<'t, T> {
    let Ok(value) = x.value() else { return x };
    match needs.outside(&value, false) {
        Some(found) => {
            failed(x, op, OpErrorKind::Argument, format!("expected {name} {}, found {found}", needs.words()))
        }
        None => x,
    }
}

#[track_caller]
pub(super) fn failed<'t, T: Float>(
    on: Var<'t, T>,
    op: &'static str,
    kind: OpErrorKind,
    detail: String,
) -> Var<'t, T> {
    on.tape().failed(Error::new(ErrorKind::Op(kind), op, detail))
}

/// Two parameters, broadcast to their common shape.
#[track_caller]
pub(super) fn broadcast<'t, T: Float>(op: &'static str, [a, b]: [Var<'t, T>; 2]) -> [Var<'t, T>; 2] {
    if a.is_failed() || b.is_failed() {
        return if a.is_failed() { [a, a] } else { [b, b] };
    }
    let (sa, sb) = (a.shape(), b.shape());
    match broadcast_shapes(op, sa.as_shape(), sb.as_shape()) {
        Ok(shape) => {
            let widen = |x: Var<'t, T>| if *x.shape().as_shape() == shape { x } else { x.expand(&shape) };
            [widen(a), widen(b)]
        }
        Err(e) => {
            let x = a.tape().failed(e.into());
            [x, x]
        }
    }
}

/// The argument of a `log_prob`: it has the shape of a draw, with more or fewer leading axes, and must not enlarge the draw's
/// axes.
#[track_caller]
pub(super) fn argument<'t, T: Float>(
    op: &'static str,
    parameter: Var<'t, T>,
    shape: &Shape,
    x: impl Operand<'t, T>,
) -> Var<'t, T> {
    if parameter.is_failed() {
        return parameter;
    }
    let x = x.into_var(parameter.tape());
    if x.is_failed() {
        return x;
    }
    let found = x.shape();
    match broadcast_shapes(op, found.as_shape(), shape) {
        Ok(both) if both == *shape || both == *found.as_shape() => x,
        Ok(_) => {
            let detail =
                format!("x has shape {found} and the distribution {shape}: neither contains the other");
            failed(x, op, OpErrorKind::Shape, detail)
        }
        Err(e) => x.tape().failed(e.into()),
    }
}

/// `f` of x inside the support, -∞ outside. Where `outside` is true, `f` is given `stand_in` instead of x, so that neither its
/// value nor its derivative is NaN. `outside` must be false at NaN for NaN to pass.
#[track_caller]
pub(super) fn within<'t, T: Float>(
    x: Var<'t, T>,
    outside: Result<Tensor<bool>>,
    stand_in: f64,
    f: impl FnOnce(Var<'t, T>) -> Var<'t, T>,
) -> Var<'t, T> {
    match outside {
        Err(e) => x.tape().failed(e),
        Ok(mask) if !mask.contiguous().as_slice().unwrap_or_default().contains(&true) => f(x),
        Ok(mask) => f(x.masked_fill(&mask, stand_in)).masked_fill(&mask, f64::NEG_INFINITY),
    }
}

/// The elements at which either mask is true.
pub(super) fn either(a: Result<Tensor<bool>>, b: Result<Tensor<bool>>) -> Result<Tensor<bool>> {
    Ok(a?.logical_or(&b?)?)
}

/// The axes `lead`, followed by `shape`.
pub(super) fn full(lead: &[usize], shape: &Shape) -> Vec<usize> {
    lead.iter().chain(shape.iter()).copied().collect()
}

/// Standard normal numbers.
pub(super) fn normals<T: Float>(lead: &[usize], shape: &Shape, keys: &mut dyn Keys) -> Result<Tensor<T>> {
    Ok(normal(full(lead, shape), 0.0, 1.0, keys.next_key())?)
}

/// Uniform numbers in (0, 1), without 0, whose logarithm is not finite.
pub(super) fn uniforms<T: Float>(lead: &[usize], shape: &Shape, keys: &mut dyn Keys) -> Result<Tensor<T>> {
    let least = if size_of::<T>() == 4 { 2f64.powi(-25) } else { 2f64.powi(-54) };
    let u: Tensor<T> = uniform(full(lead, shape), 0.0, 1.0, keys.next_key())?;
    Ok(u.maximum(Tensor::scalar(T::from_f64(least)))?)
}

/// A tensor as a constant, or its error as a failed value.
#[track_caller]
pub(super) fn constant<'t, T: Float>(on: Var<'t, T>, t: Result<Tensor<T>>) -> Var<'t, T> {
    match t {
        Ok(t) => on.tape().constant(t),
        Err(e) => on.tape().failed(e),
    }
}

/// A draw of the gamma distribution of rate 1: d v u^(1/α), without the last factor for α of 1 or more.
#[derive(Clone, Copy)]
pub(super) struct GammaDraw {
    d: f64,
    v: f64,
    u: f64,
    alpha: f64,
}

impl GammaDraw {
    /// The draw; 0 where it is too small for f64.
    pub(super) fn value(self) -> f64 {
        let factor = if self.alpha < 1.0 { powf(self.u, 1.0 / self.alpha) } else { 1.0 };
        self.d * self.v * factor
    }

    /// Its logarithm, accurate also where the draw itself is too small or too large for f64.
    fn log(self) -> f64 {
        // A smaller α would make it infinite.
        let boost = if self.alpha < 1.0 { ln(self.u) / self.alpha.max(1e-300) } else { 0.0 };
        ln(self.d) + ln(self.v) + boost
    }
}

/// Each draw divided by the sum of all. Computed from their logarithms where the sum is too small or too large, for example with
/// concentrations near 0.
pub(super) fn shares(draws: &[GammaDraw]) -> Vec<f64> {
    const LEAST: f64 = 1e-290;
    let mut each: Vec<f64> = draws.iter().map(|x| x.value()).collect();
    let mut sum: f64 = each.iter().sum();
    if !(sum > LEAST && sum.is_finite()) {
        let logs: Vec<f64> = draws.iter().map(|x| x.log()).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        each = logs.into_iter().map(|log| exp(log - most)).collect();
        sum = each.iter().sum();
    }
    each.iter_mut().for_each(|x| *x /= sum);
    each
}

/// Draws of the gamma distribution of rate 1, with a concentration α > 0 per element (Marsaglia and Tsang 2000): in rounds of
/// proposals for all elements, of which each element takes the first that is accepted.
pub(super) fn gammas(alpha: &[f64], keys: &mut dyn Keys) -> Result<Vec<GammaDraw>> {
    let n = [alpha.len()];
    // For α < 1, a draw is one for α + 1 times u^(1/α).
    let boost = uniform::<f64>(n, 0.0, 1.0, keys.next_key())?.to_vec();
    let mut drawn: Vec<Option<GammaDraw>> = vec![None; alpha.len()];
    while drawn.iter().any(Option::is_none) {
        let z = normal::<f64>(n, 0.0, 1.0, keys.next_key())?.to_vec();
        let u = uniform::<f64>(n, 0.0, 1.0, keys.next_key())?.to_vec();
        for (i, out) in drawn.iter_mut().enumerate().filter(|(_, out)| out.is_none()) {
            let shifted = if alpha[i] < 1.0 { alpha[i] + 1.0 } else { alpha[i] };
            let d = shifted - 1.0 / 3.0;
            let v = (1.0 + z[i] / (9.0 * d).sqrt()).powi(3);
            let accepted = v > 0.0 && ln(1.0 - u[i]) < 0.5 * z[i] * z[i] + d - d * v + d * ln(v);
            // With a d that is not finite, no proposal would ever be accepted.
            if accepted || !d.is_finite() {
                *out = Some(GammaDraw { d, v, u: 1.0 - boost[i], alpha: alpha[i] });
            }
        }
    }
    Ok(drawn.into_iter().flatten().collect())
}

/// A parameter, broadcast to every element of a draw, in f64.
pub(super) fn spread<T: Float>(x: Var<'_, T>, lead: &[usize], shape: &Shape) -> Result<Vec<f64>> {
    Ok(x.value()?.expand(full(lead, shape))?.cast::<f64>().to_vec())
}

/// Positive numbers as elements of `T`: a number that is too small becomes the smallest positive `T`.
pub(super) fn positive<T: Float>(x: Vec<f64>, lead: &[usize], shape: &Shape) -> Result<Tensor<T>> {
    let least = if size_of::<T>() == 4 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    let values = x.into_iter().map(|v| T::from_f64(if v < least { least } else { v })).collect();
    Ok(Tensor::from_vec(values, full(lead, shape))?)
}
