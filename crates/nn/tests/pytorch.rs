//! Weights saved by PyTorch load under their names, and give PyTorch's outputs, loss and gradients.

use safetensors::SafeTensors;
use wengert_nn::{Activation, Layer, Linear, Module, Sequential, for_each_param, loss, state};
use wengert_ops::{Tensor, random::Rng};
use wengert_tape::Tape;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn net() -> Sequential<f32> {
    let mut rng = Rng::seed(9);
    Sequential::new()
        .push(Linear::new(5, 7, &mut rng))
        .push(Activation::Gelu)
        .push(Linear::new(7, 4, &mut rng).without_bias())
        .push(Linear::new(4, 3, &mut rng))
}

fn expected(file: &SafeTensors<'_>, name: &str) -> Tensor<f32> {
    let t = file.tensor(name).unwrap();
    let values = t.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Tensor::from_vec(values, t.shape()).unwrap()
}

#[track_caller]
fn close(got: &Tensor<f32>, want: &Tensor<f32>) {
    assert_eq!(got.shape(), want.shape());
    let apart =
        got.to_vec().iter().zip(want.to_vec()).fold(0f32, |m, (a, b)| m.max((a - b).abs() / (1.0 + b.abs())));
    assert!(apart < 2e-6, "{apart}\n{got}\n{want}");
}

#[test]
fn a_pytorch_model_goes_on_here() {
    let mut net = net();
    state::load(&mut net, format!("{FOLDER}/pytorch_mlp.safetensors")).unwrap();
    let bytes = std::fs::read(format!("{FOLDER}/pytorch_mlp_expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();

    let tape = Tape::new();
    let logits = net.forward(tape.constant(expected(&file, "x")));
    close(&logits.value().unwrap(), &expected(&file, "logits"));
    let loss = loss::cross_entropy(logits, &Tensor::from([0, 1, 2, 2, 1, 0]));
    close(&loss.value().unwrap(), &expected(&file, "loss"));
    let grads = loss.backward().unwrap();
    let mut compared = 0;
    for_each_param::<f32>(&net, &mut |path, p| {
        close(grads.of(p).unwrap(), &expected(&file, &format!("grad.{}", path.as_str())));
        compared += 1;
    });
    assert_eq!(compared, 5);
}

#[test]
fn what_is_saved_is_what_was_loaded_byte_for_byte() {
    let mut net = net();
    let source = format!("{FOLDER}/pytorch_mlp.safetensors");
    state::load(&mut net, &source).unwrap();
    let saved = std::env::temp_dir().join(format!("wengert-{}-exchange.safetensors", std::process::id()));
    state::save(&net, &saved).unwrap();
    let (ours, theirs) = (std::fs::read(&saved).unwrap(), std::fs::read(source).unwrap());
    std::fs::remove_file(saved).unwrap();
    let (ours, theirs) =
        (SafeTensors::deserialize(&ours).unwrap(), SafeTensors::deserialize(&theirs).unwrap());
    assert_eq!(ours.len(), theirs.len());
    for name in net.param_names() {
        assert_eq!(ours.tensor(&name).unwrap(), theirs.tensor(&name).unwrap(), "{name}");
    }
}
