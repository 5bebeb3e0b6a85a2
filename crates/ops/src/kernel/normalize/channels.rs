//! Channels: statistics over the samples and the positions of a batch, `[n, channels, inner]` (batch norm).

use super::{BLOCK, COST, Moments, Sums, affine, columns, pull_back};
use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;
use std::ops::Range;

/// An inner axis narrower than this is first moved next to the outer one, or, if there are no more channels than that either,
/// so is a batch without an inner axis.
const NARROW: usize = 16;
/// The least number of elements of a row of coefficients.
const ROW: usize = 128;

/// The axes of a batch, `[n, channels, inner]`.
#[derive(Clone, Copy)]
struct Batch {
    n: usize,
    channels: usize,
    inner: usize,
}

impl Batch {
    fn of<T: Float>(op: &'static str, x: &Tensor<T>) -> Result<Self> {
        match &x.shape()[..] {
            [n, c, inner @ ..] => Ok(Batch { n: *n, channels: *c, inner: inner.iter().product() }),
            _ => {
                Err(Error::shape(op, format!("expected [samples, channels, ..], found shape {}", x.shape())))
            }
        }
    }

    /// Whether channels are columns, wide enough to be summed row by row.
    fn is_matrix(&self) -> bool {
        self.inner == 1 && self.n > 1 && self.channels >= NARROW
    }

    /// The number of elements in a channel.
    fn count(&self) -> usize {
        self.n * self.inner
    }
}

/// A batch in the order of the computation: as it is, or with all samples of a channel together.
fn in_order<T: Float>(op: &'static str, x: &Tensor<T>) -> Result<(Tensor<T>, Batch)> {
    let of = Batch::of(op, x)?;
    if of.inner >= NARROW || of.n <= 1 {
        return Ok((x.contiguous(), of));
    }
    Ok((x.transpose(0, 1)?.contiguous(), Batch { n: 1, channels: of.channels, inner: of.count() }))
}

/// A batch for a function of each element and its channel: single elements stay where they are.
fn for_elements<T: Float>(op: &'static str, x: &Tensor<T>) -> Result<(Tensor<T>, Batch)> {
    let of = Batch::of(op, x)?;
    if of.inner == 1 { Ok((x.contiguous(), of)) } else { in_order(op, x) }
}

impl Batch {
    /// The number of adjacent elements for which a function of each element and its channel is called at once.
    fn run(&self) -> usize {
        if self.inner == 1 { self.channels } else { self.inner }
    }
}

/// Calls `f(start, piece)` for pieces of whole runs, from the last to the first: the end of what has just been read for the
/// statistics is still in the cache, and so is the beginning of the result when it is read next. Inside a piece the order is that of
/// memory, and pieces are long, since the processor reads ahead in that direction.
fn backwards<T: Float>(out: &mut [T], of: Batch, f: impl Fn(usize, &mut [T]) + Sync + Send) {
    let (cost, piece) = (out.len() * COST, 4 * parallel::rows(of.run(), COST) * of.run());
    let pieces: Vec<_> = out.chunks_mut(piece).enumerate().rev().collect();
    parallel::each_if_worth(pieces, cost, |(i, out)| f(i * piece, out));
}

/// The result of a computation in that order, in the order of the batch.
fn out_of_order<T: Float>(y: Buffer<T>, like: &Tensor<T>, done: Batch) -> Result<Tensor<T>> {
    let mut shape = like.shape().clone();
    if done.n == shape[0] {
        return Ok(Tensor::from_buffer(y, shape));
    }
    shape.dims_mut().swap(0, 1);
    Ok(Tensor::from_buffer(y, shape).transpose(0, 1)?.contiguous())
}

/// The elements of a channel that are summed at once: runs of equal length at equal distances.
#[derive(Clone, Copy)]
struct Block {
    start: usize,
    runs: usize,
    distance: usize,
    len: usize,
}

impl Block {
    #[inline(always)]
    fn run(&self, i: usize) -> Range<usize> {
        let start = self.start + i * self.distance;
        start..start + self.len
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.runs * self.len
    }
}

impl Batch {
    /// The blocks of a channel, parts of a long run or several short runs: their number.
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.n.div_ceil(self.together()) * self.inner.div_ceil(BLOCK)
    }

    /// The number of runs in a block.
    #[inline(always)]
    fn together(&self) -> usize {
        (BLOCK / self.inner.max(1)).max(1)
    }

    /// Block `i` of a channel.
    #[inline(always)]
    fn block(&self, channel: usize, i: usize) -> Block {
        let Batch { n, channels, inner } = *self;
        let parts = inner.div_ceil(BLOCK);
        let (first, at) = (i / parts * self.together(), i % parts * BLOCK);
        Block {
            start: (first * channels + channel) * inner + at,
            runs: self.together().min(n - first),
            distance: channels * inner,
            len: BLOCK.min(inner - at),
        }
    }

    /// The moments of a channel.
    #[inline(always)]
    fn moments<T: Float>(&self, x: &[T], channel: usize) -> Moments {
        let mut moments = Moments::default();
        for i in 0..self.blocks() {
            let block = self.block(channel, i);
            let n = block.count() as f64;
            let mut sum = Sums::new();
            for i in 0..block.runs {
                sum.run(&x[block.run(i)], |x| [x]);
            }
            let [sum] = sum.total();
            let shift = T::from_f64(sum.to_f64() / n);
            let mut deviations = Sums::new();
            for i in 0..block.runs {
                deviations.run(&x[block.run(i)], |x| [x - shift, (x - shift) * (x - shift)]);
            }
            let [off, square] = deviations.total();
            moments.merge(n, shift, off.to_f64(), square.to_f64());
        }
        moments
    }

    /// Σ g and Σ g x̂ of a channel.
    #[inline(always)]
    fn sums<T: Float>(&self, x: &[T], g: &[T], channel: usize, [high, low, scale]: [T; 3]) -> [T; 2] {
        // In double precision, one number per block: their order costs no accuracy.
        let (mut a, mut b) = (0.0, 0.0);
        for i in 0..self.blocks() {
            let block = self.block(channel, i);
            let mut sums = Sums::new();
            for i in 0..block.runs {
                sums.pairs(&x[block.run(i)], &g[block.run(i)], |x, g| [g, g * (x - high)]);
            }
            let [p, q] = sums.total();
            a += p.to_f64();
            b += q.to_f64();
        }
        [T::from_f64(a), T::from_f64((b - low.to_f64() * a) * scale.to_f64())]
    }
}

/// The mean, the variance and the numbers for the kernels.
#[inline(always)]
fn row<T: Float>(m: Moments, eps: f64) -> [T; 5] {
    let [high, low, scale] = m.stats(eps);
    [high, T::from_f64(m.m2 / m.n), high, low, scale]
}

/// The moments of some channels.
struct ChannelMoments<'a, T> {
    of: Batch,
    first: usize,
    eps: f64,
    x: &'a [T],
    out: &'a mut [[T; 5]],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelMoments<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = row(self.of.moments(self.x, self.first + i), self.eps);
        }
    }
}

/// The sums of some channels.
struct ChannelSums<'a, T> {
    of: Batch,
    first: usize,
    x: &'a [T],
    g: &'a [T],
    stats: &'a [[T; 3]],
    out: &'a mut [[T; 2]],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelSums<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        for (i, (out, &stats)) in self.out.iter_mut().zip(self.stats).enumerate() {
            *out = self.of.sums(self.x, self.g, self.first + i, stats);
        }
    }
}

/// y = a (x - high) + b: [high, a, b] of a channel.
#[inline(always)]
fn affine_of<T: Float>([high, low, scale]: [T; 3], w: Option<T>, b: Option<T>) -> [T; 3] {
    let a = scale * w.unwrap_or(T::ONE);
    [high, a, b.unwrap_or(T::ZERO) - a * low]
}

/// gx = a g - b (x - high) - c: [high, a, b, c] of a channel of which `part` is the reciprocal of the number of elements, given
/// Σ g and Σ g x̂, and the cotangents of mean and variance.
#[inline(always)]
fn pull_back_of<T: Float>(
    [high, low, scale]: [T; 3],
    w: Option<T>,
    part: f64,
    through: Option<([T; 2], Option<T>, Option<T>)>,
) -> [T; 4] {
    let (low, scale) = (low.to_f64(), scale.to_f64());
    let a = scale * w.map_or(1.0, T::to_f64);
    let (mut slope, mut constant) = (0.0, 0.0);
    if let Some(([sum, product], mean, variance)) = through {
        // a (g - Σg/n - x̂ Σ(g x̂)/n) + g_mean/n + 2 (x - mean) g_variance/n
        slope = a * product.to_f64() * part * scale;
        constant = a * sum.to_f64() * part;
        slope -= variance.map_or(0.0, |v| 2.0 * v.to_f64() * part);
        constant -= mean.map_or(0.0, |m| m.to_f64() * part);
    }
    [high, T::from_f64(a), T::from_f64(slope), T::from_f64(constant - slope * low)]
}

/// Coefficients per channel: `K` lists, in which the channels repeat until a list is as long as a row.
fn coefficients<const K: usize, T: Float>(of: Batch, by: &[[T; K]]) -> [Vec<T>; K] {
    let times = if of.inner == 1 { ROW.div_ceil(by.len().max(1)) } else { 1 };
    std::array::from_fn(|k| {
        let mut list = Vec::with_capacity(by.len() * times);
        (0..times).for_each(|_| list.extend(by.iter().map(|c| c[k])));
        list
    })
}

/// y = a (x - high) + b, with coefficients per channel.
struct ChannelAffine<'a, T> {
    of: Batch,
    first: usize,
    x: &'a [T],
    y: &'a mut [T],
    by: [&'a [T]; 3],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelAffine<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let (inner, [high, a, b]) = (self.of.inner, self.by);
        if inner == 1 {
            for (x, y) in self.x.chunks(high.len()).zip(self.y.chunks_mut(high.len())) {
                for ((((y, &x), &high), &a), &b) in y.iter_mut().zip(x).zip(high).zip(a).zip(b) {
                    *y = (x - high) * a + b;
                }
            }
            return;
        }
        for (i, (x, y)) in self.x.chunks_exact(inner).zip(self.y.chunks_exact_mut(inner)).enumerate() {
            let c = (self.first + i) % self.of.channels;
            affine(x, y, high[c], a[c], b[c]);
        }
    }
}

/// gx = a g - b (x - high) - c, with coefficients per channel.
struct ChannelPullBack<'a, T> {
    of: Batch,
    first: usize,
    x: &'a [T],
    g: &'a [T],
    gx: &'a mut [T],
    by: [&'a [T]; 4],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelPullBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let (inner, [high, a, b, c]) = (self.of.inner, self.by);
        if inner == 1 {
            let n = high.len();
            let rows = self.x.chunks(n).zip(self.g.chunks(n));
            for ((x, g), gx) in rows.zip(self.gx.chunks_mut(n)) {
                let by = high.iter().zip(a).zip(b).zip(c);
                for (((d, &x), &g), (((&high, &a), &b), &c)) in gx.iter_mut().zip(x).zip(g).zip(by) {
                    *d = a * g - b * (x - high) - c;
                }
            }
            return;
        }
        let runs = self.x.chunks_exact(inner).zip(self.g.chunks_exact(inner));
        for (i, ((x, g), gx)) in runs.zip(self.gx.chunks_exact_mut(inner)).enumerate() {
            let k = (self.first + i) % self.of.channels;
            pull_back(x, g, gx, high[k], [a[k], b[k], c[k]]);
        }
    }
}

/// A parameter with one element per channel.
fn by_channel<T: Float>(op: &'static str, p: Option<&Tensor<T>>, of: Batch) -> Result<Option<Vec<T>>> {
    match p {
        Some(p) if *p.shape() != [of.channels] => {
            let detail = format!("expected one number per channel, [{}], found {}", of.channels, p.shape());
            Err(Error::shape(op, detail))
        }
        p => Ok(p.map(Tensor::to_vec)),
    }
}

/// Mean, variance and statistics, each of their own.
fn moments_of<T: Float>(all: Buffer<T>, of: Batch) -> Result<[Tensor<T>; 3]> {
    let all = Tensor::from_buffer(all, Shape::from([of.channels, 5]));
    Ok([all.select(1, 0)?.contiguous(), all.select(1, 1)?.contiguous(), all.slice(1, 2..5)?.contiguous()])
}

/// The sums of every channel, `[2, channels]`.
fn sums_of<T: Float>(sums: Buffer<T>, of: Batch) -> Result<Tensor<T>> {
    Ok(Tensor::from_buffer(sums, Shape::from([of.channels, 2])).transpose(0, 1)?.contiguous())
}

impl<T: Float> Tensor<T> {
    /// The mean and the variance (of the population) of every channel of a batch `[n, channels, ..]`, `[channels]`
    /// each, and for the kernels `[channels, 3]`: the mean in two parts, and 1/√(variance + ε).
    ///
    /// # Errors
    /// If there are no channels, or a channel has no elements.
    pub fn channel_moments(&self, op: &'static str, eps: f64) -> Result<[Tensor<T>; 3]> {
        let of = Batch::of(op, self)?;
        if of.count() == 0 {
            let detail = format!("a channel of shape {} has no elements, so no mean", self.shape());
            return Err(Error::new(op, ErrorKind::Shape, detail));
        }
        let mut all = Buffer::unspecified(of.channels * 5);
        let rows = all.as_chunks_mut::<5>().0;
        if of.is_matrix() {
            let x = self.contiguous();
            let [means, m2] = columns::moments(x.as_slice().expect("contiguous"), of.n, of.channels);
            let n = of.n as f64;
            for ((out, mean), m2) in rows.iter_mut().zip(means).zip(m2) {
                *out = row(Moments { n, mean, m2 }, eps);
            }
        } else {
            let (x, of) = in_order(op, self)?;
            let x = x.as_slice().expect("contiguous");
            let many = parallel::rows(of.count(), COST);
            let pieces: Vec<_> = rows.chunks_mut(many).enumerate().collect();
            parallel::each_if_worth(pieces, x.len() * COST, |(i, out)| {
                simd::dispatch(ChannelMoments { of, first: i * many, eps, x, out });
            });
        }
        moments_of(all, of)
    }

    /// Normalises every channel of a batch by the given statistics (`[channels, 3]`, see
    /// [`channel_moments`](Tensor::channel_moments)), then multiplies by a weight and adds a bias.
    ///
    /// # Errors
    /// If the parameters do not have one element per channel.
    pub fn normalize_channels(
        &self,
        op: &'static str,
        stats: &Tensor<T>,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
    ) -> Result<Tensor<T>> {
        let (x, of) = for_elements(op, self)?;
        let (w, b) = (by_channel(op, weight, of)?, by_channel(op, bias, of)?);
        let stats = statistics(op, stats, of)?;
        let xs = x.as_slice().expect("contiguous");
        let mut y = Buffer::unspecified(xs.len());
        let by: Vec<[T; 3]> = stats
            .iter()
            .enumerate()
            .map(|(c, &stats)| affine_of(stats, w.as_ref().map(|w| w[c]), b.as_ref().map(|b| b[c])))
            .collect();
        if !xs.is_empty() {
            let by = coefficients(of, &by);
            backwards(&mut y, of, |start, y| {
                let x = &xs[start..start + y.len()];
                simd::dispatch(ChannelAffine {
                    of,
                    first: start / of.inner,
                    x,
                    y,
                    by: by.each_ref().map(|v| &v[..]),
                });
            });
        }
        out_of_order(y, self, of)
    }

    /// Σ g and Σ g x̂ of every channel, `[2, channels]`: the cotangents of bias and weight, and part of the cotangent
    /// of the input.
    ///
    /// # Errors
    /// If the cotangent does not have the input's shape.
    pub fn channel_sums(&self, op: &'static str, stats: &Tensor<T>, g: &Tensor<T>) -> Result<Tensor<T>> {
        same_shape(op, self, g)?;
        let of = Batch::of(op, self)?;
        let stats = statistics(op, stats, of)?;
        if of.is_matrix() {
            let (x, g) = (self.contiguous(), g.contiguous());
            let (x, g) = (x.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
            let high: Vec<T> = stats.iter().map(|s| s[0]).collect();
            let [sum, product] = columns::sums(x, g, &high, of.n);
            let mut out = Buffer::unspecified(of.channels * 2);
            let (sums, products) = out.split_at_mut(of.channels);
            for (c, &[_, low, scale]) in stats.iter().enumerate() {
                sums[c] = T::from_f64(sum[c]);
                products[c] = T::from_f64((product[c] - low.to_f64() * sum[c]) * scale.to_f64());
            }
            return Ok(Tensor::from_buffer(out, Shape::from([2, of.channels])));
        }
        let ((x, of), (g, _)) = (in_order(op, self)?, in_order(op, g)?);
        let (xs, gs) = (x.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
        let mut out = Buffer::unspecified(of.channels * 2);
        let many = parallel::rows(of.count(), COST);
        let pieces: Vec<_> =
            out.as_chunks_mut::<2>().0.chunks_mut(many).zip(stats.chunks(many)).enumerate().collect();
        parallel::each_if_worth(pieces, xs.len() * COST, |(i, (out, stats))| {
            simd::dispatch(ChannelSums { of, first: i * many, x: xs, g: gs, stats, out });
        });
        sums_of(out, of)
    }

    /// The cotangent of a batch from the cotangent `g` of the [normalised](Tensor::normalize_channels) batch. `through`
    /// holds the cotangents that pass through the statistics; with `None` the statistics are constants.
    ///
    /// # Errors
    /// If the shapes are not consistent.
    pub fn normalize_channels_adjoint(
        &self,
        op: &'static str,
        stats: &Tensor<T>,
        weight: Option<&Tensor<T>>,
        g: &Tensor<T>,
        through: Option<ThroughMoments<'_, T>>,
    ) -> Result<Tensor<T>> {
        same_shape(op, self, g)?;
        let ((x, of), (g, _)) = (for_elements(op, self)?, for_elements(op, g)?);
        let w = by_channel(op, weight, of)?;
        let stats = statistics(op, stats, of)?;
        let (xs, gs) = (x.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
        let mut by: Vec<[T; 4]> = Vec::with_capacity(of.channels);
        let part = 1.0 / of.count().max(1) as f64;
        let through = match through {
            Some(t) => {
                let (mean, variance) = (by_channel(op, t.mean, of)?, by_channel(op, t.variance, of)?);
                if *t.sums.shape() != [2, of.channels] {
                    let detail = format!("expected sums [2, {}], found {}", of.channels, t.sums.shape());
                    return Err(Error::shape(op, detail));
                }
                Some((t.sums.to_vec(), mean, variance))
            }
            None => None,
        };
        for (c, &stats) in stats.iter().enumerate() {
            let through = through.as_ref().map(|(sums, mean, variance)| {
                let (mean, variance) = (mean.as_ref().map(|m| m[c]), variance.as_ref().map(|v| v[c]));
                ([sums[c], sums[of.channels + c]], mean, variance)
            });
            by.push(pull_back_of(stats, w.as_ref().map(|w| w[c]), part, through));
        }
        let mut gx = Buffer::unspecified(xs.len());
        if !xs.is_empty() {
            let by = coefficients(of, &by);
            backwards(&mut gx, of, |start, gx| {
                let run = start..start + gx.len();
                let (x, g) = (&xs[run.clone()], &gs[run]);
                let by = by.each_ref().map(|v| &v[..]);
                simd::dispatch(ChannelPullBack { of, first: start / of.inner, x, g, gx, by });
            });
        }
        out_of_order(gx, self, of)
    }
}

/// The cotangents that pass through the mean and the variance of each channel.
#[derive(Clone, Copy)]
pub struct ThroughMoments<'a, T: Float> {
    /// [`channel_sums`](Tensor::channel_sums) of the cotangent.
    pub sums: &'a Tensor<T>,
    /// The cotangent of the mean, if something else depends on it.
    pub mean: Option<&'a Tensor<T>>,
    /// The cotangent of the variance, if something else depends on it.
    pub variance: Option<&'a Tensor<T>>,
}

fn same_shape<T: Float>(op: &'static str, x: &Tensor<T>, g: &Tensor<T>) -> Result<()> {
    if g.shape() == x.shape() {
        return Ok(());
    }
    Err(Error::shape(op, format!("expected a cotangent of shape {}, found {}", x.shape(), g.shape())))
}

fn statistics<T: Float>(op: &'static str, stats: &Tensor<T>, of: Batch) -> Result<Vec<[T; 3]>> {
    if *stats.shape() != [of.channels, 3] {
        let detail = format!("expected statistics of shape [{}, 3], found {}", of.channels, stats.shape());
        return Err(Error::shape(op, detail));
    }
    Ok(stats.to_vec().as_chunks::<3>().0.to_vec())
}
