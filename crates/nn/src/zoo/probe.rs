//! The linear probe: how well classes can be predicted linearly from a representation.

use crate::layers::{Layer, Linear};
use crate::loss;
use crate::optim::{Lbfgs, LbfgsConfig};
use crate::penalty;
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Error, ErrorKind, Float, Param, Result};

/// Multinomial logistic regression on fixed features, `[n, d]`, with labels `[n]`: the head that minimises the cross-entropy
/// plus `decay`/2 ‖W‖² on features standardised to mean 0 and variance 1. (The returned head takes the features as they are.)
/// Representations learned without labels are judged in this way. (Alain and Bengio 2016; Chen et al. 2020, section 4.2.)
///
/// The problem is convex, so with a `decay` above 0 it has one solution, which L-BFGS finds.
///
/// ```
/// use wengert_nn::zoo::linear_probe;
/// use wengert_nn::Layer;
/// use wengert_ops::Tensor;
/// let features = Tensor::from([[100.0, 0.1], [101.0, 0.9], [99.0, 0.2], [100.0, 0.8]]);
/// let head = linear_probe(&features, &Tensor::from([0, 1, 0, 1]), 2, 1e-3)?;
/// let tape = wengert_tape::Tape::eval();
/// let logits = head.forward(tape.constant(&features)).value()?;
/// assert_eq!(logits.argmax(-1)?.to_vec(), [0, 1, 0, 1]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If there is not one label below `classes` per row, there is no row, a feature is not finite, or `decay` is negative.
#[track_caller]
pub fn linear_probe<T: Float>(
    features: &Tensor<T>,
    labels: &Tensor<i64>,
    classes: usize,
    decay: f64,
) -> Result<Linear<T>> {
    const OP: &str = "linear_probe";
    let at = std::panic::Location::caller();
    let refused =
        |detail: String| Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), OP, detail).at(at));
    let [n, width] = features.shape()[..] else {
        return refused(format!("expected features [n, d], found {}", features.shape()));
    };
    if n == 0 || labels.shape()[..] != [n] {
        let (x, y) = (features.shape(), labels.shape());
        return refused(format!("expected a label for each of one row or more, found {y} for {x}"));
    }
    if !(decay >= 0.0 && decay.is_finite()) {
        return refused(format!("expected a decay of 0 or more, found {decay}"));
    }
    if let Some(y) = labels.to_vec().iter().find(|&&y| usize::try_from(y).map_or(true, |y| y >= classes)) {
        return refused(format!("expected labels below {classes}, found {y}"));
    }
    let rows = features.to_vec();
    if let Some(v) = rows.iter().find(|v| !v.is_finite()) {
        return refused(format!("expected features that are numbers, found {v}"));
    }
    let (shift, scale) = standard(&rows, width);
    let shift: Tensor<T> = Tensor::from_vec(shift, [width])?;
    let scale: Tensor<T> = Tensor::from_vec(scale, [width])?;
    let x = features.sub(&shift)?.mul(&scale)?;
    let mut head = Linear::new(width, classes, &mut Rng::seed(0));
    head.weight.update(|w| *w = Tensor::full_like(w, T::ZERO));
    let mut lbfgs =
        Lbfgs::with_config(LbfgsConfig { max_iter: 200, max_eval: Some(400), ..LbfgsConfig::default() });
    lbfgs.step(&mut head, |head, tape| {
        let logits = head.forward(tape.constant(&x));
        loss::cross_entropy(logits, labels) + penalty::l2(&head.weight, tape, decay)
    })?;
    // W (x - shift) scale + b, rewritten as an affine map of x.
    let weight = head.weight.value().mul(&scale)?;
    let moved = weight.matmul(&shift)?;
    if let Some(bias) = &mut head.bias {
        let value = bias.value().sub(&moved)?;
        *bias = Param::new(value);
    }
    head.weight = Param::new(weight);
    Ok(head)
}

/// The mean of every column, and one over its standard deviation, or 0 for a constant column.
fn standard<T: Float>(rows: &[T], width: usize) -> (Vec<T>, Vec<T>) {
    let (mut shift, mut scale) = (Vec::with_capacity(width), Vec::with_capacity(width));
    for j in 0..width {
        // The mean is computed relative to the first value, so that a constant column has no spread at all.
        let first = rows.get(j).map_or(0.0, |v| v.to_f64());
        let column = || rows.iter().skip(j).step_by(width).map(|v| v.to_f64());
        let n = column().count() as f64;
        let mean = first + column().map(|v| v - first).sum::<f64>() / n;
        let std = (column().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        shift.push(T::from_f64(mean));
        scale.push(T::from_f64(if std > 0.0 { 1.0 / std } else { 0.0 }));
    }
    (shift, scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tape::Tape;

    /// Three classes in the plane, with features whose scales differ by a factor of a thousand.
    fn data() -> (Tensor<f64>, Tensor<i64>) {
        let noise = Tensor::<f64>::randn([90, 2], &mut Rng::seed(1)).unwrap().to_vec();
        let centres = [[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]];
        let row = |i: usize| {
            let [a, b] = centres[i % 3];
            [1000.0 * (a + noise[2 * i]) + 5000.0, 0.01 * (b + noise[2 * i + 1])]
        };
        let x = Tensor::from_vec((0..90).flat_map(row).collect(), [90, 2]).unwrap();
        (x, Tensor::from((0..90).map(|i| i % 3).collect::<Vec<i64>>()))
    }

    fn right(head: &Linear<f64>, x: &Tensor<f64>, labels: &Tensor<i64>) -> usize {
        let tape = Tape::eval();
        let chosen = head.forward(tape.constant(x)).value().unwrap().argmax(-1).unwrap().to_vec();
        chosen.iter().zip(labels.to_vec()).filter(|(a, b)| **a == *b).count()
    }

    #[test]
    fn classes_are_told_apart_whatever_the_scale() {
        let (x, labels) = data();
        let head = linear_probe(&x, &labels, 3, 1e-3).unwrap();
        assert!(right(&head, &x, &labels) >= 82, "{}", right(&head, &x, &labels));
    }

    /// At the solution, the gradient of the minimised function is zero.
    #[test]
    fn it_is_the_smallest() {
        let (x, labels) = data();
        let (decay, head) = (0.05, linear_probe(&data().0, &labels, 3, 0.05).unwrap());
        let (shift, scale) = standard(&x.to_vec(), 2);
        let scale = Tensor::from(scale);
        let x = x.sub(Tensor::from(shift)).unwrap().mul(&scale).unwrap();
        // The same head for standardised features; the softmax is invariant to a shift of the bias that all classes share.
        let mut own = head.clone();
        own.weight.set(head.weight.value().div(&scale).unwrap()).unwrap();
        let means = Tensor::from(standard(&data().0.to_vec(), 2).0);
        let bias = own.bias.as_mut().unwrap();
        bias.set(bias.value().add(head.weight.value().matmul(&means).unwrap()).unwrap()).unwrap();
        let tape = Tape::new();
        let loss = loss::cross_entropy(own.forward(tape.constant(&x)), &labels)
            + penalty::l2(&own.weight, &tape, decay);
        let grads = loss.backward().unwrap();
        for g in [grads.of(&own.weight).unwrap(), grads.of(own.bias.as_ref().unwrap()).unwrap()] {
            assert!(g.to_vec().iter().all(|g| g.abs() < 1e-5), "{g}");
        }
    }

    #[test]
    fn a_feature_that_does_not_vary_says_nothing() {
        // In floating point, the sum of seven times 0.7, divided by seven, is not 0.7.
        let x = Tensor::from_vec((0..7).flat_map(|i| [0.7, f64::from(i)]).collect(), [7, 2]).unwrap();
        let labels = Tensor::from([0, 0, 0, 0, 1, 1, 1]);
        let head = linear_probe(&x, &labels, 2, 1e-3).unwrap();
        assert_eq!(head.weight.value().get(&[0, 0]).unwrap(), 0.0);
        assert_eq!(right(&head, &x, &labels), 7);
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let (x, labels) = data();
        let nan = x.map(|_| f64::NAN);
        for e in [
            linear_probe(&Tensor::from([1.0]), &Tensor::from([0]), 2, 0.1),
            linear_probe(&x, &Tensor::from([0]), 3, 0.1),
            linear_probe(&Tensor::zeros([0, 2]), &Tensor::from(vec![0i64; 0]), 3, 0.1),
            linear_probe(&x, &labels, 2, 0.1),
            linear_probe(&x, &labels, 3, -0.1),
            linear_probe(&nan, &labels, 3, 0.1),
        ] {
            let e = e.unwrap_err();
            assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
        }
    }
}
