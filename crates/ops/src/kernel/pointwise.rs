//! The executor of pointwise functions: any number of inputs, any layouts, block by block.
//!
//! The output is computed in blocks that fit the first-level cache. An input in the output's order is read in place, and so
//! are long rows of neighbours of any other input. What is left (short rows, steps, one element that is repeated) is copied
//! into a small buffer on the stack. The loop itself therefore always runs over plain slices and vectorises.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::Result;
use crate::kernel::copy::{Cursor, Row, Strided, is_transposed};
use crate::parallel;
use crate::shape::{Shape, broadcast_shapes};
use crate::simd;
use crate::tensor::Tensor;
use std::mem::{MaybeUninit, needs_drop};
use std::ptr;

const BLOCK: usize = 512;

/// A function of one element of each of `N` inputs.
///
/// `call` must be `#[inline(always)]`; otherwise it loses the vector instruction set that the executor chose. A kernel that owns no memory is
/// copied for each loop: a change that `call` made to it, in an atomic number say, would be lost.
pub trait Kernel<const N: usize, T, U>: Sync + Sized {
    /// The cost of one call, in additions; it determines from which size on threads are used.
    const COST: usize = 1;
    /// Whether some elements need [`patch`](Kernel::patch).
    const PATCHES: bool = false;

    /// The function.
    fn call(&self, x: [T; N]) -> U;

    /// Whether `call` is not accurate for this element (called only if `PATCHES`).
    #[inline(always)]
    fn is_rough(&self, _x: [T; N]) -> bool {
        false
    }

    /// The accurate, slower value for such an element.
    fn patch(&self, x: [T; N]) -> U {
        self.call(x)
    }
}

/// A closure as a kernel, for functions of a few instructions (larger ones might not be inlined).
pub struct FnKernel<F>(pub F);

impl<T, U, F: Fn(T) -> U + Sync> Kernel<1, T, U> for FnKernel<F> {
    #[inline(always)]
    fn call(&self, [x]: [T; 1]) -> U {
        (self.0)(x)
    }
}

impl<T, U, F: Fn(T, T) -> U + Sync> Kernel<2, T, U> for FnKernel<F> {
    #[inline(always)]
    fn call(&self, [x, y]: [T; 2]) -> U {
        (self.0)(x, y)
    }
}

impl<T, U, F: Fn(T, T, T) -> U + Sync> Kernel<3, T, U> for FnKernel<F> {
    #[inline(always)]
    fn call(&self, [x, y, z]: [T; 3]) -> U {
        (self.0)(x, y, z)
    }
}

struct Loop<'a, const N: usize, T, U, K> {
    kernel: &'a K,
    x: [&'a [T]; N],
    out: &'a mut [U],
}

/// Element `i` of each slice.
///
/// # Safety
/// Every slice has more than `i` elements.
#[inline(always)]
unsafe fn at<const N: usize, T: Copy>(x: &[&[T]; N], i: usize) -> [T; N] {
    // SAFETY: the caller guarantees it.
    unsafe {
        let mut all = [*x[0].get_unchecked(i); N];
        for j in 1..N {
            all[j] = *x[j].get_unchecked(i);
        }
        all
    }
}

impl<const N: usize, T: Copy, U, K: Kernel<N, T, U>> pulp::NullaryFnOnce for Loop<'_, N, T, U, K> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Loop { kernel, x, out } = self;
        for x in x {
            assert!(x.len() >= out.len());
        }
        let copy;
        let kernel = if needs_drop::<K>() {
            kernel
        } else {
            // The compiler knows that the output does not overlap a local variable. It reads numbers of the kernel (a slope, a bound)
            // behind the reference again for every element, and does not vectorise the loop.
            // SAFETY: the bytes of a valid value, of a type that owns nothing, which is only read.
            copy = unsafe { ptr::read(kernel) };
            &copy
        };
        for (i, o) in out.iter_mut().enumerate() {
            // SAFETY: every input has at least as many elements as the output, asserted above.
            *o = kernel.call(unsafe { at(&x, i) });
        }
    }
}

/// Whether some elements need a patch. It looks at all of them: a loop that ends at the first is not vectorised.
struct AnyRough<'a, const N: usize, T, U, K> {
    kernel: &'a K,
    x: [&'a [T]; N],
    out: &'a [U],
}

impl<const N: usize, T: Copy, U, K: Kernel<N, T, U>> pulp::NullaryFnOnce for AnyRough<'_, N, T, U, K> {
    type Output = bool;
    #[inline(always)]
    fn call(self) -> bool {
        let AnyRough { kernel, x, out } = self;
        let mut any = false;
        for i in 0..out.len() {
            // SAFETY: every input has an element for each of the output, asserted by the loop before.
            any |= kernel.is_rough(unsafe { at(&x, i) });
        }
        any
    }
}

/// A function of elements as the executor uses it: a loop over slices. Only the loop, which is behind this trait, is
/// compiled for each [`Kernel`]; the executor itself, with its views and its threads, is compiled once for each number
/// and type of inputs.
pub trait SliceKernel<const N: usize, T, U>: Sync {
    /// The cost of one element, in additions.
    fn cost(&self) -> usize;

    /// Computes the outputs from slices of the inputs, which are at least as long.
    fn run(&self, x: [&[T]; N], out: &mut [U]);
}

/// The loop of a [`Kernel`].
#[repr(transparent)]
pub struct Elementwise<K>(pub K);

impl<K> Elementwise<K> {
    /// The loop of a kernel that is elsewhere.
    pub fn of(kernel: &K) -> &Self {
        // SAFETY: a transparent struct has the layout of its field.
        unsafe { &*ptr::from_ref(kernel).cast() }
    }
}

impl<const N: usize, T: Copy, U, K: Kernel<N, T, U>> SliceKernel<N, T, U> for Elementwise<K> {
    fn cost(&self) -> usize {
        K::COST
    }

    fn run(&self, x: [&[T]; N], out: &mut [U]) {
        simd::dispatch(Loop { kernel: &self.0, x, out: &mut *out });
        if K::PATCHES && simd::dispatch(AnyRough { kernel: &self.0, x, out: &*out }) {
            for (i, o) in out.iter_mut().enumerate() {
                // SAFETY: every input has an element for each of the output, asserted by the loop.
                let x = unsafe { at(&x, i) };
                if self.0.is_rough(x) {
                    *o = self.0.patch(x);
                }
            }
        }
    }
}

/// The source of an input's blocks.
enum Source<'a, T> {
    Slice(&'a [T]),
    Strided(Strided<'a, T>),
}

/// `kernel` applied elementwise to inputs that broadcast together.
///
/// # Errors
/// If the shapes do not broadcast.
pub fn pointwise<const N: usize, T: Element, U: Element, K: Kernel<N, T, U>>(
    op: &'static str,
    x: [&Tensor<T>; N],
    kernel: &K,
) -> Result<Tensor<U>> {
    loops(op, x, Elementwise::of(kernel))
}

/// Like [`pointwise`], for a function that has its own loop.
///
/// # Errors
/// If the shapes do not broadcast.
// Here and at other large functions: what is never inlined is compiled once for all crates that use it with the same types.
#[inline(never)]
pub fn loops<const N: usize, T: Element, U: Element>(
    op: &'static str,
    x: [&Tensor<T>; N],
    kernel: &dyn SliceKernel<N, T, U>,
) -> Result<Tensor<U>> {
    let mut shape = x[0].shape().clone();
    for t in &x[1..] {
        if *t.shape() != shape {
            shape = broadcast_shapes(op, &shape, t.shape())?;
        }
    }
    Ok(pointwise_as(shape, x, kernel))
}

/// Rows below this length are copied into blocks.
const SHORT_ROW: usize = 128;

/// Buffers for one block of each input.
fn buffers<const N: usize, T: Element>() -> [[T; BLOCK]; N] {
    // SAFETY: zero bits are a valid Element.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The outputs from `start` on, from inputs with short rows: each block of an input is copied.
#[inline(never)]
fn by_blocks<const N: usize, T: Element, U>(
    sources: &[Source<'_, T>; N],
    kernel: &dyn SliceKernel<N, T, U>,
    start: usize,
    piece: &mut [U],
) {
    let mut copies = buffers::<N, T>();
    for (b, block) in piece.chunks_mut(BLOCK).enumerate() {
        let (at, len) = (start + b * BLOCK, block.len());
        for (copy, source) in copies.iter_mut().zip(sources) {
            if let Source::Strided(t) = source {
                t.read(at, &mut copy[..len]);
            }
        }
        let slices = std::array::from_fn(|j| match &sources[j] {
            Source::Slice(s) => &s[at..at + len],
            Source::Strided(_) => &copies[j][..len],
        });
        kernel.run(slices, block);
    }
}

/// The outputs from `start` on, a part of a row at a time: of each input it is a slice, one element, which is written into a buffer
/// when it changes, or copied.
#[inline(never)]
fn by_rows<const N: usize, T: Element, U>(
    sources: &[Source<'_, T>; N],
    row: usize,
    kernel: &dyn SliceKernel<N, T, U>,
    start: usize,
    piece: &mut [U],
) {
    let mut copies = buffers::<N, T>();
    // The position in its buffer of the element that fills the copy.
    let mut filled = [None; N];
    let mut cursors: [Cursor; N] = std::array::from_fn(|j| match &sources[j] {
        Source::Slice(_) => Cursor::default(),
        Source::Strided(t) => t.cursor(start / row),
    });
    let (mut column, mut done) = (start % row, 0);
    while done < piece.len() {
        let len = (row - column).min(BLOCK).min(piece.len() - done);
        let mut parts: [&[T]; N] = [&[]; N];
        for (j, copy) in copies.iter_mut().enumerate() {
            parts[j] = match &sources[j] {
                Source::Slice(s) => &s[start + done..start + done + len],
                Source::Strided(t) => match t.part(&cursors[j], column, len) {
                    Row::Slice(s) => s,
                    Row::Same(at, v) => {
                        if filled[j] != Some(at) {
                            copy[..row.min(BLOCK)].fill(v);
                            filled[j] = Some(at);
                        }
                        &copy[..len]
                    }
                    Row::Steps(first, stride) => {
                        t.steps(first, stride, &mut copy[..len]);
                        &copy[..len]
                    }
                },
            };
        }
        kernel.run(parts, &mut piece[done..done + len]);
        done += len;
        column += len;
        if column == row {
            column = 0;
            for (source, cursor) in sources.iter().zip(&mut cursors) {
                if let Source::Strided(t) = source {
                    t.advance(cursor);
                }
            }
        }
    }
}

/// Like [`pointwise`], for inputs that are known to broadcast to `shape`.
#[inline(never)]
pub(super) fn pointwise_as<const N: usize, T: Element, U: Element>(
    shape: Shape,
    x: [&Tensor<T>; N],
    kernel: &dyn SliceKernel<N, T, U>,
) -> Tensor<U> {
    let n = shape.numel();
    let mut out = Buffer::unspecified(n);
    if n == 0 {
        return Tensor::from_buffer(out, shape);
    }
    if x.iter().all(|t| *t.shape() == shape && t.is_contiguous()) {
        let slices = x.map(|t| &t.buf[t.layout.offset..t.layout.offset + n]);
        parallel::chunks_mut(&mut out, parallel::grain(), kernel.cost(), |start, piece| {
            kernel.run(slices.map(|s| &s[start..start + piece.len()]), piece);
        });
        return Tensor::from_buffer(out, shape);
    }
    let views = x.map(|t| {
        let view = if *t.shape() == shape { t.clone() } else { t.with_layout(t.layout.broadcast(&shape)) };
        // Transposed as a whole, in tiles, it is read once; by rows, each of its cache lines would be read many times.
        if is_transposed(&view) { view.contiguous() } else { view }
    });
    let sources: [Source<'_, T>; N] = std::array::from_fn(|j| match views[j].as_slice() {
        Some(s) => Source::Slice(s),
        None => Source::Strided(Strided::new(&views[j])),
    });
    let rows = sources.iter().filter_map(|s| if let Source::Strided(t) = s { t.row() } else { None });
    let row = rows.min().unwrap_or(n);
    if row < SHORT_ROW {
        parallel::chunks_mut(&mut out, parallel::grain(), kernel.cost() + 1, |start, piece| {
            by_blocks(&sources, kernel, start, piece);
        });
    } else {
        let sources = sources.map(|s| match s {
            Source::Strided(t) => Source::Strided(t.with_row(row)),
            slice => slice,
        });
        parallel::chunks_mut(&mut out, parallel::grain(), kernel.cost() + 1, |start, piece| {
            by_rows(&sources, row, kernel, start, piece);
        });
    }
    Tensor::from_buffer(out, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    /// Three inputs of all layouts that broadcast to the shape.
    fn inputs(shape: &[usize]) -> Vec<Tensor<f64>> {
        let whole = Tensor::<f64>::steps(0.5, 0.25, shape.iter().product()).reshape(shape).unwrap();
        let axes: Vec<usize> = (0..shape.len()).rev().collect();
        let reversed: Vec<usize> = axes.iter().map(|&a| shape[a]).collect();
        let doubled: Vec<usize> = shape.iter().map(|&d| 2 * d).collect();
        let mut stepped =
            Tensor::<f64>::steps(3.0, 0.5, doubled.iter().product()).reshape(&doubled[..]).unwrap();
        for axis in 0..shape.len() {
            stepped = stepped.slice(axis as isize, Slice::all().step(2)).unwrap();
        }
        let mut all = vec![
            whole.clone(),
            Tensor::steps(1.0, 1.0, whole.numel())
                .reshape(&reversed[..])
                .unwrap()
                .permute(&axes[..])
                .unwrap(),
            stepped,
            whole.flip(-1).unwrap(),
            Tensor::scalar(7.0),
        ];
        for axis in 0..shape.len() {
            let mut one = shape.to_vec();
            one[axis] = 1;
            all.push(Tensor::steps(2.0, 1.0, one.iter().product()).reshape(&one[..]).unwrap());
            let mut alone = vec![1; shape.len() - axis];
            alone[0] = shape[axis];
            all.push(Tensor::steps(4.0, 1.0, shape[axis]).reshape(&alone[..]).unwrap());
        }
        all
    }

    /// The elements, each asked for by its place.
    fn elements(t: &Tensor<f64>) -> Vec<f64> {
        let places = (0..t.numel()).map(|mut i| {
            let mut at: Vec<usize> = t.shape().iter().rev().map(|&d| (i % d, i /= d).0).collect();
            at.reverse();
            at
        });
        places.map(|at| t.get(&at).unwrap()).collect()
    }

    #[test]
    fn every_layout_gives_the_elements_of_its_places() {
        let both = FnKernel(|a: f64, b: f64| a * 1000.0 + b);
        let shapes: [&[usize]; 9] =
            [&[7], &[1], &[5, 3], &[3, 64], &[70, 65], &[2, 600], &[1030, 2], &[3, 5, 67], &[2, 3, 4, 33]];
        for shape in shapes {
            let inputs = inputs(shape);
            let elements: Vec<Vec<f64>> =
                inputs.iter().map(|x| elements(&x.expand(shape).unwrap())).collect();
            for (a, xs) in inputs.iter().zip(&elements) {
                for (b, ys) in inputs.iter().zip(&elements) {
                    let expected: Vec<f64> = xs.iter().zip(ys).map(|(x, y)| x * 1000.0 + y).collect();
                    let run = || pointwise_as(Shape::from(shape), [a, b], Elementwise::of(&both)).to_vec();
                    assert_eq!(run(), expected, "{shape:?}");
                    assert_eq!(parallel::in_small_pieces(3, run), expected, "{shape:?} in small pieces");
                }
            }
        }
    }
}
