//! [`Upsample1d`], [`Upsample2d`] and [`PixelShuffle`]: larger signals and images without a transposed convolution.

use crate::Module;
use crate::layers::Layer;
use wengert_ops::{AlignCorners, Resize};
use wengert_tape::{Float, Var};

/// How the elements of an upsampled output are computed from those of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Element i of the output is element ⌊i / factor⌋ of the input.
    Nearest,
    /// Elements of the output are interpolated linearly between neighbours, along each axis.
    Linear(AlignCorners),
}

macro_rules! upsampling {
    ($($(#[$doc:meta])* $name:ident $d:literal $nearest:ident $linear:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Module)]
        pub struct $name {
            /// The sizes of the output, or the factors by which the input grows.
            #[module(skip)]
            pub resize: Resize<$d>,
            /// How elements of the output are computed.
            #[module(skip)]
            pub interpolation: Interpolation,
        }

        impl $name {
            /// Each element of the output is one of the input. Invalid sizes are refused when the layer is used.
            pub fn nearest(resize: impl Into<Resize<$d>>) -> Self {
                $name { resize: resize.into(), interpolation: Interpolation::Nearest }
            }

            /// Each element of the output is interpolated linearly between neighbours. Elements are areas whose outer edges
            /// keep their positions (`align_corners=False` in PyTorch).
            pub fn linear(resize: impl Into<Resize<$d>>) -> Self {
                $name { resize: resize.into(), interpolation: Interpolation::Linear(AlignCorners::Edges) }
            }
        }

        impl<T: Float> Layer<T> for $name {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                match self.interpolation {
                    Interpolation::Nearest => x.$nearest(self.resize),
                    Interpolation::Linear(corners) => x.$linear(self.resize, corners),
                }
            }
        }
    )*};
}
upsampling! {
    /// Upsamples `[.., channels, length]` by a factor or to a size.
    ///
    /// ```
    /// use wengert_nn::{Layer, Upsample1d};
    /// use wengert_ops::{Resize, Tensor};
    /// let tape = wengert_tape::Tape::eval();
    /// let x = tape.constant(Tensor::from([[[0.0, 4.0]]]));
    /// let y = Upsample1d::nearest(Resize::by(2.0)).forward(x).value()?;
    /// assert_eq!(y.to_vec(), [0.0, 0.0, 4.0, 4.0]);
    /// assert_eq!(Upsample1d::linear([4]).forward(x).value()?.to_vec(), [0.0, 1.0, 3.0, 4.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    Upsample1d 1 upsample_nearest1d upsample_linear1d;
    /// Upsamples `[.., channels, height, width]` by factors or to sizes.
    ///
    /// ```
    /// use wengert_nn::{Layer, Upsample2d};
    /// use wengert_ops::{Resize, Tensor};
    /// let tape = wengert_tape::Tape::eval();
    /// let x = tape.constant(Tensor::<f32>::ones([1, 3, 4, 5]));
    /// assert_eq!(Upsample2d::nearest(Resize::by(2.0)).forward(x).shape(), [1, 3, 8, 10]);
    /// assert_eq!(Upsample2d::linear([7, 7]).forward(x).shape(), [1, 3, 7, 7]);
    /// ```
    #[doc(alias = "Upsample")]
    #[doc(alias = "UpsamplingNearest2d")]
    Upsample2d 2 upsample_nearest2d upsample_bilinear2d;
}

/// Rearranges groups of r² channels into squares of r × r elements, `[.., r² channels, height, width]` →
/// `[.., channels, r height, r width]`. (Shi et al. 2016.)
///
/// ```
/// use wengert_nn::{Layer, PixelShuffle};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::<f32>::zeros([1, 12, 5, 6]));
/// assert_eq!(PixelShuffle::new(2).forward(x).shape(), [1, 3, 10, 12]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
pub struct PixelShuffle {
    /// The side r of a square.
    pub factor: usize,
}

impl PixelShuffle {
    /// A layer with squares of `factor` × `factor` elements.
    pub fn new(factor: usize) -> Self {
        PixelShuffle { factor }
    }
}

impl<T: Float> Layer<T> for PixelShuffle {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.pixel_shuffle(self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;
    use wengert_tape::Tape;

    #[test]
    fn gradients_are_right() {
        let x = Tensor::<f64>::randn([1, 4, 2, 3], &mut Rng::seed(0)).unwrap();
        let centres = Upsample2d {
            interpolation: Interpolation::Linear(AlignCorners::Centres),
            ..Upsample2d::linear([3, 4])
        };
        let layers: [&dyn Layer<f64>; 5] = [
            &Upsample2d::nearest(Resize::by(2.0)),
            &Upsample2d::linear(Resize::by(1.5)),
            &centres,
            &PixelShuffle::new(2),
            &Upsample2d::nearest([1, 5]),
        ];
        for layer in layers {
            let report = wengert_tape::gradcheck::Check::new("upsample")
                .run(|x| layer.forward(x[0]).square().sum(), std::slice::from_ref(&x));
            assert!(report.passed(), "{report}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let tape = Tape::<f64>::new();
        let x = tape.constant(Tensor::ones([1, 3, 2, 2]));
        for (y, op) in [
            (PixelShuffle::new(2).forward(x), "pixel_shuffle"),
            (PixelShuffle::new(0).forward(x), "pixel_shuffle"),
            (Upsample2d::nearest(Resize::by(-1.0)).forward(x), "upsample_nearest2d"),
            (Upsample2d::linear(Resize::by(f64::NAN)).forward(x), "upsample_bilinear2d"),
        ] {
            let e = y.value().unwrap_err();
            assert!(e.op() == op && e.location().map(|at| at.file()) == Some(file!()), "{e}");
        }
    }
}
