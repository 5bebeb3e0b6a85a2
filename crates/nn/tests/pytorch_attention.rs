//! Attention and Transformers with PyTorch's weights have PyTorch's outputs and gradients.

use safetensors::SafeTensors;
use wengert_nn::{
    Activation, AttentionConfig, AttentionMask, LayerNorm, Module, MultiHeadAttention, NormOrder,
    Transformer, TransformerConfig, TransformerEncoder, TransformerMasks, for_each_param, for_each_param_mut,
};
use wengert_ops::{Tensor, random::Rng};
use wengert_tape::{Tape, Var};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pytorch_attention.safetensors");

struct Recorded<'f>(SafeTensors<'f>, &'static str);

impl Recorded<'_> {
    fn get(&self, name: &str) -> Tensor<f64> {
        let t = self.0.tensor(&format!("{}:{name}", self.1)).unwrap();
        let values = t.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        Tensor::from_vec(values, t.shape()).unwrap()
    }
}

#[track_caller]
fn close(got: &Tensor<f64>, want: &Tensor<f64>, what: &str) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    let apart = got.to_vec().iter().zip(want.to_vec()).fold(0f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(apart < 1e-12, "{what}: {apart}\n{got}\n{want}");
}

/// Loads the model, runs it, and compares output and gradients.
#[track_caller]
fn same<M: Module>(
    name: &'static str,
    model: &mut M,
    inputs: &[&str],
    run: impl for<'t> Fn(&M, &[Var<'t, f64>], &Recorded<'_>) -> Var<'t, f64>,
) {
    let bytes = std::fs::read(FILE).unwrap();
    let file = Recorded(SafeTensors::deserialize(&bytes).unwrap(), name);
    let state = format!("{name}:state.");
    let theirs = file.0.names().into_iter().filter(|n| n.starts_with(&state)).count();
    assert_eq!(model.param_names().len(), theirs);
    for_each_param_mut::<f64>(model, &mut |path, p| {
        p.set(file.get(&format!("state.{}", path.as_str()))).unwrap();
    });
    let tape = Tape::train(0);
    let x: Vec<_> = inputs.iter().map(|n| tape.var(file.get(&format!("input.{n}")))).collect();
    let y = run(model, &x, &file);
    close(&y.value().unwrap(), &file.get("y"), "y");
    let grads = y.backward_from(file.get("g")).unwrap();
    for_each_param::<f64>(model, &mut |path, p| {
        close(grads.of(p).unwrap(), &file.get(&format!("grad.{}", path.as_str())), path.as_str());
    });
    for (x, name) in x.iter().zip(inputs) {
        close(&grads.wrt(*x).unwrap(), &file.get(&format!("inputgrad.{name}")), name);
    }
}

fn config() -> TransformerConfig {
    TransformerConfig { width: 6, heads: 2, hidden: 5, dropout: 0.0, ..TransformerConfig::default() }
}

#[test]
fn attention_of_inputs_of_three_widths_under_an_added_mask() {
    let config = AttentionConfig { keys: 4, values: 5, ..AttentionConfig::new(6, 3) };
    let mut model = MultiHeadAttention::with_config(&config, &mut Rng::seed(0));
    same("attention", &mut model, &["q", "k", "v"], |model, x, file| {
        let mask = AttentionMask::new().bias(x[0].tape().constant(file.get("added")));
        close(&model.weights(x[0], x[1], &mask).value().unwrap(), &file.get("weights"), "weights");
        model.attend(x[0], x[1], x[2], &mask)
    });
}

#[test]
fn an_encoder_with_norms_first() {
    let config =
        TransformerConfig { layers: 2, activation: Activation::Gelu, order: NormOrder::Pre, ..config() };
    let mut model = TransformerEncoder::with_config(&config, &mut Rng::seed(0));
    same("encoder", &mut model, &["x"], |model, x, _| {
        let ends = Tensor::from([[true; 4], [true, true, false, false]]);
        model.run(x[0], &AttentionMask::new().causal().keys(&ends))
    });
}

#[test]
fn a_transformer_with_norms_last() {
    let mut model = Transformer::with_config(&TransformerConfig { layers: 1, ..config() }, &mut Rng::seed(0));
    let has_norm = |norm: &Option<LayerNorm<f64>>| norm.is_some();
    assert!(has_norm(&model.encoder.norm) && has_norm(&model.decoder.norm));
    same("transformer", &mut model, &["source", "target"], |model, x, _| {
        let ends = AttentionMask::new().lengths(&Tensor::from([4, 2]));
        let masks = TransformerMasks { source: ends.clone(), memory: ends, ..TransformerMasks::default() };
        model.run(x[0], x[1], &masks)
    });
}
