//! Residual networks.

use super::cnn::convolution;
use crate::Module;
use crate::layers::{Activation, BatchNorm, Conv2d, GlobalAvgPool, Layer, Linear, MaxPool2d, Sequential};
use wengert_ops::Window;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Var};

/// The shape of a [`ResNet`].
#[derive(Debug, Clone, PartialEq)]
pub struct ResNetConfig {
    /// The number of channels of the images.
    pub channels: usize,
    /// The number of classes.
    pub classes: usize,
    /// The number of channels of each stage; every stage but the first halves the size.
    pub widths: Vec<usize>,
    /// The number of blocks of each stage.
    pub blocks: Vec<usize>,
    /// Whether the network begins with a 7 × 7 convolution of stride 2 and a pool, for large images, instead of a 3 × 3
    /// convolution.
    pub large: bool,
}

impl ResNetConfig {
    /// The network for CIFAR with 6 n + 2 layers (He et al. 2016, section 4.2): 20 for n = 3, 32 for n = 5.
    pub fn cifar(n: usize) -> Self {
        ResNetConfig { channels: 3, classes: 10, widths: vec![16, 32, 64], blocks: vec![n; 3], large: false }
    }

    /// ResNet-18 (table 1 of the paper).
    pub fn resnet18(classes: usize) -> Self {
        ResNetConfig {
            channels: 3,
            classes,
            widths: vec![64, 128, 256, 512],
            blocks: vec![2, 2, 2, 2],
            large: true,
        }
    }

    /// ResNet-34 (table 1 of the paper).
    pub fn resnet34(classes: usize) -> Self {
        ResNetConfig { blocks: vec![3, 4, 6, 3], ..Self::resnet18(classes) }
    }
}

/// Two 3 × 3 convolutions with batch norms, and a shortcut: y = ReLU(F(x) + x). Where the shape changes, the shortcut is a
/// 1 × 1 convolution (option B of the paper).
#[derive(Debug, Clone, Module)]
pub struct BasicBlock<T: Float> {
    /// The first convolution, 3 × 3, inputs → outputs; with a stride of 2 if the stage halves the size.
    pub conv1: Conv2d<T>,
    /// The norm after `conv1`.
    pub bn1: BatchNorm<T>,
    /// The second convolution, 3 × 3, outputs → outputs, which keeps the size.
    pub conv2: Conv2d<T>,
    /// The norm after `conv2`.
    pub bn2: BatchNorm<T>,
    /// The shortcut's layers if the shape changes; `None` if x itself is added.
    pub downsample: Option<Shortcut<T>>,
}

/// A 1 × 1 convolution and its batch norm.
#[derive(Debug, Clone, Module)]
pub struct Shortcut<T: Float> {
    /// The convolution, 1 × 1, inputs → outputs.
    pub conv: Conv2d<T>,
    /// The norm after `conv`.
    pub bn: BatchNorm<T>,
}

impl<T: Float> BasicBlock<T> {
    fn new(inputs: usize, outputs: usize, stride: usize, rng: &mut Rng) -> Self {
        let (conv1, conv2) =
            (convolution(inputs, outputs, 3, stride, rng), convolution(outputs, outputs, 3, 1, rng));
        let changes = stride != 1 || inputs != outputs;
        let downsample = if changes {
            Some(Shortcut { conv: convolution(inputs, outputs, 1, stride, rng), bn: BatchNorm::new(outputs) })
        } else {
            None
        };
        BasicBlock { conv1, bn1: BatchNorm::new(outputs), conv2, bn2: BatchNorm::new(outputs), downsample }
    }
}

impl<T: Float> Layer<T> for BasicBlock<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let h = self.bn1.forward(self.conv1.forward(x)).relu();
        let h = self.bn2.forward(self.conv2.forward(h));
        let around = match &self.downsample {
            Some(s) => s.bn.forward(s.conv.forward(x)),
            None => x,
        };
        scope.close((h + around).relu())
    }
}

/// A residual network for images, `[n, channels, h, w]` → logits `[n, classes]`. (He, Zhang, Ren and Sun 2016.)
///
/// ```
/// use wengert_nn::{Layer, Module, zoo::{ResNet, ResNetConfig}};
/// use wengert_ops::{Tensor, random::Rng};
/// let net = ResNet::<f32>::with_config(&ResNetConfig::cifar(3), &mut Rng::seed(0));       // ResNet-20
/// assert_eq!(net.num_params(), 272_474);                                          // with 1 × 1 shortcuts
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(net.forward(tape.constant(Tensor::zeros([1, 3, 32, 32]))).shape(), [1, 10]);
/// ```
#[derive(Module)]
pub struct ResNet<T: Float> {
    /// The first layers: a convolution, batch norm, ReLU, and a pool if images are large.
    pub stem: Sequential<T>,
    /// The blocks of each stage.
    pub stages: Vec<Vec<BasicBlock<T>>>,
    /// The linear map from the mean over all positions to logits, last width → classes.
    pub head: Linear<T>,
}

impl<T: Float> ResNet<T> {
    /// A network with Kaiming-normal convolutions.
    pub fn with_config(config: &ResNetConfig, rng: &mut Rng) -> Self {
        let first = config.widths.first().copied().unwrap_or(config.channels);
        let (kernel, stride) = if config.large { (7, 2) } else { (3, 1) };
        let mut stem = Sequential::new()
            .push(convolution(config.channels, first, kernel, stride, rng))
            .push(BatchNorm::new(first))
            .push(Activation::Relu);
        if config.large {
            stem = stem.push(MaxPool2d::new(Window::new(3).stride(2).padding(1)));
        }
        let (mut stages, mut inputs) = (Vec::new(), first);
        for (s, (&outputs, &blocks)) in config.widths.iter().zip(&config.blocks).enumerate() {
            let mut stage = Vec::with_capacity(blocks);
            for b in 0..blocks {
                stage.push(BasicBlock::new(inputs, outputs, if b == 0 && s > 0 { 2 } else { 1 }, rng));
                inputs = outputs;
            }
            stages.push(stage);
        }
        ResNet { stem, stages, head: Linear::new(inputs, config.classes, rng) }
    }
}

impl<T: Float> Layer<T> for ResNet<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let mut h = self.stem.forward(x);
        for stage in &self.stages {
            for block in stage {
                h = block.forward(h);
            }
        }
        scope.close(self.head.forward(GlobalAvgPool.forward(h)))
    }
}
