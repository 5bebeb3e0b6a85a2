//! The windows of a pool.

use crate::error::{Error, ErrorKind, Result};
use crate::shape::Shape;
use crate::window::Window;

/// The windows of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places<const D: usize> {
    /// A window that moves.
    Moving(Window<D>),
    /// A number of windows along each axis: window i of o over n elements goes from ⌊i n / o⌋ to ⌈(i + 1) n / o⌉.
    Sharing([usize; D]),
}

/// The elements of one axis inside one window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) count: usize,
    /// The number of elements, padding included.
    pub(super) padded: usize,
}

/// The windows along one axis.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) size: usize,
    pub(super) step: usize,
    pub(super) spans: Vec<Span>,
}

pub(super) struct Layout {
    pub(super) shape: Shape,
    pub(super) planes: usize,
    pub(super) lines: [Line; 2],
    pub(super) window: Option<[Moving; 2]>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Moving {
    pub(super) size: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    pub(super) padding: usize,
}

fn moving(op: &'static str, axis: usize, n: usize, m: Moving, ceil: bool) -> Result<Line> {
    let Moving { size, stride, dilation, padding } = m;
    if size == 0 || stride == 0 || dilation == 0 {
        let detail = format!(
            "window size, stride and dilation must be at least 1, found {size}, {stride} and {dilation}"
        );
        return Err(Error::argument(op, detail));
    }
    let reach = (size - 1).checked_mul(dilation).and_then(|n| n.checked_add(1));
    let Some(reach) = reach.filter(|&r| r <= isize::MAX as usize / 4) else {
        return Err(Error::new(op, ErrorKind::Overflow, "the window is too large"));
    };
    if padding > reach / 2 {
        let detail = format!(
            "a padding of {padding} is more than half of the {reach} places that the window reaches over"
        );
        return Err(Error::argument(op, detail));
    }
    let padded = n + 2 * padding;
    if n == 0 || padded < reach {
        let detail = format!(
            "a window that reaches over {reach} places does not fit axis {axis} of size {n} \
             with padding {padding}"
        );
        return Err(Error::shape(op, detail));
    }
    let free = padded - reach;
    let mut places = free / stride + 1;
    if ceil && !free.is_multiple_of(stride) && places.checked_mul(stride).is_some_and(|s| s < n + padding) {
        places += 1;
    }
    // Any number of windows may be requested, but the first one without an element ends the loop.
    let mut spans = Vec::new();
    for i in 0..places {
        let first = i * stride;
        // The first element inside, and the first one after the end.
        let skip = padding.saturating_sub(first).div_ceil(dilation).min(size);
        let end = (n + padding - first).div_ceil(dilation).min(size);
        let count = end.saturating_sub(skip);
        if count == 0 {
            let detail = format!("window {i} along axis {axis} of size {n} has no element in it");
            return Err(Error::shape(op, detail));
        }
        let padded = (n + 2 * padding - first).div_ceil(dilation).min(size);
        spans.push(Span { start: first + skip * dilation - padding, count, padded });
    }
    Ok(Line { size: n, step: dilation, spans })
}

fn sharing(op: &'static str, axis: usize, n: usize, places: usize) -> Result<Line> {
    if n == 0 && places > 0 {
        return Err(Error::shape(op, format!("axis {axis} is empty: there is nothing to share")));
    }
    let wide = |i: usize| i as u128 * n as u128;
    let span = |i: usize| {
        let start = (wide(i) / places as u128) as usize;
        let end = wide(i + 1).div_ceil(places as u128) as usize;
        Span { start, count: end - start, padded: end - start }
    };
    // A longer list is not possible, and no image has that size.
    if places > 1 << 26 {
        return Err(Error::new(op, ErrorKind::Overflow, format!("{places} windows are too many")));
    }
    Ok(Line { size: n, step: 1, spans: (0..places).map(span).collect() })
}

pub(super) fn layout<const D: usize>(op: &'static str, shape: &Shape, places: &Places<D>) -> Result<Layout> {
    if D == 0 || D > 2 || shape.len() < D + 1 {
        let axes = if D == 1 { "length" } else { "height, width" };
        return Err(Error::shape(op, format!("expected [.., channels, {axes}], found {shape}")));
    }
    let first = shape.len() - D;
    let mut lines = Vec::with_capacity(D);
    let mut window = [Moving { size: 1, stride: 1, dilation: 1, padding: 0 }; 2];
    for i in 0..D {
        let (axis, n) = (first + i, shape[first + i]);
        lines.push(match places {
            Places::Moving(w) => {
                let m = Moving {
                    size: w.size[i],
                    stride: w.stride[i],
                    dilation: w.dilation[i],
                    padding: w.padding[i],
                };
                window[2 - D + i] = m;
                moving(op, axis, n, m, w.ceil)?
            }
            Places::Sharing(sizes) => sharing(op, axis, n, sizes[i])?,
        });
    }
    let mut out: Shape = shape.clone();
    for (n, line) in out.dims_mut()[first..].iter_mut().zip(&lines) {
        *n = line.spans.len();
    }
    if out.checked_numel().is_none() {
        return Err(Error::new(op, ErrorKind::Overflow, format!("the result {out} has too many elements")));
    }
    let single = Line { size: 1, step: 1, spans: vec![Span { start: 0, count: 1, padded: 1 }] };
    let last = lines.pop().unwrap_or_else(|| single.clone());
    let planes = shape[..first].iter().product();
    let window = matches!(places, Places::Moving(_)).then_some(window);
    Ok(Layout { shape: out, planes, lines: [lines.pop().unwrap_or(single), last], window })
}

impl Layout {
    pub(super) fn source(&self) -> usize {
        self.lines[0].size * self.lines[1].size
    }

    pub(super) fn places(&self) -> usize {
        self.lines[0].spans.len() * self.lines[1].spans.len()
    }

    /// Whether the only window is the plane.
    pub(super) fn is_whole(&self) -> bool {
        self.lines.iter().all(|l| matches!(l.spans[..], [s] if s.count == l.size))
    }

    /// The number of elements of an average window, which is the cost of a position.
    pub(super) fn cost(&self) -> usize {
        let most = |l: &Line| l.spans.iter().map(|s| s.count).max().unwrap_or(1);
        most(&self.lines[0]) * most(&self.lines[1])
    }
}
