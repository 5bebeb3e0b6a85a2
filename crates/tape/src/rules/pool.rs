//! Pools. The largest element's cotangent goes to the position where it was found (the first of equal elements); an
//! average's is spread over its window. Higher orders of the former use these positions as constant indices.

use super::prelude::*;
use wengert_ops::kernel::pool::Places;
use wengert_ops::{AvgDivisor, Window};

struct Largest<const D: usize> {
    op: &'static str,
    places: Places<D>,
}

/// The positions as indices into flattened planes.
fn indices<T: Float>(at: &Tensor<T>) -> Tensor<i64> {
    at.map(|v| v.to_f64() as i64)
}

/// `[planes, elements of a plane]`.
fn planes(shape: &Shape, axes: usize) -> [usize; 2] {
    let split = shape.len().saturating_sub(axes);
    [shape[..split].iter().product(), shape[split..].iter().product()]
}

/// The windows as text.
fn told<const D: usize>(places: &Places<D>) -> Option<String> {
    Some(match places {
        Places::Sharing(outputs) => format!("to {outputs:?}"),
        Places::Moving(w) => {
            let padded = w.padding.iter().any(|&p| p > 0);
            let padding = if padded { format!(", padding {:?}", w.padding) } else { String::new() };
            format!("window {:?}, stride {:?}{padding}", w.size, w.stride)
        }
    })
}

impl<T: Float, const D: usize> Op<T> for Largest<D> {
    fn name(&self) -> &'static str {
        self.op
    }
    fn arguments(&self) -> Option<String> {
        told(&self.places)
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (y, at) = x[0].max_pool(self.op, &self.places)?;
        let mut forward = ForwardOutput::from(y);
        forward.saved.push(at);
        Ok(forward)
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, g) = (r.x(0), r.gy());
        let shape = x.raw_shape();
        // The position of the largest element is constant around almost every point, so the positions are constants.
        let at = || -> Result<Tensor<i64>> {
            let (_, at) = x.value()?.max_pool(self.op, &self.places)?;
            Ok(indices(&at).reshape(planes(at.shape(), D))?)
        };
        cotangents([Some(match at() {
            Ok(at) => {
                let g = g.reshape(planes(&g.raw_shape(), D));
                let zeros = x.zeros_like().reshape(planes(&shape, D));
                zeros.scatter_add(1, &at, g).reshape(shape)
            }
            Err(e) => x.tape().failed(e),
        })])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let gx = r.gy()?.max_pool_adjoint(self.op, r.saved(0)?, r.shape(0), D)?;
            Ok(cotangents([Some(gx)]))
        };
        Some(adjoint())
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

#[derive(Clone, Copy)]
struct Average<const D: usize> {
    op: &'static str,
    places: Places<D>,
    divisor: AvgDivisor,
}

impl<T: Float, const D: usize> Op<T> for Average<D> {
    fn name(&self) -> &'static str {
        self.op
    }
    fn arguments(&self) -> Option<String> {
        told(&self.places)
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].avg_pool(self.op, &self.places, self.divisor)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let spread = Spread { average: *self, shape: r.x(0).raw_shape() };
        cotangents([Some(r.gy().tape().apply(spread, &[r.gy()]))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

/// The adjoint of an average.
struct Spread<const D: usize> {
    average: Average<D>,
    shape: Shape,
}

impl<T: Float, const D: usize> Op<T> for Spread<D> {
    fn name(&self) -> &'static str {
        self.average.op
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let Average { op, places, divisor } = self.average;
        Ok(x[0].avg_pool_adjoint(op, &places, divisor, &self.shape)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        cotangents([Some(r.gy().tape().apply(self.average, &[r.gy()]))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

/// The largest elements, and their positions as indices.
#[track_caller]
fn with_indices<'t, T: Float, const D: usize>(
    x: Var<'t, T>,
    op: &'static str,
    window: Window<D>,
) -> (Var<'t, T>, Tensor<i64>) {
    let places = Places::Moving(window);
    let y = x.tape().apply(Largest { op, places }, &[x]);
    let found = y.value().and_then(|_| Ok(x.value()?.max_pool(op, &places)?.1));
    (y, found.map_or_else(|_| Tensor::from(Vec::new()), |at| indices(&at)))
}

#[track_caller]
fn unpool<'t, T: Float, const D: usize>(
    x: Var<'t, T>,
    op: &'static str,
    index: &Tensor<i64>,
    sizes: [usize; D],
) -> Var<'t, T> {
    if x.is_failed() {
        return x;
    }
    let shape = x.raw_shape();
    if shape.len() <= D || *index.shape() != shape {
        let detail = format!(
            "expected values and indices of one shape [.., channels, {D} sizes], found {shape} and {}",
            index.shape()
        );
        return refuse(x, op, Kind::Shape, detail);
    }
    let whole: Shape = shape[..shape.len() - D].iter().copied().chain(sizes).collect();
    if whole.checked_numel().is_none() {
        return refuse(x, op, Kind::Overflow, format!("the result {whole} has too many elements"));
    }
    let ([_, from], [rows, to]) = (planes(&shape, D), planes(&whole, D));
    let values = index.to_vec();
    if let Some(bad) = values.iter().find(|&&i| i < 0 || i as u64 >= to as u64) {
        return refuse(x, op, Kind::Index, format!("index {bad} is out of range for a plane of {to}"));
    }
    // Where several elements have one position, only the last is kept, so every position gets at most one element.
    let mut kept = Tensor::<bool>::full_like(index, false);
    let mut last = vec![usize::MAX; to];
    let flags = kept.data_mut();
    for row in 0..rows {
        for (i, &at) in values[row * from..(row + 1) * from].iter().enumerate() {
            if let Some(earlier) = last.get_mut(at as usize) {
                if *earlier < usize::MAX && *earlier >= row * from {
                    flags[*earlier] = false;
                }
                *earlier = row * from + i;
                flags[row * from + i] = true;
            }
        }
    }
    let at = match index.reshape([rows, from]) {
        Ok(at) => at,
        Err(e) => return x.tape().failed(e.into()),
    };
    let zeros = x.tape().constant(Tensor::try_full([rows, to], T::ZERO));
    let x = x.masked_fill(kept.logical_not(), 0.0);
    zeros.scatter_add(1, &at, x.reshape([rows, from])).reshape(whole)
}

macro_rules! pools {
    ($(($d:literal $max:ident $with:ident $avg:ident $adaptive_max:ident $adaptive_avg:ident $unpool:ident
        $axes:literal $sizes:literal))*) => {
        impl<T: Float> Var<'_, T> {$(
            #[doc = concat!("The largest element of every window over ", $axes, ". The gradient goes to the first \
                of equal elements, and the gradients of \
                overlapping windows add up; NaN is the largest. To pool a whole axis into one element, use `max_axes`.")]
            ///
            /// ```
            /// # use wengert_ops::{Tensor, Window};
            /// let tape = wengert_tape::Tape::new();
            /// let x = tape.var(Tensor::from([[[1.0, 4.0, 4.0, 2.0]]]).reshape(
            #[doc = concat!($sizes, ")?);")]
            #[doc = concat!("let y = x.", stringify!($max), "(2);")]
            /// assert_eq!(y.sum().backward()?.wrt(x)?.sum().item()?, y.numel() as f64);
            /// # Ok::<(), wengert_tape::Error>(())
            /// ```
            #[track_caller]
            pub fn $max(self, window: impl Into<Window<$d>>) -> Self {
                let places = Places::Moving(window.into());
                self.tape().apply(Largest { op: stringify!($max), places }, &[self])
            }

            #[doc = concat!("As [`", stringify!($max), "`](Var::", stringify!($max), "), and also returns the position of \
                each element in its \
                flattened plane. If the call fails, there are no positions.")]
            #[track_caller]
            pub fn $with(self, window: impl Into<Window<$d>>) -> (Self, Tensor<i64>) {
                with_indices(self, stringify!($with), window.into())
            }

            #[doc = concat!("The average of every window over ", $axes, ", where padding counts as zeros \
                unless the divisor excludes it. To \
                average a whole axis, use `mean_axes`.")]
            ///
            /// ```
            /// # use wengert_ops::{AvgDivisor, Tensor, Window};
            /// let tape = wengert_tape::Tape::new();
            /// let x = tape.var(Tensor::from([[[1.0, 4.0, 4.0, 3.0]]]).reshape(
            #[doc = concat!($sizes, ")?);")]
            #[doc = concat!("let y = x.", stringify!($avg), "(2, AvgDivisor::Window);")]
            /// assert_eq!(y.mean().item()?, 3.0);
            /// # Ok::<(), wengert_tape::Error>(())
            /// ```
            #[track_caller]
            pub fn $avg(self, window: impl Into<Window<$d>>, divisor: AvgDivisor) -> Self {
                let places = Places::Moving(window.into());
                self.tape().apply(Average { op: stringify!($avg), places, divisor }, &[self])
            }

            #[doc = concat!("The largest elements of the given number of windows over ", $axes, " that cover the \
                input evenly: window i of o over n \
                elements goes from ⌊i n / o⌋ to ⌈(i + 1) n / o⌉.")]
            #[track_caller]
            pub fn $adaptive_max(self, sizes: [usize; $d]) -> Self {
                let places = Places::Sharing(sizes);
                self.tape().apply(Largest { op: stringify!($adaptive_max), places }, &[self])
            }

            #[doc = concat!("The averages of the given number of windows over ", $axes, " that cover the \
                input evenly: window i of o over n elements \
                goes from ⌊i n / o⌋ to ⌈(i + 1) n / o⌉.")]
            #[track_caller]
            pub fn $adaptive_avg(self, sizes: [usize; $d]) -> Self {
                let (op, places) = (stringify!($adaptive_avg), Places::Sharing(sizes));
                let average = Average { op, places, divisor: AvgDivisor::Inside };
                self.tape().apply(average, &[self])
            }

            #[doc = concat!("Every element at its position in a plane of zeros with the given sizes, where the \
                positions are those of [`",
                stringify!($with), "`](Var::", stringify!($with), "). Where several elements have one position, the last \
                one is kept.")]
            #[track_caller]
            pub fn $unpool(self, index: &Tensor<i64>, sizes: [usize; $d]) -> Self {
                unpool(self, stringify!($unpool), index, sizes)
            }
        )*}
    };
}
pools! {
    (1 max_pool1d max_pool1d_with_indices avg_pool1d adaptive_max_pool1d adaptive_avg_pool1d max_unpool1d
        "the last axis" "[1, 1, 4]")
    (2 max_pool2d max_pool2d_with_indices avg_pool2d adaptive_max_pool2d adaptive_avg_pool2d max_unpool2d
        "the last two axes" "[1, 1, 2, 2]")
}

/// Sizes of an input, and a window that fits into it.
fn window<const D: usize>(g: &mut crate::gradcheck::Gen) -> (Vec<usize>, Window<D>) {
    let mut shape = vec![g.pick(&[0, 1, 1, 2]), g.around(1..=2, &[7, 8, 9, 17])];
    let mut window = Window::<D>::new(1);
    for i in 0..D {
        let size = if D == 1 { g.within(1..=3) } else { g.within(1..=2) };
        window.size[i] = size;
        window.stride[i] = g.within(1..=3);
        window.padding[i] = if g.once_in(2) { size / 2 } else { 0 };
        let least = size - window.padding[i];
        // Positions are computed four and eight at a time.
        shape.push(g.dim(least..=if D == 1 { 5 } else { 3 }));
    }
    (shape, if g.once_in(3) { window.ceil() } else { window })
}

/// Distinct numbers in any order, far enough apart that no finite difference changes their order.
fn distinct(g: &mut crate::gradcheck::Gen, shape: &[usize]) -> Tensor<f64> {
    let order = g.permutation(shape.iter().product());
    let steps = Tensor::from_vec(order.iter().map(|&i| i as f64 * 0.25 - 1.0).collect(), shape);
    let layout = g.tensor(shape, Domain::Real);
    steps.and_then(|s| layout.scale(0.0).add(&s)).unwrap_or(layout)
}

pub(super) fn max_spec() -> Vec<Spec> {
    let names = ["max_pool1d", "max_pool1d_with_indices", "adaptive_max_pool1d", "max_unpool1d"];
    let mut all = Spec::family(&names, Order::Second, |g, which| {
        let (shape, w) = window::<1>(g);
        let sizes = [g.dim(1..=4)];
        let index = g.indices(&shape, 6);
        case!(vec![distinct(g, &shape)], [index], |x| match which {
            0 => x[0].max_pool1d(w),
            1 => x[0].max_pool1d_with_indices(w).0,
            2 => x[0].adaptive_max_pool1d(sizes),
            _ => x[0].max_unpool1d(&index, [6]),
        })
    });
    let names = ["max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d", "max_unpool2d"];
    all.extend(Spec::family(&names, Order::Second, |g, which| {
        let (shape, w) = window::<2>(g);
        let sizes = [g.dim(1..=3), g.dim(1..=3)];
        let index = g.indices(&shape, 6);
        case!(vec![distinct(g, &shape)], [index], |x| match which {
            0 => x[0].max_pool2d(w),
            1 => x[0].max_pool2d_with_indices(w).0,
            2 => x[0].adaptive_max_pool2d(sizes),
            _ => x[0].max_unpool2d(&index, [2, 3]),
        })
    }));
    all
}

pub(super) fn avg_spec() -> Vec<Spec> {
    let mut all = Spec::family(&["avg_pool1d", "adaptive_avg_pool1d"], Order::Second, |g, which| {
        let (shape, w) = window::<1>(g);
        let divisor = g.pick(&[AvgDivisor::Window, AvgDivisor::Inside, AvgDivisor::Of(3)]);
        let sizes = [g.dim(0..=4)];
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => x[0].avg_pool1d(w, divisor),
            _ => x[0].adaptive_avg_pool1d(sizes),
        })
    });
    all.extend(Spec::family(&["avg_pool2d", "adaptive_avg_pool2d"], Order::Second, |g, which| {
        let (shape, w) = window::<2>(g);
        let divisor = g.pick(&[AvgDivisor::Window, AvgDivisor::Inside, AvgDivisor::Of(3)]);
        let sizes = [g.dim(0..=4), g.dim(1..=3)];
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => x[0].avg_pool2d(w, divisor),
            _ => x[0].adaptive_avg_pool2d(sizes),
        })
    }));
    all
}
