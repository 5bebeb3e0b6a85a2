//! [`Conv1d`] and [`Conv2d`]: kernels that move over a signal or an image. [`ConvTranspose1d`] and [`ConvTranspose2d`]: their
//! transposes, which enlarge a signal or an image.

use crate::Module;
use crate::init;
use crate::layers::{Layer, optional, redraw, weight_and_bias};
use wengert_ops::random::Rng;
use wengert_ops::{ConvOptions, ConvTransposeOptions, PerAxis};
use wengert_tape::{Float, Param, Var};

/// Layers, each with its number of axes, options, operation, and the first two axes of its weight.
macro_rules! convolutions {
    ($($(#[$doc:meta])* $name:ident $d:literal $Options:ident $conv:ident
        ($inputs:ident, $outputs:ident) -> [$first:expr, $second:expr] $weight:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Module)]
        pub struct $name<T: Float> {
            #[doc = $weight]
            pub weight: Param<T>,
            /// The bias, `[outputs]`.
            pub bias: Option<Param<T>>,
            /// Stride, padding, dilation and groups; for a transposed convolution, also the output padding.
            #[module(skip)]
            pub options: $Options<$d>,
        }

        impl<T: Float> $name<T> {
            /// A layer with stride 1 and without padding; see [`with_config`](Self::with_config).
            ///
            /// # Panics
            /// If the weight does not fit in memory.
            pub fn new($inputs: usize, $outputs: usize, kernel: impl PerAxis<$d>, rng: &mut Rng) -> Self {
                Self::with_config($inputs, $outputs, kernel, $Options::default(), rng)
            }

            /// A layer with weights and biases uniform on ±1/√n, PyTorch's default; n is the size of the kernel times
            #[doc = concat!(stringify!($second), " / groups. Invalid options are refused when the layer is used.")]
            ///
            /// # Panics
            /// If the weight does not fit in memory.
            pub fn with_config(
                $inputs: usize,
                $outputs: usize,
                kernel: impl PerAxis<$d>,
                options: $Options<$d>,
                rng: &mut Rng,
            ) -> Self {
                let mut shape = vec![$first, $second / options.groups.max(1)];
                shape.extend(kernel.per_axis());
                let n = shape[1..].iter().map(|&n| n as f64).product();
                let (weight, bias) = weight_and_bias(&shape, $outputs, n, rng);
                $name { weight, bias, options }
            }

            /// The layer without its bias, which a batch norm after the layer would remove again.
            #[must_use]
            pub fn without_bias(mut self) -> Self {
                self.bias = None;
                self
            }

            /// The layer with its weights drawn from `scheme` and a bias of zero.
            #[must_use]
            pub fn init(mut self, scheme: init::Scheme, rng: &mut Rng) -> Self {
                redraw(&mut self.weight, &mut self.bias, scheme, rng);
                self
            }
        }

        impl<T: Float> Layer<T> for $name<T> {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let tape = x.tape();
                x.$conv(tape.param(&self.weight), optional(tape, &self.bias), self.options)
            }
        }
    )*};
}
convolutions! {
    /// Convolution over one axis, `[batch, inputs, length]` → `[batch, outputs, positions]`; weight and bias have PyTorch's
    /// layouts. [`sizes::conv`](crate::sizes::conv) returns the number of positions.
    ///
    /// ```
    /// use wengert_nn::{Conv1d, Layer, Module};
    /// use wengert_ops::{ConvOptions, Tensor, random::Rng};
    /// let layer = Conv1d::<f32>::with_config(2, 4, 3, ConvOptions::default().same().dilation(2), &mut Rng::seed(0));
    /// assert_eq!(layer.num_params(), 4 * 2 * 3 + 4);
    /// let tape = wengert_tape::Tape::eval();
    /// assert_eq!(layer.forward(tape.constant(Tensor::zeros([5, 2, 9]))).shape(), [5, 4, 9]);
    /// ```
    Conv1d 1 ConvOptions conv1d (inputs, outputs) -> [outputs, inputs] "`[outputs, inputs / groups, kernel]`.";
    /// Convolution over two axes, `[batch, inputs, height, width]` → `[batch, outputs, ..]`; weight and bias have PyTorch's
    /// layouts. [`sizes::conv`](crate::sizes::conv) returns the sizes of the output.
    ///
    /// If there are as many groups as inputs, each channel has its own kernels: a depthwise convolution.
    ///
    /// ```
    /// use wengert_nn::{Conv2d, Layer, Module};
    /// use wengert_ops::{ConvOptions, Tensor, random::Rng};
    /// let mut rng = Rng::seed(0);
    /// let layer = Conv2d::<f32>::with_config(3, 8, 3, ConvOptions::default().stride(2).padding(1), &mut rng);
    /// assert_eq!(layer.num_params(), 8 * 3 * 3 * 3 + 8);
    /// let depthwise = Conv2d::<f32>::with_config(8, 8, 3, ConvOptions::default().groups(8), &mut rng).without_bias();
    /// assert_eq!(depthwise.num_params(), 8 * 3 * 3);
    /// let tape = wengert_tape::Tape::eval();
    /// let y = layer.forward(tape.constant(Tensor::zeros([1, 3, 32, 31])));
    /// assert_eq!((y.shape().to_string(), depthwise.forward(y).shape().to_string()), ("[1, 8, 16, 16]".into(), "[1, 8, 14, 14]".into()));
    /// ```
    Conv2d 2 ConvOptions conv2d (inputs, outputs) -> [outputs, inputs] "`[outputs, inputs / groups, kernel height, kernel width]`.";

    /// Transposed convolution over one axis, `[batch, inputs, length]` → `[batch, outputs, ..]`; weight and bias have PyTorch's
    /// layouts. [`sizes::conv_transpose`](crate::sizes::conv_transpose) returns the length of the output.
    ///
    /// ```
    /// use wengert_nn::{ConvTranspose1d, Layer};
    /// use wengert_ops::{ConvTransposeOptions, Tensor, random::Rng};
    /// let options = ConvTransposeOptions::default().stride(2);
    /// let layer = ConvTranspose1d::<f32>::with_config(3, 2, 2, options, &mut Rng::seed(0));
    /// let tape = wengert_tape::Tape::eval();
    /// assert_eq!(layer.forward(tape.constant(Tensor::zeros([5, 3, 4]))).shape(), [5, 2, 8]);
    /// ```
    ConvTranspose1d 1 ConvTransposeOptions conv_transpose1d (inputs, outputs) -> [inputs, outputs] "`[inputs, outputs / groups, kernel]`.";
    /// Transposed convolution over two axes, `[batch, inputs, height, width]` → `[batch, outputs, ..]`; weight and bias have
    /// PyTorch's layouts. [`sizes::conv_transpose`](crate::sizes::conv_transpose) returns the sizes of the output.
    ///
    /// ```
    /// use wengert_nn::{ConvTranspose2d, Layer, Module};
    /// use wengert_ops::{ConvTransposeOptions, Tensor, random::Rng};
    /// let options = ConvTransposeOptions::default().stride(2).padding(1);
    /// let layer = ConvTranspose2d::<f32>::with_config(8, 3, 4, options, &mut Rng::seed(0));
    /// assert_eq!(layer.num_params(), 8 * 3 * 4 * 4 + 3);
    /// let tape = wengert_tape::Tape::eval();
    /// assert_eq!(layer.forward(tape.constant(Tensor::zeros([1, 8, 7, 5]))).shape(), [1, 3, 14, 10]);
    /// ```
    ConvTranspose2d 2 ConvTransposeOptions conv_transpose2d (inputs, outputs) -> [inputs, outputs] "`[inputs, outputs / groups, kernel height, kernel width]`.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gradcheck, sizes};
    use proptest::prelude::{ProptestConfig, prop, prop_assert, prop_assert_eq, proptest};
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    #[test]
    fn gradients_are_right() {
        let options = ConvOptions::default().stride([2, 1]).padding(1).dilation([1, 2]).groups(2);
        let mut layer = Conv2d::<f64>::with_config(2, 4, [3, 2], options, &mut Rng::seed(0));
        let x = Tensor::randn([2, 2, 5, 4], &mut Rng::seed(1)).unwrap();
        let report =
            gradcheck::check(&mut layer, |l, tape| l.forward(tape.constant(&x)).tanh().sum(), 4).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        let mut layer = Conv1d::<f64>::with_config(2, 3, 3, ConvOptions::default().same(), &mut Rng::seed(0));
        let x = Tensor::randn([2, 2, 5], &mut Rng::seed(1)).unwrap();
        let report =
            gradcheck::check(&mut layer, |l, tape| l.forward(tape.constant(&x)).tanh().sum(), 4).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        assert_eq!(layer.param_names(), ["weight", "bias"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        /// If an input moves inside a frame of zeros, the output moves with it and does not change otherwise.
        #[test]
        fn convolution_moves_with_its_input(
            kernel in prop::array::uniform2(1usize..=3),
            dilation in prop::array::uniform2(1usize..=2),
            shift in prop::array::uniform2(-3isize..=3),
            seed in 0u64..1000,
        ) {
            let options = ConvOptions::default().padding([4, 4]).dilation(dilation);
            let layer = Conv2d::<f64>::with_config(2, 3, kernel, options, &mut Rng::seed(seed));
            let tape = Tape::eval();
            let inside: Tensor<f64> = Tensor::randn([1, 2, 4, 5], &mut Rng::seed(seed + 1)).unwrap();
            let frame = (3, 3);
            let x = tape.constant(inside).pad(&[(0, 0), (0, 0), frame, frame], 0.0);
            let moved = |v: Var<'_, f64>| v.roll(2, shift[0]).roll(3, shift[1]).value().unwrap();
            let (a, b) = (layer.forward(tape.constant(moved(x))).value().unwrap(), moved(layer.forward(x)));
            prop_assert!(a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() < 1e-12));
        }

        /// An output depends on exactly the inputs in its receptive field.
        #[test]
        fn the_receptive_field_is_what_an_output_depends_on(
            layers in prop::collection::vec((1usize..=3, 1usize..=2, 1usize..=2), 1..=3),
        ) {
            let tape = Tape::new();
            let field = sizes::receptive_field(&layers);
            let x = tape.var(Tensor::<f64>::ones([1, 1, field]));
            let mut y = x;
            for &(kernel, stride, dilation) in &layers {
                let options = ConvOptions::default().stride(stride).dilation(dilation);
                let layer = Conv1d::<f64>::with_config(1, 1, kernel, options, &mut Rng::seed(0));
                y = layer.init(init::Scheme::Ones, &mut Rng::seed(0)).forward(y);
            }
            prop_assert_eq!(y.numel(), 1);
            let seen = y.sum().backward().unwrap().wrt(x).unwrap().to_vec();
            prop_assert!(seen[0] != 0.0 && seen[field - 1] != 0.0);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let tape = Tape::<f64>::new();
        let x = tape.constant(Tensor::ones([1, 3, 4, 4]));
        let mut rng = Rng::seed(0);
        for layer in [
            Conv2d::new(2, 4, 3, &mut rng),
            Conv2d::new(3, 4, 5, &mut rng),
            Conv2d::with_config(3, 4, 3, ConvOptions::default().groups(0), &mut rng),
            Conv2d::with_config(3, 4, 3, ConvOptions::default().groups(2), &mut rng),
            Conv2d::with_config(3, 4, 3, ConvOptions::default().stride(0), &mut rng),
        ] {
            let e = layer.forward(x).value().unwrap_err();
            assert!(e.op() == "conv2d" && e.location().map(|at| at.file()) == Some(file!()), "{e}");
        }
    }

    #[test]
    fn gradients_of_transposes_are_right() {
        let options =
            ConvTransposeOptions::default().stride([2, 3]).padding(1).output_padding([1, 2]).groups(2);
        let mut layer = ConvTranspose2d::<f64>::with_config(4, 2, [3, 2], options, &mut Rng::seed(0));
        let x = Tensor::randn([2, 4, 3, 2], &mut Rng::seed(1)).unwrap();
        let report =
            gradcheck::check(&mut layer, |l, tape| l.forward(tape.constant(&x)).tanh().sum(), 4).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        let mut layer = ConvTranspose1d::<f64>::new(2, 3, 2, &mut Rng::seed(0));
        let x = Tensor::randn([2, 2, 3], &mut Rng::seed(1)).unwrap();
        let report =
            gradcheck::check(&mut layer, |l, tape| l.forward(tape.constant(&x)).tanh().sum(), 4).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    /// ⟨conv(x), y⟩ = ⟨x, transposed(y)⟩ for the same weight.
    #[test]
    fn a_transpose_is_the_adjoint_of_a_convolution() {
        let mut rng = Rng::seed(0);
        let options = ConvOptions::default().stride(2).padding(1);
        let conv = Conv2d::<f64>::with_config(3, 4, 3, options, &mut rng).without_bias();
        let options = ConvTransposeOptions::default().stride(2).padding(1).output_padding([1, 0]);
        let mut back = ConvTranspose2d::<f64>::with_config(4, 3, 3, options, &mut rng).without_bias();
        back.weight.set(conv.weight.value().clone()).unwrap();
        let tape = Tape::eval();
        let x = tape.constant(Tensor::randn([1, 3, 6, 5], &mut rng));
        let y = conv.forward(x);
        let g = tape.constant(Tensor::randn(y.shape(), &mut rng));
        let (a, b) = ((y * g).sum().item().unwrap(), (x * back.forward(g)).sum().item().unwrap());
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn what_does_not_fit_a_transpose_is_refused() {
        let tape = Tape::<f64>::new();
        let x = tape.constant(Tensor::ones([1, 3, 4, 4]));
        let mut rng = Rng::seed(0);
        let extra = ConvTransposeOptions::default().output_padding(1);
        for layer in [
            ConvTranspose2d::new(2, 4, 3, &mut rng),
            ConvTranspose2d::with_config(3, 4, 3, extra, &mut rng),
            ConvTranspose2d::with_config(3, 4, 3, ConvTransposeOptions::default().groups(0), &mut rng),
        ] {
            let e = layer.forward(x).value().unwrap_err();
            assert!(e.op() == "conv_transpose2d" && e.location().map(|at| at.file()) == Some(file!()), "{e}");
        }
    }
}
