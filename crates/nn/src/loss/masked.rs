//! Squared error over a part of the prediction.

use super::{Reduction, refused, same_shape};
use wengert_ops::ErrorKind as OpErrorKind;
use wengert_tape::rules::IntoMask;
use wengert_tape::{Float, Operand, Var};

/// The mean of (x - t)² over the elements at which `mask` is true, for example the hidden parts of an input that a model
/// reconstructs. Prediction and target have the same shape, to which the mask broadcasts. The other elements have no influence,
/// even if they are NaN. If the mask is false everywhere, the mean is 0.
///
/// ```
/// use wengert_nn::loss;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
/// let mask = Tensor::from([[true], [false]]);                    // only the first row
/// let loss = loss::masked_mse(x, Tensor::from([[0.0, 0.0], [f64::NAN, 0.0]]), &mask);
/// assert_eq!(loss.item()?, 2.5);
/// assert_eq!(loss.backward()?.wrt(x)?.to_vec(), [1.0, 2.0, 0.0, 0.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If the shapes are not the same, or the mask does not broadcast to them.
#[track_caller]
pub fn masked_mse<'t, T: Float>(
    x: Var<'t, T>,
    target: impl Operand<'t, T>,
    mask: impl IntoMask,
) -> Var<'t, T> {
    masked_mse_with(x, target, mask, Reduction::Mean)
}

/// [`masked_mse`] with a reduction. With [`Reduction::None`], elements at which the mask is false are 0.
#[track_caller]
pub fn masked_mse_with<'t, T: Float>(
    x: Var<'t, T>,
    target: impl Operand<'t, T>,
    mask: impl IntoMask,
    reduction: Reduction,
) -> Var<'t, T> {
    const OP: &str = "masked_mse";
    let target = target.into_var(x.tape());
    let _scope = x.tape().error_scope(OP);
    let target = same_shape(OP, x, target);
    if x.is_failed() || target.is_failed() {
        return if x.is_failed() { x } else { target };
    }
    let mask = match mask.into_mask() {
        Ok(mask) => mask,
        Err(e) => return x.tape().failed(e),
    };
    let shape = x.shape();
    let Ok(mask) = mask.expand(&shape) else {
        let detail = format!("expected a mask that broadcasts to {shape}, found {}", mask.shape());
        return refused(x, OP, OpErrorKind::Shape, detail);
    };
    // Filled before the square, so that a hidden element has a gradient of 0 even if it is infinite or NaN.
    let e = (x - target).masked_fill(mask.map(|counts| !counts), 0.0);
    match reduction {
        Reduction::Mean => {
            e.square().sum() / mask.to_vec().iter().filter(|counts| **counts).count().max(1) as f64
        }
        reduction => reduction.of(e.square()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;
    use wengert_tape::gradcheck::Check;

    fn mask() -> Tensor<bool> {
        Tensor::from([[true, false, true], [false, false, true]])
    }

    #[test]
    fn the_gradient_is_right() {
        let x = Tensor::from([[1.0, 2.0, -1.0], [0.5, 3.0, 0.2]]);
        let t = Tensor::from([[0.0, 1.0, 1.0], [2.0, -1.0, 0.3]]);
        let check = Check::new("masked_mse").run(|x| masked_mse(x[0], x[1], mask()), &[x, t]);
        assert!(check.passed(), "{check}");
    }

    #[test]
    fn the_mean_over_nothing_is_zero_and_has_no_slope() {
        let tape = Tape::new();
        let x = tape.var(Tensor::from([[1.0, 2.0, 3.0]]));
        let loss = masked_mse(x, Tensor::from([[0.0; 3]]), Tensor::from([[false; 3]]));
        assert_eq!(loss.item().unwrap(), 0.0);
        assert_eq!(loss.backward().unwrap().wrt(x).unwrap().to_vec(), [0.0; 3]);
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let tape = Tape::new();
        let x = tape.var(Tensor::from([[1.0, 2.0, 3.0]]));
        for y in [
            masked_mse(x, Tensor::from([1.0, 2.0, 3.0]), Tensor::from([[true; 3]])),
            masked_mse(x, x, mask()),
            masked_mse(x, x, Tensor::from([true, false])),
        ] {
            let e = y.value().unwrap_err();
            assert_eq!((e.op(), e.location().map(|at| at.file())), ("masked_mse", Some(file!())), "{e}");
        }
    }
}
