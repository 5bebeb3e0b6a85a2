//! How a kernel moves over the spatial axes of its input: the options of convolutions and pools.

/// One number for each of `D` spatial axes: a number stands for all of them.
pub trait PerAxis<const D: usize> {
    /// The number of each axis.
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

/// Zeros around the input of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding<const D: usize> {
    /// For each axis, so many on either side.
    Each([usize; D]),
    /// As many as make the output as long as the input, one more at the end where the number is odd; for
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
    /// The distance between neighbouring places of the kernel.
    pub stride: [usize; D],
    /// Zeros around the input.
    pub padding: Padding<D>,
    /// The distance between neighbouring elements of the kernel.
    pub dilation: [usize; D],
    /// In how many groups of equal size the channels are; a group of outputs sees only its group of inputs.
    pub groups: usize,
}

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> Self {
        ConvOptions { stride: [1; D], padding: Padding::Each([0; D]), dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> ConvOptions<D> {
    /// With this distance between neighbouring places of the kernel.
    #[must_use]
    pub fn stride(mut self, stride: impl PerAxis<D>) -> Self {
        self.stride = stride.per_axis();
        self
    }

    /// With so many zeros on either side.
    #[must_use]
    pub fn padding(mut self, padding: impl PerAxis<D>) -> Self {
        self.padding = Padding::Each(padding.per_axis());
        self
    }

    /// With as many zeros as make the output as long as the input: [`Padding::Same`].
    #[must_use]
    pub fn same(mut self) -> Self {
        self.padding = Padding::Same;
        self
    }

    /// With this distance between neighbouring elements of the kernel.
    #[must_use]
    pub fn dilation(mut self, dilation: impl PerAxis<D>) -> Self {
        self.dilation = dilation.per_axis();
        self
    }

    /// With channels in so many groups.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

/// Stride, padding, output padding, dilation and groups of a transposed convolution over `D` axes: 1, 0, 0,
/// 1 and 1 by default. They are those of the convolution whose adjoint it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvTransposeOptions<const D: usize> {
    /// The distance between the places at which neighbouring inputs put the kernel.
    pub stride: [usize; D],
    /// How much is cut from the result on either side.
    pub padding: [usize; D],
    /// How much is added to the result at its end: which of several inputs of the convolution, all with the
    /// same output size, is meant. Below the stride.
    pub output_padding: [usize; D],
    /// The distance between neighbouring elements of the kernel.
    pub dilation: [usize; D],
    /// In how many groups of equal size the channels are.
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
    /// With this distance between the places at which neighbouring inputs put the kernel.
    #[must_use]
    pub fn stride(mut self, stride: impl PerAxis<D>) -> Self {
        self.stride = stride.per_axis();
        self
    }

    /// With so much cut from the result on either side.
    #[must_use]
    pub fn padding(mut self, padding: impl PerAxis<D>) -> Self {
        self.padding = padding.per_axis();
        self
    }

    /// With so much added to the result at its end.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl PerAxis<D>) -> Self {
        self.output_padding = output_padding.per_axis();
        self
    }

    /// With this distance between neighbouring elements of the kernel.
    #[must_use]
    pub fn dilation(mut self, dilation: impl PerAxis<D>) -> Self {
        self.dilation = dilation.per_axis();
        self
    }

    /// With channels in so many groups.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

/// A window that moves over `D` axes, for pools and patches: its stride is its size, its padding 0 and its
/// dilation 1 by default. A number, or one for each axis, is a window.
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
    /// How many elements it has along each axis.
    pub size: [usize; D],
    /// The distance between neighbouring places.
    pub stride: [usize; D],
    /// Places around the input.
    pub padding: [usize; D],
    /// The distance between neighbouring elements.
    pub dilation: [usize; D],
    /// Whether a last window that reaches over the end counts too, as long as it begins inside.
    pub ceil: bool,
}

impl<const D: usize> Window<D> {
    /// A window of the given size that moves by its size.
    pub fn new(size: impl PerAxis<D>) -> Self {
        let size = size.per_axis();
        Window { size, stride: size, padding: [0; D], dilation: [1; D], ceil: false }
    }

    /// With this distance between neighbouring places.
    #[must_use]
    pub fn stride(mut self, stride: impl PerAxis<D>) -> Self {
        self.stride = stride.per_axis();
        self
    }

    /// With so many places around the input.
    #[must_use]
    pub fn padding(mut self, padding: impl PerAxis<D>) -> Self {
        self.padding = padding.per_axis();
        self
    }

    /// With this distance between neighbouring elements.
    #[must_use]
    pub fn dilation(mut self, dilation: impl PerAxis<D>) -> Self {
        self.dilation = dilation.per_axis();
        self
    }

    /// With a last window that may reach over the end.
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

/// By what an average over a window divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AvgDivisor {
    /// The elements of the window, padding included.
    #[default]
    Window,
    /// The elements of the window that lie inside the input.
    Inside,
    /// A number.
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
    /// So many elements along each axis.
    To([usize; D]),
    /// So many times the elements of each axis, rounded down.
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

/// Which points of input and output lie on each other when a plane is resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AlignCorners {
    /// The outer edges of the first and last elements, elements being areas (`align_corners=False`
    /// elsewhere).
    #[default]
    Edges,
    /// The centres of the first and last elements (`align_corners=True` elsewhere).
    Centres,
}
