//! Normalisation: shifted by a mean and divided by a standard deviation, then an affine map; and the adjoints.
//!
//! Two families share the arithmetic. *Rows*: statistics of runs that lie together, `[.., groups, channels, inner]` with
//! one mean for each group (layer, group and instance norm, and with no mean RMS norm). *Channels*: `[n, channels, inner]`
//! with one mean for each channel, over two axes that do not lie together (batch norm).
//!
//! Means and variances are found block by block in two passes, corrected for the rounding of the first, and combined in
//! double precision (Chan, Golub and LeVeque 1983). The mean is then kept as the sum of two numbers of the element type,
//! so that a large mean with a tiny deviation loses nothing.

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::kernel::fold::{Fold, Sum, lanes};
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;

/// Elements that are averaged at once, so that the second pass finds them in cache.
const BLOCK: usize = 4096;
/// One element's cost in additions.
const COST: usize = 4;
/// An inner axis narrower than this is brought together with the outer one first.
const NARROW: usize = 16;
/// Samples that a task takes at least, since each task has sums of its own for the parameters.
const SAMPLES: usize = 8;

/// What is normalised together: `[.., groups, channels, inner]`, with a mean for each group and a weight for each channel
/// of each group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Groups {
    /// Groups of a sample.
    pub groups: usize,
    /// Channels of a group.
    pub channels: usize,
    /// Elements of a channel.
    pub inner: usize,
    /// Whether the mean is taken off (it is not in RMS norm).
    pub centred: bool,
    /// What is added to the variance.
    pub eps: f64,
}

/// Cotangents of input, weight and bias, as far as they were asked for.
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

/// Count, mean and Σ(x - mean)² of what has been seen.
#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    mean: f64,
    m2: f64,
}

impl Moments {
    /// Adds a run of elements; to be called from code compiled for the vector instruction set.
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
            let (mean, m2) = (shift.to_f64() + off / n, Float::maximum(square - off * off / n, 0.0));
            let (total, apart) = (self.n + n, mean - self.mean);
            self.m2 += m2 + apart * apart * (self.n * n / total);
            self.mean += apart * (n / total);
            self.n = total;
        }
    }

    /// The mean as a sum of two numbers, and 1/√(variance + ε).
    #[inline(always)]
    fn stats<T: Float>(&self, eps: f64) -> [T; 3] {
        let high = T::from_f64(self.mean);
        let low = T::from_f64(self.mean - high.to_f64());
        [high, low, T::from_f64(1.0 / (self.m2 / self.n + eps).sqrt())]
    }
}

/// (Σ g, Σ g (x - high)) of a run.
#[inline(always)]
fn sums<T: Float>(x: &[T], g: &[T], high: T) -> (T, T) {
    const LANES: usize = 32;
    let (mut a, mut b) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let ((xs, x_tail), (gs, g_tail)) = (x.as_chunks::<LANES>(), g.as_chunks::<LANES>());
    for (x, g) in xs.iter().zip(gs) {
        for l in 0..LANES {
            a[l] += g[l];
            b[l] += g[l] * (x[l] - high);
        }
    }
    for (l, (&x, &g)) in x_tail.iter().zip(g_tail).enumerate() {
        a[l] += g;
        b[l] += g * (x - high);
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            a[l] += a[l + width];
            b[l] += b[l + width];
        }
    }
    (a[0], b[0])
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
    /// Σ g and Σ g x̂ for each channel of a sample; empty if nobody wants them.
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

/// The elements of a parameter, if it is there.
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

    /// Samples that make a task.
    fn piece(&self, sample: usize) -> usize {
        parallel::rows(sample, COST).max(SAMPLES)
    }
}

impl<T: Float> Tensor<T> {
    /// Each group of the elements normalised, times a weight plus a bias for each channel; and for the adjoint the
    /// statistics, `[groups, 3]`: the mean in two parts, and 1/σ.
    ///
    /// # Errors
    /// If the elements are not whole samples, or the parameters do not have one element a channel.
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
        // The inner axis may be joined with the channels where nothing tells them apart.
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

    /// The adjoint of [`normalize_groups`](Tensor::normalize_groups) at this input: the cotangents of the input, the
    /// weight and the bias, the latter two `[groups · channels]`, if `params` are wanted.
    ///
    /// # Errors
    /// As `normalize_groups`, and if the cotangent does not have the input's shape.
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
        let totals = Tensor::from_buffer(totals, Shape::from([count, 2, width])).sum(0, false)?;
        Ok([Some(gx), Some(totals.select(0, 1)?), Some(totals.select(0, 0)?)])
    }
}

/// `[n, channels, inner]`, the axes of a batch.
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

    /// Elements of a channel.
    fn count(&self) -> usize {
        self.n * self.inner
    }
}

/// A batch in the order in which it is worked on: as it lies, or with all samples of a channel together.
fn in_order<T: Float>(op: &'static str, x: &Tensor<T>) -> Result<(Tensor<T>, Batch)> {
    let of = Batch::of(op, x)?;
    if of.inner >= NARROW || of.n <= 1 {
        return Ok((x.contiguous(), of));
    }
    Ok((x.transpose(0, 1)?.contiguous(), Batch { n: 1, channels: of.channels, inner: of.count() }))
}

/// What was worked on in that order, in its own again.
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
        // In double precision, a number a sample: their order costs no accuracy.
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

/// y = a (x - high) + b, the coefficients by channel.
struct ChannelAffine<'a, T> {
    of: Batch,
    first: usize,
    x: &'a [T],
    y: &'a mut [T],
    by: &'a [[T; 3]],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelAffine<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let inner = self.of.inner;
        for (i, (x, y)) in self.x.chunks_exact(inner).zip(self.y.chunks_exact_mut(inner)).enumerate() {
            let [high, a, b] = self.by[(self.first + i) % self.of.channels];
            affine(x, y, high, a, b);
        }
    }
}

/// gx = a g - b (x - high) - c, the coefficients by channel.
struct ChannelPullBack<'a, T> {
    of: Batch,
    first: usize,
    x: &'a [T],
    g: &'a [T],
    gx: &'a mut [T],
    by: &'a [[T; 4]],
}

impl<T: Float> pulp::NullaryFnOnce for ChannelPullBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let inner = self.of.inner;
        let runs = self.x.chunks_exact(inner).zip(self.g.chunks_exact(inner));
        for (i, ((x, g), gx)) in runs.zip(self.gx.chunks_exact_mut(inner)).enumerate() {
            let [high, by @ ..] = self.by[(self.first + i) % self.of.channels];
            pull_back(x, g, gx, high, by);
        }
    }
}

/// A parameter of a channel each.
fn by_channel<T: Float>(op: &'static str, p: Option<&Tensor<T>>, of: Batch) -> Result<Option<Vec<T>>> {
    match p {
        Some(p) if *p.shape() != [of.channels] => {
            let detail = format!("expected one number a channel, [{}], found {}", of.channels, p.shape());
            Err(Error::shape(op, detail))
        }
        p => Ok(p.map(Tensor::to_vec)),
    }
}

impl<T: Float> Tensor<T> {
    /// Mean and variance (of the population) of every channel of a batch `[n, channels, ..]`: `[channels]` each, and
    /// for the kernels `[channels, 3]`: the mean in two parts, and 1/√(variance + ε).
    ///
    /// # Errors
    /// If there are no channels, or no elements in one.
    pub fn channel_moments(&self, op: &'static str, eps: f64) -> Result<[Tensor<T>; 3]> {
        let (x, of) = in_order(op, self)?;
        if of.count() == 0 {
            let detail = format!("a channel of shape {} has no elements, so no mean", self.shape());
            return Err(Error::new(op, ErrorKind::Shape, detail));
        }
        let xs = x.as_slice().expect("contiguous");
        // Mean and variance, then what the kernels want.
        let mut all = Buffer::unspecified(of.channels * 5);
        parallel::chunks_mut(&mut all, 5, of.count(), |start, out| {
            let channel = start / 5;
            for (i, out) in out.chunks_exact_mut(5).enumerate() {
                let m = simd::dispatch(ChannelMoments { of, channel: channel + i, x: xs });
                let stats = m.stats(eps);
                out.copy_from_slice(&[stats[0], T::from_f64(m.m2 / m.n), stats[0], stats[1], stats[2]]);
            }
        });
        let all = Tensor::from_buffer(all, Shape::from([of.channels, 5]));
        let stats = all.slice(1, 2..5)?.contiguous();
        Ok([all.select(1, 0)?.contiguous(), all.select(1, 1)?.contiguous(), stats])
    }

    /// Every channel of a batch normalised by the given statistics (`[channels, 3]`, see
    /// [`channel_moments`](Tensor::channel_moments)), times a weight plus a bias.
    ///
    /// # Errors
    /// If the parameters do not have one element a channel.
    pub fn normalize_channels(
        &self,
        op: &'static str,
        stats: &Tensor<T>,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
    ) -> Result<Tensor<T>> {
        let (x, of) = in_order(op, self)?;
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
        if of.inner > 0 {
            parallel::chunks_mut(&mut y, parallel::rows(of.inner, COST) * of.inner, COST, |start, y| {
                let x = &xs[start..start + y.len()];
                simd::dispatch(ChannelAffine { of, first: start / of.inner, x, y, by: &by });
            });
        }
        out_of_order(y, self, of)
    }

    /// Σ g and Σ g x̂ of every channel, `[2, channels]`: the cotangents of bias and weight, and what that of the input
    /// is made of.
    ///
    /// # Errors
    /// If the cotangent does not have the input's shape.
    pub fn channel_sums(&self, op: &'static str, stats: &Tensor<T>, g: &Tensor<T>) -> Result<Tensor<T>> {
        same_shape(op, self, g)?;
        let ((x, of), (g, _)) = (in_order(op, self)?, in_order(op, g)?);
        let stats = statistics(op, stats, of)?;
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

    /// The cotangent of a batch from that of the [normalised](Tensor::normalize_channels) one and the
    /// [sums](Tensor::channel_sums) of it; `pulled` holds cotangents of mean and variance, `[channels]` each, that are
    /// added. With `fixed` statistics, nothing flows through them.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn normalize_channels_adjoint(
        &self,
        op: &'static str,
        stats: &Tensor<T>,
        weight: Option<&Tensor<T>>,
        g: &Tensor<T>,
        through: Option<ThroughMoments<'_, T>>,
    ) -> Result<Tensor<T>> {
        same_shape(op, self, g)?;
        let ((x, of), (g, _)) = (in_order(op, self)?, in_order(op, g)?);
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
        if of.inner > 0 {
            parallel::chunks_mut(&mut gx, parallel::rows(of.inner, COST) * of.inner, COST, |start, gx| {
                let run = start..start + gx.len();
                let (x, g) = (&xs[run.clone()], &gs[run]);
                simd::dispatch(ChannelPullBack { of, first: start / of.inner, x, g, gx, by: &by });
            });
        }
        out_of_order(gx, self, of)
    }
}

/// What flows back through the mean and the variance of each channel.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, normal};

    fn values(shape: &[usize], seed: u64) -> Tensor<f64> {
        normal(shape, 0.3, 2.0, Key { seed, stream: 0 }).unwrap()
    }

    fn close(a: &[f64], b: &[f64]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "{a} {b}");
        }
    }

    /// Mean and 1/σ of the elements with the given key, each.
    fn naive(x: &[f64], key: impl Fn(usize) -> usize, keys: usize, eps: f64) -> Vec<(f64, f64)> {
        (0..keys)
            .map(|k| {
                let of: Vec<f64> =
                    x.iter().enumerate().filter(|(i, _)| key(*i) == k).map(|(_, v)| *v).collect();
                let mean = of.iter().sum::<f64>() / of.len() as f64;
                let var = of.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / of.len() as f64;
                (mean, 1.0 / (var + eps).sqrt())
            })
            .collect()
    }

    #[test]
    fn groups_agree_with_loops_in_every_layout() {
        for (n, groups, channels, inner) in [
            (1, 1, 1, 1),
            (3, 1, 5, 1),
            (2, 2, 3, 4),
            (5, 3, 1, 7),
            (37, 1, 300, 1),
            (2, 2, 2, 5000),
            (0, 1, 2, 3),
        ] {
            let of = Groups { groups, channels, inner, centred: true, eps: 1e-5 };
            let width = groups * channels;
            let dense = values(&[n, width, inner], 1);
            let strided = dense.transpose(0, 2).unwrap().contiguous().transpose(0, 2).unwrap();
            let (w, b) = (values(&[width], 2), values(&[width], 3));
            let row = |i: usize| i / (channels * inner);
            let xs = dense.to_vec();
            let stats = naive(&xs, row, n * groups, 1e-5);
            let want: Vec<f64> = (0..xs.len())
                .map(|i| {
                    let (m, s) = stats[row(i)];
                    let c = i / inner % width;
                    (xs[i] - m) * s * w.to_vec()[c] + b.to_vec()[c]
                })
                .collect();
            for x in [&dense, &strided] {
                let (y, _) = x.normalize_groups("test", of, Some(&w), Some(&b)).unwrap();
                close(&y.to_vec(), &want);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = values(&[2, 3, 4], 0);
        for (groups, channels, inner) in
            [(usize::MAX, 2, 1), (1 << 40, 1 << 40, 4), (3, 1, usize::MAX), (5, 1, 1)]
        {
            let of = Groups { groups, channels, inner, centred: true, eps: 1e-5 };
            assert!(x.normalize_groups("norm", of, None, None).is_err_and(|e| e.op() == "norm"));
            let stats = values(&[6, 3], 1);
            assert!(x.normalize_groups_adjoint("norm", of, None, &stats, &x, true).is_err());
        }
        let [_, _, stats] = x.channel_moments("norm", 1e-5).unwrap();
        let sums = x.channel_sums("norm", &stats, &x).unwrap();
        let through = |sums| Some(ThroughMoments { sums, mean: None, variance: None });
        assert!(x.normalize_channels_adjoint("norm", &stats, None, &x, through(&sums)).is_ok());
        let (short, few) = (values(&[1, 3, 4], 1), values(&[2], 1));
        assert!(x.normalize_channels_adjoint("norm", &stats, None, &short, through(&sums)).is_err());
        assert!(x.normalize_channels_adjoint("norm", &stats, None, &x, through(&few)).is_err());
    }

    #[test]
    fn channels_agree_with_loops_in_every_layout() {
        for (n, c, inner) in [(2, 1, 1), (5, 3, 1), (4, 2, 7), (3, 4, 40), (2, 2, 5000), (300, 5, 3)] {
            let dense = values(&[n, c, inner], 4);
            let strided = dense.transpose(0, 2).unwrap().contiguous().transpose(0, 2).unwrap();
            let (w, b, g) = (values(&[c], 5), values(&[c], 6), values(&[n, c, inner], 7));
            let channel = |i: usize| i / inner % c;
            let (xs, gs) = (dense.to_vec(), g.to_vec());
            let stats = naive(&xs, channel, c, 1e-5);
            let hat: Vec<f64> =
                (0..xs.len()).map(|i| (xs[i] - stats[channel(i)].0) * stats[channel(i)].1).collect();
            let want: Vec<f64> =
                (0..xs.len()).map(|i| hat[i] * w.to_vec()[channel(i)] + b.to_vec()[channel(i)]).collect();
            let mut sums = vec![0.0; 2 * c];
            for i in 0..xs.len() {
                sums[channel(i)] += gs[i];
                sums[c + channel(i)] += gs[i] * hat[i];
            }
            let count = (n * inner) as f64;
            let pulled: Vec<f64> = (0..xs.len())
                .map(|i| {
                    let k = channel(i);
                    let a = stats[k].1 * w.to_vec()[k];
                    a * (gs[i] - sums[k] / count - hat[i] * sums[c + k] / count)
                })
                .collect();
            for x in [&dense, &strided] {
                let [mean, _, stats] = x.channel_moments("test", 1e-5).unwrap();
                close(&mean.to_vec(), &naive(&xs, channel, c, 0.0).iter().map(|s| s.0).collect::<Vec<_>>());
                close(&x.normalize_channels("test", &stats, Some(&w), Some(&b)).unwrap().to_vec(), &want);
                let found = x.channel_sums("test", &stats, &g).unwrap();
                close(&found.to_vec(), &sums);
                let through = ThroughMoments { sums: &found, mean: None, variance: None };
                let gx = x.normalize_channels_adjoint("test", &stats, Some(&w), &g, Some(through)).unwrap();
                close(&gx.to_vec(), &pulled);
            }
        }
    }

    /// In single precision a mean of 10⁴ leaves three digits of these elements; none of them may be lost.
    #[test]
    fn a_large_mean_with_a_tiny_deviation_loses_nothing() {
        let step = 1.0 / 1024.0;
        let x: Tensor<f32> = Tensor::<f64>::arange(0.0, 1.0, 9000)
            .map(|i| (1e4 + step * ((i * 7.0) % 5.0)) as f32)
            .reshape([1, 9000])
            .unwrap();
        let exact = x.cast::<f64>();
        let of = Groups { groups: 1, channels: 1, inner: 9000, centred: true, eps: 0.0 };
        let (y, _) = x.normalize_groups("test", of, None, None).unwrap();
        let (want, _) = exact.normalize_groups("test", of, None, None).unwrap();
        for (a, b) in y.to_vec().iter().zip(want.to_vec()) {
            assert!((f64::from(*a) - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
