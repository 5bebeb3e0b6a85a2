//! The product of packed weights and a grid: convolution, and its adjoint in the input.

use super::Geometry;
use super::grid::{Grid, GridAxis, Tap, WIDEST};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;
use pulp::Simd;

/// The number of output channels that are packed together.
const PANEL: usize = 8;
/// The largest number of vectors of positions in a tile; with a panel of channels they fill the registers.
const TILE: usize = 3;
/// The approximate number of positions of a band; a panel of them fits the first-level cache.
const POSITIONS: usize = 1536;
/// The approximate number of elements of a band's grid; they fit the second-level cache.
const CACHED: usize = 96 * 1024;
/// The number of multiply-adds that are worth a piece.
const WORK: usize = 1 << 20;
/// The largest number of kernel columns that may have phases of their own.
const SPLIT: usize = 16;
/// The approximate costs of copying, in multiply-adds of an element: an element into a grid, a row that needs padding, and
/// an element of a tile into the output.
const COPY: usize = 2;
const ROW: usize = 160;
const PLACE: usize = 3;
/// A sample is cut into parts until there are this many pieces.
const PIECES: usize = 16;

/// Output positions that meet the same kernel elements.
struct Job<T: Float> {
    offsets: Vec<usize>,
    packed: Buffer<T>,
    /// The number of rows and columns, the position of the first in the output, and the distances between them.
    count: [usize; 2],
    start: [usize; 2],
    step: [usize; 2],
}

impl<T: Float> Job<T> {
    /// Whether positions follow each other in the output as they do in the grid.
    fn is_direct(&self, grid: &Grid) -> bool {
        self.step == [1, 1] && self.count[1] == grid.pitch
    }
}

struct Plan<'a, T: Float> {
    source: &'a [T],
    grid: Grid,
    jobs: Vec<Job<T>>,
    bias: Option<&'a [T]>,
    groups: usize,
    /// The numbers of source channels and of output channels per group.
    from: usize,
    to: usize,
    /// The sizes of an output plane.
    sizes: [usize; 2],
    /// The number of output rows, and of those that share a grid.
    rows: usize,
    band: usize,
    /// The number of the grid's rows for a band.
    grid_rows: usize,
}

/// The checked operands of a convolution, or of its adjoint in the input, and the shape of the result.
pub(super) struct Operands<'a, T: Float> {
    /// The input of a convolution, or the cotangent of its output.
    pub(super) source: &'a Tensor<T>,
    pub(super) weight: &'a Tensor<T>,
    pub(super) bias: Option<&'a Tensor<T>>,
    pub(super) geometry: Geometry,
    pub(super) shape: Shape,
}

/// The convolution of checked operands.
pub(super) fn forward<T: Float>(operands: Operands<'_, T>) -> Tensor<T> {
    let g = operands.geometry;
    let [vertical, horizontal] = g.axes;
    let (grid, taps) = Grid::of_input(&g);
    let count = [vertical.output, horizontal.output];
    let groups =
        vec![Group { taps: taps.into_iter().enumerate().collect(), count, start: [0; 2], step: [1; 2] }];
    run(operands, [g.inputs, g.outputs], grid, groups, count[0], [g.taps(), g.inputs * g.taps()])
}

/// The adjoint in the input, of checked operands.
pub(super) fn adjoint<T: Float>(operands: Operands<'_, T>) -> Tensor<T> {
    let g = operands.geometry;
    // For each axis, the phases of the input: first position, number of positions, and kernel elements, each with the
    // output position that it takes to the first input position.
    let phases = g.axes.map(|a| {
        let phase = |first: usize| {
            let (q, r) = ((first + a.before) / a.stride, (first + a.before) % a.stride);
            let taps: Vec<(usize, isize)> = (0..a.kernel)
                .filter(|k| k * a.dilation % a.stride == r)
                .map(|k| (k, q as isize - (k * a.dilation / a.stride) as isize))
                .collect();
            (first, (a.input - first).div_ceil(a.stride), taps)
        };
        (0..a.stride.min(a.input)).map(phase).collect::<Vec<_>>()
    });
    let mut bases = [0, 0];
    let axes = [0, 1].map(|i| {
        let places = || phases[i].iter().flat_map(|(_, n, taps)| taps.iter().map(move |&(_, at)| (at, *n)));
        bases[i] = places().map(|(at, _)| at).min().unwrap_or(0);
        let end = places().map(|(at, n)| at + n as isize).max().unwrap_or(0);
        let extent = ((end - bases[i]).max(0) as usize).max(phases[i].iter().map(|p| p.1).max().unwrap_or(0));
        GridAxis { source: g.axes[i].output, step: 1, starts: vec![bases[i]], extent }
    });
    let mut groups = Vec::with_capacity(phases[0].len() * phases[1].len());
    for (top, rows, vertical) in &phases[0] {
        for (left, columns, horizontal) in &phases[1] {
            let mut taps = Vec::with_capacity(vertical.len() * horizontal.len());
            for &(k, at) in vertical {
                for &(l, bt) in horizontal {
                    let cell = [(at - bases[0]) as usize, (bt - bases[1]) as usize];
                    taps.push((k * g.axes[1].kernel + l, Tap { phase: [0; 2], cell }));
                }
            }
            let step = [g.axes[0].stride, g.axes[1].stride];
            groups.push(Group { taps, count: [*rows, *columns], start: [*top, *left], step });
        }
    }
    let [rows, columns] = groups.first().map_or([0; 2], |j| j.count);
    run(
        operands,
        [g.outputs, g.inputs],
        Grid::new(axes, columns),
        groups,
        rows,
        [g.inputs * g.taps(), g.taps()],
    )
}

/// Output positions before their weights are packed, with the kernel elements that they meet: number and tap.
#[derive(Clone)]
struct Group {
    taps: Vec<(usize, Tap)>,
    count: [usize; 2],
    start: [usize; 2],
    step: [usize; 2],
}

/// `from` source channels and `to` output channels per group, and their distances in the weight.
fn run<T: Float>(
    operands: Operands<'_, T>,
    [from, to]: [usize; 2],
    grid: Grid,
    groups: Vec<Group>,
    rows: usize,
    [from_distance, to_distance]: [usize; 2],
) -> Tensor<T> {
    let Operands { source, weight, bias, geometry: g, shape } = operands;
    let mut out = Buffer::unspecified(shape.numel());
    if out.is_empty() {
        return Tensor::from_buffer(out, shape);
    }
    let (source, weight, bias) = (source.contiguous(), weight.contiguous(), bias.map(Tensor::contiguous));
    let values = weight.as_slice().expect("contiguous");
    let (grid, groups) = cheaper(grid, groups, [from, to], rows, g.axes[1].kernel);
    let band = band(&grid, from, rows);
    let grid_rows = grid.rows(rows, band);
    let channel = grid.channel(grid_rows);
    let panels = to.div_ceil(PANEL);
    let job = |group: Group| {
        let per = from * group.taps.len();
        let offsets = (0..from)
            .flat_map(|c| group.taps.iter().map(move |&(_, tap)| (c, tap)))
            .map(|(c, tap)| c * channel + grid.offset(tap, grid_rows))
            .collect();
        let mut packed = Buffer::unspecified(g.groups * panels * per * PANEL);
        parallel::chunks_mut(&mut packed, (per * PANEL).max(1), 4, |start, panel| {
            let (group_of, p) = (start / (per * PANEL) / panels, start / (per * PANEL) % panels);
            let first = group_of * g.outputs * g.inputs * g.taps() + p * PANEL * to_distance;
            let many = PANEL.min(to - p * PANEL);
            let mut places = panel.as_chunks_mut::<PANEL>().0.iter_mut();
            for c in 0..from {
                for (&(tap, _), place) in group.taps.iter().zip(&mut places) {
                    let at = first + c * from_distance + tap;
                    for (i, place) in place.iter_mut().enumerate() {
                        *place = if i < many { values[at + i * to_distance] } else { T::ZERO };
                    }
                }
            }
        });
        Job { offsets, packed, count: group.count, start: group.start, step: group.step }
    };
    let jobs: Vec<Job<T>> = groups.into_iter().map(job).collect();
    let sizes = [shape[shape.len() - 1 - usize::from(shape.len() == 4)], shape[shape.len() - 1]];
    let sizes = if shape.len() == 4 { sizes } else { [1, sizes[1]] };
    let plane = sizes[0] * sizes[1];
    let plan = Plan {
        source: source.as_slice().expect("contiguous"),
        grid,
        jobs,
        bias: bias.as_ref().and_then(Tensor::as_slice),
        groups: g.groups,
        from,
        to,
        sizes,
        rows,
        band,
        grid_rows,
    };
    // The approximate number of multiply-adds per output element.
    let depth: usize = plan.jobs.iter().map(|j| j.offsets.len()).sum::<usize>() / plan.jobs.len();
    let channels = g.groups * to;
    let sample = channels * plane * (depth + 1);
    let parts = parts(g, to, PIECES.div_ceil(g.batch).min(sample / WORK).max(1));
    let piece = if parts > 1 { channels / parts } else { (WORK / sample).clamp(1, g.batch) * channels };
    parallel::chunks_mut(&mut out, piece * plane, depth / 16 + 2, |start, out| {
        let first = start / plane;
        simd::dispatch_simd(Piece { plan: &plan, first, out });
    });
    Tensor::from_buffer(out, shape)
}

/// The number of output rows that share a grid.
fn band(grid: &Grid, from: usize, rows: usize) -> usize {
    let most = (POSITIONS / grid.pitch).min(CACHED / (from * grid.phases() * grid.pitch).max(1)).max(1);
    rows.div_ceil(rows.div_ceil(most))
}

/// The grid as it is, or with a phase for each kernel column, whichever costs less: the latter copies more, but computes
/// no positions between two rows. Bits do not depend on it.
fn cheaper(
    grid: Grid,
    groups: Vec<Group>,
    channels: [usize; 2],
    rows: usize,
    kernel: usize,
) -> (Grid, Vec<Group>) {
    let columns = groups.iter().map(|g| g.count[1]).max().unwrap_or(0);
    if grid.pitch == columns || kernel > SPLIT {
        return (grid, groups);
    }
    let mut others = groups.clone();
    let taps = others.iter_mut().flat_map(|g| g.taps.iter_mut().map(|(_, tap)| tap));
    let split = grid.clone().split(taps, columns);
    if cost(&split, &others, channels, rows) < cost(&grid, &groups, channels, rows) {
        (split, others)
    } else {
        (grid, groups)
    }
}

/// The approximate cost of a source channel of a sample, in multiply-adds of an element.
fn cost(grid: &Grid, groups: &[Group], [from, to]: [usize; 2], rows: usize) -> f64 {
    let band = band(grid, from, rows);
    let row = COPY * grid.pitch + if grid.is_contiguous() { 0 } else { ROW };
    let copied = (grid.phases() * grid.rows(rows, band) * row) as f64;
    let channels = if to == 1 { 1 } else { to.next_multiple_of(4) };
    let computed = |g: &Group| {
        let positions = ((band - 1) * grid.pitch + g.count[1]).next_multiple_of(WIDEST);
        let direct = g.step == [1, 1] && g.count[1] == grid.pitch && is_exact(to);
        let placed = if direct { 0 } else { PLACE * to };
        positions as f64 * ((channels * g.taps.len()) as f64 + placed as f64 / from.max(1) as f64)
    };
    rows.div_ceil(band) as f64 * (copied + groups.iter().map(computed).sum::<f64>())
}

/// Whether tiles compute no more than this many channels of a panel.
fn is_exact(channels: usize) -> bool {
    channels == 1 || channels.is_multiple_of(4)
}

/// The number of equal parts into which the output channels of a sample are cut: whole groups, or whole panels of the
/// only group.
fn parts(g: Geometry, to: usize, most: usize) -> usize {
    let units = if g.groups > 1 { g.groups } else { to / PANEL };
    if g.groups == 1 && !to.is_multiple_of(PANEL) {
        return 1;
    }
    (1..=most.min(units.max(1))).rev().find(|n| units.is_multiple_of(*n)).unwrap_or(1)
}

/// Whole output planes, starting at plane `first` of all samples.
struct Piece<'a, T: Float> {
    plan: &'a Plan<'a, T>,
    first: usize,
    out: &'a mut [T],
}

impl<T: Float> pulp::WithSimd for Piece<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Piece { plan: p, first, out } = self;
        let lanes = T::width::<S>();
        let (plane, channels) = (p.sizes[0] * p.sizes[1], p.groups * p.to);
        let source_plane = p.grid.axes[0].source * p.grid.axes[1].source;
        let positions = p.band * p.grid.pitch;
        // Tiles read and write whole vectors beyond the last position.
        let slack = TILE * lanes;
        let channel = p.grid.channel(p.grid_rows);
        let mut grid = Buffer::unspecified(p.from * channel + p.grid.slack());
        let width = positions.next_multiple_of(lanes) + slack;
        let mut flat = Buffer::unspecified(PANEL * width);
        let last = first + out.len() / plane;
        let mut at = first;
        while at < last {
            // The planes of one group of one sample.
            let (n, c) = (at / channels, at % channels);
            let group = c / p.to;
            let end = (n * channels + (group + 1) * p.to).min(last);
            let planes = &mut out[(at - first) * plane..(end - first) * plane];
            let from = &p.source[(n * p.groups + group) * p.from * source_plane..];
            let mut top = 0;
            while top < p.rows {
                p.grid.fill(simd, from, &mut grid, p.from, top, p.grid_rows);
                for job in &p.jobs {
                    let rows = job.count[0].saturating_sub(top).min(p.band);
                    if rows == 0 || job.count[1] == 0 {
                        continue;
                    }
                    let positions = (rows - 1) * p.grid.pitch + job.count[1];
                    // Tiles that reach beyond the last position are moved back.
                    let direct = job.is_direct(&p.grid) && positions >= TILE * lanes;
                    let depth = job.offsets.len();
                    let panels = p.to.div_ceil(PANEL);
                    for (i, planes) in planes.chunks_mut(PANEL * plane).enumerate() {
                        let k = group * panels + (c - group * p.to) / PANEL + i;
                        let weights = job.packed[k * depth * PANEL..][..depth * PANEL].as_chunks::<PANEL>().0;
                        let mut bias = [T::ZERO; PANEL];
                        let many = planes.len() / plane;
                        if let Some(b) = p.bias {
                            let begin = c + i * PANEL;
                            bias[..many].copy_from_slice(&b[begin..begin + many]);
                        }
                        let direct = direct && is_exact(many);
                        let (to, distance, end) = if direct {
                            (&mut planes[top * p.grid.pitch..], plane, positions)
                        } else {
                            (&mut flat[..], width, width)
                        };
                        let tile =
                            Tiles { weights, offsets: &job.offsets, grid: &grid, positions, distance, end };
                        tile.panel(simd, many, &bias, to);
                        if !direct {
                            for (plane, flat) in planes.chunks_exact_mut(plane).zip(flat.chunks_exact(width))
                            {
                                place::<T, S>(simd, flat, plane, job, top, rows, p.grid.pitch, p.sizes[1]);
                            }
                        }
                    }
                }
                top += p.band;
            }
            at = end;
        }
    }
}

/// Copies a band of positions into an output plane.
#[inline(always)]
fn place<T: Float, S: Simd>(
    simd: S,
    flat: &[T],
    plane: &mut [T],
    job: &Job<T>,
    top: usize,
    rows: usize,
    pitch: usize,
    width: usize,
) {
    let _ = simd;
    let columns = job.count[1];
    let [down, along] = job.step;
    if [down, along] == [1, 1] {
        let lanes = T::width::<S>();
        let whole = columns.next_multiple_of(lanes);
        let plane = &mut plane[top * width..];
        for r in 0..rows {
            let (from, to) = (&flat[r * pitch..], &mut plane[r * width..]);
            if to.len() >= whole && from.len() >= whole {
                // What a vector writes beyond the row is overwritten by the next one.
                let (from, to) = (T::vectors::<S>(&from[..whole]), T::vectors_mut::<S>(&mut to[..whole]));
                for (t, &f) in to.iter_mut().zip(from) {
                    *t = f;
                }
            } else {
                to[..columns].copy_from_slice(&from[..columns]);
            }
        }
        return;
    }
    for r in 0..rows {
        let from = &flat[r * pitch..][..columns];
        let to = &mut plane[(job.start[0] + (top + r) * down) * width + job.start[1]..];
        for (t, &f) in to.iter_mut().step_by(along).zip(from) {
            *t = f;
        }
    }
}

struct Tiles<'a, T> {
    weights: &'a [[T; PANEL]],
    offsets: &'a [usize],
    grid: &'a [T],
    positions: usize,
    /// The distance between channels of the result, and the number of positions of a channel that may be written.
    distance: usize,
    end: usize,
}

impl<T: Float> Tiles<'_, T> {
    /// Computes `channels` channels of the result `to`, and others up to a panel if their number is not exact.
    #[inline(always)]
    fn panel<S: Simd>(&self, simd: S, channels: usize, bias: &[T; PANEL], to: &mut [T]) {
        let mut done = 0;
        while done < channels {
            let left = channels - done;
            done += if left > 4 && done == 0 && S::REGISTER_COUNT >= 32 {
                self.strip::<S, 8>(simd, done, bias, to)
            } else if left > 1 {
                self.strip::<S, 4>(simd, done, bias, to)
            } else {
                self.strip::<S, 1>(simd, done, bias, to)
            };
        }
    }

    /// Computes `M` channels, starting at `first`; returns `M`.
    #[inline(always)]
    fn strip<S: Simd, const M: usize>(
        &self,
        simd: S,
        first: usize,
        bias: &[T; PANEL],
        to: &mut [T],
    ) -> usize {
        let lanes = T::width::<S>();
        let mut left = self.positions.div_ceil(lanes);
        let mut at = 0;
        while left > 0 {
            let taken = match left {
                1 => self.tile::<S, M, 1>(simd, first, at, bias, to),
                2 | 4 => self.tile::<S, M, 2>(simd, first, at, bias, to),
                _ => self.tile::<S, M, 3>(simd, first, at, bias, to),
            };
            left -= taken;
            at += taken * lanes;
        }
        M
    }

    /// Computes `M` channels by `V` vectors of positions, held in registers; returns `V`.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(
        &self,
        simd: S,
        first: usize,
        at: usize,
        bias: &[T; PANEL],
        to: &mut [T],
    ) -> usize {
        let lanes = T::width::<S>();
        let at = at.min(self.end - V * lanes);
        let mut acc = [[T::splat(simd, T::ZERO); V]; M];
        for i in 0..M {
            acc[i] = [T::splat(simd, bias[first + i]); V];
        }
        for (w, &offset) in self.weights.iter().zip(self.offsets) {
            let w: &[T; M] = w[first..first + M].try_into().expect("M channels");
            let x = T::vectors::<S>(&self.grid[offset + at..][..V * lanes]);
            let mut b = [x[0]; V];
            b.copy_from_slice(&x[..V]);
            for i in 0..M {
                let w = T::splat(simd, w[i]);
                for j in 0..V {
                    acc[i][j] = T::fma(simd, w, b[j], acc[i][j]);
                }
            }
        }
        for i in 0..M {
            let row = &mut to[(first + i) * self.distance + at..][..V * lanes];
            T::vectors_mut::<S>(row).copy_from_slice(&acc[i]);
        }
        V
    }
}
