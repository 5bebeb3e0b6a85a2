//! Convolutions and pooling, on tensors and on the tape.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::ops::kernel::pool::Places;
use wengert::ops::{
    AlignCorners, AvgDivisor, ConvOptions, ConvTransposeOptions, PerAxis, Resize, Result, Shape, Tensor,
    Window,
};
use wengert::tape::{Float, Var};

/// One small number for all axes, or one per axis; sometimes huge ones.
pub(crate) fn each<T: Float, const D: usize>(
    a: &mut Arguments<'_, T>,
    low: usize,
    high: usize,
) -> [usize; D] {
    let n = a.count(low..=high);
    if a.once_in(2) { n.per_axis() } else { std::array::from_fn(|_| a.count(low..=high)) }
}

pub(crate) fn conv<T: Float, const D: usize>(a: &mut Arguments<'_, T>, groups: usize) -> ConvOptions<D> {
    let options = ConvOptions::default();
    let options = if a.once_in(2) { options.stride(each::<T, D>(a, 1, 2)) } else { options };
    let options = if a.once_in(2) { options.dilation(each::<T, D>(a, 1, 2)) } else { options };
    let options = match a.below(4) {
        0 => options.same(),
        1 | 2 => options.padding(each::<T, D>(a, 0, 2)),
        _ => options,
    };
    options.groups(a.count(groups..=groups))
}

pub(crate) fn transposed<T: Float, const D: usize>(
    a: &mut Arguments<'_, T>,
    groups: usize,
) -> ConvTransposeOptions<D> {
    let options = ConvTransposeOptions::default().groups(a.count(groups..=groups));
    match a.below(4) {
        0 => options.stride(each::<T, D>(a, 1, 2)),
        1 => options.stride(2).output_padding(each::<T, D>(a, 0, 1)),
        2 => options.padding(each::<T, D>(a, 0, 1)).dilation(each::<T, D>(a, 1, 2)),
        _ => options,
    }
}

/// Shapes of an input, a weight and a bias, and the number of groups.
pub(crate) struct Shapes {
    pub(crate) x: Vec<usize>,
    weight: Vec<usize>,
    pub(crate) kernel: Vec<usize>,
    pub(crate) outputs: usize,
    pub(crate) groups: usize,
}

pub(crate) fn shapes<T: Float>(a: &mut Arguments<'_, T>, axes: usize, transposed: bool) -> Shapes {
    let (n, groups) = (a.size().min(2), 1 + a.below(2));
    let (i, o) = (groups * (1 + a.below(2)), groups * (1 + a.below(2)));
    let sizes: Vec<usize> = (0..axes).map(|_| 3 + a.below(3)).collect();
    let kernel: Vec<usize> = (0..axes).map(|_| 1 + a.below(3)).collect();
    let channels = if transposed { [i, o / groups] } else { [o, i / groups] };
    let (x, weight) = ([vec![n, i], sizes].concat(), [channels.to_vec(), kernel.clone()].concat());
    Shapes { x, weight, kernel, outputs: o, groups }
}

fn convolved<T: Float, const D: usize>(a: &mut Arguments<'_, T>) -> Result<Tensor<T>> {
    let s = shapes(a, D, false);
    let (x, w, b) = (a.like(&s.x), a.like(&s.weight), a.like(&[s.outputs]));
    x.conv(&w, a.once_in(2).then_some(&b), &conv::<T, D>(a, s.groups))
}

fn unconvolved<T: Float, const D: usize>(a: &mut Arguments<'_, T>) -> Result<Tensor<T>> {
    let s = shapes(a, D, false);
    let (x, w, options) = (a.like(&s.x), a.like(&s.weight), conv::<T, D>(a, s.groups));
    let y = x.conv(&w, None, &options)?;
    let sizes = std::array::from_fn(|i| s.x[2 + i]);
    let sizes = if a.once_in(6) { each(a, 0, 9) } else { sizes };
    a.like(y.shape()).conv_adjoint(&w, None, &options, sizes)
}

fn weighed<T: Float, const D: usize>(a: &mut Arguments<'_, T>) -> Result<Tensor<T>> {
    let s = shapes(a, D, false);
    let (x, w, options) = (a.like(&s.x), a.like(&s.weight), conv::<T, D>(a, s.groups));
    let y = x.conv(&w, None, &options)?;
    let kernel = std::array::from_fn(|i| s.kernel[i]);
    let kernel = if a.once_in(6) { each(a, 0, 9) } else { kernel };
    x.conv_weight(&a.like(y.shape()), &options, kernel)
}

fn transposedly<T: Float, const D: usize>(a: &mut Arguments<'_, T>) -> Result<Tensor<T>> {
    let s = shapes(a, D, true);
    let (x, w, b) = (a.like(&s.x), a.like(&s.weight), a.like(&[s.outputs]));
    x.conv_transpose(&w, a.once_in(2).then_some(&b), &transposed::<T, D>(a, s.groups))
}

pub(crate) fn window<T: Float, const D: usize>(a: &mut Arguments<'_, T>) -> Window<D> {
    let window = Window::new(each::<T, D>(a, 1, 3));
    let window = if a.once_in(2) { window.stride(each::<T, D>(a, 1, 3)) } else { window };
    let window = if a.once_in(3) { window.padding(each::<T, D>(a, 0, 1)) } else { window };
    let window = if a.once_in(3) { window.dilation(each::<T, D>(a, 1, 2)) } else { window };
    if a.once_in(3) { window.ceil() } else { window }
}

/// The shape of planes to pool.
pub(crate) fn planes<T: Float>(a: &mut Arguments<'_, T>, axes: usize) -> Vec<usize> {
    let mut shape = a.dims(1..=2);
    shape.truncate(2);
    shape.extend((0..axes).map(|_| 3 + a.below(3)));
    shape
}

pub(crate) fn divisor<T: Float>(a: &mut Arguments<'_, T>) -> AvgDivisor {
    let n = a.count(1..=4);
    a.pick(&[AvgDivisor::Window, AvgDivisor::Inside, AvgDivisor::Of(n)])
}

fn places<T: Float, const D: usize>(a: &mut Arguments<'_, T>) -> Places<D> {
    if a.once_in(3) { Places::Sharing(each(a, 1, 3)) } else { Places::Moving(window(a)) }
}

fn max_adjoint<T: Float>(a: &mut Arguments<'_, T>) -> Result<Tensor<T>> {
    let shape = planes(a, 2);
    let (y, at) = a.like(&shape).max_pool::<2>("fuzz", &places(a))?;
    let at = if a.once_in(6) { a.like(at.shape()) } else { at };
    a.like(y.shape()).max_pool_adjoint("fuzz", &at, &Shape::from(&shape[..]), a.count(2..=2))
}

fn avg_adjoint<T: Float>(a: &mut Arguments<'_, T>) -> Result<Tensor<T>> {
    let (shape, places, divisor) = (planes(a, 2), places::<T, 2>(a), divisor(a));
    let y = a.like(&shape).avg_pool("fuzz", &places, divisor)?;
    a.like(y.shape()).avg_pool_adjoint("fuzz", &places, divisor, &Shape::from(&shape[..]))
}

/// The elements that a 1-D pool found, and their positions or sometimes others.
fn found1<'t, T: Float>(a: &mut Arguments<'t, T>) -> (Var<'t, T>, Tensor<i64>, [usize; 1]) {
    let shape = planes(a, 1);
    let (y, at) = a.of(&shape).max_pool1d_with_indices(window::<T, 1>(a));
    let (at, n) = (shuffled(a, at), shape[shape.len() - 1]);
    (y, at, if a.once_in(6) { each(a, 3, 9) } else { [n] })
}

/// The elements that a 2-D pool found, and their positions or sometimes others.
fn found2<'t, T: Float>(a: &mut Arguments<'t, T>) -> (Var<'t, T>, Tensor<i64>, [usize; 2]) {
    let shape = planes(a, 2);
    let (y, at) = a.of(&shape).max_pool2d_with_indices(window::<T, 2>(a));
    let (at, n) = (shuffled(a, at), shape.len());
    (y, at, if a.once_in(6) { each(a, 3, 9) } else { [shape[n - 2], shape[n - 1]] })
}

fn shuffled<T: Float>(a: &mut Arguments<'_, T>, at: Tensor<i64>) -> Tensor<i64> {
    if a.once_in(6) { a.index_of(at.shape(), 9) } else { at }
}

/// A window whose output sizes are rarely rounded up.
fn steady<T: Float>(a: &mut Arguments<'_, T>) -> Window<2> {
    let mut window = window::<T, 2>(a);
    window.ceil &= a.once_in(4);
    window
}

fn image<T: Float>(a: &mut Arguments<'_, T>) -> [usize; 4] {
    [a.below(3), 1 + a.below(2), 3 + a.below(3), 3 + a.below(3)]
}

fn resize<T: Float, const D: usize>(a: &mut Arguments<'_, T>) -> Resize<D> {
    if a.once_in(2) { Resize::To(each(a, 1, 5)) } else { Resize::By(std::array::from_fn(|_| a.positive())) }
}

fn corners<T: Float>(a: &mut Arguments<'_, T>) -> AlignCorners {
    a.pick(&[AlignCorners::Edges, AlignCorners::Centres])
}

/// The factor of a pixel shuffle, and a shape whose channels or pixels it usually divides.
fn squares<T: Float>(a: &mut Arguments<'_, T>, back: bool) -> (usize, Vec<usize>) {
    let (r, [c, h, w]) = (1 + a.below(3), a.sizes().map(|n: usize| n.min(2)));
    let mut shape = if back { vec![c, h * r, w * r] } else { vec![c * r * r, h, w] };
    if a.once_in(3) {
        shape.insert(0, 2);
    }
    let wild = a.count(r..=r);
    (if a.once_in(12) { a.pick(&[1 << 31, (1 << 32) - 1, wild]) } else { wild }, shape)
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "ops::Tensor" {
            conv: if a.once_in(2) { convolved::<T, 1>(a) } else { convolved::<T, 2>(a) };
            conv_adjoint: if a.once_in(2) { unconvolved::<T, 1>(a) } else { unconvolved::<T, 2>(a) };
            conv_weight: if a.once_in(2) { weighed::<T, 1>(a) } else { weighed::<T, 2>(a) };
            conv_transpose: if a.once_in(2) { transposedly::<T, 1>(a) } else { transposedly::<T, 2>(a) };
            max_pool: { let shape = planes(a, 2); a.like(&shape).max_pool::<2>("fuzz", &places(a)) };
            max_pool_adjoint: max_adjoint(a);
            avg_pool: { let shape = planes(a, 1); a.like(&shape).avg_pool::<1>("fuzz", &places(a), divisor(a)) };
            avg_pool_adjoint: avg_adjoint(a);
        }
        "ops::ConvOptions" {
            stride: done(ConvOptions::<2>::default().stride(a.count(0..=3)));
            padding: done(ConvOptions::<2>::default().padding(a.count(0..=3)));
            same: done(ConvOptions::<1>::default().same());
            dilation: done(ConvOptions::<1>::default().dilation(a.count(0..=3)));
            groups: done(ConvOptions::<1>::default().groups(a.count(0..=3)));
        }
        "ops::ConvTransposeOptions" {
            stride: done(ConvTransposeOptions::<2>::default().stride(a.count(0..=3)));
            padding: done(ConvTransposeOptions::<2>::default().padding(a.count(0..=3)));
            output_padding: done(ConvTransposeOptions::<1>::default().output_padding(a.count(0..=3)));
            dilation: done(ConvTransposeOptions::<1>::default().dilation(a.count(0..=3)));
            groups: done(ConvTransposeOptions::<1>::default().groups(a.count(0..=3)));
            conv: done(transposed::<T, 2>(a, 2).conv());
            sizes: { let s = shapes(a, 2, true); let (x, w) = (a.like(&s.x), a.like(&s.weight));
                transposed::<T, 2>(a, s.groups).sizes(x.shape(), w.shape()).map(done) };
        }
        "ops::Window" {
            new: done(Window::<2>::new(a.count(0..=3)));
            stride: done(window::<T, 2>(a).stride(a.count(0..=3)));
            padding: done(window::<T, 2>(a).padding(a.count(0..=3)));
            dilation: done(window::<T, 1>(a).dilation(a.count(0..=3)));
            ceil: done(window::<T, 1>(a).ceil());
        }
        "ops::Resize" {
            by: { let shape = planes(a, 1); a.of(&shape).upsample_nearest1d(Resize::by(a.positive())) };
        }
        "tape::Var" {
            conv1d: { let s = shapes(a, 1, false); let (x, w) = (a.of(&s.x), a.operand(&s.weight));
                let b = a.once_in(2).then(|| a.more(&[s.outputs])); x.conv1d(w, b, conv(a, s.groups)) };
            conv2d: { let s = shapes(a, 2, false); let (x, w) = (a.of(&s.x), a.operand(&s.weight));
                let b = a.once_in(2).then(|| a.more(&[s.outputs])); x.conv2d(w, b, conv(a, s.groups)) };
            conv_transpose1d: { let s = shapes(a, 1, true); let (x, w) = (a.of(&s.x), a.operand(&s.weight));
                let b = a.once_in(2).then(|| a.more(&[s.outputs]));
                x.conv_transpose1d(w, b, transposed(a, s.groups)) };
            conv_transpose2d: { let s = shapes(a, 2, true); let (x, w) = (a.of(&s.x), a.operand(&s.weight));
                let b = a.once_in(2).then(|| a.more(&[s.outputs]));
                x.conv_transpose2d(w, b, transposed(a, s.groups)) };
            conv1d_weight: { let s = shapes(a, 1, false); let x = a.of(&s.x); let options = conv::<T, 1>(a, s.groups);
                let y = a.more(&s.weight); let y = x.conv1d(y, None, options);
                x.conv1d_weight(y, [s.kernel[0]], options) };
            conv2d_weight: { let s = shapes(a, 2, false); let x = a.of(&s.x); let options = conv::<T, 2>(a, s.groups);
                let y = a.more(&s.weight); let y = x.conv2d(y, None, options);
                x.conv2d_weight(y, [s.kernel[0], s.kernel[1]], options) };
            max_pool1d: { let shape = planes(a, 1); a.of(&shape).max_pool1d(window(a)) };
            max_pool1d_with_indices: { let shape = planes(a, 1); a.of(&shape).max_pool1d_with_indices(window(a)) };
            avg_pool1d: { let shape = planes(a, 1); a.of(&shape).avg_pool1d(window(a), divisor(a)) };
            adaptive_max_pool1d: { let shape = planes(a, 1); a.of(&shape).adaptive_max_pool1d(each(a, 1, 3)) };
            adaptive_avg_pool1d: { let shape = planes(a, 1); a.of(&shape).adaptive_avg_pool1d(each(a, 1, 3)) };
            max_unpool1d: { let (y, at, sizes) = found1(a); y.max_unpool1d(&at, sizes) };
            max_pool2d: { let shape = planes(a, 2); a.of(&shape).max_pool2d(window(a)) };
            max_pool2d_with_indices: { let shape = planes(a, 2); a.of(&shape).max_pool2d_with_indices(window(a)) };
            avg_pool2d: { let shape = planes(a, 2); a.of(&shape).avg_pool2d(window(a), divisor(a)) };
            adaptive_max_pool2d: { let shape = planes(a, 2); a.of(&shape).adaptive_max_pool2d(each(a, 1, 3)) };
            adaptive_avg_pool2d: { let shape = planes(a, 2); a.of(&shape).adaptive_avg_pool2d(each(a, 1, 3)) };
            max_unpool2d: { let (y, at, sizes) = found2(a); y.max_unpool2d(&at, sizes) };
            im2col: { let shape = image(a); a.of(&shape).im2col(steady(a)) };
            col2im: { let shape = image(a); let window = steady(a); let y = a.of(&shape).im2col(window);
                y.col2im(if a.once_in(6) { each(a, 1, 9) } else { [shape[2], shape[3]] }, window) };
            upsample_nearest1d: { let shape = planes(a, 1); a.of(&shape).upsample_nearest1d(resize(a)) };
            upsample_nearest2d: { let shape = planes(a, 2); a.of(&shape).upsample_nearest2d(resize(a)) };
            upsample_linear1d: { let shape = planes(a, 1);
                a.of(&shape).upsample_linear1d(resize(a), corners(a)) };
            upsample_bilinear2d: { let shape = planes(a, 2);
                a.of(&shape).upsample_bilinear2d(resize(a), corners(a)) };
            pixel_shuffle: { let (factor, shape) = squares(a, false); a.of(&shape).pixel_shuffle(factor) };
            pixel_unshuffle: { let (factor, shape) = squares(a, true); a.of(&shape).pixel_unshuffle(factor) };
        }
    }
}
