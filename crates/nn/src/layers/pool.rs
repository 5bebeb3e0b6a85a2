//! Pools: the largest element or the average of every window of a signal or an image.

use crate::Module;
use crate::layers::{Layer, refused};
use wengert_ops::{AvgDivisor, PerAxis, Tensor, Window};
use wengert_tape::{Float, Var};

macro_rules! pools {
    ($($d:literal $max:ident $max_op:ident $with:ident $avg:ident $avg_op:ident
       $adaptive_max:ident $adaptive_max_op:ident $adaptive_avg:ident $adaptive_avg_op:ident
       $unpool:ident $unpool_op:ident $shape:literal;)*) => {$(
        #[doc = concat!("The largest element of every window of ", $shape, "; see [`Var::", stringify!($max_op), "`](wengert_tape::Var::",
            stringify!($max_op), ").")]
        ///
        /// ```
        #[doc = concat!("use wengert_nn::", stringify!($max), ";")]
        /// use wengert_ops::Window;
        #[doc = concat!("let layer = ", stringify!($max), "::new(Window::new(3).stride(2).padding(1));")]
        #[doc = concat!("assert_eq!(", stringify!($max), "::new(2).window.stride, layer.window.stride);")]
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
        pub struct $max {
            /// The window's size, stride, padding and dilation.
            #[module(skip)]
            pub window: Window<$d>,
        }

        impl $max {
            /// A pool with this window. A window given by its size alone has a stride of that size.
            pub fn new(window: impl Into<Window<$d>>) -> Self {
                $max { window: window.into() }
            }

            #[doc = concat!("The output, and the position of each of its elements, for [`", stringify!($unpool), "`].")]
            #[track_caller]
            pub fn forward_with_indices<'t, T: Float>(&self, x: Var<'t, T>) -> (Var<'t, T>, Tensor<i64>) {
                x.$with(self.window)
            }
        }

        impl<T: Float> Layer<T> for $max {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                x.$max_op(self.window)
            }
        }

        #[doc = concat!("The average of every window of ", $shape, "; see [`Var::", stringify!($avg_op), "`](wengert_tape::Var::",
            stringify!($avg_op), ").")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
        pub struct $avg {
            /// The window's size, stride, padding and dilation.
            #[module(skip)]
            pub window: Window<$d>,
            /// The number that divides a sum: by default the window's size, including padding.
            #[module(skip)]
            pub divisor: AvgDivisor,
        }

        impl $avg {
            /// A pool with this window. A window given by its size alone has a stride of that size.
            pub fn new(window: impl Into<Window<$d>>) -> Self {
                $avg { window: window.into(), divisor: AvgDivisor::default() }
            }

            /// The pool with the given divisor.
            #[must_use]
            pub fn divisor(mut self, divisor: AvgDivisor) -> Self {
                self.divisor = divisor;
                self
            }
        }

        impl<T: Float> Layer<T> for $avg {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                x.$avg_op(self.window, self.divisor)
            }
        }

        #[doc = concat!("The largest elements of a given number of windows that divide ", $shape, " evenly, whatever its size.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
        pub struct $adaptive_max {
            /// The sizes of the output along the pooled axes.
            #[module(skip)]
            pub sizes: [usize; $d],
        }

        impl $adaptive_max {
            /// A pool with an output of the given sizes.
            pub fn new(sizes: impl PerAxis<$d>) -> Self {
                $adaptive_max { sizes: sizes.per_axis() }
            }
        }

        impl<T: Float> Layer<T> for $adaptive_max {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                x.$adaptive_max_op(self.sizes)
            }
        }

        #[doc = concat!("The averages of a given number of windows that divide ", $shape, " evenly, whatever its size.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
        pub struct $adaptive_avg {
            /// The sizes of the output along the pooled axes.
            #[module(skip)]
            pub sizes: [usize; $d],
        }

        impl $adaptive_avg {
            /// A pool with an output of the given sizes.
            pub fn new(sizes: impl PerAxis<$d>) -> Self {
                $adaptive_avg { sizes: sizes.per_axis() }
            }
        }

        impl<T: Float> Layer<T> for $adaptive_avg {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                x.$adaptive_avg_op(self.sizes)
            }
        }

        #[doc = concat!("Puts the elements that a [`", stringify!($max), "`] found back in position, with zeros elsewhere.")]
        ///
        /// ```
        #[doc = concat!("use wengert_nn::{", stringify!($max), ", ", stringify!($unpool), "};")]
        /// use wengert_ops::Tensor;
        /// let tape = wengert_tape::Tape::new();
        #[doc = concat!("let sizes = [[1usize; 2].as_slice(), &[4; ", stringify!($d), "]].concat();")]
        /// let x = tape.constant(Tensor::<f64>::randn(&sizes[..], &mut wengert_ops::random::Rng::seed(0))?);
        #[doc = concat!("let (y, index) = ", stringify!($max), "::new(2).forward_with_indices(x);")]
        #[doc = concat!("let z = ", stringify!($unpool), "::new(2).forward(y, &index);")]
        /// assert_eq!((z.numel(), z.sum().item()?), (x.numel(), y.sum().item()?));
        /// # Ok::<(), wengert_tape::Error>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
        pub struct $unpool {
            /// The window of the pool that is inverted.
            #[module(skip)]
            pub window: Window<$d>,
        }

        impl $unpool {
            /// Inverts a pool with this window.
            pub fn new(window: impl Into<Window<$d>>) -> Self {
                $unpool { window: window.into() }
            }

            /// `x` at the positions `index`, in the smallest input that the pool could have had: (n - 1) stride - 2 padding +
            /// size along each axis. If the pool did not cover the end of its input, use [`forward_to`](Self::forward_to), since
            /// positions count along whole rows.
            #[track_caller]
            pub fn forward<'t, T: Float>(&self, x: Var<'t, T>, index: &Tensor<i64>) -> Var<'t, T> {
                let (shape, mut sizes) = (x.shape(), [0; $d]);
                if x.is_failed() {
                    return x;
                }
                let first = shape.rank().saturating_sub($d);
                for (i, &n) in shape.as_shape().iter().skip(first).enumerate() {
                    let (size, stride) = (self.window.size[i], self.window.stride[i]);
                    let whole = n.saturating_sub(1).saturating_mul(stride).saturating_add(size);
                    sizes[i] = whole.saturating_sub(self.window.padding[i].saturating_mul(2));
                }
                self.forward_to(x, index, sizes)
            }

            /// `x` at the positions `index`, in an input of the given sizes.
            #[track_caller]
            pub fn forward_to<'t, T: Float>(
                &self,
                x: Var<'t, T>,
                index: &Tensor<i64>,
                sizes: [usize; $d],
            ) -> Var<'t, T> {
                x.$unpool_op(index, sizes)
            }
        }
    )*};
}
pools! {
    1 MaxPool1d max_pool1d max_pool1d_with_indices AvgPool1d avg_pool1d
        AdaptiveMaxPool1d adaptive_max_pool1d AdaptiveAvgPool1d adaptive_avg_pool1d
        MaxUnpool1d max_unpool1d "`[batch, channels, length]`";
    2 MaxPool2d max_pool2d max_pool2d_with_indices AvgPool2d avg_pool2d
        AdaptiveMaxPool2d adaptive_max_pool2d AdaptiveAvgPool2d adaptive_avg_pool2d
        MaxUnpool2d max_unpool2d "`[batch, channels, height, width]`";
}

/// The average of each channel over all its positions, `[batch, channels, ..]` → `[batch, channels]`.
///
/// ```
/// use wengert_nn::{GlobalAvgPool, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::from([[[1.0, 3.0], [5.0, 5.0]]]));
/// assert_eq!(GlobalAvgPool.forward(x).value()?, Tensor::from([[2.0, 5.0]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
pub struct GlobalAvgPool;

impl<T: Float> Layer<T> for GlobalAvgPool {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        match places(x, "global_avg_pool") {
            Ok(x) => x.mean_axes(-1),
            Err(failed) => failed,
        }
    }
}

/// The largest element of each channel over all its positions, `[batch, channels, ..]` → `[batch, channels]`.
///
/// ```
/// use wengert_nn::{GlobalMaxPool, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::from([[[1.0, 3.0], [5.0, 5.0]]]));
/// assert_eq!(GlobalMaxPool.forward(x).value()?, Tensor::from([[3.0, 5.0]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
pub struct GlobalMaxPool;

impl<T: Float> Layer<T> for GlobalMaxPool {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        match places(x, "global_max_pool") {
            Ok(x) => x.max_axes(-1),
            Err(failed) => failed,
        }
    }
}

/// The positions of each channel merged into one axis, or the failed value to return.
#[track_caller]
fn places<'t, T: Float>(x: Var<'t, T>, op: &'static str) -> Result<Var<'t, T>, Var<'t, T>> {
    if x.is_failed() {
        return Err(x);
    }
    if x.rank() < 3 {
        return Err(refused(x.tape(), op, format!("expected x [batch, channels, ..], found {}", x.shape())));
    }
    Ok(x.flatten(2))
}

/// Pads the last axes with zeros; `widths` has a pair `(before, after)` for each of them.
///
/// ```
/// use wengert_nn::{Layer, ZeroPad};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::<f32>::ones([1, 1, 3, 3]));
/// let y = ZeroPad::new([(1, 0), (2, 2)]).forward(x);
/// assert_eq!((y.shape().to_string(), y.sum().item()?), ("[1, 1, 4, 7]".into(), 9.0));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "ZeroPad1d")]
#[doc(alias = "ZeroPad2d")]
#[doc(alias = "ZeroPad3d")]
#[derive(Debug, Clone, PartialEq, Eq, Module)]
pub struct ZeroPad {
    /// The numbers of zeros before and after, for each of the last axes.
    #[module(skip)]
    pub widths: Vec<(usize, usize)>,
}

impl ZeroPad {
    /// A layer that pads by these numbers of zeros before and after, for each of the last axes.
    pub fn new(widths: impl Into<Vec<(usize, usize)>>) -> Self {
        ZeroPad { widths: widths.into() }
    }
}

impl<T: Float> Layer<T> for ZeroPad {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        if x.is_failed() {
            return x;
        }
        let Some(whole) = x.rank().checked_sub(self.widths.len()) else {
            let detail = format!("expected at least {} axes, found {}", self.widths.len(), x.shape());
            return refused(x.tape(), "zero_pad", detail);
        };
        let widths: Vec<_> = std::iter::repeat_n((0, 0), whole).chain(self.widths.iter().copied()).collect();
        x.pad(&widths, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::random::Rng;
    use wengert_tape::Tape;

    type Pool<'a> = &'a dyn Layer<f64>;

    #[test]
    fn gradients_are_right() {
        let x = Tensor::<f64>::randn([2, 2, 5, 4], &mut Rng::seed(0)).unwrap();
        let window = Window::new(3).stride(2).padding(1);
        let pools: [Pool<'_>; 7] = [
            &MaxPool2d::new(window),
            &AvgPool2d::new(window).divisor(AvgDivisor::Inside),
            &AdaptiveMaxPool2d::new([2, 3]),
            &AdaptiveAvgPool2d::new(2),
            &GlobalAvgPool,
            &GlobalMaxPool,
            &ZeroPad::new([(1, 2), (0, 1)]),
        ];
        for pool in pools {
            let report = wengert_tape::gradcheck::Check::new("pool")
                .run(|x| pool.forward(x[0]).square().sum(), std::slice::from_ref(&x));
            assert!(report.passed(), "{report}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let tape = Tape::<f64>::new();
        let x = tape.constant(Tensor::ones([2, 3]));
        let pools: [(Pool<'_>, &str); 6] = [
            (&MaxPool2d::new(2), "max_pool2d"),
            (&AvgPool1d::new(4), "avg_pool1d"),
            (&AdaptiveAvgPool2d::new(2), "adaptive_avg_pool2d"),
            (&GlobalAvgPool, "global_avg_pool"),
            (&GlobalMaxPool, "global_max_pool"),
            (&ZeroPad::new([(0, 1); 3]), "zero_pad"),
        ];
        for (pool, op) in pools {
            let e = pool.forward(x).value().unwrap_err();
            assert!(e.op() == op && e.location().map(|at| at.file()) == Some(file!()), "{e}");
        }
        let e = MaxUnpool2d::new(2).forward(x, &Tensor::from([0])).value().unwrap_err();
        assert_eq!(e.op(), "max_unpool2d");
    }

    #[test]
    fn an_undone_pool_has_the_size_it_had() {
        let tape = Tape::<f64>::new();
        let x = tape.constant(Tensor::randn([1, 2, 6, 7], &mut Rng::seed(0)));
        let back = MaxUnpool2d::new(2);
        let (y, index) = MaxPool2d::new(2).forward_with_indices(x.slice(3, ..6));
        assert_eq!(back.forward(y, &index).shape(), [1, 2, 6, 6]);
        let (y, index) = MaxPool2d::new(2).forward_with_indices(x);
        let whole = back.forward_to(y, &index, [6, 7]);
        // The unpooled output is x where it was the largest of a window, and zero elsewhere.
        let (x, whole) = (x.value().unwrap().to_vec(), whole.value().unwrap().to_vec());
        assert_eq!(whole.iter().filter(|v| **v != 0.0).count(), 18);
        assert!(x.iter().zip(&whole).all(|(x, w)| *w == 0.0 || x == w));
    }
}
