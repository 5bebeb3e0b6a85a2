//! Channels: statistics over the samples and the positions of a batch, `[n, channels, inner]` (batch norm).

use super::{COST, Moments, affine, columns, pull_back, sums_standard};
use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;

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
/// statistics is still in the cache, and so is the beginning of the result for who reads it next.
fn backwards<T: Float>(out: &mut [T], of: Batch, f: impl Fn(usize, &mut [T]) + Sync + Send) {
    let (cost, piece) = (out.len() * COST, parallel::rows(of.run(), COST) * of.run());
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

struct ChannelMoments<'a, T> {
    of: Batch,
    channel: usize,
    x: &'a [T],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelMoments<'_, T> {
    type Output = Moments;
    #[inline(always)]
    fn call(self) -> Moments {
        let Batch { n, channels, inner } = self.of;
        let mut moments = Moments::default();
        for i in 0..n {
            moments.add(&self.x[(i * channels + self.channel) * inner..][..inner], true);
        }
        moments
    }
}

struct ChannelSums<'a, T> {
    of: Batch,
    channel: usize,
    x: &'a [T],
    g: &'a [T],
    stats: [T; 3],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelSums<'_, T> {
    type Output = [T; 2];
    #[inline(always)]
    fn call(self) -> [T; 2] {
        let Batch { n, channels, inner } = self.of;
        // In double precision, one number per sample: their order costs no accuracy.
        let (mut a, mut b) = (0.0, 0.0);
        for i in 0..n {
            let run = (i * channels + self.channel) * inner..(i * channels + self.channel + 1) * inner;
            let (p, q) = sums_standard(&self.x[run.clone()], &self.g[run], self.stats);
            a += p.to_f64();
            b += q.to_f64();
        }
        [T::from_f64(a), T::from_f64(b)]
    }
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
        // Mean and variance, then the three numbers for the kernels.
        let row = |m: Moments| {
            let [high, low, scale] = m.stats(eps);
            [high, T::from_f64(m.m2 / m.n), high, low, scale]
        };
        let mut all = Buffer::unspecified(of.channels * 5);
        if of.is_matrix() {
            let x = self.contiguous();
            let [means, m2] = columns::moments(x.as_slice().expect("contiguous"), of.n, of.channels);
            let n = of.n as f64;
            for ((out, mean), m2) in all.as_chunks_mut::<5>().0.iter_mut().zip(means).zip(m2) {
                *out = row(Moments { n, mean, m2 });
            }
        } else {
            let (x, of) = in_order(op, self)?;
            let x = x.as_slice().expect("contiguous");
            parallel::chunks_mut(&mut all, 5, of.count(), |start, out| {
                for (i, out) in out.as_chunks_mut::<5>().0.iter_mut().enumerate() {
                    *out = row(simd::dispatch(ChannelMoments { of, channel: start / 5 + i, x }));
                }
            });
        }
        let all = Tensor::from_buffer(all, Shape::from([of.channels, 5]));
        let stats = all.slice(1, 2..5)?.contiguous();
        Ok([all.select(1, 0)?.contiguous(), all.select(1, 1)?.contiguous(), stats])
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
            .map(|(c, &[high, low, scale])| {
                let a = scale * w.as_ref().map_or(T::ONE, |w| w[c]);
                [high, a, b.as_ref().map_or(T::ZERO, |b| b[c]) - a * low]
            })
            .collect();
        if !xs.is_empty() {
            let by = coefficients(of, &by);
            backwards(&mut y, of, |start, y| {
                let x = &xs[start..start + y.len()];
                simd::dispatch(ChannelAffine { of, first: start / of.inner, x, y, by: by.each_ref().map(|v| &v[..]) });
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
        parallel::chunks_mut(&mut out, 2, of.count().max(1), |start, out| {
            for (i, out) in out.chunks_exact_mut(2).enumerate() {
                let channel = start / 2 + i;
                let sums = ChannelSums { of, channel, x: xs, g: gs, stats: stats[channel] };
                out.copy_from_slice(&simd::dispatch(sums));
            }
        });
        Ok(Tensor::from_buffer(out, Shape::from([of.channels, 2])).transpose(0, 1)?.contiguous())
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
        for (c, &[high, low, scale]) in stats.iter().enumerate() {
            let (low, scale) = (low.to_f64(), scale.to_f64());
            let a = scale * w.as_ref().map_or(1.0, |w| w[c].to_f64());
            let (mut slope, mut constant) = (0.0, 0.0);
            if let Some((sums, mean, variance)) = &through {
                // a (g - Σg/n - x̂ Σ(g x̂)/n) + g_mean/n + 2 (x - mean) g_variance/n
                slope = a * sums[of.channels + c].to_f64() * part * scale;
                constant = a * sums[c].to_f64() * part;
                slope -= variance.as_ref().map_or(0.0, |v| 2.0 * v[c].to_f64() * part);
                constant -= mean.as_ref().map_or(0.0, |m| m[c].to_f64() * part);
            }
            by.push([high, T::from_f64(a), T::from_f64(slope), T::from_f64(constant - slope * low)]);
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
