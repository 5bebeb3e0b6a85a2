//! [`Dropout`]: elements set to zero at random in training.

use crate::Module;
use crate::layers::{Layer, refused};
use wengert_ops::Tensor;
use wengert_tape::{Float, Var};

/// On a training tape, drops each element with probability `p` and divides the others by 1 - p; on any other, the
/// identity. The random numbers come from the tape's stream.
///
/// ```
/// use wengert_nn::{Dropout, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::train(3);
/// let y = Dropout::new(0.5).forward(tape.constant(Tensor::<f32>::ones([100])));
/// assert!(y.value()?.to_vec().contains(&0.0) && y.value()?.to_vec().contains(&2.0));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Module)]
pub struct Dropout {
    /// The probability of dropping an element.
    pub p: f64,
}

impl Dropout {
    /// Dropout with probability `p`, which is checked when the layer is used.
    pub fn new(p: f64) -> Self {
        Dropout { p }
    }
}

impl<T: Float> Layer<T> for Dropout {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.dropout(self.p)
    }
}

/// Drops each part that the first `axes` axes select as a whole; `shape` is for the message.
#[track_caller]
pub(super) fn drop_whole<'t, T: Float>(
    x: Var<'t, T>,
    axes: usize,
    p: f64,
    op: &'static str,
    shape: &'static str,
) -> Var<'t, T> {
    let tape = x.tape();
    if x.is_failed() {
        return x;
    }
    if !(0.0..=1.0).contains(&p) {
        return refused(tape, op, format!("expected a probability, found {p}"));
    }
    if x.rank() < axes {
        return refused(tape, op, format!("expected x {shape}, found {}", x.shape()));
    }
    if p == 0.0 || !tape.is_training() {
        return x;
    }
    let sizes: Vec<usize> =
        x.shape().as_shape().iter().enumerate().map(|(i, &n)| if i < axes { n } else { 1 }).collect();
    x * tape.constant(Tensor::try_full(sizes, T::ONE)).dropout(p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{ChannelDropout, DropPath};
    use wengert_tape::Tape;

    #[test]
    fn wholes_are_dropped_with_their_probability_in_training_only() {
        let x = Tensor::<f64>::ones([50, 40, 3]);
        let (tape, quiet) = (Tape::train(1), Tape::new());
        for (layer, whole) in [(&ChannelDropout::new(0.3) as &dyn Layer<f64>, 3), (&DropPath::new(0.3), 120)]
        {
            let x = tape.var(&x);
            let y = layer.forward(x);
            let values = y.value().unwrap().to_vec();
            let kept = 1.0 / 0.7;
            assert!(
                values.chunks(whole).all(|c| c.iter().all(|v| *v == c[0]) && (c[0] == 0.0 || c[0] == kept))
            );
            let dropped = values.iter().filter(|v| **v == 0.0).count() as f64 / values.len() as f64;
            assert!((dropped - 0.3).abs() < 0.15, "{dropped}");
            let again = layer.forward(x).value().unwrap().to_vec();
            assert_ne!(values, again, "the stream continues");
            // The gradient is zero where the value was dropped.
            assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), values);
            let x = quiet.constant(Tensor::<f64>::ones([2, 2, 2]));
            assert_eq!(layer.forward(x).value().unwrap(), x.value().unwrap());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let tape = Tape::<f64>::train(1);
        let x = tape.constant(Tensor::ones([3]));
        let says = |y: Var<'_, f64>, op: &str, words: &str| {
            let e = y.value().unwrap_err();
            assert!(e.op() == op && e.to_string().contains(words), "{e}");
            assert_eq!(e.location().map(|at| at.file()), Some(file!()));
        };
        says(ChannelDropout::new(0.1).forward(x), "channel_dropout", "[batch, channels, ..], found [3]");
        says(DropPath::new(1.5).forward(x), "drop_path", "expected a probability, found 1.5");
        says(ChannelDropout::new(f64::NAN).forward(x), "channel_dropout", "found NaN");
        says(Dropout::new(-0.1).forward(x), "dropout", "-0.1");
    }
}
