//! The padded copy of a source's rows, in which every kernel element is an offset.

use super::Geometry;
use crate::float::Float;
use crate::simd::copy_transposed;
use pulp::Simd;

/// One axis of a grid: cell `g` of phase `p` holds the source's element `starts[p] + g step`, or zero outside of the
/// source.
#[derive(Debug, Clone)]
pub(super) struct GridAxis {
    pub(super) source: usize,
    pub(super) step: usize,
    pub(super) starts: Vec<isize>,
    pub(super) extent: usize,
}

impl GridAxis {
    /// The cells of a phase that are inside the source: from, to.
    fn inside(&self, start: isize, extent: usize) -> (usize, usize) {
        // A step may be far larger than the source.
        let before = if start < 0 { start.unsigned_abs() } else { 0 };
        let left = (self.source as isize).saturating_sub(start).max(0) as usize;
        let from = before.div_ceil(self.step).min(extent);
        (from, left.div_ceil(self.step).clamp(from, extent))
    }

    /// The distance between rows, if this is the axis of a row. The zeros at the end of a row can be those at the
    /// beginning of the next.
    fn pitch(&self) -> usize {
        let shared = self.starts.iter().map(|&s| {
            let (from, to) = self.inside(s, self.extent);
            from.min(self.extent - to)
        });
        self.extent - shared.min().unwrap_or(0)
    }
}

/// Two axes, and the distance between rows.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) axes: [GridAxis; 2],
    pub(super) pitch: usize,
    /// For each phase of a row: the source of cell 0, and the cells that are inside the source.
    spans: Vec<(isize, usize, usize)>,
}

/// A kernel element in a grid: phase and cell of each axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap {
    pub(super) phase: [usize; 2],
    pub(super) cell: [usize; 2],
}

impl Grid {
    /// A grid in which `columns` positions of the product begin in each row.
    pub(super) fn new(axes: [GridAxis; 2], columns: usize) -> Self {
        let row = &axes[1];
        let pitch = row.pitch().max(columns);
        let span = |&s: &isize| {
            let (a, b) = row.inside(s, row.extent);
            (s, a.min(pitch), b.min(pitch))
        };
        let spans = row.starts.iter().map(span).collect();
        Grid { axes, pitch, spans }
    }

    /// Gives every kernel column a phase of its own along a row, which holds the source shifted by that column. Rows of
    /// `columns` positions then follow each other without padding between them.
    pub(super) fn split<'t>(mut self, taps: impl Iterator<Item = &'t mut Tap>, columns: usize) -> Self {
        let [_, row] = &mut self.axes;
        let mut starts: Vec<isize> = Vec::new();
        for tap in taps {
            let start = row.starts[tap.phase[1]] + (tap.cell[1] * row.step) as isize;
            let phase = starts.iter().position(|&s| s == start).unwrap_or_else(|| {
                starts.push(start);
                starts.len() - 1
            });
            (tap.phase[1], tap.cell[1]) = (phase, 0);
        }
        (row.starts, row.extent) = (starts, columns);
        Grid::new(self.axes, columns)
    }

    /// The grid of a convolution's input: output position 0 and kernel element k meet in phase k dilation mod stride,
    /// at cell k dilation / stride.
    pub(super) fn of_input(geometry: &Geometry) -> (Grid, Vec<Tap>) {
        let mut places = [Vec::new(), Vec::new()];
        let axes = [0, 1].map(|i| {
            let a = geometry.axes[i];
            let mut phases: Vec<usize> = Vec::new();
            let mut furthest = 0;
            for k in 0..a.kernel {
                let (r, cell) = (k * a.dilation % a.stride, k * a.dilation / a.stride);
                let phase = phases.iter().position(|&p| p == r).unwrap_or_else(|| {
                    phases.push(r);
                    phases.len() - 1
                });
                places[i].push((phase, cell));
                furthest = furthest.max(cell);
            }
            let starts = phases.iter().map(|&r| r as isize - a.before as isize).collect();
            GridAxis { source: a.input, step: a.stride, starts, extent: a.output + furthest }
        });
        let mut taps = Vec::with_capacity(places[0].len() * places[1].len());
        for &(p, c) in &places[0] {
            for &(q, d) in &places[1] {
                taps.push(Tap { phase: [p, q], cell: [c, d] });
            }
        }
        (Grid::new(axes, geometry.axes[1].output), taps)
    }

    /// Whether the rows of a phase follow each other in the source as they do in the grid.
    pub(super) fn is_contiguous(&self) -> bool {
        let [vertical, horizontal] = &self.axes;
        [vertical.step, horizontal.step, horizontal.source] == [1, 1, self.pitch]
    }

    pub(super) fn phases(&self) -> usize {
        self.axes[0].starts.len() * self.axes[1].starts.len()
    }

    /// The number of rows of the grid for a band of `band` of the `whole` output rows.
    pub(super) fn rows(&self, whole: usize, band: usize) -> usize {
        self.axes[0].extent - (whole - band)
    }

    /// The number of elements of a channel in a grid of `rows` rows.
    pub(super) fn channel(&self, rows: usize) -> usize {
        self.phases() * rows * self.pitch
    }

    /// The offset of a tap inside a channel in a grid of `rows` rows.
    pub(super) fn offset(&self, tap: Tap, rows: usize) -> usize {
        let phase = tap.phase[0] * self.axes[1].starts.len() + tap.phase[1];
        (phase * rows + tap.cell[0]) * self.pitch + tap.cell[1]
    }

    /// Copies the first `channels` channels `[source rows, source columns]` of `from` into the grid: `rows` rows,
    /// beginning at row `first`. The rest of `to` after the grid, at least [`slack`](Grid::slack), becomes zero.
    #[inline(always)]
    pub(super) fn fill<T: Float, S: Simd>(
        &self,
        simd: S,
        from: &[T],
        to: &mut [T],
        channels: usize,
        first: usize,
        rows: usize,
    ) {
        let [vertical, horizontal] = &self.axes;
        let (plane, width, pitch) = (vertical.source * horizontal.source, horizontal.source, self.pitch);
        let contiguous = self.is_contiguous();
        let mut line = 0;
        for c in 0..channels {
            let plane = &from[c * plane..];
            for &top in &vertical.starts {
                let top = top + (first * vertical.step) as isize;
                for &(left, a, b) in &self.spans {
                    if contiguous {
                        self.shift(simd, plane, &mut to[line..], (left, a, b), top, rows);
                        line += rows * pitch;
                        continue;
                    }
                    for row in 0..rows {
                        let to = &mut to[line..];
                        line += pitch;
                        let at = top + (row * vertical.step) as isize;
                        if at < 0 || at >= vertical.source as isize || a >= b {
                            zeros(simd, to, pitch);
                            continue;
                        }
                        // What a vector writes beyond its part is overwritten by the next part.
                        zeros(simd, to, a);
                        let begin = at as usize * width + (left + (a * horizontal.step) as isize) as usize;
                        copy::<T, S>(&plane[begin..], horizontal.step, &mut to[a..], b - a);
                        zeros(simd, &mut to[b..], pitch - b);
                    }
                }
            }
        }
        to[line..].fill(T::ZERO);
    }

    /// Copies the rows of a phase from a plane that is as wide as the grid: all at once, shifted by the padding. What comes
    /// from neighbouring rows becomes zero.
    #[inline(always)]
    fn shift<T: Float, S: Simd>(
        &self,
        simd: S,
        plane: &[T],
        to: &mut [T],
        (left, a, b): (isize, usize, usize),
        top: isize,
        rows: usize,
    ) {
        let (height, pitch) = (self.axes[0].source as isize, self.pitch);
        let from = (-top).clamp(0, rows as isize) as usize;
        let end = if a < b { (height - top).clamp(from as isize, rows as isize) as usize } else { from };
        zeros(simd, to, from * pitch);
        if from < end {
            let begin = (top + from as isize) as usize * pitch + (left + a as isize) as usize;
            copy::<T, S>(
                &plane[begin..],
                1,
                &mut to[from * pitch + a..],
                (end - from) * pitch - a - (pitch - b),
            );
            for cell in (0..a).chain(b..pitch) {
                for zero in to[from * pitch + cell..end * pitch].iter_mut().step_by(pitch) {
                    *zero = T::ZERO;
                }
            }
        }
        zeros(simd, &mut to[end * pitch..], (rows - end) * pitch);
    }

    /// Like [`fill`](Grid::fill), with the channels of a cell adjacent: `[phase, row, cell, channel]`. The rest of `to`
    /// after the grid, at least one row, becomes zero.
    #[inline(always)]
    pub(super) fn fill_last<T: Float>(
        &self,
        from: &[T],
        to: &mut [T],
        channels: usize,
        first: usize,
        rows: usize,
    ) {
        let [vertical, horizontal] = &self.axes;
        let (plane, width, pitch) = (vertical.source * horizontal.source, horizontal.source, self.pitch);
        let mut written = 0;
        for &top in &vertical.starts {
            let top = top + (first * vertical.step) as isize;
            for &(left, a, b) in &self.spans {
                for row in 0..rows {
                    let line = &mut to[written..][..pitch * channels];
                    written += line.len();
                    let at = top + (row * vertical.step) as isize;
                    if at < 0 || at >= vertical.source as isize || a >= b {
                        line.fill(T::ZERO);
                        continue;
                    }
                    line[..a * channels].fill(T::ZERO);
                    line[b * channels..].fill(T::ZERO);
                    let begin = at as usize * width + (left + (a * horizontal.step) as isize) as usize;
                    interleave(
                        &from[begin..],
                        plane,
                        horizontal.step,
                        &mut line[a * channels..b * channels],
                        channels,
                    );
                }
            }
        }
        // A read of the last row continues here, where the padding of rows is shared.
        to[written..].fill(T::ZERO);
    }

    /// The number of elements needed after the grid: a product reads whole vectors, and reads the end of a row in the
    /// next row.
    pub(super) fn slack(&self) -> usize {
        self.pitch + 4 * WIDEST
    }
}

/// A multiple of the width of every vector type.
pub(super) const WIDEST: usize = 16;

/// Writes at least `n` zeros, in whole vectors.
#[inline(always)]
fn zeros<T: Float, S: Simd>(simd: S, to: &mut [T], n: usize) {
    let whole = n.next_multiple_of(T::width::<S>());
    for v in T::vectors_mut::<S>(&mut to[..whole]) {
        *v = T::splat(simd, T::ZERO);
    }
}

/// Copies every `step`-th element, at least `n` of them, in whole vectors where there is room.
#[inline(always)]
fn copy<T: Float, S: Simd>(from: &[T], step: usize, to: &mut [T], n: usize) {
    let whole = n.next_multiple_of(T::width::<S>());
    match step {
        1 if from.len() >= whole => {
            let from = T::vectors::<S>(&from[..whole]);
            for (t, &f) in T::vectors_mut::<S>(&mut to[..whole]).iter_mut().zip(from) {
                *t = f;
            }
        }
        1 => to[..n].copy_from_slice(&from[..n]),
        2 => {
            let mut done = 0;
            while done < n && from.len() >= 2 * done + WIDEST {
                let from: &[T; WIDEST] = from[2 * done..].first_chunk().expect("there is room");
                let to: &mut [T; WIDEST / 2] = to[done..].first_chunk_mut().expect("there is slack");
                for l in 0..WIDEST / 2 {
                    to[l] = from[2 * l];
                }
                done += WIDEST / 2;
            }
            for i in done..n {
                to[i] = from[2 * i];
            }
        }
        _ => {
            for i in 0..n {
                to[i] = from[i * step];
            }
        }
    }
}

/// Copies every `step`-th element of every channel, `plane` apart, to cells `[channels]`.
#[inline(always)]
pub(super) fn interleave<T: Float>(from: &[T], plane: usize, step: usize, to: &mut [T], channels: usize) {
    let cells = to.len() / channels;
    if step == 1 {
        assert!(from.len() >= (channels - 1) * plane + cells);
        // SAFETY: the channels lie in `from`, and `to` has this many cells of all of them.
        return unsafe {
            copy_transposed(from.as_ptr(), plane as isize, to.as_mut_ptr(), channels, cells, channels);
        };
    }
    // Four channels at a time: first the elements of each next to each other, then the transpose.
    let mut near = [[T::ZERO; NEAR]; 4];
    for c in (0..channels).step_by(4) {
        let many = (channels - c).min(4);
        for first in (0..cells).step_by(NEAR) {
            let n = (cells - first).min(NEAR);
            for (i, near) in near[..many].iter_mut().enumerate() {
                every(&from[(c + i) * plane + first * step..][..(n - 1) * step + 1], step, &mut near[..n]);
            }
            let to = &mut to[first * channels + c..];
            assert!(to.len() >= (n - 1) * channels + many);
            // SAFETY: `near` has this many channels and cells, and `to` room for them.
            unsafe {
                copy_transposed(near.as_ptr().cast::<T>(), NEAR as isize, to.as_mut_ptr(), channels, n, many);
            }
        }
    }
}

/// The number of elements of a channel that are made adjacent at once.
const NEAR: usize = 64;

/// Copies every `step`-th element.
#[inline(always)]
fn every<T: Float>(from: &[T], step: usize, to: &mut [T]) {
    if step != 2 {
        for (t, &f) in to.iter_mut().zip(from.iter().step_by(step)) {
            *t = f;
        }
        return;
    }
    let (pairs, last) = from.as_chunks::<2>();
    let (to, end) = to.split_at_mut(pairs.len());
    for (t, pair) in to.iter_mut().zip(pairs) {
        *t = pair[0];
    }
    end.copy_from_slice(last);
}
