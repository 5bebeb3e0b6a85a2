//! A layer's error carries the name of the layer, or of the only operation that it consists of, and the caller's line.

use wengert_nn::zoo::*;
use wengert_nn::*;
use wengert_ops::random::Rng;
use wengert_ops::{Resize, Tensor, Window};
use wengert_tape::Tape;

type Named = (&'static [&'static str], Box<dyn Layer<f64>>);

/// Layers, each with the names that its errors may have: its own, and for models also those of their parts.
fn layers() -> Vec<Named> {
    let mut rng = Rng::seed(0);
    let r = &mut rng;
    let small =
        TransformerConfig { width: 4, heads: 2, hidden: 6, layers: 1, ..TransformerConfig::default() };
    vec![
        (&["linear"], Box::new(Linear::new(3, 4, r))),
        (&["conv1d"], Box::new(Conv1d::new(3, 4, 2, r))),
        (&["conv2d"], Box::new(Conv2d::new(3, 4, 2, r))),
        (&["conv_transpose1d"], Box::new(ConvTranspose1d::new(3, 4, 2, r))),
        (&["conv_transpose2d"], Box::new(ConvTranspose2d::new(3, 4, 2, r))),
        (&["max_pool1d"], Box::new(MaxPool1d::new(Window::new(9)))),
        (&["max_pool2d"], Box::new(MaxPool2d::new(Window::new(9)))),
        (&["avg_pool1d"], Box::new(AvgPool1d::new(Window::new(9)))),
        (&["avg_pool2d"], Box::new(AvgPool2d::new(Window::new(9)))),
        (&["adaptive_avg_pool1d"], Box::new(AdaptiveAvgPool1d::new(2))),
        (&["adaptive_avg_pool2d"], Box::new(AdaptiveAvgPool2d::new(2))),
        (&["adaptive_max_pool1d"], Box::new(AdaptiveMaxPool1d::new(2))),
        (&["adaptive_max_pool2d"], Box::new(AdaptiveMaxPool2d::new(2))),
        (&["global_avg_pool"], Box::new(GlobalAvgPool)),
        (&["global_max_pool"], Box::new(GlobalMaxPool)),
        (&["batch_norm"], Box::new(BatchNorm::new(3))),
        (&["layer_norm"], Box::new(LayerNorm::new([3]))),
        (&["group_norm"], Box::new(GroupNorm::new(3, 6))),
        (&["instance_norm"], Box::new(InstanceNorm::new().with_affine(3))),
        (&["rms_norm"], Box::new(RmsNorm::new([3]))),
        (&["dropout"], Box::new(Dropout { p: 1.5 })),
        (&["drop_path"], Box::new(DropPath { p: 1.5 })),
        (&["channel_dropout"], Box::new(ChannelDropout { p: 1.5 })),
        (&["flatten"], Box::new(Flatten)),
        (&["reshape"], Box::new(Reshape::new([17]))),
        (&["unflatten"], Box::new(Unflatten::new(1, [17, 2]))),
        (&["upsample_nearest1d"], Box::new(Upsample1d::nearest(Resize::by(2.0)))),
        (&["upsample_bilinear2d"], Box::new(Upsample2d::linear([7, 7]))),
        (&["pixel_shuffle"], Box::new(PixelShuffle::new(2))),
        (&["sinusoidal_positions"], Box::new(SinusoidalPositions)),
        (&["learned_positions"], Box::new(LearnedPositions::new(3, 4, r))),
        (&["gaussian_noise"], Box::new(GaussianNoise { std: -1.0 })),
        (&["multi_head_attention"], Box::new(MultiHeadAttention::new(4, 2, r))),
        (&["rnn"], Box::new(Rnn::with_config(&RecurrentConfig::new(3, 4), r))),
        (&["lstm"], Box::new(Lstm::with_config(&RecurrentConfig::new(3, 4), r))),
        (&["gru"], Box::new(Gru::with_config(&RecurrentConfig::new(3, 4), r))),
        (&["multi_head_attention", "layer_norm"], Box::new(TransformerEncoder::with_config(&small, r))),
        (&["zero_pad"], Box::new(ZeroPad::new([(1, 1), (1, 1)]))),
        (
            &["patches", "linear", "learned_positions"],
            Box::new(Vit::with_config(
                &VitConfig { size: 4, patch: 2, width: 4, heads: 2, layers: 1, ..VitConfig::default() },
                r,
            )),
        ),
        (
            &["linear"],
            Box::new(Mlp::with_config(&MlpConfig { widths: vec![3, 4], ..MlpConfig::default() }, r)),
        ),
        (&["conv2d", "linear"], Box::new(lenet(1, 28, 10, r))),
    ]
}

#[test]
fn errors_name_the_layer() {
    let mut rng = Rng::seed(1);
    let shapes: [&[usize]; 8] =
        [&[], &[5], &[2, 5], &[2, 5, 7], &[2, 5, 7, 7], &[1, 2, 2, 2, 5], &[0, 0], &[2, 0, 3]];
    let mut errors = 0;
    for (names, layer) in layers() {
        for shape in shapes {
            let tape = Tape::train(0);
            let x = tape.var(Tensor::<f64>::randn(shape, &mut rng).unwrap());
            if let Err(e) = layer.forward(x).value() {
                errors += 1;
                assert!(names.contains(&e.op()), "{names:?} of {shape:?}: {e}");
                assert!(e.location().is_some_and(|at| at.file() == file!()), "{names:?} of {shape:?}: {e}");
            }
        }
    }
    assert!(errors > 150, "{errors}");
}
