//! Pools over one or two axes: the largest element and the average of moving windows, and of windows that share an axis
//! evenly (adaptive). An average of the whole plane is a sum over its axes.
//!
//! The leading axes are flattened to planes; threads share planes. The largest element is found for a block of adjacent
//! positions at once, with one comparison for each element of the window. Padding is a copy of the plane surrounded by
//! -∞.

mod places;

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::kernel::fold::{Sum, fold_axes};
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;
use crate::window::AvgDivisor;
use std::sync::atomic::{AtomicBool, Ordering};

use places::{Layout, Moving, layout};

pub use places::Places;

/// The largest elements of some planes.
struct Largest<'a, T> {
    layout: &'a Layout,
    x: &'a [T],
    y: &'a mut [T],
    at: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for Largest<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Largest { layout, x, y, at } = self;
        let (source, places) = (layout.source(), layout.places());
        let planes = x.chunks_exact(source).zip(y.chunks_exact_mut(places).zip(at.chunks_exact_mut(places)));
        let Some([down, along]) = layout.window else {
            for (x, (y, at)) in planes {
                largest(layout, x, y, at);
            }
            return;
        };
        let [rows, columns] = [0, 1].map(|i| layout.lines[i].spans.len());
        let width = layout.lines[1].size;
        // The extent of all windows, with the padding.
        let tall = (rows - 1) * down.stride + (down.size - 1) * down.dilation + 1;
        let wide = (columns - 1) * along.stride + (along.size - 1) * along.dilation + 1;
        let inside = down.padding == 0 && along.padding == 0 && tall <= layout.lines[0].size && wide <= width;
        if !inside && tall.saturating_mul(wide) / 16 > source + 256 {
            // The plane would be mostly padding, which is not worth a copy.
            for (x, (y, at)) in planes {
                largest(layout, x, y, at);
            }
            return;
        }
        let mut padded =
            if inside { Buffer::unspecified(0) } else { Buffer::filled(tall * wide, T::NEG_INFINITY) };
        for (x, (y, at)) in planes {
            if !inside {
                for (r, row) in x.chunks_exact(width).enumerate() {
                    let r = r + down.padding;
                    if r < tall {
                        let n = width.min(wide - along.padding);
                        padded[r * wide + along.padding..][..n].copy_from_slice(&row[..n]);
                    }
                }
            }
            let (x, pitch) = if inside { (x, width) } else { (&padded[..], wide) };
            for r in 0..rows {
                let row = Row {
                    x: &x[r * down.stride * pitch..],
                    pitch,
                    width,
                    origin: (r * down.stride) as isize - down.padding as isize,
                    down,
                    along,
                };
                let span = r * columns..(r + 1) * columns;
                let (y, at) = (&mut y[span.clone()], &mut at[span]);
                match along.stride {
                    1 => row.find(1, y, at),
                    2 => row.find(2, y, at),
                    3 => row.find(3, y, at),
                    s => row.find(s, y, at),
                }
                if !inside {
                    // Where all elements are -∞, the position must not be in the padding.
                    for (c, (y, at)) in y.iter_mut().zip(at).enumerate() {
                        if *y == T::NEG_INFINITY {
                            let [h, w] = [layout.lines[0].spans[r], layout.lines[1].spans[c]];
                            *at = T::from_usize(h.start * width + w.start);
                        }
                    }
                }
            }
        }
    }
}

/// A row of output positions.
struct Row<'a, T> {
    x: &'a [T],
    pitch: usize,
    width: usize,
    origin: isize,
    down: Moving,
    along: Moving,
}

impl<T: Float> Row<'_, T> {
    #[inline(always)]
    fn find(&self, stride: usize, y: &mut [T], at: &mut [T]) {
        match y.len() {
            8.. => self.blocks::<8>(stride, y, at),
            4.. => self.blocks::<4>(stride, y, at),
            _ => self.blocks::<1>(stride, y, at),
        }
    }

    /// Blocks of `L` positions; the last block begins early enough to be whole.
    #[inline(always)]
    fn blocks<const L: usize>(&self, stride: usize, y: &mut [T], at: &mut [T]) {
        let reach = (L - 1) * stride + 1;
        let mut done = 0;
        while done < y.len() {
            let first = done.min(y.len() - L);
            let mut best = [T::ZERO; L];
            let mut place = [T::ZERO; L];
            for i in 0..self.down.size {
                for j in 0..self.along.size {
                    let (k, l) = (i * self.down.dilation, j * self.along.dilation);
                    let x = &self.x[k * self.pitch + l + first * stride..][..reach];
                    let here = T::from_usize(k * self.width + l);
                    if i + j == 0 {
                        for n in 0..L {
                            best[n] = x[n * stride];
                        }
                        continue;
                    }
                    for n in 0..L {
                        let v = x[n * stride];
                        // Larger, or the first NaN.
                        #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is taken too")]
                        let take = !(v <= best[n]) & !best[n].is_nan();
                        best[n] = if take { v } else { best[n] };
                        place[n] = if take { here } else { place[n] };
                    }
                }
            }
            let origin = self.origin * self.width as isize - self.along.padding as isize;
            for n in 0..L {
                y[first + n] = best[n];
                let from = origin + ((first + n) * stride) as isize;
                at[first + n] = place[n] + T::from_f64(from as f64);
            }
            done = first + L;
        }
    }
}

/// The largest elements of windows of any kind.
fn largest<T: Float>(layout: &Layout, x: &[T], y: &mut [T], at: &mut [T]) {
    let [down, along] = &layout.lines;
    let mut places = y.iter_mut().zip(at);
    for h in &down.spans {
        for w in &along.spans {
            let first = h.start * along.size + w.start;
            let (mut best, mut place) = (x[first], first);
            for i in 0..h.count {
                for j in 0..w.count {
                    let here = first + i * down.step * along.size + j * along.step;
                    if !best.is_nan() && (x[here] > best || x[here].is_nan()) {
                        (best, place) = (x[here], here);
                    }
                }
            }
            if let Some((y, at)) = places.next() {
                (*y, *at) = (best, T::from_usize(place));
            }
        }
    }
}

/// Calls `f(place, from, count)` for the runs of elements of all windows of a plane.
#[inline(always)]
fn runs(layout: &Layout, mut f: impl FnMut(usize, usize, usize)) {
    let [down, along] = &layout.lines;
    let mut place = 0;
    for h in &down.spans {
        for w in &along.spans {
            for i in 0..h.count {
                f(place, (h.start + i * down.step) * along.size + w.start, w.count);
            }
            place += 1;
        }
    }
}

/// The reciprocal of the divisor at each position of a plane.
fn shares<T: Float>(op: &'static str, layout: &Layout, divisor: AvgDivisor) -> Result<Vec<T>> {
    if divisor == AvgDivisor::Of(0) {
        return Err(Error::argument(op, "the divisor must be at least 1, found 0"));
    }
    let [down, along] = &layout.lines;
    let mut shares = Vec::with_capacity(layout.places());
    for h in &down.spans {
        for w in &along.spans {
            let n = match divisor {
                AvgDivisor::Window => h.padded as f64 * w.padded as f64,
                AvgDivisor::Inside => h.count as f64 * w.count as f64,
                AvgDivisor::Of(n) => n as f64,
            };
            shares.push(T::from_f64(1.0 / n));
        }
    }
    Ok(shares)
}

impl<T: Float> Tensor<T> {
    /// The largest element of every window over the last `D` axes (1 or 2), and its position in the flattened plane, as
    /// a number of the same type. The first among equals; the first NaN if there is one.
    ///
    /// ```
    /// use wengert_ops::{Tensor, Window, kernel::pool::Places};
    /// let x = Tensor::from([[1.0, 3.0, 2.0, 2.0]]);
    /// let (y, at) = x.max_pool("max_pool1d", &Places::Moving(Window::<1>::new(2)))?;
    /// assert_eq!((y.to_vec(), at.to_vec()), (vec![3.0, 2.0], vec![1.0, 2.0]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a window does not fit, or a plane has more elements than this type of number can count.
    pub fn max_pool<const D: usize>(
        &self,
        op: &'static str,
        places: &Places<D>,
    ) -> Result<(Tensor<T>, Tensor<T>)> {
        let layout = layout(op, self.shape(), places)?;
        let source = layout.source();
        if source as f64 * T::EPSILON.to_f64() > 2.0 {
            let detail = format!("a plane of {source} elements is too large for positions in {}", T::DTYPE);
            return Err(Error::new(op, ErrorKind::Overflow, detail));
        }
        let n = layout.shape.numel();
        let mut both = (Buffer::unspecified(n), Buffer::unspecified(n));
        if n > 0 {
            let x = self.contiguous();
            let x = x.as_slice().expect("contiguous");
            let (places, cost) = (layout.places(), layout.cost());
            let piece = parallel::rows(places, cost).min(layout.planes) * places;
            parallel::chunks2_mut(&mut both.0, &mut both.1, piece, cost, |start, y, at| {
                let x = &x[start / places * source..][..y.len() / places * source];
                simd::dispatch(Largest { layout: &layout, x, y, at });
            });
        }
        let shape = layout.shape;
        Ok((Tensor::from_buffer(both.0, shape.clone()), Tensor::from_buffer(both.1, shape)))
    }

    /// Adds every element at its position in a plane of the given sizes: the adjoint of [`max_pool`](Tensor::max_pool),
    /// which returns the positions `at`.
    ///
    /// # Errors
    /// If the shapes differ, or a position is not in its plane.
    pub fn max_pool_adjoint(
        &self,
        op: &'static str,
        at: &Tensor<T>,
        shape: &Shape,
        axes: usize,
    ) -> Result<Tensor<T>> {
        let split = shape.len().saturating_sub(axes);
        if at.shape() != self.shape() || self.rank() != shape.len() || self.shape()[..split] != shape[..split]
        {
            let detail =
                format!("cotangent {} and positions {} do not fit input {shape}", self.shape(), at.shape());
            return Err(Error::shape(op, detail));
        }
        let mut out = Buffer::unspecified(shape.numel());
        let (source, places): (usize, usize) =
            (shape[split..].iter().product(), self.shape()[split..].iter().product());
        if out.is_empty() || places == 0 {
            out.fill(T::ZERO);
            return Ok(Tensor::from_buffer(out, shape.clone()));
        }
        let (g, at) = (self.contiguous(), at.contiguous());
        let (g, at) = (g.as_slice().expect("contiguous"), at.as_slice().expect("contiguous"));
        let planes = shape.numel() / source;
        let piece = parallel::rows(source, 1).min(planes) * source;
        let outside = AtomicBool::new(false);
        parallel::chunks_mut(&mut out, piece, 2, |start, out| {
            let first = start / source;
            out.fill(T::ZERO);
            for (p, plane) in out.chunks_exact_mut(source).enumerate() {
                let span = (first + p) * places..(first + p + 1) * places;
                for (&g, &at) in g[span.clone()].iter().zip(&at[span]) {
                    match plane.get_mut(at.to_f64() as usize) {
                        Some(x) => *x += g,
                        None => outside.store(true, Ordering::Relaxed),
                    }
                }
            }
        });
        if outside.into_inner() {
            return Err(Error::new(
                op,
                ErrorKind::Index,
                format!("a position is not in its plane of {source}"),
            ));
        }
        Ok(Tensor::from_buffer(out, shape.clone()))
    }

    /// The average of every window over the last `D` axes (1 or 2).
    ///
    /// # Errors
    /// If a window does not fit, or the divisor is 0.
    pub fn avg_pool<const D: usize>(
        &self,
        op: &'static str,
        places: &Places<D>,
        divisor: AvgDivisor,
    ) -> Result<Tensor<T>> {
        let layout = layout(op, self.shape(), places)?;
        let shares: Vec<T> = shares(op, &layout, divisor)?;
        if let ([share], true) = (&shares[..], layout.is_whole()) {
            let axes: Vec<usize> = (self.rank() - D..self.rank()).collect();
            return Ok(fold_axes(&Sum, self, &axes, true).scale(share.to_f64()));
        }
        let mut out = Buffer::filled(layout.shape.numel(), T::ZERO);
        if !out.is_empty() {
            let x = self.contiguous();
            let x = x.as_slice().expect("contiguous");
            let (places, source, cost) = (layout.places(), layout.source(), layout.cost());
            let step = layout.lines[1].step;
            let piece = parallel::rows(places, cost).min(layout.planes) * places;
            parallel::chunks_mut(&mut out, piece, cost, |start, out| {
                for (p, y) in out.chunks_exact_mut(places).enumerate() {
                    let x = &x[(start / places + p) * source..][..source];
                    runs(&layout, |place, from, n| {
                        y[place] += x[from..=from + (n - 1) * step].iter().step_by(step).copied().sum::<T>();
                    });
                    y.iter_mut().zip(&shares).for_each(|(y, &s)| *y *= s);
                }
            });
        }
        Ok(Tensor::from_buffer(out, layout.shape))
    }

    /// The adjoint of [`avg_pool`](Tensor::avg_pool) for an input of the given shape.
    ///
    /// # Errors
    /// Those of `avg_pool`; also if this tensor does not have the shape of its result.
    pub fn avg_pool_adjoint<const D: usize>(
        &self,
        op: &'static str,
        places: &Places<D>,
        divisor: AvgDivisor,
        shape: &Shape,
    ) -> Result<Tensor<T>> {
        let layout = layout(op, shape, places)?;
        let shares: Vec<T> = shares(op, &layout, divisor)?;
        if *self.shape() != layout.shape {
            let detail = format!("expected a cotangent of shape {}, found {}", layout.shape, self.shape());
            return Err(Error::shape(op, detail));
        }
        if let ([share], true) = (&shares[..], layout.is_whole()) {
            let mut out = Buffer::unspecified(shape.numel());
            let g = self.contiguous();
            let (g, source) = (g.as_slice().expect("contiguous"), layout.source());
            parallel::chunks_mut(&mut out, parallel::rows(source, 1) * source, 1, |start, out| {
                for (x, &g) in out.chunks_exact_mut(source).zip(&g[start / source..]) {
                    // As in a sum that begins with 0, the result is never -0.
                    x.fill(T::ZERO + g * *share);
                }
            });
            return Ok(Tensor::from_buffer(out, shape.clone()));
        }
        let mut out = Buffer::filled(shape.numel(), T::ZERO);
        if !out.is_empty() && self.numel() > 0 {
            let g = self.contiguous();
            let g = g.as_slice().expect("contiguous");
            let (places, source, step) = (layout.places(), layout.source(), layout.lines[1].step);
            let piece = parallel::rows(source, 1).min(layout.planes) * source;
            parallel::chunks_mut(&mut out, piece, 2, |start, out| {
                for (p, x) in out.chunks_exact_mut(source).enumerate() {
                    let g = &g[(start / source + p) * places..][..places];
                    runs(&layout, |place, to, n| {
                        let v = g[place] * shares[place];
                        x[to..=to + (n - 1) * step].iter_mut().step_by(step).for_each(|x| *x += v);
                    });
                }
            });
        }
        Ok(Tensor::from_buffer(out, shape.clone()))
    }
}

#[cfg(test)]
mod tests;
