//! Linear interpolation along an axis, and its adjoint.
//!
//! Rows are mixed as vectors, and along the last axis element by element; threads share the leading axes. The adjoint adds to
//! all upper neighbours first and then to all lower ones, so that the order of its sums depends on the positions alone.

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Shape, ToShape, normalize_axis};
use crate::tensor::Tensor;

/// The two neighbours of a position along the axis and their shares.
struct Between<T> {
    at: [usize; 2],
    share: [T; 2],
}

/// The axis, its positions, and the number of elements of one position.
fn plan<T: Float>(
    op: &'static str,
    shape: &Shape,
    axis: isize,
    (low, weights): (&[usize], &[f64]),
    n: Option<usize>,
) -> Result<(usize, Vec<Between<T>>, usize)> {
    let axis = normalize_axis(op, axis, shape.len())?;
    let n = n.unwrap_or(shape[axis]);
    if low.len() != weights.len() {
        let detail =
            format!("expected one weight for each position, found {} for {}", weights.len(), low.len());
        return Err(Error::argument(op, detail));
    }
    let between = |(&i, &w): (&usize, &f64)| {
        let at = [i, i.saturating_add(usize::from(w != 0.0))];
        Between { at, share: [T::from_f64(1.0 - w), T::from_f64(w)] }
    };
    let places: Vec<Between<T>> = low.iter().zip(weights).map(between).collect();
    if let Some(k) = places.iter().position(|b| b.at[1] >= n) {
        let [i, _] = places[k].at;
        let detail = format!("position {i} or the one after it is out of range for an axis of size {n}");
        return Err(Error::new(op, ErrorKind::Index, detail));
    }
    Ok((axis, places, shape[axis + 1..].iter().product()))
}

impl<T: Float> Tensor<T> {
    /// Elements between those of an axis: position i of the result is (1 - w) x\[low\] + w x\[low + 1\], with the i-th
    /// position of `low` and weight of `weights`. A weight of 0 takes the lower element for both.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let x = Tensor::from([1.0, 3.0, 7.0]);
    /// assert_eq!(x.interpolate(0, &[0, 1, 2], &[0.5, 0.25, 0.0])?.to_vec(), [2.0, 4.0, 7.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis or a position is out of range, or there is not one weight per position.
    pub fn interpolate(&self, axis: isize, low: &[usize], weights: &[f64]) -> Result<Tensor<T>> {
        const OP: &str = "interpolate";
        let (axis, places, inner) = plan::<T>(OP, self.shape(), axis, (low, weights), None)?;
        let n = self.shape()[axis];
        let mut shape = self.shape().clone();
        shape.dims_mut()[axis] = low.len();
        let shape = shape.to_shape(OP)?;
        let x = self.contiguous();
        let x = x.as_slice().expect("contiguous");
        let mut out = Buffer::unspecified(shape.numel());
        let line = low.len() * inner;
        parallel::chunks_mut(&mut out, parallel::rows(line, 2) * line, 2, |start, piece| {
            for (k, y) in piece.chunks_exact_mut(line).enumerate() {
                let x = &x[(start / line + k) * n * inner..][..n * inner];
                if inner == 1 {
                    for (y, Between { at, share }) in y.iter_mut().zip(&places) {
                        *y = x[at[0]] * share[0] + x[at[1]] * share[1];
                    }
                    continue;
                }
                for (y, Between { at, share }) in y.chunks_exact_mut(inner).zip(&places) {
                    let [a, b] = at.map(|i| &x[i * inner..][..inner]);
                    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                        *y = a * share[0] + b * share[1];
                    }
                }
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }

    /// The adjoint of [`interpolate`](Tensor::interpolate) for an input of size `n` along the axis.
    ///
    /// # Errors
    /// Those of `interpolate`; also if this tensor does not have one element per position along the axis.
    pub fn interpolate_adjoint(
        &self,
        axis: isize,
        low: &[usize],
        weights: &[f64],
        n: usize,
    ) -> Result<Tensor<T>> {
        const OP: &str = "interpolate_adjoint";
        let (axis, places, inner) = plan::<T>(OP, self.shape(), axis, (low, weights), Some(n))?;
        if self.shape()[axis] != low.len() {
            let detail = format!("expected {} elements along axis {axis}, found {}", low.len(), self.shape());
            return Err(Error::shape(OP, detail));
        }
        let mut shape = self.shape().clone();
        shape.dims_mut()[axis] = n;
        let shape = shape.to_shape(OP)?;
        let g = self.contiguous();
        let g = g.as_slice().expect("contiguous");
        let mut out = Buffer::filled(shape.numel(), T::ZERO);
        let (line, block) = (low.len() * inner, n * inner);
        parallel::chunks_mut(&mut out, parallel::rows(block.max(line), 2) * block, 2, |start, piece| {
            for (k, x) in piece.chunks_exact_mut(block).enumerate() {
                let g = &g[(start / block + k) * line..][..line];
                for side in [1, 0] {
                    if inner == 1 {
                        for (&g, Between { at, share }) in g.iter().zip(&places) {
                            x[at[side]] += g * share[side];
                        }
                        continue;
                    }
                    for (g, Between { at, share }) in g.chunks_exact(inner).zip(&places) {
                        for (x, &g) in x[at[side] * inner..][..inner].iter_mut().zip(g) {
                            *x += g * share[side];
                        }
                    }
                }
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against selected slices, products and sums, with the same bits, in every layout.
    fn agree<T: Float>() {
        for [a, b, c] in [[2, 3, 1], [1, 1, 1], [0, 3, 2], [3, 7, 5], [5, 31, 23], [40, 97, 13]] {
            let t = Tensor::<T>::steps(-1.0, 0.37, a * b * c)
                .reshape([c, b, a])
                .unwrap()
                .permute([2, 1, 0])
                .unwrap();
            for (axis, m) in (0..3).flat_map(|axis| [0, 1, 19].map(|m| (axis, m))) {
                let n = t.shape()[axis];
                if n == 0 {
                    continue;
                }
                let low: Vec<usize> = (0..m).map(|i| i * 5 % n).collect();
                let weight = |i: usize| if low[i] + 1 < n { (i % 4) as f64 / 7.0 } else { 0.0 };
                let weights: Vec<f64> = (0..m).map(weight).collect();
                let high = (0..m).map(|i| (low[i] + usize::from(weight(i) > 0.0)) as i64).collect::<Vec<_>>();
                let (l, h) =
                    (Tensor::from(low.iter().map(|&i| i as i64).collect::<Vec<_>>()), Tensor::from(high));
                let mut sizes = [1; 3];
                sizes[axis] = m;
                let column = |f: &dyn Fn(f64) -> f64| {
                    let shares: Vec<T> = weights.iter().map(|&w| T::from_f64(f(w))).collect();
                    Tensor::from(shares).reshape(&sizes[..]).unwrap()
                };
                let (w, rest) = (column(&|w| w), column(&|w| 1.0 - w));
                let along = axis as isize;
                let got = t.interpolate(along, &low, &weights).unwrap();
                let below = t.index_select(along, &l).unwrap().mul(&rest).unwrap();
                let above = t.index_select(along, &h).unwrap().mul(&w).unwrap();
                assert_eq!(got, below.add(&above).unwrap());
                let back = got.interpolate_adjoint(along, &low, &weights, n).unwrap();
                let want = Tensor::zeros(t.shape()).index_add(along, &h, &got.mul(&w).unwrap()).unwrap();
                assert_eq!(back, want.index_add(along, &l, &got.mul(&rest).unwrap()).unwrap());
                let again = || got.interpolate_adjoint(along, &low, &weights, n).unwrap();
                assert_eq!(back, parallel::in_small_pieces(3, again));
            }
        }
    }

    #[test]
    fn every_axis_and_size_agrees_with_selected_slices() {
        agree::<f32>();
        agree::<f64>();
    }

    #[test]
    fn wrong_positions_and_weights_are_refused() {
        let t = Tensor::<f64>::zeros([2, 3]);
        assert!(t.interpolate(1, &[2], &[0.5]).is_err() && t.interpolate(1, &[2], &[0.0]).is_ok());
        assert!(t.interpolate(2, &[0], &[0.5]).is_err() && t.interpolate(1, &[0, 1], &[0.5]).is_err());
        assert!(t.interpolate_adjoint(1, &[0, 1], &[0.5, 0.5], 3).is_err());
        let nan = Tensor::from([f64::NAN, 1.0, 2.0]).interpolate(0, &[0, 1], &[0.5, 0.5]).unwrap().to_vec();
        assert!(nan[0].is_nan() && nan[1] == 1.5);
    }
}
