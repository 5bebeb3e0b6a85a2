//! The adjoint of convolution in its weight: a product over samples and positions, with positions in the lanes of
//! vectors.

use super::grid::{Grid, WIDEST};
use super::{Geometry, outer};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;
use pulp::Simd;

/// The approximate number of positions of a band.
const POSITIONS: usize = 1536;
/// The approximate number of elements of the bands in use at once; they fit the second-level cache.
const CACHED: usize = 96 * 1024;
/// The number of multiply-adds that are worth a piece.
const WORK: usize = 1 << 20;
/// The largest number of pieces.
const PIECES: usize = 16;
/// The approximate number of elements of all pieces' results.
const PARTIAL: usize = 1 << 20;

struct Plan<'a, T> {
    x: &'a [T],
    g: &'a [T],
    grid: Grid,
    offsets: Vec<usize>,
    geometry: Geometry,
    band: usize,
    grid_rows: usize,
    /// The number of elements of a band: of the grid, and of a channel of the cotangent.
    grid_len: usize,
    row_len: usize,
    /// The number of bands in use at once.
    units: usize,
}

/// The adjoint in the weight, of checked operands.
pub(super) fn weight<T: Float>(x: &Tensor<T>, g: &Tensor<T>, geometry: &Geometry, shape: Shape) -> Tensor<T> {
    let size = shape.numel();
    let [vertical, horizontal] = geometry.axes;
    let positions = vertical.output * horizontal.output;
    if size == 0 || geometry.batch == 0 || positions == 0 {
        return Tensor::from_buffer(Buffer::filled(size, T::ZERO), shape);
    }
    let (x, g) = (x.contiguous(), g.contiguous());
    if outer::pays(geometry) {
        return outer::weight(
            x.as_slice().expect("contiguous"),
            g.as_slice().expect("contiguous"),
            geometry,
            shape,
        );
    }
    let (grid, taps) = Grid::of_input(geometry);
    let most = (POSITIONS / grid.pitch).min(CACHED / (geometry.inputs * grid.phases() * grid.pitch)).max(1);
    let band = vertical.output.div_ceil(vertical.output.div_ceil(most));
    let grid_rows = grid.rows(vertical.output, band);
    let channel = grid.channel(grid_rows);
    let offsets: Vec<usize> = (0..geometry.inputs)
        .flat_map(|c| taps.iter().map(move |&tap| (c, tap)))
        .map(|(c, tap)| c * channel + grid.offset(tap, grid_rows))
        .collect();
    let row_len = (band * grid.pitch).next_multiple_of(WIDEST);
    let grid_len = geometry.inputs * channel + grid.slack();
    let units = (CACHED / (grid_len + geometry.outputs * row_len)).max(1);

    let rows = geometry.groups * geometry.outputs;
    let depth = offsets.len();
    let work = positions.saturating_mul(size).saturating_mul(geometry.batch);
    let pieces = (work / WORK).clamp(1, PIECES);
    // Parts of the weight's rows first: long sums cost less than many short ones.
    let parts = (1..=pieces.min(rows / 16)).rev().find(|n| rows.is_multiple_of(4 * n)).unwrap_or(1);
    let samples = pieces.div_ceil(parts).min(geometry.batch).min((PARTIAL / size).max(1));
    let per = geometry.batch.div_ceil(samples);
    let samples = geometry.batch.div_ceil(per);
    let plan = Plan {
        x: x.as_slice().expect("contiguous"),
        g: g.as_slice().expect("contiguous"),
        grid,
        offsets,
        geometry: *geometry,
        band,
        grid_rows,
        grid_len,
        row_len,
        units,
    };
    let mut partial = Buffer::unspecified(samples * size);
    let cost = (positions * per / 16).max(1);
    parallel::chunks_mut(&mut partial, rows / parts * depth, cost, |start, out| {
        let first = start % size / depth;
        let sample = start / size * per;
        let samples = sample..(sample + per).min(geometry.batch);
        simd::dispatch_simd(Piece { plan: &plan, first, samples, out });
    });
    if samples == 1 {
        return Tensor::from_buffer(partial, shape);
    }
    let mut out = Buffer::unspecified(size);
    parallel::chunks_mut(&mut out, parallel::rows(1, samples), samples, |start, out| {
        out.copy_from_slice(&partial[start..][..out.len()]);
        for i in 1..samples {
            for (o, &p) in out.iter_mut().zip(&partial[i * size + start..]) {
                *o += p;
            }
        }
    });
    Tensor::from_buffer(out, shape)
}

/// The part of some samples in some rows of the weight, starting at row `first`.
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
        let Geometry { groups, inputs, outputs, axes: [vertical, horizontal], .. } = p.geometry;
        let depth = p.offsets.len();
        let last = first + out.len() / depth;
        out.fill(T::ZERO);
        let mut grid = Buffer::unspecified(p.units * p.grid_len);
        let mut rows = Buffer::unspecified(p.units * outputs * p.row_len);
        let (from_plane, to_plane) = (vertical.input * horizontal.input, vertical.output * horizontal.output);
        let mut at = first;
        while at < last {
            let group = at / outputs;
            let end = ((group + 1) * outputs).min(last);
            let mut units = 0;
            for n in samples.clone() {
                let x = &p.x[(n * groups + group) * inputs * from_plane..];
                let g = &p.g[(n * groups * outputs + at) * to_plane..][..(end - at) * to_plane];
                let mut top = 0;
                while top < vertical.output {
                    let cells = &mut grid[units * p.grid_len..][..p.grid_len];
                    p.grid.fill(simd, x, cells, inputs, top, p.grid_rows);
                    let band = p.band.min(vertical.output - top);
                    for (plane, row) in g
                        .chunks_exact(to_plane)
                        .zip(rows[units * outputs * p.row_len..].chunks_exact_mut(p.row_len))
                    {
                        spread(&plane[top * horizontal.output..], horizontal.output, band, p.grid.pitch, row);
                    }
                    units += 1;
                    top += p.band;
                    if units == p.units || (top >= vertical.output && n + 1 == samples.end) {
                        let sums = Sums { plan: p, grid: &grid, rows: &rows, units };
                        sums.add(simd, end - at, &mut out[(at - first) * depth..(end - first) * depth]);
                        units = 0;
                    }
                }
            }
            at = end;
        }
    }
}

/// Copies the rows of a plane at the grid's distance, with zeros between and after them.
#[inline(always)]
fn spread<T: Float>(plane: &[T], columns: usize, rows: usize, pitch: usize, to: &mut [T]) {
    for r in 0..rows {
        let line = &mut to[r * pitch..];
        line[..columns].copy_from_slice(&plane[r * columns..][..columns]);
        let end = pitch.min(line.len());
        line[columns..end].fill(T::ZERO);
    }
    to[rows * pitch..].fill(T::ZERO);
}

struct Sums<'a, T> {
    plan: &'a Plan<'a, T>,
    grid: &'a [T],
    rows: &'a [T],
    units: usize,
}

impl<T: Float> Sums<'_, T> {
    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, channels: usize, out: &mut [T]) {
        let mut done = 0;
        while done < channels {
            done += if channels - done >= 4 {
                self.strip::<S, 4>(simd, done, out)
            } else {
                self.strip::<S, 1>(simd, done, out)
            };
        }
    }

    #[inline(always)]
    fn strip<S: Simd, const M: usize>(&self, simd: S, first: usize, out: &mut [T]) -> usize {
        let depth = self.plan.offsets.len();
        let mut k = 0;
        while k < depth {
            let left = depth - k;
            k += if left >= 6 && S::REGISTER_COUNT >= 32 {
                self.tile::<S, M, 6>(simd, first, k, out)
            } else if left >= 3 {
                self.tile::<S, M, 3>(simd, first, k, out)
            } else {
                self.tile::<S, M, 1>(simd, first, k, out)
            };
        }
        M
    }

    /// `M` output channels by `N` kernel elements, each with [`simd::LANES`] sums side by side. Vectors that are shorter run
    /// over the positions several times, each time for other lanes.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        first: usize,
        k: usize,
        out: &mut [T],
    ) -> usize {
        let p = self.plan;
        let (width, lanes) = (T::width::<S>(), simd::lanes::<T>());
        let vectors = p.row_len / width;
        let parts = lanes / width;
        let mut sums = [[[T::ZERO; simd::LANES]; N]; M];
        for part in 0..parts {
            let mut acc = [[T::splat(simd, T::ZERO); N]; M];
            for unit in 0..self.units {
                let rows = &self.rows[unit * p.geometry.outputs * p.row_len..];
                let grid = &self.grid[unit * p.grid_len..];
                let mut g = [T::vectors::<S>(&rows[first * p.row_len..][..p.row_len]); M];
                for i in 1..M {
                    g[i] = T::vectors::<S>(&rows[(first + i) * p.row_len..][..p.row_len]);
                }
                let mut x = [T::vectors::<S>(&grid[p.offsets[k]..][..p.row_len]); N];
                for j in 1..N {
                    x[j] = T::vectors::<S>(&grid[p.offsets[k + j]..][..p.row_len]);
                }
                for t in (part..vectors).step_by(parts) {
                    let mut left = [g[0][t]; M];
                    for i in 1..M {
                        left[i] = g[i][t];
                    }
                    for j in 0..N {
                        let right = x[j][t];
                        for i in 0..M {
                            acc[i][j] = T::fma(simd, left[i], right, acc[i][j]);
                        }
                    }
                }
            }
            for i in 0..M {
                for j in 0..N {
                    T::vectors_mut::<S>(&mut sums[i][j][part * width..][..width])[0] = acc[i][j];
                }
            }
        }
        for i in 0..M {
            let out = &mut out[(first + i) * p.offsets.len() + k..][..N];
            for (out, &sums) in out.iter_mut().zip(&sums[i]) {
                *out += simd::total(sums);
            }
        }
        N
    }
}
