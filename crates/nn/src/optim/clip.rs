//! Gradient clipping.

use wengert_ops::Tensor;
use wengert_tape::{Float, Grads};

/// Scales all gradients together so that their joint Euclidean norm is at most `max`, and gives the norm they had.
///
/// Gradients that are not finite make the norm so: they are left as they are, and the norm tells.
///
/// ```
/// use wengert_nn::optim::clip_norm;
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let p = Param::new(Tensor::from([3.0f64, 4.0]));
/// let tape = Tape::new();
/// let mut grads = (tape.param(&p).square() * 0.5).sum().backward()?;
/// assert_eq!(clip_norm(&mut grads, 1.0)?, 5.0);
/// let clipped = grads.of(&p)?.to_vec();
/// assert!((clipped[0] - 0.6).abs() < 1e-12 && (clipped[1] - 0.8).abs() < 1e-12);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If `max` is negative or NaN.
pub fn clip_norm<T: Float>(grads: &mut Grads<T>, max: f64) -> wengert_ops::Result<f64> {
    bound_is_valid("clip_norm", max)?;
    let mut sum = 0.0;
    for (_, _, g) in grads.iter() {
        sum += g.mul(g)?.sum_all().item()?.to_f64();
    }
    let norm = sum.sqrt();
    if norm > max && norm.is_finite() {
        for (_, g) in grads.iter_mut() {
            *g = g.scale(max / norm);
        }
    }
    Ok(norm)
}

/// Keeps every element of every gradient within ± `max`.
///
/// # Errors
/// If `max` is negative or NaN.
pub fn clip_value<T: Float>(grads: &mut Grads<T>, max: f64) -> wengert_ops::Result<()> {
    bound_is_valid("clip_value", max)?;
    let (low, high) = (Tensor::scalar(T::from_f64(-max)), Tensor::scalar(T::from_f64(max)));
    for (_, g) in grads.iter_mut() {
        *g = g.maximum(&low)?.minimum(&high)?;
    }
    Ok(())
}

fn bound_is_valid(op: &'static str, max: f64) -> wengert_ops::Result<()> {
    if max >= 0.0 {
        return Ok(());
    }
    let detail = format!("expected a bound of at least 0, found {max}");
    Err(wengert_ops::Error::new(op, wengert_ops::ErrorKind::Argument, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tape::{Param, Tape};

    #[test]
    fn values_are_kept_within_the_bound_and_bounds_are_checked() {
        let p = Param::new(Tensor::from([-3.0, 0.25, 2.0]));
        let gradients = || (Tape::new().param(&p).square() * 0.5).sum().backward().unwrap();
        let mut grads = gradients();
        clip_value(&mut grads, 1.0).unwrap();
        assert_eq!(grads.of(&p).unwrap().to_vec(), [-1.0, 0.25, 1.0]);
        for bad in [-1.0, f64::NAN] {
            assert!(clip_value(&mut grads, bad).is_err() && clip_norm(&mut grads, bad).is_err());
        }
        let mut small = gradients();
        let norm = clip_norm(&mut small, 100.0).unwrap();
        assert!((norm - (9.0f64 + 0.0625 + 4.0).sqrt()).abs() < 1e-12);
        assert_eq!(small.of(&p).unwrap(), p.value(), "below the bound nothing changes");
    }
}
