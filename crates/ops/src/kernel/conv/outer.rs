//! The adjoint of convolution in its weight for many channels: at every position, the outer product of the input's
//! channels and the cotangent's channels, with the latter in the lanes of vectors. Both operands are reordered so that
//! the channels of a position are adjacent.

use super::Geometry;
use super::grid::{Grid, WIDEST, interleave};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;
use pulp::Simd;

/// The approximate number of elements of the bands in use at once; they fit the second-level cache.
const CACHED: usize = 96 * 1024;
/// The number of multiply-adds that are worth a piece.
const WORK: usize = 1 << 20;
/// The largest number of pieces.
const PIECES: usize = 16;
/// The approximate number of elements of all pieces' results.
const PARTIAL: usize = 1 << 18;

/// Whether there are enough multiply-adds per element that is reordered.
pub(super) fn pays(g: &Geometry) -> bool {
    g.groups == 1
        && g.inputs >= 4
        && g.outputs >= WIDEST
        && g.inputs * g.outputs * g.taps() >= 90 * (g.inputs + g.outputs)
}

struct Plan<'a, T> {
    x: &'a [T],
    g: &'a [T],
    grid: Grid,
    /// The first cell of each kernel element.
    cells: Vec<usize>,
    geometry: Geometry,
    band: usize,
    grid_rows: usize,
    /// The number of elements of a band of the grid.
    grid_len: usize,
    /// The number of output channels of a piece, a multiple of the width of every vector type.
    width: usize,
    units: usize,
}

/// The adjoint in the weight, of contiguous operands that are not empty.
pub(super) fn weight<T: Float>(x: &[T], g: &[T], geometry: &Geometry, shape: Shape) -> Tensor<T> {
    let Geometry { batch, inputs, outputs, axes: [vertical, horizontal], .. } = *geometry;
    let (grid, taps) = Grid::of_input(geometry);
    let row = inputs * grid.phases() * grid.pitch + outputs * horizontal.output;
    let most = (CACHED / row).max(1);
    let band = vertical.output.div_ceil(vertical.output.div_ceil(most));
    let grid_rows = grid.rows(vertical.output, band);
    let cells = taps.iter().map(|&tap| grid.offset(tap, grid_rows)).collect();
    let grid_len = inputs * (grid.channel(grid_rows) + grid.pitch);

    let padded = outputs.next_multiple_of(WIDEST);
    let depth = inputs * geometry.taps();
    let work = (vertical.output * horizontal.output).saturating_mul(padded * depth).saturating_mul(batch);
    let pieces = (work / WORK).clamp(1, PIECES);
    let samples = pieces.min(batch).min((PARTIAL / (padded * depth)).max(2));
    let per = batch.div_ceil(samples);
    let samples = batch.div_ceil(per);
    let blocks = padded / WIDEST;
    let parts =
        (1..=(pieces / samples).min(blocks).max(1)).rev().find(|n| blocks.is_multiple_of(*n)).unwrap_or(1);
    let width = padded / parts;
    let units = (CACHED / (grid_len + width * band * horizontal.output)).max(1);
    let plan = Plan { x, g, grid, cells, geometry: *geometry, band, grid_rows, grid_len, width, units };
    let size = depth * padded;
    let mut partial = Buffer::unspecified(samples * size);
    let cost = (vertical.output * horizontal.output * per / 16).max(1);
    parallel::chunks_mut(&mut partial, depth * width, cost, |start, out| {
        let (sample, first) = (start / size * per, start % size / depth);
        let samples = sample..(sample + per).min(batch);
        simd::dispatch_simd(Piece { plan: &plan, first, samples, out });
    });
    let (sum, others) = partial.split_at_mut(size);
    parallel::chunks_mut(sum, parallel::rows(1, samples), samples, |start, sum| {
        for part in others.chunks_exact(size) {
            for (s, &p) in sum.iter_mut().zip(&part[start..]) {
                *s += p;
            }
        }
    });
    // [part, kernel element, input, output of the part] to [output, input, kernel element].
    let mut out = Buffer::unspecified(shape.numel());
    let taps = geometry.taps();
    parallel::chunks_mut(&mut out, depth, 4, |start, out| {
        let channel = start / depth;
        let sum = &sum[channel / width * depth * width + channel % width..];
        for (c, out) in out.chunks_exact_mut(taps).enumerate() {
            for (t, o) in out.iter_mut().enumerate() {
                *o = sum[(t * inputs + c) * width];
            }
        }
    });
    Tensor::from_buffer(out, shape)
}

/// The part of some samples in some output channels, starting at channel `first`: `[kernel element, input, width]`.
struct Piece<'a, T: Float> {
    plan: &'a Plan<'a, T>,
    first: usize,
    samples: std::ops::Range<usize>,
    out: &'a mut [T],
}

impl<T: Float> pulp::WithSimd for Piece<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Piece { plan: p, first, samples, out } = self;
        let Geometry { inputs, outputs, axes: [vertical, horizontal], .. } = p.geometry;
        out.fill(T::ZERO);
        let row_len = horizontal.output * p.width;
        let mut grid = Buffer::unspecified(p.units * p.grid_len);
        let mut rows = Buffer::unspecified(p.units * p.band * row_len);
        let (from_plane, to_plane) = (vertical.input * horizontal.input, vertical.output * horizontal.output);
        let channels = p.width.min(outputs - first);
        let mut units = 0;
        for n in samples.clone() {
            let x = &p.x[n * inputs * from_plane..][..inputs * from_plane];
            let g = &p.g[(n * outputs + first) * to_plane..][..channels * to_plane];
            let mut top = 0;
            while top < vertical.output {
                let cells = &mut grid[units * p.grid_len..][..p.grid_len];
                p.grid.fill_last(x, cells, inputs, top, p.grid_rows);
                let band = p.band.min(vertical.output - top);
                let to = &mut rows[units * p.band * row_len..][..p.band * row_len];
                spread(
                    &g[top * horizontal.output..],
                    to_plane,
                    channels,
                    band * horizontal.output,
                    to,
                    p.width,
                );
                units += 1;
                top += p.band;
                if units == p.units || (top >= vertical.output && n + 1 == samples.end) {
                    let sums = Sums { plan: p, grid: &grid, rows: &rows, units };
                    sums.add(simd, out);
                    units = 0;
                }
            }
        }
    }
}

/// Positions `[width]`, with zeros beyond the channels and beyond the positions.
#[inline(always)]
fn spread<T: Float>(from: &[T], plane: usize, channels: usize, positions: usize, to: &mut [T], width: usize) {
    if channels == width {
        interleave(from, plane, 1, &mut to[..positions * width], width);
    } else {
        to.fill(T::ZERO);
        for c in 0..channels {
            for (t, &f) in to[c..].iter_mut().step_by(width).zip(&from[c * plane..][..positions]) {
                *t = f;
            }
        }
    }
    to[positions * width..].fill(T::ZERO);
}

struct Sums<'a, T> {
    plan: &'a Plan<'a, T>,
    grid: &'a [T],
    rows: &'a [T],
    units: usize,
}

impl<T: Float> Sums<'_, T> {
    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, out: &mut [T]) {
        let lanes = T::width::<S>();
        for tap in 0..self.plan.cells.len() {
            let mut at = 0;
            while at < self.plan.width {
                at += if at + 2 * lanes <= self.plan.width {
                    self.strip::<S, 2>(simd, tap, at, out)
                } else {
                    self.strip::<S, 1>(simd, tap, at, out)
                };
            }
        }
    }

    #[inline(always)]
    fn strip<S: Simd, const V: usize>(&self, simd: S, tap: usize, at: usize, out: &mut [T]) -> usize {
        let inputs = self.plan.geometry.inputs;
        let mut c = 0;
        while c < inputs {
            let left = inputs - c;
            c += if left >= 8 && S::REGISTER_COUNT >= 32 {
                self.tile::<S, 8, V>(simd, tap, c, at, out)
            } else if left >= 4 {
                self.tile::<S, 4, V>(simd, tap, c, at, out)
            } else {
                self.tile::<S, 1, V>(simd, tap, c, at, out)
            };
        }
        V * T::width::<S>()
    }

    /// `N` inputs by `V` vectors of outputs, held in registers over all positions.
    #[inline(always)]
    fn tile<S: Simd, const N: usize, const V: usize>(
        &self,
        simd: S,
        tap: usize,
        c: usize,
        at: usize,
        out: &mut [T],
    ) -> usize {
        let p = self.plan;
        let lanes = T::width::<S>();
        let inputs = p.geometry.inputs;
        let columns = p.geometry.axes[1].output;
        let row_len = columns * p.width;
        let mut acc = [[T::splat(simd, T::ZERO); V]; N];
        for row in 0..self.units * p.band {
            let (unit, r) = (row / p.band, row % p.band);
            let cell = p.cells[tap] + r * p.grid.pitch;
            let x = &self.grid[unit * p.grid_len + cell * inputs..][..columns * inputs];
            let g = &self.rows[row * row_len..][..row_len];
            for (x, g) in x.chunks_exact(inputs).zip(g.chunks_exact(p.width)) {
                let x: &[T; N] = x[c..c + N].try_into().expect("N inputs");
                let g = T::vectors::<S>(&g[at..at + V * lanes]);
                let mut b = [g[0]; V];
                b.copy_from_slice(&g[..V]);
                for i in 0..N {
                    let x = T::splat(simd, x[i]);
                    for j in 0..V {
                        acc[i][j] = T::fma(simd, x, b[j], acc[i][j]);
                    }
                }
            }
        }
        for i in 0..N {
            let out = &mut out[(tap * inputs + c + i) * p.width + at..][..V * lanes];
            for (o, &a) in T::vectors_mut::<S>(out).iter_mut().zip(&acc[i]) {
                *o = T::fma(simd, a, T::splat(simd, T::ONE), *o);
            }
        }
        N
    }
}
