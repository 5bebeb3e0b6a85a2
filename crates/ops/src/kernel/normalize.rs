//! Normalisation: subtracts a mean, divides by a standard deviation and applies an affine map; and the adjoints.
//!
//! Two families share the arithmetic. *Rows*: statistics of contiguous runs, `[.., groups, channels, inner]` with one
//! mean per group (layer, group and instance norm; RMS norm has no mean). *Channels*: `[n, channels, inner]` with one
//! mean per channel, over two axes that are not contiguous (batch norm).
//!
//! Means and variances are computed block by block in two passes, corrected for the rounding of the first, and combined
//! in double precision (Chan, Golub and LeVeque 1983). The mean is then stored as the sum of two numbers of the element
//! type, so that a large mean with a small deviation loses nothing.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::fold::{Fold, LANES, Sum, lanes};
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;

mod channels;
mod columns;

pub use channels::ThroughMoments;

/// The number of elements averaged at once, so that the second pass finds them in cache.
const BLOCK: usize = 4096;
/// The cost of one element, in additions.
const COST: usize = 4;
/// The smallest number of samples in a task, since each task has its own sums for the parameters.
const SAMPLES: usize = 8;

/// What is normalised together: `[.., groups, channels, inner]`, with one mean per group and one weight per channel of
/// each group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Groups {
    /// The number of groups in a sample.
    pub groups: usize,
    /// The number of channels in a group.
    pub channels: usize,
    /// The number of elements in a channel.
    pub inner: usize,
    /// Whether the mean is subtracted (it is not in RMS norm).
    pub centred: bool,
    /// The number added to the variance.
    pub eps: f64,
}

/// The cotangents of input, weight and bias; `None` where not requested.
pub type Adjoints<T> = [Option<Tensor<T>>; 3];

/// x - shift, and its square.
struct Deviation<T, const SQUARED: bool>(T);
impl<T: Float, const SQUARED: bool> Fold<T> for Deviation<T, SQUARED> {
    #[inline(always)]
    fn identity(&self) -> T {
        T::ZERO
    }
    #[inline(always)]
    fn load(&self, x: T) -> T {
        let d = x - self.0;
        if SQUARED { d * d } else { d }
    }
    #[inline(always)]
    fn combine(&self, a: T, b: T) -> T {
        a + b
    }
}

/// The number, the mean and Σ(x - mean)² of the elements so far.
#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    mean: f64,
    m2: f64,
}

impl Moments {
    /// Adds a run of elements; must be called from code that is compiled for the vector instruction set.
    #[inline(always)]
    fn add<T: Float>(&mut self, x: &[T], centred: bool) {
        for block in x.chunks(BLOCK) {
            let n = block.len() as f64;
            if !centred {
                self.n += n;
                self.m2 += lanes(&Deviation::<T, true>(T::ZERO), block).to_f64();
                continue;
            }
            let shift = T::from_f64(lanes(&Sum, block).to_f64() / n);
            let off = lanes(&Deviation::<T, false>(shift), block).to_f64();
            let square = lanes(&Deviation::<T, true>(shift), block).to_f64();
            self.merge(n, shift, off, square);
        }
    }

    /// Adds a block of n elements, given Σ(x - shift) and Σ(x - shift)².
    #[inline(always)]
    fn merge<T: Float>(&mut self, n: f64, shift: T, off: f64, square: f64) {
        let (mean, m2) = (shift.to_f64() + off / n, Float::maximum(square - off * off / n, 0.0));
        let (total, apart) = (self.n + n, mean - self.mean);
        self.m2 += m2 + apart * apart * (self.n * n / total);
        self.mean += apart * (n / total);
        self.n = total;
    }

    /// The mean as a sum of two numbers, and 1/√(variance + ε).
    #[inline(always)]
    fn stats<T: Float>(&self, eps: f64) -> [T; 3] {
        let high = T::from_f64(self.mean);
        let low = T::from_f64(self.mean - high.to_f64());
        [high, low, T::from_f64(1.0 / (self.m2 / self.n + eps).sqrt())]
    }
}

/// `N` sums in lanes, over several runs; the lanes are added up only once.
#[derive(Clone, Copy)]
struct Sums<const N: usize, T>([[T; LANES]; N]);

impl<const N: usize, T: Float> Sums<N, T> {
    #[inline(always)]
    fn new() -> Self {
        Sums([[T::ZERO; LANES]; N])
    }

    /// Adds `at(i)` for `K` elements of every lane.
    #[inline(always)]
    fn add<const K: usize>(&mut self, at: impl Fn(usize) -> [T; N]) {
        for l in 0..LANES {
            // Elements of a lane are added to each other first, since a chain of additions to one number takes long.
            let sum = match K {
                1 => at(l),
                2 => plus(at(l), at(l + LANES)),
                _ => {
                    let near = plus(at(l), at(l + LANES));
                    plus(near, plus(at(l + 2 * LANES), at(l + 3 * LANES)))
                }
            };
            for (all, v) in self.0.iter_mut().zip(sum) {
                all[l] += v;
            }
        }
    }

    /// Adds `at(x, g)` of the elements of two runs.
    #[inline(always)]
    fn pairs(&mut self, x: &[T], g: &[T], at: impl Fn(T, T) -> [T; N]) {
        let ((fours, x), (four_gs, g)) = (x.as_chunks::<{ 4 * LANES }>(), g.as_chunks::<{ 4 * LANES }>());
        for (x, g) in fours.iter().zip(four_gs) {
            self.add::<4>(|i| at(x[i], g[i]));
        }
        let ((twos, x), (two_gs, g)) = (x.as_chunks::<{ 2 * LANES }>(), g.as_chunks::<{ 2 * LANES }>());
        for (x, g) in twos.iter().zip(two_gs) {
            self.add::<2>(|i| at(x[i], g[i]));
        }
        let ((ones, x), (one_gs, g)) = (x.as_chunks::<LANES>(), g.as_chunks::<LANES>());
        for (x, g) in ones.iter().zip(one_gs) {
            self.add::<1>(|i| at(x[i], g[i]));
        }
        for (l, (&x, &g)) in x.iter().zip(g).enumerate() {
            for (all, v) in self.0.iter_mut().zip(at(x, g)) {
                all[l] += v;
            }
        }
    }

    /// Adds `at(x)` of the elements of a run.
    #[inline(always)]
    fn run(&mut self, x: &[T], at: impl Fn(T) -> [T; N]) {
        self.pairs(x, x, |x, _| at(x));
    }

    /// The sums over all lanes.
    #[inline(always)]
    fn total(mut self) -> [T; N] {
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for all in &mut self.0 {
                for l in 0..width {
                    all[l] += all[l + width];
                }
            }
        }
        self.0.map(|all| all[0])
    }
}

#[inline(always)]
fn plus<const N: usize, T: Float>(mut a: [T; N], b: [T; N]) -> [T; N] {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
    a
}

/// (Σ g, Σ g (x - high)) of a run.
#[inline(always)]
fn sums<T: Float>(x: &[T], g: &[T], high: T) -> (T, T) {
    let mut sums = Sums::new();
    sums.pairs(x, g, |x, g| [g, g * (x - high)]);
    sums.total().into()
}

/// (Σ g, Σ g x̂) of a run, in blocks: x̂ = (x - mean)/σ.
#[inline(always)]
fn sums_standard<T: Float>(x: &[T], g: &[T], [high, low, scale]: [T; 3]) -> (T, T) {
    let (mut a, mut b) = (T::ZERO, T::ZERO);
    for (x, g) in x.chunks(BLOCK).zip(g.chunks(BLOCK)) {
        let (p, q) = sums(x, g, high);
        a += p;
        b += q;
    }
    (a, (b - low * a) * scale)
}

/// y = a (x - high) + b.
#[inline(always)]
fn affine<T: Float>(x: &[T], y: &mut [T], high: T, a: T, b: T) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = (x - high) * a + b;
    }
}

/// gx = a g - b (x - high) - c.
#[inline(always)]
fn pull_back<T: Float>(x: &[T], g: &[T], gx: &mut [T], high: T, [a, b, c]: [T; 3]) {
    for ((d, &x), &g) in gx.iter_mut().zip(x).zip(g) {
        *d = a * g - b * (x - high) - c;
    }
}

struct ForwardRows<'a, T> {
    of: Groups,
    x: &'a [T],
    w: Option<&'a [T]>,
    b: Option<&'a [T]>,
    y: &'a mut [T],
    stats: &'a mut [[T; 3]],
}

impl<T: Float> pulp::NullaryFnOnce for ForwardRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Groups { groups, channels, inner, centred, eps } = self.of;
        let n = channels * inner;
        for (i, stats) in self.stats.iter_mut().enumerate() {
            let (x, y) = (&self.x[i * n..(i + 1) * n], &mut self.y[i * n..(i + 1) * n]);
            let mut moments = Moments::default();
            moments.add(x, centred);
            *stats = moments.stats(eps);
            let [high, low, scale] = *stats;
            let at = i % groups * channels;
            let c = -(low * scale);
            match (self.w, self.b) {
                (None, None) => affine(x, y, high, scale, c),
                (Some(w), Some(b)) if inner == 1 => {
                    let (w, b) = (&w[at..at + channels], &b[at..at + channels]);
                    for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(w).zip(b) {
                        *y = ((x - high) * scale + c) * w + b;
                    }
                }
                (Some(w), None) if inner == 1 => {
                    for ((y, &x), &w) in y.iter_mut().zip(x).zip(&w[at..at + channels]) {
                        *y = ((x - high) * scale + c) * w;
                    }
                }
                (w, b) => {
                    for k in 0..channels {
                        let (w, b) = (w.map_or(T::ONE, |w| w[at + k]), b.map_or(T::ZERO, |b| b[at + k]));
                        let run = k * inner..(k + 1) * inner;
                        affine(&x[run.clone()], &mut y[run], high, scale * w, c * w + b);
                    }
                }
            }
        }
    }
}

struct BackwardRows<'a, T> {
    of: Groups,
    x: &'a [T],
    g: &'a [T],
    w: Option<&'a [T]>,
    stats: &'a [[T; 3]],
    gx: &'a mut [T],
    /// Σ g and Σ g x̂ for each channel of a sample; empty if not requested.
    totals: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for BackwardRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Groups { groups, channels, inner, centred, .. } = self.of;
        let n = channels * inner;
        let (gb, gw) = self.totals.split_at_mut(self.totals.len() / 2);
        let wanted = !gb.is_empty();
        gb.fill(T::ZERO);
        gw.fill(T::ZERO);
        let part = T::ONE / T::from_usize(n);
        for (i, &stats) in self.stats.iter().enumerate() {
            let run = i * n..(i + 1) * n;
            let (x, g, gx) = (&self.x[run.clone()], &self.g[run.clone()], &mut self.gx[run]);
            let [high, low, scale] = stats;
            let at = i % groups * channels;
            if inner == 1 {
                if wanted {
                    let (gb, gw) = (&mut gb[at..at + channels], &mut gw[at..at + channels]);
                    for (((gb, gw), &x), &g) in gb.iter_mut().zip(gw).zip(x).zip(g) {
                        *gb += g;
                        *gw += g * (((x - high) - low) * scale);
                    }
                }
                // The cotangent of x̂ is written where that of x goes.
                let (sum, product) = match self.w {
                    Some(w) => {
                        for ((d, &g), &w) in gx.iter_mut().zip(g).zip(&w[at..at + channels]) {
                            *d = g * w;
                        }
                        sums_standard(x, gx, stats)
                    }
                    None => {
                        gx.copy_from_slice(g);
                        sums_standard(x, gx, stats)
                    }
                };
                let (a, b) = if centred { (sum * part, product * part) } else { (T::ZERO, product * part) };
                // scale (d - a - b x̂)
                let (slope, constant) = (b * scale * scale, scale * a - b * scale * scale * low);
                for (d, &x) in gx.iter_mut().zip(x) {
                    *d = scale * *d - slope * (x - high) - constant;
                }
                continue;
            }
            let (mut sum, mut product) = (T::ZERO, T::ZERO);
            for k in 0..channels {
                let run = k * inner..(k + 1) * inner;
                let (p, q) = sums_standard(&x[run.clone()], &g[run], stats);
                let w = self.w.map_or(T::ONE, |w| w[at + k]);
                sum += w * p;
                product += w * q;
                if wanted {
                    gb[at + k] += p;
                    gw[at + k] += q;
                }
            }
            let (a, b) = if centred { (sum * part, product * part) } else { (T::ZERO, product * part) };
            for k in 0..channels {
                let run = k * inner..(k + 1) * inner;
                let w = self.w.map_or(T::ONE, |w| w[at + k]);
                let slope = b * scale * scale;
                let by = [scale * w, slope, scale * a - slope * low];
                pull_back(&x[run.clone()], &g[run.clone()], &mut gx[run], high, by);
            }
        }
    }
}

/// The elements of a parameter, if there is one.
fn slice<T: Float>(t: Option<&Tensor<T>>) -> Option<Tensor<T>> {
    t.map(Tensor::contiguous)
}

impl Groups {
    fn check<T: Float>(
        &self,
        op: &'static str,
        x: &Tensor<T>,
        params: [Option<&Tensor<T>>; 2],
    ) -> Result<(usize, usize)> {
        let width = self.width();
        let sample = width.saturating_mul(self.inner);
        if sample == 0 || !x.numel().is_multiple_of(sample) {
            let detail = format!("shape {} is not made of samples of {sample} elements", x.shape());
            return Err(Error::shape(op, detail));
        }
        if let Some(p) = params.into_iter().flatten().find(|p| p.numel() != width) {
            let detail = format!("expected {width} weights and biases, found shape {}", p.shape());
            return Err(Error::shape(op, detail));
        }
        Ok((x.numel() / sample, sample))
    }

    /// The number of weights.
    fn width(&self) -> usize {
        self.groups.saturating_mul(self.channels)
    }

    /// The number of samples in a task.
    fn piece(&self, sample: usize) -> usize {
        parallel::rows(sample, COST).max(SAMPLES)
    }
}

impl<T: Float> Tensor<T> {
    /// Normalises each group of the elements, then multiplies by a weight and adds a bias per channel. The second
    /// result is for the adjoint, the statistics `[groups, 3]`: the mean in two parts, and 1/σ.
    ///
    /// # Errors
    /// If the elements are not whole samples, or the parameters do not have one element per channel.
    pub fn normalize_groups(
        &self,
        op: &'static str,
        of: Groups,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
    ) -> Result<(Tensor<T>, Tensor<T>)> {
        if self.numel() == 0 {
            return Ok((self.contiguous(), Tensor::try_full([0, 3], T::ZERO)?));
        }
        let (samples, sample) = of.check(op, self, [weight, bias])?;
        // The inner axis may be merged with the channels where no parameter distinguishes them.
        let joined = Groups { channels: 1, inner: of.channels * of.inner, ..of };
        let of = if weight.is_none() && bias.is_none() { joined } else { of };
        let (x, w, b) = (self.contiguous(), slice(weight), slice(bias));
        let (w, b) = (w.as_ref().and_then(Tensor::as_slice), b.as_ref().and_then(Tensor::as_slice));
        let xs = x.as_slice().expect("contiguous");
        let rows = samples * of.groups;
        let (mut y, mut stats) = (Buffer::unspecified(xs.len()), Buffer::unspecified(rows * 3));
        let piece = of.piece(sample);
        let pieces: Vec<_> = xs
            .chunks(piece * sample)
            .zip(y.chunks_mut(piece * sample))
            .zip(stats.as_chunks_mut::<3>().0.chunks_mut(piece * of.groups))
            .collect();
        parallel::each_if_worth(pieces, xs.len() * COST, |((x, y), stats)| {
            simd::dispatch(ForwardRows { of, x, w, b, y, stats });
        });
        let stats = Tensor::from_buffer(stats, Shape::from([rows, 3]));
        Ok((Tensor::from_buffer(y, self.shape().clone()), stats))
    }

    /// The adjoint of [`normalize_groups`](Tensor::normalize_groups) at this input: the cotangents of the input and, if
    /// `params` are requested, of the weight and the bias, `[groups · channels]` each.
    ///
    /// # Errors
    /// Those of `normalize_groups`; also if the cotangent does not have the input's shape.
    pub fn normalize_groups_adjoint(
        &self,
        op: &'static str,
        of: Groups,
        weight: Option<&Tensor<T>>,
        stats: &Tensor<T>,
        g: &Tensor<T>,
        params: bool,
    ) -> Result<Adjoints<T>> {
        let width = of.width();
        if self.numel() == 0 {
            let zeros = || Tensor::try_full([width], T::ZERO);
            let (a, b) = if params { (Some(zeros()?), Some(zeros()?)) } else { (None, None) };
            return Ok([Some(self.contiguous()), a, b]);
        }
        let (samples, sample) = of.check(op, self, [weight, None])?;
        let rows = samples * of.groups;
        if g.shape() != self.shape() || *stats.shape() != [rows, 3] {
            let detail = format!("expected a cotangent of shape {}, found {}", self.shape(), g.shape());
            return Err(Error::shape(op, detail));
        }
        let (x, g, w, stats) = (self.contiguous(), g.contiguous(), slice(weight), stats.contiguous());
        let w = w.as_ref().and_then(Tensor::as_slice);
        let (xs, gs) = (x.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
        let stats = stats.as_slice().expect("contiguous").as_chunks::<3>().0;
        let mut gx = Buffer::unspecified(xs.len());
        let piece = of.piece(sample);
        let count = samples.div_ceil(piece);
        let each = if params { 2 * width } else { 0 };
        let mut totals = Buffer::unspecified(count * each);
        let mut parts: Vec<&mut [T]> = totals.chunks_mut(each.max(1)).collect();
        parts.resize_with(count, Default::default);
        let pieces: Vec<_> = xs
            .chunks(piece * sample)
            .zip(gs.chunks(piece * sample))
            .zip(gx.chunks_mut(piece * sample))
            .zip(stats.chunks(piece * of.groups))
            .zip(parts)
            .collect();
        parallel::each_if_worth(pieces, xs.len() * COST, |((((x, g), gx), stats), totals)| {
            simd::dispatch(BackwardRows { of, x, g, w, stats, gx, totals });
        });
        let gx = Tensor::from_buffer(gx, self.shape().clone());
        if !params {
            return Ok([Some(gx), None, None]);
        }
        let totals = Tensor::from_buffer(totals, Shape::from([count, 2, width])).sum_axes(0)?;
        Ok([Some(gx), Some(totals.select(0, 1)?), Some(totals.select(0, 0)?)])
    }
}

#[cfg(test)]
mod tests;
