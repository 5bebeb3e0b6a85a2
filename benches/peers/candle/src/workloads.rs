//! The training steps in candle, with wengert's names of parameters.

use crate::measure::Step;
use crate::start::{Model, Start};
use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{D, DType, Device, Module, ModuleT, Tensor, Var};
use candle_nn::{
    AdamW, BatchNorm, Conv2d, Conv2dConfig, Linear, Optimizer, ParamsAdamW, SGD, VarBuilder, batch_norm,
    conv2d, conv2d_no_bias, linear, loss, ops,
};

const RATE: f64 = 1e-6;

fn adam(model: &Model, weight_decay: f64) -> Result<AdamW> {
    let params = ParamsAdamW { lr: RATE, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay };
    Ok(AdamW::new(model.parameters(), params)?)
}

/// Forward, loss, backward, update.
fn training(mut optimizer: impl Optimizer + 'static, loss: impl Fn() -> Result<Tensor> + 'static) -> Step {
    Box::new(move || {
        let loss = loss()?;
        optimizer.backward_step(&loss)?;
        Ok(loss.to_scalar()?)
    })
}

/// Three linear layers.
fn three(v: &VarBuilder<'_>, names: [&str; 3], widths: [usize; 4]) -> Result<[Linear; 3]> {
    let at = |i: usize| linear(widths[i], widths[i + 1], v.pp(names[i]));
    Ok([at(0)?, at(1)?, at(2)?])
}

pub fn w1(start: &Start) -> Result<Step> {
    let model = start.model("model")?;
    let [a, b, c] = three(&model.builder().pp("layers"), ["0", "1", "2"], [784, 512, 512, 10])?;
    let (x, y) = (start.input("x")?, start.ids("y")?);
    Ok(training(adam(&model, 0.0)?, move || {
        let h = b.forward(&a.forward(&x)?.relu()?)?.relu()?;
        Ok(loss::cross_entropy(&c.forward(&h)?, &y)?)
    }))
}

pub fn w2(start: &Start) -> Result<Step> {
    let model = start.model("model")?;
    let v = model.builder();
    let same = Conv2dConfig { padding: 1, ..Default::default() };
    let (first, second) = (conv2d(1, 32, 3, same, v.pp("0"))?, conv2d(32, 64, 3, same, v.pp("3"))?);
    let (hidden, head) = (linear(3136, 128, v.pp("7"))?, linear(128, 10, v.pp("9"))?);
    let (x, y) = (start.input("x")?, start.ids("y")?);
    Ok(training(adam(&model, 0.0)?, move || {
        let h = first.forward(&x)?.relu()?.max_pool2d(2)?;
        let h = second.forward(&h)?.relu()?.max_pool2d(2)?.flatten_from(1)?;
        Ok(loss::cross_entropy(&head.forward(&hidden.forward(&h)?.relu()?)?, &y)?)
    }))
}

struct Block {
    first: (Conv2d, BatchNorm),
    second: (Conv2d, BatchNorm),
    shortcut: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    fn new(inputs: usize, outputs: usize, stride: usize, v: VarBuilder<'_>) -> Result<Self> {
        let pair = |i, kernel, stride, conv: &str, norm: &str| -> Result<_> {
            let options = Conv2dConfig { padding: kernel / 2, stride, ..Default::default() };
            Ok((
                conv2d_no_bias(i, outputs, kernel, options, v.pp(conv))?,
                batch_norm(outputs, 1e-5, v.pp(norm))?,
            ))
        };
        let shortcut = if stride != 1 || inputs != outputs {
            Some(pair(inputs, 1, stride, "downsample.conv", "downsample.bn")?)
        } else {
            None
        };
        Ok(Block {
            first: pair(inputs, 3, stride, "conv1", "bn1")?,
            second: pair(outputs, 3, 1, "conv2", "bn2")?,
            shortcut,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let both = |(conv, norm): &(Conv2d, BatchNorm), x: &Tensor| norm.forward_t(&conv.forward(x)?, true);
        let h = both(&self.second, &both(&self.first, x)?.relu()?)?;
        let x = match &self.shortcut {
            Some(shortcut) => both(shortcut, x)?,
            None => x.clone(),
        };
        Ok((h + x)?.relu()?)
    }
}

/// candle-nn's SGD has no momentum.
struct Momentum {
    vars: Vec<(Var, Option<Tensor>)>,
}

impl Momentum {
    fn step(&mut self, grads: &GradStore) -> Result<()> {
        for (var, velocity) in &mut self.vars {
            if let Some(grad) = grads.get(var) {
                let new = match velocity {
                    Some(v) => ((&*v * 0.9)? + grad)?,
                    None => grad.clone(),
                };
                var.set(&var.sub(&(&new * RATE)?)?)?;
                *velocity = Some(new);
            }
        }
        Ok(())
    }
}

pub fn w3(start: &Start) -> Result<Step> {
    let model = start.model("model")?;
    let v = model.builder();
    let stem = conv2d_no_bias(3, 16, 3, Conv2dConfig { padding: 1, ..Default::default() }, v.pp("stem.0"))?;
    let norm = batch_norm(16, 1e-5, v.pp("stem.1"))?;
    let (mut blocks, mut inputs) = (Vec::new(), 16);
    for (s, (width, stride)) in [(16, 1), (32, 2), (64, 2)].into_iter().enumerate() {
        for b in 0..3 {
            let stride = if b == 0 { stride } else { 1 };
            blocks.push(Block::new(inputs, width, stride, v.pp(format!("stages.{s}.{b}")))?);
            inputs = width;
        }
    }
    let head = linear(64, 10, v.pp("head"))?;
    let (x, y) = (start.input("x")?, start.ids("y")?);
    let mut optimizer = Momentum { vars: model.parameters().into_iter().map(|v| (v, None)).collect() };
    Ok(Box::new(move || {
        let mut h = norm.forward_t(&stem.forward(&x)?, true)?.relu()?;
        for block in &blocks {
            h = block.forward(&h)?;
        }
        let loss = loss::cross_entropy(&head.forward(&h.mean(3)?.mean(2)?)?, &y)?;
        optimizer.step(&loss.backward()?)?;
        Ok(loss.to_scalar()?)
    }))
}

/// A recurrent layer, step by step. One input product for all steps would be slower here: the gradient of each step's part of it is
/// a whole tensor of zeros.
struct Recurrent {
    input: Linear,
    hidden: Linear,
    size: usize,
}

impl Recurrent {
    fn new(gates: usize, size: usize, v: &VarBuilder<'_>) -> Result<Self> {
        let pair = |inputs, w: &str, b: &str| -> Result<_> {
            Ok(Linear::new(v.get((gates * size, inputs), w)?, Some(v.get(gates * size, b)?)))
        };
        let (input, hidden) =
            (pair(64, "weight_ih_l0", "bias_ih_l0")?, pair(size, "weight_hh_l0", "bias_hh_l0")?);
        Ok(Recurrent { input, hidden, size })
    }

    fn zeros(&self, steps: &[Tensor]) -> Result<Tensor> {
        Ok(Tensor::zeros((steps[0].dim(0)?, self.size), DType::F32, &Device::Cpu)?)
    }

    fn gates(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        Ok((self.input.forward(x)? + self.hidden.forward(h)?)?)
    }

    /// The inputs of all steps, `[n, 64]` each, to the states, `[steps · n, size]`.
    fn rnn(&self, steps: &[Tensor]) -> Result<Tensor> {
        let (mut h, mut states) = (self.zeros(steps)?, Vec::new());
        for x in steps {
            h = self.gates(x, &h)?.tanh()?;
            states.push(h.clone());
        }
        Ok(Tensor::cat(&states, 0)?)
    }

    fn lstm(&self, steps: &[Tensor]) -> Result<Tensor> {
        let (mut h, mut states) = (self.zeros(steps)?, Vec::new());
        let mut c = h.clone();
        for x in steps {
            let all = self.gates(x, &h)?.chunk(4, 1)?;
            let [i, f, o] = [&all[0], &all[1], &all[3]].map(ops::sigmoid);
            c = ((f? * c)? + (i? * all[2].tanh()?)?)?;
            h = (o? * c.tanh()?)?;
            states.push(h.clone());
        }
        Ok(Tensor::cat(&states, 0)?)
    }
}

fn tagger(
    start: &Start,
    gates: usize,
    size: usize,
    run: fn(&Recurrent, &[Tensor]) -> Result<Tensor>,
) -> Result<Step> {
    let model = start.model("model")?;
    let v = model.builder();
    let (recurrent, head) =
        (Recurrent::new(gates, size, &v.pp("recurrent"))?, linear(size, 64, v.pp("head"))?);
    let x = start.input("x")?.transpose(0, 1)?;
    let x = (0..x.dim(0)?).map(|t| x.get(t)?.contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
    let y = start.ids("y")?.t()?.contiguous()?.flatten_all()?;
    Ok(training(adam(&model, 0.0)?, move || {
        Ok(loss::cross_entropy(&head.forward(&run(&recurrent, &x)?)?, &y)?)
    }))
}

pub fn w4(start: &Start) -> Result<Step> {
    tagger(start, 1, 128, Recurrent::rnn)
}

pub fn w5(start: &Start) -> Result<Step> {
    tagger(start, 4, 256, Recurrent::lstm)
}

/// The layer norm of candle-nn calls a kernel without a backward pass.
struct Norm(Tensor, Tensor);

impl Norm {
    fn new(width: usize, v: VarBuilder<'_>) -> Result<Self> {
        Ok(Norm(v.get(width, "weight")?, v.get(width, "bias")?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::layer_norm_slow(x, &self.0, &self.1, 1e-5)?)
    }
}

struct EncoderLayer {
    norms: [Norm; 2],
    qkv: Linear,
    out: Linear,
    up: Linear,
    down: Linear,
}

impl EncoderLayer {
    fn new(width: usize, v: VarBuilder<'_>) -> Result<Self> {
        let attention = v.pp("self_attn");
        let (weight, bias) =
            (attention.get((3 * width, width), "in_proj_weight")?, attention.get(3 * width, "in_proj_bias")?);
        Ok(EncoderLayer {
            norms: [Norm::new(width, v.pp("norm1"))?, Norm::new(width, v.pp("norm2"))?],
            qkv: Linear::new(weight, Some(bias)),
            out: linear(width, width, attention.pp("out_proj"))?,
            up: linear(width, 4 * width, v.pp("linear1"))?,
            down: linear(4 * width, width, v.pp("linear2"))?,
        })
    }

    fn forward(&self, x: &Tensor, mask: &Tensor, heads: usize) -> Result<Tensor> {
        let (n, t, width) = x.dims3()?;
        let qkv = self.qkv.forward(&self.norms[0].forward(x)?)?.reshape((n, t, 3, heads, width / heads))?;
        let part = |i| qkv.narrow(2, i, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let scores = (q.matmul(&k.t()?)? * (1.0 / ((width / heads) as f64).sqrt()))?.broadcast_add(mask)?;
        let a = ops::softmax(&scores, D::Minus1)?.matmul(&v)?.transpose(1, 2)?.reshape((n, t, width))?;
        let x = (x + self.out.forward(&a)?)?;
        let h = self.up.forward(&self.norms[1].forward(&x)?)?.gelu_erf()?;
        Ok((&x + self.down.forward(&h)?)?)
    }
}

pub fn w6(start: &Start) -> Result<Step> {
    let model = start.model("model")?;
    let v = model.builder();
    let (tokens, positions) = (v.get((96, 256), "tokens.weight")?, v.get((128, 256), "positions.weight")?);
    let layers: Vec<_> =
        (0..4).map(|i| EncoderLayer::new(256, v.pp(format!("blocks.layers.{i}")))).collect::<Result<_>>()?;
    let norm = Norm::new(256, v.pp("blocks.norm"))?;
    let (x, y) = (start.ids("x")?.flatten_all()?, start.ids("y")?.flatten_all()?);
    let later = |i: usize| if i % 128 > i / 128 { f32::NEG_INFINITY } else { 0.0 };
    let mask = Tensor::from_vec((0..128 * 128).map(later).collect(), (128, 128), &Device::Cpu)?;
    Ok(training(adam(&model, 0.01)?, move || {
        let mut h = tokens.index_select(&x, 0)?.reshape((8, 128, 256))?.broadcast_add(&positions)?;
        for layer in &layers {
            h = layer.forward(&h, &mask, 4)?;
        }
        let logits = norm.forward(&h)?.reshape((8 * 128, 256))?.matmul(&tokens.t()?)?;
        Ok(loss::cross_entropy(&logits, &y)?)
    }))
}

/// The noise of the first step is wengert's; each step draws that of the next.
pub fn w7(start: &Start) -> Result<Step> {
    let model = start.model("model")?;
    let v = model.builder();
    let encoder = linear(784, 400, v.pp("encoder.0"))?;
    let (mean, log_variance) = (linear(400, 20, v.pp("mean"))?, linear(400, 20, v.pp("log_variance"))?);
    let (decoder, out) = (linear(20, 400, v.pp("decoder.0"))?, linear(400, 784, v.pp("decoder.2"))?);
    let (x, mut noise) = (start.input("x")?, start.input("noise")?);
    let mut optimizer = adam(&model, 0.0)?;
    Ok(Box::new(move || {
        let h = encoder.forward(&x)?.relu()?;
        let (m, s) = (mean.forward(&h)?, log_variance.forward(&h)?);
        let z = (&m + (&noise * (&s * 0.5)?.exp()?)?)?;
        let logits = out.forward(&decoder.forward(&z)?.relu()?)?;
        let surprise = (loss::binary_cross_entropy_with_logit(&logits, &x)? * 784.0)?;
        let divergence = (((&s + 1.0)? - m.sqr()?)? - s.exp()?)?.sum_all()?;
        let loss = (surprise - (divergence * (0.5 / 128.0))?)?;
        optimizer.backward_step(&loss)?;
        noise = noise.randn_like(0.0, 1.0)?;
        Ok(loss.to_scalar()?)
    }))
}

/// The fake batch is generated once per step and used for both updates.
pub fn w8(start: &Start) -> Result<Step> {
    let (generator, discriminator) = (start.model("model.generator")?, start.model("model.discriminator")?);
    let g = three(&generator.builder(), ["0", "2", "4"], [64, 256, 512, 784])?;
    let d = three(&discriminator.builder(), ["0", "2", "4"], [784, 512, 256, 1])?;
    let stack = |layers: &[Linear; 3], x: &Tensor| -> Result<Tensor> {
        let h = ops::leaky_relu(&layers[0].forward(x)?, 0.2)?;
        Ok(layers[2].forward(&ops::leaky_relu(&layers[1].forward(&h)?, 0.2)?)?)
    };
    let (real, noise) = (start.input("real")?, start.input("noise")?);
    let ones = Tensor::ones((64, 1), DType::F32, &Device::Cpu)?;
    let zeros = ones.zeros_like()?;
    let (mut for_g, mut for_d) = (adam(&generator, 0.0)?, adam(&discriminator, 0.0)?);
    Ok(Box::new(move || {
        let bce = loss::binary_cross_entropy_with_logit;
        let fake = stack(&g, &noise)?.tanh()?;
        let first = (bce(&stack(&d, &real)?, &ones)? + bce(&stack(&d, &fake.detach())?, &zeros)?)?;
        for_d.backward_step(&first)?;
        let second = bce(&stack(&d, &fake)?, &ones)?;
        for_g.backward_step(&second)?;
        Ok(first.to_scalar::<f32>()? + second.to_scalar::<f32>()?)
    }))
}

pub fn w9(start: &Start) -> Result<Step> {
    let model = start.model("model")?;
    let [a, b, c] = three(&model.builder().pp("layers"), ["0", "1", "2"], [4, 16, 16, 1])?;
    let (x, y) = (start.input("x")?, start.input("y")?);
    Ok(training(SGD::new(model.parameters(), RATE)?, move || {
        let h = b.forward(&a.forward(&x)?.tanh()?)?.tanh()?;
        Ok(loss::mse(&c.forward(&h)?, &y)?)
    }))
}

pub fn w10(start: &Start) -> Result<Step> {
    let var = |name| -> Result<_> { Ok(Var::from_tensor(&start.input(name)?)?) };
    let (x, w, b) = (var("x")?, var("w")?, var("b")?);
    Ok(Box::new(move || {
        let (x, w, b): (&Tensor, &Tensor, &Tensor) = (&x, &w, &b);
        let loss = (((x * w)? + b)?.tanh()? * ops::sigmoid(x)?)?.mean_all()?;
        std::hint::black_box(loss.backward()?);
        Ok(loss.to_scalar()?)
    }))
}
