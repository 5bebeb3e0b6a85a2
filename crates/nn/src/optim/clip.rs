//! Gradient clipping.

use wengert_tape::profile::{Pass, span_of};
use wengert_tape::{Float, Grads};

/// Scales all gradients together so that their joint Euclidean norm is at most `max`, and returns the norm before scaling.
///
/// The scaled gradients are not written: an optimiser's step multiplies while it reads them.
///
/// If a gradient is not finite, the norm is not finite either; the gradients are then unchanged.
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
#[doc(alias = "clip_grad_norm_")]
pub fn clip_norm<T: Float>(grads: &mut Grads<T>, max: f64) -> wengert_ops::Result<f64> {
    let _span = span_of("clip_norm", Pass::Optimizer, || None);
    bound_is_valid("clip_norm", max)?;
    let norm = grads.norm();
    if norm > max && norm.is_finite() {
        grads.scale_parameters(max / norm);
    }
    Ok(norm)
}

/// Clamps every element of every gradient to [-`max`, `max`].
///
/// # Errors
/// If `max` is negative or NaN.
#[doc(alias = "clip_grad_value_")]
pub fn clip_value<T: Float>(grads: &mut Grads<T>, max: f64) -> wengert_ops::Result<()> {
    let _span = span_of("clip_value", Pass::Optimizer, || None);
    bound_is_valid("clip_value", max)?;
    let (low, high) = (T::from_f64(-max), T::from_f64(max));
    for (_, g) in grads.iter_mut() {
        *g = g.map(|v| v.maximum(low).minimum(high));
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
    use wengert_ops::Tensor;
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

    /// The step multiplies, and so does every other reader, with the same rounding as a pass over the gradients.
    #[test]
    fn a_factor_that_is_not_written_has_the_effect_of_one_that_is() {
        use crate::optim::{Adam, Optimizer};
        let start = Tensor::<f32>::steps(0.1, 0.3, 300);
        let swept = |p: &Param<f32>| (Tape::new().param(p).square() * 0.5).sum().backward().unwrap();
        let step = |p: &mut Param<f32>, grads: &Grads<f32>| {
            p.update(|value| *value = start.clone());
            Adam::new(0.1).step(p, grads).unwrap();
            p.value().clone()
        };
        let mut p = Param::new(start.clone());
        let (mut clipped, mut written) = (swept(&p), swept(&p));
        let norm = clip_norm(&mut clipped, 1.0).unwrap();
        written.iter_mut().for_each(|(_, g)| *g = g.scale(1.0 / norm));
        assert_eq!(step(&mut p, &clipped), step(&mut p, &written));
        assert_eq!(clipped.of(&p).unwrap(), written.of(&p).unwrap());
        assert_eq!(clipped.norm(), written.norm());
        assert_eq!(step(&mut p, &clipped), step(&mut p, &written), "reading changes nothing");
        for grads in [&mut clipped, &mut written] {
            grads.scale(3.0);
            grads.accumulate(swept(&p)).unwrap();
            grads.scale(0.5);
        }
        assert_eq!(step(&mut p, &clipped), step(&mut p, &written));
        assert_eq!(clipped.of(&p).unwrap(), written.of(&p).unwrap());
    }

    /// ‖(3, 4) c‖ is 5 c, even if the squares overflow or underflow.
    #[test]
    fn the_norm_is_right_at_every_size_and_infinities_are_left() {
        fn check<T: Float>(sizes: &[f64]) {
            for c in sizes {
                let p = Param::new(Tensor::from([3.0 * c, 4.0 * c]).cast::<T>());
                let gradients = || (Tape::new().param(&p).square() * 0.5).sum().backward().unwrap();
                let (mut grads, scale) = (gradients(), 1.0 / c);
                let norm = clip_norm(&mut grads, 2.5 * c).unwrap();
                assert!((norm * scale - 5.0).abs() < 1e-6, "{norm}");
                let clipped = grads.of(&p).unwrap().to_vec();
                assert!((clipped[0].to_f64() * scale - 1.5).abs() < 1e-6, "{clipped:?}");
                assert!((clipped[1].to_f64() * scale - 2.0).abs() < 1e-6, "{clipped:?}");
            }
        }
        check::<f32>(&[1e-30, 1e-3, 1.0, 1e15, 1e30]);
        check::<f64>(&[1e-200, 1.0, 1e200]);
        let p = Param::new(Tensor::from([1.0, 2.0]));
        for bad in [f64::INFINITY, f64::NAN] {
            let mut grads = (Tape::new().param(&p) * Tensor::from([1.0, bad])).sum().backward().unwrap();
            let norm = clip_norm(&mut grads, 1.0).unwrap();
            assert!(norm.is_nan() == bad.is_nan() && !norm.is_finite());
            assert_eq!(grads.of(&p).unwrap().to_vec()[0], 1.0);
        }
    }
}
