//! How a kernel moves over the spatial axes of its input: the options of convolutions and pools.

/// One number for each of `D` spatial axes; a single number applies to all of them.
pub trait PerAxis<const D: usize> {
    /// The number for each axis.
    fn per_axis(self) -> [usize; D];
}

impl<const D: usize> PerAxis<D> for usize {
    fn per_axis(self) -> [usize; D] {
        [self; D]
    }
}

impl<const D: usize> PerAxis<D> for [usize; D] {
    fn per_axis(self) -> [usize; D] {
        self
    }
}

/// Methods that set a field, each to one number per axis.
macro_rules! set_per_axis {
    ($($(#[$doc:meta])* $field:ident)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, $field: impl PerAxis<D>) -> Self {
            self.$field = $field.per_axis();
            self
        }
    )*};
}

/// The zero padding of a convolution's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding<const D: usize> {
    /// The number of zeros on either side, for each axis.
    Each([usize; D]),
    /// The number of zeros that makes the output as long as the input; if it is odd, the end gets one more. Requires
    /// stride 1.
    Same,
}

/// Stride, padding, dilation and groups of a convolution over `D` axes: 1, 0, 1 and 1 by default.
///
/// ```
/// use wengert_ops::{ConvOptions, Padding};
/// let options = ConvOptions::<2>::default().stride(2).padding([1, 0]);
/// assert_eq!((options.stride, options.padding), ([2, 2], Padding::Each([1, 0])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvOptions<const D: usize> {
    /// The distance between adjacent positions of the kernel. Default: `1` on every axis.
    pub stride: [usize; D],
    /// The zero padding of the input. Default: `Each(0)`, on every axis.
    pub padding: Padding<D>,
    /// The distance between adjacent elements of the kernel. Default: `1` on every axis.
    pub dilation: [usize; D],
    /// The number of groups of equal size that divide the channels; a group of outputs reads only its group of inputs.
    /// Default: `1`.
    pub groups: usize,
}

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> Self {
        ConvOptions { stride: [1; D], padding: Padding::Each([0; D]), dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> ConvOptions<D> {
    /// Sets the number of zeros on either side.
    #[must_use]
    pub fn padding(mut self, padding: impl PerAxis<D>) -> Self {
        self.padding = Padding::Each(padding.per_axis());
        self
    }

    /// Pads with the number of zeros that makes the output as long as the input: [`Padding::Same`].
    #[must_use]
    pub fn same(mut self) -> Self {
        self.padding = Padding::Same;
        self
    }

    /// Sets the number of groups of channels.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    set_per_axis! {
        /// Sets the distance between adjacent positions of the kernel.
        stride

        /// Sets the distance between adjacent elements of the kernel.
        dilation
    }
}

/// Stride, padding, output padding, dilation and groups of a transposed convolution over `D` axes: 1, 0, 0, 1 and 1 by
/// default. They are the options of the convolution of which it is the adjoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvTransposeOptions<const D: usize> {
    /// The distance between the positions at which adjacent inputs place the kernel. Default: `1` on every axis.
    pub stride: [usize; D],
    /// The number of elements cut from the result on either side. Default: `0` on every axis.
    pub padding: [usize; D],
    /// The number of elements added at the end of the result; must be below the stride. Inputs of several sizes can
    /// give the convolution's output the same size; this selects one of the sizes. Default: `0` on every axis.
    pub output_padding: [usize; D],
    /// The distance between adjacent elements of the kernel. Default: `1` on every axis.
    pub dilation: [usize; D],
    /// The number of groups of equal size that divide the channels. Default: `1`.
    pub groups: usize,
}

impl<const D: usize> Default for ConvTransposeOptions<D> {
    fn default() -> Self {
        ConvTransposeOptions {
            stride: [1; D],
            padding: [0; D],
            output_padding: [0; D],
            dilation: [1; D],
            groups: 1,
        }
    }
}

impl<const D: usize> ConvTransposeOptions<D> {
    set_per_axis! {
        /// Sets the distance between the positions at which adjacent inputs place the kernel.
        stride

        /// Sets the number of elements cut from the result on either side.
        padding

        /// Sets the number of elements added at the end of the result.
        output_padding

        /// Sets the distance between adjacent elements of the kernel.
        dilation
    }

    /// Sets the number of groups of channels.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

/// A window that moves over `D` axes, for pools and patches. By default, its stride is its size, its padding 0 and its
/// dilation 1. A number, or one for each axis, converts to a window.
///
/// ```
/// use wengert_ops::Window;
/// let window = Window::<2>::new(3).stride(2).padding(1);
/// assert_eq!((window.size, window.stride), ([3, 3], [2, 2]));
/// assert_eq!(Window::<2>::from(2), Window::new([2, 2]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window<const D: usize> {
    /// The number of elements along each axis.
    pub size: [usize; D],
    /// The distance between adjacent positions of the window.
    pub stride: [usize; D],
    /// The number of padding positions on either side of the input.
    pub padding: [usize; D],
    /// The distance between adjacent elements of the window.
    pub dilation: [usize; D],
    /// Whether a last window that reaches beyond the end counts too, if it begins inside.
    pub ceil: bool,
}

impl<const D: usize> Window<D> {
    /// A window of the given size that moves by its size.
    pub fn new(size: impl PerAxis<D>) -> Self {
        let size = size.per_axis();
        Window { size, stride: size, padding: [0; D], dilation: [1; D], ceil: false }
    }

    set_per_axis! {
        /// Sets the distance between adjacent positions of the window.
        stride

        /// Sets the number of padding positions on either side of the input.
        padding

        /// Sets the distance between adjacent elements of the window.
        dilation
    }

    /// Allows a last window that reaches beyond the end.
    #[must_use]
    pub fn ceil(mut self) -> Self {
        self.ceil = true;
        self
    }
}

impl<const D: usize, P: PerAxis<D>> From<P> for Window<D> {
    fn from(size: P) -> Self {
        Window::new(size)
    }
}

/// The divisor of an average over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AvgDivisor {
    /// The number of elements of the window, padding included.
    #[default]
    Window,
    /// The number of elements of the window that are inside the input.
    Inside,
    /// The given number.
    Of(usize),
}

/// The size of a resampled plane: a number of elements for each axis (an array is one), or a factor.
///
/// ```
/// use wengert_ops::Resize;
/// assert_eq!(Resize::from([4, 6]), Resize::To([4, 6]));
/// assert_eq!(Resize::<2>::by(2.0), Resize::By([2.0, 2.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resize<const D: usize> {
    /// The number of elements along each axis.
    To([usize; D]),
    /// The factor of the number of elements along each axis; the product is rounded down.
    By([f64; D]),
}

impl<const D: usize> Resize<D> {
    /// The same factor for every axis.
    pub fn by(factor: f64) -> Self {
        Resize::By([factor; D])
    }
}

impl<const D: usize> From<[usize; D]> for Resize<D> {
    fn from(sizes: [usize; D]) -> Self {
        Resize::To(sizes)
    }
}

/// Which points of input and output coincide when a plane is resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AlignCorners {
    /// The outer edges of the first and last elements, elements being areas (PyTorch's `align_corners=False`).
    #[default]
    Edges,
    /// The centres of the first and last elements (PyTorch's `align_corners=True`).
    Centres,
}
