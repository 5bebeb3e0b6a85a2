//! Scans along an axis: running sums, products, log-sum-exps and extremes, and the linear recurrence
//! h ← a h + b, which is the adjoint of most of them and of itself.
//!
//! A row is one chain of dependent steps, so it is computed by one thread; threads share the rows. A chain is computed
//! in double precision for `f32` too: its latency is the same, and errors do not accumulate along it.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::portable;
use crate::parallel;
use crate::shape::normalize_axis;
use crate::tensor::Tensor;

/// The order in which a scan visits the positions of its axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first position to the last.
    Forward,
    /// From the last position to the first.
    Backward,
}

impl Direction {
    /// The opposite direction.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Direction::Forward => Direction::Backward,
            Direction::Backward => Direction::Forward,
        }
    }

    /// The position of step `i` of `n`.
    #[inline(always)]
    fn at(self, i: usize, n: usize) -> usize {
        match self {
            Direction::Forward => i,
            Direction::Backward => n - 1 - i,
        }
    }
}

/// A function of one row of each of `N` inputs.
type RowFn<'f, const N: usize, T, U> = dyn Fn([&[T]; N], &mut [U]) + Sync + 'f;

/// Calls `row` for every row of inputs of one shape, at `cost` additions per element.
fn rows<const N: usize, T: Element, U: Element>(
    op: &'static str,
    x: [&Tensor<T>; N],
    axis: isize,
    cost: usize,
    row: &RowFn<'_, N, T, U>,
) -> Result<Tensor<U>> {
    let axis = normalize_axis(op, axis, x[0].rank())? as isize;
    if let Some(o) = x.iter().find(|o| o.shape() != x[0].shape()) {
        let detail = format!("expected operands of one shape, found {} and {}", x[0].shape(), o.shape());
        return Err(Error::shape(op, detail));
    }
    let mut dense = Vec::with_capacity(N);
    for x in x {
        dense.push(x.transpose(axis, -1)?.contiguous());
    }
    let shape = dense[0].shape().clone();
    let n = shape.last().copied().unwrap_or(1);
    let src: [&[T]; N] = std::array::from_fn(|i| dense[i].as_slice().expect("contiguous"));
    let mut out = Buffer::unspecified(shape.numel());
    parallel::chunks_mut(&mut out, parallel::rows(n, cost) * n, cost, |start, piece| {
        for (i, y) in piece.chunks_exact_mut(n).enumerate() {
            let at = start + i * n;
            row(src.map(|s| &s[at..at + n]), y);
        }
    });
    Tensor::from_buffer(out, shape).transpose(axis, -1)
}

/// log(eᵃ + eᵇ), as a running maximum and the sum relative to that.
struct LogSum {
    top: f64,
    sum: f64,
}

impl LogSum {
    fn push(&mut self, x: f64) -> f64 {
        if x.is_nan() || self.top.is_nan() {
            self.top = f64::NAN;
        } else if x > self.top {
            // While the maximum is -∞ the sum is 0; once it is +∞ the sum stays 1.
            self.sum =
                if self.top == f64::NEG_INFINITY { 0.0 } else { self.sum * portable::exp(self.top - x) }
                    + 1.0;
            self.top = x;
        } else if self.top.is_finite() {
            self.sum += portable::exp(x - self.top);
        }
        if self.top.is_finite() { self.top + portable::ln(self.sum) } else { self.top }
    }
}

impl<T: Float> Tensor<T> {
    /// The running sum along `axis`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(t.cumsum(0)?.to_vec(), [1.0, 3.0, 6.0]);
    /// assert_eq!(t.cumsum_reversed(0)?.to_vec(), [6.0, 5.0, 3.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cumsum(&self, axis: isize) -> Result<Tensor<T>> {
        self.running_sum("cumsum", axis, Direction::Forward)
    }

    /// The running sum along `axis` from its end: element i is the sum of all elements from i on.
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cumsum_reversed(&self, axis: isize) -> Result<Tensor<T>> {
        self.running_sum("cumsum_reversed", axis, Direction::Backward)
    }

    fn running_sum(&self, op: &'static str, axis: isize, direction: Direction) -> Result<Tensor<T>> {
        rows(op, [self], axis, 4, &|[x], y| {
            let mut sum = 0.0;
            for i in 0..y.len() {
                let i = direction.at(i, y.len());
                sum += x[i].to_f64();
                y[i] = T::from_f64(sum);
            }
        })
    }

    /// The running product along `axis`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(t.cumprod(0)?.to_vec(), [1.0, 2.0, 6.0]);
    /// assert_eq!(t.cumprod_reversed(0)?.to_vec(), [6.0, 6.0, 3.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cumprod(&self, axis: isize) -> Result<Tensor<T>> {
        self.running_product("cumprod", axis, Direction::Forward)
    }

    /// The running product along `axis` from its end: element i is the product of all elements from i on.
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cumprod_reversed(&self, axis: isize) -> Result<Tensor<T>> {
        self.running_product("cumprod_reversed", axis, Direction::Backward)
    }

    fn running_product(&self, op: &'static str, axis: isize, direction: Direction) -> Result<Tensor<T>> {
        rows(op, [self], axis, 4, &|[x], y| {
            let mut product = 1.0;
            for i in 0..y.len() {
                let i = direction.at(i, y.len());
                product *= x[i].to_f64();
                y[i] = T::from_f64(product);
            }
        })
    }

    /// The product of all other elements along `axis`: of those before, times of those behind. Nothing is divided, so
    /// zeros need no special case.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// assert_eq!(Tensor::from([2.0, 3.0, 4.0]).product_of_others(0)?.to_vec(), [12.0, 8.0, 6.0]);
    /// assert_eq!(Tensor::from([2.0, 0.0, 4.0]).product_of_others(0)?.to_vec(), [0.0, 8.0, 0.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn product_of_others(&self, axis: isize) -> Result<Tensor<T>> {
        rows("product_of_others", [self], axis, 8, &|[x], y| {
            let mut before = 1.0;
            for (y, x) in y.iter_mut().zip(x) {
                *y = T::from_f64(before);
                before *= x.to_f64();
            }
            let mut behind = 1.0;
            for (y, x) in y.iter_mut().zip(x).rev() {
                *y *= T::from_f64(behind);
                behind *= x.to_f64();
            }
        })
    }

    /// log Σ exp(x) of all elements up to each position along `axis`.
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn logcumsumexp(&self, axis: isize) -> Result<Tensor<T>> {
        rows("logcumsumexp", [self], axis, 40, &|[x], y| {
            let mut state = LogSum { top: f64::NEG_INFINITY, sum: 0.0 };
            for (y, x) in y.iter_mut().zip(x) {
                *y = T::from_f64(state.push(x.to_f64()));
            }
        })
    }

    /// The states h of h ← a h + b along `axis`, starting from 0, with this tensor as a.
    ///
    /// ```
    /// use wengert_ops::{Direction, Tensor};
    /// let (a, b) = (Tensor::from([9.0, 2.0, 3.0]), Tensor::from([1.0, 1.0, 1.0]));
    /// assert_eq!(a.linear_recurrence(&b, 0, Direction::Forward)?.to_vec(), [1.0, 3.0, 10.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or the shapes differ.
    pub fn linear_recurrence(&self, b: &Tensor<T>, axis: isize, direction: Direction) -> Result<Tensor<T>> {
        rows("linear_recurrence", [self, b], axis, 8, &|[a, b], h| {
            let mut state = 0.0;
            for i in 0..h.len() {
                let k = direction.at(i, h.len());
                // The first a multiplies no state: if it were infinite, its product with 0 would be NaN.
                let carried = if i == 0 { 0.0 } else { a[k].to_f64() * state };
                state = carried + b[k].to_f64();
                h[k] = T::from_f64(state);
            }
        })
    }

    /// For every position along `axis`, the position of the largest element up to there: the first among equals, and
    /// from the first NaN on, its position.
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cumargmax(&self, axis: isize) -> Result<Tensor<i64>> {
        self.best_so_far("cummax", axis, |v, best| v <= best)
    }

    /// For every position along `axis`, the position of the smallest element up to there: the first among equals, and
    /// from the first NaN on, its position.
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cumargmin(&self, axis: isize) -> Result<Tensor<i64>> {
        self.best_so_far("cummin", axis, |v, best| v >= best)
    }

    /// The largest element up to each position along `axis`, and its position: the first among equals. From the first
    /// NaN on, it is that NaN.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let (y, at) = Tensor::from([1.0, 3.0, 2.0]).cummax(0)?;
    /// assert_eq!((y.to_vec(), at.to_vec()), (vec![1.0, 3.0, 3.0], vec![0, 1, 1]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cummax(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        let at = self.cumargmax(axis)?;
        Ok((self.gather(axis, &at)?, at))
    }

    /// The smallest element up to each position along `axis`, and its position, by the rules of
    /// [`cummax`](Tensor::cummax).
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn cummin(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        let at = self.cumargmin(axis)?;
        Ok((self.gather(axis, &at)?, at))
    }

    /// `stays(v, best)` is whether `v`, which may be NaN, comes after `best`, which is not.
    fn best_so_far(
        &self,
        op: &'static str,
        axis: isize,
        stays: impl Fn(T, T) -> bool + Sync,
    ) -> Result<Tensor<i64>> {
        rows(op, [self], axis, 4, &|[x], y| {
            // In a long row the best seldom changes, so the branch is cheap.
            let (mut at, mut best) = (0, x[0]);
            for (i, (&v, y)) in x.iter().zip(&mut *y).enumerate() {
                if best.is_nan() {
                    break;
                }
                if !stays(v, best) {
                    (at, best) = (i, v);
                }
                *y = at as i64;
            }
            if best.is_nan() {
                y[at..].fill(at as i64);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    /// Every layout of a tensor, by indexing.
    fn layouts() -> Vec<Tensor<f64>> {
        let base = Tensor::<f64>::steps(-2.0, 0.3, 30).map(|v| (v * 2.3).sin()).reshape([2, 3, 5]).unwrap();
        vec![
            base.clone(),
            base.permute([2, 0, 1]).unwrap(),
            base.slice(1, Slice::all().step(-1)).unwrap(),
            base.slice(2, Slice::all().step(2)).unwrap(),
            base.slice(0, 0..1).unwrap().expand([4, 3, 5]).unwrap(),
            base.slice(1, 0..0).unwrap(),
        ]
    }

    #[test]
    fn scans_agree_with_loops_in_every_layout() {
        type Step = fn(f64, f64) -> f64;
        type Scan = fn(&Tensor<f64>, isize) -> Result<Tensor<f64>>;
        let cases: [(Scan, Step, f64, Direction); 5] = [
            (|t, a| t.cumsum(a), |s, x| s + x, 0.0, Direction::Forward),
            (|t, a| t.cumsum_reversed(a), |s, x| s + x, 0.0, Direction::Backward),
            (|t, a| t.cumprod(a), |s, x| s * x, 1.0, Direction::Forward),
            (|t, a| t.cumprod_reversed(a), |s, x| s * x, 1.0, Direction::Backward),
            (
                |t, a| t.logcumsumexp(a),
                |s, x| (s.exp() + x.exp()).ln(),
                f64::NEG_INFINITY,
                Direction::Forward,
            ),
        ];
        for t in layouts() {
            for axis in 0..3 {
                for (scan, step, start, direction) in cases {
                    let y = scan(&t, axis).unwrap();
                    assert_eq!(y.shape(), t.shape());
                    let n = t.shape()[axis as usize];
                    let others = t.shape().reduced(&[axis as usize], true);
                    for flat in 0..others.numel() {
                        let at =
                            [flat / (others[1] * others[2]), flat / others[2] % others[1], flat % others[2]];
                        let mut state = start;
                        for i in 0..n {
                            let mut at = at;
                            at[axis as usize] = direction.at(i, n);
                            state = step(state, t.get(&at).unwrap());
                            assert!((y.get(&at).unwrap() - state).abs() < 1e-12);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn products_of_others_are_those_of_two_running_products() {
        for (t, axis) in layouts().iter().flat_map(|t| (0..3).map(move |axis| (t, axis))) {
            let got = t.product_of_others(axis).unwrap();
            let n = t.shape()[axis as usize];
            let ends = |from: usize, to: usize, one: (usize, usize)| {
                let mut widths = [(0, 0); 3];
                widths[axis as usize] = one;
                move |y: Tensor<f64>| y.slice(axis, from..to).unwrap().pad(&widths, 1.0).unwrap()
            };
            let want = match n {
                0 => t.clone(),
                n => ends(0, n - 1, (1, 0))(t.cumprod(axis).unwrap())
                    .mul(ends(1, n, (0, 1))(t.cumprod_reversed(axis).unwrap()))
                    .unwrap(),
            };
            assert_eq!(got, want);
        }
        let special = Tensor::from([0.0, f64::INFINITY, 2.0]).product_of_others(0).unwrap().to_vec();
        assert!(special[0] == f64::INFINITY && special[1] == 0.0 && special[2].is_nan());
    }

    #[test]
    fn recurrences_run_both_ways() {
        let (a, b) = (Tensor::from([f64::INFINITY, 2.0, 3.0]), Tensor::from([1.0, 10.0, 100.0]));
        let forward = a.linear_recurrence(&b, 0, Direction::Forward).unwrap();
        assert_eq!(forward.to_vec(), [1.0, 12.0, 136.0]);
        let (a, b) = (Tensor::from([2.0, 3.0, f64::INFINITY]), Tensor::from([1.0, 10.0, 100.0]));
        let backward = a.linear_recurrence(&b, -1, Direction::Backward).unwrap();
        assert_eq!(backward.to_vec(), [621.0, 310.0, 100.0]);
        assert!(a.linear_recurrence(&Tensor::from([1.0]), 0, Direction::Forward).is_err());
        assert!(a.cumsum(1).is_err() && Tensor::scalar(1.0).cumprod(0).is_err());
    }

    #[test]
    fn single_precision_does_not_pile_up_errors() {
        let t = Tensor::try_full([1_000_003], 0.1f32).unwrap();
        let last = t.cumsum(0).unwrap().to_vec()[1_000_002];
        assert!((f64::from(last) / (1_000_003.0 * f64::from(0.1f32)) - 1.0).abs() < 1e-7);
    }

    #[test]
    fn extremes_of_log_sums_and_positions() {
        let inf = f64::INFINITY;
        let y = |x: &[f64]| Tensor::from(x.to_vec()).logcumsumexp(0).unwrap().to_vec();
        assert_eq!(y(&[-inf, -inf, 0.0, 1000.0, 1000.0]), [-inf, -inf, 0.0, 1000.0, 1000.0 + 2f64.ln()]);
        assert_eq!(y(&[0.0, inf, inf, 5.0, -inf]), [0.0, inf, inf, inf, inf]);
        assert!(y(&[0.0, f64::NAN, inf])[1..].iter().all(|v| v.is_nan()));
        let t = Tensor::from([1.0, 3.0, 3.0, 0.0, f64::NAN, 9.0, f64::NAN]);
        assert_eq!(t.cumargmax(0).unwrap().to_vec(), [0, 1, 1, 1, 4, 4, 4]);
        assert_eq!(t.cumargmin(0).unwrap().to_vec(), [0, 0, 0, 3, 4, 4, 4]);
    }
}
