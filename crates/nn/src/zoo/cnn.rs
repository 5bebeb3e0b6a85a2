//! Convolutional classifiers of images: LeNet-5 and a small VGG.

use crate::init::{Gain, Scheme};
use crate::layers::{
    Activation, BatchNorm, Conv2d, Dropout, Flatten, GlobalAvgPool, Linear, MaxPool2d, Sequential,
};
use wengert_ops::ConvOptions;
use wengert_ops::random::Rng;
use wengert_tape::Float;

/// A modern LeNet-5: two 5 × 5 convolutions, each followed by a pool, and three affine maps; `[n, channels, size, size]` →
/// logits `[n, classes]`. ReLU replaces the scaled tanh, and the largest of four replaces the trained average. (LeCun et al.
/// 1998, section II.B.)
///
/// ```
/// use wengert_nn::{Layer, Module, zoo::lenet};
/// use wengert_ops::{Tensor, random::Rng};
/// let net = lenet::<f32>(1, 28, 10, &mut Rng::seed(0));
/// assert_eq!(net.num_params(), 61_706);
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(net.forward(tape.constant(Tensor::zeros([2, 1, 28, 28]))).shape(), [2, 10]);
/// ```
pub fn lenet<T: Float>(channels: usize, size: usize, classes: usize, rng: &mut Rng) -> Sequential<T> {
    // The first convolution keeps the size, as if the images were padded to 32 × 32.
    let flat = 16 * ((size / 2).saturating_sub(4) / 2).pow(2);
    Sequential::new()
        .push(Conv2d::with_config(channels, 6, 5, ConvOptions::default().padding(2), rng))
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Conv2d::new(6, 16, 5, rng))
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(flat, 120, rng))
        .push(Activation::Relu)
        .push(Linear::new(120, 84, rng))
        .push(Activation::Relu)
        .push(Linear::new(84, classes, rng))
}

/// The shape of a [`vgg`].
#[derive(Debug, Clone, PartialEq)]
pub struct VggConfig {
    /// The number of channels of the images. Default: `1`.
    pub channels: usize,
    /// The number of classes. Default: `10`.
    pub classes: usize,
    /// The numbers of channels of the convolutions of each stage; a pool after each stage halves the size.
    /// Default: `[[32, 32], [64, 64], [128, 128]]`.
    pub stages: Vec<Vec<usize>>,
    /// The probability of dropping a feature before the head. Default: `0.3`.
    pub dropout: f64,
}

impl Default for VggConfig {
    /// Three stages of two convolutions, for images of 28 or 32 pixels.
    fn default() -> Self {
        VggConfig {
            channels: 1,
            classes: 10,
            stages: vec![vec![32, 32], vec![64, 64], vec![128, 128]],
            dropout: 0.3,
        }
    }
}

/// A small VGG: stages of 3 × 3 convolutions, each with batch norm and ReLU, and a pool after every stage; then the mean over
/// all positions and an affine head; `[n, channels, h, w]` → logits `[n, classes]`. (Simonyan and Zisserman 2015; batch norm:
/// Ioffe and Szegedy 2015.)
///
/// ```
/// use wengert_nn::{Layer, Module, zoo::{VggConfig, vgg}};
/// use wengert_ops::{Tensor, random::Rng};
/// let net = vgg::<f32>(&VggConfig { stages: vec![vec![8], vec![16, 16]], ..VggConfig::default() }, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(net.forward(tape.constant(Tensor::zeros([2, 1, 28, 28]))).shape(), [2, 10]);
/// ```
pub fn vgg<T: Float>(config: &VggConfig, rng: &mut Rng) -> Sequential<T> {
    let (mut net, mut inputs) = (Sequential::new(), config.channels);
    for stage in &config.stages {
        for &outputs in stage {
            net = net
                .push(convolution(inputs, outputs, 3, 1, rng))
                .push(BatchNorm::new(outputs))
                .push(Activation::Relu);
            inputs = outputs;
        }
        net = net.push(MaxPool2d::new(2));
    }
    net.push(GlobalAvgPool).push(Dropout::new(config.dropout)).push(Linear::new(inputs, config.classes, rng))
}

/// A convolution that changes the size only by its stride, with Kaiming-normal weights and without a bias, since a batch norm
/// follows.
pub(super) fn convolution<T: Float>(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    rng: &mut Rng,
) -> Conv2d<T> {
    let options = ConvOptions::default().stride(stride).padding(kernel / 2);
    Conv2d::with_config(inputs, outputs, kernel, options, rng)
        .without_bias()
        .init(Scheme::KaimingNormal(Gain::Relu), rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Layer;
    use crate::optim::{Adam, Optimizer};
    use crate::zoo::{ResNet, ResNetConfig, Vit, VitConfig};
    use crate::{Module, gradcheck, loss, state};
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    /// Noisy images of 8 × 8 with one bright row or one bright column.
    fn bars(n: usize, rng: &mut Rng) -> (Tensor<f32>, Tensor<i64>) {
        let noise: Tensor<f32> = Tensor::randn([n, 1, 8, 8], rng).unwrap();
        let places: Tensor<f64> = wengert_ops::random::uniform([n], 0.0, 16.0, rng.next_key()).unwrap();
        let mut pixels: Vec<f32> = noise.to_vec().iter().map(|v| 0.3 * v).collect();
        let mut labels = Vec::new();
        for (i, place) in places.to_vec().into_iter().enumerate() {
            let (label, at) = ((place / 8.0) as usize, place as usize % 8);
            for k in 0..8 {
                pixels[i * 64 + if label == 0 { at * 8 + k } else { k * 8 + at }] += 1.0;
            }
            labels.push(label as i64);
        }
        (Tensor::from_vec(pixels, [n, 1, 8, 8]).unwrap(), Tensor::from(labels))
    }

    /// The network learns to distinguish rows from columns, differs between training and evaluation, and can be saved.
    fn learns(name: &str, steps: usize, mut net: Box<dyn Layer<f32>>, mut fresh: Box<dyn Layer<f32>>) {
        let mut rng = Rng::seed(11);
        let (mut adam, mut tape) = (Adam::new(3e-3), Tape::train(0));
        for _ in 0..steps {
            let (x, labels) = bars(32, &mut rng);
            tape.reset();
            let loss = loss::cross_entropy(net.forward(tape.constant(x)), &labels);
            adam.step(&mut net, &loss.backward().unwrap()).unwrap();
        }
        let (x, labels) = bars(200, &mut rng);
        let logits = |net: &dyn Layer<f32>, tape: Tape<f32>| net.forward(tape.constant(&x)).value().unwrap();
        let evaluated = logits(&*net, Tape::eval());
        let right = evaluated.argmax(-1).unwrap().to_vec();
        let right = right.iter().zip(labels.to_vec()).filter(|(a, b)| **a == *b).count();
        assert!(right >= 190, "{name}: {right} of 200");
        assert_ne!(evaluated, logits(&*net, Tape::train(1)), "{name}: dropout or batch norm");
        let file =
            std::env::temp_dir().join(format!("wengert-zoo-{name}-{}.safetensors", std::process::id()));
        state::save(&net, &file).unwrap();
        state::load(&mut fresh, &file).unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(logits(&*fresh, Tape::eval()), evaluated, "{name}");
    }

    fn checked(name: &str, size: usize, mut net: impl Layer<f64>) {
        let x: Tensor<f64> = Tensor::randn([3, 1, size, size], &mut Rng::seed(21)).unwrap();
        let labels = Tensor::from([0, 1, 1]);
        let errors = gradcheck::check_slopes(
            &mut net,
            |net, tape| loss::cross_entropy(net.forward(tape.constant(&x)), &labels),
            4,
            1e-7,
        )
        .unwrap();
        assert!(errors.iter().all(|e| *e < 1e-5), "{name}: {errors:?}");
        let tape = Tape::train(0);
        let loss = loss::cross_entropy(net.forward(tape.constant(&x)), &labels);
        let unused = crate::GradsExt::unused(&loss.backward().unwrap(), &net);
        assert!(unused.is_empty(), "{name}: {unused:?}");
    }

    fn small_vgg<T: Float>(seed: u64) -> Sequential<T> {
        let config = VggConfig { classes: 2, stages: vec![vec![4], vec![8, 8]], ..VggConfig::default() };
        vgg(&config, &mut Rng::seed(seed))
    }

    fn small_resnet<T: Float>(seed: u64) -> ResNet<T> {
        let config =
            ResNetConfig { channels: 1, classes: 2, widths: vec![4, 8], blocks: vec![1, 2], large: false };
        ResNet::with_config(&config, &mut Rng::seed(seed))
    }

    fn small_vit<T: Float>(seed: u64) -> Vit<T> {
        let config =
            VitConfig { size: 8, classes: 2, width: 16, heads: 2, layers: 2, ..VitConfig::default() };
        let config = VitConfig { patch: 2, ..config };
        Vit::with_config(&config, &mut Rng::seed(seed))
    }

    #[test]
    fn classifiers_of_images_learn_and_are_saved() {
        let lenet = |seed| lenet::<f32>(1, 8, 2, &mut Rng::seed(seed));
        // After two pools, an image of 8 × 8 is too small for LeNet's second convolution.
        let tape = Tape::eval();
        assert!(lenet(0).forward(tape.constant(Tensor::zeros([1, 1, 8, 8]))).is_failed());
        learns("vgg", 60, Box::new(small_vgg(1)), Box::new(small_vgg(2)));
        learns("resnet", 60, Box::new(small_resnet(1)), Box::new(small_resnet(2)));
        learns("vit", 250, Box::new(small_vit(1)), Box::new(small_vit(2)));
    }

    #[test]
    fn gradients_are_right() {
        checked("lenet", 12, lenet::<f64>(1, 12, 2, &mut Rng::seed(1)));
        checked("vgg", 8, small_vgg::<f64>(1));
        checked("resnet", 8, small_resnet::<f64>(1));
        checked("vit", 8, small_vit::<f64>(1));
    }

    #[test]
    fn the_networks_of_the_papers_have_their_sizes() {
        let count =
            |config: &ResNetConfig| ResNet::<f32>::with_config(config, &mut Rng::seed(0)).num_params();
        assert_eq!(count(&ResNetConfig::cifar(5)), 466_906);
        assert_eq!(count(&ResNetConfig::resnet18(1000)), 11_689_512);
        assert_eq!(count(&ResNetConfig::resnet34(1000)), 21_797_672);
    }
}
