//! The training steps in burn.

use crate::measure::Step;
use crate::start::Start;
use anyhow::Result;
use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, LayerNorm, Linear};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Distribution, Int, Tensor, activation as act};

const RATE: f64 = 1e-6;

fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).init()
}

/// Forward, loss, backward, update.
fn training<M: Module + 'static>(
    model: M,
    mut optimizer: ModuleOptimizer,
    loss: impl Fn(&M) -> Tensor<1> + 'static,
) -> Step {
    let mut kept = Some(model);
    Box::new(move || {
        let model = kept.take().expect("the last step gave the model back");
        let loss = loss(&model);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        kept = Some(optimizer.step(RATE, model, grads));
        Ok(loss.inner().into_scalar::<f32>())
    })
}

fn cross_entropy(logits: Tensor<2>, y: Tensor<1, Int>) -> Tensor<1> {
    let device = logits.device();
    CrossEntropyLossConfig::new().init(&device).forward(logits, y)
}

#[derive(Module, Debug)]
struct Mlp {
    a: Linear,
    b: Linear,
    c: Linear,
}

impl Mlp {
    fn new(start: &Start, names: [&str; 3]) -> Result<Self> {
        let [a, b, c] = names;
        Ok(Mlp { a: start.linear(a)?, b: start.linear(b)?, c: start.linear(c)? })
    }

    fn forward(&self, x: Tensor<2>, activation: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let h = activation(self.a.forward(x));
        self.c.forward(activation(self.b.forward(h)))
    }
}

pub fn w1(start: &Start) -> Result<Step> {
    let (x, y) = (start.numbers::<2>("x")?, start.ids::<1>("y")?);
    let model = Mlp::new(start, ["layers.0", "layers.1", "layers.2"])?;
    Ok(training(model, adam(), move |model| cross_entropy(model.forward(x.clone(), act::relu), y.clone())))
}

#[derive(Module, Debug)]
struct Cnn {
    first: Conv2d,
    second: Conv2d,
    pool: MaxPool2d,
    hidden: Linear,
    head: Linear,
}

pub fn w2(start: &Start) -> Result<Step> {
    let (x, y) = (start.numbers::<4>("x")?, start.ids::<1>("y")?);
    let model = Cnn {
        first: start.conv("0", 1, true)?,
        second: start.conv("3", 1, true)?,
        pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        hidden: start.linear("7")?,
        head: start.linear("9")?,
    };
    Ok(training(model, adam(), move |m| {
        let h = m.pool.forward(act::relu(m.first.forward(x.clone())));
        let h = m.pool.forward(act::relu(m.second.forward(h)));
        let h: Tensor<2> = h.flatten(1, 3);
        cross_entropy(m.head.forward(act::relu(m.hidden.forward(h))), y.clone())
    }))
}

#[derive(Module, Debug)]
struct Normed {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Normed {
    fn new(start: &Start, conv: &str, norm: &str, stride: usize) -> Result<Self> {
        Ok(Normed { conv: start.conv(conv, stride, false)?, norm: start.batch_norm(norm)? })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

#[derive(Module, Debug)]
struct Block {
    first: Normed,
    second: Normed,
    shortcut: Option<Normed>,
}

impl Block {
    fn new(start: &Start, name: &str, stride: usize) -> Result<Self> {
        let normed = |conv: &str, norm: &str, stride| {
            Normed::new(start, &format!("{name}.{conv}"), &format!("{name}.{norm}"), stride)
        };
        let shortcut =
            if stride == 1 { None } else { Some(normed("downsample.conv", "downsample.bn", stride)?) };
        Ok(Block { first: normed("conv1", "bn1", stride)?, second: normed("conv2", "bn2", 1)?, shortcut })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.second.forward(act::relu(self.first.forward(x.clone())));
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        act::relu(h + x)
    }
}

#[derive(Module, Debug)]
struct ResNet {
    stem: Normed,
    blocks: Vec<Block>,
    head: Linear,
}

pub fn w3(start: &Start) -> Result<Step> {
    let (x, y) = (start.numbers::<4>("x")?, start.ids::<1>("y")?);
    let mut blocks = Vec::new();
    for s in 0..3 {
        for b in 0..3 {
            blocks.push(Block::new(start, &format!("stages.{s}.{b}"), if s > 0 && b == 0 { 2 } else { 1 })?);
        }
    }
    let model =
        ResNet { stem: Normed::new(start, "stem.0", "stem.1", 1)?, blocks, head: start.linear("head")? };
    let momentum = MomentumConfig { momentum: 0.9, dampening: 0.0, nesterov: false };
    let sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    Ok(training(model, sgd, move |m| {
        let stem = act::relu(m.stem.forward(x.clone()));
        let h = m.blocks.iter().fold(stem, |h, block| block.forward(h));
        let h: Tensor<2> = h.mean_dim(3).mean_dim(2).flatten(1, 3);
        cross_entropy(m.head.forward(h), y.clone())
    }))
}

/// A recurrent layer, step by step, with one product for all gates; and a head.
#[derive(Module, Debug)]
struct Tagger {
    input: Linear,
    hidden: Linear,
    head: Linear,
}

impl Tagger {
    fn gates(&self, x: &Tensor<2>, h: Tensor<2>) -> Tensor<2> {
        self.input.forward(x.clone()) + self.hidden.forward(h)
    }
}

/// The inputs of all steps, `[n, 64]` each, to the states.
type Run = fn(&Tagger, &[Tensor<2>]) -> Vec<Tensor<2>>;

fn tagger(start: &Start, run: Run) -> Result<Step> {
    let x = start.numbers::<3>("x")?.swap_dims(0, 1);
    let [steps, n, features] = x.dims();
    let x = x.reshape([steps * n, features]).chunk(steps, 0);
    let y = start.ids::<2>("y")?.swap_dims(0, 1).reshape([steps * n]);
    let model = Tagger {
        input: start.linear_of("recurrent.weight_ih_l0", "recurrent.bias_ih_l0")?,
        hidden: start.linear_of("recurrent.weight_hh_l0", "recurrent.bias_hh_l0")?,
        head: start.linear("head")?,
    };
    Ok(training(model, adam(), move |m| cross_entropy(m.head.forward(Tensor::cat(run(m, &x), 0)), y.clone())))
}

pub fn w4(start: &Start) -> Result<Step> {
    tagger(start, |m, steps| {
        let mut h = Tensor::zeros([32, 128], &steps[0].device());
        let mut states = Vec::new();
        for x in steps {
            h = act::tanh(m.gates(x, h));
            states.push(h.clone());
        }
        states
    })
}

pub fn w5(start: &Start) -> Result<Step> {
    tagger(start, |m, steps| {
        let mut h = Tensor::zeros([32, 256], &steps[0].device());
        let (mut c, mut states) = (h.clone(), Vec::new());
        for x in steps {
            let parts: [Tensor<2>; 4] = m.gates(x, h).chunk(4, 1).try_into().expect("the gates are four");
            let [i, f, g, o] = parts;
            c = act::sigmoid(f) * c + act::sigmoid(i) * act::tanh(g);
            h = act::sigmoid(o) * act::tanh(c.clone());
            states.push(h.clone());
        }
        states
    })
}

#[derive(Module, Debug)]
struct EncoderLayer {
    norm1: LayerNorm,
    norm2: LayerNorm,
    qkv: Linear,
    out: Linear,
    up: Linear,
    down: Linear,
}

impl EncoderLayer {
    fn new(start: &Start, name: &str) -> Result<Self> {
        let (weight, bias) =
            (format!("{name}.self_attn.in_proj_weight"), format!("{name}.self_attn.in_proj_bias"));
        Ok(EncoderLayer {
            norm1: start.layer_norm(&format!("{name}.norm1"))?,
            norm2: start.layer_norm(&format!("{name}.norm2"))?,
            qkv: start.linear_of(&weight, &bias)?,
            out: start.linear(&format!("{name}.self_attn.out_proj"))?,
            up: start.linear(&format!("{name}.linear1"))?,
            down: start.linear(&format!("{name}.linear2"))?,
        })
    }

    fn forward(&self, x: Tensor<3>, heads: usize) -> Tensor<3> {
        let [n, t, width] = x.dims();
        let parts = self.qkv.forward(self.norm1.forward(x.clone())).chunk(3, 2).into_iter();
        let parts: Vec<Tensor<4>> =
            parts.map(|part| part.reshape([n, t, heads, width / heads]).swap_dims(1, 2)).collect();
        let [q, k, v]: [Tensor<4>; 3] = parts.try_into().expect("the parts are three");
        let causal = AttentionModuleOptions { is_causal: true, ..Default::default() };
        let a = burn::tensor::module::attention(q, k, v, None, None, causal);
        let x = x + self.out.forward(a.swap_dims(1, 2).reshape([n, t, width]));
        let h = act::gelu(self.up.forward(self.norm2.forward(x.clone())));
        x + self.down.forward(h)
    }
}

#[derive(Module, Debug)]
struct Gpt {
    tokens: Param<Tensor<2>>,
    positions: Param<Tensor<2>>,
    layers: Vec<EncoderLayer>,
    norm: LayerNorm,
}

pub fn w6(start: &Start) -> Result<Step> {
    let x = start.ids::<2>("x")?.reshape([8 * 128]);
    let y = start.ids::<2>("y")?.reshape([8 * 128]);
    let model = Gpt {
        tokens: start.table("tokens.weight")?,
        positions: start.table("positions.weight")?,
        layers: (0..4)
            .map(|i| EncoderLayer::new(start, &format!("blocks.layers.{i}")))
            .collect::<Result<_>>()?,
        norm: start.layer_norm("blocks.norm")?,
    };
    let adamw = AdamWConfig::new().with_weight_decay(0.01).with_epsilon(1e-8).init();
    Ok(training(model, adamw, move |m| {
        let ids: Tensor<3> = m.tokens.val().select(0, x.clone()).reshape([8, 128, 256]);
        let embedded = ids + m.positions.val().unsqueeze::<3>();
        let h = m.layers.iter().fold(embedded, |h, layer| layer.forward(h, 4));
        let h: Tensor<2> = m.norm.forward(h).reshape([8 * 128, 256]);
        cross_entropy(h.matmul(m.tokens.val().transpose()), y.clone())
    }))
}

/// The binary cross-entropy of each logit.
fn log_loss(logits: Tensor<2>, y: Tensor<2>) -> Tensor<2> {
    (y.neg() + 1.0) * logits.clone() - act::log_sigmoid(logits)
}

#[derive(Module, Debug)]
struct Vae {
    encoder: Linear,
    mean: Linear,
    log_variance: Linear,
    decoder: Linear,
    out: Linear,
}

/// The noise of the first step is wengert's; each step draws that of the next.
pub fn w7(start: &Start) -> Result<Step> {
    let x = start.numbers::<2>("x")?;
    let noise = std::cell::RefCell::new(start.numbers::<2>("noise")?);
    let model = Vae {
        encoder: start.linear("encoder.0")?,
        mean: start.linear("mean")?,
        log_variance: start.linear("log_variance")?,
        decoder: start.linear("decoder.0")?,
        out: start.linear("decoder.2")?,
    };
    let device = start.device.clone();
    Ok(training(model, adam(), move |m| {
        let h = act::relu(m.encoder.forward(x.clone()));
        let (mean, log_variance) = (m.mean.forward(h.clone()), m.log_variance.forward(h));
        let now = noise.replace(Tensor::random([128, 20], Distribution::Normal(0.0, 1.0), &device));
        let z = mean.clone() + now * (log_variance.clone() * 0.5).exp();
        let logits = m.out.forward(act::relu(m.decoder.forward(z)));
        let surprise = log_loss(logits, x.clone()).sum() / 128.0;
        let divergence = (log_variance.clone() + 1.0 - mean.clone() * mean - log_variance.exp()).sum();
        surprise - divergence * (0.5 / 128.0)
    }))
}

/// The fake batch is generated once per step and used for both updates.
pub fn w8(start: &Start) -> Result<Step> {
    let names = ["0", "2", "4"];
    let part = |part: &str| names.map(|name| format!("{part}.{name}"));
    let (g, d) = (part("generator"), part("discriminator"));
    let mut generator = Some(Mlp::new(start, [&g[0], &g[1], &g[2]])?);
    let mut discriminator = Some(Mlp::new(start, [&d[0], &d[1], &d[2]])?);
    let (mut for_g, mut for_d) = (adam(), adam());
    let (real, noise) = (start.numbers::<2>("real")?, start.numbers::<2>("noise")?);
    let ones = Tensor::<2>::ones([64, 1], &start.device);
    let zeros = Tensor::<2>::zeros([64, 1], &start.device);
    Ok(Box::new(move || {
        let leaky = |x: Tensor<2>| act::leaky_relu(x, 0.2);
        let (g, d) = (generator.take().expect("given back"), discriminator.take().expect("given back"));
        let fake = act::tanh(g.forward(noise.clone(), leaky));
        let first = log_loss(d.forward(real.clone(), leaky), ones.clone()).mean()
            + log_loss(d.forward(fake.clone().detach(), leaky), zeros.clone()).mean();
        let grads = GradientsParams::from_grads(first.backward(), &d);
        let d = for_d.step(RATE, d, grads);
        let second = log_loss(d.forward(fake, leaky), ones.clone()).mean();
        let grads = GradientsParams::from_grads(second.backward(), &g);
        generator = Some(for_g.step(RATE, g, grads));
        discriminator = Some(d);
        Ok(first.inner().into_scalar::<f32>() + second.inner().into_scalar::<f32>())
    }))
}

pub fn w9(start: &Start) -> Result<Step> {
    let (x, y) = (start.numbers::<2>("x")?, start.numbers::<2>("y")?);
    let model = Mlp::new(start, ["layers.0", "layers.1", "layers.2"])?;
    Ok(training(model, SgdConfig::new().init(), move |model| {
        let error = model.forward(x.clone(), act::tanh) - y.clone();
        (error.clone() * error).mean()
    }))
}

pub fn w10(start: &Start) -> Result<Step> {
    let leaf = |name| -> Result<_> { Ok(start.numbers::<1>(name)?.require_grad()) };
    let (x, w, b) = (leaf("x")?, leaf("w")?, leaf("b")?);
    Ok(Box::new(move || {
        let loss = (act::tanh(x.clone() * w.clone() + b.clone()) * act::sigmoid(x.clone())).mean();
        let grads = loss.backward();
        std::hint::black_box((x.grad(&grads), w.grad(&grads), b.grad(&grads)));
        Ok(loss.inner().into_scalar::<f32>())
    }))
}
