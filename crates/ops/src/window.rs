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
    /// As many as make the output as long as the input, one more at the end where the number is odd; for stride 1.
    Same,
}

/// Stride, padding, dilation and groups of a convolution over `D` axes: 1, 0, 1 and 1 unless told otherwise.
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

/// Stride, padding, output padding, dilation and groups of a transposed convolution over `D` axes: 1, 0, 0, 1 and 1
/// unless told otherwise. They are those of the convolution whose adjoint it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvTransposeOptions<const D: usize> {
    /// The distance between the places at which neighbouring inputs put the kernel.
    pub stride: [usize; D],
    /// How much is cut from the result on either side.
    pub padding: [usize; D],
    /// How much is added to the result at its end: which of several inputs of the convolution, all with the same
    /// output size, is meant. Below the stride or the dilation.
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
