//! Connectionist temporal classification: the likelihood of a sequence of labels, over all alignments with the frames.

use super::{Reduction, each, refused};
use crate::domain::{Domain, place};
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Float, Result, Var};

/// Connectionist temporal classification (Graves et al. 2006) with PyTorch's default options: class 0 is the blank. Each
/// sample's loss is divided by its number of labels; the mean over the batch.
///
/// Shapes, formula and errors are those of [`Ctc`], which has options.
///
/// ```
/// use wengert_nn::loss::ctc;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// // One sample, two frames, three equally likely classes: of 9 paths, "11", "01" and "10" read "1".
/// let log_probs = tape.var(Tensor::from([[[0.0; 3]; 2]])).log_softmax(-1);
/// let loss = ctc(log_probs, &Tensor::from([[1]]), &[2], &[1]);
/// assert!((loss.item()? - 3f64.ln()).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "CTCLoss")]
#[doc(alias = "ctc_loss")]
#[track_caller]
pub fn ctc<'t, T: Float>(
    log_probs: Var<'t, T>,
    targets: &Tensor<i64>,
    input_lengths: &[usize],
    target_lengths: &[usize],
) -> Var<'t, T> {
    Ctc::default().of(log_probs, targets, input_lengths, target_lengths)
}

/// [`ctc`] with a reduction.
#[track_caller]
pub fn ctc_with<'t, T: Float>(
    log_probs: Var<'t, T>,
    targets: &Tensor<i64>,
    input_lengths: &[usize],
    target_lengths: &[usize],
    reduction: Reduction,
) -> Var<'t, T> {
    Ctc { reduction, ..Default::default() }.of(log_probs, targets, input_lengths, target_lengths)
}

/// Connectionist temporal classification (Graves et al. 2006): -log of the probability that the frames read as the labels. A path
/// has one class per frame; it is read by merging equal neighbours and then leaving out the blanks. The probability is the sum
/// over all paths that read as the labels, by the forward recursion in logarithms
/// α(t, s) = log p_t(l_s) + log(e^α(t-1, s) + e^α(t-1, s-1) + e^α(t-1, s-2))
/// over the labels l with blanks between and around them. The last term is there only where l_s is a label that differs from
/// the label before.
///
/// The mean is PyTorch's: each sample's loss divided by its number of labels (by 1, if it has none), then the mean over the
/// batch.
///
/// A sample with too few frames for its labels has the loss ∞, with a gradient of 0 (NaN in PyTorch).
///
/// ```
/// use wengert_nn::loss::{Ctc, Reduction};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let log_probs = tape.var(Tensor::from([[[0.0; 3]; 3]; 2])).log_softmax(-1);
/// let loss = Ctc { blank: 2, zero_infinity: true, reduction: Reduction::None };
/// // "00" needs a blank between its labels: three frames have exactly one path that reads as it, two have none.
/// let each = loss.of(log_probs, &Tensor::from([[0, 0], [0, 0]]), &[3, 2], &[2, 2]).value()?;
/// assert!((each.to_vec()[0] - 27f64.ln()).abs() < 1e-14);
/// assert_eq!(each.to_vec()[1], 0.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "CTCLoss")]
#[doc(alias = "ctc_loss")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ctc {
    /// The class of the blank, which stands for no label. Default: `0`.
    pub blank: usize,
    /// Whether a loss of ∞ is replaced by 0. Default: `false`.
    pub zero_infinity: bool,
    /// How the samples' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Ctc {
    /// The loss of log-probabilities `[batch, time, classes]`, labels `[batch, most]`, and for each sample the number of its
    /// frames and of its labels. Frames and labels after these have no influence, and may be any number.
    ///
    /// PyTorch takes the time first, `[time, batch, classes]`: `x.transpose(0, 1)`. PyTorch returns the gradient of the logits
    /// before a `log_softmax(-1)`; here it is the gradient of the log-probabilities, from which the rule of `log_softmax`
    /// computes that of the logits.
    ///
    /// # Errors
    /// If the shapes differ from these, there is not one length per sample, a length is more than the number of frames or labels,
    /// a label is the blank or not a class, the blank is not a class, or a prediction is more than 0 (up to rounding), as logits
    /// are.
    #[track_caller]
    pub fn of<'t, T: Float>(
        &self,
        log_probs: Var<'t, T>,
        targets: &Tensor<i64>,
        input_lengths: &[usize],
        target_lengths: &[usize],
    ) -> Var<'t, T> {
        const OP: &str = "ctc";
        let (x, tape) = (log_probs, log_probs.tape());
        let _scope = tape.error_scope(OP);
        if x.is_failed() {
            return x;
        }
        let dims = x.shape();
        let [batch, time, classes] = dims.as_shape()[..] else {
            let detail = format!("expected log-probabilities [batch, time, classes], found {dims}");
            return refused(x, OP, OpErrorKind::Shape, detail);
        };
        let labels = match Labels::new(self.blank, targets, target_lengths, [batch, classes]) {
            Ok(labels) => labels,
            Err((kind, detail)) => return refused(x, OP, kind, detail),
        };
        if let Err((kind, detail)) = lengths("frames", input_lengths, batch, time) {
            return refused(x, OP, kind, detail);
        }
        let x = match after_the_end(x, input_lengths, [batch, time]) {
            Ok(Some(over)) => x.masked_fill(&over, 0.0),
            Ok(None) => x,
            Err(e) => return tape.failed(e),
        };
        let x = each(OP, "a prediction that is a log-probability,", x, Domain::LogProbability);
        let places = labels.places;
        let made = || -> wengert_ops::Result<_> {
            let at = Tensor::from_vec(labels.at, [batch, 1, places])?.expand([batch, time, places])?;
            let start = (0..batch * places).map(|i| if i % places == 0 { T::ZERO } else { T::NEG_INFINITY });
            Ok((
                at.contiguous(),
                Tensor::from_vec(labels.no_skip, [batch, places])?,
                Tensor::from_vec(start.collect(), [batch, places])?,
                Tensor::from_vec(labels.ends, [batch, 2])?,
                Tensor::from_vec(labels.no_end, [batch, 2])?,
            ))
        };
        let (at, no_skip, start, ends, no_end) = match made() {
            Ok(made) => made,
            Err(e) => return tape.failed(e.in_op(OP).into()),
        };
        let mut each_frame = Vec::with_capacity(time);
        frames(x.gather(-1, &at), &mut each_frame);
        // Before the first frame, nothing has been read.
        let mut alpha = tape.constant(start); // [batch, places]
        for (t, frame) in each_frame.into_iter().enumerate() {
            let from = alpha.pad(&[(0, 0), (2, 0)], f64::NEG_INFINITY);
            let (one, two) = (from.slice(1, 1..=places), from.slice(1, 0..places));
            let two = two.masked_fill(&no_skip, f64::NEG_INFINITY);
            let next = tape.stack(&[alpha, one, two], 0).logsumexp(0) + frame;
            let over: Vec<bool> = input_lengths.iter().map(|n| t >= *n).collect();
            alpha = if over.contains(&true) {
                match Tensor::from_vec(over, [batch, 1]) {
                    Ok(over) => alpha.where_cond(&over, next),
                    Err(e) => return tape.failed(e.in_op(OP).into()),
                }
            } else {
                next
            };
        }
        // A complete path ends at the last label, or at the blank after it.
        let read = alpha.gather(-1, &ends).masked_fill(&no_end, f64::NEG_INFINITY);
        let mut losses = -read.logsumexp(-1); // [batch]
        if self.zero_infinity {
            let infinite = match losses.value() {
                Ok(values) => values.map(|v| v == T::INFINITY),
                Err(e) => return tape.failed(e),
            };
            losses = losses.masked_fill(&infinite, 0.0);
        }
        match self.reduction {
            Reduction::Mean => {
                let counts: Vec<_> = target_lengths.iter().map(|n| T::from_f64((*n).max(1) as f64)).collect();
                (losses / Tensor::from(counts)).mean()
            }
            reduction => reduction.of(losses),
        }
    }
}

/// The frames after each sample's end, `[batch, time, 1]`, if there are any and the prediction has an element that is not a
/// log-probability or not finite; else `None`.
fn after_the_end<T: Float>(
    x: Var<'_, T>,
    lengths: &[usize],
    [batch, time]: [usize; 2],
) -> Result<Option<Tensor<bool>>> {
    if lengths.iter().all(|n| *n == time) {
        return Ok(None);
    }
    let values = x.value()?;
    if !values.has_non_finite() && Domain::LogProbability.outside(&values, true).is_none() {
        return Ok(None);
    }
    let over = lengths.iter().flat_map(|n| (0..time).map(move |t| t >= *n)).collect();
    Ok(Some(Tensor::from_vec(over, [batch, time, 1])?))
}

/// The kind and the message of an argument's error.
type Wrong = (OpErrorKind, String);

/// Checks that there is one length per sample, and that none is more than `most`.
fn lengths(of: &str, lengths: &[usize], batch: usize, most: usize) -> std::result::Result<(), Wrong> {
    if lengths.len() != batch {
        let detail =
            format!("expected the number of {of} of {batch} samples, found {} numbers", lengths.len());
        return Err((OpErrorKind::Shape, detail));
    }
    match lengths.iter().position(|n| *n > most) {
        Some(i) => {
            let found = place(lengths[i], i, &[batch]);
            Err((OpErrorKind::Argument, format!("expected at most {most} {of}, found {found}")))
        }
        None => Ok(()),
    }
}

/// The labels of each sample with blanks between and around them, padded to the same number of places.
struct Labels {
    places: usize,
    /// The class of each place, `[batch, places]`.
    at: Vec<i64>,
    /// Whether a place cannot be reached from the second place before it: true for blanks and for repeated labels.
    no_skip: Vec<bool>,
    /// The places of each sample's last label and of the blank after it, `[batch, 2]`.
    ends: Vec<i64>,
    /// Whether that place does not exist, since the sample has no labels.
    no_end: Vec<bool>,
}

impl Labels {
    fn new(
        blank: usize,
        targets: &Tensor<i64>,
        counts: &[usize],
        [batch, classes]: [usize; 2],
    ) -> std::result::Result<Self, Wrong> {
        if blank >= classes {
            let detail = format!("expected a blank from 0 to {}, found {blank}", classes as i64 - 1);
            return Err((OpErrorKind::Argument, detail));
        }
        let most = match targets.shape()[..] {
            [n, most] if n == batch => most,
            _ => {
                let detail = format!("expected labels [{batch}, most], found {}", targets.shape());
                return Err((OpErrorKind::Shape, detail));
            }
        };
        lengths("labels", counts, batch, most)?;
        let (values, places) = (targets.to_vec(), 2 * counts.iter().max().unwrap_or(&0) + 1);
        let mut made = Labels {
            places,
            at: vec![blank as i64; batch * places],
            no_skip: vec![true; batch * places],
            ends: Vec::with_capacity(2 * batch),
            no_end: Vec::with_capacity(2 * batch),
        };
        for (i, n) in counts.iter().enumerate() {
            let row = &values[i * most..][..*n];
            for (j, y) in row.iter().enumerate() {
                if !usize::try_from(*y).is_ok_and(|y| y < classes && y != blank) {
                    let found = place(y, i * most + j, targets.shape());
                    let detail = format!(
                        "expected labels from 0 to {} other than the blank {blank}, found {found}",
                        classes as i64 - 1
                    );
                    return Err((OpErrorKind::Argument, detail));
                }
                let to = i * places + 2 * j + 1;
                made.at[to] = *y;
                made.no_skip[to] = j == 0 || row[j - 1] == *y;
            }
            made.ends.extend([2 * *n as i64, (2 * *n as i64 - 1).max(0)]);
            made.no_end.extend([false, *n == 0]);
        }
        Ok(made)
    }
}

/// The frames of `[batch, time, places]`, sliced by repeated halving: the cotangent of a slice is as large as the sliced tensor.
#[track_caller]
fn frames<'t, T: Float>(x: Var<'t, T>, all: &mut Vec<Var<'t, T>>) {
    match x.dim(1) {
        0 => {}
        1 => all.push(x.squeeze(1)),
        n => {
            for half in x.split(1, &[n / 2, n - n / 2]) {
                frames(half, all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tape::Tape;
    use wengert_tape::gradcheck::{Check, Domain, Gen};

    /// The labels that a path reads as.
    fn reading(path: &[usize], blank: usize) -> Vec<usize> {
        let mut read = Vec::new();
        for (t, c) in path.iter().enumerate() {
            if *c != blank && (t == 0 || path[t - 1] != *c) {
                read.push(*c);
            }
        }
        read
    }

    /// The loss -log Σ, with the sum over all paths, which are enumerated.
    fn enumerated(log_p: &[f64], time: usize, classes: usize, labels: &[usize], blank: usize) -> f64 {
        let mut total = 0.0;
        for code in 0..classes.pow(time as u32) {
            let path: Vec<_> = (0..time).map(|t| code / classes.pow(t as u32) % classes).collect();
            if reading(&path, blank) == labels {
                let log: f64 = path.iter().enumerate().map(|(t, c)| log_p[t * classes + c]).sum();
                total += log.exp();
            }
        }
        -total.ln()
    }

    #[test]
    fn it_is_the_sum_over_all_paths() {
        let mut g = Gen::seeded(11);
        for _ in 0..60 {
            let (batch, time, classes) = (g.within(1..=3), g.within(0..=5), g.within(2..=3));
            let (blank, most) = (g.within(0..=classes - 1), g.within(0..=3));
            let tape = Tape::<f64>::new();
            let log_p = tape.var(g.tensor(&[batch, time, classes], Domain::Real)).log_softmax(-1);
            let counts: Vec<_> = (0..batch).map(|_| g.within(0..=most)).collect();
            let frames: Vec<_> = (0..batch).map(|_| g.within(0..=time)).collect();
            // The padding after the labels is not a class.
            let mut labels = vec![-7; batch * most];
            for (i, n) in counts.iter().enumerate() {
                for y in &mut labels[i * most..][..*n] {
                    *y = ((blank + g.within(1..=classes - 1)) % classes) as i64;
                }
            }
            let targets = Tensor::from_vec(labels.clone(), [batch, most]).unwrap();
            let loss = Ctc { blank, zero_infinity: false, reduction: Reduction::None };
            let found = loss.of(log_p, &targets, &frames, &counts).value().unwrap().to_vec();
            let values = log_p.value().unwrap().to_vec();
            let mut mean = 0.0;
            for (i, found) in found.iter().enumerate() {
                let own: Vec<_> = labels[i * most..][..counts[i]].iter().map(|y| *y as usize).collect();
                let want = enumerated(&values[i * time * classes..], frames[i], classes, &own, blank);
                assert!(*found == want || (found - want).abs() < 1e-13 * (1.0 + want), "{found}, not {want}");
                mean += if want.is_finite() { want / own.len().max(1) as f64 / batch as f64 } else { 0.0 };
            }
            let loss = Ctc { zero_infinity: true, reduction: Reduction::Mean, ..loss };
            let found = loss.of(log_p, &targets, &frames, &counts).item().unwrap();
            assert!((found - mean).abs() < 1e-13 * (1.0 + mean), "{found}, not {mean}");
        }
    }

    #[test]
    fn the_gradient_is_right_and_that_of_an_impossible_reading_is_zero() {
        let mut g = Gen::seeded(12);
        let x = g.tensor(&[3, 4, 3], Domain::Real);
        // The last needs five frames.
        let targets = Tensor::from([[1, 2, -1], [2, 2, 1], [1, 1, 1]]);
        for (zero_infinity, rows) in [(false, 0..2), (true, 0..3)] {
            let (frames, counts) = ([4, 4, 4], [2, 3, 3]);
            let loss = Ctc { zero_infinity, ..Default::default() };
            let report = Check::new("ctc").run(
                |x| {
                    let x = x[0].log_softmax(-1).slice(0, rows.clone());
                    let targets = targets.slice(0, rows.clone()).unwrap();
                    loss.of(x, &targets, &frames[rows.clone()], &counts[rows.clone()])
                },
                std::slice::from_ref(&x),
            );
            assert!(report.passed(), "{report}");
        }
        let tape = Tape::new();
        let v = tape.var(x.map(|v| -v.abs()));
        let loss = ctc_with(v, &targets, &[4; 3], &[2, 3, 3], Reduction::None).select(0, 2);
        assert_eq!(loss.item().unwrap(), f64::INFINITY);
        assert_eq!(loss.grad(v).unwrap().value().unwrap(), Tensor::zeros([3, 4, 3]));
        assert_eq!(loss.backward().unwrap().wrt(v).unwrap(), Tensor::zeros([3, 4, 3]));
    }

    #[test]
    fn long_sequences_neither_underflow_nor_need_certainty() {
        // With 400 frames of equally likely classes, each path has the probability 3^-400, below the smallest number.
        let tape = Tape::<f64>::new();
        let v = tape.var(Tensor::zeros([1, 400, 3]));
        let targets = Tensor::from([[1, 2, 1, 1, 2]]);
        let loss = ctc(v.log_softmax(-1), &targets, &[400], &[5]);
        assert!(loss.item().unwrap().is_finite());
        assert!(loss.backward().unwrap().wrt(v).unwrap().to_vec().iter().all(|g| g.is_finite()));
        // A certain path: the other classes have the log-probability -∞.
        let certain =
            |t: usize| if [0, 2].contains(&t) { [f64::NEG_INFINITY, 0.0] } else { [0.0, f64::NEG_INFINITY] };
        let v = tape.var(Tensor::from([[certain(0), certain(1), certain(2)]]));
        let loss = ctc(v, &Tensor::from([[1, 1]]), &[3], &[2]);
        assert_eq!(loss.item().unwrap(), 0.0);
        let want = Tensor::from([[[0.0, -0.5], [-0.5, 0.0], [0.0, -0.5]]]);
        assert_eq!(loss.backward().unwrap().wrt(v).unwrap(), want);
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::zeros([2, 3, 4])).log_softmax(-1);
        let t = |a: i64, b: i64| Tensor::from([[a, 1], [b, 2]]);
        let none = Ctc { blank: 4, ..Default::default() };
        for (y, detail) in [
            (ctc(x.select(0, 0), &t(1, 1), &[3, 3], &[2, 2]), "[batch, time, classes], found [3, 4]"),
            (ctc(x, &Tensor::from([1, 2]), &[3, 3], &[2, 2]), "labels [2, most], found [2]"),
            (ctc(x, &t(1, 1), &[3], &[2, 2]), "frames of 2 samples, found 1 numbers"),
            (ctc(x, &t(1, 1), &[3, 3], &[2]), "labels of 2 samples, found 1 numbers"),
            (ctc(x, &t(1, 1), &[3, 4], &[2, 2]), "at most 3 frames, found 4 at [1]"),
            (ctc(x, &t(1, 1), &[3, 3], &[3, 2]), "at most 2 labels, found 3 at [0]"),
            (ctc(x, &t(1, 0), &[3, 3], &[2, 2]), "other than the blank 0, found 0 at [1, 0]"),
            (
                ctc(x, &t(4, 1), &[3, 3], &[2, 2]),
                "labels from 0 to 3 other than the blank 0, found 4 at [0, 0]",
            ),
            (none.of(x, &t(1, 1), &[3, 3], &[2, 2]), "a blank from 0 to 3, found 4"),
            (ctc(x + 3.0, &t(1, 1), &[3, 3], &[2, 2]), "a log-probability, at most 0, found"),
        ] {
            let e = y.value().unwrap_err();
            assert_eq!((e.op(), e.location().map(|at| at.file())), ("ctc", Some(file!())), "{e}");
            assert!(e.detail().contains(detail), "{e} does not say {detail}");
        }
    }
}
