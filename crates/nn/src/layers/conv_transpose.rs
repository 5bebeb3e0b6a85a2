//! [`ConvTranspose1d`] and [`ConvTranspose2d`]: the transposes of convolutions, which enlarge a signal or an image.

use crate::Module;
use crate::init;
use crate::layers::Layer;
use wengert_ops::random::Rng;
use wengert_ops::{ConvTransposeOptions, PerAxis};
use wengert_tape::{Float, Param, Var};

macro_rules! transposed {
    ($($(#[$doc:meta])* $name:ident $d:literal $conv:ident $weight:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Module)]
        pub struct $name<T: Float> {
            #[doc = $weight]
            pub weight: Param<T>,
            /// The bias, `[outputs]`.
            pub bias: Option<Param<T>>,
            /// Stride, padding, output padding, dilation and groups.
            #[module(skip)]
            pub options: ConvTransposeOptions<$d>,
        }

        impl<T: Float> $name<T> {
            /// A layer with stride 1 and without padding; see [`with_config`](Self::with_config).
            ///
            /// # Panics
            /// If the weight does not fit in memory.
            pub fn new(inputs: usize, outputs: usize, kernel: impl PerAxis<$d>, rng: &mut Rng) -> Self {
                Self::with_config(inputs, outputs, kernel, ConvTransposeOptions::default(), rng)
            }

            /// A layer with weights and biases uniform on ±1/√n, PyTorch's default; n is the size of the kernel times
            /// outputs / groups. Invalid options are refused when the layer is used.
            ///
            /// # Panics
            /// If the weight does not fit in memory.
            pub fn with_config(
                inputs: usize,
                outputs: usize,
                kernel: impl PerAxis<$d>,
                options: ConvTransposeOptions<$d>,
                rng: &mut Rng,
            ) -> Self {
                let mut shape = vec![inputs, outputs / options.groups.max(1)];
                shape.extend(kernel.per_axis());
                let n = shape[1..].iter().map(|&n| n as f64).product::<f64>();
                let bound = 1.0 / n.max(1.0).sqrt();
                let weight = Param::new(init::uniform(&shape, bound, rng));
                let bias = Param::new(init::uniform(&[outputs], bound, rng));
                $name { weight, bias: Some(bias), options }
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
                self.weight = Param::new(scheme.sample(self.weight.shape(), rng));
                self.bias = self.bias.map(|b| Param::new(init::zeros(b.shape())));
                self
            }
        }

        impl<T: Float> Layer<T> for $name<T> {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let tape = x.tape();
                let weight = tape.param(&self.weight);
                let bias = match &self.bias {
                    Some(b) => Some(tape.param(b)),
                    None => None,
                };
                x.$conv(weight, bias, self.options)
            }
        }
    )*};
}
transposed! {
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
    ConvTranspose1d 1 conv_transpose1d "`[inputs, outputs / groups, kernel]`.";
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
    ConvTranspose2d 2 conv_transpose2d "`[inputs, outputs / groups, kernel height, kernel width]`.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::layers::Conv2d;
    use wengert_ops::{ConvOptions, Tensor};
    use wengert_tape::Tape;

    #[test]
    fn gradients_are_right() {
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
    fn it_is_the_adjoint_of_a_convolution() {
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
    fn what_does_not_fit_is_refused() {
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
